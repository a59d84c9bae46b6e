//! What nobody can tell is in doubt: named, and not run again before somebody says how it is (rule T2).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

mod support;

use support::sandbox::Sandbox;
use support::wait::{kill_family, wait_for_file};

const TWO: &str = r#"
stack "two" {}
resource "local_command" "c" {
  for_each = { a = 1, b = 2 }
  create   = ["sh", "-c", "echo x >> $0; test -e go || { sleep 60 & touch begun-$0; wait; }", each.key]
}
resource "local_data" "after" { input = local_command.c["a"].stdout }
"#;

/// Two commands that were under way when everything was killed: nothing can tell what became of them.
fn in_doubt() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("main.stack.hcl", TWO);
    let running = sandbox.windlass(["apply", "--auto-approve"]).start();
    wait_for_file(&sandbox.path("begun-a"));
    wait_for_file(&sandbox.path("begun-b"));
    kill_family(running.pid());
    assert_eq!(running.wait().signal, Some(9));
    sandbox.write("go", "");
    sandbox
}

/// Each command ran so many times.
#[track_caller]
fn ran(sandbox: &Sandbox, a: usize, b: usize) {
    assert_eq!((sandbox.read("a").lines().count(), sandbox.read("b").lines().count()), (a, b));
}

#[test]
fn what_nobody_can_tell_is_in_doubt_and_never_run_again() {
    let sandbox = in_doubt();
    sandbox.windlass(["state", "list"]).run().success();
    for args in [["resume", "--auto-approve"], ["apply", "--auto-approve"], ["resume", "--auto-approve"]] {
        let refused = sandbox.windlass(args).run();
        assert_ne!(refused.code, Some(0), "{refused}");
        refused.says("in doubt").says("local_command.c[\"a\"]").says("local_command.c[\"b\"]");
        ran(&sandbox, 1, 1);
    }
    sandbox.windlass(["state", "list"]).run().success().says("in_doubt");

    // The one was not done, the other was, as somebody saw who looked.
    let forgotten = ["state", "rm", "local_command.c[\"a\"]", "--auto-approve"];
    sandbox.windlass(forgotten).run().success();
    sandbox.windlass(["apply", "--auto-approve", "--replace", "local_command.c[\"b\"]"]).run().success();
    ran(&sandbox, 2, 2);
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
}

/// One command that makes `thing`, says by `read` whether it is there, and hangs where `hang` lies.
const READ: &str = r#"
stack "read" {}
variable "size" { default = 1 }
resource "local_command" "c" {
  create   = ["sh", "-c", "echo create >> did; touch thing; test ! -e hang || { sleep 60 & touch begun; wait; }"]
  update   = ["sh", "-c", "echo update >> did; test ! -e hang || { sleep 60 & touch begun; wait; }"]
  destroy  = ["sh", "-c", "echo destroy >> did; test ! -e hang || { sleep 60 & touch begun; wait; }; rm thing"]
  read     = ["test", "-e", "thing"]
  triggers = var.size
}
"#;

/// Everything is killed in the middle of what a command line does.
fn killed_while(sandbox: &Sandbox, args: &[&str]) {
    sandbox.write("hang", "");
    let running = sandbox.windlass(args).start();
    wait_for_file(&sandbox.path("begun"));
    kill_family(running.pid());
    assert_eq!(running.wait().signal, Some(9));
    for file in ["hang", "begun"] {
        std::fs::remove_file(sandbox.path(file)).unwrap();
    }
}

#[test]
fn read_tells_of_a_create() {
    let sandbox = Sandbox::new();
    sandbox.write("main.stack.hcl", READ);
    killed_while(&sandbox, &["apply", "--auto-approve"]);
    sandbox.windlass(["resume", "--auto-approve"]).run().success();
    assert_eq!(sandbox.read("did"), "create\n");
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
}

#[test]
fn nobody_tells_of_an_update() {
    let sandbox = Sandbox::new();
    sandbox.write("main.stack.hcl", READ);
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    killed_while(&sandbox, &["apply", "--auto-approve", "--var", "size=2"]);
    for _ in 0..2 {
        let refused = sandbox.windlass(["apply", "--auto-approve", "--var", "size=2"]).run().exits(1);
        refused.says("local_command.c is in doubt");
    }
    assert_eq!(sandbox.read("did"), "create\nupdate\n");
    let replace = ["apply", "--auto-approve", "--var", "size=2", "--replace", "local_command.c"];
    sandbox.windlass(replace).run().success();
    assert_eq!(sandbox.read("did"), "create\nupdate\ndestroy\ncreate\n");
}

#[test]
fn a_destroy_in_doubt_is_named_before_it_runs_again() {
    let sandbox = Sandbox::new();
    // Nothing tells whether it is still there.
    sandbox.write("main.stack.hcl", READ.replace("  read     = [\"test\", \"-e\", \"thing\"]\n", ""));
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    killed_while(&sandbox, &["destroy", "--auto-approve"]);
    sandbox.windlass(["resume", "--auto-approve"]).run().exits(1).says("local_command.c is in doubt: delete");
    sandbox.windlass(["plan", "--destroy"]).run().success().says("local_command.c is in doubt: delete");
    assert_eq!(sandbox.read("did"), "create\ndestroy\n");
    sandbox.windlass(["destroy", "--auto-approve"]).run().success().says("is in doubt");
    assert_eq!(sandbox.read("did"), "create\ndestroy\ndestroy\n");
}
