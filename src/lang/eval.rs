//! Evaluation, with what is unknown and what is sensitive carried along.

pub(super) mod access;
mod call;
mod collection;
mod conditional;
pub(super) mod operators;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use windlass_model::{Diagnostic, Key, Kind, Marks, Type, Value};

use super::expr::{At, Expr, Node, Reference};
use super::scope::Scope;
use super::suggest::closest;

pub(super) type Outcome = Result<Value, Box<Diagnostic>>;

/// Evaluates an expression. What it needs and is not known yet makes the result unknown; marks of what it was made of
/// are on the result, or on the part of it that they belong to.
///
/// # Errors
/// The first error, with its place.
pub fn evaluate(expr: &Expr, file: &Arc<str>, scope: &dyn Scope) -> Result<Value, Box<Diagnostic>> {
    Evaluator { file, scope, templates: 0 }.eval(expr, None)
}

/// Evaluates a template file, in which `names` have these values.
pub(super) fn evaluate_template(
    expr: &Expr,
    file: &Arc<str>,
    scope: &dyn Scope,
    names: &[(Arc<str>, Value)],
    templates: u32,
) -> Outcome {
    let env = Env { frame: Frame::Names(names), outer: None };
    Evaluator { file, scope, templates }.eval(expr, Some(&env))
}

/// What evaluates: the file of the expression, for places, and what names mean.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    file: &'a Arc<str>,
    scope: &'a dyn Scope,
    /// How many template files are around.
    templates: u32,
}

/// Variables of `for`s and elements of splats, innermost first.
struct Env<'e> {
    frame: Frame<'e>,
    outer: Option<&'e Env<'e>>,
}

enum Frame<'e> {
    Variable(&'e str, &'e Value),
    Element(&'e Value),
    Names(&'e [(Arc<str>, Value)]),
}

type Scoped<'e> = Option<&'e Env<'e>>;

impl<'e> Env<'e> {
    fn frames(&'e self) -> impl Iterator<Item = &'e Frame<'e>> {
        std::iter::successors(Some(self), |env| env.outer).map(|env| &env.frame)
    }
}

fn variable<'e>(env: Scoped<'e>, name: &str) -> Option<&'e Value> {
    env?.frames().find_map(|frame| match frame {
        Frame::Variable(known, value) if *known == name => Some(*value),
        Frame::Names(names) => names.iter().find(|(known, _)| **known == *name).map(|(_, value)| value),
        _ => None,
    })
}

fn element<'e>(env: Scoped<'e>) -> Option<&'e Value> {
    env?.frames().find_map(|frame| if let Frame::Element(value) = frame { Some(*value) } else { None })
}

impl Evaluator<'_> {
    fn eval(&self, expr: &Expr, env: Scoped<'_>) -> Outcome {
        match &expr.node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Template(parts) => self.template(parts, env),
            Node::Tuple(items) => self.tuple(items, env),
            Node::Object(entries) => self.object(entries, env),
            Node::Reference(reference) => self.reference(reference, expr.at),
            Node::Bound(name) => variable(env, name).cloned().ok_or_else(|| self.unknown_name(name, expr.at)),
            Node::Attribute(base, name) => {
                let base = self.eval(base, env)?;
                access::attribute(&base, name).map_err(|error| self.place(error, expr.at))
            }
            Node::Index(base, key) => self.index(expr, base, key, env),
            Node::Splat(base, each) => self.splat(base, each, env),
            Node::Each => {
                element(env).cloned().ok_or_else(|| self.error(expr.at, "there is no splat around this"))
            }
            Node::Call(call) => self.call(expr.at, call, env),
            Node::Unary(op, operand) => self.unary(*op, operand, env),
            Node::Binary(op, left, right) => self.binary(expr.at, *op, left, right, env),
            Node::Conditional(condition, then, otherwise) => {
                self.conditional(expr.at, condition, then, otherwise, env)
            }
            Node::For(expr) => self.for_expr(expr, env),
        }
    }

    /// An error at a place.
    fn error(&self, at: At, title: impl Into<String>) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(title).at(&at.in_file(self.file), ""))
    }

    /// Gives an error without a place one.
    fn place(&self, mut error: Box<Diagnostic>, at: At) -> Box<Diagnostic> {
        if error.labels.is_empty() {
            *error = error.at(&at.in_file(self.file), "");
        }
        error
    }

    fn unknown_name(&self, name: &str, at: At) -> Box<Diagnostic> {
        unknown_name(name, at, self.file)
    }

    fn reference(&self, reference: &Reference, at: At) -> Outcome {
        if let Reference::Unknown(name) = reference {
            return Err(self.unknown_name(name, at));
        }
        self.scope.value(reference).map_err(|title| self.error(at, title))
    }

    fn tuple(&self, items: &[Expr], env: Scoped<'_>) -> Outcome {
        let items: Result<Vec<Value>, _> = items.iter().map(|item| self.eval(item, env)).collect();
        Ok(Value::tuple(items?))
    }

    fn object(&self, entries: &[(Expr, Expr)], env: Scoped<'_>) -> Outcome {
        let mut result: Vec<(Arc<str>, Value)> = Vec::with_capacity(entries.len());
        let mut unknown: Option<Value> = None;
        let mut marks = Marks::NONE;
        let mut computed = false;
        for (key_expr, value_expr) in entries {
            let key = self.eval(key_expr, env)?;
            let value = self.eval(value_expr, env)?;
            computed |= !matches!(&key_expr.node, Node::Literal(literal) if literal.as_str().is_some());
            marks |= key.marks;
            match self.key(&key, key_expr.at)? {
                Some(name) => result.push((name, value)),
                None => unknown = Some(key),
            }
        }
        if let Some(key) = unknown {
            return Ok(access::unknown_of(Type::Any, true, &key).marked(marks));
        }
        if computed {
            self.no_duplicates(&result, entries, marks)?;
        }
        Ok(Value::object(result).marked(marks))
    }

    /// The text of a key; `None`: not known yet.
    fn key(&self, key: &Value, at: At) -> Result<Option<Arc<str>>, Box<Diagnostic>> {
        let key = match &key.kind {
            Kind::String(text) => return Ok(Some(text.clone())),
            Kind::Null => return Err(self.error(at, "the key of an object is null")),
            _ => super::convert::converted(key, &Type::String)
                .map_err(|error| self.error(at, format!("the key of an object: {}", error.message)))?,
        };
        Ok(key.as_str().map(Arc::from))
    }

    fn no_duplicates(
        &self,
        found: &[(Arc<str>, Value)],
        entries: &[(Expr, Expr)],
        marks: Marks,
    ) -> Result<(), Box<Diagnostic>> {
        let mut seen = std::collections::BTreeSet::new();
        for ((name, _), (key, _)) in found.iter().zip(entries) {
            if !seen.insert(name) {
                let shown = if marks.is_empty() { format!(" `{name}`") } else { String::new() };
                return Err(self.error(key.at, format!("the key{shown} is already in this object")));
            }
        }
        Ok(())
    }

    /// `base[key]`; of a resource with many instances only the one that is meant is looked up.
    fn index(&self, whole: &Expr, base: &Expr, key: &Expr, env: Scoped<'_>) -> Outcome {
        let key_value = self.eval(key, env)?;
        if let Node::Reference(Reference::Resource(kind, name)) = &base.node
            && key_value.marks.is_empty()
            && let Some(instance) = instance_key(&key_value)
            && let Some(found) = self.scope.instance(kind, name, &instance)
        {
            return Ok(found);
        }
        let base_value = self.eval(base, env)?;
        access::index(&base_value, &key_value).map_err(|error| {
            let at = if base_value.is_null() { base.at } else { At { start: key.at.start, ..whole.at } };
            self.place(error, at)
        })
    }
}

fn instance_key(key: &Value) -> Option<Key> {
    match &key.kind {
        Kind::String(text) => Some(Key::Name(text.clone())),
        Kind::Number(number) => number.as_i64().and_then(|int| u64::try_from(int).ok()).map(Key::Index),
        _ => None,
    }
}

/// The error for a name that means nothing, with what may have been meant.
pub(super) fn unknown_name(name: &str, at: At, file: &Arc<str>) -> Box<Diagnostic> {
    const ROOTS: [&str; 9] =
        ["var", "local", "module", "each", "count", "self", "path", "stack", "environment"];
    let span = at.in_file(file);
    let error = Diagnostic::error(format!("unknown name `{name}`")).at(&span, "");
    let help = match name {
        "var" | "local" | "module" | "path" => format!("a name follows: {name}.name"),
        "each" | "each.value" | "each.key" => "there are each.key and each.value".to_owned(),
        "count" => "there is count.index".to_owned(),
        "stack" | "environment" => format!("there is {name}.name"),
        "terraform.workspace" => "the environment takes the place of workspaces: environment.name".to_owned(),
        _ if name.starts_with("each.") => "there are each.key and each.value".to_owned(),
        _ if name.starts_with("count.") => "there is count.index".to_owned(),
        _ if name.starts_with("stack.") => "there is stack.name".to_owned(),
        _ if name.starts_with("environment.") => "there is environment.name".to_owned(),
        _ if name.starts_with("data.") => {
            "there are no data sources; outputs of resources are attributes".to_owned()
        }
        _ => match closest(name, ROOTS.into_iter()) {
            Some(near) => return Box::new(error.patch(format!("did you mean `{near}`?"), &span, near)),
            None => format!("text is in quotes: \"{name}\"; a resource is type.name, a variable var.name"),
        },
    };
    Box::new(error.help(help))
}
