//! A stack whose inputs are not known yet: what is certain of it, and what it waits for. Nothing is made up, nothing made.

use std::collections::BTreeSet;

use windlass_model::{Type, Value};
use windlass_provider::{Proposed, ProviderError, Verdict};

use crate::delete::nothing;
use crate::job::{Job, Recorded, computed};
use crate::plan::{Course, Found};
use crate::spec::waits_for;
use crate::template::outputs::{self, Wanted};

/// What must be known before a template can be looked at, or a stack looked for.
const FIRST: &[&str] = &["name", "region", "profile", "endpoint_url", "template_file", "template_body"];

/// Whether so little is known that nothing can be said.
pub fn is_opaque(desired: &Value) -> bool {
    FIRST.iter().any(|name| desired.get(name).is_some_and(Value::has_unknown))
        || desired.get("parameters").is_some_and(Value::is_unknown)
}

/// A stack of which nothing is certain.
pub fn opaque(desired: &Value) -> Proposed {
    let mut proposed = nothing(Verdict::Deferred);
    proposed.planned = computed(desired, Value::unknown(Type::String), Value::unknown(Type::Any));
    proposed.waits_for = waits_for(desired);
    proposed
}

impl Job<'_> {
    /// What is certain of a stack whose inputs are unknown in part.
    ///
    /// # Errors
    /// None yet.
    pub(crate) fn deferred(
        &self,
        course: &Course,
        recorded: Option<&Recorded<'_>>,
        found: &Found,
    ) -> Result<Proposed, ProviderError> {
        let updates = matches!(course, Course::Update);
        let recorded = recorded.filter(|_| updates);
        let mut proposed = nothing(Verdict::Deferred);
        proposed.nested = self.compared(recorded);
        proposed.waits_for = waits_for(self.desired);
        // What changes beside what is seen here nobody knows: an output that refers to a resource is not certain.
        let resources: BTreeSet<String> = self.source.template.resources.keys().cloned().collect();
        let facts = self.facts();
        let secret = self.secret();
        let outputs_before =
            recorded.zip(found.stack.as_ref()).map(|(recorded, stack)| recorded.outputs(stack));
        let facts_before = recorded.map(|recorded| recorded.spec.facts());
        let before = recorded.and_then(|recorded| {
            Some(outputs::Recorded {
                template: recorded.template.as_ref()?,
                facts: facts_before.as_ref()?,
                outputs: outputs_before.as_ref()?,
            })
        });
        let wanted = Wanted {
            template: &self.source.template,
            facts: &facts,
            touched: Some(&resources),
            secret: &secret,
        };
        let outputs = outputs::foreseen(before, wanted);
        let id = recorded.and_then(|recorded| recorded.stack_id.clone());
        let id = id.map_or_else(|| Value::unknown(Type::String), Value::from);
        proposed.planned = computed(self.desired, id, outputs);
        Ok(proposed)
    }
}
