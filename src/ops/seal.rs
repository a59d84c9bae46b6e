//! A plan sealed: what its id leaves out (rule P2), its file, and what makes it invalid from the start.

use std::collections::BTreeMap;
use std::path::Path;

use windlass_model::{Address, Diagnostic, Header, Inputs, Plan, Seal, Stored, canon};
use windlass_store::{EnvRef, LocalStore, Seen, SeenEntry, Store};

use super::context::Context;
use super::failure::Failure;
use super::plan::{Base, PlanOptions, Planned};
use super::select::Selected;
use crate::plan::{Draft, Freshness, plan_id};
use crate::stack::Manifest;

/// Two environments that end in the same real place would fight over it (rule P8).
pub async fn same_place(store: &LocalStore, env: &EnvRef, draft: &mut Draft) -> Result<(), Failure> {
    if draft.places.is_empty() {
        return Ok(());
    }
    let mut by_place: BTreeMap<&str, &Address> = BTreeMap::new();
    let mut errors = Vec::new();
    for (address, place) in &draft.places {
        if let Some(other) = by_place.insert(place, address) {
            errors.push(Diagnostic::error(format!("{other} and {address} end in the same place: {place}")));
        }
    }
    for other in store.environments().await? {
        if other == *env {
            continue;
        }
        for record in store.state(&other, None).await?.records.values() {
            let Some(address) = record.place.as_deref().and_then(|place| by_place.get(place)) else {
                continue;
            };
            let title = format!(
                "{address} ends in a place that environment `{}` of stack `{}` has already ({}): {}",
                other.environment,
                other.stack,
                record.slot,
                record.place.as_deref().unwrap_or_default()
            );
            errors.push(Diagnostic::error(title).help("put `environment.name` into its name or path"));
        }
    }
    draft.diagnostics.extend(errors);
    Ok(())
}

/// The plan with its id and seal.
pub fn sealed(
    ctx: &Context,
    options: &PlanOptions,
    selected: &Selected,
    store: &LocalStore,
    base: &Base<'_>,
    draft: Draft,
    manifest: &Manifest,
) -> Plan {
    let header = Header {
        stack: selected.env.stack.clone(),
        environment: selected.env.environment.clone(),
        operation: options.operation,
        rollback_to: options.rollback_to,
        targets: options.targets.clone(),
        outputs: draft.outputs,
    };
    let seal = Seal {
        base_version: base.head.version,
        store_id: store.id().id.clone(),
        snapshot: canon::digest(manifest),
        tools: draft.tools,
        who: ctx.actor.clone(),
        created_ms: ctx.host.now_ms(),
        reason: options.reason.clone(),
        after_rollback: None,
    };
    let id = plan_id(&header, &draft.steps, &draft.refreshed, &draft.gone, &store.id().plan_key);
    let variables = selected.variables.iter().map(|(name, value)| (name.to_string(), Stored(value.clone())));
    Plan {
        id,
        header,
        seal,
        inputs: Inputs { variables: variables.collect() },
        steps: draft.steps,
        refreshed: draft.refreshed,
        gone: draft.gone,
        diagnostics: draft.diagnostics,
        unchanged: draft.unchanged,
        not_asked: draft.not_asked,
    }
}

/// The cache of the store as planning takes it.
pub fn freshness(seen: Seen) -> Freshness {
    seen.resources.into_iter().map(|(slot, entry)| (slot, (entry.at_ms, entry.fingerprint))).collect()
}

/// And back.
pub fn seen(freshness: &Freshness) -> Seen {
    let entry = |(slot, (at_ms, fingerprint)): (&String, &(u64, windlass_model::Digest))| {
        (slot.clone(), SeenEntry { at_ms: *at_ms, fingerprint: *fingerprint })
    };
    Seen { resources: freshness.iter().map(entry).collect() }
}

/// Saves a plan for `apply FILE`: whole or not at all, and readable by its owner only (a tool's plan holds secrets in
/// clear). What it made outside waits with it. Answers with warnings.
///
/// # Errors
/// Where it cannot be written.
pub async fn save_plan(planned: Planned, path: &Path) -> Result<Vec<Diagnostic>, Failure> {
    let bytes = planned.file.to_bytes(&planned.store.id().plan_key, true).map_err(Failure::failed);
    let written = bytes.and_then(|bytes| planned.store.write_private(path, &bytes).map_err(Failure::from));
    match written {
        Ok(()) => planned.made.saved(&planned.file.plan).await,
        Err(mut failure) => {
            failure.diagnostics.extend(planned.made.discard(Some(&planned.file.plan)).await);
            Err(failure)
        }
    }
}

/// A plan that is not saved and not applied: what it made outside is thrown away. Answers with what could not be.
pub async fn drop_plan(planned: Planned) -> Vec<Diagnostic> {
    planned.made.discard(Some(&planned.file.plan)).await
}
