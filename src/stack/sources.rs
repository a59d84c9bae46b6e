//! Source files of a real directory: read once, and what was read is the plan's snapshot.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windlass_model::{Digest, FileError, Files, SourcePath};

use super::tree::{self, file_error, io_error, is_plain, left_out};

/// How large a snapshot may be unless the stack says otherwise: 100 MB (rule S1).
pub const SNAPSHOT_LIMIT: u64 = 100_000_000;

/// More files than this below one directory are not a tool's root module.
const FILES_LIMIT: usize = 200_000;

/// A file that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// Relative to the snapshot's root.
    pub path: String,
    /// `0o755` if its owner may execute it, else `0o644`: what differs between machines beyond that is not source.
    pub mode: u32,
    /// What is in it.
    pub content: Arc<[u8]>,
}

/// A stack's directory and the tree around it, read as asked; notes what is read.
#[derive(Debug)]
pub struct Checkout {
    root: PathBuf,
    stack_path: PathBuf,
    stack_dir: String,
    limit: u64,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    files: BTreeMap<String, SourceFile>,
    bytes: u64,
}

impl Checkout {
    /// The checkout that holds a stack's directory: its root is the nearest directory upwards with a `.git`, else the
    /// stack's directory itself.
    ///
    /// # Errors
    /// Where the directory is absent, is none, or has a name that is not UTF-8.
    pub fn open(stack_dir: &Path) -> Result<Checkout, FileError> {
        let shown = stack_dir.display().to_string();
        let stack_path = fs::canonicalize(stack_dir).map_err(|e| io_error(&shown, "cannot be opened", &e))?;
        if !stack_path.is_dir() {
            return Err(file_error(&shown, "is not a directory"));
        }
        let has_git = |dir: &&Path| fs::symlink_metadata(dir.join(".git")).is_ok();
        let root = stack_path.ancestors().find(has_git).unwrap_or(&stack_path).to_owned();
        let below = stack_path.strip_prefix(&root).unwrap_or(Path::new(""));
        let below = below.to_str().ok_or_else(|| file_error(&shown, "its path is not valid UTF-8"))?;
        let stack_dir = below.to_owned();
        Ok(Checkout { root, stack_path, stack_dir, limit: SNAPSHOT_LIMIT, noted: Mutex::default() })
    }

    /// The same with another limit to the size of the snapshot, in bytes.
    pub fn with_limit(mut self, bytes: u64) -> Checkout {
        self.limit = bytes;
        self
    }

    /// The snapshot's root: the git root, else the stack's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All that was read, sorted by path: the plan's snapshot.
    pub fn noted(&self) -> Vec<SourceFile> {
        self.lock().files.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        // Each change of the notes is one insert, so a panic elsewhere leaves them whole.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self, path: &str) -> Result<SourceFile, FileError> {
        if let Some(file) = self.lock().files.get(path) {
            return Ok(file.clone());
        }
        let real = self.resolve(path)?;
        let meta = fs::metadata(&real).map_err(|e| io_error(path, "cannot be read", &e))?;
        if meta.is_dir() {
            return Err(file_error(path, "is a directory, and a file is needed"));
        }
        if !meta.is_file() {
            return Err(file_error(path, "is not a regular file"));
        }
        self.check_size(path, meta.len())?;
        let content: Arc<[u8]> = fs::read(&real).map_err(|e| io_error(path, "cannot be read", &e))?.into();
        let mode = if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
        let file = SourceFile { path: path.to_owned(), mode, content };
        let mut noted = self.lock();
        // Another thread may have read it meanwhile; the first content is the one that counts.
        if let Some(first) = noted.files.get(path) {
            return Ok(first.clone());
        }
        noted.bytes += file.content.len() as u64;
        noted.files.insert(path.to_owned(), file.clone());
        Ok(file)
    }

    fn check_size(&self, path: &str, size: u64) -> Result<(), FileError> {
        let noted = self.lock();
        if noted.bytes.saturating_add(size) <= self.limit {
            return Ok(());
        }
        let biggest = noted.files.values().max_by_key(|file| file.content.len());
        let (name, bytes) = match biggest {
            Some(file) if file.content.len() as u64 > size => (file.path.as_str(), file.content.len() as u64),
            _ => (path, size),
        };
        let reason = format!(
            "the plan's snapshot of sources would be over {}; its biggest file is `{name}` ({})",
            megabytes(self.limit),
            megabytes(bytes)
        );
        Err(file_error(path, reason))
    }

    /// The real path of a source path, which may be a link within the tree.
    fn resolve(&self, path: &str) -> Result<PathBuf, FileError> {
        if !is_plain(path) {
            return Err(file_error(path, "is not a path within the tree of the stack's sources"));
        }
        let full = self.root.join(path);
        match fs::canonicalize(&full) {
            Ok(real) if real.starts_with(&self.root) => Ok(real),
            Ok(real) => {
                let reason = format!(
                    "is a link that leaves the tree: it leads to {}, outside of {}",
                    real.display(),
                    self.root.display()
                );
                Err(file_error(path, reason))
            }
            Err(error) => Err(match fs::read_link(&full) {
                Ok(target) => {
                    file_error(path, format!("is a link to `{}`, which cannot be followed", target.display()))
                }
                Err(_) => io_error(path, "cannot be read", &error),
            }),
        }
    }

    /// The real path of a directory of the tree.
    fn directory(&self, dir: &str) -> Result<PathBuf, FileError> {
        let real = if dir.is_empty() { self.root.clone() } else { self.resolve(dir)? };
        if real.is_dir() { Ok(real) } else { Err(file_error(dir, "is not a directory")) }
    }

    fn names(dir: &str, real: &Path) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        let shown = if dir.is_empty() { "." } else { dir };
        for entry in fs::read_dir(real).map_err(|e| io_error(shown, "cannot be listed", &e))? {
            let entry = entry.map_err(|e| io_error(shown, "cannot be listed", &e))?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| {
                file_error(&join(dir, &name.to_string_lossy()), "its name is not valid UTF-8")
            })?;
            if !left_out(name) {
                names.push(join(dir, name));
            }
        }
        names.sort();
        Ok(names)
    }

    fn walk(&self, dir: &str, above: &mut Vec<PathBuf>, found: &mut Vec<String>) -> Result<(), FileError> {
        let real = self.directory(dir)?;
        if above.contains(&real) {
            return Err(file_error(dir, "is a link to a directory that it is in"));
        }
        above.push(real);
        let names = Self::names(dir, above.last().map_or(&self.root, |real| real))?;
        for path in names {
            let kind = fs::symlink_metadata(self.root.join(&path))
                .map_err(|e| io_error(&path, "cannot be read", &e))?;
            // A link is listed as what it leads to, and may not leave the tree.
            let kind = match kind.is_symlink() {
                true => {
                    fs::metadata(self.resolve(&path)?).map_err(|e| io_error(&path, "cannot be read", &e))?
                }
                false => kind,
            };
            if kind.is_dir() {
                self.walk(&path, above, found)?;
            } else if kind.is_file() {
                found.push(path);
            }
            if found.len() > FILES_LIMIT {
                return Err(file_error(dir, format!("holds more than {FILES_LIMIT} files")));
            }
        }
        above.pop();
        Ok(())
    }
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{bytes} bytes") } else { format!("{} MB", bytes / 1_000_000) }
}

impl Files for Checkout {
    fn stack_dir(&self) -> &SourcePath {
        &self.stack_dir
    }

    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, FileError> {
        Ok(self.source(path)?.content)
    }

    fn list(&self, dir: &SourcePath) -> Result<Vec<String>, FileError> {
        let mut found = Vec::new();
        self.walk(dir, &mut Vec::new(), &mut found)?;
        found.sort();
        Ok(found)
    }

    fn entries(&self, dir: &SourcePath) -> Result<Vec<String>, FileError> {
        Self::names(dir, &self.directory(dir)?)
    }

    fn materialise(&self, paths: &[String], to: &Path) -> Result<Digest, FileError> {
        tree::materialise(paths, to, |path| self.source(path))
    }

    fn digest(&self, paths: &[String]) -> Result<Digest, FileError> {
        tree::digest(paths, |path| self.source(path))
    }

    fn checkout(&self) -> Option<PathBuf> {
        Some(self.stack_path.clone())
    }
}
