//! `for` expressions and splats.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Diagnostic, Kind, Marks, Type, Value};

use super::access::unknown_of;
use super::{Env, Evaluator, Frame, Outcome, Scoped};
use crate::lang::convert::kind_name;
use crate::lang::expr::{At, Expr, For};
use crate::lang::unify::unify;

/// What a `for` goes through.
pub(super) enum Through {
    /// Keys and values in order.
    Elements(Vec<(Value, Value)>),
    /// Not known yet.
    Unknown,
}

/// What has been gathered of a `for`.
#[derive(Default)]
struct Gathered {
    items: Vec<Value>,
    entries: BTreeMap<Arc<str>, Vec<Value>>,
    /// The condition or key that is not known yet.
    unknown: Option<Value>,
    marks: Marks,
}

impl Evaluator<'_> {
    /// Keys and values of a collection that a `for` goes through. Marks of the collection itself are the caller's.
    pub(super) fn through(&self, collection: &Value, at: At) -> Result<Through, Box<Diagnostic>> {
        let elements = match &collection.kind {
            Kind::List(seq) | Kind::Tuple(seq) => {
                let number = |(i, item): (usize, &Value)| {
                    (Value::from(i64::try_from(i).unwrap_or(i64::MAX)), item.clone())
                };
                seq.items.iter().enumerate().map(number).collect()
            }
            // Elements that are not known have no place in the order yet, and may turn out equal.
            Kind::Set(_) if collection.has_unknown() => return Ok(Through::Unknown),
            Kind::Set(seq) => seq.items.iter().map(|item| (item.clone(), item.clone())).collect(),
            Kind::Map(fields) | Kind::Object(fields) => {
                fields.entries.iter().map(|(key, item)| (Value::string(key.clone()), item.clone())).collect()
            }
            Kind::Null => return Err(self.error(at, "`for` needs something to go through, but this is null")),
            Kind::Unknown(unknown) if !unknown.ty.is_primitive() => return Ok(Through::Unknown),
            _ => {
                let title =
                    format!("`for` needs something to go through, but this is {}", kind_name(collection));
                return Err(self.error(at, title));
            }
        };
        Ok(Through::Elements(elements))
    }

    pub(super) fn for_expr(&self, expr: &For, env: Scoped<'_>) -> Outcome {
        let collection = self.eval(&expr.collection, env)?;
        let elements = match self.through(&collection, expr.collection.at)? {
            Through::Elements(elements) => elements,
            Through::Unknown => return Ok(unknown_of(Type::Any, true, &collection).marked(collection.marks)),
        };
        let mut gathered = Gathered { marks: collection.marks, ..Gathered::default() };
        for (key, value) in &elements {
            let outer =
                Env { frame: Frame::Variable(expr.key_var.as_deref().unwrap_or_default(), key), outer: env };
            let inner = Env { frame: Frame::Variable(&expr.value_var, value), outer: Some(&outer) };
            self.element(expr, &mut gathered, Some(&inner))?;
        }
        let marks = gathered.marks;
        if let Some(from) = &gathered.unknown {
            return Ok(unknown_of(Type::Any, true, from).marked(marks));
        }
        let result = match (&expr.key, expr.group) {
            (None, _) => Value::tuple(gathered.items),
            (Some(_), true) => {
                Value::object(gathered.entries.into_iter().map(|(key, items)| (key, Value::tuple(items))))
            }
            (Some(_), false) => Value::object(
                gathered.entries.into_iter().filter_map(|(key, mut items)| Some((key, items.pop()?))),
            ),
        };
        Ok(result.marked(marks))
    }

    /// One element of a `for`: the condition, the key, the value.
    fn element(&self, expr: &For, gathered: &mut Gathered, env: Scoped<'_>) -> Result<(), Box<Diagnostic>> {
        if let Some(condition) = &expr.condition {
            let value = self.eval(condition, env)?;
            gathered.marks |= value.marks;
            match self.condition(&value, condition.at, "the condition of a `for`")? {
                Some(true) => {}
                Some(false) => return Ok(()),
                None => {
                    gathered.unknown = Some(value);
                    return Ok(());
                }
            }
        }
        let Some(key_expr) = &expr.key else {
            gathered.items.push(self.eval(&expr.value, env)?);
            return Ok(());
        };
        let key = self.eval(key_expr, env)?;
        let value = self.eval(&expr.value, env)?;
        gathered.marks |= key.marks;
        let Some(name) = self.key(&key, key_expr.at)? else {
            gathered.unknown = Some(key);
            return Ok(());
        };
        let shown = if gathered.marks.is_empty() { format!(" `{name}`") } else { String::new() };
        let values = gathered.entries.entry(name).or_default();
        if !values.is_empty() && !expr.group {
            let error = Diagnostic::error(format!("the key{shown} comes twice"))
                .at(&key_expr.at.in_file(self.file), "")
                .help("put ... behind the value to gather the values of a key in a list");
            return Err(Box::new(error));
        }
        values.push(value);
        Ok(())
    }

    /// `base[*]…`: what is not a sequence is one of a single element, null one of none.
    pub(super) fn splat(&self, base: &Expr, each: &Expr, env: Scoped<'_>) -> Outcome {
        let source = self.eval(base, env)?;
        let apply = |item: &Value| {
            let inner = Env { frame: Frame::Element(item), outer: env };
            self.eval(each, Some(&inner))
        };
        let result = match &source.kind {
            Kind::Null => Value::tuple(Vec::new()),
            Kind::Tuple(seq) => Value::tuple(seq.items.iter().map(apply).collect::<Result<_, _>>()?),
            Kind::Set(seq) if source.has_unknown() => {
                let item = apply(&unknown_of(seq.element.clone(), false, &source))?;
                unknown_of(Type::list(item.type_of()), true, &source)
            }
            Kind::List(seq) | Kind::Set(seq) => {
                let items: Vec<Value> = seq.items.iter().map(apply).collect::<Result<_, _>>()?;
                let types: Vec<Type> = items.iter().map(Value::type_of).collect();
                let element = match items.is_empty() {
                    true => apply(&unknown_of(seq.element.clone(), false, &source))
                        .map_or(Type::Any, |v| v.type_of()),
                    false => unify(&types).unwrap_or_default(),
                };
                Value::list(element, items)
            }
            Kind::Unknown(unknown) => match &unknown.ty {
                Type::Any => unknown_of(Type::Any, false, &source),
                Type::List(element) | Type::Set(element) => {
                    let item = apply(&unknown_of((**element).clone(), false, &source))?;
                    unknown_of(Type::list(item.type_of()), true, &source)
                }
                Type::Tuple(types) => {
                    let items = types.iter().map(|ty| apply(&unknown_of(ty.clone(), false, &source)));
                    Value::tuple(items.collect::<Result<_, _>>()?)
                }
                _ if unknown.not_null => Value::tuple(vec![apply(&source)?]),
                _ => unknown_of(Type::Any, false, &source),
            },
            _ => Value::tuple(vec![apply(&source)?]),
        };
        Ok(result.marked(source.marks))
    }
}
