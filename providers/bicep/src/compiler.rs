//! The Bicep compiler: which one is meant, and what it says.

use windlass_model::ErrorClass;
use windlass_provider::{Binary, ProviderError, Toolbox};

use crate::profile;

/// How to get it.
pub const GET_IT: &str = "install it with `az bicep install`, or name its path in the provider's `bicep`";

/// Looks for it as `az` does: where its settings say, else its own one, and, as ours runs it directly, on `PATH` at last.
///
/// # Errors
/// `tool_missing`.
pub fn find(named: Option<&str>, tools: &Toolbox) -> Result<Binary, ProviderError> {
    if let Some(path) = named {
        return Binary::find(path, GET_IT, tools);
    }
    let wish = tools.env.get("AZURE_BICEP_USE_BINARY_FROM_PATH").map(|wish| wish.to_lowercase());
    let from_path = match wish.as_deref() {
        Some("1" | "yes" | "true" | "on") => Some(true),
        Some("0" | "no" | "false" | "off") => Some(false),
        _ if ["GITHUB_ACTIONS", "TF_BUILD"].iter().any(|name| tools.env.contains_key(*name)) => Some(true),
        _ => None,
    };
    let own = profile::config_dir(&tools.env).map(|dir| dir.join("bin").join("bicep"));
    let own = own.map(|path| Binary::find(&path.display().to_string(), GET_IT, tools));
    let on_path = || Binary::find("bicep", GET_IT, tools);
    let found = match (from_path, own) {
        (Some(true), Some(own)) => on_path().or(own),
        (Some(true), None) => on_path(),
        (Some(false), Some(own)) => own,
        (_, Some(own)) => own.or_else(|_| on_path()),
        (_, None) => on_path(),
    };
    found.map_err(|_| {
        let message = "the Bicep compiler was not found, neither az's own nor one on PATH";
        ProviderError::new(ErrorClass::ToolMissing, message).hint(GET_IT)
    })
}

/// The compiler's errors or warnings, each in a line, with the paths of the snapshot: `main.bicep(3,5): BCP057: …`.
pub fn lines(text: &str, root: &str, kind: &str) -> Vec<String> {
    let mut found = Vec::new();
    let marks = [format!(") : {kind} "), format!("): {kind} ")];
    for line in text.lines() {
        let line = line.trim().trim_start_matches("ERROR: ").trim_start_matches("WARNING: ");
        let Some((place, said)) = marks.iter().find_map(|mark| line.split_once(mark.as_str())) else {
            continue;
        };
        let place = place.strip_prefix(root).unwrap_or(place).trim_start_matches('/');
        // The link to the rule says nothing that the code does not.
        let said = said.split_once(" [https://").map_or(said, |(said, _)| said);
        found.push(format!("{place}): {said}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_paths_of_the_snapshot() {
        let text = "/w/src/app/main.bicep(3,9) : Error BCP057: The name \"x\" does not exist in the current context. [https://aka.ms/bicep/core-diagnostics#BCP057]\n\
            /w/src/app/main.bicep(1,7) : Warning no-unused-params: Parameter \"p\" is declared but never used. [https://aka.ms/x]\n";
        assert_eq!(
            lines(text, "/w/src", "Error"),
            ["app/main.bicep(3,9): BCP057: The name \"x\" does not exist in the current context."]
        );
        assert_eq!(lines(text, "/w/src", "Warning").len(), 1);
    }
}
