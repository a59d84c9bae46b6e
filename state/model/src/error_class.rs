//! The kinds of failure: how grave each is, whether trying again can help, and what a person does about it.

use serde::{Deserialize, Serialize};

/// The kinds of failure (public: in events and documents).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Credentials are missing, expired or wrong.
    Auth,
    /// Who asks may not do this.
    Permission,
    /// What was asked for is wrong.
    InvalidConfig,
    /// Something of that name exists and is not ours.
    NameTaken,
    /// Something needed does not exist.
    NotFound,
    /// Something else changes it right now, or it is not as expected.
    Conflict,
    /// Too many requests.
    RateLimited,
    /// The other side is down.
    Unavailable,
    /// It took too long.
    Timeout,
    /// What was to be built does not build.
    BuildFailed,
    /// What was to be sent did not arrive.
    UploadFailed,
    /// A program is not there, or not of the version wanted.
    ToolMissing,
    /// It was interrupted.
    Cancelled,
    /// A mistake in Windlass.
    Bug,
    /// None of these.
    Unknown,
}

/// How grave a failure is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gravity {
    /// Nothing goes on before a person has done something outside.
    Critical,
    /// The stack or the call can be put right; what is done stays done.
    Recoverable,
    /// It passes: it is tried again by itself.
    Temporary,
}

/// What a person does about a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recovery {
    /// Log in again, or give other credentials.
    Reconnect,
    /// The same once more.
    Retry,
    /// Look at what was asked for.
    Check,
    /// Put it right by hand.
    Manual,
    /// Ask for something else: another name, another place.
    Alternative,
}

/// A class and all that follows from it.
#[derive(Clone, Copy, Debug)]
pub struct ErrorFacts {
    /// The class.
    pub class: ErrorClass,
    /// Its word, as in events.
    pub word: &'static str,
    /// How grave it is.
    pub gravity: Gravity,
    /// What a person does.
    pub recovery: Recovery,
    /// What it means, for the documentation.
    pub means: &'static str,
}

const fn facts(
    class: ErrorClass,
    word: &'static str,
    gravity: Gravity,
    recovery: Recovery,
    means: &'static str,
) -> ErrorFacts {
    ErrorFacts { class, word, gravity, recovery, means }
}

use Gravity::{Critical, Recoverable, Temporary};
use Recovery::{Alternative, Check, Manual, Reconnect, Retry};

/// All classes.
pub const ERROR_CLASSES: [ErrorFacts; 15] = [
    facts(ErrorClass::Auth, "auth", Critical, Reconnect, "credentials are missing, expired or wrong"),
    facts(ErrorClass::Permission, "permission", Critical, Manual, "who asks may not do this"),
    facts(ErrorClass::InvalidConfig, "invalid_config", Recoverable, Check, "what was asked for is wrong"),
    facts(
        ErrorClass::NameTaken,
        "name_taken",
        Recoverable,
        Alternative,
        "something of that name exists and is not ours: take another name, or import it",
    ),
    facts(ErrorClass::NotFound, "not_found", Recoverable, Check, "something needed does not exist"),
    facts(
        ErrorClass::Conflict,
        "conflict",
        Recoverable,
        Manual,
        "something else changes it right now, or it is not as expected",
    ),
    facts(ErrorClass::RateLimited, "rate_limited", Temporary, Retry, "too many requests"),
    facts(
        ErrorClass::Unavailable,
        "unavailable",
        Temporary,
        Retry,
        "the other side is down or cannot be reached",
    ),
    facts(ErrorClass::Timeout, "timeout", Recoverable, Retry, "it took longer than it may"),
    facts(ErrorClass::BuildFailed, "build_failed", Recoverable, Check, "what was to be built does not build"),
    facts(ErrorClass::UploadFailed, "upload_failed", Temporary, Retry, "what was to be sent did not arrive"),
    facts(
        ErrorClass::ToolMissing,
        "tool_missing",
        Critical,
        Manual,
        "a program is not there, or not of the version wanted",
    ),
    facts(
        ErrorClass::Cancelled,
        "cancelled",
        Recoverable,
        Retry,
        "it was interrupted; `windlass resume` goes on",
    ),
    facts(ErrorClass::Bug, "bug", Critical, Manual, "a mistake in Windlass: please report it"),
    facts(ErrorClass::Unknown, "unknown", Recoverable, Check, "none of these: the tool's own text says more"),
];

impl ErrorClass {
    /// All that follows from it.
    pub fn facts(self) -> &'static ErrorFacts {
        // The table has a row for each: a test holds that.
        ERROR_CLASSES.iter().find(|facts| facts.class == self).unwrap_or(&ERROR_CLASSES[14])
    }

    /// Whether trying again by itself can help.
    pub fn is_temporary(self) -> bool {
        self.facts().gravity == Temporary
    }

    /// The word, as in events.
    pub fn as_str(self) -> &'static str {
        self.facts().word
    }
}

impl Gravity {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Critical => "critical",
            Recoverable => "recoverable",
            Temporary => "temporary",
        }
    }
}

impl Recovery {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Reconnect => "reconnect",
            Retry => "retry",
            Check => "check",
            Manual => "manual",
            Alternative => "alternative",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_row_under_the_word_that_files_have() {
        for facts in ERROR_CLASSES {
            let word = serde_json::to_value(facts.class).unwrap();
            assert_eq!(word, facts.word);
            assert_eq!(facts.class.facts().word, facts.word);
        }
    }
}
