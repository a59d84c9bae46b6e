//! Properties of evaluation over generated expressions: it never panics, what is planned with unknowns is true, and no
//! part of a result that is not marked depends on a secret.

mod maker;

use std::collections::BTreeMap;
use std::sync::Arc;

use maker::Maker;
use proptest::prelude::*;
use windlass_model::{Kind, Type, Unknown, Value};

use super::{Reference, Scope, display, evaluate, parse_expression};

struct Locals(BTreeMap<&'static str, Value>);

impl Scope for Locals {
    fn value(&self, reference: &Reference) -> Result<Value, String> {
        match reference {
            Reference::Local(name) => {
                self.0.get(&**name).cloned().ok_or_else(|| format!("no local `{name}`"))
            }
            _ => Err("nothing here".to_owned()),
        }
    }
}

fn run(text: &str, scope: &Locals) -> Option<Value> {
    let file = Arc::from("t");
    evaluate(&parse_expression(text, &file).ok()?, &file, scope).ok()
}

fn strings(items: &[&str]) -> Value {
    Value::list(Type::String, items.iter().map(|item| Value::from(*item)).collect())
}

/// `s`, `n`, `b`, `l` are of a string, number, bool, list; `m` and `o` hold one inside; the rest is plain.
fn leaf() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "local.s",
        "local.n",
        "local.b",
        "local.l",
        "local.m",
        "local.o",
        "local.o.a",
        "local.m[0]",
        "1",
        "0",
        "\"a\"",
        "\"\"",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "[1, 2]",
        "[\"a\", \"b\"]",
        "{a = 1, b = \"x\"}",
        "toset([\"a\", \"b\"])",
        "tomap({a = \"x\"})",
        "2.5",
        "\"7\"",
    ])
    .prop_map(str::to_owned)
}

/// Functions of one, two and three arguments.
const ONE: &[&str] = &[
    "length",
    "keys",
    "values",
    "upper",
    "tostring",
    "tonumber",
    "tobool",
    "tolist",
    "toset",
    "tomap",
    "jsonencode",
    "flatten",
    "distinct",
    "compact",
    "reverse",
    "sort",
    "one",
    "alltrue",
    "anytrue",
    "sum",
    "max",
    "abs",
    "trimspace",
    "base64encode",
    "coalesce",
    "merge",
    "concat",
    "sensitive",
    "transpose",
    "title",
    "signum",
    "setunion",
    "formatlist",
];
const TWO: &[&str] = &[
    "lookup",
    "element",
    "contains",
    "merge",
    "concat",
    "join",
    "split",
    "coalesce",
    "coalescelist",
    "zipmap",
    "format",
    "formatlist",
    "startswith",
    "endswith",
    "trim",
    "trimprefix",
    "setunion",
    "setintersection",
    "setsubtract",
    "chunklist",
    "max",
    "min",
    "range",
    "regexall",
    "strcontains",
    "index",
    "setproduct",
    "indent",
];
const THREE: &[&str] =
    &["lookup", "merge", "replace", "substr", "slice", "coalesce", "format", "matchkeys", "setproduct"];

fn expression() -> impl Strategy<Value = String> {
    let fitting = (any::<u64>(), 0usize..4).prop_map(|(seed, depth)| Maker(seed).any(depth));
    prop_oneof![4 => fitting, 1 => arbitrary_expression()]
}

fn arbitrary_expression() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 40, 3, |inner| {
        let operators =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"]);
        let pair = (inner.clone(), inner.clone());
        let triple = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            (pair.clone(), operators).prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            pair.clone().prop_map(|(a, b)| format!("[{a}, {b}]")),
            pair.clone().prop_map(|(a, b)| format!("{{a = {a}, b = {b}}}")),
            pair.clone().prop_map(|(a, b)| format!("{{({a}) = {b}}}")),
            pair.clone().prop_map(|(a, b)| format!("({a})[{b}]")),
            pair.clone().prop_map(|(a, b)| format!("\"x-${{{a}}}${{{b}}}\"")),
            pair.clone().prop_map(|(a, b)| format!("\"%{{ if {a} }}y${{{b}}}%{{ else }}n%{{ endif }}\"")),
            pair.clone().prop_map(|(a, b)| format!("\"%{{ for x in {a} }}${{x}}${{{b}}}%{{ endfor }}\"")),
            triple.clone().prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            triple.clone().prop_map(|(a, b, c)| format!("[for k, v in {a} : [k, v, {b}] if {c}]")),
            pair.clone().prop_map(|(a, b)| format!("{{for k, v in {a} : k => {b}}}")),
            pair.clone().prop_map(|(a, b)| format!("{{for v in {a} : v => {b}...}}")),
            inner.clone().prop_map(|a| format!("({a})[*]")),
            inner.clone().prop_map(|a| format!("({a})[*].a")),
            inner.clone().prop_map(|a| format!("({a}).a")),
            inner.clone().prop_map(|a| format!("(!{a})")),
            inner.clone().prop_map(|a| format!("(-{a})")),
            (prop::sample::select(ONE), inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            (prop::sample::select(ONE), inner.clone()).prop_map(|(f, a)| format!("{f}({a}...)")),
            (prop::sample::select(TWO), pair).prop_map(|(f, (a, b))| format!("{f}({a}, {b})")),
            (prop::sample::select(THREE), triple).prop_map(|(f, (a, b, c))| format!("{f}({a}, {b}, {c})")),
        ]
    })
}

fn object(a: Value) -> Value {
    Value::object([("a", a), ("b", Value::from("plain"))])
}

/// Values of one assignment: a string, a number, a bool, and a list of the string twice or once.
fn plain(string: &str, number: i64, flag: bool, twice: bool) -> [(&'static str, Value); 4] {
    let list = if twice { strings(&[string, string]) } else { strings(&[string]) };
    [("s", Value::from(string)), ("n", Value::from(number)), ("b", Value::from(flag)), ("l", list)]
}

fn scope(leaves: [(&'static str, Value); 4], wrap: fn(Value) -> Value) -> Locals {
    let mut values: BTreeMap<&'static str, Value> =
        leaves.into_iter().map(|(name, value)| (name, wrap(value))).collect();
    let (s, n) = (values["s"].clone(), values["n"].clone());
    values.insert("m", Value::tuple(vec![s.clone(), Value::from("plain")]));
    values.insert("o", object(n));
    Locals(values)
}

fn not_yet_known(value: Value) -> Value {
    Value::new(Kind::Unknown(Arc::new(Unknown { ty: value.type_of(), not_null: true, ..Unknown::default() })))
}

/// Whether what was planned leaves room for what came to be. The type that the side of a conditional that is not taken
/// gives the other one counts only once it is known and has no error, so conversions may still come.
fn allows(planned: &Value, actual: &Value) -> bool {
    match (&planned.kind, &actual.kind) {
        (Kind::Unknown(unknown), _) => {
            let prefix = unknown.prefix.as_deref().unwrap_or_default();
            (actual.is_null() && !unknown.not_null)
                || !actual.is_null()
                    && type_allows(&unknown.ty, &actual.type_of())
                    && actual.as_str().is_none_or(|text| text.starts_with(prefix))
        }
        (Kind::Set(a), Kind::Set(_)) if planned.has_unknown() => {
            let known = a.items.iter().filter(|item| item.is_known());
            known
                .into_iter()
                .all(|item| actual.items().unwrap_or_default().iter().any(|other| other.same(item)))
        }
        (Kind::List(a) | Kind::Set(a) | Kind::Tuple(a), Kind::List(b) | Kind::Set(b) | Kind::Tuple(b)) => {
            a.items.len() == b.items.len() && a.items.iter().zip(&b.items).all(|(a, b)| allows(a, b))
        }
        (Kind::Map(a) | Kind::Object(a), Kind::Map(b) | Kind::Object(b)) => {
            a.entries.len() == b.entries.len()
                && a.entries.iter().zip(&b.entries).all(|((ka, a), (kb, b))| ka == kb && allows(a, b))
        }
        (Kind::Bool(_) | Kind::Number(_), Kind::String(text)) => {
            planned.same(actual) || display(planned) == **text
        }
        (Kind::String(text), Kind::Bool(_) | Kind::Number(_)) => display(actual) == **text,
        _ => planned.same(actual),
    }
}

/// Whether both are the same but for what is marked in one of them. (Errors of a side that is not taken may take its mark
/// with them, which is why one is enough.)
fn same_in_clear(a: &Value, b: &Value) -> bool {
    match (&a.kind, &b.kind) {
        _ if a.is_sensitive() || b.is_sensitive() => true,
        (Kind::List(a), Kind::List(b)) | (Kind::Set(a), Kind::Set(b)) | (Kind::Tuple(a), Kind::Tuple(b)) => {
            a.items.len() == b.items.len() && a.items.iter().zip(&b.items).all(|(a, b)| same_in_clear(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) | (Kind::Object(a), Kind::Object(b)) => {
            a.entries.len() == b.entries.len()
                && a.entries.iter().zip(&b.entries).all(|((ka, a), (kb, b))| ka == kb && same_in_clear(a, b))
        }
        (Kind::Unknown(a), Kind::Unknown(b)) => a.ty == b.ty && a.prefix == b.prefix,
        _ => a.same(b),
    }
}

/// Whether a value planned to be of one type may come to be of the other, with the conversions that may still come. A
/// null has no type here, so `Any` in an actual type says nothing.
fn type_allows(planned: &Type, actual: &Type) -> bool {
    let class = |ty: &Type| match ty {
        Type::Any => 0,
        Type::Bool | Type::Number | Type::String => 1,
        Type::List(_) | Type::Set(_) | Type::Tuple(_) => 2,
        Type::Map(_) | Type::Object(_) => 3,
    };
    match (class(planned), class(actual)) {
        (0, _) | (_, 0) => true,
        (1, 1) => planned == actual || *planned == Type::String || *actual == Type::String,
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn evaluation_never_panics(text in expression()) {
        let known = scope(plain("a", 1, true, false), |value| value);
        let unknown = scope(plain("a", 1, true, false), not_yet_known);
        for scope in [known, unknown] {
            if let Some(value) = run(&text, &scope) {
                let _ = display(&value);
            }
        }
    }

    #[test]
    fn any_text_is_refused_or_read(text in "[a-z0-9\"${}%()\\[\\]<>~ .,:=?!&|*/+\\-\\n\\\\é#]{0,40}") {
        let _ = run(&text, &scope(plain("a", 1, true, false), |value| value));
    }

    #[test]
    fn what_is_planned_comes_true(text in expression(), string in "[a-c7]{0,2}", number in -1i64..3, flag: bool, twice: bool) {
        let actual = run(&text, &scope(plain(&string, number, flag, twice), |value| value));
        let planned = run(&text, &scope(plain(&string, number, flag, twice), not_yet_known));
        // A side of `&&` that is not looked at has no errors; while it is not known which side counts, it has.
        let lenient = text.contains("&&") || text.contains("||");
        if let Some(actual) = actual
            && (planned.is_some() || !lenient)
        {
            let planned = planned.ok_or_else(|| TestCaseError::fail(format!("{text} fails when it is planned, but gives {actual:?}")))?;
            prop_assert!(allows(&planned, &actual), "{text}: planned {planned:?}, got {actual:?}");
        }
    }

    #[test]
    fn nothing_shown_depends_on_a_secret(
        text in expression(),
        first in ("[a-c7]{0,2}", -1i64..3, any::<bool>(), any::<bool>()),
        second in ("[a-c7]{0,2}", -1i64..3, any::<bool>(), any::<bool>()),
    ) {
        let shown = |(string, number, flag, twice): &(String, i64, bool, bool)| {
            run(&text, &scope(plain(string, *number, *flag, *twice), Value::sensitive))
        };
        // Which argument of `try` has an error is no secret, by the language's rules.
        if let (Some(a), Some(b), false) = (shown(&first), shown(&second), text.contains("try(")) {
            prop_assert!(same_in_clear(&a, &b), "{text}: {a:?} and {b:?}");
        }
    }
}

/// As deep and long as the parser allows, in a thread with the small stack of a worker.
#[test]
fn the_deepest_trees_are_evaluated() {
    let nested =
        |open: &str, close: &str, levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
    let texts = [
        nested("[", "]", 60),
        nested("(", ")", 60),
        nested("{a = ", "}", 60),
        nested("tolist([", "])", 30),
        nested("[for x in [", "] : x]", 30),
        nested("\"x${", "}\"", 60),
        nested("true ? ", " : 0", 60),
        vec!["1"; 128].join(" + "),
        format!("{}{}", "[1]", "[*]".repeat(200)),
        format!("{{a = 1}}{}", ".a".repeat(200)),
        "-".repeat(60) + "1",
        format!("\"{}x{}\"", "%{ if true }".repeat(60), "%{ endif }".repeat(60)),
        format!("{}{}{}", "[".repeat(50), vec!["1"; 120].join(" + "), "]".repeat(50)),
    ];
    let worker = std::thread::Builder::new().stack_size(2 << 20);
    let handle = worker.spawn(move || {
        let scope = Locals(BTreeMap::new());
        texts.iter().map(|text| run(text, &scope).is_some()).collect::<Vec<_>>()
    });
    let done = handle.unwrap().join().unwrap();
    assert!(done.iter().filter(|done| **done).count() >= 9, "{done:?}");
}

#[test]
fn most_of_what_is_generated_has_a_value() {
    let scope = scope(plain("a", 1, true, false), |value| value);
    let count = (0..1000).filter(|seed| run(&Maker(seed * 7919).any(3), &scope).is_some()).count();
    assert!(count > 500, "{count}");
}
