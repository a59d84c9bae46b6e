//! What is said at the end of a run: how it went, what took long, what failed, what was not begun, and how to go on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use windlass::plan::render::safe;
use windlass_model::{Event, EventKind, Operation, RunId, RunStatus};

use crate::moment;

/// How many of a kind are listed.
const MOST: usize = 20;
/// How many of the slowest steps are named.
const SLOWEST: usize = 3;
/// A run's slowest steps are named only where one took this long, in milliseconds.
const SLOW: u64 = 2_000;

/// Gathers what the end says. A reporter of people's kind feeds it every event.
#[derive(Debug)]
pub struct Summary {
    /// How the user calls Windlass for this environment.
    command: String,
    operation: Operation,
    times: Vec<(u64, String)>,
    failed: Vec<String>,
    /// Addresses by what they were skipped for.
    skipped: BTreeMap<String, Vec<String>>,
    /// A run began.
    began: bool,
}

impl Summary {
    /// Nothing happened yet.
    pub fn new(command: String) -> Summary {
        let (times, failed, skipped) = (Vec::new(), Vec::new(), BTreeMap::new());
        Summary { command, operation: Operation::Apply, times, failed, skipped, began: false }
    }

    /// Takes an event in; the text at the end of the run.
    pub fn event(&mut self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::RunStarted { operation, .. } => {
                self.operation = *operation;
                self.began = true;
            }
            EventKind::StepFinished { address, elapsed_ms, .. } => {
                self.times.push((*elapsed_ms, address.clone()));
            }
            EventKind::StepFailed { address, action, message, .. } => {
                let first = message.lines().next().unwrap_or_default();
                self.failed.push(format!("{address} ({action}): {first}"));
            }
            EventKind::StepSkipped { address, because, .. } => {
                self.skipped.entry(because.clone()).or_default().push(address.clone());
            }
            // Where nothing was run the plan has said so.
            EventKind::RunFinished { .. } => return self.began.then(|| self.text(&event.kind)),
            EventKind::StepStarted { .. }
            | EventKind::StepLog { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepRetry { .. }
            | EventKind::Warning { .. }
            | EventKind::Stopping { .. } => {}
        }
        None
    }

    fn text(&mut self, kind: &EventKind) -> String {
        let EventKind::RunFinished { status, version, run, done, failed, skipped, left, elapsed_ms } = kind
        else {
            return String::new();
        };
        let mut out = String::from("\n");
        list(&mut out, "Failed", &self.failed);
        for (because, addresses) in &self.skipped {
            list(&mut out, &format!("Not begun because {because}"), addresses);
        }
        self.slowest(&mut out);
        let head = match status {
            RunStatus::Applied => format!("{} done", capital(self.operation.as_str())),
            RunStatus::Failed => format!("{} failed", capital(self.operation.as_str())),
            RunStatus::Interrupted => format!("{} interrupted", capital(self.operation.as_str())),
            RunStatus::NeedsApproval => format!("{} waits for an approval", capital(self.operation.as_str())),
        };
        // Writing to a String cannot fail.
        let _ = write!(out, "{head}: {done} {} done", steps(*done));
        for (count, word) in [(failed, "failed"), (skipped, "skipped"), (left, "left")] {
            if *count > 0 {
                let _ = write!(out, ", {count} {word}");
            }
        }
        let _ = write!(out, " in {}", moment::span(*elapsed_ms));
        let _ = match version {
            Some(version) => writeln!(out, "; version {version}"),
            None => writeln!(out, "; no new version"),
        };
        self.next(&mut out, *status, run);
        safe(&out)
    }

    fn next(&self, out: &mut String, status: RunStatus, run: &RunId) {
        let command = &self.command;
        let _ = match status {
            RunStatus::Applied => Ok(()),
            RunStatus::Failed | RunStatus::Interrupted => writeln!(out, "Go on with: {command} resume {run}"),
            RunStatus::NeedsApproval => {
                writeln!(out, "Approve with: {command} approve {run}\nThen go on: {command} resume {run}")
            }
        };
    }

    fn slowest(&mut self, out: &mut String) {
        self.times.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let slow = self.times.iter().take(SLOWEST).take_while(|(ms, _)| *ms >= SLOW);
        let names: Vec<String> = slow.map(|(ms, name)| format!("{name} {}", moment::span(*ms))).collect();
        if !names.is_empty() {
            let _ = writeln!(out, "Slowest: {}", names.join(", "));
        }
    }
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}:");
    for line in lines.iter().take(MOST) {
        let _ = writeln!(out, "  {line}");
    }
    if lines.len() > MOST {
        let _ = writeln!(out, "  ... and {} more", lines.len() - MOST);
    }
}

fn steps(count: usize) -> &'static str {
    if count == 1 { "step" } else { "steps" }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
