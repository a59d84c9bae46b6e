//! Text.

use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation as _;
use windlass_model::{Kind, Type, Value};

use super::{Context, Function, LONGEST, Param, Run, Shape, fail, function, param, text, whole, wrong};
use crate::lang::eval::access::unknown_of;
use crate::lang::lower::normal;

const STRING: Param = param("string", Shape::String);

pub(super) const TABLE: &[Function] = &[
    function("upper", &[STRING], Shape::String, |_, args| made(upper(text(&args[0])))),
    function("lower", &[STRING], Shape::String, |_, args| made(lower(text(&args[0])))),
    function("title", &[STRING], Shape::String, |_, args| made(title(text(&args[0])))),
    function("trimspace", &[STRING], Shape::String, |_, args| made(text(&args[0]).trim())),
    function("trim", &[STRING, param("cutset", Shape::String)], Shape::String, |_, args| {
        let cut = text(&args[1]);
        made(text(&args[0]).trim_matches(|c| cut.contains(c)))
    }),
    function("trimprefix", &[STRING, param("prefix", Shape::String)], Shape::String, |_, args| {
        let whole = text(&args[0]);
        made(whole.strip_prefix(text(&args[1])).unwrap_or(whole))
    }),
    function("trimsuffix", &[STRING, param("suffix", Shape::String)], Shape::String, |_, args| {
        let whole = text(&args[0]);
        made(whole.strip_suffix(text(&args[1])).unwrap_or(whole))
    }),
    function("startswith", &[STRING.taken(), param("prefix", Shape::String)], Shape::Bool, startswith),
    function("endswith", &[STRING, param("suffix", Shape::String)], Shape::Bool, |_, args| {
        Ok(Value::from(text(&args[0]).ends_with(text(&args[1]))))
    }),
    function("strcontains", &[STRING, param("part", Shape::String)], Shape::Bool, |_, args| {
        Ok(Value::from(text(&args[0]).contains(text(&args[1]))))
    }),
    function("strrev", &[STRING], Shape::String, |_, args| {
        made(text(&args[0]).graphemes(true).rev().collect::<String>())
    }),
    function("chomp", &[STRING], Shape::String, |_, args| {
        made(text(&args[0]).trim_end_matches(['\r', '\n']))
    }),
    function("indent", &[param("spaces", Shape::Number), STRING], Shape::String, indent),
    function(
        "substr",
        &[STRING, param("offset", Shape::Number), param("length", Shape::Number)],
        Shape::String,
        substr,
    ),
    function("join", &[param("separator", Shape::String)], Shape::String, join)
        .rest(param("lists", Shape::Strings).deep()),
    function("split", &[param("separator", Shape::String), STRING], Shape::Strings, split),
    function("basename", &[param("path", Shape::String)], Shape::String, |_, args| {
        made(basename(text(&args[0])))
    }),
    function("dirname", &[param("path", Shape::String)], Shape::String, |_, args| {
        made(dirname(text(&args[0])))
    }),
];

/// A string that was computed: in normal form C again.
pub(super) fn made(text: impl AsRef<str>) -> Run {
    Ok(Value::string(normal(text.as_ref())))
}

/// Letters with a capital of one character: `ß` has none.
fn upper(text: &str) -> String {
    let map = |c: char| {
        let mut capital = c.to_uppercase();
        match (capital.next(), capital.next()) {
            (Some(only), None) => only,
            _ => c,
        }
    };
    text.chars().map(map).collect()
}

fn lower(text: &str) -> String {
    text.chars().filter_map(|c| c.to_lowercase().next()).collect()
}

fn title(text: &str) -> String {
    let separates = |c: char| match c.is_ascii() {
        true => !(c.is_ascii_alphanumeric() || c == '_'),
        false => c.is_whitespace(),
    };
    let mut result = String::with_capacity(text.len());
    let mut first = true;
    for c in text.chars() {
        match first {
            true => result.push_str(&upper(c.encode_utf8(&mut [0; 4]))),
            false => result.push(c),
        }
        first = separates(c);
    }
    result
}

/// A known beginning decides where the rest is not known.
fn startswith(_: &Context<'_>, args: &[Value]) -> Run {
    let (value, prefix) = (&args[0], text(&args[1]));
    if let Some(known) = value.as_str() {
        return Ok(Value::from(known.starts_with(prefix)));
    }
    if let Kind::Unknown(unknown) = &value.kind
        && let Some(known) = &unknown.prefix
    {
        if known.starts_with(prefix) {
            return Ok(Value::from(true));
        }
        if !prefix.starts_with(&**known) {
            return Ok(Value::from(false));
        }
    }
    Ok(if prefix.is_empty() { Value::from(true) } else { unknown_of(Type::Bool, true, value) })
}

fn indent(_: &Context<'_>, args: &[Value]) -> Run {
    let spaces = whole(args, 0, 0, 10_000)?;
    let blank = " ".repeat(usize::try_from(spaces).unwrap_or_default());
    let lines = text(&args[1]).matches('\n').count();
    if blank.len().saturating_mul(lines) > LONGEST {
        return Err(fail("the result is longer than 64 MiB"));
    }
    made(text(&args[1]).replace('\n', &format!("\n{blank}")))
}

fn substr(_: &Context<'_>, args: &[Value]) -> Run {
    let (offset, length) = (whole(args, 1, i64::MIN, i64::MAX)?, whole(args, 2, i64::MIN, i64::MAX)?);
    let value = text(&args[0]);
    let start = match usize::try_from(offset) {
        Ok(start) => start,
        Err(_) => {
            let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            value.graphemes(true).count().saturating_sub(back)
        }
    };
    let count = usize::try_from(length).unwrap_or(usize::MAX);
    made(value.graphemes(true).skip(start).take(count).collect::<String>())
}

fn join(_: &Context<'_>, args: &[Value]) -> Run {
    let mut parts: Vec<&str> = Vec::new();
    if args.len() < 2 {
        return Err(fail("at least one list is required"));
    }
    for (i, list) in args.iter().enumerate().skip(1) {
        for (at, item) in list.items().unwrap_or_default().iter().enumerate() {
            parts.push(item.as_str().ok_or_else(|| wrong(i, format!("[{at}] is null")))?);
        }
    }
    made(parts.join(text(&args[0])))
}

fn split(_: &Context<'_>, args: &[Value]) -> Run {
    let (separator, whole) = (text(&args[0]), text(&args[1]));
    let part = |part: &str| Value::string(Arc::from(part));
    let parts = match separator.is_empty() {
        true => whole.chars().map(|c| part(c.encode_utf8(&mut [0; 4]))).collect(),
        false => whole.split(separator).map(part).collect(),
    };
    Ok(Value::list(Type::String, parts))
}

fn basename(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed {
        "" if path.is_empty() => ".",
        "" => "/",
        _ => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

fn dirname(path: &str) -> String {
    let Some((head, _)) = path.rsplit_once('/') else { return ".".to_owned() };
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in head.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            other => parts.push(other),
        }
    }
    match (absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}
