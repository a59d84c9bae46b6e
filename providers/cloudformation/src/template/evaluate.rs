//! What an expression comes to, as far as everything in it is known.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::references::placeholders;
use super::{Template, text};

/// Deeper than any expression: conditions may refer to each other in a circle.
const MOST_DEPTH: usize = 64;

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Parameters; `None`: given, but not known yet. Those that are not here have their defaults.
    pub parameters: BTreeMap<String, Option<String>>,
    /// Pseudo parameters (`AWS::Region`) and the physical ids of resources.
    pub names: BTreeMap<String, String>,
}

impl Template {
    /// The text of an expression; `None`: not known, or no text.
    pub fn text_of(&self, expression: &Json, facts: &Facts) -> Option<String> {
        text(&self.value(expression, facts, 0)?)
    }

    /// What an expression comes to: text, a list or a map of such.
    pub fn value_of(&self, expression: &Json, facts: &Facts) -> Option<Json> {
        self.value(expression, facts, 0)
    }

    /// Whether a condition holds; `None`: not known.
    pub fn holds(&self, condition: &str, facts: &Facts) -> Option<bool> {
        self.condition(condition, facts, 0)
    }

    /// Whether something under this condition is there; without one it is.
    pub fn there(&self, condition: Option<&str>, facts: &Facts) -> Option<bool> {
        condition.map_or(Some(true), |condition| self.holds(condition, facts))
    }

    fn condition(&self, name: &str, facts: &Facts, depth: usize) -> Option<bool> {
        self.truth(self.conditions.get(name)?, facts, depth + 1)
    }

    fn truth(&self, expression: &Json, facts: &Facts, depth: usize) -> Option<bool> {
        let (name, argument) = single(expression).filter(|_| depth < MOST_DEPTH)?;
        let mut each = list(argument).iter().map(|part| self.truth(part, facts, depth + 1));
        match name {
            "Condition" => self.condition(argument.as_str()?, facts, depth),
            "Fn::Not" => each.next()?.map(|value| !value),
            "Fn::And" => decided(each, false),
            "Fn::Or" => decided(each, true),
            "Fn::Equals" => {
                let [left, right] = list(argument) else { return None };
                Some(self.value(left, facts, depth + 1)? == self.value(right, facts, depth + 1)?)
            }
            _ => None,
        }
    }

    fn value(&self, expression: &Json, facts: &Facts, depth: usize) -> Option<Json> {
        if depth > MOST_DEPTH {
            return None;
        }
        let inner = |part: &Json| self.value(part, facts, depth + 1);
        match expression {
            Json::String(text) if text.contains("{{resolve:") => None,
            Json::Array(items) => items.iter().map(inner).collect::<Option<_>>().map(Json::Array),
            Json::Object(map) => match single(expression) {
                Some((name, argument)) if is_function(name) => self.call(name, argument, facts, depth),
                _ => {
                    let entries = map.iter().map(|(key, value)| Some((key.clone(), inner(value)?)));
                    entries.collect::<Option<_>>().map(Json::Object)
                }
            },
            other => Some(other.clone()),
        }
    }

    fn call(&self, name: &str, argument: &Json, facts: &Facts, depth: usize) -> Option<Json> {
        let inner = |part: &Json| self.value(part, facts, depth + 1);
        match name {
            "Ref" => self.named(argument.as_str()?, facts),
            "Fn::Sub" => self.substituted(argument, facts, depth).map(Json::String),
            "Fn::Join" => {
                let [between, parts] = list(argument) else { return None };
                let parts = inner(parts)?;
                let parts: Option<Vec<String>> = list(&parts).iter().map(text).collect();
                Some(Json::String(parts?.join(between.as_str()?)))
            }
            "Fn::Select" => {
                let [index, items] = list(argument) else { return None };
                let index: usize = text(&inner(index)?)?.parse().ok()?;
                list(&inner(items)?).get(index).cloned()
            }
            "Fn::Split" => {
                let [between, whole] = list(argument) else { return None };
                let whole = text(&inner(whole)?)?;
                let between = between.as_str().filter(|between| !between.is_empty())?;
                Some(Json::Array(whole.split(between).map(Json::from).collect()))
            }
            "Fn::If" => {
                let [condition, yes, no] = list(argument) else { return None };
                let holds = self.condition(condition.as_str()?, facts, depth)?;
                inner(if holds { yes } else { no })
            }
            "Fn::FindInMap" => {
                let mut at = &self.tree["Mappings"];
                for part in list(argument) {
                    at = at.get(text(&inner(part)?)?)?;
                }
                Some(at.clone())
            }
            _ => None,
        }
    }

    fn named(&self, name: &str, facts: &Facts) -> Option<Json> {
        let Some(parameter) = self.parameters.get(name) else {
            return facts.names.get(name).cloned().map(Json::String);
        };
        // What stands in the store of such a one is another thing than the name that is given.
        if parameter.kind.starts_with("AWS::SSM::") {
            return None;
        }
        let value = match facts.parameters.get(name) {
            Some(value) => value.clone()?,
            None => parameter.default.clone()?,
        };
        let is_list = parameter.kind == "CommaDelimitedList" || parameter.kind.starts_with("List<");
        Some(match is_list {
            true => Json::Array(value.split(',').map(|item| item.trim().into()).collect()),
            false => Json::String(value),
        })
    }

    fn substituted(&self, argument: &Json, facts: &Facts, depth: usize) -> Option<String> {
        let (pattern, local) = match argument {
            Json::String(pattern) => (pattern.as_str(), None),
            other => (list(other).first()?.as_str()?, list(other).get(1)),
        };
        let mut result = pattern.to_owned();
        for name in placeholders(pattern) {
            let value = match local.and_then(|local| local.get(name)) {
                Some(expression) => self.value(expression, facts, depth + 1)?,
                None => self.named(name, facts)?,
            };
            result = result.replace(&format!("${{{name}}}"), &text(&value)?);
        }
        (!result.contains("{{resolve:")).then(|| result.replace("${!", "${"))
    }
}

fn is_function(name: &str) -> bool {
    name == "Ref" || name == "Condition" || name.starts_with("Fn::")
}

fn single(expression: &Json) -> Option<(&str, &Json)> {
    let map = expression.as_object().filter(|map| map.len() == 1)?;
    map.iter().next().map(|(name, argument)| (name.as_str(), argument))
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// And with `by` false, Or with `by` true: one that decides is enough, whatever is not known.
fn decided(each: impl Iterator<Item = Option<bool>>, by: bool) -> Option<bool> {
    let mut unknown = false;
    for value in each {
        match value {
            Some(value) if value == by => return Some(by),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!by)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::parse::tree;
    use super::*;

    fn template() -> Template {
        parse(
            "Parameters: {P: {Type: String, Default: x}, U: {Type: String}, L: {Type: CommaDelimitedList, \
             Default: 'a,b'}, S: {Type: 'AWS::SSM::Parameter::Value<String>', Default: n}}\n\
             Mappings: {M: {x: {k: yes!}}}\n\
             Conditions:\n  Px: !Equals [!Ref P, x]\n  Uy: !Equals [!Ref U, y]\n  NotPx: !Not [!Condition Px]\n  \
             And: !And [!Condition NotPx, !Condition Uy]\n  Or: !Or [!Condition Px, !Condition Uy]\n  \
             Both: !And [!Condition Px, !Condition Uy]\n  Map: !Equals [!FindInMap [M, !Ref P, k], 'yes!']\n  \
             Loop: !Not [!Condition Loop]\nResources: {Q: {Type: T}}",
        )
        .unwrap()
    }

    fn facts(u: Option<&str>) -> Facts {
        let parameters = BTreeMap::from([("U".to_owned(), u.map(str::to_owned))]);
        let names = [("AWS::Region", "eu"), ("Q", "https://q")];
        let names = names.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Facts { parameters, names: BTreeMap::from(names) }
    }

    #[test]
    fn what_is_known_decides() {
        let template = template();
        let holds = |name: &str| template.holds(name, &facts(None));
        assert_eq!(holds("Px"), Some(true));
        assert_eq!(holds("NotPx"), Some(false));
        assert_eq!(holds("Uy"), None);
        assert_eq!(holds("And"), Some(false));
        assert_eq!(holds("Or"), Some(true));
        assert_eq!(holds("Both"), None);
        assert_eq!(holds("Map"), Some(true));
        assert_eq!(holds("Loop"), None);
        assert_eq!(holds("Absent"), None);
        assert_eq!(template.holds("Both", &facts(Some("y"))), Some(true));
    }

    #[test]
    fn expressions_come_to_text_or_to_nothing() {
        let template = template();
        let value = |yaml: &str| template.text_of(&tree(yaml).unwrap(), &facts(None));
        assert_eq!(value("!Sub '${P}-${AWS::Region}-${Q}-${!P}'").as_deref(), Some("x-eu-https://q-${P}"));
        assert_eq!(value("!Sub ['${A}${P}', {A: !Ref P}]").as_deref(), Some("xx"));
        assert_eq!(value("!Join ['/', !Ref L]").as_deref(), Some("a/b"));
        assert_eq!(value("!Select [1, !Split ['-', 'a-b']]").as_deref(), Some("b"));
        assert_eq!(value("!If [Px, !Ref P, !Ref U]").as_deref(), Some("x"));
        for unknown in
            ["!Ref U", "!Sub '${U}'", "!GetAtt Q.Arn", "!Ref S", "!ImportValue x", "!If [Uy, a, b]"]
        {
            assert_eq!(value(unknown), None, "{unknown}");
        }
    }
}
