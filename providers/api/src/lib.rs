//! What a provider is, and the one runner of external commands.

mod error;
mod redact;
mod runner;
mod session;
mod stop;

pub use error::{ApplyFailure, Left, ProviderError};
pub use redact::Redactor;
pub use runner::{Attached, Command, Exit, Runner};
pub use session::{
    Ask, Call, Drift, Engine, Observed, Owner, Probe, Proposed, Provider, Session, Toolbox, Verdict, Work,
};
pub use stop::Stop;
