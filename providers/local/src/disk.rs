//! Files on disk: what is there, and writing so that it is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use windlass_model::{Digest, ErrorClass};
use windlass_provider::ProviderError;

/// A regular file that is there.
pub(crate) struct Found {
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
}

impl Found {
    pub(crate) fn sha256(&self) -> String {
        Digest::of(&self.content).hex()
    }
}

/// What is at a path; `None`: nothing.
///
/// # Errors
/// Where it is something else than a file, or cannot be read.
pub(crate) fn look(path: &Path) -> Result<Option<Found>, ProviderError> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("look at", path, &error)),
    };
    let what = match meta.file_type() {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some("a directory"),
        kind if kind.is_symlink() => Some("a symbolic link"),
        _ => Some("not a regular file"),
    };
    if let Some(what) = what {
        let error = ProviderError::new(ErrorClass::NameTaken, format!("{} is {what}", path.display()));
        return Err(error.hint("move it out of the way, or give the resource another path").at("path"));
    }
    let content = fs::read(path).map_err(|error| failed("read", path, &error))?;
    Ok(Some(Found { content, mode: meta.permissions().mode() & 0o7777 }))
}

/// Writes a file: a reader sees the old content or the new, and the new one survives a crash. Its directories are made.
pub(crate) fn write(path: &Path, content: &[u8], mode: u32, unique: &str) -> Result<(), ProviderError> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        let message = format!("{} does not name a file", path.display());
        return Err(ProviderError::new(ErrorClass::InvalidConfig, message).at("path"));
    };
    fs::create_dir_all(dir).map_err(|error| failed("make the directory", dir, &error))?;
    let temporary = dir.join(format!(".{}.{unique}.tmp", name.to_string_lossy()));
    let written = write_new(&temporary, content, mode).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // Whether or not it can be removed, the failure that counts is the first one.
        let _left = fs::remove_file(&temporary);
        return Err(failed("write", path, &error));
    }
    sync_dir(dir)
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), ProviderError> {
    let changed = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    changed.map_err(|error| failed("change the mode of", path, &error))
}

/// Removes a file; it is gone for good when this returns.
pub(crate) fn remove(path: &Path) -> Result<(), ProviderError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", path, &error)),
        _ => path.parent().map_or(Ok(()), sync_dir),
    }
}

fn sync_dir(dir: &Path) -> Result<(), ProviderError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| failed("sync the directory", dir, &error))
}

/// What an I/O error becomes.
pub(crate) fn failed(what: &str, path: &Path, error: &io::Error) -> ProviderError {
    let class = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorClass::Permission,
        ErrorKind::NotFound => ErrorClass::NotFound,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => {
            ErrorClass::InvalidConfig
        }
        _ => ErrorClass::Unknown,
    };
    let failed = ProviderError::new(class, format!("cannot {what} {}: {error}", path.display()));
    match error.kind() {
        ErrorKind::StorageFull => failed.hint("make room on the disk"),
        ErrorKind::NotADirectory => failed.hint("a part of the path is a file"),
        _ => failed,
    }
}
