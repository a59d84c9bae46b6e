//! Deleting a stack.

use windlass_model::{Finding, NestedChange, Value};
use windlass_provider::{ApplyFailure, Call, Drift, Left, Observed, Proposed, ProviderError, Verdict, Work};

use crate::answers::{Imports, Stack};
use crate::apply::{Applied, before, word};
use crate::aws::{Aws, Failed, Nothing, Shared};
use crate::command::cloudformation;
use crate::describe::Age;
use crate::job::{Recorded, invalid, own_tags};
use crate::states::{Means, means};
use crate::template::evaluate::Facts;
use crate::watch::{Ended, Operation, Watch, Watched};

/// The label of the command that deletes.
pub const DELETE: &str = "delete";

/// What a planned delete is like.
///
/// # Errors
/// Where the stack may not be deleted.
pub async fn plan(
    call: &Call,
    shared: &Shared,
    recorded: &Recorded<'_>,
    refresh: bool,
) -> Result<Proposed, ProviderError> {
    let aws = recorded.aws(call, shared)?;
    let mut proposed = nothing(Verdict::Change);
    let all = recorded.record.nested.iter();
    proposed.nested = all.map(|nested| deleted(&nested.address)).collect();
    if !refresh {
        return Ok(proposed);
    }
    recorded.same_account(&aws).await?;
    let stack = aws.stack(recorded.id(), Age::Recent).await?;
    let Some(stack) = stack.filter(|stack| is_the_recorded(call, recorded, stack)) else {
        proposed.drift = Some(Drift::Gone);
        return Ok(proposed);
    };
    may_be_deleted(&stack)?;
    proposed.warnings.extend(in_use(&aws, recorded).await);
    Ok(proposed)
}

/// Of a create in doubt only the name is known: a stack of that name which is not ours is another one.
fn is_the_recorded(call: &Call, recorded: &Recorded<'_>, stack: &Stack) -> bool {
    let tags = stack.tag_map();
    recorded.stack_id.is_some() || own_tags(call).iter().all(|(key, value)| tags.get(key) == Some(value))
}

fn deleted(address: &str) -> NestedChange {
    NestedChange {
        address: address.to_owned(),
        action: "delete".to_owned(),
        because: Vec::new(),
        lines: Vec::new(),
    }
}

/// A proposal of nothing yet.
pub fn nothing(verdict: Verdict) -> Proposed {
    Proposed {
        verdict,
        planned: Value::NULL,
        why: Vec::new(),
        nested: Vec::new(),
        artefact: None,
        drift: None,
        place: None,
        warnings: Vec::new(),
        waits_for: Vec::new(),
    }
}

/// Fails where termination protection is on.
///
/// # Errors
/// `invalid_config`
pub fn may_be_deleted(stack: &Stack) -> Result<(), ProviderError> {
    if stack.enable_termination_protection != Some(true) {
        return Ok(());
    }
    let message =
        format!("the stack {} has termination protection, so it cannot be deleted", stack.stack_name);
    Err(invalid(message)
        .hint("set termination_protection = false and apply that first")
        .at("termination_protection"))
}

/// Stacks that use what this one exports.
async fn in_use(aws: &Aws<'_>, recorded: &Recorded<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(template) = recorded.template.as_ref().filter(|_| recorded.kept.exports) else { return found };
    let mut facts: Facts = recorded.spec.facts();
    facts.names.insert("AWS::Region".to_owned(), aws.place.region.clone());
    facts.names.insert("AWS::StackName".to_owned(), recorded.name().to_owned());
    for export in template.outputs.values().filter_map(|output| output.export.as_ref()) {
        let Some(name) = template.text_of(export, &facts) else { continue };
        let args = cloudformation("list-imports", &[("export-name", &name)]);
        match aws.ask::<Imports>("list who imports what the stack exports", args).await {
            Ok(imports) if !imports.imports.is_empty() => {
                let who = imports.imports.join(", ");
                let message = format!(
                    "what the stack exports as `{name}` is in use by {who}: it cannot be deleted before them"
                );
                let mut finding = Finding::warning("", message);
                finding.help = Some(
                    "let their resources refer to this one, or say depends_on: then they are deleted first"
                        .to_owned(),
                );
                found.push(finding);
            }
            // Nobody imports it, or the service cannot tell: the delete itself will.
            Ok(_) | Err(_) => {}
        }
    }
    found
}

/// Deletes the stack of a record and watches it go.
///
/// # Errors
/// What failed, and what was left.
pub async fn apply(call: &Call, shared: &Shared, work: &Work<'_>, recorded: &Recorded<'_>) -> Applied {
    let untouched = ApplyFailure::untouched;
    let aws = recorded.aws(call, shared).map_err(untouched)?;
    recorded.same_account(&aws).await.map_err(untouched)?;
    if (call.attempt > 1 || !work.noted.is_empty())
        && let Some(applied) = found(&aws, work, recorded).await.map_err(untouched)?
    {
        return applied;
    }
    if recorded.stack_id.is_none() {
        let stack = aws.stack(recorded.name(), Age::Now).await.map_err(untouched)?;
        if !stack.is_some_and(|stack| is_the_recorded(call, recorded, &stack)) {
            return Ok(None);
        }
    }
    let token = call.token.0.as_str();
    let mut args =
        cloudformation("delete-stack", &[("stack-name", recorded.id()), ("client-request-token", token)]);
    if let Some(role) = &recorded.spec.role_arn {
        args.extend(["--role-arn".to_owned(), role.clone()]);
    }
    let retain = retained(&aws, recorded).await.map_err(untouched)?;
    if !retain.is_empty() {
        args.push("--retain-resources".to_owned());
        args.extend(retain);
    }
    shared.describes.touch(&aws.place, recorded.name());
    let what = format!("delete the stack {}", recorded.name());
    let failed = match aws.act::<Nothing>(&what, DELETE, args).await {
        Ok(_) => None,
        Err(failed) => aws.really(&what, DELETE, failed).await,
    };
    match failed {
        None => follow(&aws, work, recorded).await,
        Some(failed) if failed.is_gone() => Ok(None),
        Some(failed) if failed.is("TokenAlreadyExistsException") => follow(&aws, work, recorded).await,
        Some(failed) if failed.is_refusal() || failed.said.is_none() => Err(untouched(refused(failed))),
        Some(failed) => match found(&aws, work, recorded).await {
            Ok(Some(applied)) => applied,
            Ok(None) => Err(untouched(failed.error)),
            Err(_) => Err(unclear(recorded, failed.error)),
        },
    }
}

fn refused(failed: Failed) -> ProviderError {
    let mut error = failed.error;
    if error.message.contains("is in use by") {
        error.hint =
            Some("delete the stacks that import it first: let their resources refer to this one".to_owned());
    }
    error
}

fn unclear(recorded: &Recorded<'_>, error: ProviderError) -> Box<ApplyFailure> {
    let look_at = format!("was asked for and not confirmed; look at the stack {}", recorded.name());
    Box::new(ApplyFailure { error, left: Left::Unknown(look_at) })
}

/// Only where a delete has failed already may something be left behind.
async fn retained(aws: &Aws<'_>, recorded: &Recorded<'_>) -> Result<Vec<String>, ProviderError> {
    let wanted = match recorded.kept.retain.is_empty() {
        true => recorded.spec.retain_resources.clone(),
        false => recorded.kept.retain.clone(),
    };
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let stack = aws.stack(recorded.id(), Age::Now).await?;
    let failed = stack.is_some_and(|stack| means(&stack.stack_status) == Means::NotDeleted);
    Ok(if failed { wanted } else { Vec::new() })
}

async fn follow(aws: &Aws<'_>, work: &Work<'_>, recorded: &Recorded<'_>) -> Applied {
    let operation = Operation {
        stack_id: recorded.id().to_owned(),
        token: aws.call.token.0.clone(),
        since: None,
        deletes: true,
        creates: false,
    };
    match Watch::new(aws, operation).until_over().await {
        Ended::Over(watched) => over(aws, work, recorded, &watched).await,
        Ended::Interrupted(_) => {
            let message = format!("interrupted; the stack {} goes on being deleted", recorded.name());
            let class = windlass_model::ErrorClass::Cancelled;
            Err(unclear(
                recorded,
                ProviderError::new(class, message).hint("`windlass resume` follows it to its end"),
            ))
        }
        Ended::Lost(error) => Err(unclear(recorded, error)),
    }
}

async fn over(aws: &Aws<'_>, work: &Work<'_>, recorded: &Recorded<'_>, watched: &Watched) -> Applied {
    if means(&watched.status) == Means::Gone {
        return Ok(None);
    }
    let error = aws.why(recorded.name(), word(work.op), watched).await;
    let left = match aws.stack_alone(recorded.id()).await {
        Ok(None) => return Ok(None),
        Ok(Some(stack)) => Left::There(Box::new(left(aws.call, recorded, &stack).await)),
        Err(error) => Left::Unknown(format!("look at the stack {}: {error}", recorded.name())),
    };
    Err(Box::new(ApplyFailure { error, left }))
}

async fn left(call: &Call, recorded: &Recorded<'_>, stack: &Stack) -> Observed {
    before(call, recorded.record, stack, recorded.record.nested.clone()).await
}

/// What became of a delete that may have begun; `None`: it did not begin.
///
/// # Errors
/// Where nobody can tell.
pub async fn found(
    aws: &Aws<'_>,
    work: &Work<'_>,
    recorded: &Recorded<'_>,
) -> Result<Option<Applied>, ProviderError> {
    // While the command itself runs, nothing else can be told.
    aws.attach(DELETE).await?;
    let Some(stack) = aws.stack_alone(recorded.id()).await? else { return Ok(Some(Ok(None))) };
    match stack.stack_status.as_str() {
        "DELETE_IN_PROGRESS" => Ok(Some(follow(aws, work, recorded).await)),
        "DELETE_FAILED" if aws.has_events(&stack.stack_id).await? => {
            Ok(Some(follow(aws, work, recorded).await))
        }
        _ => Ok(None),
    }
}
