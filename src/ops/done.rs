//! What an operation that runs a plan came to.

use std::collections::BTreeMap;

use windlass_model::{Diagnostic, Event, EventKind, Output, PlanId, RunId, RunStatus};

use super::context::Context;
use crate::apply;
use crate::event::Reporter;

/// What an executed plan came to.
#[derive(Clone, Debug)]
pub struct Done {
    /// The run; `None` where nothing was to be done.
    pub run: Option<RunId>,
    /// How it ended.
    pub status: RunStatus,
    /// The version that was committed.
    pub version: Option<u64>,
    /// Steps that failed.
    pub failures: Vec<apply::Failure>,
    /// How many steps were done, skipped and left.
    pub done: usize,
    /// Skipped because of a failure.
    pub skipped: usize,
    /// Never begun.
    pub left: usize,
    /// The stack's outputs.
    pub outputs: BTreeMap<String, Output>,
    /// It waits for an approval of this supplement.
    pub waits_for: Option<PlanId>,
    /// What else is to be said.
    pub diagnostics: Vec<Diagnostic>,
}

/// The last event of an operation that had nothing to run: whoever reads events waits for it.
pub fn tell_idle(ctx: &Context, run: &RunId, done: &Done, reporter: &mut dyn Reporter) {
    let kind = EventKind::RunFinished {
        status: done.status,
        version: done.version,
        run: run.clone(),
        done: 0,
        failed: 0,
        skipped: 0,
        left: done.left,
        elapsed_ms: 0,
    };
    reporter.event(&Event { seq: 0, at: ctx.host.now_ms(), kind });
}

impl Done {
    /// Nothing was to be done.
    pub fn nothing(outputs: BTreeMap<String, Output>) -> Done {
        Done {
            run: None,
            status: RunStatus::Applied,
            version: None,
            failures: Vec::new(),
            done: 0,
            skipped: 0,
            left: 0,
            outputs,
            waits_for: None,
            diagnostics: Vec::new(),
        }
    }
}
