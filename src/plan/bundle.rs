//! What a plan keeps while nobody holds the lock: tools' plans and other files, in memory until they are saved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use windlass_model::{Digest, ErrorClass, Private, StepEvent};
use windlass_provider::{Engine, ProviderError};

/// Blobs by digest.
pub type Blobs = BTreeMap<Digest, Arc<[u8]>>;

/// Where blobs that are not in the bundle come from: the store.
#[async_trait]
pub trait BlobSource: Send + Sync {
    /// A blob's content.
    async fn blob(&self, id: &Digest) -> Result<Arc<[u8]>, String>;
}

/// The engine as a provider sees it while planning: checkpoints are refused, files go to the bundle.
pub struct PlanEngine {
    blobs: Mutex<Blobs>,
    source: Arc<dyn BlobSource>,
    say: Box<dyn Fn(StepEvent) + Send + Sync>,
}

impl PlanEngine {
    /// An empty bundle over a source. `say` hears what tools print.
    pub fn new(source: Arc<dyn BlobSource>, say: Box<dyn Fn(StepEvent) + Send + Sync>) -> PlanEngine {
        PlanEngine { blobs: Mutex::new(Blobs::new()), source, say }
    }

    /// A bundle that already holds these.
    pub fn with(self, blobs: Blobs) -> PlanEngine {
        PlanEngine { blobs: Mutex::new(blobs), ..self }
    }

    /// What was kept.
    pub fn blobs(&self) -> Blobs {
        self.blobs.lock().map(|blobs| blobs.clone()).unwrap_or_default()
    }
}

#[async_trait]
impl Engine for PlanEngine {
    fn say(&self, event: StepEvent) {
        (self.say)(event);
    }

    async fn note(&self, _: &Private) -> Result<(), ProviderError> {
        Err(ProviderError::new(ErrorClass::Bug, "a checkpoint was noted while planning"))
    }

    async fn keep(&self, content: &[u8]) -> Result<Digest, ProviderError> {
        let digest = Digest::of(content);
        if let Ok(mut blobs) = self.blobs.lock() {
            blobs.insert(digest, content.into());
        }
        Ok(digest)
    }

    async fn fetch(&self, blob: &Digest) -> Result<Arc<[u8]>, ProviderError> {
        let kept = self.blobs.lock().ok().and_then(|blobs| blobs.get(blob).cloned());
        match kept {
            Some(content) => Ok(content),
            None => self.source.blob(blob).await.map_err(|why| ProviderError::new(ErrorClass::NotFound, why)),
        }
    }
}
