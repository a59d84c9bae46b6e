//! The functions of the language that see only their arguments.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::evaluate::{Evaluated, Missing, as_text};
use super::texts;

/// Calls a function.
///
/// # Errors
/// Where there is none of that name, or it does not take these arguments.
pub fn call(name: &str, values: &[Value]) -> Evaluated {
    let lower = name.to_lowercase();
    let of_kind = texts::call(&lower, values)
        .or_else(|| logic(&lower, values))
        .or_else(|| numbers(&lower, values))
        .or_else(|| collections(&lower, values))
        .or_else(|| objects(&lower, values));
    of_kind.ok_or_else(|| {
        Missing::wrong(format!(
            "The template function '{name}' is not valid or not with {} arguments. Please see https://aka.ms/arm-functions for usage details.",
            values.len()
        ))
    })
}

/// Thirteen signs that follow from the values alone.
pub fn unique_string(values: &[Value]) -> String {
    let text: Vec<String> = values.iter().map(as_text).collect();
    let digest = Sha256::digest(text.join("-"));
    digest
        .iter()
        .take(13)
        .map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(byte % 32)]))
        .collect()
}

/// A GUID that follows from the values alone.
pub fn guid(values: &[Value]) -> String {
    let text: Vec<String> = values.iter().map(as_text).collect();
    let hex: String =
        Sha256::digest(text.join("-")).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-5{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

fn truth(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| as_text(value).eq_ignore_ascii_case("true"))
}

fn logic(name: &str, values: &[Value]) -> Option<Value> {
    Some(match (name, values) {
        ("true", []) => Value::from(true),
        ("false", []) => Value::from(false),
        ("null", []) => Value::Null,
        ("equals", [a, b]) => Value::from(a == b),
        ("not", [a]) => Value::from(!truth(a)),
        ("and", all) => Value::from(all.iter().all(truth)),
        ("or", all) => Value::from(all.iter().any(truth)),
        ("bool", [a]) => Value::from(truth(a) || a.as_i64() == Some(1)),
        ("coalesce", all) => all.iter().find(|value| !value.is_null()).cloned().unwrap_or_default(),
        ("less", [a, b]) => Value::from(order(a, b)?.is_lt()),
        ("lessorequals", [a, b]) => Value::from(order(a, b)?.is_le()),
        ("greater", [a, b]) => Value::from(order(a, b)?.is_gt()),
        ("greaterorequals", [a, b]) => Value::from(order(a, b)?.is_ge()),
        _ => return None,
    })
}

fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => Some(a.as_str()?.cmp(b.as_str()?)),
    }
}

fn numbers(name: &str, values: &[Value]) -> Option<Value> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    if let ("int", [a]) = (name, values) {
        return number(a).map(Value::from);
    }
    if matches!(name, "min" | "max") {
        let list = values.first().and_then(Value::as_array).map_or(values, Vec::as_slice);
        let all = list.iter().filter_map(number);
        return if name == "min" { all.min() } else { all.max() }.map(Value::from);
    }
    let [a, b] = values else { return None };
    let (a, b) = (number(a)?, number(b)?);
    Some(Value::from(match name {
        "add" => a.checked_add(b)?,
        "sub" => a.checked_sub(b)?,
        "mul" => a.checked_mul(b)?,
        "div" => a.checked_div(b)?,
        "mod" => a.checked_rem(b)?,
        "range" => return Some((a..a.checked_add(b)?).map(Value::from).collect()),
        _ => return None,
    }))
}

fn collections(name: &str, values: &[Value]) -> Option<Value> {
    let count = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
    Some(match (name, values) {
        ("createarray", all) => Value::Array(all.to_vec()),
        ("array", [Value::Array(list)]) => Value::Array(list.clone()),
        ("array", [one]) => Value::Array(vec![one.clone()]),
        ("length", [Value::Array(list)]) => Value::from(list.len()),
        ("length", [Value::Object(object)]) => Value::from(object.len()),
        ("empty", [value]) => Value::from(is_empty(value)),
        ("contains", [Value::Array(list), one]) => Value::from(list.contains(one)),
        ("contains", [Value::Object(object), key]) => Value::from(object.contains_key(key.as_str()?)),
        ("first", [Value::Array(list)]) => list.first().cloned().unwrap_or_default(),
        ("last", [Value::Array(list)]) => list.last().cloned().unwrap_or_default(),
        ("take", [Value::Array(list), n]) => list.iter().take(count(n)?).cloned().collect(),
        ("skip", [Value::Array(list), n]) => list.iter().skip(count(n)?).cloned().collect(),
        ("concat", [Value::Array(_), ..]) => {
            values.iter().filter_map(Value::as_array).flatten().cloned().collect()
        }
        ("indexof", [Value::Array(list), one]) => {
            list.iter().position(|known| known == one).map_or(Value::from(-1), Value::from)
        }
        ("flatten", [Value::Array(lists)]) => {
            lists.iter().filter_map(Value::as_array).flatten().cloned().collect()
        }
        ("intersection", [Value::Array(first), rest @ ..]) => {
            let everywhere =
                |one: &&Value| rest.iter().all(|other| other.as_array().is_some_and(|o| o.contains(one)));
            first.iter().filter(everywhere).cloned().collect()
        }
        ("union", [Value::Array(_), ..]) => {
            let mut all: Vec<Value> = Vec::new();
            for one in values.iter().filter_map(Value::as_array).flatten() {
                if !all.contains(one) {
                    all.push(one.clone());
                }
            }
            Value::Array(all)
        }
        _ => return None,
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

fn objects(name: &str, values: &[Value]) -> Option<Value> {
    Some(match (name, values) {
        ("createobject", all) => {
            let pairs = all.chunks(2).filter_map(|pair| Some((as_text(pair.first()?), pair.get(1)?.clone())));
            Value::Object(pairs.collect())
        }
        ("union", all) => {
            let mut merged = Value::Object(Map::new());
            all.iter().for_each(|one| merge(&mut merged, one));
            merged
        }
        ("shallowmerge", [Value::Array(all)]) => {
            Value::Object(all.iter().filter_map(Value::as_object).flat_map(Clone::clone).collect())
        }
        ("items", [Value::Object(object)]) => {
            let mut items: Vec<Value> =
                object.iter().map(|(key, value)| serde_json::json!({"key": key, "value": value})).collect();
            items.sort_by_key(|item| item["key"].to_string());
            Value::Array(items)
        }
        ("objectkeys", [Value::Object(object)]) => {
            object.keys().map(String::as_str).map(Value::from).collect()
        }
        ("tryget", [of, path @ ..]) => path
            .iter()
            .try_fold(of.clone(), |of, part| match part {
                Value::String(name) => of.get(name).cloned(),
                index => of.get(usize::try_from(index.as_u64()?).ok()?).cloned(),
            })
            .unwrap_or_default(),
        ("environment", []) => serde_json::json!({"name": "local", "suffixes": {"storage": "storage.local"}}),
        _ => return None,
    })
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
