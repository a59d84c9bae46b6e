//! What a template's outputs are made of: whether one can be another than it was (rule P4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::eval::{Ev, Scope};
use super::expression::{self, Expr, Text};

/// What an output is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// Its expression, with all that it names: equal, then it means the same.
    pub of: BTreeMap<String, Json>,
    /// Ids (short) of the resources that it reads.
    pub reads: BTreeSet<String>,
    /// It reads something that cannot be told here: any change may change it.
    pub reads_anything: bool,
    /// It is another one each time (`newGuid`, `utcNow`).
    pub fresh: bool,
    /// A value in it is secret: it was given by a parameter that is.
    pub secret: bool,
}

/// How deep names may refer to each other.
const DEEPEST: usize = 48;

/// Outputs by name. `secret`: names of parameters whose values are.
pub fn made(scope: &Scope<'_>, secret: &BTreeSet<String>) -> BTreeMap<String, Made> {
    let all = scope.template.get("outputs").and_then(Json::as_object).into_iter().flatten();
    let mut found = BTreeMap::new();
    for (name, output) in all {
        let mut made = Made::default();
        made.of.insert(String::new(), output.clone());
        Gathering { scope, secret, made: &mut made }.json(output, 0);
        found.insert(name.clone(), made);
    }
    found
}

struct Gathering<'a, 's> {
    scope: &'a Scope<'s>,
    secret: &'a BTreeSet<String>,
    made: &'a mut Made,
}

impl Gathering<'_, '_> {
    fn json(&mut self, json: &Json, depth: usize) {
        match json {
            Json::String(text) => match expression::read(text) {
                Text::Expr(expr) => self.expr(&expr, depth),
                Text::Unreadable => self.made.reads_anything = true,
                Text::Literal(_) => {}
            },
            Json::Array(items) => items.iter().for_each(|item| self.json(item, depth)),
            Json::Object(fields) => fields.values().for_each(|value| self.json(value, depth)),
            _ => {}
        }
    }

    fn expr(&mut self, expr: &Expr, depth: usize) {
        let mut calls = Vec::new();
        expr.calls(&mut calls);
        for (name, args) in calls {
            let name = name.to_lowercase();
            match (name.as_str(), args.first()) {
                ("parameters", Some(Expr::Text(name))) => self.parameter(name, depth),
                ("variables", Some(Expr::Text(name))) => self.variable(name, depth),
                ("parameters" | "variables", _) => self.made.reads_anything = true,
                ("reference" | "references", Some(of)) => self.reads(of),
                ("newguid" | "utcnow", _) => self.made.fresh = true,
                (name, Some(of)) if name.starts_with("list") && name.len() > 4 => self.reads(of),
                _ => {}
            }
        }
    }

    fn parameter(&mut self, name: &str, depth: usize) {
        if self.secret.iter().any(|secret| secret.eq_ignore_ascii_case(name)) {
            self.made.secret = true;
        }
        let key = format!("parameters.{}", name.to_lowercase());
        if self.made.of.contains_key(&key) || depth > DEEPEST {
            return;
        }
        let given = self.scope.parameters.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        let default = self.scope.member("parameters", name).and_then(|declared| declared.get("defaultValue"));
        match (given, default) {
            (Some((_, Ev::Known(value))), _) => {
                self.made.of.insert(key, value.clone());
            }
            (Some(_), _) => self.made.reads_anything = true,
            (None, Some(default)) => {
                self.made.of.insert(key, default.clone());
                self.json(&default.clone(), depth + 1);
            }
            (None, None) => {
                self.made.of.insert(key, Json::Null);
            }
        }
    }

    fn variable(&mut self, name: &str, depth: usize) {
        let key = format!("variables.{}", name.to_lowercase());
        if self.made.of.contains_key(&key) || depth > DEEPEST {
            return;
        }
        match self.scope.member("variables", name).cloned() {
            Some(value) => {
                self.made.of.insert(key, value.clone());
                self.json(&value, depth + 1);
            }
            None => self.made.reads_anything = true,
        }
    }

    /// A resource that is read: by its symbolic name, its id, or its plain name.
    fn reads(&mut self, of: &Expr) {
        match self.address(of) {
            Some(address) => {
                self.made.reads.insert(address);
            }
            None => self.made.reads_anything = true,
        }
    }

    fn address(&self, of: &Expr) -> Option<String> {
        if let Expr::Call(name, args) = of
            && name.eq_ignore_ascii_case("resourceId")
        {
            let texts: Vec<String> = args.iter().map(|arg| self.text(arg)).collect::<Option<_>>()?;
            let at = texts.iter().position(|text| text.contains('/'))?;
            // Other groups or subscriptions may stand in front.
            let group = at.checked_sub(1).and_then(|before| texts.get(before)).map(String::as_str);
            let (kind, names) = (texts.get(at)?, texts.get(at + 1..)?.join("/"));
            return is_deployment(kind, self.scope.target.short_of(kind, &names, group));
        }
        let name = self.text(of)?;
        if name.starts_with('/') {
            return Some(self.scope.target.short(&name));
        }
        let resource = self.declared(&name)?;
        let kind = resource.get("type")?.as_str()?;
        let Ev::Known(Json::String(name)) = self.scope.text(resource.get("name")?.as_str()?) else {
            return None;
        };
        is_deployment(kind, self.scope.target.short_of(kind, &name, None))
    }

    fn text(&self, expr: &Expr) -> Option<String> {
        // A scope evaluates texts; an expression of one is one of its own.
        match self.scope.expression(expr) {
            Ev::Known(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    fn declared(&self, name: &str) -> Option<&Json> {
        match self.scope.template.get("resources")? {
            Json::Object(fields) => fields.get(name),
            Json::Array(items) => items.iter().find(|one| {
                let text = one.get("name").and_then(Json::as_str).unwrap_or_default();
                self.scope.text(text) == Ev::Known(Json::String(name.to_owned()))
            }),
            _ => None,
        }
    }
}

/// A module's outputs come from whatever it holds.
fn is_deployment(kind: &str, address: String) -> Option<String> {
    (!kind.eq_ignore_ascii_case("Microsoft.Resources/deployments")).then_some(address)
}

impl Made {
    /// Whether an output is what it was, where these resources change.
    pub fn stays(&self, before: Option<&Made>, changed: &BTreeSet<String>) -> bool {
        let same = before.is_some_and(|before| before.of == self.of);
        let reads = self.reads.iter().any(|read| changed.iter().any(|changed| related(read, changed)));
        same && !self.fresh && !reads && (changed.is_empty() || !self.reads_anything)
    }
}

/// Whether one is the other, or inside it.
fn related(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let inside =
        |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    a == b || inside(&a, &b) || inside(&b, &a)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::Mode;
    use crate::target::Target;

    fn outputs(template: &Json, prefix: &str) -> BTreeMap<String, Made> {
        let target = Target {
            subscription: "s1".to_owned(),
            group: Some("g".to_owned()),
            mode: Mode::Stack,
            name: "app".to_owned(),
        };
        let parameters = BTreeMap::from([("prefix".to_owned(), Ev::Known(json!(prefix)))]);
        let scope = Scope { template, parameters, target: &target, group: None, copy: BTreeMap::new() };
        made(&scope, &BTreeSet::from(["key".to_owned()]))
    }

    fn template() -> Json {
        json!({
            "parameters": {"prefix": {"type": "string"}, "key": {"type": "string", "defaultValue": ""}, "at": {"type": "string", "defaultValue": "[utcNow()]"}},
            "variables": {"name": "[concat(parameters('prefix'), '-sa')]"},
            "resources": [
                {"type": "Microsoft.Storage/storageAccounts", "name": "[variables('name')]"},
                {"type": "Microsoft.Resources/deployments", "name": "m", "properties": {"template": {"resources": []}}},
            ],
            "outputs": {
                "literal": {"type": "string", "value": "x"},
                "blob": {"type": "string", "value": "[reference(variables('name')).primaryEndpoints.blob]"},
                "by_id": {"type": "string", "value": "[listKeys(resourceId('Microsoft.Storage/storageAccounts', variables('name')), '2023-01-01').keys[0].value]"},
                "module": {"type": "string", "value": "[reference(resourceId('Microsoft.Resources/deployments', 'm')).outputs.x.value]"},
                "when": {"type": "string", "value": "[parameters('at')]"},
                "shown": {"type": "string", "value": "[parameters('key')]"},
            },
        })
    }

    #[test]
    fn an_output_stays_where_nothing_it_is_made_of_changes() {
        let (before, now) = (outputs(&template(), "a"), outputs(&template(), "a"));
        let stays = |name: &str, changed: &[&str]| {
            let changed = changed.iter().map(|one| (*one).to_owned()).collect();
            now[name].stays(before.get(name), &changed)
        };
        let account = "microsoft.storage/storageaccounts/a-sa";
        assert!(stays("literal", &[account]));
        assert!(!stays("blob", &[account]) && stays("blob", &["A.B/c/d"]));
        assert!(!stays("by_id", &["Microsoft.Storage/storageAccounts/a-sa/blobServices/default"]));
        assert!(!stays("module", &["A.B/c/d"]) && stays("module", &[]));
        assert!(!stays("when", &[]));
        assert!(now["shown"].secret && !now["literal"].secret);
        assert!(!now["blob"].stays(None, &BTreeSet::new()));
    }

    #[test]
    fn another_parameter_makes_another_output() {
        let (before, now) = (outputs(&template(), "a"), outputs(&template(), "b"));
        assert!(now["literal"].stays(before.get("literal"), &BTreeSet::new()));
        assert!(!now["blob"].stays(before.get("blob"), &BTreeSet::new()));
    }
}
