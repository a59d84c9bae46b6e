//! What leaves a stack, and stacks that go themselves.

use serde_json::{Value, json};

use super::deployments::Deployment;
use super::errors::Failure;
use super::groups;
use super::http::{Reply, Request};
use super::ids::{self, Place};
use super::jobs::{self, Work};
use super::stacks::{self, Stack};
use super::world::World;

/// The code of a stack that could not delete all that it had to.
pub const CODE: &str = "DeploymentStackDeleteResourcesFailed";

/// A deployment of the stack has succeeded: what it managed and did not deploy is deleted or let go.
pub fn let_go(world: &mut World, stack: &mut Stack, deployment: &Deployment) {
    let made: Vec<String> = deployment.made.iter().map(|id| ids::key(id)).collect();
    let gone: Vec<String> =
        stack.resources.iter().filter(|id| !made.contains(&ids::key(id))).cloned().collect();
    stack.outputs.clone_from(&deployment.outputs);
    stack.resources.clone_from(&deployment.made);
    unmanage(world, stack, gone);
}

/// Deletes or lets go; what cannot be deleted stays managed.
fn unmanage(world: &mut World, stack: &mut Stack, mut gone: Vec<String>) {
    // Children before their parents, groups last.
    gone.sort_by_key(|id| (ids::kind_and_name(id).0 == ids::GROUP, std::cmp::Reverse(id.len())));
    let mut kept = Vec::new();
    for id in gone {
        if stack.action(&id) != "delete" {
            stack.detached.push(id);
            continue;
        }
        match world.behaviour.undeletable(&id) {
            Some(failure) => {
                let never = || {
                    Failure::new(
                        409,
                        "ResourceDeletionTimeout",
                        "The deletion of the resource did not complete in time.",
                    )
                };
                let failure = failure.cloned().unwrap_or_else(never);
                stack.failed.push(json!({"id": id, "error": failure.value()}));
                kept.push(id);
            }
            None => {
                delete(world, &id);
                stack.deleted.push(id);
            }
        }
    }
    stack.resources.extend(kept);
    let failed = !stack.failed.is_empty();
    if failed { "failed" } else { "succeeded" }.clone_into(&mut stack.state);
    if failed {
        let message = format!(
            "One or more resources could not be deleted. Correlation id: '{}'. Please delete the resources directly or run the operation again.",
            stack.correlation
        );
        let details: Vec<Value> = stack
            .failed
            .iter()
            .map(|one| {
                let mut detail = one["error"].clone();
                detail["target"] = one["id"].clone();
                detail
            })
            .collect();
        stack.error = Some(Failure::new(409, CODE, message).with(details).value());
    }
}

fn delete(world: &mut World, id: &str) {
    let key = ids::key(id);
    if ids::kind_and_name(id).0 == ids::GROUP {
        groups::remove(world, &key);
    } else {
        let below = format!("{key}/");
        world.resources.retain(|own, _| *own != key && !own.starts_with(&below));
    }
}

/// A stack is to go.
///
/// # Errors
/// As ARM says that it cannot.
pub fn begin(world: &mut World, place: &Place, key: &str, request: &Request) -> Result<Reply, Failure> {
    // The names of these differ in case between versions.
    let asked = |name: &str| {
        let found = request.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or_else(|| "detach".to_owned(), |(_, value)| value.to_lowercase())
    };
    let deletion = (asked("unmanageAction.Resources"), asked("unmanageAction.ResourceGroups"));
    let bypass = asked("bypassStackOutOfSyncError") == "true";
    let Some(stack) = world.stacks.get(key) else { return Ok(Reply::empty(204)) };
    stacks::is_free(world, stack, bypass)?;
    if let Some(stack) = world.stacks.get_mut(key) {
        "deleting".clone_into(&mut stack.state);
        stack.deletion = Some(deletion);
        (stack.error, stack.failed) = (None, Vec::new());
        (stack.deleted, stack.detached) = (Vec::new(), Vec::new());
    }
    Ok(jobs::start(world, &place.subscription, Work::DeleteStack(key.to_owned())).accepted(world))
}

/// Ends the deletion of a stack.
///
/// # Errors
/// Where something could not be deleted: then the stack is still there, and failed.
pub fn finish(world: &mut World, key: &str) -> Result<(), Failure> {
    let Some(mut stack) = world.stacks.remove(key) else { return Ok(()) };
    let gone = std::mem::take(&mut stack.resources);
    unmanage(world, &mut stack, gone);
    let Some(error) = stack.error.clone() else { return Ok(()) };
    let message = error["message"].as_str().unwrap_or_default();
    let details = error["details"].as_array().cloned().unwrap_or_default();
    stack.deletion = None;
    world.stacks.insert(key.to_owned(), stack);
    Err(Failure::new(409, CODE, message).with(details))
}
