//! `apply`, `destroy`, `rollback`, `resume`, `drift`.

use crate::story::Story;

const TWO: &str = r#"
stack "shop" {}
variable "text" { default = "one" }
resource "local_data" "a" { input = var.text }
resource "local_file" "b" {
  path    = "b.txt"
  content = "${local_data.a.output}\n"
}
output "text" { value = local_data.a.output }
"#;

#[test]
fn from_nothing_and_back() {
    let mut story = Story::of(TWO);
    story.tell("apply", 5);
    assert_eq!(story.sandbox.files(), ["main.stack.hcl"], "a refused run does nothing");
    story.tell("apply --auto-approve", 0);
    assert_eq!(story.sandbox.read("b.txt"), "one\n");
    story.tell("apply --auto-approve", 0);
    story.tell("resume", 0);
    story.tell("destroy", 5);
    story.tell("destroy --auto-approve", 0);
    assert_eq!(story.sandbox.files(), ["main.stack.hcl"]);
    story.tell("state list", 0);
    story.tell("destroy --auto-approve", 0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn events() {
    let story = Story::of(TWO);
    let output = story.quietly("apply --auto-approve --json", 0);
    insta::assert_snapshot!(story.sandbox.redaction().apply(&output.stdout));
    assert_eq!(output.stderr, "");
    let events = output.json_lines();
    assert_eq!(events.last().unwrap()["kind"], "run_finished");
    let seq: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seq.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seq:?}");
    story.quietly("apply --json", 64);
}

#[test]
fn saved_plans() {
    let mut story = Story::of(TWO);
    story.tell("plan --out p1", 0);
    story.quietly("plan --out p2 --var text=two", 0);
    story.tell("show p1", 0);
    let shown = story.quietly("show p1 --json", 0).json();
    assert_eq!(shown, story.quietly("plan --json", 0).json());
    story.tell("apply p1", 0);
    assert_eq!(story.sandbox.read("b.txt"), "one\n");
    story.tell("apply p2", 4);
    story.tell("apply p1", 4);
    story.tell("apply nope", 1);
    story.tell("apply main.stack.hcl", 1);
    story.tell("apply p1 --var text=x", 64);
    let text = story.sandbox.read("p2").replace("two", "six");
    story.sandbox.write("p2", text);
    story.tell("apply p2", 4);
    insta::assert_snapshot!(story.end());
}

#[test]
fn a_plan_of_another_store() {
    let mut story = Story::of(TWO);
    story.quietly("plan --out p", 0);
    std::fs::rename(story.sandbox.path(".windlass"), story.sandbox.root().join("old")).unwrap();
    story.tell("apply p", 4);
    insta::assert_snapshot!(story.end());
}

#[test]
fn a_step_that_fails() {
    let mut story = Story::of(
        r#"
stack "shop" {}
resource "local_data" "a" { input = 1 }
resource "local_command" "b" {
  create = ["sh", "-c", "echo working; test -e ready || { echo not ready >&2; exit 3; }"]
  triggers = local_data.a.id
}
resource "local_file" "c" {
  path    = "c.txt"
  content = local_command.b.stdout
}
output "c" { value = local_file.c.path }
"#,
    );
    story.tell("apply --auto-approve", 1);
    story.tell("state list", 0);
    story.tell("output", 0);
    story.tell("resume", 1);
    story.sandbox.write("ready", "");
    story.tell("plan", 0);
    story.tell("resume", 0);
    story.tell("plan --detailed-exitcode", 0);
    story.tell("state versions", 0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn what_was_changed_by_hand() {
    let mut story = Story::of(TWO);
    story.tell("drift", 0);
    story.quietly("apply --auto-approve", 0);
    story.tell("drift --detailed-exitcode", 0);
    story.sandbox.write("b.txt", "by hand\n");
    story.tell("drift", 0);
    story.tell("drift --detailed-exitcode --json", 2);
    story.tell("plan", 0);
    std::fs::remove_file(story.sandbox.path("b.txt")).unwrap();
    story.tell("drift --detailed-exitcode", 2);
    story.tell("apply --auto-approve", 0);
    assert_eq!(story.sandbox.read("b.txt"), "one\n");
    story.tell("drift --detailed-exitcode", 0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn back_to_an_earlier_version() {
    let mut story = Story::of(TWO);
    story.quietly("apply --auto-approve", 0);
    story.stack(&TWO.replace("b.txt", "c.txt"));
    story.quietly("apply --auto-approve --var text=two --reason bigger", 0);
    assert_eq!(story.sandbox.read("c.txt"), "two\n");
    story.tell("plan --rollback 1", 0);
    story.tell("rollback --to 1", 5);
    story.tell("rollback --to 1 --auto-approve --reason ticket-12", 0);
    assert_eq!(story.sandbox.read("b.txt"), "one\n");
    assert!(!story.sandbox.exists("c.txt"));
    story.tell("state versions", 0);
    story.tell("state diff 2 3", 0);
    story.note("the checkout goes another way than the state");
    story.tell("plan --var text=two", 0);
    story.tell("apply --var text=two --auto-approve", 5);
    story.tell("apply --var text=two --auto-approve --after-rollback", 0);
    story.tell("rollback --to 1 --auto-approve", 0);
    story.quietly("plan --var text=two --out q", 0);
    story.note("a saved plan that showed it needs no flag");
    story.tell("apply q", 0);
    story.tell("rollback --to 9 --auto-approve", 1);
    insta::assert_snapshot!(story.end());
}
