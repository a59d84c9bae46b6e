//! What each command says, whole, on small stacks of the local provider: stories of several calls, each one snapshot.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "cli/approval.rs"]
mod approval;
#[path = "cli/environments.rs"]
mod environments;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/look.rs"]
mod look;
#[path = "cli/plan.rs"]
mod plan;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/state.rs"]
mod state;
#[path = "cli/story.rs"]
mod story;
