//! Twenty CloudFormation stacks, planned and applied by windlass and by a bare loop of the same `aws`, in turns against one
//! imitation of the cloud.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use windlass_testing::moto::Moto;
use windlass_testing::{shim, tools};

use super::tools::{Windlass, fresh, write};
use crate::measure::{self, Call, Cost};
use crate::{say, workspace};

const STACKS: usize = 20;
/// Windlass's wall time over the loop's at most.
const RATIO_MAX: f64 = 1.2;

const TEMPLATE: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Name:
    Type: String
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Ref Name
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: !Ref Name
Outputs:
  Url:
    Value: !Ref Queue
"#;

/// What the loop does for each stack: the same four calls, one after the other.
const LOOP: &str = r#"#!/bin/sh
set -e
name=bench-$1
aws cloudformation create-change-set --stack-name "$name" --change-set-name "first-$1" --change-set-type CREATE \
    --template-body file://template.yaml --parameters "ParameterKey=Name,ParameterValue=$name" >/dev/null
aws cloudformation describe-change-set --stack-name "$name" --change-set-name "first-$1" >/dev/null
aws cloudformation execute-change-set --stack-name "$name" --change-set-name "first-$1" >/dev/null
aws cloudformation describe-stacks --stack-name "$name" >/dev/null
"#;

fn stack() -> String {
    format!(
        "stack \"bench\" {{}}\n\nresource \"cloudformation_stack\" \"all\" {{\n  for_each = toset([for n in range({STACKS}) : \
         tostring(n)])\n  name = \"bench-${{each.key}}\"\n  template_file = \"template.yaml\"\n  parameters = {{ Name = \
         \"bench-${{each.key}}\" }}\n}}\n"
    )
}

struct Ground {
    moto: Moto,
    dir: PathBuf,
    env: Vec<(&'static str, PathBuf)>,
}

/// Measures and writes the report. Whether the goal was met.
///
/// # Errors
/// Where a tool is missing, fails, or did not do what was measured.
pub fn run(runs: usize) -> Result<bool> {
    let dir = workspace::target().join("bench-cloudformation");
    let windlass = Windlass::build(&dir)?;
    let moto = Moto::start().context("moto_server is not installed: `cargo xtask tools`")?;
    fresh(&dir)?;
    write(&dir.join("template.yaml"), TEMPLATE)?;
    write(&dir.join("one.sh"), LOOP)?;
    write(&dir.join("bench.stack.hcl"), &stack())?;
    let mut ground = Ground { env: environment(&moto, &dir), moto, dir };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The very first call of an aws pays for its byte code.
    ground.call("aws", &["cloudformation", "list-stacks"]).run()?;
    for _ in 0..runs {
        theirs.push(ground.bare_loop()?);
        ours.push(ground.windlass(windlass.binary())?);
    }
    let calls = ground.count_calls(windlass.binary())?;
    fs::remove_dir_all(&ground.dir).context("remove the generated stacks")?;
    let (ours, theirs) = (measure::median(&ours), measure::median(&theirs));
    let ratio = ours.wall_s / theirs.wall_s;
    let text = report(runs, &ours, &theirs, ratio, &calls);
    say::line(&text);
    let path = workspace::root().join("docs").join("benchmarks-cloudformation.md");
    fs::write(&path, &text).with_context(|| format!("write {}", path.display()))?;
    Ok(ratio <= RATIO_MAX)
}

fn environment(moto: &Moto, dir: &Path) -> Vec<(&'static str, PathBuf)> {
    const NAMES: [&str; 9] = [
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "PATH",
    ];
    let given = moto.env();
    let set = NAMES.iter().filter_map(|name| Some((*name, PathBuf::from(given.get(*name)?))));
    set.chain([("HOME", dir.to_owned()), ("WINDLASS_ACTOR", "bench".into())]).collect()
}

impl Ground {
    fn call(&self, program: impl Into<PathBuf>, args: &[&str]) -> Call {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Call { program: program.into(), args, dir: self.dir.clone(), env: self.env.clone() }
    }

    fn bare_loop(&self) -> Result<Cost> {
        self.moto.reset();
        let last = STACKS - 1;
        let line = format!("seq 0 {last} | xargs -P10 -n1 sh one.sh");
        let cost = self.call("sh", &["-c", &line]).measure()?;
        self.all_there()?;
        Ok(cost)
    }

    fn windlass(&self, binary: &Path) -> Result<Cost> {
        self.moto.reset();
        // What a machine knows after the first use stays: which version `aws` is.
        for name in ["stacks", "work"] {
            let path = self.dir.join(".windlass").join(name);
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
            }
        }
        let binary = binary.display().to_string();
        let line = format!("'{binary}' plan --out bench.plan && '{binary}' apply bench.plan");
        let cost = self.call("sh", &["-c", &line]).measure()?;
        self.all_there()?;
        Ok(cost)
    }

    fn all_there(&self) -> Result<()> {
        let found = self.moto.aws(["cloudformation", "describe-stacks"]);
        let done = found["Stacks"].as_array().map_or(0, |stacks| {
            stacks.iter().filter(|stack| stack["StackStatus"] == "CREATE_COMPLETE").count()
        });
        ensure!(done == STACKS, "{done} of {STACKS} stacks were made");
        Ok(())
    }

    /// How often windlass starts `aws`, by subcommand.
    fn count_calls(&mut self, binary: &Path) -> Result<BTreeMap<String, usize>> {
        let aws = tools::aws().context("aws is not installed: `cargo xtask tools`")?;
        let counted = shim::counting(&aws, &self.dir.join("counted"));
        let path = tools::path_with(counted.bin());
        for (name, value) in &mut self.env {
            if *name == "PATH" {
                *value = PathBuf::from(&path);
            }
        }
        self.windlass(binary)?;
        let mut calls = BTreeMap::new();
        for line in counted.calls() {
            let words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with("--")).take(2).collect();
            *calls.entry(words.join(" ")).or_default() += 1;
        }
        Ok(calls)
    }
}

fn report(runs: usize, ours: &Cost, theirs: &Cost, ratio: f64, calls: &BTreeMap<String, usize>) -> String {
    let mut text = format!(
        "# CloudFormation\n\nWritten by `cargo xtask bench cloudformation`. {STACKS} stacks of two resources each, planned, saved and applied by \
         windlass, and by a bare loop (`xargs -P10`) of create-, describe-, execute-change-set and describe-stacks, in turns \
         against one local imitation of the cloud. Medians of {runs}; what counts is the ratio.\n\n\
         | | wall | CPU |\n|---|--:|--:|\n"
    );
    for (name, cost) in [("bare loop", theirs), ("windlass", ours)] {
        let _ = writeln!(text, "| {name} | {:.2} s | {:.2} s |", cost.wall_s, cost.cpu_s);
    }
    let met = if ratio <= RATIO_MAX { "met" } else { "**missed**" };
    let _ = writeln!(
        text,
        "\nRatio {ratio:.3}; at most {RATIO_MAX}: {met}.\n\n| windlass calls | times |\n|---|--:|"
    );
    for (call, times) in calls {
        let _ = writeln!(text, "| `aws {call}` | {times} |");
    }
    text
}
