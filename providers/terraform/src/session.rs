//! One configured alias of the provider: which binary, which plugin cache.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{ErrorClass, Files, Private, Record, Value};
use windlass_provider::{
    ApplyFailure, Ask, Binary, Call, Observed, Probe, Proposed, ProviderError, Session, Toolbox, Versions,
    Work,
};

use crate::apply::{in_backend, inputs};
use crate::command::Mode;
use crate::job::{Job, read_kept};
use crate::place::StatePlace;
use crate::schema::Spec;
use crate::sources;
use crate::state_file;
use crate::tool::{self, Tool};
use crate::workdir::WorkDir;

/// One configured alias.
pub struct TerraformSession {
    binary: String,
    cache: PathBuf,
    tools: Arc<Toolbox>,
    versions: Versions,
}

impl TerraformSession {
    /// A session. Nothing is looked for yet.
    pub fn new(binary: String, cache: PathBuf, tools: Arc<Toolbox>) -> TerraformSession {
        TerraformSession { binary, cache, tools, versions: Versions::default() }
    }

    fn find(&self, desired: Option<&Value>) -> Result<Binary, ProviderError> {
        let text = |name: &str| desired.and_then(|desired| desired.get(name)).and_then(Value::as_str);
        tool::find(text("binary").unwrap_or(&self.binary), text("version"), &self.tools)
    }

    async fn job<'a>(
        &self,
        call: &'a Call,
        desired: &'a Value,
        prior: Option<&Record>,
    ) -> Result<Job<'a>, ProviderError> {
        let tool = Tool::of(self.find(Some(desired))?, &self.versions, &self.tools).await?;
        Job::open(call, desired, prior, tool, self.cache.clone()).await
    }
}

/// The result, and the work directory cleared whatever it is.
fn cleared<T>(job: &Job<'_>, result: Result<T, ProviderError>) -> Result<T, ProviderError> {
    match (result, job.clean()) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) => Err(error),
        (Err(error), _) => Err(error),
    }
}

#[async_trait]
impl Session for TerraformSession {
    async fn tool(&self) -> Result<String, ProviderError> {
        Ok(Tool::of(self.find(None)?, &self.versions, &self.tools).await?.text())
    }

    fn tool_identity(&self) -> String {
        self.find(None).map(|binary| binary.identity).unwrap_or_default()
    }

    async fn tool_for(&self, _kind: &str, desired: &Value) -> Result<String, ProviderError> {
        Ok(Tool::of(self.find(Some(desired))?, &self.versions, &self.tools).await?.text())
    }

    fn tool_identity_for(&self, _kind: &str, desired: &Value) -> String {
        self.find(Some(desired)).map(|binary| binary.identity).unwrap_or_default()
    }

    fn always_ask(&self, record: &Record) -> bool {
        in_backend(record)
    }

    fn sources(&self, _kind: &str, desired: &Value, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
        let spec = Spec::read(desired);
        match spec.source.is_empty() {
            true => Ok(Vec::new()),
            false => Ok(sources::scan(files, &spec.source, &spec.files)?.files),
        }
    }

    async fn read(&self, call: &Call, prior: &Record) -> Result<Option<Observed>, ProviderError> {
        let mut job = self.job(call, &prior.inputs.0, Some(prior)).await?;
        let seen = job.look(prior).await;
        cleared(&job, seen).map(Some)
    }

    async fn plan(&self, call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError> {
        let (desired, mode) = match (ask.desired, ask.prior) {
            (Some(desired), _) => (desired, Mode::Normal),
            (None, Some(prior)) => (&prior.inputs.0, Mode::Destroy),
            (None, None) => {
                return Err(ProviderError::new(ErrorClass::Bug, "nothing is wanted and nothing is there"));
            }
        };
        let mut job = self.job(call, desired, ask.prior).await?;
        if ask.prior.is_none() {
            refuse_unrecorded(&job)?;
        }
        let proposed = job.propose(&ask, mode).await;
        cleared(&job, proposed)
    }

    async fn discard(&self, call: &Call, _artefact: &Private) -> Result<(), ProviderError> {
        // The plan file is the store's; here only what a broken plan may have left is removed.
        WorkDir::new(&call.scratch, &sources::Root::default()).clean()
    }

    async fn apply(&self, call: &Call, work: Work<'_>) -> Result<Option<Observed>, Box<ApplyFailure>> {
        let desired = inputs(&work).map_err(ApplyFailure::untouched)?;
        let job = self.job(call, desired, work.prior).await;
        job.map_err(ApplyFailure::untouched)?.carry_out(&work).await
    }

    async fn probe(&self, call: &Call, work: Work<'_>) -> Result<Probe, ProviderError> {
        let job = self.job(call, inputs(&work)?, work.prior).await?;
        Ok(match job.found(&work).await? {
            None => Probe::NotBegun,
            Some(Ok(seen)) => Probe::Done(seen.map(Box::new)),
            Some(Err(failure)) => Probe::Failed(failure),
        })
    }

    async fn import(&self, call: &Call, id: &str, desired: &Value) -> Result<Observed, ProviderError> {
        let mut job = self.job(call, desired, None).await?;
        let seen = import(&mut job, id).await;
        cleared(&job, seen)
    }
}

/// Takes in a state file, or, for a root with its own backend, what is there.
async fn import(job: &mut Job<'_>, id: &str) -> Result<Observed, ProviderError> {
    if let StatePlace::Backend { kind, .. } = &job.place {
        let kind = kind.clone();
        job.prepare(None).await?;
        let state = job.pull().await?.ok_or_else(|| {
            ProviderError::new(ErrorClass::NotFound, format!("the root's {kind} backend holds no state yet"))
        })?;
        return job.observe(Some(&state), &[]).await;
    }
    let path = match job.call.files.checkout() {
        Some(checkout) => checkout.join(id),
        None => PathBuf::from(id),
    };
    let bytes = std::fs::read(&path).map_err(|e| {
        let class = match e.kind() {
            std::io::ErrorKind::NotFound => ErrorClass::NotFound,
            _ => ErrorClass::InvalidConfig,
        };
        ProviderError::new(class, format!("{id}: {e}")).hint("give the path of a terraform.tfstate file")
    })?;
    let state = read_kept(bytes.into(), job.call).map_err(|mut error| {
        error.class = ErrorClass::InvalidConfig;
        error.hint = Some("give the path of a terraform.tfstate file".to_owned());
        error
    })?;
    job.observe(Some(&state), &[]).await
}

/// A state that lies in the checkout and that no record knows: nothing is planned as all new over it (rule S5).
fn refuse_unrecorded(job: &Job<'_>) -> Result<(), ProviderError> {
    let (StatePlace::Record(path), Some(checkout)) = (&job.place, job.call.files.checkout()) else {
        return Ok(());
    };
    let beside = Path::new(&job.spec.source).join(path);
    match std::fs::read(checkout.join(&beside)) {
        Ok(bytes) if state_file::parse(&bytes).is_ok_and(|state| state.is_empty()) => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        // One that is there and cannot be read is no less there.
        Ok(_) | Err(_) => {}
    }
    let beside = beside.display().to_string();
    let beside = beside.strip_prefix("./").unwrap_or(&beside);
    let message = format!("a state lies at `{beside}` that {} does not know of", job.call.address);
    Err(ProviderError::new(ErrorClass::Conflict, message)
        .hint(format!(
            "take it in: windlass state import {} {beside}",
            shell_word(&job.call.address.to_string())
        ))
        .at("source"))
}

/// The address as it is typed: a key in quotes needs quotes around.
fn shell_word(address: &str) -> String {
    if address.contains('"') { format!("'{address}'") } else { address.to_owned() }
}
