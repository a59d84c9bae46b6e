//! Ctrl-C once, twice, three times; the deadline.

use std::time::Duration;

use windlass::apply::Signal;
use windlass_model::{ErrorClass, RunStatus};
use windlass_provider::fake::{Act, Phase, Script};

use crate::site::Site;

const SECOND: Duration = Duration::from_secs(1);

const THREE: &str = r#"
resource "fake_thing" "a" { name = "a" }
resource "fake_thing" "b" {
  name = "b"
  tags = { of = fake_thing.a.id }
}
resource "fake_thing" "c" { name = "c" }
"#;

#[tokio::test(start_paused = true)]
async fn the_first_signal_lets_running_steps_end_and_starts_nothing_new() {
    let site = Site::new();
    site.stack(THREE);
    site.world.set_delay(10 * SECOND);
    site.signal(SECOND, Signal::Drain);
    let done = site.apply().await.unwrap();
    assert_eq!((done.status, done.done, done.left), (RunStatus::Interrupted, 2, 1));
    assert_eq!(site.state().await.records.len(), 2);
    let done = site.resume(None).await.unwrap();
    assert_eq!((done.status, done.done), (RunStatus::Applied, 1));
    assert!(site.plan().await.unwrap().file.plan.is_empty());
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_counts_as_left() {
    let site = Site::new();
    site.stack(
        "provider \"fake\" { concurrency = 1 }
         resource \"fake_thing\" \"a\" {\n count = 3\n name = \"a${count.index}\"\n}",
    );
    site.world.set_delay(10 * SECOND);
    site.signal(SECOND, Signal::Drain);
    let done = site.apply().await.unwrap();
    assert_eq!((done.status, done.done, done.left), (RunStatus::Interrupted, 1, 2));
    let versions = windlass::ops::versions(&site.ctx, &Default::default()).await.unwrap();
    assert_eq!(versions[0].status, windlass_store::VersionStatus::Partial);
    let done = site.resume(None).await.unwrap();
    assert_eq!((done.status, done.done), (RunStatus::Applied, 2));
}

#[tokio::test(start_paused = true)]
async fn the_second_signal_interrupts_and_nothing_hangs() {
    let site = Site::new();
    site.stack(THREE);
    site.world.script("fake_thing.a", Phase::Create, 1, Act::HangBefore);
    site.world.script("fake_thing.c", Phase::Create, 1, Act::HangAfter);
    site.signal(SECOND, Signal::Drain);
    site.signal(5 * SECOND, Signal::Interrupt);
    let began = tokio::time::Instant::now();
    let done = site.apply().await.unwrap();
    assert_eq!(began.elapsed(), 5 * SECOND);
    assert_eq!(done.status, RunStatus::Interrupted);
    assert_eq!((done.done, done.failures.len()), (0, 2));
    assert!(site.record("fake_thing.c").await.unwrap().tainted.is_some());
    assert!(site.record("fake_thing.a").await.is_none());
    let done = site.resume(None).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.failures);
    assert!(site.plan().await.unwrap().file.plan.is_empty());
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_for_another_try_does_not_keep_an_interrupted_run() {
    let site = Site::new();
    site.stack(THREE);
    // `a` waits for its second try while `c` runs: both signals come then.
    site.world.script("fake_thing.a", Phase::Create, 1, Act::FailBefore(ErrorClass::RateLimited));
    site.world.script("fake_thing.c", Phase::Create, 1, Act::HangBefore);
    site.signal(Duration::from_millis(20), Signal::Drain);
    site.signal(Duration::from_millis(30), Signal::Interrupt);
    let done = tokio::time::timeout(3 * 3600 * SECOND, site.apply()).await.expect("it hangs").unwrap();
    assert_eq!((done.status, done.done), (RunStatus::Interrupted, 0));
    let done = site.resume(None).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.failures);
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_for_another_try_fails_when_the_run_drains() {
    let site = Site::new();
    site.stack(THREE);
    site.world.script("fake_thing.a", Phase::Create, 1, Act::FailBefore(ErrorClass::RateLimited));
    site.signal(Duration::from_millis(20), Signal::Drain);
    let done = site.apply().await.unwrap();
    assert_eq!(done.status, RunStatus::Interrupted);
    assert_eq!(site.log(), ["create c"]);
    assert_eq!(site.resume(None).await.unwrap().status, RunStatus::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_step_planned_late_does_not_begin_once_the_run_drains() {
    let site = Site::new();
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }");
    let defer = Act::Defer(vec!["x".to_owned()]);
    site.world.script("fake_thing.a", Phase::Plan, 1, defer);
    site.world
        .add("fake_thing.a", Script { phase: Phase::Plan, nth: 2, delay: 10 * SECOND, act: Act::Nothing });
    site.signal(SECOND, Signal::Drain);
    let done = site.apply().await.unwrap();
    assert_eq!((done.status, done.done, done.left), (RunStatus::Interrupted, 0, 1));
    assert_eq!(site.log(), Vec::<String>::new());
    assert_eq!(site.resume(None).await.unwrap().status, RunStatus::Applied);
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn the_third_signal_leaves_at_once_and_the_journal_is_enough() {
    let site = Site::new();
    site.stack(THREE);
    site.world.set_delay(10 * SECOND);
    site.world.add("fake_thing.c", Script { phase: Phase::Create, nth: 1, delay: SECOND, act: Act::Nothing });
    site.signal(2 * SECOND, Signal::Leave);
    let done = site.apply().await.unwrap();
    assert_eq!(done.status, RunStatus::Interrupted);
    assert_eq!(site.log(), ["create c"]);
    let done = site.resume(None).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.failures);
    assert_eq!(site.world.things().len(), 3);
    assert!(site.plan().await.unwrap().file.plan.is_empty());
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn the_deadline_drains_and_after_the_grace_interrupts() {
    let mut site = Site::new();
    site.stack(THREE);
    site.world.script("fake_thing.a", Phase::Create, 1, Act::HangBefore);
    site.ctx.deadline = Some(tokio::time::Instant::now() + 60 * SECOND);
    let began = tokio::time::Instant::now();
    let done = site.apply().await.unwrap();
    assert_eq!(began.elapsed(), 180 * SECOND);
    assert_eq!(done.status, RunStatus::Interrupted);
    assert_eq!(site.log(), ["create c"]);
}
