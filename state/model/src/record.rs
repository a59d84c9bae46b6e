//! What state remembers: a record for each resource, the outputs, and how journal entries fold into them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::address::{Address, Slot};
use crate::ids::Digest;
use crate::journal::{Entry, Outcome};
use crate::plan::StepId;
use crate::stored::Stored;

/// What only the provider understands: of an artefact, a checkpoint, or a record.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Private {
    /// The version of its shape.
    #[serde(default)]
    pub version: u32,
    /// Small data. Never a secret in clear that the provider would not also keep in the record's value.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub data: Json,
    /// Files by the provider's own names: `tfstate`, `tfplan`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub blobs: BTreeMap<String, Digest>,
}

/// A part of a resource that its tool manages: a Terraform resource in a root, a service in a stack.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Nested {
    /// The tool's own address.
    pub address: String,
    /// The tool's own type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The real thing's id, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What state remembers of a resource.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Which object.
    pub slot: Slot,
    /// The provider's name and, behind a dot, the alias it was made with.
    pub provider: String,
    /// The version of the resource type's schema.
    pub schema: u32,
    /// What was asked for.
    pub inputs: Stored,
    /// What it is: inputs and computed attributes.
    pub value: Stored,
    /// The provider's own.
    #[serde(default)]
    pub private: Private,
    /// What its tool manages inside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<Nested>,
    /// What it depends on: instances, or whole blocks (an address without key).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Address>,
    /// Sources, inputs, provider configuration and tools at the last clean outcome: equal, then the tool need not be asked.
    pub fingerprint: Digest,
    /// The real place it ends in (rule P8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The account it is in (rule T4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `prevent_destroy` was set when it was last applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protect: bool,
    /// Half made or unhealthy, and why: replaced (or planned again) next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tainted: Option<String>,
    /// A step on it began and nobody can tell whether it was done; what to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_doubt: Option<String>,
}

/// An output of the stack as last applied.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Output {
    /// Its value; a sensitive output is marked.
    pub value: Stored,
    /// Shown masked.
    #[serde(default)]
    pub sensitive: bool,
}

/// The state of an environment: its records and outputs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct State {
    /// By slot.
    pub records: BTreeMap<Slot, Arc<Record>>,
    /// By name.
    pub outputs: BTreeMap<String, Output>,
}

impl Record {
    /// The digest of the whole record: a step's `prior` (is it still as it was planned?).
    pub fn digest(&self) -> Digest {
        crate::canon::digest(self)
    }

    /// The status word that `state list --json` shows.
    pub fn status(&self) -> &'static str {
        match (&self.in_doubt, &self.tainted) {
            (Some(_), _) => "in_doubt",
            (None, Some(_)) => "tainted",
            (None, None) => "created",
        }
    }
}

impl State {
    /// The record of an address's current object.
    pub fn get(&self, address: &Address) -> Option<&Arc<Record>> {
        self.records.get(&address.slot())
    }

    /// Takes in what a journal entry says. This is the one fold: the recorder of a living run and the recovery of a dead
    /// one both use it, so they cannot differ.
    pub fn absorb(&mut self, entry: &Entry) {
        match entry {
            Entry::Refreshed { records, gone } => {
                for record in records {
                    self.records.insert(record.slot.clone(), Arc::new(record.clone()));
                }
                for slot in gone {
                    self.records.remove(slot);
                }
            }
            Entry::Outcome { step, result } => self.settle(step, result),
            Entry::Recovered { outcomes, .. } => {
                outcomes.iter().for_each(|(step, result)| self.settle(step, result))
            }
            Entry::Outputs { outputs } => self.outputs = outputs.clone(),
            Entry::Begin { .. }
            | Entry::Settled { .. }
            | Entry::Asked { .. }
            | Entry::Intent { .. }
            | Entry::Noted { .. }
            | Entry::Fence { .. }
            | Entry::End { .. } => {}
        }
    }

    fn settle(&mut self, step: &StepId, result: &Outcome) {
        match result {
            Outcome::Done { record: Some(record) } | Outcome::Failed { record: Some(record), .. } => {
                if record.slot != step.slot {
                    self.records.remove(&step.slot);
                }
                self.records.insert(record.slot.clone(), Arc::new((**record).clone()));
            }
            Outcome::Done { record: None } | Outcome::Failed { record: None, left_nothing: true, .. } => {
                self.records.remove(&step.slot);
            }
            Outcome::Failed { record: None, left_nothing: false, .. } => {}
        }
    }
}
