//! Watching what Azure does: while `az` waits for it, and after `az` does no more.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, sleep};
use windlass_provider::{Call, Exit, ProviderError};

use crate::job::Job;
use crate::seen::Seen;
use crate::spec::Mode;

/// When operations are first asked for: most deployments of a few resources are done by then.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// How often then: slower and slower.
const LOOKS: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(30)];
/// How often the state is asked for where nobody else waits.
const POLLS: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// What has been told of operations.
#[derive(Default)]
struct Told {
    deployment: Option<String>,
    lines: BTreeSet<String>,
}

impl Job<'_> {
    /// Runs a supervised command, and tells of Azure's operations while it runs.
    ///
    /// # Errors
    /// Where it could not be run, or how it ended is not known.
    pub async fn watched(&self, label: &str, args: Vec<String>) -> Result<Exit, ProviderError> {
        let run = self.act(label, args);
        tokio::pin!(run);
        let mut told = Told::default();
        let mut waits = LOOKS.into_iter();
        let mut wait = FIRST_LOOK;
        loop {
            tokio::select! {
                biased;
                exit = &mut run => return exit,
                () = sleep(wait) => {}
            }
            wait = waits.next().unwrap_or(LOOKS[1]);
            // Only words: a failure to get them stops nothing, and the command itself is waited for beside it.
            let looked = self.operations(&mut told);
            tokio::pin!(looked);
            tokio::select! {
                biased;
                exit = &mut run => {
                    // It is let finish: dropped, it would leave a process behind.
                    let _ = looked.await;
                    return exit;
                }
                _ = &mut looked => {}
            }
        }
    }

    async fn operations(&self, told: &mut Told) -> Result<(), ProviderError> {
        if told.deployment.is_none() {
            told.deployment = match self.target.mode {
                Mode::Deployment => Some(self.target.name.clone()),
                Mode::Stack => {
                    let seen = self.show().await?;
                    let id = seen.map(|seen| seen.deployment).filter(|id| !id.is_empty());
                    id.and_then(|id| id.rsplit('/').next().map(str::to_owned))
                }
            };
        }
        let Some(deployment) = &told.deployment else { return Ok(()) };
        let exit = self.ask("operations", self.target.operations(deployment)).await?;
        for line in operation_lines(&exit.stdout) {
            if told.lines.insert(line.clone()) {
                self.tell(line);
            }
        }
        Ok(())
    }

    /// Waits until nothing goes on any more. The last that was seen; `None`: nothing is there. Ends early where the run is
    /// interrupted, or after `most`.
    ///
    /// # Errors
    /// What az says.
    pub async fn until_over(
        &self,
        call: &Call,
        most: Option<Duration>,
    ) -> Result<Option<Seen>, ProviderError> {
        let began = Instant::now();
        let mut polls = POLLS.into_iter();
        let mut said = String::new();
        loop {
            let seen = self.show_in(call).await?;
            let Some(state) = seen.as_ref().filter(|seen| !seen.is_over()).map(|seen| seen.state.clone())
            else {
                return Ok(seen);
            };
            if state != said {
                self.tell(format!("waits for {}: {state}", self.target.say()));
                said = state;
            }
            let out_of_time = most.is_some_and(|most| began.elapsed() >= most)
                || call.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if out_of_time || call.stop.is_interrupted() {
                return Ok(seen);
            }
            tokio::select! {
                biased;
                () = call.stop.interrupted() => {}
                () = sleep(polls.next().unwrap_or(POLLS[5])) => {}
            }
        }
    }
}

/// A deployment's operations, each in a line: `Microsoft.Storage/storageAccounts/x: Running`.
fn operation_lines(bytes: &[u8]) -> Vec<String> {
    let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
    let line = |operation: &Json| {
        let properties = operation.get("properties").unwrap_or(operation);
        let state = properties.get("provisioningState")?.as_str()?;
        let target = properties.get("targetResource").filter(|target| target.is_object())?;
        let text = |name: &str| target.get(name).and_then(Json::as_str);
        Some(format!("{}/{}: {state}", text("resourceType")?, text("resourceName")?))
    };
    json.as_array().into_iter().flatten().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_by_their_targets() {
        let answer = br#"[{"properties":{"provisioningState":"Running","targetResource":{"resourceType":"A.B/c","resourceName":"d"}}},
            {"properties":{"provisioningState":"Succeeded","provisioningOperation":"EvaluateDeploymentOutput"}}]"#;
        assert_eq!(operation_lines(answer), ["A.B/c/d: Running"]);
        assert!(operation_lines(b"").is_empty());
    }
}
