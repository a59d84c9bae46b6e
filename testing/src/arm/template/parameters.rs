//! The parameters of a template, bound and checked.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Template;
use super::evaluate::{Evaluated, Missing, as_text};

/// Values by name.
pub type Bound = BTreeMap<String, Value>;

/// Takes what was given, and the rest by `default` from the template's defaults.
///
/// # Errors
/// What is wrong with them, as ARM says it.
pub fn bind(
    template: &Template,
    given: &Map<String, Value>,
    mut default: impl FnMut(&Value, &Bound) -> Evaluated,
) -> Result<Bound, Missing> {
    let declared = template.section("parameters");
    unknown(&declared, given)?;
    let mut bound = Bound::new();
    // A default may name other parameters, in any order.
    let mut waiting: Vec<(&String, &Value)> = Vec::new();
    for (name, declaration) in &declared {
        match given.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value) {
            Some(value) => {
                bound.insert(name.clone(), checked(name, declaration, value_of(value))?);
            }
            None if declaration.get("defaultValue").is_some() => waiting.push((name, declaration)),
            None if declaration["nullable"] == true => {
                bound.insert(name.clone(), Value::Null);
            }
            None => return Err(not_provided(name)),
        }
    }
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut problem = None;
        waiting.retain(|(name, declaration)| match default(&declaration["defaultValue"], &bound) {
            Ok(value) => {
                bound.insert((*name).clone(), value);
                false
            }
            Err(error) => {
                problem = Some(error);
                true
            }
        });
        if let Some(problem) = problem.filter(|_| waiting.len() == before) {
            return Err(problem);
        }
    }
    Ok(bound)
}

/// As a deployment shows them: secure ones without value.
pub fn shown(template: &Template, bound: &Bound) -> Value {
    let declared = template.section("parameters");
    let one = |(name, value): (&String, &Value)| {
        let kind = declared[name]["type"].as_str().unwrap_or("String");
        let shown = if is_secure(kind) {
            json!({"type": title(kind)})
        } else {
            json!({"type": title(kind), "value": value})
        };
        (name.clone(), shown)
    };
    Value::Object(bound.iter().map(one).collect())
}

/// Whether values of a type must not be shown.
pub fn is_secure(kind: &str) -> bool {
    kind.to_lowercase().starts_with("secure")
}

/// As ARM writes a type: `String`, `SecureString`.
pub fn title(kind: &str) -> String {
    let known = ["String", "SecureString", "Int", "Bool", "Object", "SecureObject", "Array"];
    known
        .iter()
        .find(|known| known.eq_ignore_ascii_case(kind))
        .map_or_else(|| kind.to_owned(), |known| (*known).to_owned())
}

fn value_of(given: &Value) -> Value {
    match given.get("reference") {
        // What a vault would give: told by what it was asked for.
        Some(reference) => Value::from(format!("secret:{}", as_text(&reference["secretName"]))),
        None => given.get("value").cloned().unwrap_or_default(),
    }
}

fn unknown(declared: &Map<String, Value>, given: &Map<String, Value>) -> Result<(), Missing> {
    let is_known = |name: &&String| declared.keys().any(|known| known.eq_ignore_ascii_case(name));
    let unknown: Vec<&str> = given.keys().filter(|name| !is_known(name)).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let known: Vec<&str> = declared.keys().map(String::as_str).collect();
    Err(invalid(&format!(
        "The following parameters were supplied, but do not correspond to any parameters defined in the template: '{}'. The parameters defined in the template are: '{}'. Please see https://aka.ms/arm-pass-parameter-values for usage details.",
        unknown.join(", "),
        known.join(", ")
    )))
}

fn not_provided(name: &str) -> Missing {
    invalid(&format!(
        "The value for the template parameter '{name}' at line '1' and column '1' is not provided. Please see https://aka.ms/arm-create-parameter-file for usage details."
    ))
}

fn checked(name: &str, declaration: &Value, value: Value) -> Evaluated {
    let kind = declaration["type"].as_str().unwrap_or("string").to_lowercase();
    let fits = match kind.trim_start_matches("secure") {
        "string" => value.is_string(),
        "int" => value.is_i64() || value.is_u64(),
        "bool" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    let is_null = value.is_null() && declaration["nullable"] == true;
    // In a what-if: what a nested deployment is only given at run time.
    let is_open = value.as_str().is_some_and(|text| super::expression::inner(text).is_some());
    if !fits && !is_null && !is_open {
        return Err(invalid(&format!(
            "Template parameter JToken type is not valid. Expected '{}'. Actual '{}'. Please see https://aka.ms/arm-create-parameter-file for usage details.",
            title(&kind),
            kind_of(&value)
        )));
    }
    let allowed = declaration["allowedValues"].as_array();
    if let Some(allowed) = allowed.filter(|allowed| !is_open && !allowed.contains(&value)) {
        let list: Vec<String> = allowed.iter().map(as_text).collect();
        return Err(invalid(&format!(
            "The provided value for the template parameter '{name}' is not valid. The value '{}' is not part of the allowed value(s): '{}'.",
            as_text(&value),
            list.join(",")
        )));
    }
    Ok(value)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

fn invalid(what: &str) -> Missing {
    Missing::wrong(format!("Deployment template validation failed: '{what}'."))
}
