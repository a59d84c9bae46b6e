//! Going on with the rest of the same plan (rule V5).

use windlass::ops::FailureKind;
use windlass_model::{ErrorClass, RunStatus};
use windlass_provider::fake::{Act, Phase};

use crate::site::{Site, said};

const CHAIN: &str = "resource \"fake_thing\" \"a\" { name = \"a\" }\n\
    resource \"fake_thing\" \"b\" {\n  name = \"b\"\n  tags = { of = fake_thing.a.id }\n}\n\
    resource \"fake_thing\" \"c\" {\n  name = \"c\"\n  tags = { of = fake_thing.b.id }\n}\n";

#[tokio::test(start_paused = true)]
async fn a_failed_run_goes_on_where_it_stopped() {
    let site = Site::new();
    site.stack(CHAIN);
    site.world.script("fake_thing.b", Phase::Create, 1, Act::FailBefore(ErrorClass::Permission));
    assert_eq!(site.apply().await.unwrap().status, RunStatus::Failed);
    // The checkout has moved on: the plan has not.
    site.stack("resource \"fake_thing\" \"z\" { name = \"z\" }");
    let done = site.resume(None).await.unwrap();
    assert_eq!((done.status, done.done), (RunStatus::Applied, 2));
    assert_eq!(site.state().await.records.len(), 3);
    assert!(site.resume(None).await.unwrap().run.is_none(), "nothing is left");
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn what_was_left_half_made_is_replaced() {
    let site = Site::new();
    site.stack(CHAIN);
    site.world.script("fake_thing.b", Phase::Create, 1, Act::FailAfter(ErrorClass::Permission));
    assert_eq!(site.apply().await.unwrap().status, RunStatus::Failed);
    let done = site.resume(None).await.unwrap();
    assert_eq!(done.status, RunStatus::Applied, "{:?}", done.failures);
    assert_eq!(site.world.things().len(), 3);
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_later_apply_supersedes_it() {
    let site = Site::new();
    site.stack(CHAIN);
    site.world.script("fake_thing.c", Phase::Create, 1, Act::FailBefore(ErrorClass::Permission));
    let failed = site.apply().await.unwrap().run;
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }");
    site.applied().await;
    let stale = site.resume(failed.as_ref()).await.unwrap_err();
    assert!(matches!(stale.kind, FailureKind::Stale), "{}", said(&stale));
    assert!(said(&stale).contains("superseded"), "{}", said(&stale));
}
