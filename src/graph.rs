//! What depends on what: resource blocks, their direct edges, an order, and cycles shown as paths.
//!
//! Nodes are resource blocks; instances of `count` and `for_each` come to be while planning, when values are known. Only
//! direct edges are stored. A local is not a node: what it uses counts as used by whoever uses the local.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use windlass_model::{Address, Catalog, Diagnostic, Span};

use crate::lang::{At, Reference, Use};
use crate::stack::{ProviderBlock, ResourceBlock, Stack};

/// The graph of a stack's resource blocks.
#[derive(Debug, Default)]
pub struct Graph {
    /// What each block uses, by the block's index in [`Stack::resources`].
    pub blocks: Vec<Uses>,
    /// What each local uses, by name.
    pub locals: BTreeMap<Arc<str>, Uses>,
    /// What each provider block uses, by its index in [`Stack::providers`].
    pub providers: Vec<Uses>,
    /// What each output uses, by name.
    pub outputs: BTreeMap<Arc<str>, Uses>,
    /// Blocks in canonical order: topological, ties by address.
    pub order: Vec<u32>,
    /// The blocks that use each block, sorted.
    pub dependents: Vec<Vec<u32>>,
    index: BTreeMap<(Arc<str>, Arc<str>), u32>,
}

/// What an expression, block or local uses.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// Blocks, sorted by index, each once.
    pub blocks: Vec<BlockUse>,
    /// The locals that it names itself; what those use is in `blocks` already.
    pub locals: Vec<Arc<str>>,
}

/// A use of a resource block.
#[derive(Clone, Debug)]
pub struct BlockUse {
    /// Which block.
    pub block: u32,
    /// The block as a whole is used: somewhere no index stands behind its name.
    pub whole: bool,
    /// Where it is named first (in the block itself or a local).
    pub at: Span,
}

impl Uses {
    fn add(&mut self, block: u32, whole: bool, at: Span) {
        match self.blocks.binary_search_by_key(&block, |u| u.block) {
            Ok(found) => {
                if let Some(known) = self.blocks.get_mut(found) {
                    known.whole |= whole;
                }
            }
            Err(place) => self.blocks.insert(place, BlockUse { block, whole, at }),
        }
    }
}

impl Graph {
    /// The graph of a stack, or the cycles in it.
    ///
    /// # Errors
    /// A diagnostic for each cycle, with its path.
    pub fn new(stack: &Stack, catalog: &Catalog) -> Result<Graph, Vec<Diagnostic>> {
        let name = |(i, block): (usize, &ResourceBlock)| ((block.kind.clone(), block.name.clone()), i as u32);
        let index = stack.resources.iter().enumerate().map(name).collect();
        let mut graph = Graph { index, ..Graph::default() };
        graph.read_locals(stack);
        graph.providers = stack.providers.iter().map(|block| graph.provider_uses(block)).collect();
        graph.blocks = stack.resources.iter().map(|block| graph.block_uses(stack, catalog, block)).collect();
        graph.outputs = stack.outputs.iter().map(|(name, o)| (name.clone(), graph.output_uses(o))).collect();
        graph.dependents = graph.reversed();
        graph.order = graph.sorted(stack);
        if graph.order.len() < graph.blocks.len() {
            return Err(graph.cycles(stack));
        }
        Ok(graph)
    }

    /// The index of a resource block.
    pub fn find(&self, kind: &Arc<str>, name: &Arc<str>) -> Option<u32> {
        // A lookup by two `Arc` clones costs two counter increments, no copy.
        self.index.get(&(kind.clone(), name.clone())).copied()
    }

    /// What expressions use; locals are followed.
    pub fn uses_of(&self, file: &Arc<str>, visit_all: impl FnOnce(&mut dyn FnMut(Use<'_>))) -> Uses {
        let mut uses = Uses::default();
        visit_all(&mut |found| self.note(file, found.reference, found.at, found.index.is_none(), &mut uses));
        uses
    }

    fn note(&self, file: &Arc<str>, reference: &Reference, at: At, whole: bool, uses: &mut Uses) {
        match reference {
            Reference::Resource(kind, name) => {
                if let Some(block) = self.find(kind, name) {
                    uses.add(block, whole, at.in_file(file));
                }
            }
            Reference::Local(name) => self.follow(name, uses),
            _ => {}
        }
    }

    fn follow(&self, name: &Arc<str>, uses: &mut Uses) {
        if uses.locals.contains(name) {
            return;
        }
        let Some(inner) = self.locals.get(name) else { return };
        for used in &inner.blocks {
            uses.add(used.block, used.whole, used.at.clone());
        }
        uses.locals.push(name.clone());
    }

    /// Reads locals in an order in which each comes after those it uses (cycles of locals are found by `stack`).
    fn read_locals(&mut self, stack: &Stack) {
        let mut todo: Vec<(Arc<str>, bool)> =
            stack.locals.keys().rev().map(|name| (name.clone(), false)).collect();
        let mut open = std::collections::BTreeSet::new();
        while let Some((name, inner_done)) = todo.pop() {
            let Some(local) = stack.locals.get(&name) else { continue };
            if self.locals.contains_key(&name) {
                continue;
            }
            if inner_done || !open.insert(name.clone()) {
                let uses = self.uses_of(&local.file, |visit| local.value.uses(visit));
                self.locals.insert(name, uses);
                continue;
            }
            todo.push((name, true));
            local.value.uses(&mut |found| {
                if let Reference::Local(inner) = found.reference
                    && !self.locals.contains_key(inner)
                    && !open.contains(inner)
                {
                    todo.push((inner.clone(), false));
                }
            });
        }
    }

    /// Of a provider block only what it needs from resources and locals; its file is that of its head.
    fn provider_uses(&self, block: &ProviderBlock) -> Uses {
        self.uses_of(&block.span.file, |visit| block.body.uses(visit))
    }

    fn block_uses(&self, stack: &Stack, catalog: &Catalog, block: &ResourceBlock) -> Uses {
        let mut uses = self.uses_of(&block.file, |visit| {
            for expr in block.count.iter().chain(&block.for_each) {
                expr.uses(visit);
            }
            block.body.uses(visit);
        });
        for (reference, at) in &block.depends_on {
            self.note(&block.file, reference, *at, true, &mut uses);
        }
        if let Some(configured) = provider_block(stack, catalog, block)
            && let Some(config) = self.providers.get(configured)
        {
            for used in &config.blocks {
                uses.add(used.block, used.whole, used.at.clone());
            }
        }
        if let Some(health) = &block.meta.health {
            let own = self.find(&block.kind, &block.name);
            let gate = self.uses_of(&block.file, |visit| health.body.uses(visit));
            for used in gate.blocks.iter().filter(|used| Some(used.block) != own) {
                uses.add(used.block, used.whole, used.at.clone());
            }
            for local in gate.locals.iter().filter(|local| !uses.locals.contains(local)).collect::<Vec<_>>() {
                uses.locals.push(local.clone());
            }
        }
        uses
    }

    fn output_uses(&self, output: &crate::stack::OutputBlock) -> Uses {
        let mut uses = self.uses_of(&output.file, |visit| output.value.uses(visit));
        for (reference, at) in &output.depends_on {
            self.note(&output.file, reference, *at, true, &mut uses);
        }
        uses
    }

    fn reversed(&self) -> Vec<Vec<u32>> {
        let mut dependents = vec![Vec::new(); self.blocks.len()];
        for (block, uses) in self.blocks.iter().enumerate() {
            for used in &uses.blocks {
                if let Some(list) = dependents.get_mut(used.block as usize) {
                    list.push(block as u32);
                }
            }
        }
        dependents
    }

    /// Topological order with ties by address; shorter than the number of blocks where there is a cycle.
    fn sorted(&self, stack: &Stack) -> Vec<u32> {
        let mut by_name: Vec<u32> = (0..self.blocks.len() as u32).collect();
        let key = |block: &u32| stack.resources.get(*block as usize).map(|b| (&b.kind, &b.name));
        by_name.sort_by_key(key);
        let mut rank = vec![0u32; by_name.len()];
        for (place, block) in by_name.iter().enumerate() {
            rank[*block as usize] = place as u32;
        }
        let mut waits: Vec<usize> = self.blocks.iter().map(|uses| uses.blocks.len()).collect();
        let ready = (0..waits.len()).filter(|block| waits[*block] == 0).map(|block| Reverse(rank[block]));
        let mut ready: BinaryHeap<Reverse<u32>> = ready.collect();
        let mut order = Vec::with_capacity(by_name.len());
        while let Some(Reverse(next)) = ready.pop() {
            let block = by_name[next as usize];
            order.push(block);
            for dependent in &self.dependents[block as usize] {
                let left = &mut waits[*dependent as usize];
                *left -= 1;
                if *left == 0 {
                    ready.push(Reverse(rank[*dependent as usize]));
                }
            }
        }
        order
    }

    fn cycles(&self, stack: &Stack) -> Vec<Diagnostic> {
        let mut graph: DiGraph<u32, ()> = DiGraph::with_capacity(self.blocks.len(), self.blocks.len());
        for block in 0..self.blocks.len() as u32 {
            graph.add_node(block);
        }
        for (block, uses) in self.blocks.iter().enumerate() {
            for used in &uses.blocks {
                graph.add_edge(NodeIndex::new(block), NodeIndex::new(used.block as usize), ());
            }
        }
        let mut found: Vec<Diagnostic> = Vec::new();
        // Not by Tarjan: that recurses, and a long chain would use up the stack.
        for component in kosaraju_scc(&graph) {
            let mut members: Vec<u32> = component.iter().map(|node| node.index() as u32).collect();
            members.sort_unstable();
            let first = members.first().copied().unwrap_or_default();
            let to_itself = self.blocks[first as usize].blocks.iter().any(|used| used.block == first);
            if members.len() > 1 || to_itself {
                found.push(self.cycle(stack, first, &members));
            }
        }
        found
    }

    /// One cycle through `start` inside a strongly connected component: the shortest, found breadth first.
    fn cycle(&self, stack: &Stack, start: u32, members: &[u32]) -> Diagnostic {
        let mut came_from: BTreeMap<u32, u32> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        'search: while let Some(block) = queue.pop_front() {
            for used in &self.blocks[block as usize].blocks {
                let inside = members.binary_search(&used.block).is_ok();
                if inside && !came_from.contains_key(&used.block) {
                    came_from.insert(used.block, block);
                    if used.block == start {
                        break 'search;
                    }
                    queue.push_back(used.block);
                }
            }
        }
        let mut path = vec![start];
        let mut at = start;
        while let Some(before) = came_from.get(&at) {
            path.push(*before);
            at = *before;
            if at == start {
                break;
            }
        }
        path.reverse();
        let names: Vec<String> = path.iter().map(|block| address(stack, *block).to_string()).collect();
        let title = format!("a cycle: {}", names.join(" -> "));
        let mut diagnostic = Diagnostic::error(title);
        for pair in path.windows(2) {
            let used = self.blocks[pair[0] as usize].blocks.iter().find(|used| used.block == pair[1]);
            if let Some(used) = used {
                diagnostic = diagnostic.at(&used.at, format!("`{}` is used here", address(stack, pair[1])));
            }
        }
        diagnostic.help("remove one of these references, or the `depends_on` that makes it")
    }
}

/// The index of the provider block that configures a resource block's provider, if there is one.
pub fn provider_block(stack: &Stack, catalog: &Catalog, block: &ResourceBlock) -> Option<usize> {
    let (provider, _) = catalog.resource(&block.kind)?;
    stack.providers.iter().position(|p| *p.name == *provider.name && p.alias == block.provider_alias)
}

/// The address of a resource block.
pub fn address(stack: &Stack, block: u32) -> Address {
    match stack.resources.get(block as usize) {
        Some(block) => Address::new(block.kind.clone(), block.name.clone()),
        None => Address::new("unknown", block.to_string()),
    }
}
