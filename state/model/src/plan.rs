//! The plan: the whole contract between planning and applying.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::{Address, Slot};
use crate::diagnostic::{AttrPath, Diagnostic};
use crate::ids::{Digest, PlanId};
use crate::record::{Private, Record};
use crate::stored::Stored;

/// What a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Make the world as the stack says.
    Apply,
    /// Delete everything.
    Destroy,
    /// Make the world as an earlier version said.
    Rollback,
    /// Take in what is seen, change nothing.
    Refresh,
    /// Forget a record (`state rm`).
    Remove,
    /// Give a record another address (`state mv`).
    Move,
    /// Take in something that exists (`state import`).
    Import,
}

impl Operation {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Apply => "apply",
            Operation::Destroy => "destroy",
            Operation::Rollback => "rollback",
            Operation::Refresh => "refresh",
            Operation::Remove => "remove",
            Operation::Move => "move",
            Operation::Import => "import",
        }
    }
}

/// What one step does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Remove it.
    Delete,
    /// Take in something that exists.
    Import,
    /// Drop the record, leave the thing.
    Forget,
    /// Give the record another address.
    Move,
}

impl Op {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Create => "create",
            Op::Update => "update",
            Op::Delete => "delete",
            Op::Import => "import",
            Op::Forget => "forget",
            Op::Move => "move",
        }
    }
}

/// The identity of a step in its plan. A replacement is two steps of one slot: delete, then create.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct StepId {
    /// On which object.
    pub slot: Slot,
    /// What.
    pub op: Op,
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op.as_str(), self.slot)
    }
}

/// What must be done before a step.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// That step.
    Step(StepId),
    /// All creates and updates of the block (an address without key): one entry in place of one an instance.
    Block(Address),
    /// All deletes of the block.
    Deletes(Address),
}

/// Why a step is in the plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Not in state yet.
    New,
    /// State knew it, but it is gone.
    Gone,
    /// An attribute differs.
    Changed(AttrPath),
    /// The real thing differs from what was applied.
    Drifted(AttrPath),
    /// Its sources differ.
    SourcesChanged,
    /// No longer in the stack.
    NotInStack,
    /// The key is no longer among `count` or `for_each`.
    NoSuchInstance,
    /// `destroy`, or the deletion that goes with it.
    Destroy,
    /// `--replace`.
    Requested,
    /// It was left half made or unhealthy.
    Tainted(String),
    /// A step on it was in doubt.
    InDoubt(String),
    /// Something it is replaced with.
    Replaced(Address),
}

/// How a step is run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// How long it may take, in seconds.
    pub timeout_s: u64,
    /// How often it is tried in all.
    pub attempts: u32,
    /// It is done only when a health gate is.
    pub health: bool,
    /// A failed update goes back by itself.
    pub reverts: bool,
    /// `prevent_destroy` is set, now or in state.
    pub protect: bool,
    /// It runs in the checkout, not in the snapshot (rule S3).
    pub uses_checkout: bool,
}

/// A step that its tool cannot plan yet (rule P5).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deferred {
    /// What it waits for, as text: `terraform_root.network.outputs.vpc_id`.
    pub waits_for: Vec<String>,
}

/// A change that the tool makes inside a resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NestedChange {
    /// The tool's own address.
    pub address: String,
    /// `create`, `update`, `replace`, `delete`, `read`, `import`, `move`, `forget`.
    pub action: String,
    /// Which attributes make it a replacement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// Lines for people: `~ name: "a" -> "b"`. Redacted. Not part of the plan's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// One step.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub id: StepId,
    /// Its digest (rule P1).
    pub digest: Digest,
    /// The provider's name, and behind a dot the alias.
    pub provider: String,
    /// The account it acts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The tool and its version: `terraform 1.11.4`; empty where no tool runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tool: String,
    /// The digest of its sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Digest>,
    /// What must be done before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// Why.
    pub why: Vec<Reason>,
    /// The digest of the record it was planned against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Digest>,
    /// What it is now; null for a create.
    pub before: Stored,
    /// What is asked for; null for a delete.
    pub desired: Stored,
    /// What it will be; null for a delete.
    pub planned: Stored,
    /// Which attributes force a replacement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forces_replace: Vec<AttrPath>,
    /// Part of a replacement: the other half is the other step of the slot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// What the tool does inside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<NestedChange>,
    /// How it is run.
    pub policy: Policy,
    /// It is planned only when what it waits for is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<Deferred>,
    /// The real place (rule P8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The record's `fingerprint` if this step succeeds; of a deferred step it is set when it is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Digest>,
    /// What the record's `depends_on` will be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Address>,
    /// The tool's own plan; apply executes exactly that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artefact: Option<Private>,
}

impl Step {
    /// It is planned late, and is known already to delete the thing and make it anew.
    pub fn announces_replacement(&self) -> bool {
        self.deferred.is_some() && !self.forces_replace.is_empty()
    }
}

/// An output as planned.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OutputChange {
    /// As last applied; `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Stored>,
    /// As it will be; `None`: it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Stored>,
    /// Shown masked.
    pub sensitive: bool,
}

/// What the id is made of, besides the steps.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The stack's name.
    pub stack: String,
    /// The environment's name.
    pub environment: String,
    /// What the run is.
    pub operation: Operation,
    /// The version that a rollback goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_to: Option<u64>,
    /// `--target`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Address>,
    /// Outputs, all of them.
    pub outputs: BTreeMap<String, OutputChange>,
}

/// What the id leaves out and a saved plan vouches for (rule P2).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Seal {
    /// The version that it was planned against; 0: none yet.
    pub base_version: u64,
    /// The store's id.
    pub store_id: String,
    /// The snapshot's manifest.
    pub snapshot: Digest,
    /// Tool versions by tool.
    pub tools: BTreeMap<String, String>,
    /// Who planned it.
    pub who: String,
    /// When, in milliseconds since 1970.
    pub created_ms: u64,
    /// Why, in the user's words (`--reason`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version whose approval rule or warning it showed: a rollback that the checkout disagrees with (rule V7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_rollback: Option<u64>,
}

/// Values that the user gave.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Inputs {
    /// Variables by name, after conversion; sensitive ones are marked.
    pub variables: BTreeMap<String, Stored>,
}

/// A plan. The text and the JSON document are views of it that apply never reads.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The digest of header and steps (rule P1).
    pub id: PlanId,
    /// What the id is made of, besides the steps.
    pub header: Header,
    /// What a saved plan vouches for.
    pub seal: Seal,
    /// The variables.
    pub inputs: Inputs,
    /// In canonical order: topological, ties by address.
    pub steps: Vec<Step>,
    /// What refresh found to differ from state: committed with the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refreshed: Vec<Record>,
    /// What refresh found to be gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Slot>,
    /// Warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// How many resources stay as they are.
    pub unchanged: u32,
    /// How many of them were not asked, and the oldest time at which one was (milliseconds since 1970).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<(u32, u64)>,
}

impl Plan {
    /// Whether it does nothing: no step, no output that changes, nothing to take in.
    pub fn is_empty(&self) -> bool {
        let outputs_same = self.header.outputs.values().all(|output| output.before == output.after);
        self.steps.is_empty() && self.refreshed.is_empty() && self.gone.is_empty() && outputs_same
    }
}
