//! The plan is the whole contract (invariants 1, 6 and 8): saved, sealed, applied as it is or not at all.

#![cfg(feature = "cli")]

mod support;

use support::sandbox::Sandbox;

fn stack(sandbox: &Sandbox, content: &str) {
    sandbox.write("source.txt", content);
    sandbox.write(
        "main.stack.hcl",
        format!(
            "stack \"saved\" {{}}\nresource \"local_data\" \"a\" {{ input = \"{content}\" }}\n\
             resource \"local_file\" \"f\" {{\n  path   = \"out.txt\"\n  source = \"source.txt\"\n}}\n\
             output \"a\" {{ value = local_data.a.output }}\n"
        ),
    );
}

fn saved(content: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    stack(&sandbox, content);
    sandbox.windlass(["plan", "--out", "saved.plan"]).run().success();
    sandbox
}

#[test]
fn what_was_planned_is_done_whatever_the_checkout_says_by_now() {
    let sandbox = saved("one");
    stack(&sandbox, "two");
    let shown = sandbox.windlass(["show", "saved.plan"]).run().success();
    assert!(shown.stdout.contains("local_file.f") && shown.stdout.contains("one"), "{shown}");
    sandbox.windlass(["apply", "saved.plan"]).run().success();
    assert_eq!(sandbox.read("out.txt"), "one");
    assert_eq!(sandbox.windlass(["output", "a", "--raw"]).run().success().stdout.trim(), "one");
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(2);
}

#[test]
fn it_is_applied_once_and_against_what_it_was_made_for() {
    let sandbox = saved("one");
    sandbox.windlass(["apply", "saved.plan"]).run().success();
    sandbox.windlass(["apply", "saved.plan"]).run().exits(4).says("version");
    stack(&sandbox, "two");
    sandbox.windlass(["plan", "--out", "second.plan"]).run().success();
    stack(&sandbox, "three");
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    let stale = sandbox.windlass(["apply", "second.plan"]).run().exits(4);
    assert!(stale.stderr.contains("version 1") && stale.stderr.contains("version 2"), "{stale}");
    assert_eq!(sandbox.read("out.txt"), "three");
}

#[test]
fn another_store_is_not_meant() {
    let sandbox = saved("one");
    let other = Sandbox::new();
    stack(&other, "one");
    other.write("saved.plan", std::fs::read(sandbox.path("saved.plan")).unwrap());
    other.windlass(["apply", "saved.plan"]).run().exits(4).says("another store");
    assert!(!other.exists("out.txt"));
}

#[test]
fn a_changed_file_is_refused() {
    let sandbox = saved("one");
    let whole = std::fs::read(sandbox.path("saved.plan")).unwrap();
    let mut refused = 0;
    for place in (0..whole.len()).step_by(whole.len() / 23) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        sandbox.write("saved.plan", &bytes);
        let output = sandbox.windlass(["apply", "saved.plan"]).run();
        assert!(matches!(output.code, Some(1 | 4)), "byte {place}: {output}");
        assert!(!output.stderr.contains("panicked") && !sandbox.exists("out.txt"), "byte {place}: {output}");
        refused += 1;
    }
    assert!(refused > 20);
    sandbox.write("saved.plan", &whole[..whole.len() / 2]);
    sandbox.windlass(["apply", "saved.plan"]).run().exits(1);
    sandbox.write("saved.plan", &whole);
    sandbox.windlass(["apply", "saved.plan"]).run().success();
}

#[test]
fn equal_inputs_give_equal_plans_to_the_byte() {
    let sandbox = saved("one");
    let twice = |args: &[&str]| {
        let one = sandbox.windlass(args).run().success().stdout;
        assert_eq!(one, sandbox.windlass(args).run().success().stdout);
        one
    };
    let (text, json) = (twice(&["plan"]), twice(&["plan", "--json"]));
    // The same on another machine with the same store.
    let other = Sandbox::new();
    stack(&other, "one");
    let store = other.path(".windlass");
    std::fs::create_dir_all(&store).unwrap();
    std::fs::copy(sandbox.path(".windlass/windlass.json"), store.join("windlass.json")).unwrap();
    assert_eq!(text, other.windlass(["plan"]).run().success().stdout);
    assert_eq!(json, other.windlass(["plan", "--json"]).run().success().stdout);
}

#[test]
fn a_plan_of_a_newer_windlass_is_not_guessed_at() {
    let sandbox = saved("one");
    let newer = sandbox.read("saved.plan").replacen("windlass.planfile/1", "windlass.planfile/99", 1);
    sandbox.write("saved.plan", newer);
    for args in [["show", "saved.plan"], ["apply", "saved.plan"]] {
        sandbox.windlass(args).run().exits(1).says("windlass.planfile/99").says("use a newer windlass");
    }
    assert!(!sandbox.exists("out.txt"));
}
