//! Who is told what happens in a run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use windlass_model::Event;

/// Is told every event of a run, in order. It cannot fail: what it cannot write is its own affair, the run goes on
/// (invariant 7). It must not block for long: the run waits.
pub trait Reporter: Send {
    /// Something happened.
    fn event(&mut self, event: &Event);
}

/// Keeps the events: for tests, and to replay them.
impl Reporter for Vec<Event> {
    fn event(&mut self, event: &Event) {
        self.push(event.clone());
    }
}

/// Numbers events from 1 without gaps, whoever made them: an operation recovers, runs and ends under one count.
pub struct Numbered<'r> {
    inner: &'r mut dyn Reporter,
    seq: u64,
}

impl<'r> Numbered<'r> {
    /// From 1 on.
    pub fn new(inner: &'r mut dyn Reporter) -> Numbered<'r> {
        Numbered { inner, seq: 0 }
    }
}

impl Reporter for Numbered<'_> {
    fn event(&mut self, event: &Event) {
        self.seq += 1;
        self.inner.event(&Event { seq: self.seq, ..event.clone() });
    }
}

/// Tells each of several reporters. One that panics is told nothing more, and the run goes on.
#[derive(Default)]
pub struct Reporters(Vec<Option<Box<dyn Reporter>>>);

impl Reporters {
    /// Tells these.
    pub fn new(reporters: Vec<Box<dyn Reporter>>) -> Reporters {
        Reporters(reporters.into_iter().map(Some).collect())
    }

    /// How many are still told.
    pub fn living(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

impl Reporter for Reporters {
    fn event(&mut self, event: &Event) {
        for place in &mut self.0 {
            let Some(reporter) = place else { continue };
            if catch_unwind(AssertUnwindSafe(|| reporter.event(event))).is_err() {
                *place = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use windlass_model::EventKind;

    use super::*;

    struct Shared(Arc<Mutex<Vec<Event>>>);

    impl Reporter for Shared {
        fn event(&mut self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    struct Broken;

    impl Reporter for Broken {
        fn event(&mut self, _: &Event) {
            std::panic::resume_unwind(Box::new("broken"));
        }
    }

    #[test]
    fn a_broken_reporter_takes_nobody_with_it() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut all = Reporters::new(vec![Box::new(Broken), Box::new(Shared(seen.clone()))]);
        for seq in 1..=2 {
            all.event(&Event { seq, at: 0, kind: EventKind::Warning { message: "x".into() } });
        }
        assert_eq!(seen.lock().unwrap().len(), 2);
        assert_eq!(all.living(), 1);
    }
}
