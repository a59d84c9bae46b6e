//! Planning: who is there, what may be done with it, and the change set that would do it.

use std::collections::BTreeSet;

use windlass_model::{AttrPath, ErrorClass, Finding, Private, Value};
use windlass_provider::{Ask, Drift, Observed, Proposed, ProviderError, Verdict};

use crate::answers::Stack;
use crate::artefact::{Artefact, Deed};
use crate::delete::{may_be_deleted, nothing};
use crate::describe::Age;
use crate::failure::continue_hint;
use crate::job::{Job, Kept, Recorded, TEMPLATE, at_name, computed};
use crate::make::Made;
use crate::spec::differences;
use crate::states::{Means, means, words};
use crate::template::analyse::Comparison;
use crate::template::outputs::{self, Wanted};

/// What is to be done with the stack.
pub enum Course {
    /// Make it.
    Create,
    /// Change the one that is there.
    Update,
    /// Delete the one that is there and make it anew, because of these.
    Replace(Vec<AttrPath>),
}

/// What was found of the recorded stack.
#[derive(Default)]
pub struct Found {
    /// As the service tells it.
    pub stack: Option<Stack>,
    /// How it differs from the record.
    pub drift: Option<Drift>,
    /// What the user should know.
    pub warnings: Vec<Finding>,
}

impl Job<'_> {
    /// What would have to be done.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn propose(
        &self,
        ask: &Ask<'_>,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<Proposed, ProviderError> {
        if !ask.refresh && self.is_as_recorded(recorded).await? {
            let mut proposed = nothing(Verdict::Same);
            proposed.planned = recorded.map_or(Value::NULL, |recorded| recorded.record.value.0.clone());
            proposed.place = Some(self.place_text());
            return Ok(proposed);
        }
        let (course, found) = self.course(ask, recorded).await?;
        let mut proposed = match &course {
            _ if self.desired.has_unknown() => self.deferred(&course, recorded, &found)?,
            Course::Create => self.created(found.drift.as_ref(), recorded).await?,
            Course::Update => self.updated(recorded, &found).await?,
            Course::Replace(why) => self.replaced(recorded, why).await?,
        };
        proposed.warnings.extend(found.warnings);
        proposed.drift = proposed.drift.or(found.drift);
        proposed.place = Some(self.place_text());
        Ok(proposed)
    }

    /// The same inputs and template as recorded, where nobody is to be asked.
    async fn is_as_recorded(&self, recorded: Option<&Recorded<'_>>) -> Result<bool, ProviderError> {
        let Some(recorded) = recorded else { return Ok(false) };
        let record = recorded.record;
        let template = windlass_model::Digest::of(self.source.text.as_bytes());
        Ok(record.tainted.is_none()
            && record.in_doubt.is_none()
            && differences(&record.inputs.0, self.desired).is_empty()
            && record.private.blobs.get(TEMPLATE) == Some(&template))
    }

    /// Looks at what is there.
    async fn course(
        &self,
        ask: &Ask<'_>,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<(Course, Found), ProviderError> {
        let Some(recorded) = recorded else {
            let there = self.aws.stack(&self.name, Age::Recent).await?;
            self.name_is_free(there.as_ref(), false)?;
            return Ok((Course::Create, Found::default()));
        };
        let moved = self.moved(recorded);
        let mut found = self.look(recorded).await?;
        if let Some(stack) = &found.stack {
            self.aws.sweep_sets(stack).await;
        }
        if !moved.is_empty() {
            let there = self.aws.stack(&self.name, Age::Recent).await?;
            self.name_is_free(there.as_ref(), false)?;
            if let Some(stack) = &found.stack {
                may_be_deleted(stack)?;
            }
            return Ok((Course::Replace(moved), found));
        }
        let Some(stack) = found.stack.clone() else { return Ok((Course::Create, found)) };
        let course = self.course_of(ask, recorded, &stack, &mut found)?;
        Ok((course, found))
    }

    /// Which attributes make it another stack.
    fn moved(&self, recorded: &Recorded<'_>) -> Vec<AttrPath> {
        let mut why = Vec::new();
        if recorded.name() != self.name {
            why.push(at_name());
        }
        if recorded.kept.region.as_ref().is_some_and(|region| *region != self.aws.place.region) {
            why.push("region".into());
        }
        if recorded.kept.account.as_ref().is_some_and(|account| *account != self.account) {
            why.push("profile".into());
        }
        why
    }

    /// The recorded stack as it is, and how that differs.
    async fn look(&self, recorded: &Recorded<'_>) -> Result<Found, ProviderError> {
        let aws = recorded.aws(self.aws.call, self.aws.shared)?;
        recorded.same_account(&aws).await?;
        let stack = aws.stack(recorded.name(), Age::Recent).await?;
        let stack = stack.filter(|stack| means(&stack.stack_status) != Means::Empty);
        let mut found = Found::default();
        let Some(stack) = stack else {
            found.drift = Some(Drift::Gone);
            return Ok(found);
        };
        let other = recorded.stack_id.as_ref().is_some_and(|id| *id != stack.stack_id);
        if other && !self.is_own(&stack) {
            // Somebody made another one of this name.
            self.name_is_free(Some(&stack), true)?;
        }
        let seen = recorded.seen(&stack);
        if !seen.same(&recorded.record.value.0) || other || recorded.is_foreign_update(&stack) {
            found.drift = Some(Drift::Changed(Observed {
                value: seen,
                private: self.seen_private(recorded, &stack, other),
                nested: recorded.record.nested.clone(),
            }));
        }
        found.stack = Some(stack);
        Ok(found)
    }

    /// What is kept of a stack that somebody else changed: its template is not the recorded one any more.
    fn seen_private(&self, recorded: &Recorded<'_>, stack: &Stack, other: bool) -> Private {
        let foreign = other || recorded.is_foreign_update(stack);
        let template = recorded.record.private.blobs.get(TEMPLATE).copied().filter(|_| !foreign);
        let updated =
            if recorded.kept.updated.is_some() || other { stack.last_updated_time.clone() } else { None };
        let region = Some(recorded.kept.region.clone().unwrap_or_else(|| self.aws.place.region.clone()));
        let account = Some(recorded.kept.account.clone().unwrap_or_else(|| self.account.clone()));
        Kept { updated, region, account, ..recorded.kept.clone() }.private(template)
    }

    fn course_of(
        &self,
        ask: &Ask<'_>,
        recorded: &Recorded<'_>,
        stack: &Stack,
        found: &mut Found,
    ) -> Result<Course, ProviderError> {
        let replaced =
            |stack: &Stack| may_be_deleted(stack).map(|()| Course::Replace(vec!["stack_id".into()]));
        match means(&stack.stack_status) {
            _ if ask.replace => replaced(stack),
            Means::Good | Means::Back | Means::Kept => Ok(Course::Update),
            Means::Dead => {
                let message = format!(
                    "the stack is {}: it can only be deleted and made anew",
                    words(&stack.stack_status)
                );
                found.warnings.push(Finding::warning("", message));
                replaced(stack)
            }
            Means::NotDeleted => {
                let mut finding =
                    Finding::warning("", "the stack could not be deleted: it is deleted again and made anew");
                if self.spec.retain_resources.is_empty() {
                    finding.help = Some("retain_resources leaves behind what cannot be deleted".to_owned());
                } else {
                    self.pass_on_retained(recorded, stack, found);
                }
                found.warnings.push(finding);
                replaced(stack)
            }
            Means::Stuck if !self.spec.resources_to_skip.is_empty() => Ok(Course::Update),
            Means::Stuck => {
                let message = format!(
                    "the stack {} is {}: nothing can be done before its way back is continued",
                    self.name,
                    words(&stack.stack_status)
                );
                Err(ProviderError::new(ErrorClass::Conflict, message).hint(continue_hint(
                    &self.name,
                    &self.aws.place.region,
                    "",
                )))
            }
            Means::Busy => {
                let message = format!(
                    "another operation is under way on the stack {}: it is {}",
                    self.name,
                    words(&stack.stack_status)
                );
                Err(ProviderError::new(ErrorClass::Conflict, message).hint("plan again when it is over"))
            }
            Means::Empty | Means::Gone => Ok(Course::Create),
        }
    }

    /// What the inputs of today let a delete of the recorded stack leave behind goes with the record.
    fn pass_on_retained(&self, recorded: &Recorded<'_>, stack: &Stack, found: &mut Found) {
        let kept = Kept { retain: self.spec.retain_resources.clone(), ..recorded.kept.clone() };
        let private = kept.private(recorded.record.private.blobs.get(TEMPLATE).copied());
        let nested = recorded.record.nested.clone();
        found.drift = Some(Drift::Changed(Observed { value: recorded.seen(stack), private, nested }));
    }

    async fn created(
        &self,
        drift: Option<&Drift>,
        recorded: Option<&Recorded<'_>>,
    ) -> Result<Proposed, ProviderError> {
        let made = self.make(true, false).await?;
        let Some(made) = made else {
            let message = format!("the service takes the new stack {} for no change", self.name);
            return Err(ProviderError::new(ErrorClass::Unknown, message));
        };
        let mut proposed = nothing(Verdict::Change);
        proposed.planned = self.planned(None, Some(&made), None);
        proposed.nested = made.nested(self);
        proposed.artefact = Some(self.with_settings(made.artefact, None).private());
        if drift.is_some() && recorded.is_some() {
            proposed.why = vec!["stack_id".into()];
        }
        Ok(proposed)
    }

    async fn updated(
        &self,
        recorded: Option<&Recorded<'_>>,
        found: &Found,
    ) -> Result<Proposed, ProviderError> {
        let Some(recorded) = recorded else {
            return Err(ProviderError::new(ErrorClass::Bug, "an update of what no record knows"));
        };
        let stuck = found.stack.as_ref().is_some_and(|stack| means(&stack.stack_status) == Means::Stuck);
        if stuck {
            return Ok(self.continued(recorded, found));
        }
        match self.make(false, false).await? {
            // Nothing inside would change, and nothing beside it differs: such a change set only says so.
            Some(made) if made.changes.is_empty() && self.is_unchanged(recorded, found) => {
                self.aws.discard(&made.artefact).await?;
                Ok(self.without_changes(recorded, found))
            }
            Some(made) => {
                let mut proposed = nothing(Verdict::Change);
                proposed.planned = self.planned(Some(recorded), Some(&made), found.stack.as_ref());
                proposed.nested = made.nested(self);
                proposed.why = self.why(recorded, found);
                proposed.artefact =
                    Some(self.with_settings(made.artefact, Some((recorded, found))).private());
                Ok(proposed)
            }
            None => Ok(self.without_changes(recorded, found)),
        }
    }

    /// Whether template, parameters and tags are as recorded, and the stack is as recorded too.
    fn is_unchanged(&self, recorded: &Recorded<'_>, found: &Found) -> bool {
        let before = &recorded.spec;
        let drifted = match &found.drift {
            None => false,
            Some(Drift::Gone) => true,
            Some(Drift::Changed(observed)) => {
                let inputs = |path: &AttrPath| !matches!(path.top(), Some("outputs" | "stack_id"));
                differences(&recorded.record.value.0, &observed.value).iter().any(inputs)
            }
        };
        let foreign = found.stack.as_ref().is_some_and(|stack| recorded.is_foreign_update(stack));
        !drifted
            && !foreign
            && !self.revert
            && recorded.template.as_ref() == Some(&self.source.template)
            && before.parameters == self.spec.parameters
            && before.tags == self.spec.tags
            && before.notification_arns == self.spec.notification_arns
    }

    /// Which attributes make it a change: those that are asked for anew, and those that are not as asked.
    fn why(&self, recorded: &Recorded<'_>, found: &Found) -> Vec<AttrPath> {
        let mut why = differences(&recorded.record.inputs.0, self.desired);
        if let Some(Drift::Changed(observed)) = &found.drift {
            let drifted = differences(&recorded.record.value.0, &observed.value);
            let inputs =
                drifted.into_iter().filter(|path| !matches!(path.top(), Some("outputs" | "stack_id")));
            why.extend(inputs);
        }
        let seen: BTreeSet<AttrPath> = why.into_iter().collect();
        seen.into_iter().collect()
    }

    /// The service sees no change. What it does not see may be one.
    fn without_changes(&self, recorded: &Recorded<'_>, found: &Found) -> Proposed {
        let created = found
            .stack
            .as_ref()
            .and_then(|stack| stack.last_updated_time.clone().or_else(|| stack.creation_time.clone()));
        let mut draft = self.draft(Deed::Settings, false);
        draft.stack_id = found.stack.as_ref().map(|stack| stack.stack_id.clone());
        draft.created = created;
        let mut artefact = self.with_settings(draft, Some((recorded, found)));
        if self.spec.tags != recorded.spec.tags || self.tags_drifted(found) {
            artefact.deed = Deed::Tags;
        }
        let same =
            artefact.deed == Deed::Settings && !artefact.set_policy && artefact.set_protection.is_none();
        let mut proposed = nothing(if same { Verdict::Same } else { Verdict::Change });
        proposed.planned = self.planned(Some(recorded), None, found.stack.as_ref());
        if !same {
            proposed.why = self.why(recorded, found);
            proposed.artefact = Some(artefact.private());
        }
        proposed
    }

    fn tags_drifted(&self, found: &Found) -> bool {
        match &found.drift {
            Some(Drift::Changed(observed)) => {
                let (is, wanted) = (observed.value.get("tags"), self.desired.get("tags"));
                !is.unwrap_or(&Value::NULL).same(wanted.unwrap_or(&Value::NULL))
            }
            _ => false,
        }
    }

    /// What a rollback that is continued and the update after it do, as far as the template tells.
    fn continued(&self, recorded: &Recorded<'_>, found: &Found) -> Proposed {
        let mut proposed = nothing(Verdict::Change);
        proposed.planned = self.planned(Some(recorded), None, None);
        proposed.nested = self.compared(Some(recorded));
        proposed.why = vec!["resources_to_skip".into()];
        let mut artefact = self.with_settings(self.draft(Deed::Continue, false), Some((recorded, found)));
        artefact.stack_id = found.stack.as_ref().map(|stack| stack.stack_id.clone());
        proposed.artefact = Some(artefact.private());
        let skipped = self.spec.resources_to_skip.join(", ");
        let message = format!(
            "the failed rollback is continued without {skipped}: those are then not as the template says"
        );
        proposed.warnings.push(Finding::warning("resources_to_skip", message));
        proposed
    }

    async fn replaced(
        &self,
        recorded: Option<&Recorded<'_>>,
        why: &[AttrPath],
    ) -> Result<Proposed, ProviderError> {
        let same_name = recorded.is_some_and(|recorded| self.moved(recorded).is_empty());
        if !same_name {
            let mut proposed = self.created(None, None).await?;
            proposed.verdict = Verdict::Replace;
            proposed.why = why.to_vec();
            return Ok(proposed);
        }
        // Its change set can only be made when the old one is gone.
        let mut proposed = nothing(Verdict::Replace);
        proposed.why = why.to_vec();
        proposed.planned = self.planned(None, None, None);
        proposed.nested = self.compared(None);
        proposed.artefact = Some(self.with_settings(self.draft(Deed::Make, true), None).private());
        Ok(proposed)
    }

    /// What the templates tell of the changes inside.
    pub(crate) fn compared(&self, recorded: Option<&Recorded<'_>>) -> Vec<windlass_model::NestedChange> {
        let before = recorded.and_then(|recorded| {
            recorded.template.as_ref().map(|template| (template, recorded.spec.facts()))
        });
        let facts = self.facts();
        let secret = self.secret();
        let before = before.as_ref().map(|(template, facts)| (*template, facts));
        if recorded.is_some() && before.is_none() {
            return Vec::new();
        }
        let comparison = Comparison { before, after: &self.source.template, facts: &facts, secret: &secret };
        let mut changes = comparison.changes();
        let redact = &self.aws.call.tools.redact;
        for line in changes.iter_mut().flat_map(|change| change.lines.iter_mut()) {
            *line = redact.redact(line);
        }
        changes
    }

    fn with_settings(&self, mut artefact: Artefact, before: Option<(&Recorded<'_>, &Found)>) -> Artefact {
        let (policy, protection) = match before {
            None => (None, Some(false)),
            Some((recorded, found)) => {
                let told = found.stack.as_ref().and_then(|stack| stack.enable_termination_protection);
                let protection = told.or(recorded.spec.termination_protection);
                (recorded.spec.stack_policy.as_ref(), protection)
            }
        };
        artefact.set_policy = self.spec.stack_policy.as_ref() != policy;
        artefact.set_protection =
            self.spec.termination_protection.filter(|wanted| protection.unwrap_or(false) != *wanted);
        artefact
    }

    /// The stack as it will be.
    pub(crate) fn planned(
        &self,
        recorded: Option<&Recorded<'_>>,
        made: Option<&Made>,
        stack: Option<&Stack>,
    ) -> Value {
        let secret = self.secret();
        let facts = self.facts();
        let touched = made.map(Made::touched);
        let outputs_before = recorded.map(|recorded| match stack {
            Some(stack) => recorded.outputs(stack),
            None => recorded.record.value.0.get("outputs").cloned().unwrap_or(Value::NULL),
        });
        let before_facts = recorded.map(|recorded| recorded.spec.facts());
        let nothing_changes = recorded.is_some() && made.is_none() && stack.is_some();
        let outputs = match (&outputs_before, nothing_changes) {
            (Some(outputs), true) => outputs.clone(),
            _ => {
                let before = recorded.and_then(|recorded| {
                    Some(outputs::Recorded {
                        template: recorded.template.as_ref()?,
                        facts: before_facts.as_ref()?,
                        outputs: outputs_before.as_ref()?,
                    })
                });
                let foreign =
                    recorded.zip(stack).is_some_and(|(recorded, stack)| recorded.is_foreign_update(stack));
                let wanted = Wanted {
                    template: &self.source.template,
                    facts: &facts,
                    touched: touched.as_ref(),
                    secret: &secret,
                };
                outputs::foreseen(before.filter(|_| !foreign), wanted)
            }
        };
        let id = stack.map(|stack| stack.stack_id.clone());
        let id = id.or_else(|| recorded.and_then(|recorded| recorded.stack_id.clone()));
        let id = id.map_or_else(|| Value::unknown(windlass_model::Type::String), Value::from);
        computed(self.desired, id, outputs)
    }
}
