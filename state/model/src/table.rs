//! Schemas of attributes written as tables: a line each.

use std::collections::BTreeMap;

use crate::schema::Attribute;
use crate::ty::Type;

/// The type of an attribute in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Is {
    /// A string.
    Text,
    /// A number.
    Number,
    /// A bool.
    Flag,
    /// A list of strings.
    Texts,
    /// A map of strings.
    TextMap,
    /// Anything.
    Any,
}

/// Whether an attribute of a table is given, by whom, and what a change of it means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Must be given.
    Required,
    /// May be given.
    Optional,
    /// The provider sets it.
    Computed,
    /// Must be given, and a change of it replaces.
    Identity,
    /// May be given, and a change of it replaces.
    Identifies,
}

/// An attribute as a line of a table: name, type, need, what it is.
pub type Row = (&'static str, Is, Need, &'static str);

/// The attributes of a table.
pub fn attributes(rows: &[Row]) -> BTreeMap<&'static str, Attribute> {
    let attribute = |(name, is, need, doc): &Row| {
        let ty = match is {
            Is::Text => Type::String,
            Is::Number => Type::Number,
            Is::Flag => Type::Bool,
            Is::Texts => Type::list(Type::String),
            Is::TextMap => Type::map(Type::String),
            Is::Any => Type::Any,
        };
        let required = matches!(need, Need::Required | Need::Identity);
        let forces_replace = matches!(need, Need::Identity | Need::Identifies);
        let computed = *need == Need::Computed;
        (*name, Attribute { ty, required, computed, forces_replace, doc, ..Attribute::default() })
    };
    rows.iter().map(attribute).collect()
}
