//! Types, marks, errors: `tostring`, `sensitive`, `try`, …

use windlass_model::{Kind, Marks, Type, Value};

use super::{Context, Function, Param, Run, Shape, fail, function, misfit, param, wrong};
use crate::lang::convert::{converted, kind_name};
use crate::lang::eval::access::unknown_of;

const VALUE: Param = param("v", Shape::Any).nullable().taken().parts();
const MARKED: Param = param("value", Shape::Any).nullable().taken().raw();

pub(super) const TABLE: &[Function] = &[
    function("tostring", &[VALUE], Shape::String, |_, args| to(&args[0], &Type::String)),
    function("tonumber", &[VALUE], Shape::Number, |_, args| to(&args[0], &Type::Number)),
    function("tobool", &[VALUE], Shape::Bool, |_, args| to(&args[0], &Type::Bool)),
    function("tolist", &[VALUE], Shape::List, |_, args| to(&args[0], &Type::list(Type::Any))),
    function("toset", &[VALUE], Shape::Set, |_, args| to(&args[0], &Type::set(Type::Any))),
    function("tomap", &[VALUE], Shape::Any, |_, args| to(&args[0], &Type::map(Type::Any))),
    function("sensitive", &[MARKED], Shape::Any, |_, args| Ok(args[0].clone().sensitive())),
    function("nonsensitive", &[MARKED], Shape::Any, nonsensitive),
    function("issensitive", &[MARKED], Shape::Bool, issensitive),
    // These two are evaluated on the tree: an error of an argument is no error of theirs.
    function("try", &[], Shape::Any, unreachable_here).rest(MARKED),
    function("can", &[MARKED], Shape::Bool, unreachable_here),
];

fn to(value: &Value, ty: &Type) -> Run {
    let sequence = matches!(ty, Type::List(_) | Type::Set(_));
    let unconvertible = match &value.kind {
        Kind::Unknown(unknown) => unknown.ty.is_primitive(),
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => true,
        _ => false,
    };
    if sequence && unconvertible {
        return Err(
            wrong(0, format!("{} cannot become a sequence", kind_name(value))).help("[x] is a list of one")
        );
    }
    converted(value, ty).map_err(|error| misfit(0, *error))
}

fn nonsensitive(_: &Context<'_>, args: &[Value]) -> Run {
    let value = &args[0];
    Ok(Value { kind: value.kind.clone(), marks: value.marks.without(Marks::SENSITIVE) })
}

fn issensitive(_: &Context<'_>, args: &[Value]) -> Run {
    let value = &args[0];
    // A mark may still come with the value.
    if !value.is_sensitive() && value.is_unknown() {
        return Ok(unknown_of(Type::Bool, true, value));
    }
    Ok(Value::from(value.is_sensitive()))
}

fn unreachable_here(context: &Context<'_>, _: &[Value]) -> Run {
    Err(fail(format!("`{}` cannot be called like this", context.function)))
}
