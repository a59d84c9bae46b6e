//! The engine is killed while CloudFormation works for it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use windlass_testing::tools;

use crate::account::Account;
use crate::support::wait::wait_until;

const STACK: &str = r#"
stack "kills" {}
resource "cloudformation_stack" "s" {
  name          = "kills"
  template_body = jsonencode({
    Resources = { Queue = { Type = "AWS::SQS::Queue", Properties = { QueueName = "kills-q" } } }
    Outputs   = { Url = { Value = { Ref = "Queue" } } }
  })
}
"#;

/// An `aws` that stops before or after a command (until the file `go` is there), and writes down what it ran.
fn stopping(account: &mut Account, command: &str, after: bool) -> Option<()> {
    let aws = tools::aws()?;
    let dir = account.sandbox.root().join("stopping");
    std::fs::create_dir_all(&dir).unwrap();
    let (at, go, ran) = (dir.join("at"), dir.join("go"), dir.join("ran"));
    let wait = format!("touch '{}'; while [ ! -e '{}' ]; do sleep 0.05; done", at.display(), go.display());
    let (before, behind) = if after { (":", wait.as_str()) } else { (wait.as_str(), ":") };
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' execute-change-set '*) echo x >>'{}';; esac\ncase \" $* \" in *' {command} '*)\n  {before}\n  '{}' \"$@\"; code=$?\n  {behind}\n  exit $code;;\n\
         esac\nexec '{}' \"$@\"\n",
        ran.display(),
        aws.display(),
        aws.display()
    );
    let wrapper = dir.join("aws");
    std::fs::write(&wrapper, script).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    account.env.insert("PATH".to_owned(), tools::path_with(&dir));
    Some(())
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

/// Kills an apply while this command stands still, lets the command go on, and resumes.
fn killed_at(command: &str, after: bool) {
    let Some(mut account) = Account::new(None) else { return };
    account.sandbox.write("main.stack.hcl", STACK);
    if stopping(&mut account, command, after).is_none() {
        return;
    }
    let dir = account.sandbox.root().join("stopping");
    let mut running = account.start("apply --auto-approve");
    wait_until("aws stands still", 60, || dir.join("at").exists());
    running.kill_9();
    assert!(running.wait().code.is_none());
    std::fs::write(dir.join("go"), "").unwrap();

    let planning = command == "create-change-set";
    // While it only planned there is nothing to resume: the next apply is a new one.
    account.run(if planning { "apply --auto-approve" } else { "resume --auto-approve" }, 0);
    let ran = lines(&dir.join("ran"));
    assert_eq!(ran, 1, "a change set was executed {ran} times");
    assert_eq!(account.stacks(), ["kills CREATE_COMPLETE"]);
    assert_eq!(account.queues(), ["kills-q"]);
    assert!(account.change_sets("kills").is_empty(), "{:?}", account.change_sets("kills"));
    account.run("plan --detailed-exitcode --refresh=always", 0);
    account.run("destroy --auto-approve", 0);
    account.is_empty();
}

#[test]
fn while_the_change_set_is_made() {
    killed_at("create-change-set", false);
}

#[test]
fn when_the_change_set_was_made() {
    killed_at("create-change-set", true);
}

#[test]
fn before_it_is_executed() {
    killed_at("execute-change-set", false);
}

#[test]
fn when_it_was_executed() {
    killed_at("execute-change-set", true);
}

#[test]
fn when_its_outputs_are_asked_for() {
    killed_at("list-stack-resources", false);
}
