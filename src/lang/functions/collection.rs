//! Collections of all kinds: lengths, look-ups, maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation as _;
use windlass_model::{Kind, Number, Type, Value};

use super::{Context, Function, Param, Run, Shape, fail, function, misfit, param, wrong};
use crate::lang::convert::{converted, kind_name};
use crate::lang::eval::access::unknown_of;
use crate::lang::eval::operators::equal;
use crate::lang::unify::unify;

const MAP: Param = param("map", Shape::Any).taken().parts();
const BOOLS: Param = param("list", Shape::Bools);

pub(super) const TABLE: &[Function] = &[
    function("length", &[param("value", Shape::Any).taken().parts()], Shape::Number, length),
    function("keys", &[MAP], Shape::Strings, keys),
    function("values", &[MAP], Shape::List, values),
    function(
        "lookup",
        &[MAP, param("key", Shape::String).taken(), param("default", Shape::Any).nullable().taken().raw()],
        Shape::Any,
        lookup,
    )
    .optional(1),
    function("merge", &[], Shape::Any, merge).rest(param("maps", Shape::Any).nullable().taken().parts()),
    function(
        "zipmap",
        &[param("keys", Shape::Strings).taken(), param("values", Shape::Any).parts()],
        Shape::Any,
        zipmap,
    ),
    function(
        "contains",
        &[param("list", Shape::Any), param("value", Shape::Any).taken()],
        Shape::Bool,
        contains,
    ),
    function(
        "index",
        &[param("list", Shape::Any).deep(), param("value", Shape::Any).deep()],
        Shape::Number,
        index,
    ),
    function("alltrue", &[BOOLS], Shape::Bool, |_, args| all_or_any(&args[0], false)),
    function("anytrue", &[BOOLS], Shape::Bool, |_, args| all_or_any(&args[0], true)),
    function("one", &[param("list", Shape::Any).taken().parts()], Shape::Any, one),
    function("coalesce", &[], Shape::Any, coalesce).rest(param("values", Shape::Any).nullable().taken()),
    function("coalescelist", &[], Shape::Any, coalescelist)
        .rest(param("lists", Shape::Any).nullable().parts()),
    function("matchkeys", &[LIST, LIST, LIST], Shape::List, matchkeys),
    function("transpose", &[param("map", Shape::Any).deep()], Shape::Any, transpose),
];

const LIST: Param = param("list", Shape::List).deep();

fn number(count: usize) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}

fn length(_: &Context<'_>, args: &[Value]) -> Run {
    let value = &args[0];
    match &value.kind {
        Kind::String(text) => Ok(number(text.graphemes(true).count())),
        // Elements that are not known may turn out equal.
        Kind::Set(_) if value.has_unknown() => Ok(unknown_of(Type::Number, true, value)),
        Kind::List(seq) | Kind::Set(seq) | Kind::Tuple(seq) => Ok(number(seq.items.len())),
        Kind::Map(fields) | Kind::Object(fields) => Ok(number(fields.entries.len())),
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::Tuple(types) => Ok(number(types.len())),
            Type::Object(fields) => Ok(number(fields.len())),
            Type::Bool | Type::Number => Err(wrong(0, format!("{} has no length", kind_name(value)))),
            _ => Ok(unknown_of(Type::Number, true, value)),
        },
        _ => Err(wrong(0, format!("{} has no length", kind_name(value)))),
    }
}

fn keys(_: &Context<'_>, args: &[Value]) -> Run {
    let value = &args[0];
    let text = |key: &Arc<str>| Value::string(key.clone());
    match &value.kind {
        Kind::Map(fields) => {
            Ok(Value::list(Type::String, fields.entries.iter().map(|(key, _)| text(key)).collect()))
        }
        Kind::Object(fields) => Ok(Value::tuple(fields.entries.iter().map(|(key, _)| text(key)).collect())),
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::Object(fields) => Ok(Value::tuple(fields.keys().map(text).collect())),
            Type::Map(_) => Ok(unknown_of(Type::list(Type::String), true, value)),
            Type::Any => Ok(unknown_of(Type::Any, true, value)),
            _ => Err(not_a_map(value, 0)),
        },
        _ => Err(not_a_map(value, 0)),
    }
}

fn values(_: &Context<'_>, args: &[Value]) -> Run {
    let value = &args[0];
    match &value.kind {
        Kind::Map(fields) => {
            Ok(Value::list(fields.element.clone(), fields.entries.iter().map(|(_, v)| v.clone()).collect()))
        }
        Kind::Object(fields) => Ok(Value::tuple(fields.entries.iter().map(|(_, v)| v.clone()).collect())),
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::Object(fields) => Ok(Value::tuple(
                fields.values().map(|field| unknown_of(field.ty.clone(), false, value)).collect(),
            )),
            Type::Map(element) => Ok(unknown_of(Type::list((**element).clone()), true, value)),
            Type::Any => Ok(unknown_of(Type::Any, true, value)),
            _ => Err(not_a_map(value, 0)),
        },
        _ => Err(not_a_map(value, 0)),
    }
}

fn not_a_map(value: &Value, at: usize) -> super::Failure {
    wrong(at, format!("a map or object is required, but this is {}", kind_name(value)))
}

fn lookup(_: &Context<'_>, args: &[Value]) -> Run {
    let (map, key, default) = (&args[0], &args[1], args.get(2));
    let element = match &map.kind {
        Kind::Map(fields) => fields.element.clone(),
        Kind::Object(_) => Type::Any,
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::Map(element) => (**element).clone(),
            Type::Object(_) | Type::Any => Type::Any,
            _ => return Err(not_a_map(map, 0)),
        },
        _ => return Err(not_a_map(map, 0)),
    };
    let Some(name) = key.as_str() else { return Ok(unknown_of(element, false, key)) };
    if map.is_unknown() {
        return Ok(unknown_of(element, false, map));
    }
    match (map.get(name), default) {
        (Some(found), _) => Ok(found.clone()),
        (None, Some(default)) => converted(default, &element).map_err(|error| misfit(2, *error)),
        (None, None) => {
            Err(wrong(1, "there is no such key").help("a third argument is the value for that case"))
        }
    }
}

fn merge(_: &Context<'_>, args: &[Value]) -> Run {
    let mut merged: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    let mut element: Option<Type> = None;
    let mut maps = true;
    let mut unknown = None;
    for (i, arg) in args.iter().enumerate() {
        match &arg.kind {
            Kind::Null => {}
            Kind::Map(fields) | Kind::Object(fields) => {
                let same = element.get_or_insert_with(|| fields.element.clone()) == &fields.element;
                maps &= same && matches!(arg.kind, Kind::Map(_));
                merged.extend(fields.entries.iter().cloned());
            }
            Kind::Unknown(u) if matches!(u.ty, Type::Map(_) | Type::Object(_) | Type::Any) => {
                unknown = Some(arg)
            }
            _ => return Err(not_a_map(arg, i)),
        }
    }
    if let Some(from) = unknown {
        // Parts that are known are in it too, with their marks.
        let marks = args.iter().fold(windlass_model::Marks::NONE, |marks, arg| marks | arg.deep_marks());
        return Ok(unknown_of(Type::Any, true, from).marked(marks));
    }
    Ok(match element.filter(|_| maps) {
        Some(element) => Value::map(element, merged.into_iter().collect()),
        None => Value::object(merged),
    })
}

fn zipmap(_: &Context<'_>, args: &[Value]) -> Run {
    let Some(values) = args[1].items().filter(|_| !matches!(args[1].kind, Kind::Set(_))) else {
        return Err(wrong(1, format!("a list is required, but this is {}", kind_name(&args[1]))));
    };
    let marks = args[1].deep_marks();
    let keys = match args[0].items() {
        Some(keys) if args[0].is_known() => keys,
        _ => return Ok(unknown_of(Type::Any, true, &args[0]).marked(marks)),
    };
    if keys.len() != values.len() {
        return Err(fail(format!("there are {} keys, but {} values", keys.len(), values.len())));
    }
    let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for (i, (key, value)) in keys.iter().zip(values).enumerate() {
        let name = key.as_str().ok_or_else(|| wrong(0, format!("[{i}]: it is null")))?;
        entries.insert(name.into(), value.clone());
    }
    Ok(match &args[1].kind {
        Kind::List(seq) => Value::map(seq.element.clone(), entries.into_iter().collect()),
        _ => Value::object(entries),
    })
}

fn contains(_: &Context<'_>, args: &[Value]) -> Run {
    let (list, value) = (&args[0], &args[1]);
    let Some(items) = list.items() else {
        return Err(wrong(0, format!("a list, set or tuple is required, but this is {}", kind_name(list))));
    };
    let mut undecided = None;
    for item in items {
        match equal(item, value) {
            Some(true) => return Ok(Value::from(true)),
            Some(false) => {}
            None => undecided = undecided.or(Some(if item.has_unknown() { item } else { value })),
        }
    }
    Ok(match undecided {
        Some(from) => unknown_of(Type::Bool, true, from),
        None => Value::from(false),
    })
}

fn index(_: &Context<'_>, args: &[Value]) -> Run {
    let (Kind::List(seq) | Kind::Tuple(seq)) = &args[0].kind else {
        return Err(wrong(0, format!("a list is required, but this is {}", kind_name(&args[0]))));
    };
    let found = seq.items.iter().position(|item| equal(item, &args[1]) == Some(true));
    found.map(number).ok_or_else(|| fail("the value is not in the list"))
}

/// One element that decides is enough; null counts as false.
fn all_or_any(list: &Value, decides: bool) -> Run {
    let items = list.items().unwrap_or_default();
    let found = items.iter().any(|item| match item.kind {
        Kind::Null => !decides,
        _ => item.as_bool() == Some(decides),
    });
    if found {
        return Ok(Value::from(decides));
    }
    Ok(match list.has_unknown() {
        true => unknown_of(Type::Bool, true, list),
        false => Value::from(!decides),
    })
}

fn one(_: &Context<'_>, args: &[Value]) -> Run {
    let list = &args[0];
    let too_many = || wrong(0, "it has more than one element");
    match &list.kind {
        Kind::List(seq) | Kind::Set(seq) | Kind::Tuple(seq) => match &*seq.items {
            [] => Ok(Value::NULL),
            [only] => Ok(only.clone()),
            _ if matches!(list.kind, Kind::Set(_)) && list.has_unknown() => {
                Ok(unknown_of(seq.element.clone(), false, list))
            }
            _ => Err(too_many()),
        },
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::List(element) | Type::Set(element) => Ok(unknown_of((**element).clone(), false, list)),
            Type::Tuple(types) if types.len() > 1 => Err(too_many()),
            Type::Tuple(types) => {
                Ok(types.first().map_or(Value::NULL, |ty| unknown_of(ty.clone(), false, list)))
            }
            Type::Any => Ok(unknown_of(Type::Any, false, list)),
            _ => Err(wrong(0, format!("a list, set or tuple is required, but this is {}", kind_name(list)))),
        },
        _ => Err(wrong(0, format!("a list, set or tuple is required, but this is {}", kind_name(list)))),
    }
}

fn coalesce(_: &Context<'_>, args: &[Value]) -> Run {
    if args.is_empty() {
        return Err(fail("at least one argument is required"));
    }
    let ty = unify(&args.iter().map(Value::type_of).collect::<Vec<_>>())
        .ok_or_else(|| fail("all arguments must be of one type"))?;
    for (i, arg) in args.iter().enumerate() {
        if arg.is_unknown() {
            let ty = if arg.type_of() == Type::Any { Type::Any } else { ty };
            return Ok(unknown_of(ty, true, arg));
        }
        if !arg.is_null() && arg.as_str() != Some("") {
            return converted(arg, &ty).map_err(|error| misfit(i, *error));
        }
    }
    Err(fail("all arguments are null or empty strings"))
}

fn coalescelist(_: &Context<'_>, args: &[Value]) -> Run {
    for (i, arg) in args.iter().enumerate() {
        match &arg.kind {
            Kind::List(seq) | Kind::Tuple(seq) if !seq.items.is_empty() => return Ok(arg.clone()),
            Kind::List(_) | Kind::Tuple(_) => {}
            _ => return Err(wrong(i, format!("a list is required, but this is {}", kind_name(arg)))),
        }
    }
    Err(fail("all lists are empty"))
}

fn matchkeys(_: &Context<'_>, args: &[Value]) -> Run {
    let types = [args[1].type_of(), args[2].type_of()];
    let ty = unify(&types).ok_or_else(|| fail("keys and searchset must be of one type"))?;
    let keys = converted(&args[1], &ty).map_err(|error| misfit(1, *error))?;
    let wanted = converted(&args[2], &ty).map_err(|error| misfit(2, *error))?;
    let (Kind::List(values), Some(keys), Some(wanted)) = (&args[0].kind, keys.items(), wanted.items()) else {
        return Err(fail("three lists are required"));
    };
    if values.items.len() != keys.len() {
        return Err(fail(format!("there are {} values, but {} keys", values.items.len(), keys.len())));
    }
    let matches = |key: &Value| wanted.iter().any(|one| equal(one, key) == Some(true));
    let found = values.items.iter().zip(keys).filter(|(_, key)| matches(key)).map(|(value, _)| value.clone());
    Ok(Value::list(values.element.clone(), found.collect()))
}

fn transpose(_: &Context<'_>, args: &[Value]) -> Run {
    let ty = Type::map(Type::list(Type::String));
    let map = converted(&args[0], &ty).map_err(|error| misfit(0, *error))?;
    let mut result: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for (key, list) in map.entries().unwrap_or_default() {
        for item in list.items().unwrap_or_default() {
            let name = item.as_str().ok_or_else(|| wrong(0, "a string in it is null"))?;
            result.entry(name.into()).or_default().push(Value::string(key.clone()));
        }
    }
    let entries = result.into_iter().map(|(key, items)| (key, Value::list(Type::String, items))).collect();
    Ok(Value::map(Type::list(Type::String), entries))
}

/// The position that a number names in a sequence, going round at its end.
pub(super) fn wrapped(number: &Number, length: usize) -> Option<usize> {
    let (int, length) = (number.as_i64()?, i64::try_from(length).ok()?);
    usize::try_from(int.checked_rem_euclid(length)?).ok()
}
