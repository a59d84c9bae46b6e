//! Deployments: what they are and what is asked of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::errors::Failure;
use super::http::{Reply, Request, drop_key};
use super::ids::{self, Place};
use super::jobs::{self, Work};
use super::plan::{Plan, Step};
use super::template::parameters;
use super::world::{World, no_route, written};
use super::{run, what_if};

/// A deployment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// What it makes.
    pub plan: Plan,
    /// What of it is not made yet.
    pub left: Vec<Step>,
    /// What was sent: `tags` and `properties`.
    pub sent: Value,
    /// `Accepted`, `Running`, `Succeeded`, `Failed`, `Canceled`.
    pub state: String,
    /// Why it failed.
    pub error: Option<Value>,
    /// Its outputs.
    pub outputs: Option<Value>,
    /// Its operations so far.
    pub operations: Vec<Value>,
    /// The errors of its resources so far.
    pub failures: Vec<Value>,
    /// The keys of what failed or was given up for it.
    pub failed: BTreeSet<String>,
    /// The ids of what it made, without nested deployments.
    pub made: Vec<String>,
    /// All of it has this in the activity log.
    pub correlation: String,
    /// When it began.
    pub started: Timestamp,
    /// When it changed last.
    pub changed: Timestamp,
}

impl Deployment {
    /// From what was sent.
    pub fn new(world: &mut World, plan: Plan, sent: Value) -> Self {
        let id = plan.place.resource(ids::DEPLOYMENT, &plan.name);
        let now = Timestamp::now();
        Self {
            id,
            left: plan.steps.clone(),
            plan,
            sent,
            state: "Accepted".to_owned(),
            error: None,
            outputs: None,
            operations: Vec::new(),
            failures: Vec::new(),
            failed: BTreeSet::new(),
            made: Vec::new(),
            correlation: world.guid(),
            started: now,
            changed: now,
        }
    }

    /// Whether it still does something.
    pub fn is_active(&self) -> bool {
        matches!(self.state.as_str(), "Accepted" | "Running")
    }

    /// Whether all that is in the group and not in it is deleted.
    pub fn is_complete_mode(&self) -> bool {
        self.sent["properties"]["mode"].as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("Complete"))
    }

    /// As it is shown.
    pub fn shown(&self) -> Value {
        let mut properties = json!({
            "templateHash": self.hash(),
            "parameters": parameters::shown(&self.plan.template, &self.plan.parameters),
            "mode": self.sent["properties"]["mode"].as_str().unwrap_or("Incremental"),
            "provisioningState": self.state,
            "timestamp": written(self.changed),
            "duration": self.duration(),
            "correlationId": self.correlation,
            "providers": self.providers(),
            "dependencies": self.dependencies(),
            "outputResources": self.made.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(),
        });
        for (name, value) in [("outputs", &self.outputs), ("error", &self.error)] {
            if let Some(value) = value {
                properties[name] = value.clone();
            }
        }
        if let Some(back) = self.sent["properties"].get("onErrorDeployment") {
            properties["onErrorDeployment"] = back.clone();
        }
        let mut shown =
            json!({"id": self.id, "name": self.plan.name, "type": ids::DEPLOYMENT, "properties": properties});
        if let Some(location) = &self.plan.location {
            shown["location"] = Value::from(location.clone());
        }
        if let Some(tags) = self.sent.get("tags").filter(|tags| !tags.is_null()) {
            shown["tags"] = tags.clone();
        }
        shown
    }

    fn duration(&self) -> String {
        format!("PT{:.3}S", self.changed.duration_since(self.started).as_secs_f64())
    }

    fn hash(&self) -> String {
        let text = Value::Object(self.plan.template.raw.clone());
        super::template::functions::unique_string(&[text])
            .bytes()
            .fold(7_u64, |hash, byte| hash.wrapping_mul(131).wrapping_add(u64::from(byte)))
            .to_string()
    }

    fn providers(&self) -> Vec<Value> {
        let kinds: BTreeSet<String> =
            self.plan.steps.iter().map(|step| ids::kind_and_name(&step.id).0).collect();
        let one = |kind: &String| {
            let (namespace, rest) = kind.split_once('/').unwrap_or((kind, ""));
            json!({"namespace": namespace, "resourceTypes": [{"resourceType": rest, "locations": self.plan.location.iter().collect::<Vec<_>>()}]})
        };
        kinds.iter().map(one).collect()
    }

    fn dependencies(&self) -> Vec<Value> {
        let reference = |id: &str| {
            let (kind, name) = ids::kind_and_name(id);
            json!({"id": id, "resourceType": kind, "resourceName": name})
        };
        let id_of = |key: &String| {
            self.plan.steps.iter().find(|step| ids::key(&step.id) == *key).map(|step| step.id.as_str())
        };
        let waiting = self.plan.steps.iter().filter(|step| !step.after.is_empty());
        waiting
            .map(|step| {
                let mut one = reference(&step.id);
                one["dependsOn"] = step.after.iter().filter_map(id_of).map(reference).collect();
                one
            })
            .collect()
    }
}

/// Answers what is asked of deployments in a place.
///
/// # Errors
/// As ARM says them.
pub fn handle(world: &mut World, request: &Request, place: &str, rest: &[&str]) -> Result<Reply, Failure> {
    let place = world.place(place)?;
    let id = |name: &str| place.resource(ids::DEPLOYMENT, name);
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(list(world, &place, request)),
        ("PUT", [name]) => put(world, &place, name, request.json()),
        ("HEAD", [name]) => {
            Ok(Reply::empty(if world.deployments.contains_key(&ids::key(&id(name))) { 204 } else { 404 }))
        }
        ("GET", [name]) => {
            jobs::look(world, &ids::key(&id(name)));
            found(world, &place, name).map(|deployment| Reply::json(200, deployment.shown()))
        }
        ("DELETE", [name]) => {
            if found(world, &place, name)?.is_active() {
                return Err(active(&id(name)));
            }
            world.deployments.remove(&ids::key(&id(name)));
            Ok(Reply::empty(204))
        }
        ("POST", [name, action]) => post(world, request, &place, name, action),
        ("GET", [name, "operations"]) => {
            let deployment = found(world, &place, name)?;
            Ok(Reply::json(200, json!({"value": deployment.operations})))
        }
        ("GET", [name, "operations", operation]) => {
            let operations = &found(world, &place, name)?.operations;
            let one = operations.iter().find(|one| one["operationId"] == *operation);
            one.map(|one| Reply::json(200, one.clone())).ok_or_else(|| no_route(&request.path))
        }
        _ => Err(no_route(&request.path)),
    }
}

fn found<'a>(world: &'a World, place: &Place, name: &str) -> Result<&'a Deployment, Failure> {
    let key = ids::key(&place.resource(ids::DEPLOYMENT, name));
    world.deployments.get(&key).ok_or_else(|| Failure::no_deployment(name))
}

fn list(world: &World, place: &Place, request: &Request) -> Reply {
    let below = ids::key(&place.resource(ids::DEPLOYMENT, ""));
    let state = request.query.get("$filter").and_then(|filter| filter.split('\'').nth(1));
    let is_wanted = |deployment: &&Deployment| {
        let key = ids::key(&deployment.id);
        let own = key.rsplit_once('/').is_some_and(|(parent, _)| parent == below.trim_end_matches('/'));
        own && state.is_none_or(|state| state.eq_ignore_ascii_case(&deployment.state))
    };
    let deployments: Vec<Value> =
        world.deployments.values().filter(is_wanted).map(Deployment::shown).collect();
    Reply::json(200, json!({"value": deployments}))
}

/// The plan of a body that was sent.
fn plan(world: &World, place: &Place, name: &str, sent: &Value) -> Result<Plan, Failure> {
    if !sent["properties"].is_object() {
        return Err(Failure::new(
            400,
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized: 'properties' is missing.",
        ));
    }
    let location = sent["location"].as_str().map(str::to_owned);
    if place.group.is_none() && location.is_none() {
        return Err(Failure::new(
            400,
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    }
    Plan::new(world, place, name, location, &sent["properties"])
}

fn put(world: &mut World, place: &Place, name: &str, sent: Value) -> Result<Reply, Failure> {
    let id = place.resource(ids::DEPLOYMENT, name);
    let before = world.deployments.get(&ids::key(&id));
    if before.is_some_and(Deployment::is_active) {
        return Err(active(&id));
    }
    if let Some(other) = before
        .and_then(|before| before.plan.location.as_ref())
        .filter(|other| sent["location"] != other.as_str())
    {
        return Err(Failure::new(
            409,
            "InvalidDeploymentLocation",
            format!(
                "Invalid deployment location '{}'. The deployment '{name}' already exists in location '{other}'.",
                sent["location"].as_str().unwrap_or_default()
            ),
        ));
    }
    let status = if before.is_some() { 200 } else { 201 };
    let plan = plan(world, place, name, &sent)?;
    let deployment = Deployment::new(world, plan, sent);
    let shown = deployment.shown();
    world.deployments.insert(ids::key(&id), deployment);
    let job = jobs::start(world, &place.subscription, Work::Deploy(ids::key(&id)));
    Ok(job.asynchronous(world, status, shown))
}

fn active(id: &str) -> Failure {
    Failure::new(
        409,
        "DeploymentActive",
        format!(
            "The deployment with resource id '{id}' cannot be saved, because this would overwrite an existing deployment which is still active. Please see https://aka.ms/arm-deploy for usage details."
        ),
    )
}

fn post(
    world: &mut World,
    request: &Request,
    place: &Place,
    name: &str,
    action: &str,
) -> Result<Reply, Failure> {
    let sent = request.json();
    match action.to_lowercase().as_str() {
        "validate" => {
            let plan = plan(world, place, name, &sent)?;
            let resources: Vec<Value> = plan.steps.iter().map(|step| json!({"id": step.id})).collect();
            let mut deployment = Deployment::new(world, plan, sent);
            deployment.state = "Succeeded".to_owned();
            let mut shown = deployment.shown();
            drop_key(&mut shown["properties"], "outputResources");
            shown["properties"]["validatedResources"] = Value::from(resources);
            Ok(Reply::json(200, shown))
        }
        "whatif" => {
            let result = plan(world, place, name, &sent)
                .and_then(|plan| what_if::result(world, &plan, &sent["properties"]));
            let result = match result {
                Ok(result) => result,
                Err(failure) => json!({"status": "Failed", "error": failure.value()}),
            };
            Ok(jobs::start(world, &place.subscription, Work::WhatIf(result)).accepted(world))
        }
        "cancel" => {
            let deployment = found(world, place, name)?;
            if !deployment.is_active() {
                return Err(Failure::new(
                    409,
                    "DeploymentCannotBeCancelled",
                    format!(
                        "The deployment '{name}' cannot be cancelled because it is not active. The provisioning state is '{}'.",
                        deployment.state
                    ),
                ));
            }
            let key = ids::key(&deployment.id);
            if let Some(deployment) = world.deployments.get_mut(&key) {
                run::cancel(deployment);
            }
            jobs::ended(world, &key);
            Ok(Reply::empty(204))
        }
        "exporttemplate" => {
            let template: &Map<String, Value> = &found(world, place, name)?.plan.template.raw;
            Ok(Reply::json(200, json!({"template": template})))
        }
        _ => Err(no_route(&request.path)),
    }
}
