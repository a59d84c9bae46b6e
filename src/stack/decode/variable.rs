//! `variable` blocks.

use std::sync::Arc;

use hcl_edit::structure::{Block, Body};
use windlass_model::{Diagnostic, Span, Type, Value};

use super::{Decoder, Validation, Variable};
use crate::lang::{self, Defaults, Source};

/// What a default must fit.
struct Shape<'a> {
    ty: &'a Type,
    defaults: Option<&'a Defaults>,
    nullable: bool,
    sensitive: bool,
    head: &'a Span,
}

impl Decoder<'_> {
    pub(super) fn variable(&mut self, block: &Block, source: &Source) {
        let Some([name]) = self.labels::<1>(block, source, "variable \"name\" { … }") else { return };
        let head = self.head(block, source).in_file(source.file);
        if let Some(first) = self.stack.variables.get(&name).map(|first| first.span.clone()) {
            return self.duplicate(&format!("variable `{name}`"), &head, &first);
        }
        let known = ["type", "default", "description", "sensitive", "nullable"];
        self.only(&block.body, source, &known, &["validation"], "a `variable` block");
        let (ty, defaults) = self.constraint(&block.body, source);
        let nullable = self.constant_bool(&block.body, "nullable", source).unwrap_or(true);
        let sensitive = self.constant_bool(&block.body, "sensitive", source).unwrap_or(false);
        let shape = Shape { ty: &ty, defaults: defaults.as_deref(), nullable, sensitive, head: &head };
        let default = self.default(&block.body, source, &shape);
        let mut variable = Variable {
            span: head,
            ty,
            typed: block.body.has_attribute("type"),
            defaults,
            default,
            description: self.constant_text(&block.body, "description", source),
            sensitive,
            nullable,
            validations: Vec::new(),
        };
        for inner in block.body.get_blocks("validation") {
            variable.validations.extend(self.validation(inner, source));
        }
        self.stack.variables.insert(name, variable);
    }

    fn constraint(&mut self, body: &Body, source: &Source) -> (Type, Option<Arc<Defaults>>) {
        let Some(attribute) = body.get_attribute("type") else { return (Type::Any, None) };
        match lang::constraint(&attribute.value, source) {
            Ok((ty, defaults)) => (ty, defaults.map(Arc::new)),
            Err(problem) => {
                self.report.push(problem);
                (Type::Any, None)
            }
        }
    }

    fn default(&mut self, body: &Body, source: &Source, shape: &Shape) -> Option<Value> {
        let attribute = body.get_attribute("default")?;
        let (value, place) = self.constant(&attribute.value, source, "a variable's default")?;
        if value.is_null() {
            if !shape.nullable {
                let diagnostic = Diagnostic::error("the default is null, and the variable is not nullable");
                self.report.push(diagnostic.at(&place, ""));
                return None;
            }
            return Some(Value::NULL);
        }
        let value = shape.defaults.map_or_else(|| value.clone(), |defaults| defaults.apply(&value));
        match lang::convert(&value, shape.ty) {
            Ok(value) => Some(value),
            Err(error) => {
                let diagnostic =
                    Diagnostic::error(format!("the default does not fit the variable's type {}", shape.ty));
                self.report.push(match shape.sensitive {
                    // The line of the default would be shown, and the value in it.
                    true => diagnostic.at(shape.head, ""),
                    false if error.path.0.is_empty() => diagnostic.at(&place, error.message),
                    false => diagnostic.at(&place, format!("at `{}`: {}", error.path, error.message)),
                });
                None
            }
        }
    }

    fn validation(&mut self, block: &Block, source: &Source) -> Option<Validation> {
        self.only(&block.body, source, &["condition", "error_message"], &[], "a `validation` block");
        let place = self.head(block, source).in_file(source.file);
        let mut part = |name: &str| {
            let attribute = block.body.get_attribute(name);
            if attribute.is_none() {
                let title = format!("the `validation` block has no `{name}`");
                self.report.push(Diagnostic::error(title).at(&place, ""));
            }
            self.lower(&attribute?.value, source)
        };
        let (condition, message) = (part("condition"), part("error_message"));
        Some(Validation { condition: condition?, message: message?, file: source.file.clone() })
    }
}
