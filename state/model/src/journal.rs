//! What a run writes down before and after each thing it does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::address::{Address, Slot};
use crate::error_class::ErrorClass;
use crate::ids::{Digest, Epoch, PlanId, RunId, Token};
use crate::plan::{Operation, Step, StepId};
use crate::record::{Output, Private, Record};

/// One entry of a run's journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum Entry {
    /// The run begins; the plan is in the store as `plan_object`.
    Begin {
        /// This run.
        run: RunId,
        /// The run that it goes on with.
        resumes: Option<RunId>,
        /// What it does.
        operation: Operation,
        /// The plan's id.
        plan: PlanId,
        /// The plan's object in the store.
        plan_object: Digest,
        /// The lock's epoch.
        epoch: Epoch,
        /// When, in milliseconds since 1970.
        started_ms: u64,
        /// What random values of the run are made from, so that a resume repeats them.
        seed: String,
        /// Who.
        who: String,
    },
    /// What the plan's refresh found, taken in at the beginning.
    Refreshed {
        /// Records as they really are.
        records: Vec<Record>,
        /// Objects that are gone.
        gone: Vec<Slot>,
    },
    /// A deferred step was planned; this is durable before it runs.
    Settled {
        /// The step.
        step: StepId,
        /// What it is now; `None`: nothing to do.
        plan: Option<Box<Step>>,
        /// The tool's own plan.
        artefact: Option<Private>,
        /// The supplement's id, chained to the plan's.
        supplement: PlanId,
    },
    /// A step turned out to do more than was announced; the run stops until that is approved (rule P5).
    Asked {
        /// The step.
        step: StepId,
        /// What is to be approved.
        supplement: PlanId,
        /// What it would do that was not announced.
        lines: Vec<String>,
    },
    /// What was found out about the steps in doubt of a run that died, by the run that took over.
    Recovered {
        /// The run that died.
        run: RunId,
        /// An outcome for each step in doubt.
        outcomes: Vec<(StepId, Outcome)>,
    },
    /// A step is about to begin.
    Intent {
        /// The step.
        step: StepId,
        /// What names it to the tool.
        token: Token,
        /// The first try is 1.
        attempt: u32,
        /// The machine it runs on.
        host: String,
    },
    /// A checkpoint inside a step of many calls.
    Noted {
        /// The step.
        step: StepId,
        /// The provider's own.
        private: Private,
    },
    /// A step ended.
    Outcome {
        /// The step.
        step: StepId,
        /// How.
        result: Outcome,
    },
    /// The stack's outputs after the run.
    Outputs {
        /// By name.
        outputs: BTreeMap<String, Output>,
    },
    /// A later writer took over; nothing that follows counts.
    Fence {
        /// The later writer's epoch.
        by: Epoch,
    },
    /// The run ended.
    End {
        /// How.
        status: RunStatus,
        /// The version that it committed.
        version: Option<u64>,
    },
}

/// What a plan is about to make outside, or has made: written down before, so that it can be thrown away if the plan dies.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlanNote {
    /// Of which resource.
    pub address: Address,
    /// Provider and alias.
    pub provider: String,
    /// The provider's own; empty: nothing of what was noted for this resource is left.
    pub private: Private,
}

/// How a step ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "r", rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done {
        /// The record from now on; `None` after a delete.
        record: Option<Box<Record>>,
    },
    /// It failed.
    Failed {
        /// What kind of failure.
        class: ErrorClass,
        /// The message, redacted.
        message: String,
        /// The record from now on, where the failure changed something: tainted, unhealthy, or in doubt. `None`: as before,
        /// or nothing (`left_nothing`).
        record: Option<Box<Record>>,
        /// The object is gone in spite of the failure.
        #[serde(default)]
        left_nothing: bool,
    },
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Everything was done.
    Applied,
    /// A step failed.
    Failed,
    /// It was interrupted, by a person or the deadline.
    Interrupted,
    /// It waits for an approval.
    NeedsApproval,
}
