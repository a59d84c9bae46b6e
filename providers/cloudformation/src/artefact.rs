//! What a plan leaves for an apply to execute, or for a discard to throw away.

use serde::{Deserialize, Serialize};
use windlass_model::{ErrorClass, Private};
use windlass_provider::ProviderError;

use crate::changes::Essence;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Execute the change set.
    Execute,
    /// The change set can only be made when the old stack is deleted: make it, and execute it.
    Make,
    /// Continue the rollback that failed; then make a change set and execute it.
    Continue,
    /// Update the tags.
    Tags,
    /// Nothing but settings beside the template.
    Settings,
}

/// A planned operation on a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Artefact {
    /// What is to be done.
    pub deed: Deed,
    /// Where.
    pub region: String,
    /// `--profile`
    #[serde(default)]
    pub profile: Option<String>,
    /// `--endpoint-url`
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The stack's name.
    pub stack: String,
    /// The stack's ARN, where it was known or made.
    #[serde(default)]
    pub stack_id: Option<String>,
    /// The change set's ARN; its name, where nobody knows yet whether it was made.
    #[serde(default)]
    pub change_set: Option<String>,
    /// It makes the stack.
    pub new: bool,
    /// When the change set was made, by the service's clock.
    #[serde(default)]
    pub created: Option<String>,
    /// What it would do.
    #[serde(default)]
    pub changes: Vec<Essence>,
    /// The stack policy is to be set.
    #[serde(default)]
    pub set_policy: bool,
    /// Termination protection is to be turned on or off.
    #[serde(default)]
    pub set_protection: Option<bool>,
}

const VERSION: u32 = 1;

impl Artefact {
    /// As the engine keeps it.
    pub fn private(&self) -> Private {
        let data = serde_json::to_value(self).unwrap_or_default();
        Private { version: VERSION, data, ..Private::default() }
    }

    /// Read again.
    ///
    /// # Errors
    /// `bug`, where it is none.
    pub fn read(private: &Private) -> Result<Artefact, ProviderError> {
        serde_json::from_value(private.data.clone()).map_err(|error| {
            ProviderError::new(
                ErrorClass::Bug,
                format!("what the plan holds of this stack cannot be read: {error}"),
            )
        })
    }
}
