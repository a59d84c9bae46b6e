//! What plans noted, and who may throw it away.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use windlass_model::{Digest, Host, PlanNote, Private, RunId};

use crate::{EnvRef, LocalStore};

struct Clock(AtomicU64);

impl Host for Clock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn random(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

fn note(name: &str) -> PlanNote {
    let private = Private { data: json!({ "made": name }), ..Private::default() };
    PlanNote { address: format!("t.{name}").parse().unwrap(), provider: "t".to_owned(), private }
}

fn place() -> (tempfile::TempDir, Arc<Clock>, LocalStore, EnvRef) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Clock(AtomicU64::new(1_000_000)));
    let store = LocalStore::open(&dir.path().join(".windlass"), clock.clone()).unwrap();
    (dir, clock, store, EnvRef { stack: "s".into(), environment: "e".into() })
}

#[test]
fn notes_of_the_dead_are_found_and_those_of_the_living_are_not() {
    let (_dir, _, store, env) = place();
    let run = RunId("01AAA".into());
    let notes = store.plan_notes(&env, &run);
    assert!(store.left_plans(&env).unwrap().is_empty());
    notes.note(&note("a")).unwrap();
    notes.note(&note("b")).unwrap();
    assert!(store.left_plans(&env).unwrap().is_empty(), "its plan lives");
    drop(notes);
    let left = store.left_plans(&env).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].run.clone(), left[0].notes.clone()), (run, vec![note("a"), note("b")]));
    assert!(left[0].steps.is_dir());
    assert!(store.left_plans(&env).unwrap().is_empty(), "somebody else is at it");
    left.into_iter().for_each(|left| left.settled().unwrap());
    assert!(store.left_plans(&env).unwrap().is_empty());
}

#[test]
fn a_torn_note_was_never_acted_upon() {
    let (dir, _, store, env) = place();
    let notes = store.plan_notes(&env, &RunId("01AAA".into()));
    notes.note(&note("a")).unwrap();
    drop(notes);
    let path = dir.path().join(".windlass/stacks/s/e/plans/01AAA/notes.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"{\"format\":1,\"addr").unwrap();
    assert_eq!(store.left_plans(&env).unwrap()[0].notes, [note("a")]);
}

#[test]
fn a_saved_plan_keeps_what_it_made_for_a_week_or_until_it_is_taken() {
    let (_dir, clock, store, env) = place();
    let save = |run: &str, plan: &[u8]| {
        let notes = store.plan_notes(&env, &RunId(run.into()));
        notes.note(&note("a")).unwrap();
        notes.saved(Digest::of(plan)).unwrap();
    };
    save("01AAA", b"one");
    save("01BBB", b"two");
    assert!(store.left_plans(&env).unwrap().is_empty());
    store.plan_taken(&env, &Digest::of(b"two")).unwrap();
    clock.0.fetch_add(8 * 24 * 3600 * 1000, Ordering::SeqCst);
    let left = store.left_plans(&env).unwrap();
    assert_eq!(left.iter().map(|left| left.run.0.as_str()).collect::<Vec<_>>(), ["01AAA"]);
}
