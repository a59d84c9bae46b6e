//! An account of its own for a test, and what is in it.

use std::collections::BTreeMap;

use serde_json::Value;
use windlass_testing::moto::Moto;

use crate::support::output::Output;
use crate::support::running::Running;
use crate::support::sandbox::{Invocation, Sandbox};

/// A stack's directory and an account.
pub struct Account {
    pub moto: Moto,
    pub sandbox: Sandbox,
    pub env: BTreeMap<String, String>,
}

impl Account {
    /// An empty account, and an example or an empty directory. `None` where the tools are not there.
    pub fn new(example: Option<&str>) -> Option<Account> {
        let moto = Moto::start()?;
        let sandbox = example.map_or_else(Sandbox::new, Sandbox::of);
        let env = moto.env();
        Some(Account { moto, sandbox, env })
    }

    pub fn call(&self, line: &str) -> Invocation<'_> {
        self.sandbox.windlass(line.split_whitespace()).envs(&self.env)
    }

    /// Runs windlass; it must exit with this code.
    #[track_caller]
    pub fn run(&self, line: &str, code: i32) -> Output {
        self.call(line).run().exits(code)
    }

    pub fn start(&self, line: &str) -> Running {
        self.call(line).start()
    }

    /// The plan's steps, `action address`, sorted.
    #[track_caller]
    pub fn planned(&self, line: &str) -> Vec<String> {
        self.run(&format!("plan --json {line}"), 0).steps()
    }

    /// The stacks that are there, `name status`, sorted.
    pub fn stacks(&self) -> Vec<String> {
        let all = self.moto.aws(["cloudformation", "list-stacks"]);
        let one = |stack: &Value| {
            let status = stack["StackStatus"].as_str()?;
            let name = stack["StackName"].as_str()?;
            (status != "DELETE_COMPLETE").then(|| format!("{name} {status}"))
        };
        let mut found: Vec<String> =
            all["StackSummaries"].as_array().into_iter().flatten().filter_map(one).collect();
        found.sort();
        found
    }

    /// The change sets of a stack that were not executed.
    pub fn change_sets(&self, stack: &str) -> Vec<String> {
        let all = self.moto.aws(["cloudformation", "list-change-sets", "--stack-name", stack]);
        let open = |set: &Value| {
            let open = set["ExecutionStatus"] != "EXECUTE_COMPLETE" && set["Status"] != "DELETE_COMPLETE";
            open.then(|| set["ChangeSetName"].as_str().unwrap_or("?").to_owned())
        };
        all["Summaries"].as_array().into_iter().flatten().filter_map(open).collect()
    }

    /// The queues that are there, by the last part of their addresses.
    pub fn queues(&self) -> Vec<String> {
        let all = self.moto.aws(["sqs", "list-queues"]);
        let name = |url: &Value| url.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let mut found: Vec<String> = all["QueueUrls"].as_array().into_iter().flatten().map(name).collect();
        found.sort();
        found
    }

    /// Nothing is left: no stack, no queue, no topic, no role, no parameter.
    #[track_caller]
    pub fn is_empty(&self) {
        assert_eq!(self.stacks(), Vec::<String>::new());
        assert_eq!(self.queues(), Vec::<String>::new());
        let none = |args: [&str; 2], what: &str| {
            let all = self.moto.aws(args);
            let found = all[what].as_array().map_or(0, Vec::len);
            assert_eq!(found, 0, "{all}");
        };
        none(["sns", "list-topics"], "Topics");
        none(["iam", "list-roles"], "Roles");
        none(["ssm", "describe-parameters"], "Parameters");
    }

    pub fn output(&self, name: &str) -> String {
        self.run(&format!("output {name} --raw"), 0).stdout.trim_end().to_owned()
    }
}
