//! Whether a plan is carried out by the tools and in the accounts that it was made with (rules P2, T4).

use std::sync::Arc;

use windlass_model::{Files, Operation, Step};
use windlass_provider::{ProviderError, Session};
use windlass_store::{EnvRef, LocalStore, Store};

use super::context::Context;
use super::failure::Failure;
use super::run::new_run;
use super::select::load;
use super::workshop::{StepDirs, Workshop};
use crate::plan::{Names, PlanFile, World, configuration};

/// Checks each step that is still to be done, before anything is touched. A step that was not planned yet has none.
///
/// # Errors
/// Exit 4 where one differs.
pub async fn same_tools(
    ctx: &Context,
    store: &Arc<LocalStore>,
    env: &EnvRef,
    file: &PlanFile,
    files: Arc<dyn Files>,
    finished: &[bool],
) -> Result<(), Failure> {
    let done = |at: usize| finished.get(at).copied().unwrap_or(false);
    let steps = file.plan.steps.iter().enumerate().filter(|(at, _)| !done(*at)).map(|(_, step)| step);
    let steps: Vec<&Step> = steps.filter(|step| !step.tool.is_empty() || step.account.is_some()).collect();
    if steps.is_empty() {
        return Ok(());
    }
    let workshop = Workshop::new(ctx, env, &store.id().id, &new_run(ctx), StepDirs::default());
    let (stack, graph, _) = match load(ctx, &*files) {
        Ok(loaded) => loaded,
        Err(failure) if file.plan.header.operation == Operation::Destroy => {
            drop(failure);
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    let variables = file.plan.inputs.variables.iter();
    let variables = variables.map(|(name, value)| (name.as_str().into(), value.0.clone())).collect();
    let names = Names { stack: env.stack.as_str().into(), environment: env.environment.as_str().into() };
    let mut world = World::new(stack, graph, names, variables, files);
    let mut sessions = workshop.sessions();
    let catalog = ctx.providers.catalog.clone();
    for step in steps {
        if sessions.get(&step.provider).is_none() {
            let (config, budget) =
                configuration(&mut world, &catalog, &step.provider).map_err(Failure::all)?;
            if config.has_unknown() {
                continue;
            }
            let opened = sessions.open(&step.provider, &config, budget, &store.id().plan_key).await;
            opened.map_err(|error| with_hint(&error))?;
        }
        if let Some(opened) = sessions.get(&step.provider) {
            same(&*opened.session, step).await?;
        }
    }
    Ok(())
}

async fn same(session: &dyn Session, step: &Step) -> Result<(), Failure> {
    let wanted = if step.desired.0.is_null() { &step.before.0 } else { &step.desired.0 };
    let kind = &step.id.slot.address.kind;
    let tool = session.tool_for(kind, wanted).await.map_err(|error| with_hint(&error))?;
    if tool != step.tool {
        return Err(Failure::stale(format!("the plan was made with {}; here is {tool}", step.tool)));
    }
    let account = session.account_for(kind, wanted).await.map_err(|error| with_hint(&error))?;
    if account != step.account {
        let name = |account: &Option<String>| account.clone().unwrap_or_else(|| "none".to_owned());
        let (then, now) = (name(&step.account), name(&account));
        let title = format!("{}: the plan acts in {then}, and this is {now}", step.id.slot.address);
        return Err(Failure::stale(title));
    }
    Ok(())
}

fn with_hint(error: &ProviderError) -> Failure {
    let failure = Failure::failed(error.message.clone());
    match &error.hint {
        Some(hint) => failure.help(hint.clone()),
        None => failure,
    }
}
