//! How an operation fails: what is said, and which exit code it means.

use windlass_model::{Diagnostic, FileError};
use windlass_store::{LockInfo, StoreError};

/// A failed operation.
#[derive(Debug)]
pub struct Failure {
    /// What kind: the exit code follows from it.
    pub kind: FailureKind,
    /// What is said. Warnings may be among them.
    pub diagnostics: Vec<Diagnostic>,
}

/// Kinds of failure, each with an exit code of its own.
#[derive(Debug)]
pub enum FailureKind {
    /// Something is wrong or went wrong.
    Failed,
    /// Somebody holds the lock.
    Locked(Box<LockInfo>),
    /// The plan no longer fits.
    Stale,
    /// An approval is missing or was refused.
    NotApproved,
    /// The command cannot be used like this.
    Usage,
    /// Ctrl-C before anything began.
    Cancelled,
    /// Variables have no value; the caller may ask for them and try again.
    Missing(Vec<Missing>),
}

/// A variable without a value.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Must not be shown while it is typed.
    pub sensitive: bool,
}

impl Failure {
    /// A failure of one message.
    pub fn new(kind: FailureKind, diagnostic: Diagnostic) -> Failure {
        Failure { kind, diagnostics: vec![diagnostic] }
    }

    /// Something is wrong.
    pub fn failed(title: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Failed, Diagnostic::error(title))
    }

    /// The command cannot be used like this.
    pub fn usage(title: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Usage, Diagnostic::error(title))
    }

    /// The plan no longer fits.
    pub fn stale(title: impl Into<String>) -> Failure {
        let help = "make a new plan";
        Failure::new(FailureKind::Stale, Diagnostic::error(title).help(help))
    }

    /// With what to do next, on the last message.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Failure {
        if let Some(last) = self.diagnostics.pop() {
            self.diagnostics.push(last.help(text));
        }
        self
    }

    /// Several messages; `Failed`.
    pub fn all(diagnostics: Vec<Diagnostic>) -> Failure {
        Failure { kind: FailureKind::Failed, diagnostics }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked(info) => {
                let (who, host, pid) = (&info.who, &info.host, info.pid);
                let since = crate::ops::run::utc(info.since_ms);
                let title = format!(
                    "the state is locked by {who} ({host}, process {pid}) since {since}: {} (run {})",
                    info.operation.as_str(),
                    info.run
                );
                let help = format!(
                    "wait with `--lock-timeout 10m`, or, if you are sure that it is dead, `windlass state unlock {}`",
                    info.run
                );
                Failure::new(FailureKind::Locked(info), Diagnostic::error(title).help(help))
            }
            damaged @ StoreError::Damaged { .. } => {
                Failure::failed(damaged.to_string()).help("`windlass state doctor` says what is damaged")
            }
            other => Failure::failed(other.to_string()),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Failure::failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use windlass_model::{Operation, RunId};

    use super::*;

    #[test]
    fn a_lock_names_its_holder_and_how_to_go_on() {
        let lock = LockInfo {
            run: RunId("01JX".into()),
            epoch: 4,
            operation: Operation::Apply,
            who: "ann@desk".into(),
            host: "desk".into(),
            pid: 77,
            since_ms: 1_764_042_480_000,
        };
        let failure = Failure::from(StoreError::Locked(Box::new(lock)));
        assert!(matches!(failure.kind, FailureKind::Locked(_)));
        let text = failure.diagnostics[0].to_string();
        for part in
            ["ann@desk", "apply", "(desk, process 77)", "2025-11-25 03:48:00 UTC", "state unlock 01JX"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
