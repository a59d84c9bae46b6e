//! The lock, held: taken, whatever a dead run left recovered, and given back in every case.

use std::sync::Arc;
use std::time::Duration;

use windlass_model::{Entry, Operation, RunId, RunStatus};
use windlass_store::{EnvRef, LocalStore, LockInfo, Store, StoreError};

use super::context::Context;
use super::failure::Failure;
use super::recover::{Recovered, recover};
use super::run::{holder, new_run};
use crate::apply::Recorder;
use crate::event::Reporter;

/// A held lock and what it was taken for.
pub struct Hold {
    /// The lock, and the state with what recovery found.
    pub recorder: Recorder,
    /// What recovery found.
    pub recovered: Recovered,
    /// The run that holds it.
    pub run: RunId,
}

impl Hold {
    /// Takes the lock, waiting as long as the context says, and recovers what a dead run left.
    ///
    /// # Errors
    /// Where somebody holds it, or what is left cannot be recovered; then it is given back.
    pub async fn take(
        ctx: &Context,
        store: &Arc<LocalStore>,
        env: &EnvRef,
        operation: Operation,
        reporter: &mut dyn Reporter,
    ) -> Result<Hold, Failure> {
        let run = new_run(ctx);
        let recorder = lock(ctx, store, env, &run, operation).await?;
        match recover(ctx, store, env, recorder, reporter).await {
            (recorder, Ok(recovered)) => Ok(Hold { recorder, recovered, run }),
            (recorder, Err(failure)) => {
                // What is pending stays pending: the next command tries again.
                recorder.held.release().await.ok();
                Err(failure)
            }
        }
    }

    /// Gives it back after a failure.
    pub async fn fail(self, failure: Failure) -> Failure {
        match self.release().await {
            Ok(()) => failure,
            Err(mut error) => {
                error.diagnostics.splice(0..0, failure.diagnostics);
                error
            }
        }
    }

    /// Gives it back; a journal that recovery began gets its end.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn release(mut self) -> Result<(), Failure> {
        if self.recovered.wrote {
            let end = Entry::End { status: RunStatus::Applied, version: self.recovered.version };
            self.recorder.append(&[end]).await?;
        }
        self.recorder.held.release().await?;
        Ok(())
    }
}

/// Between two tries.
const RETRY: Duration = Duration::from_millis(250);

/// A process that a killed holder had just forked has its lock file open until it has become the tool that it is to be.
const FORKED: Duration = Duration::from_secs(1);

/// How long to wait for this holder.
fn patience(ctx: &Context, holder: &LockInfo) -> Duration {
    let here = if holder.host == ctx.hostname { FORKED } else { Duration::ZERO };
    ctx.lock_timeout.max(here)
}

async fn lock(
    ctx: &Context,
    store: &LocalStore,
    env: &EnvRef,
    run: &RunId,
    operation: Operation,
) -> Result<Recorder, Failure> {
    let began = tokio::time::Instant::now();
    loop {
        match store.lock(env, holder(ctx, run, operation)).await {
            Ok(held) => return Ok(Recorder::new(held)),
            Err(StoreError::Locked(info)) if began.elapsed() < patience(ctx, &info) => {
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
