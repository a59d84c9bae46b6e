//! The dispatcher: one loop that owns the world, the queue, the events and the signals of a run.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use windlass_model::{Entry, Event, EventKind, Private, Record, RunStatus, Slot, StepEvent, Token};
use windlass_store::StoreError;

use super::engine::Told;
use super::outcome::Act;
use super::queue::Queue;
use super::recorder::{Recorder, Request};
use super::run::{Ended, Failure, Question, Run, Signal};
use super::steps::Finished;
use crate::event::Reporter;
use crate::plan::{Freshness, Wiring};

/// A step that is under way.
pub(super) struct Active {
    pub act: Act,
    /// Further acts of the same step.
    pub more: VecDeque<Act>,
    pub attempt: u32,
    pub noted: Vec<Private>,
    /// It failed for now, and waits until it is tried again.
    pub waits: bool,
    pub started: Instant,
}

/// What is to happen once an entry is durable.
pub(super) enum Mark {
    Start(u32),
    Tell(EventKind),
    /// The outcome of this step's work is durable.
    Settled(Token),
}

pub(super) type Timer = Pin<Box<dyn Future<Output = u32> + Send>>;

pub(super) struct Dispatcher<'r> {
    pub run: Run,
    pub reporter: &'r mut dyn Reporter,
    pub queue: Queue,
    pub records: BTreeMap<Slot, Arc<Record>>,
    pub active: BTreeMap<u32, Active>,
    pub parked: BTreeMap<String, VecDeque<u32>>,
    pub in_use: BTreeMap<String, usize>,
    pub tasks: JoinSet<Finished>,
    pub timers: FuturesUnordered<Timer>,
    pub recorder: mpsc::UnboundedSender<Request>,
    pub told: mpsc::UnboundedSender<Told>,
    pub pending: Vec<Entry>,
    pub marks: Vec<Mark>,
    in_flight: Option<Vec<Mark>>,
    pub draining: bool,
    interrupted: bool,
    pub stopped_by: Option<Signal>,
    pub question: Option<Question>,
    broken: Option<Arc<StoreError>>,
    abandoned: bool,
    seq: u64,
    started_ms: u64,
    pub done: usize,
    pub failures: Vec<Failure>,
    pub skipped: usize,
    pub seen: Freshness,
    /// What `told` and `acks` bring.
    inbox: Inbox,
}

struct Inbox {
    told: mpsc::UnboundedReceiver<Told>,
    acks: mpsc::UnboundedReceiver<Result<(), Arc<StoreError>>>,
}

/// What wakes the loop.
enum Wake {
    Signal(Signal),
    Told(Told),
    Ack(Result<(), Arc<StoreError>>),
    Task(Box<Finished>),
    Retry(u32),
    Deadline,
}

/// Carries a plan out. The journal has its beginning already.
pub async fn apply(
    run: Run,
    recorder: Recorder,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    reporter: &mut dyn Reporter,
) -> Ended {
    let (requests, inbox) = mpsc::unbounded_channel();
    let (acks, acked) = mpsc::unbounded_channel();
    let (told, heard) = mpsc::unbounded_channel();
    let records = recorder.state.records.clone();
    let serving = tokio::spawn(recorder.serve(inbox, acks));
    let inbox = Inbox { told: heard, acks: acked };
    let mut dispatcher = Dispatcher::new(run, records, requests, told, inbox, reporter);
    dispatcher.work(signals).await;
    dispatcher.end(serving).await
}

impl<'r> Dispatcher<'r> {
    fn new(
        run: Run,
        records: BTreeMap<Slot, Arc<Record>>,
        recorder: mpsc::UnboundedSender<Request>,
        told: mpsc::UnboundedSender<Told>,
        inbox: Inbox,
        reporter: &'r mut dyn Reporter,
    ) -> Dispatcher<'r> {
        let wiring = Wiring::new(&run.plan.steps);
        let queue = Queue::new(wiring, |node| run.finished.get(node as usize).copied().unwrap_or(false));
        let started_ms = run.host.now_ms();
        Dispatcher {
            queue,
            records,
            active: BTreeMap::new(),
            parked: BTreeMap::new(),
            in_use: BTreeMap::new(),
            tasks: JoinSet::new(),
            timers: FuturesUnordered::new(),
            recorder,
            told,
            pending: Vec::new(),
            marks: Vec::new(),
            in_flight: None,
            draining: false,
            interrupted: false,
            stopped_by: None,
            question: None,
            broken: None,
            abandoned: false,
            seq: 0,
            started_ms,
            done: 0,
            failures: Vec::new(),
            skipped: 0,
            seen: Freshness::new(),
            inbox,
            reporter,
            run,
        }
    }

    async fn work(&mut self, signals: &mut mpsc::UnboundedReceiver<Signal>) {
        let header = &self.run.plan.header;
        self.tell(EventKind::RunStarted {
            run: self.run.run.clone(),
            operation: header.operation,
            stack: header.stack.clone(),
            environment: header.environment.clone(),
            plan: self.run.plan.id,
            steps: self.queue.left(),
        });
        while !self.abandoned {
            self.start_ready().await;
            self.flush();
            if self.is_idle() {
                return;
            }
            let wake = self.next_wake(signals).await;
            self.handle(wake).await;
        }
    }

    fn is_idle(&self) -> bool {
        let waiting = self.draining || self.broken.is_some() || self.queue.taken() == self.parked_count();
        let quiet = self.active.is_empty() && self.tasks.is_empty() && self.timers.is_empty();
        let written = self.in_flight.is_none() && (self.pending.is_empty() || self.broken.is_some());
        waiting && quiet && written
    }

    async fn next_wake(&mut self, signals: &mut mpsc::UnboundedReceiver<Signal>) -> Wake {
        let deadline = match (self.run.deadline, self.draining, self.interrupted) {
            (Some(at), false, _) => Some(at),
            (Some(at), true, false) => Some(at + self.run.grace),
            _ => None,
        };
        let late = async move {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => Wake::Signal(signal),
            Some(told) = self.inbox.told.recv() => Wake::Told(told),
            Some(ack) = self.inbox.acks.recv() => Wake::Ack(ack),
            Some(finished) = self.tasks.join_next() => match finished {
                Ok(finished) => Wake::Task(Box::new(finished)),
                // Panics are caught inside the task; what is left is that the runtime goes down.
                Err(_) => Wake::Signal(Signal::Leave),
            },
            Some(node) = self.timers.next() => Wake::Retry(node),
            () = late => Wake::Deadline,
        }
    }

    async fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Signal(signal) => self.signalled(signal, "interrupted").await,
            Wake::Told(Told::Said(node, event)) => self.said(node, event),
            Wake::Told(Told::Noted(node, private)) => {
                if let Some(active) = self.active.get_mut(&node) {
                    active.noted.push(private);
                }
            }
            Wake::Told(Told::Healthy(node, value, answer)) => self.asked_for_health(node, *value, answer),
            Wake::Ack(result) => self.acked(result).await,
            Wake::Task(finished) => self.finished(*finished).await,
            Wake::Retry(node) => self.retry(node),
            Wake::Deadline => {
                let signal = if self.draining { Signal::Interrupt } else { Signal::Drain };
                self.signalled(signal, "the deadline is reached").await;
            }
        }
    }

    async fn signalled(&mut self, signal: Signal, why: &str) {
        self.stopped_by = self.stopped_by.max(Some(signal));
        let how = match signal {
            Signal::Drain => "nothing new is started; running steps may end",
            Signal::Interrupt => "running tools are asked to end",
            Signal::Leave => "leaving at once; running tools end by themselves",
        };
        self.tell(EventKind::Stopping { how: format!("{why}: {how}") });
        self.draining = true;
        self.run.calls.stop.drain();
        match signal {
            Signal::Drain => {}
            Signal::Interrupt => {
                self.interrupted = true;
                self.run.calls.stop.interrupt();
            }
            Signal::Leave => self.abandon().await,
        }
        if signal >= Signal::Interrupt {
            self.cancel_retries();
        }
    }

    /// Leaves with the journal complete: what is already known is written before the process goes.
    async fn abandon(&mut self) {
        self.abandoned = true;
        while self.in_flight.is_some() || (!self.pending.is_empty() && self.broken.is_none()) {
            self.flush();
            match self.inbox.acks.recv().await {
                Some(ack) => {
                    self.in_flight = None;
                    self.broken = ack.err();
                }
                None => return,
            }
        }
    }

    /// Hands what is to be written to the recorder, one batch at a time: what comes up meanwhile is the next batch.
    fn flush(&mut self) {
        if self.in_flight.is_some() || self.pending.is_empty() || self.broken.is_some() {
            return;
        }
        let entries = std::mem::take(&mut self.pending);
        if self.recorder.send(Request::Append(entries)).is_ok() {
            self.in_flight = Some(std::mem::take(&mut self.marks));
        }
    }

    async fn acked(&mut self, result: Result<(), Arc<StoreError>>) {
        let marks = self.in_flight.take().unwrap_or_default();
        if let Err(error) = result {
            self.tell(EventKind::Warning { message: format!("the journal cannot be written: {error}") });
            self.broken = Some(error);
            self.draining = true;
            self.run.calls.stop.drain();
            self.active.clear();
            return;
        }
        for mark in marks {
            match mark {
                Mark::Start(node) => {
                    self.begun(node).await;
                    self.start(node);
                }
                Mark::Tell(event) => self.tell(event),
                Mark::Settled(token) => self.tidy(&token),
            }
        }
    }

    /// What a step's commands put out is not needed once its outcome is durable (rule E4).
    fn tidy(&mut self, token: &Token) {
        if let Err(error) = self.run.calls.tools.runner.settled(token) {
            self.tell(EventKind::Warning { message: error.message });
        }
    }

    fn said(&mut self, node: u32, event: StepEvent) {
        let Some(step) = self.run.plan.steps.get(node as usize) else { return };
        let address = step.id.slot.to_string();
        self.tell(match event {
            StepEvent::Log(line) => EventKind::StepLog { address, line },
            StepEvent::Progress(message) => EventKind::StepProgress { address, message },
        });
    }

    pub fn tell(&mut self, kind: EventKind) {
        self.seq += 1;
        self.reporter.event(&Event { seq: self.seq, at: self.run.host.now_ms(), kind });
    }

    fn parked_count(&self) -> usize {
        self.parked.values().map(VecDeque::len).sum()
    }

    async fn start_ready(&mut self) {
        while !self.draining && self.broken.is_none() {
            if self.queue.taken() - self.parked_count() >= self.run.parallelism.max(1) {
                return;
            }
            let Some(node) = self.next_node() else { return };
            self.begin(node).await;
        }
    }

    /// The next step whose provider has room; those without room are parked.
    fn next_node(&mut self) -> Option<u32> {
        let waiting: Vec<String> = self.parked.keys().cloned().collect();
        for provider in waiting {
            if self.has_room(&provider)
                && let Some(node) = self.parked.get_mut(&provider).and_then(VecDeque::pop_front)
            {
                *self.in_use.entry(provider).or_default() += 1;
                return Some(node);
            }
        }
        self.parked.retain(|_, nodes| !nodes.is_empty());
        while let Some(node) = self.queue.take() {
            let provider = self.run.plan.steps[node as usize].provider.clone();
            if self.has_room(&provider) {
                *self.in_use.entry(provider).or_default() += 1;
                return Some(node);
            }
            self.parked.entry(provider).or_default().push_back(node);
        }
        None
    }

    fn has_room(&self, provider: &str) -> bool {
        let limit = self.run.sessions.get(provider).and_then(|opened| opened.concurrency);
        let used = self.in_use.get(provider).copied().unwrap_or_default();
        limit.is_none_or(|limit| used < limit.max(1))
    }

    async fn end(mut self, serving: tokio::task::JoinHandle<Recorder>) -> Ended {
        let left = self.queue.left() + self.parked_count();
        let status = match (&self.question, self.stopped_by) {
            _ if !self.failures.is_empty() && self.stopped_by.is_none() => RunStatus::Failed,
            (Some(_), _) => RunStatus::NeedsApproval,
            (None, Some(_)) if left > 0 || !self.failures.is_empty() => RunStatus::Interrupted,
            _ if self.broken.is_some() || self.abandoned => RunStatus::Interrupted,
            // Never, unless steps wait for one another; it must not pass for done.
            _ if left > 0 => RunStatus::Failed,
            _ => RunStatus::Applied,
        };
        if self.abandoned {
            self.tasks.abort_all();
        }
        // The recorder gives itself back when the last sender is gone.
        let (empty, _) = mpsc::unbounded_channel();
        drop(std::mem::replace(&mut self.recorder, empty));
        while self.tasks.join_next().await.is_some() {}
        let recorder = match serving.await {
            Ok(recorder) => recorder,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        Ended {
            recorder,
            status,
            done: self.done,
            failures: self.failures,
            skipped: self.skipped,
            left,
            world: self.run.world,
            sessions: self.run.sessions,
            late: self.run.late,
            seen: self.seen,
            question: self.question,
            broken: self.broken,
            abandoned: self.abandoned,
            seq: self.seq,
            started_ms: self.started_ms,
        }
    }
}
