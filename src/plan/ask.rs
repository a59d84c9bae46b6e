//! Asking a provider about one instance.

use std::sync::Arc;

use windlass_model::{Record, Stored, Value};
use windlass_provider::{Ask, Call, Drift, Proposed, ProviderError, Session, Verdict};

use super::decide::Answer;

/// A question about one instance; owns what it needs, so that many can be under way.
pub struct Job {
    /// The provider's session.
    pub session: Arc<dyn Session>,
    /// The call.
    pub call: Call,
    /// What state knows.
    pub prior: Option<Arc<Record>>,
    /// What is wanted; `None`: its deletion.
    pub desired: Option<Value>,
    /// Whether to look at the real thing.
    pub refresh: bool,
    /// The provider's `plan` looks for itself.
    pub plan_reads: bool,
    /// Only look; nothing is wanted.
    pub look_only: bool,
    /// It will be replaced whatever the provider says (`--replace`, tainted).
    pub replace: bool,
}

/// A job's number and what came of it.
pub struct Answered<T> {
    /// Whose answer it is.
    pub id: T,
    /// The answer.
    pub result: Result<Answer, ProviderError>,
}

/// Asks: the real thing first where the provider's plan does not look, then what would have to be done.
///
/// # Errors
/// As the provider says.
pub async fn ask<T>(id: T, job: Job) -> Answered<T> {
    Answered { id, result: put(&job).await }
}

async fn put(job: &Job) -> Result<Answer, ProviderError> {
    let (prior, drift) = looked(job).await?;
    let gone = matches!(drift, Some(Drift::Gone));
    let mut proposed = match (&job.desired, gone) {
        (None, _) if job.look_only => nothing(drift.clone()),
        (None, true) => nothing(drift.clone()),
        (desired, _) => {
            let refresh = job.refresh && job.plan_reads;
            let ask =
                Ask { prior: prior.as_deref(), desired: desired.as_ref(), refresh, replace: job.replace };
            let proposed = job.session.plan(&job.call, ask).await;
            // Its outcome is known: what its commands put out is not needed any more.
            let settled = job.call.tools.runner.settled(&job.call.token);
            proposed.and_then(|proposed| settled.map(|()| proposed))?
        }
    };
    proposed.drift = proposed.drift.or(drift);
    let acts = !job.look_only && !gone && (proposed.verdict != Verdict::Same || job.desired.is_none());
    let kind = &job.call.address.kind;
    let wanted =
        job.desired.as_ref().or(job.prior.as_ref().map(|prior| &prior.inputs.0)).unwrap_or(&Value::NULL);
    let tool = if acts { job.session.tool_for(kind, wanted).await? } else { String::new() };
    let account = if acts { job.session.account_for(kind, wanted).await? } else { None };
    Ok(Answer { proposed, tool, account })
}

fn nothing(drift: Option<Drift>) -> Proposed {
    Proposed {
        verdict: Verdict::Same,
        planned: Value::NULL,
        why: Vec::new(),
        nested: Vec::new(),
        artefact: None,
        drift,
        place: None,
        warnings: Vec::new(),
        waits_for: Vec::new(),
    }
}

/// The record as it really is, and how that differs, for providers whose plan does not look itself.
async fn looked(job: &Job) -> Result<(Option<Arc<Record>>, Option<Drift>), ProviderError> {
    let (Some(prior), true, false) = (&job.prior, job.refresh, job.plan_reads && !job.look_only) else {
        return Ok((job.prior.clone(), None));
    };
    match job.session.read(&job.call, prior).await? {
        None => Ok((None, Some(Drift::Gone))),
        Some(observed) if observed.value.same(&prior.value.0) => Ok((Some(prior.clone()), None)),
        Some(observed) => {
            let mut record = (**prior).clone();
            record.value = Stored(observed.value.clone());
            record.private = observed.private.clone();
            record.nested = observed.nested.clone();
            Ok((Some(Arc::new(record)), Some(Drift::Changed(observed))))
        }
    }
}
