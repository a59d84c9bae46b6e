//! `windlass apply`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass::ops::{self, ApplyOptions, PlanOptions};
use windlass_model::{Address, Operation};

use super::Context;
use super::plan::Refresh;
use crate::args::Options;
use crate::engine::{self, Terminal};
use crate::failure::{Failure, Outcome};
use crate::report;

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// A plan saved by `windlass plan --out FILE`: exactly that is done, and nothing is asked
    pub file: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// Undo a rollback that the checkout differs from
    #[arg(long)]
    pub after_rollback: bool,
    /// When tools are asked how things really are: auto, always or never [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", hide_possible_values = true)]
    pub refresh: Option<Refresh>,
    /// Replace this resource (more than once)
    #[arg(long, value_name = "ADDRESS")]
    pub replace: Vec<Address>,
    /// Why, for the version
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

impl Args {
    /// A saved plan holds what the other flags would say.
    pub fn check(&self, options: &Options) -> Result<(), Failure> {
        let Some(file) = &self.file else {
            return super::needs_approval_flag("apply", options, self.auto_approve)
                .map_err(|failure| failure.help("or apply a saved plan: `windlass apply FILE --json`"));
        };
        let given = [
            (!options.variables.is_empty(), "--var and --var-file"),
            (!options.targets.is_empty(), "--target"),
            (self.refresh.is_some(), "--refresh"),
            (!self.replace.is_empty(), "--replace"),
            (self.reason.is_some(), "--reason"),
        ];
        match given.iter().find(|(given, _)| *given) {
            None => Ok(()),
            Some((_, flag)) => {
                let title = format!("{flag} cannot be given for the saved plan {}", file.display());
                Err(Failure::usage(title).help("give it to `windlass plan --out FILE`: the plan keeps it"))
            }
        }
    }
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    if let Some(file) = &args.file {
        return saved(context, &context.options.path(file)).await;
    }
    let plan = PlanOptions {
        selection: engine::selection(context, None)?,
        operation: Operation::Apply,
        rollback_to: None,
        refresh: args.refresh.unwrap_or_default().into(),
        targets: context.options.targets.clone(),
        replace: args.replace.clone(),
        reason: args.reason.clone(),
    };
    run_planned(context, plan, args.auto_approve, args.after_rollback).await
}

async fn saved(context: &mut Context, path: &Path) -> Outcome {
    let ctx = engine::context(context);
    let (mut reporter, screen) = report::reporter(context);
    let gate = Arc::new(Terminal::new(context, screen, false));
    let done = ops::apply_file(&ctx, path, gate, &mut context.signals.requests, &mut *reporter).await?;
    drop(reporter);
    engine::told(context, &done)
}

/// Plans, shows, asks, carries out: `apply`, `destroy` and `rollback` alike.
pub async fn run_planned(
    context: &mut Context,
    plan: PlanOptions,
    auto_approve: bool,
    after_rollback: bool,
) -> Outcome {
    let ctx = engine::context(context);
    let (mut reporter, screen) = report::reporter(context);
    let terminal = Arc::new(Terminal::new(context, screen, false));
    let mut options = ApplyOptions {
        plan,
        auto_approve,
        after_rollback,
        terminal: context.surroundings.can_ask(),
        gate: terminal.clone(),
    };
    let done = loop {
        let requests = &mut context.signals.requests;
        match ops::apply(&ctx, &options, &*terminal, requests, &mut *reporter).await {
            Ok(done) => break done,
            Err(failure) => engine::ask_for(context, failure, &mut options.plan.selection).await?,
        }
    };
    drop(reporter);
    engine::told(context, &done)
}
