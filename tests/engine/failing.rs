//! Failures: what goes on, what does not, what is tried again, and what state says of it.

use std::time::Duration;

use windlass_model::{ErrorClass, EventKind, RunStatus};
use windlass_provider::fake::{Act, Phase};

use crate::site::{Site, said, steps};

const STACK: &str = r#"
resource "fake_thing" "a" { name = "a" }
resource "fake_thing" "b" {
  name = "b"
  tags = { of = fake_thing.a.id }
}
resource "fake_thing" "c" {
  name = "c"
  tags = { of = fake_thing.b.id }
}
resource "fake_thing" "other" { name = "other" }
output "a" { value = fake_thing.a.id }
output "c" { value = fake_thing.c.id }
"#;

#[tokio::test(start_paused = true)]
async fn dependents_are_skipped_and_the_rest_goes_on() {
    let site = Site::new();
    site.stack(STACK);
    site.world.script("fake_thing.b", Phase::Create, 1, Act::FailBefore(ErrorClass::Permission));
    let done = site.apply().await.unwrap();
    assert_eq!(done.status, RunStatus::Failed);
    assert_eq!((done.done, done.failures.len(), done.skipped, done.left), (2, 1, 1, 0));
    let skipped = site.kinds().into_iter().find_map(|kind| match kind {
        EventKind::StepSkipped { address, because, .. } => Some((address, because)),
        _ => None,
    });
    assert_eq!(skipped, Some(("fake_thing.c".to_owned(), "fake_thing.b".to_owned())));
    let versions = windlass::ops::versions(&site.ctx, &Default::default()).await.unwrap();
    assert_eq!(versions[0].status, windlass_store::VersionStatus::Partial);
    assert_eq!(site.state().await.records.len(), 2);
    assert!(done.outputs.contains_key("a") && !done.outputs.contains_key("c"));
    assert_eq!(steps(&site.plan().await.unwrap()), ["create b", "create c"]);
    site.applied().await;
    assert!(site.plan().await.unwrap().file.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn temporary_failures_are_tried_again_after_a_while_and_others_not() {
    let site = Site::new();
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }");
    for nth in 1..=3 {
        site.world.script("fake_thing.a", Phase::Create, nth, Act::FailBefore(ErrorClass::Unavailable));
    }
    site.applied().await;
    let waits: Vec<(u32, u64)> = site
        .kinds()
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::StepRetry { attempt, wait_ms, .. } => Some((attempt, wait_ms)),
            _ => None,
        })
        .collect();
    assert_eq!(waits.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(waits[0].1 < waits[2].1, "{waits:?}");
    site.stack("resource \"fake_thing\" \"b\" { name = \"b\" }");
    site.world.script("fake_thing.b", Phase::Create, 1, Act::FailBefore(ErrorClass::Auth));
    let done = site.apply().await.unwrap();
    assert_eq!(done.status, RunStatus::Failed);
    assert!(!site.kinds().iter().any(|kind| matches!(kind, EventKind::StepRetry { .. })));
}

#[tokio::test(start_paused = true)]
async fn retries_end_and_a_resource_may_say_how_often() {
    let site = Site::new();
    site.stack(
        "resource \"fake_thing\" \"a\" {\n name = \"a\"\n retry {\n  attempts = 2\n  delay = \"10s\"\n }\n}",
    );
    for nth in 1..=3 {
        site.world.script("fake_thing.a", Phase::Create, nth, Act::FailBefore(ErrorClass::RateLimited));
    }
    let began = tokio::time::Instant::now();
    let done = site.apply().await.unwrap();
    assert_eq!(done.failures.len(), 1);
    assert!(began.elapsed() >= Duration::from_secs(5) && began.elapsed() <= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_takes_too_long_fails_as_timeout() {
    let site = Site::new();
    site.stack("resource \"fake_thing\" \"a\" {\n name = \"a\"\n timeouts {\n  create = \"5m\"\n }\n}");
    site.world.script("fake_thing.a", Phase::Create, 1, Act::HangAfter);
    let began = tokio::time::Instant::now();
    let done = site.apply().await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(300));
    assert_eq!(done.status, RunStatus::Failed);
    let class = site.kinds().into_iter().find_map(|kind| match kind {
        EventKind::StepFailed { class, .. } => Some(class),
        _ => None,
    });
    assert_eq!(class, Some(ErrorClass::Timeout));
    assert!(site.record("fake_thing.a").await.unwrap().tainted.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_half_made_thing_is_tainted_and_replaced_next_time() {
    let site = Site::new();
    site.stack(STACK);
    site.world.script("fake_thing.b", Phase::Create, 1, Act::FailAfter(ErrorClass::Conflict));
    assert_eq!(site.apply().await.unwrap().status, RunStatus::Failed);
    let record = site.record("fake_thing.b").await.unwrap();
    assert_eq!(record.status(), "tainted");
    assert_eq!(steps(&site.plan().await.unwrap()), ["delete b", "create b", "create c"]);
    site.applied().await;
    assert!(site.plan().await.unwrap().file.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_step_in_doubt_and_the_rest_goes_on() {
    for act in [Act::PanicBefore, Act::PanicAfter] {
        let site = Site::new();
        site.stack(STACK);
        site.world.script("fake_thing.b", Phase::Create, 1, act);
        let done = site.apply().await.unwrap();
        assert_eq!((done.status, done.done, done.skipped), (RunStatus::Failed, 2, 1));
        let class = site.kinds().into_iter().find_map(|kind| match kind {
            EventKind::StepFailed { class, .. } => Some(class),
            _ => None,
        });
        assert_eq!(class, Some(ErrorClass::Bug));
        assert!(site.record("fake_thing.b").await.unwrap().in_doubt.is_some());
        // The provider can tell: the next plan looks.
        site.applied().await;
        assert!(site.plan().await.unwrap().file.plan.is_empty());
        assert_eq!(site.world.things().len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_tell_is_in_doubt_and_looked_at() {
    for phase in [Phase::Create, Phase::Update, Phase::Delete] {
        let site = Site::new();
        let stack =
            |size: u32| format!("resource \"fake_thing\" \"a\" {{\n name = \"a\"\n size = {size}\n}}");
        site.world.script("fake_thing.a", phase, 1, Act::LoseAfter(ErrorClass::Unknown));
        site.stack(&stack(1));
        if phase != Phase::Create {
            site.applied().await;
            site.stack(&stack(2));
        }
        if phase == Phase::Delete {
            site.stack("");
        }
        let done = site.apply().await.unwrap();
        assert_eq!(done.status, RunStatus::Failed);
        assert_eq!(site.record("fake_thing.a").await.unwrap().status(), "in_doubt", "{phase:?}");
        site.applied().await;
        assert!(site.plan().await.unwrap().file.plan.is_empty(), "{phase:?}");
        assert_eq!(site.world.log().len(), if phase == Phase::Create { 1 } else { 2 }, "{:?}", site.log());
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_delete_keeps_the_record_and_what_it_stands_on() {
    let site = Site::new();
    site.stack(STACK);
    site.applied().await;
    site.world.script("fake_thing.c", Phase::Delete, 1, Act::FailBefore(ErrorClass::Conflict));
    let done = site.apply_with(Site::options(windlass_model::Operation::Destroy)).await.unwrap();
    assert_eq!((done.done, done.failures.len(), done.skipped), (1, 1, 2));
    assert_eq!(site.world.things().len(), 3);
    let done = site.resume(None).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied);
    assert!(site.world.things().is_empty());
    assert!(site.state().await.records.is_empty());
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_foreign_thing_of_the_name_is_an_error_and_stays() {
    let site = Site::new();
    site.world.put("a");
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }");
    let done = site.apply().await.unwrap();
    assert_eq!(done.failures.len(), 1);
    assert!(site.record("fake_thing.a").await.is_none());
    assert_eq!(site.world.things().len(), 1);
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_provider_of_a_small_budget_is_not_overrun_and_others_go_on() {
    let site = Site::new();
    site.stack(
        "provider \"fake\" { concurrency = 2 }
         resource \"fake_thing\" \"a\" {\n count = 7\n name = \"a${count.index}\"\n}
         resource \"local_data\" \"d\" {\n count = 20\n input = count.index\n}",
    );
    site.world.set_delay(Duration::from_secs(1));
    let done = site.applied().await;
    assert_eq!(done.done, 27);
    assert_eq!(site.world.peak(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_asked_for_is_an_error_and_frees_the_lock() {
    let site = Site::new();
    site.stack(STACK);
    site.world.script("fake_thing.a", Phase::Plan, 1, Act::FailBefore(ErrorClass::Auth));
    let failure = site.apply().await.unwrap_err();
    assert!(said(&failure).contains("fake_thing.a"), "{}", said(&failure));
    site.applied().await;
}

#[tokio::test(start_paused = true)]
async fn two_at_once_one_works_and_the_other_is_told_who() {
    let site = Site::new();
    site.stack(STACK);
    site.world.set_delay(Duration::from_secs(5));
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        windlass::ops::apply(
            &site.ctx,
            &windlass::ops::ApplyOptions {
                plan: Default::default(),
                auto_approve: true,
                after_rollback: false,
                terminal: false,
                gate: site.gate.clone(),
            },
            &crate::site::Says(true, Default::default()),
            &mut tokio::sync::mpsc::unbounded_channel().1,
            &mut Vec::new(),
        )
        .await
    };
    let (first, second) = tokio::join!(site.apply(), second);
    assert_eq!(first.unwrap().status, RunStatus::Applied);
    let refused = second.unwrap_err();
    assert!(matches!(refused.kind, windlass::ops::FailureKind::Locked(_)));
    assert!(said(&refused).contains("ann@desk"));
    site.is_right();
}
