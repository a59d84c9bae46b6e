//! Templates: text with parts.

use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation as _;
use windlass_model::{Diagnostic, Kind, Marks, Type, Unknown, Value};

use super::access::waits_for;
use super::collection::Through;
use super::{Env, Evaluator, Frame, Outcome, Scoped};
use crate::lang::convert::{converted, kind_name};
use crate::lang::expr::{Expr, Part, PartFor, PartIf};
use crate::lang::functions::LONGEST;
use crate::lang::lower::normal;

/// The text so far: once a part is not known, what comes behind it counts for marks and errors only.
#[derive(Default)]
struct Text {
    known: String,
    unknown: bool,
    source: Option<Arc<str>>,
    marks: Marks,
}

impl Text {
    fn push(&mut self, text: &str) {
        if !self.unknown {
            self.known.push_str(text);
        }
    }

    fn wait_for(&mut self, value: &Value) {
        self.unknown = true;
        self.source = self.source.take().or_else(|| waits_for(value));
    }
}

impl Evaluator<'_> {
    pub(super) fn template(&self, parts: &[Part], env: Scoped<'_>) -> Outcome {
        let mut text = Text::default();
        self.parts(parts, &mut text, env)?;
        let kind = match text.unknown {
            false => Kind::String(composed(text.known)),
            true => Kind::Unknown(Arc::new(Unknown {
                ty: Type::String,
                not_null: true,
                prefix: safe_prefix(&text.known),
                source: text.source,
            })),
        };
        Ok(Value { kind, marks: text.marks })
    }

    fn parts(&self, parts: &[Part], text: &mut Text, env: Scoped<'_>) -> Result<(), Box<Diagnostic>> {
        for part in parts {
            match part {
                Part::Text(part) => text.push(part),
                Part::Interpolation(expr) => {
                    self.interpolation(expr, text, env)?;
                    if text.known.len() > LONGEST {
                        return Err(self.error(expr.at, "the text is longer than 64 MiB"));
                    }
                }
                Part::If(part) => self.part_if(part, text, env)?,
                Part::For(part) => self.part_for(part, text, env)?,
            }
        }
        Ok(())
    }

    fn interpolation(&self, expr: &Expr, text: &mut Text, env: Scoped<'_>) -> Result<(), Box<Diagnostic>> {
        let value = self.eval(expr, env)?;
        text.marks |= value.marks;
        match &value.kind {
            Kind::String(part) => text.push(part),
            Kind::Null => return Err(self.error(expr.at, "null cannot be a part of a text")),
            _ => {
                let part = converted(&value, &Type::String).map_err(|_| {
                    let error =
                        self.error(expr.at, format!("{} cannot be a part of a text", kind_name(&value)));
                    Box::new(error.help("join() or jsonencode() make text of it"))
                })?;
                match part.as_str() {
                    Some(part) => text.push(part),
                    None => {
                        let prefix = if let Kind::Unknown(unknown) = &part.kind {
                            unknown.prefix.clone()
                        } else {
                            None
                        };
                        text.push(prefix.as_deref().unwrap_or_default());
                        text.wait_for(&value);
                    }
                }
            }
        }
        Ok(())
    }

    fn part_if(&self, part: &PartIf, text: &mut Text, env: Scoped<'_>) -> Result<(), Box<Diagnostic>> {
        let value = self.eval(&part.condition, env)?;
        text.marks |= value.marks;
        match self.condition(&value, part.condition.at, "the condition")? {
            Some(true) => self.parts(&part.then, text, env),
            Some(false) => self.parts(&part.otherwise, text, env),
            None => {
                text.wait_for(&value);
                // Marks of either side are those of the result; errors of either may never come to be.
                let mut side = Text::default();
                for parts in [&part.then, &part.otherwise] {
                    let _ = self.parts(parts, &mut side, env);
                }
                text.marks |= side.marks;
                Ok(())
            }
        }
    }

    fn part_for(&self, part: &PartFor, text: &mut Text, env: Scoped<'_>) -> Result<(), Box<Diagnostic>> {
        let collection = self.eval(&part.collection, env)?;
        text.marks |= collection.marks;
        let elements = match self.through(&collection, part.collection.at)? {
            Through::Elements(elements) => elements,
            Through::Unknown => {
                text.wait_for(&collection);
                return Ok(());
            }
        };
        for (key, value) in &elements {
            let outer =
                Env { frame: Frame::Variable(part.key_var.as_deref().unwrap_or_default(), key), outer: env };
            let inner = Env { frame: Frame::Variable(&part.value_var, value), outer: Some(&outer) };
            self.parts(&part.body, text, Some(&inner))?;
        }
        Ok(())
    }
}

/// Parts in normal form C can meet in a way that is not.
fn composed(text: String) -> Arc<str> {
    if text.is_ascii() { text.into() } else { normal(&text) }
}

/// The known beginning, less a last character that what follows may change: an accent may still join it.
fn safe_prefix(known: &str) -> Option<Arc<str>> {
    const ENDS: &[char] = &['-', '_', ':', ';', '/', '[', '(', '{', '@', '#', '|', ',', '.', '%', ' '];
    let safe = match known.ends_with(ENDS) {
        true => known,
        false => {
            let last = known.graphemes(true).next_back().map_or(0, str::len);
            &known[..known.len() - last]
        }
    };
    (!safe.is_empty()).then(|| safe.into())
}
