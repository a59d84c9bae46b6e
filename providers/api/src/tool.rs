//! The binary of a tool: where it is, what identifies it, which version it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use windlass_model::{Address, Digest, ErrorClass, FileError, Files, Private, RunId, StepEvent, Token};

use crate::error::ProviderError;
use crate::runner::{Command, Exit};
use crate::session::{Call, Engine, Owner, Toolbox};
use crate::stop::Stop;

/// How long a tool may take to say its version.
const PATIENCE: Duration = Duration::from_secs(60);

/// A binary that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binary {
    /// What the user calls it: `terraform`.
    pub name: String,
    /// Where it is, links followed.
    pub path: PathBuf,
    /// Path, size and modification time.
    pub identity: String,
}

impl Binary {
    /// Looks for it: a path, or a name on the user's `PATH`. `get_it` is the hint where it is missing.
    ///
    /// # Errors
    /// `tool_missing`.
    pub fn find(name: &str, get_it: &str, tools: &Toolbox) -> Result<Binary, ProviderError> {
        let found = if name.contains('/') {
            executable(Path::new(name))
        } else {
            let path = tools.env.get("PATH").map(String::as_str).unwrap_or_default();
            let mut dirs = path.split(':').filter(|dir| !dir.is_empty());
            dirs.find_map(|dir| executable(&Path::new(dir).join(name)))
        };
        let missing = || {
            let place = if name.contains('/') { "" } else { " on PATH" };
            ProviderError::new(ErrorClass::ToolMissing, format!("`{name}` was not found{place}")).hint(get_it)
        };
        let (path, identity) = found.ok_or_else(missing)?;
        Ok(Binary { name: name.to_owned(), path, identity })
    }
}

fn executable(path: &Path) -> Option<(PathBuf, String)> {
    use std::os::unix::fs::MetadataExt;
    let path = path.canonicalize().ok()?;
    let meta = path.metadata().ok().filter(|meta| meta.is_file() && meta.mode() & 0o111 != 0)?;
    let identity = format!("{} {} {}.{}", path.display(), meta.len(), meta.mtime(), meta.mtime_nsec());
    Some((path, identity))
}

/// How a binary is asked for its version.
pub struct VersionQuestion {
    /// The arguments.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// The hint where it does not answer as it should.
    pub get_it: String,
    /// The version in what it puts out; `None`: that is no answer.
    pub read: fn(&Exit) -> Option<String>,
}

/// Versions by identity of the binary: asked once, then kept in the cache directory, so that a plan that finds nothing to do
/// does not start the tool to ask its version.
#[derive(Default)]
pub struct Versions(Mutex<BTreeMap<String, String>>);

impl Versions {
    /// A binary's version.
    ///
    /// # Errors
    /// `tool_missing` where it does not answer as it should.
    pub async fn of(
        &self,
        binary: &Binary,
        tools: &Arc<Toolbox>,
        question: &VersionQuestion,
    ) -> Result<String, ProviderError> {
        let key = Digest::of(binary.identity.as_bytes()).hex();
        if let Some(version) = self.known(&key, &tools.cache) {
            return Ok(version);
        }
        // One asks, whoever else wants to know waits for the answer.
        let asked = tools.known.once(&format!("version {key}"), ask(binary, tools, question)).await?;
        self.remember(&key, &asked);
        // A cache: if it cannot be written, the tool is asked again next time.
        let _ = write_version(&tools.cache, &key, &asked);
        Ok(asked)
    }

    fn known(&self, key: &str, cache: &Path) -> Option<String> {
        let mut known = self.0.lock().ok()?;
        if let Some(version) = known.get(key) {
            return Some(version.clone());
        }
        let text = std::fs::read_to_string(version_file(cache, key)).ok()?;
        let version = text.trim().to_owned();
        let plain =
            !version.is_empty() && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c));
        plain.then(|| {
            known.insert(key.to_owned(), version.clone());
            version
        })
    }

    fn remember(&self, key: &str, version: &str) {
        if let Ok(mut known) = self.0.lock() {
            known.insert(key.to_owned(), version.to_owned());
        }
    }
}

fn version_file(cache: &Path, key: &str) -> PathBuf {
    cache.join("tool-versions").join(key)
}

fn write_version(cache: &Path, key: &str, version: &str) -> std::io::Result<()> {
    let path = version_file(cache, key);
    std::fs::create_dir_all(path.parent().unwrap_or(cache))?;
    let mut temporary = path.clone().into_os_string();
    temporary.push(format!(".{}", std::process::id()));
    std::fs::write(&temporary, version)?;
    std::fs::rename(&temporary, &path)
}

async fn ask(
    binary: &Binary,
    tools: &Arc<Toolbox>,
    question: &VersionQuestion,
) -> Result<String, ProviderError> {
    let call = Call::of_no_step(tools, "version");
    let dir = tools.cache.clone();
    std::fs::create_dir_all(&dir).map_err(|e| {
        ProviderError::new(ErrorClass::Unknown, format!("cannot make the directory {}: {e}", dir.display()))
    })?;
    let command = Command {
        program: binary.path.display().to_string(),
        args: question.args.clone(),
        env: question.env.clone(),
        dir,
        label: "version".to_owned(),
        timeout: Some(PATIENCE),
        stdout_is_data: true,
        get_it: question.get_it.clone(),
        ..Command::default()
    };
    let exit = tools.runner.run(&call, &command).await?;
    let words = question.args.join(" ");
    if exit.timed_out {
        let seconds = PATIENCE.as_secs();
        let message = format!("`{} {words}` did not answer within {seconds} s", binary.path.display());
        return Err(ProviderError::new(ErrorClass::Timeout, message));
    }
    (question.read)(&exit).ok_or_else(|| {
        let said = String::from_utf8_lossy(if exit.stdout.is_empty() { &exit.output } else { &exit.stdout });
        let said: String = said.lines().next().unwrap_or_default().chars().take(120).collect();
        let said = tools.redact.redact(&said);
        let name = Path::new(&binary.name).file_name().and_then(|name| name.to_str()).unwrap_or("the tool");
        let message =
            format!("`{}` does not answer as {name} does: `{words}` printed `{said}`", binary.path.display());
        ProviderError::new(ErrorClass::ToolMissing, message).hint(&question.get_it)
    })
}

impl Call {
    /// A call of no step's: to ask a tool about itself or about the account. Nothing can be kept or noted in it.
    pub fn of_no_step(tools: &Arc<Toolbox>, name: &str) -> Call {
        Call {
            address: Address::new("tool", name),
            owner: Arc::new(Owner { store: String::new(), stack: String::new(), environment: String::new() }),
            run: RunId(String::new()),
            token: Token(name.to_owned()),
            attempt: 1,
            deadline: None,
            stop: Stop::default(),
            engine: Arc::new(NoStep),
            files: Arc::new(NoStep),
            scratch: tools.cache.clone(),
            tools: Arc::clone(tools),
        }
    }
}

struct NoStep;

#[async_trait::async_trait]
impl Engine for NoStep {
    fn say(&self, _event: StepEvent) {}

    async fn note(&self, _private: &Private) -> Result<(), ProviderError> {
        Err(no_step())
    }

    async fn keep(&self, _content: &[u8]) -> Result<Digest, ProviderError> {
        Err(no_step())
    }

    async fn fetch(&self, _blob: &Digest) -> Result<Arc<[u8]>, ProviderError> {
        Err(no_step())
    }
}

fn no_step() -> ProviderError {
    ProviderError::new(ErrorClass::Bug, "a question about a tool has no step in the store")
}

impl Files for NoStep {
    fn stack_dir(&self) -> &str {
        ""
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        Err(no_file(path))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, FileError> {
        Err(no_file(dir))
    }

    fn materialise(&self, _paths: &[String], to: &Path) -> Result<Digest, FileError> {
        Err(no_file(&to.display().to_string()))
    }

    fn digest(&self, _paths: &[String]) -> Result<Digest, FileError> {
        Err(no_file(""))
    }

    fn checkout(&self) -> Option<PathBuf> {
        None
    }
}

fn no_file(path: &str) -> FileError {
    FileError {
        path: path.to_owned(),
        reason: "a question about a tool has no sources".to_owned(),
        absent: true,
    }
}
