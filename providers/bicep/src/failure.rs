//! What a failed `az` printed, as an error with a class, the words that matter, and a next step.
//!
//! `az` prints one failure in a dozen forms (`(Code) message`, JSON in a line, `Inner Errors:` blocks, `Code - message`,
//! Python tracebacks); each becomes a tree of codes here, and of the tree the deepest code that says something is told.

use serde_json::Value as Json;
use windlass_model::ErrorClass;
use windlass_provider::{Exit, KnownError, ProviderError, Redactor};

use crate::errors::{self, GENERIC};

/// One error, and what is inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `StorageAccountAlreadyTaken`; empty where there is none.
    pub code: String,
    /// The words.
    pub message: String,
    /// What it is about: a resource's id, a parameter's name.
    pub target: String,
    /// What it is made of.
    pub inner: Vec<Said>,
}

/// How deep errors nest at most.
const DEEPEST: usize = 24;

/// Reads what a failed command printed.
pub fn read(text: &str) -> Vec<Said> {
    let body = text.split_once("ERROR: ").map_or(text, |(_, rest)| rest).trim();
    let found = json_blocks(body);
    if !found.is_empty() {
        return found;
    }
    if let Some(found) = parenthesised(text) {
        return vec![found];
    }
    let dashed: Vec<Said> = body.lines().filter_map(dash).collect();
    match dashed.split_first() {
        Some((first, rest)) => vec![Said { inner: rest.to_vec(), ..first.clone() }],
        None => Vec::new(),
    }
}

/// Whole JSON objects in the text: the error itself, then those of the `Inner Errors:` blocks.
fn json_blocks(text: &str) -> Vec<Said> {
    let mut found: Vec<Said> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let mut stream = serde_json::Deserializer::from_str(&rest[at..]).into_iter::<Json>();
        let Some(Ok(json)) = stream.next() else {
            rest = &rest[at + 1..];
            continue;
        };
        rest = &rest[at + stream.byte_offset()..];
        if let Some(said) = from_json(&json, 0) {
            match found.last_mut() {
                Some(outer) if text.contains("Inner Errors:") => nest(outer, said),
                _ => found.push(said),
            }
        }
    }
    found
}

fn nest(outer: &mut Said, said: Said) {
    match outer.inner.last_mut() {
        Some(last) => nest(last, said),
        None => outer.inner.push(said),
    }
}

/// An error object of ARM, with what is in its details and, as text, in its message. `None`: it is none.
pub fn from_json(json: &Json, depth: usize) -> Option<Said> {
    if depth > DEEPEST {
        return None;
    }
    if let Some(error) = json.get("error").filter(|error| error.is_object()) {
        return from_json(error, depth + 1);
    }
    let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().trim().to_owned();
    let (code, mut message) = (text("code"), text("message"));
    if code.is_empty() && message.is_empty() {
        return None;
    }
    let details = json.get("details").and_then(Json::as_array).into_iter().flatten();
    let mut inner: Vec<Said> = details.filter_map(|one| from_json(one, depth + 1)).collect();
    if let Some(at) = message.find('{')
        && let Ok(json) = serde_json::from_str::<Json>(message[at..].trim())
        && let Some(said) = from_json(&json, depth + 1)
    {
        message.truncate(at);
        message = message.trim_end_matches([' ', '\'', ':']).to_owned();
        inner.push(said);
    }
    Some(Said { code, message, target: text("target"), inner })
}

/// `(Code) message`, as plain commands and tracebacks end, and below it `Exception Details:` with more of them.
fn parenthesised(text: &str) -> Option<Said> {
    let mut lines = text.lines();
    let first = lines.by_ref().find_map(|line| {
        let line = line.trim_start();
        let after = ["ERROR: ", "azure.core.exceptions."]
            .iter()
            .find_map(|mark| line.split_once(mark).map(|(_, rest)| rest));
        let after = after?;
        coded(after).or_else(|| after.split_once(": ").and_then(|(_, rest)| coded(rest)))
    })?;
    let mut first = first;
    let mut inside = false;
    for line in lines {
        let line = line.trim();
        if let Some(target) = line.strip_prefix("Target: ") {
            match first.inner.last_mut() {
                Some(inner) if inside => target.clone_into(&mut inner.target),
                _ => target.clone_into(&mut first.target),
            }
        }
        let rest = line.strip_prefix("Exception Details:").map(|rest| {
            inside = true;
            rest.trim()
        });
        if inside && let Some(said) = coded(rest.unwrap_or(line)) {
            first.inner.push(said);
        }
    }
    if let Some(at) = first.message.find('{')
        && let Some(said) =
            serde_json::from_str::<Json>(first.message[at..].trim()).ok().and_then(|json| from_json(&json, 0))
    {
        first.message.truncate(at);
        first.inner.push(said);
    }
    Some(first)
}

fn coded(text: &str) -> Option<Said> {
    let (code, message) = text.strip_prefix('(')?.split_once(')')?;
    let fits = !code.is_empty() && code.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let code = if code == "None" { "" } else { code };
    fits.then(|| Said { code: code.to_owned(), message: message.trim().to_owned(), ..Said::default() })
}

/// `Code - message`
fn dash(line: &str) -> Option<Said> {
    let (code, message) = line.trim().split_once(" - ")?;
    let fits = code.len() > 3 && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    fits.then(|| Said { code: code.to_owned(), message: message.trim().to_owned(), ..Said::default() })
}

impl Said {
    /// Whether this code, or one inside, is one of these.
    pub fn has(&self, codes: &[&str]) -> bool {
        codes.iter().any(|code| code.eq_ignore_ascii_case(&self.code))
            || self.inner.iter().any(|inner| inner.has(codes))
    }

    /// The errors without anything inside, each with the targets of what it is in.
    fn leaves<'s>(&'s self, target: &'s str, found: &mut Vec<(&'s Said, &'s str)>) {
        let target = if self.target.is_empty() { target } else { &self.target };
        if self.inner.is_empty() {
            found.push((self, target));
        }
        self.inner.iter().for_each(|inner| inner.leaves(target, found));
    }

    fn is_generic(&self) -> bool {
        self.code.is_empty() || GENERIC.iter().any(|generic| generic.eq_ignore_ascii_case(&self.code))
    }
}

/// Whether a failed command said one of these codes anywhere.
pub fn says(exit: &Exit, codes: &[&str]) -> bool {
    let text = String::from_utf8_lossy(&exit.output);
    read(&text).iter().any(|said| said.has(codes))
}

/// The error of a command that failed.
pub fn error(command: &str, exit: &Exit, redact: &Redactor) -> ProviderError {
    let text = String::from_utf8_lossy(&exit.output);
    if let Some((class, why)) = ended_early(exit) {
        return ProviderError::new(class, format!("`az {command}` {why}"));
    }
    let said = read(&text);
    match told(&said) {
        Some((message, known)) => made(command, &message, known.or_else(|| errors::of_text(&text)), redact),
        None => made(command, &plain(&text, exit), errors::of_text(&text), redact),
    }
}

/// The error of an operation that Azure says failed: of `error` in what `show` prints.
pub fn of_said(what: &str, said: &[Said], redact: &Redactor) -> ProviderError {
    match told(said) {
        Some((message, known)) => {
            let error = made(what, &message, known, redact);
            ProviderError { message: redact.redact(&format!("{what}: {message}")), ..error }
        }
        None => ProviderError::new(ErrorClass::Unknown, format!("{what} failed, and Azure does not say why")),
    }
}

fn made(command: &str, message: &str, known: Option<&KnownError>, redact: &Redactor) -> ProviderError {
    let class = known.map_or(ErrorClass::Unknown, |known| known.class);
    let error = ProviderError::new(class, redact.redact(&format!("`az {command}`: {message}")));
    match known {
        Some(known) => error.hint(known.hint),
        None => error,
    }
}

fn ended_early(exit: &Exit) -> Option<(ErrorClass, &'static str)> {
    match exit {
        Exit { timed_out: true, .. } => Some((ErrorClass::Timeout, "took too long and was ended")),
        Exit { interrupted: true, .. } => Some((ErrorClass::Cancelled, "was interrupted")),
        Exit { code: None, signal: Some(_), .. } => Some((ErrorClass::Unknown, "was killed")),
        _ => None,
    }
}

/// The error that matters, its words, and what is known of it: the first leaf with a code that says something.
fn told(said: &[Said]) -> Option<(String, Option<&'static KnownError>)> {
    let mut leaves = Vec::new();
    said.iter().for_each(|one| one.leaves("", &mut leaves));
    let known = |leaf: &Said| errors::of_code(&leaf.code).or_else(|| errors::of_text(&leaf.message));
    let best = leaves.iter().position(|(leaf, _)| !leaf.is_generic() && known(leaf).is_some());
    let best = best.or_else(|| leaves.iter().position(|(leaf, _)| !leaf.is_generic())).unwrap_or(0);
    let (leaf, target) = leaves.get(best)?;
    let mut message = words(leaf, target);
    let others: Vec<String> = leaves
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != best)
        .map(|(_, (leaf, target))| words(leaf, target))
        .collect();
    for other in others.iter().take(4) {
        message.push_str(&format!("\nalso: {other}"));
    }
    if others.len() > 4 {
        message.push_str(&format!("\nand {} more errors", others.len() - 4));
    }
    Some((message, known(leaf).or_else(|| outer_known(said))))
}

/// What is known of the errors around, from the inside out.
fn outer_known(said: &[Said]) -> Option<&'static KnownError> {
    said.iter().find_map(|one| outer_known(&one.inner).or_else(|| errors::of_code(&one.code)))
}

fn words(said: &Said, target: &str) -> String {
    let message = said.message.split_whitespace().collect::<Vec<_>>().join(" ");
    let message: String = message.chars().take(1200).collect();
    let colon = if said.code.is_empty() || message.is_empty() { "" } else { ": " };
    let target = match target.is_empty() || message.contains(target) {
        true => String::new(),
        false => format!(" ({target})"),
    };
    format!("{}{colon}{message}{target}", said.code)
}

/// The tool's own words where they have no form: what follows `ERROR:`, or the last line of a traceback.
fn plain(text: &str, exit: &Exit) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    let errors: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once("ERROR: ").map(|(_, rest)| rest)).collect();
    let traced = text.contains("Traceback (most recent call last)");
    let chosen = match (traced, errors.is_empty(), lines.last()) {
        (false, false, _) => errors.join("\n"),
        (_, _, Some(last)) => (*last).to_owned(),
        (_, _, None) => format!("gave no reason (exit status {})", exit.code.unwrap_or(-1)),
    };
    chosen.chars().take(1200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the real az printed: class, the words that matter, a piece of the hint.
    const CAPTURED: &[(&str, ErrorClass, &str, &str)] = &[
        ("not-logged-in", ErrorClass::Auth, "az login", "az login"),
        ("wrong-secret", ErrorClass::Auth, "AADSTS7000215", "secret"),
        ("expired", ErrorClass::Auth, "ExpiredAuthenticationToken", "az login"),
        (
            "unknown-subscription",
            ErrorClass::NotFound,
            "Subscription 'no-such-one' not found",
            "subscription",
        ),
        ("forbidden", ErrorClass::Permission, "AuthorizationFailed: The client 'me'", "role"),
        ("forbidden-what-if", ErrorClass::Permission, "AuthorizationFailed: The client 'me'", "role"),
        ("group-not-found", ErrorClass::NotFound, "ResourceGroupNotFound", "create_resource_group"),
        ("no-what-if-in-group", ErrorClass::NotFound, "ResourceGroupNotFound", "create_resource_group"),
        ("stack-not-found", ErrorClass::NotFound, "DeploymentStackNotFound", "az stack group show"),
        ("deployment-not-found", ErrorClass::NotFound, "DeploymentNotFound", "az deployment"),
        ("unknown-parameter", ErrorClass::InvalidConfig, "unrecognized template parameter", "correct"),
        ("deployment-invalid", ErrorClass::InvalidConfig, "AccountNameInvalid: A is not", "correct"),
        ("stack-invalid", ErrorClass::InvalidConfig, "AccountNameInvalid: A is not", "correct"),
        ("what-if-invalid", ErrorClass::InvalidConfig, "AccountNameInvalid: A is not", "correct"),
        ("deployment-failed", ErrorClass::NameTaken, "StorageAccountAlreadyTaken: The storage", "unique"),
        ("stack-failed", ErrorClass::NameTaken, "StorageAccountAlreadyTaken: The storage", "unique"),
        ("deployment-active", ErrorClass::Conflict, "DeploymentActive: The deployment", "wait"),
        ("stack-busy", ErrorClass::Conflict, "DeploymentStackInNonTerminalState", "wait"),
        ("throttled", ErrorClass::RateLimited, "TooManyRequests", "concurrency"),
        ("unavailable", ErrorClass::Unavailable, "ServiceUnavailable", "again"),
        ("unreachable", ErrorClass::Unavailable, "Unable to connect to proxy", "proxy"),
        ("usage", ErrorClass::ToolMissing, "misspelled or not recognized", "az upgrade"),
    ];

    fn captured(name: &str) -> Exit {
        let path = format!("{}/tests/data/errors/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        Exit { code: Some(1), output: std::fs::read(path).unwrap(), ..Exit::default() }
    }

    #[test]
    fn what_az_printed_is_classified_and_says_what_to_do() {
        for (name, class, words, hint) in CAPTURED {
            let error = error("group show", &captured(name), &Redactor::default());
            assert_eq!(error.class, *class, "{name}: {}", error.message);
            let first = error.message.lines().next().unwrap();
            assert!(first.starts_with("`az group show`: ") && first.contains(words), "{name}: {first}");
            assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{name}: {:?}", error.hint);
            assert!(!error.message.contains("Traceback"), "{name}: {}", error.message);
        }
    }

    #[test]
    fn codes_are_found_in_any_form() {
        assert!(says(&captured("stack-busy"), &["DeploymentStackInNonTerminalState"]));
        assert!(says(&captured("deployment-failed"), &["storageaccountalreadytaken"]));
        assert!(!says(&captured("throttled"), &["DeploymentActive"]));
    }

    #[test]
    fn errors_in_messages_and_details_are_followed() {
        let text = "ERROR: (InvalidTemplateDeployment) not valid\nCode: InvalidTemplateDeployment\nMessage: not valid\nException Details:\t(SkuNotAvailable) no such size\n\tCode: SkuNotAvailable\n\tTarget: vm\n";
        let said = read(text);
        assert_eq!(
            (said[0].inner[0].code.as_str(), said[0].inner[0].target.as_str()),
            ("SkuNotAvailable", "vm")
        );
        let text = r#"ERROR: {"status":"Failed","error":{"code":"DeploymentFailed","message":"m","details":[{"code":"Conflict","message":"{\"error\":{\"code\":\"VaultAlreadyExists\",\"message\":\"taken\"}}"}]}}"#;
        assert!(read(text)[0].has(&["VaultAlreadyExists"]));
        let exit = Exit { code: Some(1), output: text.into(), ..Exit::default() };
        assert_eq!(error("x", &exit, &Redactor::default()).class, ErrorClass::NameTaken);
        assert_eq!(
            read("ERROR: Not Found({\"error\":{\"code\":\"NotFound\",\"message\":\"x\"}})")[0].code,
            "NotFound"
        );
        assert!(read("nothing at all").is_empty());
    }

    #[test]
    fn without_words_the_exit_status_is_told_and_secrets_are_masked() {
        let exit = Exit { code: Some(7), ..Exit::default() };
        assert!(error("x", &exit, &Redactor::default()).message.contains("exit status 7"));
        let redact = Redactor::default();
        redact.add("s3cr3t-geheim");
        let exit = Exit { code: Some(1), output: b"ERROR: (X) s3cr3t-geheim".to_vec(), ..Exit::default() };
        assert!(!error("x", &exit, &redact).message.contains("geheim"));
    }
}
