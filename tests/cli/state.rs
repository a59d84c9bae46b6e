//! The parts of `state` that change it.

use crate::story::Story;

const STACK: &str = r#"
stack "shop" {}
resource "local_file" "a" {
  path    = "a.txt"
  content = "a\n"
}
resource "local_data" "n" {
  count = 2
}
"#;

#[test]
fn moving() {
    let mut story = Story::of(STACK);
    story.quietly("apply --auto-approve", 0);
    story.stack(&STACK.replace("\"a\" {", "\"b\" {"));
    story.tell("state mv local_file.a local_file.b", 5);
    story.tell("state mv local_file.a local_file.b --auto-approve --reason better-name", 0);
    story.tell("plan --detailed-exitcode", 0);
    story.tell("state mv local_file.a local_file.c --auto-approve", 1);
    story.tell("state mv local_file.b local_data.b --auto-approve", 1);
    story.tell("state mv local_data.n[0] local_data.n[1] --auto-approve", 1);
    story.tell("state mv local_data.n[0] local_data.n[7] --auto-approve --json", 0);
    story.tell("state versions", 0);
    story.tell("state list", 0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn forgetting_and_taking_in() {
    let mut story = Story::of(STACK);
    story.quietly("apply --auto-approve", 0);
    story.tell("state rm local_file.a local_file.nope --auto-approve", 1);
    story.tell("state rm local_file.a local_data.n --auto-approve", 0);
    assert!(story.sandbox.exists("a.txt"), "the file stays");
    story.tell("state list", 0);
    story.tell("state import local_file.a a.txt --auto-approve", 0);
    story.tell("state import local_file.a a.txt --auto-approve", 1);
    story.tell("state import local_file.zz a.txt --auto-approve", 1);
    story.tell("state show local_file.a", 0);
    story.tell("plan", 0);
    story.tell("state versions", 0);
    story.note("a version that only corrects state can be left and come back to");
    story.quietly("apply --auto-approve", 0);
    story.tell("rollback --to 1 --auto-approve", 0);
    insta::assert_snapshot!(story.end());
}

#[test]
fn a_lock_is_seen_and_broken() {
    let mut story = Story::of(
        r#"
stack "shop" {}
resource "local_command" "slow" {
  create = ["sh", "-c", "touch begun; while test ! -e go; do sleep 0.05; done"]
}
"#,
    );
    let running = story.sandbox.windlass(["apply", "--auto-approve"]).start();
    crate::support::wait::wait_for_file(&story.sandbox.path("begun"));
    let locked = story.tell("apply --auto-approve", 3);
    story.tell("destroy --auto-approve --lock-timeout 300ms", 3);
    story.tell("plan", 0);
    story.tell("state unlock nonsense", 1);
    let run = locked.stderr.split("state unlock ").nth(1).unwrap();
    let run: String = run.chars().take_while(char::is_ascii_alphanumeric).collect();
    story.tell(&format!("state unlock {run}"), 0);
    story.sandbox.write("go", "");
    let fenced = running.wait();
    assert_ne!(fenced.code, Some(0), "the old holder cannot commit: {fenced}");
    story.note(&format!("the run whose lock was broken\n{}", fenced.stderr));
    insta::assert_snapshot!(story.end());
}
