//! Regular expressions, with Go's syntax and meaning, and `replace`.

use regex::{Captures, Regex, RegexBuilder};
use windlass_model::{Type, Value};

use super::LONGEST;
use super::string::made;
use super::{Context, Failure, Function, Param, Run, Shape, fail, function, param, text, wrong};
use crate::lang::lower::normal;

const STRING: Param = param("string", Shape::String);

pub(super) const TABLE: &[Function] = &[
    function("regex", &[param("pattern", Shape::String), STRING], Shape::Any, regex),
    function("regexall", &[param("pattern", Shape::String), STRING], Shape::List, regexall),
    function(
        "replace",
        &[STRING, param("substring", Shape::String), param("replacement", Shape::String)],
        Shape::String,
        replace,
    ),
];

fn compile(pattern: &str, argument: usize) -> Result<Regex, Failure> {
    let size = 1 << 21;
    RegexBuilder::new(&translated(pattern)).size_limit(size).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => wrong(argument, "the pattern is too large"),
        _ => wrong(argument, "it is not a regular expression")
            .help("the syntax is RE2's: no look-around, no back references; a backslash in a string is \\\\"),
    })
}

/// A pattern of Go in the syntax of the `regex` crate: there `\d`, `\w`, `\s` and `\b` know all of Unicode, and brackets
/// nest and have operators inside a class.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => {
                if chars.next_if_eq(&'E').is_some() {
                    quoted = false;
                } else {
                    out.push_str("\\\\");
                }
            }
            _ if quoted => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            '\\' => match chars.next() {
                Some('Q') => quoted = true,
                Some('E') => {}
                next => escape(&mut out, next, class),
            },
            '[' if !class => {
                class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' if chars.peek() == Some(&':') => out.push('['),
            '[' => out.push_str("\\["),
            ':' if class && chars.peek() == Some(&']') && is_named_class(&out) => {
                out.push_str(":]");
                chars.next();
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            '-' if class && chars.peek() == Some(&'-') => out.push_str("\\-"),
            c => out.push(c),
        }
    }
    out
}

/// Whether a class like `[:alpha` has been begun and not ended.
fn is_named_class(out: &str) -> bool {
    out.rfind("[:").is_some_and(|at| out[at + 2..].chars().all(|c| c.is_ascii_alphabetic() || c == '^'))
}

fn escape(out: &mut String, next: Option<char>, class: bool) {
    match next {
        Some('d') => out.push_str("[0-9]"),
        Some('D') => out.push_str("[^0-9]"),
        Some('w') => out.push_str("[0-9A-Za-z_]"),
        Some('W') => out.push_str("[^0-9A-Za-z_]"),
        Some('s') => out.push_str("[\\t\\n\\x0C\\r ]"),
        Some('S') => out.push_str("[^\\t\\n\\x0C\\r ]"),
        Some('b') if !class => out.push_str("(?-u:\\b)"),
        Some(c @ ('<' | '>')) => out.push(c),
        Some(c) => {
            out.push('\\');
            out.push(c);
        }
        None => out.push('\\'),
    }
}

/// How a match becomes a value.
enum Form {
    Whole,
    Groups,
    Named,
}

fn form_of(regex: &Regex) -> Result<Form, Failure> {
    let groups = regex.captures_len() - 1;
    let named = regex.capture_names().flatten().count();
    match (groups, named) {
        (0, _) => Ok(Form::Whole),
        (_, 0) => Ok(Form::Groups),
        (all, named) if all == named => Ok(Form::Named),
        _ => Err(wrong(0, "either all groups have a name or none")),
    }
}

fn value_of(regex: &Regex, form: &Form, captures: &Captures<'_>) -> Value {
    let group = |found: Option<regex::Match<'_>>| {
        found.map_or(Value::NULL, |found| Value::string(normal(found.as_str())))
    };
    match form {
        Form::Whole => group(captures.get(0)),
        Form::Groups => Value::tuple(captures.iter().skip(1).map(group).collect()),
        Form::Named => {
            Value::object(regex.capture_names().flatten().map(|name| (name, group(captures.name(name)))))
        }
    }
}

fn regex(_: &Context<'_>, args: &[Value]) -> Run {
    let regex = compile(text(&args[0]), 0)?;
    let form = form_of(&regex)?;
    match regex.captures(text(&args[1])) {
        Some(captures) => Ok(value_of(&regex, &form, &captures)),
        None => Err(wrong(1, "the pattern does not match")
            .help("try(regex(…), null) allows for that, as does regexall(…)")),
    }
}

fn regexall(_: &Context<'_>, args: &[Value]) -> Run {
    let regex = compile(text(&args[0]), 0)?;
    let form = form_of(&regex)?;
    let found: Vec<Value> =
        regex.captures_iter(text(&args[1])).map(|captures| value_of(&regex, &form, &captures)).collect();
    let element = match form {
        Form::Whole => Type::String,
        Form::Groups => Type::Tuple(vec![Type::String; regex.captures_len() - 1].into()),
        Form::Named => Type::object(regex.capture_names().flatten().map(|name| (name, Type::String))),
    };
    Ok(Value::list(element, found))
}

fn replace(_: &Context<'_>, args: &[Value]) -> Run {
    let (whole, part, with) = (text(&args[0]), text(&args[1]), text(&args[2]));
    let pattern = part.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let places = whole.len().saturating_add(1);
    if with.len().saturating_mul(places) > LONGEST
        && with.len().saturating_mul(whole.matches(part).count()) > LONGEST
    {
        return Err(fail("the result is longer than 64 MiB"));
    }
    match pattern {
        Some(pattern) => made(compile(pattern, 1)?.replace_all(whole, with)),
        None => made(whole.replace(part, with)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let matches = |pattern: &str, text: &str| compile(pattern, 0).is_ok_and(|regex| regex.is_match(text));
        assert!(matches("^\\d$", "7") && !matches("^\\d$", "٣"));
        assert!(matches("^[\\d_]+$", "1_2") && !matches("^\\w$", "é"));
        assert!(matches("^[[:alpha:]]+$", "ab") && !matches("^[[:alpha:]]+$", "a1"));
        assert!(matches("^[[]$", "[") && matches("^[]]$", "]") && matches("^[a&&b]+$", "&"));
        assert!(matches("^\\Qa.b\\E$", "a.b") && !matches("^\\Qa.b\\E$", "axb"));
        assert!(matches("\\bfoo\\b", "a foo b") && matches("\\pL", "é"));
        assert!(
            compile("(?=a)", 0).is_err()
                && compile("(a)\\1", 0).is_err()
                && compile("a{1000}{1000}{1000}", 0).is_err()
        );
    }
}
