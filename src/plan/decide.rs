//! From a provider's verdict to steps: pure, and the same for plan and apply.

use std::sync::Arc;

use windlass_model::{
    Address, AttrPath, Deferred, Digest, Op, PathStep, Policy, Reason, Record, Replace, ResourceSchema, Slot,
    Step, StepId, Stored, Value,
};
use windlass_provider::{Drift, Proposed, Verdict};

/// A resource instance that is looked at.
pub struct Subject<'a> {
    /// Its address.
    pub address: &'a Address,
    /// Its type's schema.
    pub schema: &'a ResourceSchema,
    /// Provider and alias.
    pub provider: &'a str,
    /// What is wanted.
    pub desired: &'a Value,
    /// What state knows.
    pub prior: Option<&'a Arc<Record>>,
    /// `--replace`
    pub replace: bool,
    /// How its steps are run.
    pub policy: Policy,
    /// The digest of its sources.
    pub sources: Option<Digest>,
    /// What the record's fingerprint will be.
    pub fingerprint: Digest,
    /// What the record's dependencies will be.
    pub depends_on: &'a [Address],
}

/// What was found out about it.
pub struct Answer {
    /// The provider's answer.
    pub proposed: Proposed,
    /// The tool and its version; empty where none runs or nothing is to be done.
    pub tool: String,
    /// The account.
    pub account: Option<String>,
}

/// What follows.
#[derive(Debug, Default)]
pub struct Decision {
    /// Steps: none, one, or delete and create.
    pub steps: Vec<Step>,
    /// The value that others see.
    pub value: Option<Value>,
    /// The record as it really is, where it differs.
    pub refreshed: Option<Record>,
    /// The object is gone.
    pub gone: Option<Slot>,
}

impl Decision {
    /// Nothing is to be done, and all is as state says.
    pub fn is_nothing(&self) -> bool {
        self.steps.is_empty() && self.refreshed.is_none() && self.gone.is_none()
    }
}

/// Decides what is to be done with an instance.
pub fn decide(subject: &Subject<'_>, answer: Answer) -> Decision {
    let Answer { proposed, tool, account } = answer;
    let (seen, gone) = seen(subject.prior, &proposed);
    let mut decision = Decision::default();
    if gone {
        decision.gone = subject.prior.map(|prior| prior.slot.clone());
    }
    let tainted = seen.as_ref().and_then(|seen| seen.tainted.clone());
    let may_replace = subject.schema.replace != Replace::Never;
    let verdict = match proposed.verdict {
        Verdict::Deferred => return put_off(subject, seen.as_deref(), proposed),
        _ if seen.is_none() => Verdict::Change,
        _ if may_replace && (subject.replace || tainted.is_some()) => Verdict::Replace,
        Verdict::Replace if !may_replace => Verdict::Change,
        verdict => verdict,
    };
    let drifted = seen.as_ref().zip(subject.prior).is_some_and(|(seen, prior)| !Arc::ptr_eq(seen, prior));
    if drifted || (verdict == Verdict::Same && needs_cleaning(subject, seen.as_deref())) {
        decision.refreshed = seen.as_ref().map(|seen| cleaned(subject, seen, verdict, &proposed.planned));
    }
    decision.value = Some(proposed.planned.clone());
    let why = reasons(subject, seen.as_deref(), &proposed, gone, tainted);
    let prior = decision.refreshed.as_ref().or(seen.as_deref());
    let mut draft = Draft { subject, prior, why, proposed: &proposed, tool, account };
    decision.steps = match (verdict, prior) {
        (Verdict::Same, _) => Vec::new(),
        (Verdict::Replace, Some(_)) => vec![draft.delete(true), draft.make(Op::Create, true)],
        (_, Some(_)) => vec![draft.make(Op::Update, false)],
        (_, None) => vec![draft.make(Op::Create, false)],
    };
    decision
}

/// The record as it really is: what the provider saw over what state knows.
fn seen(prior: Option<&Arc<Record>>, proposed: &Proposed) -> (Option<Arc<Record>>, bool) {
    let Some(prior) = prior else { return (None, false) };
    match &proposed.drift {
        None => (Some(prior.clone()), false),
        Some(Drift::Gone) => (None, true),
        Some(Drift::Changed(observed)) => {
            let mut record = (**prior).clone();
            record.value = Stored(observed.value.clone());
            record.private = observed.private.clone();
            record.nested = observed.nested.clone();
            (Some(Arc::new(record)), false)
        }
    }
}

/// A record that is as wanted but still says tainted or in doubt, or was asked for with other words that come to the same.
fn needs_cleaning(subject: &Subject<'_>, seen: Option<&Record>) -> bool {
    seen.is_some_and(|seen| {
        seen.tainted.is_some()
            || seen.in_doubt.is_some()
            || seen.protect != subject.policy.protect
            || seen.depends_on != subject.depends_on
            || seen.inputs != Stored(subject.desired.clone())
    })
}

fn cleaned(subject: &Subject<'_>, seen: &Record, verdict: Verdict, planned: &Value) -> Record {
    let mut record = seen.clone();
    if verdict == Verdict::Same {
        record.inputs = Stored(subject.desired.clone());
        if planned.is_known() {
            record.value = Stored(planned.clone());
        }
        record.fingerprint = subject.fingerprint;
        record.tainted = None;
        record.in_doubt = None;
        record.protect = subject.policy.protect;
        record.depends_on = subject.depends_on.to_vec();
    }
    record
}

fn reasons(
    subject: &Subject<'_>,
    seen: Option<&Record>,
    proposed: &Proposed,
    gone: bool,
    tainted: Option<String>,
) -> Vec<Reason> {
    let Some(seen) = seen else { return vec![if gone { Reason::Gone } else { Reason::New }] };
    let mut why = Vec::new();
    if let Some(text) = tainted {
        why.push(Reason::Tainted(text));
    }
    if let Some(text) = &seen.in_doubt {
        why.push(Reason::InDoubt(text.clone()));
    }
    if subject.replace {
        why.push(Reason::Requested);
    }
    for path in &proposed.why {
        let wanted_before = at(&seen.inputs.0, path);
        let wanted_now = at(subject.desired, path);
        let same_wish = matches!((wanted_before, wanted_now), (Some(a), Some(b)) if a.same(b));
        why.push(if same_wish { Reason::Drifted(path.clone()) } else { Reason::Changed(path.clone()) });
    }
    if why.is_empty() {
        why.push(Reason::SourcesChanged);
    }
    why
}

/// The part of a value at a path.
pub fn at<'v>(value: &'v Value, path: &AttrPath) -> Option<&'v Value> {
    path.0.iter().try_fold(value, |value, step| match step {
        PathStep::Name(name) => value.get(name),
        PathStep::Index(index) => value.items()?.get(usize::try_from(*index).ok()?),
    })
}

struct Draft<'a> {
    subject: &'a Subject<'a>,
    prior: Option<&'a Record>,
    why: Vec<Reason>,
    proposed: &'a Proposed,
    tool: String,
    account: Option<String>,
}

impl Draft<'_> {
    fn delete(&mut self, replaces: bool) -> Step {
        let mut step = self.step(Op::Delete, replaces);
        step.desired = Stored(Value::NULL);
        step.planned = Stored(Value::NULL);
        step
    }

    fn make(&mut self, op: Op, replaces: bool) -> Step {
        let mut step = self.step(op, replaces);
        step.nested = self.proposed.nested.clone();
        step.artefact = self.proposed.artefact.clone();
        step.forces_replace = if replaces { self.proposed.why.clone() } else { Vec::new() };
        step
    }

    fn step(&self, op: Op, replaces: bool) -> Step {
        let subject = self.subject;
        let creates = op == Op::Create;
        Step {
            id: StepId { slot: subject.address.slot(), op },
            digest: Digest::of(b""),
            provider: subject.provider.to_owned(),
            account: self.account.clone(),
            tool: self.tool.clone(),
            sources: subject.sources,
            needs: Vec::new(),
            why: self.why.clone(),
            prior: self.prior.filter(|_| !creates).map(Record::digest),
            before: self.prior.map_or_else(Stored::default, |prior| prior.value.clone()),
            desired: Stored(subject.desired.clone()),
            planned: Stored(self.proposed.planned.clone()),
            forces_replace: Vec::new(),
            replaces,
            nested: Vec::new(),
            policy: subject.policy.clone(),
            deferred: None,
            place: self.proposed.place.clone(),
            fingerprint: Some(subject.fingerprint),
            depends_on: subject.depends_on.to_vec(),
            artefact: None,
        }
    }
}

/// A step that its provider cannot plan yet, with what is certain of it.
fn put_off(subject: &Subject<'_>, seen: Option<&Record>, proposed: Proposed) -> Decision {
    let Proposed { planned, waits_for, nested, place, .. } = proposed;
    let mut decision = deferred(subject, seen, waits_for, planned);
    for step in &mut decision.steps {
        step.nested.clone_from(&nested);
        step.place.clone_from(&place);
    }
    decision
}

/// What is known to make it another thing, whatever the rest will be.
fn moved(subject: &Subject<'_>, prior: &Record) -> Vec<AttrPath> {
    if subject.schema.replace == Replace::Never {
        return Vec::new();
    }
    let differs = |name: &str| match (prior.inputs.0.get(name), subject.desired.get(name)) {
        (Some(before), Some(now)) => now.is_known() && !now.same(before),
        _ => false,
    };
    let attributes = subject.schema.body.attributes.iter();
    let names = attributes.filter(|(name, attribute)| attribute.forces_replace && differs(name));
    names.map(|(name, _)| AttrPath::from(*name)).collect()
}

/// A step that cannot be planned yet: what it waits for, and what is certain of it.
pub fn deferred(
    subject: &Subject<'_>,
    prior: Option<&Record>,
    mut waits_for: Vec<String>,
    planned: Value,
) -> Decision {
    waits_for.sort();
    waits_for.dedup();
    let step = Step {
        id: StepId {
            slot: subject.address.slot(),
            op: if prior.is_some() { Op::Update } else { Op::Create },
        },
        digest: Digest::of(b""),
        provider: subject.provider.to_owned(),
        account: None,
        tool: String::new(),
        sources: subject.sources,
        needs: Vec::new(),
        why: vec![if prior.is_some() { Reason::Changed(AttrPath::default()) } else { Reason::New }],
        prior: prior.map(Record::digest),
        before: prior.map_or_else(Stored::default, |prior| prior.value.clone()),
        desired: Stored(subject.desired.clone()),
        planned: Stored(planned.clone()),
        forces_replace: prior.map(|prior| moved(subject, prior)).unwrap_or_default(),
        replaces: false,
        nested: Vec::new(),
        policy: subject.policy.clone(),
        deferred: Some(Deferred { waits_for }),
        place: None,
        fingerprint: None,
        depends_on: subject.depends_on.to_vec(),
        artefact: None,
    };
    Decision { steps: vec![step], value: Some(planned), ..Decision::default() }
}

/// The step that deletes what a record names.
pub fn deletion(record: &Record, why: Reason, policy: Policy, answer: Answer) -> Decision {
    if matches!(answer.proposed.drift, Some(Drift::Gone)) {
        return Decision { gone: Some(record.slot.clone()), ..Decision::default() };
    }
    let (seen, _) = seen(Some(&Arc::new(record.clone())), &answer.proposed);
    let seen = seen.map_or_else(|| record.clone(), |seen| (*seen).clone());
    let step = Step {
        id: StepId { slot: record.slot.clone(), op: Op::Delete },
        digest: Digest::of(b""),
        provider: record.provider.clone(),
        account: answer.account,
        tool: answer.tool,
        sources: None,
        needs: Vec::new(),
        why: vec![why],
        prior: Some(seen.digest()),
        before: seen.value.clone(),
        desired: Stored::default(),
        planned: Stored::default(),
        forces_replace: Vec::new(),
        replaces: false,
        nested: answer.proposed.nested.clone(),
        policy,
        deferred: None,
        place: None,
        fingerprint: None,
        depends_on: record.depends_on.clone(),
        artefact: answer.proposed.artefact.clone(),
    };
    let drifted = seen != *record;
    Decision { steps: vec![step], refreshed: drifted.then_some(seen), ..Decision::default() }
}
