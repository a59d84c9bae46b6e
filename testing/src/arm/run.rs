//! Deployments being done, one resource at a time.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::deployments::Deployment;
use super::errors::Failure;
use super::groups;
use super::ids::{self, Place};
use super::plan::{Plan, Step};
use super::resources::Resource;
use super::template::evaluate::Missing;
use super::world::{World, written};

/// How a resource ended.
enum Made {
    Done(Vec<String>),
    Failed(Failure),
}

/// Makes the next resource of a deployment. Whether there was one.
pub fn step(world: &mut World, key: &str) -> bool {
    // Taken out, as the world changes under it.
    let Some(mut deployment) = world.deployments.remove(key) else { return false };
    let done = deployment.is_active() && one(world, &mut deployment);
    world.deployments.insert(key.to_owned(), deployment);
    done
}

fn one(world: &mut World, deployment: &mut Deployment) -> bool {
    "Running".clone_into(&mut deployment.state);
    deployment.changed = Timestamp::now();
    deployment.operations.retain(|operation| operation["properties"]["provisioningState"] != "Running");
    give_up(deployment);
    let left: Vec<String> = deployment.left.iter().map(|step| ids::key(&step.id)).collect();
    let mut problem = None;
    for index in 0..deployment.left.len() {
        let step = deployment.left[index].clone();
        if step.after.iter().any(|key| left.contains(key)) {
            continue;
        }
        match deployment.plan.body(world, &step, false) {
            Ok(body) => {
                let made = make(world, &step, &body);
                settle(world, deployment, index, made);
                announce(world, deployment);
                return true;
            }
            // What it reads has failed: it is given up as well.
            Err(Missing::Unknown(id)) if deployment.failed.contains(&ids::key(&id)) => {
                let lost = deployment.left.remove(index);
                deployment.failed.insert(ids::key(&lost.id));
                return true;
            }
            // What it reads may come later, without it saying so.
            Err(Missing::Unknown(id)) => {
                problem.get_or_insert((index, unknown(&id)));
            }
            Err(Missing::Wrong(why)) => {
                let why = format!(
                    "Unable to process template language expressions for resource '{}'. '{why}'",
                    step.id
                );
                problem = Some((index, Failure::template(why)));
            }
        }
    }
    let Some((index, failure)) = problem else { return false };
    settle(world, deployment, index, Made::Failed(failure));
    true
}

fn unknown(id: &str) -> Failure {
    let (kind, name) = ids::kind_and_name(id);
    Failure::no_resource(&kind, &name, Place::of(id).and_then(|place| place.group).as_deref())
}

/// Drops what waits for something that failed.
fn give_up(deployment: &mut Deployment) {
    loop {
        let failed = &deployment.failed;
        let lost = deployment.left.iter().position(|step| step.after.iter().any(|key| failed.contains(key)));
        let Some(index) = lost else { return };
        let step = deployment.left.remove(index);
        deployment.failed.insert(ids::key(&step.id));
    }
}

fn make(world: &mut World, step: &Step, body: &Value) -> Made {
    if let Some(failure) = world.behaviour.failing(&step.id) {
        return Made::Failed(failure.clone());
    }
    let Some(place) = Place::of(&step.id) else { return Made::Failed(unknown(&step.id)) };
    if step.is_nested() {
        return nested(world, step, body);
    }
    if ids::kind_and_name(&step.id).0.eq_ignore_ascii_case(ids::GROUP) {
        groups::make(world, &place, body);
        return Made::Done(vec![step.id.clone()]);
    }
    if let Err(failure) = world.place(&place.id()) {
        return Made::Failed(failure);
    }
    let resource = Resource::new(world, &step.id, body);
    world.resources.insert(ids::key(&step.id), resource);
    Made::Done(vec![step.id.clone()])
}

/// A deployment in a deployment is done whole.
fn nested(world: &mut World, step: &Step, body: &Value) -> Made {
    let place = Place::of(&step.id).map(|place| place.id()).unwrap_or_default();
    let plan = match world.place(&place).and_then(|_| Plan::nested(world, step, body)) {
        Ok(plan) => plan,
        Err(failure) => return Made::Failed(failure),
    };
    let deployment = Deployment::new(world, plan, body.clone());
    let key = ids::key(&step.id);
    world.deployments.insert(key.clone(), deployment);
    while self::step(world, &key) {}
    finish(world, &key);
    match world.deployments.get(&key).map(|nested| (&nested.error, &nested.made)) {
        Some((None, made)) => Made::Done(made.clone()),
        Some((Some(error), _)) => Made::Failed(Failure::resource(&step.id, vec![error.clone()])),
        None => Made::Failed(unknown(&step.id)),
    }
}

/// Takes a step off and writes down how it ended.
fn settle(world: &mut World, deployment: &mut Deployment, index: usize, made: Made) {
    let step = deployment.left.remove(index);
    let operation = match made {
        Made::Done(made) => {
            deployment.made.extend(made);
            operation(world, deployment, Some(&step), "Succeeded", "OK")
        }
        Made::Failed(failure) => {
            deployment.failed.insert(ids::key(&step.id));
            let mut operation =
                operation(world, deployment, Some(&step), "Failed", status_code(failure.status));
            operation["properties"]["statusMessage"] = json!({"status": "Failed", "error": failure.value()});
            let failure = if failure.target.is_some() { failure } else { failure.about(&step.id) };
            deployment.failures.push(failure.value());
            operation
        }
    };
    deployment.operations.push(operation);
    deployment.changed = Timestamp::now();
}

/// Shows the next one as running.
fn announce(world: &mut World, deployment: &mut Deployment) {
    let left: Vec<String> = deployment.left.iter().map(|step| ids::key(&step.id)).collect();
    let free =
        |step: &&Step| step.after.iter().all(|key| !left.contains(key) && !deployment.failed.contains(key));
    if let Some(step) = deployment.left.iter().find(free).cloned() {
        let operation = operation(world, deployment, Some(&step), "Running", "Accepted");
        deployment.operations.push(operation);
    }
}

fn operation(
    world: &mut World,
    deployment: &Deployment,
    step: Option<&Step>,
    state: &str,
    code: &str,
) -> Value {
    let number = format!("{:016X}", world.next());
    let mut operation = json!({
        "id": format!("{}/operations/{number}", deployment.id),
        "operationId": number,
        "properties": {
            "provisioningOperation": "Create", "provisioningState": state, "timestamp": written(Timestamp::now()),
            "duration": "PT0.5S", "trackingId": world.guid(), "serviceRequestId": world.guid(), "statusCode": code
        }
    });
    if let Some(step) = step {
        let (kind, name) = ids::kind_and_name(&step.id);
        operation["properties"]["targetResource"] =
            json!({"id": step.id, "resourceType": kind, "resourceName": name});
    }
    operation
}

fn status_code(status: u16) -> &'static str {
    match status {
        400 => "BadRequest",
        403 => "Forbidden",
        404 => "NotFound",
        500 => "InternalServerError",
        _ => "Conflict",
    }
}

/// Ends a deployment of which no step is left.
pub fn finish(world: &mut World, key: &str) {
    let Some(mut deployment) = world.deployments.remove(key) else { return };
    if deployment.is_active() {
        end(world, &mut deployment);
    }
    world.deployments.insert(key.to_owned(), deployment);
}

fn end(world: &mut World, deployment: &mut Deployment) {
    deployment.operations.retain(|operation| operation["properties"]["provisioningState"] != "Running");
    if deployment.failures.is_empty() {
        if deployment.is_complete_mode() {
            delete_others(world, deployment);
        }
        match deployment.plan.outputs(world) {
            Ok(outputs) => deployment.outputs = Some(outputs),
            Err(Missing::Unknown(id)) => deployment.failures.push(unknown(&id).value()),
            Err(Missing::Wrong(why)) => {
                let failure = Failure::new(
                    400,
                    "DeploymentOutputEvaluationFailed",
                    format!("Unable to evaluate template outputs: '{why}'."),
                );
                deployment.failures.push(failure.value());
            }
        }
    }
    let failed = !deployment.failures.is_empty();
    if !failed {
        let mut last = operation(world, deployment, None, "Succeeded", "OK");
        last["properties"]["provisioningOperation"] = Value::from("EvaluateDeploymentOutput");
        deployment.operations.push(last);
    }
    if failed {
        deployment.outputs = None;
        deployment.error = Some(Failure::deployment(&deployment.id, deployment.failures.clone()).value());
    }
    if failed { "Failed" } else { "Succeeded" }.clone_into(&mut deployment.state);
    deployment.changed = Timestamp::now();
}

/// Complete mode: what is in the group and not in the template goes.
fn delete_others(world: &mut World, deployment: &Deployment) {
    let below = format!("{}/", ids::key(&deployment.plan.place.id()));
    let made: Vec<String> = deployment.made.iter().map(|id| ids::key(id)).collect();
    world.resources.retain(|key, _| !key.starts_with(&below) || made.contains(key));
}

/// Stops a deployment where it is.
pub fn cancel(deployment: &mut Deployment) {
    "Canceled".clone_into(&mut deployment.state);
    deployment.changed = Timestamp::now();
    deployment.left.clear();
    deployment.error = Some(
        Failure::new(
            409,
            "DeploymentCanceled",
            format!("The deployment '{}' was canceled.", deployment.plan.name),
        )
        .about(&deployment.id)
        .value(),
    );
    for operation in &mut deployment.operations {
        if operation["properties"]["provisioningState"] == "Running" {
            operation["properties"]["provisioningState"] = Value::from("Canceled");
        }
    }
}
