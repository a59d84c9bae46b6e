//! `windlass drift`

use std::fmt::Write as _;

use windlass::ops::{self, Drift, DriftItem, PlanOptions};
use windlass::plan::render::{Style, diff_text};
use windlass_model::{Value, from_json};

use super::Context;
use crate::engine;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::report;

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Exit with 2 when something drifted
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let ctx = engine::context(context);
    let mut options = PlanOptions {
        selection: engine::selection(context, None)?,
        targets: context.options.targets.clone(),
        ..PlanOptions::default()
    };
    let drift = loop {
        match ops::drift(&ctx, &options).await {
            Ok(drift) => break drift,
            Err(failure) => engine::ask_for(context, failure, &mut options.selection).await?,
        }
    };
    match context.options.json {
        true => context.output.document(&drift),
        false => {
            report::warnings(context, &drift.diagnostics);
            context.output.result(&text(&drift, &context.output.result_style));
        }
    }
    let found = args.detailed_exitcode && !drift.drifted.is_empty();
    Ok(if found { Exit::Changes } else { Exit::Done })
}

fn text(drift: &Drift, style: &Style) -> String {
    let mut out = String::new();
    for item in &drift.drifted {
        // Writing to a String cannot fail.
        let _ = match item.status {
            "gone" => writeln!(out, "- {} is gone", item.address),
            _ => writeln!(out, "~ {} was changed", item.address),
        };
        out.push_str(&changes(item, style));
    }
    if !drift.drifted.is_empty() {
        out.push('\n');
    }
    let (drifted, unchanged) = (drift.drifted.len(), drift.unchanged);
    let _ = match (drift.version, drifted) {
        (0, _) => writeln!(out, "nothing is applied yet: there is nothing to compare"),
        (version, 0) => writeln!(out, "no drift: {unchanged} unchanged since version {version}"),
        (version, _) => writeln!(out, "{drifted} drifted, {unchanged} unchanged since version {version}"),
    };
    out
}

/// What is masked stays so.
fn changes(item: &DriftItem, style: &Style) -> String {
    let value = |json: &serde_json::Value| match json.as_str() {
        Some("(sensitive)") => Value::from("").sensitive(),
        _ => from_json(json.clone()),
    };
    let before = item.changes.iter().map(|change| (change.path.as_str(), value(&change.before)));
    let after = item.changes.iter().map(|change| (change.path.as_str(), value(&change.after)));
    let (before, after) = (Value::object(before), Value::object(after));
    diff_text(&before, &after, style)
}
