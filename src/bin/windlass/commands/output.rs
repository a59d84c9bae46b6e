//! `windlass output`: it prints sensitive values where they are asked for, as terraform does (rule E3).

use std::collections::BTreeMap;

use serde::Serialize;
use windlass::ops;
use windlass_model::{Diagnostic, Output, Shown, Type, Value};

use super::Context;
use crate::args::Options;
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Only this output
    pub name: Option<String>,
    /// The bare text of a string, number or bool, without quotes
    #[arg(long)]
    pub raw: bool,
}

impl Args {
    /// `--raw` is one text.
    pub fn check(&self, options: &Options) -> Result<(), Failure> {
        match (self.raw, &self.name) {
            (true, None) => Err(Failure::usage("`output --raw` needs the name of an output")),
            (true, Some(_)) if options.json => {
                Err(Failure::usage("`output` takes one of `--raw` and `--json`"))
            }
            _ => Ok(()),
        }
    }
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let ctx = engine::context(context);
    let selection = engine::selection(context, None)?;
    let outputs = ops::outputs(&ctx, &selection).await?;
    show(context, &args, &outputs)
}

/// Writes outputs as the flags ask.
pub fn show(context: &Context, args: &Args, outputs: &BTreeMap<String, Output>) -> Outcome {
    let Some(name) = &args.name else {
        match context.options.json {
            true => context.output.document(&documents(outputs)),
            false => context.output.result(&crate::report::outputs(outputs, &context.output.result_style)),
        }
        return Ok(Exit::Done);
    };
    let output = outputs.get(name).ok_or_else(|| absent(name, outputs))?;
    if context.options.json {
        context.output.document(&clear(&output.value.0));
    } else if args.raw {
        context.output.result(&raw(name, &output.value.0)?);
    } else {
        context
            .output
            .result(&crate::report::value(&clear_value(&output.value.0), &context.output.result_style));
        context.output.result("\n");
    }
    Ok(Exit::Done)
}

fn absent(name: &str, outputs: &BTreeMap<String, Output>) -> Failure {
    let names: Vec<String> = outputs.keys().map(|name| format!("`{name}`")).collect();
    let known = match names.as_slice() {
        [] => "there are none: nothing is applied yet, or the stack declares none".to_owned(),
        list => format!("there are {}", list.join(", ")),
    };
    Failure::new(Exit::Failed, Diagnostic::error(format!("there is no output `{name}`")).note(known))
}

/// The text of a scalar: nothing around it, not even the end of a line.
fn raw(name: &str, value: &Value) -> Result<String, Failure> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let scalar = value.as_bool().map(|b| b.to_string()).or(value.as_number().map(ToString::to_string));
    scalar.ok_or_else(|| {
        Failure::failed(format!("output `{name}` has parts, `--raw` writes a string, number or bool"))
            .help(format!("`windlass output {name} --json` writes any value"))
    })
}

#[derive(Serialize)]
struct Document {
    value: Clear,
    #[serde(rename = "type")]
    ty: Type,
    sensitive: bool,
}

fn documents(outputs: &BTreeMap<String, Output>) -> BTreeMap<&str, Document> {
    let document = |output: &Output| Document {
        value: clear(&output.value.0),
        ty: output.value.0.type_of(),
        sensitive: output.sensitive || output.value.0.has_sensitive(),
    };
    outputs.iter().map(|(name, output)| (name.as_str(), document(output))).collect()
}

/// A value with its secrets in clear.
struct Clear(Value);

impl Serialize for Clear {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shown(&self.0).serialize(serializer)
    }
}

fn clear(value: &Value) -> Clear {
    Clear(clear_value(value))
}

fn clear_value(value: &Value) -> Value {
    value.unmark_deep().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::context;

    fn outputs() -> BTreeMap<String, Output> {
        let output = |value: Value, sensitive| Output { value: value.into(), sensitive };
        BTreeMap::from([
            ("list".into(), output(Value::list(Type::Number, vec![1.into(), 2.into()]), false)),
            ("token".into(), output(Value::from("hunter2").sensitive(), true)),
            ("url".into(), output("https://shop".into(), false)),
        ])
    }

    fn shown(json: bool, name: Option<&str>, raw: bool) -> String {
        let (mut context, out, _) = context();
        context.options.json = json;
        let args = Args { name: name.map(Into::into), raw };
        show(&context, &args, &outputs()).unwrap();
        out.text()
    }

    #[test]
    fn forms() {
        assert_eq!(
            shown(false, None, false),
            "list  = [1, 2]\ntoken = (sensitive)\nurl   = \"https://shop\"\n"
        );
        assert_eq!(shown(false, Some("token"), false), "\"hunter2\"\n");
        assert_eq!(shown(false, Some("token"), true), "hunter2");
        assert_eq!(shown(true, Some("list"), false), "[1,2]\n");
        let all = shown(true, None, false);
        assert_eq!(
            all,
            concat!(
                r#"{"list":{"value":[1,2],"type":{"list":"number"},"sensitive":false},"#,
                r#""token":{"value":"hunter2","type":"string","sensitive":true},"#,
                r#""url":{"value":"https://shop","type":"string","sensitive":false}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_is_not_there_and_what_is_not_raw() {
        let failure = absent("ulr", &outputs());
        assert!(failure.diagnostics[0].to_string().contains("`url`"));
        assert!(raw("list", &outputs()["list"].value.0).is_err());
    }
}
