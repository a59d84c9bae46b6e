//! What a provider is, and the one runner of external commands.

mod attach;
#[cfg(feature = "conformance")]
pub mod conformance;
mod direct;
mod environment;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
#[cfg(any(feature = "fake", feature = "conformance"))]
pub mod harness;
mod known;
mod living;
mod program;
mod redact;
mod run_log;
mod runner;
mod secret_forms;
mod session;
mod step_files;
mod stop;
mod supervise;
mod supervised;
mod tool;
mod tool_runner;
#[cfg(any(feature = "fake", feature = "conformance"))]
pub mod trial;

pub use environment::inherit;
pub use error::{ApplyFailure, KnownError, Left, ProviderError};
pub use known::Known;
pub use redact::{Lines, Redactor};
pub use runner::{Attached, Command, Exit, Runner};
pub use session::{
    Ask, Call, Drift, Engine, Observed, Owner, Probe, Proposed, Provider, Session, Toolbox, Verdict, Work,
};
pub use stop::Stop;
pub use supervise::{REFUSED, supervise};
pub use tool::{Binary, VersionQuestion, Versions};
pub use tool_runner::{Patience, RunnerConfig, ToolRunner};
