//! Corrections of state by hand: each a run, each a version.

use windlass::ops;
use windlass_model::Operation;

use crate::site::{Site, address, said, steps};

#[tokio::test(start_paused = true)]
async fn a_moved_record_keeps_the_thing() {
    let site = Site::new();
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }");
    site.applied().await;
    site.stack("resource \"fake_thing\" \"b\" { name = \"a\" }");
    assert_eq!(steps(&site.plan().await.unwrap()), ["delete a", "create b"], "a rename is never guessed");
    let (from, to) = (address("fake_thing.a"), address("fake_thing.b"));
    let version =
        ops::move_record(&site.ctx, &Site::correction(), &from, &to, &mut Vec::new()).await.unwrap();
    assert_eq!(version, 2);
    let versions = ops::versions(&site.ctx, &Default::default()).await.unwrap();
    assert_eq!(versions[0].operation, Operation::Move);
    assert!(site.record("fake_thing.b").await.is_some() && site.record("fake_thing.a").await.is_none());
    let taken =
        ops::move_record(&site.ctx, &Site::correction(), &from, &to, &mut Vec::new()).await.unwrap_err();
    assert!(said(&taken).contains("not in state"), "{}", said(&taken));
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_thing_lives_on() {
    let site = Site::new();
    site.stack("resource \"fake_thing\" \"a\" { name = \"a\" }");
    site.applied().await;
    ops::remove(&site.ctx, &Site::correction(), &[address("fake_thing.a")], &mut Vec::new()).await.unwrap();
    assert!(site.state().await.records.is_empty());
    assert_eq!(site.world.things().len(), 1);
}
