//! How it misbehaves, as a test says.

use std::time::Duration;

use serde_json::Value;

use super::errors::Failure;
use super::http::{Reply, Request};
use super::ids;

/// How long a long-running operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// So many looks at it say that it runs; its resources are made one after the other meanwhile.
    Polls(u32),
    /// So long from its start, whether anybody looks or not.
    Time(Duration),
    /// It does nothing until the pace is another.
    Held,
}

/// Which requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    method: Option<String>,
    path: String,
    skip: u32,
    times: Option<u32>,
}

impl When {
    /// Those whose path has this in it, in any case.
    pub fn path(part: &str) -> Self {
        Self { path: part.to_lowercase(), ..Self::default() }
    }

    /// Only with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_uppercase());
        self
    }

    /// Only the next so many.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// But not the first so many.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Whether this is one; counts it.
    fn takes(&mut self, request: &Request) -> bool {
        let method = self.method.as_ref().is_none_or(|method| *method == request.method);
        if !method || !request.path.to_lowercase().contains(&self.path) || self.times == Some(0) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = self.times.map(|times| times - 1);
        true
    }
}

/// All that a test can set.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Of long-running operations.
    pub pace: Pace,
    /// What `Retry-After` says while they run.
    pub retry_after: Duration,
    /// Before every answer.
    pub delay: Duration,
    /// Answers in place of the real ones.
    pub faults: Vec<(When, Reply)>,
    /// Resources, by name, type or id, that cannot be made.
    pub failing: Vec<(String, Failure)>,
    /// Resources that cannot be deleted; without a failure: whose deletion never ends.
    pub undeletable: Vec<(String, Option<Failure>)>,
    /// Read-only properties that what-if sees as changes: resource, path, value.
    pub noise: Vec<(String, String, Value)>,
    /// Resources whose change what-if only calls possible.
    pub potential: Vec<String>,
    /// Resources that what-if cannot tell about, and why.
    pub unsupported: Vec<(String, String)>,
    /// What what-if says besides.
    pub diagnostics: Vec<Value>,
    /// What resources have that their templates do not say: type or name, properties.
    pub computed: Vec<(String, Value)>,
    /// What validation says to every template.
    pub invalid: Option<Failure>,
    /// Whether there is `deploymentStacksWhatIfResults`.
    pub stacks_what_if: bool,
    /// Stacks that are out of sync, by name.
    pub out_of_sync: Vec<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            pace: Pace::Polls(1),
            retry_after: Duration::from_millis(20),
            delay: Duration::ZERO,
            faults: Vec::new(),
            failing: Vec::new(),
            undeletable: Vec::new(),
            noise: Vec::new(),
            potential: Vec::new(),
            unsupported: Vec::new(),
            diagnostics: Vec::new(),
            computed: Vec::new(),
            invalid: None,
            stacks_what_if: true,
            out_of_sync: Vec::new(),
        }
    }
}

impl Behaviour {
    /// The answer that a request gets in place of the real one.
    pub fn fault(&mut self, request: &Request) -> Option<Reply> {
        let found =
            self.faults.iter_mut().find_map(|(when, reply)| when.takes(request).then(|| reply.clone()));
        self.faults.retain(|(when, _)| when.times != Some(0));
        found
    }

    /// Why a resource cannot be made.
    pub fn failing(&self, id: &str) -> Option<&Failure> {
        self.failing.iter().find(|(wanted, _)| ids::means(wanted, id)).map(|(_, failure)| failure)
    }

    /// Whether the change of a resource is only possible.
    pub fn is_potential(&self, id: &str) -> bool {
        self.potential.iter().any(|wanted| ids::means(wanted, id))
    }

    /// Why nothing can be told about a resource.
    pub fn unsupported(&self, id: &str) -> Option<&str> {
        self.unsupported.iter().find(|(wanted, _)| ids::means(wanted, id)).map(|(_, why)| why.as_str())
    }

    /// Whether a resource cannot be deleted, and why not if it says so.
    pub fn undeletable(&self, id: &str) -> Option<Option<&Failure>> {
        self.undeletable
            .iter()
            .find(|(wanted, _)| ids::means(wanted, id))
            .map(|(_, failure)| failure.as_ref())
    }
}

/// `429`, to come again after a time.
pub fn throttled(retry_after: Duration) -> Reply {
    let failure = Failure::new(
        429,
        "TooManyRequests",
        "The request is being throttled as the limit has been reached for operation type - Write. For more information, see https://aka.ms/arm-throttling",
    );
    come_again(failure.reply(), retry_after)
}

/// The header that says when to come again. Parts of a second have one of their own: in `Retry-After` some clients take only
/// whole ones, and `az` takes `0` as nothing said, and waits for 30 s.
pub fn come_again(reply: Reply, after: Duration) -> Reply {
    if after.subsec_nanos() == 0 && after.as_secs() > 0 {
        reply.with("Retry-After", after.as_secs().to_string())
    } else {
        reply.with("x-ms-retry-after-ms", after.as_millis().max(1).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_for_the_requests_that_it_names() {
        let mut behaviour = Behaviour::default();
        let when = When::path("/Deployments/").method("put").after(1).times(2);
        behaviour.faults.push((when, Reply::empty(500)));
        let mut ask = |method: &str, path: &str| {
            let request = Request { method: method.to_owned(), path: path.to_owned(), ..Request::default() };
            behaviour.fault(&request).is_some()
        };
        assert!(!ask("GET", "/x/deployments/y"));
        assert!(!ask("PUT", "/x/deploymentStacks/y"));
        let asked = [(); 4].map(|()| ask("PUT", "/x/deployments/y"));
        assert_eq!(asked, [false, true, true, false]);
    }

    #[test]
    fn whole_seconds_are_said_as_all_do() {
        let header = |time| come_again(Reply::empty(202), time).headers.remove(0);
        assert_eq!(header(Duration::from_secs(2)), ("Retry-After".to_owned(), "2".to_owned()));
        assert_eq!(header(Duration::from_millis(20)), ("x-ms-retry-after-ms".to_owned(), "20".to_owned()));
    }
}
