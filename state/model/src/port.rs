//! The outside world as the pure parts see it: clock and chance, and source files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ids::Digest;

/// Wall clock and randomness: one owner, so that a run can be repeated.
pub trait Host: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
    /// 128 random bits.
    fn random(&self) -> u128;
}

/// A path of a source file: relative to the snapshot's root, names joined by `/`, no `.` or `..`.
pub type SourcePath = str;

/// Source files, from the checkout or from a snapshot. Notes what is read, so that a plan's snapshot holds it.
pub trait Files: Send + Sync {
    /// Where the stack's directory is in the snapshot; empty if it is the root.
    fn stack_dir(&self) -> &SourcePath;

    /// The content of a file.
    ///
    /// # Errors
    /// Where it is absent, not a regular file, or cannot be read.
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, FileError>;

    /// The paths of all files below a directory, sorted, without `.terraform`, `.git`, `.windlass` and `*.tfstate*`
    /// (rule S1).
    ///
    /// # Errors
    /// Where the directory is absent or cannot be read, or a symbolic link in it leaves the tree.
    fn list(&self, dir: &SourcePath) -> Result<Vec<String>, FileError>;

    /// The paths of what stands directly in a directory, sorted: its files, and possibly what is no file (a directory, a
    /// dangling link), of which `read` says what is wrong. Unlike `list` it does not look any deeper.
    ///
    /// # Errors
    /// Where the directory is absent or cannot be read.
    fn entries(&self, dir: &SourcePath) -> Result<Vec<String>, FileError> {
        let below = if dir.is_empty() { 0 } else { dir.len() + 1 };
        let direct = |path: &String| path.get(below..).is_some_and(|name| !name.contains('/'));
        Ok(self.list(dir)?.into_iter().filter(direct).collect())
    }

    /// Writes files below `to` at their relative paths, with their modes. Returns the digest of paths, modes and contents.
    ///
    /// # Errors
    /// Where one cannot be read or written.
    fn materialise(&self, paths: &[String], to: &Path) -> Result<Digest, FileError>;

    /// The digest of paths, modes and contents of these files, as `materialise` would return it.
    ///
    /// # Errors
    /// Where one cannot be read.
    fn digest(&self, paths: &[String]) -> Result<Digest, FileError>;

    /// The stack's real directory, where there is one: `local_file` and `local_command` act there.
    fn checkout(&self) -> Option<PathBuf>;
}

/// A source file that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct FileError {
    /// The path that was asked for.
    pub path: String,
    /// Why not.
    pub reason: String,
    /// It is not there (and not: it is there and unreadable).
    pub absent: bool,
}
