//! What plans make outside before anybody decided to apply them (a change set): noted before it is made, so that what a plan
//! that died has left can be found and thrown away.
//!
//! `plans/<run>/` holds `plan.flock` (its lock tells who lives), `notes.jsonl`, `steps/` (as in a run), and, once the plan was
//! saved in a file, `saved.json`: then what it made waits with it, until it is applied or a week old.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use windlass_model::{PlanId, PlanNote, RunId};

use crate::disk::{Guard, Writer};
use crate::files::{Disk, FORMAT, check_format, io_error, parse};
use crate::layout::{PlanPlaces, plain_run};
use crate::local::LocalStore;
use crate::traits::{EnvRef, StoreError};

/// What a saved plan made is thrown away after 7 days: such a plan is made anew, or makes it again when it is applied.
const KEPT_MS: u64 = 7 * 24 * 3600 * 1000;

#[derive(Serialize, Deserialize)]
struct Line {
    format: u64,
    #[serde(flatten)]
    note: PlanNote,
}

#[derive(Serialize, Deserialize)]
struct SavedFile {
    format: u64,
    plan: PlanId,
    at_ms: u64,
}

/// The notes of one living plan. Nothing is written before the first.
pub struct PlanNotes {
    disk: Arc<Disk>,
    root: PathBuf,
    places: PlanPlaces,
    open: Mutex<Option<Open>>,
}

struct Open {
    file: Box<dyn Writer>,
    _living: Box<dyn Guard>,
}

/// What a plan that nobody makes any more has left; nobody else takes it while this lives.
pub struct LeftPlan {
    /// The plan.
    pub run: RunId,
    /// What it noted, in order.
    pub notes: Vec<PlanNote>,
    /// Where its supervised commands kept their files.
    pub steps: PathBuf,
    disk: Arc<Disk>,
    dir: PathBuf,
    _taken: Box<dyn Guard>,
}

impl LocalStore {
    /// The notes of a plan that begins.
    pub fn plan_notes(&self, env: &EnvRef, run: &RunId) -> PlanNotes {
        let places = self.places(env).plan(run);
        PlanNotes { disk: self.disk.clone(), root: self.root.clone(), places, open: Mutex::default() }
    }

    /// What plans that died have left, and what saved ones made that are older than a week.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn left_plans(&self, env: &EnvRef) -> Result<Vec<LeftPlan>, StoreError> {
        let places = self.places(env);
        let mut left = Vec::new();
        for item in self.disk.list(&places.plans())?.into_iter().filter(|item| item.is_dir) {
            let Some(run) = plain_run(&item.name) else { continue };
            left.extend(self.left(&places.plan(&run), run)?);
        }
        Ok(left)
    }

    fn left(&self, places: &PlanPlaces, run: RunId) -> Result<Option<LeftPlan>, StoreError> {
        let locked = |error| io_error("lock", &places.lock(), error);
        let Some(taken) = self.disk.fs.try_lock(&places.lock()).map_err(locked)? else { return Ok(None) };
        if let Some(saved) = saved(&self.disk, places)?
            && self.disk.host.now_ms().saturating_sub(saved.at_ms) < KEPT_MS
        {
            return Ok(None);
        }
        // Without notes it is only just being made, or holds nothing that was made outside.
        let Some(notes) = notes(&self.disk, places)? else { return Ok(None) };
        let (disk, steps) = (self.disk.clone(), places.steps());
        Ok(Some(LeftPlan { run, notes, steps, disk, dir: places.dir.clone(), _taken: taken }))
    }

    /// A saved plan is being applied: what it made is the run's from now on.
    ///
    /// # Errors
    /// Where its notes cannot be removed.
    pub fn plan_taken(&self, env: &EnvRef, plan: &PlanId) -> Result<(), StoreError> {
        let places = self.places(env);
        for item in self.disk.list(&places.plans())?.into_iter().filter(|item| item.is_dir) {
            let Some(run) = plain_run(&item.name) else { continue };
            let places = places.plan(&run);
            if saved(&self.disk, &places)?.is_some_and(|saved| saved.plan == *plan) {
                remove(&self.disk, &places.dir)?;
            }
        }
        Ok(())
    }
}

impl PlanNotes {
    /// Where supervised commands of the plan keep their files. It is there once something was noted.
    pub fn steps(&self) -> PathBuf {
        self.places.steps()
    }

    /// Notes something: durable when it returns.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn note(&self, note: &PlanNote) -> Result<(), StoreError> {
        let path = self.places.notes();
        let mut line = serde_json::to_vec(&Line { format: FORMAT, note: note.clone() })
            .map_err(|error| io_error("write", &path, std::io::Error::other(error)))?;
        line.push(b'\n');
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = Some(self.begin()?);
        }
        let Some(open) = open.as_mut() else { return Ok(()) };
        open.file.write_all(&line).map_err(|error| io_error("write", &path, error))?;
        open.file.sync().map_err(|error| io_error("sync", &path, error))
    }

    fn begin(&self) -> Result<Open, StoreError> {
        self.disk.make_dirs(&self.root, &self.places.steps())?;
        let lock = self.places.lock();
        // Whoever looks for left plans holds it for an instant only, and leaves what has no notes.
        let living = self.disk.fs.lock(&lock).map_err(|error| io_error("lock", &lock, error))?;
        let path = self.places.notes();
        // They may be there: of what this plan could not throw away.
        let file = match self.disk.fs.exists(&path) {
            true => self.disk.fs.append(&path),
            false => self.disk.fs.create(&path),
        };
        let file = file.map_err(|error| io_error("write", &path, error))?;
        self.disk.sync_dir(&self.places.dir)?;
        Ok(Open { file, _living: living })
    }

    /// Whether anything was noted.
    pub fn any(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The plan was saved in a file: what it made waits with it.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn saved(&self, plan: PlanId) -> Result<(), StoreError> {
        if !self.any() {
            return Ok(());
        }
        let path = self.places.saved();
        let saved = SavedFile { format: FORMAT, plan, at_ms: self.disk.host.now_ms() };
        let bytes = serde_json::to_vec(&saved)
            .map_err(|error| io_error("write", &path, std::io::Error::other(error)))?;
        self.disk.replace(&path, &bytes)
    }

    /// Nothing that was noted is left, or a run has taken it over.
    ///
    /// # Errors
    /// Where the notes cannot be removed.
    pub fn settled(&self) -> Result<(), StoreError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        match open {
            Some(_living) => remove(&self.disk, &self.places.dir),
            None => Ok(()),
        }
    }
}

impl LeftPlan {
    /// What it left was thrown away.
    ///
    /// # Errors
    /// Where its notes cannot be removed.
    pub fn settled(self) -> Result<(), StoreError> {
        remove(&self.disk, &self.dir)
    }
}

fn saved(disk: &Disk, places: &PlanPlaces) -> Result<Option<SavedFile>, StoreError> {
    let path = places.saved();
    let Some(bytes) = disk.read(&path)? else { return Ok(None) };
    let saved: SavedFile = parse(&path, &bytes)?;
    check_format(&path, saved.format)?;
    Ok(Some(saved))
}

/// The whole lines; a torn last one was never acted upon.
fn notes(disk: &Disk, places: &PlanPlaces) -> Result<Option<Vec<PlanNote>>, StoreError> {
    let path = places.notes();
    let Some(bytes) = disk.read(&path)? else { return Ok(None) };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let notes = lines.map(|line| {
        let line: Line = parse(&path, line)?;
        check_format(&path, line.format)?;
        Ok(line.note)
    });
    notes.collect::<Result<_, _>>().map(Some)
}

/// The notes go first: without them the rest means nothing.
fn remove(disk: &Disk, dir: &Path) -> Result<(), StoreError> {
    let gone = |result: std::io::Result<()>, path: &Path| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", path, error)),
        _ => Ok(()),
    };
    let notes = dir.join("notes.jsonl");
    gone(disk.fs.remove_file(&notes), &notes)?;
    for inner in [dir.join("steps"), dir.to_owned()] {
        for item in disk.list(&inner)?.into_iter().filter(|item| !item.is_dir) {
            let path = inner.join(&item.name);
            gone(disk.fs.remove_file(&path), &path)?;
        }
        disk.remove_dir(&inner)?;
    }
    Ok(())
}
