//! Blocks of stack files, decoded by their kind. Names in expressions are looked at later, by `check`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, BlockLabel, Body, Structure};
use unicode_normalization::UnicodeNormalization;
use windlass_model::{Catalog, Diagnostic, Span, Value};

use super::suggest::Suggest;
use super::{
    AttributeExpr, BlockExpr, BodyExpr, Environment, Local, OutputBlock, ProviderBlock, Stack, Validation,
    Variable,
};
use crate::lang::{self, At, Expr, Node, Reference, Scope, Source};

mod resource;
mod variable;

/// How many bytes a name may have.
const NAME_LIMIT: usize = 128;

/// What may stand at the top of a stack file.
const BLOCKS: [&str; 7] = ["stack", "variable", "locals", "provider", "environment", "resource", "output"];

/// What Terraform has there and Windlass does not yet.
const LATER: [&str; 7] = ["module", "moved", "removed", "import", "check", "state", "data"];

/// Collects blocks into a stack, and what is wrong with them.
pub(super) struct Decoder<'c> {
    catalog: &'c Catalog,
    stack: Stack,
    pub(super) report: Vec<Diagnostic>,
    suggest: Suggest,
    names: BTreeSet<Arc<str>>,
    /// Where the one `stack` block stands.
    stack_block: Option<Span>,
    providers: BTreeMap<(Arc<str>, Option<Arc<str>>), Span>,
    resources: BTreeMap<(Arc<str>, Arc<str>), Span>,
}

/// A scope in which nothing has a name: for what must be a constant. The text says what it is.
pub(super) struct Constant<'w>(pub(super) &'w str);

impl Scope for Constant<'_> {
    fn value(&self, _: &Reference) -> Result<Value, String> {
        Err(format!("{} must be a constant: it cannot refer to anything", self.0))
    }
}

impl<'c> Decoder<'c> {
    pub(super) fn new(name: &str, catalog: &'c Catalog) -> Decoder<'c> {
        Decoder {
            catalog,
            stack: Stack { name: name.to_owned(), ..Stack::default() },
            report: Vec::new(),
            suggest: Suggest::default(),
            names: BTreeSet::new(),
            stack_block: None,
            providers: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }

    pub(super) fn finish(self) -> (Stack, Vec<Diagnostic>) {
        (self.stack, self.report)
    }

    pub(super) fn stray_attribute(&mut self, attribute: &Attribute, source: &Source) {
        let name = attribute.key.as_str();
        let span = source.span(attribute.key.span());
        let diagnostic = Diagnostic::error(format!("`{name}` stands outside of any block"));
        self.report.push(
            diagnostic
                .at(&span, "")
                .help(format!("values with a name belong into `locals {{ {name} = … }}`")),
        );
    }

    pub(super) fn block(&mut self, block: &Block, source: &Source) {
        match block.ident.as_str() {
            "stack" => self.stack(block, source),
            "variable" => self.variable(block, source),
            "locals" => self.locals(block, source),
            "provider" => self.provider(block, source),
            "environment" => self.environment(block, source),
            "resource" => self.resource(block, source),
            "output" => self.output(block, source),
            other => self.unknown_block(other, block, source),
        }
    }

    fn unknown_block(&mut self, name: &str, block: &Block, source: &Source) {
        let place = source.span(block.ident.span());
        if LATER.contains(&name) {
            let diagnostic = Diagnostic::error(format!("`{name}` blocks are not supported yet"));
            return self.report.push(diagnostic.at(&place, ""));
        }
        let diagnostic = Diagnostic::error(format!("unknown block `{name}`")).at(&place, "");
        let diagnostic = match self.suggest.nearest(name, BLOCKS) {
            Some(near) => diagnostic.patch(format!("did you mean `{near}`?"), &place, near),
            None => diagnostic.help(format!("a stack file holds {}", list(&BLOCKS))),
        };
        self.report.push(diagnostic);
    }

    /// The labels of a block, if there are as many as its kind takes and each is a name.
    fn labels<const N: usize>(
        &mut self,
        block: &Block,
        source: &Source,
        form: &str,
    ) -> Option<[Arc<str>; N]> {
        let head = self.head(block, source).in_file(source.file);
        if block.labels.len() != N {
            let title =
                format!("`{}` takes {}, not {}", block.ident.as_str(), labels_text(N), block.labels.len());
            self.report.push(Diagnostic::error(title).at(&head, "").help(format!("write it as `{form}`")));
            return None;
        }
        if let Some(label) = block.labels.iter().find(|label| !is_name(&normal(label.as_str()))) {
            let shown: String = label.as_str().chars().take(40).collect();
            let diagnostic = Diagnostic::error(format!("{shown:?} is not a name"));
            let help = format!(
                "a name begins with a letter or `_` and holds letters, digits, `_` and `-`, {NAME_LIMIT} bytes at most"
            );
            self.report.push(diagnostic.at(&source.span(label.span()), "").help(help));
            return None;
        }
        // The type of a resource stands again and again, its name does not.
        let mut label = |(i, label): (usize, &BlockLabel)| match i {
            0 => self.name(label.as_str()),
            _ => normal(label.as_str()),
        };
        let labels: Vec<Arc<str>> = block.labels.iter().enumerate().map(&mut label).collect();
        labels.try_into().ok()
    }

    /// A name, kept once however often it stands.
    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(name) = self.names.get(text) {
            return name.clone();
        }
        let normal = normal(text);
        self.names.insert(normal.clone());
        normal
    }

    fn head(&self, block: &Block, source: &Source) -> At {
        let start = source.at(block.ident.span());
        let end = block.labels.last().map_or(start, |label| source.at(label.span()));
        At { start: start.start, end: end.end }
    }

    fn duplicate(&mut self, what: &str, again: &Span, first: &Span) {
        let diagnostic = Diagnostic::error(format!("{what} stands twice")).at(again, "again here");
        self.report.push(diagnostic.at(first, "first here").help("rename or remove one of them"));
    }

    fn lower(&mut self, expr: &Expression, source: &Source) -> Option<Expr> {
        lang::lower(expr, source).map_err(|problem| self.report.push(problem)).ok()
    }

    /// The value of an attribute that must be a constant.
    fn constant(&mut self, expr: &Expression, source: &Source, what: &str) -> Option<(Value, Span)> {
        let expr = self.lower(expr, source)?;
        match lang::evaluate(&expr, source.file, &Constant(what)) {
            Ok(value) => Some((value, expr.at.in_file(source.file))),
            Err(problem) => {
                self.report.push(*problem);
                None
            }
        }
    }

    fn constant_text(&mut self, body: &Body, name: &str, source: &Source) -> Option<String> {
        let attribute = body.get_attribute(name)?;
        let (value, place) = self.constant(&attribute.value, source, &format!("`{name}`"))?;
        if !value.is_null() && value.as_str().is_none() {
            self.wrong_type(name, "a string", &place);
        }
        value.as_str().map(str::to_owned)
    }

    fn constant_bool(&mut self, body: &Body, name: &str, source: &Source) -> Option<bool> {
        let attribute = body.get_attribute(name)?;
        let (value, place) = self.constant(&attribute.value, source, &format!("`{name}`"))?;
        let value = match &value {
            value if value.is_null() => return None,
            value => value.as_bool().or_else(|| value.as_str()?.parse().ok()),
        };
        if value.is_none() {
            self.wrong_type(name, "`true` or `false`", &place);
        }
        value
    }

    fn wrong_type(&mut self, name: &str, needed: &str, place: &Span) {
        self.report.push(Diagnostic::error(format!("`{name}` must be {needed}")).at(place, ""));
    }

    /// Tells of every attribute and block that a block of the engine's own does not have.
    fn only(&mut self, body: &Body, source: &Source, attributes: &[&str], blocks: &[&str], whose: &str) {
        for structure in body {
            let (name, place, known) = match structure {
                Structure::Attribute(a) => {
                    (a.key.as_str(), a.key.span(), attributes.contains(&a.key.as_str()))
                }
                Structure::Block(b) => (b.ident.as_str(), b.ident.span(), blocks.contains(&b.ident.as_str())),
            };
            if known {
                continue;
            }
            let place = source.span(place);
            let kind = if structure.is_block() { "block" } else { "attribute" };
            let diagnostic = Diagnostic::error(format!("unknown {kind} `{name}` in {whose}")).at(&place, "");
            let all = attributes.iter().chain(blocks);
            let form = match structure.is_block() {
                true => attributes.contains(&name).then(|| format!("it is an attribute: write `{name} = …`")),
                false => blocks.contains(&name).then(|| format!("it is a block: write `{name} {{ … }}`")),
            };
            self.report.push(match (form, self.suggest.nearest(name, all.clone())) {
                (Some(form), _) => diagnostic.help(form),
                (None, Some(near)) => diagnostic.patch(format!("did you mean `{near}`?"), &place, near),
                (None, None) => {
                    diagnostic.help(format!("it may hold {}", list(&all.copied().collect::<Vec<_>>())))
                }
            });
        }
    }

    /// Attributes and blocks as they are, lowered. `skip` names what the engine reads itself.
    fn body(&mut self, body: &Body, source: &Source, skip: &dyn Fn(&str, bool) -> bool) -> BodyExpr {
        let mut out = BodyExpr::default();
        for structure in body {
            match structure {
                Structure::Attribute(attribute) if !skip(attribute.key.as_str(), false) => {
                    let Some(value) = self.lower(&attribute.value, source) else { continue };
                    let name = self.name(attribute.key.as_str());
                    out.attributes.push(AttributeExpr {
                        name,
                        name_at: source.at(attribute.key.span()),
                        value,
                    });
                }
                Structure::Block(block) if !skip(block.ident.as_str(), true) => {
                    let labels = block.labels.iter().map(|label| self.name(label.as_str())).collect();
                    out.blocks.push(BlockExpr {
                        kind: self.name(block.ident.as_str()),
                        labels,
                        head: self.head(block, source),
                        body: self.body(&block.body, source, &|_, _| false),
                    });
                }
                _ => {}
            }
        }
        out
    }

    fn stack(&mut self, block: &Block, source: &Source) {
        let head = self.head(block, source).in_file(source.file);
        if let Some(first) = self.stack_block.clone() {
            return self.duplicate("the `stack` block", &head, &first);
        }
        self.stack_block = Some(head);
        let Some([name]) = self.labels::<1>(block, source, "stack \"name\" { … }") else { return };
        self.stack.name = name.as_ref().to_owned();
        let settings = ["refresh_after", "snapshot_limit_mb"];
        self.only(
            &block.body,
            source,
            &["description", "refresh_after", "snapshot_limit_mb"],
            &[],
            "a `stack` block",
        );
        self.stack.description = self.constant_text(&block.body, "description", source);
        for setting in settings {
            let Some(attribute) = block.body.get_attribute(setting) else { continue };
            let Some((value, place)) = self.constant(&attribute.value, source, &format!("`{setting}`"))
            else {
                continue;
            };
            let problem = match setting {
                "refresh_after" => super::time::duration_ms(&value).err(),
                _ => {
                    value.as_i64().is_none_or(|n| n < 1).then(|| "a number of megabytes is needed".to_owned())
                }
            };
            match problem {
                Some(problem) => self.wrong_setting(setting, &problem, &place),
                None => drop(self.stack.settings.insert(setting.to_owned(), value)),
            }
        }
    }

    fn wrong_setting(&mut self, name: &str, problem: &str, place: &Span) {
        self.report.push(Diagnostic::error(format!("`{name}`: {problem}")).at(place, ""));
    }

    fn locals(&mut self, block: &Block, source: &Source) {
        let Some([]) = self.labels::<0>(block, source, "locals { … }") else { return };
        for structure in &block.body {
            let attribute = match structure {
                Structure::Attribute(attribute) => attribute,
                Structure::Block(inner) => {
                    let place = self.head(inner, source).in_file(source.file);
                    let name = inner.ident.as_str();
                    let diagnostic =
                        Diagnostic::error(format!("`locals` takes no block `{name}`")).at(&place, "");
                    self.report.push(diagnostic.help(format!("write `{name} = {{ … }}`")));
                    continue;
                }
            };
            let Some(value) = self.lower(&attribute.value, source) else { continue };
            let name = self.name(attribute.key.as_str());
            let name_at = source.at(attribute.key.span());
            if let Some(first) = self.stack.locals.get(&name) {
                let first = first.name_at.in_file(&first.file);
                self.duplicate(&format!("`local.{name}`"), &name_at.in_file(source.file), &first);
                continue;
            }
            self.stack.locals.insert(name, Local { value, file: source.file.clone(), name_at });
        }
    }

    fn provider(&mut self, block: &Block, source: &Source) {
        let Some([name]) = self.labels::<1>(block, source, "provider \"name\" { … }") else { return };
        let head = self.head(block, source).in_file(source.file);
        let alias = self.constant_text(&block.body, "alias", source).map(Arc::<str>::from);
        let key = (name.clone(), alias.clone());
        if let Some(first) = self.providers.get(&key).cloned() {
            let what = match &alias {
                Some(alias) => format!("provider `{name}.{alias}`"),
                None => format!("provider `{name}` without an alias"),
            };
            return self.duplicate(&what, &head, &first);
        }
        self.providers.insert(key, head.clone());
        let body = self.body(&block.body, source, &|name, is_block| name == "alias" && !is_block);
        self.stack.providers.push(ProviderBlock { name, alias, body, span: head });
    }

    fn environment(&mut self, block: &Block, source: &Source) {
        let Some([name]) = self.labels::<1>(block, source, "environment \"name\" { … }") else { return };
        let head = self.head(block, source).in_file(source.file);
        if let Some(first) = self.stack.environments.get(&name).map(|first| first.span.clone()) {
            return self.duplicate(&format!("environment `{name}`"), &head, &first);
        }
        self.only(&block.body, source, &["variables", "approval"], &[], "an `environment` block");
        let mut environment = Environment { span: head, manual_approval: false, variables: BTreeMap::new() };
        if let Some(attribute) = block.body.get_attribute("approval") {
            match self.constant(&attribute.value, source, "`approval`") {
                Some((value, _)) if value.as_str() == Some("manual") => environment.manual_approval = true,
                Some((value, _)) if value.as_str() == Some("auto") || value.is_null() => {}
                Some((_, place)) => self.wrong_type("approval", "\"manual\" or \"auto\"", &place),
                None => {}
            }
        }
        if let Some(attribute) = block.body.get_attribute("variables") {
            self.environment_variables(attribute, source, &mut environment);
        }
        self.stack.environments.insert(name, environment);
    }

    fn environment_variables(&mut self, attribute: &Attribute, source: &Source, to: &mut Environment) {
        let Some(lowered) = self.lower(&attribute.value, source) else { return };
        let place = lowered.at.in_file(source.file);
        let Node::Object(pairs) = lowered.node else {
            return self.wrong_type("variables", "an object of variables and their values", &place);
        };
        for (key, value) in pairs {
            let Some(name) = literal_text(&key) else {
                let place = key.at.in_file(source.file);
                self.wrong_type("variables", "an object whose keys are the names of variables", &place);
                continue;
            };
            to.variables.insert(name, (value, source.file.clone()));
        }
    }

    fn output(&mut self, block: &Block, source: &Source) {
        let Some([name]) = self.labels::<1>(block, source, "output \"name\" { value = … }") else { return };
        let head = self.head(block, source);
        let place = head.in_file(source.file);
        if let Some(first) = self.stack.outputs.get(&name) {
            let first = first.head.in_file(&first.file);
            return self.duplicate(&format!("output `{name}`"), &place, &first);
        }
        let known = ["value", "description", "sensitive", "depends_on"];
        self.only(&block.body, source, &known, &[], "an `output` block");
        let Some(value) = block.body.get_attribute("value") else {
            let diagnostic = Diagnostic::error(format!("output `{name}` has no `value`")).at(&place, "");
            return self.report.push(diagnostic);
        };
        let output = OutputBlock {
            value: match self.lower(&value.value, source) {
                Some(value) => value,
                None => return,
            },
            description: self.constant_text(&block.body, "description", source),
            sensitive: self.constant_bool(&block.body, "sensitive", source).unwrap_or(false),
            depends_on: self.depends_on(&block.body, source),
            file: source.file.clone(),
            head,
        };
        self.stack.outputs.insert(name, output);
    }

    fn depends_on(&mut self, body: &Body, source: &Source) -> Vec<(Reference, At)> {
        let Some(attribute) = body.get_attribute("depends_on") else { return Vec::new() };
        let Some(lowered) = self.lower(&attribute.value, source) else { return Vec::new() };
        let place = lowered.at.in_file(source.file);
        let Node::Tuple(items) = lowered.node else {
            self.wrong_type("depends_on", "a list of resources: `[local_file.a, local_file.b]`", &place);
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items {
            let place = item.at;
            match whole_reference(&item.node) {
                Some(reference) => found.push((reference.clone(), place)),
                None => {
                    let title = "`depends_on` takes whole resources, as `type.name`";
                    self.report.push(Diagnostic::error(title).at(&place.in_file(source.file), ""));
                }
            }
        }
        found
    }
}

/// The resource that a `depends_on` entry names; an instance key behind it says no more than the block does.
fn whole_reference(node: &Node) -> Option<&Reference> {
    match node {
        Node::Reference(reference @ (Reference::Resource(..) | Reference::Module(_))) => Some(reference),
        Node::Index(of, _) => whole_reference(&of.node),
        _ => None,
    }
}

/// The text of a literal string.
pub(super) fn literal_text(expr: &Expr) -> Option<Arc<str>> {
    match &expr.node {
        Node::Literal(value) => value.as_str().map(Arc::from),
        _ => None,
    }
}

/// Names in a sentence: `a`, `b` and `c`.
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

fn labels_text(count: usize) -> &'static str {
    match count {
        0 => "no label",
        1 => "one label",
        _ => "two labels",
    }
}

/// As in expressions: the same letters are the same name, however they are composed.
fn normal(text: &str) -> Arc<str> {
    if text.is_ascii() { text.into() } else { text.nfc().collect::<String>().into() }
}

/// Names become parts of paths in the store: they are short and plain.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    text.len() <= NAME_LIMIT
        && chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}
