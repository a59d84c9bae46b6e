//! Whole files: read with a clear error, written so that a crash leaves the old one or the new one, made once.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use windlass_model::{Digest, Host};

use crate::disk::Fs;
use crate::traits::StoreError;

/// The format of every file that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u64 = 1;

/// An object that is kept again gets a new age when it is older than this.
const TOUCH_AFTER_MS: u64 = 24 * 3600 * 1000;

/// A disk: file operations, clock and chance.
pub(crate) struct Disk {
    pub fs: Arc<dyn Fs>,
    pub host: Arc<dyn Host>,
    /// Directories whose own names are known to be durable.
    durable: Mutex<BTreeSet<PathBuf>>,
}

/// A file that is complete and durable under a temporary name.
pub(crate) struct Staged<'a> {
    disk: &'a Disk,
    temporary: PathBuf,
    target: PathBuf,
}

pub(crate) fn io_error(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { action, path: path.display().to_string(), source }
}

pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), reason: reason.into() }
}

impl Disk {
    pub fn new(fs: Arc<dyn Fs>, host: Arc<dyn Host>) -> Disk {
        Disk { fs, host, durable: Mutex::default() }
    }

    /// A file's content; `None` where there is no such name.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
        match self.fs.read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => match error.kind() {
                NotFound if self.fs.exists(path) => {
                    Err(damaged(path, "it is a symbolic link to something that is not there"))
                }
                NotFound => Ok(None),
                IsADirectory => Err(damaged(path, "it is a directory, and should be a file")),
                NotADirectory => Err(damaged(path, "a directory on the way to it is not one")),
                PermissionDenied => {
                    Err(damaged(path, format!("it cannot be read, look at its owner and mode: {error}")))
                }
                _ => Err(io_error("read", path, error)),
            },
        }
    }

    /// The content of a file that something refers to.
    pub fn read_needed(&self, path: &Path) -> Result<Vec<u8>, StoreError> {
        self.read(path)?.ok_or_else(|| damaged(path, "it is missing"))
    }

    /// The items of a directory; none where there is no directory.
    pub fn list(&self, dir: &Path) -> Result<Vec<crate::disk::Item>, StoreError> {
        match self.fs.list(dir) {
            Ok(items) => Ok(items),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(io_error("read", dir, error)),
        }
    }

    /// Makes a directory below `root` and those above it, durably.
    pub fn make_dirs(&self, root: &Path, dir: &Path) -> Result<(), StoreError> {
        if self.is_durable(dir) {
            return Ok(());
        }
        if let (true, Some(parent)) = (dir != root, dir.parent()) {
            self.make_dirs(root, parent)?;
        }
        match self.fs.make_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io_error("make", dir, error));
            }
            _ => {}
        }
        // Even if it was there: who made it may have died before this.
        match dir.parent() {
            Some(parent) if parent.as_os_str().is_empty() => self.sync_dir(Path::new("."))?,
            Some(parent) => self.sync_dir(parent)?,
            None => {}
        }
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(dir.to_owned());
        Ok(())
    }

    /// Removes an empty directory; it may be gone.
    pub fn remove_dir(&self, dir: &Path) -> Result<(), StoreError> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(dir);
        match self.fs.remove_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", dir, error)),
            _ => Ok(()),
        }
    }

    fn is_durable(&self, dir: &Path) -> bool {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(dir)
    }

    pub fn sync_dir(&self, dir: &Path) -> Result<(), StoreError> {
        self.fs.sync_dir(dir).map_err(|error| io_error("sync", dir, error))
    }

    /// Writes a file's new content beside it.
    pub fn stage(&self, target: &Path, bytes: &[u8], durably: bool) -> Result<Staged<'_>, StoreError> {
        let name = target.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let temporary = target.with_file_name(format!(".{name}.{:032x}.tmp", self.host.random()));
        let mut file = self.fs.create(&temporary).map_err(|error| io_error("write", &temporary, error))?;
        let staged = Staged { disk: self, temporary, target: target.to_owned() };
        let written = file.write_all(bytes).map_err(|error| io_error("write", &staged.temporary, error));
        let synced = written.and_then(|()| match durably {
            true => file.sync().map_err(|error| io_error("sync", &staged.temporary, error)),
            false => Ok(()),
        });
        match synced {
            Ok(()) => Ok(staged),
            Err(error) => {
                staged.discard();
                Err(error)
            }
        }
    }

    /// Replaces a file: durable when it returns.
    pub fn replace(&self, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.stage(target, bytes, true)?.publish()
    }

    /// Makes a file unless it is there. Durable when it returns, whoever made it.
    pub fn create_once(&self, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let staged = self.stage(target, bytes, true)?;
        let linked = self.fs.link(&staged.temporary, target);
        staged.discard();
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(io_error("write", target, error))
            }
            _ => target.parent().map_or(Ok(()), |dir| self.sync_dir(dir)),
        }
    }

    /// Keeps content as an object: durable when it returns.
    pub fn put_object(&self, root: &Path, objects: &Path, bytes: &[u8]) -> Result<Digest, StoreError> {
        let id = Digest::of(bytes);
        let path = object_path(objects, &id);
        let dir = path.parent().unwrap_or(objects);
        self.make_dirs(root, dir)?;
        if self.fs.read(&path).is_ok_and(|found| found == bytes) {
            self.rejuvenate(&path)?;
            return self.sync_dir(dir).map(|()| id);
        }
        self.replace(&path, bytes).map(|()| id)
    }

    /// Makes an old object young, so that the sweep does not take what is referred to again in a moment.
    fn rejuvenate(&self, path: &Path) -> Result<(), StoreError> {
        let now = self.host.now_ms();
        let modified = self.fs.modified_ms(path).map_err(|error| io_error("read", path, error))?;
        if now.saturating_sub(modified) > TOUCH_AFTER_MS {
            self.fs.touch(path, now).map_err(|error| io_error("touch", path, error))?;
        }
        Ok(())
    }

    /// An object's content, checked against its name; `None` where there is no such object.
    pub fn object(&self, objects: &Path, id: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = object_path(objects, id);
        let Some(bytes) = self.read(&path)? else { return Ok(None) };
        let found = Digest::of(&bytes);
        match found == *id {
            true => Ok(Some(bytes)),
            false => Err(damaged(&path, format!("its content has the digest {found}"))),
        }
    }

    /// The content of an object that something refers to.
    pub fn object_needed(&self, objects: &Path, id: &Digest) -> Result<Vec<u8>, StoreError> {
        self.object(objects, id)?.ok_or_else(|| damaged(&object_path(objects, id), "it is missing"))
    }
}

impl Staged<'_> {
    /// Puts it in the file's place. After an error nobody knows whether it is there.
    pub fn publish(self) -> Result<(), StoreError> {
        self.publish_loosely()?;
        self.target.parent().map_or(Ok(()), |dir| self.disk.sync_dir(dir))
    }

    /// As `publish`, but a crash may bring the old file back.
    pub fn publish_loosely(&self) -> Result<(), StoreError> {
        self.disk.fs.rename(&self.temporary, &self.target).map_err(|error| {
            self.discard();
            io_error("replace", &self.target, error)
        })
    }

    /// Removes it. If that fails the sweep removes it later.
    fn discard(&self) {
        let _ = self.disk.fs.remove_file(&self.temporary);
    }
}

/// Where an object is.
pub(crate) fn object_path(objects: &Path, id: &Digest) -> PathBuf {
    let hex = id.hex();
    objects.join(&hex[..2]).join(hex)
}

#[derive(Deserialize)]
struct Format {
    format: u64,
}

/// Refuses a format that is newer than ours.
pub(crate) fn check_format(path: &Path, found: u64) -> Result<(), StoreError> {
    match found > FORMAT {
        true => Err(StoreError::Newer { path: path.display().to_string(), found, known: FORMAT }),
        false => Ok(()),
    }
}

/// Parses a file of some format: newer ones are told from damaged ones.
pub(crate) fn parse<'a, T: Deserialize<'a>>(path: &Path, bytes: &'a [u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let newer = serde_json::from_slice::<Format>(bytes).map(|found| check_format(path, found.format));
        match newer {
            Ok(Err(newer)) => newer,
            _ => damaged(path, error.to_string()),
        }
    })
}

const SUM: &[u8] = b",\n  \"sum\": \"";

/// Pretty JSON of a struct, its last member the digest of all that is before it: for files that have no digest in their
/// names.
pub(crate) fn summed(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| io_error("write", path, io::Error::other(error)))?;
    bytes.truncate(bytes.len().saturating_sub(2));
    let sum = Digest::of(&bytes);
    bytes.extend_from_slice(SUM);
    bytes.extend_from_slice(sum.to_string().as_bytes());
    bytes.extend_from_slice(b"\"\n}\n");
    Ok(bytes)
}

/// Reads what [`summed`] wrote.
pub(crate) fn parse_summed<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, StoreError> {
    let format: Format = parse(path, bytes)?;
    check_format(path, format.format)?;
    let at = bytes.windows(SUM.len()).rposition(|window| window == SUM);
    let at = at.ok_or_else(|| damaged(path, "its sum is missing"))?;
    let (body, tail) = bytes.split_at(at);
    let sum = Digest::of(body).to_string();
    let told = tail.get(SUM.len()..SUM.len() + sum.len());
    match told == Some(sum.as_bytes()) {
        true => parse(path, bytes),
        false => Err(damaged(path, "its content does not fit its sum")),
    }
}
