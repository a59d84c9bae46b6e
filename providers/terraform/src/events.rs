//! The lines that `plan -json` and `apply -json` print, one JSON object each. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use windlass_model::StepEvent;

use crate::errors::Diagnosis;
use crate::state_file::StateFile;

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(rename = "@message", default)]
    message: String,
    #[serde(default)]
    terraform: Option<String>,
    #[serde(default)]
    tofu: Option<String>,
    #[serde(default)]
    hook: Option<Hook>,
    #[serde(default)]
    change: Option<Change>,
    #[serde(default)]
    diagnostic: Option<Diagnosis>,
}

#[derive(Deserialize, Default)]
struct Hook {
    #[serde(default)]
    resource: Resource,
    #[serde(default)]
    action: String,
    #[serde(default)]
    id_key: Option<String>,
    #[serde(default)]
    id_value: Option<String>,
    #[serde(default)]
    elapsed_seconds: u64,
    #[serde(default)]
    output: Option<String>,
}

#[derive(Deserialize, Default)]
struct Resource {
    #[serde(default)]
    addr: String,
}

#[derive(Deserialize)]
struct Change {
    resource: Resource,
    action: String,
}

/// An object that terraform began on, or says it finished, and that state does not vouch for (rule T6).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Doubt {
    /// Terraform's address.
    pub address: String,
    /// `create`, `update`, `delete`.
    pub action: String,
    /// The name of the attribute that identifies it, and its value, where terraform told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<(String, String)>,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some((key, value)) => write!(f, "{} ({}, {key}={value})", self.address, self.action),
            None => write!(f, "{} ({})", self.address, self.action),
        }
    }
}

/// How far terraform says it is with one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reached {
    Started,
    Done,
    Failed,
}

#[derive(Clone, Debug)]
struct Object {
    reached: Reached,
    id: Option<(String, String)>,
}

/// All that terraform said.
#[derive(Debug, Default)]
pub struct Heard {
    /// The version it gave, where it printed JSON at all.
    pub version: Option<String>,
    /// Errors, in order.
    pub errors: Vec<Diagnosis>,
    /// Warnings, in order.
    pub warnings: Vec<Diagnosis>,
    /// Objects found to differ from state: address and action.
    pub drift: Vec<(String, String)>,
    /// What was not JSON: standard error, or rubbish.
    pub rest: Vec<String>,
    /// By address and action, as a replacement begins on one address twice.
    objects: BTreeMap<(String, String), Object>,
}

impl Heard {
    /// Takes in all lines. A torn last line goes to `rest`.
    pub fn read(output: &[u8]) -> Heard {
        let mut heard = Heard::default();
        for line in String::from_utf8_lossy(output).lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str::<Line>(line) {
                Ok(line) => heard.take(line),
                Err(_) => heard.rest.push(line.to_owned()),
            }
        }
        heard
    }

    fn take(&mut self, line: Line) {
        match (line.kind.as_str(), line.hook, line.change, line.diagnostic) {
            ("version", ..) => self.version = line.terraform.or(line.tofu),
            ("apply_start", Some(hook), ..) => self.reach(hook, Reached::Started),
            ("apply_complete", Some(hook), ..) => self.reach(hook, Reached::Done),
            ("apply_errored", Some(hook), ..) => self.reach(hook, Reached::Failed),
            ("resource_drift", _, Some(change), _) => {
                self.drift.push((change.resource.addr, change.action));
            }
            ("diagnostic", _, _, Some(diagnosis)) if diagnosis.is_error() => self.errors.push(diagnosis),
            ("diagnostic", _, _, Some(diagnosis)) => self.warnings.push(diagnosis),
            _ => {}
        }
    }

    fn reach(&mut self, hook: Hook, reached: Reached) {
        let key = (hook.resource.addr, hook.action);
        let known = self.objects.get(&key).and_then(|object| object.id.clone());
        let id = hook.id_key.zip(hook.id_value).or(known);
        self.objects.insert(key, Object { reached, id });
    }

    /// Whether anything outside may have been changed.
    pub fn began(&self) -> bool {
        !self.objects.is_empty()
    }

    /// What state does not vouch for: begun and never ended, or made and not in state. Of a terraform that ended by itself
    /// (`killed` is false) only the latter, as it writes down what it began.
    pub fn doubts(&self, state: Option<&StateFile>, killed: bool) -> Vec<Doubt> {
        let doubtful = |(address, action): &(String, String), object: &Object| match object.reached {
            Reached::Started => killed,
            Reached::Done => action != "delete" && !state.is_some_and(|state| state.holds(address)),
            Reached::Failed => false,
        };
        let doubt = |((address, action), object): (&(String, String), &Object)| Doubt {
            address: address.clone(),
            action: action.clone(),
            id: object.id.clone(),
        };
        self.objects.iter().filter(|(key, object)| doubtful(key, object)).map(doubt).collect()
    }
}

/// What people are told of a line that terraform printed; `None`: nothing. A line that is not JSON is told as it is.
pub fn tell(line: &str) -> Option<StepEvent> {
    let Ok(line) = serde_json::from_str::<Line>(line) else {
        // A torn or redacted JSON line is not for people.
        return (!line.trim().is_empty() && !line.starts_with('{')).then(|| StepEvent::Log(line.to_owned()));
    };
    match (line.kind.as_str(), &line.hook) {
        ("apply_start", Some(hook)) => {
            Some(StepEvent::Progress(format!("{}: {}…", hook.resource.addr, doing(&hook.action))))
        }
        ("apply_progress", Some(hook)) => Some(StepEvent::Progress(format!(
            "{}: {}… {} s",
            hook.resource.addr,
            doing(&hook.action),
            hook.elapsed_seconds
        ))),
        ("apply_complete", Some(hook)) => Some(StepEvent::Log(format!(
            "{}: {} after {} s",
            hook.resource.addr,
            done(&hook.action),
            hook.elapsed_seconds
        ))),
        ("apply_errored", Some(hook)) => Some(StepEvent::Log(format!(
            "{}: {} failed after {} s",
            hook.resource.addr, hook.action, hook.elapsed_seconds
        ))),
        ("provision_progress", Some(hook)) => {
            let output = hook.output.as_deref()?;
            Some(StepEvent::Log(format!("{}: {output}", hook.resource.addr)))
        }
        ("change_summary" | "diagnostic" | "log", _) => Some(StepEvent::Log(line.message)),
        _ => None,
    }
}

fn doing(action: &str) -> &str {
    match action {
        "create" => "creating",
        "update" => "changing",
        "delete" => "destroying",
        "read" => "reading",
        "import" => "importing",
        other => other,
    }
}

fn done(action: &str) -> &str {
    match action {
        "create" => "created",
        "update" => "changed",
        "delete" => "destroyed",
        "read" => "read",
        "import" => "imported",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_file;

    fn data(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn a_whole_apply_leaves_no_doubt() {
        let heard = Heard::read(&data("apply_ok.jsonl"));
        assert_eq!(heard.version.as_deref(), Some("1.11.4"));
        assert!(heard.began() && heard.errors.is_empty() && heard.rest.is_empty());
        let state = state_file::parse(&data("full.tfstate")).unwrap();
        assert_eq!(heard.doubts(Some(&state), false), []);
    }

    #[test]
    fn a_killed_apply_names_what_it_began() {
        let heard = Heard::read(&data("apply_killed.jsonl"));
        let state = state_file::parse(&data("killed.tfstate")).unwrap();
        let names = |doubts: Vec<Doubt>| doubts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(heard.doubts(Some(&state), true)), ["terraform_data.slow (create)"]);
        let id = "terraform_data.ok (create, id=d552e0d8-37f7-27c4-b579-2fa1ec26b744)";
        assert_eq!(names(heard.doubts(None, true)), [id, "terraform_data.slow (create)"]);
    }

    #[test]
    fn a_failed_apply_tells_its_error() {
        let heard = Heard::read(&data("apply_failed.jsonl"));
        let state = state_file::parse(&data("partial.tfstate")).unwrap();
        assert_eq!(heard.errors.len(), 1);
        assert_eq!(heard.errors[0].summary, "local-exec provisioner error");
        assert_eq!(heard.doubts(Some(&state), false), []);
    }

    #[test]
    fn people_never_see_json() {
        for file in ["apply_ok.jsonl", "apply_killed.jsonl", "apply_failed.jsonl"] {
            for line in String::from_utf8(data(file)).unwrap().lines() {
                let (StepEvent::Log(text) | StepEvent::Progress(text)) = match tell(line) {
                    Some(event) => event,
                    None => continue,
                };
                assert!(!text.contains("@level"), "{text}");
                assert!(tell(&line[..line.len() / 2]).is_none());
            }
        }
        assert_eq!(tell("plain words"), Some(StepEvent::Log("plain words".to_owned())));
    }

    #[test]
    fn progress_reads_well() {
        let all: Vec<String> = String::from_utf8(data("apply_failed.jsonl"))
            .unwrap()
            .lines()
            .filter_map(tell)
            .map(|(StepEvent::Log(text) | StepEvent::Progress(text))| text)
            .collect();
        assert!(all.contains(&"terraform_data.ok: creating…".to_owned()), "{all:?}");
        assert!(all.contains(&"terraform_data.ok: created after 0 s".to_owned()), "{all:?}");
        assert!(all.contains(&"terraform_data.bad: hello".to_owned()), "{all:?}");
    }

    #[test]
    fn rubbish_is_kept_apart() {
        let heard = Heard::read(b"hello\n{\"type\":\"version\",\"terraform\":\"1.0\"}\n{\"type\":\"apply_st");
        assert_eq!(heard.version.as_deref(), Some("1.0"));
        assert_eq!(heard.rest.len(), 2);
    }
}
