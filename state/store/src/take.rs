//! Taking the lock, and breaking it.
//!
//! Both happen whole under `HEAD.flock`. Whether a holder lives is told by the `run.flock` in its run's directory, which the
//! system frees when the process ends however it ends; nobody looks at clocks or process numbers. A holder whose lock was
//! broken may live on: HEAD then names no lock or another run, so its own `run.flock` means nothing any more.
//!
//! A run that began and did not end is *pending* in HEAD until a later holder commits or ends a run of its own: a recovery
//! that dies half-way loses nothing.

use std::sync::Arc;

use windlass_model::{Epoch, RunId, State};

use crate::disk::Guard;
use crate::files::{Disk, io_error};
use crate::head::{self, Pending, Snapshot};
use crate::held::{Current, LocalHeld};
use crate::journal::{self, Journal, Log};
use crate::layout::{Places, RunPlaces};
use crate::pack::{self, Index};
use crate::traits::{Head, Holder, LockInfo, StoreError, Unfinished};
use crate::version;

/// Takes an environment's lock.
pub(crate) fn lock(disk: &Arc<Disk>, places: Places, holder: Holder) -> Result<LocalHeld, StoreError> {
    for dir in [places.versions(), places.objects(), places.runs()] {
        disk.make_dirs(&places.root, &dir)?;
    }
    let _swap = head::lock(disk, &places)?;
    let old = head::read(disk, &places)?;
    let pending = match &old.file.head.lock {
        Some(info) if is_alive(disk, &places, info)? => {
            return Err(StoreError::Locked(Box::new(info.clone())));
        }
        Some(info) => with_dead(disk, &places, &old, info)?,
        None => old.file.pending.clone(),
    };
    // All that can be damaged is read before anything is changed.
    for run in &pending {
        let run = places.run(run.epoch, &run.run);
        journal::check_steps(disk, &run, journal::read(disk, &run)?.as_ref())?;
    }
    let current = load(disk, &places, &old.file.head)?;
    let epoch = old.file.head.epoch + 1;
    let run = places.run(epoch, &holder.run);
    let alive = prepare(disk, &places, &run)?;
    let head = Head {
        epoch,
        lock: Some(info(&holder, epoch)),
        nonce: format!("{:032x}", holder.nonce),
        ..old.file.head.clone()
    };
    let snapshot = head::swap(disk, &places, head, pending.clone()).map_err(StoreError::from)?;
    let mut unfinished = Vec::new();
    for pending in &pending {
        unfinished.extend(fenced(disk, &places, pending, epoch)?);
    }
    let base = old.file.head.version;
    let journal = Journal::new(run.clone(), holder.run.clone(), epoch, base);
    Ok(LocalHeld::new(disk.clone(), places, run, holder, snapshot, current, journal, alive, unfinished))
}

fn info(holder: &Holder, epoch: Epoch) -> LockInfo {
    LockInfo {
        run: holder.run.clone(),
        epoch,
        operation: holder.operation,
        who: holder.who.clone(),
        host: holder.host.clone(),
        pid: holder.pid,
        since_ms: holder.now_ms,
    }
}

/// Whether the holder in HEAD lives. Under `HEAD.flock`, or two who ask at once take each other for the holder.
pub(crate) fn is_alive(disk: &Disk, places: &Places, info: &LockInfo) -> Result<bool, StoreError> {
    let run = places.run(info.epoch, &info.run);
    if !disk.fs.exists(&run.dir) {
        return Ok(false);
    }
    let path = run.lock();
    let free = disk.fs.try_lock(&path).map_err(|error| io_error("lock", &path, error))?;
    Ok(free.is_none())
}

/// What is pending when the holder in HEAD is dead or was broken.
fn with_dead(
    disk: &Disk,
    places: &Places,
    old: &Snapshot,
    dead: &LockInfo,
) -> Result<Vec<Pending>, StoreError> {
    let log = journal::read(disk, &places.run(dead.epoch, &dead.run))?;
    let steps = places.run(dead.epoch, &dead.run).steps();
    let open = log.as_ref().is_some_and(|log| !log.ended);
    // Steps without a journal are damage, which the check of pending runs finds.
    let lost = log.is_none() && !disk.list(&steps)?.is_empty();
    let mut pending = old.file.pending.clone();
    if open || lost {
        pending.push(Pending { run: dead.run.clone(), epoch: dead.epoch });
    }
    Ok(pending)
}

/// Makes the run's directory and takes its lock file.
fn prepare(disk: &Disk, places: &Places, run: &RunPlaces) -> Result<Box<dyn Guard>, StoreError> {
    disk.make_dirs(&places.root, &run.steps())?;
    let path = run.lock();
    let alive = disk.fs.try_lock(&path).map_err(|error| io_error("lock", &path, error))?;
    let taken = || std::io::Error::other("the lock file of a new run is taken");
    alive.ok_or_else(|| io_error("lock", &path, taken()))
}

/// HEAD's version in memory.
fn load(disk: &Disk, places: &Places, head: &Head) -> Result<Current, StoreError> {
    let Some(version) = version::current(disk, places, head)? else {
        return Ok(Current { index: Index::default(), state: State::default() });
    };
    let (index, state) = pack::read(disk, &places.objects(), &version.index)?;
    Ok(Current { index, state })
}

/// Fences a run and takes it in.
fn fenced(
    disk: &Disk,
    places: &Places,
    pending: &Pending,
    by: Epoch,
) -> Result<Option<Unfinished>, StoreError> {
    let run = places.run(pending.epoch, &pending.run);
    let log = journal::fence(disk, &run, by)?;
    Ok(log.filter(|log| !log.ended).map(|log| unfinished(run, log)))
}

fn unfinished(run: RunPlaces, log: Log) -> Unfinished {
    Unfinished { run: log.header.run, base: log.header.base, entries: log.entries, steps: run.steps() }
}

/// Breaks the lock of exactly this run.
pub(crate) fn unlock(disk: &Disk, places: &Places, run: &RunId, nonce: u128) -> Result<Epoch, StoreError> {
    let absent = |what: String| Err(StoreError::Absent(what));
    if !disk.fs.exists(&places.dir) {
        return absent(format!("no lock {run} to break: this environment has no state yet"));
    }
    let _swap = head::lock(disk, places)?;
    let old = head::read(disk, places)?;
    let info = match &old.file.head.lock {
        None => return absent(format!("no lock {run} to break: the state is not locked")),
        Some(info) if info.run != *run => {
            return absent(format!("no lock {run} to break: the state is locked by {}", info.run));
        }
        Some(info) => info,
    };
    let mut pending = old.file.pending.clone();
    // Damage there must not keep the lock closed: the next holder finds it and stops.
    let journal = journal::read(disk, &places.run(info.epoch, &info.run));
    if !matches!(&journal, Ok(None)) && !matches!(&journal, Ok(Some(log)) if log.ended) {
        pending.push(Pending { run: info.run.clone(), epoch: info.epoch });
    }
    let epoch = old.file.head.epoch + 1;
    let head = Head { epoch, lock: None, nonce: format!("{nonce:032x}"), ..old.file.head };
    head::swap(disk, places, head, pending).map_err(StoreError::from)?;
    Ok(epoch)
}
