//! Writing needs the lock (invariant 3): one works, the other says who does.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes and real time")]
#![cfg(feature = "cli")]

mod support;

use std::time::{Duration, Instant};

use support::running::Running;
use support::sandbox::Sandbox;
use support::wait::wait_for_file;

/// A stack whose apply takes this many seconds.
fn slow(seconds: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.stack.hcl",
        format!(
            "stack \"locks\" {{}}\nresource \"local_command\" \"slow\" {{\n  \
             create = [\"sh\", \"-c\", \"touch begun; sleep {seconds}; touch done\"]\n}}\n"
        ),
    );
    sandbox
}

fn begun(sandbox: &Sandbox) -> Running {
    let running = sandbox.windlass(["apply", "--auto-approve"]).start();
    wait_for_file(&sandbox.path("begun"));
    running
}

#[test]
fn the_second_exits_3_at_once_and_names_the_holder() {
    let sandbox = slow(3);
    let first = begun(&sandbox);
    let asked = Instant::now();
    let second = sandbox.windlass(["apply", "--auto-approve"]).run().exits(3);
    assert!(asked.elapsed() < Duration::from_secs(2), "it waited");
    for part in ["the state is locked", "apply", "since", "state unlock"] {
        assert!(second.stderr.contains(part), "`{part}` in {second}");
    }
    // Looking needs no lock.
    sandbox.windlass(["plan"]).run().success();
    sandbox.windlass(["state", "list"]).run().success();
    first.wait().success();
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
}

#[test]
fn it_waits_if_told_to() {
    let sandbox = slow(2);
    let first = begun(&sandbox);
    let second = sandbox.windlass(["apply", "--auto-approve", "--lock-timeout", "60s"]).run().success();
    assert!(second.text().contains("No changes"), "{second}");
    first.wait().success();
}

#[test]
fn a_broken_lock_can_commit_nothing() {
    let sandbox = slow(4);
    let old = begun(&sandbox);
    let refused = sandbox.windlass(["apply", "--auto-approve"]).run().exits(3);
    let word = |text: &str| text.split_once("state unlock ").map(|(_, rest)| rest.to_owned());
    let rest = word(&refused.stderr).unwrap_or_default();
    let run: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    sandbox.windlass(["state", "unlock", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]).run().exits(1);
    sandbox.windlass(["state", "unlock", &run]).run().success();
    // The new holder waits for what the old one had started, and takes it in.
    let new = sandbox.windlass(["apply", "--auto-approve"]).run().success();
    assert!(new.text().contains("accounted for"), "{new}");
    let old = old.wait().exits(1);
    assert!(old.text().contains("taken over"), "{old}");
    let versions = sandbox.windlass(["state", "versions", "--json"]).run().success().json();
    let by_old = versions.as_array().into_iter().flatten().filter(|v| v["status"] == "applied").count();
    assert!(by_old <= 1, "{versions}");
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
    sandbox.windlass(["state", "doctor"]).run().success();
}
