//! A scripted `aws` for what no local server does: each operation answers in turn from a list, the last again and again.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::World;

/// What stands in an answer for the token that an operation was begun with.
pub const TOKEN: &str = "@TOKEN@";

const SCRIPT: &str = r#"#!/bin/sh
dir="$(dirname "$0")"
case "$1" in --version) echo "aws-cli/2.15.30 Python/3.11.8 Linux/6.1 exe/x86_64"; exit 0 ;; esac
operation="$2"
printf '%s\n' "$*" >> "$dir/calls"
previous=
for word in "$@"; do
  case "$previous" in --client-request-token) printf '%s' "$word" > "$dir/token" ;; esac
  case "$previous" in --cli-input-json) cat "${word#file://}" > "$dir/request.$operation" ;; esac
  previous="$word"
done
number=$(cat "$dir/$operation.number" 2>/dev/null || echo 0)
number=$((number + 1))
printf '%s' "$number" > "$dir/$operation.number"
while [ "$number" -gt 0 ] && [ ! -e "$dir/$operation.$number" ]; do number=$((number - 1)); done
if [ "$number" -eq 0 ]; then echo "the script has no answer for $operation" >&2; exit 99; fi
token=$(cat "$dir/token" 2>/dev/null)
answer=$(sed "s/@TOKEN@/$token/g" "$dir/$operation.$number")
case "$answer" in
  "!"*) printf '\n%s\n' "${answer#!}" >&2; exit 254 ;;
  *) printf '%s\n' "$answer" ;;
esac
"#;

/// Answers and calls.
pub struct Script {
    dir: PathBuf,
}

impl Script {
    /// What an operation answers, in turn. A leading `!`: it fails with these words.
    pub fn answers(&self, operation: &str, answers: &[&str]) {
        for (i, answer) in answers.iter().enumerate() {
            std::fs::write(self.dir.join(format!("{operation}.{}", i + 1)), answer).unwrap();
        }
    }

    /// It fails as the real one does.
    pub fn fails(&self, operation: &str, code: &str, message: &str) {
        self.answers(operation, &[&failure(code, message)]);
    }

    /// Forgets answers and counts.
    pub fn clear(&self) {
        for entry in std::fs::read_dir(&self.dir).unwrap().flatten() {
            if entry.file_name() != "aws" {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    /// All calls so far, whole.
    pub fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often an operation was called.
    pub fn count(&self, operation: &str) -> usize {
        self.calls().iter().filter(|call| call.split_whitespace().nth(1) == Some(operation)).count()
    }

    /// The last call of an operation.
    pub fn last(&self, operation: &str) -> String {
        let mut calls = self.calls();
        calls.retain(|call| call.split_whitespace().nth(1) == Some(operation));
        calls.pop().unwrap_or_default()
    }

    /// The request file of the last call of an operation.
    pub fn request(&self, operation: &str) -> serde_json::Value {
        super::json(&self.dir.join(format!("request.{operation}")))
    }
}

/// As the real one prints it.
pub fn failure(code: &str, message: &str) -> String {
    format!("!An error occurred ({code}) when calling the X operation: {message}")
}

/// A world with a scripted `aws`; account and an empty account's answers are there.
pub async fn world() -> (World, Script) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("script");
    std::fs::create_dir(&dir).unwrap();
    let program = dir.join("aws");
    std::fs::write(&program, SCRIPT).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let env = [("PATH", format!("{}:/usr/bin:/bin", dir.display())), ("AWS_REGION", "eu-west-1".to_owned())];
    let env: BTreeMap<String, String> =
        env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let script = Script { dir };
    script.answers("get-caller-identity", &[r#"{"Account": "123456789012"}"#]);
    script.answers("describe-stacks", &[r#"{"Stacks": []}"#]);
    (World::with(temporary, env).await, script)
}

pub const STACK_ID: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1";
pub const SET_ID: &str = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/windlass-x/2";

/// `describe-stacks` of one stack.
pub fn stack(status: &str) -> String {
    stack_with(status, "")
}

/// The same, with more members.
pub fn stack_with(status: &str, more: &str) -> String {
    format!(
        r#"{{"Stacks": [{{"StackId": "{STACK_ID}", "StackName": "shop", "StackStatus": "{status}",
        "CreationTime": "2023-11-01T00:00:00.000Z", {more}
        "Parameters": [{{"ParameterKey": "Name", "ParameterValue": "orders"}}],
        "Outputs": [{{"OutputKey": "Url", "OutputValue": "https://q"}}],
        "Tags": [{{"Key": "windlass:store", "Value": "store"}}, {{"Key": "windlass:stack", "Value": "stack"}},
          {{"Key": "windlass:environment", "Value": "default"}},
          {{"Key": "windlass:address", "Value": "cloudformation_stack.queue"}}]}}]}}"#
    )
}

/// `create-change-set`
pub fn created() -> String {
    format!(r#"{{"Id": "{SET_ID}", "StackId": "{STACK_ID}"}}"#)
}

/// `describe-change-set`
pub fn change_set(status: &str, execution: &str, reason: &str, changes: &str) -> String {
    format!(
        r#"{{"ChangeSetId": "{SET_ID}", "ChangeSetName": "windlass-x", "StackId": "{STACK_ID}", "StackName": "shop",
        "CreationTime": "2023-11-14T00:00:00.000Z", "Status": "{status}", "ExecutionStatus": "{execution}",
        "StatusReason": "{reason}", "Changes": [{changes}]}}"#
    )
}

/// One that makes the queue.
pub const ADD: &str = r#"{"Type": "Resource", "ResourceChange": {"Action": "Add", "LogicalResourceId": "Queue",
    "ResourceType": "AWS::SQS::Queue", "Scope": [], "Details": []}}"#;

/// One that replaces it.
pub const REPLACE: &str = r#"{"Type": "Resource", "ResourceChange": {"Action": "Modify", "LogicalResourceId": "Queue",
    "PhysicalResourceId": "https://q", "ResourceType": "AWS::SQS::Queue", "Replacement": "True",
    "PolicyAction": "ReplaceAndDelete", "Scope": ["Properties"],
    "Details": [{"Target": {"Attribute": "Properties", "Name": "QueueName", "RequiresRecreation": "Always",
      "Path": "/Properties/QueueName", "BeforeValue": "orders", "AfterValue": "invoices"},
      "Evaluation": "Static", "ChangeSource": "DirectModification"}],
    "BeforeContext": "{\"Properties\":{\"QueueName\":\"orders\"}}",
    "AfterContext": "{\"Properties\":{\"QueueName\":\"invoices\"}}"}}"#;

/// `describe-stack-events`: (logical id, status, reason), the oldest first; `shop` is the stack.
pub fn events(all: &[(&str, &str, &str)]) -> String {
    let event = |(i, (id, status, reason)): (usize, &(&str, &str, &str))| {
        let (kind, physical) = match *id {
            "shop" => ("AWS::CloudFormation::Stack", STACK_ID),
            _ => ("AWS::SQS::Queue", "https://q"),
        };
        format!(
            r#"{{"StackId": "{STACK_ID}", "EventId": "{id}-{status}-{i}", "StackName": "shop", "LogicalResourceId": "{id}",
            "PhysicalResourceId": "{physical}", "ResourceType": "{kind}", "Timestamp": "2023-11-14T00:00:{i:02}.000Z",
            "ResourceStatus": "{status}", "ResourceStatusReason": "{reason}", "ClientRequestToken": "{TOKEN}"}}"#
        )
    };
    let mut all: Vec<String> = all.iter().enumerate().map(event).collect();
    all.reverse();
    format!(r#"{{"StackEvents": [{}]}}"#, all.join(","))
}
