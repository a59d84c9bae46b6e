//! A stack's inputs as plain data.

use std::collections::{BTreeMap, BTreeSet};

use windlass_model::{AttrPath, Kind, Value};

use crate::place::Aim;
use crate::template::evaluate::Facts;

/// What becomes of a stack whose operation failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnFailure {
    /// It goes back.
    #[default]
    Rollback,
    /// It stays as it is.
    Keep,
    /// One that could not be made is deleted.
    Delete,
}

/// A stack's inputs. What is not known yet is absent.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// The stack's name.
    pub name: Option<String>,
    /// By name: text, or not known yet.
    pub parameters: BTreeMap<String, Option<String>>,
    /// Names of parameters whose values are secret.
    pub secret: BTreeSet<String>,
    /// Sorted.
    pub tags: BTreeMap<String, String>,
    /// As stated.
    pub capabilities: Vec<String>,
    /// The role that CloudFormation acts as.
    pub role_arn: Option<String>,
    /// Topics.
    pub notification_arns: Vec<String>,
    /// Where.
    pub aim: Aim,
    /// For large templates.
    pub template_bucket: Option<String>,
    /// JSON.
    pub stack_policy: Option<String>,
    /// `None`: not said.
    pub termination_protection: Option<bool>,
    /// What becomes of it when it fails.
    pub on_failure: OnFailure,
    /// Logical ids.
    pub retain_resources: Vec<String>,
    /// Logical ids.
    pub resources_to_skip: Vec<String>,
}

impl Spec {
    /// Reads the decoded attributes.
    pub fn read(desired: &Value) -> Spec {
        let text = |name: &str| desired.get(name).and_then(Value::as_str).map(str::to_owned);
        let texts = |name: &str| {
            let items = desired.get(name).and_then(Value::items).unwrap_or_default();
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let entries = |name: &str| desired.get(name).and_then(Value::entries).unwrap_or_default().iter();
        let given = || entries("parameters").filter(|(_, value)| !value.is_null());
        let all_secret = desired.get("parameters").is_some_and(Value::is_sensitive);
        let secret = given().filter(|(_, value)| all_secret || value.has_sensitive());
        Spec {
            name: text("name"),
            parameters: given().map(|(name, value)| (name.to_string(), parameter_text(value).ok())).collect(),
            secret: secret.map(|(name, _)| name.to_string()).collect(),
            tags: entries("tags")
                .filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned())))
                .collect(),
            capabilities: texts("capabilities"),
            role_arn: text("role_arn"),
            notification_arns: texts("notification_arns"),
            aim: Aim { region: text("region"), profile: text("profile"), endpoint: text("endpoint_url") },
            template_bucket: text("template_bucket"),
            stack_policy: text("stack_policy"),
            termination_protection: desired.get("termination_protection").and_then(Value::as_bool),
            on_failure: match text("on_failure").as_deref() {
                Some("keep") => OnFailure::Keep,
                Some("delete") => OnFailure::Delete,
                _ => OnFailure::Rollback,
            },
            retain_resources: texts("retain_resources"),
            resources_to_skip: texts("resources_to_skip"),
        }
    }

    /// What is known of the parameters.
    pub fn facts(&self) -> Facts {
        Facts { parameters: self.parameters.clone(), ..Facts::default() }
    }
}

/// A parameter's value as CloudFormation takes it: text, lists joined by commas.
///
/// # Errors
/// Why it cannot be one.
pub fn parameter_text(value: &Value) -> Result<String, String> {
    match &value.kind {
        Kind::String(text) => Ok(text.to_string()),
        Kind::Bool(value) => Ok(value.to_string()),
        Kind::Number(number) => Ok(number.to_string()),
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => {
            let texts = items.items.iter().map(|item| {
                let text = parameter_text(item)?;
                match text.contains(',') {
                    true => Err(format!("an element of a list must have no comma: `{}`", shown(item, &text))),
                    false => Ok(text),
                }
            });
            Ok(texts.collect::<Result<Vec<_>, String>>()?.join(","))
        }
        Kind::Null => Err("null is no value".to_owned()),
        Kind::Unknown(_) => Err("not known yet".to_owned()),
        Kind::Map(_) | Kind::Object(_) => {
            Err("an object cannot be a parameter; jsonencode() makes text of it".to_owned())
        }
    }
}

fn shown<'t>(value: &Value, text: &'t str) -> &'t str {
    if value.is_sensitive() { "(sensitive)" } else { text }
}

/// Which attributes differ between two sets of inputs, as paths.
pub fn differences(before: &Value, after: &Value) -> Vec<AttrPath> {
    let mut found = Vec::new();
    for name in names(before, after) {
        let path = AttrPath::from(&*name);
        let (old, new) = (before.get(&name), after.get(&name));
        if same(old, new) {
            continue;
        }
        match (old.and_then(Value::entries), new.and_then(Value::entries)) {
            (Some(_), Some(_)) => {
                let (old, new) = (old.unwrap_or(&Value::NULL), new.unwrap_or(&Value::NULL));
                for key in names(old, new) {
                    if !same(old.get(&key), new.get(&key)) {
                        found.push(path.name(&*key));
                    }
                }
            }
            _ => found.push(path),
        }
    }
    found
}

fn names(before: &Value, after: &Value) -> BTreeSet<String> {
    let of = |value: &Value| {
        value.entries().unwrap_or_default().iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    of(before).into_iter().chain(of(after)).collect()
}

/// Not given and null are the same.
fn same(old: Option<&Value>, new: Option<&Value>) -> bool {
    old.unwrap_or(&Value::NULL).same(new.unwrap_or(&Value::NULL))
}

/// What the unknown parts of a value wait for, as text: sorted, each once.
pub fn waits_for(value: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    collect(value, &mut found);
    found.into_iter().collect()
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    if let Kind::Unknown(unknown) = &value.kind {
        found.insert(unknown.source.as_deref().unwrap_or("a value known after apply").to_owned());
    }
    value.items().unwrap_or_default().iter().for_each(|item| collect(item, found));
    value.entries().unwrap_or_default().iter().for_each(|(_, item)| collect(item, found));
}

#[cfg(test)]
mod tests {
    use windlass_model::Type;

    use super::*;

    #[test]
    fn parameters_are_text() {
        let text = |value: Value| parameter_text(&value);
        assert_eq!(text(Value::from(3)).as_deref(), Ok("3"));
        assert_eq!(text(Value::from(true)).as_deref(), Ok("true"));
        assert_eq!(text(Value::tuple(vec![Value::from("a"), Value::from(1)])).as_deref(), Ok("a,1"));
        assert!(text(Value::tuple(vec![Value::from("a,b")])).is_err());
        assert!(text(Value::object([("a", Value::from(1))])).is_err());
    }

    #[test]
    fn secrets_and_unknowns_are_known_as_such() {
        let desired = Value::object([(
            "parameters",
            Value::object([
                ("A", Value::from("x").sensitive()),
                ("B", Value::unknown_from(Type::String, "a.b.c")),
                ("C", Value::NULL),
            ]),
        )]);
        let spec = Spec::read(&desired);
        assert_eq!(spec.secret.iter().collect::<Vec<_>>(), ["A"]);
        assert_eq!(spec.parameters["B"], None);
        assert!(!spec.parameters.contains_key("C"));
        assert_eq!(waits_for(&desired), ["a.b.c"]);
    }

    #[test]
    fn differences_go_one_level_down() {
        let value = |p: &str, tag: Option<&str>| {
            let tags = tag.map(|tag| Value::object([("t", Value::from(tag))]));
            Value::object([
                ("name", Value::from("n")),
                ("parameters", Value::object([("A", Value::from(p)), ("B", Value::from("b"))])),
                ("tags", tags.unwrap_or(Value::NULL)),
            ])
        };
        let found: Vec<String> =
            differences(&value("1", None), &value("2", Some("x"))).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["parameters.A", "tags"]);
        assert!(differences(&value("1", None), &value("1", None)).is_empty());
    }
}
