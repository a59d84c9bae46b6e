//! Versions and the way back to one of them (rules V6, V7).

use windlass::ops::{self, FailureKind, PlanOptions};
use windlass_model::Operation;

use crate::site::{Site, said, steps, text};

fn back(to: u64) -> PlanOptions {
    PlanOptions { rollback_to: Some(to), ..Site::options(Operation::Rollback) }
}

const TWO: &str = "resource \"fake_thing\" \"a\" {\n  name = \"a\"\n  size = 1\n}\nresource \"fake_thing\" \"b\" { name = \"b\" }\n";

#[tokio::test(start_paused = true)]
async fn a_rollback_is_a_plan_of_then_against_today() {
    let site = Site::new();
    site.stack(TWO);
    site.applied().await;
    site.stack("resource \"fake_thing\" \"a\" {\n  name = \"a\"\n  size = 2\n}\nresource \"fake_thing\" \"c\" { name = \"c\" }\n");
    site.applied().await;
    assert_eq!(steps(&site.plan_with(&back(1)).await.unwrap()), ["update a", "create b", "delete c"]);
    let done = site.apply_with(back(1)).await.unwrap();
    assert_eq!(done.version, Some(3));
    site.is_right();
    let versions = ops::versions(&site.ctx, &Default::default()).await.unwrap();
    assert_eq!((versions[0].operation, versions[0].rolls_back_to), (Operation::Rollback, Some(1)));
    // Once more: nothing is left to do.
    assert!(site.plan_with(&back(1)).await.unwrap().file.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rollback_needs_no_checkout() {
    let site = Site::new();
    site.stack(TWO);
    site.applied().await;
    site.stack("resource \"fake_thing\" \"a\" {\n  name = \"a\"\n  size = 2\n}\n");
    site.applied().await;
    std::fs::remove_file(site.dir.path().join("main.stack.hcl")).unwrap();
    assert!(site.apply_with(back(1)).await.unwrap().failures.is_empty());
    assert_eq!(site.state().await.records.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_rollback_an_apply_says_so_first() {
    let site = Site::new();
    site.stack(TWO);
    site.applied().await;
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }\n");
    site.applied().await;
    site.apply_with(back(1)).await.unwrap();
    let refused = site.apply().await.unwrap_err();
    assert!(matches!(refused.kind, FailureKind::NotApproved), "{}", said(&refused));
    assert!(said(&refused).contains("--after-rollback"), "{}", said(&refused));
    let done = site.apply_so(PlanOptions::default(), |options| options.after_rollback = true).await.unwrap();
    assert_eq!(done.version, Some(4));
    // Asked once only.
    site.stack(TWO);
    site.applied().await;
}

#[tokio::test(start_paused = true)]
async fn a_saved_plan_that_showed_the_rollback_needs_no_flag() {
    let site = Site::new();
    site.stack(TWO);
    site.applied().await;
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }\n");
    site.applied().await;
    site.apply_with(back(1)).await.unwrap();
    let planned = site.plan().await.unwrap();
    assert!(text(&planned).contains("undoes that rollback"), "{}", text(&planned));
    let path = site.dir.path().join("saved.plan");
    ops::save_plan(planned, &path).await.unwrap();
    assert_eq!(site.apply_file(&path).await.unwrap().version, Some(4));
    let stale = site.apply_file(&path).await.unwrap_err();
    assert!(matches!(stale.kind, FailureKind::Stale), "{}", said(&stale));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_version_is_named_with_those_there_are() {
    let site = Site::new();
    site.stack(TWO);
    site.applied().await;
    let failure = site.plan_with(&back(7)).await.map(|_| ()).unwrap_err();
    assert!(said(&failure).contains("no version 7"), "{}", said(&failure));
}

#[tokio::test(start_paused = true)]
async fn environments_have_states_of_their_own() {
    let site = Site::new();
    site.stack(
        "environment \"dev\" {}\nenvironment \"live\" {}\nresource \"fake_thing\" \"a\" { name = environment.name }\n",
    );
    for name in ["dev", "live"] {
        let mut options = PlanOptions::default();
        options.selection.environment = Some(name.to_owned());
        site.apply_with(options).await.unwrap();
        assert_eq!(site.state_of(name).await.records.len(), 1);
    }
    let which = site.plan().await.map(|_| ()).unwrap_err();
    assert!(matches!(which.kind, FailureKind::Usage), "{}", said(&which));
    site.is_right();
}
