//! Making a change set, and what it would do.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use windlass_model::{Digest, ErrorClass, NestedChange, Private};
use windlass_provider::ProviderError;

use crate::answers::{ChangeSet, Created};
use crate::artefact::{Artefact, Deed};
use crate::aws::{Aws, Failed, Nothing, RequestFile};
use crate::changes::Placed;
use crate::command::{Content, Source, ascii, cloudformation};
use crate::errors;
use crate::job::{Job, MOST_INLINE, invalid};
use crate::watch::Pace;

/// The label of the command that makes a change set.
pub const CHANGE_SET: &str = "change-set";
/// How long a change set may be in the making.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Deeper than stacks nest.
const MOST_DEPTH: usize = 8;

/// What the service says when there is nothing to do.
const NO_CHANGES: &[&str] = &[
    "The submitted information didn't contain changes",
    "No updates are to be performed",
    "didn't contain changes",
];

/// A change set that can be executed.
pub struct Made {
    /// What there is to execute.
    pub artefact: Artefact,
    /// All changes, nested stacks included.
    pub changes: Vec<Placed>,
}

impl Made {
    /// For the plan.
    pub fn nested(&self, job: &Job<'_>) -> Vec<NestedChange> {
        let secret = job.secret_properties();
        let redact = &job.aws.call.tools.redact;
        let mut nested: Vec<NestedChange> =
            self.changes.iter().map(|placed| placed.nested(redact, &secret)).collect();
        nested.sort_by(|a, b| a.address.cmp(&b.address));
        nested
    }

    /// The logical ids of the stack itself that change.
    pub fn touched(&self) -> BTreeSet<String> {
        let top = self.changes.iter().map(|placed| placed.address.split('/').next().unwrap_or_default());
        top.map(str::to_owned).collect()
    }
}

/// The name of a change set: it carries the run's id, and is another for each stack.
pub fn change_set_name(run: &str, address: &str, suffix: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).take(80).collect::<String>().to_ascii_lowercase()
    };
    let address = Digest::of(address.as_bytes()).hex();
    let address = address.get(..8).unwrap_or_default();
    format!("windlass-{}-{address}{suffix}", plain(run))
}

/// What tells the change sets of a step from each other: none is asked for twice by the same name.
fn suffix(again: bool, attempt: u32) -> String {
    match (again, attempt) {
        (false, 0 | 1) => String::new(),
        (again, attempt) => format!("-{}{attempt}", if again { "again" } else { "try" }),
    }
}

impl Job<'_> {
    /// An operation on the stack, before anything is made.
    pub fn draft(&self, deed: Deed, new: bool) -> Artefact {
        Artefact {
            deed,
            region: self.aws.place.region.clone(),
            profile: self.aws.place.profile.clone(),
            endpoint: self.aws.place.endpoint.clone(),
            stack: self.name.clone(),
            stack_id: None,
            change_set: None,
            new,
            created: None,
            changes: Vec::new(),
            set_policy: false,
            set_protection: None,
        }
    }

    /// Makes a change set; `None`: there is nothing to change, and it is deleted again.
    ///
    /// # Errors
    /// Why the service will not make it.
    pub async fn make(&self, new: bool, again: bool) -> Result<Option<Made>, Failed> {
        let mut artefact = self.draft(Deed::Execute, new);
        let call = self.aws.call;
        let suffix = suffix(again, call.attempt);
        let name = change_set_name(&call.run.0, &call.address.to_string(), &suffix);
        artefact.change_set = Some(name.clone());
        // Whoever finds this note deletes what may have been made.
        call.engine.note(&artefact.private()).await?;
        let created = match self.create(new, &name, again).await {
            Ok(created) => created,
            // Some say so at once, and have made nothing.
            Err(failed) if !new && says_no_changes(&failed.error.message) => {
                call.engine.note(&Private::default()).await?;
                return Ok(None);
            }
            Err(failed) => return Err(failed),
        };
        artefact.stack_id = Some(created.stack_id.clone());
        artefact.change_set = Some(created.id.clone());
        let described = self.aws.until_made(&created.id, &created.stack_id).await?;
        if described.status == "FAILED" {
            return self.not_made(&artefact, &described).await.map_err(Failed::from);
        }
        artefact.created = described.creation_time.clone();
        let mut changes = Vec::new();
        self.aws.expand("", &described, 0, &mut changes).await?;
        let mut essences: Vec<_> = changes.iter().map(Placed::essence).collect();
        essences.sort();
        artefact.changes = essences;
        Ok(Some(Made { artefact, changes }))
    }

    async fn create(&self, new: bool, name: &str, again: bool) -> Result<Created, Failed> {
        let call = self.aws.call;
        let own_tags = self.own_tags();
        let url = self.uploaded().await?;
        let template = url.as_deref().map_or(Source::Body(&self.source.text), Source::Url);
        let content = Content { template, spec: &self.spec, own_tags: &own_tags, new, revert: self.revert };
        let file = RequestFile::write(call, "request-change-set", &ascii(&content.request()))?;
        let request = format!("file://{}", file.name());
        let token = format!("windlass-{}{}", call.token, suffix(again, call.attempt));
        let options = [
            ("stack-name", self.name.as_str()),
            ("change-set-name", name),
            ("change-set-type", if new { "CREATE" } else { "UPDATE" }),
            ("client-token", &token),
            ("cli-input-json", &request),
        ];
        let label = if again { "change-set-again" } else { CHANGE_SET };
        let args = cloudformation("create-change-set", &options);
        self.aws.act(&format!("make a change set for the stack {}", self.name), label, args).await
    }

    /// Puts a template that is too large for a request into the bucket; where it lies then.
    async fn uploaded(&self) -> Result<Option<String>, Failed> {
        let text = &self.source.text;
        let (true, Some(bucket)) = (text.len() > MOST_INLINE, &self.spec.template_bucket) else {
            return Ok(None);
        };
        let key = format!("windlass/{}.template", Digest::of(text.as_bytes()).hex());
        let file = RequestFile::write(self.aws.call, "request-template", text)?;
        let name = file.name();
        let mut args = vec!["s3api".to_owned(), "put-object".to_owned()];
        for (option, value) in [("--bucket", bucket.as_str()), ("--key", &key), ("--body", &name)] {
            args.extend([option.to_owned(), value.to_owned()]);
        }
        let what = format!("put the template into the bucket {bucket}");
        self.aws.act::<Nothing>(&what, "upload", args).await?;
        Ok(Some(self.template_url(bucket, &key)))
    }

    /// Always as AWS writes it: stand-ins for it know their buckets by that too.
    fn template_url(&self, bucket: &str, key: &str) -> String {
        let region = &self.aws.place.region;
        let china = if region.starts_with("cn-") { ".cn" } else { "" };
        match bucket.contains('.') {
            // A dot in the name would not fit the certificate.
            true => format!("https://s3.{region}.amazonaws.com{china}/{bucket}/{key}"),
            false => format!("https://{bucket}.s3.{region}.amazonaws.com{china}/{key}"),
        }
    }

    /// A change set that failed: nothing to change, or an error. It is of no use, and deleted.
    async fn not_made(
        &self,
        artefact: &Artefact,
        described: &ChangeSet,
    ) -> Result<Option<Made>, ProviderError> {
        let reason = &described.status_reason;
        match self.aws.discard(artefact).await {
            Ok(()) => self.aws.call.engine.note(&Private::default()).await?,
            Err(error) => {
                self.aws.log(&format!("warning: the failed change set could not be deleted: {error}"));
            }
        }
        if says_no_changes(reason) && !artefact.new {
            return Ok(None);
        }
        Err(change_set_error(&self.name, reason, &self.aws))
    }
}

fn says_no_changes(text: &str) -> bool {
    NO_CHANGES.iter().any(|words| text.contains(words))
}

/// Why a change set could not be made, as the service says it.
fn change_set_error(name: &str, reason: &str, aws: &Aws<'_>) -> ProviderError {
    let message = format!("the change set for the stack {name} could not be made: {reason}");
    let message = aws.call.tools.redact.redact(&message);
    match errors::lookup(reason) {
        Some(row) => ProviderError::new(row.class, message).hint(row.hint),
        None => invalid(message).hint("correct what it names in the template or its parameters"),
    }
}

impl Aws<'_> {
    /// Describes a change set until it is made, or has failed.
    ///
    /// # Errors
    /// What `aws` says, or that it takes too long.
    pub async fn until_made(&self, change_set: &str, stack: &str) -> Result<ChangeSet, Failed> {
        let mut pace = Pace::default();
        let started = Instant::now();
        loop {
            let described = self.change_set(change_set, stack).await?;
            match described.status.as_str() {
                "CREATE_PENDING" | "CREATE_IN_PROGRESS" if started.elapsed() < PATIENCE => {}
                "CREATE_PENDING" | "CREATE_IN_PROGRESS" => {
                    let message = format!("the change set {change_set} is still being made");
                    return Err(ProviderError::new(ErrorClass::Timeout, message).into());
                }
                _ => return Ok(described),
            }
            if pace.wait(self.call).await {
                let message = "interrupted while the change set was being made";
                return Err(ProviderError::new(ErrorClass::Cancelled, message).into());
            }
        }
    }

    /// Describes a change set.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn change_set(&self, change_set: &str, stack: &str) -> Result<ChangeSet, Failed> {
        let mut options = vec![("change-set-name", change_set)];
        if !change_set.starts_with("arn:") {
            options.push(("stack-name", stack));
        }
        let mut args = cloudformation("describe-change-set", &options);
        args.push("--include-property-values".to_owned());
        self.poll("describe the change set", args).await
    }

    /// The changes of a change set, those of nested stacks behind their own.
    async fn expand(
        &self,
        parent: &str,
        set: &ChangeSet,
        depth: usize,
        found: &mut Vec<Placed>,
    ) -> Result<(), Failed> {
        for change in set.changes.iter().filter_map(|change| change.resource_change.clone()) {
            let slash = if parent.is_empty() { "" } else { "/" };
            let address = format!("{parent}{slash}{}", change.logical_resource_id);
            let inner = change.change_set_id.clone().filter(|_| depth < MOST_DEPTH);
            found.push(Placed { address: address.clone(), change });
            if let Some(inner) = inner {
                let described = Box::pin(self.until_made(&inner, "")).await?;
                Box::pin(self.expand(&address, &described, depth + 1, found)).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_change_set_is_valid_and_its_own() {
        let name = change_set_name("01K3ABCDEF", "module.a.cloudformation_stack.x[\"k\"]", "");
        assert!(name.starts_with("windlass-01k3abcdef-"), "{name}");
        assert!(name.len() <= 128 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        assert_ne!(name, change_set_name("01K3ABCDEF", "cloudformation_stack.x", ""));
        assert_ne!(
            name,
            change_set_name("01K3ABCDEF", "module.a.cloudformation_stack.x[\"k\"]", &suffix(true, 1))
        );
    }
}
