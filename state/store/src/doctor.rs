//! A check of everything that an environment has on disk.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use windlass_model::{Digest, RunId};

use crate::files::{Disk, io_error, object_path};
use crate::head::HeadFile;
use crate::layout::{Places, run_of};
use crate::local::LocalStore;
use crate::traits::{EnvRef, StoreError};
use crate::version::VersionFile;
use crate::{head, journal, pack, take, version};

/// Something that is wrong in a store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// Where: a path.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged { path, reason } => Problem { path, what: reason },
            StoreError::Newer { path, found, known } => {
                Problem { path, what: format!("has format {found}, this windlass reads up to {known}") }
            }
            StoreError::Io { action, path, source } => Problem { path, what: format!("{action}: {source}") },
            other => Problem { path: String::new(), what: other.to_string() },
        }
    }
}

struct Check<'a> {
    disk: &'a Disk,
    places: Places,
    problems: BTreeSet<Problem>,
}

impl LocalStore {
    /// Looks at all that an environment has: HEAD, the chain of its versions, the digest of every object, what they refer to,
    /// every journal. Changes nothing. Empty: all is well.
    pub fn doctor(&self, env: &EnvRef) -> Vec<Problem> {
        let mut check = Check { disk: &self.disk, places: self.places(env), problems: BTreeSet::new() };
        let head = check.note(head::read(&self.disk, &check.places));
        let head = head.map(|snapshot| snapshot.file).unwrap_or_default();
        check.versions(&head);
        check.objects();
        check.journals(&head);
        check.approvals(self);
        check.problems.into_iter().collect()
    }
}

impl Check<'_> {
    fn note<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.insert(error.into());
                None
            }
        }
    }

    fn versions(&mut self, head: &HeadFile) {
        let chain = version::chain(self.disk, &self.places, &head.head);
        let chain = chain.and_then(|chain| chain.collect::<Result<Vec<_>, _>>());
        for (path, version) in self.note(chain).unwrap_or_default() {
            self.version(&path, &version);
        }
    }

    fn version(&mut self, path: &Path, version: &VersionFile) {
        let objects = self.places.objects();
        let Some((index, _)) = self.note(pack::read(self.disk, &objects, &version.index)) else { return };
        let meta = &version.meta;
        for id in index.blobs.iter().chain(&meta.plan_object).chain(&meta.sources) {
            if !self.disk.fs.exists(&object_path(&objects, id)) {
                let what = format!("it refers to the object {id}, which is missing");
                self.problems.insert(Problem { path: path.display().to_string(), what });
            }
        }
    }

    fn objects(&mut self) {
        let objects = self.places.objects();
        for group in self.note(self.disk.list(&objects)).unwrap_or_default() {
            let dir = objects.join(&group.name);
            let items = self.disk.fs.list(&dir).map_err(|error| io_error("read", &dir, error));
            for item in self.note(items).unwrap_or_default() {
                if let Ok(id) = item.name.parse::<Digest>() {
                    self.note(self.disk.object_needed(&objects, &id));
                }
            }
        }
    }

    /// The run that holds the lock and lives: its steps may be a moment ahead of what was read of its journal.
    fn running(&self, head: &HeadFile) -> Result<Option<RunId>, StoreError> {
        let Some(info) = &head.head.lock else { return Ok(None) };
        let _swap = head::lock(self.disk, &self.places)?;
        Ok(take::is_alive(self.disk, &self.places, info)?.then(|| info.run.clone()))
    }

    fn journals(&mut self, head: &HeadFile) {
        let running = self.note(self.running(head)).flatten();
        for item in self.note(self.disk.list(&self.places.runs())).unwrap_or_default() {
            let Some((epoch, run)) = run_of(&item.name) else { continue };
            let places = self.places.run(epoch, &run);
            let Some(log) = self.note(journal::read(self.disk, &places)) else { continue };
            if running.as_ref() != Some(&run) {
                self.note(journal::check_steps(self.disk, &places, log.as_ref()));
            }
        }
    }

    fn approvals(&mut self, store: &LocalStore) {
        let dir = self.places.approvals();
        for item in self.note(self.disk.list(&dir)).unwrap_or_default() {
            if item.name.ends_with(".json") {
                self.note(store.read_approval(&dir.join(item.name)));
            }
        }
    }
}
