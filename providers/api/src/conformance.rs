//! What every provider has to do: one suite, run by the tests of each.

use windlass_model::{Address, Kind, Op, Record, Severity, Value};

use crate::harness::{Bench, record};
use crate::session::{Ask, Drift, Observed, Probe, Proposed, Provider, Session, Verdict, Work};

/// A resource type to try, in values that are complete: all attributes that the schema has, null where not given.
pub struct Case<'a> {
    /// The resource type.
    pub kind: &'a str,
    /// The provider's configuration.
    pub config: Value,
    /// What is created.
    pub desired: Value,
    /// What it is changed to in place.
    pub updated: Option<Value>,
    /// What can only be had by a replacement.
    pub replaced: Option<Value>,
    /// By what the real thing of `desired` is imported.
    pub import: Option<String>,
    /// Takes the real thing away behind the provider's back; `None` where it has none.
    pub remove: Option<&'a (dyn Fn(&Value) + Sync)>,
    /// A step done twice is as good as done once, so `probe` may say that it never began.
    pub repeatable: bool,
}

/// Runs the suite.
///
/// # Errors
/// The first thing that does not hold.
pub async fn run(provider: &dyn Provider, bench: &Bench, case: &Case<'_>) -> Result<(), String> {
    let name = provider.schema().name;
    if !provider.schema().resources.contains_key(case.kind) {
        return Err(format!("{name} has no type {}", case.kind));
    }
    for desired in [Some(&case.desired), case.updated.as_ref(), case.replaced.as_ref()].into_iter().flatten()
    {
        let found = provider.check(case.kind, desired);
        if let Some(error) = found.iter().find(|finding| finding.severity == Severity::Error) {
            return Err(format!("check of a good value: {}", error.message));
        }
        // Nothing known must not be an error, and must not panic.
        let unknown = desired.map_children(|child| Value::unknown(child.type_of()));
        provider.check(case.kind, &unknown);
    }
    let session = provider.open(&case.config, bench.tools.clone()).await.map_err(told("open"))?;
    let address = Address::new(case.kind, "it");
    Suite { session: &*session, bench, case, address, provider: name }.run().await
}

struct Suite<'a> {
    session: &'a dyn Session,
    bench: &'a Bench,
    case: &'a Case<'a>,
    address: Address,
    provider: &'a str,
}

fn told(what: &str) -> impl Fn(crate::ProviderError) -> String + '_ {
    move |error| format!("{what}: {} ({})", error.message, error.class.as_str())
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Suite<'_> {
    async fn run(&self) -> Result<(), String> {
        let case = self.case;
        let mut now = self.create(&case.desired).await?;
        self.is_settled(&now, &case.desired).await?;
        if let Some(id) = &case.import {
            self.import(id, &now).await?;
        }
        if let Some(updated) = &case.updated {
            now = self.update(&now, updated).await?;
            self.is_settled(&now, updated).await?;
        }
        if let Some(replaced) = &case.replaced {
            let proposed = self.plan(Some(&now), Some(replaced), true).await?;
            expect(proposed.verdict == Verdict::Replace, || {
                format!("plan of a replacement: {:?}", proposed.verdict)
            })?;
            expect(!proposed.why.is_empty(), || "plan of a replacement: does not say why".to_owned())?;
        }
        self.delete(&now).await?;
        if let Some(remove) = case.remove {
            let made = self.create(&case.desired).await?;
            remove(&made.value.0);
            self.is_gone(&made).await?;
        }
        Ok(())
    }

    async fn plan(
        &self,
        prior: Option<&Record>,
        desired: Option<&Value>,
        refresh: bool,
    ) -> Result<Proposed, String> {
        let call = self.bench.call(&self.address);
        self.session.plan(&call, Ask { prior, desired, refresh, replace: false }).await.map_err(told("plan"))
    }

    async fn create(&self, desired: &Value) -> Result<Record, String> {
        let proposed = self.plan(None, Some(desired), true).await?;
        expect(proposed.verdict == Verdict::Change, || format!("plan of a create: {:?}", proposed.verdict))?;
        expect(proposed.drift.is_none(), || "plan of a create: drift of nothing".to_owned())?;
        self.keeps(desired, &proposed.planned)?;
        self.step(Op::Create, None, desired, &proposed).await
    }

    async fn update(&self, prior: &Record, desired: &Value) -> Result<Record, String> {
        let proposed = self.plan(Some(prior), Some(desired), true).await?;
        expect(proposed.verdict == Verdict::Change, || format!("plan of an update: {:?}", proposed.verdict))?;
        expect(!proposed.why.is_empty(), || "plan of an update: does not say why".to_owned())?;
        self.keeps(desired, &proposed.planned)?;
        self.step(Op::Update, Some(prior), desired, &proposed).await
    }

    /// Applies a create or update, between two probes.
    async fn step(
        &self,
        op: Op,
        prior: Option<&Record>,
        desired: &Value,
        proposed: &Proposed,
    ) -> Result<Record, String> {
        let artefact = proposed.artefact.as_ref();
        let work = Work { op, prior, desired, planned: &proposed.planned, artefact, noted: &[] };
        let call = self.bench.call(&self.address);
        let done = self.session.apply(&call, work).await;
        let seen = done.map_err(|failure| told("apply")(failure.error))?;
        let seen = seen.ok_or_else(|| format!("apply of {}: nothing there", op.as_str()))?;
        expect(seen.value.is_known(), || format!("apply of {}: not known whole", op.as_str()))?;
        expect(agrees(&proposed.planned, &seen.value), || {
            format!("apply of {}: planned {:?}, is {:?}", op.as_str(), proposed.planned, seen.value)
        })?;
        expect(sensitive_stays(&proposed.planned, &seen.value), || {
            format!("apply of {}: a sensitive value is no longer marked", op.as_str())
        })?;
        let noted = self.bench.engine.notes();
        let probed =
            self.session.probe(&call, Work { noted: &noted, ..work }).await.map_err(told("probe"))?;
        match probed {
            Probe::Done(Some(found)) if found.value.same(&seen.value) => {}
            Probe::NotBegun if self.case.repeatable => {}
            other => return Err(format!("probe of a done {}: {other:?}", op.as_str())),
        }
        Ok(record(&self.address, self.provider, desired, seen))
    }

    /// Asked again, there is nothing to do.
    async fn is_settled(&self, now: &Record, desired: &Value) -> Result<(), String> {
        for refresh in [false, true] {
            let proposed = self.plan(Some(now), Some(desired), refresh).await?;
            expect(proposed.verdict == Verdict::Same, || {
                let why: Vec<String> = proposed.why.iter().map(ToString::to_string).collect();
                format!("plan of nothing new: {:?} because of {}", proposed.verdict, why.join(", "))
            })?;
            expect(proposed.drift.is_none(), || format!("plan of nothing new: drift {:?}", proposed.drift))?;
            expect(proposed.planned.same(&now.value.0), || "plan of nothing new: not what it is".to_owned())?;
        }
        let seen = self.read(now).await?.ok_or("read: not there")?;
        expect(seen.value.same(&now.value.0), || format!("read: {:?}, not {:?}", seen.value, now.value.0))
    }

    async fn read(&self, now: &Record) -> Result<Option<Observed>, String> {
        let call = self.bench.call(&self.address);
        self.session.read(&call, now).await.map_err(told("read"))
    }

    async fn import(&self, id: &str, now: &Record) -> Result<(), String> {
        let call = self.bench.call(&self.address);
        let desired = &self.case.desired;
        let seen = self.session.import(&call, id, desired).await.map_err(told("import"))?;
        let imported = record(&self.address, self.provider, desired, seen);
        let proposed = self.plan(Some(&imported), Some(desired), true).await?;
        expect(proposed.verdict == Verdict::Same, || {
            format!("plan after an import of {id}: {:?} because of {:?}", proposed.verdict, proposed.why)
        })?;
        expect(imported.value.0.get("id").is_some() == now.value.0.get("id").is_some(), || {
            "import: an id came or went".to_owned()
        })
    }

    async fn delete(&self, now: &Record) -> Result<(), String> {
        let proposed = self.plan(Some(now), None, true).await?;
        expect(proposed.verdict == Verdict::Change, || format!("plan of a delete: {:?}", proposed.verdict))?;
        let work = Work {
            op: Op::Delete,
            prior: Some(now),
            desired: &Value::NULL,
            planned: &Value::NULL,
            artefact: proposed.artefact.as_ref(),
            noted: &[],
        };
        // Twice: what is gone already is deleted.
        for _ in 0..2 {
            let call = self.bench.call(&self.address);
            let done = self.session.apply(&call, work).await;
            let left = done.map_err(|failure| told("delete")(failure.error))?;
            expect(left.is_none(), || "delete: something is left".to_owned())?;
            let probed = self.session.probe(&call, work).await.map_err(told("probe"))?;
            let told = match probed {
                Probe::Done(None) => true,
                Probe::NotBegun => self.case.repeatable,
                _ => false,
            };
            expect(told, || format!("probe of a done delete: {probed:?}"))?;
            if self.case.remove.is_none() {
                return Ok(());
            }
        }
        expect(self.read(now).await?.is_none(), || "read after a delete: still there".to_owned())
    }

    async fn is_gone(&self, now: &Record) -> Result<(), String> {
        expect(self.read(now).await?.is_none(), || "read of what was taken away: still there".to_owned())?;
        let proposed = self.plan(Some(now), Some(&self.case.desired), true).await?;
        expect(matches!(proposed.drift, Some(Drift::Gone)), || {
            format!("plan of what was taken away: drift {:?}", proposed.drift)
        })?;
        expect(proposed.verdict == Verdict::Change, || {
            format!("plan of what was taken away: {:?}", proposed.verdict)
        })
    }

    /// What was asked for is planned.
    fn keeps(&self, desired: &Value, planned: &Value) -> Result<(), String> {
        let given = desired.entries().unwrap_or_default().iter().filter(|(_, value)| !value.is_null());
        for (name, value) in given {
            let there = planned.get(name).is_some_and(|planned| planned.same(value));
            expect(there, || format!("plan: `{name}` is not as it was asked for"))?;
        }
        expect(sensitive_stays(desired, planned), || "plan: a sensitive value is no longer marked".to_owned())
    }
}

/// Whether a value is as planned: what was unknown may be anything.
fn agrees(planned: &Value, seen: &Value) -> bool {
    match (&planned.kind, planned.entries(), seen.entries()) {
        (Kind::Unknown(_), _, _) => true,
        (_, Some(planned), Some(seen)) => {
            planned.len() == seen.len()
                && planned.iter().zip(seen).all(|(a, b)| a.0 == b.0 && agrees(&a.1, &b.1))
        }
        _ => planned.has_unknown() || planned.same(seen),
    }
}

/// Whether each attribute that was marked still is.
fn sensitive_stays(before: &Value, after: &Value) -> bool {
    let fields = before.entries().unwrap_or_default().iter();
    let mut marked = fields.filter(|(_, value)| value.has_sensitive());
    marked.all(|(name, _)| after.get(name).is_none_or(Value::has_sensitive))
}
