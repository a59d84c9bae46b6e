//! After a crash: finds out what became of the steps that were running, and commits it (rules T1, T2).
//!
//! A run that died left a journal without end. Folded over the version it was based on, it gives the state but for the
//! steps with an intent and no outcome: those are in doubt. Each is probed through its provider, which first attaches to
//! the process if that still lives, and waits for it. What nobody can tell is recorded as in doubt, never run again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use windlass_model::{
    Diagnostic, Digest, Entry, EventKind, Outcome, Plan, Private, Record, RunId, Slot, Step, StepId, Token,
    canon,
};
use windlass_store::{EnvRef, LocalStore, Store, Unfinished, VersionMeta, VersionStatus};

use super::context::Context;
use super::failure::Failure;
use super::probe::Site;
use crate::apply::{Recorder, Request};
use crate::event::Reporter;
use crate::plan::PlanFile;

/// What a recovery found.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// What is to be said.
    pub notes: Vec<Diagnostic>,
    /// The version it committed.
    pub version: Option<u64>,
    /// Where supervised steps of the dead runs keep their files.
    pub steps: Vec<PathBuf>,
    /// The journal was begun and wants an end.
    pub wrote: bool,
}

/// Recovers whatever dead runs left, if anything. The recorder comes back in every case.
///
/// # Errors
/// Where their plans or sources cannot be read, or the store fails.
pub async fn recover(
    ctx: &Context,
    store: &Arc<LocalStore>,
    env: &EnvRef,
    mut recorder: Recorder,
    reporter: &mut dyn Reporter,
) -> (Recorder, Result<Recovered, Failure>) {
    let earlier = recorder.held.earlier().iter();
    let dead: Vec<Unfinished> = earlier.chain(recorder.held.unfinished()).cloned().collect();
    let mut found =
        Recovered { steps: dead.iter().map(|run| run.steps.clone()).collect(), ..Recovered::default() };
    if dead.is_empty() {
        return (recorder, Ok(found));
    }
    for run in &dead {
        run.entries.iter().for_each(|entry| recorder.absorb(entry));
    }
    // While steps are looked at the recorder serves: what a probe notes is durable before it goes on.
    let records = recorder.state.records.clone();
    let (requests, inbox) = mpsc::unbounded_channel();
    let serving = tokio::spawn(recorder.serve(inbox, mpsc::unbounded_channel().0));
    let outcomes = settle(ctx, store, env, &dead, records, requests, reporter).await;
    let mut recorder = match serving.await {
        Ok(recorder) => recorder,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    let result = match outcomes {
        Ok(outcomes) => commit(ctx, store, env, &dead, &mut recorder, outcomes, &mut found).await,
        Err(failure) => Err(failure),
    };
    (recorder, result.map(|()| found))
}

/// Writes down what was found out, and commits it where it changes anything.
async fn commit(
    ctx: &Context,
    store: &Arc<LocalStore>,
    env: &EnvRef,
    dead: &[Unfinished],
    recorder: &mut Recorder,
    outcomes: Vec<(usize, StepId, Outcome)>,
    found: &mut Recovered,
) -> Result<(), Failure> {
    for (at, run) in dead.iter().enumerate() {
        let of_run = outcomes.iter().filter(|(whose, ..)| *whose == at);
        let of_run: Vec<(StepId, Outcome)> =
            of_run.map(|(_, step, outcome)| (step.clone(), outcome.clone())).collect();
        if begin_of(&run.entries).is_some() {
            found.notes.push(note(run, &of_run));
        }
        recorder.append(&[Entry::Recovered { run: run.run.clone(), outcomes: of_run }]).await?;
        found.wrote = true;
    }
    let changed: Vec<_> = recorder.changed.iter().cloned().collect();
    let base = recorder.held.state();
    if changed.iter().any(|slot| base.records.get(slot) != recorder.state.records.get(slot)) {
        let state = recorder.state.clone();
        let meta = meta(ctx, store, env, dead, recorder).await;
        found.version = Some(recorder.held.commit(meta, &state, &changed).await?);
        recorder.changed.clear();
    }
    Ok(())
}

fn note(run: &Unfinished, outcomes: &[(StepId, Outcome)]) -> Diagnostic {
    let count = outcomes.len();
    let doubtful = outcomes.iter().filter(|(_, outcome)| in_doubt(outcome)).map(|(step, _)| step.to_string());
    let doubtful: Vec<String> = doubtful.collect();
    let title =
        format!("run {} had died; {count} of its steps were under way and are accounted for", run.run);
    let said = match doubtful.is_empty() {
        true => {
            Diagnostic::warning(title).help(format!("`windlass resume {}` goes on with the rest", run.run))
        }
        false => Diagnostic::warning(format!("{title}; in doubt: {}", doubtful.join(", "))),
    };
    // A tool's own words name what it had begun and did not finish (rule T6).
    outcomes.iter().filter_map(failed_words).fold(said, Diagnostic::note)
}

fn failed_words((step, outcome): &(StepId, Outcome)) -> Option<String> {
    match outcome {
        Outcome::Failed { message, record: Some(_), .. } => Some(format!("{step}: {message}")),
        _ => None,
    }
}

fn in_doubt(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed { record: Some(record), .. } => record.in_doubt.is_some(),
        _ => false,
    }
}

async fn meta(
    ctx: &Context,
    store: &LocalStore,
    env: &EnvRef,
    dead: &[Unfinished],
    recorder: &Recorder,
) -> VersionMeta {
    // A run that died while it recovered carried out nothing of its own.
    let last = dead.iter().rev().find(|run| begin_of(&run.entries).is_some()).or(dead.last());
    let begun = last.and_then(|run| begin_of(&run.entries));
    // What version N was made from still holds for what recovery adds to it.
    let known = store.versions(env).await.ok().and_then(|versions| versions.into_iter().next());
    let plan_file = match begun {
        Some((_, object)) => store.blob(env, &object).await.ok(),
        None => None,
    };
    let plan_file = plan_file.and_then(|bytes| PlanFile::from_bytes(&bytes, None).ok());
    let inputs = plan_file.as_ref().map(|file| {
        let plain = file.plan.inputs.variables.iter().filter(|(_, value)| !value.0.has_sensitive());
        plain.map(|(name, value)| (name.clone(), value.clone())).collect()
    });
    let sources = plan_file.as_ref().map(|file| canon::digest(&file.manifest));
    VersionMeta {
        number: 0,
        parent: 0,
        status: VersionStatus::Recovered,
        operation: plan_file
            .as_ref()
            .map_or(windlass_model::Operation::Apply, |file| file.plan.header.operation),
        rolls_back_to: None,
        who: ctx.actor.clone(),
        why: last.map(|run| format!("recovery of run {}", run.run)),
        when_ms: ctx.host.now_ms(),
        run: last.map_or_else(|| RunId(format!("epoch-{}", recorder.held.epoch())), |run| run.run.clone()),
        plan: begun.map(|(plan, _)| plan),
        plan_object: begun.map(|(_, object)| object),
        sources: sources.or(known.as_ref().and_then(|version| version.sources)),
        inputs: inputs.or(known.map(|version| version.inputs)).unwrap_or_default(),
        approval: None,
        tools: plan_file.map(|file| file.plan.seal.tools).unwrap_or_default(),
    }
}

fn begin_of(entries: &[Entry]) -> Option<(Digest, Digest)> {
    entries.iter().find_map(|entry| match entry {
        Entry::Begin { plan, plan_object, .. } => Some((*plan, *plan_object)),
        _ => None,
    })
}

/// A step that began and did not end.
pub struct OpenStep {
    /// Which.
    pub id: StepId,
    /// What names it to the tool.
    pub token: Token,
    /// The last try.
    pub attempt: u32,
    /// Its checkpoints, also those of a recovery that died.
    pub noted: Vec<Private>,
    /// Which of the dead runs began it.
    run: usize,
}

/// Steps that began in one of the dead runs and did not end in any, nor were accounted for by a later one. In order.
fn open_steps(dead: &[Unfinished]) -> Vec<OpenStep> {
    let mut open: BTreeMap<StepId, OpenStep> = BTreeMap::new();
    for (run, entry) in dead.iter().enumerate().flat_map(|(at, run)| run.entries.iter().map(move |e| (at, e)))
    {
        match entry {
            Entry::Intent { step, token, attempt, .. } => {
                let noted = open.remove(step).map(|known| known.noted).unwrap_or_default();
                let (id, token) = (step.clone(), token.clone());
                open.insert(step.clone(), OpenStep { id, token, attempt: *attempt, noted, run });
            }
            Entry::Noted { step, private } => {
                if let Some(known) = open.get_mut(step) {
                    known.noted.push(private.clone());
                }
            }
            Entry::Outcome { step, .. } => {
                open.remove(step);
            }
            Entry::Recovered { outcomes, .. } => {
                for (step, _) in outcomes {
                    open.remove(step);
                }
            }
            _ => {}
        }
    }
    open.into_values().collect()
}

/// Finds out how each step in doubt stands; of which dead run it is stands before it.
async fn settle(
    ctx: &Context,
    store: &Arc<LocalStore>,
    env: &EnvRef,
    dead: &[Unfinished],
    records: BTreeMap<Slot, Arc<Record>>,
    requests: mpsc::UnboundedSender<Request>,
    reporter: &mut dyn Reporter,
) -> Result<Vec<(usize, StepId, Outcome)>, Failure> {
    let mut outcomes = Vec::new();
    let mut open = open_steps(dead);
    open.sort_by_key(|step| step.run);
    for (at, run) in dead.iter().enumerate() {
        let of_run: Vec<&OpenStep> = open.iter().filter(|step| step.run == at).collect();
        let Some((_, object)) = begin_of(&run.entries).filter(|_| !of_run.is_empty()) else { continue };
        let bytes = store.blob(env, &object).await?;
        let file = PlanFile::from_bytes(&bytes, None)
            .map_err(|problem| Failure::failed(format!("the plan of run {}: {problem}", run.run)))?;
        let mut site = Site::new(ctx, store, env, run, &file, records.clone(), requests.clone()).await?;
        for step in of_run {
            let message = format!("finding out what became of: {} (run {})", step.id, run.run);
            let kind = EventKind::Warning { message };
            reporter.event(&windlass_model::Event { seq: 0, at: ctx.host.now_ms(), kind });
            let planned = settled_step(&file.plan, &run.entries, &step.id);
            outcomes.push((at, step.id.clone(), site.probe(step, planned.as_ref()).await));
        }
    }
    Ok(outcomes)
}

/// The step as it was planned, or as it was settled in mid-run.
pub fn settled_step(plan: &Plan, entries: &[Entry], id: &StepId) -> Option<Step> {
    let late = entries.iter().rev().find_map(|entry| match entry {
        Entry::Settled { step, plan: Some(late), .. } if step.slot == id.slot && late.id == *id => {
            Some((**late).clone())
        }
        _ => None,
    });
    late.or_else(|| plan.steps.iter().find(|step| step.id == *id).cloned())
}

/// Which runs of a list go on with one another: the given one, and all that resume it.
pub fn chain(runs: &[windlass_store::RunInfo], first: &RunId) -> BTreeSet<RunId> {
    let mut chain = BTreeSet::from([first.clone()]);
    // Newest first in the list: oldest first here, so that one pass finds resumes of resumes.
    for run in runs.iter().rev() {
        for entry in &run.entries {
            if let Entry::Begin { resumes: Some(before), .. } = entry
                && chain.contains(before)
            {
                chain.insert(run.run.clone());
            }
        }
    }
    chain
}
