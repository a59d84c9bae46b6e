//! What the parser gets wrong and is put right, places of errors, marks and unknowns that the oracle's lists do not show.

use std::cell::RefCell;
use std::sync::Arc;

use windlass_model::{Diagnostic, Key, Type, Value};

use crate::lang::{Reference, Scope, display, evaluate, parse_expression};

/// A resource block `web` of a thousand instances that counts how often it is looked up whole.
#[derive(Default)]
struct World {
    whole: RefCell<u32>,
}

impl Scope for World {
    fn value(&self, reference: &Reference) -> Result<Value, String> {
        match reference {
            Reference::Variable(name) if &**name == "secret" => Ok(Value::from("hunter2").sensitive()),
            Reference::Variable(name) if &**name == "secrets" => {
                Ok(Value::object([("hunter2", Value::from("x"))]).sensitive())
            }
            Reference::Variable(name) if &**name == "unknown" => Ok(Value::unknown_from(Type::Any, "a.b.c")),
            Reference::Resource(..) => {
                *self.whole.borrow_mut() += 1;
                Ok(Value::object([("a", Value::object([("path", Value::from("p"))]))]))
            }
            other => Err(format!("no {other:?}")),
        }
    }

    fn instance(&self, _: &str, _: &str, key: &Key) -> Option<Value> {
        (*key == Key::Name("a".into())).then(|| Value::object([("path", Value::from("p"))]))
    }
}

fn run(text: &str) -> Result<Value, Box<Diagnostic>> {
    let file = Arc::from("t");
    evaluate(&parse_expression(text, &file).map_err(Box::new)?, &file, &World::default())
}

fn shown(text: &str) -> String {
    run(text).map_or_else(|error| format!("error: {error}"), |value| display(&value))
}

fn text_of(text: &str) -> String {
    run(text).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn flush_heredocs_keep_their_text() {
    assert_eq!(text_of("<<-EOT\nx\n    ${\"y\"}\n        z\nEOT"), "x\n    y\n        z\n");
    assert_eq!(text_of("<<-EOT\n  a\n \n  b\n  EOT"), "a\n \nb\n");
    assert_eq!(text_of("<<-EOT\n    a ${\"x\"} $${b} %%{c}\n      d\n    EOT"), "a x ${b} %{c}\n  d\n");
    assert_eq!(text_of("<<EOT\na\n  ${~ \"x\" ~}\n  b\nEOT"), "a\nx  b\n");
}

#[test]
fn quoted_directives_have_escapes() {
    assert_eq!(text_of("\"%{ if true }a\\n\\\"\\u00e9%{ endif }\\t\""), "a\n\"é\t");
    assert!(run("\"%{ if true }\\q%{ endif }\"").is_err());
    assert!(run("\"%{ if true }\"%{ endif }\"").is_err());
}

#[test]
fn what_the_parser_reads_wrong_is_right() {
    assert_eq!(shown("1.e5"), "100000");
    assert_eq!(shown("length(\"e\\u0301\")"), "1");
    assert_eq!(shown("\"e\\u0301\" == \"é\""), "true");
    assert_eq!(shown("[[1, 2], [3, 4]].*.0"), "[\n  1,\n  3,\n]");
    assert_eq!(shown("[{y = [1, 2]}, {y = [3, 4]}].*.y.0"), "[\n  1,\n  3,\n]");
    assert_eq!(shown("keys({true = 1, null = 2})"), "[\n  \"null\",\n  \"true\",\n]");
    assert_eq!(shown("123456789012345678901234567890"), "123456789012345678901234567890");
    assert_eq!(shown("0.1 + 0.2"), "0.3");
    for text in
        ["\"a\nb\"", "\"a${1}\nb\"", "[1, 2]\n[0]", "{a.b = 1}", "{1 = 1, \"1\" = 2}", "{a = 1, \"a\" = 2}"]
    {
        assert!(run(text).is_err(), "{text}");
    }
}

#[test]
fn one_instance_is_looked_up_alone() {
    let file = Arc::from("t");
    let world = World::default();
    let expr = parse_expression("local_file.web[\"${\"a\"}\"].path", &file).unwrap();
    assert_eq!(display(&evaluate(&expr, &file, &world).unwrap()), "\"p\"");
    assert_eq!(*world.whole.borrow(), 0);
    let expr = parse_expression("local_file.web[\"b\"].path", &file).unwrap();
    let error = evaluate(&expr, &file, &world).unwrap_err();
    assert!(error.title.contains("`b`") && *world.whole.borrow() == 1, "{error}");
}

#[test]
fn errors_hold_no_secret() {
    let texts = [
        "tonumber(var.secret)",
        "{a = 1}[var.secret]",
        "var.secrets.x",
        "var.secrets[\"x\"]",
        "tomap({a = [1], (var.secret) = 1})",
        "{for k, v in var.secrets : k => v if tonumber(v) > 1}",
        "{(var.secret) = 1, hunter = var.x}",
        "{for x in [var.secret, var.secret] : x => 1}",
        "jsondecode(var.secret)",
        "regex(var.secret, \"(\")",
        "transpose(var.secrets)",
        "tomap(merge(var.secrets, {a = []}))",
        "format(\"%d\", var.secret)",
        "sort([var.secret, null])",
        "file(var.secret)",
        "index([var.secret], \"a\")",
        "var.secret + 1",
        "var.secret ? 1 : 2",
        "cidrhost(var.secret, 1)",
        "var.secrets == {} ? 1 : var.y",
        "try(tonumber(var.secret))",
    ];
    let errors: Vec<_> = texts.iter().filter_map(|text| run(text).err()).collect();
    assert!(errors.len() >= 18, "{errors:#?}");
    for error in errors {
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn errors_have_the_place_of_what_is_wrong() {
    let place = |text: &str| {
        let span = run(text).unwrap_err().labels.remove(0).span;
        text[span.start as usize..span.end as usize].to_owned()
    };
    assert_eq!(place("[1, 2 + upper(\"x\")]"), "upper(\"x\")");
    assert_eq!(place("\"é ${null}\""), "null");
    assert_eq!(place("upper([1])"), "[1]");
    assert_eq!(place("<<-EOT\n  a\n  ${foo}\n  EOT"), "foo");
    assert_eq!(place("max(1, uper(2))"), "uper");
    assert_eq!(place("1 / 0"), "1 / 0");
}

#[test]
fn unknowns_say_what_they_wait_for() {
    for text in [
        "var.unknown",
        "\"x${var.unknown}\"",
        "upper(var.unknown)",
        "[for x in var.unknown : x]",
        "var.unknown.a[0]",
    ] {
        let value = run(text).unwrap();
        let windlass_model::Kind::Unknown(unknown) = &value.kind else { panic!("{text}") };
        assert_eq!(unknown.source.as_deref(), Some("a.b.c"), "{text}");
    }
}

#[test]
fn either_side_decides_and_what_is_not_needed_has_no_error() {
    assert_eq!(shown("false && var.nope"), "false");
    assert_eq!(shown("true || 1 / 0 == 1"), "true");
    assert_eq!(shown("tobool(var.unknown) && false"), "false");
    assert_eq!(shown("true ? 1 : 0 / 0"), "1");
    assert_eq!(shown("tobool(var.unknown) ? 1 : 1"), "1");
    assert!(run("null && true").is_err() && run("1 / 0").is_err() && run("1 % 0").is_err());
}

#[test]
fn the_hostile_end_soon() {
    for text in [
        "1e999999999",
        "tonumber(\"1e999999999\")",
        "jsondecode(\"1e999999999\")",
        "9e9999 * 9e9999",
        "range(1e9)",
    ] {
        assert!(run(text).is_err(), "{text}");
    }
    assert!(run(&format!("jsondecode(\"{}\")", "[".repeat(50_000))).is_err());
    assert!(run("format(\"%99999999999d\", 1)").is_err() && run("indent(99999999, \"a\\nb\")").is_err());
}
