//! Bodies against schemas: names, what is required, and constant values.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Attribute, Block, Body, Diagnostic, Kind, Nesting, Span, Type, Value};

use super::Check;
use crate::lang::{self, Expr, Node, Part};
use crate::stack::body::may_be_given;
use crate::stack::decode::{Constant, list};
use crate::stack::{AttributeExpr, BlockExpr, BodyExpr};

impl<'a> Check<'a> {
    /// Checks a body; `own` says what the engine reads itself.
    pub(super) fn body(
        &mut self,
        schema: &'a Body,
        body: &'a BodyExpr,
        head: &Span,
        whose: &str,
        own: &dyn Fn(&str, bool) -> bool,
    ) {
        let file = &head.file;
        for given in &body.attributes {
            match schema.attributes.get(&*given.name) {
                Some(attribute) => self.given(attribute, given, file, whose),
                None if own(&given.name, false) => {}
                None => self.unknown_attribute(schema, given, file, whose),
            }
        }
        let mut firsts: BTreeMap<(&str, Option<&Arc<str>>), Span> = BTreeMap::new();
        for given in &body.blocks {
            let place = given.head.in_file(file);
            let Some(block) = schema.blocks.get(&*given.kind) else {
                if !own(&given.kind, true) {
                    self.unknown_nested(schema, given, &place, whose);
                }
                continue;
            };
            self.nested(block, given, &place);
            let label = given.labels.first();
            let once = !matches!(block.nesting, Nesting::List);
            if once && let Some(first) = firsts.insert((&given.kind, label), place.clone()) {
                let name = label.map_or_else(String::new, |label| format!(" {label:?}"));
                let diagnostic = Diagnostic::error(format!("`{}`{name} stands twice", given.kind));
                self.report.push(diagnostic.at(&place, "again here").at(&first, "first here"));
            }
        }
        self.required(schema, body, head, whose);
    }

    fn required(&mut self, schema: &Body, body: &BodyExpr, head: &Span, whose: &str) {
        let needed = schema.attributes.iter().filter(|(_, attribute)| attribute.required);
        let lacks = |name: &&str| !body.attributes.iter().any(|given| *given.name == **name);
        let mut missing: Vec<&str> = needed.map(|(name, _)| *name).filter(lacks).collect();
        let needed = schema.blocks.iter().filter(|(_, block)| block.required);
        let lacks = |name: &&str| !body.blocks.iter().any(|given| *given.kind == **name);
        missing.extend(needed.map(|(name, _)| *name).filter(lacks));
        if missing.is_empty() {
            return;
        }
        let diagnostic = Diagnostic::error(format!("{whose} needs {}", list(&missing)));
        self.report.push(
            diagnostic.at(head, format!("{} not given", if missing.len() == 1 { "is" } else { "are" })),
        );
    }

    fn given(&mut self, schema: &'a Attribute, given: &'a AttributeExpr, file: &Arc<str>, whose: &str) {
        if !may_be_given(schema) {
            let title = format!("`{}` of {whose} is computed: it cannot be set", given.name);
            self.report.push(Diagnostic::error(title).at(&given.name_at.in_file(file), "remove this"));
            return;
        }
        self.constant(&given.name, &given.value, &schema.ty, file, schema.sensitive);
    }

    /// Compares the constant parts of a value with its type.
    fn constant(&mut self, name: &str, expr: &'a Expr, ty: &Type, file: &Arc<str>, sensitive: bool) {
        match (&expr.node, ty) {
            (_, Type::Any) => {}
            (Node::Literal(value), _) if fits(value, ty) => {}
            (Node::Literal(value), _) => self.mismatch(name, expr, value, ty, file, sensitive),
            (Node::Tuple(items), Type::List(element) | Type::Set(element)) => {
                for item in items {
                    self.constant(name, item, element, file, sensitive);
                }
            }
            (Node::Object(pairs), Type::Map(element)) => {
                for (_, value) in pairs {
                    self.constant(name, value, element, file, sensitive);
                }
            }
            _ if is_constant(expr) => {
                // What cannot be evaluated at all is told of elsewhere.
                if let Ok(value) = lang::evaluate(expr, file, &Constant("this")) {
                    self.mismatch(name, expr, &value, ty, file, sensitive);
                }
            }
            _ => {}
        }
    }

    fn mismatch(
        &mut self,
        name: &str,
        expr: &Expr,
        value: &Value,
        ty: &Type,
        file: &Arc<str>,
        sensitive: bool,
    ) {
        if value.is_null() {
            return;
        }
        if let Err(error) = lang::convert(value, ty) {
            let problem = crate::stack::body::wrong_type(name, expr, file, &error.path, &error.message);
            match sensitive {
                false => self.report.push(problem),
                true => {
                    // Neither the value nor the line that holds it.
                    self.report
                        .push(Diagnostic::error(problem.title).note(format!("it must be of type {ty}")));
                }
            }
        }
    }

    fn unknown_attribute(&mut self, schema: &Body, given: &AttributeExpr, file: &Arc<str>, whose: &str) {
        let place = given.name_at.in_file(file);
        let title = format!("unknown attribute `{}` of {whose}", given.name);
        if schema.blocks.contains_key(&*given.name) {
            let diagnostic = Diagnostic::error(title).at(&place, "");
            self.report
                .push(diagnostic.help(format!("it is a block: write `{} {{ … }}`, without `=`", given.name)));
            return;
        }
        let settable = schema.attributes.iter().filter(|(_, attribute)| may_be_given(attribute));
        let names: Vec<&str> = settable.map(|(name, _)| *name).chain(schema.blocks.keys().copied()).collect();
        let near = self.suggest.nearest(&given.name, &names);
        self.misnamed(title, &place, near, Some(format!("it may hold {}", list(&names))));
    }

    fn unknown_nested(&mut self, schema: &Body, given: &BlockExpr, place: &Span, whose: &str) {
        let title = format!("unknown block `{}` in {whose}", given.kind);
        let diagnostic = Diagnostic::error(title).at(place, "");
        let help = match &*given.kind {
            "dynamic" => "`dynamic` blocks are not supported yet".to_owned(),
            kind if schema.attributes.contains_key(kind) => {
                format!("it is an attribute: write `{kind} = {{ … }}`")
            }
            kind => match self.suggest.nearest(kind, schema.blocks.keys()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if schema.blocks.is_empty() => "it takes no blocks".to_owned(),
                None => format!("it takes {}", list(&schema.blocks.keys().copied().collect::<Vec<_>>())),
            },
        };
        self.report.push(diagnostic.help(help));
    }

    fn nested(&mut self, schema: &'a Block, given: &'a BlockExpr, place: &Span) {
        let labels = usize::from(schema.nesting == Nesting::Map);
        if given.labels.len() != labels {
            let diagnostic = Diagnostic::error(format!(
                "`{}` takes {}",
                given.kind,
                if labels == 1 { "one label" } else { "no label" }
            ));
            let form = if labels == 1 { " \"name\"" } else { "" };
            self.report.push(diagnostic.at(place, "").help(format!("write `{}{form} {{ … }}`", given.kind)));
        }
        self.body(&schema.body, &given.body, place, &format!("`{}`", given.kind), &|_, _| false);
    }
}

/// Whether a literal is of a type as it stands: the common case, without a conversion.
fn fits(value: &Value, ty: &Type) -> bool {
    matches!(
        (&value.kind, ty),
        (Kind::String(_), Type::String)
            | (Kind::Bool(_), Type::Bool)
            | (Kind::Number(_), Type::Number)
            | (Kind::Null, _)
    )
}

/// Whether an expression is made of literals only: no reference, no call.
fn is_constant(expr: &Expr) -> bool {
    match &expr.node {
        Node::Literal(_) => true,
        Node::Tuple(items) => items.iter().all(is_constant),
        Node::Object(pairs) => pairs.iter().all(|(key, value)| is_constant(key) && is_constant(value)),
        Node::Unary(_, of) => is_constant(of),
        Node::Binary(_, a, b) => is_constant(a) && is_constant(b),
        Node::Template(parts) => parts.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Interpolation(expr) => is_constant(expr),
            Part::If(_) | Part::For(_) => false,
        }),
        _ => false,
    }
}
