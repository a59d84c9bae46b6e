//! What is wrong, where, why, and what to do next.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a source file: byte offsets into the whole file, `start..end`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Span {
    /// The path as the snapshot has it (relative, `/` between names).
    pub file: Arc<str>,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The command cannot go on.
    Error,
    /// It can.
    Warning,
}

/// One message for the user. `labels[0]`, where there is one, is the place itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line, lower case, no full stop: ``unknown resource `local_file.wbe` ``.
    pub title: String,
    /// Places; the first is where the problem is, the others are context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// Why, where the title does not say it all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Help>,
}

/// A place with a few words on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// Words under the caret; may be empty.
    pub text: String,
}

/// What to do next, with the text to put in place where that is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Help {
    /// One line: ``did you mean `local_file.web`?``
    pub text: String,
    /// Replace this span by this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<(Span, String)>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(title: impl Into<String>) -> Diagnostic {
        let title = title.into();
        Diagnostic { severity: Severity::Error, title, labels: Vec::new(), notes: Vec::new(), help: None }
    }

    /// A warning without a place yet.
    pub fn warning(title: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(title) }
    }

    /// With a place: the first one added is the primary one.
    pub fn at(mut self, span: &Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span: span.clone(), text: text.into() });
        self
    }

    /// With a reason.
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// With what to do next.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(Help { text: text.into(), patch: None });
        self
    }

    /// With what to do next, as a replacement in the source.
    pub fn patch(
        mut self,
        text: impl Into<String>,
        span: &Span,
        replacement: impl Into<String>,
    ) -> Diagnostic {
        self.help = Some(Help { text: text.into(), patch: Some((span.clone(), replacement.into())) });
        self
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    /// One line without the source; the binary renders it with the source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        for note in &self.notes {
            write!(f, ": {note}")?;
        }
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({})", help.text))
    }
}

/// What a provider finds wrong with a resource: by attribute path; `stack` adds the span.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The attribute; empty for the resource as a whole.
    pub path: AttrPath,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl Finding {
    /// An error at an attribute.
    pub fn error(path: impl Into<AttrPath>, message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Error, path: path.into(), message: message.into(), help: None }
    }

    /// A warning at an attribute.
    pub fn warning(path: impl Into<AttrPath>, message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, ..Finding::error(path, message) }
    }
}

/// A path to a part of a resource: `env.PORT`, `rules[0].port`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct AttrPath(pub Vec<PathStep>);

/// One step of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathStep {
    /// An element of a list.
    Index(u64),
    /// An attribute of an object or a key of a map.
    Name(Arc<str>),
}

impl AttrPath {
    /// This path and one more name.
    pub fn name(&self, name: impl Into<Arc<str>>) -> AttrPath {
        let mut path = self.clone();
        path.0.push(PathStep::Name(name.into()));
        path
    }

    /// This path and one more index.
    pub fn index(&self, index: usize) -> AttrPath {
        let mut path = self.clone();
        path.0.push(PathStep::Index(index as u64));
        path
    }

    /// The first name: the top-level attribute.
    pub fn top(&self) -> Option<&str> {
        match self.0.first()? {
            PathStep::Name(name) => Some(name),
            PathStep::Index(_) => None,
        }
    }
}

impl From<&str> for AttrPath {
    /// A path of one name; empty text is the empty path.
    fn from(name: &str) -> Self {
        if name.is_empty() { AttrPath::default() } else { AttrPath::default().name(name) }
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Index(index) => write!(f, "[{index}]")?,
                PathStep::Name(name)
                    if name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) =>
                {
                    write!(f, "{}{name}", if i == 0 { "" } else { "." })?;
                }
                PathStep::Name(name) => write!(f, "[{name:?}]")?,
            }
        }
        Ok(())
    }
}
