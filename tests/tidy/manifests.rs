//! What each crate may depend on.

use crate::File;

/// A crate's folder and the crates of the workspace that it may depend on.
const TABLE: [(&str, &[&str]); 5] = [
    ("state/model", &[]),
    ("state/store", &["windlass-model"]),
    ("providers/api", &["windlass-model"]),
    ("testing", &[]),
    ("xtask", &["windlass-testing"]),
];

/// What any provider may depend on.
const PROVIDER: &[&str] = &["windlass-model", "windlass-provider"];

/// What any crate's tests may take besides, and nothing else may.
const TESTS_ONLY: &str = "windlass-testing";

/// What of the command line only the root package may have, and only behind its `cli` feature.
const COMMAND_LINE: [&str; 3] = ["clap", "clap_complete", "indicatif"];

/// Wrong or missing lines of a `Cargo.toml`.
pub fn findings(file: &File) -> Vec<String> {
    let folder = file.path.trim_end_matches("Cargo.toml").trim_end_matches('/');
    let dependencies = dependencies(&file.text);
    let mut wrong = if folder.is_empty() { root(&dependencies) } else { member(folder, &dependencies) };
    if !file.text.contains("[lints]\nworkspace = true") {
        wrong.push("does not take the workspace's lints".to_owned());
    }
    wrong.into_iter().map(|wrong| format!("{}: {wrong}", file.path)).collect()
}

/// A dependency: its section, its name, the rest of its line.
type Dependency = (String, String, String);

fn member(folder: &str, dependencies: &[Dependency]) -> Vec<String> {
    let allowed = match TABLE.iter().find(|(name, _)| *name == folder) {
        Some((_, allowed)) => *allowed,
        None if folder.starts_with("providers/") => PROVIDER,
        None => return vec!["has no line in the table of tests/tidy/manifests.rs".to_owned()],
    };
    let wrong = dependencies.iter().filter(|(section, name, _)| {
        // A crate's own tests may take it with other features.
        let own = folder == "providers/api" && name == "windlass-provider" || for_tests(section, name);
        let ours = name.starts_with("windlass") && !allowed.contains(&name.as_str()) && !own;
        ours || COMMAND_LINE.contains(&name.as_str())
    });
    wrong.map(|(_, name, _)| format!("may not depend on {name}")).collect()
}

fn for_tests(section: &str, name: &str) -> bool {
    name == TESTS_ONLY && section.ends_with("dev-dependencies")
}

fn root(dependencies: &[Dependency]) -> Vec<String> {
    let only_binary = |name: &str| COMMAND_LINE.contains(&name) || name.starts_with("windlass-provider-");
    let named = dependencies.iter().filter(|(section, name, rest)| {
        section == "dependencies" && only_binary(name) && !rest.contains("optional = true")
    });
    let tests =
        dependencies.iter().filter(|(section, name, _)| name == TESTS_ONLY && !for_tests(section, name));
    let wrong = named.map(|(_, name, _)| format!("{name} must be optional, behind `cli`"));
    wrong.chain(tests.map(|(_, name, _)| format!("{name} is for tests only"))).collect()
}

/// All dependencies, whatever they are for; not the workspace's list of versions.
fn dependencies(text: &str) -> Vec<Dependency> {
    let mut section = "";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            // `[dependencies.name]`
            if let Some((kind, name)) = section.rsplit_once("dependencies.") {
                found.push((format!("{kind}dependencies"), name.to_owned(), String::new()));
            }
        } else if section.ends_with("dependencies") && section != "workspace.dependencies" {
            let Some((name, rest)) = line.split_once(['.', '=', ' ']) else { continue };
            if !name.is_empty() && !name.starts_with('#') {
                found.push((section.to_owned(), name.to_owned(), rest.to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> usize {
        findings(&File::new(path, &format!("{text}\n[lints]\nworkspace = true\n"))).len()
    }

    #[test]
    fn a_wrong_dependency_is_seen() {
        for bad in [
            "[dependencies]\nwindlass-store.workspace = true",
            "[dependencies]\nwindlass-provider-local = { path = \"../local\" }",
            "[dev-dependencies]\nwindlass-store = { workspace = true }",
            "[target.'cfg(unix)'.dependencies]\nwindlass.workspace = true",
            "[dependencies.windlass-store]\nworkspace = true",
            "[dependencies]\nclap.workspace = true",
            "[dependencies]\nwindlass-testing.workspace = true",
        ] {
            assert_eq!(of("providers/terraform/Cargo.toml", bad), 1, "{bad}");
        }
        assert_eq!(of("state/model/Cargo.toml", "[dependencies]\nwindlass-store.workspace = true"), 1);
        assert_eq!(of("Cargo.toml", "[dependencies]\nclap = { workspace = true }"), 1);
        assert_eq!(of("Cargo.toml", "[dependencies]\nwindlass-provider-local.workspace = true"), 1);
        assert_eq!(of("Cargo.toml", "[dependencies]\nwindlass-testing.workspace = true"), 1);
        assert_eq!(of("server/Cargo.toml", ""), 1);
        assert_eq!(findings(&File::new("xtask/Cargo.toml", "[package]")).len(), 1);
    }

    #[test]
    fn right_dependencies_are_fine() {
        let good = "[dependencies]\nwindlass-model.workspace = true\nwindlass-provider.workspace = true\nserde = \"1\"";
        assert_eq!(of("providers/terraform/Cargo.toml", good), 0);
        let tests = "[dev-dependencies]\nwindlass-testing = { workspace = true, features = [\"grounds\"] }";
        assert_eq!(of("providers/terraform/Cargo.toml", tests) + of("Cargo.toml", tests), 0);
        let root = "[workspace.dependencies]\nclap = \"4\"\n[dependencies]\nclap = { workspace = true, optional = true }";
        assert_eq!(of("Cargo.toml", root), 0);
    }
}
