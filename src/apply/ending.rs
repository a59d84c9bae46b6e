//! How steps end: tried again, failed, done; and what others see of them from then on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_model::{ErrorClass, EventKind, Outcome, Record, Step, StepId, Value};
use windlass_provider::{ApplyFailure, Left, ProviderError, Redactor};

use super::dispatcher::{Dispatcher, Mark};
use super::run::Failure;
use crate::stack::Retry;

impl Dispatcher<'_> {
    pub(super) fn apply_failed(&mut self, node: u32, failure: ApplyFailure) {
        let Some(active) = self.active.get_mut(&node) else { return };
        let temporary = failure.error.class.is_temporary() || failure.error.retry_after.is_some();
        let untouched = matches!(failure.left, Left::Untouched);
        let may_retry = temporary && untouched && active.attempt < active.act.mold.policy.attempts;
        if may_retry && !self.draining {
            return self.retry_later(node, failure.error);
        }
        let step = self.step(node).clone();
        self.fail(node, &step, failure.error, failure.left, None);
    }

    pub(super) fn retry_later(&mut self, node: u32, error: ProviderError) {
        let Some(active) = self.active.get_mut(&node) else { return };
        active.attempt += 1;
        active.waits = true;
        let (attempt, id) = (active.attempt, active.act.id.clone());
        let provider = active.act.mold.provider.clone();
        let retry = self.retry_settings(&id, &provider);
        let wait = error.retry_after.unwrap_or_else(|| backoff(&retry, attempt - 1, self.run.host.random()));
        self.tell(EventKind::StepRetry {
            address: id.slot.to_string(),
            attempt,
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            class: error.class,
            message: self.run.calls.tools.redact.redact(&error.message),
        });
        self.timers.push(Box::pin(async move {
            tokio::time::sleep(wait).await;
            node
        }));
    }

    /// How a step is tried again: as its resource says, else its provider, else by default.
    pub(super) fn retry_settings(&self, id: &StepId, provider: &str) -> Retry {
        let world = &self.run.world;
        let block = world.graph.find(&id.slot.address.kind, &id.slot.address.name);
        let resource = block.and_then(|block| world.stack.resources.get(block as usize));
        let own = resource.and_then(|resource| resource.meta.retry.clone());
        let shared = || self.run.sessions.get(provider).and_then(|opened| opened.retry.clone());
        own.or_else(shared).unwrap_or(Retry::DEFAULT)
    }

    pub(super) fn retry(&mut self, node: u32) {
        match self.draining {
            false => self.write_intent(node),
            true => self.give_up(node),
        }
    }

    /// Waiting retries end as failures when tools are interrupted.
    pub(super) fn cancel_retries(&mut self) {
        self.timers = futures::stream::FuturesUnordered::new();
        let waiting: Vec<u32> = self.active.iter().filter(|(_, a)| a.waits).map(|(node, _)| *node).collect();
        waiting.into_iter().for_each(|node| self.give_up(node));
    }

    pub(super) fn give_up(&mut self, node: u32) {
        let step = self.step(node).clone();
        let error =
            ProviderError::new(ErrorClass::Cancelled, "the run was stopped before it could be tried again");
        self.fail(node, &step, error, Left::Untouched, None);
    }

    /// Records a failure and skips what was to be built upon the step.
    pub(super) fn fail(
        &mut self,
        node: u32,
        step: &Step,
        error: ProviderError,
        left: Left,
        outcome: Option<Outcome>,
    ) {
        let active = self.active.remove(&node);
        let started = active.as_ref().map_or_else(Instant::now, |active| active.started);
        let message = self.run.calls.tools.redact.redact(&error.message);
        let id = active.as_ref().map_or_else(|| step.id.clone(), |active| active.act.id.clone());
        let result = match (outcome, &active) {
            (Some(outcome), _) => outcome,
            (None, Some(active)) => active.act.failed(error.class, &message, left),
            (None, None) => Outcome::Failed {
                class: error.class,
                message: message.clone(),
                record: None,
                left_nothing: false,
            },
        };
        match &result {
            Outcome::Failed { record: Some(record), .. } => self.take_in(Arc::new((**record).clone())),
            Outcome::Failed { left_nothing: true, .. } => {
                self.records.remove(&id.slot);
            }
            _ => {}
        }
        self.outcome(&id, result);
        self.give_back_room(node);
        let address = id.slot.to_string();
        self.marks.push(Mark::Tell(EventKind::StepFailed {
            address: address.clone(),
            action: id.op.as_str().to_owned(),
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            class: error.class,
            message: message.clone(),
            hint: error.hint.clone(),
        }));
        let address_of = id.slot.address.clone();
        self.failures.push(Failure { address: address_of, message, hint: error.hint, stale: error.stale });
        for skipped in self.queue.fail(node) {
            self.skipped += 1;
            let step = self.step(skipped);
            let (skipped, action) = (step.id.slot.to_string(), step.id.op.as_str().to_owned());
            let because = address.clone();
            self.marks.push(Mark::Tell(EventKind::StepSkipped { address: skipped, action, because }));
        }
    }

    pub(super) fn finish(&mut self, node: u32, id: &StepId, started: Instant) {
        self.done += 1;
        self.give_back_room(node);
        self.queue.finish(node);
        self.tell_finished(id, started);
    }

    pub(super) fn tell_finished(&mut self, id: &StepId, started: Instant) {
        self.marks.push(Mark::Tell(EventKind::StepFinished {
            address: id.slot.to_string(),
            action: id.op.as_str().to_owned(),
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }));
    }

    pub(super) fn give_back_room(&mut self, node: u32) {
        let provider = &self.run.plan.steps[node as usize].provider;
        if let Some(used) = self.in_use.get_mut(provider) {
            *used = used.saturating_sub(1);
        }
    }

    /// What others see of a resource from now on.
    pub(super) fn take_in(&mut self, record: Arc<Record>) {
        let address = &record.slot.address;
        if let Some(block) = self.run.world.graph.find(&address.kind, &address.name) {
            self.run.world.set(block, address.key.clone(), record.value.0.clone());
        }
        if record.tainted.is_none() && record.in_doubt.is_none() {
            self.seen.insert(record.slot.to_string(), (self.run.host.now_ms(), record.fingerprint));
        }
        learn_secrets(&self.run.calls.tools.redact, &record.value.0);
        self.records.insert(record.slot.clone(), record);
    }
}

/// Tells the redactor every secret in a value.
pub fn learn_secrets(redact: &Redactor, value: &Value) {
    if !value.has_sensitive() {
        return;
    }
    if value.is_sensitive() {
        return learn_leaves(redact, value);
    }
    value.items().unwrap_or_default().iter().for_each(|item| learn_secrets(redact, item));
    value.entries().unwrap_or_default().iter().for_each(|(_, item)| learn_secrets(redact, item));
}

fn learn_leaves(redact: &Redactor, value: &Value) {
    if let Some(text) = value.as_str() {
        redact.add(text);
    }
    if let Some(number) = value.as_number() {
        redact.add(&number.to_string());
    }
    value.items().unwrap_or_default().iter().for_each(|item| learn_leaves(redact, item));
    value.entries().unwrap_or_default().iter().for_each(|(_, item)| learn_leaves(redact, item));
}

/// Exponential backoff with jitter: between half of the wait and the whole of it.
fn backoff(retry: &Retry, failures: u32, random: u128) -> Duration {
    let doubled =
        retry.delay_ms.saturating_mul(1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX));
    let whole = doubled.min(retry.max_delay_ms).max(1);
    let share = u64::try_from(random % 1000).unwrap_or_default();
    Duration::from_millis(whole / 2 + whole.saturating_mul(share) / 2000)
}
