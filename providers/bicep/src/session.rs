//! One configured alias of the provider: which `az`, which subscription.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use windlass_model::{ErrorClass, Files, Op, Private, Record, Value};
use windlass_provider::{
    ApplyFailure, Ask, Binary, Call, Exit, Observed, Probe, Proposed, ProviderError, Session, Toolbox,
    VersionQuestion, Versions, Work,
};

use crate::job::Job;
use crate::spec::Spec;
use crate::{command, compile, destroy};

/// What a provider block says.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `az`, or a path.
    pub binary: String,
    /// The compiler's path.
    pub bicep: Option<String>,
    /// Id or name.
    pub subscription: Option<String>,
    /// As az names it.
    pub cloud: Option<String>,
}

impl Config {
    /// Looks for `az`.
    ///
    /// # Errors
    /// `tool_missing`.
    pub fn az(&self, tools: &Toolbox) -> Result<Binary, ProviderError> {
        Binary::find(&self.binary, &command::get_it(), tools)
    }
}

/// One configured alias.
pub struct BicepSession {
    /// What the block says.
    pub config: Config,
    tools: Arc<Toolbox>,
    versions: Versions,
    /// The cloud has no what-if of stacks: not asked for again.
    pub no_stack_what_if: AtomicBool,
}

impl BicepSession {
    /// A session. Nothing is looked for yet.
    pub fn new(config: Config, tools: Arc<Toolbox>) -> BicepSession {
        BicepSession {
            config,
            tools,
            versions: Versions::default(),
            no_stack_what_if: AtomicBool::new(false),
        }
    }

    /// A call on a deployment.
    ///
    /// # Errors
    /// As [`Job::open`].
    pub fn job<'a>(
        &self,
        call: &'a Call,
        desired: &'a Value,
        pinned: Option<&Record>,
    ) -> Result<Job<'a>, ProviderError> {
        Job::open(call, desired, &self.config, pinned)
    }
}

/// The result, and the files for az removed whatever it is.
pub fn cleared<T>(job: &Job<'_>, result: Result<T, ProviderError>) -> Result<T, ProviderError> {
    match (result, job.dir.remove()) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) | (Err(error), _) => Err(error),
    }
}

/// The inputs that a step is about: of a delete those of the record.
pub fn inputs<'a>(work: &Work<'a>) -> Result<&'a Value, ProviderError> {
    match (work.op, work.prior) {
        (Op::Delete, Some(prior)) => Ok(&prior.inputs.0),
        (Op::Delete, None) => Err(ProviderError::new(ErrorClass::Bug, "a delete without a record")),
        _ => Ok(work.desired),
    }
}

fn read_version(exit: &Exit) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&exit.stdout).ok()?;
    let version = json.get("azure-cli")?.as_str()?;
    exit.success().then(|| version.to_owned())
}

#[async_trait]
impl Session for BicepSession {
    async fn tool(&self) -> Result<String, ProviderError> {
        let az = self.config.az(&self.tools)?;
        let question = VersionQuestion {
            args: command::version(),
            env: command::environment(windlass_provider::inherit(&self.tools.env), None),
            get_it: command::get_it(),
            read: read_version,
        };
        Ok(format!("az {}", self.versions.of(&az, &self.tools, &question).await?))
    }

    fn tool_identity(&self) -> String {
        self.config.az(&self.tools).map(|az| az.identity).unwrap_or_default()
    }

    fn tool_identity_for(&self, _kind: &str, desired: &Value) -> String {
        let compiler = compile::identity(&Spec::read(desired), self.config.bicep.as_deref(), &self.tools);
        [self.tool_identity(), compiler].join("\n").trim_end().to_owned()
    }

    async fn account(&self) -> Result<Option<String>, ProviderError> {
        self.account_for("", &Value::NULL).await
    }

    async fn account_for(&self, _kind: &str, desired: &Value) -> Result<Option<String>, ProviderError> {
        if ["subscription", "cloud"].iter().any(|name| desired.get(name).is_some_and(Value::is_unknown)) {
            return Ok(None);
        }
        let one = self.config.subscription(&Spec::read(desired), &self.tools.env)?;
        Ok(Some(format!("azure {} {}", one.tenant_id, one.id)))
    }

    fn sources(&self, _kind: &str, desired: &Value, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
        compile::sources_of(&Spec::read(desired), files)
    }

    async fn read(&self, call: &Call, prior: &Record) -> Result<Option<Observed>, ProviderError> {
        let job = self.job(call, &prior.inputs.0, Some(prior))?;
        let seen = self.look(&job, prior).await;
        cleared(&job, seen)
    }

    async fn plan(&self, call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError> {
        let Some(desired) = ask.desired else {
            let prior = ask.prior.ok_or_else(|| {
                ProviderError::new(ErrorClass::Bug, "nothing is wanted and nothing is there")
            })?;
            let job = self.job(call, &prior.inputs.0, Some(prior))?;
            let proposed = destroy::propose(&job, prior, ask.refresh).await;
            return cleared(&job, proposed);
        };
        self.propose(call, desired, &ask).await
    }

    async fn apply(&self, call: &Call, work: Work<'_>) -> Result<Option<Observed>, Box<ApplyFailure>> {
        let desired = inputs(&work).map_err(ApplyFailure::untouched)?;
        let pinned = work.prior.filter(|_| work.op == Op::Delete);
        let job = self.job(call, desired, pinned).map_err(ApplyFailure::untouched)?;
        job.carry_out(&work).await
    }

    async fn probe(&self, call: &Call, work: Work<'_>) -> Result<Probe, ProviderError> {
        let pinned = work.prior.filter(|_| work.op == Op::Delete);
        let job = self.job(call, inputs(&work)?, pinned)?;
        let probed = job.probe(&work).await;
        cleared(&job, probed)
    }

    async fn import(&self, call: &Call, id: &str, desired: &Value) -> Result<Observed, ProviderError> {
        let job = self.job(call, desired, None)?;
        let seen = job.take_in(id, self.config.bicep.as_deref()).await;
        cleared(&job, seen)
    }

    async fn discard(&self, _call: &Call, _artefact: &Private) -> Result<(), ProviderError> {
        // What-if leaves nothing but its result, which Azure drops after a day.
        Ok(())
    }
}
