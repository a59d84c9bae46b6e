//! Defaults of optional object attributes in a type constraint.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Kind, Value};

/// Defaults of `optional(type, default)` attributes, by the path of object attributes to them.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Defaults at this level.
    pub values: BTreeMap<Arc<str>, Value>,
    /// Deeper levels by attribute name; `"*"` stands for the elements of a collection.
    pub children: BTreeMap<Arc<str>, Defaults>,
}

impl Defaults {
    /// The value with the defaults of attributes that are absent or null, before it is converted to the type.
    pub fn apply(&self, value: &Value) -> Value {
        let result = match &value.kind {
            Kind::Map(fields) | Kind::Object(fields) => self.apply_to_fields(&fields.entries, value),
            Kind::List(_) | Kind::Set(_) | Kind::Tuple(_) => {
                let mut position = 0;
                value.map_children(|item| {
                    let child =
                        self.children.get("*").or_else(|| self.children.get(position.to_string().as_str()));
                    position += 1;
                    child.map_or_else(|| item.clone(), |child| child.apply(item))
                })
            }
            _ => return value.clone(),
        };
        result.marked(value.marks)
    }

    fn apply_to_fields(&self, entries: &[(Arc<str>, Value)], whole: &Value) -> Value {
        if self.values.is_empty() && self.children.contains_key("*") {
            let each = &self.children["*"];
            return whole.map_children(|item| each.apply(item));
        }
        let mut result: BTreeMap<Arc<str>, Value> = entries.iter().cloned().collect();
        for (name, default) in &self.values {
            let given = result.get(name).is_some_and(|value| !value.is_null());
            if !given {
                result.insert(name.clone(), default.clone());
            }
        }
        for (name, child) in &self.children {
            if let Some(value) = result.get_mut(name) {
                *value = child.apply(value);
            }
        }
        Value::object(result)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.children.is_empty()
    }
}
