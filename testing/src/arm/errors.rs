//! Errors as ARM says them.

use serde_json::{Value, json};

use super::http::Reply;

/// An error.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The HTTP status, where it answers a request.
    pub status: u16,
    /// Its code: `Conflict`.
    pub code: String,
    /// Its message.
    pub message: String,
    /// What it is about.
    pub target: Option<String>,
    /// The errors in it.
    pub details: Vec<Value>,
}

impl Failure {
    /// An error without details.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), target: None, details: Vec::new() }
    }

    /// The same about something.
    #[must_use]
    pub fn about(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// The same with errors in it.
    #[must_use]
    pub fn with(mut self, details: Vec<Value>) -> Self {
        self.details = details;
        self
    }

    /// `{"code", "message", …}`.
    pub fn value(&self) -> Value {
        let mut value = json!({"code": self.code, "message": self.message});
        if let Some(target) = &self.target {
            value["target"] = Value::from(target.clone());
        }
        if !self.details.is_empty() {
            value["details"] = Value::from(self.details.clone());
        }
        value
    }

    /// As the answer to a request.
    pub fn reply(&self) -> Reply {
        Reply::json(self.status, json!({"error": self.value()}))
    }

    /// A wrong template.
    pub fn template(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidTemplate", message)
    }

    /// A group that is not there.
    pub fn no_group(name: &str) -> Self {
        Self::new(404, "ResourceGroupNotFound", format!("Resource group '{name}' could not be found."))
    }

    /// A resource that is not there.
    pub fn no_resource(kind: &str, name: &str, group: Option<&str>) -> Self {
        let place = group.map(|group| format!(" under resource group '{group}'")).unwrap_or_default();
        Self::new(
            404,
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}'{place} was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// A deployment that is not there.
    pub fn no_deployment(name: &str) -> Self {
        Self::new(404, "DeploymentNotFound", format!("Deployment '{name}' could not be found."))
    }

    /// A stack that is not there.
    pub fn no_stack(name: &str, place: &str) -> Self {
        Self::new(
            404,
            "DeploymentStackNotFound",
            format!("The deployment stack '{name}' in the scope '{place}' could not be found."),
        )
    }

    /// A deployment of which resources failed.
    pub fn deployment(id: &str, details: Vec<Value>) -> Self {
        let message = "At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.";
        Self::new(409, "DeploymentFailed", message).about(id).with(details)
    }

    /// A nested deployment or long-running resource that failed.
    pub fn resource(id: &str, details: Vec<Value>) -> Self {
        let message = "The resource write operation failed to complete successfully, because it reached terminal provisioning state 'Failed'.";
        Self::new(409, "ResourceDeploymentFailure", message).about(id).with(details)
    }

    /// No right to do it.
    pub fn forbidden(action: &str, scope: &str) -> Self {
        Self::new(
            403,
            "AuthorizationFailed",
            format!(
                "The client '{client}' with object id '{client}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
                client = super::login::CLIENT
            ),
        )
    }

    /// A token that is old, or none.
    pub fn unauthorized() -> Self {
        Self::new(
            401,
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time '1/1/2026 0:00:00 AM' is earlier than current UTC time.",
        )
    }
}
