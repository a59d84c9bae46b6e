//! The files of a supervised command (rule T1): their names, how they are written, and the step's lock.
//!
//! `<token>.<attempt>-<label>.` and `lock` (empty, its lock tells who lives), `fence` (it may not start any more), `start`
//! (it is about to start), `out` and `data` (what it puts out), `in` (what it reads; has a name for an instant only), `exit`
//! (how it ended).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use windlass_model::Token;

/// How long the small files are, in bytes.
const ROOM: usize = 512;

/// Where a command's files are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StepFiles {
    dir: PathBuf,
    stem: String,
}

/// What `.start` says: who runs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// The session, which is the supervisor's process id.
    pub(crate) session: i32,
    /// When the supervisor began, in the kernel's ticks since boot.
    pub(crate) ticks: u64,
    /// Which boot of the machine.
    pub(crate) boot: String,
    /// What runs.
    pub(crate) program: String,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// What `.exit` says: how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    #[serde(default)]
    pub(crate) timed_out: bool,
    #[serde(default)]
    pub(crate) interrupted: bool,
    /// It could not be started: the system's error number, and its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_started: Option<(i32, String)>,
}

impl StepFiles {
    /// The files of a command. `None` where the label would not make a file name.
    pub(crate) fn new(dir: &Path, token: &Token, attempt: u32, label: &str) -> Option<StepFiles> {
        let fits = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        let stem = format!("{token}.{attempt}-{label}");
        (fits(&token.0) && fits(label)).then(|| StepFiles { dir: dir.to_owned(), stem })
    }

    pub(crate) fn path(&self, what: &str) -> PathBuf {
        self.dir.join(format!("{}.{what}", self.stem))
    }

    pub(crate) fn exists(&self, what: &str) -> io::Result<bool> {
        self.path(what).try_exists()
    }

    /// Opens the lock file and takes the lock; `None`: somebody holds it.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path("lock"))?;
        match fs2::FileExt::try_lock_exclusive(&file) {
            Ok(()) => Ok(Some(file)),
            Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A new, empty file that only the user can read.
    pub(crate) fn create(&self, what: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(self.path(what))
    }

    /// A file that holds `bytes`, is read from the start, and has no name: what a tool reads as its input outlives the
    /// supervisor.
    pub(crate) fn input(&self, bytes: &[u8]) -> io::Result<File> {
        let mut file = self.create("in")?;
        fs::remove_file(self.path("in"))?;
        file.write_all(bytes)?;
        io::Seek::rewind(&mut file)?;
        Ok(file)
    }

    /// Takes the room on the disk that a later `write` needs: how a command ended must be recorded though it filled the disk.
    pub(crate) fn reserve(&self, what: &str) -> io::Result<()> {
        let mut file = self.temporary(what)?;
        file.write_all(&[b' '; ROOM])
    }

    /// Writes a small file whole: it is there with its content or not at all, and survives a crash once this returns.
    pub(crate) fn write(&self, what: &str, content: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(content)?;
        // Blanks behind JSON mean nothing, and overwrite all that was reserved.
        bytes.resize(bytes.len().max(ROOM), b' ');
        let mut file = self.temporary(what)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        let temporary = self.path(&format!("{what}.new"));
        fs::rename(&temporary, self.path(what))?;
        self.sync_dir()
    }

    fn temporary(&self, what: &str) -> io::Result<File> {
        let path = self.path(&format!("{what}.new"));
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    }

    /// Removes what a command put out; it may be gone already.
    pub(crate) fn remove_output(&self) -> io::Result<()> {
        for what in ["out", "data"] {
            match fs::remove_file(self.path(what)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a small file; `None`: it is not there.
    pub(crate) fn read<T: DeserializeOwned>(&self, what: &str) -> io::Result<Option<T>> {
        match fs::read(self.path(what)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

/// Makes the directory of a run's steps, so that it survives a crash.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
