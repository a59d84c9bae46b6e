//! What an instance of a block is to be: its evaluated body, its dependencies, how its steps are run.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{
    Address, AttrPath, Catalog, Diagnostic, Finding, Key, Op, PathStep, Policy, Record, ResourceSchema,
    Severity, Value,
};

use super::world::{Instance, World};
use crate::lang::{self, Expr, Reference};
use crate::stack::{self, ResourceBlock};

/// Without a `timeouts` block a step may take this long (rule T9).
const TIMEOUT_S: u64 = 3600;

/// What an instance is to be.
#[derive(Debug)]
pub struct Desire {
    /// Its address.
    pub address: Address,
    /// The evaluated body, `ignore_changes` applied.
    pub value: Value,
    /// What it depends on: instances where the reference says which, else whole blocks.
    pub depends_on: Vec<Address>,
}

/// Evaluates an instance of a block. What it uses must be prepared in the world.
///
/// # Errors
/// All that is wrong with the body.
pub fn desire(
    world: &World,
    catalog: &Catalog,
    block: u32,
    instance: &Instance,
    prior: Option<&Record>,
) -> Result<Desire, Vec<Diagnostic>> {
    let resource = &world.stack.resources[block as usize];
    let address = Address::new(resource.kind.clone(), resource.name.clone()).with_key(instance.key.clone());
    let Some((_, schema)) = catalog.resource(&resource.kind) else {
        return Err(vec![Diagnostic::error(format!("unknown resource type `{}`", resource.kind))]);
    };
    let scope = world.scope(instance.clone());
    let value = stack::decode_body(&schema.body, &resource.body, &resource.file, &scope)?;
    let value = match prior {
        Some(prior) => ignoring(resource, value, &prior.inputs.0),
        None => value,
    };
    let depends_on = instance_dependencies(world, block, instance);
    Ok(Desire { address, value, depends_on })
}

/// `ignore_changes`: what it names stays as it was last asked for.
fn ignoring(resource: &ResourceBlock, desired: Value, before: &Value) -> Value {
    if resource.meta.ignore_all {
        return before.clone();
    }
    resource.meta.ignore_changes.iter().fold(desired, |desired, path| keep(&desired, before, &path.0))
}

fn keep(desired: &Value, before: &Value, path: &[PathStep]) -> Value {
    let Some((first, rest)) = path.split_first() else { return before.clone() };
    let PathStep::Name(name) = first else { return desired.clone() };
    let (Some(entries), Some(old)) = (desired.entries(), before.get(name)) else { return desired.clone() };
    let now = desired.get(name).cloned().unwrap_or(Value::NULL);
    let kept = keep(&now, old, rest);
    let mut entries: Vec<(Arc<str>, Value)> = entries.to_vec();
    match entries.iter_mut().find(|(key, _)| key == name) {
        Some(entry) => entry.1 = kept,
        None => entries.push((name.clone(), kept)),
    }
    match &desired.kind {
        windlass_model::Kind::Map(fields) => {
            Value::map(fields.element.clone(), entries).marked(desired.marks)
        }
        _ => Value::object(entries).marked(desired.marks),
    }
}

/// What an instance depends on directly.
pub fn instance_dependencies(world: &World, block: u32, instance: &Instance) -> Vec<Address> {
    let uses = &world.graph.blocks[block as usize];
    if uses.blocks.is_empty() {
        return Vec::new();
    }
    let resource = &world.stack.resources[block as usize];
    let mut found = std::collections::BTreeSet::new();
    let mut indexes: Option<BTreeMap<u32, Vec<&Expr>>> = None;
    for used in &uses.blocks {
        let address = crate::graph::address(&world.stack, used.block);
        let single = matches!(world.expansion(used.block), Some(super::Expansion::Single) | None);
        if single || used.whole {
            found.insert(address);
            continue;
        }
        let all = indexes.get_or_insert_with(|| direct_indexes(world, resource));
        match all.get(&used.block).map(|exprs| keys(world, resource, instance, exprs)) {
            Some(Some(keys)) => found.extend(keys.into_iter().map(|key| address.with_key(Some(key)))),
            _ => {
                found.insert(address);
            }
        }
    }
    found.into_iter().collect()
}

/// The index expressions behind each block that a resource's own expressions name.
fn direct_indexes<'w>(world: &'w World, resource: &'w ResourceBlock) -> BTreeMap<u32, Vec<&'w Expr>> {
    let mut found: BTreeMap<u32, Vec<&Expr>> = BTreeMap::new();
    resource.body.uses(&mut |used| {
        if let (Reference::Resource(kind, name), Some(index)) = (used.reference, used.index)
            && let Some(block) = world.graph.find(kind, name)
        {
            found.entry(block).or_default().push(index);
        }
    });
    found
}

/// The keys that index expressions have for an instance; `None` where one is not known.
fn keys(world: &World, resource: &ResourceBlock, instance: &Instance, exprs: &[&Expr]) -> Option<Vec<Key>> {
    let scope = world.scope(instance.clone());
    let key = |expr: &&Expr| {
        let value = lang::evaluate(expr, &resource.file, &scope).ok()?;
        match value.as_str() {
            Some(name) => Some(Key::Name(name.into())),
            None => value.as_i64().and_then(|i| u64::try_from(i).ok()).map(Key::Index),
        }
    };
    exprs.iter().map(key).collect()
}

/// How the steps of a resource are run.
pub fn policy(
    resource: Option<&ResourceBlock>,
    schema: &ResourceSchema,
    op: Op,
    prior: Option<&Record>,
    value: &Value,
) -> Policy {
    let meta = resource.map(|resource| &resource.meta);
    let word = match op {
        Op::Delete => "delete",
        Op::Create => "create",
        _ => "update",
    };
    let timeout = meta.and_then(|meta| meta.timeouts.get(word).copied());
    let kind = resource.map(|resource| &*resource.kind);
    let given = |name: &str| value.get(name).is_some_and(|value| !value.is_null());
    Policy {
        timeout_s: timeout.unwrap_or(TIMEOUT_S),
        attempts: meta.and_then(|meta| meta.retry.as_ref()).map_or(ATTEMPTS, |retry| retry.attempts),
        health: meta.is_some_and(|meta| meta.health.is_some()),
        reverts: schema.can.reverts && op == Op::Update,
        protect: meta.map_or_else(|| prior.is_some_and(|prior| prior.protect), |meta| meta.prevent_destroy),
        uses_checkout: kind == Some("local_command") && !given("files"),
    }
}

/// Without a `retry` block a temporary failure is tried this often in all.
const ATTEMPTS: u32 = 4;

/// A provider's finding with its place in the source.
pub fn placed(resource: Option<&ResourceBlock>, address: &Address, finding: &Finding) -> Diagnostic {
    let title = match finding.path == AttrPath::default() {
        true => format!("{address}: {}", finding.message),
        false => format!("{address}: `{}`: {}", finding.path, finding.message),
    };
    let mut diagnostic = match finding.severity {
        Severity::Error => Diagnostic::error(title),
        Severity::Warning => Diagnostic::warning(title),
    };
    if let Some(resource) = resource {
        let span = stack::place(&resource.body, &resource.file, &finding.path);
        diagnostic = diagnostic.at(&span.unwrap_or_else(|| resource.head.in_file(&resource.file)), "here");
    }
    match &finding.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}
