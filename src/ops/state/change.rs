//! Corrects state by hand: each correction is a run of one step, journaled, and a version.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{
    Address, Diagnostic, Entry, Op, Operation, Outcome, Record, RunId, RunStatus, Slot, StepId, Token, canon,
};
use windlass_store::{Store, VersionMeta, VersionStatus};

use super::look::{Place, find};
use crate::apply::{Act, Mold, Recorder};
use crate::event::Reporter;
use crate::ops::apply::selected_now;
use crate::ops::context::Context;
use crate::ops::execute::keep_manifest;
use crate::ops::failure::{Failure, FailureKind};
use crate::ops::hold::Hold;
use crate::ops::plan::PlanOptions;
use crate::ops::run::new_run;
use crate::ops::snapshot::{StoreBlobs, taken};
use crate::ops::workshop::{StepDirs, Workshop};
use crate::plan::{self, Instance, PlanEngine, World};

/// How state is corrected.
#[derive(Clone, Debug, Default)]
pub struct StateOptions {
    /// Environment and values.
    pub plan: PlanOptions,
    /// Nobody needs to approve it (the environment's own rule still holds).
    pub auto_approve: bool,
}

/// One correction.
struct Correction {
    operation: Operation,
    steps: Vec<(StepId, Outcome)>,
    why: String,
    /// The snapshot it was made from, where it was made from one.
    sources: Option<(crate::stack::Manifest, plan::Blobs)>,
}

/// Forgets records, all or none; the things themselves stay. An address without a key stands for all instances.
///
/// # Errors
/// Where there is no such record, or the environment's approval rule protects it.
pub async fn remove(
    ctx: &Context,
    options: &StateOptions,
    addresses: &[Address],
    reporter: &mut dyn Reporter,
) -> Result<u64, Failure> {
    let make = |recorder: &Recorder| {
        for address in addresses {
            if !recorder.state.records.keys().any(|slot| address.covers(&slot.address)) {
                return Err(unknown(address));
            }
        }
        let meant = |slot: &&Slot| addresses.iter().any(|address| address.covers(&slot.address));
        let slots = recorder.state.records.keys().filter(meant);
        let step = |slot: &Slot| StepId { slot: slot.clone(), op: Op::Forget };
        let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        Ok(Correction {
            operation: Operation::Remove,
            steps: slots.map(|slot| (step(slot), Outcome::Done { record: None })).collect(),
            why: format!("state rm {}", names.join(" ")),
            sources: None,
        })
    };
    correct(ctx, options, Operation::Remove, reporter, make).await
}

/// Gives a record another address.
///
/// # Errors
/// Where there is none, or the new address is taken.
pub async fn move_record(
    ctx: &Context,
    options: &StateOptions,
    from: &Address,
    to: &Address,
    reporter: &mut dyn Reporter,
) -> Result<u64, Failure> {
    let make = |recorder: &Recorder| {
        let record = known(recorder, from)?;
        if recorder.state.get(to).is_some() {
            return Err(Failure::failed(format!("{to} is in state already")));
        }
        if from.kind != to.kind {
            return Err(Failure::failed(format!("{from} and {to} are of different types")));
        }
        let mut moved = (*record).clone();
        moved.slot = to.slot();
        Ok(Correction {
            operation: Operation::Move,
            steps: vec![(
                StepId { slot: from.slot(), op: Op::Move },
                Outcome::Done { record: Some(Box::new(moved)) },
            )],
            why: format!("state mv {from} {to}"),
            sources: None,
        })
    };
    correct(ctx, options, Operation::Move, reporter, make).await
}

fn known(recorder: &Recorder, address: &Address) -> Result<Arc<Record>, Failure> {
    recorder.state.get(address).cloned().ok_or_else(|| unknown(address))
}

fn unknown(address: &Address) -> Failure {
    Failure::failed(format!("{address} is not in state")).help("`windlass state list` shows what is")
}

/// Locks, recovers, corrects, commits.
async fn correct(
    ctx: &Context,
    options: &StateOptions,
    operation: Operation,
    reporter: &mut dyn Reporter,
    make: impl FnOnce(&Recorder) -> Result<Correction, Failure>,
) -> Result<u64, Failure> {
    let Place { store, env } = find(ctx, &options.plan.selection).await?;
    not_manual(ctx, options, &env.environment)?;
    let hold = Hold::take(ctx, &store, &env, operation, reporter).await?;
    let correction = match make(&hold.recorder) {
        Ok(correction) => correction,
        Err(failure) => return Err(hold.fail(failure).await),
    };
    let before = store.versions(&env).await?.into_iter().next();
    commit(ctx, options, hold.recorder, &hold.run, correction, before).await
}

/// Where approval is manual, state is not corrected without one either (rule P7).
fn not_manual(ctx: &Context, _options: &StateOptions, environment: &str) -> Result<(), Failure> {
    let Ok(checkout) = crate::ops::select::checkout(ctx) else { return Ok(()) };
    let stack = crate::stack::load(&*checkout, &ctx.providers.catalog).stack;
    match stack.environments.get(environment).is_some_and(|environment| environment.manual_approval) {
        false => Ok(()),
        true => {
            let title =
                format!("environment `{environment}` needs approvals: its state is not corrected by hand");
            let error = Diagnostic::error(title).help("change it through a plan that is approved");
            Err(Failure::new(FailureKind::NotApproved, error))
        }
    }
}

async fn commit(
    ctx: &Context,
    options: &StateOptions,
    mut recorder: Recorder,
    run: &RunId,
    correction: Correction,
    before: Option<VersionMeta>,
) -> Result<u64, Failure> {
    let ids: Vec<&StepId> = correction.steps.iter().map(|(step, _)| step).collect();
    let plan = canon::digest(&(ids, &correction.why, run));
    let mut sources = before.as_ref().and_then(|version| version.sources);
    let plan_object = before.as_ref().and_then(|version| version.plan_object);
    if let Some((manifest, blobs)) = &correction.sources {
        for content in blobs.values() {
            recorder.held.keep(content).await?;
        }
        keep_manifest(manifest, &mut recorder).await?;
        sources = sources.or(Some(canon::digest(manifest)));
    }
    let begin = Entry::Begin {
        run: run.clone(),
        resumes: None,
        operation: correction.operation,
        plan,
        plan_object: plan_object.unwrap_or(plan),
        epoch: recorder.held.epoch(),
        started_ms: ctx.host.now_ms(),
        seed: String::new(),
        who: ctx.actor.clone(),
    };
    let mut entries = vec![begin];
    for (step, result) in correction.steps {
        let token = Token::new(&plan, &step.to_string());
        entries.push(Entry::Intent { step: step.clone(), token, attempt: 1, host: ctx.hostname.clone() });
        entries.push(Entry::Outcome { step, result });
    }
    recorder.append(&entries).await?;
    let why = match &options.plan.reason {
        Some(reason) => format!("{}: {reason}", correction.why),
        None => correction.why,
    };
    let meta = VersionMeta {
        number: 0,
        parent: 0,
        status: VersionStatus::Applied,
        operation: correction.operation,
        rolls_back_to: None,
        who: ctx.actor.clone(),
        why: Some(why),
        when_ms: ctx.host.now_ms(),
        run: run.clone(),
        plan: None,
        plan_object,
        sources,
        inputs: before.as_ref().map(|version| version.inputs.clone()).unwrap_or_default(),
        approval: None,
        tools: before.map(|version| version.tools).unwrap_or_default(),
    };
    let state = recorder.state.clone();
    let changed: Vec<_> = recorder.changed.iter().cloned().collect();
    let number = recorder.held.commit(meta, &state, &changed).await?;
    recorder.append(&[Entry::End { status: RunStatus::Applied, version: Some(number) }]).await?;
    recorder.held.release().await?;
    Ok(number)
}

/// Takes something that exists into state, under the address of a resource of the stack.
///
/// # Errors
/// Where the stack has no such resource, it is in state already, or the thing cannot be found.
pub async fn import(
    ctx: &Context,
    options: &StateOptions,
    address: &Address,
    id: &str,
    reporter: &mut dyn Reporter,
) -> Result<u64, Failure> {
    let (selected, checkout) = selected_now(ctx, &options.plan).await?;
    let store = ctx.store()?;
    let env = selected.env.clone();
    not_manual(ctx, options, &env.environment)?;
    let hold = Hold::take(ctx, &store, &env, Operation::Import, reporter).await?;
    if hold.recorder.state.get(address).is_some() {
        let failure = Failure::failed(format!("{address} is in state already"));
        return Err(hold.fail(failure).await);
    }
    let source = Arc::new(StoreBlobs { store: store.clone(), env: env.clone() });
    let engine = Arc::new(PlanEngine::new(source, Box::new(|_| {})));
    let workshop = Workshop::new(ctx, &env, &store.id().id, &new_run(ctx), StepDirs::default());
    let site = Site { ctx, selected: &selected, recorder: &hold.recorder, engine: &engine, workshop };
    let record = match site.import(checkout.clone(), address, id).await {
        Ok(record) => record,
        Err(failure) => return Err(hold.fail(failure).await),
    };
    let (manifest, mut blobs) = taken(&checkout);
    blobs.extend(engine.blobs());
    let correction = Correction {
        operation: Operation::Import,
        steps: vec![(
            StepId { slot: address.slot(), op: Op::Import },
            Outcome::Done { record: Some(Box::new(record)) },
        )],
        why: format!("state import {address} {id}"),
        sources: Some((manifest, blobs)),
    };
    let before = store.versions(&env).await?.into_iter().next();
    commit(ctx, options, hold.recorder, &hold.run, correction, before).await
}

struct Site<'a> {
    ctx: &'a Context,
    selected: &'a crate::ops::select::Selected,
    recorder: &'a Recorder,
    engine: &'a Arc<PlanEngine>,
    workshop: Workshop,
}

impl Site<'_> {
    async fn import(
        &self,
        files: Arc<crate::stack::Checkout>,
        address: &Address,
        id: &str,
    ) -> Result<Record, Failure> {
        let selected = self.selected;
        let variables: BTreeMap<_, _> = selected.variables.clone();
        let mut world = World::new(
            selected.stack.clone(),
            selected.graph.clone(),
            selected.names(),
            variables,
            files.clone(),
        );
        let block = selected.graph.find(&address.kind, &address.name).ok_or_else(|| {
            Failure::failed(format!("the stack has no `{}`", address.block()))
                .help(format!("add `resource \"{}\" \"{}\" {{ … }}` first", address.kind, address.name))
        })?;
        self.recorded(&mut world, block);
        let catalog = self.ctx.providers.catalog.clone();
        let instance = Instance { key: address.key.clone(), ..Instance::default() };
        let desire = plan::desire(&world, &catalog, block, &instance, None).map_err(Failure::all)?;
        let resource = &selected.stack.resources[block as usize];
        let (provider, schema) =
            catalog.resource(&address.kind).ok_or_else(|| Failure::failed("unknown type"))?;
        let alias = match &resource.provider_alias {
            Some(alias) => format!("{}.{alias}", provider.name),
            None => provider.name.to_owned(),
        };
        let (config, budget) = plan::configuration(&mut world, &catalog, &alias).map_err(Failure::all)?;
        let mut sessions = self.workshop.sessions();
        let failed = |error: windlass_provider::ProviderError| {
            let failure = Failure::failed(format!("{address}: {}", error.message));
            error.hint.map_or_else(
                || Failure::failed(format!("{address}: {}", error.message)),
                |hint| failure.help(hint),
            )
        };
        let opened = sessions.open(&alias, &config, budget, b"").await.map_err(failed)?;
        let calls = self.workshop.calls(files);
        let token = Token::new(&canon::digest(&id), &address.to_string());
        let call = calls.call(address, token, 1, None, self.engine.of(address, &alias));
        let observed = opened.session.import(&call, id, &desire.value).await.map_err(failed)?;
        let account = opened.session.account_for(&address.kind, &desire.value).await.map_err(failed)?;
        let policy = plan::policy(Some(resource), schema, Op::Import, None, &desire.value);
        let act = Act {
            id: StepId { slot: address.slot(), op: Op::Import },
            desired: desire.value.clone(),
            planned: desire.value.clone(),
            artefact: None,
            prior: None,
            mold: Mold {
                provider: alias,
                schema: schema.version,
                depends_on: desire.depends_on,
                fingerprint: crate::apply::NEVER,
                place: None,
                account,
                policy,
            },
        };
        Ok(act.record(observed))
    }

    /// Other resources have the values that state knows.
    fn recorded(&self, world: &mut World, block: u32) {
        let graph = world.graph.clone();
        let stack = world.stack.clone();
        for used in &graph.blocks[block as usize].blocks {
            let base = crate::graph::address(&stack, used.block);
            for (slot, record) in &self.recorder.state.records {
                if base.covers(&slot.address) {
                    world.set(used.block, slot.address.key.clone(), record.value.0.clone());
                }
            }
        }
        world.prepare(&graph.blocks[block as usize]);
    }
}
