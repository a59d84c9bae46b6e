//! Manual approval (rule P7).

use crate::story::Story;

const STACK: &str = r#"
stack "shop" {}
environment "production" {
  approval = "manual"
}
resource "local_file" "a" {
  path    = "a.txt"
  content = "a\n"
}
"#;

/// The run that waits, as the message names it.
fn run_id(said: &str) -> String {
    let run = said.split("windlass approve ").nth(1).unwrap();
    run.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn a_run_waits_and_goes_on() {
    let mut story = Story::of(STACK);
    story.tell("apply --auto-approve", 5);
    let said = story.tell("apply", 5);
    assert_eq!(story.sandbox.files(), ["main.stack.hcl"]);
    let run = run_id(&said.stderr);
    story.tell("resume", 5);
    story.tell(&format!("approve {run}"), 5);
    story.tell(&format!("approve {run} --json"), 64);
    story.tell(&format!("approve {run} --yes"), 0);
    story.tell(&format!("approve {run} --yes --json"), 0);
    story.tell(&format!("resume {run}"), 0);
    assert_eq!(story.sandbox.read("a.txt"), "a\n");
    story.tell("approve nonsense --yes", 1);
    story.note("state is not corrected by hand either");
    story.tell("state rm local_file.a --auto-approve", 5);
    story.tell("destroy --auto-approve", 5);
    insta::assert_snapshot!(story.end());
}

#[test]
fn a_saved_plan_needs_its_approval() {
    let mut story = Story::of(STACK);
    story.quietly("plan --out p", 0);
    story.tell("apply p", 5);
    story.quietly("plan --out q", 0);
    story.tell("approve p --yes", 0);
    story.note("the approval is of that file, not of another plan that does the same");
    story.tell("apply q", 5);
    story.tell("apply p", 0);
    story.tell("state versions", 0);
    insta::assert_snapshot!(story.end());
}
