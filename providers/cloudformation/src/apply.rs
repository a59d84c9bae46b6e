//! Applying: exactly the change set that was planned, watched to its end.

use std::collections::{BTreeMap, BTreeSet};

use windlass_model::{ErrorClass, Nested, Op, Record, Value};
use windlass_provider::{ApplyFailure, Attached, Left, Observed, ProviderError, Stop, Work};

use crate::answers::{Resources, Stack};
use crate::artefact::{Artefact, Deed};
use crate::aws::{Aws, Failed, Nothing};
use crate::command::cloudformation;
use crate::describe::Age;
use crate::discard::milliseconds;
use crate::job::{Job, Kept, Recorded};
use crate::states::{Means, means};
use crate::template::evaluate::Facts;
use crate::template::outputs;
use crate::watch::{Ended, Operation, Watch, Watched};

/// The label of the command that begins an operation.
pub const EXECUTE: &str = "execute";
/// The same for a change set that had to be made again.
pub const EXECUTE_AGAIN: &str = "execute-again";

/// What an apply ends with.
pub type Applied = Result<Option<Observed>, Box<ApplyFailure>>;

/// What is known of a change set whose execution is in question.
pub enum Execution {
    /// It was not executed, and can be.
    Waiting,
    /// It is being executed, or was.
    Begun,
    /// It cannot be executed any more, or is not there.
    Void,
}

impl Job<'_> {
    /// Executes what was planned.
    ///
    /// # Errors
    /// What failed, and what was left.
    pub async fn carry_out(&self, work: &Work<'_>) -> Applied {
        let untouched = ApplyFailure::untouched;
        let artefact = work.artefact.ok_or_else(|| {
            untouched(ProviderError::new(ErrorClass::Bug, "there is no planned change set to execute"))
        })?;
        let artefact = Artefact::read(artefact).map_err(untouched)?;
        if self.aws.call.attempt > 1 || !work.noted.is_empty() {
            // An earlier try may have begun it.
            if let Some(applied) = self.found(work).await.map_err(untouched)? {
                return applied;
            }
        }
        match artefact.deed {
            Deed::Execute => self.execute(work, &artefact, EXECUTE).await,
            Deed::Make => self.make_and_execute(work, &artefact, true).await,
            Deed::Continue => self.go_on(work, &artefact).await,
            Deed::Tags => self.update_tags(work, &artefact).await,
            Deed::Settings => self.only_settings(work, &artefact).await,
        }
    }

    /// Executes a change set and follows it.
    pub(crate) async fn execute(&self, work: &Work<'_>, artefact: &Artefact, label: &str) -> Applied {
        let untouched = ApplyFailure::untouched;
        if artefact.set_policy && work.op == Op::Update {
            self.set_policy(&artefact.stack).await.map_err(untouched)?;
        }
        let change_set = artefact.change_set.as_deref().unwrap_or_default();
        let token = self.aws.call.token.0.as_str();
        let options = [("change-set-name", change_set), ("client-request-token", token)];
        self.aws.shared.describes.touch(&self.aws.place, &self.name);
        let what = format!("execute the change set of the stack {}", self.name);
        let args = cloudformation("execute-change-set", &options);
        let failed = match self.aws.act::<Nothing>(&what, label, args).await {
            Ok(_) => return self.follow(work, artefact).await,
            Err(failed) => self.aws.really(&what, label, failed).await,
        };
        let Some(failed) = failed else { return self.follow(work, artefact).await };
        match self.execution(artefact, &failed).await {
            Ok(Execution::Begun) => self.follow(work, artefact).await,
            Ok(Execution::Waiting) => Err(untouched(failed.error)),
            Ok(Execution::Void) if label == EXECUTE => self.again(work, artefact).await,
            Ok(Execution::Void) => Err(untouched(failed.error)),
            Err(_) => Err(self.unclear(failed.error)),
        }
    }

    /// What a refused or lost execution means.
    async fn execution(&self, artefact: &Artefact, failed: &Failed) -> Result<Execution, Failed> {
        if failed.is_gone() {
            return Ok(Execution::Void);
        }
        if failed.is("TokenAlreadyExistsException") {
            return Ok(Execution::Begun);
        }
        let asks = failed.is("InvalidChangeSetStatus") || !failed.is_refusal();
        if !asks || failed.said.is_none() {
            return Ok(Execution::Waiting);
        }
        self.aws.execution_status(artefact).await
    }

    fn unclear(&self, error: ProviderError) -> Box<ApplyFailure> {
        let look_at = format!(
            "was asked for and not confirmed; look at the stack {} in {}",
            self.name, self.aws.place.region
        );
        Box::new(ApplyFailure { error, left: Left::Unknown(look_at) })
    }

    /// The change set is void: made again, and executed only if it would do what was approved.
    async fn again(&self, work: &Work<'_>, planned: &Artefact) -> Applied {
        let untouched = ApplyFailure::untouched;
        self.aws.log("the planned change set is not there any more or out of date: it is made again");
        let made = self.make(planned.new, true).await.map_err(|failed| untouched(failed.error))?;
        let Some(made) = made else {
            return Err(untouched(ProviderError::stale(format!(
                "the stack {} was changed since the plan: now there is nothing to change",
                self.name
            ))));
        };
        if made.artefact.changes != planned.changes {
            if let Err(error) = self.aws.discard(&made.artefact).await {
                self.aws.log(&format!("warning: the new change set could not be deleted: {error}"));
            }
            return Err(untouched(ProviderError::stale(format!(
                "the stack {} was changed since the plan: the same change set would now do something else",
                self.name
            ))));
        }
        let mut artefact = planned.clone();
        artefact.change_set.clone_from(&made.artefact.change_set);
        artefact.stack_id.clone_from(&made.artefact.stack_id);
        artefact.created.clone_from(&made.artefact.created);
        self.aws.call.engine.note(&artefact.private()).await.map_err(untouched)?;
        Box::pin(self.execute(work, &artefact, EXECUTE_AGAIN)).await
    }

    /// A change set that could not be made while the old stack was there.
    pub(crate) async fn make_and_execute(&self, work: &Work<'_>, planned: &Artefact, new: bool) -> Applied {
        let untouched = ApplyFailure::untouched;
        let made = self.make(new, true).await.map_err(|failed| untouched(failed.error))?;
        let Some(made) = made else { return self.as_it_is(work, planned).await };
        let announced: BTreeSet<_> = planned.changes.iter().cloned().collect();
        let more = made.artefact.changes.iter().any(|change| !announced.contains(change));
        let only_adds = made.changes.iter().all(|placed| placed.action() == "create");
        if more && !(new && only_adds) {
            if let Err(error) = self.aws.discard(&made.artefact).await {
                self.aws.log(&format!("warning: the change set could not be deleted: {error}"));
            }
            let message =
                format!("the change set of the stack {} would do more than was announced", self.name);
            return Err(untouched(ProviderError::stale(message)));
        }
        let mut artefact = made.artefact;
        (artefact.set_policy, artefact.set_protection) = (planned.set_policy, planned.set_protection);
        self.aws.call.engine.note(&artefact.private()).await.map_err(untouched)?;
        self.execute(work, &artefact, EXECUTE_AGAIN).await
    }

    /// Nothing is to be changed: what there is, is what was wanted.
    async fn as_it_is(&self, work: &Work<'_>, artefact: &Artefact) -> Applied {
        let stack = self.aws.stack(&self.name, Age::Now).await.map_err(ApplyFailure::untouched)?;
        let missing = || {
            let message = format!("the stack {} is not there", self.name);
            ApplyFailure::untouched(ProviderError::new(ErrorClass::NotFound, message))
        };
        let stack = stack.ok_or_else(missing)?;
        self.settled(work, artefact, &Watched::default(), Some(stack)).await
    }

    pub(crate) async fn only_settings(&self, work: &Work<'_>, artefact: &Artefact) -> Applied {
        if artefact.set_policy {
            self.set_policy(&self.name).await.map_err(ApplyFailure::untouched)?;
        }
        self.as_it_is(work, &Artefact { set_policy: false, ..artefact.clone() }).await
    }

    /// Follows an operation that was begun.
    pub(crate) async fn follow(&self, work: &Work<'_>, artefact: &Artefact) -> Applied {
        let stack_id = artefact.stack_id.clone().unwrap_or_else(|| artefact.stack.clone());
        let operation = Operation {
            stack_id,
            token: self.aws.call.token.0.clone(),
            since: artefact.created.as_deref().and_then(milliseconds),
            deletes: false,
            creates: artefact.new,
        };
        match Watch::new(&self.aws, operation).until_over().await {
            Ended::Over(watched) => self.over(work, artefact, &watched).await,
            Ended::Interrupted(watched) => self.interrupted(work, artefact, &watched).await,
            Ended::Lost(error) => Err(self.unclear(error)),
        }
    }

    async fn over(&self, work: &Work<'_>, artefact: &Artefact, watched: &Watched) -> Applied {
        if means(&watched.status) == Means::Good {
            return self.settled(work, artefact, watched, watched.stack.clone()).await;
        }
        let error = self.aws.why(&self.name, word(work.op), watched).await;
        Err(Box::new(ApplyFailure { error, left: self.left(work, artefact, watched).await }))
    }

    /// What a failed operation left.
    pub(crate) async fn left(&self, work: &Work<'_>, artefact: &Artefact, watched: &Watched) -> Left {
        let id = artefact.stack_id.as_deref().unwrap_or(&self.name);
        let stack = match self.aws.stack_alone(id).await {
            Ok(Some(stack)) => stack,
            Ok(None) => return Left::Gone,
            Err(error) => return Left::Unknown(format!("look at the stack {}: {error}", self.name)),
        };
        let nested = self.nested(work.prior, watched);
        let seen = match work.prior {
            Some(prior) => Ok(before(self.aws.call, prior, &stack, nested).await),
            None => {
                let outputs = outputs::seen(&stack.output_map(), Some(&self.source.template), &self.secret());
                self.observed(&stack.stack_id, outputs, stack.last_updated_time, nested).await
            }
        };
        match seen {
            Ok(observed) => Left::There(Box::new(observed)),
            Err(error) => Left::Unknown(format!("look at the stack {}: {error}", self.name)),
        }
    }

    /// The operation is done: settings beside the template, outputs, and all that the record needs.
    async fn settled(
        &self,
        work: &Work<'_>,
        artefact: &Artefact,
        watched: &Watched,
        known: Option<Stack>,
    ) -> Applied {
        let id = artefact.stack_id.clone().unwrap_or_else(|| self.name.clone());
        let template = &self.source.template;
        let wants =
            !template.outputs.is_empty() || !template.transforms.is_empty() || !id.starts_with("arn:");
        let stack = match known {
            Some(stack) => Some(stack),
            None if wants => match self.aws.stack(&id, Age::Now).await {
                Ok(stack) => stack,
                Err(error) => return Err(self.unclear(error)),
            },
            None => None,
        };
        let outputs = match &stack {
            Some(stack) => self.outputs(stack).await,
            None => Ok(Value::object::<&str>([])),
        };
        let outputs = outputs.map_err(|error| self.unclear(error))?;
        let nested = self.nested(work.prior, watched);
        let stack_id = stack.as_ref().map_or(id, |stack| stack.stack_id.clone());
        let updated = stack.as_ref().and_then(|stack| stack.last_updated_time.clone());
        let observed = self.observed(&stack_id, outputs, updated, nested).await;
        let mut observed = observed.map_err(|error| self.unclear(error))?;
        if let Some(stack) = &stack {
            self.note_tags(&mut observed, stack);
        }
        match self.settings(work, artefact, &stack_id).await {
            Ok(()) => Ok(Some(observed)),
            Err(error) => Err(Box::new(ApplyFailure { error, left: Left::There(Box::new(observed)) })),
        }
    }

    /// A service that does not take all tags is not asked for them for ever.
    fn note_tags(&self, observed: &mut Observed, stack: &Stack) {
        let told = crate::job::user_tags(stack);
        if told != self.spec.tags {
            let kept = Kept { tags: Some(told), ..Kept::read(&observed.private) };
            observed.private = kept.private(observed.private.blobs.get(crate::job::TEMPLATE).copied());
        }
    }

    /// Outputs as the service tells them; where it tells none of those that the template has, what resources' ids tell.
    pub(crate) async fn outputs(&self, stack: &Stack) -> Result<Value, ProviderError> {
        let template = &self.source.template;
        let mut told = stack.output_map();
        let facts = self.facts();
        let there = |output: &crate::template::Output| {
            template.there(output.condition.as_deref(), &facts) == Some(true)
        };
        if told.is_empty() && template.outputs.values().any(there) {
            told = self.worked_out(stack, facts).await?;
        }
        Ok(outputs::seen(&told, Some(template), &self.secret()))
    }

    async fn worked_out(
        &self,
        stack: &Stack,
        mut facts: Facts,
    ) -> Result<BTreeMap<String, String>, ProviderError> {
        let args = cloudformation("list-stack-resources", &[("stack-name", &stack.stack_id)]);
        let resources: Resources = self.aws.ask("list the stack's resources", args).await?;
        facts.names.insert("AWS::StackId".to_owned(), stack.stack_id.clone());
        let ids = resources.stack_resource_summaries.into_iter();
        facts.names.extend(ids.map(|resource| (resource.logical_resource_id, resource.physical_resource_id)));
        let found = outputs::worked_out(&self.source.template, &facts);
        let missing: Vec<&str> = self
            .source
            .template
            .outputs
            .keys()
            .filter(|name| !found.contains_key(*name))
            .map(String::as_str)
            .collect();
        let rest = match missing.is_empty() {
            true => String::new(),
            false => format!("; not to be had: {}", missing.join(", ")),
        };
        self.aws.log(&format!(
            "warning: the service tells no outputs: they are worked out from its resources{rest}"
        ));
        Ok(found)
    }

    /// What the stack manages inside, as events and record tell.
    pub(crate) fn nested(&self, prior: Option<&Record>, watched: &Watched) -> Vec<Nested> {
        let known = prior.map(|prior| prior.nested.as_slice()).unwrap_or_default();
        let mut all: BTreeMap<String, Nested> =
            known.iter().map(|nested| (nested.address.clone(), nested.clone())).collect();
        let facts = self.facts();
        let template = &self.source.template;
        let there = template
            .resources
            .iter()
            .filter(|(_, resource)| template.there(resource.condition.as_deref(), &facts) != Some(false));
        let there: BTreeMap<&String, &String> = there.map(|(id, resource)| (id, &resource.kind)).collect();
        if template.transforms.is_empty() {
            all.retain(|id, nested| there.get(id).is_some_and(|kind| **kind == nested.kind));
            for (id, kind) in there {
                let new = || Nested { address: id.clone(), kind: kind.clone(), id: None };
                all.entry(id.clone()).or_insert_with(new);
            }
        }
        all.extend(watched.resources.iter().map(|(id, nested)| (id.clone(), nested.clone())));
        all.into_values().collect()
    }

    /// The run was interrupted: an update is taken back, a create goes on at the service.
    async fn interrupted(&self, work: &Work<'_>, artefact: &Artefact, watched: &Watched) -> Applied {
        let what = crate::states::words(&watched.status);
        let cancelled = |words: String| ProviderError::new(ErrorClass::Cancelled, words);
        if work.op != Op::Update || watched.status != "UPDATE_IN_PROGRESS" {
            let message = format!("interrupted; the stack {} goes on by itself ({what})", self.name);
            return Err(self.unclear(cancelled(message).hint("`windlass resume` follows it to its end")));
        }
        // A call of its own: the run's does not start anything any more.
        let mut call = self.aws.call.clone();
        call.stop = Stop::default();
        call.deadline = Some(tokio::time::Instant::now() + std::time::Duration::from_secs(90));
        let aws = Aws::new(&call, self.aws.shared, self.aws.place.clone());
        let id = artefact.stack_id.as_deref().unwrap_or(&self.name);
        let token = call.token.0.as_str();
        let args =
            cloudformation("cancel-update-stack", &[("stack-name", id), ("client-request-token", token)]);
        aws.log("interrupted: the update is cancelled");
        if let Err(failed) = aws.act::<Nothing>("cancel the update", "cancel", args).await {
            let message = format!("interrupted, and the update could not be cancelled: {}", failed.error);
            return Err(self.unclear(cancelled(message).hint("`windlass resume` follows it to its end")));
        }
        let operation = Operation {
            stack_id: id.to_owned(),
            token: token.to_owned(),
            since: artefact.created.as_deref().and_then(milliseconds),
            deletes: false,
            creates: false,
        };
        match Watch::new(&aws, operation).until_over().await {
            Ended::Over(watched) if means(&watched.status) == Means::Good => {
                Box::pin(self.settled(work, artefact, &watched, None)).await
            }
            Ended::Over(watched) => {
                let message = format!("interrupted: the update of the stack {} was taken back", self.name);
                let prior = work.prior.ok_or_else(|| self.unclear(cancelled(message.clone())))?;
                match aws.stack_alone(id).await {
                    Ok(Some(stack)) => {
                        let nested = self.nested(Some(prior), &watched);
                        let seen = before(&call, prior, &stack, nested).await;
                        Err(Box::new(ApplyFailure {
                            error: cancelled(message),
                            left: Left::There(Box::new(seen)),
                        }))
                    }
                    _ => Err(self.unclear(cancelled(message))),
                }
            }
            _ => {
                let message =
                    format!("interrupted: the update of the stack {} is being taken back", self.name);
                Err(self.unclear(cancelled(message).hint("`windlass resume` follows it to its end")))
            }
        }
    }
}

/// A stack as it was before an update that failed.
pub async fn before(
    call: &windlass_provider::Call,
    prior: &Record,
    stack: &Stack,
    nested: Vec<Nested>,
) -> Observed {
    let recorded = Recorded::read(call, prior).await;
    let kept = Kept { updated: stack.last_updated_time.clone(), ..recorded.kept.clone() };
    let private = kept.private(prior.private.blobs.get(crate::job::TEMPLATE).copied());
    Observed { value: recorded.seen(stack), private, nested }
}

/// What a step does to the stack.
pub fn word(op: Op) -> &'static str {
    match op {
        Op::Create => "created",
        Op::Delete => "deleted",
        _ => "updated",
    }
}

impl Aws<'_> {
    /// Of a command that seems to have failed: `None`, if it was done after all; the failure that counts, if not. An error of
    /// the runner's own does not tell whether the command was run.
    pub async fn really(&self, what: &str, label: &str, failed: Failed) -> Option<Failed> {
        if failed.said.is_some() {
            return Some(failed);
        }
        match self.attach(label).await {
            Ok(Attached::Ended(exit)) => self.answer::<Nothing>(what, &exit).err(),
            // It was begun, and nobody knows how it ended: as if the answer had been lost.
            Ok(Attached::Lost(exit)) => {
                Some(Failed { error: failed.error, said: Some(Box::new(crate::errors::Said::of(&exit))) })
            }
            _ => Some(failed),
        }
    }

    /// What became of a change set.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn execution_status(&self, artefact: &Artefact) -> Result<Execution, Failed> {
        let change_set = artefact.change_set.as_deref().unwrap_or_default();
        match self.change_set(change_set, &artefact.stack).await {
            Ok(set) => Ok(match set.execution_status.as_str() {
                "AVAILABLE" => Execution::Waiting,
                status if status.starts_with("EXECUTE_") => Execution::Begun,
                _ => Execution::Void,
            }),
            Err(failed) if failed.is_gone() => Ok(Execution::Void),
            Err(failed) => Err(failed),
        }
    }
}
