//! Provider blocks: configured and opened when the first resource needs them; and what `--target` leaves in.

use std::collections::BTreeSet;

use windlass_model::{Catalog, Diagnostic, Operation, Value};

use super::{Planner, Request};
use crate::plan::sessions::Budget;
use crate::plan::{Instance, World};
use crate::stack::{self, BodyExpr, ResourceBlock};

/// How a resource's provider alias stands.
pub(super) enum Config {
    /// Opened.
    Open(String),
    /// Its configuration waits for these.
    Unknown(String, Vec<String>),
    /// It could not be opened; that was said.
    Failed(String),
}

impl Config {
    pub(super) fn alias(&self) -> &str {
        match self {
            Config::Open(alias) | Config::Unknown(alias, _) | Config::Failed(alias) => alias,
        }
    }
}

/// What every provider block may hold besides its provider's own attributes.
const SHARED: [&str; 3] = ["concurrency", "refresh_after", "alias"];

impl Planner<'_> {
    /// Opens the provider of a resource block.
    pub(super) async fn open_provider(&mut self, block: u32, resource: &ResourceBlock) -> Config {
        let catalog = self.request.sessions.providers.catalog.clone();
        let Some((schema, _)) = catalog.resource(&resource.kind) else {
            return Config::Failed(String::new());
        };
        let alias = match &resource.provider_alias {
            Some(alias) => format!("{}.{alias}", schema.name),
            None => schema.name.to_owned(),
        };
        self.open_alias(Some(block), alias).await
    }

    /// Opens an alias with its provider block, or without configuration.
    pub(super) async fn open_alias(&mut self, block: Option<u32>, alias: String) -> Config {
        if self.request.sessions.get(&alias).is_some() {
            return Config::Open(alias);
        }
        let catalog = self.request.sessions.providers.catalog.clone();
        if self.failed_aliases.contains(&alias) {
            return Config::Failed(alias);
        }
        let (config, budget) = match configuration(&mut self.request.world, &catalog, &alias) {
            Ok(found) => found,
            Err(errors) => {
                errors.into_iter().for_each(|error| self.say(block, error));
                self.failed_aliases.insert(alias.clone());
                return Config::Failed(alias);
            }
        };
        if config.has_unknown() {
            return Config::Unknown(alias, crate::plan::waits_for(&config));
        }
        let key = self.request.key.clone();
        match self.request.sessions.open(&alias, &config, budget, &key).await {
            Ok(_) => Config::Open(alias),
            Err(error) => {
                let mut said = Diagnostic::error(format!("provider `{alias}`: {error}"));
                said = error.hint.map_or(said.clone(), |hint| said.help(hint));
                self.say(block, said);
                self.failed_aliases.insert(alias.clone());
                Config::Failed(alias)
            }
        }
    }
}

/// The evaluated provider block of an alias (an object; empty where there is no block), and its budget.
///
/// # Errors
/// What is wrong with the block.
pub fn configuration(
    world: &mut World,
    catalog: &Catalog,
    alias: &str,
) -> Result<(Value, Budget), Vec<Diagnostic>> {
    let stack = world.stack.clone();
    let (name, label) = alias.split_once('.').map_or((alias, None), |(name, label)| (name, Some(label)));
    let Some(schema) = catalog.providers.get(name) else {
        return Err(vec![Diagnostic::error(format!("there is no provider `{name}` in this windlass"))]);
    };
    let found = stack.providers.iter().position(|b| *b.name == *name && b.alias.as_deref() == label);
    let graph = world.graph.clone();
    if let Some(uses) = found.and_then(|index| graph.providers.get(index)) {
        world.prepare(uses);
    }
    let scope = world.scope(Instance::default());
    let Some(block) = found.and_then(|index| stack.providers.get(index)) else {
        let file = "".into();
        return Ok((
            stack::decode_body(&schema.config, &BodyExpr::default(), &file, &scope)?,
            Budget::default(),
        ));
    };
    let mut own = block.body.clone();
    own.attributes.retain(|attribute| !SHARED.contains(&&*attribute.name));
    own.blocks.retain(|block| *block.kind != *"retry");
    let config = stack::decode_body(&schema.config, &own, &block.span.file, &scope)?;
    let settings = block.settings();
    let budget = Budget {
        concurrency: settings.concurrency,
        refresh_after: settings.refresh_after,
        retry: settings.retry,
    };
    Ok((config, budget))
}

/// The blocks that `--target` leaves in: those named and all that they depend on; `None`: all.
pub(super) fn targeted(request: &Request<'_>) -> Option<BTreeSet<u32>> {
    if request.targets.is_empty() || request.operation == Operation::Destroy {
        return None;
    }
    let world = &request.world;
    let named = |target: &windlass_model::Address| world.graph.find(&target.kind, &target.name);
    let mut todo: Vec<u32> = request.targets.iter().filter_map(named).collect();
    let mut found = BTreeSet::new();
    while let Some(block) = todo.pop() {
        if found.insert(block) {
            todo.extend(world.graph.blocks[block as usize].blocks.iter().map(|used| used.block));
        }
    }
    Some(found)
}
