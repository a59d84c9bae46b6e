//! `drift`: asks every resource whether it is as it was applied. Changes nothing.

use serde::Serialize;
use windlass_model::{Address, Diagnostic, Operation, Value};

use super::context::Context;
use super::failure::Failure;
use super::plan::{Base, PlanOptions, Subject, plan_against};
use super::run::new_run;
use crate::plan::Refresh;

/// What differs from state.
#[derive(Clone, Debug, Serialize)]
pub struct Drift {
    /// The stack.
    pub stack: String,
    /// The environment.
    pub environment: String,
    /// The version it was compared with.
    pub version: u64,
    /// How many resources were asked and are as they were.
    pub unchanged: u32,
    /// What differs, by address.
    pub drifted: Vec<DriftItem>,
    /// Warnings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

/// A resource that differs.
#[derive(Clone, Debug, Serialize)]
pub struct DriftItem {
    /// Its address.
    pub address: Address,
    /// `gone` or `changed`.
    pub status: &'static str,
    /// The attributes that differ.
    pub changes: Vec<DriftChange>,
}

/// An attribute that differs; what is sensitive is masked.
#[derive(Clone, Debug, Serialize)]
pub struct DriftChange {
    /// Its path.
    pub path: String,
    /// As it was applied.
    pub before: serde_json::Value,
    /// As it is.
    pub after: serde_json::Value,
}

/// Looks for drift.
///
/// # Errors
/// Where something cannot be asked.
pub async fn drift(ctx: &Context, options: &PlanOptions) -> Result<Drift, Failure> {
    let options = PlanOptions { operation: Operation::Refresh, refresh: Refresh::Always, ..options.clone() };
    let subject = Subject::find(ctx, &options).await?;
    let head = windlass_store::Store::head(&*subject.store, &subject.selected.env).await?;
    let state = windlass_store::Store::state(&*subject.store, &subject.selected.env, None).await?;
    let base = Base { head: head.clone(), state: &state, run: new_run(ctx), log: None };
    let planned = plan_against(ctx, &options, subject, base).await?;
    let plan = &planned.file.plan;
    let gone = plan.gone.iter().map(|slot| DriftItem {
        address: slot.address.clone(),
        status: "gone",
        changes: Vec::new(),
    });
    let changed = plan.refreshed.iter().filter_map(|record| {
        let before = state.records.get(&record.slot)?;
        let changes = differences(&before.value.0, &record.value.0);
        Some(DriftItem { address: record.slot.address.clone(), status: "changed", changes })
    });
    let mut drifted: Vec<DriftItem> = gone.chain(changed).collect();
    drifted.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(Drift {
        stack: planned.env.stack.clone(),
        environment: planned.env.environment.clone(),
        version: head.version,
        unchanged: plan.unchanged,
        drifted,
        diagnostics: plan.diagnostics.clone(),
    })
}

/// The top-level attributes in which two values differ.
pub fn differences(before: &Value, after: &Value) -> Vec<DriftChange> {
    let names = before.entries().into_iter().chain(after.entries()).flatten();
    let names: std::collections::BTreeSet<_> = names.map(|(name, _)| name.clone()).collect();
    let shown = |value: Option<&Value>| {
        value.map_or(serde_json::Value::Null, |value| {
            serde_json::to_value(windlass_model::Shown(value)).unwrap_or_default()
        })
    };
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (before.get(&name), after.get(&name));
        let same = matches!((old, new), (Some(a), Some(b)) if a.same(b));
        if !same {
            changes.push(DriftChange { path: name.to_string(), before: shown(old), after: shown(new) });
        }
    }
    changes
}
