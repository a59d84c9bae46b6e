//! A plan as people and programs see it: the two steps of a replacement are one item, and what refresh found is too.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use windlass_model::{
    Address, AttrPath, Deferred, NestedChange, Op, Plan, Policy, Reason, Slot, Step, Value,
};

/// What is done, in the words of the summary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Delete it and make it anew.
    Replace,
    /// Remove it.
    Delete,
    /// Take in what is seen, run nothing.
    Record,
    /// Give the record another address.
    Move,
    /// Take in something that exists.
    Import,
    /// Drop the record, leave the thing.
    Forget,
    /// Planned only when what it waits for is known.
    Deferred,
}

impl Action {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
            Action::Record => "record",
            Action::Move => "move",
            Action::Import => "import",
            Action::Forget => "forget",
            Action::Deferred => "deferred",
        }
    }

    /// Its sign in the text.
    pub fn symbol(self) -> &'static str {
        match self {
            Action::Create => "+",
            Action::Update => "~",
            Action::Replace => "-/+",
            Action::Delete => "-",
            Action::Record => "=",
            Action::Move => ">",
            Action::Import => "<",
            Action::Forget => "x",
            Action::Deferred => "?",
        }
    }
}

impl From<Op> for Action {
    fn from(op: Op) -> Self {
        match op {
            Op::Create => Action::Create,
            Op::Update => Action::Update,
            Op::Delete => Action::Delete,
            Op::Import => Action::Import,
            Op::Forget => Action::Forget,
            Op::Move => Action::Move,
        }
    }
}

/// One line of the plan with what belongs to it.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// What is done.
    pub action: Action,
    /// What will be done once it can be planned, of a deferred step; else as `action`.
    pub kind: Action,
    /// To which object.
    pub slot: &'a Slot,
    /// What it is now, or null.
    pub before: &'a Value,
    /// What is asked for, or null.
    pub desired: &'a Value,
    /// What it will be, or null.
    pub planned: &'a Value,
    /// Why.
    pub why: &'a [Reason],
    /// Which attributes force a replacement.
    pub forces_replace: &'a [AttrPath],
    /// What its tool does inside.
    pub nested: &'a [NestedChange],
    /// What it depends on.
    pub depends_on: &'a [Address],
    /// How it is run; `None`: nothing is run.
    pub policy: Option<&'a Policy>,
    /// What it waits for.
    pub deferred: Option<&'a Deferred>,
    /// The tool and its version; empty where no tool runs.
    pub tool: &'a str,
    /// The account it acts in.
    pub account: Option<&'a str>,
}

/// How many of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the field names are the public names of the plan document")]
pub struct Summary {
    pub create: u32,
    pub update: u32,
    pub replace: u32,
    pub delete: u32,
    pub record: u32,
    #[serde(rename = "move")]
    pub moved: u32,
    pub import: u32,
    pub forget: u32,
    pub deferred: u32,
    pub unchanged: u32,
}

impl Summary {
    fn count(&mut self, action: Action) {
        *match action {
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::Replace => &mut self.replace,
            Action::Delete => &mut self.delete,
            Action::Record => &mut self.record,
            Action::Move => &mut self.moved,
            Action::Import => &mut self.import,
            Action::Forget => &mut self.forget,
            Action::Deferred => &mut self.deferred,
        } += 1;
    }
}

/// Counts the items.
pub fn summary(plan: &Plan, items: &[Item<'_>]) -> Summary {
    let mut summary = Summary { unchanged: plan.unchanged, ..Summary::default() };
    for item in items {
        summary.count(item.action);
    }
    summary
}

/// The items of a plan: first what refresh found and no step is about, by slot; then the steps in the plan's order, a
/// replacement at the place of its create.
pub fn items(plan: &Plan) -> Vec<Item<'_>> {
    let mut items = recorded(plan);
    let half = |op| plan.steps.iter().filter(move |step| step.replaces && step.id.op == op);
    // By address and not by slot: of create-before-destroy the old object is a slot of its own.
    let deletes: BTreeMap<&Address, &Step> =
        half(Op::Delete).map(|step| (&step.id.slot.address, step)).collect();
    let creates: BTreeSet<&Address> = half(Op::Create).map(|step| &step.id.slot.address).collect();
    for step in &plan.steps {
        let address = &step.id.slot.address;
        match (step.id.op, step.replaces) {
            (Op::Delete, true) if creates.contains(address) => {}
            (Op::Create, true) => items.push(item(step, deletes.get(address).copied())),
            _ => items.push(item(step, None)),
        }
    }
    items
}

fn item<'a>(step: &'a Step, delete: Option<&'a Step>) -> Item<'a> {
    let kind = if delete.is_some() || step.announces_replacement() {
        Action::Replace
    } else {
        Action::from(step.id.op)
    };
    let longer = |own: &'a [AttrPath], other: &'a [AttrPath]| if own.is_empty() { other } else { own };
    let old = delete.unwrap_or(step);
    Item {
        action: if step.deferred.is_some() { Action::Deferred } else { kind },
        kind,
        slot: &step.id.slot,
        before: if step.before.0.is_null() { &old.before.0 } else { &step.before.0 },
        desired: &step.desired.0,
        planned: &step.planned.0,
        why: if step.why.is_empty() { &old.why } else { &step.why },
        forces_replace: longer(&step.forces_replace, &old.forces_replace),
        nested: if step.nested.is_empty() { &old.nested } else { &step.nested },
        depends_on: &step.depends_on,
        policy: Some(&step.policy),
        deferred: step.deferred.as_ref(),
        tool: &step.tool,
        account: step.account.as_deref(),
    }
}

const NULL: &Value = &Value::NULL;

fn recorded(plan: &Plan) -> Vec<Item<'_>> {
    let stepped: BTreeSet<&Slot> = plan.steps.iter().map(|step| &step.id.slot).collect();
    let blank = |slot| Item {
        action: Action::Record,
        kind: Action::Record,
        slot,
        before: NULL,
        desired: NULL,
        planned: NULL,
        why: &[],
        forces_replace: &[],
        nested: &[],
        depends_on: &[],
        policy: None,
        deferred: None,
        tool: "",
        account: None,
    };
    let seen = plan.refreshed.iter().map(|record| Item {
        planned: &record.value.0,
        depends_on: &record.depends_on,
        account: record.account.as_deref(),
        ..blank(&record.slot)
    });
    let mut items: Vec<Item<'_>> =
        seen.chain(plan.gone.iter().map(blank)).filter(|item| !stepped.contains(item.slot)).collect();
    items.sort_by_key(|item| item.slot);
    items
}
