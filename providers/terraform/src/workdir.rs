//! The directory in which terraform works on one root: sources at their snapshot paths, data directory, run files.
//!
//! ```text
//! scratch/tree/…      the snapshot's files; terraform runs in tree/<root>
//! scratch/data/       TF_DATA_DIR: modules and links into the plugin cache, kept between plans
//! scratch/run/        tfplan, variables, backend settings: 0600, removed at the outcome
//! scratch/init        what the last `init` depended on
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use windlass_model::{ErrorClass, Files};
use windlass_provider::ProviderError;

use crate::sources::Root;

/// The import blocks for what an earlier apply left in doubt.
pub const DOUBT_FILE: &str = "windlass_in_doubt.tf";

/// The work directory of one call.
#[derive(Clone, Debug)]
pub struct WorkDir {
    scratch: PathBuf,
    tree: PathBuf,
    /// Where terraform runs.
    pub root: PathBuf,
    run: PathBuf,
    /// From `root` up to `scratch`: `../..`.
    up: String,
    laid_out: BTreeMap<String, (u64, i64, i64)>,
}

impl WorkDir {
    /// The work directory of a root below `scratch`. Nothing is touched.
    pub fn new(scratch: &Path, root: &Root) -> WorkDir {
        let depth = 1 + root.dir.split('/').filter(|part| !part.is_empty()).count();
        let tree = scratch.join("tree");
        WorkDir {
            scratch: scratch.to_owned(),
            root: tree.join(&root.dir),
            run: scratch.join("run"),
            up: vec![".."; depth].join("/"),
            laid_out: BTreeMap::new(),
            tree,
        }
    }

    /// Lays the sources out anew.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn lay_out(&mut self, root: &Root, files: &dyn Files) -> Result<(), ProviderError> {
        private_dir(&self.scratch).map_err(|e| failed(&self.scratch, &e))?;
        for dir in [&self.tree, &self.run] {
            remove(dir).map_err(|e| failed(dir, &e))?;
            private_dir(dir).map_err(|e| failed(dir, &e))?;
        }
        files
            .materialise(&root.files, &self.tree)
            .map_err(|e| ProviderError::new(ErrorClass::InvalidConfig, e.to_string()).at("source"))?;
        fs::create_dir_all(&self.root).map_err(|e| failed(&self.root, &e))?;
        self.laid_out = self.walk();
        Ok(())
    }

    /// `TF_DATA_DIR`, relative to the root: an absolute one would put this machine's path into plans.
    pub fn data_dir(&self) -> String {
        format!("{}/data", self.up)
    }

    /// A run file's path, relative to the root.
    pub fn run_file(&self, name: &str) -> String {
        format!("{}/run/{name}", self.up)
    }

    /// Writes a run file, for this user's eyes only. Returns its path relative to the root.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_run(&self, name: &str, content: &[u8]) -> Result<String, ProviderError> {
        private_dir(&self.run).map_err(|e| failed(&self.run, &e))?;
        write_private(&self.run.join(name), content)?;
        Ok(self.run_file(name))
    }

    /// Removes a run file.
    pub fn remove_run(&self, name: &str) {
        // What is left is removed with the whole directory at the outcome, where a failure is told.
        let _ = fs::remove_file(self.run.join(name));
    }

    /// A run file's content.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read_run(&self, name: &str) -> Result<Vec<u8>, ProviderError> {
        let path = self.run.join(name);
        fs::read(&path).map_err(|e| failed(&path, &e))
    }

    /// Writes a file of the root: state, lock file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_root(&self, name: &str, content: &[u8]) -> Result<(), ProviderError> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| failed(parent, &e))?;
        }
        write_private(&path, content)
    }

    /// Removes a file of the root that was written into it.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove_root(&self, name: &str) -> Result<(), ProviderError> {
        let path = self.root.join(name);
        remove_file(&path).map_err(|e| failed(&path, &e))
    }

    /// A file of the root; `None`: not there.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn read_root(&self, name: &str) -> Result<Option<Vec<u8>>, ProviderError> {
        read_if_there(&self.root.join(name))
    }

    /// What `init` last depended on here; empty: it has not run.
    pub fn init_stamp(&self) -> String {
        let has_data = self.scratch.join("data").is_dir();
        let stamp = fs::read_to_string(self.scratch.join("init")).unwrap_or_default();
        if has_data { stamp } else { String::new() }
    }

    /// Notes what `init` depended on; `None`: it has to run again.
    pub fn set_init_stamp(&self, stamp: Option<&str>) -> Result<(), ProviderError> {
        let path = self.scratch.join("init");
        match stamp {
            Some(stamp) => write_private(&path, stamp.as_bytes()),
            None => remove_file(&path).map_err(|e| failed(&path, &e)),
        }
    }

    /// Forgets backend settings that `init` wrote down in the data directory, as they may hold secrets.
    pub fn forget_backend(&self) -> Result<(), ProviderError> {
        let path = self.scratch.join("data").join("terraform.tfstate");
        remove_file(&path).map_err(|e| failed(&path, &e))?;
        self.set_init_stamp(None)
    }

    /// The lock file as the last `init` here left it.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn kept_lock(&self) -> Result<Option<Vec<u8>>, ProviderError> {
        read_if_there(&self.scratch.join("lock"))
    }

    /// Keeps the lock file for the next plan, which finds only what the snapshot has.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep_lock(&self, content: Option<&[u8]>) -> Result<(), ProviderError> {
        let path = self.scratch.join("lock");
        match content {
            Some(content) => write_private(&path, content),
            None => remove_file(&path).map_err(|e| failed(&path, &e)),
        }
    }

    /// Makes the data directory before terraform does, so that it is private.
    pub fn make_data_dir(&self) -> Result<(), ProviderError> {
        let path = self.scratch.join("data");
        private_dir(&path).map_err(|e| failed(&path, &e))
    }

    /// Whether this call laid the sources out.
    pub fn was_laid_out(&self) -> bool {
        !self.laid_out.is_empty()
    }

    /// Files that something wrote or changed among the sources since they were laid out, without terraform's own.
    pub fn strays(&self) -> Vec<String> {
        let now = self.walk();
        let changed = now.into_iter().filter(|(path, meta)| self.laid_out.get(path) != Some(meta));
        changed.map(|(path, _)| path).filter(|path| !is_terraforms(path)).collect()
    }

    fn walk(&self) -> BTreeMap<String, (u64, i64, i64)> {
        let mut found = BTreeMap::new();
        let mut next = vec![String::new()];
        while let Some(dir) = next.pop() {
            // What cannot be listed holds nothing that terraform could have read; it is removed with the rest.
            let Ok(entries) = fs::read_dir(self.tree.join(&dir)) else { continue };
            for entry in entries.flatten() {
                let path = crate::sources::child(&dir, &entry.file_name().to_string_lossy());
                let Ok(meta) = entry.metadata() else { continue };
                match meta.is_dir() {
                    true => next.push(path),
                    false => {
                        found.insert(path, (meta.len(), meta.mtime(), meta.mtime_nsec()));
                    }
                }
            }
        }
        found
    }

    /// Removes sources, state and run files.
    ///
    /// # Errors
    /// Where something cannot be removed: it may hold secrets.
    pub fn clean(&self) -> Result<(), ProviderError> {
        for dir in [&self.tree, &self.run] {
            remove(dir).map_err(|e| failed(dir, &e))?;
        }
        Ok(())
    }

    /// Whether bytes name this directory: a plan that does holds only here (rule S2).
    pub fn is_named_in(&self, bytes: &[u8]) -> bool {
        let path = self.scratch.display().to_string();
        let needle = path.as_bytes();
        !needle.is_empty() && bytes.windows(needle.len()).any(|window| window == needle)
    }
}

fn is_terraforms(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.contains(".tfstate")
        || path.contains(".tfstate.d/")
        || [".terraform.lock.hcl", DOUBT_FILE].contains(&name)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ProviderError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(path, &e)),
    }
}

fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), ProviderError> {
    let write = || {
        remove_file(path)?;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)
    };
    write().map_err(|e| failed(path, &e))
}

fn failed(path: &Path, error: &io::Error) -> ProviderError {
    ProviderError::new(ErrorClass::Unknown, format!("{}: {error}", path.display()))
}
