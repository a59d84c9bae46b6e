//! The draft at the end of planning.

use std::collections::BTreeMap;

use windlass_model::{Diagnostic, Operation, OutputChange, Stored};

use super::{Draft, Planner};
use crate::plan::order::{Dependencies, arrange};

impl Planner<'_> {
    pub(super) fn finish(mut self) -> Draft {
        let mut steps = Vec::new();
        let mut refreshed = Vec::new();
        let mut gone = Vec::new();
        for decision in std::mem::take(&mut self.decisions).into_values() {
            steps.extend(decision.steps);
            refreshed.extend(decision.refreshed);
            gone.extend(decision.gone);
        }
        let recorded =
            self.request.state.records.iter().map(|(slot, record)| (slot, record.depends_on.as_slice()));
        let known = Dependencies {
            unchanged: std::mem::take(&mut self.unchanged_deps),
            recorded: recorded.collect(),
        };
        let steps = arrange(steps, &known);
        let outputs = self.outputs();
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for mut said in std::mem::take(&mut self.said).into_values() {
            said.sort_by(|a, b| {
                (&a.labels.first().map(|l| &l.span), &a.title)
                    .cmp(&(&b.labels.first().map(|l| &l.span), &b.title))
            });
            diagnostics.extend(said);
        }
        diagnostics.dedup();
        Draft {
            steps,
            refreshed,
            gone,
            outputs,
            unchanged: self.unchanged,
            not_asked: self.not_asked,
            diagnostics,
            seen: self.request.seen,
            places: self.places,
            tools: self.tools,
            past: self.past_paths,
            world: self.request.world,
            sessions: self.request.sessions,
        }
    }

    /// Outputs as they will be. Where something has no value because of an error, the error is already said.
    fn outputs(&mut self) -> BTreeMap<String, OutputChange> {
        let before = |name: &str| self.request.state.outputs.get(name).map(|output| output.value.clone());
        let mut outputs = BTreeMap::new();
        for (name, output) in &self.request.state.outputs {
            let change =
                OutputChange { before: Some(output.value.clone()), after: None, sensitive: output.sensitive };
            outputs.insert(name.clone(), change);
        }
        if self.request.operation == Operation::Destroy {
            return outputs;
        }
        let stack = self.request.world.stack.clone();
        let graph = self.request.world.graph.clone();
        let failed = self.said.values().flatten().any(Diagnostic::is_error);
        for (name, output) in &stack.outputs {
            if let Some(uses) = graph.outputs.get(name) {
                self.request.world.prepare(uses);
            }
            let change = match crate::plan::output(output, name, &self.request.world) {
                Ok(value) => OutputChange {
                    before: before(name),
                    sensitive: output.sensitive,
                    after: Some(Stored(value)),
                },
                Err(_) if failed => continue,
                Err(error) => {
                    self.said.entry((u32::MAX, 1)).or_default().push(*error);
                    continue;
                }
            };
            outputs.insert(name.to_string(), change);
        }
        outputs
    }
}
