//! The two ways a value leaves the process: [`Stored`] for files, [`Shown`] for people and events.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::number::Number;
use crate::ty::Type;
use crate::value::{Kind, Marks, Unknown, Value};

/// A value as it is kept in state, plans and journals. Lossless. Tuples, objects, strings, bools, null and numbers within
/// `i64` are plain JSON; everything else is an object with a key `$`: `{"$":"marked","value":…}`,
/// `{"$":"number","value":"1.5"}`, `{"$":"list","of":…,"items":[…]}`, `{"$":"set",…}`, `{"$":"map","of":…,"entries":{…}}`,
/// `{"$":"unknown",…}`, and `{"$":"object","entries":{…}}` for an object that has a key `$` itself.
#[derive(Clone, Debug)]
pub struct Stored(pub Value);

/// A value as it is shown: what is sensitive is the text `(sensitive)`, what is unknown is null.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a Value);

impl Default for Stored {
    fn default() -> Self {
        Stored(Value::NULL)
    }
}

impl From<Value> for Stored {
    fn from(value: Value) -> Self {
        Stored(value)
    }
}

impl PartialEq for Stored {
    /// Whether both would be written alike: marks, types and what is unknown count.
    fn eq(&self, other: &Self) -> bool {
        identical(&self.0, &other.0)
    }
}

fn identical(a: &Value, b: &Value) -> bool {
    if a.marks != b.marks {
        return false;
    }
    let items =
        |a: &[Value], b: &[Value]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(a, b));
    match (&a.kind, &b.kind) {
        (Kind::Unknown(a), Kind::Unknown(b)) => a == b,
        (Kind::List(a), Kind::List(b)) | (Kind::Set(a), Kind::Set(b)) => {
            a.element == b.element && items(&a.items, &b.items)
        }
        (Kind::Tuple(a), Kind::Tuple(b)) => items(&a.items, &b.items),
        (Kind::Map(a), Kind::Map(b)) | (Kind::Object(a), Kind::Object(b)) => {
            a.element == b.element
                && a.entries.len() == b.entries.len()
                && a.entries.iter().zip(&b.entries).all(|(a, b)| a.0 == b.0 && identical(&a.1, &b.1))
        }
        (Kind::List(_) | Kind::Set(_) | Kind::Tuple(_) | Kind::Map(_) | Kind::Object(_), _) => false,
        _ => a.same(b),
    }
}

/// How a value is written: `secret` writes a sensitive node.
pub(crate) trait Form: Copy {
    fn marked<S: Serializer>(self, value: &Value, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Writes a node and, through [`Node`], what is inside it.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a, F>(pub &'a Value, pub F);

impl<F: Form> Serialize for Node<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.marks.is_empty() {
            true => write_plain(self.0, self.1, serializer),
            false => self.1.marked(self.0, serializer),
        }
    }
}

struct Items<'a, F>(&'a [Value], F);

impl<F: Form> Serialize for Items<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for item in self.0 {
            seq.serialize_element(&Node(item, self.1))?;
        }
        seq.end()
    }
}

struct Entries<'a, F>(&'a [(Arc<str>, Value)], F);

impl<F: Form> Serialize for Entries<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(&**key, &Node(value, self.1))?;
        }
        map.end()
    }
}

/// Writes the node as if it had no marks of its own.
pub(crate) fn write_plain<F: Form, S: Serializer>(
    value: &Value,
    form: F,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match &value.kind {
        Kind::Null => serializer.serialize_unit(),
        Kind::Bool(value) => serializer.serialize_bool(*value),
        Kind::String(text) => serializer.serialize_str(text),
        Kind::Number(Number::Int(int)) => serializer.serialize_i64(*int),
        Kind::Number(number) => {
            tagged(serializer, "number", |map| map.serialize_entry("value", &number.to_string()))
        }
        Kind::Tuple(s) => Items(&s.items, form).serialize(serializer),
        Kind::List(s) | Kind::Set(s) => {
            let tag = if matches!(value.kind, Kind::List(_)) { "list" } else { "set" };
            tagged(serializer, tag, |map| {
                map.serialize_entry("of", &s.element)?;
                map.serialize_entry("items", &Items(&s.items, form))
            })
        }
        Kind::Map(f) => tagged(serializer, "map", |map| {
            map.serialize_entry("of", &f.element)?;
            map.serialize_entry("entries", &Entries(&f.entries, form))
        }),
        Kind::Object(f) if f.get("$").is_some() => {
            tagged(serializer, "object", |map| map.serialize_entry("entries", &Entries(&f.entries, form)))
        }
        Kind::Object(f) => Entries(&f.entries, form).serialize(serializer),
        Kind::Unknown(u) => tagged(serializer, "unknown", |map| write_unknown(u, map)),
    }
}

fn write_unknown<M: SerializeMap>(unknown: &Unknown, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("type", &unknown.ty)?;
    if unknown.not_null {
        map.serialize_entry("not_null", &true)?;
    }
    if let Some(prefix) = &unknown.prefix {
        map.serialize_entry("prefix", &**prefix)?;
    }
    if let Some(source) = &unknown.source {
        map.serialize_entry("source", &**source)?;
    }
    Ok(())
}

pub(crate) fn tagged<S: Serializer>(
    serializer: S,
    tag: &str,
    write: impl FnOnce(&mut S::SerializeMap) -> Result<(), S::Error>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("$", tag)?;
    write(&mut map)?;
    map.end()
}

#[derive(Clone, Copy)]
struct Clear;

impl Form for Clear {
    fn marked<S: Serializer>(self, value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
        tagged(serializer, "marked", |map| map.serialize_entry("value", &Plain(value)))
    }
}

struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_plain(self.0, Clear, serializer)
    }
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Node(&self.0, Clear).serialize(serializer)
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        if value.is_sensitive() {
            return serializer.serialize_str("(sensitive)");
        }
        match &value.kind {
            Kind::Unknown(_) => serializer.serialize_unit(),
            Kind::Number(number) => number_json(number).serialize(serializer),
            Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => {
                serializer.collect_seq(s.items.iter().map(Shown))
            }
            Kind::Map(f) | Kind::Object(f) => {
                serializer.collect_map(f.entries.iter().map(|(key, value)| (&**key, Shown(value))))
            }
            _ => write_plain(value, Clear, serializer),
        }
    }
}

/// The number as JSON: an integer where it fits, else the nearest double.
fn number_json(number: &Number) -> Json {
    match number {
        Number::Int(int) => Json::from(*int),
        other => other.to_string().parse::<serde_json::Number>().map_or(Json::Null, Json::Number),
    }
}

impl<'de> Deserialize<'de> for Stored {
    /// Straight from the text: what is plain JSON (most of a state) makes no tree in between.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StoredVisitor).map(Stored)
    }
}

struct StoredVisitor;

impl<'de> Visitor<'de> for StoredVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(from_json(Json::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(from_json(Json::from(value)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::string(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(64));
        while let Some(Stored(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::tuple(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Name(key)) = map.next_key()? {
            if &*key == "$" {
                // Whoever writes a tag writes it first.
                return match entries.is_empty() {
                    true => visit_tagged(map),
                    false => Err(A::Error::custom("the key `$` is not the first of its object")),
                };
            }
            let Stored(value) = map.next_value()?;
            entries.push((key, value));
        }
        Ok(Value::object(entries))
    }
}

/// A key, copied once.
struct Name(Arc<str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name(Arc::from(text)))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// What follows the key `$`.
fn visit_tagged<'de, A: MapAccess<'de>>(mut map: A) -> Result<Value, A::Error> {
    let mut rest = serde_json::Map::new();
    rest.insert("$".to_owned(), map.next_value()?);
    while let Some((key, value)) = map.next_entry::<String, Json>()? {
        rest.insert(key, value);
    }
    read_tagged(rest).map_err(A::Error::custom)
}

/// Reads the stored form.
fn read(json: Json) -> Result<Value, String> {
    match json {
        Json::Object(map) if map.contains_key("$") => read_tagged(map),
        Json::Object(map) => {
            let entries = map.into_iter().map(|(key, value)| Ok((Arc::from(key), read(value)?)));
            Ok(Value::object(entries.collect::<Result<Vec<(Arc<str>, Value)>, String>>()?))
        }
        Json::Array(items) => Ok(Value::tuple(items.into_iter().map(read).collect::<Result<_, _>>()?)),
        other => Ok(from_json(other)),
    }
}

fn read_tagged(mut map: serde_json::Map<String, Json>) -> Result<Value, String> {
    let mut take = |key: &str| map.remove(key).ok_or_else(|| format!("stored value without `{key}`"));
    let tag = take("$")?;
    match tag.as_str().unwrap_or_default() {
        "marked" => Ok(read(take("value")?)?.marked(Marks::SENSITIVE)),
        "number" => {
            let text = take("value")?;
            let number = text.as_str().unwrap_or_default().parse::<Number>();
            number.map(Value::from).map_err(|()| format!("not a number: {text}"))
        }
        tag @ ("list" | "set") => {
            let element = read_type(take("of")?)?;
            let Json::Array(items) = take("items")? else { return Err("items is not an array".to_owned()) };
            let items = items.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
            Ok(if tag == "list" { Value::list(element, items) } else { Value::set(element, items) })
        }
        "map" => {
            let element = read_type(take("of")?)?;
            Ok(Value::map(element, read_entries(take("entries")?)?))
        }
        "object" => Ok(Value::object(read_entries(take("entries")?)?)),
        "unknown" => {
            let ty = read_type(take("type")?)?;
            let mut text = |key: &str| map.remove(key).and_then(|v| v.as_str().map(Arc::from));
            let (prefix, source) = (text("prefix"), text("source"));
            let not_null = map.remove("not_null").is_some();
            Ok(Value::new(Kind::Unknown(Arc::new(Unknown { ty, not_null, prefix, source }))))
        }
        other => Err(format!("stored value of an unknown kind `{other}`")),
    }
}

fn read_type(json: Json) -> Result<Type, String> {
    serde_json::from_value(json).map_err(|e| e.to_string())
}

fn read_entries(json: Json) -> Result<Vec<(Arc<str>, Value)>, String> {
    let Json::Object(map) = json else { return Err("entries is not an object".to_owned()) };
    map.into_iter().map(|(key, value)| Ok((Arc::from(key), read(value)?))).collect()
}

/// Plain JSON as a value: arrays become tuples, objects become objects, as `jsondecode` does.
pub fn from_json(json: Json) -> Value {
    match json {
        Json::Null => Value::NULL,
        Json::Bool(value) => Value::from(value),
        Json::Number(number) => number
            .as_i64()
            .map(Value::from)
            .unwrap_or_else(|| number.to_string().parse::<Number>().map_or(Value::NULL, Value::from)),
        Json::String(text) => Value::from(text),
        Json::Array(items) => Value::tuple(items.into_iter().map(from_json).collect()),
        Json::Object(map) => Value::object(map.into_iter().map(|(key, value)| (key, from_json(value)))),
    }
}

/// A value as plain JSON with its secrets in clear: for what is handed to a tool. `None` where something is unknown.
pub fn to_json(value: &Value) -> Option<Json> {
    Some(match &value.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => Json::Bool(*value),
        Kind::Number(number) => number_json(number),
        Kind::String(text) => Json::String(text.to_string()),
        Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => {
            Json::Array(s.items.iter().map(to_json).collect::<Option<_>>()?)
        }
        Kind::Map(f) | Kind::Object(f) => {
            let entry = |(key, value): &(Arc<str>, Value)| Some((key.to_string(), to_json(value)?));
            Json::Object(f.entries.iter().map(entry).collect::<Option<_>>()?)
        }
        Kind::Unknown(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let number = |text: &str| Value::from(text.parse::<Number>().unwrap());
        let list = Value::list(Type::String, vec![Value::string("a"), Value::string("b").sensitive()]);
        let object = Value::object([
            ("", Value::NULL),
            ("#", Value::from(true)),
            ("big", number("123456789012345678901234567890.5")),
            ("empty", Value::tuple(vec![])),
            ("least", Value::from(i64::MIN)),
            ("list", list),
            (
                "map",
                Value::map(Type::Number, vec![("$".into(), Value::from(1)), ("x".into(), Value::from(2))]),
            ),
            ("quoted \" \n key", Value::string("quoted \" \n text")),
            ("set", Value::set(Type::Number, vec![Value::from(2), Value::from(1)])),
            ("tagged", Value::object([("$", Value::string("marked")), ("!", Value::NULL)])),
            ("unknown", Value::unknown_from(Type::String, "a.b.c")),
        ]);
        let stored = Stored(Value::tuple(vec![object.clone(), object.sensitive()]));
        let text = serde_json::to_string_pretty(&stored).unwrap();
        assert_eq!(serde_json::from_str::<Stored>(&text).unwrap(), stored, "{text}");
        let tree: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_value::<Stored>(tree).unwrap(), stored, "from a tree");
    }

    #[test]
    fn what_nobody_wrote_is_refused() {
        for text in [r#"{"a":1,"$":"marked"}"#, r#"{"$":"what"}"#, r#"{"$":"marked"}"#, r#"{"$":1}"#, "[1"] {
            assert!(serde_json::from_str::<Stored>(text).is_err(), "{text}");
        }
    }
}
