//! Which binary is meant, and which version it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use windlass_model::ErrorClass;
use windlass_provider::{Binary, Exit, ProviderError, Toolbox, VersionQuestion, Versions};

use crate::command;
use crate::version::{Constraint, at_least};

/// Older ones lack `plan -json` or write another state.
const OLDEST: &str = "1.1";

/// A binary and its version.
#[derive(Clone, Debug)]
pub struct Tool {
    /// The binary.
    pub binary: Binary,
    /// `1.11.4`
    pub version: String,
}

impl Tool {
    /// A binary, asked for its version if nobody knows it.
    ///
    /// # Errors
    /// Where it does not answer as terraform does.
    pub async fn of(
        binary: Binary,
        versions: &Versions,
        tools: &Arc<Toolbox>,
    ) -> Result<Tool, ProviderError> {
        let env = windlass_provider::inherit(&tools.env);
        let question = VersionQuestion {
            args: command::version(),
            env: command::environment(env, &command::Surroundings::default(), &BTreeMap::new()),
            get_it: command::get_it(&binary.name, None),
            read: read_version,
        };
        let version = versions.of(&binary, tools, &question).await?;
        Ok(Tool { binary, version })
    }

    /// `terraform` or `tofu`, whatever the path to it.
    pub fn word(&self) -> &str {
        let name = Path::new(&self.binary.name).file_name().and_then(|name| name.to_str());
        name.unwrap_or("terraform")
    }

    /// `terraform 1.11.4`
    pub fn text(&self) -> String {
        format!("{} {}", self.word(), self.version)
    }
}

/// Looks for a binary: a path, or a name on `PATH`.
///
/// # Errors
/// `tool_missing`.
pub fn find(name: &str, wanted: Option<&str>, tools: &Toolbox) -> Result<Binary, ProviderError> {
    Binary::find(name, &command::get_it(name, wanted), tools)
}

fn read_version(exit: &Exit) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&exit.stdout).ok()?;
    let version = json.get("terraform_version")?.as_str()?;
    exit.success().then(|| version.to_owned())
}

/// Whether the tool's version will do.
///
/// # Errors
/// `tool_missing`, with the version wanted.
pub fn check_version(tool: &Tool, wanted: Option<&str>) -> Result<(), ProviderError> {
    let wrong = |wanted: &str| {
        let at = tool.binary.path.display();
        let message = format!("{} is there ({at}), but {wanted} is wanted", tool.text());
        ProviderError::new(ErrorClass::ToolMissing, message)
            .hint(command::get_it(&tool.binary.name, Some(wanted)))
    };
    if let Some(wanted) = wanted {
        let constraint = Constraint::parse(wanted);
        let constraint =
            constraint.map_err(|why| ProviderError::new(ErrorClass::InvalidConfig, why).at("version"))?;
        if !constraint.allows(&tool.version) {
            return Err(wrong(wanted).at("version"));
        }
    }
    match at_least(&tool.version, OLDEST) {
        true => Ok(()),
        false => Err(wrong(&format!(">= {OLDEST}"))),
    }
}
