//! `windlass show`

use std::path::Path;

use windlass::ops;
use windlass::plan::render;
use windlass_model::Address;

use super::Context;
use super::state::{ShowArgs, write_show};
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// A saved plan or a resource's address; without it the whole state
    #[arg(value_name = "FILE|ADDRESS")]
    pub what: Option<String>,
    /// Show sensitive values
    #[arg(long)]
    pub show_sensitive: bool,
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let Some(what) = args.what.as_deref() else {
        return state(context, Vec::new(), args.show_sensitive).await;
    };
    let path = context.options.path(what.as_ref());
    if path.is_file() {
        return plan(context, &path, args.show_sensitive);
    }
    match what.parse::<Address>() {
        Ok(address) => state(context, vec![address], args.show_sensitive).await,
        Err(_) => Err(Failure::usage(format!("`{what}` is neither a saved plan nor an address"))
            .help("`windlass plan --out FILE` saves a plan; `windlass state list` lists addresses")),
    }
}

fn plan(context: &Context, path: &Path, show_sensitive: bool) -> Outcome {
    let file = ops::read_plan(path, None)?;
    let output = &context.output;
    match context.options.json {
        true => output.document(&render::document(&file.plan, show_sensitive)),
        false => output.result(&render::text(&file.plan, &output.result_style)),
    }
    Ok(Exit::Done)
}

async fn state(context: &Context, address: Vec<Address>, show_sensitive: bool) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, None)?;
    if context.options.json && address.is_empty() {
        context.output.document(&ops::pull(&ctx, &selection, None, show_sensitive).await?);
        return Ok(Exit::Done);
    }
    let state = ops::state_at(&ctx, &selection, None).await?;
    let whole = address.is_empty();
    write_show(context, &ShowArgs { address, version: None, show_sensitive }, &state)?;
    if whole && !state.outputs.is_empty() {
        let text = crate::report::outputs(&state.outputs, &context.output.result_style);
        context.output.result(&format!("\nOutputs:\n{text}"));
    }
    Ok(Exit::Done)
}
