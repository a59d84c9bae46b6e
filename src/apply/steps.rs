//! The way of one step: begun, settled where it could not be planned before, run, gated, recorded.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;
use windlass_model::{Diagnostic, Entry, ErrorClass, EventKind, Op, Outcome, Record, Step, StepId, Token};
use windlass_provider::{ApplyFailure, Call, Left, Observed, ProviderError, Work};

use super::dispatcher::{Active, Dispatcher, Mark};
use super::engine::StepEngine;
use super::health;
use super::late::Settling;
use super::outcome::{Act, Mold};
use super::run::{Permission, Question};
use crate::plan::{self, Answer, Instance};

/// What a task gives back.
pub(super) enum Finished {
    Planned(u32, Box<Settling>, Box<Result<Answer, ProviderError>>),
    Permitted(u32, Box<(Settling, plan::Decision, Question)>, Permission),
    Applied(u32, Result<Option<Observed>, Box<ApplyFailure>>),
    Gated(u32, Box<Record>, Result<(), ProviderError>),
    /// A provider was told whether what it made is healthy.
    Answered,
}

impl Dispatcher<'_> {
    /// Begins a step that is ready and has room.
    pub(super) async fn begin(&mut self, node: u32) {
        let step = self.step(node).clone();
        let again = self.run.again.get(node as usize).copied().unwrap_or(false);
        let late = step.deferred.is_some() || step.desired.0.has_unknown() || again;
        let name = step.provider.clone();
        if let Err(error) = self.open(&name).await {
            return self.fail(node, &step, error, Left::Untouched, None);
        }
        if late && step.id.op != Op::Delete {
            return self.settle(node, &step);
        }
        let prior = self.records.get(&step.id.slot).cloned();
        if step.id.op == Op::Delete && prior.is_none() {
            return self.nothing_to_do(node, None);
        }
        let act = self.act(&step, prior);
        self.intend(node, act, VecDeque::new());
    }

    pub(super) fn step(&self, node: u32) -> &Step {
        &self.run.plan.steps[node as usize]
    }

    /// Opens a provider whose configuration waited for something.
    pub(super) async fn open(&mut self, alias: &str) -> Result<(), ProviderError> {
        if self.run.sessions.get(alias).is_some() {
            return Ok(());
        }
        let config =
            plan::configuration(&mut self.run.world, &self.run.sessions.providers.catalog.clone(), alias);
        let (config, budget) = config.map_err(|errors| invalid(&errors))?;
        if config.has_unknown() {
            let waits = plan::waits_for(&config).join(", ");
            let class = ErrorClass::InvalidConfig;
            return Err(ProviderError::new(class, format!("provider `{alias}` still waits for {waits}")));
        }
        let key = self.run.key.clone();
        self.run.sessions.open(alias, &config, budget, &key).await.map(|_| ())
    }

    pub(super) fn act(&self, step: &Step, prior: Option<Arc<Record>>) -> Act {
        Act {
            id: step.id.clone(),
            desired: step.desired.0.clone(),
            planned: step.planned.0.clone(),
            artefact: step.artefact.clone(),
            prior: if step.id.op == Op::Create { None } else { prior },
            mold: Mold {
                provider: step.provider.clone(),
                schema: self.schema_version(&step.id),
                depends_on: step.depends_on.clone(),
                fingerprint: step.fingerprint.unwrap_or(super::NEVER),
                place: step.place.clone(),
                account: step.account.clone(),
                policy: step.policy.clone(),
            },
        }
    }

    pub(super) fn schema_version(&self, id: &StepId) -> u32 {
        let catalog = &self.run.sessions.providers.catalog;
        catalog.resource(&id.slot.address.kind).map_or(0, |(_, schema)| schema.version)
    }

    /// The step turned out to be done already.
    pub(super) fn nothing_to_do(&mut self, node: u32, record: Option<Arc<Record>>) {
        let id = self.step(node).id.clone();
        let result = Outcome::Done { record: record.as_deref().cloned().map(Box::new) };
        self.outcome(&id, result);
        if let Some(record) = record {
            self.take_in(record);
        }
        self.finish(node, &id, Instant::now());
    }

    /// Writes down how a step ended, and tidies up once that is durable.
    pub(super) fn outcome(&mut self, step: &StepId, result: Outcome) {
        self.marks.push(Mark::Settled(self.token(step)));
        self.pending.push(Entry::Outcome { step: step.clone(), result });
    }

    pub(super) fn intend(&mut self, node: u32, act: Act, more: VecDeque<Act>) {
        let noted = self.run.noted.get(&act.id).cloned().unwrap_or_default();
        let active = Active { act, more, attempt: 1, noted, waits: false, started: Instant::now() };
        self.active.insert(node, active);
        self.write_intent(node);
    }

    pub(super) fn write_intent(&mut self, node: u32) {
        let Some(active) = self.active.get_mut(&node) else { return };
        active.waits = false;
        let (step, attempt) = (active.act.id.clone(), active.attempt);
        let (token, host) = (self.token(&step), self.run.hostname.clone());
        self.pending.push(Entry::Intent { step, token, attempt, host });
        self.marks.push(Mark::Start(node));
    }

    /// What names a step to a tool or cloud: the same in each try of it, and another once a try has left something.
    pub(super) fn token(&self, step: &StepId) -> Token {
        match self.run.spent.get(step) {
            None => Token::new(&self.run.origin, &step.to_string()),
            Some(tries) => Token::new(&self.run.origin, &format!("{step} after {tries}")),
        }
    }

    pub(super) fn call(&self, node: u32, step: &StepId, attempt: u32, timeout_s: u64) -> Call {
        let token = self.token(step);
        let engine = StepEngine {
            node,
            step: step.clone(),
            told: self.told.clone(),
            recorder: self.recorder.clone(),
            blobs: self.run.blobs.clone(),
        };
        let timeout = Some(Duration::from_secs(timeout_s));
        let mut call = self.run.calls.call(&step.slot.address, token, attempt, timeout, Arc::new(engine));
        if step.op == Op::Delete {
            call.files = self.run.past.clone();
        }
        call
    }

    /// The intent is durable: runs the act.
    pub(super) fn start(&mut self, node: u32) {
        let Some(active) = self.active.get(&node) else { return };
        let (act, attempt, noted) = (active.act.clone(), active.attempt, active.noted.clone());
        let Some(opened) = self.run.sessions.get(&act.mold.provider).cloned() else { return };
        let address = act.id.slot.to_string();
        self.tell(EventKind::StepStarted { address, action: act.id.op.as_str().to_owned(), attempt });
        let call = self.call(node, &act.id, attempt, act.mold.policy.timeout_s);
        self.tasks.spawn(async move {
            let work = Work {
                op: act.id.op,
                prior: act.prior.as_deref(),
                desired: &act.desired,
                planned: &act.planned,
                artefact: act.artefact.as_ref(),
                noted: &noted,
            };
            let result = AssertUnwindSafe(opened.session.apply(&call, work)).catch_unwind().await;
            let result = result.unwrap_or_else(|panic| {
                let look_at = "was cut short by a mistake in windlass; look at the thing itself".to_owned();
                Err(Box::new(ApplyFailure { error: panicked(&*panic), left: Left::Unknown(look_at) }))
            });
            Finished::Applied(node, result)
        });
    }

    pub(super) async fn finished(&mut self, finished: Finished) {
        match finished {
            Finished::Planned(node, _, _) if self.draining => self.leave(node),
            Finished::Planned(node, settling, result) => match *result {
                Ok(answer) => self.settled(node, *settling, answer),
                Err(error) => {
                    let step = self.step(node).clone();
                    self.fail(node, &step, error, Left::Untouched, None);
                }
            },
            Finished::Permitted(node, kept, permission) => self.permitted(node, *kept, permission),
            Finished::Applied(node, Ok(observed)) => self.applied(node, observed),
            Finished::Applied(node, Err(failure)) => self.apply_failed(node, *failure),
            Finished::Gated(node, record, result) => self.gated(node, *record, result),
            Finished::Answered => {}
        }
    }

    pub(super) fn applied(&mut self, node: u32, observed: Option<Observed>) {
        let Some(active) = self.active.get_mut(&node) else { return };
        let act = active.act.clone();
        let next = active.more.pop_front();
        let Some(observed) = observed.filter(|_| act.id.op != Op::Delete) else {
            self.outcome(&act.id, Outcome::Done { record: None });
            self.records.remove(&act.id.slot);
            return self.next_act(node, &act, next);
        };
        let record = act.record(observed);
        let catalog = &self.run.sessions.providers.catalog;
        let schema = catalog.resource(&act.id.slot.address.kind);
        // What goes back by itself has asked already.
        let asked = schema.is_some_and(|(_, schema)| schema.can.reverts);
        match act.mold.policy.health && !asked {
            true => self.gate(node, &act, record),
            false => {
                let record = Arc::new(record);
                let result = Outcome::Done { record: Some(Box::new((*record).clone())) };
                self.outcome(&act.id, result);
                self.take_in(record);
                self.next_act(node, &act, next);
            }
        }
    }

    /// Goes on with the next act of the step, or ends it.
    pub(super) fn next_act(&mut self, node: u32, act: &Act, next: Option<Act>) {
        let started = self.active.get(&node).map_or_else(Instant::now, |active| active.started);
        let Some(next) = next else {
            self.active.remove(&node);
            return self.finish(node, &act.id, started);
        };
        self.tell_finished(&act.id, started);
        if let Some(active) = self.active.get_mut(&node) {
            active.act = next;
            active.attempt = 1;
            active.noted.clear();
            active.started = Instant::now();
        }
        self.write_intent(node);
    }

    /// The thing is there already, but nobody asked its gate: the run that made it died.
    pub(super) fn gate_only(&mut self, node: u32, record: &Arc<Record>) {
        let step = self.step(node).clone();
        let act = self.act(&step, Some(record.clone()));
        let started = Instant::now();
        let active = Active {
            act: act.clone(),
            more: VecDeque::new(),
            attempt: 1,
            noted: Vec::new(),
            waits: false,
            started,
        };
        self.active.insert(node, active);
        self.gate(node, &act, (**record).clone());
    }

    /// Starts the health gate.
    pub(super) fn gate(&mut self, node: u32, act: &Act, record: Record) {
        let gate = self.gate_of(act, &record);
        let call = self.call(node, &act.id, 1, act.mold.policy.timeout_s);
        let record = Box::new(record);
        self.tasks.spawn(async move {
            let result = match gate {
                Ok(gate) => gate.wait(&call).await,
                Err(why) => Err(ProviderError::new(ErrorClass::InvalidConfig, why)),
            };
            Finished::Gated(node, record, result)
        });
    }

    /// A provider asks for the gate while it works.
    pub(super) fn asked_for_health(
        &mut self,
        node: u32,
        value: windlass_model::Value,
        answer: tokio::sync::oneshot::Sender<Result<(), ProviderError>>,
    ) {
        let Some(active) = self.active.get(&node) else { return };
        let act = active.act.clone();
        if !act.mold.policy.health {
            // Who asked may have been interrupted meanwhile.
            let _ = answer.send(Ok(()));
            return;
        }
        let seen = Observed { value, private: windlass_model::Private::default(), nested: Vec::new() };
        let gate = self.gate_of(&act, &act.record(seen));
        let call = self.call(node, &act.id, 1, act.mold.policy.timeout_s);
        self.tasks.spawn(async move {
            let result = match gate {
                Ok(gate) => gate.wait(&call).await,
                Err(why) => Err(ProviderError::new(ErrorClass::InvalidConfig, why)),
            };
            let _ = answer.send(result);
            Finished::Answered
        });
    }

    pub(super) fn gate_of(&mut self, act: &Act, record: &Record) -> Result<health::Gate, String> {
        let address = &act.id.slot.address;
        let world = &mut self.run.world;
        let block =
            world.graph.find(&address.kind, &address.name).ok_or("its block is not in the sources")?;
        world.set(block, address.key.clone(), record.value.0.clone());
        let graph = world.graph.clone();
        world.prepare(&graph.blocks[block as usize]);
        let stack = world.stack.clone();
        let resource = &stack.resources[block as usize];
        let health = resource.meta.health.as_ref().ok_or("its block has no health gate")?;
        let mut instance = instance_of(world, block, &address.key);
        instance.this = Some(record.value.0.clone());
        let scope = world.scope(instance);
        let value = crate::stack::decode_body(&health::schema(), &health.body, &resource.file, &scope);
        health::Gate::new(&value.map_err(|errors| invalid(&errors).message)?, &record.value.0)
    }

    pub(super) fn gated(&mut self, node: u32, record: Record, result: Result<(), ProviderError>) {
        let Some(active) = self.active.get_mut(&node) else { return };
        let act = active.act.clone();
        let next = active.more.pop_front();
        match result {
            Ok(()) => {
                let record = Arc::new(record);
                let result = Outcome::Done { record: Some(Box::new((*record).clone())) };
                self.outcome(&act.id, result);
                self.take_in(record);
                self.next_act(node, &act, next);
            }
            Err(error) => {
                let message = self.run.calls.tools.redact.redact(&error.message);
                let record = act.unhealthy(record, &message);
                let result = Outcome::Failed {
                    class: error.class,
                    message: message.clone(),
                    record: Some(Box::new(record.clone())),
                    left_nothing: false,
                };
                self.take_in(Arc::new(record));
                let step = self.step(node).clone();
                let error = ProviderError { message, ..error };
                self.fail(node, &step, error, Left::Untouched, Some(result));
            }
        }
    }
}

pub(super) fn instance_of(world: &plan::World, block: u32, key: &Option<windlass_model::Key>) -> Instance {
    let each = match (world.expansion(block), key) {
        (Some(plan::Expansion::Each(entries)), Some(windlass_model::Key::Name(name))) => {
            entries.get(name).cloned()
        }
        _ => None,
    };
    Instance { key: key.clone(), each, this: None }
}

pub(super) fn invalid(errors: &[Diagnostic]) -> ProviderError {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    ProviderError::new(ErrorClass::InvalidConfig, lines.join("\n"))
}

pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> ProviderError {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    ProviderError::new(ErrorClass::Bug, format!("a mistake in windlass: {text}"))
        .hint("please report this; `windlass resume` goes on with the rest")
}
