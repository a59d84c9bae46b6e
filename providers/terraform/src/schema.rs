//! What `terraform_root` and the provider block look like, and a root's inputs as plain data.

use std::collections::BTreeMap;

use windlass_model::table::{Is, Need, Row, attributes};
use windlass_model::{Body, Can, Finding, Kind, ProviderSchema, Replace, ResourceSchema, Value};

use crate::version::Constraint;

/// The one resource type.
pub const KIND: &str = "terraform_root";

/// The provider's schema.
pub fn provider_schema() -> ProviderSchema {
    let config = Body { attributes: attributes(CONFIG), ..Body::default() };
    let root = ResourceSchema {
        doc: "a Terraform or OpenTofu root module, unchanged, run by the stock tool",
        body: Body { attributes: attributes(ROOT), ..Body::default() },
        can: Can { plan_reads: true, plan_unknown: false, probe: true, ..Can::default() },
        replace: Replace::Never,
        version: 1,
    };
    let resources = BTreeMap::from([(KIND, root)]);
    ProviderSchema { name: "terraform", config, resources, concurrency: None }
}

const CONFIG: &[Row] = &[
    ("binary", Is::Text, Need::Optional, "`terraform`, `tofu`, or a path; `terraform` by default"),
    ("cache_dir", Is::Text, Need::Optional, "the shared plugin cache; one below .windlass by default"),
];

const ROOT: &[Row] = &[
    ("source", Is::Text, Need::Required, "the root's directory, relative to the stack's"),
    ("variables", Is::Any, Need::Optional, "values of the root's variables, by name"),
    (
        "files",
        Is::Texts,
        Need::Optional,
        "globs, relative to the stack's directory, of files read outside the root",
    ),
    ("binary", Is::Text, Need::Optional, "`terraform`, `tofu`, or a path; the provider's by default"),
    ("version", Is::Text, Need::Optional, "which versions of the tool will do: \">= 1.6, < 2\""),
    ("workspace", Is::Text, Need::Optional, "the workspace; `default` by default"),
    (
        "backend_config",
        Is::TextMap,
        Need::Optional,
        "settings for the root's own backend, as -backend-config",
    ),
    ("parallelism", Is::Number, Need::Optional, "how many objects at once; terraform's own default is 10"),
    ("env", Is::TextMap, Need::Optional, "environment variables for the tool"),
    ("outputs", Is::Any, Need::Computed, "the root's outputs, with their types"),
    ("resources", Is::Any, Need::Computed, "what the root manages: address, type and id of each"),
];

/// A root's inputs as plain data. What is not known yet is absent.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// The root's directory, relative to the stack's.
    pub source: String,
    /// By name.
    pub variables: Option<Value>,
    /// Globs of further files.
    pub files: Vec<String>,
    /// A constraint on its version.
    pub version: Option<String>,
    /// Not the default one.
    pub workspace: Option<String>,
    /// Sorted.
    pub backend_config: BTreeMap<String, String>,
    /// A number of objects.
    pub parallelism: Option<i64>,
    /// Sorted.
    pub env: BTreeMap<String, String>,
}

impl Spec {
    /// Reads the decoded attributes.
    pub fn read(desired: &Value) -> Spec {
        let text = |name: &str| desired.get(name).and_then(Value::as_str).map(str::to_owned);
        let texts = desired.get("files").and_then(Value::items).unwrap_or_default();
        Spec {
            source: text("source").unwrap_or_default(),
            variables: desired.get("variables").filter(|value| !value.is_null()).cloned(),
            files: texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            version: text("version"),
            workspace: text("workspace").filter(|name| name != "default"),
            backend_config: text_map(desired.get("backend_config")),
            parallelism: desired.get("parallelism").and_then(Value::as_i64),
            env: text_map(desired.get("env")),
        }
    }
}

fn text_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::entries).unwrap_or_default().iter();
    entries.filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned()))).collect()
}

/// What the schema cannot say about a root's attributes.
pub fn check(desired: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(variables) = desired.get("variables")
        && !matches!(variables.kind, Kind::Null | Kind::Map(_) | Kind::Object(_) | Kind::Unknown(_))
    {
        found.push(Finding::error("variables", "variables must be an object: name = value"));
    }
    let text = |name: &str| desired.get(name).and_then(Value::as_str);
    if let Some(source) = text("source") {
        if source.is_empty() {
            found.push(Finding::error("source", "source must not be empty"));
        } else if source.starts_with('/') || source.contains("://") {
            let message = "source must be a directory of the checkout, relative to the stack's directory";
            found.push(Finding::error("source", message));
        }
    }
    if let Some(Err(why)) = text("version").map(Constraint::parse) {
        found.push(Finding::error("version", why));
    }
    if let Some(workspace) = text("workspace")
        && (workspace.is_empty() || !workspace.chars().all(|c| c.is_alphanumeric() || "-_.~".contains(c)))
    {
        found.push(Finding::error("workspace", format!("`{workspace}` cannot be a workspace's name")));
    }
    if let Some(parallelism) = desired.get("parallelism").filter(|value| value.as_number().is_some())
        && parallelism.as_i64().is_none_or(|count| !(1..=1000).contains(&count))
    {
        found.push(Finding::error("parallelism", "parallelism must be a whole number from 1 to 1000"));
    }
    for name in desired.get("env").and_then(Value::entries).unwrap_or_default().iter().map(|(name, _)| name) {
        if let Some(instead) = instead_of(name) {
            let mut finding = Finding::error(
                windlass_model::AttrPath::from("env").name(name.clone()),
                format!("{name} is set by Windlass"),
            );
            finding.help = Some(instead.to_owned());
            found.push(finding);
        }
    }
    found
}

/// What to use in place of an environment variable that would bend how the tool is run.
fn instead_of(name: &str) -> Option<&'static str> {
    match name {
        "TF_WORKSPACE" => Some("use `workspace`"),
        "TF_DATA_DIR" | "TF_INPUT" | "TF_IN_AUTOMATION" => Some("leave it out"),
        _ if name.starts_with("TF_VAR_") => Some("use `variables`"),
        _ if name.starts_with("TF_CLI_ARGS") => Some("leave it out"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_schema_cannot_say_is_checked() {
        let desired = Value::object([
            ("source", Value::from("/abs")),
            ("variables", Value::from("x")),
            ("version", Value::from("about 1")),
            ("parallelism", Value::from(0)),
            ("env", Value::object([("TF_VAR_x", Value::from("1")), ("AWS_REGION", Value::from("x"))])),
        ]);
        let paths: Vec<String> = check(&desired).iter().map(|finding| finding.path.to_string()).collect();
        assert_eq!(paths, ["variables", "source", "version", "parallelism", "env.TF_VAR_x"]);
        assert!(check(&Value::object([("source", Value::from("../net"))])).is_empty());
    }

    #[test]
    fn a_root_is_never_replaced() {
        let schema = provider_schema();
        let root = &schema.resources[KIND];
        assert_eq!(root.replace, Replace::Never);
        assert!(root.can.plan_reads && root.can.probe && !root.can.plan_unknown);
        assert!(root.body.attributes["source"].required && root.body.attributes["outputs"].computed);
    }
}
