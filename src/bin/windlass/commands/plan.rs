//! `windlass plan`

use std::path::{Path, PathBuf};

use windlass::ops::{self, PlanOptions};
use windlass::plan::render;
use windlass_model::{Address, Operation};

use super::Context;
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// When tools are asked (rule P3).
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Refresh {
    /// Where it costs no process, where something changed, where it was long ago
    #[default]
    Auto,
    /// Every one
    Always,
    /// None
    Never,
}

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Save the plan, sealed, for `windlass apply FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 2 when there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// When tools are asked how things really are: auto, always or never
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, hide_possible_values = true)]
    pub refresh: Refresh,
    /// Take in what is seen, change nothing
    #[arg(long, conflicts_with_all = ["destroy", "rollback", "replace"])]
    pub refresh_only: bool,
    /// Replace this resource (more than once)
    #[arg(long, value_name = "ADDRESS")]
    pub replace: Vec<Address>,
    /// Plan to delete everything
    #[arg(long, conflicts_with_all = ["rollback", "replace"])]
    pub destroy: bool,
    /// Plan to go back to this version
    #[arg(long, value_name = "N", conflicts_with = "replace")]
    pub rollback: Option<u64>,
    /// Why, for the version that the plan becomes
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Show sensitive values in the JSON document
    #[arg(long)]
    pub show_sensitive: bool,
}

impl From<Refresh> for windlass::plan::Refresh {
    fn from(refresh: Refresh) -> Self {
        match refresh {
            Refresh::Auto => windlass::plan::Refresh::Auto,
            Refresh::Always => windlass::plan::Refresh::Always,
            Refresh::Never => windlass::plan::Refresh::Never,
        }
    }
}

fn options(context: &Context, args: &Args) -> Result<PlanOptions, Failure> {
    let operation = match (args.destroy, args.rollback, args.refresh_only) {
        (true, _, _) => Operation::Destroy,
        (_, Some(_), _) => Operation::Rollback,
        (_, _, true) => Operation::Refresh,
        _ => Operation::Apply,
    };
    let looks = matches!(operation, Operation::Destroy | Operation::Rollback | Operation::Refresh);
    Ok(PlanOptions {
        selection: engine::selection(context, None)?,
        operation,
        rollback_to: args.rollback,
        refresh: if looks { windlass::plan::Refresh::Always } else { args.refresh.into() },
        targets: context.options.targets.clone(),
        replace: args.replace.clone(),
        reason: args.reason.clone(),
    })
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let ctx = engine::context(context);
    let mut options = options(context, &args)?;
    let planned = loop {
        match ops::plan(&ctx, &options).await {
            Ok(planned) => break planned,
            Err(failure) => engine::ask_for(context, failure, &mut options.selection).await?,
        }
    };
    let output = &context.output;
    let plan = &planned.file.plan;
    match context.options.json {
        true => output.document(&render::document(plan, args.show_sensitive)),
        false => output.result(&render::text(plan, &output.result_style)),
    }
    if !planned.errors.is_empty() {
        let source = |path: &str| engine::text(&*planned.files, path);
        output.told(&planned.errors, &source);
        say(context, &ops::drop_plan(planned).await);
        return Ok(Exit::Failed);
    }
    let changes = args.detailed_exitcode && !plan.is_empty();
    match &args.out {
        Some(path) => {
            let path = context.options.path(path);
            say(context, &ops::save_plan(planned, &path).await?);
            let command = &context.options.command;
            output.progress(&format!("saved: `{command} apply {}`\n", shown(&path, context)));
        }
        None => say(context, &ops::drop_plan(planned).await),
    }
    Ok(if changes { Exit::Changes } else { Exit::Done })
}

/// What is to be said of how the plan was kept or dropped.
fn say(context: &Context, warnings: &[windlass_model::Diagnostic]) {
    let output = &context.output;
    if !warnings.is_empty() {
        output.told(warnings, &|_| None);
    }
}

/// A path as the user would give it again.
fn shown(path: &Path, context: &Context) -> String {
    path.strip_prefix(&context.options.dir).unwrap_or(path).display().to_string()
}
