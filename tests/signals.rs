//! Ctrl-C once, twice, three times, and the deadline (rule T9).

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes and real time")]
#![cfg(feature = "cli")]

mod support;

use std::time::{Duration, Instant};

use support::sandbox::Sandbox;
use support::wait::{wait_for_file, wait_until};

/// Two commands, the second after the first, which takes this many seconds.
fn chain(seconds: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.stack.hcl",
        format!(
            "stack \"signals\" {{}}\nresource \"local_command\" \"first\" {{\n  \
             create = [\"sh\", \"-c\", \"touch begun; sleep {seconds}; echo x >> first\"]\n}}\n\
             resource \"local_command\" \"second\" {{\n  create = [\"sh\", \"-c\", \"echo x >> second\"]\n  \
             depends_on = [local_command.first]\n}}\n"
        ),
    );
    sandbox
}

fn finished(sandbox: &Sandbox) {
    sandbox.windlass(["resume"]).run().success();
    assert_eq!((sandbox.read("first").as_str(), sandbox.read("second").as_str()), ("x\n", "x\n"));
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
}

#[test]
fn the_first_lets_running_steps_end() {
    let sandbox = chain(2);
    let mut running = sandbox.windlass(["apply", "--auto-approve"]).start();
    wait_for_file(&sandbox.path("begun"));
    running.interrupt();
    let output = running.wait().exits(6);
    assert!(output.text().contains("resume"), "{output}");
    assert!(sandbox.exists("first") && !sandbox.exists("second"));
    let versions = sandbox.windlass(["state", "versions", "--json"]).run().success().json();
    assert_eq!(versions[0]["status"], "partial");
    finished(&sandbox);
}

#[test]
fn the_second_interrupts_tools() {
    let sandbox = chain(60);
    let mut running = sandbox.windlass(["apply", "--auto-approve"]).start();
    wait_for_file(&sandbox.path("begun"));
    let asked = Instant::now();
    running.interrupt();
    running.wait_for_text("nothing new is started");
    running.interrupt();
    let output = running.wait();
    assert!(asked.elapsed() < Duration::from_secs(30), "{output}");
    assert!(matches!(output.code, Some(1 | 6)), "{output}");
    assert!(!sandbox.exists("first"));
    sandbox.windlass(["state", "list"]).run().success();
}

#[test]
fn the_third_leaves_at_once_and_loses_nothing() {
    let sandbox = chain(4);
    let mut running = sandbox.windlass(["apply", "--auto-approve"]).start();
    wait_for_file(&sandbox.path("begun"));
    // A tool that minds no request: it ends by itself.
    running.interrupt();
    running.wait_for_text("nothing new is started");
    running.interrupt();
    running.wait_for_text("asked to end");
    running.interrupt();
    let left = running.wait();
    assert!(matches!(left.code, Some(1 | 6)), "{left}");
    wait_until("the lock can be taken", 60, || sandbox.windlass(["resume"]).run().code == Some(0));
    assert!(sandbox.exists("second"));
}

#[test]
fn the_deadline_is_as_the_first() {
    let sandbox = chain(3);
    let output = sandbox.windlass(["apply", "--auto-approve", "--deadline", "2s"]).run().exits(6);
    assert!(output.text().contains("deadline"), "{output}");
    assert!(sandbox.exists("first") && !sandbox.exists("second"));
    finished(&sandbox);
}

#[test]
fn after_the_grace_tools_are_interrupted() {
    let sandbox = chain(60);
    let asked = Instant::now();
    let args = ["apply", "--auto-approve", "--deadline", "1s", "--grace", "1s"];
    let output = sandbox.windlass(args).run();
    assert!(matches!(output.code, Some(1 | 6)) && asked.elapsed() < Duration::from_secs(40), "{output}");
}

#[test]
fn sigterm_is_as_the_second() {
    let sandbox = chain(60);
    let mut running = sandbox.windlass(["apply", "--auto-approve"]).start();
    wait_for_file(&sandbox.path("begun"));
    running.terminate();
    let output = running.wait();
    assert!(matches!(output.code, Some(1 | 6)), "{output}");
    sandbox.windlass(["state", "list"]).run().success();
}
