//! `windlass approve`

use serde::Serialize;
use windlass::ops::{self, Approvable};
use windlass::plan::render;
use windlass_store::Approval;

use super::Context;
use crate::args::Options;
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::moment;
use crate::prompt;

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// A saved plan, or a run that waits for its approval
    #[arg(value_name = "FILE|RUN")]
    pub what: String,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

impl Args {
    /// A document and a question do not go together.
    pub fn check(&self, options: &Options) -> Result<(), Failure> {
        match options.json && !self.yes {
            true => Err(Failure::usage("`approve --json` asks nobody: it needs `--yes`")),
            false => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    plan: windlass_model::PlanId,
    environment: &'a str,
    who: &'a str,
    when: String,
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, None)?;
    let what = ops::approvable(&ctx, &selection, &args.what).await?;
    if !context.options.json {
        show(context, &what);
    }
    if !args.yes {
        let asked = "Approve exactly this?";
        let instead = "if the plan above is what you want, give `--yes`";
        let (interrupts, can_ask) = (context.signals.interrupts(), context.surroundings.can_ask());
        prompt::confirm(&context.output, interrupts, can_ask, asked, instead).await?;
    }
    let approval = ops::approve(&ctx, &what).await?;
    told(context, &args, &what, &approval);
    Ok(Exit::Done)
}

/// What is approved: the plan, or what a run met that its plan did not announce.
fn show(context: &Context, what: &Approvable) {
    let style = &context.output.progress_style;
    let mut text = render::text(&what.file.plan, style);
    if !what.lines.is_empty() {
        text.push_str("\nThe run stopped before this, which the plan did not announce:\n");
        for line in &what.lines {
            text.push_str(&format!("  {}\n", render::safe(line)));
        }
    }
    context.output.progress(&text);
}

fn told(context: &Context, args: &Args, what: &Approvable, approval: &Approval) {
    let when = moment::rfc3339(approval.when_ms);
    let (plan, who) = (approval.plan, approval.who.as_str());
    if context.options.json {
        context.output.document(&Document { plan, environment: &what.env.environment, who, when });
        return;
    }
    let is_file = context.options.path(args.what.as_ref()).is_file();
    let next = if is_file { "apply" } else { "resume" };
    context.output.result(&format!(
        "plan {plan} of {} is approved by {who} since {}\nGo on with: {} {next} {}\n",
        what.env.environment,
        moment::minute(approval.when_ms),
        context.options.command,
        args.what
    ));
}
