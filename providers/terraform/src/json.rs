//! JSON of the tool to values and back, with every number exact.
//!
//! `serde_json` reads a number that is not a 64-bit integer as a double. Here the raw text is cut into its parts instead, so
//! that `123456789012345678901234567890` and `0.1` arrive as they were written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use serde_json::value::RawValue;
use windlass_model::{Field, Kind, Number, Type, Value};

/// Deeper than any real plan, and shallow enough for the stack.
const DEEPEST: usize = 256;

/// The value that a piece of JSON holds: arrays become tuples, objects become objects, as `jsondecode` does.
///
/// # Errors
/// Where it nests too deeply or is not JSON.
pub fn value(raw: &RawValue) -> Result<Value, String> {
    read(raw, &Type::Any, 0)
}

/// The value of a piece of JSON whose type is known: lists, sets and maps become what they are.
///
/// # Errors
/// Where it nests too deeply or is not JSON.
pub fn typed(raw: &RawValue, ty: &Type) -> Result<Value, String> {
    read(raw, ty, 0)
}

fn read(raw: &RawValue, ty: &Type, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("it nests more than {DEEPEST} levels deep"));
    }
    let text = raw.get();
    let broken = |e: serde_json::Error| e.to_string();
    match text.as_bytes().first() {
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(broken)?;
            read_fields(fields, ty, depth + 1)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(broken)?;
            read_items(&items, ty, depth + 1)
        }
        Some(b'"') => serde_json::from_str::<String>(text).map(Value::from).map_err(broken),
        Some(b't') => Ok(Value::from(true)),
        Some(b'f') => Ok(Value::from(false)),
        Some(b'n') => Ok(Value::NULL),
        _ => text.parse::<Number>().map(Value::from).map_err(|()| format!("`{text}` is not a number")),
    }
}

fn read_fields(fields: BTreeMap<String, &RawValue>, ty: &Type, depth: usize) -> Result<Value, String> {
    let inside = |name: &str| match ty {
        Type::Map(element) => (**element).clone(),
        Type::Object(fields) => fields.get(name).map_or(Type::Any, |field| field.ty.clone()),
        _ => Type::Any,
    };
    let entry =
        |(name, raw): (String, &RawValue)| read(raw, &inside(&name), depth).map(|v| (Arc::from(name), v));
    let entries: Vec<(Arc<str>, Value)> = fields.into_iter().map(entry).collect::<Result<_, _>>()?;
    Ok(match ty {
        Type::Map(element) => Value::map((**element).clone(), entries),
        _ => Value::object(entries),
    })
}

fn read_items(items: &[&RawValue], ty: &Type, depth: usize) -> Result<Value, String> {
    let inside = |index: usize| match ty {
        Type::List(element) | Type::Set(element) => (**element).clone(),
        Type::Tuple(elements) => elements.get(index).cloned().unwrap_or_default(),
        _ => Type::Any,
    };
    let items = items.iter().enumerate().map(|(i, raw)| read(raw, &inside(i), depth));
    let items: Vec<Value> = items.collect::<Result<_, _>>()?;
    Ok(match ty {
        Type::List(element) => Value::list((**element).clone(), items),
        Type::Set(element) => Value::set((**element).clone(), items),
        _ => Value::tuple(items),
    })
}

/// A type as Terraform writes it: `"string"`, `["list", "string"]`, `["object", {"a": "number"}]`. `None`: not a type.
pub fn read_type(json: &Json) -> Option<Type> {
    match json {
        Json::String(name) => Some(match name.as_str() {
            "string" => Type::String,
            "number" => Type::Number,
            "bool" => Type::Bool,
            "dynamic" => Type::Any,
            _ => return None,
        }),
        Json::Array(parts) => {
            let inner = parts.get(1)?;
            match parts.first()?.as_str()? {
                "list" => Some(Type::list(read_type(inner)?)),
                "set" => Some(Type::set(read_type(inner)?)),
                "map" => Some(Type::map(read_type(inner)?)),
                "tuple" => {
                    let elements = inner.as_array()?.iter().map(read_type);
                    Some(Type::Tuple(elements.collect::<Option<Vec<Type>>>()?.into()))
                }
                "object" => {
                    let field = |(name, ty): (&String, &Json)| {
                        Some((Arc::from(name.as_str()), Field { ty: read_type(ty)?, optional: false }))
                    };
                    let fields = inner.as_object()?.iter().map(field).collect::<Option<BTreeMap<_, _>>>()?;
                    Some(Type::Object(Arc::new(fields)))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// A known value as JSON text, its secrets in clear and its numbers as they are. `None` where something is unknown.
pub fn write(value: &Value) -> Option<String> {
    let mut out = String::new();
    write_into(value, &mut out)?;
    Some(out)
}

fn write_into(value: &Value, out: &mut String) -> Option<()> {
    match &value.kind {
        Kind::Null => out.push_str("null"),
        Kind::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Kind::Number(number) => out.push_str(&number.to_string()),
        Kind::String(text) => out.push_str(&quoted(text)),
        Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => {
            for (i, item) in s.items.iter().enumerate() {
                out.push(if i == 0 { '[' } else { ',' });
                write_into(item, out)?;
            }
            out.push_str(if s.items.is_empty() { "[]" } else { "]" });
        }
        Kind::Map(f) | Kind::Object(f) => {
            for (i, (key, item)) in f.entries.iter().enumerate() {
                out.push(if i == 0 { '{' } else { ',' });
                out.push_str(&quoted(key));
                out.push(':');
                write_into(item, out)?;
            }
            out.push_str(if f.entries.is_empty() { "{}" } else { "}" });
        }
        Kind::Unknown(_) => return None,
    }
    Some(())
}

/// Text as a JSON string.
pub fn quoted(text: &str) -> String {
    Json::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn numbers_stay_what_they_are() {
        let text = r#"{"big":123456789012345678901234567890,"f":0.1,"i":-3,"list":[1.50,"x",null,true]}"#;
        let value = value(&raw(text)).unwrap();
        assert_eq!(
            value.get("big").unwrap().as_number().unwrap().to_string(),
            "123456789012345678901234567890"
        );
        assert_eq!(
            write(&value).unwrap(),
            r#"{"big":123456789012345678901234567890,"f":0.1,"i":-3,"list":[1.5,"x",null,true]}"#
        );
    }

    #[test]
    fn types_make_lists_sets_and_maps() {
        let json: Json =
            serde_json::from_str(r#"["object",{"s":["set","string"],"m":["map","number"],"n":"dynamic"}]"#)
                .unwrap();
        let ty = read_type(&json).unwrap();
        let value = typed(&raw(r#"{"s":["b","a"],"m":{"k":1},"n":null}"#), &ty).unwrap();
        assert!(matches!(value.get("s").unwrap().kind, Kind::Set(_)));
        assert!(matches!(value.get("m").unwrap().kind, Kind::Map(_)));
        assert!(value.get("n").unwrap().is_null());
        assert_eq!(read_type(&Json::from("nonsense")), None);
    }

    #[test]
    fn too_deep_is_an_error_and_no_overflow() {
        let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
        let nested: Result<Box<RawValue>, _> = serde_json::from_str(&deep);
        if let Ok(nested) = nested {
            assert!(value(&nested).is_err());
        }
    }
}
