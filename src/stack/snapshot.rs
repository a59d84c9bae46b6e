//! Source files as a plan or a version keeps them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use windlass_model::{Digest, FileError, Files, SourcePath};

use super::sources::SourceFile;
use super::tree::{self, ManifestEntry, file_error, left_out};

/// What a snapshot holds; its digest is `canon::digest` of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Where the stack's directory is in it; empty if it is the root.
    pub stack_dir: String,
    /// Its files by path.
    pub files: BTreeMap<String, ManifestEntry>,
}

impl Manifest {
    /// The manifest of files that were read.
    pub fn of(stack_dir: &str, files: &[SourceFile]) -> Manifest {
        let entry = |file: &SourceFile| {
            (file.path.clone(), ManifestEntry { digest: Digest::of(&file.content), mode: file.mode })
        };
        Manifest { stack_dir: stack_dir.to_owned(), files: files.iter().map(entry).collect() }
    }
}

/// The files of a manifest, with their contents at hand.
#[derive(Debug)]
pub struct Snapshot {
    manifest: Manifest,
    contents: BTreeMap<Digest, Arc<[u8]>>,
    checkout: Option<PathBuf>,
}

impl Snapshot {
    /// A snapshot; `checkout` is the stack's real directory, where `local_file` and `local_command` act.
    pub fn new(
        manifest: Manifest,
        contents: BTreeMap<Digest, Arc<[u8]>>,
        checkout: Option<PathBuf>,
    ) -> Snapshot {
        Snapshot { manifest, contents, checkout }
    }

    fn source(&self, path: &str) -> Result<SourceFile, FileError> {
        let entry = self.manifest.files.get(path).ok_or_else(|| absent(path))?;
        let content = self.contents.get(&entry.digest).ok_or_else(|| {
            file_error(
                path,
                format!("its content {} is missing from the plan's snapshot", entry.digest.short()),
            )
        })?;
        Ok(SourceFile { path: path.to_owned(), mode: entry.mode, content: content.clone() })
    }
}

fn absent(path: &str) -> FileError {
    let reason = "the file is not in the plan's snapshot".to_owned();
    FileError { path: path.to_owned(), reason, absent: true }
}

impl Files for Snapshot {
    fn stack_dir(&self) -> &SourcePath {
        &self.manifest.stack_dir
    }

    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, FileError> {
        Ok(self.source(path)?.content)
    }

    fn list(&self, dir: &SourcePath) -> Result<Vec<String>, FileError> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let below =
            |path: &&String| path.strip_prefix(&prefix).is_some_and(|rest| !rest.split('/').any(left_out));
        let from = self.manifest.files.range(prefix.clone()..).map(|(path, _)| path);
        let found: Vec<String> =
            from.take_while(|path| path.starts_with(&prefix)).filter(below).cloned().collect();
        if found.is_empty() && !dir.is_empty() { Err(absent(dir)) } else { Ok(found) }
    }

    fn materialise(&self, paths: &[String], to: &Path) -> Result<Digest, FileError> {
        tree::materialise(paths, to, |path| self.source(path))
    }

    fn digest(&self, paths: &[String]) -> Result<Digest, FileError> {
        tree::digest(paths, |path| self.source(path))
    }

    fn checkout(&self) -> Option<PathBuf> {
        self.checkout.clone()
    }
}
