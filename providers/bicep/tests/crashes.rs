//! The engine, or az itself, is killed while Azure works; Azure is busy; nothing is started twice.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "it uses a part")]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use support::{Here, World, again, output, parameters, wish};
use windlass_model::{Token, Value};
use windlass_provider::{Call, Left, Probe, Proposed, supervise};
use windlass_testing::arm::{Failure, Pace};

/// Not a test of its own: the supervisor, and the engine that gets killed.
#[test]
fn another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
    if let Some(dir) = std::env::var_os("AS_ENGINE") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let env: BTreeMap<String, String> =
                std::env::vars().filter(|(name, _)| name != "AS_ENGINE").collect();
            let here = Here::at(Path::new(&dir), env, Value::object::<&str>([])).await;
            let desired = desired(&std::fs::read_to_string(here.dir.join("mode")).unwrap());
            let plan = here.plan(None, Some(&desired)).await.unwrap();
            // Where the test finds the plan again: an engine has it in its journal.
            let artefact = plan.artefact.as_ref().unwrap();
            std::fs::write(here.dir.join("artefact"), serde_json::to_vec(artefact).unwrap()).unwrap();
            let _ended = here.apply_as(&step(&here), None, Some(&desired), &plan).await;
        });
        std::process::exit(0);
    }
}

fn desired(mode: &str) -> Value {
    wish(&[parameters("a", &[]), ("mode", mode.into())])
}

/// The same step in each process.
fn step(here: &Here) -> Call {
    Call { token: Token("feedbeef".to_owned()), ..here.call() }
}

/// Starts an engine that applies, and kills it when Azure has begun.
async fn killed_engine(world: &World, mode: &str) -> Proposed {
    world.write("mode", mode);
    let words = again("AS_ENGINE=");
    let mut engine = std::process::Command::new(&words[2])
        .args(&words[3..])
        .env("AS_ENGINE", &world.dir)
        .envs(&world.bench.tools.env)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let started = || match mode {
        "stack" => !world.arm.stacks().is_empty(),
        _ => !world.arm.deployments().is_empty(),
    };
    while !started() {
        assert!(begun.elapsed() < Duration::from_secs(60), "Azure did not begin");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    engine.kill().unwrap();
    engine.wait().unwrap();
    // What an engine would have in its journal and store.
    let mut plan = world.plan(None, Some(&desired(mode))).await;
    while plan.is_err() {
        plan = world.plan(None, Some(&desired(mode))).await;
    }
    plan.unwrap()
}

async fn is_watched_on(mode: &str) {
    let Some(world) = World::with_group().await else { return };
    let desired = desired(mode);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    world.arm.pace(Pace::Time(Duration::from_secs(5)));
    killed_engine(&world, mode).await;
    let probe = world.probe_as(&step(&world), None, &desired, &plan).await.unwrap();
    let Probe::Done(Some(seen)) = probe else { panic!("{probe:?}") };
    assert_eq!(output(&seen.value, "tls").as_str(), Some("TLS1_2"));
    let creates =
        world.calls().iter().filter(|call| call.ends_with("create") && !call.contains("whatif")).count();
    assert_eq!(creates, 1, "started twice");
    assert!(world.scratch().is_empty());
}

#[tokio::test]
async fn a_stack_is_watched_on_when_the_engine_dies() {
    is_watched_on("stack").await;
}

#[tokio::test]
async fn a_deployment_is_watched_on_when_the_engine_dies() {
    is_watched_on("deployment").await;
}

/// Kills the az of a step, with its supervisor or without.
fn kill(world: &World, what: &str) {
    let out = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "for p in /proc/[0-9]*; do if tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '{what}' && [ \"$(readlink $p/cwd)\" = '{}' ]; then kill -9 ${{p#/proc/}}; fi; done",
            world.call().scratch.join("az-feedbeef").display()
        ))
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
}

#[tokio::test]
async fn az_is_killed_and_azure_is_asked() {
    let Some(world) = World::with_group().await else { return };
    let desired = desired("stack");
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    world.arm.pace(Pace::Time(Duration::from_secs(4)));
    let call = step(&world);
    let killing = async {
        while world.arm.stacks().is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        kill(&world, "stack group create");
    };
    let (applied, ()) = tokio::join!(world.apply_as(&call, None, Some(&desired), &plan), killing);
    // It went on without az, and came to its end.
    let seen = applied.unwrap().unwrap();
    assert_eq!(output(&seen.value, "tls").as_str(), Some("TLS1_2"));
    let calls = world.calls();
    assert!(calls.contains(&"stack group show".to_owned()), "{calls:?}");
}

#[tokio::test]
async fn what_never_began_is_said_so() {
    let Some(world) = World::with_group().await else { return };
    for mode in ["stack", "deployment"] {
        let desired = desired(mode);
        let plan = world.plan(None, Some(&desired)).await.unwrap();
        let probe = world.probe_as(&world.call(), None, &desired, &plan).await.unwrap();
        assert!(matches!(probe, Probe::NotBegun), "{probe:?}");
    }
}

#[tokio::test]
async fn a_busy_stack_is_waited_for() {
    let Some(world) = World::with_group().await else { return };
    let desired = desired("stack");
    let record = world.go(None, &desired).await;
    let changed = wish(&[parameters("a", &[("tls", "TLS1_1".into())]), ("mode", "stack".into())]);
    let plan = world.plan(Some(&record), Some(&changed)).await.unwrap();
    let id = record.value.0.get("deployment_id").unwrap().as_str().unwrap().to_owned();
    world.arm.set_stack_state(&id, "deploying");
    let freeing = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        world.arm.set_stack_state(&id, "succeeded");
    };
    let (applied, ()) = tokio::join!(world.apply(Some(&record), Some(&changed), &plan), freeing);
    assert_eq!(output(&applied.unwrap().unwrap().value, "tls").as_str(), Some("TLS1_1"));
    let events = format!("{:?}", world.bench.engine.events());
    assert!(events.contains("is busy"), "{events}");
}

#[tokio::test]
async fn what_cannot_be_deleted_stays_recorded() {
    let Some(world) = World::with_group().await else { return };
    let record = world.go(None, &desired("stack")).await;
    let why = Failure::new(409, "ScopeLocked", "The scope cannot perform delete as it is locked.");
    world.arm.undeletable("astore", Some(why));
    let plan = world.plan(Some(&record), None).await.unwrap();
    let failure = world.apply(Some(&record), None, &plan).await.unwrap_err();
    let Left::There(seen) = failure.left else { panic!("{:?}", failure.left) };
    assert!(failure.error.hint.is_some(), "{:?}", failure.error);
    assert_eq!(seen.nested.len(), 1, "{:?}", seen.nested);
    world.arm.behave();
    let record = world.record(&record.inputs.0, *seen);
    world.destroy(&record).await;
    assert!(world.resources().is_empty());
}
