//! Planning: ask what is there, decide what is to be done, put it in order.

mod ask;
mod bundle;
mod decide;
mod desire;
mod expand;
mod file;
mod identity;
mod order;
mod planner;
pub mod render;
mod sessions;
mod world;

use windlass_model::{Address, Diagnostic, Kind, ResourceSchema, Value};

pub use ask::{Answered, Job, ask};
pub use bundle::{BlobSource, Blobs, Notes, PlanEngine, latest};
pub use decide::{Answer, Decision, Subject, at, decide, deferred, deletion};
pub use desire::{Desire, desire, instance_dependencies, policy};
pub use expand::Expansion;
pub use file::{FileProblem, PlanFile, seal_digest};
pub use identity::{fingerprint, plan_id, step_digest, supplement_id};
pub use order::{Dependencies, Wiring, arrange};
pub use planner::{Draft, Freshness, Past, Refresh, Request, configuration, plan};
pub use sessions::{Budget, Calls, Opened, Providers, Sessions, file_name, plan_token};
pub use world::{Instance, InstanceScope, Names, World};

/// What the unknown parts of a value wait for, as text: sorted, each once.
pub fn waits_for(value: &Value) -> Vec<String> {
    let mut found = std::collections::BTreeSet::new();
    collect_sources(value, &mut found);
    found.into_iter().collect()
}

fn collect_sources(value: &Value, found: &mut std::collections::BTreeSet<String>) {
    if !value.has_unknown() {
        return;
    }
    match &value.kind {
        Kind::Unknown(unknown) => {
            found.insert(unknown.source.as_deref().unwrap_or("a value known after apply").to_owned());
        }
        Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => {
            s.items.iter().for_each(|item| collect_sources(item, found))
        }
        Kind::Map(f) | Kind::Object(f) => f.entries.iter().for_each(|(_, item)| collect_sources(item, found)),
        _ => {}
    }
}

/// A resource's value in which every unknown part says which attribute it waits for: whoever uses it can then be told.
pub fn named_unknowns(address: &Address, value: &Value) -> Value {
    let entries = match value.entries() {
        Some(entries) if value.has_unknown() => entries,
        _ => return value.clone(),
    };
    let named = entries.iter().map(|(name, value)| match value.has_unknown() {
        true => (name.clone(), named(value, &format!("{address}.{name}").into())),
        false => (name.clone(), value.clone()),
    });
    Value { marks: value.marks, ..Value::object(named) }
}

fn named(value: &Value, source: &std::sync::Arc<str>) -> Value {
    match &value.kind {
        Kind::Unknown(unknown) if unknown.source.is_none() => {
            let unknown = windlass_model::Unknown { source: Some(source.clone()), ..(**unknown).clone() };
            Value { kind: Kind::Unknown(std::sync::Arc::new(unknown)), marks: value.marks }
        }
        _ if value.has_unknown() => value.map_children(|child| named(child, source)),
        _ => value.clone(),
    }
}

/// What a resource will be as far as it is certain: what is given, and every computed attribute unknown.
pub fn with_unknowns(address: &Address, schema: &ResourceSchema, desired: &Value) -> Value {
    let given = desired.entries().unwrap_or_default().iter().cloned();
    let computed = schema
        .body
        .attributes
        .iter()
        .filter(|(name, attribute)| attribute.computed && desired.get(name).is_none_or(Value::is_null));
    let unknown = computed.map(|(name, attribute)| {
        let value = Value::unknown_from(attribute.ty.clone(), format!("{address}.{name}"));
        (std::sync::Arc::from(*name), if attribute.sensitive { value.sensitive() } else { value })
    });
    Value::object(given.chain(unknown))
}

/// The value of an output. What it uses must be prepared in the world.
///
/// # Errors
/// Where it cannot be evaluated, or shows a secret without saying so.
pub fn output(
    block: &crate::stack::OutputBlock,
    name: &str,
    world: &World,
) -> Result<Value, Box<Diagnostic>> {
    let value = crate::lang::evaluate(&block.value, &block.file, &world.scope(Instance::default()))?;
    if block.sensitive {
        return Ok(value.sensitive());
    }
    if value.has_sensitive() {
        let span = block.value.at.in_file(&block.file);
        let error = Diagnostic::error(format!("output `{name}` shows a sensitive value"));
        return Err(Box::new(
            error.at(&span, "this is sensitive").help("add `sensitive = true` to the output"),
        ));
    }
    Ok(value)
}
