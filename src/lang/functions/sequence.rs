//! Lists and tuples.

use windlass_model::{Kind, Marks, Type, Value};

use super::collection::wrapped;
use super::{Context, Failure, Function, Param, Run, Shape, fail, function, param, whole, wrong};
use crate::lang::convert::kind_name;
use crate::lang::eval::access::unknown_of;
use crate::lang::eval::operators::equal;
use crate::lang::unify::unify;

const LIST: Param = param("list", Shape::Any).taken().parts();
const NUMBER: Param = param("index", Shape::Number);

pub(super) const TABLE: &[Function] = &[
    function("concat", &[], Shape::Any, concat).rest(param("lists", Shape::Any).taken().parts()),
    function("element", &[LIST, NUMBER], Shape::Any, element),
    function("flatten", &[LIST], Shape::Any, flatten),
    function("distinct", &[param("list", Shape::List).deep()], Shape::List, distinct),
    function("compact", &[param("list", Shape::Strings).deep()], Shape::Strings, compact),
    function("reverse", &[LIST], Shape::Any, reverse),
    function("slice", &[LIST, param("start", Shape::Number), param("end", Shape::Number)], Shape::Any, slice),
    function("sort", &[param("list", Shape::Strings)], Shape::Strings, sort),
    function(
        "chunklist",
        &[param("list", Shape::List).parts(), param("size", Shape::Number)],
        Shape::List,
        chunklist,
    ),
];

fn not_a_list(value: &Value, at: usize) -> Failure {
    wrong(at, format!("a list or tuple is required, but this is {}", kind_name(value)))
}

fn concat(_: &Context<'_>, args: &[Value]) -> Run {
    if args.is_empty() {
        return Err(fail("at least one list is required"));
    }
    let mut items = Vec::new();
    let mut unknown = None;
    let mut lists: Vec<Type> = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        match &arg.kind {
            Kind::List(seq) => lists.push(seq.element.clone()),
            Kind::Tuple(_) => {}
            Kind::Unknown(u) => match &u.ty {
                Type::List(element) => lists.push((**element).clone()),
                Type::Tuple(_) | Type::Any => {}
                _ => return Err(not_a_list(arg, i)),
            },
            _ => return Err(not_a_list(arg, i)),
        }
        match arg.items() {
            Some(part) => items.extend(part.iter().cloned()),
            None => unknown = Some(arg),
        }
    }
    let element = if lists.len() == args.len() { unify(&lists) } else { None };
    if let Some(from) = unknown {
        let marks = items.iter().fold(Marks::NONE, |marks, item| marks | item.deep_marks());
        return Ok(unknown_of(element.map_or(Type::Any, Type::list), true, from).marked(marks));
    }
    let Some(element) = element else { return Ok(Value::tuple(items)) };
    let items: Result<Vec<Value>, _> =
        items.iter().map(|item| crate::lang::convert::converted(item, &element)).collect();
    Ok(Value::list(element, items.map_err(|error| fail(error.to_string()))?))
}

fn element(_: &Context<'_>, args: &[Value]) -> Run {
    let list = &args[0];
    let at = whole(args, 1, i64::MIN, i64::MAX)?;
    if at < 0 {
        return Err(wrong(1, "it is negative").help("x[length(x) - 1] is the last element"));
    }
    let position = |length: usize| {
        if length == 0 { Err(wrong(0, "it is empty")) } else { Ok(wrapped(&at.into(), length).unwrap_or(0)) }
    };
    match &list.kind {
        Kind::List(seq) | Kind::Tuple(seq) => Ok(seq.items[position(seq.items.len())?].clone()),
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::List(element) => Ok(unknown_of((**element).clone(), false, list)),
            Type::Tuple(types) => Ok(unknown_of(types[position(types.len())?].clone(), false, list)),
            Type::Any => Ok(unknown_of(Type::Any, false, list)),
            _ => Err(not_a_list(list, 0)),
        },
        _ => Err(not_a_list(list, 0)),
    }
}

fn flatten(_: &Context<'_>, args: &[Value]) -> Run {
    let list = &args[0];
    let may_hold = match &list.kind {
        Kind::Unknown(unknown) => !unknown.ty.is_primitive(),
        _ => list.items().is_some(),
    };
    if !may_hold {
        return Err(wrong(0, format!("a list, set or tuple is required, but this is {}", kind_name(list))));
    }
    let mut items = Vec::new();
    let mut marks = Marks::NONE;
    Ok(match flatten_into(list, &mut items, &mut marks) {
        true => Value::tuple(items).marked(marks),
        false => unknown_of(Type::Any, true, list).marked(list.deep_marks()),
    })
}

/// Gathers what is in a sequence and the sequences in it; `false`: one of them is not known.
fn flatten_into(value: &Value, items: &mut Vec<Value>, marks: &mut Marks) -> bool {
    let Some(inner) = value.items() else { return false };
    if matches!(value.kind, Kind::Set(_)) && value.has_unknown() {
        return false;
    }
    *marks |= value.marks;
    for item in inner {
        let opens = match &item.kind {
            Kind::List(_) | Kind::Set(_) | Kind::Tuple(_) => true,
            Kind::Unknown(unknown) => {
                matches!(unknown.ty, Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_))
            }
            _ => false,
        };
        match opens {
            true if !flatten_into(item, items, marks) => return false,
            true => {}
            false => items.push(item.clone()),
        }
    }
    true
}

fn distinct(_: &Context<'_>, args: &[Value]) -> Run {
    let Kind::List(seq) = &args[0].kind else { return Err(not_a_list(&args[0], 0)) };
    let mut kept: Vec<Value> = Vec::new();
    // Sorted positions find equal elements without comparing each with each.
    let mut order: Vec<usize> = (0..seq.items.len()).collect();
    order.sort_by(|a, b| seq.items[*a].order(&seq.items[*b]).then(a.cmp(b)));
    let mut first = vec![true; seq.items.len()];
    for pair in order.windows(2) {
        if equal(&seq.items[pair[0]], &seq.items[pair[1]]) == Some(true) {
            first[pair[1]] = false;
        }
    }
    kept.extend(seq.items.iter().zip(&first).filter(|(_, first)| **first).map(|(item, _)| item.clone()));
    Ok(Value::list(seq.element.clone(), kept))
}

fn compact(_: &Context<'_>, args: &[Value]) -> Run {
    let items = args[0].items().unwrap_or_default();
    let kept = items.iter().filter(|item| item.as_str().is_some_and(|text| !text.is_empty())).cloned();
    Ok(Value::list(Type::String, kept.collect()))
}

fn reverse(_: &Context<'_>, args: &[Value]) -> Run {
    let list = &args[0];
    let reversed = |items: &[Value]| items.iter().rev().cloned().collect::<Vec<_>>();
    match &list.kind {
        Kind::List(seq) => Ok(Value::list(seq.element.clone(), reversed(&seq.items))),
        Kind::Set(seq) if list.has_unknown() => Ok(unknown_of(Type::list(seq.element.clone()), true, list)),
        Kind::Set(seq) => Ok(Value::list(seq.element.clone(), reversed(&seq.items))),
        Kind::Tuple(seq) => Ok(Value::tuple(reversed(&seq.items))),
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::List(element) | Type::Set(element) => {
                Ok(unknown_of(Type::List(element.clone()), unknown.not_null, list))
            }
            Type::Tuple(types) => {
                Ok(unknown_of(Type::Tuple(types.iter().rev().cloned().collect()), unknown.not_null, list))
            }
            Type::Any => Ok(unknown_of(Type::Any, true, list)),
            _ => Err(not_a_list(list, 0)),
        },
        _ => Err(not_a_list(list, 0)),
    }
}

fn slice(_: &Context<'_>, args: &[Value]) -> Run {
    let list = &args[0];
    let (start, end) = (whole(args, 1, 0, i64::MAX)?, whole(args, 2, 0, i64::MAX)?);
    if start > end {
        return Err(wrong(1, "it is beyond the end"));
    }
    let (start, end) =
        (usize::try_from(start).unwrap_or(usize::MAX), usize::try_from(end).unwrap_or(usize::MAX));
    match &list.kind {
        Kind::List(seq) | Kind::Tuple(seq) => {
            let Some(part) = seq.items.get(start..end) else {
                return Err(wrong(
                    2,
                    format!("it is beyond the list, which has {} elements", seq.items.len()),
                ));
            };
            Ok(match &list.kind {
                Kind::List(_) => Value::list(seq.element.clone(), part.to_vec()),
                _ => Value::tuple(part.to_vec()),
            })
        }
        Kind::Unknown(unknown) => match &unknown.ty {
            Type::List(_) => Ok(unknown_of(unknown.ty.clone(), true, list)),
            Type::Tuple(types) => match types.get(start..end) {
                Some(part) => Ok(unknown_of(Type::Tuple(part.into()), true, list)),
                None => Err(wrong(2, "it is beyond the list")),
            },
            Type::Any => Ok(unknown_of(Type::Any, true, list)),
            _ => Err(not_a_list(list, 0)),
        },
        _ => Err(not_a_list(list, 0)),
    }
}

fn sort(_: &Context<'_>, args: &[Value]) -> Run {
    let list = &args[0];
    let items = list.items().unwrap_or_default();
    if let Some(i) = items.iter().position(Value::is_null) {
        return Err(wrong(0, format!("[{i}] is null")));
    }
    if list.has_unknown() {
        let unknown = unknown_of(Type::String, true, list);
        return Ok(Value::list(Type::String, vec![unknown; items.len()]));
    }
    let mut sorted = items.to_vec();
    sorted.sort_by(Value::order);
    Ok(Value::list(Type::String, sorted))
}

fn chunklist(_: &Context<'_>, args: &[Value]) -> Run {
    let Kind::List(seq) = &args[0].kind else { return Err(not_a_list(&args[0], 0)) };
    let size = usize::try_from(whole(args, 1, 0, i64::MAX)?).unwrap_or(usize::MAX);
    let size = if size == 0 { seq.items.len().max(1) } else { size };
    let chunks =
        seq.items.chunks(size).map(|chunk| Value::list(seq.element.clone(), chunk.to_vec())).collect();
    Ok(Value::list(Type::list(seq.element.clone()), chunks))
}
