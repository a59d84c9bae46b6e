//! The held lock of the local store: the only writer.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{Digest, Entry, Epoch, RunId, Slot, State};

use crate::disk::Guard;
use crate::files::{Disk, io_error};
use crate::head::{self, Pending, Snapshot, SwapError};
use crate::journal::Journal;
use crate::layout::{Places, RunPlaces};
use crate::pack::{self, Index};
use crate::traits::{Head, Held, Holder, StoreError, Unfinished, VersionMeta};
use crate::{sweep, version};

/// A version in memory.
pub(crate) struct Current {
    pub index: Index,
    pub state: State,
}

/// The lock of an environment of a [`LocalStore`](crate::LocalStore).
pub(crate) struct LocalHeld {
    disk: Arc<Disk>,
    places: Places,
    run_places: RunPlaces,
    run: RunId,
    epoch: Epoch,
    nonce: u128,
    /// HEAD as this holder last saw it.
    head: Snapshot,
    base: u64,
    /// The version at the beginning.
    first: Current,
    /// The version that this holder committed last.
    latest: Option<Current>,
    journal: Journal,
    /// Runs that earlier holders left, fenced, oldest first.
    unfinished: Vec<Unfinished>,
    /// HEAD was written and nobody knows whether it is on disk.
    failed: bool,
    alive: Box<dyn Guard>,
}

impl LocalHeld {
    #[expect(clippy::too_many_arguments, reason = "the parts of a lock, put together in one place")]
    pub fn new(
        disk: Arc<Disk>,
        places: Places,
        run_places: RunPlaces,
        holder: Holder,
        head: Snapshot,
        first: Current,
        journal: Journal,
        alive: Box<dyn Guard>,
        unfinished: Vec<Unfinished>,
    ) -> LocalHeld {
        LocalHeld {
            disk,
            places,
            run_places,
            run: holder.run,
            epoch: head.file.head.epoch,
            nonce: holder.nonce,
            base: head.file.head.version,
            head,
            first,
            latest: None,
            journal,
            unfinished,
            failed: false,
            alive,
        }
    }

    fn current(&self) -> &Current {
        self.latest.as_ref().unwrap_or(&self.first)
    }

    /// Whether HEAD is still ours. What this holder did before it asks stands before whatever a later holder does.
    fn check_fence(&mut self) -> Result<(), StoreError> {
        let path = self.places.head();
        if self.failed {
            let cause = std::io::Error::other(
                "an earlier write to it failed, so this run can commit nothing more: run the command again",
            );
            return Err(io_error("write", &path, cause));
        }
        if self.disk.fs.read(&path).is_ok_and(|bytes| bytes == self.head.bytes) {
            return Ok(());
        }
        let found = head::read(&self.disk, &self.places)?;
        let head = &found.file.head;
        let ours = head.lock.as_ref().is_some_and(|lock| lock.run == self.run) && head.epoch == self.epoch;
        if !ours {
            return Err(StoreError::Fenced { epoch: self.epoch, by: head.epoch });
        }
        self.head = found;
        Ok(())
    }

    /// Swaps HEAD, if it is still ours.
    fn swap(&mut self, change: impl FnOnce(&mut Head), pending: Vec<Pending>) -> Result<(), StoreError> {
        let disk = self.disk.clone();
        let _swap = head::lock(&disk, &self.places)?;
        self.check_fence()?;
        self.nonce = self.nonce.wrapping_add(1);
        let mut next = self.head.file.head.clone();
        next.nonce = format!("{:032x}", self.nonce);
        change(&mut next);
        self.head = head::swap(&disk, &self.places, next, pending).map_err(|error| {
            self.failed = matches!(error, SwapError::Unknown(_));
            StoreError::from(error)
        })?;
        Ok(())
    }

    /// Writes pack and index of `next`.
    fn write_records(&mut self, next: &State) -> Result<(Index, Digest), StoreError> {
        let objects = self.places.objects();
        let fail = |error| io_error("write", &objects, error);
        let current = self.current();
        let packed = pack::pack(&current.state, &current.index, next).map_err(fail)?;
        let index = pack::encode_index(&packed.index, next).map_err(fail)?;
        if let Some(pack) = packed.pack {
            self.disk.put_object(&self.places.root, &objects, &pack)?;
        }
        let id = self.disk.put_object(&self.places.root, &objects, &index)?;
        Ok((packed.index, id))
    }

    fn give_back(&mut self) -> Result<(), StoreError> {
        let mut pending = self.head.file.pending.clone();
        if self.journal.has_ended() && self.unfinished.iter().all(|run| is_settled(run, &self.first.state)) {
            pending.clear();
        }
        if self.journal.is_open() {
            pending.push(Pending { run: self.run.clone(), epoch: self.epoch });
        }
        self.swap(|head| head.lock = None, pending)
    }

    /// Removes what a run without a journal leaves. Failing to costs an empty directory.
    fn tidy(&self) {
        let _ = self.disk.fs.remove_file(&self.run_places.lock());
        if !self.journal.is_begun() && self.disk.fs.remove_dir(&self.run_places.steps()).is_ok() {
            let _ = self.disk.fs.remove_dir(&self.run_places.dir);
        }
    }
}

/// Whether there is nothing of a run that `state` does not have: what it noted changes nothing, and no step is in doubt.
fn is_settled(run: &Unfinished, state: &State) -> bool {
    let mut folded = state.clone();
    let mut doubt = BTreeSet::new();
    for entry in &run.entries {
        folded.absorb(entry);
        match entry {
            Entry::Intent { step, .. } => drop(doubt.insert(step)),
            Entry::Outcome { step, .. } => drop(doubt.remove(step)),
            _ => {}
        }
    }
    doubt.is_empty() && folded == *state
}

#[async_trait]
impl Held for LocalHeld {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn base(&self) -> u64 {
        self.base
    }

    fn state(&self) -> &State {
        &self.first.state
    }

    fn unfinished(&self) -> Option<&Unfinished> {
        self.unfinished.last()
    }

    fn earlier(&self) -> &[Unfinished] {
        self.unfinished.split_last().map(|(_, earlier)| earlier).unwrap_or_default()
    }

    fn steps(&self) -> PathBuf {
        self.run_places.steps()
    }

    async fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return self.check_fence();
        }
        self.journal.append(&self.disk, entries)?;
        // After the write: what is acknowledged stands before the fence of whoever took over.
        self.check_fence()
    }

    async fn keep(&mut self, content: &[u8]) -> Result<Digest, StoreError> {
        let id = self.disk.put_object(&self.places.root, &self.places.objects(), content)?;
        self.check_fence()?;
        Ok(id)
    }

    async fn commit(
        &mut self,
        meta: VersionMeta,
        next: &State,
        _changed: &[Slot],
    ) -> Result<u64, StoreError> {
        // What changed is found by comparing: equal pointers cost nothing, and a slot that was forgotten cannot be lost.
        self.check_fence()?;
        let (index, id) = self.write_records(next)?;
        let version = version::next(meta, &self.head.file.head, id);
        let number = version.meta.number;
        let file = version::write(&self.disk, &self.places, &version)?;
        // The commit point. It also settles what earlier runs left.
        self.swap(
            |head| {
                head.version = number;
                head.commit = Some(file);
            },
            Vec::new(),
        )?;
        self.latest = Some(Current { index, state: next.clone() });
        Ok(number)
    }

    async fn release(mut self: Box<Self>) -> Result<(), StoreError> {
        self.check_fence()?;
        if self.latest.is_some() {
            sweep::after_commit(&self.disk, &self.places);
        }
        self.give_back()?;
        self.tidy();
        drop(self.alive);
        Ok(())
    }
}
