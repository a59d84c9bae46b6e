//! `windlass state list`, `show` and `pull`

use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use windlass::ops;
use windlass::plan::render::Style;
use windlass_model::{Address, Record, Shown, State, Value};

use super::{Context, ListArgs, PullArgs, ShowArgs};
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// `state list`
pub async fn list(context: &mut Context, args: ListArgs, stack: Option<String>) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, stack)?;
    let state = ops::state_at(&ctx, &selection, args.version).await?;
    write_list(context, &args, &state)
}

/// `state show`
pub async fn show(context: &mut Context, args: ShowArgs, stack: Option<String>) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, stack)?;
    let state = ops::state_at(&ctx, &selection, args.version).await?;
    write_show(context, &args, &state)
}

/// `state pull`
pub async fn pull(context: &mut Context, args: PullArgs, stack: Option<String>) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, stack)?;
    let document = ops::pull(&ctx, &selection, args.version, args.show_sensitive).await?;
    context.output.document(&document);
    Ok(Exit::Done)
}

/// Writes the list.
pub fn write_list(context: &Context, args: &ListArgs, state: &State) -> Outcome {
    let records = chosen(state, &args.address);
    if context.options.json {
        context.output.document(&documents(&records, args.show_sensitive));
    } else {
        context.output.result(&table(&records));
    }
    Ok(Exit::Done)
}

/// Writes the records in full.
pub fn write_show(context: &Context, args: &ShowArgs, state: &State) -> Outcome {
    let records = chosen(state, &args.address);
    for address in &args.address {
        if !records.iter().any(|record| address.covers(&record.slot.address)) {
            return Err(Failure::failed(format!("`{address}` is not in state"))
                .help(format!("`{} state list` lists what is", context.options.command)));
        }
    }
    if context.options.json {
        context.output.document(&documents(&records, args.show_sensitive));
    } else {
        let texts =
            records.iter().map(|record| full(record, args.show_sensitive, &context.output.result_style));
        context.output.result(&texts.collect::<Vec<_>>().join("\n"));
    }
    Ok(Exit::Done)
}

fn chosen<'a>(state: &'a State, addresses: &[Address]) -> Vec<&'a Record> {
    let all = state.records.values().map(|record| &**record);
    let asked = |record: &&Record| addresses.iter().any(|address| address.covers(&record.slot.address));
    all.filter(|record| addresses.is_empty() || asked(record)).collect()
}

fn table(records: &[&Record]) -> String {
    let names: Vec<String> = records.iter().map(|record| record.slot.to_string()).collect();
    let width = names.iter().map(|name| name.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    let mut out = String::new();
    for (record, name) in records.iter().zip(&names) {
        let protected = if record.protect { " protected" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<width$}  {:<8}{protected}", record.status());
    }
    // Nothing stands at the end of a line.
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn full(record: &Record, show_sensitive: bool, style: &Style) -> String {
    let mut out = format!("{}  {}, by {}\n", record.slot, record.status(), record.provider);
    let notes = [("tainted", &record.tainted), ("in doubt", &record.in_doubt)];
    for (word, text) in notes.into_iter().filter_map(|(word, text)| Some((word, text.as_ref()?))) {
        let _ = writeln!(out, "  {word}: {text}");
    }
    if record.protect {
        out.push_str("  protected from deletion\n");
    }
    let value = if show_sensitive { record.value.0.unmark_deep().0 } else { record.value.0.clone() };
    for (name, value) in value.entries().unwrap_or_default() {
        let _ = writeln!(out, "  {name} = {}", indented(&crate::report::value(value, style)));
    }
    for nested in &record.nested {
        let id = nested.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        let _ = writeln!(out, "  {}{id}", nested.address);
    }
    out
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

fn documents<'a>(records: &[&'a Record], show_sensitive: bool) -> Vec<Document<'a>> {
    let document = |record: &&'a Record| Document {
        address: record.slot.to_string(),
        kind: &record.slot.address.kind,
        provider: &record.provider,
        id: record.value.0.get("id").and_then(Value::as_str),
        status: record.status(),
        depends_on: &record.depends_on,
        attributes: Attributes(&record.value.0, show_sensitive),
    };
    records.iter().map(document).collect()
}

#[derive(Serialize)]
struct Document<'a> {
    address: String,
    #[serde(rename = "type")]
    kind: &'a str,
    provider: &'a str,
    id: Option<&'a str>,
    status: &'static str,
    depends_on: &'a [Address],
    attributes: Attributes<'a>,
}

struct Attributes<'a>(&'a Value, bool);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            true => Shown(&self.0.unmark_deep().0).serialize(serializer),
            false => Shown(self.0).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use windlass_model::{Digest, Nested, Private, Stored};

    use super::*;
    use crate::commands::tests::context;

    fn state() -> State {
        let record = |address: &str, tainted: Option<&str>| Record {
            slot: address.parse().unwrap(),
            provider: "local".into(),
            schema: 0,
            inputs: Stored::default(),
            value: Value::object([("id", Value::from("x1")), ("token", Value::from("hunter2").sensitive())])
                .into(),
            private: Private::default(),
            nested: vec![Nested {
                address: "terraform_data.a".into(),
                kind: "t".into(),
                id: Some("n1".into()),
            }],
            depends_on: vec![Address::new("local_data", "z")],
            fingerprint: Digest::of(b""),
            place: None,
            account: None,
            protect: tainted.is_some(),
            tainted: tainted.map(Into::into),
            in_doubt: None,
        };
        let records = [record("local_data.a[\"k\"]", None), record("local_file.long", Some("half made"))];
        State {
            records: records.into_iter().map(|record| (record.slot.clone(), Arc::new(record))).collect(),
            ..State::default()
        }
    }

    fn list(address: &[&str]) -> ListArgs {
        let address = address.iter().map(|address| address.parse().unwrap()).collect();
        ListArgs { address, version: None, show_sensitive: false }
    }

    #[test]
    fn lists() {
        let (mut context, out, _) = context();
        write_list(&context, &list(&[]), &state()).unwrap();
        context.options.json = true;
        write_list(&context, &list(&["local_data.a"]), &state()).unwrap();
        insta::assert_snapshot!(out.text(), @r#"
        local_data.a["k"]  created
        local_file.long    tainted  protected
        [{"address":"local_data.a[\"k\"]","type":"local_data","provider":"local","id":"x1","status":"created","depends_on":["local_data.z"],"attributes":{"id":"x1","token":"(sensitive)"}}]
        "#);
    }

    #[test]
    fn shows() {
        let (context, out, _) = context();
        let address = vec!["local_file.long".parse().unwrap()];
        write_show(&context, &ShowArgs { address, version: None, show_sensitive: false }, &state()).unwrap();
        insta::assert_snapshot!(out.text(), @r#"
        local_file.long  tainted, by local
          tainted: half made
          protected from deletion
          id = "x1"
          token = (sensitive)
          terraform_data.a n1
        "#);
        let address = vec!["local_file.nope".parse().unwrap()];
        assert!(
            write_show(&context, &ShowArgs { address, version: None, show_sensitive: false }, &state())
                .is_err()
        );
    }
}
