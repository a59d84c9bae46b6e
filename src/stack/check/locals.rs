//! Locals: their expressions, and cycles among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::Diagnostic;

use super::{Check, Place};
use crate::lang::{At, Reference};

/// The locals that one uses, each with the place of the use.
type Edges<'a> = BTreeMap<&'a Arc<str>, Vec<(&'a Arc<str>, At)>>;

impl Check<'_> {
    pub(super) fn locals(&mut self) {
        let mut edges = Edges::new();
        for (name, local) in &self.stack.locals {
            self.expression(&local.value, Place::plain(&local.file));
            let mut used = Vec::new();
            local.value.uses(&mut |found| {
                if let Reference::Local(other) = found.reference
                    && let Some((other, _)) = self.stack.locals.get_key_value(other)
                {
                    used.push((other, found.at));
                }
            });
            edges.insert(name, used);
        }
        self.local_cycles(&edges);
    }

    /// Depth first with a stack of its own: a chain of locals may be as long as a file.
    fn local_cycles(&mut self, edges: &Edges<'_>) {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            Open,
            Done,
        }
        let mut seen: BTreeMap<&Arc<str>, Seen> = BTreeMap::new();
        for start in edges.keys() {
            if seen.contains_key(*start) {
                continue;
            }
            // The path from `start`, each with how many of its uses were followed.
            let mut path: Vec<(&Arc<str>, usize)> = vec![(*start, 0)];
            seen.insert(*start, Seen::Open);
            while let Some((name, next)) = path.last_mut() {
                let Some((used, _)) = edges.get(*name).and_then(|used| used.get(*next)) else {
                    seen.insert(*name, Seen::Done);
                    path.pop();
                    continue;
                };
                *next += 1;
                match seen.get(*used) {
                    None => {
                        seen.insert(*used, Seen::Open);
                        path.push((*used, 0));
                    }
                    Some(Seen::Open) => {
                        let from = path.iter().position(|(name, _)| name == used).unwrap_or(0);
                        let cycle: Vec<&Arc<str>> = path[from..].iter().map(|(name, _)| *name).collect();
                        self.cycle(&cycle, edges);
                    }
                    Some(Seen::Done) => {}
                }
            }
        }
    }

    fn cycle(&mut self, names: &[&Arc<str>], edges: &Edges<'_>) {
        // It begins with the first name of the alphabet, wherever it was entered.
        let first = (0..names.len()).min_by_key(|i| names[*i]).unwrap_or(0);
        let ring: Vec<&Arc<str>> = (0..=names.len()).map(|i| names[(first + i) % names.len()]).collect();
        let shown: Vec<String> = match ring.len() {
            0..=12 => ring.iter().map(|name| format!("local.{name}")).collect(),
            long => {
                let mut shown: Vec<String> = ring[..10].iter().map(|name| format!("local.{name}")).collect();
                shown.push(format!("… ({} more)", long - 11));
                shown.extend(ring.last().map(|name| format!("local.{name}")));
                shown
            }
        };
        let mut diagnostic =
            Diagnostic::error(format!("locals refer to each other in a circle: {}", shown.join(" -> ")));
        for pair in ring.windows(2).take(12) {
            let Some(local) = self.stack.locals.get(pair[0]) else { continue };
            let used = edges.get(pair[0]).and_then(|used| used.iter().find(|(name, _)| *name == pair[1]));
            if let Some((_, at)) = used {
                diagnostic = diagnostic.at(&at.in_file(&local.file), "");
            }
        }
        self.report.push(diagnostic);
    }
}
