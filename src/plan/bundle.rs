//! What a plan keeps while nobody holds the lock: tools' plans and other files, in memory until they are saved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use windlass_model::{Address, Digest, ErrorClass, PlanNote, Private, StepEvent};
use windlass_provider::{Engine, ProviderError};

/// Blobs by digest.
pub type Blobs = BTreeMap<Digest, Arc<[u8]>>;

/// Where blobs that are not in the bundle come from: the store.
#[async_trait]
pub trait BlobSource: Send + Sync {
    /// A blob's content.
    async fn blob(&self, id: &Digest) -> Result<Arc<[u8]>, String>;
}

/// Where is written down what a plan is about to make outside.
pub trait Notes: Send + Sync {
    /// Durable when it returns.
    ///
    /// # Errors
    /// Where it cannot be written; then nothing is made.
    fn note(&self, note: &PlanNote) -> Result<(), String>;
}

/// The engine while planning: files go to the bundle, notes to where they outlive the plan.
pub struct PlanEngine {
    blobs: Mutex<Blobs>,
    noted: Mutex<Vec<PlanNote>>,
    notes: Option<Arc<dyn Notes>>,
    source: Arc<dyn BlobSource>,
    say: Box<dyn Fn(StepEvent) + Send + Sync>,
}

impl PlanEngine {
    /// An empty bundle over a source. `say` hears what tools print.
    pub fn new(source: Arc<dyn BlobSource>, say: Box<dyn Fn(StepEvent) + Send + Sync>) -> PlanEngine {
        PlanEngine { blobs: Mutex::default(), noted: Mutex::default(), notes: None, source, say }
    }

    /// A bundle that already holds these.
    pub fn with(self, blobs: Blobs) -> PlanEngine {
        PlanEngine { blobs: Mutex::new(blobs), ..self }
    }

    /// With a place for notes; without one nothing may be made outside.
    pub fn noting(self, notes: Arc<dyn Notes>) -> PlanEngine {
        PlanEngine { notes: Some(notes), ..self }
    }

    /// The engine for one resource.
    pub fn of(self: &Arc<Self>, address: &Address, provider: &str) -> Arc<dyn Engine> {
        let (shared, address, provider) = (self.clone(), address.clone(), provider.to_owned());
        Arc::new(ItemEngine { shared, address, provider })
    }

    /// The last note of each resource, of those that have something outside.
    pub fn noted(&self) -> Vec<PlanNote> {
        let all = self.noted.lock().map(|noted| noted.clone()).unwrap_or_default();
        latest(all)
    }

    /// What was kept.
    pub fn blobs(&self) -> Blobs {
        self.blobs.lock().map(|blobs| blobs.clone()).unwrap_or_default()
    }
}

/// Of each resource the last note that is not empty.
pub fn latest(notes: Vec<PlanNote>) -> Vec<PlanNote> {
    let mut last: BTreeMap<Address, PlanNote> = BTreeMap::new();
    for note in notes {
        match note.private == Private::default() {
            true => last.remove(&note.address),
            false => last.insert(note.address.clone(), note),
        };
    }
    last.into_values().collect()
}

/// The engine as a provider sees it while it plans one resource.
struct ItemEngine {
    shared: Arc<PlanEngine>,
    address: Address,
    provider: String,
}

#[async_trait]
impl Engine for ItemEngine {
    fn say(&self, event: StepEvent) {
        (self.shared.say)(event);
    }

    async fn note(&self, private: &Private) -> Result<(), ProviderError> {
        let Some(notes) = &self.shared.notes else {
            let message = "something was to be made outside where nothing may be";
            return Err(ProviderError::new(ErrorClass::Bug, message));
        };
        let (address, provider) = (self.address.clone(), self.provider.clone());
        let note = PlanNote { address, provider, private: private.clone() };
        let failed = |why| ProviderError::new(ErrorClass::Unknown, format!("the state store: {why}"));
        notes.note(&note).map_err(failed)?;
        if let Ok(mut noted) = self.shared.noted.lock() {
            noted.push(note);
        }
        Ok(())
    }

    async fn keep(&self, content: &[u8]) -> Result<Digest, ProviderError> {
        let digest = Digest::of(content);
        if let Ok(mut blobs) = self.shared.blobs.lock() {
            blobs.insert(digest, content.into());
        }
        Ok(digest)
    }

    async fn fetch(&self, blob: &Digest) -> Result<Arc<[u8]>, ProviderError> {
        let kept = self.shared.blobs.lock().ok().and_then(|blobs| blobs.get(blob).cloned());
        match kept {
            Some(content) => Ok(content),
            None => {
                let found = self.shared.source.blob(blob).await;
                found.map_err(|why| ProviderError::new(ErrorClass::NotFound, why))
            }
        }
    }
}
