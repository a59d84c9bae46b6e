//! The files that `az` reads: for this user's eyes only, and gone when it has read them.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use windlass_model::ErrorClass;
use windlass_provider::{Call, ProviderError};

/// How old what a dead engine left must be to be swept: no step takes so long.
const STALE_MS: u128 = 24 * 60 * 60 * 1000;

/// A call's own directory: another one than that of any other call, so that a plan never takes away what an apply reads.
pub struct WorkDir {
    /// Where it is.
    pub path: PathBuf,
    scratch: PathBuf,
}

impl WorkDir {
    /// The directory of a call. Nothing is made yet.
    pub fn of(call: &Call) -> WorkDir {
        let token: String = call.token.0.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        WorkDir { path: call.scratch.join(format!("az-{token}")), scratch: call.scratch.clone() }
    }

    /// Makes it, 0700.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make(&self) -> Result<(), ProviderError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| failed(&self.path, &error))
    }

    /// Writes a file, 0600. Returns its name, which is its path from here.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<String, ProviderError> {
        self.make()?;
        let path = self.path.join(name);
        write_private(&path, content).map_err(|error| failed(&path, &error))?;
        Ok(name.to_owned())
    }

    /// Removes it and all that is in it.
    ///
    /// # Errors
    /// Where something stays: it may hold secrets.
    pub fn remove(&self) -> Result<(), ProviderError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&self.path, &error)),
            _ => Ok(()),
        }
    }

    /// Removes what engines left here that died long ago.
    pub fn sweep(&self, now_ms: u64) {
        let Ok(entries) = fs::read_dir(&self.scratch) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("az-"))
        {
            let changed = entry.metadata().and_then(|meta| meta.modified()).ok();
            let changed = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            let stale = changed.is_some_and(|at| at.as_millis() + STALE_MS < u128::from(now_ms));
            if stale && entry.path() != self.path {
                // The next call tries again.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Writes a file anew that only this user can read.
///
/// # Errors
/// The system's.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

/// A file that could not be had.
pub fn failed(path: &Path, error: &io::Error) -> ProviderError {
    ProviderError::new(ErrorClass::Unknown, format!("{}: {error}", path.display()))
}
