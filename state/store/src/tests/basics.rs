//! Conformance, and what is particular to files.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{host, open};
use crate::conformance::{self, Subject, begin, end, env, holder, meta, record, state};
use crate::traits::{Store, StoreError, VersionStatus};
use crate::{EnvRef, LocalStore};

struct Directory(PathBuf);

#[async_trait]
impl Subject for Directory {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(open(&self.0))
    }
}

#[tokio::test]
async fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    conformance::all(&Directory(dir.path().join("deep/.windlass"))).await.unwrap();
    let store = open(&dir.path().join("deep/.windlass"));
    for env in store.environments().await.unwrap() {
        assert_eq!(store.doctor(&env), [], "{env:?}");
    }
}

#[tokio::test]
async fn finding_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join(".windlass");
    assert!(LocalStore::find(&root, host()).unwrap().is_none());
    assert!(!root.exists());
    let made = open(&root);
    assert_eq!(LocalStore::find(&root, host()).unwrap().unwrap().id(), made.id());
    assert_eq!(std::fs::read_to_string(root.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn two_first_commands_agree() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join(".windlass");
        let ids: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&root).id().clone())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

fn each(dir: &Path, look: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        look(&path);
        if path.is_dir() {
            each(&path, look);
        }
    }
}

#[tokio::test]
async fn everything_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join(".windlass");
    conformance::all(&Directory(root.clone())).await.unwrap();
    let mut count = 0;
    let mut look = |path: &Path| {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        count += 1;
    };
    look(&root);
    each(&root, &mut look);
    assert!(count > 50, "{count}");
}

#[tokio::test]
async fn a_run_without_a_journal_leaves_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let env = env("e");
    let held = store.lock(&env, holder(1)).await.unwrap();
    assert!(held.steps().is_dir());
    held.release().await.unwrap();
    assert_eq!(std::fs::read_dir(store.places(&env).runs()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_release_without_an_end_counts_as_unfinished() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let env = env("e");
    let mut held = store.lock(&env, holder(1)).await.unwrap();
    held.append(&[begin(&holder(1).run, 1)]).await.unwrap();
    held.release().await.unwrap();
    let held = store.lock(&env, holder(2)).await.unwrap();
    assert_eq!(held.unfinished().unwrap().run, holder(1).run);
}

/// The zombie of a broken lock must not make its successor look alive, nor keep others out.
#[tokio::test]
async fn a_zombie_does_not_vouch_for_its_successor() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let env = env("e");
    let zombie = store.lock(&env, holder(1)).await.unwrap();
    store.unlock(&env, &holder(1).run, 9).await.unwrap();
    let mut second = store.lock(&env, holder(2)).await.unwrap();
    second.append(&[begin(&holder(2).run, second.epoch())]).await.unwrap();
    assert!(store.lock(&env, holder(3)).await.is_err());
    drop(second);
    let third = store.lock(&env, holder(3)).await.unwrap();
    assert_eq!(third.unfinished().unwrap().run, holder(2).run);
    drop(zombie);
}

/// An end settles what an earlier run left only if there is nothing in it that the state does not have.
#[tokio::test]
async fn an_end_settles_what_changed_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (quiet, doubtful) = (env("quiet"), env("doubtful"));
    for (env, step) in [(&quiet, None), (&doubtful, Some(conformance::intent("a")))] {
        let mut dying = store.lock(env, holder(1)).await.unwrap();
        dying.append(&[begin(&holder(1).run, 1)]).await.unwrap();
        dying.append(step.as_slice()).await.unwrap();
        drop(dying);
        let mut held = store.lock(env, holder(2)).await.unwrap();
        assert!(held.unfinished().is_some());
        held.append(&[begin(&holder(2).run, 2), end(None)]).await.unwrap();
        held.release().await.unwrap();
        let held = store.lock(env, holder(3)).await.unwrap();
        assert_eq!(held.unfinished().is_some(), step.is_some());
    }
}

pub(super) async fn commit(store: &LocalStore, env: &EnvRef, number: u32, records: &[(&str, i64)]) -> u64 {
    let next = state(records.iter().map(|(name, value)| record(name, *value)));
    let mut held = store.lock(env, holder(number)).await.unwrap();
    let run = holder(number).run;
    held.append(&[begin(&run, held.epoch())]).await.unwrap();
    let version = held.commit(meta(&run, VersionStatus::Applied), &next, &[]).await.unwrap();
    held.append(&[end(Some(version))]).await.unwrap();
    held.release().await.unwrap();
    version
}

/// Many who want the lock at once: one has it at a time, and no commit is lost.
#[test]
fn many_at_once_commit_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join(".windlass");
    let env = env("race");
    let one = &|number: u32| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = open(&root);
        let name = format!("r{number}");
        loop {
            let done = runtime.block_on(async {
                let mut held = match store.lock(&env, holder(number)).await {
                    Ok(held) => held,
                    Err(StoreError::Locked(_)) => return false,
                    Err(error) => panic!("{error}"),
                };
                let mut next = held.state().clone();
                let record = record(&name, 1);
                next.records.insert(record.slot.clone(), std::sync::Arc::new(record));
                let run = holder(number).run;
                held.append(&[begin(&run, held.epoch())]).await.unwrap();
                held.commit(meta(&run, VersionStatus::Applied), &next, &[]).await.unwrap();
                held.append(&[end(None)]).await.unwrap();
                held.release().await.unwrap();
                true
            });
            if done {
                break;
            }
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| (1..=12).for_each(|number| drop(scope.spawn(move || one(number)))));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = open(&root);
    let (head, state) =
        runtime.block_on(async { (store.head(&env).await.unwrap(), store.state(&env, None).await.unwrap()) });
    assert_eq!((head.version, head.epoch, state.records.len()), (12, 12, 12));
    assert_eq!(store.doctor(&env), []);
}
