//! Makes a text the same on every machine and in every run: paths, times, durations and ids become placeholders. Equal ids
//! become equal placeholders, numbered as they come.

use std::collections::BTreeMap;
use std::path::Path;

use regex::{Captures, Regex};

/// What is replaced, in this order, and by what; `#` stands for the number of the id.
const RULES: [(&str, &str); 14] = [
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z|[+-]\d\d:\d\d)?", "<time>"),
    (r"\b\d\d:\d\d(:\d\d)? UTC\b", "<time>"),
    (r#"("(at|[a-z]+_at|[a-z]+_ms|when|since)":\s*)\d+"#, "$1<ms>"),
    (r"\b[0-9a-f]{64}\b", "<digest#>"),
    (r"\bsha256:[0-9a-f]{6,63}\b", "sha256:<digest#>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid#>"),
    (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<run#>"),
    (r"\b[0-9a-f]{32}\b", "<hex#>"),
    (r"\bplan [0-9a-f]{12}\b", "plan <plan#>"),
    (r"\([^ ()]+, process", "(<host>, process"),
    (r"\b(pid|process) \d+\b", "$1 <pid>"),
    (r#"("pid":\s*)\d+"#, "$1<pid>"),
    (r"\b\d+(\.\d+)? ?(ms|µs)\b", "<duration>"),
    (r"\b(\d+ ?m(in)? ?)?\d+(\.\d+)? ?s\b", "<duration>"),
];

/// What makes texts of one sandbox the same everywhere.
#[derive(Clone)]
pub struct Redaction {
    root: String,
}

impl Redaction {
    /// Of a sandbox's directory.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_string_lossy().into_owned() }
    }

    /// The text with placeholders.
    pub fn apply(&self, text: &str) -> String {
        let mut text =
            text.replace(&format!("{}/stack", self.root), "<stack>").replace(&self.root, "<sandbox>");
        for (pattern, placeholder) in RULES {
            let pattern = Regex::new(pattern).unwrap();
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            let replaced = pattern.replace_all(&text, |found: &Captures<'_>| {
                let next = seen.len() + 1;
                let number = *seen.entry(found[0].to_owned()).or_insert(next);
                let first = found.get(1).map_or("", |group| group.as_str());
                placeholder.replace('#', &format!(":{number}")).replace("$1", first)
            });
            text = replaced.into_owned();
        }
        text
    }
}
