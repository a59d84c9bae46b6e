//! The attributes of an item: of a create all that is given, of a change what changes.

use windlass_model::{AttrPath, Kind, Value};

use super::diff::{self, Change, Elements};
use super::lines;
use super::paint::{Paint, Style, push_safe};
use super::values::{self, UNKNOWN, pad};
use super::view::{Action, Item};

/// The column at which attributes begin.
pub(super) const INDENT: usize = 6;
/// Names are aligned up to this length.
const ALIGN: usize = 24;
/// How many elements of a list or set are shown as added or removed where not everything is asked for.
const ELEMENTS: usize = 50;

/// Writes the attribute lines of an item.
pub(super) fn attributes(out: &mut String, item: &Item<'_>, style: &Style) {
    match item.kind {
        Action::Create => given(out, item.desired, item.planned, style),
        Action::Record if item.planned.is_null() => {}
        // What was there before refresh is not part of the plan: only all of it could be shown.
        Action::Record if style.verbose => given(out, item.planned, item.planned, style),
        Action::Delete | Action::Forget if style.verbose => given(out, item.before, item.before, style),
        Action::Record | Action::Delete | Action::Forget | Action::Move => {}
        Action::Import if item.before.is_null() => given(out, item.desired, item.planned, style),
        Action::Update | Action::Replace | Action::Import | Action::Deferred => {
            for change in diff::changes(item.before, item.planned) {
                changed(out, &change, item.forces_replace, style);
            }
        }
    }
}

/// What differs between two values as lines of text; empty where nothing does.
pub fn diff_text(before: &Value, after: &Value, style: &Style) -> String {
    let mut out = String::new();
    for change in diff::changes(before, after) {
        changed(&mut out, &change, &[], style);
    }
    out
}

/// Of a create: what the stack file gives, then in one line the names of what is known only later.
fn given(out: &mut String, desired: &Value, planned: &Value, style: &Style) {
    let Some(entries) = planned.entries().filter(|_| !planned.is_sensitive()) else { return };
    let is_given = |name: &str| desired.get(name).is_some_and(|value| !value.is_null());
    let shown = |name: &str, value: &Value| {
        !value.is_null() && (is_given(name) || (style.verbose && !value.is_unknown()))
    };
    let lengths = entries.iter().filter(|(name, value)| shown(name, value)).map(|(name, _)| name.len());
    let align = lengths.filter(|length| *length <= ALIGN).max().unwrap_or(0);
    for (name, value) in entries.iter().filter(|(name, value)| shown(name, value)) {
        pad(out, INDENT);
        values::push_key(out, name);
        pad(out, align.saturating_sub(name.len()));
        out.push_str(" =");
        set(out, value, INDENT + name.len().max(align) + 3, style);
    }
    let mut later = entries.iter().filter(|(name, value)| value.is_unknown() && !is_given(name)).peekable();
    if later.peek().is_some() {
        pad(out, INDENT);
        style.put(out, Paint::Dim, UNKNOWN);
        out.push(' ');
        for (i, (name, _)) in later.enumerate() {
            out.push_str(if i == 0 { "" } else { ", " });
            push_safe(out, name);
        }
        out.push('\n');
    }
}

/// Writes a new value behind its name and ends the line.
fn set(out: &mut String, value: &Value, used: usize, style: &Style) {
    match multi_line(value) {
        Some(text) => {
            out.push('\n');
            lines::block(out, text, INDENT + 2, style);
        }
        None => {
            out.push(' ');
            values::value(out, value, INDENT, style.width.saturating_sub(used), style);
            source(out, value, style);
            out.push('\n');
        }
    }
}

/// What an unknown waits for.
fn source(out: &mut String, value: &Value, style: &Style) {
    if let Kind::Unknown(unknown) = &value.kind
        && let Some(source) = &unknown.source
    {
        style.put(out, Paint::Dim, &format!(" <- {source}"));
    }
}

/// The text of a value that is best shown as lines.
fn multi_line(value: &Value) -> Option<&str> {
    if value.is_sensitive() {
        return None;
    }
    value.as_str().filter(|text| text.trim_end_matches('\n').contains('\n'))
}

/// Writes one change.
pub(super) fn changed(out: &mut String, change: &Change<'_>, forces: &[AttrPath], style: &Style) {
    let (sign, paint) = match (change.before, change.after) {
        (None, _) => ("+", Paint::Add),
        (_, None) => ("-", Paint::Remove),
        _ => ("~", Paint::Change),
    };
    pad(out, INDENT);
    style.put(out, paint, sign);
    out.push(' ');
    let start = out.len();
    let path = change.path.to_string();
    push_safe(out, if path.is_empty() { "value" } else { &path });
    out.push_str(" =");
    let used = INDENT + 3 + (out.len() - start);
    let forced = change.touches(forces);
    match (change.before, change.after) {
        _ if change.sensitive => hidden(out, change, style),
        (Some(before), Some(after)) => return between(out, before, after, used, forced, style),
        (None, Some(value)) => match multi_line(value) {
            Some(text) => {
                end(out, forced, style);
                return lines::block(out, text, INDENT + 4, style);
            }
            None => one(out, value, used, style),
        },
        (Some(value), None) => {
            one(out, value, used, style);
            out.push_str(" -> null");
        }
        (None, None) => {}
    }
    end(out, forced, style);
}

fn one(out: &mut String, value: &Value, used: usize, style: &Style) {
    out.push(' ');
    values::value(out, value, INDENT + 2, style.width.saturating_sub(used), style);
    source(out, value, style);
}

fn hidden(out: &mut String, change: &Change<'_>, style: &Style) {
    let side = |side: Option<&Value>| match side {
        None => "null",
        Some(value) if value.is_unknown() => UNKNOWN,
        Some(_) => values::SENSITIVE,
    };
    out.push(' ');
    if change.before.is_some() {
        style.put(out, Paint::Dim, side(change.before));
        out.push_str(" -> ");
    }
    style.put(out, Paint::Dim, side(change.after));
}

fn end(out: &mut String, forced: bool, style: &Style) {
    if forced {
        out.push(' ');
        style.put(out, Paint::Replace, "# forces replacement");
    }
    out.push('\n');
}

/// Writes old and new of a change behind its path, and ends the line.
fn between(out: &mut String, before: &Value, after: &Value, used: usize, forced: bool, style: &Style) {
    if let (Some(old), Some(new)) = (before.as_str(), after.as_str()) {
        if let Some((old, new)) = as_json(old, new) {
            style.put(out, Paint::Dim, " (JSON)");
            end(out, forced, style);
            return lines::diff(out, &old, &new, INDENT + 4, style);
        }
        if multi_line(before).or(multi_line(after)).is_some() {
            end(out, forced, style);
            return lines::diff(out, old, new, INDENT + 4, style);
        }
    }
    if let Some(found) = diff::elements(before, after) {
        out.push_str(" [");
        end(out, forced, style);
        return elements(out, &found, style);
    }
    let start = out.len();
    one(out, before, used, style);
    let old = out.len() - start;
    // Long values stand below each other, so that the eye finds the difference.
    let mut new = String::new();
    one(&mut new, after, used, style);
    if out[start..].contains('\n') || new.contains('\n') || used + old + 3 + new.len() > style.width {
        out.push('\n');
        pad(out, used.saturating_sub(3));
        out.push_str("->");
    } else {
        out.push_str(" ->");
    }
    out.push_str(&new);
    end(out, forced, style);
}

fn elements(out: &mut String, found: &Elements<'_>, style: &Style) {
    let most = if style.verbose { usize::MAX } else { ELEMENTS };
    let signed = |list: &[&Value], sign, paint, out: &mut String| {
        for value in list.iter().take(most) {
            pad(out, INDENT + 4);
            style.put(out, paint, sign);
            out.push(' ');
            values::value(out, value, INDENT + 6, style.width.saturating_sub(INDENT + 6), style);
            source(out, value, style);
            out.push('\n');
        }
        if list.len() > most {
            pad(out, INDENT + 4);
            style.put(out, Paint::Dim, &format!("{sign} {} more; --verbose shows all", list.len() - most));
            out.push('\n');
        }
    };
    let same = |count: usize, out: &mut String| {
        if count > 0 {
            pad(out, INDENT + 6);
            style.put(out, Paint::Dim, &format!("({count} unchanged)"));
            out.push('\n');
        }
    };
    same(found.head, out);
    signed(&found.removed, "-", Paint::Remove, out);
    signed(&found.added, "+", Paint::Add, out);
    same(found.tail, out);
    pad(out, INDENT + 2);
    out.push_str("]\n");
}

/// Both texts as indented JSON, where both are JSON objects or arrays and differ as such.
fn as_json(old: &str, new: &str) -> Option<(String, String)> {
    let pretty = |text: &str| {
        let trimmed = text.trim_start();
        if !trimmed.starts_with(['{', '[']) {
            return None;
        }
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        serde_json::to_string_pretty(&json).ok()
    };
    let (old, new) = (pretty(old)?, pretty(new)?);
    (old != new).then(|| (old + "\n", new + "\n"))
}
