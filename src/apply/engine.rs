//! The engine as a running step sees it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use windlass_model::{Digest, Entry, ErrorClass, Private, StepEvent, StepId, Value};
use windlass_provider::{Engine, ProviderError};

use super::recorder::Request;
use crate::plan::BlobSource;

/// What running steps tell the dispatcher.
pub enum Told {
    /// What a step says.
    Said(u32, StepEvent),
    /// A step has noted a checkpoint; it is durable.
    Noted(u32, Private),
    /// A step asks for its health gate before it ends.
    Healthy(u32, Box<Value>, oneshot::Sender<Result<(), ProviderError>>),
}

/// The engine for one step.
pub struct StepEngine {
    /// The step's number in the plan.
    pub node: u32,
    /// Which step.
    pub step: StepId,
    /// To the dispatcher.
    pub told: mpsc::UnboundedSender<Told>,
    /// To the recorder.
    pub recorder: mpsc::UnboundedSender<Request>,
    /// The store.
    pub blobs: Arc<dyn BlobSource>,
}

impl StepEngine {
    async fn asked<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Request,
    ) -> Result<T, ProviderError> {
        let (done, answer) = oneshot::channel();
        let gone = || ProviderError::new(ErrorClass::Unknown, "the journal can no longer be written");
        self.recorder.send(request(done)).map_err(|_| gone())?;
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(ProviderError::new(ErrorClass::Unknown, format!("the state store: {why}"))),
            Err(_) => Err(gone()),
        }
    }
}

#[async_trait]
impl Engine for StepEngine {
    fn say(&self, event: StepEvent) {
        // Nobody listens any more only when the run was abandoned.
        let _ = self.told.send(Told::Said(self.node, event));
    }

    async fn note(&self, private: &Private) -> Result<(), ProviderError> {
        let entry = Entry::Noted { step: self.step.clone(), private: private.clone() };
        self.asked(|done| Request::Note(Box::new(entry), done)).await?;
        // A later try of this run goes on from here, as one of a later run would.
        let _ = self.told.send(Told::Noted(self.node, private.clone()));
        Ok(())
    }

    async fn healthy(&self, value: &Value) -> Result<(), ProviderError> {
        let (done, answer) = oneshot::channel();
        let gone = || ProviderError::new(ErrorClass::Cancelled, "the run ended before it was healthy");
        self.told.send(Told::Healthy(self.node, Box::new(value.clone()), done)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn keep(&self, content: &[u8]) -> Result<Digest, ProviderError> {
        let content = content.to_vec();
        self.asked(|done| Request::Keep(content, done)).await
    }

    async fn fetch(&self, blob: &Digest) -> Result<Arc<[u8]>, ProviderError> {
        self.blobs.blob(blob).await.map_err(|why| ProviderError::new(ErrorClass::NotFound, why))
    }
}
