//! A local fake of Azure Resource Manager, good enough for the real `az`: groups, resources of any type, deployments, what-if,
//! deployment stacks and their what-if, long-running operations. It keeps what is made, and misbehaves as a test says.
//!
//! What `az` sends is known from watching it; what is answered is written from ARM's documentation and from what `az` accepts.

mod control;
mod deployments;
mod errors;
mod faults;
mod groups;
mod http;
mod ids;
mod jobs;
mod login;
mod plan;
mod resources;
mod route;
mod run;
mod server;
mod stack_delete;
mod stack_what_if;
mod stacks;
mod template;
mod tls;
mod what_if;
mod world;

pub use control::Arm;
pub use errors::Failure;
pub use faults::{Pace, When};
pub use http::{Reply, Request};
pub use login::{CLIENT, Login, SECRET, SUBSCRIPTIONS, TENANT};
