//! What a run is given, and what it leaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use windlass_model::{Address, Digest, Files, Host, Plan, PlanId, Private, RunId, RunStatus, StepId};
use windlass_store::StoreError;

use super::recorder::Recorder;
use crate::plan::{BlobSource, Calls, Freshness, PlanEngine, Sessions, World};

/// What a person or the system asks of a running run, in rising order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Signal {
    /// Start nothing new; what runs may end.
    Drain,
    /// Ask running tools to end.
    Interrupt,
    /// Leave at once; the journal is complete.
    Leave,
}

/// A question in mid-run (rule P5).
#[derive(Clone, Debug)]
pub struct Question {
    /// Which step.
    pub step: StepId,
    /// The supplement: the step as it turned out, chained to the plan.
    pub supplement: PlanId,
    /// What it would do that was not announced, a line each.
    pub lines: Vec<String>,
    /// Some of it deletes or replaces.
    pub destroys: bool,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Go on.
    Granted,
    /// The run stops and waits for an approval.
    Stop,
}

/// Who answers questions in mid-run: a terminal asks, a server ends the run.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Whether a step may do more than was announced.
    async fn allow(&self, question: Question) -> Permission;
}

/// What a run is given.
pub struct Run {
    /// Which.
    pub run: RunId,
    /// What is carried out.
    pub plan: Arc<Plan>,
    /// By step number: done by an earlier run of the same plan.
    pub finished: Vec<bool>,
    /// Checkpoints of steps that an earlier run began.
    pub noted: BTreeMap<StepId, Vec<Private>>,
    /// What tokens are made of: the plan, and the run that carries it out first. The same change done once more at another
    /// time is another step to a tool or cloud.
    pub origin: Digest,
    /// Tries of a step that ended with an effect, in earlier runs of the same plan: what is done after one is another step.
    pub spent: BTreeMap<StepId, u32>,
    /// Steps that an earlier run began or that are not as planned any more: planned again before they run.
    pub again: Vec<bool>,
    /// The stack's values: of what is not touched as recorded, of what is to be made as planned.
    pub world: World,
    /// Providers.
    pub sessions: Sessions,
    /// What calls have in common.
    pub calls: Calls,
    /// Planning what could not be planned before.
    pub late: Late,
    /// The sources that deletes are run from: those of the version that made the things.
    pub past: Arc<dyn Files>,
    /// The store's plan key.
    pub key: Vec<u8>,
    /// The store's blobs.
    pub blobs: Arc<dyn BlobSource>,
    /// How many steps may run at once.
    pub parallelism: usize,
    /// Clock and chance.
    pub host: Arc<dyn Host>,
    /// This machine's name.
    pub hostname: String,
    /// When the run must stop (rule T9).
    pub deadline: Option<Instant>,
    /// How long after the deadline tools are interrupted.
    pub grace: Duration,
    /// Who answers questions.
    pub gate: Arc<dyn Gate>,
    /// More than was announced needs an approval, even if it destroys nothing.
    pub manual: bool,
}

/// How steps are planned in a run: as by a plan, with what is made outside noted beside the run's journal.
pub struct Late {
    /// What calls have in common.
    pub calls: Calls,
    /// Takes the notes.
    pub engine: Arc<PlanEngine>,
}

/// What a run leaves.
pub struct Ended {
    /// The lock and the state as folded.
    pub recorder: Recorder,
    /// How it ended.
    pub status: RunStatus,
    /// Steps done.
    pub done: usize,
    /// Steps that failed.
    pub failures: Vec<Failure>,
    /// Steps skipped because of those.
    pub skipped: usize,
    /// Steps never begun.
    pub left: usize,
    /// The world as it is now.
    pub world: World,
    /// Providers, opened.
    pub sessions: Sessions,
    /// What was planned late and never begun is noted here still.
    pub late: Late,
    /// What was done cleanly, and when.
    pub seen: Freshness,
    /// A question that nobody could answer.
    pub question: Option<Question>,
    /// The journal could not be written; the lock was not given back.
    pub broken: Option<Arc<StoreError>>,
    /// It was left at once; the lock was not given back.
    pub abandoned: bool,
    /// The number of the last event.
    pub seq: u64,
    /// When it began (milliseconds since 1970).
    pub started_ms: u64,
}

/// A step that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub address: Address,
    /// Why, redacted.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// What was planned does not fit any more what is there; nothing of it was touched.
    pub stale: bool,
}
