//! `local_data`: a value that is stored. No process and no file; thousands of them cost next to nothing.

use std::sync::Arc;

use windlass_model::{AttrPath, Kind, Op, Type, Unknown, Value, hex};
use windlass_provider::{Ask, Call, Observed, Proposed, Verdict, Work};

use crate::{proposed, seen};

/// The attributes' names and the id that is not known yet, made once: all resources share them.
pub(crate) struct Data {
    id: Arc<str>,
    input: Arc<str>,
    output: Arc<str>,
    triggers: Arc<str>,
    unknown_id: Value,
}

impl Data {
    pub(crate) fn new() -> Data {
        let id = Unknown { ty: Type::String, not_null: true, ..Unknown::default() };
        Data {
            id: "id".into(),
            input: "input".into(),
            output: "output".into(),
            triggers: "triggers_replace".into(),
            unknown_id: Value::new(Kind::Unknown(Arc::new(id))),
        }
    }

    pub(crate) fn plan(&self, ask: Ask<'_>) -> Proposed {
        let Some(desired) = ask.desired else { return proposed(Verdict::Change, Value::NULL) };
        let Some(prior) = ask.prior.map(|prior| &prior.value.0) else {
            return proposed(Verdict::Change, self.value(self.unknown_id.clone(), desired));
        };
        if !same(prior, desired, &self.triggers) {
            let planned = self.value(self.unknown_id.clone(), desired);
            let why = vec![AttrPath::default().name(self.triggers.clone())];
            return Proposed { why, ..proposed(Verdict::Replace, planned) };
        }
        let planned = self.value(prior.get(&self.id).cloned().unwrap_or(Value::NULL), desired);
        if same(prior, desired, &self.input) {
            return proposed(Verdict::Same, planned);
        }
        let why = vec![AttrPath::default().name(self.input.clone())];
        Proposed { why, ..proposed(Verdict::Change, planned) }
    }

    pub(crate) fn apply(&self, call: &Call, work: Work<'_>) -> Option<Observed> {
        if work.op == Op::Delete {
            return None;
        }
        let kept = work.prior.filter(|_| work.op == Op::Update).and_then(|prior| prior.value.0.get(&self.id));
        let id = kept.cloned().unwrap_or_else(|| Value::string(uuid(call.tools.host.random())));
        Some(seen(self.value(id, work.desired)))
    }

    /// Nothing real is taken in: the id is kept, and the value is what the stack says.
    pub(crate) fn import(&self, id: &str, desired: &Value) -> Observed {
        seen(self.value(Value::from(id), desired))
    }

    fn value(&self, id: Value, desired: &Value) -> Value {
        let given = |name: &str| desired.get(name).cloned().unwrap_or(Value::NULL);
        let input = given(&self.input);
        Value::object([
            (self.id.clone(), id),
            (self.input.clone(), input.clone()),
            (self.output.clone(), input),
            (self.triggers.clone(), given(&self.triggers)),
        ])
    }
}

fn same(prior: &Value, desired: &Value, name: &str) -> bool {
    crate::attributes::is_same(prior, desired, name)
}

/// A version 4 UUID of random bits.
fn uuid(random: u128) -> String {
    let version = 4_u128 << 76;
    let variant = 2_u128 << 62;
    let bits = random & !(0xf_u128 << 76) & !(3_u128 << 62) | version | variant;
    let text = hex(&bits.to_be_bytes());
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_version_4_uuid() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn a_read_is_the_record() {
        let data = Data::new();
        let desired = Value::object([("input", Value::from(1)), ("triggers_replace", Value::NULL)]);
        let value = data.import("x", &desired);
        let address = windlass_model::Address::new("local_data", "it");
        let record = windlass_provider::harness::record(&address, "local", &desired, value);
        assert!(crate::as_recorded(&record).value.same(&record.value.0));
    }
}
