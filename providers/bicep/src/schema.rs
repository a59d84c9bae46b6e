//! What `bicep_deployment` and the provider block look like, and what the schema cannot say.

use std::collections::BTreeMap;

use windlass_model::table::{Is, Need, Row, attributes};
use windlass_model::{
    AttrPath, Block, Body, Can, Finding, Kind, Nesting, ProviderSchema, Replace, ResourceSchema, Value,
};

/// The one resource type.
pub const KIND: &str = "bicep_deployment";

/// How many `az` are useful at once: each start costs half a second of a processor, and Azure throttles by subscription.
const AT_ONCE: usize = 4;

/// The provider's schema.
pub fn provider_schema() -> ProviderSchema {
    let config = Body { attributes: attributes(CONFIG), ..Body::default() };
    let deny = Block {
        nesting: Nesting::Single,
        body: Body { attributes: attributes(DENY), ..Body::default() },
        required: false,
    };
    let deployment = ResourceSchema {
        doc: "a Bicep or ARM template, as a deployment stack or a deployment, by az",
        body: Body { attributes: attributes(DEPLOYMENT), blocks: BTreeMap::from([("deny_settings", deny)]) },
        can: Can { plan_reads: true, plan_unknown: true, probe: true, ..Can::default() },
        replace: Replace::IdentityOnly,
        version: 1,
    };
    let resources = BTreeMap::from([(KIND, deployment)]);
    ProviderSchema { name: "bicep", config, resources, concurrency: Some(AT_ONCE) }
}

const CONFIG: &[Row] = &[
    (
        "subscription",
        Is::Text,
        Need::Optional,
        "the subscription's id or name; the login's default one by default",
    ),
    (
        "cloud",
        Is::Text,
        Need::Optional,
        "the cloud that az knows by this name; the one it is set to by default",
    ),
    ("binary", Is::Text, Need::Optional, "`az`, or a path; `az` by default"),
    (
        "bicep",
        Is::Text,
        Need::Optional,
        "the path of the Bicep compiler; az's own, then the one on PATH by default",
    ),
];

const DENY: &[Row] = &[
    ("mode", Is::Text, Need::Required, "\"none\", \"denyDelete\" or \"denyWriteAndDelete\""),
    ("apply_to_child_scopes", Is::Flag, Need::Optional, "whether it holds for child scopes too"),
    ("excluded_actions", Is::Texts, Need::Optional, "management operations that stay allowed"),
    ("excluded_principals", Is::Texts, Need::Optional, "object ids of who may do it even so"),
];

const DEPLOYMENT: &[Row] = &[
    ("name", Is::Text, Need::Identity, "the name of the stack or deployment"),
    (
        "template_file",
        Is::Text,
        Need::Required,
        "a .bicep, .bicepparam or ARM .json file, relative to the stack's directory",
    ),
    ("parameters", Is::Any, Need::Optional, "values of the template's parameters, by name"),
    (
        "parameters_file",
        Is::Text,
        Need::Optional,
        "an ARM parameters .json file or a .bicepparam file, in place of `parameters`",
    ),
    ("scope", Is::Text, Need::Identifies, "\"group\" (by default) or \"subscription\""),
    ("resource_group", Is::Text, Need::Identifies, "the resource group that it is deployed to"),
    ("create_resource_group", Is::Flag, Need::Optional, "whether the group is made, and deleted at the end"),
    ("location", Is::Text, Need::Optional, "of the group that is made, or of a deployment to a subscription"),
    ("subscription", Is::Text, Need::Identifies, "the subscription's id or name; the provider's by default"),
    (
        "mode",
        Is::Text,
        Need::Identifies,
        "\"stack\" (by default: owns what it makes) or \"deployment\" (incremental)",
    ),
    (
        "action_on_unmanage",
        Is::Text,
        Need::Optional,
        "what becomes of what leaves the template, and of everything at destroy: \"delete\" (by default) or \"detach\"",
    ),
    ("tags", Is::TextMap, Need::Optional, "tags of the stack"),
    ("cloud", Is::Text, Need::Optional, "the cloud that az knows by this name; the provider's by default"),
    ("show_noise", Is::Flag, Need::Optional, "whether a plan lists what-if's known noise"),
    ("deployment_id", Is::Text, Need::Computed, "the id of the stack or deployment"),
    ("outputs", Is::Any, Need::Computed, "the template's outputs"),
    ("resources", Is::Texts, Need::Computed, "the ids of what it manages"),
    (
        "drift",
        Is::Texts,
        Need::Computed,
        "what was changed by others, as of the last look; empty after an apply",
    ),
];

/// The computed attributes.
pub const COMPUTED: [&str; 4] = ["deployment_id", "drift", "outputs", "resources"];

/// What the schema cannot say about a deployment's attributes. They may be unknown in part.
pub fn check(desired: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    check_words(desired, &mut found);
    check_template(desired, &mut found);
    check_scope(desired, &mut found);
    check_tags(desired, &mut found);
    check_deny(desired, &mut found);
    found
}

fn text<'v>(desired: &'v Value, name: &str) -> Option<&'v str> {
    desired.get(name).and_then(Value::as_str)
}

fn is_absent(desired: &Value, name: &str) -> bool {
    desired.get(name).is_none_or(Value::is_null)
}

fn helped(finding: Finding, help: &str) -> Finding {
    Finding { help: Some(help.to_owned()), ..finding }
}

const WORDS: [(&str, &[&str]); 3] = [
    ("scope", &["group", "subscription"]),
    ("mode", &["stack", "deployment"]),
    ("action_on_unmanage", &["delete", "detach"]),
];

fn check_words(desired: &Value, found: &mut Vec<Finding>) {
    for (name, allowed) in WORDS {
        if let Some(word) = text(desired, name).filter(|word| !allowed.contains(word)) {
            let all: Vec<String> = allowed.iter().map(|word| format!("`{word}`")).collect();
            found.push(Finding::error(name, format!("{name} is {}, not `{word}`", all.join(" or "))));
        }
    }
    if let Some(name) = text(desired, "name")
        && !is_name(name)
    {
        let message = format!(
            "`{name}` cannot be a deployment's name: letters, digits, `-`, `.`, `_`, `(`, `)`, at most 64"
        );
        found.push(Finding::error("name", message));
    }
    if let Some(group) = text(desired, "resource_group")
        && (group.is_empty() || group.len() > 90 || group.starts_with(['-', '@']) || group.contains('/'))
    {
        found.push(Finding::error("resource_group", format!("`{group}` cannot be a resource group's name")));
    }
}

/// Azure's rule for both kinds, at its narrowest; and nothing that `az` would take for an option or a file.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._()".contains(c);
    !name.is_empty() && name.len() <= 64 && !name.starts_with('-') && name.chars().all(fits)
}

fn check_template(desired: &Value, found: &mut Vec<Finding>) {
    if let Some(parameters) = desired.get("parameters")
        && !matches!(parameters.kind, Kind::Null | Kind::Map(_) | Kind::Object(_) | Kind::Unknown(_))
    {
        found.push(Finding::error("parameters", "parameters must be an object: name = value"));
    }
    let kinds: [(&str, &[&str]); 2] = [
        ("template_file", &[".bicep", ".bicepparam", ".json", ".jsonc"]),
        ("parameters_file", &[".bicepparam", ".json", ".jsonc"]),
    ];
    for (name, endings) in kinds {
        let Some(path) = text(desired, name) else { continue };
        if path.starts_with('/') || path.contains("://") {
            let message = format!("{name} must be a file of the checkout, relative to the stack's directory");
            found.push(Finding::error(name, message));
        } else if !endings.iter().any(|ending| path.ends_with(ending)) {
            let message = format!("{name} must end in {}", endings.join(", "));
            found.push(Finding::error(name, message));
        }
    }
    let both = !is_absent(desired, "parameters") && !is_absent(desired, "parameters_file");
    if both {
        found.push(Finding::error("parameters_file", "give `parameters` or `parameters_file`, not both"));
    }
    if text(desired, "template_file").is_some_and(|path| path.ends_with(".bicepparam")) {
        for name in ["parameters", "parameters_file"].into_iter().filter(|name| !is_absent(desired, name)) {
            let message = format!("a .bicepparam template brings its own parameters: leave `{name}` out");
            found.push(Finding::error(name, message));
        }
    }
}

fn check_scope(desired: &Value, found: &mut Vec<Finding>) {
    let scope = desired.get("scope");
    if scope.is_some_and(Value::is_unknown) {
        return;
    }
    let creates = desired.get("create_resource_group").and_then(Value::as_bool) == Some(true);
    if text(desired, "scope") == Some("subscription") {
        for name in ["resource_group", "create_resource_group"] {
            if !is_absent(desired, name) && (name == "resource_group" || creates) {
                found.push(Finding::error(name, format!("{name} does not go with scope = \"subscription\"")));
            }
        }
        if is_absent(desired, "location") {
            let finding = Finding::error("location", "a deployment to a subscription needs a location");
            found.push(helped(finding, "add: location = \"westeurope\""));
        }
        return;
    }
    if is_absent(desired, "resource_group") {
        let finding = Finding::error("resource_group", "resource_group is missing");
        found.push(helped(finding, "name the group that it is deployed to, or say scope = \"subscription\""));
    }
    if creates && is_absent(desired, "location") {
        let finding = Finding::error("location", "a resource group that is made needs a location");
        found.push(helped(finding, "add: location = \"westeurope\""));
    }
}

fn check_tags(desired: &Value, found: &mut Vec<Finding>) {
    let path = AttrPath::from("tags");
    let tags = desired.get("tags").and_then(Value::entries).unwrap_or_default();
    for (name, value) in tags {
        let broken = name.is_empty()
            || name.len() > 512
            || name.starts_with(['-', '@'])
            || name.contains(|c| "<>%&\\?/=".contains(c));
        if broken {
            found.push(Finding::error(path.name(name.clone()), format!("`{name}` cannot be a tag's name")));
        } else if name.starts_with("windlass:") {
            let message = "tags that begin with `windlass:` say whose it is, and are set by Windlass";
            found.push(Finding::error(path.name(name.clone()), message));
        }
        if value.as_str().is_some_and(|text| text.starts_with('@') || text.len() > 256) {
            let message = "a tag's value has at most 256 characters and does not begin with `@`";
            found.push(Finding::error(path.name(name.clone()), message));
        }
        if value.is_sensitive() {
            let message = "a tag is public: its value cannot be sensitive";
            found.push(Finding::error(path.name(name.clone()), message));
        }
    }
    let deployment = text(desired, "mode") == Some("deployment");
    for name in ["tags", "deny_settings"] {
        if deployment && !is_absent(desired, name) {
            found.push(Finding::error(name, format!("{name} goes with mode = \"stack\" only")));
        }
    }
}

fn check_deny(desired: &Value, found: &mut Vec<Finding>) {
    let Some(deny) = desired.get("deny_settings") else { return };
    let modes = ["none", "denyDelete", "denyWriteAndDelete"];
    if let Some(mode) = text(deny, "mode").filter(|mode| !modes.contains(mode)) {
        let message = format!("mode is `none`, `denyDelete` or `denyWriteAndDelete`, not `{mode}`");
        found.push(Finding::error(AttrPath::from("deny_settings").name("mode"), message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(value: &[(&str, Value)]) -> Vec<String> {
        let value = Value::object(value.iter().map(|(name, value)| (*name, value.clone())));
        check(&value).iter().map(|finding| finding.path.to_string()).collect()
    }

    #[test]
    fn what_the_schema_cannot_say_is_checked() {
        let name = ("name", Value::from("app"));
        let file = ("template_file", Value::from("main.bicep"));
        let group = ("resource_group", Value::from("g"));
        assert!(paths(&[name.clone(), file.clone(), group.clone()]).is_empty());
        assert_eq!(paths(&[name.clone(), file.clone()]), ["resource_group"]);
        let creates = ("create_resource_group", Value::from(true));
        assert_eq!(paths(&[name.clone(), file.clone(), group.clone(), creates]), ["location"]);
        let scope = ("scope", Value::from("subscription"));
        assert_eq!(
            paths(&[name.clone(), file.clone(), group.clone(), scope]),
            ["resource_group", "location"]
        );
        let param = ("template_file", Value::from("main.bicepparam"));
        let parameters = ("parameters", Value::object([("a", Value::from(1))]));
        assert_eq!(paths(&[name.clone(), param, group.clone(), parameters.clone()]), ["parameters"]);
        let both = ("parameters_file", Value::from("p.json"));
        assert_eq!(
            paths(&[name.clone(), file.clone(), group.clone(), parameters, both]),
            ["parameters_file"]
        );
        let tags = (
            "tags",
            Value::object([
                ("a/b", Value::from("x")),
                ("c", Value::from("@f")),
                ("windlass:x", Value::from("y")),
            ]),
        );
        assert_eq!(paths(&[name, file, group, tags]), ["tags[\"a/b\"]", "tags.c", "tags[\"windlass:x\"]"]);
        let odd = [
            ("name", Value::from("a b")),
            ("template_file", Value::from("/x.txt")),
            ("resource_group", Value::from("a/b")),
            ("mode", Value::from("full")),
            ("deny_settings", Value::object([("mode", Value::from("deny"))])),
        ];
        assert_eq!(paths(&odd), ["mode", "name", "resource_group", "template_file", "deny_settings.mode"]);
    }

    #[test]
    fn it_plans_with_unknowns_and_is_replaced_by_identity_only() {
        let schema = provider_schema();
        let deployment = &schema.resources[KIND];
        assert_eq!(deployment.replace, Replace::IdentityOnly);
        assert!(deployment.can.plan_unknown && deployment.can.plan_reads && deployment.can.probe);
        for name in COMPUTED {
            assert!(deployment.body.attributes[name].computed, "{name}");
        }
    }
}
