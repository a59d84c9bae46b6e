//! Conversion of values to types, by Terraform's rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{AttrPath, Field, Kind, Seq, Type, Unknown, Value};

use super::number;
use super::unify::unify;

/// Why a value cannot be of a type. The message never holds a part of the value, which may be sensitive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConvertError {
    /// Where in the value; empty: the value itself.
    pub path: AttrPath,
    /// What is wrong there: `a number is required, but this is a list`.
    pub message: String,
}

impl ConvertError {
    fn new(message: impl Into<String>) -> Box<ConvertError> {
        Box::new(ConvertError { path: AttrPath::default(), message: message.into() })
    }

    fn wanted(wanted: &str, value: &Value) -> Box<ConvertError> {
        ConvertError::new(format!("{wanted} is required, but this is {}", kind_name(value)))
    }

    /// The same one level up. Where that level is sensitive the path ends there: its keys are not shown.
    fn below(mut self: Box<Self>, step: AttrPath, whole: &Value) -> Box<ConvertError> {
        if !whole.marks.is_empty() {
            self.path = AttrPath::default();
            return self;
        }
        let inner = std::mem::replace(&mut self.path, step);
        self.path.0.extend(inner.0);
        self
    }
}

impl std::fmt::Display for ConvertError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.0.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

type Converted = Result<Value, Box<ConvertError>>;

/// The value as one of type `to`: primitives by their text, sequences among each other, objects and maps; optional
/// attributes that are absent become null, attributes that are not wanted are dropped. Marks stay where they are (those
/// of a set's elements move to the set); what is unknown becomes unknown of the type.
///
/// # Errors
/// Where the value does not fit, with the path to what does not.
pub fn convert(value: &Value, to: &Type) -> Result<Value, ConvertError> {
    converted(value, to).map_err(|error| *error)
}

pub(super) fn converted(value: &Value, to: &Type) -> Converted {
    let kind = match (&value.kind, to) {
        (_, Type::Any) | (Kind::Null, _) => return Ok(value.clone()),
        (Kind::Bool(_), Type::Bool) | (Kind::Number(_), Type::Number) | (Kind::String(_), Type::String) => {
            return Ok(value.clone());
        }
        (Kind::Unknown(unknown), _) => Kind::Unknown(Arc::new(of_type(unknown, to)?)),
        (_, Type::Bool | Type::Number | Type::String) => primitive(value, to)?,
        (_, Type::List(element) | Type::Set(element)) => return sequence(value, to, element),
        (_, Type::Map(element)) => return map(value, element),
        (_, Type::Object(fields)) => return object(value, fields),
        (_, Type::Tuple(types)) => return tuple(value, types),
    };
    Ok(Value { kind, marks: value.marks })
}

/// What a value is, in words.
pub(super) fn kind_name(value: &Value) -> &'static str {
    match &value.kind {
        Kind::Null => "null",
        Kind::Unknown(unknown) => type_name(&unknown.ty),
        Kind::Bool(_) => "a bool",
        Kind::Number(_) => "a number",
        Kind::String(_) => "a string",
        Kind::List(_) => "a list",
        Kind::Set(_) => "a set",
        Kind::Tuple(_) => "a tuple",
        Kind::Map(_) => "a map",
        Kind::Object(_) => "an object",
    }
}

/// A type in words, without what is in it.
pub(super) fn type_name(ty: &Type) -> &'static str {
    match ty {
        Type::Any => "a value",
        Type::Bool => "a bool",
        Type::Number => "a number",
        Type::String => "a string",
        Type::List(_) => "a list",
        Type::Set(_) => "a set",
        Type::Map(_) => "a map",
        Type::Tuple(_) => "a tuple",
        Type::Object(_) => "an object",
    }
}

fn primitive(value: &Value, to: &Type) -> Result<Kind, Box<ConvertError>> {
    match (&value.kind, to) {
        (Kind::Number(number), Type::String) => Ok(Kind::String(number.to_string().into())),
        (Kind::Bool(flag), Type::String) => {
            Ok(Kind::String(if *flag { "true".into() } else { "false".into() }))
        }
        (Kind::String(text), Type::Number) => match number::parse(text) {
            Ok(number) => Ok(Kind::Number(number)),
            Err(number::NumberError::Text) => {
                Err(ConvertError::new("a number is required, but this is a string that is not a number"))
            }
            Err(error) => Err(ConvertError::new(error.message())),
        },
        (Kind::String(text), Type::Bool) => match &**text {
            "true" | "1" => Ok(Kind::Bool(true)),
            "false" | "0" => Ok(Kind::Bool(false)),
            _ => Err(ConvertError::new("a bool is required: as a string it is \"true\" or \"false\"")),
        },
        (_, Type::String) => Err(ConvertError::wanted("a string", value)),
        (_, Type::Number) => Err(ConvertError::wanted("a number", value)),
        _ => Err(ConvertError::wanted("a bool", value)),
    }
}

fn sequence(value: &Value, to: &Type, element: &Type) -> Converted {
    let wants_set = matches!(to, Type::Set(_));
    let seq = match &value.kind {
        Kind::List(seq) | Kind::Set(seq) | Kind::Tuple(seq) => seq,
        _ => return Err(ConvertError::wanted(type_name(to), value)),
    };
    let same_kind = matches!((&value.kind, wants_set), (Kind::List(_), false) | (Kind::Set(_), true));
    if same_kind && (seq.element == *element || *element == Type::Any) && is_plain(&seq.element) {
        return Ok(value.clone());
    }
    let Some(element) = element_type(element, seq.items.iter(), &seq.element)? else {
        let unknown = if wants_set { Type::set(Type::Any) } else { Type::list(Type::Any) };
        return Ok(unknown_like(value, unknown));
    };
    let items = converted_items(value, seq, &element)?;
    if !wants_set && matches!(value.kind, Kind::Set(_)) && value.has_unknown() {
        // Elements that are not known have no place in the order yet, and may turn out equal.
        return Ok(unknown_like(value, Type::list(element)));
    }
    let element = if is_plain(&element) { element } else { found_type(&items, element) };
    let result = if wants_set { Value::set(element, items) } else { Value::list(element, items) };
    Ok(result.marked(value.marks))
}

fn converted_items(value: &Value, seq: &Seq, element: &Type) -> Result<Vec<Value>, Box<ConvertError>> {
    let convert = |(i, item): (usize, &Value)| {
        converted(item, element).map_err(|error| error.below(AttrPath::default().index(i), value))
    };
    seq.items.iter().enumerate().map(convert).collect()
}

fn map(value: &Value, element: &Type) -> Converted {
    let fields = match &value.kind {
        Kind::Map(fields) | Kind::Object(fields) => fields,
        _ => return Err(ConvertError::wanted("a map", value)),
    };
    let same = matches!(value.kind, Kind::Map(_)) && (fields.element == *element || *element == Type::Any);
    if same && is_plain(&fields.element) {
        return Ok(value.clone());
    }
    let Some(element) = element_type(element, fields.entries.iter().map(|(_, v)| v), &fields.element)? else {
        return Ok(unknown_like(value, Type::map(Type::Any)));
    };
    let mut entries = Vec::with_capacity(fields.entries.len());
    for (key, item) in &fields.entries {
        let item = converted(item, &element)
            .map_err(|error| error.below(AttrPath::default().name(key.clone()), value))?;
        entries.push((key.clone(), item));
    }
    let element = match is_plain(&element) {
        true => element,
        false => unify(&entries.iter().map(|(_, v)| v.type_of()).collect::<Vec<_>>()).unwrap_or(element),
    };
    Ok(Value::map(element, entries).marked(value.marks))
}

fn object(value: &Value, wanted: &Arc<BTreeMap<Arc<str>, Field>>) -> Converted {
    if !matches!(value.kind, Kind::Map(_) | Kind::Object(_)) {
        return Err(ConvertError::wanted("an object", value));
    }
    let mut entries = Vec::with_capacity(wanted.len());
    for (name, field) in wanted.iter() {
        let item = match value.get(name) {
            Some(item) => converted(item, &field.ty)
                .map_err(|error| error.below(AttrPath::default().name(name.clone()), value))?,
            None if field.optional => Value::NULL,
            None => return Err(ConvertError::new(format!("attribute `{name}` is required"))),
        };
        entries.push((name.clone(), item));
    }
    Ok(Value::object(entries).marked(value.marks))
}

fn tuple(value: &Value, types: &[Type]) -> Converted {
    let Kind::Tuple(seq) = &value.kind else { return Err(ConvertError::wanted("a tuple", value)) };
    if seq.items.len() != types.len() {
        let message = format!("a tuple of {} is required, but this has {}", types.len(), seq.items.len());
        return Err(ConvertError::new(message));
    }
    let mut items = Vec::with_capacity(types.len());
    for (i, (item, ty)) in seq.items.iter().zip(types).enumerate() {
        items.push(converted(item, ty).map_err(|error| error.below(AttrPath::default().index(i), value))?);
    }
    Ok(Value::tuple(items).marked(value.marks))
}

/// The element type that is meant: `any` is the one type that all elements can be. `Ok(None)`: not known yet, as an
/// element's type is not.
fn element_type<'v>(
    wanted: &Type,
    items: impl Iterator<Item = &'v Value>,
    before: &Type,
) -> Result<Option<Type>, Box<ConvertError>> {
    if *wanted != Type::Any {
        return Ok(Some(wanted.clone()));
    }
    let mut types = vec![before.clone()];
    for item in items {
        if item.is_unknown() && item.type_of() == Type::Any {
            return Ok(None);
        }
        types.push(item.type_of());
    }
    unify(&types).map(Some).ok_or_else(|| ConvertError::new("all elements must be of one type"))
}

fn found_type(items: &[Value], otherwise: Type) -> Type {
    unify(&items.iter().map(Value::type_of).collect::<Vec<_>>())
        .filter(|ty| *ty != Type::Any)
        .unwrap_or(otherwise)
}

/// Whether no part of a type is open or optional: a value of it needs no second look.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::Any => false,
        Type::Bool | Type::Number | Type::String => true,
        Type::List(element) | Type::Set(element) | Type::Map(element) => is_plain(element),
        Type::Tuple(types) => types.iter().all(is_plain),
        Type::Object(fields) => fields.values().all(|field| !field.optional && is_plain(&field.ty)),
    }
}

fn unknown_like(value: &Value, ty: Type) -> Value {
    let source = value.items().and_then(|items| items.iter().find_map(source_of));
    let unknown = Unknown { ty, not_null: true, prefix: None, source };
    Value::new(Kind::Unknown(Arc::new(unknown))).marked(value.deep_marks())
}

fn source_of(value: &Value) -> Option<Arc<str>> {
    match &value.kind {
        Kind::Unknown(unknown) => unknown.source.clone(),
        _ => None,
    }
}

fn of_type(unknown: &Unknown, to: &Type) -> Result<Unknown, Box<ConvertError>> {
    if unknown.ty == *to {
        return Ok(unknown.clone());
    }
    let Some(ty) = becomes(&unknown.ty, to) else {
        return Err(ConvertError::new(format!(
            "{} is required, but this is {}",
            type_name(to),
            type_name(&unknown.ty)
        )));
    };
    let prefix =
        unknown.prefix.clone().filter(|_| matches!((&unknown.ty, &ty), (Type::String, Type::String)));
    Ok(Unknown { ty, not_null: unknown.not_null, prefix, source: unknown.source.clone() })
}

/// The type that a value of type `from`, not known yet, has once it is converted to `to`; `None`: it never can be.
fn becomes(from: &Type, to: &Type) -> Option<Type> {
    match (from, to) {
        (_, Type::Any) => Some(from.clone()),
        (Type::Any, _) => Some(to.clone()),
        (Type::Bool, Type::Number) | (Type::Number, Type::Bool) => None,
        (Type::Bool | Type::Number | Type::String, Type::Bool | Type::Number | Type::String) => {
            Some(to.clone())
        }
        (Type::List(a) | Type::Set(a), Type::List(b)) => Some(Type::list(becomes(a, b)?)),
        (Type::List(a) | Type::Set(a), Type::Set(b)) => Some(Type::set(becomes(a, b)?)),
        (Type::Tuple(items), Type::List(b) | Type::Set(b)) => {
            let element = unify(&items.iter().map(|item| becomes(item, b)).collect::<Option<Vec<_>>>()?)?;
            Some(if matches!(to, Type::List(_)) { Type::list(element) } else { Type::set(element) })
        }
        (Type::Map(a), Type::Map(b)) => Some(Type::map(becomes(a, b)?)),
        (Type::Object(fields), Type::Map(b)) => {
            let types = fields.values().map(|field| becomes(&field.ty, b)).collect::<Option<Vec<_>>>()?;
            Some(Type::map(unify(&types)?))
        }
        (Type::Map(a), Type::Object(fields)) => {
            let fits = fields.values().all(|field| becomes(a, &field.ty).is_some());
            fits.then(|| required(to))
        }
        (Type::Object(have), Type::Object(fields)) => {
            let fits = |(name, field): (&Arc<str>, &Field)| match have.get(name) {
                Some(have) => becomes(&have.ty, &field.ty).is_some(),
                None => field.optional,
            };
            fields.iter().all(fits).then(|| required(to))
        }
        (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => {
            Some(Type::Tuple(a.iter().zip(b.iter()).map(|(a, b)| becomes(a, b)).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

/// The type of a value that satisfies a constraint: its attributes are all there.
fn required(constraint: &Type) -> Type {
    match constraint {
        Type::Object(fields) => {
            Type::object(fields.iter().map(|(name, field)| (name.clone(), required(&field.ty))))
        }
        other => other.clone(),
    }
}
