//! `terraform_root`: a Terraform or OpenTofu root module, unchanged, planned and applied by the stock tool.
//!
//! What terraform needs lies in a work directory of the resource's own: the snapshot's sources, the state from the record,
//! the saved plan. terraform decides what is to be done; this crate runs it, reads what it says, and keeps its state.

mod apply;
mod command;
mod errors;
mod events;
mod init;
mod job;
mod json;
mod lines;
mod module;
mod place;
mod plan;
mod plan_json;
mod provider;
mod schema;
mod session;
mod sources;
mod state_file;
mod tool;
mod version;
mod workdir;

pub use provider::{TerraformProvider, provider};
