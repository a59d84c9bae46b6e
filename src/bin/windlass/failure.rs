//! Why a command did not do what it was asked to, and the exit code that says so.

use windlass_model::Diagnostic;

use crate::exit::Exit;

/// What a command ends with.
pub type Outcome = Result<Exit, Failure>;

/// A failure: what to tell the user, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What to tell; empty where it was told already.
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// A failure with one message.
    pub fn new(exit: Exit, diagnostic: Diagnostic) -> Failure {
        Failure { exit, diagnostics: vec![diagnostic] }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, Diagnostic::error(message))
    }

    /// Something of this machine's did not work.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, Diagnostic::error(message))
    }

    /// With what to do next.
    pub fn help(mut self, text: impl Into<String>) -> Failure {
        if let Some(last) = self.diagnostics.pop() {
            self.diagnostics.push(last.help(text));
        }
        self
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Failure { exit: Exit::Failed, diagnostics }
    }
}
