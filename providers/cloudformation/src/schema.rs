//! What `cloudformation_stack` and the provider block look like.

use std::collections::BTreeMap;

use windlass_model::table::{Is, Need, Row, attributes};
use windlass_model::{Body, Can, Finding, Kind, ProviderSchema, Replace, ResourceSchema, Value};

use crate::spec::parameter_text;

/// The one resource type.
pub const KIND: &str = "cloudformation_stack";

/// As many operations at once as a whole account stands without being throttled.
const CONCURRENCY: usize = 10;

/// The provider's schema.
pub fn provider_schema() -> ProviderSchema {
    let config = Body { attributes: attributes(CONFIG), ..Body::default() };
    let stack = ResourceSchema {
        doc: "a CloudFormation stack, by change sets of the stock `aws`",
        body: Body { attributes: attributes(STACK), ..Body::default() },
        can: Can { plan_reads: true, plan_unknown: true, probe: true, ..Can::default() },
        replace: Replace::IdentityOnly,
        version: 1,
    };
    let resources = BTreeMap::from([(KIND, stack)]);
    ProviderSchema { name: "cloudformation", config, resources, concurrency: Some(CONCURRENCY) }
}

const CONFIG: &[Row] = &[
    ("region", Is::Text, Need::Optional, "the region; else AWS_REGION, or the profile's"),
    (
        "profile",
        Is::Text,
        Need::Optional,
        "the profile of the AWS configuration; else as the environment says",
    ),
    ("endpoint_url", Is::Text, Need::Optional, "where AWS is, for stand-ins of it"),
    ("binary", Is::Text, Need::Optional, "`aws`, or a path to it; `aws` by default"),
];

const STACK: &[Row] = &[
    ("name", Is::Text, Need::Identity, "the stack's name"),
    ("template_file", Is::Text, Need::Optional, "the template, YAML or JSON, relative to the stack file"),
    ("template_body", Is::Text, Need::Optional, "the template itself, in place of a file"),
    (
        "parameters",
        Is::Any,
        Need::Optional,
        "values of the template's parameters by name; a list is joined by commas",
    ),
    (
        "tags",
        Is::TextMap,
        Need::Optional,
        "tags of the stack, which CloudFormation hands on to its resources",
    ),
    (
        "capabilities",
        Is::Texts,
        Need::Optional,
        "CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND",
    ),
    ("role_arn", Is::Text, Need::Optional, "the role that CloudFormation acts as"),
    ("notification_arns", Is::Texts, Need::Optional, "topics that are told of the stack's events"),
    ("region", Is::Text, Need::Identifies, "the region; the provider's by default"),
    ("profile", Is::Text, Need::Optional, "the profile; the provider's by default"),
    ("endpoint_url", Is::Text, Need::Optional, "where AWS is; the provider's by default"),
    (
        "template_bucket",
        Is::Text,
        Need::Optional,
        "a bucket in the stack's region for a template over 51,200 bytes",
    ),
    ("stack_policy", Is::Text, Need::Optional, "the stack policy, as JSON"),
    ("termination_protection", Is::Flag, Need::Optional, "whether the stack refuses to be deleted"),
    (
        "on_failure",
        Is::Text,
        Need::Optional,
        "rollback (default), keep, or delete (a stack that could not be made)",
    ),
    (
        "retain_resources",
        Is::Texts,
        Need::Optional,
        "what a delete leaves where it failed on them: logical ids",
    ),
    (
        "resources_to_skip",
        Is::Texts,
        Need::Optional,
        "what a failed rollback is continued without: logical ids",
    ),
    ("stack_id", Is::Text, Need::Computed, "the stack's ARN"),
    ("outputs", Is::Any, Need::Computed, "the stack's outputs by name"),
    (
        "drifted",
        Is::Any,
        Need::Computed,
        "what `windlass drift` found to differ inside, by resource; null: nothing",
    ),
];

const CAPABILITIES: &[&str] = &["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];

/// Tags that say whose a stack is.
pub const OWN_TAGS: &str = "windlass:";

/// What the schema cannot say about a stack's attributes.
pub fn check(desired: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    check_template(desired, &mut found);
    check_parameters(desired, &mut found);
    let text = |name: &str| desired.get(name).and_then(Value::as_str);
    if let Some(name) = text("name").filter(|name| !is_stack_name(name)) {
        let message = format!(
            "`{name}` cannot be the name of a stack: a letter, then letters, digits and `-`, 128 at most"
        );
        found.push(Finding::error("name", message));
    }
    if let Some(word) = text("on_failure").filter(|word| !["rollback", "keep", "delete"].contains(word)) {
        found.push(Finding::error(
            "on_failure",
            format!("on_failure is rollback, keep or delete, not `{word}`"),
        ));
    }
    if let Some(policy) = text("stack_policy")
        && let Err(error) = serde_json::from_str::<serde_json::Value>(policy)
    {
        let mut finding = Finding::error("stack_policy", format!("stack_policy is not JSON: {error}"));
        finding.help =
            Some("write it with jsonencode({ Statement = [...] }), or file(\"policy.json\")".to_owned());
        found.push(finding);
    }
    for tag in desired.get("tags").and_then(Value::entries).unwrap_or_default() {
        if tag.0.starts_with(OWN_TAGS) {
            let message = format!("the tag `{}` is Windlass's own: it says whose the stack is", tag.0);
            found.push(Finding::error("tags", message));
        }
    }
    for item in desired.get("capabilities").and_then(Value::items).unwrap_or_default() {
        if let Some(word) = item.as_str().filter(|word| !CAPABILITIES.contains(word)) {
            let message = format!("there is no capability `{word}`, only {}", CAPABILITIES.join(", "));
            found.push(Finding::error("capabilities", message));
        }
    }
    found
}

fn check_template(desired: &Value, found: &mut Vec<Finding>) {
    let given = |name: &str| desired.get(name).is_some_and(|value| !value.is_null());
    match (given("template_file"), given("template_body")) {
        (true, true) => {
            let message = "template_file and template_body exclude each other";
            found.push(Finding::error("template_body", message));
        }
        (false, false) => {
            let message = "a template is needed: template_file = \"stack.yaml\", or template_body";
            found.push(Finding::error("", message));
        }
        _ => {}
    }
    let file = desired.get("template_file").and_then(Value::as_str);
    if let Some(file) = file.filter(|file| file.is_empty() || file.starts_with('/') || file.contains("://")) {
        let message =
            format!("template_file must be a file of the checkout, relative to the stack file, not `{file}`");
        found.push(Finding::error("template_file", message));
    }
}

fn check_parameters(desired: &Value, found: &mut Vec<Finding>) {
    let Some(parameters) = desired.get("parameters") else { return };
    let entries = match &parameters.kind {
        Kind::Null | Kind::Unknown(_) => return,
        Kind::Map(fields) | Kind::Object(fields) => &fields.entries,
        _ => {
            found.push(Finding::error("parameters", "parameters must be an object: Name = value"));
            return;
        }
    };
    let at = windlass_model::AttrPath::from("parameters");
    for (name, value) in entries.iter().filter(|(_, value)| value.is_known()) {
        if let Err(why) = parameter_text(value) {
            found.push(Finding::error(at.name(name.clone()), format!("parameter `{name}`: {why}")));
        }
    }
}

fn is_stack_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_schema_cannot_say_is_checked() {
        let desired = Value::object([
            ("name", Value::from("9x")),
            ("template_file", Value::from("/abs")),
            ("template_body", Value::from("x")),
            (
                "parameters",
                Value::object([("A", Value::object([("b", Value::from(1))])), ("B", Value::from(1))]),
            ),
            ("on_failure", Value::from("explode")),
            ("stack_policy", Value::from("{")),
            ("tags", Value::object([("windlass:store", Value::from("x"))])),
            ("capabilities", Value::tuple(vec![Value::from("IAM")])),
        ]);
        let paths: Vec<String> = check(&desired).iter().map(|finding| finding.path.to_string()).collect();
        assert_eq!(
            paths,
            [
                "template_body",
                "template_file",
                "parameters.A",
                "name",
                "on_failure",
                "stack_policy",
                "tags",
                "capabilities"
            ]
        );
        let good = [("name", Value::from("shop-1")), ("template_file", Value::from("../q.yaml"))];
        assert!(check(&Value::object(good)).is_empty());
        assert_eq!(check(&Value::object([("name", Value::from("x"))])).len(), 1);
    }

    #[test]
    fn a_stack_is_replaced_for_its_identity_only() {
        let schema = provider_schema();
        let stack = &schema.resources[KIND];
        assert_eq!(stack.replace, Replace::IdentityOnly);
        assert!(stack.can.plan_reads && stack.can.plan_unknown && stack.can.probe);
        assert!(stack.body.attributes["name"].forces_replace && stack.body.attributes["outputs"].computed);
        assert!(!stack.body.attributes["parameters"].forces_replace);
    }
}
