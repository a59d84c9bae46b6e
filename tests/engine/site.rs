//! A place to run the engine in as a library: a stack directory in memory, a scripted world, a clock that only the test
//! moves, and the operations with short names.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::mpsc;
use windlass::apply::{Gate, Permission, Question, Signal};
use windlass::ops::{
    self, ApplyOptions, Confirm, Context, Done, Failure, PlanOptions, Planned, ResumeOptions, Selection,
    StateOptions,
};
use windlass::plan::render::{self, Style};
use windlass::plan::{Providers, Refresh};
use windlass_model::{
    Address, Diagnostic, Digest, Event, EventKind, Host, Operation, Plan, Record, RunId, Slot, State,
};
use windlass_provider::Provider;
use windlass_provider::fake::{FakeProvider, FakeWorld};

/// A clock that stands still until the test moves it, and numbers that are the same in each run.
pub struct Still {
    now: AtomicU64,
    drawn: AtomicU64,
    seed: u64,
}

impl Host for Still {
    fn now_ms(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn random(&self) -> u128 {
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
        let bytes = Digest::of(&[self.seed.to_be_bytes(), drawn.to_be_bytes()].concat()).0;
        bytes.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
    }
}

/// Answers what a run asks, and remembers the questions.
pub struct Answers {
    /// What it answers.
    pub grant: Mutex<bool>,
    /// What it was asked.
    pub asked: Mutex<Vec<Question>>,
}

#[async_trait]
impl Gate for Answers {
    async fn allow(&self, question: Question) -> Permission {
        self.asked.lock().unwrap().push(question);
        if *self.grant.lock().unwrap() { Permission::Granted } else { Permission::Stop }
    }
}

/// Shows nothing, and says yes or no.
pub struct Says(pub bool, pub Mutex<Vec<String>>);

#[async_trait]
impl Confirm for Says {
    async fn show(&self, plan: &Planned, said: &[Diagnostic]) {
        let mut shown = self.1.lock().unwrap();
        shown.extend(said.iter().map(|diagnostic| diagnostic.title.clone()));
        shown.push(render::text(&plan.file.plan, &Style::default()));
    }

    async fn ask(&self, _: &Plan) -> Result<bool, Failure> {
        Ok(self.0)
    }
}

/// The place.
pub struct Site {
    /// The stack's directory.
    pub dir: TempDir,
    /// The fake provider's world.
    pub world: Arc<FakeWorld>,
    /// The clock.
    pub host: Arc<Still>,
    /// What operations are given.
    pub ctx: Context,
    /// Who answers questions in mid-run.
    pub gate: Arc<Answers>,
    /// Signals of the next run: how long after its beginning, and which.
    pub signals: Mutex<Vec<(Duration, Signal)>>,
    /// The events of the last run.
    pub events: Mutex<Vec<Event>>,
    /// What the last `apply` showed before it began.
    pub shown: Mutex<Vec<String>>,
}

/// What became of a run.
pub type Ran = Result<Done, Failure>;

impl Site {
    /// A site with the fake provider as it is, and the local one.
    pub fn new() -> Site {
        Site::with(|world| vec![Arc::new(FakeProvider::new(world))])
    }

    /// A site with these providers, and the local one.
    pub fn with(providers: impl FnOnce(Arc<FakeWorld>) -> Vec<Arc<dyn Provider>>) -> Site {
        // Memory where there is a file system in it: a test that syncs thousands of times should not wait for a disk.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let world = FakeWorld::new();
        let mut all = providers(world.clone());
        all.push(Arc::new(windlass_provider_local::provider()));
        let host =
            Arc::new(Still { now: AtomicU64::new(1_700_000_000_000), drawn: AtomicU64::new(0), seed: 1 });
        let ctx = Context {
            dir: dir.path().to_owned(),
            host: host.clone(),
            known: Arc::default(),
            providers: Providers::new(all),
            env: BTreeMap::new(),
            actor: "ann@desk".to_owned(),
            hostname: "desk".to_owned(),
            pid: 1,
            supervisor: Vec::new(),
            state: None,
            parallelism: 10,
            deadline: None,
            grace: Duration::from_secs(120),
            lock_timeout: Duration::ZERO,
        };
        let gate = Arc::new(Answers { grant: Mutex::new(false), asked: Mutex::default() });
        Site {
            dir,
            world,
            host,
            ctx,
            gate,
            signals: Mutex::default(),
            events: Mutex::default(),
            shown: Mutex::default(),
        }
    }

    /// The stack from now on, with its head added.
    pub fn stack(&self, text: &str) {
        self.write("main.stack.hcl", &format!("stack \"shop\" {{}}\n{text}"));
    }

    /// Writes a file of the stack's directory.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.host.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Sends this signal to the next run, so long after its beginning.
    pub fn signal(&self, after: Duration, signal: Signal) {
        self.signals.lock().unwrap().push((after, signal));
    }

    /// What the next run is asked to plan.
    pub fn options(operation: Operation) -> PlanOptions {
        PlanOptions { operation, ..PlanOptions::default() }
    }

    /// Plans.
    pub async fn plan(&self) -> Result<Planned, Failure> {
        self.plan_with(&PlanOptions::default()).await
    }

    /// Plans as asked.
    pub async fn plan_with(&self, options: &PlanOptions) -> Result<Planned, Failure> {
        ops::plan(&self.ctx, options).await
    }

    /// Plans and applies; nobody is asked.
    pub async fn apply(&self) -> Ran {
        self.apply_with(PlanOptions::default()).await
    }

    /// Applies; it must do all.
    pub async fn applied(&self) -> Done {
        let done = self.apply().await.unwrap();
        assert_eq!(done.status, windlass_model::RunStatus::Applied, "{:?}", done.failures);
        self.is_right();
        done
    }

    /// Plans and applies as asked.
    pub async fn apply_with(&self, plan: PlanOptions) -> Ran {
        self.apply_so(plan, |_| {}).await
    }

    /// Plans and applies, with other ways of applying.
    pub async fn apply_so(&self, plan: PlanOptions, change: impl FnOnce(&mut ApplyOptions)) -> Ran {
        let mut options = ApplyOptions {
            plan,
            auto_approve: true,
            after_rollback: false,
            terminal: false,
            gate: self.gate.clone(),
        };
        change(&mut options);
        let says = Says(true, Mutex::default());
        let (mut signals, sending) = self.sending();
        let mut events = Vec::new();
        let done = ops::apply(&self.ctx, &options, &says, &mut signals, &mut events).await;
        sending.abort();
        *self.events.lock().unwrap() = events;
        *self.shown.lock().unwrap() = says.1.into_inner().unwrap();
        done
    }

    /// Applies a saved plan.
    pub async fn apply_file(&self, path: &Path) -> Ran {
        let (mut signals, sending) = self.sending();
        let mut events = Vec::new();
        let done = ops::apply_file(&self.ctx, path, self.gate.clone(), &mut signals, &mut events).await;
        sending.abort();
        *self.events.lock().unwrap() = events;
        done
    }

    /// Resumes the latest run, or this one.
    pub async fn resume(&self, run: Option<&RunId>) -> Ran {
        let options =
            ResumeOptions { selection: Selection::default(), run: run.cloned(), gate: self.gate.clone() };
        let (mut signals, sending) = self.sending();
        let mut events = Vec::new();
        let done = ops::resume(&self.ctx, &options, &mut signals, &mut events).await;
        sending.abort();
        *self.events.lock().unwrap() = events;
        done
    }

    fn sending(&self) -> (mpsc::UnboundedReceiver<Signal>, tokio::task::JoinHandle<()>) {
        let (send, receive) = mpsc::unbounded_channel();
        let mut planned = std::mem::take(&mut *self.signals.lock().unwrap());
        planned.sort_by_key(|(after, _)| *after);
        let began = tokio::time::Instant::now();
        let sending = tokio::spawn(async move {
            for (after, signal) in planned {
                tokio::time::sleep_until(began + after).await;
                send.send(signal).ok();
            }
            // The channel stays open, as a process's does.
            std::future::pending::<()>().await;
        });
        (receive, sending)
    }

    /// The state as committed.
    pub async fn state(&self) -> State {
        ops::state_at(&self.ctx, &Selection::default(), None).await.unwrap()
    }

    /// The state as committed, of an environment.
    pub async fn state_of(&self, environment: &str) -> State {
        let selection = Selection { environment: Some(environment.to_owned()), ..Selection::default() };
        ops::state_at(&self.ctx, &selection, None).await.unwrap()
    }

    /// A record by its address.
    pub async fn record(&self, address: &str) -> Option<Arc<Record>> {
        let slot: Slot = address.parse().unwrap();
        self.state().await.records.get(&slot).cloned()
    }

    /// Options of corrections by hand.
    pub fn correction() -> StateOptions {
        StateOptions { plan: PlanOptions::default(), auto_approve: true }
    }

    /// What was done to the world since the site was made, a word and an address each.
    pub fn log(&self) -> Vec<String> {
        let line = |entry: &windlass_provider::fake::Entry| {
            format!("{} {}", entry.phase.as_str(), entry.address.trim_start_matches("fake_thing."))
        };
        self.world.log().iter().map(line).collect()
    }

    /// What was done to the world since `from` of these lines.
    pub fn log_since(&self, from: usize) -> Vec<String> {
        self.log().split_off(from)
    }

    /// The events of the last run.
    pub fn kinds(&self) -> Vec<EventKind> {
        self.events.lock().unwrap().iter().map(|event| event.kind.clone()).collect()
    }

    /// Nothing was done that a right engine never does.
    pub fn is_right(&self) {
        assert_eq!(self.world.violations(), Vec::<String>::new());
    }
}

/// An address.
pub fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// The plan's text as people read it.
pub fn text(planned: &Planned) -> String {
    render::text(&planned.file.plan, &Style::default())
}

/// The steps of a plan, a word and an address each.
pub fn steps(planned: &Planned) -> Vec<String> {
    let line = |step: &windlass_model::Step| {
        let deferred = if step.deferred.is_some() { " later" } else { "" };
        let address = step.id.slot.to_string();
        format!("{} {}{deferred}", step.id.op.as_str(), address.trim_start_matches("fake_thing."))
    };
    planned.file.plan.steps.iter().map(line).collect()
}

/// What a failure says, whole.
pub fn said(failure: &Failure) -> String {
    failure.diagnostics.iter().map(|said| format!("{said:?}")).collect::<Vec<_>>().join("\n")
}

/// Plan options that ask every tool.
pub fn always() -> PlanOptions {
    PlanOptions { refresh: Refresh::Always, ..PlanOptions::default() }
}
