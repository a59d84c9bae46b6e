//! `resume`: goes on with the rest of the same plan (rule V5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc;
use windlass_model::{
    Diagnostic, Digest, Entry, Operation, Outcome, Private, RunId, RunStatus, Slot, Step, StepId,
};
use windlass_store::{EnvRef, LocalStore, RunInfo, Store};

use super::context::Context;
use super::done::{Done, tell_idle};
use super::execute::{Execution, execute};
use super::failure::{Failure, FailureKind};
use super::hold::Hold;
use super::plan::place;
use super::recover::chain;
use super::same::same_tools;
use super::select::Selection;
use super::waiting::{self, begun, status};
use crate::apply::{Gate, Recorder, Signal};
use crate::event::{Numbered, Reporter};
use crate::plan::PlanFile;

/// What is resumed.
pub struct ResumeOptions {
    /// Environment.
    pub selection: Selection,
    /// Which run; `None`: the latest with work left.
    pub run: Option<RunId>,
    /// Who answers questions in mid-run.
    pub gate: Arc<dyn Gate>,
}

/// What the runs of one plan did together.
#[derive(Default)]
struct Story {
    done: BTreeSet<StepId>,
    begun: BTreeSet<Slot>,
    /// Found to be done after a crash: nobody asked their health gates.
    ungated: BTreeSet<StepId>,
    noted: BTreeMap<StepId, Vec<Private>>,
    spent: BTreeMap<StepId, u32>,
}

/// Goes on with an unfinished run.
///
/// # Errors
/// Exit 4 where its plan no longer fits, 5 where its approval is missing.
pub async fn resume(
    ctx: &Context,
    options: &ResumeOptions,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    reporter: &mut dyn Reporter,
) -> Result<Done, Failure> {
    let reporter = &mut Numbered::new(reporter);
    let store = ctx
        .existing_store()?
        .ok_or_else(|| Failure::failed("there is no state here, so nothing to resume"))?;
    let env = place(ctx, &options.selection, &store).await?;
    let hold = Hold::take(ctx, &store, &env, Operation::Apply, reporter).await?;
    let execution = match rest(ctx, options, &store, &env, &hold).await {
        Ok(Some(execution)) => execution,
        Ok(None) => return nothing_left(ctx, hold, reporter).await,
        Err(failure) => return Err(hold.fail(failure).await),
    };
    let mut done = execute(ctx, execution, hold.recorder, signals, reporter).await?;
    done.diagnostics.splice(0..0, hold.recovered.notes);
    Ok(done)
}

async fn nothing_left(ctx: &Context, hold: Hold, reporter: &mut dyn Reporter) -> Result<Done, Failure> {
    let run = hold.run.clone();
    let mut done = Done::nothing(hold.recorder.state.outputs.clone());
    done.version = hold.recovered.version;
    done.diagnostics.clone_from(&hold.recovered.notes);
    hold.release().await?;
    tell_idle(ctx, &run, &done, reporter);
    Ok(done)
}

/// What is left of the run, ready to be carried out; `None`: nothing is.
async fn rest(
    ctx: &Context,
    options: &ResumeOptions,
    store: &Arc<LocalStore>,
    env: &EnvRef,
    hold: &Hold,
) -> Result<Option<Execution>, Failure> {
    let Hold { recorder, recovered, run } = hold;
    let runs = store.runs(env).await?;
    let Some(first) = chosen(&runs, options.run.as_ref())? else { return Ok(None) };
    let members = chain(&runs, &first.run);
    let story = story(&runs, &members);
    let Some((_, object)) = begun(&first.entries) else { return Ok(None) };
    let bytes = store.blob(env, &object).await?;
    let file = PlanFile::from_bytes(&bytes, Some(&store.id().plan_key))
        .map_err(|problem| Failure::failed(format!("the plan of run {}: {problem}", first.run)))?;
    let asked = |step: &Step| !step.policy.health || !story.ungated.contains(&step.id);
    let finished = file.plan.steps.iter().map(|step| story.done.contains(&step.id) && asked(step));
    let finished: Vec<bool> = finished.collect();
    // A run that died after its last step has its outputs and its end still before it.
    let latest = runs.iter().find(|run| members.contains(&run.run));
    let ended = latest.and_then(|run| status(&run.entries)) == Some(RunStatus::Applied);
    if ended && finished.iter().all(|done| *done) {
        return Ok(None);
    }
    not_superseded(store, env, &file, &members, &first.run).await?;
    let again = again(&file, &finished, &story, recorder)?;
    let approval = store.approval(env, &file.plan.id, &file.seal_digest()).await?;
    let source = super::snapshot::StoreBlobs { store: store.clone(), env: env.clone() };
    let files = super::snapshot::files(&file.manifest, &file.blobs, &source, Some(ctx.dir.clone())).await?;
    same_tools(ctx, store, env, &file, files.clone(), &finished).await?;
    let manual = is_manual(ctx, env, &*files);
    if manual && approval.is_none() {
        let title = format!("run {} needs an approval of its plan", first.run);
        let help = format!("`windlass approve {}`", first.run);
        return Err(Failure::new(FailureKind::NotApproved, Diagnostic::error(title).help(help)));
    }
    let mut earlier = recovered.steps.clone();
    earlier.dedup();
    Ok(Some(Execution {
        file,
        env: env.clone(),
        store: store.clone(),
        run: run.clone(),
        resumes: if never_began(first) { None } else { Some(first.run.clone()) },
        finished,
        again,
        noted: story.noted,
        spent: story.spent,
        earlier,
        approval,
        manual,
        gate: options.gate.clone(),
        made: None,
    }))
}

/// A waiting run wrote down its plan and nothing else: what its refresh found is still to be taken in.
fn never_began(run: &RunInfo) -> bool {
    status(&run.entries) == Some(RunStatus::NeedsApproval)
        && !run.entries.iter().any(|entry| matches!(entry, Entry::Intent { .. } | Entry::Refreshed { .. }))
}

/// The run that is meant: the first of its plan, whatever resumed it since.
fn chosen<'r>(runs: &'r [RunInfo], asked: Option<&RunId>) -> Result<Option<&'r RunInfo>, Failure> {
    let mut at = match asked {
        Some(asked) => Some(runs.iter().find(|run| run.run == *asked).ok_or_else(|| {
            Failure::failed(format!("there is no run {asked}"))
                .help("`windlass state versions` shows what there was")
        })?),
        None => runs.iter().find(|run| waiting::carries_out(&run.entries)),
    };
    // The latest run tells whether there is work left; what it resumes tells the whole of it.
    if asked.is_none() && at.is_some_and(|run| status(&run.entries) == Some(RunStatus::Applied)) {
        return Ok(None);
    }
    while let Some(run) = at {
        let before = run.entries.iter().find_map(|entry| match entry {
            Entry::Begin { resumes, .. } => resumes.clone(),
            _ => None,
        });
        match before.and_then(|before| runs.iter().find(|run| run.run == before)) {
            Some(earlier) => at = Some(earlier),
            None => break,
        }
    }
    Ok(at)
}

fn story(runs: &[RunInfo], members: &BTreeSet<RunId>) -> Story {
    let mut story = Story::default();
    for run in runs.iter().rev() {
        let own = members.contains(&run.run);
        for entry in &run.entries {
            match entry {
                Entry::Recovered { run: dead, outcomes } if members.contains(dead) => {
                    for (step, outcome) in outcomes {
                        story.outcome(step, outcome);
                        story.ungated.insert(step.clone());
                    }
                }
                Entry::Outcome { step, result } if own => {
                    story.outcome(step, result);
                    story.ungated.remove(step);
                }
                Entry::Intent { step, .. } if own => {
                    story.begun.insert(step.slot.clone());
                }
                Entry::Noted { step, private } if own => {
                    story.noted.entry(step.clone()).or_default().push(private.clone());
                }
                _ => {}
            }
        }
    }
    story
}

impl Story {
    fn outcome(&mut self, step: &StepId, outcome: &Outcome) {
        match outcome {
            Outcome::Done { .. } => {
                self.done.insert(step.clone());
                self.spend(step);
            }
            Outcome::Failed { record, left_nothing, .. } => {
                self.done.remove(step);
                self.begun.insert(step.slot.clone());
                if record.is_some() || *left_nothing {
                    self.spend(step);
                }
            }
        }
    }

    /// What comes after a try that had an effect begins anew: with a token of its own, and from no checkpoint.
    fn spend(&mut self, step: &StepId) {
        self.noted.remove(step);
        *self.spent.entry(step.clone()).or_default() += 1;
    }
}

/// Versions since the plan was made must all be of its own runs.
async fn not_superseded(
    store: &LocalStore,
    env: &EnvRef,
    file: &PlanFile,
    members: &BTreeSet<RunId>,
    first: &RunId,
) -> Result<(), Failure> {
    let versions = store.versions(env).await?;
    let base = file.plan.seal.base_version;
    // A correction by hand may settle this plan's own doubts: whether the steps still fit is seen from their records.
    let by_plan = |operation: Operation| !waiting::is_correction(operation);
    let foreign = versions.iter().find(|version| {
        version.number > base && by_plan(version.operation) && !members.contains(&version.run)
    });
    match foreign {
        Some(version) => Err(Failure::stale(format!(
            "run {first} was superseded: version {} was made since by another plan (run {})",
            version.number, version.run
        ))),
        None => Ok(()),
    }
}

/// What is to be said of an object of which nobody can tell how it is.
fn doubt(slot: &Slot, recorder: &Recorder) -> Option<Diagnostic> {
    let look_at = recorder.state.records.get(slot)?.in_doubt.as_ref()?;
    let help = format!(
        "look, then `windlass state rm '{slot}'` if it was not done, or plan again with `--replace '{slot}'`"
    );
    Some(Diagnostic::error(format!("{slot} is in doubt: {look_at}")).help(help))
}

/// Which of the remaining steps must be planned again, because this plan's own runs left them half done.
fn again(
    file: &PlanFile,
    finished: &[bool],
    story: &Story,
    recorder: &Recorder,
) -> Result<Vec<bool>, Failure> {
    let rest = || file.plan.steps.iter().zip(finished);
    let left = rest().filter(|(_, done)| !**done).map(|(step, _)| &step.id.slot).collect::<BTreeSet<_>>();
    let doubts: Vec<Diagnostic> = left.into_iter().filter_map(|slot| doubt(slot, recorder)).collect();
    if !doubts.is_empty() {
        return Err(Failure::all(doubts));
    }
    let mut again = Vec::with_capacity(finished.len());
    for (step, done) in rest() {
        let record = recorder.state.records.get(&step.id.slot);
        let touched = story.begun.contains(&step.id.slot);
        let now: Option<Digest> = record.map(|record| record.digest());
        let other_half = step.replaces && step.id.op == windlass_model::Op::Create;
        if !done && !touched && !other_half && now != step.prior {
            return Err(Failure::stale(format!("{} is not as it was when the plan was made", step.id.slot)));
        }
        again.push(!done && touched && step.id.op != windlass_model::Op::Delete && now != step.prior);
    }
    Ok(again)
}

/// Whether the environment, as the plan's own sources declare it, needs an approval.
fn is_manual(ctx: &Context, env: &EnvRef, files: &dyn windlass_model::Files) -> bool {
    let stack = crate::stack::load(files, &ctx.providers.catalog).stack;
    let environment = stack.environments.get(env.environment.as_str());
    environment.is_some_and(|environment| environment.manual_approval)
}
