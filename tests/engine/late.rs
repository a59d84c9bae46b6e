//! Steps that could not be planned whole before (rule P5).

use windlass_model::{Operation, RunStatus};
use windlass_provider::fake::{Act, Phase};

use crate::site::{Site, said, steps, text};

const PAIR: &str = r#"
resource "fake_thing" "base" { name = "base" }
resource "fake_thing" "user" {
  name = "user"
  tags = { of = fake_thing.base.id }
}
"#;

/// The name of `user` is not known before `base` was changed: then it is another thing.
const MOVED: &str = r#"
resource "fake_thing" "base" {
  name = "base"
  size = 2
}
resource "fake_thing" "user" {
  name = fake_thing.base.stamp
  tags = { of = fake_thing.base.id }
}
"#;

fn defer(site: &Site, name: &str) {
    let waits = vec!["fake_thing.base.id".to_owned()];
    site.world.script_next(
        &format!("fake_thing.{name}"),
        Phase::Plan,
        std::time::Duration::ZERO,
        Act::Defer(waits),
    );
}

#[tokio::test(start_paused = true)]
async fn a_deferred_create_is_planned_once_its_inputs_are_known() {
    let site = Site::new();
    site.stack(PAIR);
    defer(&site, "user");
    defer(&site, "user");
    let done = site.applied().await;
    assert_eq!(done.done, 2);
    assert_eq!(site.log(), ["create base", "create user"]);
    let record = site.record("fake_thing.user").await.unwrap();
    assert!(record.value.0.is_known());
    assert!(site.plan().await.unwrap().file.plan.is_empty());
}

/// A stack whose second plan defers an update of `user`, and whose third sees that it is a replacement.
async fn a_deferred_replacement(site: &Site, head: &str) -> windlass::ops::PlanOptions {
    site.stack(&format!("{head}\n{PAIR}"));
    if head.is_empty() {
        site.applied().await;
    }
    windlass::ops::PlanOptions::default()
}

#[tokio::test(start_paused = true)]
async fn a_deferred_step_that_would_replace_asks_and_stops() {
    let site = Site::new();
    let options = a_deferred_replacement(&site, "").await;
    site.stack(MOVED);
    defer(&site, "user");
    let done = site.apply_with(options).await.unwrap();
    assert_eq!(done.status, RunStatus::NeedsApproval);
    assert_eq!(done.left, 1);
    assert_eq!(site.gate.asked.lock().unwrap().len(), 1);
    assert!(site.gate.asked.lock().unwrap()[0].destroys);
    assert_eq!(site.log_since(2), ["update base"]);
    // Approved, it goes on; the approval in the store is enough, nobody is asked.
    let run = done.run.unwrap();
    let what = windlass::ops::approvable(&site.ctx, &Default::default(), &run.0).await.unwrap();
    assert!(!what.lines.is_empty());
    windlass::ops::approve(&site.ctx, &what).await.unwrap();
    let done = site.resume(Some(&run)).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.failures);
    assert_eq!(site.gate.asked.lock().unwrap().len(), 1);
    assert_eq!(site.log_since(2), ["update base", "delete user", "create user"]);
    site.is_right();
    assert!(site.plan().await.unwrap().file.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deferred_step_that_would_replace_goes_on_when_allowed() {
    let site = Site::new();
    let options = a_deferred_replacement(&site, "").await;
    site.stack(MOVED);
    defer(&site, "user");
    *site.gate.grant.lock().unwrap() = true;
    let done = site.apply_with(options).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied);
    assert_eq!(site.log_since(2), ["update base", "delete user", "create user"]);
    assert!(site.plan().await.unwrap().file.plan.is_empty());
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn what_was_done_before_a_question_is_committed_as_partial() {
    let site = Site::new();
    site.stack(PAIR);
    site.applied().await;
    site.stack(MOVED);
    defer(&site, "user");
    let done = site.apply().await.unwrap();
    assert_eq!((done.status, done.done, done.left), (RunStatus::NeedsApproval, 1, 1));
    let versions = windlass::ops::versions(&site.ctx, &Default::default()).await.unwrap();
    assert_eq!(versions[0].status, windlass_store::VersionStatus::Partial);
    assert_eq!(done.version, Some(versions[0].number));
}

#[tokio::test(start_paused = true)]
async fn a_tainted_thing_of_an_earlier_run_is_not_replaced_unasked() {
    let site = Site::new();
    site.stack("resource \"fake_thing\" \"user\" { name = \"user\" }");
    site.world.script(
        "fake_thing.user",
        Phase::Create,
        1,
        Act::FailAfter(windlass_model::ErrorClass::Conflict),
    );
    assert_eq!(site.apply().await.unwrap().status, RunStatus::Failed);
    // Its replacement was not announced: the plan says that it is not known yet what is to be done.
    defer(&site, "user");
    let planned = site.plan().await.unwrap();
    assert_eq!(steps(&planned), ["update user later"]);
    defer(&site, "user");
    let done = site.apply().await.unwrap();
    assert_eq!(done.status, RunStatus::NeedsApproval);
    assert_eq!(site.log(), ["create user"]);
}

#[tokio::test(start_paused = true)]
async fn more_than_announced_goes_on_unless_approval_is_manual() {
    let stack =
        |size: u32| format!("resource \"fake_thing\" \"user\" {{\n name = \"user\"\n size = {size}\n}}");
    let site = Site::new();
    site.stack(&stack(1));
    site.applied().await;
    site.stack(&stack(2));
    // Announced is an update that knows its own values; then it turns out as another.
    defer(&site, "user");
    let done = site.apply().await.unwrap();
    assert_eq!(done.status, RunStatus::Applied);
    assert!(site.gate.asked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_manual_environment_saves_its_plan_and_waits() {
    let site = Site::new();
    site.stack(&format!("environment \"prod\" {{ approval = \"manual\" }}\n{PAIR}"));
    let refused = site.apply().await.unwrap_err();
    assert!(said(&refused).contains("--auto-approve"), "{}", said(&refused));
    let done = site.apply_so(Default::default(), |options| options.auto_approve = false).await.unwrap();
    assert_eq!(done.status, RunStatus::NeedsApproval);
    assert!(site.log().is_empty());
    let run = done.run.unwrap();
    let refused = site.resume(Some(&run)).await.unwrap_err();
    assert!(matches!(refused.kind, windlass::ops::FailureKind::NotApproved), "{}", said(&refused));
    let what = windlass::ops::approvable(&site.ctx, &Default::default(), &run.0).await.unwrap();
    windlass::ops::approve(&site.ctx, &what).await.unwrap();
    let done = site.resume(None).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.diagnostics);
    assert_eq!(site.log(), ["create base", "create user"]);
    let versions = windlass::ops::versions(&site.ctx, &Default::default()).await.unwrap();
    assert_eq!(versions[0].approval.as_ref().map(|approval| approval.plan), Some(what.plan));
    // A destroy needs one of its own.
    let done = site
        .apply_so(Site::options(Operation::Destroy), |options| options.auto_approve = false)
        .await
        .unwrap();
    assert_eq!(done.status, RunStatus::NeedsApproval);
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_manual_environment_stops_where_a_deferred_step_does_more() {
    let site = Site::new();
    let stack = |size: u32| {
        format!(
            "environment \"prod\" {{ approval = \"manual\" }}
             resource \"fake_thing\" \"base\" {{\n name = \"base\"\n size = {size}\n}}
             resource \"fake_thing\" \"user\" {{\n name = fake_thing.base.stamp\n}}"
        )
    };
    site.stack(&stack(1));
    let approve = async |run: &windlass_model::RunId| {
        let what = windlass::ops::approvable(&site.ctx, &Default::default(), &run.0).await.unwrap();
        windlass::ops::approve(&site.ctx, &what).await.unwrap();
    };
    let done = site.apply_so(Default::default(), |options| options.auto_approve = false).await.unwrap();
    let run = done.run.unwrap();
    approve(&run).await;
    let done = site.resume(Some(&run)).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.diagnostics);
    site.stack(&stack(2));
    defer(&site, "user");
    let done = site.apply_so(Default::default(), |options| options.auto_approve = false).await.unwrap();
    let run = done.run.unwrap();
    approve(&run).await;
    let done = site.resume(Some(&run)).await.unwrap();
    assert_eq!(done.status, RunStatus::NeedsApproval);
    assert_eq!(site.log_since(2), ["update base"]);
    // The first resume's own run is what is approved now.
    let second = done.run.unwrap();
    approve(&second).await;
    let done = site.resume(None).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.diagnostics);
    assert_eq!(site.log_since(2), ["update base", "delete user", "create user"]);
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_is_known_already_is_announced() {
    let site = Site::new();
    site.stack(PAIR);
    site.applied().await;
    site.stack(&PAIR.replace("\"user\"\n", "\"other\"\n"));
    defer(&site, "user");
    let planned = site.plan().await.unwrap();
    assert!(text(&planned).contains("replaces fake_thing.user (deferred)"), "{}", text(&planned));
    defer(&site, "user");
    site.applied().await;
    assert!(site.gate.asked.lock().unwrap().is_empty());
    assert_eq!(site.log_since(2), ["delete user", "create user"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_is_not_replaced_late_either() {
    let site = Site::new();
    let guarded = |stack: &str| stack.replace("tags =", "lifecycle { prevent_destroy = true }\n  tags =");
    site.stack(&guarded(PAIR));
    site.applied().await;
    site.stack(&guarded(&PAIR.replace("\"user\"\n", "\"other\"\n")));
    defer(&site, "user");
    let planned = site.plan().await.unwrap();
    assert!(planned.errors[0].title.contains("`prevent_destroy`"), "{:?}", planned.errors);
    *site.gate.grant.lock().unwrap() = true;
    site.stack(&guarded(MOVED));
    defer(&site, "user");
    let done = site.apply().await.unwrap();
    assert_eq!(done.status, RunStatus::Failed);
    assert!(done.failures[0].message.contains("`prevent_destroy`"), "{:?}", done.failures);
    assert_eq!(site.log_since(2), ["update base"]);
}
