//! ARM templates, as far as tests need them: parameters, variables, functions, conditions, copies, nested deployments, outputs.

pub mod evaluate;
pub mod expression;
pub mod functions;
pub mod lenient;
pub mod parameters;
mod texts;

use serde_json::{Map, Value};

/// A template whose outer form is right.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// All of it.
    pub raw: Map<String, Value>,
    /// Its resources: symbolic name, if it has such names, and resource.
    pub resources: Vec<(Option<String>, Value)>,
}

impl Template {
    /// From the `template` of a body.
    ///
    /// # Errors
    /// What is wrong, as ARM says it.
    pub fn new(raw: &Value) -> Result<Self, String> {
        let Some(raw) = raw.as_object() else {
            return Err("The template is missing or is no object.".to_owned());
        };
        if !raw
            .get("$schema")
            .is_some_and(|schema| schema.as_str().is_some_and(|text| text.contains("eploymentTemplate")))
        {
            return Err("Required property '$schema' not found in JSON. Path ''.".to_owned());
        }
        if !raw.contains_key("contentVersion") {
            return Err("Required property 'contentVersion' not found in JSON. Path ''.".to_owned());
        }
        let mut resources = Vec::new();
        match raw.get("resources") {
            Some(Value::Array(list)) => list.iter().for_each(|one| flatten(None, one, None, &mut resources)),
            Some(Value::Object(named)) => {
                named
                    .iter()
                    .for_each(|(symbol, one)| flatten(Some(symbol.clone()), one, None, &mut resources));
            }
            _ => return Err("Required property 'resources' not found in JSON. Path ''.".to_owned()),
        }
        Ok(Self { raw: raw.clone(), resources })
    }

    /// An object of the template by its key; `{}` where there is none.
    pub fn section(&self, key: &str) -> Map<String, Value> {
        self.raw.get(key).and_then(Value::as_object).cloned().unwrap_or_default()
    }
}

/// Takes the children out of `resources` of their parent, with whole type and name.
fn flatten(
    symbol: Option<String>,
    one: &Value,
    parent: Option<(&str, &str)>,
    found: &mut Vec<(Option<String>, Value)>,
) {
    let mut one = one.clone();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let (mut kind, mut name) = (text(&one, "type"), text(&one, "name"));
    if let Some((parent_kind, parent_name)) = parent {
        kind = format!("{parent_kind}/{kind}");
        name = format!("[concat({}, '/', {})]", quoted(parent_name), quoted(&name));
        one["type"] = Value::from(kind.clone());
        one["name"] = Value::from(name.clone());
    }
    let children = one.as_object_mut().and_then(|object| object.remove("resources"));
    found.push((symbol, one));
    for child in children.as_ref().and_then(Value::as_array).into_iter().flatten() {
        flatten(None, child, Some((&kind, &name)), found);
    }
}

/// A text or expression as a part of an expression.
fn quoted(text: &str) -> String {
    expression::inner(text).map_or_else(|| format!("'{}'", text.replace('\'', "''")), str::to_owned)
}
