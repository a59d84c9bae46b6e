//! Running `aws` for one call: aimed at a place, its answer read, its failure classified.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::sync::Semaphore;
use windlass_model::{Digest, ErrorClass, Private, StepEvent};
use windlass_provider::{
    Attached, Binary, Call, Command, Engine, Exit, ProviderError, Toolbox, VersionQuestion, Versions,
};

use crate::answers::Identity;
use crate::command::{self, GET_IT};
use crate::describe::Describes;
use crate::errors::{self, Said};
use crate::place::{Aim, Place};

/// No call takes longer, whatever it waits for: `aws` gives up on an answer after a minute, and tries again.
const LONGEST_CALL: Duration = Duration::from_secs(10 * 60);
/// So many processes may ask how far an operation is at the same time: each costs half a second of a core.
const POLLS: usize = 4;

/// What all calls of a session share.
pub struct Shared {
    /// `aws`, or a path.
    pub binary: String,
    /// Where the provider block aims.
    pub aim: Aim,
    /// Tools.
    pub tools: Arc<Toolbox>,
    /// Versions of binaries.
    pub versions: Versions,
    /// Descriptions of stacks.
    pub describes: Describes,
    /// Room for polls.
    pub polls: Semaphore,
}

impl Shared {
    /// Nothing is looked for yet.
    pub fn new(binary: String, aim: Aim, tools: Arc<Toolbox>) -> Shared {
        let (versions, describes) = (Versions::default(), Describes::default());
        Shared { binary, aim, tools, versions, describes, polls: Semaphore::new(POLLS) }
    }

    /// The binary. It is started by the name it was given: shims look at the name they are called by.
    ///
    /// # Errors
    /// `tool_missing`.
    pub fn find(&self) -> Result<Binary, ProviderError> {
        let mut binary = Binary::find(&self.binary, GET_IT, &self.tools)?;
        if !self.binary.contains('/') || self.binary.starts_with('/') {
            binary.path = PathBuf::from(&self.binary);
        }
        Ok(binary)
    }

    /// `aws-cli 2.15.30`
    ///
    /// # Errors
    /// Where it does not answer as `aws` does.
    pub async fn tool(&self) -> Result<String, ProviderError> {
        let question = VersionQuestion {
            args: vec!["--version".to_owned()],
            env: command::environment(windlass_provider::inherit(&self.tools.env)),
            get_it: GET_IT.to_owned(),
            read: read_version,
        };
        let version = self.versions.of(&self.find()?, &self.tools, &question).await?;
        Ok(format!("aws-cli {version}"))
    }
}

/// `aws-cli/2.15.30 Python/3.11.8 …`
fn read_version(exit: &Exit) -> Option<String> {
    let all = [exit.stdout.as_slice(), exit.output.as_slice()].concat();
    let text = String::from_utf8_lossy(&all);
    let version = text.split_once("aws-cli/")?.1.split_whitespace().next()?;
    exit.success().then(|| version.to_owned())
}

/// A failed call: the error for the user, and what it was told for those who know what to do about it.
#[derive(Debug)]
pub struct Failed {
    /// For the user.
    pub error: ProviderError,
    /// What `aws` said; `None`: it was not run to its end.
    pub said: Option<Box<Said>>,
}

impl Failed {
    /// Whether it was told that the thing is not there.
    pub fn is_gone(&self) -> bool {
        self.said.as_deref().is_some_and(Said::is_gone)
    }

    /// Whether it was told this code.
    pub fn is(&self, code: &str) -> bool {
        self.said.as_ref().is_some_and(|said| said.is(code))
    }

    /// Whether the service answered, and refused: then it did nothing.
    pub fn is_refusal(&self) -> bool {
        self.said.as_ref().is_some_and(|said| said.code.is_some())
            && !matches!(self.error.class, ErrorClass::Unavailable)
    }

    /// Whether the service cannot do this at all.
    pub fn is_not_implemented(&self) -> bool {
        self.said.as_deref().is_some_and(Said::is_not_implemented)
    }

    /// Whether trying again may help.
    pub fn is_temporary(&self) -> bool {
        matches!(self.error.class, ErrorClass::RateLimited | ErrorClass::Unavailable | ErrorClass::Timeout)
    }
}

impl From<ProviderError> for Failed {
    fn from(error: ProviderError) -> Failed {
        Failed { error, said: None }
    }
}

impl From<Failed> for ProviderError {
    fn from(failed: Failed) -> ProviderError {
        failed.error
    }
}

/// `aws`, aimed.
pub struct Aws<'a> {
    /// The call.
    pub call: &'a Call,
    /// The session's.
    pub shared: &'a Shared,
    /// Where.
    pub place: Place,
}

impl<'a> Aws<'a> {
    /// For a call.
    pub fn new(call: &'a Call, shared: &'a Shared, place: Place) -> Aws<'a> {
        Aws { call, shared, place }
    }

    fn command(&self, label: &str, args: Vec<String>) -> Result<Command, ProviderError> {
        let binary = self.shared.find()?;
        make_private_dir(&self.call.scratch)?;
        Ok(Command {
            program: binary.path.display().to_string(),
            args: command::aimed(args, &self.place),
            env: command::environment(windlass_provider::inherit(&self.call.tools.env)),
            dir: self.call.scratch.clone(),
            label: label.to_owned(),
            timeout: Some(LONGEST_CALL),
            stdout_is_data: true,
            get_it: GET_IT.to_owned(),
            ..Command::default()
        })
    }

    /// The call without what `aws` says on the way: that is part of its answer.
    fn quiet(&self) -> Call {
        Call { engine: Arc::new(Quiet(self.call.engine.clone())), ..self.call.clone() }
    }

    /// Asks something.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn ask<T: DeserializeOwned>(&self, what: &str, args: Vec<String>) -> Result<T, Failed> {
        let label = args.get(1).cloned().unwrap_or_default();
        let command = self.command(&label, args)?;
        let exit = self.call.tools.runner.run(&self.quiet(), &command).await?;
        self.answer(what, &exit)
    }

    /// Asks how far something is, when there is room for it.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn poll<T: DeserializeOwned>(&self, what: &str, args: Vec<String>) -> Result<T, Failed> {
        let _room = self.shared.polls.acquire().await;
        self.ask(what, args).await
    }

    /// Does something: under the supervisor.
    ///
    /// # Errors
    /// What `aws` says; without words of its own where nobody knows whether it was run.
    pub async fn act<T: DeserializeOwned>(
        &self,
        what: &str,
        label: &str,
        args: Vec<String>,
    ) -> Result<T, Failed> {
        let command = Command { supervised: true, ..self.command(label, args)? };
        let exit = self.call.tools.runner.run(&self.quiet(), &command).await?;
        self.answer(what, &exit)
    }

    /// What became of something that an engine which died did.
    ///
    /// # Errors
    /// Where nobody can tell.
    pub async fn attach(&self, label: &str) -> Result<Attached, ProviderError> {
        self.call.tools.runner.attach(&self.quiet(), label).await
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// What `aws` says, or that it is no JSON.
    pub fn answer<T: DeserializeOwned>(&self, what: &str, exit: &Exit) -> Result<T, Failed> {
        let redact = &self.call.tools.redact;
        if !exit.success() {
            let error = errors::error(what, exit, redact);
            return Err(Failed { error, said: Some(Box::new(Said::of(exit))) });
        }
        let text = if exit.stdout.iter().all(u8::is_ascii_whitespace) { b"null" } else { &exit.stdout[..] };
        serde_json::from_slice(text).map_err(|error| {
            let start: String = String::from_utf8_lossy(&exit.stdout).chars().take(120).collect();
            let message =
                redact.redact(&format!("{what}: `aws` printed something else than JSON: {error}: {start}"));
            let hint = format!("is `{}` really the AWS command line?", self.shared.binary);
            ProviderError::new(ErrorClass::ToolMissing, message).hint(hint).into()
        })
    }

    /// The account: asked once in a process for a profile and an endpoint.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn account(&self) -> Result<String, ProviderError> {
        let Place { profile, endpoint, .. } = &self.place;
        let question = format!("aws account of {profile:?} at {endpoint:?} by {}", self.shared.binary);
        let find = async {
            let args = vec!["sts".to_owned(), "get-caller-identity".to_owned()];
            let identity: Identity = self.ask("who is logged in", args).await?;
            Ok(identity.account)
        };
        self.call.tools.known.once(&question, find).await
    }

    /// Says how far it is.
    pub fn progress(&self, words: &str) {
        self.call.engine.say(StepEvent::Progress(self.call.tools.redact.redact(words)));
    }

    /// Says what happened.
    pub fn log(&self, words: &str) {
        self.call.engine.say(StepEvent::Log(self.call.tools.redact.redact(words)));
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> ProviderError {
    ProviderError::new(ErrorClass::Unknown, format!("cannot write {}: {error}", path.display()))
}

fn make_private_dir(dir: &Path) -> Result<(), ProviderError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| unwritable(dir, &error))
}

/// A file of a request, for its owner only; removed when it is not needed any more.
pub struct RequestFile(PathBuf);

impl RequestFile {
    /// Writes one into a call's work directory.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(call: &Call, name: &str, text: &str) -> Result<RequestFile, ProviderError> {
        make_private_dir(&call.scratch)?;
        let unique = Digest::of(call.token.0.as_bytes()).short();
        let path = call.scratch.join(format!("{name}-{unique}"));
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
        let file = RequestFile(path);
        written.map_err(|error| unwritable(&file.0, &error))?;
        Ok(file)
    }

    /// Its name, relative to where commands run.
    pub fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for RequestFile {
    fn drop(&mut self) {
        // What cannot be removed is for its owner only, and is written over by the next.
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes what requests of an engine that died may have left.
pub fn clean(call: &Call) {
    let Ok(entries) = fs::read_dir(&call.scratch) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with("request-") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// No answer is expected.
pub type Nothing = Json;

/// The engine, but for what is said.
struct Quiet(Arc<dyn Engine>);

#[async_trait]
impl Engine for Quiet {
    fn say(&self, _event: StepEvent) {}

    async fn note(&self, private: &Private) -> Result<(), ProviderError> {
        self.0.note(private).await
    }

    async fn keep(&self, content: &[u8]) -> Result<Digest, ProviderError> {
        self.0.keep(content).await
    }

    async fn fetch(&self, blob: &Digest) -> Result<Arc<[u8]>, ProviderError> {
        self.0.fetch(blob).await
    }
}
