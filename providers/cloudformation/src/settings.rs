//! What is no part of a change set: stack policy, termination protection, tags where only they differ, and a rollback that
//! has to be continued.

use serde_json::json;
use windlass_model::Op;
use windlass_provider::{ApplyFailure, Left, ProviderError, Work};

use crate::answers::Created;
use crate::apply::{Applied, EXECUTE};
use crate::artefact::Artefact;
use crate::aws::{Failed, Nothing, RequestFile};
use crate::command::{ascii, cloudformation, tags};
use crate::describe::Age;
use crate::job::Job;
use crate::states::{Means, means};
use crate::watch::{Ended, Operation, Watch};

/// The label of the command that continues a rollback.
pub const CONTINUE: &str = "continue";

/// What a stack without a policy has.
const ALLOW_ALL: &str =
    r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;

impl Job<'_> {
    /// Sets the stack policy; one that was taken out of the inputs allows everything.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn set_policy(&self, stack: &str) -> Result<(), ProviderError> {
        let policy = self.spec.stack_policy.as_deref().unwrap_or(ALLOW_ALL);
        let request = ascii(&json!({"StackPolicyBody": policy}));
        let file = RequestFile::write(self.aws.call, "request-policy", &request)?;
        let input = format!("file://{}", file.name());
        let options = [("stack-name", stack), ("cli-input-json", input.as_str())];
        let args = cloudformation("set-stack-policy", &options);
        self.aws.act::<Nothing>("set the stack policy", "policy", args).await?;
        Ok(())
    }

    /// What is set once the stack is as it should be.
    ///
    /// # Errors
    /// What `aws` says.
    pub async fn settings(
        &self,
        work: &Work<'_>,
        artefact: &Artefact,
        stack_id: &str,
    ) -> Result<(), ProviderError> {
        if artefact.set_policy && work.op == Op::Create {
            self.set_policy(stack_id).await?;
        }
        if let Some(on) = artefact.set_protection {
            let mut args = cloudformation("update-termination-protection", &[("stack-name", stack_id)]);
            args.push(format!("--{}enable-termination-protection", if on { "" } else { "no-" }));
            let what = if on { "turn termination protection on" } else { "turn termination protection off" };
            self.aws.act::<Nothing>(what, "protection", args).await?;
        }
        Ok(())
    }

    /// Tags that a change set takes for no change.
    pub(crate) async fn update_tags(&self, work: &Work<'_>, artefact: &Artefact) -> Applied {
        let untouched = ApplyFailure::untouched;
        let token = self.aws.call.token.0.clone();
        let given = self.spec.parameters.keys();
        let previous: Vec<_> =
            given.map(|name| json!({"ParameterKey": name, "UsePreviousValue": true})).collect();
        let request = json!({
            "UsePreviousTemplate": true, "Parameters": previous, "Capabilities": self.spec.capabilities,
            "Tags": tags(&self.spec, &self.own_tags()),
        });
        let file = RequestFile::write(self.aws.call, "request-tags", &ascii(&request)).map_err(untouched)?;
        let input = format!("file://{}", file.name());
        let options = [
            ("stack-name", self.name.as_str()),
            ("client-request-token", &token),
            ("cli-input-json", &input),
        ];
        let what = format!("update the tags of the stack {}", self.name);
        let args = cloudformation("update-stack", &options);
        self.aws.shared.describes.touch(&self.aws.place, &self.name);
        let failed = match self.aws.act::<Created>(&what, EXECUTE, args).await {
            Ok(_) => return self.follow(work, artefact).await,
            Err(failed) => self.aws.really(&what, EXECUTE, failed).await,
        };
        match failed {
            None => self.follow(work, artefact).await,
            // The service takes tags for no change either.
            Some(failed) if is_no_update(&failed) => self.only_settings(work, artefact).await,
            Some(failed) => Err(untouched(failed.error)),
        }
    }

    /// Continues a rollback that failed, then updates.
    pub(crate) async fn go_on(&self, work: &Work<'_>, artefact: &Artefact) -> Applied {
        let untouched = ApplyFailure::untouched;
        let stack = self.aws.stack(&self.name, Age::Now).await.map_err(untouched)?;
        let Some(stack) = stack.filter(|stack| means(&stack.stack_status) == Means::Stuck) else {
            return self.make_and_execute(work, artefact, false).await;
        };
        let token = format!("{}-continue", self.aws.call.token);
        let mut args = cloudformation(
            "continue-update-rollback",
            &[("stack-name", stack.stack_id.as_str()), ("client-request-token", &token)],
        );
        if let Some(role) = &self.spec.role_arn {
            args.extend(["--role-arn".to_owned(), role.clone()]);
        }
        if !self.spec.resources_to_skip.is_empty() {
            args.push("--resources-to-skip".to_owned());
            args.extend(self.spec.resources_to_skip.iter().cloned());
        }
        let what = format!("continue the rollback of the stack {}", self.name);
        if let Err(failed) = self.aws.act::<Nothing>(&what, CONTINUE, args).await {
            return Err(untouched(failed.error));
        }
        let operation = Operation {
            stack_id: stack.stack_id.clone(),
            token,
            since: None,
            deletes: false,
            creates: false,
        };
        let error = match Watch::new(&self.aws, operation).until_over().await {
            Ended::Over(watched) if means(&watched.status) == Means::Back => {
                return self.make_and_execute(work, artefact, false).await;
            }
            Ended::Over(watched) => {
                let error = self.aws.why(&self.name, "rolled back", &watched).await;
                let left = self.left(work, artefact, &watched).await;
                return Err(Box::new(ApplyFailure { error, left }));
            }
            Ended::Interrupted(_) => {
                let class = windlass_model::ErrorClass::Cancelled;
                ProviderError::new(class, "interrupted while a rollback was continued")
            }
            Ended::Lost(error) => error,
        };
        let look_at = format!("continues its rollback; look at the stack {}", self.name);
        Err(Box::new(ApplyFailure { error, left: Left::Unknown(look_at) }))
    }
}

fn is_no_update(failed: &Failed) -> bool {
    failed.error.message.contains("No updates are to be performed")
}
