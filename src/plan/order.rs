//! Which step needs which, and the one canonical order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use windlass_model::{Address, Need, Op, Slot, Step, StepId};

/// Steps as numbered nodes with edges. Nodes from `steps` up are joints: they stand for "all steps of a block", so that a
/// block of many instances that needs another of many costs a sum of edges and not a product.
#[derive(Debug, Default)]
pub struct Wiring {
    /// By node: the nodes that wait for it.
    pub dependents: Vec<Vec<u32>>,
    /// By node: how many nodes it waits for.
    pub waits: Vec<u32>,
    /// How many nodes are steps.
    pub steps: usize,
}

impl Wiring {
    /// The wiring of steps by their needs. A need that no step answers to counts as met.
    pub fn new(steps: &[Step]) -> Wiring {
        let mut wiring = Wiring { steps: steps.len(), ..Wiring::default() };
        wiring.dependents.resize_with(steps.len(), Vec::new);
        wiring.waits.resize(steps.len(), 0);
        let needed: bool = steps.iter().any(|step| !step.needs.is_empty());
        if !needed {
            return wiring;
        }
        let mut by_id: Vec<(&StepId, u32)> =
            steps.iter().zip(0..).map(|(step, node)| (&step.id, node)).collect();
        by_id.sort_unstable();
        let mut joints: BTreeMap<&Need, u32> = BTreeMap::new();
        for (step, node) in steps.iter().zip(0u32..) {
            for need in &step.needs {
                let from = match need {
                    Need::Step(id) => match by_id.binary_search_by(|(known, _)| (*known).cmp(id)) {
                        Ok(found) => by_id[found].1,
                        Err(_) => continue,
                    },
                    Need::Block(_) | Need::Deletes(_) => {
                        *joints.entry(need).or_insert_with(|| wiring.joint(need, &by_id))
                    }
                };
                if from != node {
                    wiring.edge(from, node);
                }
            }
        }
        wiring
    }

    fn edge(&mut self, from: u32, to: u32) {
        self.dependents[from as usize].push(to);
        self.waits[to as usize] += 1;
    }

    /// A node that is done when all steps which the need covers are. Steps of one block stand side by side in `by_id`.
    fn joint(&mut self, need: &Need, by_id: &[(&StepId, u32)]) -> u32 {
        let joint = self.waits.len() as u32;
        self.dependents.push(Vec::new());
        self.waits.push(0);
        let (Need::Block(block) | Need::Deletes(block)) = need else { return joint };
        let deletes = matches!(need, Need::Deletes(_));
        let start = by_id.partition_point(|(id, _)| id.slot.address < *block);
        let members = by_id[start..].iter().take_while(|(id, _)| block.covers(&id.slot.address));
        for (_, node) in members.filter(|(id, _)| (id.op == Op::Delete) == deletes) {
            self.edge(*node, joint);
        }
        joint
    }

    /// The steps in topological order, ties by `rank`; and what is left where there is a cycle.
    fn sorted(&self, rank: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let mut waits = self.waits.clone();
        let rank_of = |node: u32| rank.get(node as usize).copied().unwrap_or(0);
        let mut ready: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
        let push = |ready: &mut BinaryHeap<Reverse<(u32, u32)>>, node: u32| {
            ready.push(Reverse((rank_of(node), node)))
        };
        for (node, count) in waits.iter().enumerate() {
            if *count == 0 {
                push(&mut ready, node as u32);
            }
        }
        let mut order = Vec::with_capacity(self.steps);
        let mut done = vec![false; waits.len()];
        while let Some(Reverse((_, node))) = ready.pop() {
            done[node as usize] = true;
            if (node as usize) < self.steps {
                order.push(node);
            }
            for dependent in &self.dependents[node as usize] {
                waits[*dependent as usize] -= 1;
                if waits[*dependent as usize] == 0 {
                    push(&mut ready, *dependent);
                }
            }
        }
        let left = (0..self.steps as u32).filter(|node| !done[*node as usize]).collect();
        (order, left)
    }
}

/// What is known of dependencies when steps are wired.
pub struct Dependencies<'a> {
    /// Of each instance in the stack that stays as it is: what it depends on.
    pub unchanged: BTreeMap<Address, Vec<Address>>,
    /// Of each record in state: what it depended on.
    pub recorded: Vec<(&'a Slot, &'a [Address])>,
}

/// Gives steps their needs and puts them into canonical order: topological, ties by address and then by operation.
pub fn arrange(mut steps: Vec<Step>, known: &Dependencies<'_>) -> Vec<Step> {
    steps.sort_by(|a, b| a.id.slot.cmp(&b.id.slot).then(op_rank(a.id.op).cmp(&op_rank(b.id.op))));
    let soft = Needs::new(&steps, known).fill(&mut steps);
    let rank: Vec<u32> = (0..steps.len() as u32).collect();
    let (mut order, left) = Wiring::new(&steps).sorted(&rank);
    if !left.is_empty() {
        // Orders that are only good manners give way where they would close a circle.
        for node in left {
            let step = &mut steps[node as usize];
            step.needs.retain(|need| !soft.contains(&(step.id.clone(), need.clone())));
        }
        order = Wiring::new(&steps).sorted(&rank).0;
    }
    let mut slots: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    let mut sorted: Vec<Step> = order.into_iter().filter_map(|node| slots[node as usize].take()).collect();
    sorted.extend(slots.into_iter().flatten());
    sorted
}

fn op_rank(op: Op) -> u8 {
    match op {
        Op::Move => 0,
        Op::Delete => 1,
        Op::Forget => 2,
        Op::Import => 3,
        Op::Create => 4,
        Op::Update => 5,
    }
}

struct Needs<'a> {
    /// The step that makes or updates an address's current object.
    makers: BTreeMap<Address, StepId>,
    removers: BTreeMap<Address, StepId>,
    /// Blocks of which some instance is made or updated, and removed.
    made_blocks: BTreeSet<Address>,
    removed_blocks: BTreeSet<Address>,
    known: &'a Dependencies<'a>,
    through: BTreeMap<Address, Vec<Need>>,
}

impl<'a> Needs<'a> {
    fn new(steps: &[Step], known: &'a Dependencies<'a>) -> Needs<'a> {
        let mut needs = Needs {
            makers: BTreeMap::new(),
            removers: BTreeMap::new(),
            made_blocks: BTreeSet::new(),
            removed_blocks: BTreeSet::new(),
            known,
            through: BTreeMap::new(),
        };
        for step in steps {
            let address = &step.id.slot.address;
            let (map, blocks) = match step.id.op {
                Op::Delete => (&mut needs.removers, &mut needs.removed_blocks),
                _ => (&mut needs.makers, &mut needs.made_blocks),
            };
            map.insert(address.clone(), step.id.clone());
            if address.key.is_some() {
                blocks.insert(address.block());
            }
        }
        needs
    }

    /// Fills in the needs and returns those that may give way.
    fn fill(mut self, steps: &mut [Step]) -> BTreeSet<(StepId, Need)> {
        let mut extra: BTreeMap<StepId, BTreeSet<Need>> = BTreeMap::new();
        let mut soft = BTreeSet::new();
        self.deletes(steps, &mut extra, &mut soft);
        for step in steps.iter_mut() {
            let mut needs = extra.remove(&step.id).unwrap_or_default();
            if step.id.op != Op::Delete {
                for address in &step.depends_on {
                    needs.extend(self.of(address));
                }
                if step.replaces {
                    needs.insert(Need::Step(StepId { slot: step.id.slot.clone(), op: Op::Delete }));
                }
            }
            step.needs = needs.into_iter().collect();
        }
        soft
    }

    /// What a use of an address waits for: the step on it, or, where it stays as it is, what that one waited for.
    fn of(&mut self, address: &Address) -> Vec<Need> {
        if let Some(need) = self.step_on(address) {
            return vec![need];
        }
        self.look_through(address);
        self.through.get(address).cloned().unwrap_or_default()
    }

    /// What a use of an address waits for by itself, if it is not one of what stays.
    fn step_on(&self, address: &Address) -> Option<Need> {
        match self.makers.get(address) {
            Some(id) => Some(Need::Step(id.clone())),
            None if address.key.is_none() && self.made_blocks.contains(address) => {
                Some(Need::Block(address.clone()))
            }
            None => None,
        }
    }

    /// Finds out what an address that stays as it is stands for. By a list of what is to be done: a long chain of what stays
    /// does not use up the stack.
    fn look_through(&mut self, address: &Address) {
        let known = self.known;
        let inner = |address: &Address| known.unchanged.get(address).map_or(&[][..], Vec::as_slice);
        let mut todo = vec![(address.clone(), false)];
        while let Some((address, inner_done)) = todo.pop() {
            if inner_done {
                let mut needs = BTreeSet::new();
                for used in inner(&address) {
                    match self.step_on(used) {
                        Some(need) => needs.extend([need]),
                        None => needs.extend(self.through.get(used).into_iter().flatten().cloned()),
                    }
                }
                self.through.insert(address, needs.into_iter().collect());
                continue;
            }
            if self.through.contains_key(&address) {
                continue;
            }
            // Entered before it is known, so that a circle in old records ends here.
            self.through.insert(address.clone(), Vec::new());
            let open = inner(&address).iter().filter(|used| self.step_on(used).is_none());
            let open: Vec<(Address, bool)> = open.map(|used| (used.clone(), false)).collect();
            todo.push((address, true));
            todo.extend(open);
        }
    }

    /// What is deleted goes after whatever was built upon it.
    fn deletes(
        &self,
        steps: &[Step],
        extra: &mut BTreeMap<StepId, BTreeSet<Need>>,
        soft: &mut BTreeSet<(StepId, Need)>,
    ) {
        if self.removers.is_empty() {
            return;
        }
        let replaced: BTreeSet<&Address> =
            steps.iter().filter(|step| step.replaces).map(|step| &step.id.slot.address).collect();
        let mut wired: BTreeSet<(&Address, Need)> = BTreeSet::new();
        for (slot, depends_on) in &self.known.recorded {
            let dependent = &slot.address;
            let need = match (self.removers.get(dependent), self.makers.get(dependent)) {
                (Some(_), _) if dependent.key.is_some() => (Need::Deletes(dependent.block()), false),
                (Some(id), _) => (Need::Step(id.clone()), false),
                (None, Some(id)) if id.op == Op::Update => (Need::Step(id.clone()), true),
                _ => continue,
            };
            for base in *depends_on {
                if !wired.insert((base, need.0.clone())) {
                    continue;
                }
                for remover in self.removers_of(base) {
                    let address = &remover.slot.address;
                    if address == dependent || (need.1 && replaced.contains(address)) {
                        continue;
                    }
                    if need.1 {
                        soft.insert((remover.clone(), need.0.clone()));
                    }
                    extra.entry(remover.clone()).or_default().insert(need.0.clone());
                }
            }
        }
    }

    fn removers_of<'s>(&'s self, base: &'s Address) -> impl Iterator<Item = &'s StepId> {
        let one = self.removers.get(base);
        let block = (base.key.is_none() && self.removed_blocks.contains(base)).then_some(base);
        let many = block.into_iter().flat_map(|block| {
            self.removers.range(block.clone()..).take_while(|(a, _)| block.covers(a)).map(|(_, id)| id)
        });
        one.into_iter().chain(many.filter(move |id| Some(*id) != one))
    }
}
