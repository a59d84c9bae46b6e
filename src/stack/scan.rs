//! Cuts a file at its top-level blocks, so that each is parsed, lowered and dropped alone, and refuses before parsing
//! what the parser would take too long over or misread.
//!
//! The scanner knows just enough of the syntax to find where things end: strings, templates, heredocs, comments and
//! brackets. It goes once over the text, with a stack of its own of bounded depth.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use windlass_model::{Diagnostic, Span};

mod quoted;

/// Larger files are refused: places are `u32`, and no one writes such a file.
const FILE_LIMIT: usize = 32 << 20;

/// hcl-edit takes 64 levels; a little more is left to it, as it counts differently.
const DEPTH_LIMIT: usize = 80;

/// hcl-edit looks each key of an object literal up in the ones before it.
const KEY_LIMIT: i64 = 4_000;

/// How often one file is picked up again after something that does not end.
const RESUME_LIMIT: usize = 8;

/// Words that begin a top-level block where they stand at the beginning of a line.
const BLOCK_WORDS: [&str; 13] = [
    "stack",
    "variable",
    "locals",
    "provider",
    "environment",
    "resource",
    "output",
    "module",
    "moved",
    "removed",
    "import",
    "check",
    "state",
];

/// A top-level piece of a file: a block or an attribute, up to the end of its last line.
#[derive(Debug)]
pub(super) struct Piece<'t> {
    /// Where it begins in the file.
    pub(super) base: u32,
    /// Its text, of the same length as in the file.
    pub(super) text: Cow<'t, str>,
}

/// What the scanner found.
#[derive(Debug, Default)]
pub(super) struct Cut<'t> {
    /// The pieces to parse, in order.
    pub(super) pieces: Vec<Piece<'t>>,
    /// What is wrong: at most one for each piece, which is then not among `pieces`.
    pub(super) problems: Vec<Diagnostic>,
}

/// The text of a file, if it is one; a byte order mark stays in it (so that places are right) and is passed over by `cut`.
///
/// # Errors
/// Where it is too large, holds a NUL byte or is not UTF-8.
pub(super) fn text<'b>(bytes: &'b [u8], file: &Arc<str>) -> Result<&'b str, Box<Diagnostic>> {
    let point = |at: usize| Span { file: file.clone(), start: offset(at), end: offset(at + 1) };
    if bytes.len() > FILE_LIMIT {
        let title =
            format!("`{file}` is too large: {} MB of at most {} MB", bytes.len() >> 20, FILE_LIMIT >> 20);
        return Err(Box::new(Diagnostic::error(title).help("split it into several files")));
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let diagnostic = Diagnostic::error("a NUL byte in a stack file").at(&point(at), "here");
        return Err(Box::new(diagnostic.help("remove it: stack files are text")));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let diagnostic = Diagnostic::error("the file is not valid UTF-8");
        Box::new(diagnostic.at(&point(error.valid_up_to()), "this byte").help("save the file as UTF-8"))
    })
}

/// Cuts a text at its top-level pieces.
pub(super) fn cut<'t>(text: &'t str, file: &Arc<str>) -> Cut<'t> {
    let mut scanner = Scanner::new(text, file);
    scanner.pos = if text.starts_with('\u{feff}') { 3 } else { 0 };
    scanner.run();
    Cut { pieces: scanner.pieces, problems: scanner.problems }
}

/// Whether a text of one expression or body (given on the command line, or a file of variables) is fit for the parser.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn check(text: &str, file: &Arc<str>) -> Result<(), Box<Diagnostic>> {
    cut(text, file).problems.into_iter().next().map_or(Ok(()), |problem| Err(Box::new(problem)))
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Block,
    Object {
        keys: i64,
    },
    Paren,
    Bracket,
    Interpolation,
    Quote,
    /// The delimiter is `text[from..to]`.
    Heredoc {
        from: usize,
        to: usize,
    },
}

#[derive(Clone, Copy, Debug)]
struct Open {
    kind: Kind,
    at: usize,
}

struct Scanner<'t, 'f> {
    text: &'t str,
    bytes: &'t [u8],
    file: &'f Arc<str>,
    pos: usize,
    line_start: usize,
    open: Vec<Open>,
    /// The last token was a name or a string: a `{` after it begins a block.
    after_word: bool,
    /// Where the current piece begins, and what is wrong with it.
    begun: Option<usize>,
    problem: Option<Diagnostic>,
    /// Heredocs of the current piece without any line.
    empty_heredocs: Vec<Range<usize>>,
    pieces: Vec<Piece<'t>>,
    problems: Vec<Diagnostic>,
    resumed: usize,
}

impl<'t, 'f> Scanner<'t, 'f> {
    fn new(text: &'t str, file: &'f Arc<str>) -> Scanner<'t, 'f> {
        Scanner {
            text,
            bytes: text.as_bytes(),
            file,
            pos: 0,
            line_start: 0,
            open: Vec::new(),
            after_word: false,
            begun: None,
            problem: None,
            empty_heredocs: Vec::new(),
            pieces: Vec::new(),
            problems: Vec::new(),
            resumed: 0,
        }
    }

    fn run(&mut self) {
        loop {
            while self.pos < self.bytes.len() {
                match self.open.last().map(|open| open.kind) {
                    Some(Kind::Quote) => self.quote(),
                    Some(Kind::Heredoc { from, to }) => self.heredoc(from, to),
                    _ => self.code(),
                }
            }
            match self.open.last().copied() {
                Some(open) => {
                    self.unclosed(open);
                    if !self.resume() {
                        return;
                    }
                }
                None => return self.end_piece(self.bytes.len()),
            }
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file.clone(), start: offset(start), end: offset(end) }
    }

    /// Notes the first thing that is wrong with the current piece.
    fn wrong(&mut self, problem: impl FnOnce(&Self) -> Diagnostic) {
        if self.problem.is_none() {
            self.problem = Some(problem(self));
        }
    }

    fn end_piece(&mut self, end: usize) {
        let begun = self.begun.take();
        let empty_heredocs = std::mem::take(&mut self.empty_heredocs);
        self.after_word = false;
        if let Some(problem) = self.problem.take() {
            self.problems.push(problem);
            return;
        }
        let Some(start) = begun else { return };
        let text = &self.text[start..end];
        let text = match empty_heredocs.is_empty() {
            true => Cow::Borrowed(text),
            false => Cow::Owned(without(text, start, &empty_heredocs)),
        };
        self.pieces.push(Piece { base: offset(start), text });
    }

    /// One token outside of strings and heredocs.
    fn code(&mut self) {
        let byte = self.bytes[self.pos];
        match byte {
            b' ' | b'\t' | b'\r' => return self.pos += 1,
            b'\n' => return self.newline(),
            b'#' => return self.line_comment(),
            b'/' if self.peek(1) == b'/' => return self.line_comment(),
            b'/' if self.peek(1) == b'*' => return self.block_comment(),
            _ => {}
        }
        self.begun.get_or_insert(self.pos);
        match byte {
            b'"' | b'(' | b'[' | b'{' => {
                let kind = match byte {
                    b'"' => Kind::Quote,
                    b'(' => Kind::Paren,
                    b'[' => Kind::Bracket,
                    _ if self.at_block() => Kind::Block,
                    _ => Kind::Object { keys: 0 },
                };
                self.push(kind, 1);
            }
            b'}' | b')' | b']' => self.close(byte),
            b'<' if self.peek(1) == b'<' => self.begin_heredoc(),
            b'=' | b'<' | b'>' | b'!' | b':' | b'?' => self.operator(byte),
            _ if is_word(byte) => {
                let rest = &self.bytes[self.pos..];
                self.pos += rest.iter().position(|b| !is_word(*b) && *b != b'-').unwrap_or(rest.len());
                self.after_word = true;
            }
            _ => {
                self.pos += 1;
                self.after_word = false;
            }
        }
    }

    fn newline(&mut self) {
        self.pos += 1;
        self.line_start = self.pos;
        self.after_word = false;
        if self.open.is_empty() {
            self.end_piece(self.pos);
        }
    }

    fn line_comment(&mut self) {
        let rest = &self.bytes[self.pos..];
        self.pos += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    fn block_comment(&mut self) {
        let start = self.pos;
        match self.text[start + 2..].find("*/") {
            Some(length) => {
                self.pos = start + length + 4;
                // What stands behind it is on another line for the purpose of finding where a string began.
                if self.text[start..self.pos].contains('\n') {
                    self.line_start = self.pos;
                }
            }
            None => {
                self.wrong(|s| {
                    let diagnostic = Diagnostic::error("a comment that does not end");
                    diagnostic.at(&s.span(start, start + 2), "begins here").help("end it with `*/`")
                });
                self.open.clear();
                self.pos = self.bytes.len();
            }
        }
    }

    /// `=`, `:` and `?` count the keys of an object; what is longer than one byte is passed over whole.
    fn operator(&mut self, byte: u8) {
        let next = self.peek(1);
        self.after_word = false;
        let two = matches!((byte, next), (_, b'=') | (b'=', b'>') | (b':', b':'));
        if two && byte != b'?' {
            self.pos += 2;
            return;
        }
        self.pos += 1;
        let step = match byte {
            b'=' | b':' => 1,
            b'?' => -1,
            _ => 0,
        };
        if let Some(Open { kind: Kind::Object { keys }, at }) = self.open.last_mut() {
            *keys += step;
            let (keys, at) = (*keys, *at);
            if keys > KEY_LIMIT {
                self.wrong(|s| {
                    let title = format!("an object of more than {KEY_LIMIT} keys");
                    let diagnostic = Diagnostic::error(title).at(&s.span(at, at + 1), "begins here");
                    diagnostic
                        .help("split it with `merge(…)`, or read it from a file with `jsondecode(file(…))`")
                });
            }
        }
    }

    fn at_block(&self) -> bool {
        self.after_word && self.open.last().is_none_or(|open| open.kind == Kind::Block)
    }

    /// Opens something, if that is not too deep; else goes on at the next block.
    fn push(&mut self, kind: Kind, length: usize) -> bool {
        let at = self.pos;
        self.pos += length;
        self.after_word = false;
        self.open.push(Open { kind, at });
        if self.open.len() <= DEPTH_LIMIT {
            return true;
        }
        self.wrong(|s| {
            let diagnostic = Diagnostic::error("nested too deep: at most 64 levels");
            diagnostic
                .at(&s.span(at, at + 1), "this is one level too many")
                .help("use `locals` for the inner parts")
        });
        if !self.resume() {
            self.pos = self.bytes.len();
        }
        false
    }

    fn close(&mut self, byte: u8) {
        let at = self.pos;
        self.pos += 1;
        self.after_word = false;
        let matches = |kind: Kind| match byte {
            b'}' => matches!(kind, Kind::Block | Kind::Object { .. } | Kind::Interpolation),
            b')' => kind == Kind::Paren,
            _ => kind == Kind::Bracket,
        };
        match self.open.last().copied() {
            Some(open) if matches(open.kind) => {
                self.open.pop();
            }
            Some(open) => {
                self.wrong(|s| {
                    let title =
                        format!("`{}` closes nothing: `{}` is still open", char::from(byte), s.opener(open));
                    let diagnostic = Diagnostic::error(title).at(&s.span(at, at + 1), "");
                    diagnostic.at(&s.span(open.at, open.at + s.opener(open).len()), "opened here")
                });
                // A `}` ends what was forgotten inside of it; another bracket is passed over.
                if byte == b'}'
                    && let Some(to) = self.open.iter().rposition(|open| matches(open.kind))
                {
                    self.open.truncate(to);
                }
            }
            None => self.wrong(|s| {
                let title = format!("`{}` closes nothing", char::from(byte));
                Diagnostic::error(title).at(&s.span(at, at + 1), "nothing is open here")
            }),
        }
    }

    fn opener(&self, open: Open) -> &'t str {
        match open.kind {
            Kind::Block | Kind::Object { .. } => "{",
            Kind::Paren => "(",
            Kind::Bracket => "[",
            Kind::Interpolation => &self.text[open.at..open.at + 2],
            Kind::Quote => "\"",
            Kind::Heredoc { to, .. } => &self.text[open.at..to],
        }
    }

    /// Ends the current piece as wrong and goes on at the next line that looks like a block's first one.
    fn resume(&mut self) -> bool {
        let begun = self.begun.unwrap_or(self.pos);
        self.open.clear();
        self.end_piece(begun);
        self.resumed += 1;
        if self.resumed > RESUME_LIMIT {
            return false;
        }
        let mut at = begun;
        while let Some(length) = self.text[at..].find('\n') {
            at += length + 1;
            if begins_block(&self.text[at..]) {
                self.pos = at;
                self.line_start = at;
                return true;
            }
        }
        false
    }
}

/// The text with `""` and spaces in place of each range (given by places in the file).
fn without(text: &str, start: usize, ranges: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        out.push_str(&text[from..range.start - start]);
        out.push_str("\"\"");
        out.extend(std::iter::repeat_n(' ', range.len() - 2));
        from = range.end - start;
    }
    out.push_str(&text[from..]);
    out
}

fn begins_block(line: &str) -> bool {
    let word = line.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let behind = line[word.len()..].trim_start_matches([' ', '\t']);
    BLOCK_WORDS.contains(&word) && behind.starts_with(['"', '{'])
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests;
