//! `windlass supervise`: the hidden subcommand that runs one tool for the engine (rule T1).

use std::io::Write;

/// It has none: its instructions come on stdin.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {}

/// Runs it, in a process without runtime, threads and signal handlers; the exit code is its own.
pub fn run(say: impl Write) -> u8 {
    windlass_provider::supervise(std::io::stdin(), say)
}
