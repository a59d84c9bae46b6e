//! Whether a step whose outcome is not known was done: by its own process first, by what is in Azure second.

use windlass_model::{ErrorClass, Op};
use windlass_provider::{Attached, Exit, Left, Probe, ProviderError, Work};

use crate::apply::{AGAIN, APPLY, Applied, GROUP};
use crate::destroy::ENTRY;
use crate::job::{Job, is_absent};
use crate::seen::Seen;
use crate::spec::Mode;

/// The commands of a step, the last ones first.
const MAKES: [&str; 3] = [AGAIN, APPLY, GROUP];
const DELETES: [&str; 4] = [GROUP, ENTRY, AGAIN, APPLY];

impl Job<'_> {
    /// What became of a step.
    ///
    /// # Errors
    /// Where it cannot be found out now.
    pub async fn probe(&self, work: &Work<'_>) -> Result<Probe, ProviderError> {
        match work.op {
            Op::Delete => self.probe_delete(work).await,
            _ => self.probe_make(work).await,
        }
    }

    async fn attached(&self, labels: &[&str]) -> Result<Option<(String, Option<Exit>)>, ProviderError> {
        let mut last = None;
        for label in labels {
            // Each is waited for while it lives, whatever the others did.
            let found = match self.call.tools.runner.attach(self.call, label).await? {
                Attached::NeverBegun => continue,
                Attached::Ended(exit) => ((*label).to_owned(), Some(exit)),
                Attached::Lost(_) => ((*label).to_owned(), None),
            };
            last = last.or(Some(found));
        }
        Ok(last)
    }

    async fn probe_make(&self, work: &Work<'_>) -> Result<Probe, ProviderError> {
        let attached = self.attached(&MAKES).await?;
        if let Some((label, Some(exit))) = &attached
            && label != GROUP
        {
            let prepared = self.prepare(work).await?;
            return Ok(told(self.finish(work, &prepared, exit).await));
        }
        let Some(seen) = self.show().await? else { return Ok(Probe::NotBegun) };
        // Of a deployment there is no token: without a trace here, one that has ended may be an older one.
        let traceless = attached.is_none() && self.target.mode == Mode::Deployment && work.prior.is_none();
        if !self.took_effect(work, &seen) || (traceless && seen.is_over()) {
            return Ok(Probe::NotBegun);
        }
        let prepared = self.prepare(work).await?;
        Ok(told(self.settle(work, &prepared, None, None).await))
    }

    async fn probe_delete(&self, work: &Work<'_>) -> Result<Probe, ProviderError> {
        self.attached(&DELETES).await?;
        let Some(prior) = work.prior else { return Ok(Probe::Done(None)) };
        let seen = match self.until_over(self.call, None).await? {
            Some(seen) if !seen.is_over() => {
                let look_at = format!(
                    "Azure still deletes {}; look at it with `az {}`",
                    self.target.say(),
                    self.target.show_words()
                );
                return Ok(Probe::Unknown { look_at });
            }
            seen => seen,
        };
        let owns = prior.private.data.get("group") == Some(&true.into()) && !self.spec.detach;
        match (seen, &self.spec.group) {
            (None, Some(group)) if owns => {
                let args = self.target.group_show(group);
                let exit = self.ask("group-show", args.clone()).await?;
                match (exit.success(), is_absent(&exit)) {
                    (true, _) => Ok(Probe::NotBegun),
                    (false, true) => Ok(Probe::Done(None)),
                    (false, false) => Err(self.error(&args, &exit)),
                }
            }
            (None, _) => Ok(Probe::Done(None)),
            // What is deleted already is no error when it is done again.
            (Some(Seen { .. }), _) => Ok(Probe::NotBegun),
        }
    }
}

fn told(applied: Applied) -> Probe {
    match applied {
        Ok(seen) => Probe::Done(seen.map(Box::new)),
        Err(failure) => match failure.left {
            Left::Unknown(look_at) => Probe::Unknown { look_at },
            // It was sent and refused, or never came so far.
            Left::Untouched if failure.error.class == ErrorClass::Unknown => Probe::NotBegun,
            _ => Probe::Failed(failure),
        },
    }
}
