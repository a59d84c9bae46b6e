//! The file operations that the local store is made of, behind a trait: the real ones here, a disk that forgets in the
//! crash tests. Nothing else in this crate touches the file system.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// What a directory holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Item {
    pub name: String,
    pub is_dir: bool,
}

/// A lock that is held until this is dropped.
pub(crate) trait Guard: Send + Sync {}

/// A file that is being written.
pub(crate) trait Writer: Send + Sync {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Content and length are on disk when it returns.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file system. What was written is durable after `sync`; a name (new, renamed, linked, removed) after `sync_dir` of its
/// directory.
pub(crate) trait Fs: Send + Sync {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Sorted by name. Names that are not UTF-8 are none of ours and left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<Item>>;
    /// Whether a name is there, even if it is a symbolic link to nothing.
    fn exists(&self, path: &Path) -> bool;
    /// When the content was last written or touched, in milliseconds since 1970.
    fn modified_ms(&self, path: &Path) -> io::Result<u64>;
    /// Sets that time.
    fn touch(&self, path: &Path, now_ms: u64) -> io::Result<()>;
    /// One directory, 0700.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// A new file, 0600; an error where the name is taken. Each write goes to its end, whoever else writes to it.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Writer>>;
    /// Writes at the end of an existing file.
    fn append(&self, path: &Path) -> io::Result<Box<dyn Writer>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// A second name; an error where it is taken.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// An empty directory.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Waits for the lock of a file, which is made if need be.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Guard>>;
    /// The lock of a file, which is made if need be; `None`: somebody has it.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Guard>>>;
}

/// The real file system.
pub(crate) struct RealFs;

struct RealGuard {
    _file: File,
}

impl Guard for RealGuard {}

impl Writer for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // fdatasync writes the length too, and spares the times.
        self.sync_data()
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

impl Fs for RealFs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Item>> {
        let mut items = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                items.push(Item { name, is_dir: entry.file_type()?.is_dir() });
            }
        }
        items.sort();
        Ok(items)
    }

    fn exists(&self, path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok()
    }

    fn modified_ms(&self, path: &Path) -> io::Result<u64> {
        let modified = std::fs::symlink_metadata(path)?.modified()?;
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn touch(&self, path: &Path, now_ms: u64) -> io::Result<()> {
        File::options().append(true).open(path)?.set_modified(UNIX_EPOCH + Duration::from_millis(now_ms))
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Writer>> {
        // Appending: a fence that somebody else wrote at the end must not be written over.
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Writer>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Guard>> {
        let file = lock_file(path)?;
        // Fully qualified: std has inherent methods of nearly the same names.
        while let Err(error) = fs2::FileExt::lock_exclusive(&file) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        Ok(Box::new(RealGuard { _file: file }))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Guard>>> {
        let file = lock_file(path)?;
        match fs2::FileExt::try_lock_exclusive(&file) {
            Ok(()) => Ok(Some(Box::new(RealGuard { _file: file }))),
            Err(error) if error.kind() == fs2::lock_contended_error().kind() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
