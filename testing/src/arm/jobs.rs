//! Long-running operations: begun by one request, looked at by others.

use std::time::Instant;

use serde_json::{Value, json};

use super::errors::Failure;
use super::faults::{Pace, come_again};
use super::http::Reply;
use super::world::{World, no_route};
use super::{groups, run, stack_delete, stacks};

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// A deployment, by key.
    Deploy(String),
    /// A stack being made or changed, by key.
    Stack(String),
    /// A stack being deleted, by key.
    DeleteStack(String),
    /// A group being deleted, by key.
    DeleteGroup(String),
    /// A resource being deleted, by key.
    DeleteResource(String),
    /// An answer that takes its time.
    WhatIf(Value),
    /// What-if of a stack: it is there at once, its state follows.
    StackWhatIf(String),
}

/// A long-running operation.
#[derive(Clone, Debug)]
pub struct Job {
    work: Work,
    subscription: String,
    polls_left: u32,
    started: Instant,
    pace: Pace,
    steps_done: u32,
    ended: Option<Result<(), Failure>>,
}

impl Job {
    /// Whether it has not ended.
    pub fn runs(&self) -> bool {
        self.ended.is_none()
    }
}

/// One that has just begun.
pub struct Started {
    id: String,
    subscription: String,
}

impl Started {
    /// `202`, to be asked at `Location`.
    pub fn accepted(&self, world: &World) -> Reply {
        waiting(world, &self.location(world))
    }

    /// An object that is there, to be asked for its state at `Azure-AsyncOperation`.
    pub fn asynchronous(&self, world: &World, status: u16, body: Value) -> Reply {
        let url = format!(
            "{}/subscriptions/{}/operationStatuses/{}?api-version=2025-04-01",
            world.base, self.subscription, self.id
        );
        come_again(Reply::json(status, body).with("Azure-AsyncOperation", url), world.behaviour.retry_after)
    }

    fn location(&self, world: &World) -> String {
        location(world, &self.subscription, &self.id)
    }
}

fn location(world: &World, subscription: &str, id: &str) -> String {
    format!("{}/subscriptions/{subscription}/operationresults/{id}?api-version=2025-04-01", world.base)
}

fn waiting(world: &World, location: &str) -> Reply {
    come_again(Reply::empty(202).with("Location", location), world.behaviour.retry_after)
}

/// Begins an operation.
pub fn start(world: &mut World, subscription: &str, work: Work) -> Started {
    let id = world.guid();
    let pace = world.behaviour.pace;
    let polls_left = if let Pace::Polls(polls) = pace { polls } else { 0 };
    let job = Job {
        work,
        subscription: subscription.to_owned(),
        polls_left,
        started: Instant::now(),
        pace,
        steps_done: 0,
        ended: None,
    };
    world.jobs.insert(id.clone(), job);
    Started { id, subscription: subscription.to_owned() }
}

impl World {
    /// Does what time has done meanwhile.
    pub fn tick(&mut self) {
        let ids: Vec<String> = self.jobs.keys().cloned().collect();
        for id in ids {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            // One that was held goes on as the others do now.
            if job.pace == Pace::Held && self.behaviour.pace != Pace::Held {
                job.pace = self.behaviour.pace;
                job.started = Instant::now();
                job.polls_left = if let Pace::Polls(polls) = job.pace { polls } else { 0 };
            }
            let Pace::Time(whole) = job.pace else { continue };
            let elapsed = job.started.elapsed();
            if elapsed >= whole {
                finish(self, &id);
            } else {
                let steps = u32::try_from(steps_left(self, &id)).unwrap_or(u32::MAX);
                let Some(job) = self.jobs.get_mut(&id) else { continue };
                let share = elapsed.as_secs_f64() / whole.as_secs_f64();
                // Never the last one before its time.
                let due = (share * f64::from(job.steps_done.saturating_add(steps))).floor();
                let more = (job.steps_done..).take_while(|done| f64::from(*done) < due).count();
                job.steps_done += u32::try_from(more).unwrap_or(0);
                do_steps(self, &id, more);
            }
        }
    }
}

/// Answers who asks how an operation goes.
///
/// # Errors
/// Where there is none of that id; where it failed and is asked for at `Location`.
pub fn asked(world: &mut World, id: &str, by_state: bool) -> Result<Reply, Failure> {
    poll(world, id);
    let job = world.jobs.get(id).cloned().ok_or_else(|| no_route(id))?;
    if by_state {
        return Ok(state(world, &job));
    }
    match (job.ended, job.work) {
        (None, _) => Ok(waiting(world, &location(world, &job.subscription, id))),
        (Some(Err(failure)), _) => Err(failure),
        (Some(Ok(())), Work::WhatIf(result)) => Ok(Reply::json(200, result)),
        (Some(Ok(())), _) => Ok(Reply::empty(200)),
    }
}

/// `{"status", "error"}`, as deployments and stacks say it.
fn state(world: &World, job: &Job) -> Reply {
    let (state, error) = match &job.work {
        Work::Deploy(key) => {
            let deployment = world.deployments.get(key);
            (deployment.map(|one| one.state.clone()), deployment.and_then(|one| one.error.clone()))
        }
        Work::Stack(key) | Work::DeleteStack(key) => {
            let stack = world.stacks.get(key);
            (stack.map(|one| one.state.clone()), stack.and_then(|one| one.error.clone()))
        }
        Work::StackWhatIf(key) => {
            let state = if job.ended.is_some() { "succeeded" } else { "running" };
            (world.what_ifs.get(key).map(|_| state.to_owned()), None)
        }
        _ => (Some(if job.ended.is_some() { "Succeeded" } else { "Running" }.to_owned()), None),
    };
    let mut body = json!({"status": state.unwrap_or_else(|| "Succeeded".to_owned())});
    if let Some(error) = error {
        body["error"] = error;
    }
    let reply = Reply::json(200, body);
    if job.ended.is_some() { reply } else { come_again(reply, world.behaviour.retry_after) }
}

/// Whoever shows a deployment or stack looks at its operation too.
pub fn look(world: &mut World, key: &str) {
    let is_of = |job: &Job| match &job.work {
        Work::Deploy(own) | Work::Stack(own) | Work::DeleteStack(own) => own == key && job.ended.is_none(),
        _ => false,
    };
    let found = world.jobs.iter().find(|(_, job)| is_of(job)).map(|(id, _)| id.clone());
    if let Some(id) = found {
        poll(world, &id);
    }
}

/// A deployment has ended by itself: so has the operation that did it.
pub fn ended(world: &mut World, deployment: &str) {
    let ids: Vec<String> = world.jobs.keys().cloned().collect();
    for id in ids {
        if deployment_of(world, &id).as_deref() == Some(deployment) {
            finish(world, &id);
        }
    }
}

fn poll(world: &mut World, id: &str) {
    let Some(job) = world.jobs.get(id) else { return };
    if job.ended.is_some() || !matches!(job.pace, Pace::Polls(_)) {
        return;
    }
    let polls = job.polls_left;
    if polls == 0 {
        finish(world, id);
        return;
    }
    if let Some(job) = world.jobs.get_mut(id) {
        job.polls_left -= 1;
    }
    let share = usize::try_from(polls).unwrap_or(usize::MAX).saturating_add(1);
    let steps = steps_left(world, id).div_ceil(share);
    do_steps(world, id, steps);
}

/// The deployment that an operation does.
fn deployment_of(world: &World, id: &str) -> Option<String> {
    match &world.jobs.get(id)?.work {
        Work::Deploy(key) => Some(key.clone()),
        Work::Stack(key) => world.stacks.get(key).map(|stack| super::ids::key(&stack.deployment)),
        _ => None,
    }
}

fn steps_left(world: &World, id: &str) -> usize {
    let deployment = deployment_of(world, id).and_then(|key| world.deployments.get(&key));
    deployment.map_or(0, |deployment| deployment.left.len())
}

fn do_steps(world: &mut World, id: &str, steps: usize) {
    let Some(key) = deployment_of(world, id) else { return };
    if let Some(deployment) = world.deployments.get_mut(&key).filter(|deployment| deployment.is_active()) {
        "Running".clone_into(&mut deployment.state);
    }
    for _ in 0..steps {
        if !run::step(world, &key) {
            return;
        }
    }
}

/// Does all that is left. What is stuck stays as it is.
fn finish(world: &mut World, id: &str) {
    let Some(job) = world.jobs.get(id).filter(|job| job.ended.is_none()) else { return };
    let work = job.work.clone();
    if is_stuck(world, &work) {
        return;
    }
    while steps_left(world, id) > 0 {
        do_steps(world, id, 1);
        if deployment_of(world, id)
            .and_then(|key| world.deployments.get(&key))
            .is_some_and(|one| !one.is_active())
        {
            break;
        }
    }
    let ended = match &work {
        Work::Deploy(key) => {
            run::finish(world, key);
            Ok(())
        }
        Work::Stack(key) => {
            stacks::finish(world, key);
            Ok(())
        }
        Work::DeleteStack(key) => stack_delete::finish(world, key),
        Work::DeleteGroup(key) => delete_group(world, key),
        Work::DeleteResource(key) => {
            world.resources.remove(key);
            Ok(())
        }
        Work::WhatIf(_) | Work::StackWhatIf(_) => Ok(()),
    };
    if let Some(job) = world.jobs.get_mut(id) {
        job.ended = Some(ended);
    }
}

/// Whether a deletion never ends.
fn is_stuck(world: &World, work: &Work) -> bool {
    let stuck = |id: &str| world.behaviour.undeletable(id) == Some(None);
    match work {
        Work::DeleteResource(key) => stuck(key),
        Work::DeleteGroup(key) => {
            let below = format!("{key}/");
            stuck(key)
                || world
                    .resources
                    .iter()
                    .any(|(own, resource)| own.starts_with(&below) && stuck(&resource.id))
        }
        Work::DeleteStack(key) => {
            world.stacks.get(key).is_some_and(|stack| stack.deletes().iter().any(|id| stuck(id)))
        }
        _ => false,
    }
}

fn delete_group(world: &mut World, key: &str) -> Result<(), Failure> {
    let below = format!("{key}/");
    let inside = world.resources.iter().filter(|(own, _)| own.starts_with(&below));
    let refused =
        inside.filter_map(|(_, resource)| world.behaviour.undeletable(&resource.id)?).next().cloned();
    let Some(failure) = refused else {
        groups::remove(world, key);
        return Ok(());
    };
    if let Some(group) = world.groups.get_mut(key) {
        group["properties"]["provisioningState"] = Value::from("Succeeded");
    }
    let message = "Deletion of resource group failed as some resources in it could not be deleted. Please see details for more information.";
    Err(Failure::new(409, "ResourceGroupDeletionBlocked", message).with(vec![failure.value()]))
}
