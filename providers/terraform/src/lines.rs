//! The lines that show people how an object inside a root changes. Pure.

use windlass_model::{Kind, Value};

/// More lines of one object than this are counted, not shown.
const MOST_LINES: usize = 120;
/// A longer value is cut.
const LONGEST: usize = 160;

/// How `before` becomes `after`: `~ name: "a" -> "b"`, `+ name: "b"`, `- name: "a"`. `because` are the paths that force a
/// replacement.
pub fn diff(before: &Value, after: &Value, because: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let top = |value: &Value| if value.is_null() { Value::object::<&str>([]) } else { value.clone() };
    walk("", &top(before), &top(after), &mut out);
    for (path, line) in &mut out {
        let forced = because.iter().any(|forced| {
            path.strip_prefix(forced.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        });
        if forced {
            line.push_str(" (forces replacement)");
        }
    }
    let more = out.len().saturating_sub(MOST_LINES);
    let mut lines: Vec<String> = out.into_iter().take(MOST_LINES).map(|(_, line)| line).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn walk(path: &str, before: &Value, after: &Value, out: &mut Vec<(String, String)>) {
    if before.same(after) {
        return;
    }
    let open = !before.is_sensitive() && !after.is_sensitive();
    match (&before.kind, &after.kind) {
        (Kind::Object(a), Kind::Object(b)) if open => {
            let keys = a.entries.iter().chain(b.entries.iter()).map(|(key, _)| key);
            let keys: std::collections::BTreeSet<_> = keys.collect();
            for key in keys {
                let inner = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                let side = |fields: &windlass_model::Fields| fields.get(key).cloned().unwrap_or(Value::NULL);
                walk(&inner, &side(a), &side(b), out);
            }
        }
        (Kind::Tuple(a), Kind::Tuple(b)) if open && a.items.len() == b.items.len() => {
            for (i, (a, b)) in a.items.iter().zip(&b.items).enumerate() {
                walk(&format!("{path}[{i}]"), a, b, out);
            }
        }
        (Kind::Null, _) => out.push((path.to_owned(), format!("+ {path}: {}", show(after)))),
        (_, Kind::Null) => out.push((path.to_owned(), format!("- {path}: {}", show(before)))),
        _ => out.push((path.to_owned(), format!("~ {path}: {} -> {}", show(before), show(after)))),
    }
}

/// A value in one short line; what is sensitive or unknown is named so.
pub fn show(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST).collect();
        text.push('…');
    }
    text
}

fn write(value: &Value, out: &mut String) {
    if value.is_sensitive() {
        out.push_str("(sensitive)");
        return;
    }
    if out.len() > 4 * LONGEST {
        return;
    }
    match &value.kind {
        Kind::Unknown(_) => out.push_str("(known after apply)"),
        Kind::Null => out.push_str("null"),
        Kind::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Kind::Number(number) => out.push_str(&number.to_string()),
        Kind::String(text) => out.push_str(&crate::json::quoted(text)),
        Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => {
            out.push('[');
            for (i, item) in s.items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                write(item, out);
            }
            out.push(']');
        }
        Kind::Map(f) | Kind::Object(f) => {
            out.push('{');
            for (i, (key, item)) in f.entries.iter().enumerate() {
                out.push_str(if i == 0 { " " } else { ", " });
                out.push_str(key);
                out.push_str(" = ");
                write(item, out);
            }
            out.push_str(" }");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_model::Type;

    #[test]
    fn lines_say_what_changes() {
        let before = Value::object([
            ("a", Value::from("x")),
            ("gone", Value::from(1)),
            ("in", Value::object([("k", Value::from(1)), ("s", Value::from("geheim").sensitive())])),
            ("same", Value::from(true)),
        ]);
        let after = Value::object([
            ("a", Value::unknown(Type::Any)),
            ("in", Value::object([("k", Value::from(2)), ("s", Value::from("neu").sensitive())])),
            ("new", Value::tuple(vec![Value::from("y")])),
            ("same", Value::from(true)),
        ]);
        assert_eq!(
            diff(&before, &after, &["in".to_owned()]),
            [
                "~ a: \"x\" -> (known after apply)",
                "- gone: 1",
                "~ in.k: 1 -> 2 (forces replacement)",
                "~ in.s: (sensitive) -> (sensitive) (forces replacement)",
                "+ new: [\"y\"]",
            ]
        );
    }

    #[test]
    fn long_values_are_cut() {
        assert!(show(&Value::from("x".repeat(10_000))).chars().count() <= LONGEST + 1);
    }
}
