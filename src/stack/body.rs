//! Bodies of blocks: decoded into values by a schema, and the place of each part.

use std::sync::Arc;

use windlass_model::{
    AttrPath, Attribute, Block, Body, Diagnostic, Field, Kind, Marks, Nesting, PathStep, Span, Type, Unknown,
    Value,
};

use super::decode::literal_text;
use super::{BlockExpr, BodyExpr};
use crate::lang::{self, Expr, Node, Scope, Use};

/// Evaluates a body into an object with every attribute and block that its schema lets be given: absent ones are null (or
/// an empty collection of blocks), computed ones that may not be given are left out. Values are converted to the schema's
/// types; sensitive attributes are marked; what is unknown stays so.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn decode_body(
    schema: &Body,
    body: &BodyExpr,
    file: &Arc<str>,
    scope: &dyn Scope,
) -> Result<Value, Vec<Diagnostic>> {
    let mut decode = Decode { file, scope, problems: Vec::new() };
    let value = decode.body(schema, body);
    if decode.problems.is_empty() { Ok(value) } else { Err(decode.problems) }
}

/// Whether an attribute may be given.
pub(super) fn may_be_given(attribute: &Attribute) -> bool {
    !attribute.computed || attribute.required || attribute.optional
}

struct Decode<'a> {
    file: &'a Arc<str>,
    scope: &'a dyn Scope,
    problems: Vec<Diagnostic>,
}

impl Decode<'_> {
    fn body(&mut self, schema: &Body, body: &BodyExpr) -> Value {
        let mut entries: Vec<(Arc<str>, Value)> = Vec::with_capacity(schema.attributes.len());
        for (name, attribute) in &schema.attributes {
            if !may_be_given(attribute) {
                continue;
            }
            let given = body.attributes.iter().find(|given| *given.name == **name);
            let value = given.map_or(Value::NULL, |given| self.attribute(name, attribute, &given.value));
            entries.push((given.map_or_else(|| Arc::from(*name), |given| given.name.clone()), value));
        }
        for (name, block) in &schema.blocks {
            entries.push((Arc::from(*name), self.blocks(name, block, body)));
        }
        Value::object(entries)
    }

    fn attribute(&mut self, name: &str, schema: &Attribute, expr: &Expr) -> Value {
        let value = match lang::evaluate(expr, self.file, self.scope) {
            Ok(value) => value,
            Err(problem) => {
                self.problems.push(*problem);
                return Value::NULL;
            }
        };
        let value = match &value.kind {
            Kind::Null => value,
            _ => match lang::convert(&value, &schema.ty) {
                Ok(converted) => keep_source(converted, &value, &schema.ty),
                Err(error) => {
                    self.problems.push(wrong_type(name, expr, self.file, &error.path, &error.message));
                    Value::NULL
                }
            },
        };
        if schema.required && value.is_null() && self.problems.is_empty() {
            let diagnostic = Diagnostic::error(format!("`{name}` is required, and its value is null"));
            self.problems.push(diagnostic.at(&expr.at.in_file(self.file), "null"));
        }
        if schema.sensitive { value.sensitive() } else { value }
    }

    fn blocks(&mut self, name: &str, schema: &Block, body: &BodyExpr) -> Value {
        let mut given = body.blocks.iter().filter(|block| *block.kind == *name);
        match schema.nesting {
            Nesting::Single => given.next().map_or(Value::NULL, |block| self.body(&schema.body, &block.body)),
            Nesting::List => {
                let items = given.map(|block| self.body(&schema.body, &block.body)).collect();
                Value::list(type_of(&schema.body), items)
            }
            Nesting::Map => {
                let label = |block: &BlockExpr| block.labels.first().cloned().unwrap_or_default();
                let entries =
                    given.map(|block| (label(block), self.body(&schema.body, &block.body))).collect();
                Value::map(type_of(&schema.body), entries)
            }
        }
    }
}

/// The error of an attribute whose value does not fit, at the innermost place that is known.
pub(super) fn wrong_type(
    name: &str,
    expr: &Expr,
    file: &Arc<str>,
    path: &AttrPath,
    message: &str,
) -> Diagnostic {
    let mut whole = AttrPath::from(name);
    whole.0.extend(path.0.iter().cloned());
    let place = within(expr, &path.0).at.in_file(file);
    Diagnostic::error(format!("wrong type for `{whole}`")).at(&place, message)
}

/// What an unknown waits for is kept, and it gets the type that it will have.
fn keep_source(converted: Value, from: &Value, ty: &Type) -> Value {
    match (&converted.kind, &from.kind) {
        (Kind::Unknown(to), Kind::Unknown(unknown)) if to.source.is_none() || to.ty == Type::Any => {
            let ty = if to.ty == Type::Any { ty.clone() } else { to.ty.clone() };
            let source = to.source.clone().or_else(|| unknown.source.clone());
            let marks: Marks = converted.marks;
            Value::new(Kind::Unknown(Arc::new(Unknown { ty, source, ..(**to).clone() }))).marked(marks)
        }
        _ => converted,
    }
}

/// The object type of a block's value.
pub(super) fn type_of(schema: &Body) -> Type {
    let attributes = schema.attributes.iter().filter(|(_, attribute)| may_be_given(attribute));
    let attributes = attributes.map(|(name, attribute)| (Arc::from(*name), attribute.ty.clone()));
    let blocks = schema.blocks.iter().map(|(name, block)| {
        let inner = type_of(&block.body);
        let ty = match block.nesting {
            Nesting::Single => inner,
            Nesting::List => Type::list(inner),
            Nesting::Map => Type::map(inner),
        };
        (Arc::from(*name), ty)
    });
    let field = |(name, ty): (Arc<str>, Type)| (name, Field { ty, optional: false });
    Type::Object(Arc::new(attributes.chain(blocks).map(field).collect()))
}

/// Where a part of a body stands: as much of the path as is written out. `None` where not even its first name is.
pub fn place(body: &BodyExpr, file: &Arc<str>, path: &AttrPath) -> Option<Span> {
    place_in(body, &path.0).map(|at| at.in_file(file))
}

fn place_in(body: &BodyExpr, path: &[PathStep]) -> Option<lang::At> {
    let (PathStep::Name(first), rest) = path.split_first()? else { return None };
    if let Some(attribute) = body.attributes.iter().find(|attribute| attribute.name == *first) {
        return Some(within(&attribute.value, rest).at);
    }
    let mut blocks = body.blocks.iter().filter(|block| block.kind == *first);
    let labelled = |block: &&BlockExpr, label: &Arc<str>| block.labels.first() == Some(label);
    let (block, rest) = match rest.split_first() {
        Some((PathStep::Index(index), rest)) => (blocks.nth(usize::try_from(*index).ok()?)?, rest),
        Some((PathStep::Name(label), inner)) => {
            let found = blocks.clone().find(|block| labelled(block, label));
            found.map(|block| (block, inner)).or_else(|| blocks.next().map(|block| (block, rest)))?
        }
        None => (blocks.next()?, rest),
    };
    Some(place_in(&block.body, rest).unwrap_or(block.head))
}

/// The innermost written-out expression on a path.
fn within<'e>(expr: &'e Expr, path: &[PathStep]) -> &'e Expr {
    let Some((step, rest)) = path.split_first() else { return expr };
    let inner = match (&expr.node, step) {
        (Node::Tuple(items), PathStep::Index(index)) => {
            usize::try_from(*index).ok().and_then(|index| items.get(index))
        }
        (Node::Object(pairs), PathStep::Name(name)) => {
            let named = |(key, _): &&(Expr, Expr)| literal_text(key).as_deref() == Some(&**name);
            pairs.iter().find(named).map(|(_, value)| value)
        }
        _ => None,
    };
    inner.map_or(expr, |inner| within(inner, rest))
}

impl BodyExpr {
    /// Visits every use of a reference in its expressions, those of nested blocks too.
    pub fn uses<'a>(&'a self, visit: &mut dyn FnMut(Use<'a>)) {
        self.expressions(&mut |expr| expr.uses(visit));
    }

    /// Visits every expression, those of nested blocks too.
    pub fn expressions<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        for attribute in &self.attributes {
            visit(&attribute.value);
        }
        for block in &self.blocks {
            block.body.expressions(visit);
        }
    }

    /// The attribute of a name.
    pub fn attribute(&self, name: &str) -> Option<&super::AttributeExpr> {
        self.attributes.iter().find(|attribute| *attribute.name == *name)
    }
}
