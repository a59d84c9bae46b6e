//! Looks into values.

use std::sync::Arc;

use windlass_model::{AttrPath, Record, Value};

/// An attribute; null where it is absent.
pub(crate) fn attribute(value: &Value, name: &str) -> Value {
    value.get(name).cloned().unwrap_or(Value::NULL)
}

/// The text of an attribute that is a known string.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// Whether an attribute is given: known not to be null, or not known yet.
pub(crate) fn is_given(value: &Value, name: &str) -> bool {
    value.get(name).is_some_and(|value| !value.is_null())
}

/// The texts of an attribute that is a list of known strings; `None` where it is null or not known whole.
pub(crate) fn texts(value: &Value, name: &str) -> Option<Vec<String>> {
    let items = value.get(name)?.items()?;
    items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Whether an attribute is the same in both; absent is null, and what is unknown is the same as nothing.
pub(crate) fn is_same(a: &Value, b: &Value, name: &str) -> bool {
    match (a.get(name), b.get(name)) {
        (Some(a), Some(b)) => a.same(b),
        (Some(one), None) | (None, Some(one)) => one.is_null(),
        (None, None) => true,
    }
}

/// Those of some attributes that are not the same in a record and in what is wanted.
pub(crate) fn changed(prior: &Record, desired: &Value, names: &[&str]) -> Vec<AttrPath> {
    let differ = names.iter().filter(|name| !is_same(&prior.value.0, desired, name));
    differ.map(|name| AttrPath::from(*name)).collect()
}

/// An object of some attributes of a value and some new ones.
pub(crate) fn object(from: &Value, kept: &[&str], new: Vec<(&str, Value)>) -> Value {
    let kept = kept.iter().map(|name| (Arc::from(*name), attribute(from, name)));
    let new = new.into_iter().map(|(name, value)| (Arc::<str>::from(name), value));
    Value::object(kept.chain(new).collect::<Vec<(Arc<str>, Value)>>())
}

/// A value, marked sensitive where something else is.
pub(crate) fn marked_if(value: Value, sensitive: bool) -> Value {
    if sensitive { value.sensitive() } else { value }
}
