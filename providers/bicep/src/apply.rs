//! Applying: exactly the compiled template of the plan; and whatever becomes of it, what is there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;
use windlass_model::{Digest, ErrorClass, Op, Private, Type, Value};
use windlass_provider::{ApplyFailure, Attached, Call, Exit, Left, Observed, ProviderError, Work};

use crate::arm::template::Template;
use crate::group::Group;
use crate::job::{Given, Job, PARAMETERS, TEMPLATE};
use crate::outputs;
use crate::read::{ids, parts};
use crate::seen::Seen;
use crate::spec::Mode;

/// The command that makes or deletes it.
pub const APPLY: &str = "apply";
/// The same once more, after something else had ended.
pub const AGAIN: &str = "apply-again";
/// The command that makes or deletes the group.
pub const GROUP: &str = "group";

/// What becomes of a step.
pub type Applied = Result<Option<Observed>, Box<ApplyFailure>>;

/// Azure is busy with this very thing.
pub const BUSY: &[&str] = &[
    "DeploymentStackInNonTerminalState",
    "DeploymentActive",
    "DeploymentActiveAndUneditable",
    "DeploymentBeingDeleted",
    "AnotherOperationInProgress",
];

/// How long what cannot be stopped is watched after an interrupt: well within the grace that a run has.
const GRACE: Duration = Duration::from_secs(60);

/// What a step sends.
pub struct Prepared {
    template: Template,
    given: Given,
    group: Group,
    blobs: BTreeMap<String, Digest>,
    /// This step made the group.
    made_group: bool,
}

impl Job<'_> {
    /// Does a step.
    ///
    /// # Errors
    /// What failed, and what was left.
    pub async fn carry_out(&self, work: &Work<'_>) -> Applied {
        let applied = match work.op {
            Op::Delete => self.destroy(work).await,
            _ => self.send(work).await,
        };
        match (applied, self.dir.remove()) {
            (Ok(seen), Err(error)) => {
                self.log(format!("warning: {error}"));
                Ok(seen)
            }
            (applied, _) => applied,
        }
    }

    async fn send(&self, work: &Work<'_>) -> Applied {
        let mut prepared = self.prepare(work).await.map_err(ApplyFailure::untouched)?;
        if prepared.group == Group::Create {
            self.make_group().await?;
            prepared.made_group = true;
        }
        let laid =
            self.lay_out(&prepared.template.text, &prepared.given.sent).map_err(ApplyFailure::untouched)?;
        let tags = self.stack_tags(Some(&self.call.token.0));
        let args = self.target.create(&self.sent(&laid, &tags));
        let mut run = self.watched(APPLY, args.clone()).await;
        if let Ok(exit) = &run
            && !exit.success()
            && crate::failure::says(exit, BUSY)
            && self.wait_while_busy(work).await.map_err(ApplyFailure::untouched)?
        {
            run = self.watched(AGAIN, args).await;
        }
        match run {
            Ok(exit) => self.finish(work, &prepared, &exit).await,
            Err(error) => self.lost(work, &prepared, error).await,
        }
    }

    /// What the plan keeps of what is sent.
    ///
    /// # Errors
    /// Where it is not whole, or is for another subscription: the plan is stale.
    pub async fn prepare(&self, work: &Work<'_>) -> Result<Prepared, ProviderError> {
        let bug = |what: &str| ProviderError::new(ErrorClass::Bug, what.to_owned());
        let artefact = work.artefact.ok_or_else(|| bug("there is no plan to apply"))?;
        let text = |name: &str| artefact.data.get(name).and_then(Json::as_str).unwrap_or_default();
        if !text("subscription").eq_ignore_ascii_case(&self.target.subscription) {
            let message = format!(
                "it was planned for the subscription {}, and now {} is meant",
                text("subscription"),
                self.target.subscription
            );
            return Err(ProviderError::stale(message));
        }
        let engine = &self.call.engine;
        let blob = artefact.blobs.get(TEMPLATE).ok_or_else(|| bug("the plan has no template"))?;
        let template = String::from_utf8_lossy(&engine.fetch(blob).await?).into_owned();
        let template =
            Template::parse(template).map_err(|why| bug(&format!("the plan's template: {why}")))?;
        let file = match artefact.blobs.get(PARAMETERS) {
            Some(blob) => serde_json::from_slice(&engine.fetch(blob).await?).ok(),
            None => None,
        };
        let given = self.given(&template, file.as_ref());
        let group = Group::read(text("group"));
        Ok(Prepared { template, given, group, blobs: artefact.blobs.clone(), made_group: false })
    }

    async fn make_group(&self) -> Result<(), Box<ApplyFailure>> {
        let group = self.spec.group.as_deref().unwrap_or_default();
        let location = self.spec.location.as_deref().unwrap_or_default();
        let args = self.target.group_create(group, location, &self.own_tags());
        self.tell(format!("makes the resource group `{group}`"));
        let exit = self.act(GROUP, args.clone()).await.map_err(ApplyFailure::untouched)?;
        // Whatever was made carries our tags, so that the next plan knows it.
        if exit.success() { Ok(()) } else { Err(ApplyFailure::untouched(self.error(&args, &exit))) }
    }

    /// Waits for what runs there. Whether it ended, so that a second try is worth it.
    ///
    /// # Errors
    /// What az says.
    pub async fn wait_while_busy(&self, work: &Work<'_>) -> Result<bool, ProviderError> {
        self.tell(format!("{} is busy: waits until that has ended", self.target.say()));
        let seen = self.until_over(self.call, None).await?;
        // A new one that is not ours is nothing to touch.
        let foreign = seen.as_ref().is_some_and(|seen| {
            work.prior.is_none() && self.target.mode == Mode::Stack && !self.is_own(seen)
        });
        Ok(!foreign && seen.as_ref().is_none_or(Seen::is_over))
    }

    /// Whether what is there carries this address's tags.
    pub fn is_own(&self, seen: &Seen) -> bool {
        use crate::seen::{Whose, whose};
        whose(&seen.tags, &self.call.owner, &self.call.address.to_string()) == Whose::Ours
    }

    /// What a command that ended left.
    ///
    /// # Errors
    /// What failed, and what was left.
    pub async fn finish(&self, work: &Work<'_>, prepared: &Prepared, exit: &Exit) -> Applied {
        if exit.success() {
            if let Some(seen) = Seen::read(&exit.stdout) {
                return Ok(Some(self.observe(prepared, &seen)));
            }
            return self.settle(work, prepared, None, Some(exit)).await;
        }
        if exit.interrupted && self.target.mode == Mode::Deployment {
            let call = self.after_stop();
            self.tell(format!("cancels {}", self.target.say()));
            // Where it was over already there is nothing to cancel; what is there is looked at in any case.
            let _ = self.act_in(&call, "cancel", self.target.cancel()).await;
        }
        let error = self.error(&self.target.create_words(), exit);
        self.settle(work, prepared, Some(error), Some(exit)).await
    }

    /// The runner could not say how it ended.
    async fn lost(&self, work: &Work<'_>, prepared: &Prepared, error: ProviderError) -> Applied {
        match self.call.tools.runner.attach(self.call, APPLY).await {
            Ok(Attached::NeverBegun) => self.settle(work, prepared, Some(error), None).await,
            Ok(Attached::Ended(exit)) => self.finish(work, prepared, &exit).await,
            Ok(Attached::Lost(_)) | Err(_) => self.settle(work, prepared, Some(error), None).await,
        }
    }

    /// Looks at what is there, waits for its end, and says what became of the step. `error`: what the command said.
    ///
    /// # Errors
    /// What failed, and what was left.
    pub async fn settle(
        &self,
        work: &Work<'_>,
        prepared: &Prepared,
        error: Option<ProviderError>,
        exit: Option<&Exit>,
    ) -> Applied {
        let stopped =
            exit.is_some_and(|exit| exit.interrupted || exit.timed_out) || self.call.stop.is_interrupted();
        let (call, most) = if stopped { (self.after_stop(), Some(GRACE)) } else { (self.call.clone(), None) };
        let seen = match self.first_look(work, &call, most).await {
            Ok(seen) => seen,
            Err(other) => {
                let look_at =
                    format!("{other}; look at {} with `az {}`", self.target.say(), self.target.show_words());
                let error = error.unwrap_or(other);
                return Err(Box::new(ApplyFailure { error, left: Left::Unknown(look_at) }));
            }
        };
        let unexplained = || {
            ProviderError::new(ErrorClass::Unknown, format!("{} did not come to its end", self.target.say()))
                .hint("plan again: it starts from what is there")
        };
        let Some(seen) = seen else {
            let error = error.unwrap_or_else(unexplained);
            return Err(Box::new(ApplyFailure { error, left: self.nothing_of_it(prepared) }));
        };
        if !seen.is_over() {
            let look_at = format!(
                "Azure still works on {}; look at it with `az {}`",
                self.target.say(),
                self.target.show_words()
            );
            let error = error.unwrap_or_else(unexplained);
            return Err(Box::new(ApplyFailure { error, left: Left::Unknown(look_at) }));
        }
        let observed = self.observe(prepared, &seen);
        if seen.succeeded() {
            return Ok(Some(observed));
        }
        let error = self.explained(error, &seen, exit);
        Err(Box::new(ApplyFailure { error, left: Left::There(Box::new(observed)) }))
    }

    /// What is there of this step's own; `None`: it sent nothing that took effect.
    async fn first_look(
        &self,
        work: &Work<'_>,
        call: &Call,
        most: Option<Duration>,
    ) -> Result<Option<Seen>, ProviderError> {
        let Some(seen) = self.show_in(call).await?.filter(|seen| self.took_effect(work, seen)) else {
            return Ok(None);
        };
        if seen.is_over() { Ok(Some(seen)) } else { self.until_over(call, most).await }
    }

    /// Whether what is there was sent by this step.
    pub fn took_effect(&self, work: &Work<'_>, seen: &Seen) -> bool {
        if self.target.mode == Mode::Stack {
            return seen.is_of(&self.call.token.0);
        }
        let recorded = |name: &str| {
            let data = work.prior.map(|prior| &prior.private.data);
            data.and_then(|data| data.get(name)).and_then(Json::as_str).unwrap_or_default()
        };
        match seen.correlation.is_empty() {
            false => recorded("correlation") != seen.correlation,
            true => recorded("timestamp") != seen.timestamp,
        }
    }

    /// Nothing was sent; but the group may have been made.
    fn nothing_of_it(&self, prepared: &Prepared) -> Left {
        match prepared.made_group {
            true => Left::There(Box::new(self.observe(prepared, &Seen::default()))),
            false => Left::Untouched,
        }
    }

    fn explained(&self, error: Option<ProviderError>, seen: &Seen, exit: Option<&Exit>) -> ProviderError {
        let redact = &self.call.tools.redact;
        let told =
            exit.map(|exit| crate::failure::read(&String::from_utf8_lossy(&exit.output))).unwrap_or_default();
        match error {
            // What stopped the command says more than what became of it.
            Some(error) if matches!(error.class, ErrorClass::Cancelled | ErrorClass::Timeout) => error,
            Some(error) if seen.errors.is_empty() => error,
            _ => {
                let all: Vec<_> = told.into_iter().chain(seen.errors.iter().cloned()).collect();
                crate::failure::of_said(&self.target.say(), &all, redact)
            }
        }
    }

    /// What is there now.
    pub fn observe(&self, prepared: &Prepared, seen: &Seen) -> Observed {
        let made = self.made(&prepared.template, &prepared.given);
        let outputs = outputs::values(&seen.outputs, &made);
        let drift = Value::list(Type::String, Vec::new());
        let value = self.value(&prepared.given.secret, outputs, ids(&seen.resources), drift);
        let private: Private =
            self.private(&prepared.template, prepared.blobs.clone(), Some(seen), self.spec.creates_group);
        Observed { value, private, nested: parts(&self.target, &seen.resources) }
    }
}
