//! `windlass doctor`

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use windlass::ops::{self, Checked};
use windlass::stack::{self, Checkout};

use super::Context;
use super::state::{Damage, damage_text, damages};
use crate::engine;
use crate::exit::Exit;
use crate::failure::Outcome;

/// It has no flags of its own.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {}

/// A provider's tool as it was found.
#[derive(Clone, Debug, Serialize)]
struct Tool {
    #[serde(flatten)]
    found: Checked,
    /// Whether this stack uses the provider: only then a missing tool is a problem.
    needed: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    ok: bool,
    tools: &'a [Tool],
    state: &'a [Damage],
}

impl Tool {
    fn is_problem(&self) -> bool {
        self.needed && self.found.problem.is_some()
    }
}

/// Runs it; fails where something that this stack needs is missing, or its state is damaged.
pub async fn run(context: &mut Context, _args: Args) -> Outcome {
    let ctx = engine::context(context);
    let used = used(&ctx);
    let tool = |found: Checked| Tool { needed: used.contains(found.provider.as_str()), found };
    let tools: Vec<Tool> = ops::doctor(&ctx).await.into_iter().map(tool).collect();
    let (environments, state) = damages(context).await?;
    let ok = state.is_empty() && !tools.iter().any(Tool::is_problem);
    match context.options.json {
        true => context.output.document(&Document { ok, tools: &tools, state: &state }),
        false => context.output.result(&format!("{}{}", text(&tools), damage_text(environments, &state))),
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

/// The providers that this stack uses, as far as its files can be read.
fn used(ctx: &ops::Context) -> BTreeSet<&'static str> {
    let catalog = &ctx.providers.catalog;
    let Ok(files) = Checkout::open(&ctx.dir) else { return BTreeSet::new() };
    let resources = stack::load(&files, catalog).stack.resources;
    resources.iter().filter_map(|block| Some(catalog.resource(&block.kind)?.0.name)).collect()
}

fn text(tools: &[Tool]) -> String {
    let width = tools.iter().map(|tool| tool.found.provider.len()).max().unwrap_or(0);
    let mut out = String::new();
    for tool in tools {
        let Checked { provider, tool: version, problem, hint } = &tool.found;
        let sign = match (problem.is_some(), tool.needed) {
            (false, _) => "ok",
            (true, true) => "!!",
            (true, false) => "--",
        };
        let what = match (problem, version) {
            (Some(problem), _) => problem.as_str(),
            (None, Some(version)) => version.as_str(),
            (None, None) => "built in",
        };
        let used = if tool.needed { ", used by this stack" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{sign} {provider:<width$}  {what}{used}");
        if let (Some(_), Some(hint)) = (problem, hint) {
            let _ = writeln!(out, "   {:<width$}  {hint}", "");
        }
    }
    let problems = tools.iter().filter(|tool| tool.is_problem()).count();
    let _ = match problems {
        0 => writeln!(out, "every tool that this stack needs is there"),
        1 => writeln!(out, "1 tool that this stack needs is missing or wrong"),
        count => writeln!(out, "{count} tools that this stack needs are missing or wrong"),
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(provider: &str, needed: bool, version: Option<&str>, problem: Option<&str>) -> Tool {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let hint = problem.map(|_| "get it from https://example.com/get".to_owned());
        let found = Checked { provider: provider.into(), tool: own(version), problem: own(problem), hint };
        Tool { found, needed }
    }

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        let tools = [
            tool("local", true, None, None),
            tool("terraform", true, Some("terraform 1.11.4"), None),
            tool("bicep", false, None, Some("az is not on PATH")),
            tool("docker", true, None, Some("docker needs a swarm")),
        ];
        insta::assert_snapshot!(text(&tools), @r"
        ok local      built in, used by this stack
        ok terraform  terraform 1.11.4, used by this stack
        -- bicep      az is not on PATH
                      get it from https://example.com/get
        !! docker     docker needs a swarm, used by this stack
                      get it from https://example.com/get
        1 tool that this stack needs is missing or wrong
        ");
        assert_eq!(tools.iter().map(Tool::is_problem).collect::<Vec<_>>(), [false, false, false, true]);
    }
}
