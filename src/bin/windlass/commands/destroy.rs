//! `windlass destroy`

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
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// The stack's name, where its files are gone
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Why, for the version
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let plan = PlanOptions {
        selection: engine::selection(context, args.stack)?,
        operation: Operation::Destroy,
        rollback_to: None,
        refresh: Refresh::Always,
        targets: context.options.targets.clone(),
        replace: Vec::new(),
        reason: args.reason,
    };
    run_planned(context, plan, args.auto_approve, true).await
}
