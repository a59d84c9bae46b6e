//! The recorder: one task that owns the held lock. Entries of many steps go to the disk together.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use windlass_model::{Digest, Entry, Outcome, Slot, State, StepId};
use windlass_store::{Held, StoreError};

/// What the recorder is asked to do.
pub enum Request {
    /// Write these down; the answer comes on the recorder's own channel.
    Append(Vec<Entry>),
    /// Write this down for a step that waits for it.
    Note(Box<Entry>, oneshot::Sender<Result<(), String>>),
    /// Keep a file.
    Keep(Vec<u8>, oneshot::Sender<Result<Digest, String>>),
}

/// Owns the held lock and the state as folded so far.
pub struct Recorder {
    /// The lock.
    pub held: Box<dyn Held>,
    /// The state with all entries so far.
    pub state: State,
    /// Which slots may differ from the base.
    pub changed: BTreeSet<Slot>,
}

impl Recorder {
    /// A recorder over a lock just taken.
    pub fn new(held: Box<dyn Held>) -> Recorder {
        let state = held.state().clone();
        Recorder { held, state, changed: BTreeSet::new() }
    }

    /// Writes entries down and folds them.
    ///
    /// # Errors
    /// Where they are not durable; nothing is folded then.
    pub async fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.held.append(entries).await?;
        for entry in entries {
            self.absorb(entry);
        }
        Ok(())
    }

    /// Folds an entry that is durable elsewhere (in the journal of a run that is taken over).
    pub fn absorb(&mut self, entry: &Entry) {
        match entry {
            Entry::Outcome { step, result } => self.touch(step, result),
            Entry::Recovered { outcomes, .. } => {
                outcomes.iter().for_each(|(step, result)| self.touch(step, result))
            }
            Entry::Refreshed { records, gone } => {
                self.changed.extend(records.iter().map(|record| record.slot.clone()));
                self.changed.extend(gone.iter().cloned());
            }
            _ => {}
        }
        self.state.absorb(entry);
    }

    fn touch(&mut self, step: &StepId, result: &Outcome) {
        self.changed.insert(step.slot.clone());
        if let Outcome::Done { record: Some(record) } | Outcome::Failed { record: Some(record), .. } = result
        {
            self.changed.insert(record.slot.clone());
        }
    }

    /// Serves until all senders are gone, then gives itself back. Each `Append` is answered on `acks`, in order.
    pub async fn serve(
        mut self,
        mut requests: mpsc::UnboundedReceiver<Request>,
        acks: mpsc::UnboundedSender<Result<(), Arc<StoreError>>>,
    ) -> Recorder {
        while let Some(request) = requests.recv().await {
            match request {
                Request::Append(entries) => {
                    let result = self.append(&entries).await.map_err(Arc::new);
                    // Nobody listens any more only when the run was abandoned.
                    let _ = acks.send(result);
                }
                Request::Note(entry, done) => {
                    let result = self.append(std::slice::from_ref(&*entry)).await;
                    let _ = done.send(result.map_err(|error| error.to_string()));
                }
                Request::Keep(content, done) => {
                    let result = self.held.keep(&content).await;
                    let _ = done.send(result.map_err(|error| error.to_string()));
                }
            }
        }
        self
    }
}
