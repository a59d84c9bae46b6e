//! The contracts of a store. Writing is a method of the held lock (invariant 3).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use windlass_model::{Digest, Entry, Epoch, Operation, PlanId, RunId, Slot, State, Stored};

/// An environment of a stack.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EnvRef {
    /// The stack's name.
    pub stack: String,
    /// The environment's name.
    pub environment: String,
}

/// The store's id and the key that seals secrets in plan ids (rule P1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreId {
    /// A ULID.
    pub id: String,
    /// 32 random bytes.
    pub plan_key: Vec<u8>,
}

/// The one mutable object of an environment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, Default)]
pub struct Head {
    /// The number of the current version; 0: none yet.
    pub version: u64,
    /// The current version's file, relative to the environment's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Raised by each lock and unlock.
    pub epoch: Epoch,
    /// Who holds the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockInfo>,
    /// Where the stack's sources come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Fresh in each write, so that no two bodies are equal.
    pub nonce: String,
}

/// What a lock says: who, where, since when, doing what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LockInfo {
    /// The run that holds it.
    pub run: RunId,
    /// Its epoch.
    pub epoch: Epoch,
    /// What it does.
    pub operation: Operation,
    /// `user@host` or `WINDLASS_ACTOR`.
    pub who: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// Who asks for a lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// What it will do.
    pub operation: Operation,
    /// `user@host` or `WINDLASS_ACTOR`.
    pub who: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
    /// Random, for the nonces.
    pub nonce: u128,
}

/// How a version came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionStatus {
    /// The whole plan was done.
    Applied,
    /// A part of it.
    Partial,
    /// Recovery after a crash.
    Recovered,
}

/// A version: one commit of an environment's state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct VersionMeta {
    /// From 1.
    pub number: u64,
    /// The version before; 0: none.
    pub parent: u64,
    /// How it came to be.
    pub status: VersionStatus,
    /// By what.
    pub operation: Operation,
    /// The version that a rollback went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back_to: Option<u64>,
    /// Who.
    pub who: String,
    /// Why, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When, in milliseconds since 1970.
    pub when_ms: u64,
    /// The run.
    pub run: RunId,
    /// The plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// The plan's object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_object: Option<Digest>,
    /// The snapshot's manifest object: the sources it was applied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Digest>,
    /// Variables that are not sensitive, by name.
    #[serde(default)]
    pub inputs: BTreeMap<String, Stored>,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Tool versions by tool.
    #[serde(default)]
    pub tools: BTreeMap<String, String>,
}

/// A recorded approval of exactly one plan (rule P7).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approval {
    /// The plan's id.
    pub plan: PlanId,
    /// The digest of its seal.
    pub seal: Digest,
    /// Who.
    pub who: String,
    /// When, in milliseconds since 1970.
    pub when_ms: u64,
}

/// When each resource was last asked, and with which fingerprint (rule P3): a cache.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// By slot (text form).
    pub resources: BTreeMap<String, SeenEntry>,
}

/// One line of the cache.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenEntry {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Inputs, sources and tool identity at that time.
    pub fingerprint: Digest,
}

/// A run as the store knows it.
#[derive(Clone, PartialEq, Debug)]
pub struct RunInfo {
    /// Which.
    pub run: RunId,
    /// Its lock's epoch.
    pub epoch: Epoch,
    /// Its entries up to the end or the first fence.
    pub entries: Vec<Entry>,
}

/// A run that did not end: its entries up to the fence, which is durable.
#[derive(Clone, PartialEq, Debug)]
pub struct Unfinished {
    /// Which.
    pub run: RunId,
    /// The version it was based on.
    pub base: u64,
    /// What it had written down.
    pub entries: Vec<Entry>,
    /// Where its supervised steps keep their files (on this host).
    pub steps: PathBuf,
}

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody holds the lock.
    #[error("the state is locked")]
    Locked(Box<LockInfo>),
    /// The lock was taken over; nothing was committed.
    #[error("the lock of epoch {epoch} was taken over (epoch {by} holds it now): nothing was committed")]
    Fenced {
        /// Ours.
        epoch: Epoch,
        /// Theirs.
        by: Epoch,
    },
    /// There is no such thing.
    #[error("{0}")]
    Absent(String),
    /// A newer Windlass wrote it.
    #[error("{path} has format {found}; this windlass reads up to format {known}: use a newer windlass")]
    Newer {
        /// What.
        path: String,
        /// Its format.
        found: u64,
        /// What we read.
        known: u64,
    },
    /// It is damaged.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// What.
        path: String,
        /// How.
        reason: String,
    },
    /// The disk says no.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was done: `write`, `read`, `sync`.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// A store of many stacks' environments.
#[async_trait]
pub trait Store: Send + Sync {
    /// Its id and plan key.
    fn id(&self) -> &StoreId;

    /// All environments that have a HEAD.
    async fn environments(&self) -> Result<Vec<EnvRef>, StoreError>;

    /// The environment's HEAD; a default one (version 0) where there is none yet.
    async fn head(&self, env: &EnvRef) -> Result<Head, StoreError>;

    /// The versions reachable from HEAD that are kept, newest first.
    async fn versions(&self, env: &EnvRef) -> Result<Vec<VersionMeta>, StoreError>;

    /// The state at a version (`None`: HEAD's; of version 0: empty).
    async fn state(&self, env: &EnvRef, version: Option<u64>) -> Result<State, StoreError>;

    /// An object's content.
    async fn blob(&self, env: &EnvRef, id: &Digest) -> Result<Arc<[u8]>, StoreError>;

    /// The cache of what was asked when; empty where there is none or it cannot be read.
    async fn seen(&self, env: &EnvRef) -> Seen;

    /// Rewrites the cache. Needs no lock and no fsync: losing it costs only asking.
    async fn put_seen(&self, env: &EnvRef, seen: &Seen) -> Result<(), StoreError>;

    /// Records an approval; the first one stays.
    async fn approve(&self, env: &EnvRef, approval: &Approval) -> Result<Approval, StoreError>;

    /// The approval of exactly this plan.
    async fn approval(
        &self,
        env: &EnvRef,
        plan: &PlanId,
        seal: &Digest,
    ) -> Result<Option<Approval>, StoreError>;

    /// The runs whose journals are kept, newest first.
    async fn runs(&self, env: &EnvRef) -> Result<Vec<RunInfo>, StoreError>;

    /// Takes the environment's lock, or says who holds it. A dead holder's run is fenced and handed over as `unfinished`.
    async fn lock(&self, env: &EnvRef, holder: Holder) -> Result<Box<dyn Held>, StoreError>;

    /// Breaks the lock of exactly this run by raising the epoch.
    async fn unlock(&self, env: &EnvRef, run: &RunId, nonce: u128) -> Result<Epoch, StoreError>;
}

/// The held lock: the only writer.
#[async_trait]
pub trait Held: Send {
    /// Its epoch.
    fn epoch(&self) -> Epoch;

    /// The head version when it was taken.
    fn base(&self) -> u64;

    /// The state at that version.
    fn state(&self) -> &State;

    /// The run that a dead holder left, already fenced.
    fn unfinished(&self) -> Option<&Unfinished>;

    /// Runs before that one that are not settled either (a recovery died before its first commit), already fenced, oldest
    /// first: they are folded before [`unfinished`](Held::unfinished).
    fn earlier(&self) -> &[Unfinished] {
        &[]
    }

    /// Where this run's supervised steps keep their files: exists, 0700.
    fn steps(&self) -> PathBuf;

    /// Writes entries to the journal: durable when it returns. The first call makes the journal.
    async fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError>;

    /// Keeps content as an object: durable when it returns. Content that refers to other objects writes their digests as
    /// 64 hex digits (with or without `sha256:`), or they are swept one day.
    async fn keep(&mut self, content: &[u8]) -> Result<Digest, StoreError>;

    /// Shows that the holder lives (stores with a lease). How long until the next beat; `None`: never.
    async fn beat(&mut self) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }

    /// Commits `next` as a new version and goes on holding the lock. Only what changed is written. `changed`: the slots
    /// that may differ from the state at `base` (others are known to be equal).
    async fn commit(&mut self, meta: VersionMeta, next: &State, changed: &[Slot]) -> Result<u64, StoreError>;

    /// Gives the lock back. A journal that was begun must have its `End` by now.
    async fn release(self: Box<Self>) -> Result<(), StoreError>;
}
