//! Carries out a plan under a held lock, from the snapshot, and commits what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use windlass_model::{
    Diagnostic, Digest, Entry, Event, EventKind, Operation, Output, RunId, RunStatus, Slot, Stored, canon,
};
use windlass_store::{Approval, EnvRef, LocalStore, Store, StoreError, VersionMeta, VersionStatus};

use super::context::Context;
use super::done::Done;
use super::failure::Failure;
use super::made::{Made, taken};
use super::prepare::{Prepared, prepare};
use super::seal::seen;
use crate::apply::{self, Ended, Gate, Question, Recorder, Signal};
use crate::event::Reporter;
use crate::plan::{Freshness, PlanFile};
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
    /// What the plan made outside, where it was made just now.
    pub made: Option<Made>,
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
            made: None,
        }
    }
}

/// Carries out a plan.
///
/// # Errors
/// Where it cannot begin, or the store fails so that nothing can be committed.
pub async fn execute(
    ctx: &Context,
    mut execution: Execution,
    mut recorder: Recorder,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    reporter: &mut dyn Reporter,
) -> Result<Done, Failure> {
    let plan_object = match begin(ctx, &execution, &mut recorder).await {
        Ok(plan_object) => plan_object,
        // Nothing was run: the journal, if it was begun at all, holds no intent.
        Err(error) => return Err(gave_up(recorder, error, execution.made).await),
    };
    let made = execution.made.take();
    let mut said = match made {
        Some(_) => Vec::new(),
        None => taken(&execution.store, &execution.env, &execution.file.plan.id),
    };
    let Prepared { run, notes, swept } = match prepare(ctx, &execution, &recorder).await {
        Ok(prepared) => prepared,
        Err(mut failure) => {
            end(&mut recorder, RunStatus::Failed, None).await?;
            recorder.held.release().await?;
            if let Some(made) = made {
                failure.diagnostics.extend(made.discard(Some(&execution.file.plan)).await);
            }
            return Err(failure);
        }
    };
    said.extend(swept);
    if let Some(made) = made {
        said.extend(made.taken_over(&execution.file.plan).await);
    }
    let ended = apply::apply(run, recorder, signals, reporter).await;
    let unused =
        Made::new(notes, ended.late.engine.clone(), ended.sessions.clone(), ended.late.calls.clone());
    let left_at_once = ended.abandoned;
    let mut done = finish(ctx, &execution, plan_object, ended, reporter).await?;
    done.diagnostics.splice(0..0, said);
    if !left_at_once {
        done.diagnostics.extend(unused.discard(None).await);
    }
    Ok(done)
}

async fn gave_up(recorder: Recorder, error: StoreError, made: Option<Made>) -> Failure {
    recorder.held.release().await.ok();
    let mut failure = Failure::from(error).help("free the disk or mend the store; nothing was begun");
    if let Some(made) = made {
        failure.diagnostics.extend(made.discard(None).await);
    }
    failure
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
