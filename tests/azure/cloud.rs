//! A cloud of its own for a test, and what is in it.

use std::collections::BTreeMap;

use serde_json::Value;
use windlass_testing::arm::Arm;

use crate::support::output::Output;
use crate::support::running::Running;
use crate::support::sandbox::Sandbox;

/// A stack's directory and a cloud.
pub struct Cloud {
    pub arm: Arm,
    pub sandbox: Sandbox,
    pub env: BTreeMap<String, String>,
}

impl Cloud {
    /// An empty cloud, and an example or an empty directory. `None` where the tools are not there.
    pub fn new(example: Option<&str>) -> Option<Cloud> {
        let arm = Arm::start()?;
        let sandbox = example.map_or_else(Sandbox::new, Sandbox::of);
        let env = arm.env();
        Some(Cloud { arm, sandbox, env })
    }

    /// Runs windlass; it must exit with this code.
    #[track_caller]
    pub fn run(&self, line: &str, code: i32) -> Output {
        self.sandbox.windlass(line.split_whitespace()).envs(&self.env).run().exits(code)
    }

    pub fn start(&self, line: &str) -> Running {
        self.sandbox.windlass(line.split_whitespace()).envs(&self.env).start()
    }

    /// The plan's steps, `action address`, sorted.
    #[track_caller]
    pub fn planned(&self, line: &str) -> Vec<String> {
        self.run(&format!("plan --json {line}"), 0).steps()
    }

    pub fn output(&self, name: &str) -> String {
        self.run(&format!("output {name} --raw"), 0).stdout.trim_end().to_owned()
    }

    /// How often a deployment or stack was put.
    pub fn puts(&self) -> usize {
        let put = |request: &&windlass_testing::arm::Request| {
            let path = request.path.to_lowercase();
            let what_if = path.contains("whatif");
            request.method == "PUT" && !what_if && path.contains("/providers/microsoft.resources/deployment")
        };
        self.arm.requests().iter().filter(put).count()
    }

    /// Neither group, stack nor resource is left.
    #[track_caller]
    pub fn is_empty(&self) {
        assert_eq!(self.arm.resources(), Vec::<Value>::new());
        assert_eq!(self.arm.stacks(), Vec::<Value>::new());
        assert_eq!(self.arm.resource_groups(), Vec::<Value>::new());
    }
}

/// The names of resources, groups or stacks, sorted.
pub fn names(all: &[Value]) -> Vec<String> {
    let mut found: Vec<String> = all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    found.sort();
    found
}
