//! The world that the fake provider acts in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use windlass_model::{ErrorClass, Value};

use crate::error::ProviderError;

/// A call of the provider.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// `plan`
    Plan,
    /// `read` and `import`
    Read,
    /// `apply` of a create
    Create,
    /// `apply` of an update
    Update,
    /// `apply` of a delete
    Delete,
    /// `probe`
    Probe,
}

impl Phase {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Plan => "plan",
            Phase::Read => "read",
            Phase::Create => "create",
            Phase::Update => "update",
            Phase::Delete => "delete",
            Phase::Probe => "probe",
        }
    }
}

/// What a call does besides its work.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Act {
    /// Only its work.
    #[default]
    Nothing,
    /// Fails, and has done nothing.
    FailBefore(ErrorClass),
    /// Does it, fails, and says what is there.
    FailAfter(ErrorClass),
    /// Does it, fails, and does not know what is there.
    LoseAfter(ErrorClass),
    /// Hangs until it is interrupted or its time is over, and has done nothing.
    HangBefore,
    /// Does it, then hangs until it is interrupted or its time is over.
    HangAfter,
    /// Panics before it did anything.
    PanicBefore,
    /// Does it, then panics.
    PanicAfter,
    /// Of `plan`: the tool cannot plan it yet; it waits for these.
    Defer(Vec<String>),
    /// Of `plan`: these attributes are not known yet.
    Unknown(Vec<String>),
    /// Of `probe`: nobody can tell.
    CannotTell,
}

/// What one call is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// Which call.
    pub phase: Phase,
    /// The how manieth of its kind on the address, from 1.
    pub nth: u32,
    /// How long it takes before it does anything, in tokio's time.
    pub delay: Duration,
    /// What else it does.
    pub act: Act,
}

/// A real thing.
#[derive(Clone, Debug)]
pub struct Thing {
    /// What tells it from others.
    pub name: String,
    /// Which one: no two things ever have the same.
    pub id: String,
    /// A number.
    pub size: Value,
    /// A map of texts.
    pub tags: Value,
    /// A sensitive text.
    pub secret: Value,
    /// How often it was changed.
    pub changes: u64,
    /// The address that made it.
    pub address: String,
    /// The token of the step that made it.
    pub made_by: String,
    /// The token of the step that changed it last.
    pub updated_by: Option<String>,
}

impl Thing {
    /// Its `stamp`.
    pub fn stamp(&self) -> String {
        format!("{}@{}", self.id, self.changes)
    }
}

/// How often what was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub creates: u64,
    pub updates: u64,
    pub deletes: u64,
    pub plans: u64,
    pub reads: u64,
    pub probes: u64,
}

/// An effect, in the order of effects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// `Create`, `Update` or `Delete`.
    pub phase: Phase,
    /// By which address.
    pub address: String,
    /// On which thing.
    pub name: String,
    /// By which step.
    pub token: String,
}

/// The real world: things by name, and a memory of all that was done to them.
#[derive(Default)]
pub struct FakeWorld(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    things: BTreeMap<String, Thing>,
    made: u64,
    counts: Counts,
    calls: BTreeMap<(String, Phase), u32>,
    scripts: BTreeMap<(String, Phase, u32), Script>,
    log: Vec<Entry>,
    done: BTreeSet<(Phase, String)>,
    violations: Vec<String>,
    delay: Duration,
    notes: bool,
    stages: bool,
    staged: BTreeSet<String>,
    account: Option<String>,
    tool: String,
    running: usize,
    peak: usize,
}

impl FakeWorld {
    /// An empty world.
    pub fn new() -> Arc<FakeWorld> {
        Arc::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Scripts one call on an address.
    pub fn script(&self, address: &str, phase: Phase, nth: u32, act: Act) {
        self.add(address, Script { phase, nth, delay: Duration::ZERO, act });
    }

    /// Scripts one call on an address, with a delay.
    pub fn add(&self, address: &str, script: Script) {
        self.inner().scripts.insert((address.to_owned(), script.phase, script.nth), script);
    }

    /// Scripts the next call of its kind on an address, whatever was called before.
    pub fn script_next(&self, address: &str, phase: Phase, delay: Duration, act: Act) {
        let calls = self.inner().calls.get(&(address.to_owned(), phase)).copied().unwrap_or_default();
        self.add(address, Script { phase, nth: calls + 1, delay, act });
    }

    /// Takes all scripts away: from now on everything works.
    pub fn clear_scripts(&self) {
        self.inner().scripts.clear();
    }

    /// How long each create, update and delete takes that no script says otherwise of.
    pub fn set_delay(&self, delay: Duration) {
        self.inner().delay = delay;
    }

    /// Whether each plan makes something outside that its apply uses.
    pub fn set_stages(&self, stages: bool) {
        self.inner().stages = stages;
    }

    /// What plans made and neither an apply used nor anybody threw away, by run and address.
    pub fn staged(&self) -> Vec<String> {
        self.inner().staged.iter().cloned().collect()
    }

    pub(super) fn stages(&self) -> bool {
        self.inner().stages
    }

    pub(super) fn stage(&self, name: &str) {
        self.inner().staged.insert(name.to_owned());
    }

    /// Whether it was there.
    pub fn unstage(&self, name: &str) -> bool {
        self.inner().staged.remove(name)
    }

    /// Whether each create and update notes a checkpoint after its effect.
    pub fn set_notes(&self, notes: bool) {
        self.inner().notes = notes;
    }

    /// The account that sessions act in.
    pub fn set_account(&self, account: Option<&str>) {
        self.inner().account = account.map(str::to_owned);
    }

    /// The tool and its version that sessions tell of.
    pub fn set_tool(&self, tool: &str) {
        tool.clone_into(&mut self.inner().tool);
    }

    /// The things that live, by name.
    pub fn things(&self) -> BTreeMap<String, Thing> {
        self.inner().things.clone()
    }

    /// A living thing.
    pub fn thing(&self, name: &str) -> Option<Thing> {
        self.inner().things.get(name).cloned()
    }

    /// How often what was done.
    pub fn counts(&self) -> Counts {
        self.inner().counts
    }

    /// All effects, in order.
    pub fn log(&self) -> Vec<Entry> {
        self.inner().log.clone()
    }

    /// What a right engine never does. Empty at the end of each good test.
    pub fn violations(&self) -> Vec<String> {
        self.inner().violations.clone()
    }

    /// The most steps that ran at one time.
    pub fn peak(&self) -> usize {
        self.inner().peak
    }

    /// Changes a thing by hand; whether it was there.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Thing)) -> bool {
        self.inner().things.get_mut(name).map(change).is_some()
    }

    /// Takes a thing away by hand; whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        self.inner().things.remove(name).is_some()
    }

    /// Puts a thing there by hand: it is foreign.
    pub fn put(&self, name: &str) {
        let mut inner = self.inner();
        let thing = inner.new_thing("", "", &Value::object(vec![("name", Value::from(name))]));
        inner.things.insert(name.to_owned(), thing);
    }

    pub(super) fn notes(&self) -> bool {
        self.inner().notes
    }

    pub(super) fn account(&self) -> Option<String> {
        self.inner().account.clone()
    }

    pub(super) fn tool(&self) -> String {
        self.inner().tool.clone()
    }

    /// Counts a call, and finds its script.
    pub(super) fn next_script(&self, address: &str, phase: Phase) -> Script {
        let mut inner = self.inner();
        match phase {
            Phase::Plan => inner.counts.plans += 1,
            Phase::Read => inner.counts.reads += 1,
            Phase::Probe => inner.counts.probes += 1,
            Phase::Create | Phase::Update | Phase::Delete => {}
        }
        let calls = inner.calls.entry((address.to_owned(), phase)).or_default();
        *calls += 1;
        let nth = *calls;
        let changes = matches!(phase, Phase::Create | Phase::Update | Phase::Delete);
        let delay = if changes { inner.delay } else { Duration::ZERO };
        let scripted = inner.scripts.get(&(address.to_owned(), phase, nth)).cloned();
        scripted.unwrap_or(Script { phase, nth, delay, act: Act::Nothing })
    }

    pub(super) fn running(&self) -> Running<'_> {
        let mut inner = self.inner();
        inner.running += 1;
        inner.peak = inner.peak.max(inner.running);
        Running(self)
    }

    pub(super) fn create(&self, address: &str, token: &str, desired: &Value) -> Result<Thing, ProviderError> {
        let mut inner = self.inner();
        let name = super::name_of(desired);
        if let Some(there) = inner.things.get(&name) {
            // A foreign thing of that name is the user's mistake, one of the same address the engine's.
            if there.address == address {
                inner.violations.push(format!("{address} creates `{name}`, which lives"));
            }
            return Err(ProviderError::new(ErrorClass::NameTaken, format!("a thing `{name}` exists")));
        }
        inner.did(Phase::Create, address, token, &name);
        inner.counts.creates += 1;
        let thing = inner.new_thing(address, token, desired);
        inner.things.insert(name, thing.clone());
        Ok(thing)
    }

    pub(super) fn update(&self, address: &str, token: &str, desired: &Value) -> Result<Thing, ProviderError> {
        let mut inner = self.inner();
        let name = super::name_of(desired);
        if !inner.things.contains_key(&name) {
            inner.violations.push(format!("{address} updates `{name}`, which is not there"));
            return Err(ProviderError::new(ErrorClass::NotFound, format!("there is no thing `{name}`")));
        }
        inner.did(Phase::Update, address, token, &name);
        inner.counts.updates += 1;
        let updated = inner.things.get_mut(&name).map(|thing| {
            thing.size = super::input(desired, "size");
            thing.tags = super::input(desired, "tags");
            thing.secret = super::input(desired, "secret");
            thing.changes += 1;
            thing.updated_by = Some(token.to_owned());
            thing.clone()
        });
        updated.ok_or_else(|| ProviderError::new(ErrorClass::Bug, "a thing went away under the lock"))
    }

    pub(super) fn delete(&self, address: &str, token: &str, name: &str) {
        let mut inner = self.inner();
        if inner.things.remove(name).is_some() {
            inner.did(Phase::Delete, address, token, name);
            inner.counts.deletes += 1;
        }
    }
}

impl Inner {
    fn did(&mut self, phase: Phase, address: &str, token: &str, name: &str) {
        if !self.done.insert((phase, token.to_owned())) {
            let what = phase.as_str();
            self.violations.push(format!("{address} does its {what} of `{name}` twice on one token"));
        }
        let (address, name, token) = (address.to_owned(), name.to_owned(), token.to_owned());
        self.log.push(Entry { phase, address, name, token });
    }

    fn new_thing(&mut self, address: &str, token: &str, desired: &Value) -> Thing {
        self.made += 1;
        Thing {
            name: super::name_of(desired),
            id: format!("thing-{}", self.made),
            size: super::input(desired, "size"),
            tags: super::input(desired, "tags"),
            secret: super::input(desired, "secret"),
            changes: 0,
            address: address.to_owned(),
            made_by: token.to_owned(),
            updated_by: None,
        }
    }
}

/// A step that runs, until it is dropped.
pub(super) struct Running<'a>(&'a FakeWorld);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.inner().running -= 1;
    }
}
