//! Drift, and taking in a stack that exists.

use std::time::Duration;

use tokio::time::Instant;
use windlass_model::{ErrorClass, Nested, Private, Value};
use windlass_provider::{Call, Observed, ProviderError};

use crate::answers::{Detection, DetectionStatus, Drifts, ResourceDrift, Resources, Stack, TemplateBody};
use crate::aws::{Aws, Failed, Shared};
use crate::command::cloudformation;
use crate::describe::Age;
use crate::job::{Kept, Recorded, TEMPLATE, computed, user_tags, with};
use crate::place::Place;
use crate::schema::OWN_TAGS;
use crate::spec::Spec;
use crate::states::{Means, means};
use crate::template::{self, outputs};
use crate::watch::Pace;

/// How long the detection of drift may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The recorded stack as it is, with what drifted in it; `None`: it is gone.
///
/// # Errors
/// What `aws` says.
pub async fn read(
    call: &Call,
    shared: &Shared,
    recorded: &Recorded<'_>,
) -> Result<Option<Observed>, ProviderError> {
    let aws = recorded.aws(call, shared)?;
    recorded.same_account(&aws).await?;
    let stack = aws.stack(recorded.name(), Age::Now).await?;
    let stack = stack.filter(|stack| means(&stack.stack_status) != Means::Empty);
    let Some(stack) = stack else { return Ok(None) };
    let mut value = recorded.seen(&stack);
    let drifted = match means(&stack.stack_status) {
        Means::Busy => Vec::new(),
        _ => aws.drifted(&stack).await?,
    };
    if !drifted.is_empty() {
        value = with(&value, [("drifted", described(call, &drifted))]);
    }
    let foreign = recorded.is_foreign_update(&stack);
    let template = recorded.record.private.blobs.get(TEMPLATE).copied().filter(|_| !foreign);
    let updated = recorded.kept.updated.as_ref().and(stack.last_updated_time.clone());
    let private = Kept { updated, ..recorded.kept.clone() }.private(template);
    Ok(Some(Observed { value, private, nested: recorded.record.nested.clone() }))
}

/// What differs, by resource.
fn described(call: &Call, drifted: &[ResourceDrift]) -> Value {
    let words = |drift: &ResourceDrift| {
        if drift.stack_resource_drift_status == "DELETED" {
            return "deleted".to_owned();
        }
        let lines = drift.property_differences.iter().map(|difference| {
            let path = difference.property_path.trim_start_matches('/').replace('/', ".");
            format!("{path}: {} -> {}", difference.expected_value, difference.actual_value)
        });
        call.tools.redact.redact(&lines.collect::<Vec<_>>().join("; "))
    };
    Value::object(drifted.iter().map(|drift| (drift.logical_resource_id.as_str(), Value::from(words(drift)))))
}

impl Aws<'_> {
    /// The resources that are not as their template says. Where the service cannot tell, none, and a line that says so.
    async fn drifted(&self, stack: &Stack) -> Result<Vec<ResourceDrift>, ProviderError> {
        match self.detect(stack).await {
            Ok(found) => Ok(found),
            Err(failed) if failed.is_not_implemented() => {
                self.log(&format!(
                    "drift inside the stack {} cannot be detected here: parameters, outputs and tags are compared",
                    stack.stack_name
                ));
                Ok(Vec::new())
            }
            Err(failed) => Err(failed.error),
        }
    }

    async fn detect(&self, stack: &Stack) -> Result<Vec<ResourceDrift>, Failed> {
        let args = cloudformation("detect-stack-drift", &[("stack-name", &stack.stack_id)]);
        let detection: Detection = self.ask("detect drift", args).await?;
        let id = detection.stack_drift_detection_id;
        let mut pace = Pace::default();
        let started = Instant::now();
        loop {
            let args =
                cloudformation("describe-stack-drift-detection-status", &[("stack-drift-detection-id", &id)]);
            let status: DetectionStatus = self.poll("look how far the detection of drift is", args).await?;
            match status.detection_status.as_str() {
                "DETECTION_COMPLETE" if status.stack_drift_status == "IN_SYNC" => return Ok(Vec::new()),
                "DETECTION_COMPLETE" => break,
                "DETECTION_FAILED" => {
                    // What could be compared was.
                    self.log(&format!(
                        "warning: drift was detected in part: {}",
                        status.detection_status_reason
                    ));
                    break;
                }
                _ if started.elapsed() > PATIENCE => {
                    let message = "the detection of drift takes too long";
                    return Err(ProviderError::new(ErrorClass::Timeout, message).into());
                }
                _ => {}
            }
            if pace.wait(self.call).await {
                let message = "interrupted while drift was detected";
                return Err(ProviderError::new(ErrorClass::Cancelled, message).into());
            }
        }
        self.drifts(stack).await
    }

    async fn drifts(&self, stack: &Stack) -> Result<Vec<ResourceDrift>, Failed> {
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut options = vec![("stack-name", stack.stack_id.as_str())];
            if let Some(token) = &next {
                options.push(("next-token", token));
            }
            let mut args = cloudformation("describe-stack-resource-drifts", &options);
            args.extend(["--stack-resource-drift-status-filters", "MODIFIED", "DELETED"].map(str::to_owned));
            let page: Drifts = self.ask("list what drifted", args).await?;
            found.extend(page.stack_resource_drifts);
            next = page.next_token;
            if next.is_none() {
                return Ok(found);
            }
        }
    }
}

/// Takes in a stack by its name or ARN.
///
/// # Errors
/// Where it is not there, or not the one that the block names.
pub async fn import(
    call: &Call,
    shared: &Shared,
    id: &str,
    desired: &Value,
) -> Result<Observed, ProviderError> {
    let spec = Spec::read(desired);
    let mut aim = spec.aim.or(&shared.aim);
    if let Some(region) = id.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2)) {
        aim.region = aim.region.or_else(|| Some(region.to_owned()));
    }
    let place: Place = aim.place(&call.tools.env)?;
    let aws = Aws::new(call, shared, place);
    let account = aws.account().await?;
    let stack = aws.stack_alone(id).await?.filter(|stack| means(&stack.stack_status) != Means::Empty);
    let stack = stack.ok_or_else(|| {
        let message = format!("there is no stack {id} in {} of account {account}", aws.place.region);
        ProviderError::new(ErrorClass::NotFound, message).hint("give the stack's name or its ARN")
    })?;
    if let Some(name) = spec.name.as_ref().filter(|name| **name != stack.stack_name) {
        let message =
            format!("the stack {} is to be taken in, but the block says name = \"{name}\"", stack.stack_name);
        return Err(ProviderError::new(ErrorClass::InvalidConfig, message).at("name"));
    }
    refuse_others(call, &stack)?;
    let text = aws.template(&stack.stack_id).await?;
    let private = Kept {
        region: Some(aws.place.region.clone()),
        account: Some(account),
        updated: stack.last_updated_time.clone(),
        ..Kept::default()
    };
    taken_in(&aws, desired, &spec, &stack, &text, private).await
}

/// What another stack, environment or address manages is not taken in by a second one.
fn refuse_others(call: &Call, stack: &Stack) -> Result<(), ProviderError> {
    let (tags, own) = (stack.tag_map(), crate::job::own_tags(call));
    let store = format!("{OWN_TAGS}store");
    let foreign =
        tags.get(&store).is_some_and(|_| own.iter().any(|(key, value)| tags.get(key) != Some(value)));
    if !foreign {
        return Ok(());
    }
    let of = |what: &str| tags.get(&format!("{OWN_TAGS}{what}")).map(String::as_str).unwrap_or("?");
    call.engine.say(windlass_model::StepEvent::Log(format!(
        "warning: the stack {} carries the tags of {} of stack {}, environment {}: only one may manage it",
        stack.stack_name,
        of("address"),
        of("stack"),
        of("environment")
    )));
    Ok(())
}

async fn taken_in(
    aws: &Aws<'_>,
    desired: &Value,
    spec: &Spec,
    stack: &Stack,
    text: &str,
    mut kept: Kept,
) -> Result<Observed, ProviderError> {
    let template = template::parse(text).ok();
    kept.exports = template
        .as_ref()
        .is_some_and(|template| template.outputs.values().any(|output| output.export.is_some()));
    let args = cloudformation("list-stack-resources", &[("stack-name", &stack.stack_id)]);
    let resources: Resources = aws.ask("list the stack's resources", args).await?;
    let nested: Vec<Nested> = resources
        .stack_resource_summaries
        .iter()
        .map(|resource| Nested {
            address: resource.logical_resource_id.clone(),
            kind: resource.resource_type.clone(),
            id: Some(resource.physical_resource_id.clone()).filter(|id| !id.is_empty()),
        })
        .collect();
    let mut told = stack.output_map();
    if let Some(template) =
        template.as_ref().filter(|template| told.is_empty() && !template.outputs.is_empty())
    {
        let mut facts = spec.facts();
        for (name, value) in stack.parameter_map() {
            facts.parameters.insert(name, Some(value));
        }
        let ids = nested.iter().filter_map(|nested| Some((nested.address.clone(), nested.id.clone()?)));
        facts.names.extend(ids);
        told = outputs::worked_out(template, &facts);
    }
    let outputs = outputs::seen(&told, template.as_ref(), &spec.secret);
    let blob = aws.call.engine.keep(text.as_bytes()).await?;
    let value = computed(desired, Value::from(stack.stack_id.as_str()), outputs);
    let value = with(&value, differing(desired, spec, stack));
    let private: Private = kept.private(Some(blob));
    Ok(Observed { value, private, nested })
}

/// Inputs that are otherwise than the block says.
fn differing(desired: &Value, spec: &Spec, stack: &Stack) -> Vec<(&'static str, Value)> {
    let mut found = vec![("name", Value::from(stack.stack_name.as_str()))];
    let told = stack.parameter_map();
    let mut entries: Vec<(String, Value)> = Vec::new();
    let mut differs = false;
    for (name, value) in desired.get("parameters").and_then(Value::entries).unwrap_or_default() {
        let is = told.get(&**name).filter(|is| !is.starts_with("****"));
        match (is, spec.parameters.get(&**name).cloned().flatten()) {
            (Some(is), Some(wanted)) if *is != wanted => {
                differs = true;
                entries.push((name.to_string(), Value::from(is.as_str()).marked(value.deep_marks())));
            }
            _ => entries.push((name.to_string(), value.clone())),
        }
    }
    if differs {
        found.push(("parameters", Value::object(entries)));
    }
    let tags = user_tags(stack);
    if tags != spec.tags {
        let pairs = tags.iter().map(|(key, value)| (key.as_str(), Value::from(value.as_str())));
        found.push(("tags", Value::object(pairs)));
    }
    found
}

impl Aws<'_> {
    /// The template as it was given to the service.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn template(&self, stack: &str) -> Result<String, ProviderError> {
        let options = [("stack-name", stack), ("template-stage", "Original")];
        let args = cloudformation("get-template", &options);
        let body: TemplateBody = self.ask("get the stack's template", args).await?;
        Ok(match body.template_body {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        })
    }
}
