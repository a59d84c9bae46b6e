//! `windlass state versions` and `diff`

use std::fmt::Write as _;

use serde::Serialize;
use windlass::ops::{self, Diff};
use windlass::plan::render::{Style, diff_text};
use windlass_model::{Operation, PlanId, State, Value};
use windlass_store::{VersionMeta, VersionStatus};

use super::{Context, DiffArgs};
use crate::engine;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::moment;

/// `state versions`
pub async fn versions(context: &mut Context, stack: Option<String>) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, stack)?;
    write_versions(context, &ops::versions(&ctx, &selection).await?)
}

/// `state diff`
pub async fn diff(context: &mut Context, args: DiffArgs, stack: Option<String>) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, stack)?;
    let DiffArgs { from, to } = args;
    if context.options.json {
        context.output.document(&Diff::between(&ctx, &selection, from, to).await?);
        return Ok(Exit::Done);
    }
    let before = ops::state_at(&ctx, &selection, Some(from)).await?;
    let after = ops::state_at(&ctx, &selection, Some(to)).await?;
    let text = diff_states(&before, &after, &context.output.result_style);
    context.output.result(if text.is_empty() { "nothing differs\n" } else { &text });
    Ok(Exit::Done)
}

/// Writes the versions, newest first.
pub fn write_versions(context: &Context, versions: &[VersionMeta]) -> Outcome {
    match context.options.json {
        true => context.output.document(&versions.iter().map(document).collect::<Vec<_>>()),
        false => context.output.result(&table(versions)),
    }
    Ok(Exit::Done)
}

fn table(versions: &[VersionMeta]) -> String {
    let mut out = String::new();
    for version in versions {
        let to = version.rolls_back_to.map(|to| format!(" to {to}")).unwrap_or_default();
        let operation = format!("{}{to}", version.operation.as_str());
        let why = version.why.as_ref().map(|why| format!("  {why}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{:>5}  {}  {:<9}  {operation:<14}  {}{why}",
            version.number,
            moment::minute(version.when_ms),
            status(version.status),
            version.who
        );
    }
    out
}

fn status(status: VersionStatus) -> &'static str {
    match status {
        VersionStatus::Applied => "applied",
        VersionStatus::Partial => "partial",
        VersionStatus::Recovered => "recovered",
    }
}

#[derive(Serialize)]
struct Document<'a> {
    number: u64,
    status: VersionStatus,
    operation: Operation,
    who: &'a str,
    why: Option<&'a str>,
    when: String,
    plan: Option<PlanId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rolls_back_to: Option<u64>,
}

fn document(version: &VersionMeta) -> Document<'_> {
    Document {
        number: version.number,
        status: version.status,
        operation: version.operation,
        who: &version.who,
        why: version.why.as_deref(),
        when: moment::rfc3339(version.when_ms),
        plan: version.plan,
        rolls_back_to: version.rolls_back_to,
    }
}

/// What differs between two states, as text: records by slot, then outputs.
pub fn diff_states(from: &State, to: &State, style: &Style) -> String {
    let null = Value::NULL;
    let mut out = String::new();
    let slots = from.records.keys().chain(to.records.keys().filter(|slot| !from.records.contains_key(*slot)));
    let mut slots: Vec<_> = slots.collect();
    slots.sort();
    for slot in slots {
        let (before, after) = (from.records.get(slot), to.records.get(slot));
        let lines = diff_text(
            before.map_or(&null, |record| &record.value.0),
            after.map_or(&null, |record| &record.value.0),
            style,
        );
        let sign = match (before, after) {
            (None, _) => "+",
            (_, None) => "-",
            _ if lines.is_empty() => continue,
            _ => "~",
        };
        let _ = write!(out, "{sign} {slot}\n{lines}");
    }
    let outputs = |state: &State| {
        let value = |output: &windlass_model::Output| match output.sensitive {
            true => output.value.0.clone().sensitive(),
            false => output.value.0.clone(),
        };
        match state.outputs.is_empty() {
            true => Value::NULL,
            false => Value::object(state.outputs.iter().map(|(name, output)| (name.as_str(), value(output)))),
        }
    };
    let lines = diff_text(&outputs(from), &outputs(to), style);
    if !lines.is_empty() {
        let _ = write!(out, "Outputs:\n{lines}");
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use windlass_model::{Digest, Output, Private, Record, RunId, Stored};

    use super::*;
    use crate::commands::tests::context;

    fn version(number: u64) -> VersionMeta {
        VersionMeta {
            number,
            parent: number - 1,
            status: if number == 2 { VersionStatus::Partial } else { VersionStatus::Applied },
            operation: if number == 3 { Operation::Rollback } else { Operation::Apply },
            rolls_back_to: (number == 3).then_some(1),
            who: "ann@desk".into(),
            why: (number == 3).then(|| "ticket 12".into()),
            when_ms: 1_764_042_480_000,
            run: RunId("01JX".into()),
            plan: Some(Digest::of(b"p")),
            plan_object: None,
            sources: None,
            inputs: BTreeMap::new(),
            approval: None,
            tools: BTreeMap::new(),
        }
    }

    #[test]
    fn versions_as_text_and_document() {
        let (mut context, out, _) = context();
        write_versions(&context, &[version(3), version(2)]).unwrap();
        context.options.json = true;
        write_versions(&context, &[version(3)]).unwrap();
        insta::assert_snapshot!(out.text(), @r#"
            3  2025-11-25 03:48 UTC  applied    rollback to 1   ann@desk  ticket 12
            2  2025-11-25 03:48 UTC  partial    apply           ann@desk
        [{"number":3,"status":"applied","operation":"rollback","who":"ann@desk","why":"ticket 12","when":"2025-11-25T03:48:00Z","plan":"sha256:148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940","rolls_back_to":1}]
        "#);
    }

    #[test]
    fn states_are_compared() {
        let state = |entries: &[(&str, i64)], url: &str| State {
            records: entries
                .iter()
                .map(|(address, n)| {
                    let record = Record {
                        slot: address.parse().unwrap(),
                        provider: "local".into(),
                        schema: 0,
                        inputs: Stored::default(),
                        value: Value::object([("n", Value::from(*n))]).into(),
                        private: Private::default(),
                        nested: vec![],
                        depends_on: vec![],
                        fingerprint: Digest::of(b""),
                        place: None,
                        account: None,
                        protect: false,
                        tainted: None,
                        in_doubt: None,
                    };
                    (record.slot.clone(), Arc::new(record))
                })
                .collect(),
            outputs: BTreeMap::from([
                ("url".into(), Output { value: Value::from(url).into(), sensitive: false }),
                ("key".into(), Output { value: Value::from(url).into(), sensitive: true }),
            ]),
        };
        let from = state(&[("a.gone", 1), ("a.same", 1), ("a.other", 1)], "x");
        let to = state(&[("a.new", 1), ("a.same", 1), ("a.other", 2)], "y");
        insta::assert_snapshot!(diff_states(&from, &to, &Style::default()), @r#"
        - a.gone
              - n = 1 -> null
        + a.new
              + n = 1
        ~ a.other
              ~ n = 1 -> 2
        Outputs:
              ~ key = (sensitive) -> (sensitive)
              ~ url = "x" -> "y"
        "#);
    }
}
