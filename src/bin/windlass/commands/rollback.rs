//! `windlass rollback`

use windlass::ops::PlanOptions;
use windlass::plan::Refresh;
use windlass_model::Operation;

use super::Context;
use super::apply::run_planned;
use crate::engine;
use crate::failure::Outcome;

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The version to go back to
    #[arg(long, value_name = "N")]
    pub to: u64,
    /// Why, for the version
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// The stack's name, where its files are gone
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let plan = PlanOptions {
        selection: engine::selection(context, args.stack)?,
        operation: Operation::Rollback,
        rollback_to: Some(args.to),
        refresh: Refresh::Always,
        targets: context.options.targets.clone(),
        replace: Vec::new(),
        reason: args.reason,
    };
    run_planned(context, plan, args.auto_approve, true).await
}
