//! What became of an operation that an engine which died may have begun.

use windlass_provider::{ApplyFailure, Attached, Left, Probe, ProviderError, Work};

use crate::answers::Events;
use crate::apply::{Applied, EXECUTE, EXECUTE_AGAIN, Execution};
use crate::artefact::{Artefact, Deed};
use crate::aws::{Aws, Nothing};
use crate::command::cloudformation;
use crate::job::Job;
use crate::states::{Means, means};

impl Aws<'_> {
    /// Whether the stack has an event with this call's token.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn has_events(&self, stack: &str) -> Result<bool, ProviderError> {
        let args = cloudformation("describe-stack-events", &[("stack-name", stack), ("max-items", "1000")]);
        match self.poll::<Events>("look at the stack's events", args).await {
            Ok(events) => {
                let token = Some(self.call.token.0.as_str());
                Ok(events.stack_events.iter().any(|event| event.client_request_token.as_deref() == token))
            }
            Err(failed) if failed.is_gone() => Ok(false),
            Err(failed) => Err(failed.error),
        }
    }
}

impl Job<'_> {
    /// What became of a create or update; `None`: it did not begin.
    ///
    /// # Errors
    /// Where nobody can tell.
    pub async fn found(&self, work: &Work<'_>) -> Result<Option<Applied>, ProviderError> {
        let planned = match work.artefact {
            Some(private) => Artefact::read(private)?,
            None => return Ok(None),
        };
        // What was noted last was made last.
        let noted = work.noted.iter().rev().filter_map(|note| Artefact::read(note).ok());
        let made =
            noted.into_iter().find(|artefact| artefact.change_set.is_some() && artefact.stack_id.is_some());
        for (label, artefact) in [(EXECUTE_AGAIN, made.as_ref()), (EXECUTE, Some(&planned))] {
            let Some(artefact) = artefact else { continue };
            if self.was_begun(label, artefact).await? {
                return Ok(Some(self.follow(work, artefact).await));
            }
        }
        if planned.deed == Deed::Continue {
            return self.still_continues(work, &planned).await;
        }
        Ok(None)
    }

    /// Whether an operation was begun: by its command, its change set, its events, in this order.
    async fn was_begun(&self, label: &str, artefact: &Artefact) -> Result<bool, ProviderError> {
        match self.aws.attach(label).await? {
            Attached::Ended(exit) => match self.aws.answer::<Nothing>("execute the change set", &exit) {
                Ok(_) => return Ok(true),
                Err(failed) if failed.is_refusal() && !failed.is("TokenAlreadyExistsException") => {
                    return Ok(false);
                }
                Err(_) => {}
            },
            Attached::NeverBegun | Attached::Lost(_) => {}
        }
        if artefact.change_set.is_some() {
            match self.aws.execution_status(artefact).await? {
                Execution::Begun => return Ok(true),
                Execution::Waiting => return Ok(false),
                Execution::Void => {}
            }
        }
        match &artefact.stack_id {
            Some(stack) => self.aws.has_events(stack).await,
            None => Ok(false),
        }
    }

    /// A continued rollback that still goes on is waited for by who goes on.
    async fn still_continues(
        &self,
        work: &Work<'_>,
        planned: &Artefact,
    ) -> Result<Option<Applied>, ProviderError> {
        self.aws.attach(crate::settings::CONTINUE).await?;
        let stack = self.aws.stack_alone(planned.stack_id.as_deref().unwrap_or(&self.name)).await?;
        let busy = stack.is_some_and(|stack| means(&stack.stack_status) == Means::Busy);
        if !busy {
            return Ok(None);
        }
        let message = format!("the stack {} is still going back", self.name);
        let error = ProviderError::new(windlass_model::ErrorClass::Conflict, message)
            .hint("plan again when it is done");
        let left = self.left(work, planned, &crate::watch::Watched::default()).await;
        let left = match left {
            Left::Gone => Left::Unknown("look at the stack".to_owned()),
            other => other,
        };
        Ok(Some(Err(Box::new(ApplyFailure { error, left }))))
    }
}

/// An answer that was looked for, as a probe's.
pub fn probed(found: Option<Applied>) -> Probe {
    match found {
        None => Probe::NotBegun,
        Some(Ok(seen)) => Probe::Done(seen.map(Box::new)),
        Some(Err(failure)) => match failure.left {
            Left::Unknown(look_at) => Probe::Unknown { look_at: format!("{look_at} ({})", failure.error) },
            _ => Probe::Failed(failure),
        },
    }
}
