//! Operations: all that a command, and later a server, may call. One file each.
//!
//! Nothing here knows a terminal: environment, user and clock come in as data, questions go out through traits, events go to
//! a reporter.

mod apply;
mod approve;
mod context;
mod doctor;
mod done;
mod drift;
mod execute;
mod failure;
mod graph;
mod hold;
mod made;
mod plan;
mod prepare;
mod probe;
mod recover;
mod resume;
mod run;
mod same;
mod seal;
mod select;
mod snapshot;
mod state;
mod waiting;
mod workshop;

pub use apply::{ApplyOptions, Confirm, apply, apply_file, read_plan};
pub use approve::{Approvable, approvable, approve};
pub use context::Context;
pub use doctor::{Checked, doctor};
pub use done::Done;
pub use drift::{Drift, DriftItem, drift};
pub use failure::{Failure, FailureKind, Missing};
pub use graph::{GraphEdge, GraphNode, GraphView, graph};
pub use made::Made;
pub use plan::{PlanOptions, Planned, plan};
pub use resume::{ResumeOptions, resume};
pub use seal::{drop_plan, save_plan};
pub use select::{Selected, Selection, load, select};
pub use state::{
    ChangedRecord, Diff, StateOptions, check_store, import, list, move_record, outputs, pull, remove, rename,
    state_at, unlock, versions,
};
