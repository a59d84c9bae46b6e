//! The plan as a JSON document, format `windlass.plan/1`: public, other programs rely on it.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use windlass_model::{Diagnostic, NestedChange, OutputChange, Plan, PlanId, Shown, Value};

use super::diff::{self, Change};
use super::view::{self, Action, Item, Summary};
use super::words;

/// The name of the format and its version.
const FORMAT: &str = "windlass.plan/1";

/// A plan as a document. It is written by serializing it; steps are made one by one while it is.
#[derive(Serialize)]
pub struct Document<'a> {
    format: &'static str,
    id: PlanId,
    stack: &'a str,
    environment: &'a str,
    base_version: u64,
    summary: Summary,
    steps: Steps<'a>,
    outputs: BTreeMap<&'a str, OutputDocument<'a>>,
    diagnostics: &'a [Diagnostic],
}

impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The document of a plan. Sensitive values are the text `(sensitive)` unless `show_sensitive`.
pub fn document(plan: &Plan, show_sensitive: bool) -> Document<'_> {
    let items = view::items(plan);
    let outputs = plan.header.outputs.iter();
    Document {
        format: FORMAT,
        id: plan.id,
        stack: &plan.header.stack,
        environment: &plan.header.environment,
        base_version: plan.seal.base_version,
        summary: view::summary(plan, &items),
        steps: Steps { items, show_sensitive },
        outputs: outputs.map(|(name, change)| (name.as_str(), output(change, show_sensitive))).collect(),
        diagnostics: &plan.diagnostics,
    }
}

struct Steps<'a> {
    items: Vec<Item<'a>>,
    show_sensitive: bool,
}

impl Serialize for Steps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.items.len()))?;
        for item in &self.items {
            seq.serialize_element(&step(item, self.show_sensitive))?;
        }
        seq.end()
    }
}

#[derive(Serialize)]
struct StepDocument<'a> {
    address: String,
    #[serde(rename = "type")]
    kind: &'a str,
    action: Action,
    reason: String,
    changes: Vec<ChangeDocument<'a>>,
    nested: Vec<NestedDocument<'a>>,
    depends_on: Vec<String>,
}

#[derive(Serialize)]
struct ChangeDocument<'a> {
    path: String,
    before: Side<'a>,
    after: Side<'a>,
    unknown: bool,
    sensitive: bool,
    forces_replace: bool,
}

#[derive(Serialize)]
struct NestedDocument<'a> {
    address: &'a str,
    action: &'a str,
}

#[derive(Serialize)]
struct OutputDocument<'a> {
    before: Side<'a>,
    after: Side<'a>,
    unknown: bool,
    sensitive: bool,
}

/// One side of a change.
enum Side<'a> {
    Absent,
    Hidden,
    Masked(&'a Value),
    Clear(&'a Value),
}

impl Serialize for Side<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Side::Absent => serializer.serialize_unit(),
            Side::Hidden => serializer.serialize_str("(sensitive)"),
            Side::Masked(value) => Shown(value).serialize(serializer),
            Side::Clear(value) => Shown(&value.unmark_deep().0).serialize(serializer),
        }
    }
}

fn side(value: Option<&Value>, sensitive: bool, show_sensitive: bool) -> Side<'_> {
    match value {
        None => Side::Absent,
        // What is not known is null, sensitive or not: `unknown` tells.
        Some(value) if value.is_unknown() || value.is_null() => Side::Absent,
        Some(value) if show_sensitive => Side::Clear(value),
        Some(_) if sensitive => Side::Hidden,
        Some(value) => Side::Masked(value),
    }
}

fn step<'a>(item: &Item<'a>, show_sensitive: bool) -> StepDocument<'a> {
    let changes = match item.action {
        // What was there before refresh is not part of the plan.
        Action::Record => Vec::new(),
        _ => diff::changes(item.before, item.planned),
    };
    StepDocument {
        address: item.slot.to_string(),
        kind: &item.slot.address.kind,
        action: item.action,
        reason: words::reason(item).unwrap_or_else(|| "it does not exist yet".to_owned()),
        changes: changes.iter().map(|c| change(c, item, show_sensitive)).collect(),
        nested: item.nested.iter().map(nested).collect(),
        depends_on: item.depends_on.iter().map(ToString::to_string).collect(),
    }
}

fn nested(change: &NestedChange) -> NestedDocument<'_> {
    NestedDocument { address: &change.address, action: &change.action }
}

fn change<'a>(change: &Change<'a>, item: &Item<'_>, show_sensitive: bool) -> ChangeDocument<'a> {
    ChangeDocument {
        path: change.path.to_string(),
        before: side(change.before, change.sensitive, show_sensitive),
        after: side(change.after, change.sensitive, show_sensitive),
        unknown: change.unknown,
        sensitive: change.sensitive,
        forces_replace: change.touches(item.forces_replace),
    }
}

fn output(change: &OutputChange, show_sensitive: bool) -> OutputDocument<'_> {
    let before = change.before.as_ref().map(|stored| &stored.0);
    let after = change.after.as_ref().map(|stored| &stored.0);
    let marked = |value: Option<&Value>| value.is_some_and(Value::has_sensitive);
    let sensitive = change.sensitive || marked(before) || marked(after);
    OutputDocument {
        before: side(before, sensitive, show_sensitive),
        after: side(after, sensitive, show_sensitive),
        unknown: after.is_some_and(Value::has_unknown),
        sensitive,
    }
}
