//! Resource groups.

use serde_json::{Value, json};

use super::errors::Failure;
use super::http::{Reply, Request, drop_key};
use super::ids::{self, Place};
use super::jobs::{self, Work};
use super::world::World;

/// All groups of a subscription.
///
/// # Errors
/// Where there is no such subscription.
pub fn list(world: &World, subscription: &str) -> Result<Reply, Failure> {
    world.place(subscription)?;
    let below = format!("{}/resourcegroups/", ids::key(subscription));
    let groups: Vec<&Value> =
        world.groups.iter().filter(|(key, _)| key.starts_with(&below)).map(|(_, group)| group).collect();
    Ok(Reply::json(200, json!({"value": groups})))
}

/// Answers what is asked of one group.
///
/// # Errors
/// As ARM says them.
pub fn handle(world: &mut World, request: &Request, method: &str, id: &str) -> Result<Reply, Failure> {
    let place = Place::of(id).filter(|place| place.group.is_some()).ok_or_else(|| Failure::no_group(id))?;
    world.place(&Place { group: None, ..place.clone() }.id())?;
    let key = ids::key(id);
    let name = place.group.clone().unwrap_or_default();
    match method {
        "PUT" => Ok(put(world, &place, &request.json())),
        "HEAD" => Ok(Reply::empty(if world.groups.contains_key(&key) { 204 } else { 404 })),
        "GET" => world
            .groups
            .get(&key)
            .map(|group| Reply::json(200, group.clone()))
            .ok_or_else(|| Failure::no_group(&name)),
        "PATCH" => {
            let group = world.groups.get_mut(&key).ok_or_else(|| Failure::no_group(&name))?;
            if let Some(tags) = request.json().get("tags") {
                group["tags"] = tags.clone();
            }
            Ok(Reply::json(200, group.clone()))
        }
        "DELETE" => {
            let group = world.groups.get_mut(&key).ok_or_else(|| Failure::no_group(&name))?;
            group["properties"]["provisioningState"] = Value::from("Deleting");
            Ok(jobs::start(world, &place.subscription, Work::DeleteGroup(key)).accepted(world))
        }
        _ => Err(super::world::no_route(id)),
    }
}

fn put(world: &mut World, place: &Place, body: &Value) -> Reply {
    let status = if world.groups.contains_key(&ids::key(&place.id())) { 200 } else { 201 };
    make(world, place, body);
    Reply::json(status, world.groups[&ids::key(&place.id())].clone())
}

/// Makes or changes a group.
pub fn make(world: &mut World, place: &Place, body: &Value) {
    let before = world.groups.get(&ids::key(&place.id()));
    let location = before.map_or(&body["location"], |group| &group["location"]).clone();
    let mut group = json!({
        "id": before.map_or_else(|| place.id(), |group| group["id"].as_str().unwrap_or_default().to_owned()),
        "name": place.group, "type": ids::GROUP, "location": location, "managedBy": body.get("managedBy"),
        "tags": body.get("tags").cloned().unwrap_or_else(|| json!({})), "properties": {"provisioningState": "Succeeded"}
    });
    if group["managedBy"].is_null() {
        drop_key(&mut group, "managedBy");
    }
    world.groups.insert(ids::key(&place.id()), group);
}

/// Removes a group and all that is in it.
pub fn remove(world: &mut World, key: &str) {
    let below = format!("{key}/");
    world.groups.remove(key);
    world.resources.retain(|key, _| !key.starts_with(&below));
    world.deployments.retain(|key, _| !key.starts_with(&below));
    world.stacks.retain(|key, _| !key.starts_with(&below));
    world.what_ifs.retain(|key, _| !key.starts_with(&below));
}
