//! The language beside Terraform's own console: 732 expressions with known values, 99 with values known after apply.
//!
//! Each group must agree at least as far as it does today; what differs on purpose is listed in [`DELIBERATE`].

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, whose report is read by people")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use windlass::lang::{Expr, Reference, Scope, Source, check, display, evaluate, lower, parse_expression};
use windlass_model::{FileError, Files, Kind, SourcePath, Type, Unknown, Value};

/// Expressions that mean something else here, on purpose (the design says why).
const DELIBERATE: &[(&str, &str)] = &[
    ("-0", "there is one zero"),
    ("-1/0", "division by zero is an error"),
    ("1 % 0", "division by zero is an error"),
    ("\"x${-0}\"", "there is one zero"),
    ("tostring(-0.0)", "there is one zero"),
    ("{a = 1, a = 2}", "a key that comes twice is an error"),
    ("true || null", "the left side decides"),
    ("true || (1/0 == 0)", "the left side decides"),
    ("format(\"%v\", null)", "null in a format is an error"),
    ("format(\"%d\", null)", "null in a format is an error"),
    ("terraform.workspace", "the environment takes its place"),
    ("element([\"a\", \"b\", \"c\"], -1)", "terraform's error is a crash"),
    ("length(uuid())", "what is never the same twice is not known before it is used"),
    ("length(timestamp())", "what is never the same twice is not known before it is used"),
    ("[local.us, \"a\"] == [local.us, \"b\"]", "one difference decides"),
    ("fileexists(\"/nonexistent/file\")", "paths do not leave the snapshot"),
];

struct Locals<'a> {
    values: BTreeMap<Arc<str>, Value>,
    files: Option<&'a Memory>,
}

impl Scope for Locals<'_> {
    fn value(&self, reference: &Reference) -> Result<Value, String> {
        match reference {
            Reference::Local(name) => {
                self.values.get(name).cloned().ok_or_else(|| format!("no local `{name}`"))
            }
            Reference::Path(_) => Ok(Value::from(".")),
            _ => Err("there is nothing of that name here".to_owned()),
        }
    }

    fn files(&self) -> Option<&dyn Files> {
        self.files.map(|files| files as &dyn Files)
    }
}

/// Source files in memory.
struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn error(path: &str, reason: &str, absent: bool) -> FileError {
        FileError { path: path.to_owned(), reason: reason.to_owned(), absent }
    }
}

impl Files for Memory {
    fn stack_dir(&self) -> &SourcePath {
        ""
    }

    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, FileError> {
        if path.is_empty() || self.0.keys().any(|known| known.starts_with(&format!("{path}/"))) {
            return Err(Self::error(path, "is a directory", false));
        }
        self.0
            .get(path)
            .map(|bytes| bytes.as_slice().into())
            .ok_or_else(|| Self::error(path, "no such file", true))
    }

    fn list(&self, dir: &SourcePath) -> Result<Vec<String>, FileError> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        Ok(self.0.keys().filter(|path| path.starts_with(&prefix)).cloned().collect())
    }

    fn materialise(&self, _: &[String], _: &std::path::Path) -> Result<windlass_model::Digest, FileError> {
        Err(Self::error("", "not here", false))
    }

    fn digest(&self, _: &[String]) -> Result<windlass_model::Digest, FileError> {
        Err(Self::error("", "not here", false))
    }

    fn checkout(&self) -> Option<std::path::PathBuf> {
        None
    }
}

fn load(name: &str) -> Json {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn file() -> Arc<str> {
    Arc::from("case")
}

/// Console lines hold one expression; what has line breaks was an attribute of a `locals` block.
fn parse(text: &str, group: &str) -> Result<Expr, String> {
    if group != "multiline" {
        return parse_expression(text, &file()).map_err(|error| error.to_string());
    }
    let body = format!("c = {text}\n");
    let parsed = hcl_edit::parser::parse_body(&body).map_err(|error| error.to_string())?;
    let attributes: Vec<_> = parsed.attributes().collect();
    let [only] = attributes.as_slice() else { return Err("more than one attribute".to_owned()) };
    lower(&only.value, &Source { file: &file(), text: &body, base: 0 }).map_err(|error| error.to_string())
}

fn json(value: &Value) -> String {
    let scope = Locals { values: [(Arc::from("c"), value.clone())].into(), files: None };
    let expr = parse_expression("jsonencode(local.c)", &file()).unwrap();
    let text = evaluate(&expr, &file(), &scope).unwrap();
    text.as_str().map_or_else(|| format!("{text:?}"), str::to_owned)
}

/// The type as `type()` prints it, without its blanks and commas.
fn type_text(ty: &Type) -> String {
    match ty {
        Type::Any => "dynamic".to_owned(),
        Type::List(element) => format!("list({})", type_text(element)),
        Type::Set(element) => format!("set({})", type_text(element)),
        Type::Map(element) => format!("map({})", type_text(element)),
        Type::Tuple(types) => {
            format!("tuple([{}])", types.iter().map(type_text).collect::<Vec<_>>().join(" "))
        }
        Type::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, field)| format!("{name}: {}", type_text(&field.ty))).collect();
            format!("object({{{}}})", fields.join(" "))
        }
        other => other.to_string(),
    }
}

fn normal_type(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .join(" ")
        .replace(',', "")
        .replace("([ ", "([")
        .replace(" ])", "])")
        .replace("({ ", "({")
        .replace(" })", "})")
        .replace("list( ", "list(")
        .replace("set( ", "set(")
        .replace("map( ", "map(")
        .replace(") )", "))")
}

#[derive(Default)]
struct Tally {
    cases: u32,
    agree: u32,
    shown: u32,
    shown_agree: u32,
    skipped: u32,
    differ: Vec<String>,
}

fn is_missing_function(expr: &Expr) -> bool {
    let mut report = Vec::new();
    check(expr, &file(), &mut report);
    report
        .iter()
        .any(|error| error.title.starts_with("there is no function") && !error.title.contains("`nofunc`"))
}

/// Checked and evaluated, as a stack is.
fn checked(expr: &Expr, scope: &Locals<'_>) -> Result<Value, String> {
    let mut report = Vec::new();
    check(expr, &file(), &mut report);
    match report.first() {
        Some(error) => Err(error.to_string()),
        None => evaluate(expr, &file(), scope).map_err(|error| error.to_string()),
    }
}

fn run_case(case: &Json, group: &str, scope: &Locals<'_>, tally: &mut Tally) {
    let text = case["expr"].as_str().unwrap();
    if DELIBERATE.iter().any(|(known, _)| *known == text) {
        tally.skipped += 1;
        return;
    }
    let parsed = parse(text, group);
    if parsed.as_ref().is_ok_and(is_missing_function) {
        tally.skipped += 1;
        return;
    }
    tally.cases += 1;
    let result = parsed.and_then(|expr| checked(&expr, scope));
    let found = match &result {
        Err(error) => format!("error: {error}"),
        Ok(value) if value.is_sensitive() => "sensitive".to_owned(),
        Ok(value) if value.is_unknown() => "unknown".to_owned(),
        Ok(value) if group == "unknown" => display(value),
        Ok(value) => json(value),
    };
    let agrees = if case.get("error").is_some() {
        result.is_err()
    } else if case.get("sensitive").is_some() {
        found == "sensitive"
    } else if group == "unknown" {
        found == if case["wholly_unknown"] == true { "unknown" } else { case["display"].as_str().unwrap() }
    } else {
        case["json"].as_str() == Some(&found)
    };
    tally.agree += u32::from(agrees);
    if !agrees {
        let wanted =
            ["json", "error", "display"].iter().find_map(|key| case[*key].as_str()).unwrap_or("sensitive");
        tally.differ.push(format!("{group}: {text}\n    here: {found}\n    there: {wanted}"));
        return;
    }
    if let Ok(value) = &result
        && let Some(ty) = case["type"].as_str()
        && !ty.contains("dynamic")
        && !value.is_null()
    {
        tally.shown += 1;
        let same_type = type_text(&value.type_of()) == normal_type(ty);
        let same_text =
            group == "unknown" || value.has_sensitive() || case["display"].as_str() == Some(&display(value));
        tally.shown_agree += u32::from(same_type && same_text);
        if !same_type || !same_text {
            tally.differ.push(format!(
                "{group}: {text}\n    type here: {}\n    type there: {}\n    shown here: {}\n    shown there: {}",
                type_text(&value.type_of()),
                normal_type(ty),
                display(value),
                case["display"]
            ));
        }
    }
}

fn report(groups: &BTreeMap<String, Tally>) -> (u32, u32, u32, u32) {
    let mut total = (0, 0, 0, 0);
    for (name, tally) in groups {
        println!(
            "{name:12} {:3}/{:3} agree, {:3}/{:3} type and text, {:2} not compared",
            tally.agree, tally.cases, tally.shown_agree, tally.shown, tally.skipped
        );
        total.0 += tally.agree;
        total.1 += tally.cases;
        total.2 += tally.shown_agree;
        total.3 += tally.shown;
    }
    for tally in groups.values() {
        tally.differ.iter().for_each(|text| println!("{text}"));
    }
    total
}

fn memory(data: &Json) -> Memory {
    let files = data["files"].as_object().unwrap();
    // The oracle's files were written in latin1.
    let bytes = |text: &Json| text.as_str().unwrap().chars().map(|c| c as u8).collect();
    Memory(files.iter().map(|(name, text)| (name.clone(), bytes(text))).collect())
}

#[test]
fn known_values_agree_with_terraform() {
    let data = load("functions.json");
    let files = memory(&data);
    let scope = Locals { values: BTreeMap::new(), files: Some(&files) };
    let mut groups: BTreeMap<String, Tally> = BTreeMap::new();
    for case in data["cases"].as_array().unwrap() {
        let group = case["group"].as_str().unwrap();
        run_case(case, group, &scope, groups.entry(group.to_owned()).or_default());
    }
    let (agree, cases, shown_agree, shown) = report(&groups);
    println!("total {agree}/{cases} agree, {shown_agree}/{shown} type and text");
    // What is left: null stands first in a set here, last there; a null has no type here.
    assert!(cases >= 640 && cases - agree <= 1, "{agree} of {cases}");
    assert!(shown >= 455 && shown - shown_agree <= 3, "{shown_agree} of {shown}");
}

fn unknown(ty: Type, not_null: bool) -> Value {
    Value::new(Kind::Unknown(Arc::new(Unknown { ty, not_null, ..Unknown::default() })))
}

#[test]
fn unknown_values_agree_with_terraform() {
    let data = load("unknowns.json");
    let strings = || Type::list(Type::String);
    let values = [
        ("us", unknown(Type::String, true)),
        ("un", unknown(Type::Number, true)),
        ("ub", unknown(Type::Bool, true)),
        ("ul", unknown(strings(), true)),
        ("um", unknown(Type::map(Type::Any), true)),
        ("uset", unknown(Type::set(Type::String), true)),
        ("ud", unknown(Type::String, false)),
    ];
    let scope = Locals { values: values.map(|(name, value)| (Arc::from(name), value)).into(), files: None };
    let mut groups: BTreeMap<String, Tally> = BTreeMap::new();
    for case in data["cases"].as_array().unwrap() {
        run_case(case, "unknown", &scope, groups.entry("unknown".to_owned()).or_default());
    }
    let (agree, cases, shown_agree, shown) = report(&groups);
    assert!(cases >= 95 && agree == cases, "{agree} of {cases}");
    assert_eq!(shown_agree, shown);
}
