//! Strings, templates and heredocs; and what is said of something that does not end.

use windlass_model::Diagnostic;

use super::{Kind, Open, Scanner, is_word};

impl Scanner<'_, '_> {
    pub(super) fn quote(&mut self) {
        match self.bytes[self.pos] {
            b'"' => {
                self.pos += 1;
                self.open.pop();
                self.after_word = true;
            }
            b'\\' => self.skip_escaped(),
            b'\n' => self.string_over_line(),
            b'$' | b'%' => self.template(),
            _ => {
                let rest = &self.bytes[self.pos..];
                let stop = |b: &u8| matches!(b, b'"' | b'\\' | b'\n' | b'$' | b'%');
                self.pos += rest.iter().position(stop).unwrap_or(rest.len());
            }
        }
    }

    fn skip_escaped(&mut self) {
        // An escaped line break is none: the string still does not end on its line.
        self.pos += if self.peek(1) == b'\n' { 1 } else { 2 };
    }

    /// At `$` or `%`: an escape, the beginning of a template, or text.
    pub(super) fn template(&mut self) {
        let byte = self.bytes[self.pos];
        if self.peek(1) == b'{' {
            self.push(Kind::Interpolation, 2);
        } else if self.peek(1) == byte && self.peek(2) == b'{' {
            self.pos += 3;
        } else {
            self.pos += 1;
        }
    }

    /// A line ends within a string: either the string is not closed, or a template in an outer string of this line.
    fn string_over_line(&mut self) {
        let on_line = |open: &Open| open.kind == Kind::Quote && open.at >= self.line_start;
        let outer = self.open.iter().position(on_line).unwrap_or(self.open.len() - 1);
        let culprit = self.open.get(outer + 1).or(self.open.get(outer)).copied();
        self.open.truncate(outer);
        self.after_word = true;
        let Some(culprit) = culprit else { return };
        let end = self.pos;
        self.wrong(|s| {
            let (title, help) = match culprit.kind {
                Kind::Interpolation => ("a template that is not closed", "close it with `}`"),
                _ => (
                    "a string that does not end on its line",
                    "end it with `\"`, write `\\n` for a line break, or use a heredoc (`<<EOT`) for many lines",
                ),
            };
            Diagnostic::error(title).at(&s.span(culprit.at, end), "").help(help)
        });
    }

    pub(super) fn begin_heredoc(&mut self) {
        let start = self.pos;
        let from = start + 2 + usize::from(self.peek(2) == b'-');
        let rest = &self.bytes[from.min(self.bytes.len())..];
        let length = rest.iter().position(|b| !is_word(*b) && *b != b'-').unwrap_or(rest.len());
        let to = from + length;
        let line_end = match (self.bytes.get(to), self.bytes.get(to + 1)) {
            (Some(b'\n'), _) => to + 1,
            (Some(b'\r'), Some(b'\n')) => to + 2,
            _ => 0,
        };
        if length == 0 || line_end == 0 {
            self.after_word = false;
            self.pos += 2;
            return;
        }
        if !self.push(Kind::Heredoc { from, to }, line_end - start) {
            return;
        }
        self.line_start = line_end;
        if self.end_heredoc(from, to) {
            // hcl-edit does not see the end of a heredoc without any line.
            self.empty_heredocs.push(start..self.pos);
        }
    }

    /// At the beginning of a line in a heredoc: passes over its end, if it stands here.
    fn end_heredoc(&mut self, from: usize, to: usize) -> bool {
        let rest = &self.bytes[self.pos..];
        let indent = rest.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(rest.len());
        let rest = &rest[indent..];
        let delimiter = &self.bytes[from..to];
        let ends = rest.starts_with(delimiter)
            && rest.get(delimiter.len()).is_none_or(|b| !is_word(*b) && *b != b'-');
        if ends {
            self.pos += indent + delimiter.len();
            self.open.pop();
            self.after_word = false;
        }
        ends
    }

    pub(super) fn heredoc(&mut self, from: usize, to: usize) {
        match self.bytes[self.pos] {
            b'\n' => {
                self.pos += 1;
                self.line_start = self.pos;
                self.end_heredoc(from, to);
            }
            b'$' | b'%' => self.template(),
            _ => {
                let rest = &self.bytes[self.pos..];
                let stop = |b: &u8| matches!(b, b'\n' | b'$' | b'%');
                self.pos += rest.iter().position(stop).unwrap_or(rest.len());
            }
        }
    }

    pub(super) fn unclosed(&mut self, open: Open) {
        self.wrong(|s| {
            let opener = s.opener(open);
            let span = s.span(open.at, open.at + opener.len());
            let (title, help) = match open.kind {
                Kind::Block => ("a block that is not closed".to_owned(), "close it with `}`".to_owned()),
                Kind::Heredoc { from, to } => {
                    let delimiter = &s.text[from..to];
                    let help = format!("end it with a line that holds nothing but `{delimiter}`");
                    (format!("a heredoc that does not end: no line `{delimiter}` follows"), help)
                }
                Kind::Quote => ("a string that does not end".to_owned(), "end it with `\"`".to_owned()),
                Kind::Interpolation => {
                    ("a template that is not closed".to_owned(), "close it with `}`".to_owned())
                }
                kind => {
                    let closer = match kind {
                        Kind::Paren => ")",
                        Kind::Bracket => "]",
                        _ => "}",
                    };
                    (format!("`{opener}` is not closed"), format!("close it with `{closer}`"))
                }
            };
            Diagnostic::error(title).at(&span, "opened here").help(help)
        });
    }
}
