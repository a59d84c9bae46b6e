//! `bicep_deployment`: a Bicep or ARM template, as a deployment stack or a deployment, planned and applied by `az`.
//!
//! The template is compiled once, by the Bicep compiler itself; what-if says what it would change, and apply sends exactly
//! that compiled template. Azure decides what is done; this crate runs `az`, reads what it says, and never asks twice.

mod apply;
mod arm;
mod command;
mod compile;
mod compiler;
mod destroy;
mod errors;
mod failure;
mod group;
mod import;
mod job;
mod noise;
mod outputs;
mod plan;
mod planned;
mod probe;
mod profile;
mod provider;
mod read;
mod schema;
mod seen;
mod session;
mod shown;
mod sources;
mod spec;
mod target;
mod watch;
mod whatif;
mod workdir;

pub use errors::ERRORS;
pub use provider::{BicepProvider, provider};
