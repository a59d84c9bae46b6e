//! `windlass validate`

use serde::Serialize;
use windlass::graph::Graph;
use windlass::ops;
use windlass::stack::{Checkout, Stack};
use windlass_model::Diagnostic;

use super::Context;
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::report;

/// It has no flags of its own.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {}

#[derive(Serialize)]
struct Document<'a> {
    valid: bool,
    diagnostics: &'a [Diagnostic],
}

/// Runs it.
pub fn run(context: &mut Context, _args: Args) -> Outcome {
    let ctx = engine::context(context);
    let loaded =
        Checkout::open(&ctx.dir).map_err(ops::Failure::from).and_then(|files| ops::load(&ctx, &files));
    match loaded {
        Ok((stack, graph, warnings)) => Ok(valid(context, &stack, &graph, &warnings)),
        Err(failure) if context.options.json => {
            context.output.document(&Document { valid: false, diagnostics: &failure.diagnostics });
            Ok(Exit::Failed)
        }
        Err(failure) => Err(Failure::from(failure)),
    }
}

fn valid(context: &Context, stack: &Stack, graph: &Graph, warnings: &[Diagnostic]) -> Exit {
    let output = &context.output;
    if context.options.json {
        output.document(&Document { valid: true, diagnostics: warnings });
        return Exit::Done;
    }
    report::warnings(context, warnings);
    output.result(&format!(
        "stack {} is valid: {} and {}\n",
        stack.name,
        count(graph.blocks.len(), "resource block"),
        count(stack.outputs.len(), "output")
    ));
    Exit::Done
}

fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
