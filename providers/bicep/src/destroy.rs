//! Deleting: a stack with what it manages, or what a deployment made, and the group where it is ours.

use serde_json::{Value as Json, json};
use windlass_model::{Finding, NestedChange, Private, Record, Value};
use windlass_provider::{ApplyFailure, Drift, Exit, Left, Proposed, ProviderError, Verdict, Work};

use crate::apply::{AGAIN, APPLY, Applied, BUSY, GROUP};
use crate::group::holds_strangers;
use crate::job::Job;
use crate::plan::proposed;
use crate::read::recorded;
use crate::spec::Mode;
use crate::target::group_of_id;

/// The command that deletes a deployment's entry.
pub const ENTRY: &str = "entry";

/// What a delete is to do.
struct Doomed {
    /// The ids of what the stack manages or the deployment made.
    ids: Vec<String>,
    /// The group goes as well.
    group: Option<String>,
}

impl Doomed {
    fn of(job: &Job<'_>, prior: &Record) -> Doomed {
        let ids = prior.nested.iter().filter_map(|one| one.id.clone()).collect();
        // What is only detached stays in it.
        let owned = prior.private.data.get("group") == Some(&Json::Bool(true)) && !job.spec.detach;
        Doomed { ids, group: job.spec.group.clone().filter(|_| owned) }
    }
}

/// Plans a delete.
///
/// # Errors
/// What az says; `conflict` where the group holds what is not ours.
pub async fn propose(job: &Job<'_>, prior: &Record, refresh: bool) -> Result<Proposed, ProviderError> {
    let mut doomed = Doomed::of(job, prior);
    let mut result = proposed(Verdict::Change, Value::NULL);
    let seen = if refresh { job.show().await? } else { None };
    if let Some(seen) = &seen {
        doomed.ids.extend(seen.resources.iter().cloned());
        doomed.ids.sort_by_key(|id| id.to_lowercase());
        doomed.ids.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    }
    let stack = job.spec.mode == Mode::Stack;
    if refresh && seen.is_none() && stack {
        doomed.ids.clear();
        if doomed.group.is_none() {
            result.drift = Some(Drift::Gone);
        }
    }
    if let (Some(group), true) = (&doomed.group, refresh) {
        let strangers = job.strangers(group, &doomed.ids).await?;
        if !strangers.is_empty() {
            // Another deployment of this very plan may take them away before: it is looked again before anything is deleted.
            let error = holds_strangers(job, group, &strangers);
            let mut warning = Finding::warning("create_resource_group", error.message);
            warning.help = Some("what is still there when this is deleted stops it".to_owned());
            result.warnings.push(warning);
        }
    }
    let action = if job.spec.detach { "forget" } else { "delete" };
    let change = |address: String, action: &str| NestedChange {
        address,
        action: action.to_owned(),
        because: Vec::new(),
        lines: Vec::new(),
    };
    let ids = doomed.ids.iter().rev();
    result.nested = ids.map(|id| change(job.target.short(id), action)).collect();
    if let Some(group) = &doomed.group {
        result.nested.push(change(format!("resourceGroups/{group}"), "delete"));
    }
    result.artefact = Some(Private {
        version: 1,
        data: json!({ "delete": doomed.ids, "group": doomed.group }),
        ..Private::default()
    });
    result.place = Some(job.target.place());
    Ok(result)
}

impl Job<'_> {
    /// Deletes it.
    ///
    /// # Errors
    /// What failed, and what was left.
    pub async fn destroy(&self, work: &Work<'_>) -> Applied {
        let Some(prior) = work.prior else { return Ok(None) };
        let doomed = Doomed::of(self, prior);
        if let Some(group) = &doomed.group {
            let mut known = doomed.ids.clone();
            let planned =
                work.artefact.and_then(|artefact| artefact.data.get("delete")).and_then(Json::as_array);
            known.extend(planned.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned));
            let strangers = self.strangers(group, &known).await.map_err(ApplyFailure::untouched)?;
            if !strangers.is_empty() {
                return Err(ApplyFailure::untouched(holds_strangers(self, group, &strangers)));
            }
        }
        match self.target.mode {
            Mode::Stack => self.delete_stack(work).await?,
            Mode::Deployment => self.delete_deployment(work, &doomed).await?,
        }
        if let Some(group) = &doomed.group {
            self.tell(format!("deletes the resource group `{group}`"));
            self.delete_part(work, GROUP, self.target.group_delete(group)).await?;
        }
        Ok(None)
    }

    async fn delete_stack(&self, work: &Work<'_>) -> Result<(), Box<ApplyFailure>> {
        let args = self.target.delete_stack(self.spec.detach);
        let mut exit = self.act(APPLY, args.clone()).await;
        if let Ok(ended) = &exit
            && !ended.success()
            && crate::failure::says(ended, BUSY)
            && self.wait_while_busy(work).await.map_err(ApplyFailure::untouched)?
        {
            exit = self.act(AGAIN, args.clone()).await;
        }
        match exit {
            Ok(exit) if exit.success() => Ok(()),
            // az says "not found" whenever its first look fails, so that is looked at again.
            Ok(exit) => self.still_there(work, self.error(&args, &exit), Some(&exit)).await,
            Err(error) => self.still_there(work, error, None).await,
        }
    }

    /// A delete that failed: fine if the thing is gone even so.
    async fn still_there(
        &self,
        work: &Work<'_>,
        error: ProviderError,
        exit: Option<&Exit>,
    ) -> Result<(), Box<ApplyFailure>> {
        let stopped =
            exit.is_some_and(|exit| exit.interrupted || exit.timed_out) || self.call.stop.is_interrupted();
        let call = if stopped { self.after_stop() } else { self.call.clone() };
        let most = stopped.then(|| std::time::Duration::from_secs(60));
        match self.until_over(&call, most).await {
            Ok(None) => Ok(()),
            Ok(Some(seen)) if !seen.is_over() => {
                let look_at = format!(
                    "Azure still deletes {}; look at it with `az {}`",
                    self.target.say(),
                    self.target.show_words()
                );
                Err(Box::new(ApplyFailure { error, left: Left::Unknown(look_at) }))
            }
            Ok(Some(seen)) => {
                let error = match (seen.errors.is_empty(), exit.is_some_and(|exit| exit.interrupted)) {
                    (false, false) => {
                        crate::failure::of_said(&self.target.say(), &seen.errors, &self.call.tools.redact)
                    }
                    _ => error,
                };
                Err(Box::new(ApplyFailure { error, left: self.left(work, Some(&seen)).await }))
            }
            Err(other) => {
                let look_at = format!("{other}; look at it with `az {}`", self.target.show_words());
                Err(Box::new(ApplyFailure { error, left: Left::Unknown(look_at) }))
            }
        }
    }

    async fn left(&self, work: &Work<'_>, seen: Option<&crate::seen::Seen>) -> Left {
        let Some(prior) = work.prior else { return Left::Untouched };
        match recorded(self, prior).await {
            Ok(before) => Left::There(Box::new(before.observed(self, seen, &before.made, Vec::new()))),
            Err(other) => {
                Left::Unknown(format!("{other}; look at it with `az {}`", self.target.show_words()))
            }
        }
    }

    /// Deletes what a deployment made, and its entry.
    async fn delete_deployment(&self, work: &Work<'_>, doomed: &Doomed) -> Result<(), Box<ApplyFailure>> {
        if !self.spec.detach && doomed.group.is_none() {
            let groups: Vec<&str> = doomed.ids.iter().filter_map(|id| group_of_id(id)).collect();
            let goes_with_group = |id: &str| {
                groups.iter().any(|group| {
                    let inside =
                        format!("/subscriptions/{}/resourceGroups/{group}/", self.target.subscription);
                    id.to_lowercase().starts_with(&inside.to_lowercase())
                })
            };
            let ids: Vec<String> = doomed
                .ids
                .iter()
                .rev()
                .filter(|id| group_of_id(id).is_none() && !goes_with_group(id))
                .cloned()
                .collect();
            if !ids.is_empty() {
                self.delete_resources(work, &ids).await?;
            }
            for (at, group) in groups.iter().enumerate() {
                self.delete_part(work, &format!("{GROUP}-{at}"), self.target.group_delete(group)).await?;
            }
        }
        match doomed.group {
            // Its entry goes with the group.
            Some(_) => Ok(()),
            None => self.delete_part(work, ENTRY, self.target.delete_deployment()).await,
        }
    }

    /// Deletes resources. `az` fails for what is gone already, so what is left counts, not what it says.
    async fn delete_resources(&self, work: &Work<'_>, ids: &[String]) -> Result<(), Box<ApplyFailure>> {
        let Err(failure) = self.delete_part(work, APPLY, self.target.delete_resources(ids)).await else {
            return Ok(());
        };
        let left = match &self.spec.group {
            Some(group) => self.strangers(group, &[]).await,
            None => self.all_resources().await,
        };
        let is_left = |id: &String| match &left {
            Ok(left) => left.iter().any(|other| other.eq_ignore_ascii_case(id)),
            Err(_) => true,
        };
        if ids.iter().any(is_left) { Err(failure) } else { Ok(()) }
    }

    /// One command of a delete: fine if what it deletes is gone already.
    async fn delete_part(
        &self,
        work: &Work<'_>,
        label: &str,
        args: Vec<String>,
    ) -> Result<(), Box<ApplyFailure>> {
        let exit = match self.act(label, args.clone()).await {
            Ok(exit) if exit.success() || crate::job::is_absent(&exit) => return Ok(()),
            Ok(exit) => exit,
            Err(error) => return Err(Box::new(ApplyFailure { error, left: self.left(work, None).await })),
        };
        let error = self.error(&args, &exit);
        Err(Box::new(ApplyFailure { error, left: self.left(work, None).await }))
    }
}
