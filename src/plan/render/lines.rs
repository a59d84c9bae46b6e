//! Text of several lines: as a block, or as a line diff.

use similar::{Algorithm, ChangeTag, TextDiff};

use super::paint::{Paint, Style, push_safe};
use super::values::pad;

/// How many lines of a new text are shown where not everything is asked for.
const NEW_LINES: usize = 40;
/// How many lines of a diff.
const DIFF_LINES: usize = 200;
/// How many equal lines stand around a difference.
const CONTEXT: usize = 3;
/// Above this many bytes on both sides together, texts are not compared line by line unless everything is asked for.
const LARGEST: usize = 1 << 20;

/// Writes a text as a block of lines, each behind a bar.
pub(super) fn block(out: &mut String, text: &str, indent: usize, style: &Style) {
    let most = if style.verbose { usize::MAX } else { NEW_LINES };
    let count = text.lines().count();
    for line in text.lines().take(most) {
        pad(out, indent);
        style.put(out, Paint::Dim, "|");
        out.push(' ');
        push_safe(out, line);
        out.push('\n');
    }
    if count > most {
        more(out, indent, count - most, style);
    }
}

/// Writes what differs between two texts, line by line.
pub(super) fn diff(out: &mut String, before: &str, after: &str, indent: usize, style: &Style) {
    if before.len() + after.len() > LARGEST && !style.verbose {
        pad(out, indent);
        let note = format!("{} lines -> {} lines", before.lines().count(), after.lines().count());
        style.put(out, Paint::Dim, &note);
        return out.push('\n');
    }
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_lines(before, after);
    let groups = diff.grouped_ops(CONTEXT);
    let most = if style.verbose { usize::MAX } else { DIFF_LINES };
    let (mut shown, mut hidden) = (0, 0);
    for (i, group) in groups.iter().enumerate() {
        if i > 0 && shown < most {
            pad(out, indent);
            style.put(out, Paint::Dim, "...");
            out.push('\n');
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            if shown == most {
                hidden += 1;
                continue;
            }
            shown += 1;
            line(out, change.tag(), change.value(), indent, style);
        }
    }
    if hidden > 0 {
        more(out, indent, hidden, style);
    }
}

fn line(out: &mut String, tag: ChangeTag, text: &str, indent: usize, style: &Style) {
    pad(out, indent);
    let body = text.strip_suffix('\n').unwrap_or(text);
    let body = body.strip_suffix('\r').unwrap_or(body);
    let (sign, paint) = match tag {
        ChangeTag::Equal => ("  ", None),
        ChangeTag::Delete => ("- ", Some(Paint::Remove)),
        ChangeTag::Insert => ("+ ", Some(Paint::Add)),
    };
    match paint {
        None if body.is_empty() => {
            out.truncate(out.len() - indent);
        }
        None => {
            out.push_str(sign);
            push_safe(out, body);
        }
        Some(paint) => style.put(out, paint, &format!("{sign}{body}")),
    }
    // A line that differs in its end only would look equal.
    if paint.is_some() && text.ends_with("\r\n") {
        style.put(out, Paint::Dim, " (CR LF)");
    } else if paint.is_some() && !text.ends_with('\n') {
        style.put(out, Paint::Dim, " (no newline at the end)");
    }
    out.push('\n');
}

fn more(out: &mut String, indent: usize, count: usize, style: &Style) {
    pad(out, indent);
    style.put(out, Paint::Dim, &format!("... {count} more lines; --verbose shows all"));
    out.push('\n');
}
