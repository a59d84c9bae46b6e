//! Records that the stack no longer wants, a destroy of all, and a refresh that only looks.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_model::{Address, Diagnostic, Digest, Op, Operation, Reason, Record, Slot};
use windlass_provider::ProviderError;

use super::provider::Config;
use super::{Item, Planner};
use crate::plan::Instance;
use crate::plan::decide::{Answer, Decision, deletion};
use crate::plan::desire::{placed, policy};

impl Planner<'_> {
    /// Queues what is to be done with records themselves: deletes; of a refresh all looks.
    pub(super) async fn queue_records(&mut self) {
        let state = self.request.state;
        let doomed = self.doomed();
        if !doomed.is_empty() && self.request.operation != Operation::Refresh {
            self.past_files = self.request.past.files().await;
        }
        for (slot, record) in &state.records {
            if !doomed.contains(slot) {
                continue;
            }
            let name = record.provider.clone();
            match self.open_alias(None, name.clone()).await {
                Config::Open(_) => self.queue_record(record),
                Config::Unknown(_, waits) => {
                    let title = format!("{slot}: its provider `{name}` waits for {}", waits.join(", "));
                    self.say(
                        None,
                        Diagnostic::error(title).help("apply what it waits for first, with `--target`"),
                    );
                }
                Config::Failed(_) => {}
            }
        }
    }

    fn queue_record(&mut self, record: &Arc<Record>) {
        let Some(opened) = self.request.sessions.get(&record.provider).cloned() else { return };
        let catalog = self.request.sessions.providers.catalog.clone();
        let Some((_, schema)) = catalog.resource(&record.slot.address.kind) else { return };
        self.note_past(record);
        let item = Item {
            block: None,
            instance: Instance::default(),
            desire: None,
            record: Some(record.clone()),
            provider: record.provider.clone(),
            replace: false,
            sources: None,
            fingerprint: Digest::of(b""),
            asked: false,
        };
        self.queue(item, &opened, schema);
    }

    /// What a delete reads of the sources of then becomes a part of the plan's snapshot.
    fn note_past(&mut self, record: &Record) {
        let (Some(past), Some(opened)) = (&self.past_files, self.request.sessions.get(&record.provider))
        else {
            return;
        };
        // Where the sources of then are not whole, the delete itself says what it misses.
        let kind = &record.slot.address.kind;
        if let Ok(paths) = opened.session.sources(kind, &record.inputs.0, &**past) {
            self.past_paths.extend(paths);
        }
    }

    /// The delete of a replacement needs the sources of then as well.
    pub(super) async fn note_replaced(&mut self) {
        let replaced = self.decisions.values().flat_map(|decision| &decision.steps);
        let replaced = replaced.filter(|step| step.replaces && step.id.op == Op::Delete);
        let records: Vec<Arc<Record>> =
            replaced.filter_map(|step| self.request.state.records.get(&step.id.slot).cloned()).collect();
        if records.is_empty() {
            return;
        }
        if self.past_files.is_none() {
            self.past_files = self.request.past.files().await;
        }
        records.iter().for_each(|record| self.note_past(record));
    }

    /// The records that are to go (of a refresh: that are looked at).
    fn doomed(&self) -> BTreeSet<Slot> {
        let state = self.request.state;
        let targets = &self.request.targets;
        let named =
            |address: &Address| targets.is_empty() || targets.iter().any(|target| target.covers(address));
        match self.request.operation {
            Operation::Destroy => self.with_dependents(named),
            Operation::Refresh => state.records.keys().filter(|slot| named(&slot.address)).cloned().collect(),
            _ => {
                let unwanted = |slot: &&Slot| !self.wanted(slot) && named(&slot.address);
                state.records.keys().filter(unwanted).cloned().collect()
            }
        }
    }

    /// Whether the stack has this object. Where a block's instances could not be found out, nothing of it is deleted.
    fn wanted(&self, slot: &Slot) -> bool {
        let world = &self.request.world;
        let Some(block) = world.graph.find(&slot.address.kind, &slot.address.name) else { return false };
        slot.deposed.is_none()
            && world.expansion(block).is_none_or(|expansion| expansion.has(&slot.address.key))
    }

    /// Named records, and all that were built upon them.
    fn with_dependents(&self, named: impl Fn(&Address) -> bool) -> BTreeSet<Slot> {
        let records = &self.request.state.records;
        let mut found: BTreeSet<Slot> = records.keys().filter(|slot| named(&slot.address)).cloned().collect();
        if found.len() == records.len() {
            return found;
        }
        loop {
            let touches = |record: &Record| {
                record.depends_on.iter().any(|base| {
                    let first = Slot { address: base.clone(), deposed: None };
                    found.range(first..).next().is_some_and(|slot| base.covers(&slot.address))
                })
            };
            let more = records.iter().filter(|(slot, record)| !found.contains(*slot) && touches(record));
            let more: Vec<Slot> = more.map(|(slot, _)| slot.clone()).collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    pub(super) fn take_deletion(&mut self, item: Item, result: Result<Answer, ProviderError>) {
        let Some(record) = item.record else { return };
        let slot = record.slot.clone();
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => {
                let said = Diagnostic::error(format!("{slot}: {}", error.message));
                return self.say(None, error.hint.map_or(said.clone(), |hint| said.help(hint)));
            }
        };
        self.note_tool(&item.provider, &answer.tool);
        for finding in &answer.proposed.warnings {
            self.say(None, placed(None, &slot.address, finding));
        }
        if self.request.operation == Operation::Refresh {
            return self.take_look(&record, answer);
        }
        let catalog = self.request.sessions.providers.catalog.clone();
        let Some((_, schema)) = catalog.resource(&slot.address.kind) else { return };
        let stack = self.request.world.stack.clone();
        let block = self.request.world.graph.find(&slot.address.kind, &slot.address.name);
        let resource = block.and_then(|block| stack.resources.get(block as usize));
        let mut how = policy(resource, schema, Op::Delete, Some(&record), &record.inputs.0);
        how.protect |= record.protect;
        let why = match (self.request.operation, resource) {
            (Operation::Destroy, _) => Reason::Destroy,
            (_, Some(_)) => Reason::NoSuchInstance,
            (_, None) => Reason::NotInStack,
        };
        if let Some(doubt) = &record.in_doubt {
            let title = format!("{slot} is in doubt: {doubt}");
            let help = format!("look first; `windlass state rm '{slot}'` if there is nothing to delete");
            self.say(block, Diagnostic::warning(title).help(help));
        }
        let decision = deletion(&record, why, how, answer);
        self.guard(block, &decision);
        self.settle(None, slot, None, decision);
    }

    /// What a refresh saw.
    fn take_look(&mut self, record: &Arc<Record>, answer: Answer) {
        let slot = record.slot.clone();
        let mut decision = Decision::default();
        match answer.proposed.drift {
            None => self.unchanged += 1,
            Some(windlass_provider::Drift::Gone) => decision.gone = Some(slot.clone()),
            Some(windlass_provider::Drift::Changed(observed)) => {
                let mut seen = (**record).clone();
                seen.value = observed.value.into();
                seen.private = observed.private;
                seen.nested = observed.nested;
                decision.refreshed = Some(seen);
            }
        }
        let name = slot.to_string();
        match decision.is_nothing() {
            true => self.request.seen.insert(name, (self.request.now_ms, record.fingerprint)),
            false => self.request.seen.remove(&name),
        };
        self.settle(None, slot, None, decision);
    }
}
