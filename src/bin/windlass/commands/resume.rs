//! `windlass resume`

use std::sync::Arc;

use windlass::ops::{self, ResumeOptions};
use windlass_model::RunId;

use super::Context;
use crate::engine::{self, Terminal};
use crate::failure::Outcome;
use crate::report;

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The run; without it the latest unfinished one
    pub run: Option<String>,
    /// Accept deletes and replaces that were not announced
    #[arg(long)]
    pub auto_approve: bool,
    /// The stack's name, where its files are gone
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let ctx = engine::context(context);
    let (mut reporter, screen) = report::reporter(context);
    let options = ResumeOptions {
        selection: engine::selection(context, args.stack)?,
        run: args.run.map(RunId),
        gate: Arc::new(Terminal::new(context, screen, args.auto_approve)),
    };
    let done = ops::resume(&ctx, &options, &mut context.signals.requests, &mut *reporter).await?;
    drop(reporter);
    if done.run.is_none() {
        context.output.progress("nothing is left to do\n");
    }
    engine::told(context, &done)
}
