//! A saved plan (rule P2): the plan, the snapshot of its sources, and the tools' own plans, in one file under a seal.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use windlass_model::{Digest, Plan, Private, StepId, canon, hex};

use super::bundle::Blobs;
use crate::stack::Manifest;

const FORMAT: &str = "windlass.planfile/1";

/// A plan with everything that applying it needs.
#[derive(Clone, Debug)]
pub struct PlanFile {
    /// The plan.
    pub plan: Plan,
    /// Its snapshot.
    pub manifest: Manifest,
    /// Sources and artefacts. Empty where they are in the store.
    pub blobs: Blobs,
}

/// Why a file is not a plan that can be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// Not one of ours.
    #[error("it is not a saved plan: {0}")]
    NotAPlan(String),
    /// A newer windlass wrote it.
    #[error("it has format `{0}`, this windlass reads `{FORMAT}`: use a newer windlass")]
    Newer(String),
    /// Changed after it was saved, or made with another store.
    #[error("its seal does not fit: it was changed after it was saved, or belongs to another store")]
    Broken,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    seal: String,
    plan: Plan,
    manifest: Manifest,
    blobs: BTreeMap<Digest, String>,
}

impl PlanFile {
    /// The file's bytes: with blobs for `--out`, without for the store, which keeps them by themselves.
    ///
    /// # Errors
    /// Never for the types here; said as text.
    pub fn to_bytes(&self, key: &[u8], with_blobs: bool) -> Result<Vec<u8>, String> {
        let encode = |(digest, content): (&Digest, &Arc<[u8]>)| (*digest, STANDARD.encode(content));
        let document = Document {
            format: FORMAT.to_owned(),
            seal: self.mac(key),
            plan: self.plan.clone(),
            manifest: self.manifest.clone(),
            blobs: if with_blobs { self.blobs.iter().map(encode).collect() } else { BTreeMap::new() },
        };
        serde_json::to_vec(&document).map_err(|error| error.to_string())
    }

    /// Reads a file and checks its blobs; the seal only where a key is given (`show` needs none).
    ///
    /// # Errors
    /// Where it is not a whole, unchanged plan of this store.
    pub fn from_bytes(bytes: &[u8], key: Option<&[u8]>) -> Result<PlanFile, FileProblem> {
        #[derive(Deserialize)]
        struct Format {
            format: String,
        }
        let not_a_plan = |error: serde_json::Error| FileProblem::NotAPlan(error.to_string());
        let format: Format = serde_json::from_slice(bytes).map_err(not_a_plan)?;
        if format.format != FORMAT {
            return Err(match format.format.starts_with("windlass.planfile/") {
                true => FileProblem::Newer(format.format),
                false => FileProblem::NotAPlan(format!("its format is `{}`", format.format)),
            });
        }
        let document: Document = serde_json::from_slice(bytes).map_err(not_a_plan)?;
        let mut blobs = Blobs::new();
        for (digest, text) in document.blobs {
            let content = STANDARD.decode(text).map_err(|error| FileProblem::NotAPlan(error.to_string()))?;
            if Digest::of(&content) != digest {
                return Err(FileProblem::Broken);
            }
            blobs.insert(digest, content.into());
        }
        let file = PlanFile { plan: document.plan, manifest: document.manifest, blobs };
        match key {
            Some(key) if file.mac(key) != document.seal => Err(FileProblem::Broken),
            _ => Ok(file),
        }
    }

    fn mac(&self, key: &[u8]) -> String {
        let digest = canon::digest(&(&self.plan, &self.manifest));
        // HMAC takes keys of any length.
        Hmac::<Sha256>::new_from_slice(key)
            .map(|mac| hex(&mac.chain_update(digest.0).finalize().into_bytes()))
            .unwrap_or_default()
    }

    /// The digest of what the plan's id leaves out (rule P2): an approval is of the id and of this.
    pub fn seal_digest(&self) -> Digest {
        seal_digest(&self.plan)
    }
}

/// The digest of what a plan's id leaves out.
pub fn seal_digest(plan: &Plan) -> Digest {
    let artefacts = plan.steps.iter().filter_map(|step| step.artefact.as_ref().map(|made| (&step.id, made)));
    let artefacts: Vec<(&StepId, &Private)> = artefacts.collect();
    canon::digest(&(&plan.seal, artefacts))
}
