//! What a stack would change: asked for by making a result, which is kept for a while.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::errors::Failure;
use super::http::{Reply, Request, drop_key};
use super::ids::{self, Place};
use super::jobs::{self, Work};
use super::stacks::{self, Stack};
use super::template::parameters;
use super::what_if::{self, Change};
use super::world::{World, no_route, written};

/// The type of such results.
pub const WHAT_IF: &str = "Microsoft.Resources/deploymentStacksWhatIfResults";

/// A result.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// As it is shown when all of it is asked for.
    pub shown: Value,
}

/// Answers what is asked of the results in a place.
///
/// # Errors
/// As ARM says them.
pub fn handle(world: &mut World, request: &Request, place: &str, rest: &[&str]) -> Result<Reply, Failure> {
    let place = world.place(place)?;
    if !world.behaviour.stacks_what_if {
        return Err(Failure::new(
            404,
            "InvalidResourceType",
            "The resource type 'deploymentStacksWhatIfResults' could not be found in the namespace 'Microsoft.Resources' for api version '2025-07-01'. The supported api-versions are '2022-08-01-preview,2024-03-01'.",
        ));
    }
    let key = rest.first().map(|name| ids::key(&place.resource(WHAT_IF, name))).unwrap_or_default();
    let missing = || {
        let name = rest.first().unwrap_or(&"");
        Failure::new(
            404,
            "DeploymentStackWhatIfResultNotFound",
            format!("The deployment stack what-if result '{name}' could not be found."),
        )
    };
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let below = ids::key(&place.resource(WHAT_IF, ""));
            let own = |key: &String| key.rsplit_once('/').is_some_and(|(parent, _)| parent == below);
            let all: Vec<Value> = world
                .what_ifs
                .iter()
                .filter(|(key, _)| own(key))
                .map(|(_, one)| without_properties(one))
                .collect();
            Ok(Reply::json(200, json!({"value": all})))
        }
        ("GET", [_]) => {
            world.what_ifs.get(&key).map(|one| Reply::json(200, without_properties(one))).ok_or_else(missing)
        }
        ("POST", [_, action]) if action.eq_ignore_ascii_case("whatIf") => {
            world.what_ifs.get(&key).map(|one| Reply::json(200, one.shown.clone())).ok_or_else(missing)
        }
        ("DELETE", [_]) => Ok(Reply::empty(if world.what_ifs.remove(&key).is_some() { 200 } else { 204 })),
        ("PUT", [name]) => put(world, &place, name, &request.json()),
        _ => Err(no_route(&request.path)),
    }
}

/// What `GET` leaves out: the changes of properties are only told by `whatIf`.
fn without_properties(one: &WhatIf) -> Value {
    let mut shown = one.shown.clone();
    let changes = shown["properties"]["changes"]["resourceChanges"].as_array_mut();
    for change in changes.into_iter().flatten() {
        drop_key(change, "resourceConfigurationChanges");
    }
    shown
}

fn put(world: &mut World, place: &Place, name: &str, sent: &Value) -> Result<Reply, Failure> {
    let properties = &sent["properties"];
    let id = place.resource(WHAT_IF, name);
    let key = ids::key(&id);
    let scope = stacks::scope(world, place, sent)?;
    let stack_id = properties["deploymentStackResourceId"].as_str().unwrap_or_default().to_owned();
    if !stack_id.to_lowercase().contains("/providers/microsoft.resources/deploymentstacks/") {
        return Err(Failure::new(
            400,
            "DeploymentStackInvalidRequest",
            "The property 'deploymentStackResourceId' is not the resource id of a deployment stack.",
        ));
    }
    let plan = stacks::plan(world, &scope, &ids::kind_and_name(&stack_id).1, sent)?;
    let stack = world.stacks.get(&ids::key(&stack_id)).cloned();
    let found = what_if::changes(world, &plan)?;
    let changes = changes(world, stack.as_ref(), sent, &scope, &found);
    let now = Timestamp::now();
    let mut shown = json!({
        "provisioningState": "succeeded", "correlationId": world.guid(), "deploymentStackResourceId": stack_id,
        "retentionInterval": properties["retentionInterval"], "actionOnUnmanage": properties["actionOnUnmanage"],
        "denySettings": properties["denySettings"], "deploymentScope": scope.id(),
        "parameters": parameters::shown(&plan.template, &plan.parameters), "changes": changes, "diagnostics": world.behaviour.diagnostics
    });
    if let Some(stack) = &stack {
        shown["deploymentStackLastModified"] = Value::from(written(stack.changed));
    }
    let mut shown = json!({"id": id, "name": name, "type": WHAT_IF, "properties": shown, "tags": sent["tags"],
        "systemData": {"createdAt": written(now), "lastModifiedAt": written(now)}});
    if let Some(location) = sent["location"].as_str() {
        shown["location"] = Value::from(location);
    }
    let what_if = WhatIf { shown };
    let mut begun = without_properties(&what_if);
    begun["properties"]["provisioningState"] = Value::from("running");
    let status = if world.what_ifs.insert(key.clone(), what_if).is_some() { 200 } else { 201 };
    Ok(jobs::start(world, &place.subscription, Work::StackWhatIf(key)).asynchronous(world, status, begun))
}

fn changes(world: &World, stack: Option<&Stack>, sent: &Value, scope: &Place, found: &[Change]) -> Value {
    let deny = |sent: &Value| sent["properties"]["denySettings"].clone();
    let mode = |settings: &Value| settings["mode"].as_str().unwrap_or("none").to_owned();
    let (old, new) = (stack.map(|stack| deny(&stack.sent)), deny(sent));
    let modes = (old.as_ref().map_or_else(|| "none".to_owned(), mode), mode(&new));
    // By key, so that it is in order.
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for change in found {
        let is_managed =
            stack.is_some_and(|stack| stack.resources.iter().any(|id| ids::key(id) == ids::key(&change.id)));
        all.insert(ids::key(&change.id), kept(change, is_managed, &modes));
    }
    for id in stack.into_iter().flat_map(|stack| &stack.resources) {
        let action = stacks::action(&sent["properties"]["actionOnUnmanage"], id);
        all.entry(ids::key(id)).or_insert_with(|| left(world, id, action, &modes.0));
    }
    let delta = old.as_ref().map(|old| lower(what_if::delta(old, &new))).unwrap_or_default();
    json!({
        "resourceChanges": all.into_values().collect::<Vec<_>>(),
        "denySettingsChange": {"before": old, "after": new, "delta": delta},
        "deploymentScopeChange": {"before": stack.map(|stack| stack.scope.id()), "after": scope.id()}
    })
}

fn kept(change: &Change, is_managed: bool, modes: &(String, String)) -> Value {
    let kind = match (&change.before, change.delta.is_empty()) {
        (None, _) => "create",
        (Some(_), true) => "noChange",
        (Some(_), false) => "modify",
    };
    let mut shown = head(&change.id, kind, change.after.as_ref());
    shown["deploymentId"] = Value::from(change.deployment.clone());
    if let Some(symbol) = &change.symbol {
        shown["symbolicName"] = Value::from(symbol.clone());
    }
    shown["changeCertainty"] = Value::from(if change.is_certain { "definite" } else { "potential" });
    if let Some(why) = &change.unsupported {
        shown["changeType"] = Value::from("unsupported");
        shown["unsupportedReason"] = Value::from(why.clone());
        return shown;
    }
    shown["managementStatusChange"] =
        json!({"before": if is_managed { "managed" } else { "unmanaged" }, "after": "managed"});
    shown["denyStatusChange"] =
        json!({"before": if is_managed { &modes.0 } else { "none" }, "after": modes.1});
    shown["resourceConfigurationChanges"] =
        json!({"before": change.before, "after": change.after, "delta": lower(change.delta.clone())});
    shown
}

/// What is no longer in the template.
fn left(world: &World, id: &str, action: &str, mode: &str) -> Value {
    let key = ids::key(id);
    let before = world
        .resources
        .get(&key)
        .map(|resource| resource.body.clone())
        .or_else(|| world.groups.get(&key).cloned());
    let mut shown = head(id, action, before.as_ref());
    shown["changeCertainty"] = Value::from("definite");
    shown["managementStatusChange"] = json!({"before": "managed", "after": "unmanaged"});
    shown["denyStatusChange"] = json!({"before": mode, "after": "none"});
    let after = if action == "delete" { None } else { before.clone() };
    shown["resourceConfigurationChanges"] = json!({"before": before, "after": after, "delta": []});
    shown
}

fn head(id: &str, kind: &str, body: Option<&Value>) -> Value {
    let mut shown = json!({"id": id, "type": ids::kind_and_name(id).0, "changeType": kind});
    if let Some(version) = body.and_then(|body| body.get("apiVersion")) {
        shown["apiVersion"] = version.clone();
    }
    shown
}

/// Stacks say `changeType` and `modify` where deployments say `propertyChangeType` and `Modify`.
fn lower(delta: Vec<Value>) -> Vec<Value> {
    let one = |mut change: Value| {
        let kind = change["propertyChangeType"].as_str().unwrap_or_default();
        let kind =
            format!("{}{}", kind[..kind.len().min(1)].to_lowercase(), kind.get(1..).unwrap_or_default());
        let children = change["children"].as_array().cloned();
        if let Some(object) = change.as_object_mut() {
            object.remove("propertyChangeType");
            object.insert("changeType".to_owned(), Value::from(kind));
            object.insert(
                "children".to_owned(),
                children.map_or(Value::Null, |children| Value::from(lower(children))),
            );
        }
        change
    };
    delta.into_iter().map(one).collect()
}
