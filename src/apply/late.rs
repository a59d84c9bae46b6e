//! Steps that could not be planned before: evaluated and planned once what they need is done (rule P5).

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use windlass_model::{Digest, Entry, ErrorClass, EventKind, Op, Private, Record, Step, StepEvent, Value};
use windlass_provider::{Call, Engine, Left, ProviderError};

use super::dispatcher::Dispatcher;
use super::outcome::Act;
use super::run::{Permission, Question};
use super::steps::{Finished, instance_of, invalid, panicked};
use super::within::{Within, within};
use crate::plan::{
    self, Answer, Answered, Desire, Job, Subject, ask, decide, fingerprint, step_digest, supplement_id,
};

/// A step that is being planned late.
pub(super) struct Settling {
    desired: Value,
    depends_on: Vec<windlass_model::Address>,
    sources: Option<Digest>,
    fingerprint: Digest,
    prior: Option<Arc<Record>>,
}

/// What an evaluated step is made from.
struct Made {
    desire: Desire,
    sources: Option<Digest>,
    fingerprint: Digest,
}

/// The engine of a step that is planned in a run.
struct LateEngine {
    run: Arc<dyn Engine>,
    notes: Arc<dyn Engine>,
}

#[async_trait]
impl Engine for LateEngine {
    fn say(&self, event: StepEvent) {
        self.run.say(event);
    }

    async fn note(&self, private: &Private) -> Result<(), ProviderError> {
        self.notes.note(private).await
    }

    async fn healthy(&self, value: &Value) -> Result<(), ProviderError> {
        self.run.healthy(value).await
    }

    async fn keep(&self, content: &[u8]) -> Result<Digest, ProviderError> {
        self.run.keep(content).await
    }

    async fn fetch(&self, blob: &Digest) -> Result<Arc<[u8]>, ProviderError> {
        self.run.fetch(blob).await
    }
}

impl Dispatcher<'_> {
    /// Evaluates a step that was not known whole, and has its provider plan it.
    pub(super) fn settle(&mut self, node: u32, step: &Step) {
        let address = &step.id.slot.address;
        let Some(block) = self.run.world.graph.find(&address.kind, &address.name) else {
            let error =
                ProviderError::new(ErrorClass::Bug, format!("{address} is not in the plan's own sources"));
            return self.fail(node, step, error, Left::Untouched, None);
        };
        let prior = self.records.get(&step.id.slot).cloned();
        let found = self.desired(block, step, prior.as_deref());
        let Made { desire, sources, fingerprint } = match found {
            Ok(found) => found,
            Err(error) => return self.fail(node, step, error, Left::Untouched, None),
        };
        let Some(opened) = self.run.sessions.get(&step.provider).cloned() else { return };
        let catalog = self.run.sessions.providers.catalog.clone();
        let plan_reads = catalog.resource(&address.kind).is_some_and(|(_, schema)| schema.can.plan_reads);
        let call = self.late_call(node, step);
        let tainted = prior.as_ref().is_some_and(|prior| prior.tainted.is_some());
        let job = Job {
            session: opened.session,
            call,
            prior: prior.clone(),
            desired: Some(desire.value.clone()),
            refresh: true,
            plan_reads,
            look_only: false,
            replace: tainted,
        };
        let settling =
            Settling { desired: desire.value, depends_on: desire.depends_on, sources, fingerprint, prior };
        let settling = Box::new(settling);
        self.tasks.spawn(async move {
            let answered: Answered<()> = match AssertUnwindSafe(ask((), job)).catch_unwind().await {
                Ok(answered) => answered,
                Err(panic) => Answered { id: (), result: Err(panicked(&*panic)) },
            };
            Finished::Planned(node, settling, Box::new(answered.result))
        });
    }

    /// A call that plans a step: what it keeps is the run's, what it makes outside is noted as a plan's.
    fn late_call(&self, node: u32, step: &Step) -> Call {
        let address = &step.id.slot.address;
        let run = self.call(node, &step.id, 1, step.policy.timeout_s).engine;
        let notes = self.run.late.engine.of(address, &step.provider);
        let token = plan::plan_token(&self.run.late.calls.run, address);
        let timeout = Some(std::time::Duration::from_secs(step.policy.timeout_s));
        self.run.late.calls.call(address, token, 1, timeout, Arc::new(LateEngine { run, notes }))
    }

    /// The step begins: what was made for it belongs to it from now on.
    pub(super) async fn begun(&mut self, node: u32) {
        let step = self.step(node);
        let (address, provider) = (step.id.slot.address.clone(), step.provider.clone());
        if !self.run.late.engine.noted().iter().any(|note| note.address == address) {
            return;
        }
        // Where it cannot be written, it is thrown away once more later, which does no harm.
        let notes = self.run.late.engine.of(&address, &provider);
        if let Err(error) = notes.note(&Private::default()).await {
            self.tell(EventKind::Warning { message: error.message });
        }
    }

    fn desired(&mut self, block: u32, step: &Step, prior: Option<&Record>) -> Result<Made, ProviderError> {
        let world = &mut self.run.world;
        let graph = world.graph.clone();
        world.prepare(&graph.blocks[block as usize]);
        let address = &step.id.slot.address;
        let instance = instance_of(world, block, &address.key);
        let catalog = self.run.sessions.providers.catalog.clone();
        let desire =
            plan::desire(world, &catalog, block, &instance, prior).map_err(|errors| invalid(&errors))?;
        if desire.value.has_unknown() {
            let waits = plan::waits_for(&desire.value).join(", ");
            let message = format!("{address} still waits for {waits}, though all that it needs is done");
            return Err(ProviderError::new(ErrorClass::InvalidConfig, message));
        }
        if let Some(provider) = self.run.sessions.providers.of_kind(&address.kind) {
            let wrong = provider.check(&address.kind, &desire.value);
            if let Some(first) = wrong.iter().find(|f| f.severity == windlass_model::Severity::Error) {
                let error = ProviderError::new(ErrorClass::InvalidConfig, first.message.clone());
                return Err(error.at(first.path.clone()));
            }
        }
        let (Some((_, schema)), Some(opened)) =
            (catalog.resource(&address.kind), self.run.sessions.get(&step.provider))
        else {
            return Err(ProviderError::new(ErrorClass::Bug, format!("{address}: no provider is open")));
        };
        let files = self.run.calls.files.clone();
        let paths = opened.session.sources(&address.kind, &desire.value, &*files)?;
        let unread =
            |error: windlass_model::FileError| ProviderError::new(ErrorClass::NotFound, error.to_string());
        let sources = if paths.is_empty() { None } else { Some(files.digest(&paths).map_err(unread)?) };
        let tool = opened.session.tool_identity_for(&address.kind, &desire.value);
        let key = &self.run.key;
        let print = fingerprint(
            &address.kind,
            schema.version,
            &desire.value,
            sources.as_ref(),
            &opened.config,
            &tool,
            key,
        );
        Ok(Made { desire, sources, fingerprint: print })
    }

    /// A late plan came back: is it inside what was announced?
    pub(super) fn settled(&mut self, node: u32, settling: Settling, answer: Answer) {
        let step = self.step(node).clone();
        let catalog = self.run.sessions.providers.catalog.clone();
        let Some((_, schema)) = catalog.resource(&step.id.slot.address.kind) else { return };
        let subject = Subject {
            address: &step.id.slot.address,
            schema,
            provider: &step.provider,
            desired: &settling.desired,
            prior: settling.prior.as_ref(),
            replace: false,
            policy: step.policy.clone(),
            sources: settling.sources,
            fingerprint: settling.fingerprint,
            depends_on: &settling.depends_on,
        };
        let mut decision = decide(&subject, answer);
        for late in &mut decision.steps {
            late.digest = step_digest(late, &self.run.key);
        }
        if step.policy.protect && decision.steps.iter().any(|late| late.id.op == Op::Delete) {
            let message = format!("{} would be deleted, and `prevent_destroy` protects it", step.id.slot);
            let error = ProviderError::new(ErrorClass::InvalidConfig, message)
                .hint("take `prevent_destroy` out and apply, then plan again");
            return self.fail(node, &step, error, Left::Untouched, None);
        }
        let allowed = within(&step, &decision.steps);
        // Of this very plan's runs: what was tainted before is in the plan as it was then.
        let made_here = |prior: &&Arc<Record>| step.prior != Some(prior.digest());
        let own_leftover =
            settling.prior.as_ref().filter(made_here).is_some_and(|prior| prior.tainted.is_some());
        let (lines, destroys) = match allowed {
            Within::Announced => return self.go(node, settling, decision),
            Within::More(_) if !self.run.manual => return self.go(node, settling, decision),
            // What this very run made and left half done may be replaced: that is what it was to make.
            Within::Destroys(_) if own_leftover && decision.steps.iter().all(|s| s.nested.is_empty()) => {
                return self.go(node, settling, decision);
            }
            Within::More(lines) => (lines, false),
            Within::Destroys(lines) => (lines, true),
        };
        let supplement = supplement_id(&self.run.plan.id, &step.id, decision.steps.last().map(|s| &s.digest));
        let question = Question { step: step.id.clone(), supplement, lines, destroys };
        let gate = self.run.gate.clone();
        let kept = Box::new((settling, decision, question.clone()));
        self.tasks.spawn(async move { Finished::Permitted(node, kept, gate.allow(question).await) });
    }

    pub(super) fn permitted(
        &mut self,
        node: u32,
        kept: (Settling, plan::Decision, Question),
        permission: Permission,
    ) {
        let (settling, decision, question) = kept;
        if permission == Permission::Granted {
            return if self.draining { self.leave(node) } else { self.go(node, settling, decision) };
        }
        let message =
            format!("{} would do more than was announced: {}", question.step, question.lines.join("; "));
        self.tell(EventKind::Warning { message });
        self.question = Some(question);
        self.draining = true;
        self.leave(node);
    }

    /// A step that was planned and not begun is not begun any more.
    pub(super) fn leave(&mut self, node: u32) {
        self.give_back_room(node);
        self.queue.put_back(node);
    }

    /// Writes down how the step turned out, and runs it.
    pub(super) fn go(&mut self, node: u32, settling: Settling, decision: plan::Decision) {
        let id = self.step(node).id.clone();
        let last = decision.steps.last();
        let supplement = supplement_id(&self.run.plan.id, &id, last.map(|step| &step.digest));
        self.pending.push(Entry::Settled {
            step: id,
            plan: last.cloned().map(Box::new),
            artefact: last.and_then(|step| step.artefact.clone()),
            supplement,
        });
        let mut acts: VecDeque<Act> =
            decision.steps.iter().map(|step| self.act(step, settling.prior.clone())).collect();
        match acts.pop_front() {
            Some(first) => self.intend(node, first, acts),
            None => {
                let record = decision.refreshed.map(Arc::new).or(settling.prior);
                match record {
                    Some(record) if self.step(node).policy.health => self.gate_only(node, &record),
                    record => self.nothing_to_do(node, record),
                }
            }
        }
    }
}
