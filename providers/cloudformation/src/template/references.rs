//! What an expression refers to.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Template;

/// The names that an expression refers to directly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct References {
    /// Parameters, resources and pseudo parameters: `Ref`, `Fn::GetAtt`, `Fn::Sub`.
    pub names: BTreeSet<String>,
    /// Conditions: `Fn::If`, `Condition`.
    pub conditions: BTreeSet<String>,
    /// It has something whose result nobody can tell beforehand: an import, a dynamic reference, a macro.
    pub outside: bool,
}

impl References {
    /// Of an expression.
    pub fn of(expression: &Json) -> References {
        let mut found = References::default();
        found.walk(expression);
        found
    }

    fn walk(&mut self, json: &Json) {
        match json {
            Json::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Json::String(text) if text.contains("{{resolve:") => self.outside = true,
            Json::Object(map) => match map.iter().next() {
                Some((name, argument)) if map.len() == 1 => self.function(name, argument),
                _ => map.values().for_each(|value| self.walk(value)),
            },
            _ => {}
        }
    }

    fn function(&mut self, name: &str, argument: &Json) {
        match (name, argument) {
            ("Ref", Json::String(target)) => {
                self.names.insert(target.clone());
            }
            ("Condition", Json::String(condition)) => {
                self.conditions.insert(condition.clone());
            }
            ("Fn::GetAtt", Json::String(text)) => self.dotted(text),
            ("Fn::GetAtt", Json::Array(parts)) => {
                if let Some(target) = parts.first().and_then(Json::as_str) {
                    self.names.insert(target.to_owned());
                }
                parts.iter().skip(1).for_each(|part| self.walk(part));
            }
            ("Fn::Sub", Json::String(text)) => self.substitute(text, None),
            ("Fn::Sub", Json::Array(parts)) => {
                if let Some(text) = parts.first().and_then(Json::as_str) {
                    self.substitute(text, parts.get(1));
                }
            }
            ("Fn::If", Json::Array(parts)) => {
                if let Some(condition) = parts.first().and_then(Json::as_str) {
                    self.conditions.insert(condition.to_owned());
                }
                parts.iter().skip(1).for_each(|part| self.walk(part));
            }
            ("Fn::ImportValue" | "Fn::Transform" | "Fn::GetAZs", argument) => {
                self.outside = true;
                self.walk(argument);
            }
            (_, argument) => self.walk(argument),
        }
    }

    fn dotted(&mut self, text: &str) {
        let target = text.split('.').next().unwrap_or(text);
        self.names.insert(target.to_owned());
    }

    fn substitute(&mut self, text: &str, local: Option<&Json>) {
        if text.contains("{{resolve:") {
            self.outside = true;
        }
        for name in placeholders(text) {
            if local.and_then(|local| local.get(name)).is_none() {
                self.dotted(name);
            }
        }
        if let Some(Json::Object(values)) = local {
            values.values().for_each(|value| self.walk(value));
        }
    }
}

/// The names in `${…}` of a `Fn::Sub`; `${!literal}` is none.
pub fn placeholders(text: &str) -> Vec<&str> {
    let parts = text.split("${").skip(1);
    let names = parts.filter_map(|part| part.split_once('}')).map(|(name, _)| name.trim());
    names.filter(|name| !name.starts_with('!')).collect()
}

impl Template {
    /// The parameters that an expression depends on, through conditions too; not through resources.
    pub fn parameters_of(&self, expression: &Json) -> BTreeSet<String> {
        let (names, _) = self.reach(&References::of(expression));
        names.into_iter().filter(|name| self.parameters.contains_key(name)).collect()
    }

    /// All names that are referred to, through conditions too, and whether something from outside is.
    pub fn reach(&self, start: &References) -> (BTreeSet<String>, bool) {
        let mut names = start.names.clone();
        let mut outside = start.outside;
        let mut seen = BTreeSet::new();
        let mut next: Vec<String> = start.conditions.iter().cloned().collect();
        while let Some(condition) = next.pop() {
            if !seen.insert(condition.clone()) {
                continue;
            }
            let Some(expression) = self.conditions.get(&condition) else { continue };
            let found = References::of(expression);
            outside |= found.outside;
            names.extend(found.names);
            next.extend(found.conditions);
        }
        (names, outside)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn refs(yaml: &str) -> References {
        References::of(&super::super::parse::tree(yaml).unwrap())
    }

    #[test]
    fn every_form_is_seen() {
        let names = |yaml: &str| refs(yaml).names.into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(names("!Ref A"), "A");
        assert_eq!(names("!GetAtt A.B.C"), "A");
        assert_eq!(names("Fn::GetAtt: A.B"), "A");
        assert_eq!(names("!Sub 'x${A}-${B.Arn}-${!C}-${AWS::Region}'"), "A AWS::Region B");
        assert_eq!(names("!Sub ['${L}-${A}', {L: !Ref B}]"), "A B");
        assert_eq!(names("!Join ['', [!Ref A, {Fn::Sub: '${B}'}]]"), "A B");
        assert_eq!(names("{x: {y: [!Ref A]}, z: !Select [0, !Ref B]}"), "A B");
        assert_eq!(names("!If [C, !Ref A, b]"), "A");
        assert!(refs("!If [C, 1, 2]").conditions.contains("C"));
        assert!(refs("!ImportValue x").outside && refs("'{{resolve:ssm:a}}'").outside && !refs("x").outside);
    }

    #[test]
    fn conditions_lead_to_parameters() {
        let template = parse(
            "Parameters: {P: {Type: String}, R: {Type: String}}\n\
             Conditions: {C: !Equals [!Ref P, x], D: !And [!Condition C, !Equals [!Ref R, y]]}\n\
             Resources: {Q: {Type: T, Condition: D}}",
        )
        .unwrap();
        let of = |yaml: &str| template.parameters_of(&super::super::parse::tree(yaml).unwrap());
        assert_eq!(of("!Condition C").len(), 1);
        assert_eq!(of("!Condition D").len(), 2);
        let expression = super::super::parse::tree("!If [C, a, b]").unwrap();
        assert!(template.parameters_of(&expression).contains("P"));
    }
}
