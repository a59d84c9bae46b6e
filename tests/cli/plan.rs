//! `plan`, as text and as a document.

use crate::story::Story;

/// A little of everything: unknown and sensitive values, texts of several lines, `count` and `for_each`.
const FIRST: &str = r#"
stack "shop" {}

variable "token" {
  type      = string
  default   = "hunter2-hunter2"
  sensitive = true
}

resource "local_data" "release" {
  input = { version = 1, tags = ["a", "b"] }
}

resource "local_data" "shard" {
  count = 2
  input = count.index
}

resource "local_file" "page" {
  for_each = { index = "home", about = "us" }
  path     = "out/${each.key}.txt"
  content  = <<-EOT
    page    ${each.key}
    title   ${each.value}
    release ${local_data.release.id}
  EOT
}

resource "local_file" "secret" {
  path    = "out/secret.txt"
  mode    = "0600"
  content = "token=${var.token}"
}

resource "local_file" "motd" {
  path    = "out/motd.txt"
  content = "one\ntwo\nthree\nfour\n"
}

output "release" { value = local_data.release.id }
output "pages"   { value = { for name, page in local_file.page : name => page.path } }
output "token" {
  value     = var.token
  sensitive = true
}
"#;

/// The same a little later: an update, a replacement, two deletions, a new sensitive value.
fn second() -> String {
    FIRST
        .replace("version = 1", "version = 2")
        .replace("count = 2", "count = 1")
        .replace("out/motd.txt", "out/message.txt")
        .replace("two\\nthree", "2\\nthree")
        .replace("about = \"us\"", "about = \"them\"")
        .replace("hunter2-hunter2", "hunter3-hunter3")
        .replace("output \"release\" { value = local_data.release.id }", "output \"tags\" { value = [1] }")
}

#[test]
fn first_plan() {
    let mut story = Story::of(FIRST);
    story.tell("plan", 0);
    story.tell("plan --detailed-exitcode --target local_data.release", 2);
    assert_eq!(story.sandbox.files(), ["main.stack.hcl"], "a plan writes nothing");
    insta::assert_snapshot!(story.end());
}

#[test]
fn first_plan_as_a_document() {
    let story = Story::of(FIRST);
    let plan = story.quietly("plan --json", 0).json();
    let text = serde_json::to_string_pretty(&plan).unwrap();
    insta::assert_snapshot!(story.sandbox.redaction().apply(&text));
    let again = story.quietly("plan --json", 0).says_not("hunter2").json();
    assert_eq!(again, plan, "the same inputs give the same plan");
    story.quietly("plan --json --show-sensitive", 0).says("hunter2-hunter2");
}

#[test]
fn later_plans() {
    let mut story = Story::of(FIRST);
    story.quietly("apply --auto-approve", 0).says_not("hunter2");
    story.tell("plan --detailed-exitcode", 0);
    story.stack(&second());
    story.tell("plan", 0).says_not("hunter");
    story.tell("plan --destroy", 0);
    let plan = story.quietly("plan --json", 0).says_not("hunter").json();
    insta::assert_snapshot!("later_plans", story.end());
    insta::assert_snapshot!("later_plan_summary", plan["summary"].to_string());
    let steps = plan["steps"].as_array().unwrap();
    let lines = steps.iter().map(|step| format!("{} {}", step["action"], step["address"]));
    insta::assert_snapshot!("later_plan_steps", lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn replacing_on_request() {
    let mut story = Story::of(
        r#"
stack "shop" {}
resource "local_data" "a" { input = 1 }
resource "local_data" "b" { input = local_data.a.id }
"#,
    );
    story.quietly("apply --auto-approve", 0);
    story.tell("plan --replace local_data.a", 0);
    story.tell("plan --replace local_data.nope", 64);
    story.tell("plan --target local_data.nope", 64);
    insta::assert_snapshot!(story.end());
}

#[test]
fn what_may_not_be_deleted() {
    let kept = r#"
stack "shop" {}
resource "local_data" "a" {
  input            = 1
  triggers_replace = "x"
  lifecycle { prevent_destroy = true }
}
"#;
    let mut story = Story::of(kept);
    story.quietly("apply --auto-approve", 0);
    story.stack(&kept.replace("\"x\"", "\"y\""));
    story.tell("plan", 1);
    story.tell("apply --auto-approve", 1);
    story.tell("destroy --auto-approve", 1);
    story.tell("state list", 0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn refresh_only_takes_in_what_is_seen() {
    let mut story = Story::of(
        r#"
stack "shop" {}
resource "local_file" "a" {
  path    = "a.txt"
  content = "mine\n"
}
"#,
    );
    story.quietly("apply --auto-approve", 0);
    story.sandbox.write("a.txt", "yours\n");
    story.tell("plan --refresh-only", 0);
    story.tell("plan", 0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn what_keys_wait_for_is_named() {
    let mut story = Story::of(
        r#"
stack "shop" {}
resource "local_command" "count" {
  create = ["echo", "{\"n\": 2}"]
}
resource "local_data" "many" {
  count = local_command.count.result.n
}
resource "local_data" "after" {
  input = local_data.many[*].id
}
"#,
    );
    story.tell("plan", 1);
    story.quietly("apply --auto-approve --target local_command.count", 0);
    story.tell("plan", 0);
    insta::assert_snapshot!(story.end());
}
