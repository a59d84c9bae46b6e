//! `approve`: records that exactly this plan may be applied (rule P7).

use std::path::Path;
use std::sync::Arc;

use windlass_model::{Digest, PlanId, RunId, RunStatus};
use windlass_store::{Approval, EnvRef, LocalStore, Store};

use super::apply::read_plan;
use super::context::Context;
use super::failure::Failure;
use super::plan::place;
use super::select::Selection;
use super::waiting::{begun, status};
use crate::plan::PlanFile;

/// Something that can be approved.
pub struct Approvable {
    /// The plan, to be shown.
    pub file: PlanFile,
    /// What exactly is approved: the plan's id or a supplement's.
    pub plan: PlanId,
    /// What a supplement would do that was not announced.
    pub lines: Vec<String>,
    /// The digest of its seal.
    pub seal: Digest,
    /// Where.
    pub env: EnvRef,
    /// The store.
    pub store: Arc<LocalStore>,
}

/// Finds what is to be approved: a saved plan, or a waiting run.
///
/// # Errors
/// Where it is neither.
pub async fn approvable(ctx: &Context, selection: &Selection, what: &str) -> Result<Approvable, Failure> {
    let store = ctx.existing_store()?.ok_or_else(|| Failure::failed("there is no state here"))?;
    let path = ctx.dir.join(what);
    if path.is_file() {
        let file = read_plan(Path::new(&path), Some(&store.id().plan_key))?;
        let header = &file.plan.header;
        let env = EnvRef { stack: header.stack.clone(), environment: header.environment.clone() };
        return Ok(Approvable {
            plan: file.plan.id,
            lines: Vec::new(),
            seal: file.seal_digest(),
            file,
            env,
            store,
        });
    }
    let env = place(ctx, selection, &store).await?;
    let run = RunId(what.to_owned());
    let runs = store.runs(&env).await?;
    let Some(info) = runs.iter().find(|info| info.run == run) else {
        return Err(Failure::failed(format!(
            "`{what}` is neither a saved plan nor a run of {}",
            env.environment
        )));
    };
    if status(&info.entries) == Some(RunStatus::Applied) {
        return Err(Failure::failed(format!("run {run} is done: there is nothing to approve")));
    }
    let Some((_, object)) = begun(&info.entries) else {
        return Err(Failure::failed(format!("run {run} has no plan")));
    };
    let bytes = store.blob(&env, &object).await?;
    let file = PlanFile::from_bytes(&bytes, Some(&store.id().plan_key))
        .map_err(|problem| Failure::failed(format!("the plan of run {run}: {problem}")))?;
    let asked = info.entries.iter().rev().find_map(|entry| match entry {
        windlass_model::Entry::Asked { supplement, lines, .. } => Some((*supplement, lines.clone())),
        _ => None,
    });
    let (plan, lines) = asked.unwrap_or_else(|| (file.plan.id, Vec::new()));
    Ok(Approvable { plan, lines, seal: file.seal_digest(), file, env, store })
}

/// Records the approval; the first one stays.
///
/// # Errors
/// Where the store fails.
pub async fn approve(ctx: &Context, what: &Approvable) -> Result<Approval, Failure> {
    let approval =
        Approval { plan: what.plan, seal: what.seal, who: ctx.actor.clone(), when_ms: ctx.host.now_ms() };
    Ok(what.store.approve(&what.env, &approval).await?)
}
