//! Colours, and what keeps text from a file or a tool from steering the terminal.

use std::fmt::Write as _;

/// How text is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
    /// Everything: computed attributes, what a delete deletes, long lists in full.
    pub verbose: bool,
    /// Columns; lines that are easily broken are kept within.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Style { color: false, verbose: false, width: 100 }
    }
}

/// A colour by meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Paint {
    Add,
    Change,
    Remove,
    Replace,
    Other,
    Strong,
    Dim,
    Warn,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Paint::Add => "\x1b[32m",
            Paint::Change => "\x1b[33m",
            Paint::Remove => "\x1b[31m",
            Paint::Replace => "\x1b[35m",
            Paint::Other => "\x1b[36m",
            Paint::Strong => "\x1b[1m",
            Paint::Dim => "\x1b[2m",
            Paint::Warn => "\x1b[1;33m",
        }
    }
}

impl Style {
    /// Writes text, in a colour where there are any. The text is made safe first.
    pub(super) fn put(&self, out: &mut String, paint: Paint, text: &str) {
        if self.color {
            out.push_str(paint.code());
        }
        push_safe(out, text);
        if self.color {
            out.push_str("\x1b[0m");
        }
    }
}

/// Text in which nothing can steer the terminal; it may have several lines.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        push_safe(&mut out, line.strip_suffix('\r').unwrap_or(line));
    }
    out
}

/// Writes text in which nothing can move the cursor, change colours or turn the reading direction: such characters are
/// written as escapes. A tab stays.
pub(super) fn push_safe(out: &mut String, text: &str) {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '\t' => out.push(c),
            c if is_unsafe(c) => push_escape(out, c),
            c => out.push(c),
        }
    }
}

/// Writes text as it would stand in a stack file: quoted and escaped.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if is_unsafe(c) => push_escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push_escape(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// Control characters, and the ones that turn the reading direction or are not seen at all.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let mut out = String::new();
        push_safe(&mut out, "a\x1b[31mb\u{202e}c\td");
        assert_eq!(out, "a\\u001b[31mb\\u202ec\td");
        out.clear();
        push_quoted(&mut out, "a\"b\\\n${x} $y \x07");
        assert_eq!(out, r#""a\"b\\\n$${x} $y \u0007""#);
    }
}
