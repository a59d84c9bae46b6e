//! What the service answers, as far as it is used here. Everything may be absent or null.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// Absent and null are the same.
fn nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// `describe-stacks`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Stacks {
    #[serde(deserialize_with = "nothing")]
    pub stacks: Vec<Stack>,
}

/// A stack.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Stack {
    pub stack_id: String,
    pub stack_name: String,
    pub stack_status: String,
    #[serde(deserialize_with = "nothing")]
    pub stack_status_reason: String,
    pub creation_time: Option<String>,
    pub last_updated_time: Option<String>,
    #[serde(deserialize_with = "nothing")]
    pub parameters: Vec<Parameter>,
    #[serde(deserialize_with = "nothing")]
    pub outputs: Vec<Output>,
    #[serde(deserialize_with = "nothing")]
    pub tags: Vec<Tag>,
    #[serde(deserialize_with = "nothing")]
    pub capabilities: Vec<String>,
    #[serde(rename = "RoleARN")]
    pub role_arn: Option<String>,
    #[serde(rename = "NotificationARNs", deserialize_with = "nothing")]
    pub notification_arns: Vec<String>,
    pub enable_termination_protection: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Parameter {
    pub parameter_key: String,
    #[serde(deserialize_with = "nothing")]
    pub parameter_value: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Output {
    pub output_key: String,
    #[serde(deserialize_with = "nothing")]
    pub output_value: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    pub key: String,
    #[serde(deserialize_with = "nothing")]
    pub value: String,
}

impl Stack {
    /// Tags by key.
    pub fn tag_map(&self) -> BTreeMap<String, String> {
        self.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
    }

    /// Outputs by name.
    pub fn output_map(&self) -> BTreeMap<String, String> {
        let pairs =
            self.outputs.iter().map(|output| (output.output_key.clone(), output.output_value.clone()));
        pairs.collect()
    }

    /// Parameters by name.
    pub fn parameter_map(&self) -> BTreeMap<String, String> {
        let all = self.parameters.iter();
        all.map(|parameter| (parameter.parameter_key.clone(), parameter.parameter_value.clone())).collect()
    }
}

/// `create-change-set`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Created {
    pub id: String,
    pub stack_id: String,
}

/// `describe-change-set`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeSet {
    pub change_set_id: String,
    pub change_set_name: String,
    pub stack_id: String,
    pub creation_time: Option<String>,
    pub status: String,
    #[serde(deserialize_with = "nothing")]
    pub status_reason: String,
    #[serde(deserialize_with = "nothing")]
    pub execution_status: String,
    #[serde(deserialize_with = "nothing")]
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Change {
    pub resource_change: Option<ResourceChange>,
}

/// A change of a resource.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ResourceChange {
    #[serde(deserialize_with = "nothing")]
    pub policy_action: String,
    #[serde(deserialize_with = "nothing")]
    pub action: String,
    pub logical_resource_id: String,
    pub physical_resource_id: Option<String>,
    #[serde(deserialize_with = "nothing")]
    pub resource_type: String,
    #[serde(deserialize_with = "nothing")]
    pub replacement: String,
    #[serde(deserialize_with = "nothing")]
    pub scope: Vec<String>,
    #[serde(deserialize_with = "nothing")]
    pub details: Vec<Detail>,
    pub change_set_id: Option<String>,
    pub before_context: Option<String>,
    pub after_context: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Detail {
    pub target: Option<Target>,
    #[serde(deserialize_with = "nothing")]
    pub evaluation: String,
    #[serde(deserialize_with = "nothing")]
    pub change_source: String,
    pub causing_entity: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Target {
    #[serde(deserialize_with = "nothing")]
    pub attribute: String,
    pub name: Option<String>,
    #[serde(deserialize_with = "nothing")]
    pub requires_recreation: String,
    pub path: Option<String>,
    pub before_value: Option<String>,
    pub after_value: Option<String>,
}

/// `list-change-sets`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeSets {
    #[serde(deserialize_with = "nothing")]
    pub summaries: Vec<Summary>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Summary {
    #[serde(deserialize_with = "nothing")]
    pub stack_id: String,
    #[serde(deserialize_with = "nothing")]
    pub stack_name: String,
    pub change_set_id: String,
    pub change_set_name: String,
    pub creation_time: Option<String>,
    #[serde(deserialize_with = "nothing")]
    pub status: String,
    #[serde(deserialize_with = "nothing")]
    pub execution_status: String,
}

/// `describe-stack-events`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Events {
    /// The newest first.
    #[serde(deserialize_with = "nothing")]
    pub stack_events: Vec<Event>,
    pub next_token: Option<String>,
}

/// An event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Event {
    pub stack_id: String,
    pub event_id: String,
    pub logical_resource_id: String,
    #[serde(deserialize_with = "nothing")]
    pub physical_resource_id: String,
    #[serde(deserialize_with = "nothing")]
    pub resource_type: String,
    #[serde(deserialize_with = "nothing")]
    pub timestamp: String,
    #[serde(deserialize_with = "nothing")]
    pub resource_status: String,
    #[serde(deserialize_with = "nothing")]
    pub resource_status_reason: String,
    pub client_request_token: Option<String>,
}

impl Event {
    /// Whether it is about the stack itself.
    pub fn is_of_stack(&self) -> bool {
        self.resource_type == "AWS::CloudFormation::Stack" && self.physical_resource_id == self.stack_id
    }
}

/// `list-stack-resources`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Resources {
    #[serde(deserialize_with = "nothing")]
    pub stack_resource_summaries: Vec<ResourceSummary>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ResourceSummary {
    pub logical_resource_id: String,
    #[serde(deserialize_with = "nothing")]
    pub physical_resource_id: String,
    #[serde(deserialize_with = "nothing")]
    pub resource_type: String,
}

/// `get-template`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TemplateBody {
    /// YAML as text, JSON as an object.
    pub template_body: serde_json::Value,
}

/// `list-imports`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Imports {
    #[serde(deserialize_with = "nothing")]
    pub imports: Vec<String>,
}

/// `sts get-caller-identity`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Identity {
    pub account: String,
}

/// `detect-stack-drift`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Detection {
    pub stack_drift_detection_id: String,
}

/// `describe-stack-drift-detection-status`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DetectionStatus {
    #[serde(deserialize_with = "nothing")]
    pub stack_drift_status: String,
    #[serde(deserialize_with = "nothing")]
    pub detection_status: String,
    #[serde(deserialize_with = "nothing")]
    pub detection_status_reason: String,
}

/// `describe-stack-resource-drifts`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Drifts {
    #[serde(deserialize_with = "nothing")]
    pub stack_resource_drifts: Vec<ResourceDrift>,
    pub next_token: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ResourceDrift {
    pub logical_resource_id: String,
    #[serde(deserialize_with = "nothing")]
    pub resource_type: String,
    #[serde(deserialize_with = "nothing")]
    pub stack_resource_drift_status: String,
    #[serde(deserialize_with = "nothing")]
    pub property_differences: Vec<PropertyDifference>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PropertyDifference {
    pub property_path: String,
    #[serde(deserialize_with = "nothing")]
    pub expected_value: String,
    #[serde(deserialize_with = "nothing")]
    pub actual_value: String,
}
