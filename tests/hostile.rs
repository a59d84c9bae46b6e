//! Hostile stack files: a diagnostic each, no panic, and soon.

#![expect(clippy::disallowed_methods, reason = "the test measures real time")]
#![cfg(feature = "cli")]

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use support::sandbox::Sandbox;

fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let mut keys = String::from("locals {\n  big = {\n");
    for i in 0..16_000 {
        let _ = writeln!(keys, "    k{i} = {i}");
    }
    keys.push_str("  }\n}\n");
    let mut chain = String::from("locals {\n  l0 = local.l9999\n");
    for i in 1..10_000 {
        let _ = writeln!(chain, "  l{i} = local.l{}", i - 1);
    }
    chain.push_str("}\n");
    let data =
        |name: &str, input: &str| format!("resource \"local_data\" \"{name}\" {{\n  input = {input}\n}}\n");
    vec![
        (
            "deep lists",
            format!("locals {{\n  a = {}1{}\n}}\n", "[".repeat(10_000), "]".repeat(10_000)).into(),
        ),
        (
            "deep brackets",
            format!("locals {{\n  a = {}1{}\n}}\n", "(".repeat(50_000), ")".repeat(50_000)).into(),
        ),
        ("deep blocks", format!("{}{}", "a {\n".repeat(5_000), "}\n".repeat(5_000)).into()),
        ("a long chain of operators", format!("locals {{\n  a = 1{}\n}}\n", " + 1".repeat(50_000)).into()),
        ("16,000 keys", keys.into()),
        ("a circle of 10,000 locals", chain.into()),
        ("a reference to itself", data("a", "local_data.a.output").into()),
        ("a cycle", (data("a", "local_data.b.id") + &data("b", "local_data.a.id")).into()),
        ("an unterminated template", "locals {\n  a = \"${1 + \n}\n".into()),
        ("an unterminated heredoc", "locals {\n  a = <<EOT\nnever\n}\n".into()),
        ("an unterminated string", "locals {\n  a = \"x\n}\n".into()),
        ("a NUL", b"locals {\n  a = \"x\0y\"\n}\n".to_vec()),
        ("not UTF-8", b"locals {\n  a = \"\xff\xfe\"\n}\n".to_vec()),
        ("two stacks", "stack \"a\" {}\nstack \"b\" {}\n".into()),
        ("duplicate names", (data("a", "1") + &data("a", "2")).into()),
        (
            "a number without end",
            "locals {\n  a = 1e999999999\n}\nresource \"local_data\" \"a\" {\n  input = local.a\n}\n".into(),
        ),
        ("not a stack at all", vec![b'{'; 100_000]),
    ]
}

#[test]
fn each_gets_a_diagnostic_and_none_a_panic() {
    let release = support::release_binary();
    for (what, text) in cases() {
        let sandbox = Sandbox::new();
        sandbox.write("main.stack.hcl", text);
        for command in ["validate", "plan"] {
            let mut call = sandbox.windlass([command]);
            if let Some(binary) = &release {
                call = call.binary(binary);
            }
            let began = Instant::now();
            let output = call.run();
            assert_eq!(output.code, Some(1), "{what}: {output}");
            assert!(
                output.stderr.contains("error") && !output.stderr.contains("panicked"),
                "{what}: {output}"
            );
            assert!(output.stderr.len() < 100_000, "{what}: it says {} bytes", output.stderr.len());
            if release.is_some() {
                assert!(
                    began.elapsed() < Duration::from_secs(1),
                    "{what}: {command} took {:?}",
                    began.elapsed()
                );
            }
        }
    }
}

#[test]
fn all_at_once() {
    let sandbox = Sandbox::new();
    for (at, (_, text)) in cases().into_iter().enumerate() {
        sandbox.write(format!("{at}.stack.hcl"), text);
    }
    let output = sandbox.windlass(["validate"]).run().exits(1);
    assert!(!output.stderr.contains("panicked"), "{output}");
}
