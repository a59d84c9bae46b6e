//! What is wrong with a template before anybody is asked, and what changes between two of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use windlass_model::NestedChange;

use super::evaluate::Facts;
use super::{Resource, Template};

/// What stands for a value that is not known yet.
pub const LATER: &str = "(known after apply)";
/// What stands for a value that is not shown.
pub const HIDDEN: &str = "(sensitive value)";

/// Parameters that the template does not have, and such that it needs and that are not given.
pub fn parameter_problems(template: &Template, given: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in given.iter().filter(|name| !template.parameters.contains_key(*name)) {
        let close = closest(name, template.parameters.keys());
        let close = close.map(|close| format!(", did you mean `{close}`?")).unwrap_or_default();
        wrong.push(format!("the template has no parameter `{name}`{close}"));
    }
    let needed = template
        .parameters
        .iter()
        .filter(|(name, parameter)| parameter.default.is_none() && !given.contains(*name));
    wrong.extend(needed.map(|(name, parameter)| {
        format!("the template's parameter `{name}` ({}) has no default and is not given", parameter.kind)
    }));
    wrong
}

fn closest<'a>(name: &str, among: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let distance = |other: &String| strsim::damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
    let near = among.map(|other| (distance(other), other)).filter(|(far, _)| *far <= 2.max(name.len() / 3));
    near.min().map(|(_, other)| other)
}

/// Nested templates that lie on this host: the service can only read them from a bucket.
pub fn local_templates(template: &Template) -> Vec<String> {
    let property = |resource: &Resource| match resource.kind.as_str() {
        "AWS::CloudFormation::Stack" => resource.properties.get("TemplateURL").cloned(),
        "AWS::Serverless::Application" => resource.properties.get("Location").cloned(),
        _ => None,
    };
    let local = |(id, resource): (&String, &Resource)| {
        let place = property(resource)?.as_str()?.to_owned();
        let remote = ["https://", "http://", "s3://"].iter().any(|scheme| place.starts_with(scheme));
        (!remote).then(|| format!("{id}: `{place}`"))
    };
    template.resources.iter().filter_map(local).collect()
}

/// Two states of a stack: what is recorded, and what is wanted as far as it is known.
pub struct Comparison<'a> {
    /// The recorded template and what its parameters were.
    pub before: Option<(&'a Template, &'a Facts)>,
    /// The wanted template.
    pub after: &'a Template,
    /// What is known of its parameters.
    pub facts: &'a Facts,
    /// Parameters whose values are not shown.
    pub secret: &'a BTreeSet<String>,
}

impl Comparison<'_> {
    /// What is certain to change inside: nothing that hangs on what is not known is in it, but as a value known later.
    pub fn changes(&self) -> Vec<NestedChange> {
        if !self.after.transforms.is_empty() {
            // What a macro makes of it nobody knows before the service was asked.
            return Vec::new();
        }
        let mut found: BTreeMap<&str, NestedChange> = BTreeMap::new();
        for (id, resource) in &self.after.resources {
            let there = self.after.there(resource.condition.as_deref(), self.facts);
            let before = self.was(id);
            let change = match (there, before) {
                (Some(true), Was::Absent) => self.created(id, resource),
                (Some(true), Was::There(old)) => match self.changed(id, old, resource) {
                    Some(change) => change,
                    None => continue,
                },
                (Some(false), Was::There(_)) => plain(id, "delete"),
                _ => continue,
            };
            found.insert(id, change);
        }
        for id in self.before.iter().flat_map(|(before, _)| before.resources.keys()) {
            if !self.after.resources.contains_key(id) && matches!(self.was(id), Was::There(_)) {
                found.insert(id, plain(id, "delete"));
            }
        }
        found.into_values().collect()
    }

    fn was(&self, id: &str) -> Was<'_> {
        let Some((before, facts)) = self.before else { return Was::Absent };
        let Some(resource) = before.resources.get(id) else { return Was::Absent };
        match before.there(resource.condition.as_deref(), facts) {
            Some(true) => Was::There(resource),
            Some(false) => Was::Absent,
            None => Was::Unclear,
        }
    }

    fn created(&self, id: &str, resource: &Resource) -> NestedChange {
        let line = |(name, value): (&String, &Json)| format!("+ {name}: {}", self.shown(value));
        NestedChange { lines: resource.properties.iter().map(line).collect(), ..plain(id, "create") }
    }

    /// The properties that differ, or that wait for something.
    fn changed(&self, id: &str, old: &Resource, new: &Resource) -> Option<NestedChange> {
        if old.kind != new.kind {
            return Some(NestedChange { because: vec!["Type".to_owned()], ..plain(id, "replace") });
        }
        let names: BTreeSet<&String> = old.properties.keys().chain(new.properties.keys()).collect();
        let lines: Vec<String> = names
            .into_iter()
            .filter_map(|name| self.line(name, old.properties.get(name), new.properties.get(name)))
            .collect();
        (!lines.is_empty()).then(|| NestedChange { lines, ..plain(id, "update") })
    }

    fn line(&self, name: &str, old: Option<&Json>, new: Option<&Json>) -> Option<String> {
        let was = old.and_then(|old| self.before.and_then(|(before, facts)| before.value_of(old, facts)));
        match (old, new) {
            (None, Some(new)) => Some(format!("+ {name}: {}", self.shown(new))),
            (Some(_), None) => Some(format!("- {name}")),
            (Some(old), Some(new)) => {
                let now = self.after.value_of(new, self.facts);
                let same = match (&was, &now) {
                    (Some(was), Some(now)) => was == now,
                    // Neither side can be worked out: the same words, of nothing that waits, are the same.
                    _ => old == new && !self.waits(new) && !self.moved(new),
                };
                if same {
                    return None;
                }
                let was = was.filter(|_| !self.hidden(old)).map(|was| format!("{} -> ", short(&was)));
                Some(format!("~ {name}: {}{}", was.unwrap_or_default(), self.shown(new)))
            }
            (None, None) => None,
        }
    }

    fn shown(&self, expression: &Json) -> String {
        if self.hidden(expression) {
            return HIDDEN.to_owned();
        }
        self.after.value_of(expression, self.facts).map_or_else(|| LATER.to_owned(), |value| short(&value))
    }

    fn hidden(&self, expression: &Json) -> bool {
        self.after.parameters_of(expression).iter().any(|name| self.secret.contains(name))
    }

    /// Whether it depends on a parameter that is not known.
    fn waits(&self, expression: &Json) -> bool {
        let names = self.after.parameters_of(expression);
        names.iter().any(|name| matches!(self.facts.parameters.get(name), Some(None)))
    }

    /// Whether it depends on a parameter that has another value than before.
    fn moved(&self, expression: &Json) -> bool {
        let Some((before, facts)) = self.before else { return true };
        let value = |template: &Template, facts: &Facts, name: &str| {
            let given = facts.parameters.get(name).cloned().flatten();
            given.or_else(|| template.parameters.get(name)?.default.clone())
        };
        let names = self.after.parameters_of(expression);
        names.iter().any(|name| value(before, facts, name) != value(self.after, self.facts, name))
    }
}

enum Was<'a> {
    There(&'a Resource),
    Absent,
    Unclear,
}

fn plain(id: &str, action: &str) -> NestedChange {
    NestedChange { address: id.to_owned(), action: action.to_owned(), because: Vec::new(), lines: Vec::new() }
}

/// A value in a few words.
pub fn short(value: &Json) -> String {
    const MOST: usize = 120;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn facts(parameters: &[(&str, Option<&str>)]) -> Facts {
        let parameters =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)));
        Facts { parameters: parameters.collect(), ..Facts::default() }
    }

    fn said(comparison: &Comparison<'_>) -> Vec<String> {
        let said = |change: NestedChange| {
            format!("{} {}: {}", change.action, change.address, change.lines.join("; "))
        };
        comparison.changes().into_iter().map(said).collect()
    }

    const HEAD: &str = "Parameters: {P: {Type: String}, K: {Type: String, Default: k}}\n\
                        Conditions: {Maybe: !Equals [!Ref P, x], Sure: !Equals [!Ref K, k]}\nResources:\n";

    #[test]
    fn parameters_are_checked_against_the_template() {
        let template = parse(&format!("{HEAD}  Q: {{Type: T}}")).unwrap();
        let given = BTreeSet::from(["p".to_owned(), "Other".to_owned()]);
        let wrong = parameter_problems(&template, &given).join("\n");
        assert!(wrong.contains("no parameter `p`, did you mean `P`?"), "{wrong}");
        assert!(wrong.contains("no parameter `Other`\n"), "{wrong}");
        assert!(wrong.contains("parameter `P` (String) has no default"), "{wrong}");
    }

    #[test]
    fn local_nested_templates_are_named() {
        let template = parse(
            "Resources:\n  A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./a.yaml}}\n  \
             B: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 'https://s3/x'}}\n  \
             C: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: !Ref X}}",
        )
        .unwrap();
        assert_eq!(local_templates(&template), ["A: `./a.yaml`"]);
    }

    #[test]
    fn of_a_new_stack_only_what_is_certain_is_shown() {
        let after = parse(&format!(
            "{HEAD}  A: {{Type: T, Properties: {{N: !Ref P, K: !Ref K, X: 1}}}}\n  \
             B: {{Type: T, Condition: Maybe}}\n  C: {{Type: T, Condition: Sure}}\n  D: {{Type: T, Properties: {{R: !Ref A}}}}"
        ))
        .unwrap();
        let facts = facts(&[("P", None)]);
        let secret = BTreeSet::from(["K".to_owned()]);
        let found = said(&Comparison { before: None, after: &after, facts: &facts, secret: &secret });
        assert_eq!(
            found,
            [
                "create A: + K: (sensitive value); + N: (known after apply); + X: \"1\"",
                "create C: ",
                "create D: + R: (known after apply)"
            ]
        );
    }

    #[test]
    fn of_an_existing_stack_what_waits_is_an_update() {
        let before = parse(&format!(
            "{HEAD}  A: {{Type: T, Properties: {{N: !Ref P}}}}\n  B: {{Type: T, Properties: {{V: 1, W: !GetAtt A.X}}}}\n  \
             C: {{Type: T}}\n  D: {{Type: T, Properties: {{K: !Ref K}}}}"
        ))
        .unwrap();
        let after = parse(&format!(
            "{HEAD}  A: {{Type: T, Properties: {{N: !Ref P}}}}\n  B: {{Type: T, Properties: {{V: 2, W: !GetAtt A.X}}}}\n  \
             D: {{Type: T, Properties: {{K: !Ref K}}}}\n  E: {{Type: T, Condition: Maybe}}\n  F: {{Type: T}}"
        ))
        .unwrap();
        let (old, new) = (facts(&[("P", Some("x"))]), facts(&[("P", None)]));
        let secret = BTreeSet::new();
        let comparison =
            Comparison { before: Some((&before, &old)), after: &after, facts: &new, secret: &secret };
        assert_eq!(
            said(&comparison),
            [
                "update A: ~ N: \"x\" -> (known after apply)",
                "update B: ~ V: \"1\" -> \"2\"",
                "delete C: ",
                "create F: "
            ]
        );
    }
}
