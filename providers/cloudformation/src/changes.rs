//! From a described change set to nested changes for people, and to what must be the same when it is made again. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use windlass_model::NestedChange;
use windlass_provider::Redactor;

use crate::answers::ResourceChange;
use crate::template::analyse::{HIDDEN, short};

/// What stands in a context for what is known when it was done.
const LATER_MARK: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";
/// What stands there for a NoEcho parameter.
const STARS: &str = "****";

/// A resource change with its whole path: `Parent/Logical`.
#[derive(Clone, Debug)]
pub struct Placed {
    /// `Queue`, or `Network/Vpc`.
    pub address: String,
    /// What the service says.
    pub change: ResourceChange,
}

/// What a change does, without values: the same, then the same was approved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Essence {
    address: String,
    kind: String,
    action: String,
    replacement: String,
    policy: String,
    because: BTreeSet<String>,
}

impl Placed {
    /// The word for people and for the plan's id.
    pub fn action(&self) -> &'static str {
        let change = &self.change;
        match (change.action.as_str(), change.replacement.as_str()) {
            ("Add", _) => "create",
            ("Remove", _) => "delete",
            ("Import", _) => "import",
            // What may be a replacement is one: it may destroy.
            ("Modify", "True" | "Conditional") => "replace",
            _ => "update",
        }
    }

    /// What must be the same.
    pub fn essence(&self) -> Essence {
        let change = &self.change;
        Essence {
            address: self.address.clone(),
            kind: change.resource_type.clone(),
            action: change.action.clone(),
            replacement: change.replacement.clone(),
            policy: change.policy_action.clone(),
            because: change.details.iter().filter_map(|detail| target(detail, false)).collect(),
        }
    }

    /// For the plan.
    pub fn nested(&self, redact: &Redactor, secret: &BTreeSet<String>) -> NestedChange {
        let change = &self.change;
        let action = self.action();
        let forcing = change.details.iter().filter(|detail| {
            let recreation = detail.target.as_ref().map(|target| target.requires_recreation.as_str());
            matches!(recreation, Some("Always" | "Conditionally"))
        });
        let because: BTreeSet<String> = forcing.filter_map(|detail| target(detail, true)).collect();
        let mut lines = Vec::new();
        if action == "replace" && change.replacement == "Conditional" {
            lines.push("may be replaced: CloudFormation cannot tell yet".to_owned());
        }
        if let Some(words) = policy(&change.policy_action) {
            lines.push(words.to_owned());
        }
        if change.action == "Dynamic" {
            lines.push("what is done to it depends on what a nested stack turns out to be".to_owned());
        }
        lines.extend(self.value_lines(secret).iter().map(|line| redact.redact(line)));
        let because = if action == "replace" { because.into_iter().collect() } else { Vec::new() };
        NestedChange { address: self.address.clone(), action: action.to_owned(), because, lines }
    }

    fn value_lines(&self, secret: &BTreeSet<String>) -> Vec<String> {
        let change = &self.change;
        let context = |text: &Option<String>| {
            let json: Option<Json> = text.as_deref().and_then(|text| serde_json::from_str(text).ok());
            json.map(|mut json| json["Properties"].take()).unwrap_or_default()
        };
        let (before, after) = (context(&change.before_context), context(&change.after_context));
        if before.is_null() && after.is_null() {
            return self.detail_lines(secret);
        }
        let mut lines = Vec::new();
        difference("", &before, &after, &mut lines);
        let hidden = |name: &str| {
            let top = name.split(['.', '[']).next().unwrap_or(name);
            secret.contains(&format!("{}.{top}", change.logical_resource_id))
        };
        lines.into_iter().map(|line| line.text(&hidden)).collect()
    }

    /// Without contexts: what the details tell.
    fn detail_lines(&self, secret: &BTreeSet<String>) -> Vec<String> {
        let lines = self.change.details.iter().filter_map(|detail| {
            let name = target(detail, true)?;
            let target = detail.target.as_ref()?;
            let hidden = secret.contains(&format!("{}.{name}", self.change.logical_resource_id));
            let shown = |value: &Option<String>| match value {
                Some(_) if hidden => HIDDEN.to_owned(),
                Some(value) => format!("{value:?}"),
                None => "(not told)".to_owned(),
            };
            let cause = detail.causing_entity.as_ref().map(|cause| format!(", because of {cause}"));
            Some(match (&target.before_value, &target.after_value) {
                (None, None) => format!("~ {name}{}", cause.unwrap_or_default()),
                (before, after) => format!("~ {name}: {} -> {}", shown(before), shown(after)),
            })
        });
        // The same target may be told once as static and once as dynamic.
        lines.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn target(detail: &crate::answers::Detail, short_form: bool) -> Option<String> {
    let target = detail.target.as_ref()?;
    let name = target.name.clone().unwrap_or_else(|| target.attribute.clone());
    match short_form {
        true => Some(name),
        false => Some(format!("{}.{name}:{}", target.attribute, target.requires_recreation)),
    }
}

fn policy(action: &str) -> Option<&'static str> {
    match action {
        "Delete" => Some("what it was is deleted"),
        "Retain" => Some("what it was is kept, outside the stack (its policy is Retain)"),
        "Snapshot" => Some("a snapshot is kept of what it was (its policy is Snapshot)"),
        "ReplaceAndDelete" => Some("the old one is deleted"),
        "ReplaceAndRetain" => Some("the old one is kept, outside the stack (its policy is Retain)"),
        "ReplaceAndSnapshot" => Some("a snapshot is kept of the old one (its policy is Snapshot)"),
        _ => None,
    }
}

/// A property that differs.
struct Line {
    name: String,
    before: Option<String>,
    after: Option<String>,
}

impl Line {
    fn text(&self, hidden: &dyn Fn(&str) -> bool) -> String {
        let shown = |value: &String| if hidden(&self.name) { HIDDEN.to_owned() } else { value.clone() };
        let name = &self.name;
        match (&self.before, &self.after) {
            (None, Some(after)) => format!("+ {name}: {}", shown(after)),
            (Some(before), None) => format!("- {name}: {}", shown(before)),
            (Some(before), Some(after)) => format!("~ {name}: {} -> {}", shown(before), shown(after)),
            (None, None) => format!("~ {name}"),
        }
    }
}

fn difference(name: &str, before: &Json, after: &Json, lines: &mut Vec<Line>) {
    match (before, after) {
        (Json::Object(old), Json::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                let null = Json::Null;
                difference(&path, old.get(key).unwrap_or(&null), new.get(key).unwrap_or(&null), lines);
            }
        }
        // A whole that comes or goes is told by its parts.
        (Json::Null, Json::Object(_)) if name.is_empty() => {
            difference(name, &Json::Object(serde_json::Map::new()), after, lines);
        }
        (Json::Object(_), Json::Null) if name.is_empty() => {
            difference(name, before, &Json::Object(serde_json::Map::new()), lines);
        }
        _ if before == after => {}
        _ => {
            let shown = |value: &Json| (!value.is_null()).then(|| words(value));
            lines.push(Line { name: name.to_owned(), before: shown(before), after: shown(after) });
        }
    }
}

fn words(value: &Json) -> String {
    match value.as_str() {
        Some(LATER_MARK) => crate::template::analyse::LATER.to_owned(),
        Some(STARS) => HIDDEN.to_owned(),
        _ => short(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(json: Json) -> Placed {
        let change: ResourceChange = serde_json::from_value(json).unwrap();
        Placed { address: change.logical_resource_id.clone(), change }
    }

    fn nested(placed: &Placed, secret: &[&str]) -> NestedChange {
        let secret = secret.iter().map(|name| (*name).to_owned()).collect();
        placed.nested(&Redactor::default(), &secret)
    }

    #[test]
    fn contexts_become_lines() {
        let before =
            json!({"Properties": {"QueueName": "a", "Delay": 1, "Tags": [{"Key": "x"}], "Secret": "****"}});
        let after = json!({"Properties": {"QueueName": "b", "Delay": 1, "Arn": LATER_MARK, "Tags": [{"Key": "y"}], "Secret": "****", "Own": "s"}});
        let placed = change(json!({
            "Action": "Modify", "LogicalResourceId": "Q", "ResourceType": "AWS::SQS::Queue", "Replacement": "True",
            "PolicyAction": "ReplaceAndRetain",
            "Details": [{"Target": {"Attribute": "Properties", "Name": "QueueName", "RequiresRecreation": "Always"}}],
            "BeforeContext": before.to_string(), "AfterContext": after.to_string(),
        }));
        let nested = nested(&placed, &["Q.Own"]);
        assert_eq!(nested.action, "replace");
        assert_eq!(nested.because, ["QueueName"]);
        assert_eq!(
            nested.lines,
            [
                "the old one is kept, outside the stack (its policy is Retain)",
                "+ Arn: (known after apply)",
                "+ Own: (sensitive value)",
                "~ QueueName: \"a\" -> \"b\"",
                "~ Tags: [{\"Key\":\"x\"}] -> [{\"Key\":\"y\"}]",
            ]
        );
    }

    #[test]
    fn what_may_be_replaced_counts_as_replaced() {
        let placed = change(json!({
            "Action": "Modify", "LogicalResourceId": "Q", "Replacement": "Conditional",
            "Details": [
                {"Target": {"Attribute": "Properties", "Name": "Subnet", "RequiresRecreation": "Conditionally"},
                 "CausingEntity": "Net.Id"},
                {"Target": {"Attribute": "Tags", "RequiresRecreation": "Never", "BeforeValue": "x", "AfterValue": "y"}},
            ],
        }));
        let nested = nested(&placed, &[]);
        assert_eq!((nested.action.as_str(), nested.because.join(",").as_str()), ("replace", "Subnet"));
        assert!(nested.lines[0].starts_with("may be replaced"));
        assert_eq!(nested.lines[1..], ["~ Subnet, because of Net.Id", "~ Tags: \"x\" -> \"y\""]);
    }

    #[test]
    fn every_action_has_its_word() {
        for (action, replacement, word) in [
            ("Add", "", "create"),
            ("Remove", "", "delete"),
            ("Import", "", "import"),
            ("Modify", "False", "update"),
            ("Modify", "", "update"),
            ("Dynamic", "", "update"),
            ("SyncWithActual", "", "update"),
        ] {
            let placed =
                change(json!({"Action": action, "LogicalResourceId": "Q", "Replacement": replacement}));
            assert_eq!(nested(&placed, &[]).action, word, "{action}");
        }
    }

    #[test]
    fn the_essence_leaves_values_out() {
        let with = |value: &str| {
            change(json!({
                "Action": "Modify", "LogicalResourceId": "Q", "AfterContext": value,
                "Details": [{"Target": {"Attribute": "Properties", "Name": "A", "RequiresRecreation": "Never"}}],
            }))
        };
        assert_eq!(with("{}").essence(), with("{\"x\": 1}").essence());
        let other = change(json!({"Action": "Remove", "LogicalResourceId": "Q"}));
        assert_ne!(with("{}").essence(), other.essence());
    }
}
