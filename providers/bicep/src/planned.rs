//! What can be said of a deployment that Azure cannot be asked about yet: from its template alone, never with a made-up value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use windlass_model::{NestedChange, Record, Type, Value};
use windlass_provider::{Call, Proposed, ProviderError, Verdict};

use crate::arm::declared::{self, Resource};
use crate::group::Group;
use crate::job::{Job, sources_of};
use crate::outputs::Planned;
use crate::plan::{Wish, proposed};
use crate::read::recorded;
use crate::schema::COMPUTED;
use crate::whatif::{Action, Change, Leaf, LeafKind};

/// A deployment of which not even the place or the template is known.
pub fn bare(call: &Call, desired: &Value, waiting: &[&str]) -> Proposed {
    let mut waits = Vec::new();
    waiting.iter().filter_map(|name| desired.get(name)).for_each(|value| sources_of(value, &mut waits));
    let inputs = desired
        .entries()
        .unwrap_or_default()
        .iter()
        .filter(|(name, _)| !COMPUTED.contains(&&**name))
        .cloned();
    let unknown = |name: &str| {
        let ty = match name {
            "deployment_id" => Type::String,
            "outputs" => Type::Any,
            _ => Type::list(Type::String),
        };
        (name.into(), Value::unknown_from(ty, format!("{}.{name}", call.address)))
    };
    let planned = Value::object(inputs.chain(COMPUTED.map(unknown)));
    waits.sort();
    Proposed { waits_for: waits, ..proposed(Verdict::Deferred, planned) }
}

impl Job<'_> {
    /// A deployment with parameters that are not known yet: what does not depend on them is certain, the rest is deferred.
    ///
    /// # Errors
    /// Where the store does not have what a record keeps.
    pub async fn deferred(&self, wish: &Wish<'_>, prior: Option<&Record>) -> Result<Proposed, ProviderError> {
        let before = match prior {
            Some(prior) => Some(recorded(self, prior).await?),
            None => None,
        };
        let now = declared::resources(&wish.compiled.template, wish.given.values.clone(), &self.target);
        let known = before
            .as_ref()
            .map(|before| declared::resources(&before.template, before.given.values.clone(), &self.target));
        let there = prior.map(|prior| prior.nested.iter().map(|one| one.address.to_lowercase()).collect());
        let nested =
            Certain { job: self, wish, known: known.as_deref(), there: there.as_ref() }.changes(&now);
        let address = self.call.address.to_string();
        let scope = self.scope(&wish.compiled.template, wish.given);
        let made = self.made(&wish.compiled.template, wish.given);
        let none = BTreeMap::new();
        let value = prior.map(|prior| &prior.value.0);
        // Anything may change, as far as is known.
        let changed = now.iter().map(|one| one.address.clone()).chain(["?".to_owned()]).collect();
        let outputs = Planned {
            scope: &scope,
            made: &made,
            before: before.as_ref().map_or(&none, |before| &before.made),
            now: value.and_then(|value| value.get("outputs")),
            changed: &changed,
            address: &address,
        };
        let unknown = |name: &str| Value::unknown_from(Type::list(Type::String), format!("{address}.{name}"));
        let empty = Value::list(Type::String, Vec::new());
        let planned = self.value(&wish.given.secret, outputs.value(), unknown("resources"), empty);
        let mut waits = Vec::new();
        sources_of(self.desired, &mut waits);
        waits.retain(|source| !source.starts_with(&format!("{address}.")));
        waits.sort();
        Ok(Proposed { nested, waits_for: waits, ..proposed(Verdict::Deferred, planned) })
    }

    /// A deployment that is made anew whatever is there: everything is a create.
    ///
    /// # Errors
    /// Where the store does not take what is kept.
    pub async fn anew(&self, wish: &Wish<'_>) -> Result<Proposed, ProviderError> {
        // The group went with the old one, where it was ours.
        let group = if self.spec.creates_group { Group::Create } else { Group::Others };
        let changes = self.declared(wish);
        let address = self.call.address.to_string();
        let scope = self.scope(&wish.compiled.template, wish.given);
        let (made, none) = (self.made(&wish.compiled.template, wish.given), BTreeMap::new());
        let changed = BTreeSet::new();
        let outputs = Planned {
            scope: &scope,
            made: &made,
            before: &none,
            now: None,
            changed: &changed,
            address: &address,
        };
        let resources = Value::unknown_from(Type::list(Type::String), format!("{address}.resources"));
        let empty = Value::list(Type::String, Vec::new());
        let planned = self.value(&wish.given.secret, outputs.value(), resources, empty);
        let mut result = proposed(Verdict::Change, planned);
        result.nested = changes.iter().map(|change| self.nested_change(change)).collect();
        result.artefact = Some(self.artefact_with(wish, group).await?);
        Ok(result)
    }

    /// What the template alone says will be there, as creates.
    pub fn declared(&self, wish: &Wish<'_>) -> Vec<Change> {
        let all = declared::resources(&wish.compiled.template, wish.given.values.clone(), &self.target);
        let change = |resource: Resource| Change {
            id: resource.address.clone(),
            potential: !resource.certain,
            leaves: body_leaves(&resource),
            address: resource.address,
            action: Action::Create,
            notes: Vec::new(),
        };
        all.into_iter().map(change).collect()
    }
}

/// What a resource will be like, where that does not wait for anything.
fn body_leaves(resource: &Resource) -> Vec<Leaf> {
    let mut found = Vec::new();
    for (name, value) in resource.body.as_object().into_iter().flatten() {
        leaves(name, value, resource, &mut found);
    }
    found.truncate(40);
    found
}

fn leaves(path: &str, value: &Json, resource: &Resource, found: &mut Vec<Leaf>) {
    match value {
        Json::Null => {}
        Json::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| leaves(&format!("{path}.{name}"), value, resource, found));
        }
        _ if resource.body_waits.iter().any(|(waiting, _)| waiting.starts_with(path)) => {}
        other => found.push(Leaf {
            path: path.to_owned(),
            kind: LeafKind::Create,
            before: Json::Null,
            after: other.clone(),
        }),
    }
}

/// What is certain though parameters are not known.
struct Certain<'a> {
    job: &'a Job<'a>,
    wish: &'a Wish<'a>,
    /// The resources as they were last sent; `None`: nothing was.
    known: Option<&'a [Resource]>,
    /// The addresses of what is there, in lower case.
    there: Option<&'a BTreeSet<String>>,
}

impl Certain<'_> {
    fn changes(&self, now: &[Resource]) -> Vec<NestedChange> {
        let mut found: Vec<NestedChange> =
            now.iter().filter(|one| one.certain).filter_map(|one| self.change(one)).collect();
        found.extend(self.leaving(now));
        let redact = &self.job.call.tools.redact;
        for change in &mut found {
            change.address = redact.redact(&change.address);
            change.lines.iter_mut().for_each(|line| *line = redact.redact(line));
        }
        found
    }

    fn change(&self, resource: &Resource) -> Option<NestedChange> {
        let lower = resource.address.to_lowercase();
        let is_there = self.there.is_some_and(|there| there.contains(&lower));
        let before = self.known.into_iter().flatten().find(|before| before.address.to_lowercase() == lower);
        let waits = !resource.body_waits.is_empty();
        let action = match (is_there, before) {
            (false, _) => "create",
            // Only if what it waits for turns out to be what it was does it stay as it is.
            (true, Some(before)) if before.body == resource.body || waits => return None,
            (true, _) => "update",
        };
        let mut lines: Vec<String> = match action {
            "create" => body_leaves(resource).iter().map(Leaf::line).collect(),
            _ => Vec::new(),
        };
        lines.extend(
            resource
                .body_waits
                .iter()
                .map(|(path, names)| format!("? {path}: known after {}", self.sources(names))),
        );
        Some(NestedChange {
            address: resource.address.clone(),
            action: action.to_owned(),
            because: Vec::new(),
            lines,
        })
    }

    fn sources(&self, names: &BTreeSet<String>) -> String {
        let waits = &self.wish.given.waits;
        let all: BTreeSet<String> =
            names.iter().filter_map(|name| waits.get(name)).flatten().cloned().collect();
        let all: Vec<String> = all.into_iter().collect();
        if all.is_empty() { "what it depends on".to_owned() } else { all.join(", ") }
    }

    /// What is there and certainly not in the template any more.
    fn leaving(&self, now: &[Resource]) -> Vec<NestedChange> {
        let unsure = now.iter().any(|one| !one.certain);
        let (Some(there), false) = (self.there, unsure) else { return Vec::new() };
        let stack = self.job.spec.mode == crate::spec::Mode::Stack;
        let action = if stack && !self.job.spec.detach { "delete" } else { "forget" };
        let gone =
            there.iter().filter(|address| !now.iter().any(|one| one.address.to_lowercase() == **address));
        let known = |lower: &String| {
            let before = self.known.into_iter().flatten().find(|one| one.address.to_lowercase() == *lower);
            before.map(|one| one.address.clone())
        };
        let one = |address: String| NestedChange {
            address,
            action: action.to_owned(),
            because: Vec::new(),
            lines: Vec::new(),
        };
        gone.filter_map(known).map(one).collect()
    }
}
