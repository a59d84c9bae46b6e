//! Following an operation by the stack's events until it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use windlass_model::{ErrorClass, Nested};
use windlass_provider::{Call, ProviderError};

use crate::answers::{Event, Events, Stack};
use crate::aws::{Aws, Failed};
use crate::command::cloudformation;
use crate::describe::Age;
use crate::discard::milliseconds;
use crate::states::{Means, is_end, is_failure, is_start, means, words};

/// The first and the longest time between two looks.
const FIRST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(5);
/// So many looks in a row may fail for reasons that pass.
const PATIENCE: u32 = 30;
/// After so many looks that show nothing of the operation, the stack itself is asked.
const SILENT: u32 = 3;
/// What one look asks for, and what it asks for when that was not enough.
const PAGE: &str = "100";
const MANY: &str = "2000";

/// The time between looks: it grows.
pub struct Pace(Duration);

impl Default for Pace {
    fn default() -> Pace {
        Pace(FIRST)
    }
}

impl Pace {
    /// Waits for the next look; true: the run was interrupted.
    pub async fn wait(&mut self, call: &Call) -> bool {
        let pause = self.0;
        self.0 = (pause * 3 / 2).min(LONGEST);
        tokio::select! {
            biased;
            () = call.stop.interrupted() => true,
            () = tokio::time::sleep(pause) => false,
        }
    }

    /// Something moves: look sooner again.
    fn hurry(&mut self) {
        self.0 = (self.0 / 2).max(FIRST);
    }
}

/// Which of a stack's events belong to an operation.
pub struct Operation {
    /// The stack's ARN.
    pub stack_id: String,
    /// The token that the operation was begun with.
    pub token: String,
    /// For a service that does not tell tokens: events before this time, in its own clock, are of others.
    pub since: Option<u64>,
    /// It deletes the stack.
    pub deletes: bool,
    /// It makes the stack.
    pub creates: bool,
}

impl Operation {
    /// The operation's events of a page, the oldest first.
    pub fn own<'e>(&self, events: &'e [Event]) -> Vec<&'e Event> {
        let token = |event: &Event| event.client_request_token.as_deref() == Some(self.token.as_str());
        if events.iter().any(token) {
            return events.iter().filter(|event| token(event)).rev().collect();
        }
        let later = |event: &&Event| match (self.since, milliseconds(&event.timestamp)) {
            (Some(since), Some(at)) => at >= since,
            (Some(_), None) => false,
            (None, _) => self.deletes,
        };
        let untold = events.iter().filter(|event| event.client_request_token.is_none()).filter(later);
        let mut own = Vec::new();
        for event in untold {
            own.push(event);
            if event.is_of_stack() && is_start(&event.resource_status) {
                own.reverse();
                let right = !self.deletes || event.resource_status == "DELETE_IN_PROGRESS";
                return if right { own } else { Vec::new() };
            }
        }
        Vec::new()
    }
}

/// What was seen of an operation.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The stack's status, last told.
    pub status: String,
    /// Events of resources that failed, the oldest first.
    pub failed: Vec<Event>,
    /// What the stack's own failure said.
    pub reason: String,
    /// Resources by logical id, as last told.
    pub resources: BTreeMap<String, Nested>,
    /// It had an event at all.
    pub begun: bool,
    /// The stack, where it was told after the end.
    pub stack: Option<Stack>,
}

/// How watching ended.
#[derive(Debug)]
pub enum Ended {
    /// The operation has ended.
    Over(Watched),
    /// The run was interrupted; the operation goes on.
    Interrupted(Watched),
    /// The time is over, or it cannot be looked at any more; the operation may go on.
    Lost(ProviderError),
}

/// Follows one operation.
pub struct Watch<'a> {
    aws: &'a Aws<'a>,
    operation: Operation,
    seen: BTreeSet<String>,
    watched: Watched,
}

impl<'a> Watch<'a> {
    /// Nothing was looked at yet.
    pub fn new(aws: &'a Aws<'a>, operation: Operation) -> Watch<'a> {
        Watch { aws, operation, seen: BTreeSet::new(), watched: Watched::default() }
    }

    /// Looks until the operation has ended.
    pub async fn until_over(mut self) -> Ended {
        let mut pace = Pace::default();
        let (mut silent, mut failures) = (0, 0);
        if self.over_at_once().await {
            return Ended::Over(self.watched);
        }
        loop {
            match self.look().await {
                Ok(news) => {
                    failures = 0;
                    silent = if self.watched.begun { 0 } else { silent + 1 };
                    if news {
                        pace.hurry();
                    }
                }
                Err(failed) if failed.error.class == ErrorClass::Cancelled => {
                    return Ended::Interrupted(self.watched);
                }
                Err(failed) if self.operation.deletes && failed.is_gone() => {
                    self.watched.status = "DELETE_COMPLETE".to_owned();
                }
                Err(failed) if failed.is_temporary() && failures < PATIENCE => failures += 1,
                Err(failed) => return Ended::Lost(failed.error),
            }
            if silent >= SILENT {
                self.ask_the_stack().await;
                silent = 0;
            }
            if !self.watched.status.is_empty() && is_end(&self.watched.status) {
                return Ended::Over(self.watched);
            }
            let call = self.aws.call;
            if call.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                let message =
                    format!("the time for this step is over and the stack is still {}", self.state());
                return Ended::Lost(ProviderError::new(ErrorClass::Timeout, message));
            }
            if pace.wait(call).await {
                return Ended::Interrupted(self.watched);
            }
        }
    }

    fn state(&self) -> String {
        let status = &self.watched.status;
        if status.is_empty() { "changing".to_owned() } else { words(status) }
    }

    /// One look at all stacks, shared by all who watch: whether the operation has ended well already, so that nobody has to read
    /// its events.
    async fn over_at_once(&mut self) -> bool {
        let tells = self.operation.creates || self.operation.since.is_some();
        if self.operation.deletes || !tells {
            return false;
        }
        let Ok(Some(stack)) = self.aws.stack(&self.operation.stack_id, Age::Now).await else { return false };
        let updated = stack.last_updated_time.as_deref().and_then(milliseconds);
        // A status from before the operation is none of it.
        let own = self.operation.creates
            || updated.zip(self.operation.since).is_some_and(|(at, since)| at >= since);
        if !own || means(&stack.stack_status) != Means::Good {
            return false;
        }
        self.aws.progress(&format!("stack {}", words(&stack.stack_status)));
        self.watched.status.clone_from(&stack.stack_status);
        self.watched.begun = true;
        self.watched.stack = Some(stack);
        true
    }

    /// Where no event tells anything: the stack's own status, if it is that of an ended operation.
    async fn ask_the_stack(&mut self) {
        match self.aws.stack_alone(&self.operation.stack_id).await {
            Ok(None) if self.operation.deletes => self.watched.status = "DELETE_COMPLETE".to_owned(),
            Ok(Some(stack)) if !self.operation.deletes && stack.stack_status != "REVIEW_IN_PROGRESS" => {
                let updated = stack.last_updated_time.as_deref().or(stack.creation_time.as_deref());
                let updated = updated.and_then(milliseconds);
                // A status from before the operation is none of it.
                if is_end(&stack.stack_status)
                    && updated.zip(self.operation.since).is_some_and(|(at, since)| at >= since)
                {
                    self.watched.status = stack.stack_status;
                    self.watched.reason = stack.stack_status_reason;
                }
            }
            // The next look tells.
            _ => {}
        }
    }

    /// One look; whether there was something new.
    async fn look(&mut self) -> Result<bool, Failed> {
        let mut events = self.page(PAGE).await?;
        let own_only = !self.operation.own(&events.stack_events).is_empty()
            && events.stack_events.iter().all(|event| !self.seen.contains(&event.event_id));
        if own_only && events.next_token.is_some() && self.watched.begun {
            events = self.page(MANY).await?;
        }
        let own: Vec<Event> = self.operation.own(&events.stack_events).into_iter().cloned().collect();
        let mut news = false;
        for event in own {
            if self.seen.insert(event.event_id.clone()) {
                news = true;
                self.take(event);
            }
        }
        Ok(news)
    }

    async fn page(&self, most: &str) -> Result<Events, Failed> {
        let id = self.operation.stack_id.as_str();
        let args = cloudformation("describe-stack-events", &[("stack-name", id), ("max-items", most)]);
        self.aws.poll("look at the stack's events", args).await
    }

    fn take(&mut self, event: Event) {
        self.watched.begun = true;
        let status = words(&event.resource_status);
        let reason = match event.resource_status_reason.as_str() {
            "" | "User Initiated" | "Resource creation Initiated" => String::new(),
            reason => format!(": {reason}"),
        };
        let failed = is_failure(&event.resource_status);
        let line = match event.is_of_stack() {
            true => format!("stack {status}{reason}"),
            false => format!("{} ({}) {status}{reason}", event.logical_resource_id, event.resource_type),
        };
        match failed {
            true => self.aws.log(&line),
            false => self.aws.progress(&line),
        }
        if event.is_of_stack() {
            self.watched.status.clone_from(&event.resource_status);
            if !reason.is_empty() {
                self.watched.reason.clone_from(&event.resource_status_reason);
            }
            return;
        }
        match event.resource_status.as_str() {
            "DELETE_COMPLETE" => {
                let same =
                    |nested: &Nested| nested.id.as_deref() == Some(event.physical_resource_id.as_str());
                if self.watched.resources.get(&event.logical_resource_id).is_none_or(same) {
                    self.watched.resources.remove(&event.logical_resource_id);
                }
            }
            _ if !event.physical_resource_id.is_empty() => {
                let nested = Nested {
                    address: event.logical_resource_id.clone(),
                    kind: event.resource_type.clone(),
                    id: Some(event.physical_resource_id.clone()),
                };
                self.watched.resources.insert(nested.address.clone(), nested);
            }
            _ => {}
        }
        if failed {
            self.watched.failed.push(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "arn:stack";

    fn event(id: &str, at: u64, status: &str, token: Option<&str>) -> Event {
        let of_stack = !id.contains('.');
        Event {
            stack_id: STACK.to_owned(),
            event_id: id.to_owned(),
            logical_resource_id: "x".to_owned(),
            physical_resource_id: if of_stack { STACK } else { "phys" }.to_owned(),
            resource_type: if of_stack { "AWS::CloudFormation::Stack" } else { "AWS::SQS::Queue" }.to_owned(),
            timestamp: format!("2026-01-01T00:00:{at:02}Z"),
            resource_status: status.to_owned(),
            client_request_token: token.map(str::to_owned),
            ..Event::default()
        }
    }

    fn own(operation: &Operation, events: &[Event]) -> Vec<String> {
        operation.own(events).into_iter().map(|event| event.event_id.clone()).collect()
    }

    fn operation(since: u64, deletes: bool) -> Operation {
        let since = milliseconds(&format!("2026-01-01T00:00:{since:02}Z"));
        Operation { stack_id: STACK.to_owned(), token: "t".to_owned(), since, deletes, creates: false }
    }

    #[test]
    fn the_token_tells_whose_events_they_are() {
        let events = [
            event("4", 9, "UPDATE_COMPLETE", Some("other")),
            event("3", 3, "UPDATE_COMPLETE", Some("t")),
            event("2.r", 2, "UPDATE_COMPLETE", Some("t")),
            event("1", 1, "UPDATE_IN_PROGRESS", Some("t")),
            event("0", 0, "CREATE_COMPLETE", None),
        ];
        assert_eq!(own(&operation(0, false), &events), ["1", "2.r", "3"]);
    }

    #[test]
    fn without_tokens_the_last_operation_since_then_is_meant() {
        let events = [
            event("3", 13, "UPDATE_COMPLETE", None),
            event("2.r", 12, "UPDATE_COMPLETE", None),
            event("1", 11, "UPDATE_IN_PROGRESS", None),
            event("0", 5, "CREATE_COMPLETE", None),
        ];
        assert_eq!(own(&operation(10, false), &events), ["1", "2.r", "3"]);
        assert!(own(&operation(20, false), &events).is_empty());
        let none = Operation { since: None, ..operation(0, false) };
        assert!(own(&none, &events).is_empty());
        let other =
            [event("1", 11, "UPDATE_COMPLETE", Some("o")), event("0", 11, "UPDATE_IN_PROGRESS", Some("o"))];
        assert!(own(&operation(10, false), &other).is_empty());
    }

    #[test]
    fn a_delete_is_told_from_what_was_before() {
        let events = [event("3", 3, "DELETE_IN_PROGRESS", None), event("2", 2, "CREATE_COMPLETE", None)];
        let delete = Operation { since: None, ..operation(0, true) };
        assert_eq!(own(&delete, &events), ["3"]);
        assert!(own(&delete, &events[1..]).is_empty());
    }
}
