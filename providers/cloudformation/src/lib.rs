//! `cloudformation_stack`: a CloudFormation stack, planned and applied as change sets by the stock `aws` command line.
//!
//! The change set that a plan makes is the one that an apply executes. What it would do, what became of it and what the
//! stack is like is asked of the service; the template is read here to say beforehand what it needs and what depends on what.

mod answers;
mod apply;
mod artefact;
mod aws;
mod changes;
mod command;
mod defer;
mod delete;
mod describe;
mod discard;
mod errors;
mod failure;
mod job;
mod make;
mod ownership;
mod place;
mod plan;
mod probe;
mod provider;
mod read;
mod schema;
mod session;
mod settings;
mod spec;
mod states;
mod template;
mod watch;

pub use errors::ERRORS;
pub use provider::{CloudFormationProvider, provider};
