//! Runs external commands for real.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use windlass_model::{ErrorClass, StepEvent, Token};

use crate::attach;
use crate::direct;
use crate::error::ProviderError;
use crate::program;
use crate::redact::Lines;
use crate::run_log::RunLog;
use crate::runner::{Attached, Command, Exit, Runner};
use crate::session::Call;
use crate::step_files::StepFiles;
use crate::supervised;

/// The most that one command may put out.
pub(crate) const MOST_OUTPUT: u64 = 256 << 20;

/// What a [`ToolRunner`] is told.
#[derive(Clone, Debug, Default)]
pub struct RunnerConfig {
    /// The argument vector that starts the supervisor: a binary and the subcommand in which it calls
    /// [`supervise`](crate::supervise).
    pub supervisor: Vec<String>,
    /// The directory for the supervised commands of this run; `None`: they are refused (a plan changes nothing).
    pub steps: Option<PathBuf>,
    /// Those of the runs that this one resumes or recovers, the latest first: `attach` looks through them, and leaves a fence
    /// where a command never began, so that a supervisor which comes late does not start it.
    pub earlier: Vec<PathBuf>,
    /// The run's log.
    pub log: Option<PathBuf>,
}

/// How long a command may take to end when it was asked to.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After SIGINT.
    pub interrupt: Duration,
    /// After SIGTERM; then comes SIGKILL.
    pub terminate: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { interrupt: Duration::from_secs(10), terminate: Duration::from_secs(5) }
    }
}

/// Runs external commands: directly, or under the supervisor.
pub struct ToolRunner {
    pub(crate) config: RunnerConfig,
    pub(crate) patience: Patience,
    pub(crate) log: RunLog,
    /// The commands of each step, until it is settled.
    commands: Mutex<BTreeMap<Token, Vec<StepFiles>>>,
}

impl ToolRunner {
    /// A runner for one run.
    pub fn new(config: RunnerConfig) -> ToolRunner {
        let log = RunLog::new(config.log.clone());
        ToolRunner { config, patience: Patience::default(), log, commands: Mutex::default() }
    }

    /// With another patience.
    #[must_use]
    pub fn patience(self, patience: Patience) -> ToolRunner {
        ToolRunner { patience, ..self }
    }

    /// Where a supervised command's files are.
    pub(crate) fn step_files(
        &self,
        dir: &Path,
        call: &Call,
        label: &str,
    ) -> Result<StepFiles, ProviderError> {
        let files = StepFiles::new(dir, &call.token, call.attempt, label).ok_or_else(|| {
            ProviderError::new(ErrorClass::Bug, format!("`{label}` cannot be the label of a command"))
        })?;
        let mut commands = self.commands.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        commands.entry(call.token.clone()).or_default().push(files.clone());
        Ok(files)
    }

    /// Redacted lines to the engine and the log.
    pub(crate) fn told<'a>(&'a self, call: &'a Call, label: &'a str) -> Told<'a> {
        Told { lines: Mutex::new(Lines::new(call.tools.redact.clone())), runner: self, call, label }
    }
}

/// Where a command's lines go.
pub(crate) struct Told<'a> {
    lines: Mutex<Lines>,
    runner: &'a ToolRunner,
    call: &'a Call,
    label: &'a str,
}

impl Told<'_> {
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.pass_on(|lines| lines.push(bytes));
    }

    pub(crate) fn finish(&self) {
        self.pass_on(Lines::finish);
    }

    fn pass_on(&self, take: impl FnOnce(&mut Lines) -> Vec<String>) {
        let ready = take(&mut self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for line in ready {
            self.runner.log.said(self.call, self.label, &line);
            self.call.engine.say(StepEvent::Log(line));
        }
    }
}

/// How long a command may take: its own limit, and what is left of the call's.
pub(crate) fn time_left(call: &Call, command: &Command) -> Option<Duration> {
    let of_call = call.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    [of_call, command.timeout].into_iter().flatten().min()
}

#[async_trait]
impl Runner for ToolRunner {
    async fn run(&self, call: &Call, command: &Command) -> Result<Exit, ProviderError> {
        if call.stop.is_interrupted() {
            let message = format!("`{}` was not started: the run was interrupted", command.program);
            return Err(ProviderError::new(ErrorClass::Cancelled, message));
        }
        if time_left(call, command).is_some_and(|left| left.is_zero()) {
            let message = format!("`{}` was not started: the time for this step is over", command.program);
            return Err(ProviderError::new(ErrorClass::Timeout, message));
        }
        let program = program::find(command)?;
        self.log.began(call, command);
        let exit = match command.supervised {
            true => supervised::run(self, call, command, &program).await?,
            false => direct::run(self, call, command, &program).await?,
        };
        self.log.ended(call, &command.label, &exit);
        Ok(exit)
    }

    async fn attach(&self, call: &Call, label: &str) -> Result<Attached, ProviderError> {
        attach::attach(self, call, label).await
    }

    fn settled(&self, token: &Token) -> Result<(), ProviderError> {
        let mut commands = self.commands.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for files in commands.remove(token).unwrap_or_default() {
            let removed = files.remove_output();
            removed.map_err(|error| failed("cannot remove what a command put out", &error))?;
        }
        Ok(())
    }
}

/// An error of the runner's own doing: its files, its supervisor.
pub(crate) fn failed(what: impl std::fmt::Display, error: &std::io::Error) -> ProviderError {
    ProviderError::new(ErrorClass::Unknown, format!("{what}: {error}"))
}

/// A command put out more than is kept.
pub(crate) fn too_much(program: &str) -> ProviderError {
    let message = format!("`{program}` put out more than {} MiB", MOST_OUTPUT >> 20);
    ProviderError::new(ErrorClass::InvalidConfig, message)
        .hint("send what it puts out to a file and read that where it is needed")
}
