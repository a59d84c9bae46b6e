//! `apply`: lock, recover, plan, show, confirm, carry out; or carry out a saved plan.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use windlass_model::{Diagnostic, Operation, Plan, canon};
use windlass_store::{Approval, EnvRef, LocalStore, Store};

use super::context::Context;
use super::done::{Done, tell_idle};
use super::execute::{Execution, execute};
use super::failure::{Failure, FailureKind};
use super::hold::Hold;
use super::plan::{Base, PlanOptions, Planned, Subject, plan_against};
use super::same::same_tools;
use super::seal::drop_plan;
use super::select::{load, select};
use super::snapshot::{StoreBlobs, files};
use super::waiting;
use crate::apply::{Gate, Recorder, Signal};
use crate::event::{Numbered, Reporter};
use crate::plan::PlanFile;

/// Shows a plan and asks whether it is to be carried out.
#[async_trait]
pub trait Confirm: Send + Sync {
    /// Shows the plan, and what is to be said before it.
    async fn show(&self, plan: &Planned, said: &[Diagnostic]);

    /// Whether to carry it out.
    ///
    /// # Errors
    /// Where nobody can be asked.
    async fn ask(&self, plan: &Plan) -> Result<bool, Failure>;
}

/// How a plan is applied.
pub struct ApplyOptions {
    /// What is planned.
    pub plan: PlanOptions,
    /// Nobody is asked.
    pub auto_approve: bool,
    /// After a rollback the stack is to be applied again (rule V7).
    pub after_rollback: bool,
    /// Somebody sits at a terminal.
    pub terminal: bool,
    /// Who answers questions in mid-run.
    pub gate: Arc<dyn Gate>,
}

/// Plans and applies.
///
/// # Errors
/// Where it cannot be planned, is not wanted, or cannot begin.
pub async fn apply(
    ctx: &Context,
    options: &ApplyOptions,
    confirm: &dyn Confirm,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    reporter: &mut dyn Reporter,
) -> Result<Done, Failure> {
    let reporter = &mut Numbered::new(reporter);
    let subject = Subject::find(ctx, &options.plan).await?;
    let (store, env) = (subject.store.clone(), subject.selected.env.clone());
    let manual = subject.selected.manual;
    if manual && options.auto_approve {
        let title =
            format!("environment `{}` needs an approval: `--auto-approve` is refused", env.environment);
        let help = format!(
            "run `windlass {}` without it: it saves the plan and says how to approve it",
            options.plan.operation.as_str()
        );
        let error = Diagnostic::error(title).help(help);
        return Err(Failure::new(FailureKind::NotApproved, error));
    }
    let hold = Hold::take(ctx, &store, &env, options.plan.operation, reporter).await?;
    let planned = match planned(ctx, options, subject, &hold).await {
        Ok(planned) => planned,
        Err(failure) => return Err(hold.fail(failure).await),
    };
    let mut said = hold.recovered.notes.clone();
    said.extend(waiting::superseded(&store, &env, &planned.file.plan).await);
    confirm.show(&planned, &said).await;
    if let Some(refused) = refused(options, &planned).await {
        return Err(dropped(hold, planned, refused).await);
    }
    if planned.file.plan.is_empty() {
        let warnings = drop_plan(planned).await;
        let mut done = idle(ctx, hold, reporter).await?;
        done.diagnostics.extend(warnings);
        return Ok(done);
    }
    if manual {
        let run = hold.run.clone();
        let done = waiting::save(ctx, planned, hold.recorder, &run).await?;
        tell_idle(ctx, &run, &done, reporter);
        return Ok(done);
    }
    if let Some(failure) = not_confirmed(options, confirm, &planned.file.plan).await {
        return Err(dropped(hold, planned, failure).await);
    }
    let Hold { recorder, recovered, run } = hold;
    let made = planned.made;
    let mut execution = Execution::new(planned.file, env, store, run, options.gate.clone());
    execution.earlier = recovered.steps;
    execution.made = Some(made);
    execute(ctx, execution, recorder, signals, reporter).await
}

/// The plan is not carried out: what it made is thrown away, the lock given back.
async fn dropped(hold: Hold, planned: Planned, mut failure: Failure) -> Failure {
    failure.diagnostics.extend(drop_plan(planned).await);
    hold.fail(failure).await
}

/// Why the plan is not carried out, where somebody has to say yes and did not.
async fn not_confirmed(options: &ApplyOptions, confirm: &dyn Confirm, plan: &Plan) -> Option<Failure> {
    if options.auto_approve {
        return None;
    }
    match confirm.ask(plan).await {
        Ok(true) => None,
        Ok(false) => {
            Some(Failure::new(FailureKind::NotApproved, Diagnostic::error("the plan was not approved")))
        }
        Err(failure) => Some(failure),
    }
}

/// Nothing is to be done: gives the lock back and says so.
async fn idle(ctx: &Context, hold: Hold, reporter: &mut dyn Reporter) -> Result<Done, Failure> {
    let (run, outputs) = (hold.run.clone(), hold.recorder.state.outputs.clone());
    hold.release().await?;
    let done = Done::nothing(outputs);
    tell_idle(ctx, &run, &done, reporter);
    Ok(done)
}

async fn planned(
    ctx: &Context,
    options: &ApplyOptions,
    subject: Subject,
    hold: &Hold,
) -> Result<Planned, Failure> {
    let head = subject.store.head(&subject.selected.env).await?;
    let log = hold.recorder.held.steps().parent().map(|run| run.join("log"));
    let base = Base { head, state: &hold.recorder.state, run: hold.run.clone(), log };
    plan_against(ctx, &options.plan, subject, base).await
}

/// Why a plan may not be carried out as asked.
async fn refused(options: &ApplyOptions, planned: &Planned) -> Option<Failure> {
    if !planned.errors.is_empty() {
        return Some(Failure::all(planned.errors.clone()));
    }
    let after = after_rollback(&planned.store, &planned.env).await?;
    let ordinary = options.plan.operation == Operation::Apply;
    if !ordinary || options.after_rollback || options.terminal || planned.file.plan.is_empty() {
        return None;
    }
    let title =
        format!("the state was rolled back to version {after}, and this would apply the checkout again");
    let error = Diagnostic::error(title).help("if that is what you want: `windlass apply --after-rollback`");
    Some(Failure::new(FailureKind::NotApproved, error))
}

/// The version that the last version rolled back to, if it was a rollback (rule V7).
pub async fn after_rollback(store: &LocalStore, env: &EnvRef) -> Option<u64> {
    let versions = store.versions(env).await.ok()?;
    versions.first().filter(|version| version.operation == Operation::Rollback)?.rolls_back_to
}

/// Reads a saved plan of this store.
///
/// # Errors
/// Where it is not one.
pub fn read_plan(path: &std::path::Path, key: Option<&[u8]>) -> Result<PlanFile, Failure> {
    let shown = path.display();
    let unreadable = |error| Failure::failed(format!("cannot read the saved plan {shown}: {error}"));
    let bytes = std::fs::read(path).map_err(unreadable)?;
    PlanFile::from_bytes(&bytes, key).map_err(|problem| match problem {
        crate::plan::FileProblem::Broken => Failure::stale(format!("{shown}: {problem}")),
        problem => Failure::failed(format!("{shown}: {problem}")),
    })
}

/// Applies a saved plan: that, and only that (rule P2). Asks nothing.
///
/// # Errors
/// Exit 4 where it no longer fits, 5 where an approval is missing.
pub async fn apply_file(
    ctx: &Context,
    path: &std::path::Path,
    gate: Arc<dyn Gate>,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    reporter: &mut dyn Reporter,
) -> Result<Done, Failure> {
    let reporter = &mut Numbered::new(reporter);
    let store = ctx.store()?;
    let header = read_plan(path, None)?.plan;
    if header.seal.store_id != store.id().id {
        let title = "the plan was made with another store".to_owned();
        return Err(Failure::stale(format!("{title}: {} and not {}", header.seal.store_id, store.id().id)));
    }
    let file = read_plan(path, Some(&store.id().plan_key))?;
    let env =
        EnvRef { stack: file.plan.header.stack.clone(), environment: file.plan.header.environment.clone() };
    let hold = Hold::take(ctx, &store, &env, file.plan.header.operation, reporter).await?;
    let (manual, approval) = match permitted(ctx, &store, &env, &file, &hold.recorder, path).await {
        Ok(found) => found,
        Err(failure) => return Err(hold.fail(failure).await),
    };
    if file.plan.is_empty() {
        return idle(ctx, hold, reporter).await;
    }
    let Hold { recorder, recovered, run } = hold;
    let mut execution = Execution::new(file, env, store, run, gate);
    execution.earlier = recovered.steps;
    execution.manual = manual;
    execution.approval = approval;
    execute(ctx, execution, recorder, signals, reporter).await
}

/// Whether a saved plan may be applied: it fits, and where approval is manual it is approved.
async fn permitted(
    ctx: &Context,
    store: &Arc<LocalStore>,
    env: &EnvRef,
    file: &PlanFile,
    recorder: &Recorder,
    path: &std::path::Path,
) -> Result<(bool, Option<Approval>), Failure> {
    let manual = fits(ctx, store, env, file, recorder).await?;
    let approval = store.approval(env, &file.plan.id, &file.seal_digest()).await?;
    if manual && approval.is_none() {
        let title = format!("environment `{}` needs an approval of this plan", env.environment);
        let help = format!("`windlass approve {}`", path.display());
        return Err(Failure::new(FailureKind::NotApproved, Diagnostic::error(title).help(help)));
    }
    Ok((manual, approval))
}

/// Whether a saved plan still fits: state version, snapshot, tools, accounts. Answers whether approval is needed.
async fn fits(
    ctx: &Context,
    store: &Arc<LocalStore>,
    env: &EnvRef,
    file: &PlanFile,
    recorder: &Recorder,
) -> Result<bool, Failure> {
    let now = store.head(env).await?.version;
    let then = file.plan.seal.base_version;
    if now != then {
        let title =
            format!("the plan was made against version {then} of the state, which is at version {now}");
        return Err(Failure::stale(title));
    }
    if canon::digest(&file.manifest) != file.plan.seal.snapshot {
        return Err(Failure::stale("the plan's snapshot is not the one that it was sealed with"));
    }
    let source = StoreBlobs { store: store.clone(), env: env.clone() };
    let files = files(&file.manifest, &file.blobs, &source, Some(ctx.dir.clone())).await?;
    let loaded = crate::stack::load(&*files, &ctx.providers.catalog);
    let manual = loaded.stack.environments.get(env.environment.as_str()).is_some_and(|e| e.manual_approval);
    for step in &file.plan.steps {
        let record = recorder.state.records.get(&step.id.slot).map(|record| record.digest());
        let refreshed = file.plan.refreshed.iter().any(|record| record.slot == step.id.slot);
        if !refreshed && step.prior.is_some() && record != step.prior {
            return Err(Failure::stale(format!("{} is not as it was when the plan was made", step.id.slot)));
        }
    }
    same_tools(ctx, store, env, file, files, &[]).await?;
    Ok(manual)
}

/// Values of today for a plan of today: used by operations that only look.
pub async fn selected_now(
    ctx: &Context,
    options: &PlanOptions,
) -> Result<(super::select::Selected, Arc<crate::stack::Checkout>), Failure> {
    let checkout = super::select::checkout(ctx)?;
    let (stack, graph, warnings) = load(ctx, &*checkout)?;
    let store = ctx.existing_store()?;
    let store = store.as_ref().map(|store| &**store as &dyn Store);
    let selected = select(stack, graph, warnings, &options.selection, &*checkout, store).await?;
    Ok((selected, checkout))
}
