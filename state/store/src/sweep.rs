//! What is kept, and the removal of the rest (rule V2).
//!
//! Kept are the last [`APPLIED`] applied versions and everything since the oldest of them, the versions that pending runs are
//! based on, the journals of those versions' runs, of pending runs, and of the last [`RUNS`] runs, and every object that one of
//! these refers to. An index names its objects; plans, manifests and journals are searched for runs of 64 hex digits, so
//! whatever refers to an object must write its digest in that way.
//!
//! A sweep begins when [`BATCH`] versions can go. It takes unreferenced objects only when they are older than [`AGE_MS`]: what
//! was kept for a commit that is still to come is younger (keeping something again makes it young). Versions go oldest first,
//! so a sweep that stops half-way leaves a shorter chain, never a broken one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use windlass_model::{Digest, RunId};

use crate::files::{Disk, object_path};
use crate::head::{self, HeadFile};
use crate::layout::{Places, RunPlaces, run_of};
use crate::traits::{StoreError, VersionStatus};
use crate::version::{self, VersionFile};
use crate::{journal, pack};

/// So many applied versions are kept.
pub(crate) const APPLIED: usize = 10;
/// So many journals are kept whatever they belong to.
pub(crate) const RUNS: usize = 20;
/// A sweep begins when so many versions can go.
pub(crate) const BATCH: usize = 8;
/// Unreferenced objects and leftovers go when they are older: 7 days.
pub(crate) const AGE_MS: u64 = 7 * 24 * 3600 * 1000;

/// Sweeps if it is worth it. Called under the lock. What cannot be removed now is removed next time: a command that did its
/// work does not fail for it.
pub(crate) fn after_commit(disk: &Disk, places: &Places) {
    let _ = sweep(disk, places);
}

fn sweep(disk: &Disk, places: &Places) -> Result<(), StoreError> {
    let head = head::read(disk, places)?.file;
    let chain: Vec<(PathBuf, VersionFile)> =
        version::chain(disk, places, &head.head)?.collect::<Result<_, _>>()?;
    let oldest = oldest_kept(disk, places, &head, &chain)?;
    let (kept, old): (Vec<_>, Vec<_>) =
        chain.into_iter().partition(|(_, version)| version.meta.number >= oldest);
    if old.len() < BATCH {
        return Ok(());
    }
    let sweep = Sweep { disk, places, now: disk.host.now_ms() };
    let (runs, old_runs) = sweep.runs(&head, &kept)?;
    let mut marks =
        Marks { disk, objects: places.objects(), marked: BTreeSet::new(), scanned: BTreeMap::new() };
    marks.versions(&kept)?;
    marks.journals(&runs)?;
    for (path, _) in old.iter().rev() {
        sweep.remove(path)?;
    }
    old_runs.iter().try_for_each(|run| sweep.remove_run(run))?;
    sweep.objects(&marks.marked)?;
    [&places.dir, &places.versions(), &places.approvals()]
        .into_iter()
        .try_for_each(|dir| sweep.leftovers(dir))
}

fn oldest_kept(
    disk: &Disk,
    places: &Places,
    head: &HeadFile,
    chain: &[(PathBuf, VersionFile)],
) -> Result<u64, StoreError> {
    let applied = chain.iter().filter(|(_, version)| version.meta.status == VersionStatus::Applied);
    let mut oldest = applied.map(|(_, version)| version.meta.number).nth(APPLIED - 1).unwrap_or(0);
    for run in &head.pending {
        let log = journal::read(disk, &places.run(run.epoch, &run.run))?;
        oldest = oldest.min(log.map_or(oldest, |log| log.header.base));
    }
    Ok(oldest)
}

struct Sweep<'a> {
    disk: &'a Disk,
    places: &'a Places,
    now: u64,
}

impl Sweep<'_> {
    /// Runs to keep and runs to remove.
    fn runs(
        &self,
        head: &HeadFile,
        kept: &[(PathBuf, VersionFile)],
    ) -> Result<(Vec<RunPlaces>, Vec<RunPlaces>), StoreError> {
        let mut needed: BTreeSet<&RunId> = kept.iter().map(|(_, version)| &version.meta.run).collect();
        needed.extend(head.pending.iter().map(|pending| &pending.run));
        needed.extend(head.head.lock.iter().map(|lock| &lock.run));
        let mut runs: Vec<_> =
            self.disk.list(&self.places.runs())?.iter().filter_map(|item| run_of(&item.name)).collect();
        runs.sort_by_key(|(epoch, _)| std::cmp::Reverse(*epoch));
        let (mut keep, mut old) = (Vec::new(), Vec::new());
        for (at, (epoch, run)) in runs.iter().enumerate() {
            let places = self.places.run(*epoch, run);
            let is_kept = at < RUNS || needed.contains(run) || self.is_young(&places.journal());
            if is_kept { keep.push(places) } else { old.push(places) }
        }
        Ok((keep, old))
    }

    fn is_young(&self, path: &Path) -> bool {
        let modified = self.disk.fs.modified_ms(path).unwrap_or(0);
        self.now.saturating_sub(modified) <= AGE_MS
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        self.disk.fs.remove_file(path).map_err(|error| crate::files::io_error("remove", path, error))
    }

    fn remove_run(&self, run: &RunPlaces) -> Result<(), StoreError> {
        for item in self.disk.list(&run.steps())?.into_iter().filter(|item| !item.is_dir) {
            self.remove(&run.steps().join(item.name))?;
        }
        for item in self.disk.list(&run.dir)?.into_iter().filter(|item| !item.is_dir) {
            self.remove(&run.dir.join(item.name))?;
        }
        for dir in [run.steps(), run.dir.clone()] {
            let removed = self.disk.fs.remove_dir(&dir);
            removed.map_err(|error| crate::files::io_error("remove", &dir, error))?;
        }
        Ok(())
    }

    fn objects(&self, marked: &BTreeSet<Digest>) -> Result<(), StoreError> {
        let objects = self.places.objects();
        for group in self.disk.list(&objects)?.into_iter().filter(|item| item.is_dir) {
            let dir = objects.join(&group.name);
            for item in self.disk.list(&dir)? {
                let path = dir.join(&item.name);
                let is_garbage = item.name.parse::<Digest>().is_ok_and(|id| !marked.contains(&id));
                if is_garbage && !self.is_young(&path) {
                    self.remove(&path)?;
                }
            }
            self.leftovers(&dir)?;
        }
        Ok(())
    }

    /// Temporary files of writers that died.
    fn leftovers(&self, dir: &Path) -> Result<(), StoreError> {
        for item in self.disk.list(dir)? {
            let path = dir.join(&item.name);
            let is_temporary = item.name.starts_with('.') && item.name.ends_with(".tmp");
            if is_temporary && !item.is_dir && !self.is_young(&path) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The objects that are referred to.
struct Marks<'a> {
    disk: &'a Disk,
    objects: PathBuf,
    marked: BTreeSet<Digest>,
    /// How deep an object was searched.
    scanned: BTreeMap<Digest, u8>,
}

impl Marks<'_> {
    fn versions(&mut self, kept: &[(PathBuf, VersionFile)]) -> Result<(), StoreError> {
        for (_, version) in kept {
            let (index, _) = pack::read_index(self.disk, &self.objects, &version.index)?;
            self.marked.insert(version.index);
            self.marked.extend(index.packs.iter().map(|pack| pack.id));
            self.marked.extend(index.blobs);
            // A plan refers to a manifest, a manifest to files.
            version.meta.plan_object.iter().try_for_each(|id| self.object(id, 2))?;
            version.meta.sources.iter().try_for_each(|id| self.object(id, 1))?;
        }
        Ok(())
    }

    fn journals(&mut self, runs: &[RunPlaces]) -> Result<(), StoreError> {
        for run in runs {
            let Some(bytes) = self.disk.read(&run.journal())? else { continue };
            digests(&bytes).into_iter().try_for_each(|id| self.object(&id, 2))?;
        }
        Ok(())
    }

    /// Marks an object and, so many steps deep, what it refers to.
    fn object(&mut self, id: &Digest, depth: u8) -> Result<(), StoreError> {
        self.marked.insert(*id);
        if depth == 0 || self.scanned.get(id).is_some_and(|scanned| *scanned >= depth) {
            return Ok(());
        }
        self.scanned.insert(*id, depth);
        match self.disk.read(&object_path(&self.objects, id))? {
            Some(bytes) => digests(&bytes).into_iter().try_for_each(|id| self.object(&id, depth - 1)),
            None => Ok(()),
        }
    }
}

/// What could be a digest: runs of exactly 64 hex digits.
fn digests(bytes: &[u8]) -> BTreeSet<Digest> {
    let runs = bytes.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() == 64);
    runs.filter_map(|run| std::str::from_utf8(run).ok()?.parse().ok()).collect()
}
