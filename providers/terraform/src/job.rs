//! One call on one root: its inputs, files, tool, state, and work directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use windlass_model::{AttrPath, ErrorClass, Private, Record, StepEvent, Value};
use windlass_provider::{Call, Command, Engine, Exit, ProviderError};

use crate::command::{self, Settings, Surroundings};
use crate::events;
use crate::json;
use crate::place::{self, StatePlace};
use crate::schema::Spec;
use crate::sources::{self, Root};
use crate::state_file::{self, StateFile};
use crate::tool::{self, Tool};
use crate::workdir::WorkDir;

/// The names of blobs.
pub const TFSTATE: &str = "tfstate";
/// The saved plan.
pub const TFPLAN: &str = "tfplan";
/// The provider lock file, where it is not the snapshot's.
pub const LOCK: &str = "lock";

const VAR_FILE: &str = "variables.tfvars.json";

/// A state file's bytes and what they say.
pub struct Kept {
    /// As terraform wrote it.
    pub bytes: Arc<[u8]>,
    /// Read.
    pub file: StateFile,
}

/// One call on one root.
pub struct Job<'a> {
    /// The call.
    pub call: &'a Call,
    /// The inputs.
    pub desired: &'a Value,
    /// The inputs as plain data.
    pub spec: Spec,
    /// The files.
    pub root: Root,
    /// The tool.
    pub tool: Tool,
    /// Where the state is.
    pub place: StatePlace,
    /// The state that the record holds.
    pub state: Option<Kept>,
    /// Where terraform runs.
    pub dir: WorkDir,
    /// The shared plugin cache.
    pub cache: PathBuf,
    /// What of the inputs is secret.
    pub secrets: Vec<String>,
}

impl<'a> Job<'a> {
    /// Reads all that is needed before anything is started or written.
    ///
    /// # Errors
    /// Where sources, inputs, tool or recorded state are not as they should be.
    pub async fn open(
        call: &'a Call,
        desired: &'a Value,
        prior: Option<&Record>,
        tool: Tool,
        cache: PathBuf,
    ) -> Result<Job<'a>, ProviderError> {
        let spec = Spec::read(desired);
        tool::check_version(&tool, spec.version.as_deref())?;
        let mut root = sources::scan(&*call.files, &spec.source, &spec.files)?;
        let place = place::of(&root, &spec)?;
        if let StatePlace::Record(path) = &place {
            // A state that lies in the checkout under a name of its own is no source.
            let path = sources::join(&root.dir, path).unwrap_or_default();
            root.files.retain(|file| *file != path);
        }
        check_variables(&spec, &root)?;
        let mut secrets = Vec::new();
        state_file::secrets(desired, &mut secrets);
        for secret in &secrets {
            call.tools.redact.add(secret);
        }
        let state = match (&place, prior.and_then(|prior| prior.private.blobs.get(TFSTATE))) {
            (StatePlace::Record(_), Some(blob)) => Some(read_kept(call.engine.fetch(blob).await?, call)?),
            _ => None,
        };
        let dir = WorkDir::new(&call.scratch, &root);
        Ok(Job { call, desired, spec, root, tool, place, state, dir, cache, secrets })
    }

    /// Lays out sources and state and runs `init` where needed. `lock`: see [`Job::init`].
    ///
    /// # Errors
    /// Where files cannot be written or `init` fails.
    pub async fn prepare(&mut self, lock: Option<&[u8]>) -> Result<(), ProviderError> {
        self.dir.lay_out(&self.root, &*self.call.files)?;
        // A declared local backend would be offered the state that lies there for migration: it comes after `init`.
        let late = self.root.backend.is_some();
        if !late {
            self.lay_out_state()?;
        }
        self.init(lock).await?;
        if late { self.lay_out_state() } else { Ok(()) }
    }

    fn lay_out_state(&self) -> Result<(), ProviderError> {
        let StatePlace::Record(path) = &self.place else { return Ok(()) };
        match &self.state {
            Some(state) => self.dir.write_root(path, &state.bytes),
            // A workspace is there when its directory is.
            None if self.spec.workspace.is_some() => {
                self.dir.write_root(&path.replace("/terraform.tfstate", "/.tfstate.keep"), b"")
            }
            None => Ok(()),
        }
    }

    /// The lock file that the record remembers, where the snapshot has none.
    ///
    /// # Errors
    /// Where the store does not have it.
    pub async fn recorded_lock(&self, prior: Option<&Record>) -> Result<Option<Arc<[u8]>>, ProviderError> {
        let in_snapshot = self.root.files.contains(&self.root.path(".terraform.lock.hcl"));
        match prior.and_then(|prior| prior.private.blobs.get(LOCK)) {
            Some(blob) if !in_snapshot => self.call.engine.fetch(blob).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Writes the variables where terraform reads them, for the time of `run`.
    ///
    /// # Errors
    /// Where one is unknown, or the file cannot be written.
    pub fn write_variables(&self) -> Result<Option<String>, ProviderError> {
        let Some(variables) = &self.spec.variables else { return Ok(None) };
        let text = json::write(variables).ok_or_else(|| {
            ProviderError::new(ErrorClass::Bug, "a variable is not known yet").at("variables")
        })?;
        self.dir.write_run(VAR_FILE, text.as_bytes()).map(Some)
    }

    /// Removes the variables.
    pub fn remove_variables(&self) {
        self.dir.remove_run(VAR_FILE);
    }

    /// How this root's plan and apply are run.
    pub fn settings(&self, var_file: Option<String>) -> Settings {
        let own_copy = matches!(self.place, StatePlace::Record(_));
        Settings { var_file, parallelism: self.spec.parallelism, own_copy }
    }

    fn command(&self, label: &str, args: Vec<String>) -> Command {
        let inherited = windlass_provider::inherit(&self.call.tools.env);
        let cache = self.cache.display().to_string();
        // The user's own cache, where the environment names one.
        let plugin_cache = (!inherited.contains_key("TF_PLUGIN_CACHE_DIR")).then_some(cache.as_str());
        let ours = Surroundings {
            data_dir: &self.dir.data_dir(),
            plugin_cache: plugin_cache.filter(|_| self.cache.is_dir()),
            workspace: self.spec.workspace.as_deref(),
        };
        Command {
            program: self.tool.binary.path.display().to_string(),
            args,
            env: command::environment(inherited, &ours, &self.spec.env),
            dir: self.dir.root.clone(),
            label: label.to_owned(),
            get_it: command::get_it(&self.tool.binary.name, self.spec.version.as_deref()),
            ..Command::default()
        }
    }

    /// Runs a command that changes nothing outside; people do not see what it prints.
    ///
    /// # Errors
    /// Where it could not be run.
    pub async fn quiet(&self, label: &str, args: Vec<String>) -> Result<Exit, ProviderError> {
        let command = Command { stdout_is_data: true, ..self.command(label, args) };
        let call = Call { engine: self.listener(false), ..self.call.clone() };
        self.call.tools.runner.run(&call, &command).await
    }

    /// Runs a command that changes something outside, under the supervisor; its events are told as they come.
    ///
    /// # Errors
    /// Where it could not be run, or how it ended is not known.
    pub async fn supervised(&self, label: &str, args: Vec<String>) -> Result<Exit, ProviderError> {
        let command = Command { supervised: true, ..self.command(label, args) };
        self.call.tools.runner.run(&self.listening(), &command).await
    }

    /// The call with an engine that gets terraform's events as words.
    pub fn listening(&self) -> Call {
        Call { engine: self.listener(true), ..self.call.clone() }
    }

    fn listener(&self, tells: bool) -> Arc<dyn Engine> {
        Arc::new(Listener { engine: Arc::clone(&self.call.engine), tells })
    }

    /// `terraform plan`, for errors.
    pub fn command_text(&self, command: &str) -> String {
        format!("{} {command}", self.tool.word())
    }

    /// The error of a command that was ended by somebody else; `None`: it ended by itself.
    pub fn ended_early(&self, exit: &Exit, command: &str) -> Option<ProviderError> {
        let (class, why) = match exit {
            Exit { timed_out: true, .. } => (ErrorClass::Timeout, "took too long and was ended"),
            Exit { interrupted: true, .. } => (ErrorClass::Cancelled, "was interrupted"),
            _ => return None,
        };
        Some(ProviderError::new(class, format!("`{command}` {why}")))
    }

    /// The state of the root's own backend, as the tool gives it; `None`: there is none yet.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub async fn pull(&self) -> Result<Option<Kept>, ProviderError> {
        let exit = self.quiet("pull", command::pull()).await?;
        let command = self.command_text("state pull");
        if let Some(error) = self.ended_early(&exit, &command) {
            return Err(error);
        }
        if !exit.success() {
            let text = String::from_utf8_lossy(&exit.output);
            let errors = crate::errors::from_text(&text);
            let failed = crate::errors::Failed {
                command: &command,
                errors: &errors,
                rest: &text,
                ended: &how(&exit),
                root: &self.root.dir,
            };
            return Err(failed.error(&self.call.tools.redact));
        }
        match exit.stdout.iter().all(u8::is_ascii_whitespace) {
            true => Ok(None),
            false => read_kept(exit.stdout.into(), self.call).map(Some),
        }
    }

    /// Removes what lies in the work directory.
    ///
    /// # Errors
    /// Where something stays that may hold secrets.
    pub fn clean(&self) -> Result<(), ProviderError> {
        self.forget_secrets()?;
        self.dir.clean()
    }

    /// The value of the resource: inputs, outputs, resources.
    pub fn value(&self, outputs: Value, resources: Value) -> Value {
        let computed = ["outputs", "resources"];
        let inputs = self.desired.entries().unwrap_or_default().iter();
        let inputs = inputs.filter(|(name, _)| !computed.contains(&&**name)).cloned();
        let computed = [("outputs", outputs), ("resources", resources)];
        Value::object(inputs.chain(computed.map(|(name, value)| (Arc::from(name), value))))
    }

    /// What the record keeps for this provider.
    pub fn private(&self, state: Option<&StateFile>) -> Private {
        let mut data = serde_json::Map::new();
        data.insert("tool".to_owned(), self.tool.text().into());
        if let StatePlace::Backend { kind, .. } = &self.place {
            data.insert("backend".to_owned(), kind.clone().into());
        }
        if let Some(state) = state {
            data.insert("serial".to_owned(), state.serial.into());
            data.insert("lineage".to_owned(), state.lineage.clone().into());
            data.insert("terraform_version".to_owned(), state.terraform_version.clone().into());
        }
        Private { version: 1, data: data.into(), blobs: BTreeMap::new() }
    }
}

/// Reads a state and takes note of its secrets.
///
/// # Errors
/// Where it is none.
pub fn read_kept(bytes: Arc<[u8]>, call: &Call) -> Result<Kept, ProviderError> {
    let broken = |why: String| {
        let message = format!("the state of {} cannot be read: {why}", call.address);
        ProviderError::new(ErrorClass::Conflict, message)
    };
    let file = state_file::parse(&bytes).map_err(broken)?;
    let mut secrets = Vec::new();
    state_file::secrets(&file.outputs().map_err(broken)?, &mut secrets);
    for secret in &secrets {
        call.tools.redact.add(secret);
    }
    Ok(Kept { bytes, file })
}

/// How a command ended, in words.
pub fn how(exit: &Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "how it ended is not known".to_owned(),
    }
}

fn check_variables(spec: &Spec, root: &Root) -> Result<(), ProviderError> {
    if root.external.contains("(not parsed)") {
        return Ok(());
    }
    let given = spec.variables.as_ref().and_then(Value::entries).unwrap_or_default();
    let unknown = given.iter().map(|(name, _)| name).find(|name| !root.variables.contains(&***name));
    let Some(name) = unknown else { return Ok(()) };
    let error = ProviderError::new(
        ErrorClass::InvalidConfig,
        format!("the root `{}` declares no variable `{name}`", root.dir),
    );
    let near = root.variables.iter().filter(|other| strsim::jaro_winkler(other, name) > 0.8);
    let near = near.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let all: Vec<&str> = root.variables.iter().map(String::as_str).collect();
    let error = match (near, all.is_empty()) {
        (Some(near), _) => error.hint(format!("did you mean `{near}`?")),
        (None, true) => error.hint("it declares none"),
        (None, false) => error.hint(format!("it declares {}", all.join(", "))),
    };
    Err(error.at(AttrPath::from("variables").name(name.clone())))
}

/// Passes terraform's events on as words, or nothing at all.
struct Listener {
    engine: Arc<dyn Engine>,
    tells: bool,
}

#[async_trait::async_trait]
impl Engine for Listener {
    fn say(&self, event: StepEvent) {
        let event = match event {
            StepEvent::Log(line) => events::tell(&line),
            progress @ StepEvent::Progress(_) => Some(progress),
        };
        if let Some(event) = event.filter(|_| self.tells) {
            self.engine.say(event);
        }
    }

    async fn note(&self, private: &Private) -> Result<(), ProviderError> {
        self.engine.note(private).await
    }

    async fn keep(&self, content: &[u8]) -> Result<windlass_model::Digest, ProviderError> {
        self.engine.keep(content).await
    }

    async fn fetch(&self, blob: &windlass_model::Digest) -> Result<Arc<[u8]>, ProviderError> {
        self.engine.fetch(blob).await
    }
}
