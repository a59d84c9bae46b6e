//! CloudFormation by the real `aws` against a local imitation of its cloud. What the imitation says is no evidence about AWS; it
//! is about what windlass does with it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

#[path = "aws/account.rs"]
mod account;
#[path = "aws/calls.rs"]
mod calls;
#[path = "aws/example.rs"]
mod example;
#[path = "aws/kills.rs"]
mod kills;
mod support;
