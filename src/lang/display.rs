//! Values as `terraform console` prints them.

use std::fmt::Write as _;

use windlass_model::{Kind, Value};

/// The value as text in the language's own form, collections over several lines. What is sensitive is `(sensitive)`, what
/// is unknown `(known after apply)`.
pub fn display(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

fn write(out: &mut String, value: &Value, indent: usize) {
    if value.is_sensitive() {
        out.push_str("(sensitive)");
        return;
    }
    match &value.kind {
        Kind::Null => out.push_str("null"),
        Kind::Unknown(_) => out.push_str("(known after apply)"),
        Kind::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Kind::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Kind::String(text) => string(out, text, indent),
        Kind::List(seq) => wrapped(out, "tolist", |out| items(out, &seq.items, indent)),
        Kind::Set(seq) => wrapped(out, "toset", |out| items(out, &seq.items, indent)),
        Kind::Tuple(seq) => items(out, &seq.items, indent),
        Kind::Map(fields) => wrapped(out, "tomap", |out| entries(out, &fields.entries, indent)),
        Kind::Object(fields) => entries(out, &fields.entries, indent),
    }
}

fn wrapped(out: &mut String, function: &str, inner: impl FnOnce(&mut String)) {
    out.push_str(function);
    out.push('(');
    inner(out);
    out.push(')');
}

fn line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

fn items(out: &mut String, items: &[Value], indent: usize) {
    out.push('[');
    for item in items {
        line(out, indent + 2);
        write(out, item, indent + 2);
        out.push(',');
    }
    if !items.is_empty() {
        line(out, indent);
    }
    out.push(']');
}

fn entries(out: &mut String, entries: &[(std::sync::Arc<str>, Value)], indent: usize) {
    out.push('{');
    for (key, value) in entries {
        line(out, indent + 2);
        quoted(out, key);
        out.push_str(" = ");
        write(out, value, indent + 2);
    }
    if !entries.is_empty() {
        line(out, indent);
    }
    out.push('}');
}

/// One line in quotes, several lines as a heredoc: indented with what is around it.
fn string(out: &mut String, text: &str, indent: usize) {
    if !text.contains('\n') {
        quoted(out, text);
        return;
    }
    let mut delimiter = "EOT".to_owned();
    while text.lines().any(|line| line.trim() == delimiter) {
        delimiter.push('_');
    }
    out.push_str(if indent == 0 { "<<" } else { "<<-" });
    out.push_str(&delimiter);
    for part in text.split('\n') {
        line(out, indent);
        out.push_str(part);
    }
    line(out, indent);
    out.push_str(&delimiter);
}

/// Text in quotes. What would begin a template in a file is shown as it is.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Characters that a terminal does not show, or that change how it shows others.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let value = Value::object([
            ("a", Value::from("x").sensitive()),
            ("b", Value::unknown(windlass_model::Type::Any)),
        ]);
        assert_eq!(display(&value), "{\n  \"a\" = (sensitive)\n  \"b\" = (known after apply)\n}");
        assert_eq!(display(&value.sensitive()), "(sensitive)");
    }

    #[test]
    fn a_text_cannot_end_its_own_heredoc() {
        assert_eq!(display(&Value::from("a\nEOT\nb")), "<<EOT_\na\nEOT\nb\nEOT_");
        assert_eq!(display(&Value::from("${x} \\")), "\"${x} \\\\\"");
    }
}
