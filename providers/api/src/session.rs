//! The traits that a provider implements, and what goes in and out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use windlass_model::{
    Address, AttrPath, Digest, Files, Finding, Host, Nested, NestedChange, Op, Private, ProviderSchema,
    Record, RunId, StepEvent, Token, Value,
};

use crate::error::{ApplyFailure, KnownError, ProviderError};
use crate::known::Known;
use crate::redact::Redactor;
use crate::runner::Runner;
use crate::stop::Stop;

/// The static side: no tool, no credentials, no network.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What its blocks look like.
    fn schema(&self) -> &ProviderSchema;

    /// What the schema cannot say about a desired value. It may be unknown in part.
    fn check(&self, kind: &str, desired: &Value) -> Vec<Finding>;

    /// Opens one configured alias. `config` is the decoded provider block (an object, whole known). Cheap: a tool is only
    /// looked for when it is needed.
    async fn open(&self, config: &Value, tools: Arc<Toolbox>) -> Result<Arc<dyn Session>, ProviderError>;

    /// What its tools say when something goes wrong, and what that means: for the documentation.
    fn errors(&self) -> &'static [KnownError] {
        &[]
    }

    /// Brings a record of an older schema version to today's.
    fn upgrade(&self, record: Record) -> Result<Record, ProviderError> {
        Ok(record)
    }
}

/// One configured alias of a provider.
#[async_trait]
pub trait Session: Send + Sync {
    /// The tool that acts and its version, `terraform 1.11.4`; empty where no tool runs. May start the tool once.
    async fn tool(&self) -> Result<String, ProviderError>;

    /// What identifies the tool without starting it (resolved path, size, mtime): part of a fingerprint. Empty if no tool.
    fn tool_identity(&self) -> String {
        String::new()
    }

    /// As [`tool`](Session::tool), for a resource that may name a tool of its own.
    async fn tool_for(&self, kind: &str, desired: &Value) -> Result<String, ProviderError> {
        let _ = (kind, desired);
        self.tool().await
    }

    /// As [`tool_identity`](Session::tool_identity), for a resource that may name a tool of its own.
    fn tool_identity_for(&self, kind: &str, desired: &Value) -> String {
        let _ = (kind, desired);
        self.tool_identity()
    }

    /// Whether the real thing is asked at every plan, as others change it too: a root with its own backend (rule P3).
    fn always_ask(&self, record: &Record) -> bool {
        let _ = record;
        false
    }

    /// The account it acts in, `None` where there is no such thing.
    async fn account(&self) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    /// As [`account`](Session::account), for a resource that may name a region, a profile or a subscription of its own.
    async fn account_for(&self, kind: &str, desired: &Value) -> Result<Option<String>, ProviderError> {
        let _ = (kind, desired);
        self.account().await
    }

    /// Whether asking can tell if the thing of this record exists. Where it cannot, a step in doubt stays in doubt until
    /// the user says how it is.
    fn can_tell(&self, record: &Record) -> bool {
        let _ = record;
        true
    }

    /// The source files that a resource is made of, for snapshot and fingerprint: snapshot-relative paths, sorted.
    /// Only known parts of `desired` count.
    fn sources(&self, kind: &str, desired: &Value, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
        let _ = (kind, desired, files);
        Ok(Vec::new())
    }

    /// The real thing as it is now; `None`: gone. For drift, and for providers whose `plan` does not read.
    async fn read(&self, call: &Call, prior: &Record) -> Result<Option<Observed>, ProviderError>;

    /// What would have to be done. Called during apply too, for deferred steps.
    async fn plan(&self, call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError>;

    /// Throws away what a plan that will not be applied made outside: its artefact, or what it noted before it made anything
    /// (see [`Engine::note`]). Nobody may know whether that was made; that it is gone already is no error.
    async fn discard(&self, call: &Call, artefact: &Private) -> Result<(), ProviderError> {
        let _ = (call, artefact);
        Ok(())
    }

    /// Does a step: exactly what was planned. `None` after a delete.
    async fn apply(&self, call: &Call, work: Work<'_>) -> Result<Option<Observed>, Box<ApplyFailure>>;

    /// Whether a step whose outcome is not known was done. First attaches to a process that may still run.
    async fn probe(&self, call: &Call, work: Work<'_>) -> Result<Probe, ProviderError>;

    /// Takes in something that exists.
    async fn import(&self, call: &Call, id: &str, desired: &Value) -> Result<Observed, ProviderError>;
}

/// A question to `plan`.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// What state knows.
    pub prior: Option<&'a Record>,
    /// What is wanted, unknown in part where the schema says `plan_unknown`; `None`: it is to be deleted.
    pub desired: Option<&'a Value>,
    /// Whether to look at the real thing (else only at the record).
    pub refresh: bool,
    /// It will be deleted and made anew whatever the answer is (`--replace`, tainted): answer what it will be as for a
    /// create, without minding that the old one is still there.
    pub replace: bool,
}

/// A step to do.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// What.
    pub op: Op,
    /// What state knows.
    pub prior: Option<&'a Record>,
    /// What is wanted; known whole. Null for a delete.
    pub desired: &'a Value,
    /// What it will be, as planned.
    pub planned: &'a Value,
    /// The tool's own plan.
    pub artefact: Option<&'a Private>,
    /// Checkpoints of an earlier try or of a run that died. Not empty: go on, start nothing twice.
    pub noted: &'a [Private],
}

/// The answer of `plan`.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// What is to be done.
    pub verdict: Verdict,
    /// What it will be, unknown in part. Of `Same`: what it is.
    pub planned: Value,
    /// Which attributes make it a change, or a replacement.
    pub why: Vec<AttrPath>,
    /// What the tool does inside. Of `Deferred`: what is certain of it.
    pub nested: Vec<NestedChange>,
    /// The tool's own plan.
    pub artefact: Option<Private>,
    /// The real thing where it differs from the record: drift.
    pub drift: Option<Drift>,
    /// The real place it ends in (rule P8): the same text for the same place, in whatever stack or environment.
    pub place: Option<String>,
    /// What the user should know.
    pub warnings: Vec<Finding>,
    /// What an unready tool plan waits for (verdict `Deferred`).
    pub waits_for: Vec<String>,
}

/// What was seen to differ from the record.
#[derive(Clone, Debug)]
pub enum Drift {
    /// It is gone.
    Gone,
    /// It is like this.
    Changed(Observed),
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing.
    Same,
    /// Create it if there is no prior, else update it.
    Change,
    /// Delete and create.
    Replace,
    /// The tool cannot plan it yet.
    Deferred,
}

/// The real thing.
#[derive(Clone, Debug)]
pub struct Observed {
    /// All attributes, computed ones included.
    pub value: Value,
    /// The provider's own.
    pub private: Private,
    /// What the tool manages inside.
    pub nested: Vec<Nested>,
}

/// The answer of `probe`.
#[derive(Clone, Debug)]
pub enum Probe {
    /// It was done; `None` after a delete.
    Done(Option<Box<Observed>>),
    /// It never began, or was undone: it can be done now.
    NotBegun,
    /// It was done in part; it is like this now.
    Partial(Box<Observed>, Box<ProviderError>),
    /// It failed, and left this.
    Failed(Box<ApplyFailure>),
    /// Nobody can tell; what to look at.
    Unknown {
        /// For the user.
        look_at: String,
    },
}

/// Who owns what a step makes (rule T8): goes into tags, labels, metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The store's id.
    pub store: String,
    /// The stack's name.
    pub stack: String,
    /// The environment's name.
    pub environment: String,
}

/// One call of a provider: what it may use.
#[derive(Clone)]
pub struct Call {
    /// The resource.
    pub address: Address,
    /// Whose it is.
    pub owner: Arc<Owner>,
    /// The plan or run that this is part of: a name that nothing else has.
    pub run: RunId,
    /// What names this step to a tool or cloud.
    pub token: Token,
    /// The first try is 1.
    pub attempt: u32,
    /// When it has taken too long.
    pub deadline: Option<Instant>,
    /// Asks it to stop. The engine never drops a call's future to cancel it.
    pub stop: Stop,
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// Sources.
    pub files: Arc<dyn Files>,
    /// A directory of its own for work files (rule S2): the same for an address in plan and apply. Made when needed, 0700.
    pub scratch: PathBuf,
    /// Tools.
    pub tools: Arc<Toolbox>,
}

/// The engine, as a provider sees it.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Tells what happens.
    fn say(&self, event: StepEvent);

    /// Notes a checkpoint: durable when it returns. While planning: what `discard` needs to find what is about to be made
    /// outside, should the plan die before it is told; an
    /// empty one says that nothing of that is left.
    async fn note(&self, private: &Private) -> Result<(), ProviderError>;

    /// Waits for the step's own `health` gate, asked with what the resource would be; at once where it has none. For types that
    /// go back by themselves (`reverts`): they ask before they take away what was there. The engine asks for all others.
    ///
    /// # Errors
    /// Why it is not healthy.
    async fn healthy(&self, value: &Value) -> Result<(), ProviderError> {
        let _ = value;
        Ok(())
    }

    /// Keeps a file's content in the store (while planning: with the plan). Durable when it returns from an apply.
    async fn keep(&self, content: &[u8]) -> Result<Digest, ProviderError>;

    /// Content that was kept.
    async fn fetch(&self, blob: &Digest) -> Result<Arc<[u8]>, ProviderError>;
}

/// What all providers use of the outside.
pub struct Toolbox {
    /// Clock and randomness.
    pub host: Arc<dyn Host>,
    /// Runs external commands.
    pub runner: Arc<dyn Runner>,
    /// The user's environment, captured by the binary.
    pub env: BTreeMap<String, String>,
    /// A directory for caches that outlive a run (plugin cache).
    pub cache: PathBuf,
    /// Known secrets.
    pub redact: Arc<Redactor>,
    /// What was found out in this process already: who we are, a tool's version.
    pub known: Arc<Known>,
}
