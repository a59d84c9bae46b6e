//! The planner: walks the graph, evaluates, asks providers side by side, and collects what is to be done.

mod finish;
mod instance;
mod provider;
mod removal;

pub use provider::configuration;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{FuturesUnordered, StreamExt};
use windlass_model::{
    Address, Diagnostic, Digest, Files, Operation, OutputChange, Record, Slot, State, Step, Value,
};

use super::ask::{Job, ask};
use super::bundle::PlanEngine;
use super::decide::Decision;
use super::desire::Desire;
use super::expand::Expansion;
use super::sessions::{Calls, Sessions};
use super::world::{Instance, World};

/// Whether tools are asked (rule P3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Refresh {
    /// Where something changed, is unclean, or was not asked for long.
    #[default]
    Auto,
    /// All.
    Always,
    /// Only where something changed, and without a look at the real thing.
    Never,
}

/// When a resource was last asked (milliseconds since 1970), and made of what.
pub type Freshness = BTreeMap<String, (u64, Digest)>;

/// What is to be planned.
pub struct Request<'a> {
    /// Variables, files, graph; no resource has a value yet.
    pub world: World,
    /// The state it is planned against.
    pub state: &'a State,
    /// When things were last asked.
    pub seen: Freshness,
    /// What the run is.
    pub operation: Operation,
    /// Whether tools are asked.
    pub refresh: Refresh,
    /// After how many seconds a tool is asked again.
    pub refresh_after_s: u64,
    /// `--target`: empty means everything.
    pub targets: Vec<Address>,
    /// `--replace`
    pub replace: Vec<Address>,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
    /// How many tools may be asked at once.
    pub parallelism: usize,
    /// The store's plan key.
    pub key: Vec<u8>,
    /// What calls have in common.
    pub calls: Calls,
    /// Providers.
    pub sessions: Sessions,
    /// The engine as providers see it while planning.
    pub engine: Arc<PlanEngine>,
    /// The sources that state was applied from: what is deleted may no longer be in the checkout.
    pub past: Arc<dyn Past>,
}

/// Gives the sources of the current version, if there are any.
#[async_trait]
pub trait Past: Send + Sync {
    /// Its files.
    async fn files(&self) -> Option<Arc<dyn Files>>;
}

/// What was planned: the plan without its seal.
pub struct Draft {
    /// In canonical order.
    pub steps: Vec<Step>,
    /// What refresh found to differ.
    pub refreshed: Vec<Record>,
    /// What refresh found to be gone.
    pub gone: Vec<Slot>,
    /// Outputs.
    pub outputs: BTreeMap<String, OutputChange>,
    /// How many stay as they are.
    pub unchanged: u32,
    /// How many of those were not asked, and the oldest time at which one was.
    pub not_asked: Option<(u32, u64)>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// When things were last asked, from now on.
    pub seen: Freshness,
    /// Real places by address (rule P8).
    pub places: BTreeMap<Address, String>,
    /// Tool versions by provider alias.
    pub tools: BTreeMap<String, String>,
    /// Files of the current version's sources that deletes need.
    pub past: BTreeSet<String>,
    /// The world with planned values.
    pub world: World,
    /// Providers, opened.
    pub sessions: Sessions,
}

/// One instance under way.
struct Item {
    block: Option<u32>,
    instance: Instance,
    desire: Option<Desire>,
    record: Option<Arc<Record>>,
    provider: String,
    replace: bool,
    sources: Option<Digest>,
    fingerprint: Digest,
    asked: bool,
}

struct Planner<'a> {
    request: Request<'a>,
    items: BTreeMap<usize, Item>,
    asked: usize,
    jobs: VecDeque<(usize, Job)>,
    waits: Vec<usize>,
    open: Vec<usize>,
    ready: BinaryHeap<Reverse<(u32, u32)>>,
    rank: Vec<u32>,
    decisions: BTreeMap<Slot, Decision>,
    unchanged_deps: BTreeMap<Address, Vec<Address>>,
    /// Diagnostics by the block they are about, so that their order does not depend on which answer came first.
    said: BTreeMap<(u32, u32), Vec<Diagnostic>>,
    included: Option<BTreeSet<u32>>,
    places: BTreeMap<Address, String>,
    tools: BTreeMap<String, String>,
    unchanged: u32,
    not_asked: Option<(u32, u64)>,
    failed_aliases: BTreeSet<String>,
    past_files: Option<Arc<dyn Files>>,
    past_paths: BTreeSet<String>,
}

/// Plans.
pub async fn plan(request: Request<'_>) -> Draft {
    let mut planner = Planner::new(request);
    if matches!(planner.request.operation, Operation::Apply | Operation::Rollback) {
        planner.queue_first_blocks();
    }
    planner.run().await;
    planner.queue_records().await;
    planner.run().await;
    planner.note_replaced().await;
    planner.finish()
}

impl<'a> Planner<'a> {
    fn new(request: Request<'a>) -> Planner<'a> {
        let graph = request.world.graph.clone();
        let mut rank = vec![0; graph.blocks.len()];
        for (place, block) in graph.order.iter().enumerate() {
            rank[*block as usize] = place as u32;
        }
        let included = provider::targeted(&request);
        Planner {
            items: BTreeMap::new(),
            asked: 0,
            jobs: VecDeque::new(),
            waits: graph.blocks.iter().map(|uses| uses.blocks.len()).collect(),
            open: vec![0; graph.blocks.len()],
            ready: BinaryHeap::new(),
            rank,
            decisions: BTreeMap::new(),
            unchanged_deps: BTreeMap::new(),
            said: BTreeMap::new(),
            included,
            places: BTreeMap::new(),
            tools: BTreeMap::new(),
            unchanged: 0,
            not_asked: None,
            failed_aliases: BTreeSet::new(),
            past_files: None,
            past_paths: BTreeSet::new(),
            request,
        }
    }

    fn queue_first_blocks(&mut self) {
        for block in 0..self.waits.len() as u32 {
            if self.waits[block as usize] == 0 {
                self.ready.push(Reverse((self.rank[block as usize], block)));
            }
        }
    }

    /// Starts what is ready, takes in what comes back, until nothing is left.
    async fn run(&mut self) {
        let mut running = FuturesUnordered::new();
        loop {
            let limit = self.request.parallelism.max(1);
            // No more questions are made up than are soon asked: each holds memory.
            while self.jobs.len() < limit
                && let Some(Reverse((_, block))) = self.ready.pop()
            {
                self.begin_block(block).await;
            }
            while running.len() < limit {
                let Some((item, job)) = self.jobs.pop_front() else { break };
                running.push(ask(item, job));
            }
            match running.next().await {
                Some(answered) => self.take(answered),
                None if self.ready.is_empty() && self.jobs.is_empty() => return,
                None => {}
            }
        }
    }

    async fn begin_block(&mut self, block: u32) {
        let graph = self.request.world.graph.clone();
        self.request.world.prepare(&graph.blocks[block as usize].clone());
        let stack = self.request.world.stack.clone();
        let resource = &stack.resources[block as usize];
        if self.included.as_ref().is_some_and(|included| !included.contains(&block)) {
            self.leave_block(block);
            return self.finish_block(block);
        }
        let expansion = Expansion::of(resource, &self.request.world.scope(Instance::default()));
        let expansion = match expansion {
            Ok(expansion) => expansion,
            Err(error) => {
                self.say(Some(block), *error);
                return self.finish_block(block);
            }
        };
        let instances = expansion.instances();
        self.request.world.expand(block, expansion);
        let config = self.open_provider(block, resource).await;
        // One more, so that a block whose instances are all decided at once is finished here, and once.
        self.open[block as usize] = instances.len() + 1;
        for instance in instances {
            self.begin_instance(block, instance, &config);
        }
        self.close(block);
    }

    /// A block outside `--target` keeps what state knows.
    fn leave_block(&mut self, block: u32) {
        let address = crate::graph::address(&self.request.world.stack, block);
        let state = self.request.state;
        let mut each = BTreeMap::new();
        let mut count = 0;
        let first = Slot { address: address.clone(), deposed: None };
        for (slot, record) in
            state.records.range(first..).take_while(|(slot, _)| address.covers(&slot.address))
        {
            match &slot.address.key {
                Some(windlass_model::Key::Name(name)) => {
                    each.insert(name.clone(), Value::NULL);
                }
                Some(windlass_model::Key::Index(index)) => count = count.max(index + 1),
                None => {}
            }
            self.request.world.set(block, slot.address.key.clone(), record.value.0.clone());
        }
        let expansion = match (each.is_empty(), count) {
            (false, _) => Expansion::Each(each),
            (true, 0) => Expansion::Single,
            (true, count) => Expansion::Count(count),
        };
        self.request.world.expand(block, expansion);
    }

    fn close(&mut self, block: u32) {
        let open = &mut self.open[block as usize];
        *open = open.saturating_sub(1);
        if *open == 0 {
            self.finish_block(block);
        }
    }

    fn finish_block(&mut self, block: u32) {
        let graph = self.request.world.graph.clone();
        for dependent in &graph.dependents[block as usize] {
            let waits = &mut self.waits[*dependent as usize];
            *waits -= 1;
            if *waits == 0 {
                self.ready.push(Reverse((self.rank[*dependent as usize], *dependent)));
            }
        }
    }

    fn fail(&mut self, block: u32, address: &Address, message: &str, hint: Option<&str>) {
        let stack = self.request.world.stack.clone();
        let resource = &stack.resources[block as usize];
        let error = Diagnostic::error(format!("{address}: {message}"));
        let error = error.at(&resource.head.in_file(&resource.file), "while planning this");
        self.say(Some(block), hint.map_or(error.clone(), |hint| error.help(hint)));
        self.close(block);
    }

    fn say(&mut self, block: Option<u32>, diagnostic: Diagnostic) {
        let place = block.map_or(u32::MAX, |block| self.rank[block as usize]);
        self.said.entry((place, 0)).or_default().push(diagnostic);
    }
}
