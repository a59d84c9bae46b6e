//! The real terraform through plan, apply, change, drift and destroy.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "it uses a part")]
mod support;

use support::{World, inputs, output, terraform_is_there, with};
use windlass_model::{ErrorClass, Kind, StepEvent, Value};
use windlass_provider::{Left, Verdict, supervise};

/// Not a test of its own: the supervisor, when a test starts it.
#[test]
fn another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
}

const ROOT: &str = r#"
variable "name" { type = string }
variable "secret" {
  type      = string
  sensitive = true
  default   = "none-given"
}
resource "terraform_data" "a" { input = var.name }
resource "terraform_data" "b" {
  input            = { name = var.name, secret = var.secret, exact = 123456789012345678901234567890 }
  triggers_replace = [var.name]
}
module "m" {
  source = "../modules/m"
  x      = terraform_data.a.id
}
output "id" { value = terraform_data.a.id }
output "name" { value = terraform_data.a.output }
output "exact" { value = 123456789012345678901234567890 }
output "set" { value = toset(["b", "a"]) }
output "secret" {
  value     = var.secret
  sensitive = true
}
output "of_module" { value = module.m.y }
"#;

const MODULE: &str = r#"
variable "x" {}
resource "terraform_data" "in" { input = var.x }
output "y" { value = terraform_data.in.output }
"#;

fn files() -> [(&'static str, &'static str); 2] {
    [("net/main.tf", ROOT), ("modules/m/main.tf", MODULE)]
}

fn named(name: &str) -> Value {
    inputs(Value::object([("name", Value::from(name))]))
}

#[tokio::test]
async fn a_root_lives_and_dies() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(&files()).await;
    let desired = named("one");
    let first = world.plan(None, Some(&desired)).await.unwrap();
    assert_eq!(first.verdict, Verdict::Change);
    let nested: Vec<(&str, &str)> =
        first.nested.iter().map(|c| (c.address.as_str(), c.action.as_str())).collect();
    let want = [
        ("module.m.terraform_data.in", "create"),
        ("terraform_data.a", "create"),
        ("terraform_data.b", "create"),
    ];
    assert_eq!(nested, want);
    let Kind::Unknown(id) = &output(&first.planned, "id").kind else { panic!("{:?}", first.planned) };
    assert_eq!(id.source.as_deref(), Some("terraform_root.net.outputs.id"));
    assert!(output(&first.planned, "set").is_known());

    let seen = world.apply(None, Some(&desired), &first).await.unwrap().unwrap();
    assert_eq!(output(&seen.value, "name").as_str(), Some("one"));
    let exact = output(&seen.value, "exact").as_number().unwrap().to_string();
    assert_eq!(exact, "123456789012345678901234567890");
    assert!(matches!(output(&seen.value, "set").kind, Kind::Set(_)));
    assert!(output(&seen.value, "secret").is_sensitive());
    assert_eq!(output(&seen.value, "of_module").as_str(), output(&seen.value, "id").as_str());
    assert_eq!(seen.nested.len(), 3);
    let progress = StepEvent::Progress("terraform_data.a: creating…".to_owned());
    assert!(world.bench.engine.events().contains(&progress), "{:?}", world.bench.engine.events());
    let record = world.record(&desired, seen);

    let same = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!(same.verdict, Verdict::Same);
    assert!(same.artefact.is_none() && same.nested.is_empty() && same.planned.same(&record.value.0));

    // A plan that finds nothing to do is one process.
    let runs = || std::fs::read_to_string(world.dir.join("log")).unwrap().matches(" run \"").count();
    let before = runs();
    world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!(runs() - before, 1);

    let other = named("two");
    let change = world.plan(Some(&record), Some(&other)).await.unwrap();
    let nested: Vec<(&str, &str)> =
        change.nested.iter().map(|c| (c.address.as_str(), c.action.as_str())).collect();
    assert_eq!(nested, [("terraform_data.a", "update"), ("terraform_data.b", "replace")]);
    assert_eq!(change.nested[1].because, ["triggers_replace"]);
    assert_eq!(change.why.iter().map(ToString::to_string).collect::<Vec<_>>(), ["variables.name"]);
    assert!(output(&change.planned, "id").is_known() && output(&change.planned, "name").is_unknown());
    let seen = world.apply(Some(&record), Some(&other), &change).await.unwrap().unwrap();
    let record = world.record(&other, seen);

    let seen = world.session.read(&world.call(), &record).await.unwrap().unwrap();
    assert!(seen.value.same(&record.value.0));

    let gone = world.plan(Some(&record), None).await.unwrap();
    assert!(gone.planned.is_null() && gone.nested.iter().all(|change| change.action == "delete"));
    assert_eq!(gone.nested.len(), 3);
    assert!(world.apply(Some(&record), None, &gone).await.unwrap().is_none());
    // Work directories hold nothing after the outcome but what `init` made (rule E4).
    assert_eq!(world.scratch(), ["data/modules/modules.json", "init"]);
}

#[tokio::test]
async fn a_secret_is_shown_nowhere() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(&files()).await;
    let secret = |text: &str| {
        let secret = Value::from(text).sensitive();
        inputs(Value::object([("name", Value::from("one")), ("secret", secret)]))
    };
    let desired = secret("s3cret-of-today");
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    assert!(plan.nested.iter().any(|change| change.lines.iter().any(|line| line.contains("(sensitive)"))));
    let seen = world.apply(None, Some(&desired), &plan).await.unwrap().unwrap();
    let shown = format!("{plan:?} {seen:?} {:?}", world.bench.engine.events());
    let log = std::fs::read_to_string(world.dir.join("log")).unwrap();
    for text in [shown.as_str(), log.as_str()] {
        assert!(!text.contains("s3cret-of-today"), "{text}");
    }
    let record = world.record(&desired, seen);
    let next = secret("s3cret-of-morrow");
    let change = world.plan(Some(&record), Some(&next)).await.unwrap();
    let shown = format!("{change:?}");
    assert!(!shown.contains("s3cret-of"), "{shown}");
    assert!(output(&change.planned, "secret").is_sensitive());
}

#[tokio::test]
async fn a_secret_given_to_a_variable_that_is_none_stays_one() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(&files()).await;
    let secret = Value::from("a-name-nobody-knows").sensitive();
    let desired = inputs(Value::object([("name", secret)]));
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    let seen = world.apply(None, Some(&desired), &plan).await.unwrap().unwrap();
    let shown = format!("{plan:?} {seen:?} {:?}", world.bench.engine.events());
    assert!(!shown.contains("a-name-nobody-knows"), "{shown}");
    assert!(output(&seen.value, "name").is_sensitive() && !output(&seen.value, "id").is_sensitive());
}

#[tokio::test]
async fn files_from_elsewhere_and_an_environment_reach_terraform() {
    if !terraform_is_there() {
        return;
    }
    let root = r#"
resource "terraform_data" "a" {
  input = file("${path.root}/../shared/x.txt")
  provisioner "local-exec" { command = "echo of-the-env=$FLAVOUR" }
}
output "x" { value = terraform_data.a.output }
"#;
    let world =
        World::new(&[("net/main.tf", root), ("shared/x.txt", "from elsewhere"), ("shared/y.md", "")]).await;
    let error = world.plan(None, Some(&with(&[]))).await.unwrap_err();
    assert!(error.hint.unwrap().contains("../shared/x.txt"));
    let globs = Value::list(windlass_model::Type::String, vec![Value::from("shared/*.txt")]);
    let env = Value::object([("FLAVOUR", Value::from("vanilla"))]);
    let desired = with(&[("files", globs), ("env", env), ("parallelism", Value::from(2))]);
    let files = world.call().files;
    let sources = world.session.sources("terraform_root", &desired, &*files).unwrap();
    assert_eq!(sources, ["net/main.tf", "shared/x.txt"]);
    let record = world.go(None, &desired).await;
    assert_eq!(output(&record.value.0, "x").as_str(), Some("from elsewhere"));
    assert!(world.bench.engine.lines().contains(&"terraform_data.a: of-the-env=vanilla".to_owned()));
}

#[tokio::test]
async fn a_failure_half_way_loses_nothing() {
    if !terraform_is_there() {
        return;
    }
    let root = r#"
variable "code" { default = 3 }
resource "terraform_data" "ok" { input = "ok" }
resource "terraform_data" "bad" {
  input = terraform_data.ok.id
  provisioner "local-exec" { command = "echo working; exit ${var.code}" }
}
output "ok" { value = terraform_data.ok.output }
"#;
    let world = World::new(&[("net/main.tf", root)]).await;
    let desired = with(&[]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    let failure = world.apply(None, Some(&desired), &plan).await.unwrap_err();
    let first = failure.error.message.lines().next().unwrap();
    assert_eq!(first, "`terraform apply`: local-exec provisioner error (net/main.tf:6, terraform_data.bad)");
    assert!(failure.error.message.contains("exit status 3"), "{}", failure.error.message);
    let Left::There(seen) = failure.left else { panic!("{:?}", failure.left) };
    assert_eq!(seen.nested.len(), 2);
    assert_eq!(output(&seen.value, "ok").as_str(), Some("ok"));
    assert!(world.bench.engine.lines().contains(&"terraform_data.bad: working".to_owned()));
    // The next plan goes on from there.
    let record = world.record(&desired, *seen);
    let fixed = inputs(Value::object([("code", Value::from(0))]));
    let plan = world.plan(Some(&record), Some(&fixed)).await.unwrap();
    assert_eq!(plan.nested.len(), 1);
    assert_eq!(
        (plan.nested[0].action.as_str(), plan.nested[0].lines[0].as_str()),
        ("replace", "it was left half made")
    );
    let seen = world.apply(Some(&record), Some(&fixed), &plan).await.unwrap().unwrap();
    assert_eq!(seen.nested.len(), 2);
}

#[tokio::test]
async fn a_root_with_its_own_backend_keeps_its_state_there() {
    if !terraform_is_there() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("own.tfstate");
    let root = r#"
terraform {
  backend "local" {}
}
variable "x" { default = "a" }
resource "terraform_data" "a" { input = var.x }
output "x" { value = terraform_data.a.output }
"#;
    let world = World::new(&[("net/main.tf", root)]).await;
    let desired = |x: &str| {
        let path = Value::from(path.to_str().unwrap());
        with(&[
            ("backend_config", Value::object([("path", path)])),
            ("variables", Value::object([("x", Value::from(x))])),
        ])
    };
    let first = desired("a");
    let plan = world.plan(None, Some(&first)).await.unwrap();
    let want = format!("terraform backend local path={}", path.display());
    assert_eq!(plan.place.as_deref(), Some(want.as_str()));
    let seen = world.apply(None, Some(&first), &plan).await.unwrap().unwrap();
    assert!(path.is_file() && !seen.private.blobs.contains_key("tfstate"));
    assert_eq!(output(&seen.value, "x").as_str(), Some("a"));
    let record = world.record(&first, seen);
    assert!(world.session.always_ask(&record));
    assert_eq!(world.plan(Some(&record), Some(&first)).await.unwrap().verdict, Verdict::Same);
    // Somebody else applies the root in another way.
    let second = desired("b");
    let plan = world.plan(Some(&record), Some(&second)).await.unwrap();
    world.apply(Some(&record), Some(&second), &plan).await.unwrap();
    let seen = world.session.read(&world.call(), &record).await.unwrap().unwrap();
    assert_eq!(output(&seen.value, "x").as_str(), Some("b"));
    let plan = world.plan(Some(&record), Some(&second)).await.unwrap();
    assert_eq!(plan.verdict, Verdict::Same);
    assert!(plan.drift.is_some());
    let gone = world.plan(Some(&record), None).await.unwrap();
    assert!(world.apply(Some(&record), None, &gone).await.unwrap().is_none());
    assert!(!std::fs::read_to_string(&path).unwrap().contains("terraform_data"));
}

#[tokio::test]
async fn a_workspace_is_used_and_a_relative_local_backend_is_the_records() {
    if !terraform_is_there() {
        return;
    }
    for backend in ["{ path = \"state/x.tfstate\" }", "{}"] {
        in_workspaces(backend).await;
    }
}

async fn in_workspaces(backend: &str) {
    let root = r#"
terraform {
  backend "local" BACKEND
}
resource "terraform_data" "a" { input = terraform.workspace }
output "workspace" { value = terraform_data.a.output }
"#;
    let root = root.replace("BACKEND", backend);
    let root = root.as_str();
    let world = World::new(&[("net/main.tf", root)]).await;
    let default = world.go(None, &with(&[])).await;
    assert_eq!(output(&default.value.0, "workspace").as_str(), Some("default"));
    assert!(default.private.blobs.contains_key("tfstate"));
    assert_eq!(world.plan(Some(&default), Some(&with(&[]))).await.unwrap().verdict, Verdict::Same);
    let dev = with(&[("workspace", Value::from("dev"))]);
    let record = world.go(None, &dev).await;
    assert_eq!(output(&record.value.0, "workspace").as_str(), Some("dev"));
    assert_eq!(world.plan(Some(&record), Some(&dev)).await.unwrap().verdict, Verdict::Same);
    assert!(!world.dir.join("net/state").exists() && !world.dir.join("net/terraform.tfstate.d").exists());
}

#[tokio::test]
async fn an_empty_root_is_applied_and_destroyed_without_a_process() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(&[("net/main.tf", "variable \"x\" { default = 1 }\n")]).await;
    let desired = with(&[]);
    let record = world.go(None, &desired).await;
    assert_eq!(world.plan(Some(&record), Some(&desired)).await.unwrap().verdict, Verdict::Same);
    let gone = world.plan(Some(&record), None).await.unwrap();
    assert!(world.apply(Some(&record), None, &gone).await.unwrap().is_none());
    assert!(!world.dir.join("steps").exists());
}

#[tokio::test]
async fn a_state_beside_the_root_is_never_planned_over() {
    if !terraform_is_there() {
        return;
    }
    let world = World::new(&files()).await;
    let desired = named("one");
    let record = world.go(None, &desired).await;
    let blob = record.private.blobs["tfstate"];
    let state = windlass_provider::Engine::fetch(&*world.bench.engine, &blob).await.unwrap();
    std::fs::write(world.dir.join("net/terraform.tfstate"), &state).unwrap();
    let error = world.plan(None, Some(&desired)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Conflict);
    let hint = error.hint.unwrap();
    assert_eq!(hint, "take it in: windlass state import terraform_root.net net/terraform.tfstate");
    let seen = world.session.import(&world.call(), "net/terraform.tfstate", &desired).await.unwrap();
    assert!(seen.value.same(&record.value.0));
    let record = world.record(&desired, seen);
    assert_eq!(world.plan(Some(&record), Some(&desired)).await.unwrap().verdict, Verdict::Same);
    let error = world.session.import(&world.call(), "net/main.tf", &desired).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidConfig);
}

#[tokio::test]
async fn what_is_written_into_the_snapshot_is_named() {
    if !terraform_is_there() {
        return;
    }
    let root = r#"
resource "terraform_data" "a" {
  provisioner "local-exec" { command = "echo hi > made-by-apply.txt" }
}
"#;
    let world = World::new(&[("net/main.tf", root)]).await;
    world.go(None, &with(&[])).await;
    let lines = world.bench.engine.lines();
    let want = "warning: written into the snapshot and thrown away: net/made-by-apply.txt";
    assert!(lines.iter().any(|line| line == want), "{lines:?}");
    assert!(!world.dir.join("net/made-by-apply.txt").exists());
}

#[tokio::test]
async fn a_plan_that_names_its_directory_says_so() {
    if !terraform_is_there() {
        return;
    }
    let root = "resource \"terraform_data\" \"a\" { input = abspath(\"x\") }";
    let world = World::new(&[("net/main.tf", root)]).await;
    let desired = with(&[]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    assert_eq!(plan.artefact.as_ref().unwrap().data["work_path"], true);
    let mut elsewhere = world.call();
    elsewhere.scratch = world.dir.join("elsewhere");
    let failure = world.apply_as(&elsewhere, None, Some(&desired), &plan).await.unwrap_err();
    assert!(matches!(failure.left, Left::Untouched) && failure.error.class == ErrorClass::Conflict);
    let plain = World::new(&files()).await;
    let plan = plain.plan(None, Some(&named("x"))).await.unwrap();
    assert!(plan.artefact.unwrap().data.get("work_path").is_none());
}
