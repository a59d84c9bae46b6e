//! Outputs as values: as Azure gives them, and as a plan can know them (rule P4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use windlass_model::{Type, Value, from_json};

use crate::arm::eval::{Ev, Scope};
use crate::arm::outputs::Made;

/// Outputs that Azure gave. `secure`: names of those whose values it keeps to itself; `secret`: of those made of secrets.
pub fn values(given: &Map<String, Json>, made: &BTreeMap<String, Made>) -> Value {
    let one = |(name, output): (&String, &Json)| {
        // Azure may spell a name in its own way.
        let declared = made.iter().find(|(declared, _)| declared.eq_ignore_ascii_case(name));
        let name = declared.map_or(name, |(declared, _)| declared);
        let value = match is_secure(output) {
            true => Value::NULL.sensitive(),
            false => from_json(output.get("value").cloned().unwrap_or(Json::Null)),
        };
        let secret = declared.is_some_and(|(_, made)| made.secret);
        (name.clone(), if secret { value.sensitive() } else { value })
    };
    Value::object(given.iter().map(one))
}

fn is_secure(output: &Json) -> bool {
    output.get("type").and_then(Json::as_str).unwrap_or_default().to_lowercase().starts_with("secure")
}

/// What a plan knows of the outputs.
pub struct Planned<'a> {
    /// The template's scope.
    pub scope: &'a Scope<'a>,
    /// What the outputs are made of.
    pub made: &'a BTreeMap<String, Made>,
    /// What they were made of.
    pub before: &'a BTreeMap<String, Made>,
    /// What they are.
    pub now: Option<&'a Value>,
    /// The addresses of what changes.
    pub changed: &'a BTreeSet<String>,
    /// `bicep_deployment.app`
    pub address: &'a str,
}

impl Planned<'_> {
    /// The outputs as they will be.
    pub fn value(&self) -> Value {
        let mut entries = Vec::new();
        let all = self.scope.template.get("outputs").and_then(Json::as_object);
        for (name, output) in all.into_iter().flatten() {
            let unknown = || Value::unknown_from(Type::Any, format!("{}.outputs", self.address));
            match output.get("condition").map(|condition| self.scope.json(condition)) {
                None => {}
                Some(Ev::Known(Json::Bool(true))) => {}
                Some(Ev::Known(Json::Bool(false))) => continue,
                // Whether there is such an output is not known, so neither is which there are.
                Some(_) => return unknown(),
            }
            entries.push((name.clone(), self.one(name, output)));
        }
        Value::object(entries)
    }

    fn one(&self, name: &str, output: &Json) -> Value {
        if is_secure(output) {
            return Value::NULL.sensitive();
        }
        let made = self.made.get(name);
        let now = self.now.and_then(|now| now.get(name));
        if let (Some(made), Some(now)) = (made, now)
            && made.stays(self.before.get(name), self.changed)
        {
            return if made.secret { now.clone().sensitive() } else { now.clone() };
        }
        let ty = match output.get("type").and_then(Json::as_str).map(str::to_lowercase).as_deref() {
            Some("string") => Type::String,
            Some("int") => Type::Number,
            Some("bool") => Type::Bool,
            _ => Type::Any,
        };
        let value = Value::unknown_from(ty, format!("{}.outputs.{name}", self.address));
        if made.is_some_and(|made| made.secret) { value.sensitive() } else { value }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secure_outputs_have_no_value_and_secret_ones_are_marked() {
        let given = json!({"PLAIN": {"type": "String", "value": "x"}, "key": {"type": "SecureString"}, "shown": {"type": "Object", "value": {"a": [1, 2.5]}}});
        let secret = Made { secret: true, ..Made::default() };
        let made = BTreeMap::from([("plain".to_owned(), Made::default()), ("shown".to_owned(), secret)]);
        let value = values(given.as_object().unwrap(), &made);
        assert_eq!(value.get("plain").unwrap().as_str(), Some("x"));
        assert!(value.get("key").unwrap().is_null() && value.get("key").unwrap().is_sensitive());
        assert!(value.get("shown").unwrap().is_sensitive() && !value.get("plain").unwrap().is_sensitive());
        assert_eq!(
            value.get("shown").unwrap().get("a").unwrap().items().unwrap()[1]
                .as_number()
                .unwrap()
                .to_string(),
            "2.5"
        );
    }
}
