//! Which binary is meant, what identifies it, and which version it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use windlass_model::{Address, Digest, ErrorClass, FileError, Files, Private, StepEvent, Token};
use windlass_provider::{Call, Command, Engine, Exit, Owner, ProviderError, Stop, Toolbox};

use crate::command;
use crate::version::{Constraint, at_least};

/// Older ones lack `plan -json` or write another state.
const OLDEST: &str = "1.1";

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

/// A binary and its version.
#[derive(Clone, Debug)]
pub struct Tool {
    /// The binary.
    pub binary: Binary,
    /// `1.11.4`
    pub version: String,
}

impl Tool {
    /// `terraform 1.11.4`
    pub fn text(&self) -> String {
        format!("{} {}", self.binary.word(), self.version)
    }
}

impl Binary {
    /// Looks for it: a path, or a name on `PATH`.
    ///
    /// # Errors
    /// `tool_missing`.
    pub fn find(name: &str, wanted: Option<&str>, tools: &Toolbox) -> Result<Binary, ProviderError> {
        let found = if name.contains('/') {
            executable(Path::new(name))
        } else {
            let path = tools.env.get("PATH").map(String::as_str).unwrap_or_default();
            let dirs = path.split(':').filter(|dir| !dir.is_empty());
            dirs.into_iter().find_map(|dir| executable(&Path::new(dir).join(name)))
        };
        let missing = || {
            let place = if name.contains('/') { "" } else { " on PATH" };
            ProviderError::new(ErrorClass::ToolMissing, format!("`{name}` was not found{place}"))
                .hint(command::get_it(name, wanted))
        };
        let (path, identity) = found.ok_or_else(missing)?;
        Ok(Binary { name: name.to_owned(), path, identity })
    }

    /// `terraform` or `tofu`, whatever the path to it.
    pub fn word(&self) -> &str {
        let name = Path::new(&self.name).file_name().and_then(|name| name.to_str());
        name.unwrap_or("terraform")
    }
}

fn executable(path: &Path) -> Option<(PathBuf, String)> {
    use std::os::unix::fs::MetadataExt;
    let path = path.canonicalize().ok()?;
    let meta = path.metadata().ok().filter(|meta| meta.is_file() && meta.mode() & 0o111 != 0)?;
    let identity = format!("{} {} {}.{}", path.display(), meta.len(), meta.mtime(), meta.mtime_nsec());
    Some((path, identity))
}

/// Versions by identity of the binary: asked once, then kept in the cache directory, so that a plan that finds nothing to do
/// does not start the tool to ask its version.
#[derive(Default)]
pub struct Versions(Mutex<BTreeMap<String, String>>);

impl Versions {
    /// A binary's version.
    ///
    /// # Errors
    /// Where it does not answer as terraform does.
    pub async fn of(&self, binary: Binary, tools: &Arc<Toolbox>) -> Result<Tool, ProviderError> {
        let key = Digest::of(binary.identity.as_bytes()).hex();
        if let Some(version) = self.known(&key, &tools.cache) {
            return Ok(Tool { binary, version });
        }
        let version = ask(&binary, tools).await?;
        if let Ok(mut known) = self.0.lock() {
            known.insert(key.clone(), version.clone());
        }
        // A cache: if it cannot be written, the tool is asked again next time.
        let _ = write_version(&tools.cache, &key, &version);
        Ok(Tool { binary, version })
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
}

fn version_file(cache: &Path, key: &str) -> PathBuf {
    cache.join("terraform-versions").join(key)
}

fn write_version(cache: &Path, key: &str, version: &str) -> std::io::Result<()> {
    let path = version_file(cache, key);
    std::fs::create_dir_all(path.parent().unwrap_or(cache))?;
    let mut temporary = path.clone().into_os_string();
    temporary.push(format!(".{}", std::process::id()));
    std::fs::write(&temporary, version)?;
    std::fs::rename(&temporary, &path)
}

async fn ask(binary: &Binary, tools: &Arc<Toolbox>) -> Result<String, ProviderError> {
    let call = quiet_call(tools);
    let dir = tools.cache.clone();
    std::fs::create_dir_all(&dir).map_err(|e| {
        ProviderError::new(ErrorClass::Unknown, format!("cannot make the directory {}: {e}", dir.display()))
    })?;
    let env = windlass_provider::inherit(&tools.env);
    let command = Command {
        program: binary.path.display().to_string(),
        args: command::version(),
        env: command::environment(env, &command::Surroundings::default(), &BTreeMap::new()),
        dir,
        label: "version".to_owned(),
        timeout: Some(std::time::Duration::from_secs(60)),
        stdout_is_data: true,
        get_it: command::get_it(&binary.name, None),
        ..Command::default()
    };
    let exit = tools.runner.run(&call, &command).await?;
    if exit.timed_out {
        let message = format!("`{} version` did not answer within 60 s", binary.path.display());
        return Err(ProviderError::new(ErrorClass::Timeout, message));
    }
    read_version(&exit).ok_or_else(|| {
        let said = String::from_utf8_lossy(if exit.stdout.is_empty() { &exit.output } else { &exit.stdout });
        let said: String = said.lines().next().unwrap_or_default().chars().take(120).collect();
        let said = tools.redact.redact(&said);
        let message = format!(
            "`{}` does not answer as {} does: `version -json` printed `{said}`",
            binary.path.display(),
            binary.word()
        );
        ProviderError::new(ErrorClass::ToolMissing, message).hint(command::get_it(&binary.name, None))
    })
}

fn read_version(exit: &Exit) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&exit.stdout).ok()?;
    let version = json.get("terraform_version")?.as_str()?;
    exit.success().then(|| version.to_owned())
}

/// Whether the tool's version will do.
///
/// # Errors
/// `tool_missing`, with the version wanted.
pub fn check_version(tool: &Tool, wanted: Option<&str>) -> Result<(), ProviderError> {
    let wrong = |wanted: &str| {
        let at = tool.binary.path.display();
        let message = format!("{} is there ({at}), but {wanted} is wanted", tool.text());
        ProviderError::new(ErrorClass::ToolMissing, message)
            .hint(command::get_it(&tool.binary.name, Some(wanted)))
    };
    if let Some(wanted) = wanted {
        let constraint = Constraint::parse(wanted);
        let constraint =
            constraint.map_err(|why| ProviderError::new(ErrorClass::InvalidConfig, why).at("version"))?;
        if !constraint.allows(&tool.version) {
            return Err(wrong(wanted).at("version"));
        }
    }
    match at_least(&tool.version, OLDEST) {
        true => Ok(()),
        false => Err(wrong(&format!(">= {OLDEST}"))),
    }
}

/// A call of no resource's: to ask a version.
fn quiet_call(tools: &Arc<Toolbox>) -> Call {
    Call {
        address: Address::new("terraform", "version"),
        owner: Arc::new(Owner { store: String::new(), stack: String::new(), environment: String::new() }),
        token: Token("version".to_owned()),
        attempt: 1,
        deadline: None,
        stop: Stop::default(),
        engine: Arc::new(Quiet),
        files: Arc::new(Quiet),
        scratch: tools.cache.clone(),
        tools: Arc::clone(tools),
    }
}

struct Quiet;

#[async_trait::async_trait]
impl Engine for Quiet {
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
    ProviderError::new(ErrorClass::Bug, "a version check has no step in the store")
}

impl Files for Quiet {
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
    FileError { path: path.to_owned(), reason: "a version check has no sources".to_owned(), absent: true }
}
