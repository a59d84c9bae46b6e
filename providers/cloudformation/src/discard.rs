//! Taking away what plans made and nobody will execute: change sets, and stacks that hold nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use windlass_model::{Digest, ErrorClass};
use windlass_provider::ProviderError;

use crate::answers::{ChangeSets, Stack, Summary};
use crate::artefact::{Artefact, Deed};
use crate::aws::{Aws, Nothing};
use crate::command::cloudformation;
use crate::describe::Age;
use crate::job::own_tags;
use crate::make::CHANGE_SET;
use crate::schema::OWN_TAGS;
use crate::states::{Means, means};
use crate::watch::Pace;

/// What is left over after this time is nobody's plan any more.
const WEEK_MS: u64 = 7 * 24 * 3600 * 1000;
/// How long a change set that is still being made is waited for.
const TRIES: u32 = 12;

impl Aws<'_> {
    /// Deletes a plan's change set, and the stack that was made only for it. What is gone already is no error.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn discard(&self, artefact: &Artefact) -> Result<(), ProviderError> {
        if artefact.deed != Deed::Execute {
            return Ok(());
        }
        let Some(change_set) = &artefact.change_set else { return Ok(()) };
        if artefact.stack_id.is_none() {
            // A note of a plan that died: what it had begun may still be running.
            self.attach(CHANGE_SET).await?;
        }
        let stack = artefact.stack_id.as_deref().unwrap_or(&artefact.stack);
        self.shared.describes.touch(&self.place, &artefact.stack);
        self.delete_change_set(change_set, stack).await?;
        if artefact.new {
            let there = self.stack(stack, Age::Now).await?;
            self.delete_empty(there, &|_| false).await?;
        }
        Ok(())
    }

    async fn delete_change_set(&self, change_set: &str, stack: &str) -> Result<(), ProviderError> {
        let mut options = vec![("change-set-name", change_set)];
        if !change_set.starts_with("arn:") {
            options.push(("stack-name", stack));
        }
        let mut pace = Pace::default();
        for _ in 0..TRIES {
            let args = cloudformation("delete-change-set", &options);
            match self.ask::<Nothing>("delete the change set", args).await {
                Ok(_) => return Ok(()),
                Err(failed) if failed.is_gone() => return Ok(()),
                // Still being made: it cannot be deleted yet.
                Err(failed) if failed.is("InvalidChangeSetStatus") => {
                    if pace.wait(self.call).await {
                        return Err(failed.error);
                    }
                }
                // An answer that says nothing: is it there?
                Err(failed) if failed.is_not_implemented() => {
                    let there =
                        self.change_sets(stack).await?.into_iter().any(|set| is_named(&set, change_set));
                    return if there { Err(failed.error) } else { Ok(()) };
                }
                Err(failed) => return Err(failed.error),
            }
        }
        let message = format!("the change set {change_set} is still being made and cannot be deleted");
        Err(ProviderError::new(ErrorClass::Timeout, message))
    }

    async fn change_sets(&self, stack: &str) -> Result<Vec<Summary>, ProviderError> {
        let args = cloudformation("list-change-sets", &[("stack-name", stack)]);
        match self.ask::<ChangeSets>("list the stack's change sets", args).await {
            Ok(sets) => {
                // Some services list those of other stacks too.
                let of_it = |set: &Summary| {
                    set.stack_id.is_empty() || set.stack_id == stack || set.stack_name == stack
                };
                let there = |set: &Summary| set.status != "DELETE_COMPLETE" && of_it(set);
                Ok(sets.summaries.into_iter().filter(there).collect())
            }
            Err(failed) if failed.is_gone() => Ok(Vec::new()),
            Err(failed) => Err(failed.error),
        }
    }

    /// Deletes a stack that never held a resource, if it is ours and no change set of anybody's is in it, but those that may go.
    async fn delete_empty(
        &self,
        stack: Option<Stack>,
        may_go: &(dyn Fn(&Summary) -> bool + Sync),
    ) -> Result<(), ProviderError> {
        let Some(stack) = stack.filter(|stack| self.is_empty_and_ours(stack)) else { return Ok(()) };
        let sets = self.change_sets(&stack.stack_id).await?;
        if sets.iter().any(|set| !may_go(set)) {
            return Ok(());
        }
        for set in &sets {
            self.delete_change_set(&set.change_set_id, &stack.stack_id).await?;
        }
        let args = cloudformation("delete-stack", &[("stack-name", &stack.stack_id)]);
        match self.ask::<Nothing>("delete the stack that was made for a change set", args).await {
            Err(failed) if !failed.is_gone() => return Err(failed.error),
            _ => {}
        }
        self.shared.describes.touch(&self.place, &stack.stack_name);
        Ok(())
    }

    fn is_empty_and_ours(&self, stack: &Stack) -> bool {
        means(&stack.stack_status) == Means::Empty && is_owners(&stack.tag_map(), &own_tags(self.call))
    }

    /// Takes away stacks of this environment that hold nothing but change sets older than a week, never executed.
    pub async fn sweep_stacks(&self, all: &[Stack]) {
        let old =
            |stack: &&Stack| self.is_empty_and_ours(stack) && self.is_old(stack.creation_time.as_deref());
        for stack in all.iter().filter(old) {
            let may_go = |set: &Summary| self.may_go(set);
            let what = format!("the stack {}, which was planned and never made", stack.stack_name);
            // Looked at again: it is about to be deleted.
            let swept = match self.stack_alone(&stack.stack_id).await {
                Ok(there) => self.delete_empty(there, &may_go).await,
                Err(error) => Err(error),
            };
            self.tell_swept(&what, swept);
        }
    }

    /// Takes away a stack's change sets that are older than a week, once a week.
    pub async fn sweep_sets(&self, stack: &Stack) {
        if self.is_due(&stack.stack_id) {
            let swept = self.sweep_change_sets(stack).await;
            self.tell_swept(&format!("old change sets of the stack {}", stack.stack_name), swept);
        }
    }

    fn tell_swept(&self, what: &str, swept: Result<(), ProviderError>) {
        match swept {
            Ok(()) => {}
            // Left over as it was: it is tried again.
            Err(error) => self.log(&format!("warning: {what} could not be swept: {error}")),
        }
    }

    async fn sweep_change_sets(&self, stack: &Stack) -> Result<(), ProviderError> {
        for set in self.change_sets(&stack.stack_id).await? {
            if self.may_go(&set) && !set.execution_status.starts_with("EXECUTE_") {
                self.delete_change_set(&set.change_set_id, &stack.stack_id).await?;
            }
        }
        Ok(())
    }

    fn may_go(&self, set: &Summary) -> bool {
        set.change_set_name.starts_with("windlass-") && self.is_old(set.creation_time.as_deref())
    }

    fn is_old(&self, time: Option<&str>) -> bool {
        let then = time.and_then(milliseconds);
        then.is_some_and(|then| self.call.tools.host.now_ms().saturating_sub(then) > WEEK_MS)
    }

    /// Whether a stack's change sets were not looked through for a week: then that costs a call, once. Kept in the cache.
    fn is_due(&self, stack_id: &str) -> bool {
        let name = Digest::of(stack_id.as_bytes()).hex();
        let path: PathBuf = self.call.tools.cache.join("cloudformation-sweeps").join(name);
        let now = self.call.tools.host.now_ms();
        let last = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let due = last.is_some_and(|last| now.saturating_sub(last) > WEEK_MS);
        if last.is_none() || due {
            let written = std::fs::create_dir_all(path.parent().unwrap_or(&path))
                .and_then(|()| std::fs::write(&path, now.to_string()));
            // A cache: if it cannot be written, nothing is swept.
            return written.is_ok() && due;
        }
        false
    }
}

fn is_named(set: &Summary, change_set: &str) -> bool {
    set.change_set_id == change_set || set.change_set_name == change_set
}

/// Whether tags say that something is of the same store, stack and environment, whatever the address.
fn is_owners(tags: &BTreeMap<String, String>, own: &BTreeMap<String, String>) -> bool {
    let address = format!("{OWN_TAGS}address");
    own.iter().filter(|(key, _)| **key != address).all(|(key, value)| tags.get(key) == Some(value))
}

/// A time as the service writes it, in milliseconds since 1970.
pub fn milliseconds(time: &str) -> Option<u64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_versions_are_read() {
        assert_eq!(
            milliseconds("2026-11-25T09:04:32.307914Z"),
            milliseconds("2026-11-25T09:04:32.307914+00:00")
        );
        assert!(milliseconds("yesterday").is_none());
    }

    #[test]
    fn ownership_is_of_an_environment() {
        let tags = |environment: &str, address: &str| {
            let tags = [("store", "s"), ("stack", "k"), ("environment", environment), ("address", address)];
            tags.map(|(name, value)| (format!("{OWN_TAGS}{name}"), value.to_owned())).into_iter().collect()
        };
        let own: BTreeMap<String, String> = tags("dev", "a");
        assert!(is_owners(&tags("dev", "b"), &own) && !is_owners(&tags("prod", "a"), &own));
        assert!(!is_owners(&BTreeMap::new(), &own));
    }
}
