//! Values as they would stand in a stack file.

use std::sync::Arc;

use windlass_model::{Kind, Value};

use super::paint::{Paint, Style, push_quoted, push_safe};

/// What is not known yet.
pub(super) const UNKNOWN: &str = "(known after apply)";
/// What may not be shown.
pub(super) const SENSITIVE: &str = "(sensitive)";

/// Text longer than this is cut where not everything is asked for.
const LONGEST: usize = 2_000;

/// A value as it would stand in a stack file, on one line where it fits. What is sensitive is masked.
pub fn value_text(value: &Value, style: &Style) -> String {
    let mut out = String::new();
    self::value(&mut out, value, 0, style.width, style);
    out
}

/// Writes a value that begins on a line indented by `indent`: on that line where it fits into `room` columns, else over
/// several.
pub(super) fn value(out: &mut String, value: &Value, indent: usize, room: usize, style: &Style) {
    let start = out.len();
    if inline(out, value, start + room.max(20), style) {
        return;
    }
    out.truncate(start);
    match &value.kind {
        Kind::Map(f) | Kind::Object(f) => entries(out, &f.entries, indent, style),
        Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => {
            out.push_str("[\n");
            for item in &s.items {
                pad(out, indent + 2);
                self::value(out, item, indent + 2, style.width.saturating_sub(indent + 3), style);
                out.push_str(",\n");
            }
            pad(out, indent);
            out.push(']');
        }
        _ => scalar(out, value, style),
    }
}

fn entries(out: &mut String, entries: &[(Arc<str>, Value)], indent: usize, style: &Style) {
    out.push_str("{\n");
    for (key, item) in entries {
        pad(out, indent + 2);
        let start = out.len();
        push_key(out, key);
        out.push_str(" = ");
        let used = indent + 2 + out.len() - start;
        value(out, item, indent + 2, style.width.saturating_sub(used), style);
        out.push('\n');
    }
    pad(out, indent);
    out.push('}');
}

/// Writes on one line; gives up (`false`) once the text is longer than `limit` bytes and the value is a container.
fn inline(out: &mut String, value: &Value, limit: usize, style: &Style) -> bool {
    if value.is_sensitive() {
        scalar(out, value, style);
        return true;
    }
    match &value.kind {
        Kind::Map(f) | Kind::Object(f) => {
            out.push('{');
            for (i, (key, item)) in f.entries.iter().enumerate() {
                out.push_str(if i == 0 { " " } else { ", " });
                push_key(out, key);
                out.push_str(" = ");
                if !inline(out, item, limit, style) || out.len() > limit {
                    return false;
                }
            }
            out.push_str(if f.entries.is_empty() { "}" } else { " }" });
        }
        Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => {
            out.push('[');
            for (i, item) in s.items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                if !inline(out, item, limit, style) || out.len() > limit {
                    return false;
                }
            }
            out.push(']');
        }
        _ => scalar(out, value, style),
    }
    true
}

/// Writes a value without parts.
pub(super) fn scalar(out: &mut String, value: &Value, style: &Style) {
    if value.is_unknown() {
        return style.put(out, Paint::Dim, UNKNOWN);
    }
    if value.is_sensitive() {
        return style.put(out, Paint::Dim, SENSITIVE);
    }
    match &value.kind {
        Kind::Null => out.push_str("null"),
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(number) => out.push_str(&number.to_string()),
        Kind::String(text) => string(out, text, style),
        _ => {}
    }
}

fn string(out: &mut String, text: &str, style: &Style) {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) if !style.verbose => {
            push_quoted(out, &text[..end]);
            let note = format!(" ({} characters in all)", text.chars().count());
            style.put(out, Paint::Dim, &note);
        }
        _ => push_quoted(out, text),
    }
}

/// A key as it would stand in a stack file.
pub(super) fn push_key(out: &mut String, key: &str) {
    let mut chars = key.chars();
    let first = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if first && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        push_safe(out, key);
    } else {
        push_quoted(out, key);
    }
}

/// Writes blanks.
pub(super) fn pad(out: &mut String, columns: usize) {
    const BLANKS: &str = "                                ";
    let mut left = columns;
    while left > 0 {
        let now = left.min(BLANKS.len());
        out.push_str(&BLANKS[..now]);
        left -= now;
    }
}
