//! Packs, and what is kept how long.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use windlass_model::Digest;

use super::host;
use crate::conformance::{begin, end, env, holder, meta, record, state};
use crate::files::object_path;
use crate::pack::MOST_PACKS;
use crate::sweep::{AGE_MS, APPLIED, BATCH};
use crate::traits::{EnvRef, Held, Store, VersionStatus};
use crate::{LocalStore, head, pack, version};

struct Fixture {
    _dir: tempfile::TempDir,
    store: LocalStore,
    env: EnvRef,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let host = host();
    // The files' own times are the real clock's.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    host.now.store(now as u64, Ordering::Relaxed);
    let store = LocalStore::open(&dir.path().join(".windlass"), host).unwrap();
    Fixture { _dir: dir, store, env: env("keeping") }
}

/// Some records, so many that a rewrite for dead bytes is not worth it early.
fn records(count: usize, changed: i64) -> Vec<windlass_model::Record> {
    let value = |i: usize| if i == 0 { changed } else { 0 };
    (0..count).map(|i| record(&format!("r{i:05}"), value(i))).collect()
}

fn age(path: &Path, by_ms: u64) {
    let then = SystemTime::now() - Duration::from_millis(by_ms);
    fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

impl Fixture {
    async fn lock(&self, number: u32) -> Box<dyn Held> {
        self.store.lock(&self.env, holder(number)).await.unwrap()
    }

    async fn commit(&self, number: u32, status: VersionStatus, sources: Option<Digest>) -> u64 {
        let mut held = self.lock(number).await;
        let run = holder(number).run;
        held.append(&[begin(&run, held.epoch())]).await.unwrap();
        let next = state(records(3, i64::from(number)));
        let meta = crate::VersionMeta { sources, ..meta(&run, status) };
        let version = held.commit(meta, &next, &[]).await.unwrap();
        held.append(&[end(Some(version))]).await.unwrap();
        held.release().await.unwrap();
        version
    }

    fn index(&self) -> pack::Index {
        let places = self.store.places(&self.env);
        let head = head::read(&self.store.disk, &places).unwrap().file.head;
        let version = version::current(&self.store.disk, &places, &head).unwrap().unwrap();
        pack::read_index(&self.store.disk, &places.objects(), &version.index).unwrap().0
    }

    fn objects(&self) -> PathBuf {
        self.store.places(&self.env).objects()
    }

    async fn versions(&self) -> Vec<u64> {
        self.store.versions(&self.env).await.unwrap().iter().map(|version| version.number).collect()
    }
}

#[tokio::test]
async fn only_what_changed_is_written_and_many_packs_become_one() {
    let fixture = fixture();
    let mut held = fixture.lock(1).await;
    let mut sizes = Vec::new();
    for n in 0..40_usize {
        let mut next = records(2000, 0);
        // Each commit changes another record, so that no pack is ever all dead.
        for (i, record) in next.iter_mut().enumerate().take(n + 1) {
            record.schema = u32::try_from(i).unwrap() + 10;
        }
        let next = state(next);
        held.commit(meta(&holder(1).run, VersionStatus::Applied), &next, &[]).await.unwrap();
        assert_eq!(fixture.store.state(&fixture.env, None).await.unwrap(), next);
        let index = fixture.index();
        assert!(index.packs.len() <= MOST_PACKS, "{}", index.packs.len());
        sizes.push((index.packs.len(), index.packs.last().unwrap().size));
    }
    held.release().await.unwrap();
    assert_eq!(sizes[0].0, 1);
    assert_eq!(sizes[1].0, 2);
    assert!(sizes[1].1 * 100 < sizes[0].1, "a commit of one record writes one record: {sizes:?}");
    assert_eq!(sizes[MOST_PACKS].0, 1, "the pack too many is one pack instead");
    assert_eq!(fixture.store.doctor(&fixture.env), []);
}

#[tokio::test]
async fn a_pack_that_is_mostly_dead_is_rewritten() {
    let fixture = fixture();
    let mut held = fixture.lock(1).await;
    for count in [2000, 1500, 900, 10, 0] {
        let next = state(records(count, 0));
        held.commit(meta(&holder(1).run, VersionStatus::Applied), &next, &[]).await.unwrap();
        assert_eq!(fixture.store.state(&fixture.env, None).await.unwrap(), next);
        let index = fixture.index();
        let all: u64 = index.packs.iter().map(|pack| pack.size).sum();
        let live: u64 = index.locs.iter().map(|loc| loc.length).sum();
        assert!(all <= 2 * live + 65536, "{count}: {all} for {live}");
    }
    held.release().await.unwrap();
}

/// The same state is the same index, pack and names of records, whoever writes it.
#[tokio::test]
async fn the_same_state_is_the_same_bytes() {
    let (a, b) = (fixture(), fixture());
    let next = state(records(50, 3));
    for fixture in [&a, &b] {
        let mut held = fixture.lock(1).await;
        held.commit(meta(&holder(1).run, VersionStatus::Applied), &next, &[]).await.unwrap();
        held.release().await.unwrap();
    }
    let content = |fixture: &Fixture| -> BTreeMap<String, Vec<u8>> {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        files(&fixture.objects()).iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
    };
    assert_eq!(content(&a), content(&b));
    for bytes in content(&a).values() {
        serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    }
}

#[tokio::test]
async fn the_last_applied_versions_stay_and_older_ones_go() {
    let fixture = fixture();
    let mut number = 0;
    // Failed tries between do not push good versions out.
    for round in 0..APPLIED + 3 {
        number += 1;
        fixture.commit(number, VersionStatus::Applied, None).await;
        if round % 3 == 0 {
            number += 1;
            fixture.commit(number, VersionStatus::Partial, None).await;
        }
    }
    let newest = u64::from(number);
    assert_eq!(fixture.versions().await.len(), number as usize, "{BATCH} at once, or none");
    for _ in 0..BATCH {
        number += 1;
        fixture.commit(number, VersionStatus::Applied, None).await;
    }
    let kept = fixture.versions().await;
    assert!(kept.len() >= APPLIED && kept.len() < APPLIED + BATCH + 8, "{kept:?}");
    assert!(*kept.last().unwrap() > 1 && *kept.last().unwrap() < newest);
    for version in &kept {
        fixture.store.state(&fixture.env, Some(*version)).await.unwrap();
    }
    let told = fixture.store.state(&fixture.env, Some(1)).await.unwrap_err().to_string();
    assert!(told.contains(&format!("{} to {}", kept.last().unwrap(), kept[0])), "{told}");
    assert_eq!(fixture.store.doctor(&fixture.env), []);
}

#[tokio::test]
async fn old_garbage_goes_and_what_is_referred_to_stays() {
    let fixture = fixture();
    let mut held = fixture.lock(1).await;
    let file = held.keep(b"a source file").await.unwrap();
    let manifest = held.keep(format!("{{\"main.tf\":\"{file}\"}}").as_bytes()).await.unwrap();
    let lost = held.keep(b"nobody refers to this").await.unwrap();
    let again = held.keep(b"kept again").await.unwrap();
    held.release().await.unwrap();
    let mut number = 1;
    for _ in 0..APPLIED + BATCH - 1 {
        number += 1;
        fixture.commit(number, VersionStatus::Applied, Some(manifest)).await;
    }
    let places = fixture.store.places(&fixture.env);
    let temporary = places.versions().join(".x.tmp");
    fs::write(&temporary, "x").unwrap();
    let all: Vec<_> = files(&fixture.objects());
    all.iter().chain([&temporary]).for_each(|path| age(path, AGE_MS + 3_600_000));
    for run in fs::read_dir(places.runs()).unwrap() {
        age(&run.unwrap().path().join("journal.jsonl"), AGE_MS + 3_600_000);
    }
    let mut held = fixture.lock(number + 1).await;
    held.keep(b"kept again").await.unwrap();
    let young = held.keep(b"young").await.unwrap();
    held.release().await.unwrap();
    fixture.commit(number + 2, VersionStatus::Applied, Some(manifest)).await;
    let there = |id: &Digest| object_path(&fixture.objects(), id).exists();
    assert!(there(&file) && there(&manifest), "referred to by kept versions");
    assert!(there(&young), "young");
    assert!(there(&again), "made young when it was kept again");
    assert!(!there(&lost), "old, and nobody refers to it");
    assert!(!temporary.exists());
    assert!(files(&fixture.objects()).len() < all.len(), "old packs and indexes are gone");
    let kept = fixture.versions().await;
    assert_eq!(kept.len(), APPLIED);
    for version in kept {
        fixture.store.state(&fixture.env, Some(version)).await.unwrap();
    }
    assert_eq!(fixture.store.doctor(&fixture.env), []);
    assert!(fixture.store.runs(&fixture.env).await.unwrap().len() >= APPLIED);
}

#[tokio::test]
async fn a_sweep_that_cannot_fails_nothing() {
    let fixture = fixture();
    let mut number = 0;
    for _ in 0..APPLIED + BATCH - 1 {
        number += 1;
        fixture.commit(number, VersionStatus::Applied, None).await;
    }
    // A version that cannot be parsed.
    let oldest = files(&fixture.store.places(&fixture.env).versions()).remove(0);
    fs::write(&oldest, "{").unwrap();
    let version = fixture.commit(number + 1, VersionStatus::Applied, None).await;
    assert_eq!(fixture.store.head(&fixture.env).await.unwrap().version, version);
}
