//! Which environment is meant (rule P9).

use crate::story::Story;

const FILE: &str = r#"
variable "size" { default = "small" }
resource "local_file" "a" {
  path    = "${environment.name}.txt"
  content = "${stack.name} ${environment.name} ${var.size}\n"
}
output "path" { value = local_file.a.path }
"#;

fn stack(blocks: &str) -> String {
    format!("stack \"shop\" {{}}\n{blocks}{FILE}")
}

#[test]
fn without_environments_there_is_a_default_one() {
    let mut story = Story::of(&stack(""));
    story.quietly("apply --auto-approve", 0);
    assert_eq!(story.sandbox.read("default.txt"), "shop default small\n");
    story.tell("-e default plan --detailed-exitcode", 0);
    story.tell("-e dev plan", 64);
    story.note("the first environment block would make the world anew");
    story.stack(&stack("environment \"dev\" {}\n"));
    story.tell("plan", 1);
    story.tell("-e default plan", 64);
    story.tell("-e default state list", 0);
    story.tell("state list", 1);
    story.tell("state mv --env shop/default shop/dev", 5);
    story.tell("state mv --env shop/nope shop/dev --auto-approve", 1);
    story.tell("state mv --env shop shop/dev --auto-approve", 64);
    story.tell("state mv --env shop/default shop/dev --auto-approve", 0);
    story.tell("state mv --env shop/dev shop/dev --auto-approve", 1);
    story.tell("plan", 0);
    story.tell("state doctor", 0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn the_only_one_needs_no_name() {
    let mut story = Story::of(&stack("environment \"dev\" {\n  variables = { size = \"big\" }\n}\n"));
    story.quietly("apply --auto-approve", 0);
    assert_eq!(story.sandbox.read("dev.txt"), "shop dev big\n");
    story.tell("output path", 0);
    let plan = story.sandbox.windlass(["plan"]).env("WINDLASS_VAR_size", "huge").run();
    plan.exits(0).says("has no effect");
    insta::assert_snapshot!(story.end());
}

#[test]
fn one_of_many_must_be_named() {
    let mut story = Story::of(&stack("environment \"dev\" {}\nenvironment \"production\" {}\n"));
    story.tell("plan", 64);
    story.tell("-e prodution plan", 64);
    story.quietly("-e dev apply --auto-approve", 0);
    story.quietly("-e production apply --auto-approve", 0);
    assert_eq!(story.sandbox.files(), ["dev.txt", "main.stack.hcl", "production.txt"]);
    story.tell("state list", 64);
    story.tell("-e dev output", 0);
    story.quietly("-e dev destroy --auto-approve", 0);
    assert_eq!(story.sandbox.files(), ["main.stack.hcl", "production.txt"]);
    insta::assert_snapshot!(story.end());
}

#[test]
fn one_place_is_not_for_two() {
    let same = stack("environment \"dev\" {}\nenvironment \"production\" {}\n")
        .replace("\"${environment.name}.txt\"", "\"same.txt\"");
    let mut story = Story::of(&same);
    story.quietly("-e dev apply --auto-approve", 0);
    story.tell("-e production plan", 1);
    insta::assert_snapshot!(story.end());
}

#[test]
fn what_is_no_longer_declared_can_be_taken_down() {
    let mut story = Story::of(&stack("environment \"dev\" {}\nenvironment \"old\" {}\n"));
    story.quietly("-e dev apply --auto-approve", 0);
    story.quietly("-e old apply --auto-approve", 0);
    story.stack(&stack("environment \"dev\" {}\n"));
    story.tell("-e old plan", 64);
    story.tell("-e old state list", 0);
    story.tell("-e old destroy --auto-approve", 0);
    assert_eq!(story.sandbox.files(), ["dev.txt", "main.stack.hcl"]);
    insta::assert_snapshot!(story.end());
}

#[test]
fn another_stack_of_a_shared_store_is_not_meant() {
    let mut story = Story::of(&stack(""));
    let store = story.sandbox.root().join("shared");
    let call = |story: &Story, line: &str, code: i32| {
        story.sandbox.windlass(line.split(' ')).env("WINDLASS_STATE", &store).run().exits(code)
    };
    call(&story, "apply --auto-approve", 0);
    story.stack("stack \"other\" {}\nresource \"local_data\" \"x\" {}\n");
    story.note("a stack that was renamed, or another one?");
    let said = call(&story, "plan", 1).text();
    let output = call(&story, "output", 1).text();
    let rollback = call(&story, "rollback --to 1 --auto-approve", 1).text();
    story.note(&format!("plan\n{said}\noutput\n{output}\nrollback\n{rollback}"));
    insta::assert_snapshot!(story.end());
}

#[test]
fn a_stack_whose_files_are_gone_can_be_taken_down() {
    let mut story = Story::of(&stack("environment \"dev\" {}\n"));
    story.quietly("apply --auto-approve --var size=big", 0);
    std::fs::remove_file(story.sandbox.path("main.stack.hcl")).unwrap();
    story.tell("state list", 0);
    story.tell("state --stack nope list", 1);
    story.tell("state list --stack shop", 0);
    story.tell("apply --auto-approve", 1);
    story.tell("destroy --auto-approve", 0);
    assert_eq!(story.sandbox.files(), [""; 0]);
    insta::assert_snapshot!(story.end());
}
