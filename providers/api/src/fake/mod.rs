//! A scripted provider over a world in memory: what the engine's simulation runs on.
//!
//! The world outlives any engine. It is strict: what a right engine never does (create what lives, change what is not there, work
//! twice on one token) is kept as a violation.

mod stage;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use windlass_model::{
    AttrPath, Attribute, Body, Can, ErrorClass, Finding, Number, Op, Private, ProviderSchema, Record,
    Replace, ResourceSchema, Type, Value,
};

pub use world::{Act, Counts, Entry, FakeWorld, Phase, Script, Thing};

use crate::error::{ApplyFailure, Left, ProviderError};
use crate::session::{
    Ask, Call, Drift, Observed, Probe, Proposed, Provider, Session, Toolbox, Verdict, Work,
};

/// The one resource type.
pub const KIND: &str = "fake_thing";

/// The provider: `fake_thing { name, size, tags, secret }`, with `id` and `stamp` (new with each change).
pub struct FakeProvider {
    schema: ProviderSchema,
    world: Arc<FakeWorld>,
}

impl FakeProvider {
    /// A provider that acts in a world.
    pub fn new(world: Arc<FakeWorld>) -> FakeProvider {
        let can = Can { plan_reads: true, plan_unknown: true, reverts: false, probe: true, free: true };
        FakeProvider::that_can(world, can)
    }

    /// One that can more or less.
    pub fn that_can(world: Arc<FakeWorld>, can: Can) -> FakeProvider {
        FakeProvider { schema: schema(can), world }
    }
}

fn schema(can: Can) -> ProviderSchema {
    let optional = |ty| Attribute { ty, optional: true, ..Attribute::default() };
    let computed = || Attribute { ty: Type::String, computed: true, ..Attribute::default() };
    let name = Attribute { ty: Type::String, required: true, forces_replace: true, ..Attribute::default() };
    let attributes = BTreeMap::from([
        ("name", name),
        ("size", optional(Type::Number)),
        ("tags", optional(Type::map(Type::String))),
        ("secret", Attribute { sensitive: true, ..optional(Type::String) }),
        ("id", computed()),
        ("stamp", computed()),
    ]);
    let body = Body { attributes, blocks: BTreeMap::new() };
    let kind = ResourceSchema { doc: "a thing in memory", body, can, replace: Replace::Always, version: 0 };
    ProviderSchema {
        name: "fake",
        config: Body::default(),
        resources: BTreeMap::from([(KIND, kind)]),
        concurrency: None,
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    fn check(&self, _kind: &str, desired: &Value) -> Vec<Finding> {
        let mut found = Vec::new();
        if desired.get("name").and_then(Value::as_str) == Some("") {
            found.push(Finding::error("name", "a thing needs a name"));
        }
        if desired.get("size").and_then(Value::as_number).is_some_and(|size| *size < Number::Int(0)) {
            found.push(Finding::error("size", "a thing cannot be smaller than nothing"));
        }
        found
    }

    async fn open(&self, _config: &Value, _tools: Arc<Toolbox>) -> Result<Arc<dyn Session>, ProviderError> {
        Ok(Arc::new(FakeSession { world: self.world.clone() }))
    }
}

struct FakeSession {
    world: Arc<FakeWorld>,
}

const INPUTS: [&str; 4] = ["name", "size", "tags", "secret"];

fn input(value: &Value, name: &str) -> Value {
    value.get(name).cloned().unwrap_or(Value::NULL)
}

/// Attributes of what is wanted, with these of the provider's own.
fn with(desired: &Value, id: Value, stamp: Value) -> Value {
    let inputs = INPUTS.iter().map(|name| (*name, input(desired, name)));
    Value::object(inputs.chain([("id", id), ("stamp", stamp)]).collect::<Vec<_>>())
}

fn name_of(value: &Value) -> String {
    value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn seen(thing: &Thing) -> Observed {
    let inputs = Value::object(vec![
        ("name", Value::from(thing.name.as_str())),
        ("size", thing.size.clone()),
        ("tags", thing.tags.clone()),
        ("secret", thing.secret.clone()),
    ]);
    let value = with(&inputs, Value::from(thing.id.as_str()), Value::from(thing.stamp()));
    let private = Private { data: json!({ "id": thing.id }), ..Private::default() };
    Observed { value, private, nested: Vec::new() }
}

fn failure(call: &Call, class: ErrorClass, what: &str) -> ProviderError {
    ProviderError::new(class, format!("{what} of {} failed, as scripted", call.address))
}

impl FakeSession {
    /// Notes the call, waits as scripted, and says what else is scripted.
    async fn begin(&self, call: &Call, phase: Phase) -> Result<Act, ProviderError> {
        let script = self.world.next_script(&call.address.to_string(), phase);
        if !script.delay.is_zero() {
            tokio::time::sleep(script.delay).await;
        }
        match script.act {
            Act::FailBefore(class) => Err(failure(call, class, phase.as_str())),
            Act::HangBefore => Err(hang(call).await),
            Act::PanicBefore => panic_as_scripted(),
            act => Ok(act),
        }
    }

    /// The living thing of a record: its name, if it is the very one. Of a create in doubt the id is not known: there it is the
    /// one that this address made, as a tag tells elsewhere (rule T8).
    fn thing_of(&self, prior: &Record) -> Option<Thing> {
        let id = input(&prior.value.0, "id");
        let address = prior.slot.address.to_string();
        let ours = |thing: &Thing| match id.as_str() {
            Some(id) => *id == *thing.id,
            None => thing.address == address,
        };
        self.world.thing(&name_of(&prior.value.0)).filter(ours)
    }

    /// The effect of a step.
    fn act(&self, call: &Call, work: Work<'_>) -> Result<Option<Observed>, ProviderError> {
        let (token, address) = (call.token.0.as_str(), call.address.to_string());
        match (work.op, work.prior) {
            (Op::Delete, Some(prior)) => {
                // Another thing of that name is not ours to take away.
                if let Some(thing) = self.thing_of(prior) {
                    self.world.delete(&address, token, &thing.name);
                }
                Ok(None)
            }
            (Op::Delete, None) => Ok(None),
            (Op::Update, _) => {
                self.world.update(&address, token, work.desired).map(|thing| Some(seen(&thing)))
            }
            _ => self.world.create(&address, token, work.desired).map(|thing| Some(seen(&thing))),
        }
    }
}

/// Until it is asked to stop, or its time is over.
async fn hang(call: &Call) -> ProviderError {
    let over = async {
        match call.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = call.stop.interrupted() => failure(call, ErrorClass::Cancelled, "interrupted work"),
        () = over => failure(call, ErrorClass::Timeout, "hanging work"),
    }
}

/// Unwinds as a panic does, without the noise of one.
fn panic_as_scripted() -> ! {
    std::panic::resume_unwind(Box::new("a panic, as scripted"))
}

fn phase_of(op: Op) -> Phase {
    match op {
        Op::Delete => Phase::Delete,
        Op::Update => Phase::Update,
        _ => Phase::Create,
    }
}

#[async_trait]
impl Session for FakeSession {
    async fn tool(&self) -> Result<String, ProviderError> {
        Ok(self.world.tool())
    }

    fn tool_identity(&self) -> String {
        self.world.tool()
    }

    async fn account(&self) -> Result<Option<String>, ProviderError> {
        Ok(self.world.account())
    }

    async fn read(&self, call: &Call, prior: &Record) -> Result<Option<Observed>, ProviderError> {
        self.begin(call, Phase::Read).await?;
        Ok(self.thing_of(prior).map(|thing| seen(&thing)))
    }

    async fn plan(&self, call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError> {
        let act = self.begin(call, Phase::Plan).await?;
        let mut drift = None;
        let mut now = ask.prior.map(|prior| prior.value.0.clone());
        if let Some(prior) = ask.prior.filter(|_| ask.refresh) {
            let found = self.thing_of(prior).map(|thing| seen(&thing));
            now = found.as_ref().map(|found| found.value.clone());
            drift = match found {
                None => Some(Drift::Gone),
                Some(found) if !found.value.same(&prior.value.0) => Some(Drift::Changed(found)),
                Some(_) => None,
            };
        }
        // What is made anew has nothing of the old one.
        let kept = now.as_ref().filter(|_| !ask.replace);
        let (verdict, planned, why) = propose(kept, ask.desired);
        let mut proposed = Proposed {
            verdict,
            planned,
            why,
            nested: Vec::new(),
            artefact: None,
            drift,
            place: ask.desired.map(|desired| format!("fake:{}", name_of(desired))),
            warnings: Vec::new(),
            waits_for: Vec::new(),
        };
        if proposed.verdict != Verdict::Same && ask.desired.is_some() && !matches!(act, Act::Defer(_)) {
            proposed.artefact = stage::stage(&self.world, call).await?;
        }
        match act {
            Act::Defer(waits_for) => (proposed.verdict, proposed.waits_for) = (Verdict::Deferred, waits_for),
            Act::Unknown(names) => proposed.planned = forget(&proposed.planned, &names),
            _ => {}
        }
        Ok(proposed)
    }

    async fn discard(&self, _call: &Call, private: &Private) -> Result<(), ProviderError> {
        stage::discard(&self.world, private);
        Ok(())
    }

    async fn apply(&self, call: &Call, work: Work<'_>) -> Result<Option<Observed>, Box<ApplyFailure>> {
        let _running = self.world.running();
        let phase = phase_of(work.op);
        let act = self.begin(call, phase).await.map_err(ApplyFailure::untouched)?;
        stage::used(&self.world, &work).map_err(ApplyFailure::untouched)?;
        let done = self.act(call, work).map_err(ApplyFailure::untouched)?;
        if self.world.notes()
            && let Some(seen) = &done
        {
            call.engine.note(&seen.private).await.map_err(ApplyFailure::untouched)?;
        }
        let left = || done.clone().map_or(Left::Gone, |seen| Left::There(Box::new(seen)));
        let (error, left) = match act {
            Act::FailAfter(class) => (failure(call, class, phase.as_str()), left()),
            Act::LoseAfter(class) => {
                (failure(call, class, phase.as_str()), Left::Unknown("the fake world".to_owned()))
            }
            Act::HangAfter => (hang(call).await, left()),
            Act::PanicAfter => panic_as_scripted(),
            _ => return Ok(done),
        };
        Err(Box::new(ApplyFailure { error, left }))
    }

    async fn probe(&self, call: &Call, work: Work<'_>) -> Result<Probe, ProviderError> {
        if let Act::CannotTell = self.begin(call, Phase::Probe).await? {
            return Ok(Probe::Unknown { look_at: "the fake world".to_owned() });
        }
        let token = call.token.0.as_str();
        let done = |thing: Thing| Probe::Done(Some(Box::new(seen(&thing))));
        Ok(match (work.op, work.prior) {
            (Op::Delete, prior) => match prior.and_then(|prior| self.thing_of(prior)) {
                None => Probe::Done(None),
                Some(_) => Probe::NotBegun,
            },
            (op, _) => {
                let thing = self.world.thing(&name_of(work.desired));
                let by = |thing: &Thing| match op {
                    Op::Update => thing.updated_by.as_deref() == Some(token),
                    _ => thing.made_by == token,
                };
                thing.filter(by).map_or(Probe::NotBegun, done)
            }
        })
    }

    async fn import(&self, call: &Call, id: &str, _desired: &Value) -> Result<Observed, ProviderError> {
        self.begin(call, Phase::Read).await?;
        let thing = self.world.things().into_values().find(|thing| thing.id == id || thing.name == id);
        let missing = || ProviderError::new(ErrorClass::NotFound, format!("there is no thing `{id}`"));
        thing.map(|thing| seen(&thing)).ok_or_else(missing)
    }
}

fn propose(now: Option<&Value>, desired: Option<&Value>) -> (Verdict, Value, Vec<AttrPath>) {
    let unknown = || Value::unknown(Type::String);
    let Some(desired) = desired else { return (Verdict::Change, Value::NULL, Vec::new()) };
    let Some(now) = now else {
        return (Verdict::Change, with(desired, unknown(), unknown()), Vec::new());
    };
    let differs = |name: &&&str| !input(now, name).same(&input(desired, name));
    let why: Vec<AttrPath> = INPUTS.iter().filter(differs).map(|name| AttrPath::from(*name)).collect();
    match why.first().and_then(AttrPath::top) {
        None => (Verdict::Same, with(desired, input(now, "id"), input(now, "stamp")), why),
        Some("name") => (Verdict::Replace, with(desired, unknown(), unknown()), vec![AttrPath::from("name")]),
        Some(_) => (Verdict::Change, with(desired, input(now, "id"), unknown()), why),
    }
}

/// The value with some attributes unknown.
fn forget(planned: &Value, names: &[String]) -> Value {
    let entries = planned.entries().unwrap_or_default().iter().map(|(name, value)| {
        let forgotten = names.iter().any(|forgotten| **forgotten == **name);
        (name.clone(), if forgotten { Value::unknown(value.type_of()) } else { value.clone() })
    });
    Value::object(entries.collect::<Vec<_>>())
}
