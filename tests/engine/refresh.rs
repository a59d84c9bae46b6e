//! Drift, what is gone, and when tools are asked at all (rule P3).

use std::sync::Arc;
use windlass::ops::PlanOptions;
use windlass::plan::Refresh;
use windlass_model::{Can, Operation, RunStatus, Value};
use windlass_provider::fake::FakeProvider;

use crate::site::{Site, always, said, steps, text};

fn stack(size: u32) -> String {
    format!("resource \"fake_thing\" \"a\" {{\n name = \"a\"\n size = {size}\n}}")
}

/// A provider whose questions cost something, so that it is not asked for nothing.
fn costly(reads: bool) -> Site {
    let can = Can { plan_reads: reads, plan_unknown: true, reverts: false, probe: true, free: false };
    Site::with(|world| vec![Arc::new(FakeProvider::that_can(world, can))])
}

#[tokio::test(start_paused = true)]
async fn drift_is_shown_and_put_right() {
    for site in [Site::new(), costly(true), costly(false)] {
        site.stack(&stack(1));
        site.applied().await;
        site.pass(2 * 3600);
        site.world.change("a", |thing| thing.size = Value::from(7));
        let planned = site.plan().await.unwrap();
        assert_eq!(steps(&planned), ["update a"]);
        assert_eq!(planned.file.plan.refreshed.len(), 1);
        site.applied().await;
        assert!(site.world.thing("a").unwrap().size.same(&Value::from(1)));
        site.pass(2 * 3600);
        assert!(site.plan().await.unwrap().file.plan.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_made_anew() {
    for site in [Site::new(), costly(false)] {
        site.stack(&stack(1));
        site.applied().await;
        site.pass(2 * 3600);
        site.world.remove("a");
        let planned = site.plan().await.unwrap();
        assert_eq!(steps(&planned), ["create a"]);
        site.applied().await;
        assert_eq!(site.world.things().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_and_not_wanted_is_forgotten() {
    let site = Site::new();
    site.stack(&stack(1));
    site.applied().await;
    site.world.remove("a");
    site.stack("");
    let planned = site.plan().await.unwrap();
    assert!(planned.file.plan.steps.is_empty() && !planned.file.plan.is_empty());
    site.applied().await;
    assert!(site.state().await.records.is_empty());
    assert!(site.plan().await.unwrap().file.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn auto_asks_nothing_that_was_asked_within_the_hour_and_says_so() {
    let site = costly(true);
    site.stack(&stack(1));
    site.applied().await;
    let before = site.world.counts();
    let planned = site.plan().await.unwrap();
    assert!(planned.file.plan.is_empty());
    assert_eq!(site.world.counts(), before);
    assert!(text(&planned).contains("1 not asked since"), "{}", text(&planned));
    assert!(site.plan_with(&always()).await.unwrap().file.plan.not_asked.is_none());
    assert!(site.world.counts().plans > before.plans);
    // Changed inputs are asked about, an hour later everything is.
    site.stack(&stack(2));
    assert_eq!(steps(&site.plan().await.unwrap()), ["update a"]);
    site.stack(&stack(1));
    let before = site.world.counts();
    site.pass(3601);
    site.plan().await.unwrap();
    assert!(site.world.counts().plans > before.plans);
}

#[tokio::test(start_paused = true)]
async fn never_does_not_look_at_the_real_thing() {
    let site = costly(true);
    site.stack(&stack(1));
    site.applied().await;
    site.pass(2 * 3600);
    site.world.change("a", |thing| thing.size = Value::from(7));
    let never = PlanOptions { refresh: Refresh::Never, ..PlanOptions::default() };
    assert!(site.plan_with(&never).await.unwrap().file.plan.is_empty());
    site.stack(&stack(2));
    assert_eq!(steps(&site.plan_with(&never).await.unwrap()), ["update a"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_takes_drift_in_and_changes_nothing() {
    let site = Site::new();
    site.stack(&format!("{}\nresource \"fake_thing\" \"b\" {{ name = \"b\" }}", stack(1)));
    site.applied().await;
    site.world.change("a", |thing| thing.size = Value::from(7));
    site.world.remove("b");
    let options = Site::options(Operation::Refresh);
    let done = site.apply_with(options).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied);
    assert_eq!(site.log().len(), 2);
    let state = site.state().await;
    assert_eq!(state.records.len(), 1);
    assert!(site.record("fake_thing.a").await.unwrap().value.0.get("size").unwrap().same(&Value::from(7)));
    let drift = windlass::ops::drift(&site.ctx, &PlanOptions::default()).await.unwrap();
    assert!(drift.drifted.is_empty());
    assert_eq!(steps(&site.plan().await.unwrap()), ["update a", "create b"]);
}

#[tokio::test(start_paused = true)]
async fn drift_is_reported_and_state_left_alone() {
    let site = Site::new();
    site.stack(&stack(1));
    site.applied().await;
    site.world.change("a", |thing| thing.size = Value::from(7));
    let drift = windlass::ops::drift(&site.ctx, &PlanOptions::default()).await.unwrap();
    assert_eq!(drift.drifted.len(), 1);
    assert_eq!(drift.drifted[0].changes[0].path, "size");
    assert!(site.record("fake_thing.a").await.unwrap().value.0.get("size").unwrap().same(&Value::from(1)));
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_is_shown_and_refused() {
    let site = Site::new();
    let stack = |name: &str| {
        format!(
            "resource \"fake_thing\" \"a\" {{\n name = \"{name}\"\n lifecycle {{ prevent_destroy = true }}\n}}"
        )
    };
    site.stack(&stack("a"));
    site.applied().await;
    site.stack(&stack("b"));
    let planned = site.plan().await.unwrap();
    assert_eq!(planned.errors.len(), 1);
    assert_eq!(steps(&planned), ["delete a", "create a"]);
    let refused = site.apply().await.unwrap_err();
    assert!(said(&refused).contains("prevent_destroy"));
    // Taken out of the stack whole it is protected still: the record says so.
    site.stack("");
    assert!(site.apply().await.is_err());
    assert!(site.apply_with(Site::options(Operation::Destroy)).await.is_err());
    assert_eq!(site.world.things().len(), 1);
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }");
    site.applied().await;
    site.stack("");
    site.applied().await;
    assert!(site.world.things().is_empty());
}

#[tokio::test(start_paused = true)]
async fn ignored_changes_stay_as_they_were_asked_for() {
    let site = Site::new();
    let stack = |size: u32, tag: &str| {
        format!(
            "resource \"fake_thing\" \"a\" {{
               name = \"a\"
               size = {size}
               tags = {{ x = \"{tag}\", y = \"{tag}\" }}
               lifecycle {{ ignore_changes = [size, tags[\"x\"]] }}
             }}"
        )
    };
    site.stack(&stack(1, "one"));
    site.applied().await;
    site.stack(&stack(2, "one"));
    assert!(site.plan().await.unwrap().file.plan.is_empty());
    site.stack(&stack(2, "two"));
    site.applied().await;
    let thing = site.world.thing("a").unwrap();
    assert!(thing.size.same(&Value::from(1)));
    let tag = |name: &str| thing.tags.get(name).and_then(Value::as_str).unwrap().to_owned();
    assert_eq!((tag("x"), tag("y")), ("one".to_owned(), "two".to_owned()));
    assert!(site.plan().await.unwrap().file.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_moved_is_taken_in_by_what_stays() {
    let site = Site::new();
    let stack = |of: &str| {
        format!(
            "resource \"fake_thing\" \"a\" {{ name = \"a\" }}
             resource \"fake_thing\" \"b\" {{ name = \"b\" }}
             resource \"fake_thing\" \"c\" {{\n name = \"c\"\n depends_on = [fake_thing.{of}]\n}}"
        )
    };
    site.stack(&stack("a"));
    site.applied().await;
    site.stack(&stack("b"));
    site.applied().await;
    let record = site.record("fake_thing.c").await.unwrap();
    assert_eq!(record.depends_on, [crate::site::address("fake_thing.b")]);
    site.apply_with(Site::options(Operation::Destroy)).await.unwrap();
    let log = site.log_since(3);
    let place = |line: &str| log.iter().position(|l| l == line).unwrap();
    assert!(place("delete c") < place("delete b"));
}
