//! What happens in a run, for reporters and later a server: stored and replayed without the engine.

use serde::{Deserialize, Serialize};

use crate::error_class::ErrorClass;
use crate::ids::{PlanId, RunId};
use crate::journal::RunStatus;
use crate::plan::Operation;

/// One event. Everything in it is already redacted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without gaps.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the field names are the public names of the event stream")]
pub enum EventKind {
    /// The run began.
    RunStarted {
        run: RunId,
        operation: Operation,
        stack: String,
        environment: String,
        plan: PlanId,
        steps: usize,
    },
    /// A step began.
    StepStarted { address: String, action: String, attempt: u32 },
    /// A line of a tool's output.
    StepLog { address: String, line: String },
    /// A step tells how far it is.
    StepProgress { address: String, message: String },
    /// A step will be tried again.
    StepRetry { address: String, attempt: u32, wait_ms: u64, class: ErrorClass, message: String },
    /// A step was done.
    StepFinished { address: String, action: String, elapsed_ms: u64 },
    /// A step failed.
    StepFailed {
        address: String,
        action: String,
        elapsed_ms: u64,
        class: ErrorClass,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// A step was not begun because of another.
    StepSkipped { address: String, action: String, because: String },
    /// Something the user should know.
    Warning { message: String },
    /// Somebody or the deadline asked the run to stop.
    Stopping { how: String },
    /// The run ended. Always the last event.
    RunFinished {
        status: RunStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        run: RunId,
        done: usize,
        failed: usize,
        skipped: usize,
        left: usize,
        elapsed_ms: u64,
    },
}

/// What a provider tells about its running step; the engine makes events of it.
#[derive(Clone, PartialEq, Debug)]
pub enum StepEvent {
    /// A line of a tool's output, redacted.
    Log(String),
    /// How far it is, redacted.
    Progress(String),
}
