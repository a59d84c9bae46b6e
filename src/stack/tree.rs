//! What a checkout and a snapshot do alike: which names are left out, the digest of files, writing them out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};
use windlass_model::{Digest, FileError, canon};

use super::sources::SourceFile;

/// A file of a snapshot: its content by digest, and its mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// The digest of its content.
    pub digest: Digest,
    /// `0o755` or `0o644`.
    pub mode: u32,
}

/// Whether a name is never part of a snapshot (rule S1), nor an editor's lock file (a dangling link by design).
pub(super) fn left_out(name: &str) -> bool {
    matches!(name, ".terraform" | ".git" | ".windlass") || name.contains(".tfstate") || name.starts_with(".#")
}

/// An error of a path.
pub(super) fn file_error(path: &str, reason: impl Into<String>) -> FileError {
    FileError { path: path.to_owned(), reason: reason.into(), absent: false }
}

/// An I/O error of a path, without the numbers of the operating system.
pub(super) fn io_error(path: &str, doing: &str, error: &io::Error) -> FileError {
    let text = match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => error.to_string(),
    };
    let absent = error.kind() == io::ErrorKind::NotFound;
    FileError { path: path.to_owned(), reason: format!("{doing}: {text}"), absent }
}

/// Whether a path is relative and goes nowhere but down.
pub(super) fn is_plain(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|name| !matches!(name, "" | "." | "..")) && !path.contains('\0')
}

/// The digest of paths, modes and contents: the same for the same files, wherever they come from.
pub(super) fn digest(
    paths: &[String],
    read: impl Fn(&str) -> Result<SourceFile, FileError>,
) -> Result<Digest, FileError> {
    let mut entries = BTreeMap::new();
    for path in paths {
        let file = read(path)?;
        entries.insert(path.as_str(), ManifestEntry { digest: Digest::of(&file.content), mode: file.mode });
    }
    Ok(canon::digest(&entries))
}

/// Writes files below `to`; what is there already with the same content and mode is left alone.
pub(super) fn materialise(
    paths: &[String],
    to: &Path,
    read: impl Fn(&str) -> Result<SourceFile, FileError>,
) -> Result<Digest, FileError> {
    for path in paths {
        let file = read(path)?;
        write(&file, &to.join(path)).map_err(|error| io_error(path, "cannot be written out", &error))?;
    }
    digest(paths, read)
}

fn write(file: &SourceFile, to: &Path) -> io::Result<()> {
    if let Ok(there) = fs::symlink_metadata(to) {
        let same_mode = there.is_file() && there.permissions().mode() & 0o777 == file.mode;
        if same_mode && there.len() == file.content.len() as u64 && *fs::read(to)? == *file.content {
            return Ok(());
        }
        // Removed and made anew, so that a link that a tool left here is never written through.
        fs::remove_file(to)?;
    } else if let Some(parent) = to.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(file.mode).open(to)?;
    out.write_all(&file.content)?;
    // The process's umask may have taken bits away.
    out.set_permissions(fs::Permissions::from_mode(file.mode))
}
