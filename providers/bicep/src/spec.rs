//! A deployment's inputs as plain data.

use std::collections::BTreeMap;

use windlass_model::Value;

/// What Azure keeps of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// A deployment stack: knows and removes what it made.
    #[default]
    Stack,
    /// An incremental deployment.
    Deployment,
}

/// The stack's deny settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deny {
    /// `none`, `denyDelete`, `denyWriteAndDelete`.
    pub mode: String,
    /// Also below.
    pub children: bool,
    /// Operations.
    pub actions: Vec<String>,
    /// Object ids.
    pub principals: Vec<String>,
}

impl Default for Deny {
    fn default() -> Self {
        Deny { mode: "none".to_owned(), children: false, actions: Vec::new(), principals: Vec::new() }
    }
}

/// A deployment's inputs. What is not known yet is absent.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Of the stack or deployment.
    pub name: String,
    /// Relative to the stack's directory.
    pub template: String,
    /// By name.
    pub parameters: Option<Value>,
    /// Relative to the stack's directory.
    pub parameters_file: Option<String>,
    /// `None`: the subscription itself.
    pub group: Option<String>,
    /// The group is made and owned.
    pub creates_group: bool,
    /// Of the group that is made, or of a deployment to a subscription.
    pub location: Option<String>,
    /// Id or name.
    pub subscription: Option<String>,
    /// What Azure keeps of it.
    pub mode: Mode,
    /// What leaves is left alone, not deleted.
    pub detach: bool,
    /// Of a stack.
    pub deny: Deny,
    /// The user's own. Sorted.
    pub tags: BTreeMap<String, String>,
    /// As az names it.
    pub cloud: Option<String>,
    /// List what-if's noise.
    pub show_noise: bool,
}

impl Spec {
    /// Reads the decoded attributes.
    pub fn read(desired: &Value) -> Spec {
        let text = |name: &str| desired.get(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |name: &str| desired.get(name).and_then(Value::as_bool) == Some(true);
        let is = |name: &str, word: &str| desired.get(name).and_then(Value::as_str) == Some(word);
        let group =
            if is("scope", "subscription") { None } else { Some(text("resource_group").unwrap_or_default()) };
        Spec {
            name: text("name").unwrap_or_default(),
            template: text("template_file").unwrap_or_default(),
            parameters: desired.get("parameters").filter(|value| !value.is_null()).cloned(),
            parameters_file: text("parameters_file"),
            group,
            creates_group: flag("create_resource_group"),
            location: text("location"),
            subscription: text("subscription"),
            mode: if is("mode", "deployment") { Mode::Deployment } else { Mode::Stack },
            detach: is("action_on_unmanage", "detach"),
            deny: desired.get("deny_settings").map(deny).unwrap_or_default(),
            tags: tags(desired.get("tags")),
            cloud: text("cloud"),
            show_noise: flag("show_noise"),
        }
    }
}

fn deny(value: &Value) -> Deny {
    let texts = |name: &str| {
        let items = value.get(name).and_then(Value::items).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Deny {
        mode: value.get("mode").and_then(Value::as_str).unwrap_or("none").to_owned(),
        children: value.get("apply_to_child_scopes").and_then(Value::as_bool) == Some(true),
        actions: texts("excluded_actions"),
        principals: texts("excluded_principals"),
    }
}

fn tags(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::entries).unwrap_or_default().iter();
    entries.filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned()))).collect()
}
