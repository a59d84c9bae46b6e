//! A template's values, evaluated in their surroundings.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::expression::{self, Expression};
use super::{Template, functions};
use crate::arm::ids::{self, Place};

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It depends on something that is not there yet.
    Unknown(String),
    /// It is wrong, as ARM says it.
    Wrong(String),
}

impl Missing {
    /// From a text.
    pub fn wrong(text: impl Into<String>) -> Self {
        Self::Wrong(text.into())
    }
}

/// A value, or why not.
pub type Evaluated = Result<Value, Missing>;

/// What of the world expressions can see.
pub trait Surroundings {
    /// A resource, deployment or group, whole.
    fn resource(&self, id: &str) -> Option<Value>;
    /// What `listKeys` and its like answer.
    fn list(&self, function: &str, id: &str) -> Option<Value>;
    /// The tenant's id.
    fn tenant(&self) -> String;
    /// A subscription, as `subscription()` gives it.
    fn subscription(&self, id: &str) -> Value;
}

/// A template being evaluated.
#[derive(Clone)]
pub struct Frame<'a> {
    /// The template.
    pub template: &'a Template,
    /// Its parameters, bound.
    pub parameters: &'a BTreeMap<String, Value>,
    /// Where it is deployed.
    pub place: &'a Place,
    /// The deployment's name.
    pub deployment: &'a str,
    /// The region of a deployment that is not in a group.
    pub location: Option<&'a str>,
    /// The world.
    pub around: &'a dyn Surroundings,
    /// Nothing is done: what is only known at run time stays the expression that it is.
    pub preview: bool,
    /// The loops around: name and index.
    pub copies: Vec<(String, usize)>,
}

impl Frame<'_> {
    /// A value with all that is in it evaluated.
    ///
    /// # Errors
    /// Where an expression is wrong or its value not known.
    pub fn value(&self, value: &Value) -> Evaluated {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => {
                list.iter().map(|one| self.value(one)).collect::<Result<_, _>>().map(Value::Array)
            }
            Value::Object(object) => self.object(object),
            other => Ok(other.clone()),
        }
    }

    fn object(&self, object: &Map<String, Value>) -> Evaluated {
        let mut evaluated = Map::new();
        for (key, value) in object {
            if let (true, Some(loops)) = (key == "copy", value.as_array()) {
                for one in loops {
                    let (name, values) = self.copy(one)?;
                    evaluated.insert(name, values);
                }
                continue;
            }
            let key = if expression::inner(key).is_some() { as_text(&self.text(key)?) } else { key.clone() };
            evaluated.insert(key, self.value(value)?);
        }
        Ok(Value::Object(evaluated))
    }

    /// `{"name": …, "count": …, "input": …}`: an array.
    fn copy(&self, one: &Value) -> Result<(String, Value), Missing> {
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        let count = self.value(&one["count"])?.as_u64().unwrap_or(0);
        let mut values = Vec::new();
        for index in 0..usize::try_from(count).unwrap_or(0) {
            values.push(self.within(&name, index).value(&one["input"])?);
        }
        Ok((name, Value::Array(values)))
    }

    /// The same inside a loop.
    pub fn within(&self, name: &str, index: usize) -> Self {
        let mut frame = self.clone();
        frame.copies.push((name.to_owned(), index));
        frame
    }

    /// A text: as it is, or the value of the expression that it is.
    pub fn text(&self, text: &str) -> Evaluated {
        let Some(inner) = expression::inner(text) else {
            let literal = if text.starts_with("[[") { &text[1..] } else { text };
            return Ok(Value::from(literal));
        };
        let expression = expression::parse(inner).map_err(Missing::Wrong)?;
        match self.expression(&expression) {
            Err(Missing::Unknown(_)) if self.preview => Ok(Value::from(text)),
            other => other,
        }
    }

    /// The value of an expression.
    pub(super) fn expression(&self, expression: &Expression) -> Evaluated {
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Part { of, part, safe } => {
                let (of, part) = (self.expression(of)?, self.expression(part)?);
                match step(&of, &part) {
                    Some(value) => Ok(value),
                    None if *safe => Ok(Value::Null),
                    None => Err(no_property(&of, &part)),
                }
            }
            Expression::Call(name, arguments) => self.call(name, arguments),
        }
    }

    fn call(&self, name: &str, arguments: &[Expression]) -> Evaluated {
        // Only the branch that is taken is evaluated.
        if let ("if", [condition, then, otherwise]) = (name.to_lowercase().as_str(), arguments) {
            let taken = if self.expression(condition)? == Value::Bool(true) { then } else { otherwise };
            return self.expression(taken);
        }
        let values = arguments.iter().map(|one| self.expression(one)).collect::<Result<Vec<_>, _>>()?;
        match self.own(&name.to_lowercase(), &values) {
            Some(value) => value,
            None => functions::call(name, &values),
        }
    }

    /// The functions that see the template or the world.
    fn own(&self, name: &str, values: &[Value]) -> Option<Evaluated> {
        let first = values.first().map(as_text).unwrap_or_default();
        Some(match name {
            "parameters" => self.parameter(&first),
            "variables" => self.variable(&first),
            "resourcegroup" => self.group(),
            "subscription" => Ok(self.around.subscription(&self.place.subscription)),
            "tenant" => Ok(serde_json::json!({"tenantId": self.around.tenant()})),
            "deployment" => Ok(self.deployment()),
            "copyindex" => self.copy_index(values),
            "resourceid" => self.resource_id(values),
            "subscriptionresourceid" => {
                let place = Place { group: None, ..self.place.clone() };
                Frame { place: &place, ..self.clone() }.resource_id(values)
            }
            "extensionresourceid" => Ok(extension_id(values)),
            "reference" => self.reference(&first, values.get(2).is_some_and(|full| full == "Full")),
            _ if name.starts_with("list") => self.list(name, &first),
            _ => return None,
        })
    }

    fn parameter(&self, name: &str) -> Evaluated {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).ok_or_else(|| {
            Missing::wrong(format!("The template parameter '{name}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details."))
        })
    }

    fn variable(&self, name: &str) -> Evaluated {
        let variables = self.template.section("variables");
        if let Some((_, value)) = variables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return self.value(value);
        }
        let mut loops = variables.get("copy").and_then(Value::as_array).into_iter().flatten();
        if let Some(one) = loops.find(|one| one["name"].as_str() == Some(name)) {
            return self.copy(one).map(|(_, values)| values);
        }
        Err(Missing::wrong(format!(
            "The template variable '{name}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details."
        )))
    }

    fn group(&self) -> Evaluated {
        if self.place.group.is_none() {
            return Err(Missing::wrong(
                "The template function 'RESOURCEGROUP' is not expected at this location.",
            ));
        }
        self.around.resource(&self.place.id()).ok_or_else(|| Missing::Unknown("resourceGroup()".to_owned()))
    }

    fn deployment(&self) -> Value {
        let mut deployment = serde_json::json!({"name": self.deployment, "properties": {"template": {
            "$schema": self.template.raw["$schema"], "contentVersion": self.template.raw["contentVersion"]}}});
        if let Some(location) = self.location {
            deployment["location"] = Value::from(location);
        }
        deployment
    }

    fn copy_index(&self, values: &[Value]) -> Evaluated {
        let named = values.iter().find_map(Value::as_str);
        let found = self.copies.iter().rev().find(|(name, _)| named.is_none_or(|named| named == name));
        let Some((_, index)) = found else {
            return Err(Missing::wrong(
                "The template function 'copyIndex' is not expected at this location.",
            ));
        };
        let offset = values.iter().find_map(Value::as_i64).unwrap_or(0);
        Ok(Value::from(i64::try_from(*index).unwrap_or(0) + offset))
    }

    /// `resourceId([subscription], [group], type, names…)`.
    fn resource_id(&self, values: &[Value]) -> Evaluated {
        let texts: Vec<String> = values.iter().map(as_text).collect();
        let Some(at) = texts.iter().position(|text| text.contains('/')) else {
            return Err(Missing::wrong(
                "Unable to evaluate template language function 'resourceId': the type of resource is missing.",
            ));
        };
        let names = &texts[at + 1..];
        let needed = texts[at].matches('/').count();
        if names.len() != needed {
            return Err(Missing::wrong(format!(
                "Unable to evaluate template language function 'resourceId': function requires exactly one multi-segmented argument which must be resource id including resource provider namespace. Current function arguments '{}'.",
                texts.join(",")
            )));
        }
        let place = match &texts[..at] {
            [] => self.place.clone(),
            [group] if self.place.group.is_some() => {
                Place { group: Some(group.clone()), ..self.place.clone() }
            }
            [subscription] => Place { subscription: subscription.clone(), group: None },
            [subscription, group, ..] => {
                Place { subscription: subscription.clone(), group: Some(group.clone()) }
            }
        };
        Ok(Value::from(place.resource(&texts[at], &names.join("/"))))
    }

    fn reference(&self, what: &str, full: bool) -> Evaluated {
        let id = self.named(what)?;
        let unknown = || Missing::Unknown(id.clone());
        if self.preview {
            return Err(unknown());
        }
        let resource = self.around.resource(&id).ok_or_else(unknown)?;
        Ok(if full { resource } else { resource.get("properties").cloned().unwrap_or_default() })
    }

    fn list(&self, function: &str, what: &str) -> Evaluated {
        let id = self.named(what)?;
        let unknown = || Missing::Unknown(id.clone());
        if self.preview { Err(unknown()) } else { self.around.list(function, &id).ok_or_else(unknown) }
    }

    /// The id of what is named by id, symbol or name.
    pub fn named(&self, what: &str) -> Result<String, Missing> {
        if what.starts_with('/') {
            return Ok(what.to_owned());
        }
        for (symbol, resource) in &self.template.resources {
            if symbol.as_deref() == Some(what) || symbol.is_none() && self.is_called(resource, what) {
                return self.id_of(resource);
            }
        }
        if let Some((namespace, rest)) = what.split_once('/').filter(|(namespace, _)| namespace.contains('.'))
        {
            return Ok(format!("{}/providers/{namespace}/{rest}", self.place.id()));
        }
        Err(Missing::wrong(format!(
            "The template reference '{what}' is not valid: could not find template resource or resource copy with this name. Please see https://aka.ms/arm-function-reference for usage details."
        )))
    }

    fn is_called(&self, resource: &Value, name: &str) -> bool {
        resource["name"].as_str().is_some_and(|own| self.text(own).is_ok_and(|own| own == name))
    }

    /// The id that a resource of the template gets.
    ///
    /// # Errors
    /// Where its name, scope or place cannot be evaluated.
    pub fn id_of(&self, resource: &Value) -> Result<String, Missing> {
        let kind = resource["type"].as_str().unwrap_or_default();
        let name = as_text(&self.value(&resource["name"])?);
        if let Some(scope) = resource.get("scope") {
            let scope = self.named(&as_text(&self.value(scope)?))?;
            return Ok(format!("{scope}/{}", ids::relative(kind, &name)));
        }
        let mut place = self.place.clone();
        if let Some(subscription) = resource.get("subscriptionId") {
            place = Place { subscription: as_text(&self.value(subscription)?), group: None };
        }
        if let Some(group) = resource.get("resourceGroup") {
            place.group = Some(as_text(&self.value(group)?));
        }
        Ok(place.resource(kind, &name))
    }
}

fn extension_id(values: &[Value]) -> Value {
    let texts: Vec<String> = values.iter().map(as_text).collect();
    let (base, kind) =
        (texts.first().cloned().unwrap_or_default(), texts.get(1).cloned().unwrap_or_default());
    let names = texts.get(2..).unwrap_or_default().join("/");
    Value::from(format!("{base}/{}", ids::relative(&kind, &names)))
}

fn step(of: &Value, part: &Value) -> Option<Value> {
    match (of, part) {
        (Value::Object(object), Value::String(name)) => {
            let found = object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        }
        (Value::Array(list), index) => list.get(usize::try_from(index.as_u64()?).ok()?).cloned(),
        _ => None,
    }
}

fn no_property(of: &Value, part: &Value) -> Missing {
    let known: Vec<&str> =
        of.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str)).collect();
    Missing::wrong(format!(
        "The language expression property '{}' doesn't exist, available properties are '{}'.",
        as_text(part),
        known.join(", ")
    ))
}

/// A value as a part of a text.
pub fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One group and one storage account.
    struct Small;

    impl Surroundings for Small {
        fn resource(&self, id: &str) -> Option<Value> {
            match id {
                "/subscriptions/s/resourceGroups/g" => {
                    Some(json!({"id": id, "name": "g", "location": "west"}))
                }
                "/subscriptions/s/resourceGroups/g/providers/A.B/c/x" => {
                    Some(json!({"name": "x", "properties": {"url": "https://x", "list": [1, {"a": 2}]}}))
                }
                _ => None,
            }
        }

        fn list(&self, _: &str, id: &str) -> Option<Value> {
            id.ends_with("/x").then(|| json!({"keys": [{"value": "k"}]}))
        }

        fn tenant(&self) -> String {
            "t".to_owned()
        }

        fn subscription(&self, id: &str) -> Value {
            json!({"subscriptionId": id})
        }
    }

    fn evaluate(value: Value, preview: bool) -> Evaluated {
        let raw = json!({"$schema": "deploymentTemplate.json#", "contentVersion": "1", "variables": {
            "v": "[concat(parameters('p'), '-v')]", "copy": [{"name": "l", "count": 2, "input": "[copyIndex('l')]"}]},
            "resources": [{"type": "A.B/c", "apiVersion": "1", "name": "x"}]});
        let template = Template::new(&raw).unwrap();
        let parameters = BTreeMap::from([("p".to_owned(), json!("P"))]);
        let place = Place { subscription: "s".to_owned(), group: Some("g".to_owned()) };
        let frame = Frame {
            template: &template,
            parameters: &parameters,
            place: &place,
            deployment: "d",
            location: None,
            around: &Small,
            preview,
            copies: vec![("outer".to_owned(), 4)],
        };
        frame.value(&value)
    }

    #[test]
    fn expressions_see_the_template_and_the_world() {
        for (text, wanted) in [
            ("plain", json!("plain")),
            ("[[literal]", json!("[literal]")),
            ("[parameters('P')]", json!("P")),
            ("[variables('v')]", json!("P-v")),
            ("[variables('l')[1]]", json!(1)),
            ("[resourceGroup().location]", json!("west")),
            ("[subscription().subscriptionId]", json!("s")),
            ("[deployment().name]", json!("d")),
            ("[copyIndex(1)]", json!(5)),
            (
                "[resourceId('A.B/c/d', 'x', 'y')]",
                json!("/subscriptions/s/resourceGroups/g/providers/A.B/c/x/d/y"),
            ),
            ("[resourceId('h', 'A.B/c', 'x')]", json!("/subscriptions/s/resourceGroups/h/providers/A.B/c/x")),
            (
                "[resourceId('r', 'h', 'A.B/c', 'x')]",
                json!("/subscriptions/r/resourceGroups/h/providers/A.B/c/x"),
            ),
            ("[subscriptionResourceId('A.B/c', 'x')]", json!("/subscriptions/s/providers/A.B/c/x")),
            ("[reference('x').list[1].a]", json!(2)),
            ("[reference(resourceId('A.B/c', 'x'), '1', 'Full').name]", json!("x")),
            ("[listKeys('x', '1').keys[0].value]", json!("k")),
            ("[if(equals(1, 1), 'yes', fail())]", json!("yes")),
            ("[reference('x').?nothing]", json!(null)),
        ] {
            assert_eq!(evaluate(json!(text), false), Ok(wanted), "{text}");
        }
        assert_eq!(
            evaluate(json!({"[parameters('p')]": ["[parameters('p')]"]}), false),
            Ok(json!({"P": ["P"]}))
        );
    }

    #[test]
    fn what_is_not_there_yet_is_unknown_and_what_is_wrong_is_wrong() {
        let unknown = evaluate(json!("[reference(resourceId('A.B/c', 'other')).x]"), false);
        assert!(matches!(unknown, Err(Missing::Unknown(id)) if id.ends_with("/other")));
        for wrong in [
            "[parameters('q')]",
            "[variables('q')]",
            "[nosuch()]",
            "[reference('nosuch')]",
            "[resourceId('A.B/c')]",
            "[reference('x').nothing]",
            "[copyIndex('inner')]",
            "[concat('a']",
        ] {
            assert!(matches!(evaluate(json!(wrong), false), Err(Missing::Wrong(_))), "{wrong}");
        }
    }

    #[test]
    fn a_preview_leaves_what_is_only_known_at_run_time() {
        let value = json!({"a": "[concat(reference('x').url, '/')]", "b": "[parameters('p')]"});
        assert_eq!(evaluate(value, true), Ok(json!({"a": "[concat(reference('x').url, '/')]", "b": "P"})));
    }
}
