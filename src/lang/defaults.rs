//! Defaults of optional object attributes in a type constraint.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::Value;

/// Defaults of `optional(type, default)` attributes, by the path of object attributes to them.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Defaults at this level.
    pub values: BTreeMap<Arc<str>, Value>,
    /// Deeper levels by attribute name; `"*"` stands for the elements of a collection.
    pub children: BTreeMap<Arc<str>, Defaults>,
}
