//! The real `az` against the fake of ARM: what it sends, takes and prints is as it was recorded of `az` 2.91.0.

#![expect(clippy::unwrap_used, reason = "what az says and is not understood fails the test")]

mod deployments;
mod failures;
mod groups;
mod logins;
mod nested;
mod pace;
mod stacks;
mod subscription;

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use windlass_testing::arm::Arm;

/// What `az` prints, as JSON; it must succeed.
#[track_caller]
fn says(arm: &Arm, args: &str) -> Value {
    let output = run(arm, args);
    assert!(output.status.success(), "`az {args}` failed: {}", String::from_utf8_lossy(&output.stderr));
    if output.stdout.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How `az` fails: its exit status and what it says.
#[track_caller]
fn fails(arm: &Arm, args: &str) -> (i32, String) {
    let output = run(arm, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "`az {args}` succeeded");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{said}");
    (output.status.code().unwrap(), said)
}

/// The JSON after `ERROR: `.
#[track_caller]
fn error(said: &str) -> Value {
    let text = said.lines().find_map(|line| line.strip_prefix("ERROR: ")).unwrap();
    serde_json::from_str(text).unwrap()
}

fn run(arm: &Arm, args: &str) -> Output {
    arm.az(args.split_whitespace().chain(["-o", "json"]))
}

/// The requests to ARM so far, without tokens and `https://…/subscriptions/ID`; then they are forgotten.
fn asked(arm: &Arm) -> Vec<String> {
    let place = format!("/subscriptions/{}", arm.default_subscription());
    let requests = arm.requests();
    arm.forget_requests();
    let ours = requests.iter().filter(|request| request.path.starts_with("/subscriptions"));
    ours.map(|request| request.line().replace(&place, "").replace("/providers/Microsoft.Resources", ""))
        .collect()
}

/// Writes a template.
fn template(arm: &Arm, name: &str, parts: &Value) -> PathBuf {
    template_of(arm, name, "deploymentTemplate", parts)
}

fn template_of(arm: &Arm, name: &str, schema: &str, parts: &Value) -> PathBuf {
    let schema = format!("https://schema.management.azure.com/schemas/2019-04-01/{schema}.json#");
    let mut template = json!({"$schema": schema, "contentVersion": "1.0.0.0"});
    for (key, value) in parts.as_object().unwrap() {
        template[key] = value.clone();
    }
    let path = arm.dir().join(name);
    std::fs::write(&path, serde_json::to_string_pretty(&template).unwrap()).unwrap();
    path
}

/// A resource of a template.
fn resource(name: &str, properties: Value) -> Value {
    json!({"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": name, "location": "west", "properties": properties})
}

/// Names by the last part of their id.
fn names(values: &[Value]) -> Vec<String> {
    let name = |value: &Value| value["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    values.iter().map(name).collect()
}
