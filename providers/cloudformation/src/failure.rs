//! Why an operation failed: the first resources that did, not the sum of it.

use windlass_model::ErrorClass;
use windlass_provider::ProviderError;

use crate::answers::{Event, Events};
use crate::aws::Aws;
use crate::command::cloudformation;
use crate::errors;
use crate::job::quoted;
use crate::states::{Means, is_failure, means, words};
use crate::watch::Watched;

/// So many failures are told; what follows is mostly their consequence.
const MOST: usize = 3;
/// Deeper than stacks nest.
const MOST_DEPTH: usize = 6;

/// What is said of a resource that only fell with others.
const FELL_TOO: &[&str] =
    &["Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled"];

/// Whether an event tells a cause.
fn is_cause(event: &Event) -> bool {
    let reason = event.resource_status_reason.as_str();
    is_failure(&event.resource_status)
        && !reason.is_empty()
        && !FELL_TOO.iter().any(|words| reason.contains(words))
}

impl Aws<'_> {
    /// Why an operation failed, with what to do next.
    pub async fn why(&self, name: &str, operation: &str, watched: &Watched) -> ProviderError {
        let mut causes = Vec::new();
        for event in watched.failed.iter().filter(|event| is_cause(event)).take(MOST) {
            causes.push(self.cause(event, 0).await);
        }
        let reasons: Vec<String> = causes.iter().map(|(line, _)| line.clone()).collect();
        let reason = match (reasons.is_empty(), watched.reason.is_empty()) {
            (false, _) => format!("\n{}", reasons.join("\n")),
            (true, false) => format!(": {}", watched.reason),
            (true, true) => String::new(),
        };
        let message =
            format!("the stack {name} could not be {operation}: it is {}{reason}", words(&watched.status));
        let text = causes.first().map_or(watched.reason.as_str(), |(_, reason)| reason.as_str());
        let error = ProviderError::new(class(text), self.call.tools.redact.redact(&message));
        match self.next_step(name, watched).or_else(|| errors::lookup(text).map(|row| row.hint.to_owned())) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// A line on a failed resource, and the words of its cause: of a nested stack, those of what failed in it.
    async fn cause(&self, event: &Event, depth: usize) -> (String, String) {
        let id = &event.logical_resource_id;
        let nested = event.resource_type == "AWS::CloudFormation::Stack"
            && event.physical_resource_id.starts_with("arn:")
            && depth < MOST_DEPTH;
        if nested && let Some(inner) = self.first_failure(&event.physical_resource_id).await {
            let (line, reason) = Box::pin(self.cause(&inner, depth + 1)).await;
            return (format!("{id}/{line}"), reason);
        }
        let reason = event.resource_status_reason.clone();
        (format!("{id} ({}): {}: {reason}", event.resource_type, words(&event.resource_status)), reason)
    }

    async fn first_failure(&self, stack: &str) -> Option<Event> {
        let args = cloudformation("describe-stack-events", &[("stack-name", stack), ("max-items", "200")]);
        // That it cannot be asked costs only the detail.
        let events: Events = self.poll("look at the nested stack's events", args).await.ok()?;
        events.stack_events.into_iter().rev().find(|event| is_cause(event) && !event.is_of_stack())
    }

    /// What to do with a stack in this status.
    fn next_step(&self, name: &str, watched: &Watched) -> Option<String> {
        let region = &self.place.region;
        let ids = |status: &str| {
            let failed = watched.failed.iter().filter(|event| event.resource_status == status);
            let mut ids: Vec<&str> = failed.map(|event| event.logical_resource_id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            ids.join(" ")
        };
        match means(&watched.status) {
            Means::Stuck => Some(continue_hint(name, region, &ids("UPDATE_FAILED"))),
            Means::NotDeleted => Some(format!(
                "remove what holds it and delete again, or leave it behind: retain_resources = [\"{}\"], or `aws cloudformation \
                 delete-stack --stack-name {name} --region {region} --retain-resources {}` and then again",
                ids("DELETE_FAILED").replace(' ', "\", \""),
                ids("DELETE_FAILED")
            )),
            Means::Dead => Some(format!(
                "correct the cause and apply again: {} is deleted first and made anew",
                quoted(&self.call.address.to_string())
            )),
            Means::Kept => Some(
                "correct the cause and apply again: what was made is kept, as on_failure says".to_owned(),
            ),
            _ => None,
        }
    }
}

/// How a rollback that failed goes on.
pub fn continue_hint(name: &str, region: &str, failed: &str) -> String {
    let skip = if failed.is_empty() { "LOGICAL_ID" } else { failed };
    format!(
        "correct what kept it from going back, then `aws cloudformation continue-update-rollback --stack-name {name} --region \
         {region}`; with --resources-to-skip {skip}, or resources_to_skip = [\"{}\"] and an apply, it goes on without",
        skip.replace(' ', "\", \"")
    )
}

/// The class of a cause. Trying again by itself does not help a stack that failed.
fn class(text: &str) -> ErrorClass {
    match errors::lookup(text).map(|row| row.class) {
        Some(class) if !class.is_temporary() => class,
        _ => ErrorClass::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consequences_are_no_causes() {
        let event = |status: &str, reason: &str| Event {
            resource_status: status.to_owned(),
            resource_status_reason: reason.to_owned(),
            ..Event::default()
        };
        assert!(is_cause(&event("CREATE_FAILED", "Bucket already exists")));
        assert!(!is_cause(&event("CREATE_FAILED", "Resource creation cancelled")));
        assert!(!is_cause(&event("CREATE_COMPLETE", "x")) && !is_cause(&event("CREATE_FAILED", "")));
        assert_eq!(class("API: s3:CreateBucket Access Denied"), ErrorClass::Permission);
        assert_eq!(class("Rate exceeded (Throttling)"), ErrorClass::Unknown);
    }
}
