//! Sets.

use windlass_model::{Kind, Type, Value};

use super::{Context, Failure, Function, Param, Run, Shape, fail, function, misfit, param, wrong};
use crate::lang::convert::{converted, kind_name};
use crate::lang::unify::unify;

const SET: Param = param("sets", Shape::Set).deep();

pub(super) const TABLE: &[Function] = &[
    function("setunion", &[SET], Shape::Set, |_, args| {
        combine(args, |result, next| result.extend_from_slice(next))
    })
    .rest(SET),
    function("setintersection", &[SET], Shape::Set, |_, args| {
        combine(args, |result, next| result.retain(|item| has(next, item)))
    })
    .rest(SET),
    function("setsubtract", &[SET, SET], Shape::Set, |_, args| {
        combine(args, |result, next| result.retain(|item| !has(next, item)))
    }),
    function("setproduct", &[], Shape::Any, setproduct).rest(param("sets", Shape::Any).taken().parts()),
];

fn has(sorted: &[Value], item: &Value) -> bool {
    sorted.binary_search_by(|other| other.order(item)).is_ok()
}

/// Makes the sets of one type and folds the second and further ones into the first.
fn combine(args: &[Value], fold: fn(&mut Vec<Value>, &[Value])) -> Run {
    let ty = unify(&args.iter().map(Value::type_of).collect::<Vec<_>>())
        .ok_or_else(|| fail("all sets must be of one type"))?;
    let sets: Result<Vec<Value>, Failure> = args
        .iter()
        .enumerate()
        .map(|(i, arg)| converted(arg, &ty).map_err(|error| misfit(i, *error)))
        .collect();
    let sets = sets?;
    let mut sets = sets.iter().map(|set| set.items().unwrap_or_default());
    let mut result = sets.next().unwrap_or_default().to_vec();
    for next in sets {
        fold(&mut result, next);
    }
    let element = if let Type::Set(element) = &ty { (**element).clone() } else { Type::Any };
    Ok(Value::set(element, result))
}

fn setproduct(_: &Context<'_>, args: &[Value]) -> Run {
    const MOST: usize = 100_000;
    if args.len() < 2 {
        return Err(fail("at least two sets are required"));
    }
    let all_sets = args.iter().all(|arg| matches!(arg.kind, Kind::Set(_)));
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    let mut types = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        if arg.is_unknown() {
            let marks = args.iter().fold(arg.marks, |marks, arg| marks | arg.deep_marks());
            return Ok(super::super::eval::access::unknown_of(Type::Any, true, arg).marked(marks));
        }
        if arg.items().is_none() {
            return Err(wrong(
                i,
                format!("a list, set or tuple is required, but this is {}", kind_name(arg)),
            ));
        }
        let list = converted(arg, &Type::list(Type::Any)).map_err(|error| misfit(i, *error))?;
        let Kind::List(seq) = &list.kind else {
            return Ok(
                super::super::eval::access::unknown_of(Type::Any, true, &list).marked(list.deep_marks())
            );
        };
        types.push(seq.element.clone());
        if rows.len().saturating_mul(seq.items.len()) > MOST {
            return Err(fail(format!("more than {MOST} combinations")));
        }
        let longer = |row: &Vec<Value>, item: &Value| row.iter().chain([item]).cloned().collect::<Vec<_>>();
        rows = rows.iter().flat_map(|row| seq.items.iter().map(move |item| longer(row, item))).collect();
    }
    let element = Type::Tuple(types.into());
    let rows = rows.into_iter().map(Value::tuple).collect();
    Ok(if all_sets || mixed_with_set(args) { Value::set(element, rows) } else { Value::list(element, rows) })
}

/// One set among lists makes the product a set: there is no order to keep.
fn mixed_with_set(args: &[Value]) -> bool {
    args.iter().any(|arg| matches!(arg.kind, Kind::Set(_)))
}
