//! Resources of any type.

use serde_json::{Map, Value, json};

use super::errors::Failure;
use super::http::{Reply, Request, drop_key};
use super::ids::{self, Place};
use super::jobs::{self, Work};
use super::template::functions;
use super::world::World;

/// A resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its id.
    pub id: String,
    /// As it was written: `id`, `name`, `type`, `location`, `properties` …
    pub body: Value,
    /// Properties that it has by itself.
    pub computed: Value,
}

impl Resource {
    /// From what was written.
    pub fn new(world: &World, id: &str, written: &Value) -> Self {
        let (kind, name) = ids::kind_and_name(id);
        let mut body = Map::new();
        body.insert("id".to_owned(), Value::from(id));
        body.insert("name".to_owned(), Value::from(name.rsplit('/').next().unwrap_or_default()));
        body.insert("type".to_owned(), Value::from(kind));
        for (key, value) in written.as_object().into_iter().flatten() {
            if !NOT_OF_THE_RESOURCE.contains(&key.as_str()) {
                body.insert(key.clone(), value.clone());
            }
        }
        let computed = computed(world, id);
        Self { id: id.to_owned(), body: Value::Object(body), computed }
    }

    /// As it is shown.
    pub fn shown(&self) -> Value {
        let mut shown = self.body.clone();
        for (key, value) in self.computed.as_object().into_iter().flatten() {
            if shown["properties"][key].is_null() {
                shown["properties"][key] = value.clone();
            }
        }
        drop_key(&mut shown, "apiVersion");
        shown
    }
}

/// What of a template's resource is about the template.
const NOT_OF_THE_RESOURCE: [&str; 13] = [
    "id",
    "name",
    "type",
    "condition",
    "copy",
    "dependsOn",
    "comments",
    "scope",
    "resources",
    "resourceGroup",
    "subscriptionId",
    "existing",
    "metadata",
];

/// What resources of a type have by themselves.
fn computed(world: &World, id: &str) -> Value {
    let (kind, name) = ids::kind_and_name(id);
    let mut computed = match kind.to_lowercase().as_str() {
        "microsoft.storage/storageaccounts" => {
            let endpoint = |service: &str| Value::from(format!("https://{name}.{service}.storage.local/"));
            let services = ["blob", "dfs", "file", "queue", "table", "web"];
            let endpoints: Map<String, Value> =
                services.map(|one| (one.to_owned(), endpoint(one))).into_iter().collect();
            json!({"primaryEndpoints": endpoints})
        }
        "microsoft.keyvault/vaults" => json!({"vaultUri": format!("https://{name}.vault.local/")}),
        "microsoft.web/sites" => json!({"defaultHostName": format!("{name}.sites.local")}),
        "microsoft.managedidentity/userassignedidentities" => {
            json!({"clientId": functions::guid(&[json!(id), json!("client")]), "principalId": functions::guid(&[json!(id)])})
        }
        _ => json!({}),
    };
    computed["provisioningState"] = Value::from("Succeeded");
    for (_, extra) in world.behaviour.computed.iter().filter(|(wanted, _)| ids::means(wanted, id)) {
        for (key, value) in extra.as_object().into_iter().flatten() {
            computed[key] = value.clone();
        }
    }
    computed
}

/// What `listKeys` and its like say.
pub fn secrets(function: &str, id: &str) -> Value {
    let key = |name: &str| functions::unique_string(&[json!(id), json!(name), json!(function)]);
    json!({"keys": [{"keyName": "key1", "permissions": "FULL", "value": key("1")}, {"keyName": "key2", "permissions": "FULL", "value": key("2")}],
        "primaryKey": key("1"), "secondaryKey": key("2"), "key1": key("1"), "key2": key("2"),
        "primaryConnectionString": format!("Endpoint=local;Key={}", key("1"))})
}

/// All resources of a place.
///
/// # Errors
/// Where there is no such place.
pub fn list(world: &World, place: &str, request: &Request) -> Result<Reply, Failure> {
    let place = world.place(place)?;
    let filter = request.query.get("$filter").cloned().unwrap_or_default();
    let wanted = |name: &str| {
        let rest = filter.split_once(&format!("{name} eq '"))?.1;
        rest.split_once('\'').map(|(value, _)| value.to_lowercase())
    };
    let (group, kind, name) = (wanted("resourceGroup"), wanted("resourceType"), wanted("name"));
    let below = format!("{}/", ids::key(&place.id()));
    let is_wanted = |resource: &&Resource| {
        let (own_kind, own_name) = ids::kind_and_name(&resource.id);
        let own_group = Place::of(&resource.id).and_then(|place| place.group).unwrap_or_default();
        ids::key(&resource.id).starts_with(&below)
            && group.as_ref().is_none_or(|group| *group == own_group.to_lowercase())
            && kind.as_ref().is_none_or(|kind| *kind == own_kind.to_lowercase())
            && name.as_ref().is_none_or(|name| *name == own_name.to_lowercase())
    };
    let short = |resource: &Resource| {
        let mut shown = resource.shown();
        drop_key(&mut shown, "properties");
        shown
    };
    let resources: Vec<Value> = world.resources.values().filter(is_wanted).map(short).collect();
    Ok(Reply::json(200, json!({"value": resources})))
}

/// A namespace with the types that are known of it.
pub fn namespace(world: &World, namespace: &str) -> Value {
    let prefix = format!("{}/", namespace.to_lowercase());
    let mut kinds: Vec<String> =
        world.resources.values().map(|resource| ids::kind_and_name(&resource.id).0).collect();
    kinds.retain(|kind| kind.to_lowercase().starts_with(&prefix));
    kinds.sort();
    kinds.dedup();
    let kind = |kind: &String| json!({"resourceType": kind[prefix.len()..], "apiVersions": ["2024-01-01"], "locations": [], "capabilities": "None"});
    let kinds: Vec<Value> = kinds.iter().map(kind).collect();
    json!({"namespace": namespace, "registrationState": "Registered", "registrationPolicy": "RegistrationRequired", "resourceTypes": kinds})
}

/// Answers what is asked of one resource.
///
/// # Errors
/// As ARM says them.
pub fn handle(world: &mut World, request: &Request, id: &str) -> Result<Reply, Failure> {
    let place = world.place(id)?;
    let key = ids::key(id);
    let (kind, name) = ids::kind_and_name(id);
    let missing = || Failure::no_resource(&kind, &name, place.group.as_deref());
    match request.method.as_str() {
        "GET" => world.resources.get(&key).map(|one| Reply::json(200, one.shown())).ok_or_else(missing),
        "HEAD" => Ok(Reply::empty(if world.resources.contains_key(&key) { 204 } else { 404 })),
        "PUT" => {
            if let Some(failure) = world.behaviour.failing(id) {
                return Err(failure.clone());
            }
            let status = if world.resources.contains_key(&key) { 200 } else { 201 };
            let resource = Resource::new(world, id, &request.json());
            let shown = resource.shown();
            world.resources.insert(key, resource);
            Ok(Reply::json(status, shown))
        }
        "PATCH" => {
            let resource = world.resources.get_mut(&key).ok_or_else(missing)?;
            if let Some(tags) = request.json().get("tags") {
                resource.body["tags"] = tags.clone();
            }
            Ok(Reply::json(200, resource.shown()))
        }
        "DELETE" if !world.resources.contains_key(&key) => Ok(Reply::empty(204)),
        "DELETE" => {
            if let Some(Some(failure)) = world.behaviour.undeletable(id) {
                return Err(failure.clone());
            }
            Ok(jobs::start(world, &place.subscription, Work::DeleteResource(key)).accepted(world))
        }
        "POST" => {
            let (parent, action) = id.rsplit_once('/').unwrap_or((id, ""));
            let known =
                world.resources.contains_key(&ids::key(parent)) && action.to_lowercase().starts_with("list");
            if known { Ok(Reply::json(200, secrets(action, parent))) } else { Err(missing()) }
        }
        _ => Err(super::world::no_route(id)),
    }
}

/// Answers for the tags of a group or resource.
///
/// # Errors
/// Where it is not there.
pub fn tags(world: &mut World, request: &Request, id: &str) -> Result<Reply, Failure> {
    let place = world.place(id)?;
    let key = ids::key(id);
    let (kind, name) = ids::kind_and_name(id);
    let body = world
        .groups
        .get_mut(&key)
        .or_else(|| world.resources.get_mut(&key).map(|resource| &mut resource.body));
    let body = body.ok_or_else(|| Failure::no_resource(&kind, &name, place.group.as_deref()))?;
    let sent = request.json();
    let given = sent["properties"]["tags"].as_object().cloned().unwrap_or_default();
    let mut tags = body["tags"].as_object().cloned().unwrap_or_default();
    match (request.method.as_str(), sent["operation"].as_str().unwrap_or("Merge")) {
        ("PUT", _) | ("PATCH", "Replace") => tags = given,
        ("PATCH", "Delete") => tags.retain(|name, _| !given.contains_key(name)),
        ("PATCH", _) => tags.extend(given),
        ("DELETE", _) => tags.clear(),
        _ => {}
    }
    body["tags"] = Value::Object(tags.clone());
    Ok(Reply::json(
        200,
        json!({"id": format!("{id}/providers/Microsoft.Resources/tags/default"), "name": "default", "type": "Microsoft.Resources/tags",
            "properties": {"tags": tags}}),
    ))
}
