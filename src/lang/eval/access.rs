//! Attributes and indexes of values.

use std::sync::Arc;

use windlass_model::{Diagnostic, Kind, Number, Type, Unknown, Value};

use super::Outcome;
use crate::lang::convert::{converted, kind_name};
use crate::lang::suggest::closest;

fn fail<T>(title: impl Into<String>) -> Result<T, Box<Diagnostic>> {
    Err(Box::new(Diagnostic::error(title)))
}

/// An unknown value of a type that waits for what `from` waits for.
pub(in crate::lang) fn unknown_of(ty: Type, not_null: bool, from: &Value) -> Value {
    Value::new(Kind::Unknown(Arc::new(Unknown { ty, not_null, prefix: None, source: waits_for(from) })))
}

/// What the first unknown in a value waits for.
pub(in crate::lang) fn waits_for(value: &Value) -> Option<Arc<str>> {
    match &value.kind {
        Kind::Unknown(unknown) => unknown.source.clone(),
        _ if value.is_known() => None,
        Kind::List(seq) | Kind::Set(seq) | Kind::Tuple(seq) => seq.items.iter().find_map(waits_for),
        Kind::Map(fields) | Kind::Object(fields) => fields.entries.iter().find_map(|(_, v)| waits_for(v)),
        _ => None,
    }
}

/// `value.name`. The error has no place yet.
pub(in crate::lang) fn attribute(value: &Value, name: &str) -> Outcome {
    let found = match &value.kind {
        Kind::Object(fields) | Kind::Map(fields) => match fields.get(name) {
            Some(found) => found.clone(),
            None => return no_attribute(value, name),
        },
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::Any => unknown_of(Type::Any, false, value),
            Type::Map(element) => unknown_of((**element).clone(), false, value),
            Type::Object(fields) => match fields.get(name) {
                Some(field) => unknown_of(field.ty.clone(), false, value),
                None => return fail(format!("there is no attribute `{name}` here")),
            },
            _ => return not_an_object(value, name),
        },
        Kind::Null => return fail(format!("there is no attribute `{name}`: the value is null")),
        _ => return not_an_object(value, name),
    };
    Ok(found.marked(value.marks))
}

fn no_attribute(value: &Value, name: &str) -> Outcome {
    let what = if matches!(value.kind, Kind::Map(_)) { "key" } else { "attribute" };
    let mut error = Diagnostic::error(format!("there is no {what} `{name}` here"));
    // The names of a sensitive value are not shown.
    if value.marks.is_empty() {
        let names = value.entries().unwrap_or_default().iter().map(|(key, _)| &**key);
        error = match closest(name, names.clone()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => with_names(error, names),
        };
    }
    Err(Box::new(error))
}

fn with_names<'n>(error: Diagnostic, names: impl Iterator<Item = &'n str>) -> Diagnostic {
    let names: Vec<&str> = names.take(12).collect();
    match names.is_empty() {
        true => error.note("it is empty"),
        false => error.note(format!("it has {}", names.join(", "))),
    }
}

fn not_an_object(value: &Value, name: &str) -> Outcome {
    let error = Diagnostic::error(format!("there is no attribute `{name}`: this is {}", kind_name(value)));
    let is_sequence = match &value.kind {
        Kind::Unknown(unknown) => matches!(unknown.ty, Type::List(_) | Type::Tuple(_) | Type::Set(_)),
        kind => matches!(kind, Kind::List(_) | Kind::Tuple(_) | Kind::Set(_)),
    };
    Err(Box::new(match is_sequence {
        true => error.help(format!("take one element first, as in [0].{name}, or all of them: [*].{name}")),
        false => error,
    }))
}

/// `value[key]`. The error has no place yet.
pub(in crate::lang) fn index(value: &Value, key: &Value) -> Outcome {
    let marks = value.marks | key.marks;
    if key.is_null() {
        return fail("the index is null");
    }
    let found = match &value.kind {
        Kind::Null => return fail("a null value has no elements"),
        Kind::List(seq) | Kind::Tuple(seq) => {
            let key = key_as(key, &Type::Number, "the index of a list")?;
            match &key.kind {
                Kind::Unknown(_) if matches!(value.kind, Kind::Tuple(_)) => {
                    unknown_of(Type::Any, false, &key)
                }
                Kind::Unknown(_) => unknown_of(seq.element.clone(), false, &key),
                _ => seq.items[position(&key, seq.items.len())?].clone(),
            }
        }
        Kind::Map(_) | Kind::Object(_) => return Ok(by_name(value, key)?.marked(marks)),
        Kind::Unknown(unknown) => by_type(value, unknown, key)?,
        Kind::Set(_) => {
            let error = Diagnostic::error("a set has no index");
            return Err(Box::new(error.help("tolist() makes a sorted list of it")));
        }
        _ => return fail(format!("{} has no elements", kind_name(value))),
    };
    Ok(found.marked(marks))
}

fn by_name(value: &Value, key: &Value) -> Outcome {
    let name = key_as(key, &Type::String, "a key")?;
    let Some(text) = name.as_str() else {
        let element = match &value.kind {
            Kind::Map(fields) => fields.element.clone(),
            _ => Type::Any,
        };
        return Ok(unknown_of(element, false, &name));
    };
    match value.get(text) {
        Some(found) => Ok(found.clone()),
        None if !key.marks.is_empty() => fail("there is no element with this key"),
        None => no_attribute(value, text),
    }
}

fn by_type(value: &Value, unknown: &Unknown, key: &Value) -> Outcome {
    let element = match &unknown.ty {
        Type::Any => Type::Any,
        Type::List(element) => {
            key_as(key, &Type::Number, "the index of a list")?;
            (**element).clone()
        }
        Type::Map(element) => {
            key_as(key, &Type::String, "a key")?;
            (**element).clone()
        }
        Type::Tuple(types) => match key_as(key, &Type::Number, "the index of a tuple")? {
            key if key.is_unknown() => Type::Any,
            key => types[position(&key, types.len())?].clone(),
        },
        Type::Object(_) => match key_as(key, &Type::String, "a key")?.as_str() {
            Some(name) => return attribute(value, name),
            None => Type::Any,
        },
        _ => return fail(format!("{} has no elements", kind_name(value))),
    };
    Ok(unknown_of(element, false, value))
}

fn key_as(key: &Value, ty: &Type, what: &str) -> Outcome {
    converted(key, ty).map_err(|error| Box::new(Diagnostic::error(format!("{what}: {}", error.message))))
}

/// The position that a known number names, in a sequence of a length.
fn position(key: &Value, length: usize) -> Result<usize, Box<Diagnostic>> {
    let number = key.as_number().unwrap_or(&Number::Int(-1));
    if !number.is_whole() {
        return fail("the index of a list is a whole number");
    }
    match number.as_i64().and_then(|int| usize::try_from(int).ok()).filter(|at| *at < length) {
        Some(at) => Ok(at),
        None if !key.marks.is_empty() => fail("there is no element with this index"),
        None => {
            let has = if length == 1 {
                "there is one element".to_owned()
            } else {
                format!("there are {length} elements")
            };
            Err(Box::new(Diagnostic::error(format!("there is no element {number}")).note(has)))
        }
    }
}
