//! Deployment stacks: a deployment that knows what it manages.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::deployments::Deployment;
use super::errors::Failure;
use super::http::{Reply, Request};
use super::ids::{self, Place};
use super::jobs::{self, Work};
use super::plan::Plan;
use super::template::parameters;
use super::world::{World, no_route, written};
use super::{run, stack_delete};

/// The type of stacks.
pub const STACK: &str = "Microsoft.Resources/deploymentStacks";

/// A deployment stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Its id.
    pub id: String,
    /// Where it works.
    pub scope: Place,
    /// What was sent last.
    pub sent: Value,
    /// `succeeded`, `deploying`, `deletingResources` …
    pub state: String,
    /// Why it failed.
    pub error: Option<Value>,
    /// Its outputs.
    pub outputs: Option<Value>,
    /// Its parameters, as they are shown.
    pub parameters: Value,
    /// The ids of what it manages.
    pub resources: Vec<String>,
    /// What it managed and the last change deleted.
    pub deleted: Vec<String>,
    /// What it managed and the last change let go.
    pub detached: Vec<String>,
    /// What could not be made or deleted: `{"id", "error"}`.
    pub failed: Vec<Value>,
    /// The id of its last deployment.
    pub deployment: String,
    /// Of its last change.
    pub correlation: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it changed last.
    pub changed: Timestamp,
    /// Where it is being deleted: what becomes of resources and of groups.
    pub deletion: Option<(String, String)>,
}

impl Stack {
    /// Whether it does nothing now.
    pub fn is_settled(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "canceled")
    }

    /// The mode of its deny settings.
    pub fn deny(&self) -> &str {
        self.sent["properties"]["denySettings"]["mode"].as_str().unwrap_or("none")
    }

    /// `delete` or `detach` for a resource that it no longer has.
    pub fn action(&self, id: &str) -> &str {
        match &self.deletion {
            Some((_, groups)) if ids::kind_and_name(id).0 == ids::GROUP => groups,
            Some((resources, _)) => resources,
            None => action(&self.sent["properties"]["actionOnUnmanage"], id),
        }
    }

    /// What its deletion deletes.
    pub fn deletes(&self) -> Vec<&str> {
        self.resources.iter().map(String::as_str).filter(|id| self.action(id) == "delete").collect()
    }

    /// As it is shown.
    pub fn shown(&self) -> Value {
        let properties = &self.sent["properties"];
        let listed = |ids: &[String]| ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>();
        let managed = |id: &String| json!({"id": id, "status": self.status(id), "denyStatus": self.deny()});
        let mut shown = json!({
            "actionOnUnmanage": properties["actionOnUnmanage"],
            "bypassStackOutOfSyncError": properties["bypassStackOutOfSyncError"].as_bool().unwrap_or(false),
            "denySettings": properties["denySettings"],
            "deploymentScope": self.scope.id(),
            "provisioningState": self.state,
            "correlationId": self.correlation,
            "parameters": self.parameters,
            "resources": self.resources.iter().map(managed).collect::<Vec<_>>(),
            "deletedResources": listed(&self.deleted),
            "detachedResources": listed(&self.detached),
            "failedResources": self.failed,
            "duration": format!("PT{:.3}S", self.changed.duration_since(self.created).as_secs_f64()),
        });
        if !self.deployment.is_empty() {
            shown["deploymentId"] = Value::from(self.deployment.clone());
        }
        for (name, value) in [("outputs", &self.outputs), ("error", &self.error)] {
            if let Some(value) = value {
                shown[name] = value.clone();
            }
        }
        if let Some(text) = properties["description"].as_str() {
            shown["description"] = Value::from(text);
        }
        let (_, name) = ids::kind_and_name(&self.id);
        let mut stack = json!({"id": self.id, "name": name, "type": STACK, "properties": shown, "tags": self.sent["tags"],
            "systemData": {"createdBy": super::login::CLIENT, "createdByType": "Application", "createdAt": written(self.created),
                "lastModifiedBy": super::login::CLIENT, "lastModifiedByType": "Application", "lastModifiedAt": written(self.changed)}});
        if let Some(location) = self.sent["location"].as_str() {
            stack["location"] = Value::from(location);
        }
        stack
    }

    fn status(&self, id: &str) -> &'static str {
        let failed =
            self.failed.iter().any(|one| one["id"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(id)));
        if failed && self.error.as_ref().is_some_and(|error| error["code"] == stack_delete::CODE) {
            "deleteFailed"
        } else {
            "managed"
        }
    }
}

/// What an `actionOnUnmanage` says of a resource.
pub fn action<'a>(said: &'a Value, id: &str) -> &'a str {
    let is_group = ids::kind_and_name(id).0 == ids::GROUP;
    said[if is_group { "resourceGroups" } else { "resources" }].as_str().unwrap_or("detach")
}

/// Answers what is asked of stacks in a place.
///
/// # Errors
/// As ARM says them.
pub fn handle(world: &mut World, request: &Request, place: &str, rest: &[&str]) -> Result<Reply, Failure> {
    let place = world.place(place)?;
    let key = rest.first().map(|name| ids::key(&place.resource(STACK, name))).unwrap_or_default();
    let missing = || Failure::no_stack(rest.first().unwrap_or(&""), &place.id());
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let below = ids::key(&place.resource(STACK, ""));
            let own = |key: &String| key.rsplit_once('/').is_some_and(|(parent, _)| parent == below);
            let stacks: Vec<Value> =
                world.stacks.iter().filter(|(key, _)| own(key)).map(|(_, stack)| stack.shown()).collect();
            Ok(Reply::json(200, json!({"value": stacks})))
        }
        ("GET", [_]) => {
            jobs::look(world, &key);
            world.stacks.get(&key).map(|stack| Reply::json(200, stack.shown())).ok_or_else(missing)
        }
        ("PUT", [name]) => put(world, &place, name, request.json()),
        ("DELETE", [_]) => stack_delete::begin(world, &place, &key, request),
        ("POST", [name, action]) if action.eq_ignore_ascii_case("validate") => {
            validate(world, &place, name, &request.json())
        }
        ("POST", [_, action]) if action.eq_ignore_ascii_case("exportTemplate") => {
            let stack = world.stacks.get(&key).ok_or_else(missing)?;
            Ok(Reply::json(200, json!({"template": stack.sent["properties"]["template"]})))
        }
        _ => Err(no_route(&request.path)),
    }
}

/// Where a stack works: where it is, or in a group that it names.
///
/// # Errors
/// Where there is no such place.
pub fn scope(world: &World, place: &Place, sent: &Value) -> Result<Place, Failure> {
    match sent["properties"]["deploymentScope"].as_str() {
        Some(scope) => world.place(scope),
        None => Ok(place.clone()),
    }
}

/// What its template does.
///
/// # Errors
/// Where it is wrong.
pub fn plan(world: &World, scope: &Place, name: &str, sent: &Value) -> Result<Plan, Failure> {
    let properties = &sent["properties"];
    for key in ["actionOnUnmanage", "denySettings"] {
        if !properties[key].is_object() {
            let message =
                format!("The request to create or update deployment stack is invalid: '{key}' is required.");
            return Err(Failure::new(400, "DeploymentStackInvalidRequest", message));
        }
    }
    let location = sent["location"].as_str().map(str::to_owned);
    Plan::new(world, scope, name, location, properties)
}

fn validate(world: &World, place: &Place, name: &str, sent: &Value) -> Result<Reply, Failure> {
    let plan = plan(world, &scope(world, place, sent)?, name, sent)?;
    let resources: Vec<Value> = plan.steps.iter().map(|step| json!({"id": step.id})).collect();
    let properties = json!({
        "actionOnUnmanage": sent["properties"]["actionOnUnmanage"], "denySettings": sent["properties"]["denySettings"],
        "deploymentScope": place.id(), "parameters": parameters::shown(&plan.template, &plan.parameters), "validatedResources": resources
    });
    let id = place.resource(STACK, name);
    Ok(Reply::json(200, json!({"id": id, "name": name, "type": STACK, "properties": properties})))
}

/// Whether a stack can be changed now.
///
/// # Errors
/// As ARM says that it cannot.
pub fn is_free(world: &World, stack: &Stack, bypass: bool) -> Result<(), Failure> {
    let name = ids::kind_and_name(&stack.id).1;
    if !stack.is_settled() {
        return Err(Failure::new(
            409,
            "DeploymentStackInNonTerminalState",
            format!(
                "The deployment stack '{}' is in a non-terminal state '{}'. Please wait until the ongoing operation completes.",
                stack.id, stack.state
            ),
        ));
    }
    if !bypass && world.behaviour.out_of_sync.iter().any(|one| one.eq_ignore_ascii_case(&name)) {
        return Err(Failure::new(
            409,
            "DeploymentStackOutOfSync",
            format!(
                "The deployment stack '{}' may not have an accurate list of managed resources. To ensure that no resources are accidentally deleted, please check that the managed resource list does not have any additional values. If there is any uncertainty, it is recommended to redeploy the stack with the same template and parameters as the last successful deployment.",
                stack.id
            ),
        ));
    }
    Ok(())
}

fn put(world: &mut World, place: &Place, name: &str, sent: Value) -> Result<Reply, Failure> {
    let id = place.resource(STACK, name);
    let key = ids::key(&id);
    let bypass = sent["properties"]["bypassStackOutOfSyncError"] == true;
    if let Some(before) = world.stacks.get(&key) {
        is_free(world, before, bypass)?;
    }
    let scope = scope(world, place, &sent)?;
    let number = world.next();
    let plan = plan(world, &scope, &format!("{name}-{number:013x}"), &sent)?;
    let now = Timestamp::now();
    let before = world.stacks.get(&key).cloned();
    let parameters = parameters::shown(&plan.template, &plan.parameters);
    let deployment = Deployment::new(world, plan, sent.clone());
    let stack = Stack {
        id: before.as_ref().map_or(id, |before| before.id.clone()),
        scope,
        sent,
        state: "deploying".to_owned(),
        error: None,
        outputs: before.as_ref().and_then(|before| before.outputs.clone()),
        parameters,
        resources: before.as_ref().map(|before| before.resources.clone()).unwrap_or_default(),
        deleted: Vec::new(),
        detached: Vec::new(),
        failed: Vec::new(),
        deployment: deployment.id.clone(),
        correlation: deployment.correlation.clone(),
        created: before.as_ref().map_or(now, |before| before.created),
        changed: now,
        deletion: None,
    };
    world.deployments.insert(ids::key(&deployment.id), deployment);
    let shown = stack.shown();
    world.stacks.insert(key.clone(), stack);
    let job = jobs::start(world, &place.subscription, Work::Stack(key));
    Ok(job.asynchronous(world, if before.is_some() { 200 } else { 201 }, shown))
}

/// Ends a change of a stack: its deployment, then what left the template.
pub fn finish(world: &mut World, key: &str) {
    let Some(mut stack) = world.stacks.remove(key) else { return };
    if !stack.is_settled() {
        let deployment = ids::key(&stack.deployment);
        run::finish(world, &deployment);
        match world.deployments.get(&deployment).cloned() {
            Some(deployment) if deployment.error.is_none() => {
                stack_delete::let_go(world, &mut stack, &deployment)
            }
            Some(deployment) => failed(&mut stack, &deployment),
            None => {}
        }
        stack.changed = Timestamp::now();
    }
    world.stacks.insert(key.to_owned(), stack);
}

/// Nothing is deleted after a failure; what was made is managed.
fn failed(stack: &mut Stack, deployment: &Deployment) {
    let code = if deployment.state == "Canceled" {
        "DeploymentStackDeploymentCanceled"
    } else {
        "DeploymentStackDeploymentFailed"
    };
    if deployment.state == "Canceled" { "canceled" } else { "failed" }.clone_into(&mut stack.state);
    let message =
        format!("One or more resources could not be deployed. Correlation id: '{}'.", stack.correlation);
    let details = deployment.error.iter().cloned().collect();
    stack.error = Some(Failure::new(409, code, message).with(details).value());
    let id_of = |failure: &Value| failure["target"].as_str().unwrap_or_default().to_owned();
    stack.failed =
        deployment.failures.iter().map(|failure| json!({"id": id_of(failure), "error": failure})).collect();
    for id in &deployment.made {
        if !stack.resources.iter().any(|known| ids::key(known) == ids::key(id)) {
            stack.resources.push(id.clone());
        }
    }
}

/// A stack that was not made here.
pub fn by_hand(world: &mut World, place: &str, name: &str, sent: Value, resources: &[&str]) {
    let Some(scope) = Place::of(place) else { return };
    let now = Timestamp::now();
    let stack = Stack {
        id: scope.resource(STACK, name),
        scope,
        sent,
        state: "succeeded".to_owned(),
        error: None,
        outputs: None,
        parameters: json!({}),
        resources: resources.iter().map(|&id| id.to_owned()).collect(),
        deleted: Vec::new(),
        detached: Vec::new(),
        failed: Vec::new(),
        deployment: String::new(),
        correlation: world.guid(),
        created: now,
        changed: now,
        deletion: None,
    };
    world.stacks.insert(ids::key(&stack.id), stack);
}
