//! One instance: evaluated, checked, skipped or asked about, decided.

use windlass_model::{Address, Diagnostic, Digest, Op, Operation, Replace, ResourceSchema, Slot};

use super::provider::Config;
use super::{Item, Planner, Refresh};
use crate::plan::ask::{Answered, Job};
use crate::plan::decide::{Decision, Subject, decide, deferred};
use crate::plan::desire::{Desire, desire, placed, policy};
use crate::plan::identity::{fingerprint, step_digest};
use crate::plan::sessions::plan_token;
use crate::plan::{Instance, Opened, named_unknowns, with_unknowns};
use crate::stack::ResourceBlock;

impl Planner<'_> {
    pub(super) fn begin_instance(&mut self, block: u32, instance: Instance, config: &Config) {
        let stack = self.request.world.stack.clone();
        let resource = &stack.resources[block as usize];
        let base = Address::new(resource.kind.clone(), resource.name.clone());
        let record = self.request.state.get(&base.with_key(instance.key.clone())).cloned();
        let catalog = self.request.sessions.providers.catalog.clone();
        let desired = desire(&self.request.world, &catalog, block, &instance, record.as_deref());
        let desire = match desired {
            Ok(desire) => desire,
            Err(errors) => {
                errors.into_iter().for_each(|error| self.say(Some(block), error));
                return self.close(block);
            }
        };
        if !self.check(block, resource, &desire) {
            return self.close(block);
        }
        let replace = self.request.replace.iter().any(|asked| asked.covers(&desire.address));
        let item = Item {
            block: Some(block),
            instance,
            record,
            provider: config.alias().to_owned(),
            replace,
            sources: None,
            fingerprint: Digest::of(b""),
            asked: false,
            desire: Some(desire),
        };
        match config {
            Config::Open(_) => self.look_or_skip(item),
            Config::Unknown(_, waits) => self.defer(item, waits.clone()),
            Config::Failed(_) => self.close(block),
        }
    }

    /// The provider's own checks; false where one is an error.
    fn check(&mut self, block: u32, resource: &ResourceBlock, desire: &Desire) -> bool {
        let Some(provider) = self.request.sessions.providers.of_kind(&resource.kind).cloned() else {
            return false;
        };
        let mut fine = true;
        for finding in provider.check(&resource.kind, &desire.value) {
            fine &= finding.severity != windlass_model::Severity::Error;
            self.say(Some(block), placed(Some(resource), &desire.address, &finding));
        }
        fine
    }

    /// Asks the provider, unless rule P3 says that nothing can have changed.
    fn look_or_skip(&mut self, mut item: Item) {
        let (Some(block), Some(desire)) = (item.block, &item.desire) else { return };
        let kind = desire.address.kind.clone();
        let catalog = self.request.sessions.providers.catalog.clone();
        let Some((_, schema)) = catalog.resource(&kind) else { return self.close(block) };
        let Some(opened) = self.request.sessions.get(&item.provider).cloned() else {
            return self.close(block);
        };
        let files = self.request.calls.files.clone();
        let sources = match opened.session.sources(&kind, &desire.value, &*files) {
            Ok(paths) if paths.is_empty() => None,
            Ok(paths) => match files.digest(&paths) {
                Ok(digest) => Some(digest),
                Err(error) => return self.fail(block, &desire.address.clone(), &error.to_string(), None),
            },
            Err(error) => {
                return self.fail(block, &desire.address.clone(), &error.message, error.hint.as_deref());
            }
        };
        item.sources = sources;
        // Its sources are read even so: they are part of the snapshot that it is planned from later.
        if desire.value.has_unknown() && !schema.can.plan_unknown {
            let waits = crate::plan::waits_for(&desire.value);
            return self.defer(item, waits);
        }
        let tool = opened.session.tool_identity_for(&kind, &desire.value);
        let key = self.request.key.clone();
        let print =
            fingerprint(&kind, schema.version, &desire.value, sources.as_ref(), &opened.config, &tool, &key);
        item.fingerprint = print;
        if self.may_skip(&item, schema, &opened) {
            return self.skip(item);
        }
        item.asked = true;
        self.queue(item, &opened, schema);
    }

    fn may_skip(&self, item: &Item, schema: &windlass_model::ResourceSchema, opened: &Opened) -> bool {
        let (Some(record), Some(block)) = (&item.record, item.block) else { return false };
        if record.tainted.is_some() || record.in_doubt.is_some() || item.replace {
            return false;
        }
        let seen =
            self.request.seen.get(&record.slot.to_string()).filter(|(_, print)| *print == item.fingerprint);
        match self.request.refresh {
            Refresh::Never => seen.is_some() || record.fingerprint == item.fingerprint,
            Refresh::Always => false,
            Refresh::Auto if schema.can.free || opened.session.always_ask(record) => false,
            Refresh::Auto => {
                let of_block = self.request.world.stack.resources[block as usize].meta.refresh_after;
                let after = of_block.or(opened.refresh_after).unwrap_or(self.request.refresh_after_s);
                seen.is_some_and(|(at, _)| {
                    self.request.now_ms.saturating_sub(*at) < after.saturating_mul(1000)
                })
            }
        }
    }

    fn skip(&mut self, item: Item) {
        let (Some(record), Some(block), Some(desire)) = (&item.record, item.block, item.desire) else {
            return;
        };
        let at = self.request.seen.get(&record.slot.to_string()).map_or(self.request.now_ms, |(at, _)| *at);
        let (count, oldest) = self.not_asked.unwrap_or((0, at));
        self.not_asked = Some((count + 1, oldest.min(at)));
        self.unchanged += 1;
        if let Some(place) = &record.place {
            self.places.insert(desire.address.clone(), place.clone());
        }
        self.unchanged_deps.insert(desire.address, desire.depends_on);
        self.request.world.set(block, item.instance.key, record.value.0.clone());
        self.close(block);
    }

    pub(super) fn queue(&mut self, item: Item, opened: &Opened, schema: &ResourceSchema) {
        let address = match (&item.desire, &item.record) {
            (Some(desire), _) => desire.address.clone(),
            (None, Some(record)) => record.slot.address.clone(),
            (None, None) => return,
        };
        let tainted = item.record.as_ref().is_some_and(|record| record.tainted.is_some());
        let may_replace = schema.replace != Replace::Never;
        let token = plan_token(&self.request.calls.run, &address);
        let engine = self.request.engine.of(&address, &item.provider);
        let mut call = self.request.calls.call(&address, token, 1, None, engine);
        if let (None, Some(past)) = (&item.desire, &self.past_files) {
            call.files = past.clone();
        }
        let job = Job {
            session: opened.session.clone(),
            call,
            prior: item.record.clone(),
            desired: item.desire.as_ref().map(|desire| desire.value.clone()),
            refresh: self.request.refresh != Refresh::Never,
            plan_reads: schema.can.plan_reads,
            look_only: self.request.operation == Operation::Refresh,
            replace: may_replace && (item.replace || tainted),
        };
        self.jobs.push_back((self.asked, job));
        self.items.insert(self.asked, item);
        self.asked += 1;
    }

    fn defer(&mut self, item: Item, waits: Vec<String>) {
        let (Some(block), Some(desire)) = (item.block, &item.desire) else { return };
        let stack = self.request.world.stack.clone();
        let resource = &stack.resources[block as usize];
        let catalog = self.request.sessions.providers.catalog.clone();
        let Some((_, schema)) = catalog.resource(&resource.kind) else { return self.close(block) };
        let planned = with_unknowns(&desire.address, schema, &desire.value);
        let op = if item.record.is_some() { Op::Update } else { Op::Create };
        let subject = Subject {
            address: &desire.address,
            schema,
            provider: &item.provider,
            desired: &desire.value,
            prior: item.record.as_ref(),
            replace: item.replace,
            policy: policy(Some(resource), schema, op, item.record.as_deref(), &desire.value),
            sources: item.sources,
            fingerprint: item.fingerprint,
            depends_on: &desire.depends_on,
        };
        let decision = deferred(&subject, item.record.as_deref(), waits, planned);
        self.settle(Some(block), desire.address.slot(), item.instance.key.clone(), decision);
    }

    pub(super) fn take(&mut self, answered: Answered<usize>) {
        let Some(item) = self.items.remove(&answered.id) else { return };
        let Some(desire) = &item.desire else { return self.take_deletion(item, answered.result) };
        let Some(block) = item.block else { return };
        let answer = match answered.result {
            Ok(answer) => answer,
            Err(error) => {
                return self.fail(block, &desire.address.clone(), &error.message, error.hint.as_deref());
            }
        };
        let stack = self.request.world.stack.clone();
        let resource = &stack.resources[block as usize];
        let catalog = self.request.sessions.providers.catalog.clone();
        let Some((_, schema)) = catalog.resource(&resource.kind) else { return self.close(block) };
        for finding in &answer.proposed.warnings {
            self.say(Some(block), placed(Some(resource), &desire.address, finding));
        }
        if let Some(place) = &answer.proposed.place {
            self.places.insert(desire.address.clone(), place.clone());
        }
        self.note_tool(&item.provider, &answer.tool);
        let op = if item.record.is_some() { Op::Update } else { Op::Create };
        let subject = Subject {
            address: &desire.address,
            schema,
            provider: &item.provider,
            desired: &desire.value,
            prior: item.record.as_ref(),
            replace: item.replace,
            policy: policy(Some(resource), schema, op, item.record.as_deref(), &desire.value),
            sources: item.sources,
            fingerprint: item.fingerprint,
            depends_on: &desire.depends_on,
        };
        if let Some(error) = self.in_doubt(&subject) {
            self.say(Some(block), error);
            return self.close(block);
        }
        let decision = decide(&subject, answer);
        self.guard(Some(block), &decision);
        self.mark_seen(&item, &decision);
        self.settle(Some(block), desire.address.slot(), item.instance.key.clone(), decision);
    }

    /// A step in doubt on something that nobody can look at is never run again by itself.
    fn in_doubt(&self, subject: &Subject<'_>) -> Option<Diagnostic> {
        let record = subject.prior?;
        let look_at = record.in_doubt.as_ref()?;
        let opened = self.request.sessions.get(subject.provider)?;
        if subject.replace || opened.session.can_tell(record) {
            return None;
        }
        let address = subject.address;
        let help = format!(
            "look, then say how it is: `windlass state rm '{address}'` if it was not done, \
             `windlass plan --replace '{address}'` to have it done again"
        );
        Some(Diagnostic::error(format!("{address} is in doubt: {look_at}")).help(help))
    }

    /// `prevent_destroy`: an error, but the plan is shown, so that one sees why.
    pub(super) fn guard(&mut self, block: Option<u32>, decision: &Decision) {
        let stack = self.request.world.stack.clone();
        let deletes = |step: &&windlass_model::Step| step.id.op == Op::Delete || step.announces_replacement();
        for step in decision.steps.iter().filter(|step| step.policy.protect).filter(deletes) {
            let address = &step.id.slot.address;
            let mut error = Diagnostic::error(format!("{address} is protected by `prevent_destroy`"));
            if let Some(block) = block {
                let resource = &stack.resources[block as usize];
                error = error.at(&resource.head.in_file(&resource.file), "this would be deleted");
            }
            let what = if step.replaces || step.announces_replacement() {
                "the plan replaces it"
            } else {
                "the plan deletes it"
            };
            let error = error.note(what).help("take `prevent_destroy` out and apply, then plan again");
            self.say(block, error);
        }
    }

    /// What is as state says needs not be asked for a while. Whatever differs is asked about until it is put right: a plan
    /// that was only looked at must not hide it from the next one.
    fn mark_seen(&mut self, item: &Item, decision: &Decision) {
        let (true, Some(record)) = (item.asked, &item.record) else { return };
        let slot = record.slot.to_string();
        match decision.is_nothing() {
            true => self.request.seen.insert(slot, (self.request.now_ms, item.fingerprint)),
            false => self.request.seen.remove(&slot),
        };
    }

    pub(super) fn note_tool(&mut self, provider: &str, tool: &str) {
        if !tool.is_empty() {
            self.tools.insert(provider.to_owned(), tool.to_owned());
        }
    }

    /// Takes in a decision: the instance's value, its steps; and goes on with what waited for the block.
    pub(super) fn settle(
        &mut self,
        block: Option<u32>,
        slot: Slot,
        key: Option<windlass_model::Key>,
        mut decision: Decision,
    ) {
        for step in &mut decision.steps {
            step.digest = step_digest(step, &self.request.key);
        }
        if let Some(block) = block {
            if let Some(value) = decision.value.take() {
                self.request.world.set(block, key, named_unknowns(&slot.address, &value));
            }
            if decision.steps.is_empty() {
                self.unchanged += 1;
            }
        }
        if decision.steps.is_empty() {
            let known = self.request.state.records.get(&slot).map(|record| record.depends_on.clone());
            self.unchanged_deps.insert(slot.address.clone(), known.unwrap_or_default());
        }
        if !decision.is_nothing() {
            self.decisions.insert(slot, decision);
        }
        if let Some(block) = block {
            self.close(block);
        }
    }
}
