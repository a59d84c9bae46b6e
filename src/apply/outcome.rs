//! From what a provider did to what state remembers. Pure.

use std::sync::Arc;

use windlass_model::{
    Address, Digest, ErrorClass, Marks, Op, Outcome, Policy, Private, Record, Slot, StepId, Stored, Value,
};
use windlass_provider::{Left, Observed};

/// One act of a step: most steps are one; a step that turned into a replacement is two.
#[derive(Clone, Debug)]
pub struct Act {
    /// Which.
    pub id: StepId,
    /// What is wanted; null for a delete.
    pub desired: Value,
    /// What it will be, as planned.
    pub planned: Value,
    /// The tool's own plan.
    pub artefact: Option<Private>,
    /// What state knows.
    pub prior: Option<Arc<Record>>,
    /// What the record will carry besides.
    pub mold: Mold,
}

/// What a record carries besides the observed.
#[derive(Clone, Debug)]
pub struct Mold {
    /// Provider and alias.
    pub provider: String,
    /// The version of the type's schema.
    pub schema: u32,
    /// What the resource depends on.
    pub depends_on: Vec<Address>,
    /// Sources, inputs, configuration, tool.
    pub fingerprint: Digest,
    /// The real place.
    pub place: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// How it is run.
    pub policy: Policy,
}

impl Act {
    /// The record of a thing as observed after this act.
    pub fn record(&self, observed: Observed) -> Record {
        Record {
            slot: Slot { address: self.id.slot.address.clone(), deposed: self.id.slot.deposed.clone() },
            provider: self.mold.provider.clone(),
            schema: self.mold.schema,
            inputs: Stored(self.desired.clone()),
            value: Stored(with_marks(&self.desired, observed.value)),
            private: observed.private,
            nested: observed.nested,
            depends_on: self.mold.depends_on.clone(),
            fingerprint: self.mold.fingerprint,
            place: self.mold.place.clone(),
            account: self.mold.account.clone(),
            protect: self.mold.policy.protect,
            tainted: None,
            in_doubt: None,
        }
    }

    /// How a failed act is recorded.
    pub fn failed(&self, class: ErrorClass, message: &str, left: Left) -> Outcome {
        let mut left_nothing = false;
        let record = match left {
            Left::Untouched => None,
            Left::Gone => {
                left_nothing = true;
                None
            }
            Left::There(observed) => Some(self.half_done(*observed, message)),
            Left::Unknown(look_at) => Some(self.in_doubt(look_at)),
        };
        Outcome::Failed { class, message: message.to_owned(), record: record.map(Box::new), left_nothing }
    }

    /// What a failure left half done: a new thing is tainted; an old one keeps what it was asked to be, and is asked about
    /// next time because its fingerprint fits nothing.
    fn half_done(&self, observed: Observed, message: &str) -> Record {
        let mut record = self.record(observed);
        record.fingerprint = NEVER;
        let first_line = message.lines().next().unwrap_or_default().to_owned();
        match (&self.prior, self.id.op) {
            (Some(prior), Op::Update | Op::Delete) => {
                record.inputs = prior.inputs.clone();
                record.tainted = prior.tainted.clone();
                record.protect |= prior.protect;
                record.depends_on = prior.depends_on.clone();
            }
            _ => record.tainted = Some(first_line),
        }
        record
    }

    /// The record of a step of which nobody can tell whether it was done.
    pub fn in_doubt(&self, look_at: String) -> Record {
        let mut record = match &self.prior {
            Some(prior) => (**prior).clone(),
            None => self.record(Observed {
                value: self.planned.clone(),
                private: Private::default(),
                nested: Vec::new(),
            }),
        };
        record.fingerprint = NEVER;
        record.in_doubt = Some(format!("{} {look_at}", self.id.op.as_str()));
        record
    }

    /// The record of a thing that is there but not healthy.
    pub fn unhealthy(&self, mut record: Record, why: &str) -> Record {
        record.fingerprint = NEVER;
        record.tainted = Some(format!("unhealthy: {why}"));
        record
    }
}

/// A fingerprint that no resource has.
pub const NEVER: Digest = Digest([0; 32]);

/// What was given as a secret stays one, whatever a provider says.
pub fn with_marks(given: &Value, observed: Value) -> Value {
    if !given.has_sensitive() {
        return observed;
    }
    let (Some(given), Some(entries)) = (given.entries(), observed.entries()) else {
        return observed.marked(given.deep_marks());
    };
    let marked = entries.iter().map(|(key, value)| {
        let wanted = given.iter().find(|(name, _)| name == key).map(|(_, value)| value.deep_marks());
        let missing = wanted.unwrap_or(Marks::NONE).without(value.deep_marks());
        (key.clone(), value.clone().marked(missing))
    });
    Value::object(marked).marked(observed.marks)
}
