//! From the command line to `windlass::ops`: what operations are given, and how they ask and fail.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use windlass::apply::{Gate, Permission, Question};
use windlass::ops::{self, Confirm, Done, FailureKind, Missing, Planned, Selection};
use windlass::plan::Providers;
use windlass::plan::render;
use windlass::stack::{Given, GivenArg};
use windlass_model::{Diagnostic, Host, Plan};

use crate::args::VariableSource;
use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::prompt;
use crate::report::{self, Screen};
use crate::signals::Interrupts;

/// The system's clock and randomness.
pub struct System;

impl Host for System {
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn random(&self) -> u128 {
        let mut bytes = [0u8; 16];
        let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
        if filled != Ok(bytes.len()) {
            // Only a kernel without randomness comes here; time and process keep ids apart even then.
            let pid = u128::from(std::process::id());
            return (u128::from(self.now_ms()) << 64) | pid;
        }
        u128::from_le_bytes(bytes)
    }
}

/// The providers of this binary.
pub fn providers() -> Providers {
    Providers::new(vec![
        Arc::new(windlass_provider_bicep::provider()),
        Arc::new(windlass_provider_cloudformation::provider()),
        Arc::new(windlass_provider_local::provider()),
        Arc::new(windlass_provider_terraform::provider()),
    ])
}

/// What an operation is given.
pub fn context(context: &Context) -> ops::Context {
    let (options, around) = (&context.options, &context.surroundings);
    let exe = around.exe.as_ref().map(|path| path.to_string_lossy().into_owned());
    ops::Context {
        dir: options.dir.clone(),
        host: Arc::new(System),
        known: Arc::default(),
        providers: providers(),
        env: around.env.clone(),
        actor: around.who(),
        hostname: around.host.clone(),
        pid: around.pid,
        supervisor: vec![exe.unwrap_or_else(|| "windlass".to_owned()), "supervise".to_owned()],
        state: around.state.clone(),
        parallelism: options.parallelism,
        deadline: options.deadline.map(|deadline| around.started.unwrap_or_else(Instant::now) + deadline),
        grace: options.grace,
        lock_timeout: options.lock_timeout.unwrap_or_default(),
    }
}

/// The environment and the values that were given.
///
/// # Errors
/// Where a `--var-file` cannot be read.
pub fn selection(context: &Context, stack: Option<String>) -> Result<Selection, Failure> {
    let mut args = Vec::new();
    for source in &context.options.variables {
        args.push(match source {
            VariableSource::Given { name, text } => GivenArg::Set { name: name.clone(), value: text.clone() },
            VariableSource::File(path) => {
                let shown = path.display().to_string();
                let content = std::fs::read_to_string(path)
                    .map_err(|error| Failure::failed(format!("--var-file {shown}: {error}")))?;
                GivenArg::File { path: shown, content }
            }
        });
    }
    let given = Given { env: context.surroundings.variables.clone(), args };
    let environment = context.options.environment.clone();
    Ok(Selection { environment, given, stack, ..Selection::default() })
}

/// Asks for the values that an operation missed; `Err` where nobody can be asked, or it failed otherwise.
///
/// # Errors
/// The operation's own failure.
pub async fn ask_for(
    context: &Context,
    failure: ops::Failure,
    selection: &mut Selection,
) -> Result<(), Failure> {
    let FailureKind::Missing(missing) = &failure.kind else { return Err(failure.into()) };
    if !context.surroundings.can_ask() || context.options.json {
        return Err(failure.into());
    }
    let wanted = |missing: &Missing| prompt::Missing {
        name: missing.name.clone(),
        description: missing.description.clone(),
        sensitive: missing.sensitive,
    };
    let missing: Vec<prompt::Missing> = missing.iter().map(wanted).collect();
    let values = prompt::variables(&context.output, context.signals.interrupts(), true, &missing).await?;
    selection.given.args.extend(values.into_iter().map(|(name, value)| GivenArg::Set { name, value }));
    Ok(())
}

impl From<ops::Failure> for Failure {
    fn from(failure: ops::Failure) -> Self {
        let exit = match failure.kind {
            FailureKind::Failed | FailureKind::Missing(_) => Exit::Failed,
            FailureKind::Locked(_) => Exit::Locked,
            FailureKind::Stale => Exit::Stale,
            FailureKind::NotApproved => Exit::NotApproved,
            FailureKind::Usage => Exit::Usage,
            FailureKind::Cancelled => Exit::Cancelled,
        };
        Failure { exit, diagnostics: failure.diagnostics }
    }
}

/// What to do where nobody can be asked whether a plan is to be carried out.
const REVIEW: &str =
    "review with `windlass plan --out FILE` and run `windlass apply FILE`, or give `--auto-approve`";

/// Shows plans and asks, on the terminal.
pub struct Terminal {
    output: Output,
    interrupts: Interrupts,
    can_ask: bool,
    json: bool,
    screen: Screen,
    /// Whether what was not announced is granted without asking (`resume --auto-approve`).
    grant: bool,
}

impl Terminal {
    /// The terminal of a command.
    pub fn new(context: &Context, screen: Screen, grant: bool) -> Terminal {
        Terminal {
            output: context.output.clone(),
            interrupts: context.signals.interrupts(),
            can_ask: context.surroundings.can_ask(),
            json: context.options.json,
            screen,
            grant,
        }
    }
}

#[async_trait]
impl Confirm for Terminal {
    async fn show(&self, planned: &Planned, said: &[Diagnostic]) {
        let source = |path: &str| text(&*planned.files, path);
        if !said.is_empty() {
            self.output.told(said, &source);
        }
        if !self.json {
            self.output.progress(&render::text(&planned.file.plan, &self.output.progress_style));
        }
    }

    async fn ask(&self, plan: &Plan) -> Result<bool, ops::Failure> {
        let what = match plan.header.operation {
            windlass_model::Operation::Destroy => "Destroy all of this?",
            windlass_model::Operation::Rollback => "Go back like this?",
            _ => "Do this?",
        };
        match prompt::confirm(&self.output, self.interrupts.clone(), self.can_ask, what, REVIEW).await {
            Ok(()) => Ok(true),
            Err(failure) => {
                let kind = match failure.exit {
                    Exit::Cancelled => FailureKind::Cancelled,
                    _ => FailureKind::NotApproved,
                };
                Err(ops::Failure { kind, diagnostics: failure.diagnostics })
            }
        }
    }
}

#[async_trait]
impl Gate for Terminal {
    async fn allow(&self, question: Question) -> Permission {
        if self.grant {
            return Permission::Granted;
        }
        let lines = question.lines.join("\n  ");
        let text = format!("{} would do what was not announced:\n  {lines}\nGo on?", question.step);
        let can_ask = self.can_ask && !self.json;
        let yes = prompt::allow(&self.output, &self.screen, self.interrupts.clone(), can_ask, &text).await;
        if yes { Permission::Granted } else { Permission::Stop }
    }
}

/// A source file as text, for showing places in it.
pub fn text(files: &dyn windlass_model::Files, path: &str) -> Option<String> {
    let content = files.read(path).ok()?;
    Some(String::from_utf8_lossy(&content).into_owned())
}

/// Tells how a run came out, and its exit code.
pub fn told(context: &Context, done: &Done) -> Outcome {
    let output = &context.output;
    if !done.diagnostics.is_empty() {
        output.told(&done.diagnostics, &|_| None);
    }
    if !context.options.json && !done.outputs.is_empty() && done.failures.is_empty() {
        output.result(&report::outputs(&done.outputs, &output.result_style));
    }
    let stale = done.failures.iter().filter(|failure| failure.stale).count();
    Ok(Exit::of_run(done.status, done.failures.len(), stale))
}
