//! Files that are damaged, unreadable, of a newer format, or not what they should be: each is named, with the reason.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use windlass_model::{Digest, Entry, State};

use super::basics::commit;
use super::{damage, host, open};
use crate::conformance::{begin, end, env, holder, intent, outcome};
use crate::files::object_path;
use crate::traits::{Approval, EnvRef, Store, StoreError};
use crate::{LocalStore, head, version};

struct Fixture {
    dir: tempfile::TempDir,
    store: LocalStore,
    env: EnvRef,
}

/// Two versions, the second with records in two packs, and a journal of a dead run.
async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join(".windlass"));
    let env = env("damage");
    commit(&store, &env, 1, &[("a", 1), ("b", 1)]).await;
    commit(&store, &env, 2, &[("a", 1), ("b", 2)]).await;
    Fixture { dir, store, env }
}

impl Fixture {
    fn head(&self) -> PathBuf {
        self.store.places(&self.env).head()
    }

    fn version(&self) -> PathBuf {
        let places = self.store.places(&self.env);
        let head = head::read(&self.store.disk, &places).unwrap().file.head;
        places.dir.join(head.commit.unwrap())
    }

    fn index(&self) -> PathBuf {
        let places = self.store.places(&self.env);
        let head = head::read(&self.store.disk, &places).unwrap().file.head;
        let version = version::current(&self.store.disk, &places, &head).unwrap().unwrap();
        object_path(&places.objects(), &version.index)
    }

    /// The pack of the first version.
    fn pack(&self) -> PathBuf {
        let index: serde_json::Value = serde_json::from_slice(&fs::read(self.index()).unwrap()).unwrap();
        assert_eq!(index["packs"].as_array().unwrap().len(), 2);
        let id: Digest = index["packs"][0]["id"].as_str().unwrap().parse().unwrap();
        object_path(&self.store.places(&self.env).objects(), &id)
    }

    async fn state(&self) -> Result<State, StoreError> {
        self.store.state(&self.env, None).await
    }

    /// A run that dies with three batches in its journal.
    async fn dead_run(&self) -> PathBuf {
        let mut held = self.store.lock(&self.env, holder(3)).await.unwrap();
        held.append(&[begin(&holder(3).run, held.epoch()), intent("c")]).await.unwrap();
        held.append(&[outcome("c", 1)]).await.unwrap();
        held.append(&[intent("d"), intent("e")]).await.unwrap();
        held.steps().parent().unwrap().join("journal.jsonl")
    }

    async fn left(&self) -> Result<Vec<Entry>, StoreError> {
        let held = self.store.lock(&self.env, holder(4)).await?;
        Ok(held.unfinished().unwrap().entries.clone())
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn named(path: &Path, told: &(String, String)) {
    assert_eq!(told.0, path.display().to_string());
}

#[tokio::test]
async fn a_flipped_byte_anywhere_is_found() {
    let fixture = fixture().await;
    let approval = Approval { plan: Digest::of(b"p"), seal: Digest::of(b"s"), who: "w".into(), when_ms: 1 };
    fixture.store.approve(&fixture.env, &approval).await.unwrap();
    let root = fixture.dir.path().join(".windlass");
    for path in [fixture.head(), fixture.version(), fixture.index(), fixture.pack()] {
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(7).chain([good.len() - 2]) {
            flip(&path, at);
            let result = fixture.state().await;
            let told = match result {
                // A format number may turn into a newer one.
                Err(StoreError::Newer { path, .. }) => (path, String::new()),
                other => damage(other),
            };
            named(&path, &told);
            assert!(!fixture.store.doctor(&fixture.env).is_empty());
            assert!(fixture.store.lock(&fixture.env, holder(5)).await.is_err());
            fs::write(&path, &good).unwrap();
        }
    }
    let path = fixture.store.places(&fixture.env).approval(&approval.plan, &approval.seal);
    flip(&path, 40);
    named(&path, &damage(fixture.store.approval(&fixture.env, &approval.plan, &approval.seal).await));
    let path = root.join("windlass.json");
    flip(&path, 30);
    named(&path, &damage(LocalStore::open(&root, host())));
}

#[tokio::test]
async fn cut_missing_and_strange_files_are_named() {
    let fixture = fixture().await;
    for path in [fixture.head(), fixture.version(), fixture.index(), fixture.pack()] {
        let good = fs::read(&path).unwrap();
        for length in [0, 1, good.len() / 2, good.len() - 3] {
            fs::write(&path, &good[..length]).unwrap();
            named(&path, &damage(fixture.state().await));
        }
        fs::remove_file(&path).unwrap();
        let told = damage(fixture.state().await);
        named(&path, &told);
        assert!(told.1.contains("missing"), "{told:?}");
        fs::create_dir(&path).unwrap();
        let told = damage(fixture.state().await);
        named(&path, &told);
        assert!(told.1.contains("directory"), "{told:?}");
        fs::remove_dir(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        let told = damage(fixture.state().await);
        named(&path, &told);
        assert!(told.1.contains("symbolic link"), "{told:?}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, &good).unwrap();
        fixture.state().await.unwrap();
    }
}

#[tokio::test]
async fn an_unreadable_file_is_named() {
    let fixture = fixture().await;
    let path = fixture.head();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        println!("skipped: this user reads files of mode 000");
        return;
    }
    named(&path, &damage(fixture.state().await));
}

#[tokio::test]
async fn newer_formats_are_told_from_damage() {
    let fixture = fixture().await;
    let journal = fixture.dead_run().await;
    let root = fixture.dir.path().join(".windlass");
    for path in [root.join("windlass.json"), journal, fixture.version(), fixture.head()] {
        let good = fs::read_to_string(&path).unwrap();
        fs::write(
            &path,
            good.replacen("\"format\": 1", "\"format\": 2", 1).replacen("\"format\":1", "\"format\":2", 1),
        )
        .unwrap();
        let error = match LocalStore::open(&root, host()) {
            Ok(store) => store.lock(&fixture.env, holder(5)).await.err(),
            Err(error) => Some(error),
        };
        match error {
            Some(StoreError::Newer { path: named, found: 2, known: 1 }) => {
                assert_eq!(named, path.display().to_string());
            }
            other => panic!("{}: {other:?}", path.display()),
        }
        fs::write(&path, good).unwrap();
    }
}

#[tokio::test]
async fn a_lost_head_is_not_a_new_world() {
    let fixture = fixture().await;
    fs::remove_file(fixture.head()).unwrap();
    named(&fixture.head(), &damage(fixture.store.lock(&fixture.env, holder(3)).await));
    assert_eq!(fixture.store.environments().await.unwrap(), std::slice::from_ref(&fixture.env));
}

#[tokio::test]
async fn a_seen_cache_that_cannot_be_read_is_empty() {
    let fixture = fixture().await;
    let path = fixture.store.places(&fixture.env).seen();
    for content in ["", "{", "{\"format\":2}", "{\"format\":1,\"resources\":[]}"] {
        fs::write(&path, content).unwrap();
        assert!(fixture.store.seen(&fixture.env).await.resources.is_empty());
    }
}

#[tokio::test]
async fn a_torn_last_line_is_left_out() {
    let fixture = fixture().await;
    let journal = fixture.dead_run().await;
    let good = fs::read(&journal).unwrap();
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 6);
    // Cut anywhere in the last line, or the last batch's page never written.
    let start = good.len() - lines[5].len();
    for cut in [start + 1, start + 40, good.len() - 2] {
        fs::write(&journal, &good[..cut]).unwrap();
        assert_eq!(fixture.left().await.unwrap().len(), 4);
    }
    let mut zeros = good.clone();
    zeros[start - lines[4].len()..start + 3].fill(0);
    fs::write(&journal, &zeros).unwrap();
    assert_eq!(fixture.left().await.unwrap().len(), 3);
}

#[tokio::test]
async fn damage_elsewhere_in_a_journal_stops() {
    let fixture = fixture().await;
    let journal = fixture.dead_run().await;
    let good = fs::read(&journal).unwrap();
    for at in (0..good.len()).step_by(5) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&journal, &bytes).unwrap();
        // The flip of the last newline leaves a last line without an end.
        let told = match fixture.left().await {
            Err(StoreError::Newer { path, .. }) => (path, String::new()),
            other => damage(other),
        };
        named(&journal, &told);
        assert!(fixture.store.runs(&fixture.env).await.is_err());
    }
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    let gap = [&lines[..2], &lines[3..]].concat().concat();
    let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
    // A page of an acknowledged batch that is gone.
    let mut zeros = good.clone();
    zeros[lines[0].len()..lines[0].len() + lines[1].len()].fill(0);
    for bytes in [gap, swapped, zeros] {
        fs::write(&journal, bytes).unwrap();
        named(&journal, &damage(fixture.left().await));
        let said = fixture.store.doctor(&fixture.env);
        assert!(said.iter().any(|problem| problem.path == journal.display().to_string()), "{said:?}");
    }
    fs::write(&journal, &good).unwrap();
    assert_eq!(fixture.left().await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_step_that_no_intent_announces_is_damage() {
    let fixture = fixture().await;
    let journal = fixture.dead_run().await;
    let steps = journal.parent().unwrap().join("steps");
    let token = crate::conformance::token("e").0;
    fs::write(steps.join(format!("{token}.1-apply.start")), "x").unwrap();
    fs::write(steps.join("notes.txt"), "x").unwrap();
    let good = fs::read(&journal).unwrap();
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    // Cut at a line, which the chain cannot see; or whole.
    for cut in [lines[..5].concat(), lines[..1].concat(), Vec::new()] {
        fs::write(&journal, cut).unwrap();
        let told = damage(fixture.left().await);
        named(&journal, &told);
        assert!(told.1.contains(&token), "{told:?}");
        assert!(!fixture.store.doctor(&fixture.env).is_empty());
        assert!(fixture.store.head(&fixture.env).await.unwrap().lock.is_some(), "nothing was changed");
    }
    fs::remove_file(&journal).unwrap();
    named(&journal, &damage(fixture.left().await));
    fs::write(&journal, &good).unwrap();
    assert_eq!(fixture.left().await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_damaged_journal_does_not_keep_unlock_from_working() {
    let fixture = fixture().await;
    let journal = fixture.dead_run().await;
    flip(&journal, 20);
    fixture.store.unlock(&fixture.env, &holder(3).run, 1).await.unwrap();
    named(&journal, &damage(fixture.store.lock(&fixture.env, holder(4)).await));
}

#[tokio::test]
async fn a_damaged_object_heals_when_it_is_kept_again() {
    let fixture = fixture().await;
    let mut held = fixture.store.lock(&fixture.env, holder(3)).await.unwrap();
    let id = held.keep(b"content").await.unwrap();
    let path = object_path(&fixture.store.places(&fixture.env).objects(), &id);
    flip(&path, 0);
    named(&path, &damage(fixture.store.blob(&fixture.env, &id).await));
    held.keep(b"content").await.unwrap();
    assert_eq!(fixture.store.blob(&fixture.env, &id).await.unwrap().as_ref(), b"content");
    held.append(&[begin(&holder(3).run, 3), end(None)]).await.unwrap();
    held.release().await.unwrap();
}
