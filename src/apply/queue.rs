//! The ready-queue: which steps may start. Pure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::plan::Wiring;

/// How a node stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stand {
    Waiting,
    Ready,
    Taken,
    Done,
    Failed,
    Skipped,
}

/// Steps by in-degree: a step is ready when all that it waits for is done.
#[derive(Debug)]
pub struct Queue {
    wiring: Wiring,
    waits: Vec<u32>,
    stands: Vec<Stand>,
    ready: BinaryHeap<Reverse<u32>>,
    taken: usize,
}

impl Queue {
    /// A queue over a wiring. `finished` are done already (by an earlier run).
    pub fn new(wiring: Wiring, finished: impl Fn(u32) -> bool) -> Queue {
        let nodes = wiring.waits.len();
        let waits = wiring.waits.clone();
        let stands = vec![Stand::Waiting; nodes];
        let mut queue = Queue { wiring, waits, stands, ready: BinaryHeap::new(), taken: 0 };
        for node in 0..nodes as u32 {
            if queue.waits[node as usize] == 0 {
                queue.make_ready(node);
            }
        }
        for node in 0..queue.wiring.steps as u32 {
            if finished(node) {
                queue.finish(node);
            }
        }
        queue
    }

    /// The next step that may start, in canonical order.
    pub fn take(&mut self) -> Option<u32> {
        while let Some(Reverse(node)) = self.ready.pop() {
            if self.stands[node as usize] == Stand::Ready {
                self.stands[node as usize] = Stand::Taken;
                self.taken += 1;
                return Some(node);
            }
        }
        None
    }

    /// A step was done: what waited only for it becomes ready.
    pub fn finish(&mut self, node: u32) {
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            let stand = std::mem::replace(&mut self.stands[node as usize], Stand::Done);
            if stand == Stand::Taken {
                self.taken -= 1;
            }
            if matches!(stand, Stand::Done | Stand::Failed | Stand::Skipped) {
                continue;
            }
            for at in 0..self.wiring.dependents[node as usize].len() {
                let dependent = self.wiring.dependents[node as usize][at];
                let waits = &mut self.waits[dependent as usize];
                *waits = waits.saturating_sub(1);
                if *waits == 0 && self.stands[dependent as usize] == Stand::Waiting {
                    match (dependent as usize) < self.wiring.steps {
                        true => self.make_ready(dependent),
                        false => todo.push(dependent),
                    }
                }
            }
        }
    }

    fn make_ready(&mut self, node: u32) {
        if (node as usize) < self.wiring.steps {
            self.stands[node as usize] = Stand::Ready;
            self.ready.push(Reverse(node));
        } else {
            self.finish(node);
        }
    }

    /// A step failed: whatever waits for it, directly or not, is skipped. Returns the skipped steps, in order.
    pub fn fail(&mut self, node: u32) -> Vec<u32> {
        if self.stands[node as usize] == Stand::Taken {
            self.taken -= 1;
        }
        self.stands[node as usize] = Stand::Failed;
        let mut skipped = Vec::new();
        let mut todo = self.wiring.dependents[node as usize].clone();
        while let Some(node) = todo.pop() {
            if matches!(self.stands[node as usize], Stand::Waiting | Stand::Ready) {
                self.stands[node as usize] = Stand::Skipped;
                if (node as usize) < self.wiring.steps {
                    skipped.push(node);
                }
                todo.extend(&self.wiring.dependents[node as usize]);
            }
        }
        skipped.sort_unstable();
        skipped
    }

    /// A step that was taken is not begun after all, and counts as left.
    pub fn put_back(&mut self, node: u32) {
        if self.stands[node as usize] == Stand::Taken {
            self.taken -= 1;
            self.stands[node as usize] = Stand::Waiting;
        }
    }

    /// How many steps are taken and not ended.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// How many steps were never begun and not skipped.
    pub fn left(&self) -> usize {
        let open = |stand: &&Stand| matches!(stand, Stand::Waiting | Stand::Ready);
        self.stands.iter().take(self.wiring.steps).filter(open).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiring(steps: usize, edges: &[(u32, u32)]) -> Wiring {
        let nodes = edges.iter().map(|(a, b)| (*a.max(b) as usize) + 1).max().unwrap_or(0).max(steps);
        let mut wiring = Wiring { dependents: vec![Vec::new(); nodes], waits: vec![0; nodes], steps };
        for (from, to) in edges {
            wiring.dependents[*from as usize].push(*to);
            wiring.waits[*to as usize] += 1;
        }
        wiring
    }

    #[test]
    fn starts_in_order_and_waits() {
        let mut queue = Queue::new(wiring(3, &[(0, 2), (1, 2)]), |_| false);
        assert_eq!((queue.take(), queue.take(), queue.take()), (Some(0), Some(1), None));
        queue.finish(1);
        assert_eq!(queue.take(), None);
        queue.finish(0);
        assert_eq!(queue.take(), Some(2));
        queue.finish(2);
        assert_eq!((queue.taken(), queue.left()), (0, 0));
    }

    #[test]
    fn joints_pass_on_and_pass_failure_on() {
        // 3 is a joint of 0 and 1; 2 waits for the joint.
        let edges = [(0, 3), (1, 3), (3, 2)];
        let mut queue = Queue::new(wiring(3, &edges), |_| false);
        queue.take();
        queue.take();
        queue.finish(0);
        queue.finish(1);
        assert_eq!(queue.take(), Some(2));
        let mut queue = Queue::new(wiring(3, &edges), |_| false);
        queue.take();
        assert_eq!(queue.fail(0), vec![2]);
        assert_eq!(queue.take(), Some(1));
    }

    #[test]
    fn finished_steps_are_not_begun_again() {
        let mut queue = Queue::new(wiring(3, &[(0, 1), (1, 2)]), |node| node < 2);
        assert_eq!(queue.take(), Some(2));
        assert_eq!(queue.take(), None);
    }
}
