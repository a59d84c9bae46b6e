//! What a plan tells people: changes, remarks, what was folded away.

use windlass_model::{Finding, NestedChange};

use crate::group::Group;
use crate::job::Job;
use crate::plan::{Looked, Wish};
use crate::read::Recorded;
use crate::whatif::{Answer, Change};

impl Job<'_> {
    /// The changes as a plan lists them, the group's own first.
    pub fn nested(&self, looked: &Looked, changes: &[Change]) -> Vec<NestedChange> {
        let mut nested = Vec::new();
        if let (Group::Create, Some(group)) = (looked.group, &self.spec.group) {
            let location = self.spec.location.as_deref().unwrap_or_default();
            nested.push(NestedChange {
                address: format!("resourceGroups/{group}"),
                action: "create".to_owned(),
                because: Vec::new(),
                lines: vec![format!("+ location: \"{location}\"")],
            });
        }
        nested.extend(changes.iter().map(|change| self.nested_change(change)));
        nested
    }

    /// A change as a plan lists it, its secrets masked.
    pub fn nested_change(&self, change: &Change) -> NestedChange {
        let redact = &self.call.tools.redact;
        NestedChange {
            address: redact.redact(&change.address),
            action: change.action.as_str().to_owned(),
            because: Vec::new(),
            lines: change.lines().iter().map(|line| redact.redact(line)).collect(),
        }
    }

    /// What Azure remarks, and what was folded away.
    pub fn remarks(&self, answer: &Answer) -> Vec<Finding> {
        let redact = &self.call.tools.redact;
        let mut found: Vec<Finding> = answer
            .remarks
            .iter()
            .map(|line| Finding::warning("", redact.redact(&format!("Azure remarks: {line}"))))
            .collect();
        match (answer.noise.len(), self.spec.show_noise) {
            (0, _) => {}
            (count, false) => {
                let (s, are) = if count == 1 { ("", "is") } else { ("s", "are") };
                let words = format!(
                    "{count} change{s} that what-if lists {are} folded away as noise; show_noise = true lists them"
                );
                found.push(Finding::warning("", words));
            }
            (_, true) => {
                let lines: Vec<String> = answer.noise.iter().map(|line| redact.redact(line)).collect();
                found.push(Finding::warning(
                    "show_noise",
                    format!("folded away as noise:\n{}", lines.join("\n")),
                ));
            }
        }
        found
    }

    /// Outputs without a value, told once: when they come.
    pub fn secure_words(&self, wish: &Wish<'_>, before: Option<&Recorded<'_>>) -> Option<Finding> {
        let known = before.map(|before| before.template.secure_outputs()).unwrap_or_default();
        let new: Vec<String> = wish.compiled.template.secure_outputs().difference(&known).cloned().collect();
        let words =
            format!("Azure keeps the values of secure outputs to itself; null here: {}", new.join(", "));
        (!new.is_empty()).then(|| Finding::warning("template_file", words))
    }
}

/// What was changed by others, in lines.
pub fn drift_lines(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| {
        let mut lines = vec![format!("{} {}", change.action.as_str(), change.address)];
        lines.extend(change.lines().iter().map(|line| format!("{}: {line}", change.address)));
        lines
    };
    changes.iter().flat_map(line).collect()
}
