//! `windlass state mv|rm|import|unlock`

use windlass::ops::{self, PlanOptions, StateOptions};
use windlass_model::{Address, AddressError};
use windlass_store::EnvRef;

use super::{ChangeArgs, Context, ImportArgs, MvArgs, RmArgs, UnlockArgs};
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::prompt;
use crate::report::Human;

/// `state mv`
pub async fn mv(context: &mut Context, args: MvArgs, stack: Option<String>) -> Outcome {
    if args.env {
        return rename(context, &args).await;
    }
    let options = options(context, &args.change, stack)?;
    let MvArgs { from, to, change, .. } = args;
    let (from, to) = (address(&from)?, address(&to)?);
    confirmed(context, &change, &format!("Move {from} to {to} in state?")).await?;
    let ctx = engine::context(context);
    let version = ops::move_record(&ctx, &options, &from, &to, &mut reporter(context)).await?;
    Ok(told(context, version, &format!("{from} is now {to}")))
}

fn address(text: &str) -> Result<Address, Failure> {
    text.parse().map_err(|error: AddressError| Failure::usage(error.to_string()))
}

/// `state mv --env`
async fn rename(context: &Context, args: &MvArgs) -> Outcome {
    let place = |text: &str| match text.split_once('/') {
        Some((stack, environment)) if !stack.is_empty() && !environment.is_empty() => {
            Ok(EnvRef { stack: stack.to_owned(), environment: environment.to_owned() })
        }
        _ => Err(Failure::usage(format!("`{text}` does not read STACK/ENVIRONMENT"))),
    };
    let (from, to) = (place(&args.from)?, place(&args.to)?);
    let question = format!("Give the state of {} the name {}?", args.from, args.to);
    confirmed(context, &args.change, &question).await?;
    ops::rename(&engine::context(context), &from, &to).await?;
    match context.options.json {
        true => context.output.document(&serde_json::json!({"from": from, "to": to})),
        false => context.output.result(&format!("the state of {} is now that of {}\n", args.from, args.to)),
    }
    Ok(Exit::Done)
}

/// `state rm`
pub async fn rm(context: &mut Context, args: RmArgs, stack: Option<String>) -> Outcome {
    let options = options(context, &args.change, stack)?;
    let names: Vec<String> = args.address.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    confirmed(context, &args.change, &format!("Forget {names}? What they stand for stays as it is.")).await?;
    let ctx = engine::context(context);
    let version = ops::remove(&ctx, &options, &args.address, &mut reporter(context)).await?;
    Ok(told(context, version, &format!("forgotten: {names}")))
}

/// `state import`
pub async fn import(context: &mut Context, args: ImportArgs, stack: Option<String>) -> Outcome {
    let mut options = options(context, &args.change, stack)?;
    let ImportArgs { address, id, change } = args;
    confirmed(context, &change, &format!("Take {id} into state as {address}?")).await?;
    let ctx = engine::context(context);
    let version = loop {
        match ops::import(&ctx, &options, &address, &id, &mut reporter(context)).await {
            Ok(version) => break version,
            Err(failure) => engine::ask_for(context, failure, &mut options.plan.selection).await?,
        }
    };
    Ok(told(
        context,
        version,
        &format!("{address} is in state; `{} plan` shows what differs", context.options.command),
    ))
}

/// `state unlock`
pub async fn unlock(context: &mut Context, args: UnlockArgs, stack: Option<String>) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, stack)?;
    let epoch = ops::unlock(&ctx, &selection, &args.run).await?;
    match context.options.json {
        true => context.output.document(&serde_json::json!({"run": args.run, "epoch": epoch})),
        false => {
            let text = format!("the lock of run {} is broken: it can commit nothing any more\n", args.run);
            context.output.result(&text);
        }
    }
    Ok(Exit::Done)
}

fn options(context: &Context, change: &ChangeArgs, stack: Option<String>) -> Result<StateOptions, Failure> {
    let selection = engine::selection(context, stack)?;
    let plan = PlanOptions { selection, reason: change.reason.clone(), ..PlanOptions::default() };
    Ok(StateOptions { plan, auto_approve: change.auto_approve })
}

async fn confirmed(context: &Context, change: &ChangeArgs, question: &str) -> Result<(), Failure> {
    if change.auto_approve {
        return Ok(());
    }
    let (interrupts, can_ask) = (context.signals.interrupts(), context.surroundings.can_ask());
    prompt::confirm(&context.output, interrupts, can_ask, question, "give `--auto-approve`").await
}

/// What recovery of an earlier run says goes to stderr, whatever the result looks like.
fn reporter(context: &Context) -> Human {
    Human::new(context.output.clone(), context.options.command.clone())
}

fn told(context: &Context, version: u64, text: &str) -> Exit {
    match context.options.json {
        true => context.output.document(&serde_json::json!({"version": version})),
        false => context.output.result(&format!("{text}\nversion {version}\n")),
    }
    Exit::Done
}
