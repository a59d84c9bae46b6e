//! Another name for an environment: its directory is moved, whole.

use crate::files::io_error;
use crate::head;
use crate::local::LocalStore;
use crate::traits::{EnvRef, StoreError};

impl LocalStore {
    /// Gives an environment another name (or its stack); versions, runs and approvals go with it.
    ///
    /// # Errors
    /// Where there is none, a run holds its lock or did not end, or the new name has state already.
    pub fn rename(&self, from: &EnvRef, to: &EnvRef) -> Result<(), StoreError> {
        let (old, new) = (self.places(from), self.places(to));
        let refuse = |env: &EnvRef, why: &str| {
            Err(StoreError::Absent(format!(
                "environment `{}` of stack `{}` {why}",
                env.environment, env.stack
            )))
        };
        let fs = &self.disk.fs;
        if !fs.exists(&old.head()) {
            return refuse(from, "has no state");
        }
        // Whoever waits for this lock finds no HEAD any more at the old place.
        let _swap = head::lock(&self.disk, &old)?;
        let snapshot = head::read(&self.disk, &old)?;
        if let Some(holder) = snapshot.file.head.lock {
            return Err(StoreError::Locked(Box::new(holder)));
        }
        if !snapshot.file.pending.is_empty() {
            return refuse(from, "has a run that did not end: `windlass resume` it first");
        }
        if fs.exists(&new.head()) || fs.exists(&new.versions()) {
            return refuse(to, "has state already");
        }
        // A plan of the new name may have left its cache there.
        if fs.exists(&new.seen()) {
            fs.remove_file(&new.seen()).map_err(|error| io_error("remove", &new.seen(), error))?;
        }
        if fs.exists(&new.dir) {
            fs.remove_dir(&new.dir).map_err(|error| io_error("remove", &new.dir, error))?;
        }
        let parents = [old.dir.parent(), new.dir.parent()];
        if let Some(parent) = new.dir.parent() {
            self.disk.make_dirs(&self.root, parent)?;
        }
        fs.rename(&old.dir, &new.dir).map_err(|error| io_error("rename", &old.dir, error))?;
        parents.into_iter().flatten().try_for_each(|parent| self.disk.sync_dir(parent))
    }
}
