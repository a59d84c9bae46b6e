//! A terraform that is missing, too old, too slow, or no terraform at all.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "it uses a part")]
mod support;

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use support::{World, inputs, terraform_is_there, with};
use windlass_model::{ErrorClass, Value};
use windlass_provider::{Ask, Call, ProviderError};

const ROOT: &[(&str, &str)] =
    &[("net/main.tf", "resource \"terraform_data\" \"a\" {}\nvariable \"region\" {}\n")];

/// What planning with this script as the tool ends in.
async fn planned_with(script: &str, timeout: Option<Duration>) -> ProviderError {
    let world = World::new(ROOT).await;
    let tool = world.dir.join("terraform");
    std::fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let desired = with(&[("binary", Value::from(tool.to_str().unwrap()))]);
    let deadline = timeout.map(|timeout| tokio::time::Instant::now() + timeout);
    let call = Call { deadline, ..world.call() };
    let ask = Ask { prior: None, desired: Some(&desired), refresh: true, replace: false };
    world.session.plan(&call, ask).await.unwrap_err()
}

const VERSION: &str = "case $1 in version) echo '{\"terraform_version\":\"1.11.4\"}'; exit;; esac";

#[tokio::test]
async fn it_is_missing() {
    let world = World::new(ROOT).await;
    let desired = with(&[("binary", Value::from("no-such-terraform")), ("version", Value::from(">= 1.6"))]);
    let error = world.plan(None, Some(&desired)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::ToolMissing);
    assert_eq!(error.message, "`no-such-terraform` was not found on PATH");
    let hint = error.hint.unwrap();
    assert!(hint.contains(">= 1.6") && hint.contains("https://"), "{hint}");
    let tofu = with(&[("binary", Value::from("tofu"))]);
    if let Err(error) = world.plan(None, Some(&tofu)).await {
        assert!(error.class != ErrorClass::ToolMissing || error.hint.unwrap().contains("opentofu.org"));
    }
}

#[tokio::test]
async fn it_prints_rubbish() {
    let error = planned_with("echo hello there", None).await;
    assert_eq!(error.class, ErrorClass::ToolMissing);
    assert!(error.message.contains("`version -json` printed `hello there`"), "{}", error.message);
    let error = planned_with(&format!("{VERSION}\necho what plan; exit 2"), None).await;
    assert_eq!(error.class, ErrorClass::ToolMissing);
    assert!(error.message.contains("printed no JSON: what plan"), "{}", error.message);
    let plan = "case $1 in plan) echo '{\"type\":\"version\",\"terraform\":\"1.11.4\"}'; exit 2;; esac";
    let error = planned_with(&format!("{VERSION}\n{plan}\necho no json"), None).await;
    assert!(error.message.contains("did not show the plan"), "{}", error.message);
    let error = planned_with(&format!("{VERSION}\necho dreadful >&2; exit 9"), None).await;
    assert!(
        error.message.contains("exit status 9") && error.message.contains("dreadful"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn it_hangs() {
    let begun = Instant::now();
    let error = planned_with(&format!("{VERSION}\nsleep 600"), Some(Duration::from_secs(1))).await;
    assert_eq!(error.class, ErrorClass::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn it_is_of_the_wrong_version() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(ROOT).await;
    let error = world.plan(None, Some(&with(&[("version", Value::from(">= 99"))]))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::ToolMissing);
    assert!(error.message.contains("but >= 99 is wanted"), "{}", error.message);
    assert!(world.session.tool().await.unwrap().starts_with("terraform "));
    assert!(!world.session.tool_identity().is_empty());
}

#[tokio::test]
async fn a_variable_that_is_not_declared_is_an_error_before_terraform_runs() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(ROOT).await;
    let desired = inputs(Value::object([("regoin", Value::from("x"))]));
    let error = world.plan(None, Some(&desired)).await.unwrap_err();
    assert_eq!(error.at.unwrap().to_string(), "variables.regoin");
    assert_eq!(error.hint.as_deref(), Some("did you mean `region`?"));
    let error = world.plan(None, Some(&with(&[]))).await.unwrap_err();
    assert!(error.message.contains("No value for required variable (net/main.tf:2)"), "{}", error.message);
    assert_eq!(error.class, ErrorClass::InvalidConfig);
    assert_eq!(world.scratch(), Vec::<String>::new());
}
