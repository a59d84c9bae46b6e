//! The one way to run an external command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use windlass_model::Token;

use crate::error::ProviderError;
use crate::session::Call;

/// An external command: an argument vector, never a shell string.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// The program: a name to be found on the call's `PATH`, or a path.
    pub program: String,
    /// Its arguments. Never anything sensitive.
    pub args: Vec<String>,
    /// Its whole environment (see [`inherit`](crate::inherit)).
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    pub dir: PathBuf,
    /// What it reads on standard input; nothing if `None`.
    pub stdin: Option<Vec<u8>>,
    /// Which command of the step this is, unique in it: `apply`. Part of the names of its files.
    pub label: String,
    /// Runs under the supervisor: for everything that changes something outside (rule T1).
    pub supervised: bool,
    /// How long it may take at most, besides the call's own deadline.
    pub timeout: Option<Duration>,
    /// Standard output is data: it is kept apart from what is said, raw, and does not become log lines.
    pub stdout_is_data: bool,
    /// What a missing binary's error says: which version is wanted and how to get it.
    pub get_it: String,
}

/// How a command ended.
#[derive(Clone, Debug, Default)]
pub struct Exit {
    /// The exit code; `None`: killed by a signal.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Standard output, raw. Empty if it was not data and went to `output`.
    pub stdout: Vec<u8>,
    /// Standard error, and standard output where that is not data, in the order it came: raw, not redacted.
    pub output: Vec<u8>,
    /// It was ended because it took too long.
    pub timed_out: bool,
    /// It was ended because the run was interrupted.
    pub interrupted: bool,
}

impl Exit {
    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// What a finished or lost process left (rule T2).
#[derive(Clone, Debug)]
pub enum Attached {
    /// It never began on this host.
    NeverBegun,
    /// It ended; this is its recorded exit.
    Ended(Exit),
    /// It began, is not running, and its exit was not recorded (the supervisor was killed); what it had put out.
    Lost(Exit),
}

/// Runs commands: for real, supervised, or simulated.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Runs a command to its end. Lines go to `call.engine.say` as they come, redacted.
    ///
    /// # Errors
    /// `tool_missing`, or that it could not be run. A command that ran and failed is an `Exit`, not an error. Whether a
    /// supervised command has begun in spite of an error (its supervisor was killed), `attach` tells.
    async fn run(&self, call: &Call, command: &Command) -> Result<Exit, ProviderError>;

    /// The end of a supervised command of this step that an engine which died may have started: waits for it while it lives.
    async fn attach(&self, call: &Call, label: &str) -> Result<Attached, ProviderError>;

    /// A step's outcome is durable: what its commands put out is not needed any more and is removed (rule E4).
    ///
    /// # Errors
    /// Where it cannot be removed.
    fn settled(&self, token: &Token) -> Result<(), ProviderError> {
        let _ = token;
        Ok(())
    }
}
