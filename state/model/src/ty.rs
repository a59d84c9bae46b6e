//! Types of values, as in Terraform's type system.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The type of a value, or a constraint on one. `Any` stands for "not known" in a value's type and for
/// "whatever it is" in a constraint.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Any type; as the type of an unknown value: not known yet.
    #[default]
    Any,
    /// `true` or `false`.
    Bool,
    /// A number of arbitrary precision.
    Number,
    /// Text.
    String,
    /// A sequence of one element type.
    List(Arc<Type>),
    /// Distinct elements of one type, in a canonical order.
    Set(Arc<Type>),
    /// String keys to one element type.
    Map(Arc<Type>),
    /// A fixed sequence, each element of its own type.
    Tuple(Arc<[Type]>),
    /// Fixed attributes, each of its own type.
    Object(Arc<BTreeMap<Arc<str>, Field>>),
}

/// One attribute of an object type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Field {
    /// The attribute's type.
    pub ty: Type,
    /// In a constraint: the attribute may be absent, and is then null or the default.
    #[serde(default)]
    pub optional: bool,
}

impl Type {
    /// `list(element)`.
    pub fn list(element: Type) -> Type {
        Type::List(Arc::new(element))
    }

    /// `set(element)`.
    pub fn set(element: Type) -> Type {
        Type::Set(Arc::new(element))
    }

    /// `map(element)`.
    pub fn map(element: Type) -> Type {
        Type::Map(Arc::new(element))
    }

    /// An object type whose attributes are all required.
    pub fn object<K: Into<Arc<str>>>(fields: impl IntoIterator<Item = (K, Type)>) -> Type {
        let fields = fields.into_iter().map(|(name, ty)| (name.into(), Field { ty, optional: false }));
        Type::Object(Arc::new(fields.collect()))
    }

    /// Whether this is `bool`, `number` or `string`.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Type::Bool | Type::Number | Type::String)
    }
}

impl fmt::Display for Type {
    /// As a type constraint is written: `map(list(string))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("any"),
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Set(element) => write!(f, "set({element})"),
            Type::Map(element) => write!(f, "map({element})"),
            Type::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (i, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("])")
            }
            Type::Object(fields) => {
                f.write_str("object({")?;
                for (i, (name, field)) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    match field.optional {
                        true => write!(f, "{comma}{name} = optional({})", field.ty)?,
                        false => write!(f, "{comma}{name} = {}", field.ty)?,
                    }
                }
                f.write_str("})")
            }
        }
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
