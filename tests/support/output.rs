//! What a command said and how it ended.

use std::fmt;
use std::time::Duration;

use super::redact::Redaction;

/// What a command said and how it ended.
pub struct Output {
    pub(super) args: String,
    /// Standard output, as it came.
    pub stdout: String,
    /// Standard error, as it came.
    pub stderr: String,
    /// The exit code; `None`: killed.
    pub code: Option<i32>,
    /// What killed it.
    pub signal: Option<i32>,
    /// How long it took from when it was waited for.
    pub took: Duration,
    pub(super) redaction: Redaction,
}

impl Output {
    /// All of it, redacted: for a snapshot.
    pub fn text(&self) -> String {
        let part = |name: &str, text: &str| {
            if text.is_empty() {
                String::new()
            } else {
                format!("--- {name}\n{}\n", text.trim_end_matches('\n'))
            }
        };
        let end = match (self.code, self.signal) {
            (Some(code), _) => format!("--- exit {code}\n"),
            (None, signal) => format!("--- killed by {signal:?}\n"),
        };
        let whole = format!("{}{}{end}", part("stdout", &self.stdout), part("stderr", &self.stderr));
        self.redaction.apply(&whole)
    }

    /// It exited with 0.
    #[track_caller]
    pub fn success(self) -> Self {
        self.exits(0)
    }

    /// It exited with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// A text stands in standard output or standard error.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "does not say {text:?}\n{self}");
        self
    }

    /// A text stands in neither.
    #[track_caller]
    pub fn says_not(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "says {text:?}\n{self}");
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON: {error}\n{self}"))
    }

    /// The steps of a plan document, `action address`, sorted.
    #[track_caller]
    pub fn steps(&self) -> Vec<String> {
        let plan = self.json();
        let word = |step: &serde_json::Value, name: &str| step[name].as_str().unwrap_or("?").to_owned();
        let step = |step: &serde_json::Value| format!("{} {}", word(step, "action"), word(step, "address"));
        let mut steps: Vec<String> = plan["steps"].as_array().into_iter().flatten().map(step).collect();
        steps.sort();
        steps
    }

    /// Standard output as one JSON document a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let line =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}\n{self}"));
        self.stdout.lines().map(line).collect()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`windlass {}`\n{}", self.args, self.text())
    }
}
