//! Runs that wait for an approval (rule P7), and runs that a later one supersedes (rule V5).

use windlass_model::{Diagnostic, Entry, Operation, Plan, RunId, RunStatus};
use windlass_store::{EnvRef, LocalStore, Store};

use super::context::Context;
use super::done::Done;
use super::failure::Failure;
use super::plan::Planned;
use crate::apply::Recorder;

/// Saves a plan as a waiting run: what is approved is exactly this.
///
/// # Errors
/// Where the store fails.
pub async fn save(
    ctx: &Context,
    planned: Planned,
    mut recorder: Recorder,
    run: &RunId,
) -> Result<Done, Failure> {
    let key = &planned.store.id().plan_key;
    for content in planned.file.blobs.values() {
        recorder.held.keep(content).await?;
    }
    let bytes = planned.file.to_bytes(key, false).map_err(Failure::failed)?;
    let plan_object = recorder.held.keep(&bytes).await?;
    let plan = &planned.file.plan;
    let begin = Entry::Begin {
        run: run.clone(),
        resumes: None,
        operation: plan.header.operation,
        plan: plan.id,
        plan_object,
        epoch: recorder.held.epoch(),
        started_ms: ctx.host.now_ms(),
        seed: windlass_model::hex(&ctx.host.random().to_be_bytes()),
        who: ctx.actor.clone(),
    };
    let end = Entry::End { status: RunStatus::NeedsApproval, version: None };
    recorder.append(&[begin, end]).await?;
    let warnings = planned.made.saved(plan).await?;
    let mut done = Done::nothing(recorder.state.outputs.clone());
    recorder.held.release().await?;
    done.run = Some(run.clone());
    done.status = RunStatus::NeedsApproval;
    done.left = plan.steps.len();
    done.waits_for = Some(plan.id);
    let title = format!("environment `{}` needs an approval of this plan", planned.env.environment);
    let help = format!("`windlass approve {run}`, then `windlass resume {run}`");
    done.diagnostics.extend(warnings);
    done.diagnostics.push(Diagnostic::error(title).help(help));
    Ok(done)
}

/// How a run stands, by its entries.
pub fn status(entries: &[Entry]) -> Option<RunStatus> {
    entries.iter().rev().find_map(|entry| match entry {
        Entry::End { status, .. } => Some(*status),
        _ => None,
    })
}

/// The plan that a run carries out, and its object; `None` for a run that only recovered.
pub fn begun(entries: &[Entry]) -> Option<(windlass_model::PlanId, windlass_model::Digest)> {
    entries.iter().find_map(|entry| match entry {
        Entry::Begin { plan, plan_object, .. } => Some((*plan, *plan_object)),
        _ => None,
    })
}

/// Whether an operation corrects state by hand.
pub fn is_correction(operation: Operation) -> bool {
    matches!(operation, Operation::Remove | Operation::Move | Operation::Import)
}

/// Whether a run carries out a plan that can be resumed.
pub fn carries_out(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| match entry {
        Entry::Begin { operation, .. } => !is_correction(*operation),
        _ => false,
    })
}

/// A new plan says first that it supersedes a run with work left.
pub async fn superseded(store: &LocalStore, env: &EnvRef, plan: &Plan) -> Option<Diagnostic> {
    if plan.is_empty() {
        return None;
    }
    let runs = store.runs(env).await.ok()?;
    let latest = runs.iter().find(|run| carries_out(&run.entries))?;
    match status(&latest.entries) {
        Some(RunStatus::Applied) => None,
        _ => {
            let run = &latest.run;
            let text = format!("run {run} has work left; applying this plan supersedes it");
            Some(Diagnostic::warning(text).help(format!("`windlass resume {run}` goes on with it instead")))
        }
    }
}
