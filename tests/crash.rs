//! A crash loses nothing, the plain cases (invariants 2, 4 and 9). Random moments: `kills.rs`; what stays in doubt:
//! `doubts.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

mod support;

use support::sandbox::Sandbox;
use support::wait::wait_until;

/// Commands that each append a line to a file of their own, so that running one twice is seen.
fn commands(sandbox: &Sandbox, count: usize, script: &str) {
    sandbox.write(
        "main.stack.hcl",
        format!(
            "stack \"crash\" {{}}\nresource \"local_command\" \"c\" {{\n  count = {count}\n  \
             create = [\"sh\", \"-c\", \"{script}\", tostring(count.index)]\n}}\n"
        ),
    );
    std::fs::create_dir_all(sandbox.path("out")).unwrap();
}

fn lines(sandbox: &Sandbox, index: usize) -> usize {
    std::fs::read_to_string(sandbox.path(format!("out/{index}"))).map_or(0, |text| text.lines().count())
}

/// Each ran exactly once.
#[track_caller]
fn each_once(sandbox: &Sandbox, count: usize) {
    let wrong: Vec<(usize, usize)> =
        (0..count).map(|i| (i, lines(sandbox, i))).filter(|(_, lines)| *lines != 1).collect();
    assert!(wrong.is_empty(), "not run exactly once (command, times): {wrong:?}");
}

#[test]
fn a_plain_apply_recovers_as_well() {
    let sandbox = Sandbox::new();
    commands(&sandbox, 40, "echo x >> out/$0; sleep 0.1");
    let mut running = sandbox.windlass(["apply", "--auto-approve", "--parallelism", "4"]).start();
    wait_until("some have begun", 20, || lines(&sandbox, 5) == 1);
    running.kill_9();
    let output = sandbox.windlass(["apply", "--auto-approve", "--parallelism", "20"]).run().success();
    assert!(output.text().contains("had died"), "{output}");
    each_once(&sandbox, 40);
    let versions = sandbox.windlass(["state", "versions"]).run().success();
    assert!(versions.stdout.contains("recovered") && versions.stdout.contains("applied"), "{versions}");
}

#[test]
fn a_command_that_outlives_the_engine_is_waited_for() {
    let sandbox = Sandbox::new();
    commands(&sandbox, 1, "sleep 1; echo x >> out/$0");
    let mut running = sandbox.windlass(["apply", "--auto-approve"]).start();
    wait_until("it runs", 20, || !sandbox.processes_with("sleep 1; echo x").is_empty());
    running.kill_9();
    let output = sandbox.windlass(["resume"]).run().success();
    assert!(output.stderr.contains("accounted for"), "{output}");
    each_once(&sandbox, 1);
}
