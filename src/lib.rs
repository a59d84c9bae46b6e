//! Windlass: a declarative plan/apply engine over the deployment tools that teams already have.
//!
//! ```text
//! files -> parse -> evaluate -> graph -> plan (asks providers) -> apply (asks providers) -> state
//!                                           \______ events ______/ -> reporters
//! ```
//! `lang` evaluates expressions, `stack` reads stack files, `graph` orders resources, `plan` decides, `apply` does, and
//! `ops` has one file for each operation that a command (and later a server) may call. The library never prints, never
//! reads the environment, never exits.

pub mod apply;
pub mod event;
pub mod graph;
pub mod lang;
pub mod ops;
pub mod plan;
pub mod stack;
