//! Numbers.

use bigdecimal::RoundingMode;
use bigdecimal::num_bigint::BigInt;
use windlass_model::{Kind, Number, Type, Value};

use super::{Context, Failure, Function, Param, Run, Shape, fail, function, param, text, whole, wrong};
use crate::lang::convert::converted;
use crate::lang::eval::access::unknown_of;
use crate::lang::number;

const NUMBER: Param = param("num", Shape::Number);
const NUMBERS: Param = param("numbers", Shape::Number);

pub(super) const TABLE: &[Function] = &[
    function("abs", &[NUMBER], Shape::Number, abs),
    function("ceil", &[NUMBER], Shape::Number, |_, args| rounded(args, RoundingMode::Ceiling)),
    function("floor", &[NUMBER], Shape::Number, |_, args| rounded(args, RoundingMode::Floor)),
    function("signum", &[NUMBER], Shape::Number, |_, args| {
        Ok(Value::from(whole(args, 0, i64::MIN, i64::MAX)?.signum()))
    }),
    function("max", &[], Shape::Number, |_, args| extreme(args, |a, b| a > b)).rest(NUMBERS),
    function("min", &[], Shape::Number, |_, args| extreme(args, |a, b| a < b)).rest(NUMBERS),
    function("sum", &[param("list", Shape::Any).deep()], Shape::Number, sum),
    function("range", &[], Shape::Numbers, range).rest(param("params", Shape::Number)),
    function(
        "parseint",
        &[param("number", Shape::Any), param("base", Shape::Number)],
        Shape::Number,
        parseint,
    ),
];

fn numbers(args: &[Value]) -> impl Iterator<Item = &Number> {
    args.iter().filter_map(Value::as_number)
}

fn computed(result: Result<Number, number::NumberError>) -> Run {
    result.map(Value::from).map_err(|error| fail(error.message()))
}

fn abs(_: &Context<'_>, args: &[Value]) -> Run {
    match args[0].as_number() {
        Some(number) if *number < Number::Int(0) => computed(number::negate(number)),
        _ => Ok(args[0].clone()),
    }
}

fn rounded(args: &[Value], mode: RoundingMode) -> Run {
    Ok(args[0].as_number().map_or(Value::NULL, |n| Value::from(number::round(n, mode))))
}

fn extreme(args: &[Value], beats: fn(&Number, &Number) -> bool) -> Run {
    let best = numbers(args).reduce(|best, next| if beats(next, best) { next } else { best });
    best.map(|number| Value::from(number.clone())).ok_or_else(|| fail("at least one number is required"))
}

fn sum(_: &Context<'_>, args: &[Value]) -> Run {
    let items = args[0].items().ok_or_else(|| wrong(0, "a list, set or tuple of numbers is required"))?;
    if items.is_empty() {
        return Err(
            wrong(0, "it is empty").help("a sum of nothing has to be written: length(x) == 0 ? 0 : sum(x)")
        );
    }
    let mut total = Number::Int(0);
    for (i, item) in items.iter().enumerate() {
        let value =
            converted(item, &Type::Number).map_err(|error| wrong(0, format!("[{i}]: {}", error.message)))?;
        let number = value
            .as_number()
            .ok_or_else(|| wrong(0, format!("[{i}]: a number is required, but this is null")))?;
        total = number::add(&total, number).map_err(|error| fail(error.message()))?;
    }
    Ok(Value::from(total))
}

fn range(_: &Context<'_>, args: &[Value]) -> Run {
    const MOST: usize = 1024;
    let zero = Number::Int(0);
    let given: Vec<&Number> = numbers(args).collect();
    let (start, end, step) = match given.as_slice() {
        [end] => (&zero, *end, None),
        [start, end] => (*start, *end, None),
        [start, end, step] => (*start, *end, Some(*step)),
        _ => return Err(fail("it takes a limit, a start and a limit, or a start, a limit and a step")),
    };
    let step = step.cloned().unwrap_or(Number::Int(if end < start { -1 } else { 1 }));
    if step == zero {
        return Err(wrong(2, "the step is 0"));
    }
    let up = step > zero;
    if given.len() == 3 && (up && end < start || !up && end > start) {
        return Err(wrong(2, "the step leads away from the limit"));
    }
    let mut items = Vec::new();
    let mut next = start.clone();
    while if up { next < *end } else { next > *end } {
        if items.len() == MOST {
            return Err(fail(format!("more than {MOST} numbers")));
        }
        let following = number::add(&next, &step).map_err(|error| fail(error.message()))?;
        items.push(Value::from(std::mem::replace(&mut next, following)));
    }
    Ok(Value::list(Type::Number, items))
}

fn parseint(_: &Context<'_>, args: &[Value]) -> Run {
    let base = whole(args, 1, 2, 62)?;
    if !matches!(args[0].kind, Kind::String(_)) {
        return match &args[0].kind {
            Kind::Unknown(_) => Ok(unknown_of(Type::Number, true, &args[0])),
            _ => Err(wrong(0, "a string is required")),
        };
    }
    let digits = text(&args[0]);
    let refuse = || -> Failure { wrong(0, format!("it is not a whole number in base {base}")) };
    let (negative, plain) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    if plain.is_empty() || plain.len() > 10_000 {
        return Err(refuse());
    }
    let mut total = BigInt::from(0);
    for c in plain.chars() {
        let digit = digit_of(c, base).ok_or_else(refuse)?;
        total = total * base + digit;
    }
    let total = if negative { -total } else { total };
    Ok(Value::from(Number::from(bigdecimal::BigDecimal::from(total))))
}

/// Up to base 36 letters of both cases are alike; beyond, capitals come after small letters.
fn digit_of(c: char, base: i64) -> Option<i64> {
    let value = match c {
        '0'..='9' => c as i64 - '0' as i64,
        'a'..='z' => c as i64 - 'a' as i64 + 10,
        'A'..='Z' if base <= 36 => c as i64 - 'A' as i64 + 10,
        'A'..='Z' => c as i64 - 'A' as i64 + 36,
        _ => return None,
    };
    (value < base).then_some(value)
}
