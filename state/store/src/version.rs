//! Version files: immutable, chained from HEAD to parents, each with a part of its digest in its name.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_model::Digest;

use crate::files::{Disk, FORMAT, check_format, damaged, io_error, parse};
use crate::layout::Places;
use crate::traits::{Head, StoreError, VersionMeta};

/// A version file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct VersionFile {
    pub format: u64,
    /// The index object of its records.
    pub index: Digest,
    /// The parent's file, relative to the environment's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_file: Option<String>,
    pub meta: VersionMeta,
}

fn name_of(number: u64, bytes: &[u8]) -> String {
    format!("{number:08}-{}.json", Digest::of(bytes).short())
}

/// Writes a version file; its name relative to the environment's directory.
pub(crate) fn write(disk: &Disk, places: &Places, version: &VersionFile) -> Result<String, StoreError> {
    let dir = places.versions();
    let bytes = serde_json::to_vec_pretty(version)
        .map_err(|error| io_error("write", &dir, std::io::Error::other(error)))?;
    let name = name_of(version.meta.number, &bytes);
    disk.replace(&dir.join(&name), &bytes)?;
    Ok(format!("versions/{name}"))
}

/// A file name in a HEAD or a version, as a path below the environment's directory.
fn resolve(places: &Places, from: &Path, file: &str) -> Result<PathBuf, StoreError> {
    match file.strip_prefix("versions/").filter(|name| !name.contains('/')) {
        Some(name) => Ok(places.versions().join(name)),
        None => Err(damaged(from, format!("it refers to `{file}`, which is no version"))),
    }
}

fn read(path: &Path, bytes: &[u8]) -> Result<VersionFile, StoreError> {
    let version: VersionFile = parse(path, bytes)?;
    check_format(path, version.format)?;
    let name = path.file_name().and_then(|name| name.to_str());
    match name == Some(&name_of(version.meta.number, bytes)) {
        true => Ok(version),
        false => Err(damaged(path, "its content does not fit the digest in its name")),
    }
}

/// HEAD's version; `None` where there is none yet.
pub(crate) fn current(disk: &Disk, places: &Places, head: &Head) -> Result<Option<VersionFile>, StoreError> {
    let Some(file) = &head.commit else { return Ok(None) };
    let path = resolve(places, &places.head(), file)?;
    let version = read(&path, &disk.read_needed(&path)?)?;
    match version.meta.number == head.version {
        true => Ok(Some(version)),
        false => Err(damaged(&path, format!("it is not version {}, which HEAD says it is", head.version))),
    }
}

/// The versions from HEAD's back to the oldest that is kept, each with its path.
pub(crate) struct Chain<'a> {
    disk: &'a Disk,
    places: &'a Places,
    next: Option<(PathBuf, u64)>,
    /// HEAD's own version must be there; older ones may have been swept.
    needed: bool,
}

/// Follows the chain from HEAD.
pub(crate) fn chain<'a>(disk: &'a Disk, places: &'a Places, head: &Head) -> Result<Chain<'a>, StoreError> {
    let path = head.commit.as_ref().map(|file| resolve(places, &places.head(), file)).transpose()?;
    Ok(Chain { disk, places, next: path.map(|path| (path, head.version)), needed: true })
}

impl Chain<'_> {
    fn step(&mut self) -> Result<Option<(PathBuf, VersionFile)>, StoreError> {
        let Some((path, number)) = self.next.take() else { return Ok(None) };
        let bytes = match self.disk.read(&path)? {
            Some(bytes) => bytes,
            None if self.needed => return Err(damaged(&path, "it is missing")),
            None => return Ok(None),
        };
        self.needed = false;
        let version = read(&path, &bytes)?;
        if version.meta.number != number {
            return Err(damaged(&path, format!("it is not version {number}, which is referred to")));
        }
        if version.meta.parent >= number {
            return Err(damaged(&path, format!("it names version {} as its parent", version.meta.parent)));
        }
        if let Some(file) = &version.parent_file {
            self.next = Some((resolve(self.places, &path, file)?, version.meta.parent));
        }
        Ok(Some((path, version)))
    }
}

impl Iterator for Chain<'_> {
    type Item = Result<(PathBuf, VersionFile), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// A new version's file.
pub(crate) fn next(meta: VersionMeta, head: &Head, index: Digest) -> VersionFile {
    let meta = VersionMeta { number: head.version + 1, parent: head.version, ..meta };
    VersionFile { format: FORMAT, index, parent_file: head.commit.clone(), meta }
}
