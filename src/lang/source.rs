//! Where a parsed fragment stands in its file.

use std::ops::Range;
use std::sync::Arc;

use windlass_model::{Diagnostic, Span};

use super::expr::At;

/// A parsed fragment of a file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's path, as the snapshot has it.
    pub file: &'a Arc<str>,
    /// The text that was parsed.
    pub text: &'a str,
    /// Where that text begins in the whole file, in bytes: added to all places.
    pub base: u32,
}

impl<'a> Source<'a> {
    /// A place in the file; without a range the whole fragment.
    pub fn at(&self, range: Option<Range<usize>>) -> At {
        let range = range.unwrap_or(0..self.text.len());
        At {
            start: self.base.saturating_add(offset(range.start)),
            end: self.base.saturating_add(offset(range.end)),
        }
    }

    /// The same as a span with the file's name.
    pub fn span(&self, range: Option<Range<usize>>) -> Span {
        self.at(range).in_file(self.file)
    }

    /// The text of a range; empty where it is not one of this fragment.
    pub(super) fn slice(&self, range: Option<Range<usize>>) -> &'a str {
        range.and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    /// An error at a range.
    pub(super) fn error(&self, range: Option<Range<usize>>, title: impl Into<String>) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(title).at(&self.span(range), ""))
    }
}

fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
