//! The values of a stack's variables: default < `WINDLASS_VAR_x` < environment block < `--var` and `--var-file` in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{AttrPath, Diagnostic, Files, Span, Type, Value, from_json};

use super::suggest::Suggest;
use super::{Stack, Variable, scan};
use crate::lang::{self, Expr, Reference, Scope, Source};

/// What was given from outside.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `WINDLASS_VAR_x` as `x`.
    pub env: BTreeMap<String, String>,
    /// `--var` and `--var-file`, in order.
    pub args: Vec<GivenArg>,
}

/// One `--var` or `--var-file`.
#[derive(Clone)]
pub enum GivenArg {
    /// `--var name=value`
    Set {
        /// The variable.
        name: String,
        /// Its value as text.
        value: String,
    },
    /// `--var-file path`
    File {
        /// As it was given; JSON if it ends in `.json`, else HCL attributes.
        path: String,
        /// What is in it.
        content: String,
    },
}

impl std::fmt::Debug for GivenArg {
    /// Without the values: they may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GivenArg::Set { name, .. } => write!(f, "--var {name}=…"),
            GivenArg::File { path, .. } => write!(f, "--var-file {path}"),
        }
    }
}

/// The values of a stack's variables.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// By name, converted to their types, sensitive ones marked.
    pub values: BTreeMap<Arc<str>, Value>,
    /// Those without default that no one gave: the caller asks for them, or fails.
    pub missing: Vec<Arc<str>>,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Where a value comes from, for messages.
#[derive(Clone, Debug)]
enum Origin {
    Text(String),
    Place(Span),
}

struct Candidate {
    value: Value,
    origin: Origin,
}

/// Resolves all variables of a stack for an environment (declared or not).
pub fn resolve(stack: &Stack, environment: &str, given: &Given, files: &dyn Files) -> Resolved {
    let mut resolve = Resolve {
        stack,
        environment,
        files,
        candidates: BTreeMap::new(),
        failed: Vec::new(),
        out: Resolved::default(),
    };
    resolve.env(&given.env);
    resolve.block(&given.env);
    for arg in &given.args {
        match arg {
            GivenArg::Set { name, value } => resolve.set(name, value),
            GivenArg::File { path, content } if path.ends_with(".json") => resolve.json_file(path, content),
            GivenArg::File { path, content } => resolve.hcl_file(path, content),
        }
    }
    resolve.finish()
}

struct Resolve<'a> {
    stack: &'a Stack,
    environment: &'a str,
    files: &'a dyn Files,
    candidates: BTreeMap<Arc<str>, Candidate>,
    /// Variables whose given value could not be read: they are not missing.
    failed: Vec<Arc<str>>,
    out: Resolved,
}

impl<'a> Resolve<'a> {
    fn declared(&self, name: &str) -> Option<(&'a Arc<str>, &'a Variable)> {
        self.stack.variables.get_key_value(name)
    }

    fn give(&mut self, name: &Arc<str>, value: Value, origin: Origin) {
        self.candidates.insert(name.clone(), Candidate { value, origin });
    }

    fn fail(&mut self, name: &Arc<str>, problem: Diagnostic) {
        self.failed.push(name.clone());
        self.out.diagnostics.push(problem);
    }

    fn env(&mut self, env: &BTreeMap<String, String>) {
        for (name, text) in env {
            // As with Terraform, the environment may hold variables of other stacks.
            if let Some((name, variable)) = self.declared(name) {
                self.text(name, variable, text, format!("WINDLASS_VAR_{name}"));
            }
        }
    }

    fn block(&mut self, env: &BTreeMap<String, String>) {
        let Some(block) = self.stack.environments.get(self.environment) else { return };
        for (name, (expr, file)) in &block.variables {
            let Some((name, variable)) = self.declared(name) else { continue };
            let place = expr.at.in_file(file);
            if env.contains_key(&**name) {
                let environment = self.environment;
                let title =
                    format!("WINDLASS_VAR_{name} has no effect: environment `{environment}` sets `{name}`");
                let diagnostic = Diagnostic::warning(title).at(&place, "this value is used");
                self.out.diagnostics.push(diagnostic.help(format!("`--var {name}=…` goes before the block")));
            }
            match lang::evaluate(expr, file, &Surroundings { resolve: self }) {
                Ok(value) => self.give(name, value, Origin::Place(place)),
                Err(problem) => {
                    let problem = hide(*problem, variable, name);
                    self.fail(name, problem);
                }
            }
        }
    }

    fn set(&mut self, name: &str, text: &str) {
        match self.declared(name) {
            Some((name, variable)) => self.text(name, variable, text, format!("--var {name}")),
            None => {
                let problem = self.undeclared(Diagnostic::error, name, "`--var`");
                self.out.diagnostics.push(problem);
            }
        }
    }

    fn undeclared(&self, severity: fn(String) -> Diagnostic, name: &str, by: &str) -> Diagnostic {
        let diagnostic = severity(format!("{by} sets `{name}`, which is not a variable of this stack"));
        match Suggest::default().nearest(name, self.stack.variables.keys()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("declare it with `variable \"{name}\" {{ … }}`")),
        }
    }

    /// A value given as text: of a string variable and of one without a type the text itself, of a number or bool what
    /// it reads as, else an expression.
    fn text(&mut self, name: &Arc<str>, variable: &Variable, text: &str, by: String) {
        if variable.ty.is_primitive() || !variable.typed {
            return self.give(name, Value::string(text), Origin::Text(by));
        }
        let file: Arc<str> = by.as_str().into();
        let value = evaluate_text(text, &file);
        match value {
            Ok(value) => self.give(name, value, Origin::Text(by)),
            Err(problem) => {
                // There is no source to show: what is wrong is said in words, without the text itself.
                let mut diagnostic = Diagnostic::error(format!("{by}: the value is not an expression"));
                if !variable.sensitive {
                    diagnostic = diagnostic.note(problem.title);
                }
                let needed = format!(
                    "`{name}` is of type {}; a string needs quotes of its own: '\"text\"'",
                    variable.ty
                );
                self.fail(name, diagnostic.help(needed));
            }
        }
    }

    fn hcl_file(&mut self, path: &str, content: &str) {
        let file: Arc<str> = path.into();
        let (text, base) = content.strip_prefix('\u{feff}').map_or((content, 0), |text| (text, 3));
        let source = Source { file: &file, text, base };
        let body = match parse_variables(content, &source) {
            Ok(body) => body,
            Err(problem) => return self.out.diagnostics.push(without_place(*problem, path, content)),
        };
        if let Some(block) = body.blocks().next() {
            let line = line_of(content, source.at(hcl_edit::Span::span(&block.ident)).start);
            let title =
                format!("`{path}`, line {line}: a file of variables holds `name = value` lines, no blocks");
            self.out.diagnostics.push(Diagnostic::error(title));
        }
        for attribute in body.attributes() {
            let name = attribute.key.as_str();
            let line = line_of(content, source.at(hcl_edit::Span::span(&attribute.key)).start);
            let by = format!("`{path}`, line {line},");
            let Some((name, variable)) = self.declared(name) else {
                let problem = self.undeclared(Diagnostic::warning, name, &by);
                self.out.diagnostics.push(problem);
                continue;
            };
            let value = lang::lower(&attribute.value, &source)
                .map_err(Box::new)
                .and_then(|expr| constant(&expr, &file));
            match value {
                Ok(value) => self.give(name, value, Origin::Text(format!("`{path}`, line {line}"))),
                Err(problem) => self.fail(name, without_place(hide(*problem, variable, name), path, content)),
            }
        }
    }

    fn json_file(&mut self, path: &str, content: &str) {
        let json: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(content) {
            Ok(json) => json,
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let title = format!("`{path}` is not a JSON object: line {line}, column {column}");
                return self.out.diagnostics.push(Diagnostic::error(title));
            }
        };
        for (name, value) in json {
            match self.declared(&name) {
                Some((name, _)) => self.give(name, from_json(value), Origin::Text(format!("`{path}`"))),
                None => {
                    let problem = self.undeclared(Diagnostic::warning, &name, &format!("`{path}`"));
                    self.out.diagnostics.push(problem);
                }
            }
        }
    }

    fn finish(mut self) -> Resolved {
        let mut candidates = std::mem::take(&mut self.candidates);
        for (name, variable) in &self.stack.variables {
            let given = candidates.remove(name);
            let origin = given.as_ref().map(|given| given.origin.clone());
            let value = match given {
                Some(given) if given.value.is_null() && !variable.nullable => variable.default.clone(),
                Some(given) => self.fit(name, variable, given),
                None => variable.default.clone(),
            };
            let Some(value) = value else {
                if !self.failed.contains(name) {
                    self.absent(name, variable, origin.is_some());
                }
                continue;
            };
            // The one door: whatever leaves here has its mark.
            let value = if variable.sensitive { value.sensitive() } else { value };
            self.validate(name, variable, &value, origin);
            self.out.values.insert(name.clone(), value);
        }
        self.out
    }

    fn absent(&mut self, name: &Arc<str>, variable: &Variable, given_null: bool) {
        if !given_null {
            return self.out.missing.push(name.clone());
        }
        let title = format!("variable `{name}` is not nullable, has no default, and was given null");
        self.out.diagnostics.push(Diagnostic::error(title).at(&variable.span, "declared here"));
    }

    /// The value as one of the variable's type.
    fn fit(&mut self, name: &Arc<str>, variable: &Variable, given: Candidate) -> Option<Value> {
        if given.value.is_null() {
            return Some(given.value);
        }
        let defaults = variable.defaults.as_deref();
        let value = defaults.map_or_else(|| given.value.clone(), |defaults| defaults.apply(&given.value));
        match lang::convert(&value, &variable.ty) {
            Ok(value) => Some(value),
            Err(error) => {
                let problem = misfit(name, variable, &given.origin, &error.path, &error.message);
                self.fail(name, problem);
                None
            }
        }
    }

    fn validate(&mut self, name: &Arc<str>, variable: &Variable, value: &Value, origin: Option<Origin>) {
        for validation in &variable.validations {
            let scope = Own { name, value, files: self.files };
            let held = match lang::evaluate(&validation.condition, &validation.file, &scope) {
                Ok(held) => held,
                Err(problem) => {
                    self.out.diagnostics.push(hide(*problem, variable, name));
                    continue;
                }
            };
            if held.is_unknown()
                || lang::convert(&held, &Type::Bool).is_ok_and(|held| held.as_bool() == Some(true))
            {
                continue;
            }
            let message = lang::evaluate(&validation.message, &validation.file, &scope).ok();
            let shown = message.filter(|message| !message.has_sensitive());
            let text = shown.as_ref().and_then(Value::as_str).unwrap_or("a condition on it does not hold");
            let mut diagnostic = Diagnostic::error(format!("variable `{name}`: {text}"));
            if let Some(Origin::Place(place)) = &origin
                && !variable.sensitive
            {
                diagnostic = diagnostic.at(place, "this value");
            }
            let condition = validation.condition.at.in_file(&validation.file);
            diagnostic = diagnostic.at(&condition, "this condition does not hold");
            if let Some(Origin::Text(by)) = &origin {
                diagnostic = diagnostic.note(format!("the value comes from {by}"));
            }
            self.out.diagnostics.push(diagnostic);
        }
    }
}

fn misfit(name: &str, variable: &Variable, origin: &Origin, path: &AttrPath, message: &str) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(format!("variable `{name}`: the value is not of type {}", variable.ty));
    let diagnostic = match origin {
        // The line itself would be shown, and the value in it.
        Origin::Place(_) if variable.sensitive => diagnostic.at(&variable.span, "declared here"),
        Origin::Place(place) => diagnostic.at(place, "this value").at(&variable.span, "declared here"),
        Origin::Text(by) => {
            diagnostic.at(&variable.span, "declared here").note(format!("the value comes from {by}"))
        }
    };
    match variable.sensitive {
        true => diagnostic,
        false if path.0.is_empty() => diagnostic.note(message),
        false => diagnostic.note(format!("at `{path}`: {message}")),
    }
}

/// A problem with the value of a sensitive variable says nothing that could hold the value.
fn hide(problem: Diagnostic, variable: &Variable, name: &str) -> Diagnostic {
    if !variable.sensitive {
        return problem;
    }
    let hidden = Diagnostic::error(format!("variable `{name}`: its value cannot be worked out"));
    hidden
        .at(&variable.span, "declared here")
        .note("what is wrong is not shown, as the variable is sensitive")
}

/// The value of an expression that is given as text.
fn evaluate_text(text: &str, file: &Arc<str>) -> Result<Value, Box<Diagnostic>> {
    scan::check(text, file)?;
    constant(&lang::parse_expression(text, file).map_err(Box::new)?, file)
}

fn constant(expr: &Expr, file: &Arc<str>) -> Result<Value, Box<Diagnostic>> {
    lang::evaluate(expr, file, &super::decode::Constant("a variable's value"))
}

fn parse_variables(content: &str, source: &Source) -> Result<hcl_edit::structure::Body, Box<Diagnostic>> {
    scan::text(content.as_bytes(), source.file)?;
    scan::check(content, source.file)?;
    let parsed = hcl_edit::parser::parse_body(source.text);
    parsed.map_err(|error| Box::new(lang::syntax_error(&error, source)))
}

/// A file of variables is no source file, and may hold secrets: its lines are named, not shown.
fn without_place(problem: Diagnostic, path: &str, content: &str) -> Diagnostic {
    let Some(label) = problem.labels.first().filter(|label| *label.span.file == *path) else {
        return problem;
    };
    let title = format!("`{path}`, line {}: {}", line_of(content, label.span.start), problem.title);
    Diagnostic { title, labels: Vec::new(), notes: Vec::new(), help: None, ..problem }
}

/// The number of the line that a place is in.
fn line_of(content: &str, at: u32) -> usize {
    let before = content.bytes().take(at as usize);
    1 + before.filter(|byte| *byte == b'\n').count()
}

/// What a value in an `environment` block may refer to.
struct Surroundings<'r, 'a> {
    resolve: &'r Resolve<'a>,
}

impl Scope for Surroundings<'_, '_> {
    fn value(&self, reference: &Reference) -> Result<Value, String> {
        match reference {
            Reference::StackName => Ok(Value::string(self.resolve.stack.name.as_str())),
            Reference::EnvironmentName => Ok(Value::string(self.resolve.environment)),
            _ => {
                Err("values in an `environment` block can refer to `stack.name` and `environment.name` only"
                    .into())
            }
        }
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self.resolve.files)
    }
}

/// What a validation may refer to: its variable.
struct Own<'a> {
    name: &'a Arc<str>,
    value: &'a Value,
    files: &'a dyn Files,
}

impl Scope for Own<'_> {
    fn value(&self, reference: &Reference) -> Result<Value, String> {
        match reference {
            Reference::Variable(name) if name == self.name => Ok(self.value.clone()),
            _ => Err(format!("a validation can refer to its own variable only: `var.{}`", self.name)),
        }
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(self.files)
    }
}
