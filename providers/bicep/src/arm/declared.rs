//! The resources that a template declares, as far as that can be known without Azure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::eval::{Ev, Scope};
use super::template::Template;
use crate::target::Target;

/// A resource of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// As plans say it: `Microsoft.Storage/storageAccounts/x`. What Azure alone can evaluate stands in it as an expression.
    pub address: String,
    /// Its name is known whole, and so is that it will be there.
    pub certain: bool,
    /// The parameters that decide whether and under which name it will be there.
    pub waits: BTreeSet<String>,
    /// What of its body waits: the path, and for which parameters.
    pub body_waits: Vec<(String, BTreeSet<String>)>,
    /// What it says, with what can be evaluated evaluated.
    pub body: Json,
}

/// How many resources one loop may make in a plan that Azure has not made; Azure's own limit.
const LONGEST_LOOP: i64 = 800;
/// How deep modules may nest; Azure's own limit is 5.
const DEEPEST: usize = 8;

/// All resources of a template with these parameters.
pub fn resources(template: &Template, parameters: BTreeMap<String, Ev>, target: &Target) -> Vec<Resource> {
    let scope = Scope { template: &template.json, parameters, target, group: None, copy: BTreeMap::new() };
    let mut found = Vec::new();
    section(&scope, &template.json, None, 0, &mut found);
    found.sort_by(|a, b| a.address.cmp(&b.address));
    found
}

/// A resource that others are declared in.
#[derive(Clone)]
struct Parent {
    kind: String,
    name: String,
}

fn section(
    scope: &Scope<'_>,
    holder: &Json,
    parent: Option<&Parent>,
    depth: usize,
    found: &mut Vec<Resource>,
) {
    let all: Vec<&Json> = match holder.get("resources") {
        Some(Json::Array(items)) => items.iter().collect(),
        Some(Json::Object(fields)) => fields.values().collect(),
        _ => return,
    };
    if depth > DEEPEST {
        return;
    }
    for resource in all.into_iter().filter(|one| one.get("existing").and_then(Json::as_bool) != Some(true)) {
        looped(scope, resource, parent, depth, found);
    }
}

/// A resource, or each that its loop makes.
fn looped(
    scope: &Scope<'_>,
    resource: &Json,
    parent: Option<&Parent>,
    depth: usize,
    found: &mut Vec<Resource>,
) {
    let Some(copy) = resource.get("copy").filter(|copy| copy.is_object()) else {
        return one(scope, resource, parent, depth, BTreeSet::new(), true, found);
    };
    let name = copy.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    match scope.json(copy.get("count").unwrap_or(&Json::Null)) {
        Ev::Known(count) if count.as_i64().is_some_and(|count| (0..=LONGEST_LOOP).contains(&count)) => {
            for index in 0..count.as_i64().unwrap_or(0) {
                let mut inner = scope.clone();
                inner.copy.insert(name.clone(), index);
                inner.copy.insert(String::new(), index);
                one(&inner, resource, parent, depth, BTreeSet::new(), true, found);
            }
        }
        Ev::Waits(names) => one(scope, resource, parent, depth, names, false, found),
        _ => one(scope, resource, parent, depth, BTreeSet::new(), false, found),
    }
}

fn one(
    scope: &Scope<'_>,
    resource: &Json,
    parent: Option<&Parent>,
    depth: usize,
    mut waits: BTreeSet<String>,
    mut certain: bool,
    found: &mut Vec<Resource>,
) {
    match resource.get("condition").map(|condition| scope.json(condition)) {
        Some(Ev::Known(flag)) if flag == json!(false) || flag == json!("false") => return,
        Some(Ev::Waits(names)) => waits.extend(names),
        Some(Ev::Opaque) => certain = false,
        _ => {}
    }
    let text = |field: &str| {
        let raw = resource.get(field).and_then(Json::as_str).unwrap_or_default();
        (scope.text(raw), raw.to_owned())
    };
    let kind = resource.get("type").and_then(Json::as_str).unwrap_or_default();
    let (group, raw_group) = text("resourceGroup");
    let group = match group {
        Ev::Known(Json::String(group)) if !raw_group.is_empty() => Some(group),
        Ev::Waits(names) => {
            waits.extend(names);
            Some(raw_group)
        }
        Ev::Opaque => {
            certain = false;
            Some(raw_group)
        }
        _ => scope.group.clone(),
    };
    if kind.eq_ignore_ascii_case("Microsoft.Resources/deployments")
        && let Some(inner) = resource.pointer("/properties/template")
    {
        let outer = Outer { waits, certain, group, depth };
        return module(scope, resource, inner, outer, found);
    }
    let (name, raw) = text("name");
    let name = match name {
        Ev::Known(Json::String(name)) => name,
        Ev::Waits(names) => {
            waits.extend(names);
            raw
        }
        _ => {
            certain = false;
            raw
        }
    };
    let (kind, name) = match parent {
        Some(parent) => (format!("{}/{kind}", parent.kind), format!("{}/{name}", parent.name)),
        None => (kind.to_owned(), name),
    };
    found.push(Resource {
        address: scope.target.short_of(&kind, &name, group.as_deref()),
        certain: certain && waits.is_empty(),
        waits: waits.clone(),
        body_waits: body_waits(scope, resource),
        body: settled(scope, resource),
    });
    section(scope, resource, Some(&Parent { kind, name }), depth + 1, found);
}

struct Outer {
    waits: BTreeSet<String>,
    certain: bool,
    group: Option<String>,
    depth: usize,
}

/// The resources of a module.
fn module(scope: &Scope<'_>, resource: &Json, inner: &Json, outer: Outer, found: &mut Vec<Resource>) {
    let own_scope = resource.pointer("/properties/expressionEvaluationOptions/scope").and_then(Json::as_str);
    let mut made = Vec::new();
    if own_scope.is_some_and(|word| word.eq_ignore_ascii_case("inner")) {
        let given =
            resource.pointer("/properties/parameters").and_then(Json::as_object).into_iter().flatten();
        let given = given.map(|(name, json)| {
            let value = json.get("value").map_or(Ev::Opaque, |value| scope.json(value));
            (name.clone(), value)
        });
        let inner_scope = Scope {
            template: inner,
            parameters: given.collect(),
            target: scope.target,
            group: outer.group,
            copy: BTreeMap::new(),
        };
        section(&inner_scope, inner, None, outer.depth + 1, &mut made);
    } else {
        let inner_scope = Scope { group: outer.group, ..scope.clone() };
        section(&inner_scope, inner, None, outer.depth + 1, &mut made);
    }
    for mut resource in made {
        resource.waits.extend(outer.waits.iter().cloned());
        resource.certain &= outer.certain && resource.waits.is_empty();
        found.push(resource);
    }
}

/// What stands in a resource besides what names it.
const BODY: [&str; 9] =
    ["location", "tags", "sku", "kind", "identity", "zones", "plan", "scale", "properties"];

fn body_waits(scope: &Scope<'_>, resource: &Json) -> Vec<(String, BTreeSet<String>)> {
    let mut found = Vec::new();
    for field in BODY {
        if let Some(json) = resource.get(field) {
            leaves(scope, json, field, &mut found);
        }
    }
    found
}

fn leaves(scope: &Scope<'_>, json: &Json, path: &str, found: &mut Vec<(String, BTreeSet<String>)>) {
    match json {
        Json::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(scope, value, &format!("{path}.{name}"), found));
        }
        Json::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, item)| leaves(scope, item, &format!("{path}[{at}]"), found));
        }
        other => {
            let waits = scope.waits(other);
            if !waits.is_empty() {
                found.push((path.to_owned(), waits));
            }
        }
    }
}

/// What a resource says, with what can be evaluated evaluated and the rest as it stands.
fn settled(scope: &Scope<'_>, resource: &Json) -> Json {
    let kept =
        BODY.iter().filter_map(|field| Some(((*field).to_owned(), deep(scope, resource.get(*field)?))));
    Json::Object(kept.collect())
}

fn deep(scope: &Scope<'_>, json: &Json) -> Json {
    match json {
        Json::Object(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), deep(scope, value))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(|item| deep(scope, item)).collect()),
        Json::String(text) => match scope.text(text) {
            Ev::Known(value) => value,
            _ => json.clone(),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Mode;

    fn declared(json: &Json, waits: &[&str]) -> Vec<Resource> {
        let target = Target {
            subscription: "s1".to_owned(),
            group: Some("g".to_owned()),
            mode: Mode::Stack,
            name: "app".to_owned(),
        };
        let waits =
            waits.iter().map(|name| ((*name).to_owned(), Ev::Waits(BTreeSet::from([(*name).to_owned()]))));
        resources(&Template::parse(json.to_string()).unwrap(), waits.collect(), &target)
    }

    fn addresses(found: &[Resource]) -> Vec<(&str, bool)> {
        found.iter().map(|one| (one.address.as_str(), one.certain)).collect()
    }

    #[test]
    fn loops_conditions_children_and_modules_are_followed() {
        let found = declared(
            &json!({
                "languageVersion": "2.0",
                "parameters": {"n": {"type": "int", "defaultValue": 2}, "late": {"type": "string"}},
                "resources": {
                    "a": {"type": "A.B/cs", "name": "[concat('x', copyIndex())]", "copy": {"name": "l", "count": "[parameters('n')]"}},
                    "b": {"type": "A.B/ds", "name": "d", "condition": false},
                    "e": {"type": "A.B/es", "name": "e", "existing": true},
                    "f": {"type": "A.B/fs", "name": "f", "resources": [{"type": "gs", "name": "g", "properties": {"p": ["[parameters('late')]"]}}]},
                    "h": {"type": "A.B/hs", "name": "[uniqueString('x')]"},
                    "m": {"type": "Microsoft.Resources/deployments", "name": "m", "resourceGroup": "other", "properties": {
                        "expressionEvaluationOptions": {"scope": "inner"}, "parameters": {"name": {"value": "[parameters('late')]"}, "other": {"value": "[parameters('n')]"}},
                        "template": {"parameters": {"name": {"type": "string"}, "other": {"type": "int"}}, "resources": [
                            {"type": "A.B/is", "name": "[parameters('name')]"}, {"type": "A.B/js", "name": "[format('j{0}', parameters('other'))]"}]}}},
                },
            }),
            &["late"],
        );
        assert_eq!(
            addresses(&found),
            [
                ("A.B/cs/x0", true),
                ("A.B/cs/x1", true),
                ("A.B/fs/f", true),
                ("A.B/fs/f/gs/g", true),
                ("A.B/hs/[uniqueString('x')]", false),
                ("resourceGroups/other/A.B/is/[parameters('name')]", false),
                ("resourceGroups/other/A.B/js/j2", true),
            ]
        );
        assert_eq!(
            found[3].body_waits,
            [("properties.p[0]".to_owned(), BTreeSet::from(["late".to_owned()]))]
        );
        assert_eq!(found[5].waits, BTreeSet::from(["late".to_owned()]));
        assert!(found[4].waits.is_empty());
    }
}
