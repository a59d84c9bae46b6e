//! The one type that several types can all become, by Terraform's rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Field, Type};

/// The type that values of all these types can be converted to without loss; `None`: there is none. `Any` among them
/// stands for null, which is of every type.
pub fn unify(types: &[Type]) -> Option<Type> {
    let mut result = Type::Any;
    for ty in types {
        result = pair(&result, ty)?;
    }
    Some(result)
}

fn pair(a: &Type, b: &Type) -> Option<Type> {
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Type::Any, other) | (other, Type::Any) => Some(other.clone()),
        (Type::String, Type::Bool | Type::Number) | (Type::Bool | Type::Number, Type::String) => {
            Some(Type::String)
        }
        (Type::List(a), Type::List(b)) => Some(Type::list(pair(a, b)?)),
        (Type::Set(a), Type::Set(b) | Type::List(b)) | (Type::List(a), Type::Set(b)) => {
            Some(Type::set(pair(a, b)?))
        }
        (Type::Map(a), Type::Map(b)) => Some(Type::map(pair(a, b)?)),
        (Type::Tuple(a), Type::Tuple(b)) => tuples(a, b),
        (Type::List(element), Type::Tuple(items)) | (Type::Tuple(items), Type::List(element)) => {
            Some(Type::list(all(element, items.iter())?))
        }
        (Type::Set(element), Type::Tuple(items)) | (Type::Tuple(items), Type::Set(element)) => {
            Some(Type::set(all(element, items.iter())?))
        }
        (Type::Object(a), Type::Object(b)) => objects(a, b),
        (Type::Map(element), Type::Object(fields)) | (Type::Object(fields), Type::Map(element)) => {
            Some(Type::map(all(element, fields.values().map(|field| &field.ty))?))
        }
        _ => None,
    }
}

fn all<'t>(first: &Type, rest: impl Iterator<Item = &'t Type>) -> Option<Type> {
    let mut result = first.clone();
    for ty in rest {
        result = pair(&result, ty)?;
    }
    Some(result)
}

/// Of one length: a tuple, element by element; else a list.
fn tuples(a: &[Type], b: &[Type]) -> Option<Type> {
    if a.len() == b.len() {
        let items: Option<Vec<Type>> = a.iter().zip(b).map(|(a, b)| pair(a, b)).collect();
        if let Some(items) = items {
            return Some(Type::Tuple(items.into()));
        }
    }
    Some(Type::list(all(&Type::Any, a.iter().chain(b))?))
}

/// Of the same attributes: an object, attribute by attribute; else a map.
fn objects(a: &Arc<BTreeMap<Arc<str>, Field>>, b: &Arc<BTreeMap<Arc<str>, Field>>) -> Option<Type> {
    if a.len() == b.len() && a.keys().eq(b.keys()) {
        let fields: Option<BTreeMap<_, _>> = a
            .iter()
            .zip(b.values())
            .map(|((name, a), b)| {
                Some((name.clone(), Field { ty: pair(&a.ty, &b.ty)?, optional: a.optional }))
            })
            .collect();
        return Some(Type::Object(Arc::new(fields?)));
    }
    let types = a.values().chain(b.values()).map(|field| &field.ty);
    Some(Type::map(all(&Type::Any, types)?))
}
