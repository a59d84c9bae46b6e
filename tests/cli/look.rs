//! `output`, `show`, `doctor`, and the parts of `state` that only look.

use crate::story::Story;

const STACK: &str = r#"
stack "shop" {}
variable "token" {
  default   = "hunter2-hunter2"
  sensitive = true
}
resource "local_data" "a" {
  for_each = toset(["x", "y"])
  input    = { name = each.key, token = var.token }
}
resource "local_file" "b" {
  path    = "b.txt"
  content = "two\nlines\n"
  lifecycle { prevent_destroy = true }
  depends_on = [local_data.a]
}
output "list" { value = [1, true, null] }
output "name" { value = "plain \"text\"" }
output "count" { value = 12 }
output "token" {
  value     = var.token
  sensitive = true
}
"#;

fn applied() -> Story {
    let story = Story::of(STACK);
    story.quietly("apply --auto-approve", 0).says_not("hunter2");
    story
}

#[test]
fn outputs() {
    let mut story = applied();
    for line in [
        "output",
        "output --json",
        "output name",
        "output name --raw",
        "output list",
        "output list --json",
        "output count --raw",
        "output token",
        "output token --raw",
    ] {
        story.tell(line, 0);
    }
    story.tell("output list --raw", 1);
    story.tell("output nme", 1);
    story.tell("output --raw", 64);
    insta::assert_snapshot!(story.end());
}

#[test]
fn state() {
    let mut story = applied();
    story.tell("state list", 0);
    story.tell("state list local_data.a", 0);
    story.tell("state list --json", 0).says_not("hunter2");
    story.tell("state show local_data.a[\"x\"] local_file.b", 0).says_not("hunter2");
    story.quietly("state show local_data.a --show-sensitive", 0).says("hunter2-hunter2");
    story.tell("state show local_data.nope", 1);
    story.tell("state versions", 0);
    story.tell("state versions --json", 0);
    let pulled = story.quietly("state pull", 0).says_not("hunter2").json();
    assert_eq!(pulled["format"], "windlass.state/1");
    assert_eq!(pulled["records"].as_array().unwrap().len(), 3);
    story.quietly("state pull --show-sensitive", 0).says("hunter2-hunter2");
    story.tell("state list --version 7", 1);
    insta::assert_snapshot!(story.end());
}

#[test]
fn shown() {
    let mut story = applied();
    story.tell("show", 0).says_not("hunter2");
    story.tell("show local_file.b", 0);
    story.tell("show local_file.b --json", 0);
    story.tell("show nothing/of/this", 64);
    assert_eq!(story.quietly("show --json", 0).says_not("hunter2").json()["version"], 1);
    insta::assert_snapshot!(story.end());
}

#[test]
fn versions_compared() {
    let mut story = applied();
    story.stack(
        &STACK.replace("[\"x\", \"y\"]", "[\"x\", \"z\"]").replace("lines", "rows").replace("hunter2-", "3-"),
    );
    story.quietly("apply --auto-approve", 0);
    story.tell("state diff 1 2", 0).says_not("hunter2");
    story.tell("state diff 1 2 --json", 0).says_not("hunter2");
    story.tell("state diff 0 1", 0);
    story.tell("state diff 2 2", 0);
    story.tell("state diff 1 9", 1);
    insta::assert_snapshot!(story.end());
}

#[test]
fn nothing_is_applied_yet() {
    let mut story = Story::of(STACK);
    story.tell("output", 1);
    story.tell("state list", 1);
    story.tell("show", 1);
    story.tell("resume", 1);
    story.tell("state doctor", 0);
    story.quietly("plan", 0);
    story.note("there is a store now, and nothing in it");
    story.tell("output", 1);
    story.tell("resume", 1);
    insta::assert_snapshot!(story.end());
}

#[test]
fn doctors() {
    let mut story = applied();
    story.tell("state doctor", 0);
    story.tell("state doctor --json", 0);
    story.quietly("doctor", 0).says("local").says("used by this stack");
    let found = story.quietly("doctor --json", 0).json();
    let local = found["tools"].as_array().unwrap().iter().find(|tool| tool["provider"] == "local").unwrap();
    assert_eq!(local["needed"], true);
    let objects = ".windlass/stacks/shop/default/objects/";
    let object = story.sandbox.all_files().into_iter().find(|path| path.starts_with(objects)).unwrap();
    story.sandbox.write(&object, "broken");
    let sick = story.quietly("state doctor", 1).says("problem").says(objects);
    assert!(sick.stdout.contains("!! shop/default"), "{sick}");
    let sick = story.quietly("doctor --json", 1).json();
    assert_eq!(sick["ok"], false);
    insta::assert_snapshot!(story.end());
}

#[test]
fn advice_is_to_be_typed_as_the_command_was() {
    let story = applied();
    let plain = story.quietly("rollback --to 7 --auto-approve", 1);
    assert!(plain.stderr.contains("`windlass state versions`"), "{plain}");
    let elsewhere = story.quietly("-C ../stack rollback --to 7 --auto-approve", 1);
    assert!(elsewhere.stderr.contains("`windlass -C ../stack state versions`"), "{elsewhere}");
}
