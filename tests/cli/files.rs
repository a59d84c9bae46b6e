//! What is wrong with a stack's files and values; `init`, `validate`, `graph`.

use crate::story::Story;

#[test]
fn several_errors_are_told_at_once() {
    let mut story = Story::of(
        r#"
stack "shop" {}

variable "port" { type = numbr }

resource "local_file" "a" {
  path    = "a.txt"
  contents = "x"
}

resource "local_fil" "b" {}

resource "local_data" "c" {
  input = var.prot + local_data.nope.id
}

output "x" { value = upper("a", "b") }
"#,
    );
    story.tell("validate", 1);
    let found = story.quietly("validate --json", 1).json();
    assert_eq!(found["valid"], false);
    assert!(found["diagnostics"].as_array().unwrap().len() >= 5, "{found}");
    story.tell("plan", 1);
    assert_eq!(story.sandbox.all_files(), ["main.stack.hcl"], "not even a store is made");
    insta::assert_snapshot!(story.end());
}

#[test]
fn a_text_that_does_not_parse() {
    let mut story = Story::of("stack \"shop\" {}\nresource \"local_data\" \"a\" {\n  input = [1, 2\n}\n");
    story.tell("validate", 1);
    insta::assert_snapshot!(story.end());
}

#[test]
fn a_cycle_is_told_as_a_path() {
    let mut story = Story::of(
        r#"
stack "shop" {}
resource "local_data" "a" { input = local_data.c.id }
resource "local_data" "b" { input = local_data.a.id }
resource "local_data" "c" { input = local.b }
locals { b = local_data.b.id }
"#,
    );
    story.tell("validate", 1);
    insta::assert_snapshot!(story.end());
}

#[test]
fn places_are_shown_below_a_git_root() {
    let mut story = Story::of("stack \"shop\" {}\n");
    std::fs::create_dir(story.sandbox.path(".git")).unwrap();
    story.sandbox.write("deep/a.stack.hcl", "resource \"local_data\" \"a\" { input = var.x }\n");
    story.tell("-C deep validate", 1);
    insta::assert_snapshot!(story.end());
}

#[test]
fn values_that_are_missing_or_wrong() {
    let mut story = Story::of(
        r#"
stack "shop" {}
variable "name" {
  type        = string
  description = "what it is called"
}
variable "port" {
  type = number
  validation {
    condition     = var.port > 1024
    error_message = "port ${var.port} is for the system"
  }
}
resource "local_data" "a" { input = "${var.name}:${var.port}" }
output "a" { value = local_data.a.output }
"#,
    );
    story.tell("validate", 0);
    story.tell("plan", 1);
    story.tell("plan --var name=x --var port=many", 1);
    story.tell("plan --var name=x --var port=80", 1);
    story.tell("plan --var name=x --var port=8080 --var prot=1", 1);
    story.sandbox.write("v.hcl", "name = \"file\"\nport = 8080\n");
    story.tell("apply --auto-approve --var port=1 --var-file v.hcl --var name=last", 0);
    story.tell("plan --var-file nope.hcl", 1);
    let env = story.sandbox.windlass(["plan", "--var", "port=8080", "--detailed-exitcode"]);
    env.env("WINDLASS_VAR_name", "last").run().exits(0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn a_first_stack_is_valid_and_works() {
    let mut story = Story::of("");
    std::fs::remove_file(story.sandbox.path("main.stack.hcl")).unwrap();
    story.tell("validate", 1);
    story.tell("init --name shop", 0);
    story.tell("init", 1);
    story.tell("validate", 0);
    assert_eq!(story.quietly("validate --json", 0).json()["valid"], true);
    story.quietly("apply --auto-approve", 0);
    story.quietly("plan --detailed-exitcode", 0);
    story.tell("output", 0);
    assert_eq!(story.sandbox.read("out/hello.txt"), "hello from shop\n");
    insta::assert_snapshot!(story.end());
}

#[test]
fn graphs() {
    let mut story = Story::of(
        r#"
stack "shop" {}
locals { greeting = local_data.a.output }
resource "local_data" "a" { input = "x" }
resource "local_data" "each" {
  for_each = toset(["x", "y"])
  input    = local.greeting
}
resource "local_data" "later" {
  count = length(local_data.a.id)
  input = local_data.each["x"].id
}
resource "local_data" "z" {
  depends_on = [local_data.each]
}
"#,
    );
    story.tell("graph", 0);
    story.tell("graph --dot", 0);
    story.tell("graph --mermaid", 0);
    story.tell("graph --json", 0);
    insta::assert_snapshot!(story.end());
}
