//! What can go wrong in a provider.

use std::time::Duration;

use windlass_model::{AttrPath, ErrorClass};

use crate::session::Observed;

/// A failure, with its class, what the user should do, and whether trying again can help.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    /// What kind of failure.
    pub class: ErrorClass,
    /// What went wrong: a sentence, redacted. The tool's own text, trimmed to what matters, follows on further lines.
    pub message: String,
    /// When the other side asked to be tried again.
    pub retry_after: Option<Duration>,
    /// What to do next.
    pub hint: Option<String>,
    /// The attribute it is about.
    pub at: Option<AttrPath>,
    /// What was planned does not fit any more what is there, and nothing was touched: the plan is stale (exit 4).
    pub stale: bool,
}

impl ProviderError {
    /// An error of a class.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> ProviderError {
        ProviderError {
            class,
            message: message.into(),
            retry_after: None,
            hint: None,
            at: None,
            stale: false,
        }
    }

    /// What was planned does not fit any more what is there.
    pub fn stale(message: impl Into<String>) -> ProviderError {
        let error = ProviderError::new(ErrorClass::Conflict, message);
        ProviderError { stale: true, ..error }.hint("make a new plan")
    }

    /// With what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> ProviderError {
        self.hint = Some(hint.into());
        self
    }

    /// With the attribute it is about.
    #[must_use]
    pub fn at(mut self, path: impl Into<AttrPath>) -> ProviderError {
        self.at = Some(path.into());
        self
    }
}

/// What a tool says when something goes wrong, and what that means.
#[derive(Clone, Copy, Debug)]
pub struct KnownError {
    /// The tool's own code, or words of its message.
    pub says: &'static str,
    /// The class.
    pub class: ErrorClass,
    /// What to do next.
    pub hint: &'static str,
}

/// A failed `apply`: the error, and what was left behind.
#[derive(Clone, Debug)]
pub struct ApplyFailure {
    /// Why.
    pub error: ProviderError,
    /// What is there now.
    pub left: Left,
}

/// What a failed step left behind.
#[derive(Clone, Debug)]
pub enum Left {
    /// Nothing was changed.
    Untouched,
    /// The object is gone.
    Gone,
    /// It is like this now. After a create: half made, so tainted. After an update or delete: as observed.
    There(Box<Observed>),
    /// Nobody can tell; what to look at.
    Unknown(String),
}

impl ApplyFailure {
    /// A failure that changed nothing.
    pub fn untouched(error: ProviderError) -> Box<ApplyFailure> {
        Box::new(ApplyFailure { error, left: Left::Untouched })
    }
}
