//! Evaluates what of a template's expressions can be evaluated here, and says what the rest waits for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::expression::{self, Expr, Text};
use crate::target::Target;

/// The result of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Ev {
    /// A value.
    Known(Json),
    /// It depends on parameters that are not known yet: their names.
    Waits(BTreeSet<String>),
    /// Only Azure can say.
    Opaque,
}

/// What names in expressions stand for.
#[derive(Clone)]
pub struct Scope<'a> {
    /// The template whose expressions are meant.
    pub template: &'a Json,
    /// The values of its parameters: given ones and, where they are none, not in here.
    pub parameters: BTreeMap<String, Ev>,
    /// Where it is deployed.
    pub target: &'a Target,
    /// The group, where a module goes to another one.
    pub group: Option<String>,
    /// `copyIndex()` by the loop's name; the innermost under the empty name.
    pub copy: BTreeMap<String, i64>,
}

/// How deep variables may refer to each other.
const DEEPEST: usize = 48;

impl Scope<'_> {
    /// A string of the template.
    pub fn text(&self, text: &str) -> Ev {
        self.text_at(text, 0)
    }

    fn text_at(&self, text: &str, depth: usize) -> Ev {
        match expression::read(text) {
            Text::Literal(text) => Ev::Known(Json::String(text)),
            Text::Expr(expr) => self.expr(&expr, depth),
            Text::Unreadable => Ev::Opaque,
        }
    }

    /// An expression that was read.
    pub fn expression(&self, expr: &Expr) -> Ev {
        self.expr(expr, 0)
    }

    /// A piece of the template with all its expressions.
    pub fn json(&self, json: &Json) -> Ev {
        self.json_at(json, 0)
    }

    fn json_at(&self, json: &Json, depth: usize) -> Ev {
        match json {
            Json::String(text) => self.text_at(text, depth),
            Json::Array(items) => {
                let items = items.iter().map(|item| self.json_at(item, depth));
                gather(items.collect(), |items| Json::Array(items.collect()))
            }
            Json::Object(fields) => {
                let names = fields.keys().cloned();
                let values = fields.values().map(|value| self.json_at(value, depth)).collect();
                gather(values, |values| Json::Object(names.zip(values).collect::<Map<_, _>>()))
            }
            other => Ev::Known(other.clone()),
        }
    }

    /// The parameters, not known yet, that a piece of the template depends on.
    pub fn waits(&self, json: &Json) -> BTreeSet<String> {
        match json {
            Json::String(text) => match expression::read(text) {
                Text::Expr(expr) => self.expr_waits(&expr, 0),
                _ => BTreeSet::new(),
            },
            Json::Array(items) => items.iter().flat_map(|item| self.waits(item)).collect(),
            Json::Object(fields) => fields.values().flat_map(|value| self.waits(value)).collect(),
            _ => BTreeSet::new(),
        }
    }

    fn expr_waits(&self, expr: &Expr, depth: usize) -> BTreeSet<String> {
        let mut calls = Vec::new();
        expr.calls(&mut calls);
        let mut found = BTreeSet::new();
        for (name, args) in calls {
            match (name.to_lowercase().as_str(), args.first()) {
                ("parameters", Some(Expr::Text(name))) => {
                    if let Ev::Waits(names) = self.parameter(name, depth + 1) {
                        found.extend(names);
                    }
                }
                ("variables", Some(Expr::Text(name))) if depth < DEEPEST => {
                    let Some(json) = self.member("variables", name) else { continue };
                    found.extend(self.json_waits(json, depth + 1));
                }
                // Any of them may be meant.
                ("parameters", Some(_)) => {
                    let all = self.parameters.values().filter_map(|value| match value {
                        Ev::Waits(names) => Some(names.clone()),
                        _ => None,
                    });
                    found.extend(all.flatten());
                }
                _ => {}
            }
        }
        found
    }

    fn json_waits(&self, json: &Json, depth: usize) -> BTreeSet<String> {
        match json {
            Json::String(text) => match expression::read(text) {
                Text::Expr(expr) => self.expr_waits(&expr, depth),
                _ => BTreeSet::new(),
            },
            Json::Array(items) => items.iter().flat_map(|item| self.json_waits(item, depth)).collect(),
            Json::Object(fields) => fields.values().flat_map(|value| self.json_waits(value, depth)).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// A member of one of the template's sections; ARM's names do not mind case.
    pub fn member(&self, section: &str, name: &str) -> Option<&Json> {
        let fields = self.template.get(section)?.as_object()?;
        fields
            .get(name)
            .or_else(|| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, json)| json))
    }

    /// A parameter: what was given, else its default.
    pub fn parameter(&self, name: &str, depth: usize) -> Ev {
        if depth > DEEPEST {
            return Ev::Opaque;
        }
        let given = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        match (given, self.member("parameters", name)) {
            (Some((_, value)), _) => value.clone(),
            (None, Some(declared)) => match declared.get("defaultValue") {
                Some(default) => self.json_at(default, depth + 1),
                None => Ev::Known(Json::Null),
            },
            (None, None) => Ev::Opaque,
        }
    }

    fn expr(&self, expr: &Expr, depth: usize) -> Ev {
        if depth > DEEPEST {
            return Ev::Opaque;
        }
        match expr {
            Expr::Text(text) => Ev::Known(Json::String(text.clone())),
            Expr::Int(number) => Ev::Known(Json::from(*number)),
            Expr::Property(of, name) => pick(self.expr(of, depth + 1), |value| {
                let fields = value.as_object()?;
                fields
                    .get(name)
                    .or_else(|| {
                        fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, json)| json)
                    })
                    .cloned()
            }),
            Expr::Index(of, at) => match (self.expr(of, depth + 1), self.expr(at, depth + 1)) {
                (Ev::Known(of), Ev::Known(Json::String(name))) => {
                    of.get(&name).cloned().map_or(Ev::Opaque, Ev::Known)
                }
                (Ev::Known(of), Ev::Known(at)) => {
                    let at = at.as_u64().and_then(|at| usize::try_from(at).ok());
                    at.and_then(|at| of.get(at)).cloned().map_or(Ev::Opaque, Ev::Known)
                }
                (Ev::Waits(mut a), Ev::Waits(b)) => {
                    a.extend(b);
                    Ev::Waits(a)
                }
                (Ev::Waits(names), _) | (_, Ev::Waits(names)) => Ev::Waits(names),
                _ => Ev::Opaque,
            },
            Expr::Call(name, args) => self.call(&name.to_lowercase(), args, depth + 1),
        }
    }

    fn call(&self, name: &str, args: &[Expr], depth: usize) -> Ev {
        match (name, args) {
            ("parameters", [Expr::Text(name)]) => return self.parameter(name, depth),
            ("variables", [Expr::Text(name)]) => {
                return self.member("variables", name).map_or(Ev::Opaque, |json| self.json_at(json, depth));
            }
            ("copyindex", _) => return self.copy_index(args),
            ("if", [condition, yes, no]) => {
                return match self.expr(condition, depth) {
                    Ev::Known(Json::Bool(flag)) => self.expr(if flag { yes } else { no }, depth),
                    Ev::Known(_) => Ev::Opaque,
                    unsettled => self.unsettled(unsettled, [yes, no].into_iter(), depth),
                };
            }
            _ => {}
        }
        let values: Vec<Ev> = args.iter().map(|arg| self.expr(arg, depth)).collect();
        match gather(values, |values| Json::Array(values.collect())) {
            Ev::Known(Json::Array(values)) => self.function(name, &values).map_or(Ev::Opaque, Ev::Known),
            Ev::Known(_) => Ev::Opaque,
            unsettled => unsettled,
        }
    }

    /// What a value that is not settled and its alternatives wait for.
    fn unsettled<'e>(&self, of: Ev, others: impl Iterator<Item = &'e Expr>, depth: usize) -> Ev {
        let mut all = vec![of];
        all.extend(others.map(|expr| self.expr(expr, depth)));
        let waits: BTreeSet<String> = all
            .into_iter()
            .flat_map(|ev| match ev {
                Ev::Waits(names) => names,
                _ => BTreeSet::new(),
            })
            .collect();
        if waits.is_empty() { Ev::Opaque } else { Ev::Waits(waits) }
    }

    fn copy_index(&self, args: &[Expr]) -> Ev {
        let (name, offset) = match args {
            [] => ("", 0),
            [Expr::Int(offset)] => ("", *offset),
            [Expr::Text(name)] => (name.as_str(), 0),
            [Expr::Text(name), Expr::Int(offset)] => (name.as_str(), *offset),
            _ => return Ev::Opaque,
        };
        self.copy.get(name).map_or(Ev::Opaque, |index| Ev::Known(Json::from(index.saturating_add(offset))))
    }

    /// The functions whose results do not depend on Azure.
    fn function(&self, name: &str, args: &[Json]) -> Option<Json> {
        let text = |at: usize| args.get(at)?.as_str();
        Some(match name {
            "concat" if args.iter().all(Json::is_array) => {
                Json::Array(args.iter().filter_map(Json::as_array).flatten().cloned().collect())
            }
            "concat" => Json::String(args.iter().map(as_text).collect::<Option<String>>()?),
            "format" => Json::String(format_text(text(0)?, &args[1..])?),
            "tolower" => Json::String(text(0)?.to_lowercase()),
            "toupper" => Json::String(text(0)?.to_uppercase()),
            "trim" => Json::String(text(0)?.trim().to_owned()),
            "string" => Json::String(as_text(args.first()?)?),
            "int" => Json::from(as_text(args.first()?)?.parse::<i64>().ok()?),
            "replace" => Json::String(text(0)?.replace(text(1)?, text(2)?)),
            "length" => Json::from(length(args.first()?)?),
            "equals" => Json::from(args.first()? == args.get(1)?),
            "not" => Json::from(!args.first()?.as_bool()?),
            "and" => Json::from(
                args.iter().map(Json::as_bool).collect::<Option<Vec<bool>>>()?.iter().all(|flag| *flag),
            ),
            "or" => Json::from(
                args.iter().map(Json::as_bool).collect::<Option<Vec<bool>>>()?.iter().any(|flag| *flag),
            ),
            "true" => Json::from(true),
            "false" => Json::from(false),
            "null" => Json::Null,
            "empty" => Json::from(args.first()?.is_null() || length(args.first()?)? == 0),
            "createarray" => Json::Array(args.to_vec()),
            "add" => Json::from(args.first()?.as_i64()?.checked_add(args.get(1)?.as_i64()?)?),
            "sub" => Json::from(args.first()?.as_i64()?.checked_sub(args.get(1)?.as_i64()?)?),
            "mul" => Json::from(args.first()?.as_i64()?.checked_mul(args.get(1)?.as_i64()?)?),
            "range" => {
                let (from, count) = (
                    args.first()?.as_i64()?,
                    args.get(1)?.as_i64().filter(|count| (0..=800).contains(count))?,
                );
                Json::Array((from..from.checked_add(count)?).map(Json::from).collect())
            }
            "resourcegroup" => {
                let group = self.group.as_ref().or(self.target.group.as_ref())?;
                json!({ "name": group, "id": format!("/subscriptions/{}/resourceGroups/{group}", self.target.subscription) })
            }
            "subscription" => {
                json!({ "subscriptionId": self.target.subscription, "id": format!("/subscriptions/{}", self.target.subscription) })
            }
            "deployment" => json!({ "name": self.target.name }),
            _ => return None,
        })
    }
}

fn pick(of: Ev, pick: impl FnOnce(&Json) -> Option<Json>) -> Ev {
    match of {
        Ev::Known(value) => pick(&value).map_or(Ev::Opaque, Ev::Known),
        other => other,
    }
}

/// All known, or what the first that are not wait for.
fn gather(values: Vec<Ev>, make: impl FnOnce(&mut dyn Iterator<Item = Json>) -> Json) -> Ev {
    let waits: BTreeSet<String> = values
        .iter()
        .flat_map(|value| match value {
            Ev::Waits(names) => names.clone(),
            _ => BTreeSet::new(),
        })
        .collect();
    if !waits.is_empty() {
        return Ev::Waits(waits);
    }
    if values.iter().any(|value| matches!(value, Ev::Opaque)) {
        return Ev::Opaque;
    }
    let mut known = values.into_iter().filter_map(|value| match value {
        Ev::Known(json) => Some(json),
        _ => None,
    });
    Ev::Known(make(&mut known))
}

fn as_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(if *flag { "True" } else { "False" }.to_owned()),
        _ => None,
    }
}

fn length(json: &Json) -> Option<usize> {
    match json {
        Json::String(text) => Some(text.chars().count()),
        Json::Array(items) => Some(items.len()),
        Json::Object(fields) => Some(fields.len()),
        _ => None,
    }
}

/// `{0}-x`: plain places only; `{0:N}` is Azure's to format.
fn format_text(pattern: &str, args: &[Json]) -> Option<String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..];
        if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
            out.push_str(&brace[..1]);
            rest = after;
            continue;
        }
        let (index, after) = brace.strip_prefix('{')?.split_once('}')?;
        out.push_str(&as_text(args.get(index.trim().parse::<usize>().ok()?)?)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Mode;

    #[test]
    fn what_can_be_known_is_and_the_rest_says_what_it_waits_for() {
        let template = json!({
            "parameters": {"a": {"type": "string"}, "b": {"type": "string", "defaultValue": "[toUpper('bee')]"}, "late": {"type": "string"}},
            "variables": {"both": "[format('{0}-{1}', parameters('a'), parameters('b'))]", "waits": {"x": "[parameters('late')]"}, "loop": "[variables('loop')]"},
        });
        let target = Target {
            subscription: "s1".to_owned(),
            group: Some("g".to_owned()),
            mode: Mode::Stack,
            name: "app".to_owned(),
        };
        let late = Ev::Waits(BTreeSet::from(["late".to_owned()]));
        let parameters =
            BTreeMap::from([("A".to_owned(), Ev::Known(json!("ay"))), ("late".to_owned(), late.clone())]);
        let scope = Scope {
            template: &template,
            parameters,
            target: &target,
            group: None,
            copy: BTreeMap::from([(String::new(), 2)]),
        };
        for (text, known) in [
            ("[variables('both')]", json!("ay-BEE")),
            ("[if(equals(parameters('a'), 'ay'), 'yes', parameters('late'))]", json!("yes")),
            ("[concat(resourceGroup().name, copyIndex(1))]", json!("g3")),
            ("[length(createArray(1, 2))]", json!(2)),
            ("[range(0, 2)[1]]", json!(1)),
            ("plain", json!("plain")),
        ] {
            assert_eq!(scope.text(text), Ev::Known(known), "{text}");
        }
        assert_eq!(scope.text("[concat(uniqueString('x'), parameters('late'))]"), late);
        assert_eq!(scope.text("[variables('waits').x]"), late);
        for text in
            ["[uniqueString(resourceGroup().id)]", "[variables('loop')]", "[nonsense(]", "[reference('x').y]"]
        {
            assert_eq!(scope.text(text), Ev::Opaque, "{text}");
        }
        assert_eq!(
            scope.waits(&json!({"p": ["[concat('x', variables('waits').x)]"]})),
            BTreeSet::from(["late".to_owned()])
        );
        assert!(scope.waits(&json!("[variables('both')]")).is_empty());
    }
}
