//! terraform, its supervisor or the engine is killed in the middle of an apply (rules T2, T6).

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::{World, again, output, terraform_is_there, with};
use windlass_model::{Private, Value};
use windlass_provider::{Call, Left, Probe, Proposed, supervise};

const SLOW: &str = r#"
variable "wait" { default = 30 }
resource "terraform_data" "ok" { input = "ok" }
resource "terraform_data" "slow" {
  input = terraform_data.ok.id
  provisioner "local-exec" { command = "echo $PPID > ${path.root}/../../../../../terraform.pid; sleep ${var.wait}" }
}
output "ok" { value = terraform_data.ok.output }
"#;

/// Not a test of its own: the supervisor, and the engine that gets killed.
#[test]
fn another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
    if let Some(dir) = std::env::var_os("AS_ENGINE") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::at(Path::new(&dir), &[], Value::object::<&str>([])).await;
            let desired = waiting(3);
            let plan = world.plan(None, Some(&desired)).await.unwrap();
            // Where the test finds the plan again: an engine has it in its journal.
            let artefact = plan.artefact.as_ref().unwrap();
            std::fs::write(world.dir.join("artefact"), serde_json::to_vec(artefact).unwrap()).unwrap();
            let _ended = world.apply_as(&step(&world), None, Some(&desired), &plan).await;
        });
        std::process::exit(0);
    }
}

fn waiting(seconds: i64) -> Value {
    support::inputs(Value::object([("wait", Value::from(seconds))]))
}

/// The same step in each process.
fn step(world: &World) -> Call {
    Call { token: windlass_model::Token("feedbeef".to_owned()), ..world.call() }
}

/// The process of terraform: the parent of the provisioner's shell.
async fn terraform(dir: &Path) -> Pid {
    let begun = Instant::now();
    loop {
        let pid = std::fs::read_to_string(dir.join("terraform.pid")).unwrap_or_default();
        if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
            return pid;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "terraform did not come to its provisioner");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn terraform_is_killed() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(&[("net/main.tf", SLOW)]).await;
    let desired = waiting(2);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    let killing = async {
        let pid = terraform(&world.dir).await;
        kill_process(pid, Signal::KILL).unwrap();
    };
    let (applied, ()) = tokio::join!(world.apply(None, Some(&desired), &plan), killing);
    let failure = applied.unwrap_err();
    assert!(failure.error.message.contains("killed by signal 9"), "{}", failure.error.message);
    let doubt = "in doubt, begun and not in the state: terraform_data.slow (create)";
    assert!(failure.error.message.contains(doubt), "{}", failure.error.message);
    let Left::There(seen) = failure.left else { panic!("{:?}", failure.left) };
    assert_eq!(
        seen.nested.iter().map(|nested| nested.address.as_str()).collect::<Vec<_>>(),
        ["terraform_data.ok"]
    );
    assert_eq!(seen.private.data["in_doubt"][0]["address"], "terraform_data.slow");
    // The next plan goes on from what is there, and says what nobody knows.
    let record = world.record(&desired, *seen);
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!(plan.nested.len(), 1);
    assert!(plan.warnings.iter().any(|warning| warning.message.contains("terraform_data.slow (create)")));
    let seen = world.apply(Some(&record), Some(&desired), &plan).await.unwrap().unwrap();
    assert!(seen.private.data.get("in_doubt").is_none());
    assert_eq!(output(&seen.value, "ok").as_str(), Some("ok"));
}

#[tokio::test]
async fn a_torn_state_is_never_taken() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(&[("net/main.tf", SLOW)]).await;
    let first = world.go(None, &waiting(0)).await;
    let root = SLOW.replace("\"ok\" { input = \"ok\" }", "\"ok\" { input = \"changed\" }");
    world.write("net/main.tf", &root.replace("input = terraform_data.ok.id", "triggers_replace = [1]"));
    std::fs::remove_file(world.dir.join("terraform.pid")).unwrap();
    let desired = waiting(2);
    let plan = world.plan(Some(&first), Some(&desired)).await.unwrap();
    let state = world.call().scratch.join("tree/net/terraform.tfstate");
    let killing = async {
        let pid = terraform(&world.dir).await;
        kill_process(pid, Signal::KILL).unwrap();
        // As a terraform that is killed while it writes leaves it.
        std::fs::write(&state, b"").unwrap();
    };
    let (applied, ()) = tokio::join!(world.apply(Some(&first), Some(&desired), &plan), killing);
    let failure = applied.unwrap_err();
    assert!(failure.error.message.contains("the state file is empty"), "{}", failure.error.message);
    let Left::There(seen) = failure.left else { panic!("{:?}", failure.left) };
    assert_eq!(seen.private.blobs["tfstate"], first.private.blobs["tfstate"]);
    let doubts = seen.private.data["in_doubt"].to_string();
    assert!(doubts.contains("terraform_data.slow"), "{doubts}");
}

#[tokio::test]
async fn what_was_made_and_is_in_no_state_is_imported() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(&[("net/main.tf", SLOW)]).await;
    let desired = waiting(2);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    let state = world.call().scratch.join("tree/net/terraform.tfstate");
    let killing = async {
        let pid = terraform(&world.dir).await;
        kill_process(pid, Signal::KILL).unwrap();
        std::fs::write(&state, b"{\"version\": 4, \"ser").unwrap();
    };
    let (applied, ()) = tokio::join!(world.apply(None, Some(&desired), &plan), killing);
    let failure = applied.unwrap_err();
    assert!(failure.error.message.contains("terraform_data.ok (create, id="), "{}", failure.error.message);
    let Left::There(seen) = failure.left else { panic!("{:?}", failure.left) };
    assert!(seen.nested.is_empty() && !seen.private.blobs.contains_key("tfstate"));
    let id = seen.private.data["in_doubt"][0]["id"][1].as_str().unwrap().to_owned();
    let record = world.record(&desired, *seen);
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    let actions: Vec<(&str, &str)> =
        plan.nested.iter().map(|c| (c.address.as_str(), c.action.as_str())).collect();
    assert_eq!(actions, [("terraform_data.ok", "import"), ("terraform_data.slow", "create")]);
    assert!(plan.warnings.iter().any(|warning| warning.message.contains("terraform_data.slow")));
    assert!(!plan.warnings.iter().any(|warning| warning.message.contains("terraform_data.ok")));
    let seen = world.apply(Some(&record), Some(&desired), &plan).await.unwrap().unwrap();
    assert_eq!(seen.nested[0].id.as_deref(), Some(id.as_str()));
    // Where nothing can be imported under that id, the plan is made without.
    let mut gone = record.clone();
    gone.private.data["in_doubt"][0]["address"] = "terraform_data.nobody".into();
    let plan = world.plan(Some(&gone), Some(&desired)).await.unwrap();
    assert!(plan.nested.iter().all(|change| change.action == "create"));
    assert!(plan.warnings.iter().any(|warning| warning.message.contains("could not be imported")));
}

#[tokio::test]
async fn the_engine_is_killed_and_terraform_ends_by_itself() {
    if !terraform_is_there() {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    std::fs::create_dir(dir.join("net")).unwrap();
    std::fs::write(dir.join("net/main.tf"), SLOW).unwrap();
    let words = again(&format!("AS_ENGINE={}", dir.display()));
    let mut engine = std::process::Command::new(&words[0]).args(&words[1..]).spawn().unwrap();
    terraform(dir).await;
    engine.kill().unwrap();
    engine.wait().unwrap();
    let world = World::at(dir, &[], Value::object::<&str>([])).await;
    let desired = waiting(3);
    let artefact: Private = serde_json::from_slice(&std::fs::read(dir.join("artefact")).unwrap()).unwrap();
    let plan = proposed(artefact);
    let probe = world.probe_as(&step(&world), None, &desired, &plan).await.unwrap();
    let Probe::Done(Some(seen)) = probe else { panic!("{probe:?}") };
    assert_eq!(seen.nested.len(), 2);
    assert_eq!(output(&seen.value, "ok").as_str(), Some("ok"));
    // Asked again after the outcome was noted and the work directory cleared: the same answer.
    let notes = world.bench.engine.notes();
    let work =
        windlass_provider::Work { noted: &notes, ..windlass_provider::trial::work(None, &desired, &plan) };
    let Probe::Done(Some(again)) = world.session.probe(&step(&world), work).await.unwrap() else { panic!() };
    assert!(again.value.same(&seen.value) && again.private == seen.private);
    // And what never began can begin.
    let other = Call { token: windlass_model::Token("0fed".to_owned()), ..world.call() };
    let probe = world.probe_as(&other, None, &desired, &plan).await.unwrap();
    assert!(matches!(probe, Probe::NotBegun), "{probe:?}");
}

fn proposed(artefact: Private) -> Proposed {
    Proposed {
        verdict: windlass_provider::Verdict::Change,
        planned: with(&[]),
        why: Vec::new(),
        nested: Vec::new(),
        artefact: Some(artefact),
        drift: None,
        place: None,
        warnings: Vec::new(),
        waits_for: Vec::new(),
    }
}
