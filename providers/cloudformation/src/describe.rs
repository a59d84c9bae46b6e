//! Descriptions of stacks, shared: who asks while one is asked for gets the next one, together with all others who wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use windlass_model::ErrorClass;
use windlass_provider::ProviderError;

use crate::answers::{Stack, Stacks};
use crate::aws::Aws;
use crate::command::cloudformation;
use crate::place::Place;
use crate::states::{Means, means};

/// How long the first who asks waits for others: far less than `aws` takes to start.
const GATHER: Duration = Duration::from_millis(20);
/// How old an answer may be that a plan takes: the plans of many stacks follow each other.
const RECENT: Duration = Duration::from_secs(30);

/// Descriptions by place.
#[derive(Default)]
pub struct Describes {
    lines: Mutex<BTreeMap<Place, Arc<Line>>>,
    swept: Mutex<BTreeSet<Place>>,
}

/// Those who ask about one place.
#[derive(Default)]
struct Line {
    /// The number of the next who asks.
    next: AtomicU64,
    last: tokio::sync::Mutex<Option<Flight>>,
    /// When something was done to a stack, as the number of who would have asked then.
    touched: Mutex<BTreeMap<String, u64>>,
}

/// An answer.
#[derive(Clone)]
struct Flight {
    /// All who asked before this number are answered by it.
    covers: u64,
    at: Instant,
    all: Result<Arc<Vec<Stack>>, ProviderError>,
    /// All stacks may not be asked for, only one by its name.
    denied: bool,
}

/// How new an answer has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Age {
    /// Asked for after the question.
    Now,
    /// A moment ago will do, if we did nothing to the stack since.
    Recent,
}

impl Describes {
    fn line(&self, place: &Place) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(place.clone()).or_default().clone()
    }

    /// Whether this place was not swept yet; it is now.
    pub fn first_sweep(&self, place: &Place) -> bool {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone())
    }

    /// A stack was changed, so what is known of it is old.
    pub fn touch(&self, place: &Place, name: &str) {
        let line = self.line(place);
        let now = line.next.load(Ordering::SeqCst);
        line.touched.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), now + 1);
    }
}

impl Line {
    /// Whether an answer holds for a question.
    fn holds(&self, flight: &Flight, mine: u64, name: &str, age: Age) -> bool {
        if flight.covers > mine {
            return true;
        }
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let since = touched.get(name).copied().unwrap_or(0);
        age == Age::Recent && flight.at.elapsed() < RECENT && flight.all.is_ok() && since <= flight.covers
    }
}

impl Aws<'_> {
    /// A stack by its name; `None`: there is none (one that was deleted is none).
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn stack(&self, name: &str, age: Age) -> Result<Option<Stack>, ProviderError> {
        let flight = self.stacks(name, age).await?;
        if flight.denied {
            return self.stack_alone(name).await;
        }
        Ok(pick(&flight.all?, name))
    }

    async fn stacks(&self, name: &str, age: Age) -> Result<Flight, ProviderError> {
        let line = self.shared.describes.line(&self.place);
        let mine = line.next.fetch_add(1, Ordering::SeqCst);
        let mut last = line.last.lock().await;
        if let Some(flight) = last.as_ref().filter(|flight| line.holds(flight, mine, name, age)) {
            return Ok(flight.clone());
        }
        tokio::time::sleep(GATHER).await;
        let covers = line.next.load(Ordering::SeqCst);
        let at = Instant::now();
        let denied = last.as_ref().is_some_and(|flight| flight.denied);
        let (all, denied) = if denied { (Ok(Arc::default()), true) } else { self.ask_all().await };
        if let (Ok(all), true) = (&all, self.shared.describes.first_sweep(&self.place)) {
            // Before anybody hears of these stacks, so that nobody plans on one that goes.
            self.sweep_stacks(all).await;
        }
        let flight = Flight { covers, at, all, denied };
        *last = Some(flight.clone());
        Ok(flight)
    }

    async fn ask_all(&self) -> (Result<Arc<Vec<Stack>>, ProviderError>, bool) {
        match self.ask::<Stacks>("describe stacks", cloudformation("describe-stacks", &[])).await {
            Ok(stacks) => (Ok(Arc::new(stacks.stacks)), false),
            // Whoever may see only some stacks asks for each.
            Err(failed) if failed.error.class == ErrorClass::Permission => (Ok(Arc::default()), true),
            Err(failed) => (Err(failed.error), false),
        }
    }

    /// A stack by its name or id, asked for alone.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn stack_alone(&self, name: &str) -> Result<Option<Stack>, ProviderError> {
        let args = cloudformation("describe-stacks", &[("stack-name", name)]);
        match self.ask::<Stacks>(&format!("describe the stack {name}"), args).await {
            Ok(stacks) => Ok(pick(&stacks.stacks, name)),
            Err(failed) if failed.is_gone() => Ok(None),
            Err(failed) => Err(failed.error),
        }
    }
}

/// The stack of a name or id: of several, that which lives most.
fn pick(stacks: &[Stack], name: &str) -> Option<Stack> {
    let named = stacks.iter().filter(|stack| stack.stack_name == name || stack.stack_id == name);
    let rank = |stack: &&Stack| match means(&stack.stack_status) {
        Means::Gone => 0,
        Means::Empty => 1,
        _ => 2,
    };
    named.max_by_key(rank).filter(|stack| means(&stack.stack_status) != Means::Gone).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(name: &str, status: &str) -> Stack {
        Stack { stack_name: name.to_owned(), stack_status: status.to_owned(), ..Stack::default() }
    }

    #[test]
    fn the_living_one_of_a_name_is_taken() {
        let all =
            [stack("a", "REVIEW_IN_PROGRESS"), stack("a", "CREATE_COMPLETE"), stack("b", "DELETE_COMPLETE")];
        assert_eq!(pick(&all, "a").unwrap().stack_status, "CREATE_COMPLETE");
        assert!(pick(&all, "b").is_none() && pick(&all, "c").is_none());
    }
}
