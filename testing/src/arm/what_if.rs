//! What a template would change.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::errors::Failure;
use super::http::drop_key;
use super::ids::{self, Place};
use super::plan::{Plan, Step};
use super::resources::Resource;
use super::template::evaluate::Missing;
use super::world::World;

/// What becomes of one resource.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its id.
    pub id: String,
    /// `None`: it is not there yet.
    pub before: Option<Value>,
    /// `None`: it would be gone.
    pub after: Option<Value>,
    /// The properties that differ.
    pub delta: Vec<Value>,
    /// The deployment that makes it.
    pub deployment: String,
    /// Its symbolic name.
    pub symbol: Option<String>,
    /// `false`: it may come otherwise.
    pub is_certain: bool,
    /// Why nothing can be told about it.
    pub unsupported: Option<String>,
}

/// What a template does, without what else is there.
///
/// # Errors
/// Where a template in it is wrong.
pub fn changes(world: &World, plan: &Plan) -> Result<Vec<Change>, Failure> {
    let mut found = Vec::new();
    walk(world, plan, true, &mut found)?;
    Ok(found)
}

fn walk(world: &World, plan: &Plan, is_certain: bool, found: &mut Vec<Change>) -> Result<(), Failure> {
    for step in &plan.steps {
        let body = plan.body(world, step, true).map_err(|missing| match missing {
            Missing::Wrong(why) | Missing::Unknown(why) => {
                Failure::template(format!("Deployment template validation failed: '{why}'."))
            }
        })?;
        if step.is_nested() {
            let certain = is_certain && !body["properties"]["parameters"].to_string().contains("\"[");
            walk(world, &Plan::nested(world, step, &body)?, certain, found)?;
            continue;
        }
        found.push(one(world, plan, step, &body, is_certain));
    }
    Ok(())
}

fn one(world: &World, plan: &Plan, step: &Step, body: &Value, is_certain: bool) -> Change {
    let key = ids::key(&step.id);
    let is_group = ids::kind_and_name(&step.id).0 == ids::GROUP;
    let mut after = Resource::new(world, &step.id, body).body;
    let mut before = match world.groups.get(&key).filter(|_| is_group) {
        Some(group) => Some(group_body(group, &after)),
        None => world.resources.get(&key).map(|resource| resource.body.clone()),
    };
    if let Some(before) = &mut before {
        drop_key(before, "apiVersion");
        for (_, path, value) in
            world.behaviour.noise.iter().filter(|(wanted, ..)| ids::means(wanted, &step.id))
        {
            set(before, path, value.clone());
        }
    }
    let version = after.as_object_mut().and_then(|after| after.remove("apiVersion"));
    let delta = before.as_ref().map(|before| delta(before, &after)).unwrap_or_default();
    for shown in before.iter_mut().chain([&mut after]) {
        if let Some(version) = &version {
            shown["apiVersion"] = version.clone();
        }
        if let Some(group) = Place::of(&step.id).and_then(|place| place.group).filter(|_| !is_group) {
            shown["resourceGroup"] = Value::from(group);
        }
    }
    Change {
        id: step.id.clone(),
        before,
        after: Some(after),
        delta,
        deployment: plan.place.resource(ids::DEPLOYMENT, &plan.name),
        symbol: step.symbol.clone(),
        is_certain: is_certain && !world.behaviour.is_potential(&step.id),
        unsupported: world.behaviour.unsupported(&step.id).map(str::to_owned),
    }
}

/// A group without what nobody writes.
fn group_body(group: &Value, after: &Value) -> Value {
    let mut body = group.clone();
    drop_key(&mut body, "properties");
    if after.get("tags").is_none() && body["tags"] == json!({}) {
        drop_key(&mut body, "tags");
    }
    if after.get("properties").is_some() {
        body["properties"] = json!({});
    }
    body
}

/// Sets a value at a path of names joined by dots; numbers are places in a list.
pub fn set(value: &mut Value, path: &str, new: Value) {
    let mut at = value;
    for part in path.split('.') {
        at = match (part.parse::<usize>(), at.is_array()) {
            (Ok(index), true) if at.as_array().is_some_and(|list| index < list.len()) => &mut at[index],
            (_, true) => return,
            _ if at.is_object() || at.is_null() => &mut at[part],
            _ => return,
        };
    }
    *at = new;
}

/// The answer to a what-if of a deployment.
///
/// # Errors
/// As [`changes`].
pub fn result(world: &World, plan: &Plan, properties: &Value) -> Result<Value, Failure> {
    let only_ids = properties["whatIfSettings"]["resultFormat"].as_str() == Some("ResourceIdOnly");
    let complete = properties["mode"].as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("Complete"));
    let found = changes(world, plan)?;
    let made: BTreeSet<String> = found.iter().map(|change| ids::key(&change.id)).collect();
    let of = |certain| {
        found.iter().filter(move |change| change.is_certain == certain).map(|change| shown(change, only_ids))
    };
    let potential: Vec<Value> = of(false).collect();
    let mut all: Vec<Value> = of(true).collect();
    for resource in others(world, plan, &made) {
        let mut change =
            json!({"resourceId": resource.id, "changeType": if complete { "Delete" } else { "Ignore" }});
        if !only_ids {
            let mut before = resource.shown();
            drop_key(&mut before, "properties");
            change["before"] = before;
        }
        all.push(change);
    }
    all.sort_by_key(|change| change["resourceId"].as_str().map(str::to_lowercase));
    Ok(
        json!({"status": "Succeeded", "properties": {"correlationId": super::template::functions::guid(&[json!(plan.name)]),
        "changes": all, "potentialChanges": potential, "diagnostics": world.behaviour.diagnostics}}),
    )
}

/// What is in the groups that the plan works in, and not in the template.
fn others<'a>(world: &'a World, plan: &Plan, made: &BTreeSet<String>) -> Vec<&'a Resource> {
    let of_plan = plan.place.group.is_some().then(|| ids::key(&plan.place.id()));
    let of_made = made.iter().filter_map(|key| Place::of(key)).filter(|place| place.group.is_some());
    let groups: BTreeSet<String> = of_made.map(|place| ids::key(&place.id())).chain(of_plan).collect();
    let inside = |key: &String| groups.iter().any(|group| key.starts_with(&format!("{group}/")));
    world
        .resources
        .iter()
        .filter(|(key, _)| inside(key) && !made.contains(*key))
        .map(|(_, resource)| resource)
        .collect()
}

fn shown(change: &Change, only_ids: bool) -> Value {
    let kind = match (&change.before, change.delta.is_empty()) {
        (None, _) => "Create",
        (Some(_), _) if only_ids => "Deploy",
        (Some(_), true) => "NoChange",
        (Some(_), false) => "Modify",
    };
    let mut shown = json!({"resourceId": change.id, "changeType": kind, "deploymentId": change.deployment});
    if let Some(symbol) = &change.symbol {
        shown["symbolicName"] = Value::from(symbol.clone());
    }
    if let Some(why) = &change.unsupported {
        shown["changeType"] = Value::from("Unsupported");
        shown["unsupportedReason"] = Value::from(why.clone());
    }
    if only_ids || change.unsupported.is_some() {
        return shown;
    }
    for (name, value) in [("before", &change.before), ("after", &change.after)] {
        if let Some(value) = value {
            shown[name] = value.clone();
        }
    }
    if kind == "Modify" || kind == "NoChange" {
        shown["delta"] = Value::from(change.delta.clone());
    }
    shown
}

/// The properties that differ, as paths.
pub fn delta(before: &Value, after: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let own = |value: &Value| {
        let mut value = value.clone();
        if let Some(value) = value.as_object_mut() {
            value.retain(|name, _| !FIXED.contains(&name.as_str()));
        }
        value
    };
    compare("", &own(before), &own(after), &mut found);
    found
}

/// What is the same whatever is written.
const FIXED: [&str; 4] = ["id", "name", "type", "resourceGroup"];

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                member(&path, before, after, name, found);
            }
        }
        (Value::Array(before), Value::Array(after)) if before != after => {
            let children = elements(before, after);
            found.push(json!({"path": path, "propertyChangeType": "Array", "before": before, "after": after, "children": children}));
        }
        (before, after) if before != after => {
            found.push(json!({"path": path, "propertyChangeType": "Modify", "before": before, "after": after, "children": null}));
        }
        _ => {}
    }
}

fn member(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    name: &str,
    found: &mut Vec<Value>,
) {
    match (before.get(name), after.get(name)) {
        (Some(before), Some(after)) => compare(path, before, after, found),
        (Some(before), None) if !is_nothing(before) => {
            found.push(json!({"path": path, "propertyChangeType": "Delete", "before": before, "after": null, "children": null}));
        }
        (None, Some(after)) if !is_nothing(after) => {
            found.push(json!({"path": path, "propertyChangeType": "Create", "before": null, "after": after, "children": null}));
        }
        _ => {}
    }
}

/// Said or not, it is the same.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

fn elements(before: &[Value], after: &[Value]) -> Vec<Value> {
    let mut children = Vec::new();
    for index in 0..before.len().max(after.len()) {
        let path = index.to_string();
        match (before.get(index), after.get(index)) {
            (Some(before), Some(after)) if before.is_object() && after.is_object() => {
                let mut inner = Vec::new();
                compare("", before, after, &mut inner);
                if before != after {
                    children.push(json!({"path": path, "propertyChangeType": "Modify", "before": null, "after": null, "children": inner}));
                }
            }
            (Some(before), Some(after)) => compare(&path, before, after, &mut children),
            (Some(before), None) => {
                children.push(json!({"path": path, "propertyChangeType": "Delete", "before": before, "after": null, "children": null}));
            }
            (None, Some(after)) => {
                children.push(json!({"path": path, "propertyChangeType": "Create", "before": null, "after": after, "children": null}));
            }
            (None, None) => {}
        }
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_paths() {
        let before = json!({"id": "a", "sku": {"name": "A"}, "tags": {"x": "1"}, "properties": {"list": [1, {"a": 1}], "old": true}});
        let after = json!({"id": "b", "sku": {"name": "B"}, "tags": {"x": "1"}, "properties": {"list": [1, {"a": 2}, 3], "new": {}}});
        let found = delta(&before, &after);
        let brief: Vec<String> =
            found.iter().map(|one| format!("{} {}", one["path"], one["propertyChangeType"])).collect();
        assert_eq!(
            brief,
            ["\"properties.list\" \"Array\"", "\"properties.old\" \"Delete\"", "\"sku.name\" \"Modify\""]
        );
        let children = &found[0]["children"];
        assert_eq!(children[0]["children"][0]["path"], "a");
        assert_eq!(children[1]["propertyChangeType"], "Create");
        assert!(delta(&before, &before).is_empty());
    }

    #[test]
    fn a_path_is_set() {
        let mut value = json!({"a": {"b": [{"c": 1}]}});
        set(&mut value, "a.b.0.c", json!(2));
        set(&mut value, "a.x.y", json!(3));
        set(&mut value, "a.b.7", json!(4));
        assert_eq!(value, json!({"a": {"b": [{"c": 2}], "x": {"y": 3}}}));
    }
}
