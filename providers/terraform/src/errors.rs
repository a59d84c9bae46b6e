//! What the tool says went wrong, as an error with a class, a place and a next step.

use serde::Deserialize;
use windlass_model::ErrorClass;
use windlass_provider::{ProviderError, Redactor};

/// One of the tool's diagnostics.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Diagnosis {
    #[serde(default)]
    severity: String,
    /// In a line.
    #[serde(default)]
    pub summary: String,
    /// Why.
    #[serde(default)]
    pub detail: String,
    /// The object that it is about.
    #[serde(default)]
    pub address: Option<String>,
    #[serde(default)]
    range: Option<Range>,
}

#[derive(Clone, Debug, Deserialize)]
struct Range {
    filename: String,
    start: Start,
}

#[derive(Clone, Debug, Deserialize)]
struct Start {
    line: u64,
}

impl Diagnosis {
    /// Whether it is an error (and not a warning).
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// In one line, without a secret: `summary: detail (network/main.tf:12)`.
    pub fn line(&self, root: &str, redact: &Redactor) -> String {
        let detail = self.detail.split_whitespace().collect::<Vec<_>>().join(" ");
        let colon = if detail.is_empty() { "" } else { ": " };
        redact.redact(&format!("{}{colon}{detail}{}", self.summary, self.place(root)))
    }

    /// ` (network/main.tf:12, aws_vpc.main)`, or nothing.
    fn place(&self, root: &str) -> String {
        let at = self.range.as_ref().map(|range| {
            let slash = if root.is_empty() { "" } else { "/" };
            format!("{root}{slash}{}:{}", range.filename, range.start.line)
        });
        let parts: Vec<String> = at.into_iter().chain(self.address.clone()).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    }
}

/// Diagnostics from the text that commands without `-json` print: each begins with `Error: `, in a box or not.
pub fn from_text(text: &str) -> Vec<Diagnosis> {
    let mut found: Vec<Diagnosis> = Vec::new();
    for line in text.lines() {
        let line = line.trim_start_matches(['│', '╷', '╵', '|']).trim();
        if let Some(summary) = line.strip_prefix("Error: ") {
            let summary = summary.to_owned();
            found.push(Diagnosis { severity: "error".to_owned(), summary, ..Diagnosis::default() });
        } else if let Some(last) = found.last_mut() {
            last.detail.push_str(line);
            last.detail.push('\n');
        }
    }
    for diagnosis in &mut found {
        diagnosis.detail = diagnosis.detail.trim().to_owned();
    }
    found
}

/// What a command did when it failed.
pub struct Failed<'a> {
    /// `terraform plan`.
    pub command: &'a str,
    /// Its diagnostics that are errors.
    pub errors: &'a [Diagnosis],
    /// What else it printed.
    pub rest: &'a str,
    /// How it ended, in words, where it gave no reason itself: `exit status 3`.
    pub ended: &'a str,
    /// The root's path, in front of file names.
    pub root: &'a str,
}

impl Failed<'_> {
    /// The error: the first diagnostic with its place, then its own words, then how many more there are.
    pub fn error(&self, redact: &Redactor) -> ProviderError {
        let Some(first) = self.errors.first() else {
            let rest = tail(self.rest);
            let colon = if rest.is_empty() { "" } else { ": " };
            let text = format!("`{}` gave no reason ({}){colon}{rest}", self.command, self.ended);
            return ProviderError::new(classify(self.rest, false), redact.redact(&text));
        };
        let all = format!("{} {}", first.summary, first.detail);
        let mut text = format!("`{}`: {}{}", self.command, first.summary, first.place(self.root));
        if !first.detail.trim().is_empty() {
            text.push('\n');
            text.push_str(first.detail.trim());
        }
        for other in self.errors.iter().skip(1).take(4) {
            text.push_str(&format!("\nalso: {}{}", other.summary, other.place(self.root)));
        }
        if self.errors.len() > 5 {
            text.push_str(&format!("\nand {} more errors", self.errors.len() - 5));
        }
        let class = classify(&all, first.range.is_some() && first.address.is_none());
        let mut error = ProviderError::new(class, redact.redact(&text));
        error.hint = hint(&all, class);
        error
    }
}

/// The last few lines, shortened.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let text = lines[lines.len().saturating_sub(8)..].join("\n");
    text.chars().take(800).collect()
}

const CLASSES: &[(ErrorClass, &[&str])] = &[
    (ErrorClass::ToolMissing, &["unsupported terraform core version", "unsupported opentofu core version"]),
    (
        ErrorClass::Conflict,
        &[
            "saved plan is stale",
            "error acquiring the state lock",
            "state is locked",
            "operationaborted",
            "conflictexception",
            "resourceinuse",
            "inconsistent dependency lock file",
        ],
    ),
    (
        ErrorClass::RateLimited,
        &[
            "throttling",
            "rate limit",
            "ratelimit",
            "too many requests",
            "requestlimitexceeded",
            "status code: 429",
        ],
    ),
    (
        ErrorClass::Auth,
        &[
            "invalidclienttokenid",
            "expiredtoken",
            "no valid credential",
            "unable to locate credentials",
            "signaturedoesnotmatch",
            "authfailure",
            "unauthenticated",
            "status code: 401",
            "401 unauthorized",
            "authentication failed",
            "could not find default credentials",
        ],
    ),
    (
        ErrorClass::Permission,
        &[
            "accessdenied",
            "access denied",
            "unauthorizedoperation",
            "authorizationfailed",
            "not authorized",
            "permission denied",
            "status code: 403",
            "403 forbidden",
        ],
    ),
    (ErrorClass::NameTaken, &["already exists", "alreadyexists", "alreadyownedbyyou"]),
    (
        ErrorClass::Timeout,
        &["timeout while waiting", "deadline exceeded", "timed out", "i/o timeout", "client.timeout"],
    ),
    (
        ErrorClass::Unavailable,
        &[
            "connection refused",
            "connection reset",
            "no such host",
            "service unavailable",
            "bad gateway",
            "status code: 503",
            "tls handshake",
            "network is unreachable",
        ],
    ),
    (
        ErrorClass::InvalidConfig,
        &[
            "unsupported argument",
            "unsupported block",
            "invalid ",
            "missing required argument",
            "reference to undeclared",
            "no value for required variable",
            "argument or block definition required",
            "duplicate ",
            "unreadable module directory",
            "module not found",
        ],
    ),
    (ErrorClass::NotFound, &["not found", "does not exist", "notfound", "nosuch"]),
];

/// The class that a text speaks of. `in_source`: it points at a place in the sources and at no object.
pub fn classify(text: &str, in_source: bool) -> ErrorClass {
    let text = text.to_lowercase();
    let found = CLASSES.iter().find(|(_, words)| words.iter().any(|word| text.contains(word)));
    match found {
        Some((class, _)) => *class,
        None if in_source => ErrorClass::InvalidConfig,
        None => ErrorClass::Unknown,
    }
}

fn hint(text: &str, class: ErrorClass) -> Option<String> {
    if let Some(path) = text.split("no file exists at \"").nth(1).and_then(|rest| rest.split('"').next()) {
        return Some(format!(
            "terraform sees the files of the root and of its local modules only; where `{path}` lies elsewhere, add it: \
             files = [\"PATH\"], relative to the stack's directory"
        ));
    }
    let words = match class {
        ErrorClass::Auth => "check the credentials that the root's providers use",
        ErrorClass::Permission => "whoever these credentials belong to may not do this",
        ErrorClass::NameTaken => "it exists and is not in this state: import it, or give it another name",
        ErrorClass::Conflict if text.contains("stale") => "plan again",
        ErrorClass::Conflict if text.contains("state lock") => {
            "somebody else works on this state; if not, `terraform force-unlock` in the root frees it"
        }
        _ => return None,
    };
    Some(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Heard;

    #[test]
    fn a_missing_file_says_what_to_add() {
        let path = format!("{}/tests/data/plan_nofile.jsonl", env!("CARGO_MANIFEST_DIR"));
        let heard = Heard::read(&std::fs::read(path).unwrap());
        let failed = Failed {
            command: "terraform plan",
            errors: &heard.errors,
            rest: "",
            ended: "exit status 1",
            root: "network",
        };
        let error = failed.error(&Redactor::default());
        assert_eq!(error.class, ErrorClass::InvalidConfig);
        let first = error.message.lines().next().unwrap();
        assert_eq!(first, "`terraform plan`: Invalid function argument (network/main.tf:1)");
        assert!(error.hint.unwrap().contains("files = "));
    }

    #[test]
    fn classes_are_guessed_from_words() {
        for (text, class) in [
            ("api error ThrottlingException: Rate exceeded", ErrorClass::RateLimited),
            ("AccessDenied: User is not authorized to perform", ErrorClass::Permission),
            ("InvalidClientTokenId: The security token is invalid", ErrorClass::Auth),
            ("EntityAlreadyExists: Role with name x already exists.", ErrorClass::NameTaken),
            ("Saved plan is stale", ErrorClass::Conflict),
            ("dial tcp: connection refused", ErrorClass::Unavailable),
            ("what on earth", ErrorClass::Unknown),
        ] {
            assert_eq!(classify(text, false), class, "{text}");
        }
        assert_eq!(classify("what on earth", true), ErrorClass::InvalidConfig);
    }

    #[test]
    fn boxes_are_read_and_secrets_masked() {
        let text =
            "╷\n│ Error: Failed to query provider packages\n│ \n│ Could not retrieve s3cr3t-token\n╵\n";
        let errors = from_text(text);
        assert_eq!(errors.len(), 1);
        let redact = Redactor::default();
        redact.add("s3cr3t-token");
        let failed = Failed {
            command: "terraform init",
            errors: &errors,
            rest: text,
            ended: "exit status 1",
            root: "",
        };
        let message = failed.error(&redact).message;
        assert!(message.starts_with("`terraform init`: Failed to query provider packages\n"), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    }
}
