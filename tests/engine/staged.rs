//! What plans make outside before anybody decided to apply them: used by the apply, or thrown away.

use windlass::ops::{self, FailureKind, PlanOptions};
use windlass_model::RunStatus;
use windlass_provider::fake::{Act, Phase};

use crate::site::{Site, said};

const TWO: &str =
    "resource \"fake_thing\" \"a\" { name = \"a\" }\nresource \"fake_thing\" \"b\" { name = \"b\" }\n";

fn site(stack: &str) -> Site {
    let site = Site::new();
    site.world.set_stages(true);
    site.stack(stack);
    site
}

/// Directories of plans that made something.
fn kept(site: &Site) -> usize {
    let plans = site.dir.path().join(".windlass/stacks/shop/default/plans");
    std::fs::read_dir(plans).map(Iterator::count).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_dropped_leaves_nothing() {
    let site = site(TWO);
    let planned = site.plan().await.unwrap();
    assert_eq!(site.world.staged().len(), 2);
    assert_eq!(ops::drop_plan(planned).await, []);
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_saved_plan_keeps_it_until_it_is_applied() {
    let site = site(TWO);
    let path = site.dir.path().join("saved.plan");
    assert_eq!(ops::save_plan(site.plan().await.unwrap(), &path).await.unwrap(), []);
    assert_eq!((site.world.staged().len(), kept(&site)), (2, 1));
    // Another plan leaves what belongs to a saved one.
    ops::drop_plan(site.plan().await.unwrap()).await;
    assert_eq!(site.world.staged().len(), 2);
    let done = site.apply_file(&path).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.failures);
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn what_a_saved_plan_made_goes_after_a_week_and_the_plan_is_stale_then() {
    let site = site(TWO);
    let path = site.dir.path().join("saved.plan");
    ops::save_plan(site.plan().await.unwrap(), &path).await.unwrap();
    site.pass(8 * 24 * 3600);
    ops::drop_plan(site.plan().await.unwrap()).await;
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
    let done = site.apply_file(&path).await.unwrap();
    assert_eq!(done.status, RunStatus::Failed);
    assert!(done.failures.iter().all(|failure| failure.stale), "{:?}", done.failures);
    assert!(site.world.things().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_plan_left_goes_with_the_next() {
    let site = site(TWO);
    // The process dies: nobody throws anything away.
    drop(site.plan().await.unwrap());
    assert_eq!((site.world.staged().len(), kept(&site)), (2, 1));
    let living = site.plan().await.unwrap();
    assert_eq!((site.world.staged().len(), kept(&site)), (2, 1));
    // One that lives is left alone.
    ops::drop_plan(site.plan().await.unwrap()).await;
    assert_eq!(site.world.staged().len(), 2);
    ops::drop_plan(living).await;
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_fails_or_is_refused_leaves_nothing() {
    let site = site(TWO);
    let failing = Act::FailBefore(windlass_model::ErrorClass::Permission);
    site.world.script_next("fake_thing.b", Phase::Plan, std::time::Duration::ZERO, failing);
    assert!(site.plan().await.is_err());
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
    let manual = "environment \"live\" { approval = \"manual\" }\n";
    site.stack(&format!("{manual}{TWO}"));
    let refused = site.apply().await.unwrap_err();
    assert!(matches!(refused.kind, FailureKind::NotApproved), "{}", said(&refused));
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_apply_uses_what_it_planned() {
    let site = site(TWO);
    site.applied().await;
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
    site.stack(&TWO.replace("{ name = \"b\" }", "{\n  name = \"b\"\n  size = 2\n}"));
    site.applied().await;
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_step_planned_late_uses_its_own_and_one_that_may_not_run_leaves_nothing() {
    let site = site(TWO);
    let late = || Act::Defer(vec!["fake_thing.a.id".to_owned()]);
    site.world.script_next("fake_thing.b", Phase::Plan, std::time::Duration::ZERO, late());
    site.applied().await;
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
    // The name is not known before `a` was changed: then `b` is another thing, which was not announced.
    site.stack(
        "resource \"fake_thing\" \"a\" {\n name = \"a\"\n size = 2\n}\n\
         resource \"fake_thing\" \"b\" { name = fake_thing.a.stamp }\n",
    );
    site.world.script_next("fake_thing.b", Phase::Plan, std::time::Duration::ZERO, late());
    let done = site.apply_with(PlanOptions::default()).await.unwrap();
    assert_eq!(done.status, RunStatus::NeedsApproval);
    assert_eq!((site.world.staged().len(), kept(&site)), (0, 0));
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_approval_keeps_it() {
    let site = site(TWO);
    let manual = "environment \"live\" { approval = \"manual\" }\n";
    site.stack(&format!("{manual}{TWO}"));
    let done = site.apply_so(PlanOptions::default(), |options| options.auto_approve = false).await.unwrap();
    assert_eq!(done.status, RunStatus::NeedsApproval);
    assert_eq!(site.world.staged().len(), 2);
    let run = done.run.unwrap();
    let what = ops::approvable(&site.ctx, &Default::default(), &run.0).await.unwrap();
    ops::approve(&site.ctx, &what).await.unwrap();
    let done = site.resume(Some(&run)).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.failures);
    assert_eq!(site.world.staged().len(), 0);
}
