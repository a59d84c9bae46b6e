//! Templates: read here to know what they need and what depends on what. What is sent is the user's own text.

pub mod analyse;
pub mod capabilities;
pub mod evaluate;
pub mod outputs;
pub mod parse;
pub mod references;

use std::collections::BTreeMap;

use serde_json::Value as Json;

pub use parse::parse;

/// A template. Scalars are all text, so that YAML and JSON of the same meaning are equal; short tags are in their long form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// The whole tree.
    pub tree: Json,
    /// By name.
    pub parameters: BTreeMap<String, Parameter>,
    /// Expressions by name.
    pub conditions: BTreeMap<String, Json>,
    /// By logical id.
    pub resources: BTreeMap<String, Resource>,
    /// By name.
    pub outputs: BTreeMap<String, Output>,
    /// Macros that the template as a whole goes through.
    pub transforms: Vec<String>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// `String`, `AWS::SSM::Parameter::Value<String>`, …
    pub kind: String,
    /// Where it has one it need not be given.
    pub default: Option<String>,
    /// Never shown.
    pub no_echo: bool,
}

/// A resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// `AWS::SQS::Queue`
    pub kind: String,
    /// The condition under which it is made.
    pub condition: Option<String>,
    /// By name.
    pub properties: BTreeMap<String, Json>,
    /// All of it: type, properties, policies, dependencies.
    pub body: Json,
}

/// An output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its expression.
    pub value: Json,
    /// The condition under which it is there.
    pub condition: Option<String>,
    /// The expression of the name that it is exported by.
    pub export: Option<Json>,
}

impl Template {
    /// The sections of a tree.
    ///
    /// # Errors
    /// What is not as a template should be.
    pub fn of(tree: Json) -> Result<Template, String> {
        if !tree.is_object() {
            return Err("the template is not a map of sections".to_owned());
        }
        let template = Template {
            parameters: section(&tree, "Parameters", parameter)?,
            conditions: section(&tree, "Conditions", |_, condition| Ok(condition.clone()))?,
            resources: section(&tree, "Resources", resource)?,
            outputs: section(&tree, "Outputs", output)?,
            transforms: transforms(&tree["Transform"]),
            tree,
        };
        if template.resources.is_empty() && template.transforms.is_empty() {
            return Err("the template has no Resources".to_owned());
        }
        Ok(template)
    }
}

fn section<T>(
    tree: &Json,
    name: &str,
    read: impl Fn(&str, &Json) -> Result<T, String>,
) -> Result<BTreeMap<String, T>, String> {
    match &tree[name] {
        Json::Null => Ok(BTreeMap::new()),
        Json::Object(entries) => {
            let entries = entries.iter().filter(|(key, _)| !key.starts_with("Fn::"));
            entries.map(|(key, value)| Ok((key.clone(), read(key, value)?))).collect()
        }
        _ => Err(format!("the template's {name} is not a map")),
    }
}

/// A scalar's text.
pub fn text(json: &Json) -> Option<String> {
    json.as_str().map(str::to_owned)
}

fn parameter(name: &str, json: &Json) -> Result<Parameter, String> {
    let kind = text(&json["Type"]).ok_or_else(|| format!("the template's parameter {name} has no Type"))?;
    let default = match &json["Default"] {
        Json::Null if json.get("Default").is_none() => None,
        Json::Array(items) => Some(items.iter().filter_map(text).collect::<Vec<_>>().join(",")),
        other => Some(text(other).unwrap_or_default()),
    };
    Ok(Parameter { kind, default, no_echo: json["NoEcho"].as_str() == Some("true") })
}

fn resource(name: &str, json: &Json) -> Result<Resource, String> {
    let kind = text(&json["Type"]).ok_or_else(|| format!("the template's resource {name} has no Type"))?;
    let properties = match &json["Properties"] {
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        _ => BTreeMap::new(),
    };
    Ok(Resource { kind, condition: text(&json["Condition"]), properties, body: json.clone() })
}

fn output(name: &str, json: &Json) -> Result<Output, String> {
    let value =
        json.get("Value").cloned().ok_or_else(|| format!("the template's output {name} has no Value"))?;
    let export = json["Export"].get("Name").cloned();
    Ok(Output { value, condition: text(&json["Condition"]), export })
}

fn transforms(json: &Json) -> Vec<String> {
    match json {
        Json::String(name) => vec![name.clone()],
        Json::Array(items) => {
            items.iter().filter_map(|item| text(item).or_else(|| text(&item["Name"]))).collect()
        }
        Json::Object(_) => text(&json["Name"]).into_iter().collect(),
        _ => Vec::new(),
    }
}
