//! A run as plain lines, each with its address: for CI and for files.

use windlass::event::Reporter;
use windlass::plan::render::safe;
use windlass_model::{Event, EventKind};

use super::bare_line;
use super::summary::Summary;
use crate::moment;
use crate::output::Output;

/// Writes lines to stderr.
pub struct Human {
    output: Output,
    summary: Summary,
}

impl Human {
    /// `command`: how the user calls Windlass for this environment.
    pub fn new(output: Output, command: String) -> Human {
        Human { output, summary: Summary::new(command) }
    }
}

impl Reporter for Human {
    fn event(&mut self, event: &Event) {
        if let Some(text) = lines(&event.kind) {
            let text = match event.kind {
                EventKind::StepFailed { .. } => self.output.as_typed(&text),
                _ => text,
            };
            self.output.progress(&text);
        }
        if let Some(text) = self.summary.event(event) {
            self.output.progress(&text);
        }
    }
}

/// What an event is as lines; `None` where it says nothing by itself.
pub fn lines(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::RunStarted { run, operation, stack, environment, plan, steps } => {
            let (operation, plan) = (operation.as_str(), plan.short());
            let steps = format!("{steps} step{}", if *steps == 1 { "" } else { "s" });
            safe(&format!("{stack} / {environment}: {operation} of {steps}, plan {plan}, run {run}\n"))
        }
        EventKind::StepStarted { address, action, attempt: 1 } => line(address, &format!("{action} begins")),
        EventKind::StepStarted { address, action, attempt } => {
            line(address, &format!("{action} begins, attempt {attempt}"))
        }
        EventKind::StepLog { address, line: text } => each(address, "| ", &bare_line(text)),
        EventKind::StepProgress { address, message } => each(address, "", &bare_line(message)),
        EventKind::StepRetry { address, attempt, wait_ms, class, message } => {
            let wait = moment::span(*wait_ms);
            each(
                address,
                "",
                &format!("attempt {attempt} failed ({}), again in {wait}: {message}", class.as_str()),
            )
        }
        EventKind::StepFinished { address, action, elapsed_ms } => {
            line(address, &format!("{action} done in {}", moment::span(*elapsed_ms)))
        }
        EventKind::StepFailed { address, action, elapsed_ms, class, message, hint } => {
            let (class, time) = (class.as_str(), moment::span(*elapsed_ms));
            let mut text = each(address, "", &format!("{action} failed after {time} ({class}): {message}"));
            text.extend(hint.iter().map(|hint| each(address, "help: ", hint)));
            text
        }
        EventKind::StepSkipped { address, action, because } => {
            line(address, &format!("{action} not begun because {because}"))
        }
        EventKind::Warning { message } => each("warning", "", message),
        EventKind::Stopping { how } => safe(&format!("stopping: {how}\n")),
        EventKind::RunFinished { .. } => return None,
    })
}

fn line(address: &str, text: &str) -> String {
    format!("{}: {}\n", safe(address), safe(text))
}

/// Each line of a text behind the address.
fn each(address: &str, front: &str, text: &str) -> String {
    text.lines().map(|part| line(address, &format!("{front}{part}"))).collect()
}

#[cfg(test)]
pub mod tests {
    use windlass_model::{Digest, ErrorClass, Operation, RunId, RunStatus};

    use super::*;
    use crate::output::Captured;

    /// A recorded run with every kind of event.
    pub fn recorded(status: RunStatus) -> Vec<Event> {
        let address = |name: &str| format!("local_command.{name}");
        let started = |name: &str, attempt| EventKind::StepStarted {
            address: address(name),
            action: "create".into(),
            attempt,
        };
        let finished = |name: &str, elapsed_ms| EventKind::StepFinished {
            address: address(name),
            action: "create".into(),
            elapsed_ms,
        };
        let kinds = vec![
            EventKind::RunStarted {
                run: RunId("01JX0000000000000000000000".into()),
                operation: Operation::Apply,
                stack: "shop".into(),
                environment: "production".into(),
                plan: Digest::of(b"plan"),
                steps: 5,
            },
            EventKind::Warning { message: "a short secret is not looked for\nin free text".into() },
            started("a", 1),
            started("b", 1),
            EventKind::StepLog { address: address("a"), line: "making \u{1b}[31mred\u{1b}[0m things".into() },
            EventKind::StepProgress { address: address("b"), message: "3 of 7 resources".into() },
            finished("a", 61_250),
            EventKind::StepRetry {
                address: address("b"),
                attempt: 1,
                wait_ms: 1_500,
                class: ErrorClass::RateLimited,
                message: "429".into(),
            },
            started("b", 2),
            EventKind::StepFailed {
                address: address("b"),
                action: "create".into(),
                elapsed_ms: 2_100,
                class: ErrorClass::Permission,
                message: "access denied\non bucket x".into(),
                hint: Some("ask for the role `deploy`".into()),
            },
            EventKind::StepSkipped {
                address: address("c"),
                action: "create".into(),
                because: "local_command.b failed".into(),
            },
            EventKind::Stopping { how: "nothing new is begun; Ctrl-C again interrupts".into() },
            started("d", 1),
            finished("d", 20),
            EventKind::RunFinished {
                status,
                version: (status != RunStatus::NeedsApproval).then_some(42),
                run: RunId("01JX0000000000000000000000".into()),
                done: 2,
                failed: 1,
                skipped: 1,
                left: 1,
                elapsed_ms: 63_400,
            },
        ];
        kinds
            .into_iter()
            .zip(1..)
            .map(|(kind, seq)| Event { seq, at: 1_764_042_480_000 + seq * 10, kind })
            .collect()
    }

    fn told(events: &[Event]) -> String {
        let err = Captured::default();
        let output = Output::to(Box::new(Captured::default()), Box::new(err.clone()));
        let mut human = Human::new(output, "windlass -e production".into());
        events.iter().for_each(|event| human.event(event));
        err.text()
    }

    #[test]
    fn a_run_with_a_failure() {
        insta::assert_snapshot!(told(&recorded(RunStatus::Failed)));
    }

    #[test]
    fn ends() {
        let end = |status| {
            let mut events = recorded(status);
            events.drain(1..14);
            let text = told(&events);
            text.split_once('\n').map(|(_, end)| end.trim().to_owned()).unwrap()
        };
        let all =
            [RunStatus::Applied, RunStatus::Interrupted, RunStatus::NeedsApproval].map(end).join("\n---\n");
        insta::assert_snapshot!(all);
    }
}
