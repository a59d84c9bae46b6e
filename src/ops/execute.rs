//! Carries out a plan under a held lock, from the snapshot, and commits what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use windlass_model::{
    Diagnostic, Digest, Entry, Event, EventKind, Operation, Output, RunId, RunStatus, Slot, Stored, canon,
};
use windlass_store::{Approval, EnvRef, LocalStore, Store, StoreError, VersionMeta, VersionStatus};

use super::context::Context;
use super::done::Done;
use super::failure::Failure;
use super::plan::seen;
use super::select::load;
use super::snapshot::{StoreBlobs, files, then};
use super::workshop::{StepDirs, Workshop};
use crate::apply::{self, Ended, Gate, Permission, Question, Recorder, Run, Signal, learn_secrets};
use crate::event::Reporter;
use crate::plan::{Expansion, Freshness, Instance, Names, PlanFile, World};
use crate::stack::Manifest;

/// What is carried out, and how.
pub struct Execution {
    /// The plan with snapshot and artefacts.
    pub file: PlanFile,
    /// The environment.
    pub env: EnvRef,
    /// The store.
    pub store: Arc<LocalStore>,
    /// This run.
    pub run: RunId,
    /// The run that it goes on with.
    pub resumes: Option<RunId>,
    /// Done by an earlier run of the same plan, by step.
    pub finished: Vec<bool>,
    /// To be planned again before it runs, by step.
    pub again: Vec<bool>,
    /// Checkpoints of earlier tries.
    pub noted: BTreeMap<windlass_model::StepId, Vec<windlass_model::Private>>,
    /// Tries of a step that ended with an effect, in earlier runs of the same plan.
    pub spent: BTreeMap<windlass_model::StepId, u32>,
    /// Where supervised steps of earlier runs keep their files.
    pub earlier: Vec<std::path::PathBuf>,
    /// The approval.
    pub approval: Option<Approval>,
    /// `approval = "manual"`.
    pub manual: bool,
    /// Who answers questions in mid-run.
    pub gate: Arc<dyn Gate>,
}

impl Execution {
    /// A plan to be carried out from its beginning.
    pub fn new(
        file: PlanFile,
        env: EnvRef,
        store: Arc<LocalStore>,
        run: RunId,
        gate: Arc<dyn Gate>,
    ) -> Execution {
        Execution {
            file,
            env,
            store,
            run,
            resumes: None,
            finished: Vec::new(),
            again: Vec::new(),
            noted: BTreeMap::new(),
            spent: BTreeMap::new(),
            earlier: Vec::new(),
            approval: None,
            manual: false,
            gate,
        }
    }
}

/// Carries out a plan.
///
/// # Errors
/// Where it cannot begin, or the store fails so that nothing can be committed.
pub async fn execute(
    ctx: &Context,
    execution: Execution,
    mut recorder: Recorder,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    reporter: &mut dyn Reporter,
) -> Result<Done, Failure> {
    let plan_object = match begin(ctx, &execution, &mut recorder).await {
        Ok(plan_object) => plan_object,
        // Nothing was run: the journal, if it was begun at all, holds no intent.
        Err(error) => return Err(gave_up(recorder, error).await),
    };
    let run = match prepare(ctx, &execution, &recorder).await {
        Ok(run) => run,
        Err(failure) => {
            end(&mut recorder, RunStatus::Failed, None).await?;
            recorder.held.release().await?;
            return Err(failure);
        }
    };
    let ended = apply::apply(run, recorder, signals, reporter).await;
    finish(ctx, &execution, plan_object, ended, reporter).await
}

async fn gave_up(recorder: Recorder, error: StoreError) -> Failure {
    recorder.held.release().await.ok();
    Failure::from(error).help("free the disk or mend the store; nothing was begun")
}

/// Keeps the plan in the store and writes the journal's beginning.
async fn begin(ctx: &Context, execution: &Execution, recorder: &mut Recorder) -> Result<Digest, StoreError> {
    let key = &execution.store.id().plan_key;
    for content in execution.file.blobs.values() {
        recorder.held.keep(content).await?;
    }
    let bytes = execution
        .file
        .to_bytes(key, false)
        .map_err(|reason| StoreError::Damaged { path: "the plan".to_owned(), reason })?;
    let plan_object = recorder.held.keep(&bytes).await?;
    keep_manifest(&execution.file.manifest, recorder).await?;
    let plan = &execution.file.plan;
    let mut entries = vec![Entry::Begin {
        run: execution.run.clone(),
        resumes: execution.resumes.clone(),
        operation: plan.header.operation,
        plan: plan.id,
        plan_object,
        epoch: recorder.held.epoch(),
        started_ms: ctx.host.now_ms(),
        seed: windlass_model::hex(&ctx.host.random().to_be_bytes()),
        who: ctx.actor.clone(),
    }];
    if execution.resumes.is_none() && (!plan.refreshed.is_empty() || !plan.gone.is_empty()) {
        entries.push(Entry::Refreshed { records: plan.refreshed.clone(), gone: plan.gone.clone() });
    }
    recorder.append(&entries).await?;
    Ok(plan_object)
}

/// A version refers to the manifest of its sources.
///
/// # Errors
/// Where the store fails.
pub async fn keep_manifest(manifest: &Manifest, recorder: &mut Recorder) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(manifest).map_err(|error| StoreError::Damaged {
        path: "the manifest".to_owned(),
        reason: error.to_string(),
    })?;
    recorder.held.keep(&bytes).await.map(|_| ())
}

/// The world, providers and tools of a run, from the snapshot.
async fn prepare(ctx: &Context, execution: &Execution, recorder: &Recorder) -> Result<Run, Failure> {
    let file = &execution.file;
    let source = Arc::new(StoreBlobs { store: execution.store.clone(), env: execution.env.clone() });
    let files = files(&file.manifest, &file.blobs, &*source, Some(ctx.dir.clone())).await?;
    let past = match then(&file.manifest) {
        Some(old) => super::snapshot::files(&old, &file.blobs, &*source, Some(ctx.dir.clone())).await?,
        None => files.clone(),
    };
    let steps = StepDirs { own: Some(recorder.held.steps()), earlier: execution.earlier.clone() };
    let workshop = Workshop::new(ctx, &execution.env, &execution.store.id().id, &execution.run, steps);
    let (stack, graph) = match file.plan.header.operation {
        Operation::Destroy | Operation::Refresh => lenient(ctx, &*files)?,
        _ => load(ctx, &*files).map(|(stack, graph, _)| (stack, graph))?,
    };
    let variables: BTreeMap<Arc<str>, _> = file
        .plan
        .inputs
        .variables
        .iter()
        .map(|(name, value)| (Arc::from(name.as_str()), value.0.clone()))
        .collect();
    variables.values().for_each(|value| learn_secrets(&workshop.redact, value));
    recorder.state.records.values().for_each(|record| learn_secrets(&workshop.redact, &record.value.0));
    let names = Names {
        stack: execution.env.stack.as_str().into(),
        environment: execution.env.environment.as_str().into(),
    };
    let mut world = World::new(stack, graph, names, variables, files.clone());
    if !matches!(file.plan.header.operation, Operation::Destroy | Operation::Refresh) {
        expand_all(&mut world, execution, recorder)?;
    }
    let first = execution.resumes.as_ref().unwrap_or(&execution.run);
    Ok(Run {
        run: execution.run.clone(),
        origin: canon::digest(&(&file.plan.id, first)),
        spent: execution.spent.clone(),
        plan: Arc::new(file.plan.clone()),
        finished: execution.finished.clone(),
        again: execution.again.clone(),
        noted: execution.noted.clone(),
        world,
        sessions: workshop.sessions(),
        calls: workshop.calls(files),
        past,
        key: execution.store.id().plan_key.clone(),
        blobs: source,
        parallelism: ctx.parallelism,
        host: ctx.host.clone(),
        hostname: ctx.hostname.clone(),
        deadline: ctx.deadline,
        grace: ctx.grace,
        gate: Arc::new(Approvals {
            store: execution.store.clone(),
            env: execution.env.clone(),
            seal: file.seal_digest(),
            manual: execution.manual,
            person: execution.gate.clone(),
        }),
        manual: execution.manual,
    })
}

/// A destroy needs of the sources only the provider blocks: errors elsewhere do not stop it.
fn lenient(
    ctx: &Context,
    files: &dyn windlass_model::Files,
) -> Result<(Arc<crate::stack::Stack>, Arc<crate::graph::Graph>), Failure> {
    let loaded = crate::stack::load(files, &ctx.providers.catalog);
    let graph = crate::graph::Graph::new(&loaded.stack, &ctx.providers.catalog).map_err(Failure::all)?;
    Ok((Arc::new(loaded.stack), Arc::new(graph)))
}

/// Gives each instance the value that it has before the run: recorded, and where a step is to come, planned.
fn expand_all(world: &mut World, execution: &Execution, recorder: &Recorder) -> Result<(), Failure> {
    let plan = &execution.file.plan;
    let done = |at: usize| execution.finished.get(at).copied().unwrap_or(false);
    let open = plan.steps.iter().enumerate().filter(|(at, _)| !done(*at)).map(|(_, step)| step);
    let makes = open.filter(|step| step.id.op != windlass_model::Op::Delete);
    let planned: BTreeMap<&Slot, &Stored> = makes.map(|step| (&step.id.slot, &step.planned)).collect();
    let graph = world.graph.clone();
    let stack = world.stack.clone();
    for block in &graph.order {
        world.prepare(&graph.blocks[*block as usize]);
        let resource = &stack.resources[*block as usize];
        let expansion = Expansion::of(resource, &world.scope(Instance::default()));
        // Outside `--target` a block may not be known yet; nothing in the plan needs it then.
        let Ok(expansion) = expansion else { continue };
        let instances = expansion.instances();
        world.expand(*block, expansion);
        let address = crate::graph::address(&stack, *block);
        for instance in instances {
            let slot = address.with_key(instance.key.clone()).slot();
            let value = match (planned.get(&slot), recorder.state.records.get(&slot)) {
                (Some(planned), _) => planned.0.clone(),
                (None, Some(record)) => record.value.0.clone(),
                (None, None) => continue,
            };
            world.set(*block, instance.key, value);
        }
    }
    Ok(())
}

/// Evaluates outputs, commits a version, ends the journal, gives the lock back.
async fn finish(
    ctx: &Context,
    execution: &Execution,
    plan_object: Digest,
    mut ended: Ended,
    reporter: &mut dyn Reporter,
) -> Result<Done, Failure> {
    let mut done = Done {
        run: Some(execution.run.clone()),
        status: ended.status,
        version: None,
        failures: std::mem::take(&mut ended.failures),
        done: ended.done,
        skipped: ended.skipped,
        left: ended.left,
        outputs: BTreeMap::new(),
        waits_for: ended.question.as_ref().map(|question| question.supplement),
        diagnostics: Vec::new(),
    };
    if ended.abandoned {
        tell_end(ctx, execution, &ended, &done, reporter);
        return Ok(done);
    }
    if let Some(broken) = &ended.broken {
        let title = format!("the journal cannot be written: {broken}");
        tell_end(ctx, execution, &ended, &done, reporter);
        return Err(Failure::failed(title).help(
            "mend that, then `windlass resume`: it finds out what became of the steps that were running",
        ));
    }
    done.outputs = outputs(execution, &mut ended);
    if done.outputs != ended.recorder.state.outputs {
        ended.recorder.append(&[Entry::Outputs { outputs: done.outputs.clone() }]).await?;
    }
    done.version = commit(ctx, execution, plan_object, &mut ended).await?;
    if let Some(question) = ended.question.clone() {
        let Question { step, supplement, lines, .. } = question;
        ended.recorder.append(&[Entry::Asked { step, supplement, lines }]).await?;
    }
    if done.status == RunStatus::NeedsApproval {
        done.diagnostics.push(needs_approval(execution, &ended));
    }
    end(&mut ended.recorder, ended.status, done.version).await?;
    note_seen(execution, &ended.seen).await;
    tell_end(ctx, execution, &ended, &done, reporter);
    ended.recorder.held.release().await?;
    Ok(done)
}

fn needs_approval(execution: &Execution, ended: &Ended) -> Diagnostic {
    let lines = ended.question.as_ref().map(|question| question.lines.join("; ")).unwrap_or_default();
    let run = &execution.run;
    Diagnostic::error(format!("the run stopped: it would do more than was approved: {lines}"))
        .help(format!("`windlass approve {run}`, then `windlass resume {run}`"))
}

/// What was planned and not made has no value: an output never shows it.
fn only_what_is(execution: &Execution, ended: &mut Ended) {
    for step in execution.file.plan.steps.iter().filter(|step| step.id.op != windlass_model::Op::Delete) {
        let address = &step.id.slot.address;
        let Some(block) = ended.world.graph.find(&address.kind, &address.name) else { continue };
        let value = match ended.recorder.state.records.get(&step.id.slot) {
            Some(record) => record.value.0.clone(),
            None => windlass_model::Value::unknown(windlass_model::Type::Any),
        };
        ended.world.set(block, address.key.clone(), value);
    }
}

/// The outputs after the run; one that cannot be known keeps its last value.
fn outputs(execution: &Execution, ended: &mut Ended) -> BTreeMap<String, Output> {
    let before = ended.recorder.state.outputs.clone();
    match execution.file.plan.header.operation {
        Operation::Destroy if ended.recorder.state.records.is_empty() => return BTreeMap::new(),
        Operation::Destroy | Operation::Refresh => return before,
        _ => {}
    }
    only_what_is(execution, ended);
    let stack = ended.world.stack.clone();
    let graph = ended.world.graph.clone();
    let mut outputs = BTreeMap::new();
    for (name, block) in &stack.outputs {
        if let Some(uses) = graph.outputs.get(name) {
            ended.world.prepare(uses);
        }
        match crate::plan::output(block, name, &ended.world) {
            Ok(value) if value.is_known() => {
                outputs.insert(name.to_string(), Output { value: Stored(value), sensitive: block.sensitive });
            }
            _ => {
                if let Some(kept) = before.get(&**name) {
                    outputs.insert(name.to_string(), kept.clone());
                }
            }
        }
    }
    outputs
}

/// Commits a version, if anything changed.
async fn commit(
    ctx: &Context,
    execution: &Execution,
    plan_object: Digest,
    ended: &mut Ended,
) -> Result<Option<u64>, Failure> {
    let changed: Vec<Slot> = ended.recorder.changed.iter().cloned().collect();
    let base = ended.recorder.held.state();
    let now = &ended.recorder.state;
    let differs = changed.iter().any(|slot| base.records.get(slot) != now.records.get(slot));
    if !differs && base.outputs == now.outputs {
        return Ok(None);
    }
    let whole = ended.status == RunStatus::Applied;
    let status = if whole { VersionStatus::Applied } else { VersionStatus::Partial };
    let meta = version_meta(ctx, execution, plan_object, status);
    let state = ended.recorder.state.clone();
    let number = ended.recorder.held.commit(meta, &state, &changed).await?;
    Ok(Some(number))
}

fn version_meta(
    ctx: &Context,
    execution: &Execution,
    plan_object: Digest,
    status: VersionStatus,
) -> VersionMeta {
    let file = &execution.file;
    let plain =
        |(name, value): (&String, &Stored)| (!value.0.has_sensitive()).then(|| (name.clone(), value.clone()));
    VersionMeta {
        number: 0,
        parent: 0,
        status,
        operation: file.plan.header.operation,
        rolls_back_to: file.plan.header.rollback_to,
        who: ctx.actor.clone(),
        why: file.plan.seal.reason.clone(),
        when_ms: ctx.host.now_ms(),
        run: execution.run.clone(),
        plan: Some(file.plan.id),
        plan_object: Some(plan_object),
        sources: Some(canon::digest(&file.manifest)),
        inputs: file.plan.inputs.variables.iter().filter_map(plain).collect(),
        approval: execution.approval.clone(),
        tools: file.plan.seal.tools.clone(),
    }
}

async fn end(recorder: &mut Recorder, status: RunStatus, version: Option<u64>) -> Result<(), StoreError> {
    recorder.append(&[Entry::End { status, version }]).await
}

/// What was just applied needs not be asked at the next plan.
async fn note_seen(execution: &Execution, fresh: &Freshness) {
    if fresh.is_empty() {
        return;
    }
    let mut cache = execution.store.seen(&execution.env).await;
    cache.resources.extend(seen(fresh).resources);
    // Losing the cache costs only asking.
    execution.store.put_seen(&execution.env, &cache).await.ok();
}

fn tell_end(ctx: &Context, execution: &Execution, ended: &Ended, done: &Done, reporter: &mut dyn Reporter) {
    let now = ctx.host.now_ms();
    let kind = EventKind::RunFinished {
        status: ended.status,
        version: done.version,
        run: execution.run.clone(),
        done: done.done,
        failed: done.failures.len(),
        skipped: done.skipped,
        left: done.left,
        elapsed_ms: now.saturating_sub(ended.started_ms),
    };
    reporter.event(&Event { seq: ended.seq + 1, at: now, kind });
}

/// Answers from the store first: what was approved since the run stopped is granted.
struct Approvals {
    store: Arc<LocalStore>,
    env: EnvRef,
    seal: Digest,
    manual: bool,
    person: Arc<dyn Gate>,
}

#[async_trait]
impl Gate for Approvals {
    async fn allow(&self, question: Question) -> Permission {
        match self.store.approval(&self.env, &question.supplement, &self.seal).await {
            Ok(Some(_)) => Permission::Granted,
            _ if self.manual => Permission::Stop,
            _ => self.person.allow(question).await,
        }
    }
}
