//! Looks at state.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use windlass_model::{Address, Epoch, Output, Record, RunId, Slot, State};
use windlass_store::{EnvRef, LocalStore, Problem, Store, VersionMeta};

use crate::ops::context::Context;
use crate::ops::drift::{DriftChange, differences};
use crate::ops::failure::Failure;
use crate::ops::plan::place;
use crate::ops::select::Selection;

/// A store and an environment in it.
pub struct Place {
    /// The store.
    pub store: Arc<LocalStore>,
    /// The environment.
    pub env: EnvRef,
}

/// Where state is looked at: the environment must be named unless there is only one.
///
/// # Errors
/// Where there is none.
pub async fn find(ctx: &Context, selection: &Selection) -> Result<Place, Failure> {
    let store = ctx.existing_store()?.ok_or_else(|| {
        Failure::failed("there is no state here").help("`windlass apply` makes it; `-C DIR` looks elsewhere")
    })?;
    let env = place(ctx, selection, &store).await?;
    Ok(Place { store, env })
}

/// The records of a version (`None`: the current one), sorted by address.
///
/// # Errors
/// Where it cannot be read.
pub async fn list(
    ctx: &Context,
    selection: &Selection,
    version: Option<u64>,
) -> Result<Vec<Arc<Record>>, Failure> {
    Ok(state_at(ctx, selection, version).await?.records.into_values().collect())
}

/// The state at a version (`None`: the current one).
///
/// # Errors
/// Where it cannot be read.
pub async fn state_at(ctx: &Context, selection: &Selection, version: Option<u64>) -> Result<State, Failure> {
    let Place { store, env } = find(ctx, selection).await?;
    Ok(store.state(&env, version).await?)
}

/// The outputs as last applied.
///
/// # Errors
/// Where there is no state.
pub async fn outputs(ctx: &Context, selection: &Selection) -> Result<BTreeMap<String, Output>, Failure> {
    Ok(state_at(ctx, selection, None).await?.outputs)
}

/// The versions, newest first.
///
/// # Errors
/// Where they cannot be read.
pub async fn versions(ctx: &Context, selection: &Selection) -> Result<Vec<VersionMeta>, Failure> {
    let Place { store, env } = find(ctx, selection).await?;
    Ok(store.versions(&env).await?)
}

/// What changed from one version to another.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// The earlier one.
    pub from: u64,
    /// The later one.
    pub to: u64,
    /// In `to` only.
    pub added: Vec<Address>,
    /// In `from` only.
    pub removed: Vec<Address>,
    /// In both, and different.
    pub changed: Vec<ChangedRecord>,
}

/// A record that differs between versions.
#[derive(Clone, Debug, Serialize)]
pub struct ChangedRecord {
    /// Its address.
    pub address: Address,
    /// How.
    pub changes: Vec<DriftChange>,
}

impl Diff {
    /// Compares two versions.
    ///
    /// # Errors
    /// Where one is not there.
    pub async fn between(ctx: &Context, selection: &Selection, from: u64, to: u64) -> Result<Diff, Failure> {
        let Place { store, env } = find(ctx, selection).await?;
        let (before, after) = (store.state(&env, Some(from)).await?, store.state(&env, Some(to)).await?);
        let only = |a: &State, b: &State| {
            let missing = |slot: &&Slot| !b.records.contains_key(*slot);
            a.records.keys().filter(missing).map(|slot| slot.address.clone()).collect()
        };
        let changed = after.records.iter().filter_map(|(slot, new)| {
            let old = before.records.get(slot).filter(|old| *old != new)?;
            let changes = differences(&old.value.0, &new.value.0);
            Some(ChangedRecord { address: slot.address.clone(), changes })
        });
        let changed = changed.collect();
        Ok(Diff { from, to, added: only(&after, &before), removed: only(&before, &after), changed })
    }
}

/// A version's whole state as JSON, sensitive values in clear or masked.
///
/// # Errors
/// Where it cannot be read.
pub async fn pull(
    ctx: &Context,
    selection: &Selection,
    version: Option<u64>,
    show_sensitive: bool,
) -> Result<serde_json::Value, Failure> {
    let Place { store, env } = find(ctx, selection).await?;
    let state = store.state(&env, version).await?;
    let version = match version {
        Some(version) => version,
        None => store.head(&env).await?.version,
    };
    let value = |value: &windlass_model::Value| match show_sensitive {
        true => windlass_model::to_json(value).unwrap_or_default(),
        false => serde_json::to_value(windlass_model::Shown(value)).unwrap_or_default(),
    };
    let records = state.records.values().map(|record| {
        serde_json::json!({
            "address": record.slot,
            "type": record.slot.address.kind,
            "provider": record.provider,
            "status": record.status(),
            "depends_on": record.depends_on,
            "attributes": value(&record.value.0),
            "nested": record.nested,
            "protect": record.protect,
            "tainted": record.tainted,
            "in_doubt": record.in_doubt,
        })
    });
    let outputs: serde_json::Map<String, serde_json::Value> = state
        .outputs
        .iter()
        .map(|(name, output)| {
            (
                name.clone(),
                serde_json::json!({"value": value(&output.value.0), "sensitive": output.sensitive}),
            )
        })
        .collect();
    Ok(serde_json::json!({
        "format": "windlass.state/1",
        "stack": env.stack,
        "environment": env.environment,
        "version": version,
        "records": records.collect::<Vec<_>>(),
        "outputs": outputs,
    }))
}

/// Breaks the lock of exactly this run: its holder can commit nothing from now on.
///
/// # Errors
/// Where it does not hold the lock.
pub async fn unlock(ctx: &Context, selection: &Selection, run: &str) -> Result<Epoch, Failure> {
    let Place { store, env } = find(ctx, selection).await?;
    Ok(store.unlock(&env, &RunId(run.to_owned()), ctx.host.random()).await?)
}

/// What is wrong in the store, for each of its environments; changes nothing. Empty where there is no store.
///
/// # Errors
/// Where the store itself cannot be read.
pub async fn check_store(ctx: &Context) -> Result<Vec<(EnvRef, Vec<Problem>)>, Failure> {
    let Some(store) = ctx.existing_store()? else { return Ok(Vec::new()) };
    let checked = store.environments().await?.into_iter().map(|env| {
        let problems = store.doctor(&env);
        (env, problems)
    });
    Ok(checked.collect())
}

/// Gives an environment's state another name: the stack or the environment was renamed (rule P9).
///
/// # Errors
/// Where there is none, it is in use, or the new name has state already.
pub async fn rename(ctx: &Context, from: &EnvRef, to: &EnvRef) -> Result<(), Failure> {
    let store = ctx.existing_store()?.ok_or_else(|| Failure::failed("there is no state here"))?;
    Ok(store.rename(from, to)?)
}
