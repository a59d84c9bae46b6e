//! What a test needs to call a provider without an engine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use windlass_model::{
    Address, Digest, ErrorClass, FileError, Files, Host, Private, Record, RunId, StepEvent, Token, Value,
};

use crate::error::ProviderError;
use crate::redact::Redactor;
use crate::runner::{Attached, Command, Exit, Runner};
use crate::session::{Call, Engine, Observed, Owner, Toolbox};
use crate::stop::Stop;

/// An engine that remembers what it was told.
#[derive(Default)]
pub struct Recorder {
    events: Mutex<Vec<StepEvent>>,
    notes: Mutex<Vec<Private>>,
    blobs: Mutex<BTreeMap<Digest, Arc<[u8]>>>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Recorder {
    /// All events so far.
    pub fn events(&self) -> Vec<StepEvent> {
        locked(&self.events).clone()
    }

    /// All log lines so far.
    pub fn lines(&self) -> Vec<String> {
        let line = |event| match event {
            StepEvent::Log(line) => Some(line),
            StepEvent::Progress(_) => None,
        };
        self.events().into_iter().filter_map(line).collect()
    }

    /// All checkpoints so far.
    pub fn notes(&self) -> Vec<Private> {
        locked(&self.notes).clone()
    }
}

#[async_trait]
impl Engine for Recorder {
    fn say(&self, event: StepEvent) {
        locked(&self.events).push(event);
    }

    async fn note(&self, private: &Private) -> Result<(), ProviderError> {
        locked(&self.notes).push(private.clone());
        Ok(())
    }

    async fn keep(&self, content: &[u8]) -> Result<Digest, ProviderError> {
        let digest = Digest::of(content);
        locked(&self.blobs).insert(digest, content.into());
        Ok(digest)
    }

    async fn fetch(&self, blob: &Digest) -> Result<Arc<[u8]>, ProviderError> {
        let found = locked(&self.blobs).get(blob).cloned();
        found.ok_or_else(|| ProviderError::new(ErrorClass::NotFound, format!("no blob {blob}")))
    }
}

/// A clock that ticks once a look, and numbers that look random and are the same in each run.
#[derive(Default)]
pub struct Counted(AtomicU64);

impl Host for Counted {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000 + self.0.fetch_add(1, Ordering::SeqCst)
    }

    fn random(&self) -> u128 {
        let count = self.0.fetch_add(1, Ordering::SeqCst);
        let bytes = Digest::of(&count.to_be_bytes()).0;
        bytes.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
    }
}

/// The files of a directory: snapshot and checkout in one.
pub struct Directory(pub PathBuf);

fn unreadable(path: &str, error: &std::io::Error) -> FileError {
    let absent = error.kind() == std::io::ErrorKind::NotFound;
    FileError { path: path.to_owned(), reason: error.to_string(), absent }
}

impl Directory {
    fn walk(&self, dir: &str, found: &mut Vec<String>) -> Result<(), FileError> {
        let entries = fs::read_dir(self.0.join(dir)).map_err(|error| unreadable(dir, &error))?;
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            match entry.path().is_dir() {
                true => self.walk(&path, found)?,
                false => found.push(path),
            }
        }
        Ok(())
    }
}

impl Files for Directory {
    fn stack_dir(&self) -> &str {
        ""
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        fs::read(self.0.join(path)).map(Arc::from).map_err(|error| unreadable(path, &error))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, FileError> {
        let mut found = Vec::new();
        self.walk(dir, &mut found)?;
        found.sort();
        Ok(found)
    }

    fn materialise(&self, paths: &[String], to: &Path) -> Result<Digest, FileError> {
        for path in paths {
            let target = to.join(path);
            let copied = fs::create_dir_all(target.parent().unwrap_or(to))
                .and_then(|()| fs::copy(self.0.join(path), &target));
            copied.map_err(|error| unreadable(path, &error))?;
        }
        self.digest(paths)
    }

    fn digest(&self, paths: &[String]) -> Result<Digest, FileError> {
        let mut all = Vec::new();
        for path in paths {
            let mode = fs::metadata(self.0.join(path)).map(|meta| meta.permissions().mode());
            let mode = mode.map_err(|error| unreadable(path, &error))?;
            all.push((path.clone(), mode, Digest::of(&self.read(path)?)));
        }
        Ok(windlass_model::canon::digest(&all))
    }

    fn checkout(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

/// A runner for what runs nothing.
pub struct NoTools;

#[async_trait]
impl Runner for NoTools {
    async fn run(&self, _call: &Call, command: &Command) -> Result<Exit, ProviderError> {
        Err(ProviderError::new(ErrorClass::Bug, format!("`{}` is not to be run here", command.program)))
    }

    async fn attach(&self, _call: &Call, _label: &str) -> Result<Attached, ProviderError> {
        Ok(Attached::NeverBegun)
    }
}

/// A place to call providers in: a directory of sources, a recording engine, and a runner.
pub struct Bench {
    /// The stack's directory.
    pub dir: PathBuf,
    /// What the engine was told.
    pub engine: Arc<Recorder>,
    /// What sessions are opened with.
    pub tools: Arc<Toolbox>,
    tokens: AtomicU64,
}

impl Bench {
    /// A bench in a directory that exists.
    pub fn new(dir: &Path, runner: Arc<dyn Runner>, env: BTreeMap<String, String>) -> Bench {
        let redact = Arc::new(Redactor::default());
        let host = Arc::new(Counted::default());
        let tools =
            Toolbox { host, runner, env, cache: dir.join(".windlass/cache"), redact, known: Arc::default() };
        Bench {
            dir: dir.to_owned(),
            engine: Arc::default(),
            tools: Arc::new(tools),
            tokens: AtomicU64::new(1),
        }
    }

    /// A call on an address, with a token of its own.
    pub fn call(&self, address: &Address) -> Call {
        let token = format!("{:032x}", self.tokens.fetch_add(1, Ordering::SeqCst));
        let owner =
            Owner { store: "store".to_owned(), stack: "stack".to_owned(), environment: "default".to_owned() };
        Call {
            address: address.clone(),
            owner: Arc::new(owner),
            run: RunId("01BENCH".to_owned()),
            token: Token(token),
            attempt: 1,
            deadline: None,
            stop: Stop::default(),
            engine: self.engine.clone(),
            files: Arc::new(Directory(self.dir.clone())),
            scratch: self.dir.join(".windlass/work").join(address.to_string()),
            tools: self.tools.clone(),
        }
    }
}

/// The record that the engine would keep of something seen.
pub fn record(address: &Address, provider: &str, inputs: &Value, seen: Observed) -> Record {
    Record {
        slot: address.slot(),
        provider: provider.to_owned(),
        schema: 0,
        inputs: inputs.clone().into(),
        value: seen.value.into(),
        private: seen.private,
        nested: seen.nested,
        depends_on: Vec::new(),
        fingerprint: Digest::of(b""),
        place: None,
        account: None,
        protect: false,
        tainted: None,
        in_doubt: None,
    }
}
