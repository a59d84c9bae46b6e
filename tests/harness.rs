//! The harness of the other tests does what they rely on.

mod support;

use support::sandbox::Sandbox;
use support::wait::{free_port, kill_9, lives, wait_for_file};

#[test]
fn a_sandbox_has_nothing_of_this_machine() {
    let sandbox = Sandbox::new();
    let output = sandbox.command("env", [""; 0]).env("EXTRA", "1").run().success();
    let mut names: Vec<&str> =
        output.stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    let wanted =
        ["CHECKPOINT_DISABLE", "EXTRA", "HOME", "LANG", "PATH", "TF_CLI_CONFIG_FILE", "TMPDIR", "TZ", "USER"];
    assert_eq!(names, [&wanted[..], &["WINDLASS_ACTOR"]].concat());
    assert!(output.text().contains("HOME=<sandbox>/home"), "{output}");
}

#[test]
fn the_text_has_all_that_was_said_and_the_exit() {
    let sandbox = Sandbox::new();
    sandbox.write("in/a.txt", "a");
    let script = "cat; ls in; echo err >&2; pwd; exit 3";
    let output = sandbox.command("sh", ["-c", script]).stdin("typed\n").run().exits(3);
    insta::assert_snapshot!(output.text(), @r"
    --- stdout
    typed
    a.txt
    <stack>
    --- stderr
    err
    --- exit 3
    ");
    assert_eq!(sandbox.files(), ["in/a.txt"]);
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let sandbox = Sandbox::new();
    let digest = "ab".repeat(32);
    let text = format!(
        "plan sha256:{digest} of 2026-11-25T03:47:58Z, again {digest}, asked 03:47 UTC
run 01JDH2Z9Q8W7X6V5T4S3R2P1N0 and 01JDH2Z9Q8W7X6V5T4S3R2P1N1 by pid 4711 took 1.2s, 350 ms, 1m 02s
id 996867c4-6d25-9aae-bc3f-09ee22f0fd91 in {}/home and {}
{{\"seq\":3,\"at\":1764042478123,\"elapsed_ms\":12}} 3 services, 10 resources, 10.0.0.0/16",
        sandbox.root().display(),
        sandbox.path("x.stack.hcl").display(),
    );
    insta::assert_snapshot!(sandbox.redaction().apply(&text), @r#"
    plan sha256:<digest:1> of <time>, again <digest:1>, asked <time>
    run <run:1> and <run:2> by pid <pid> took <duration>, <duration>, <duration>
    id <uuid:1> in <sandbox>/home and <stack>/x.stack.hcl
    {"seq":3,"at":<ms>,"elapsed_ms":<ms>} 3 services, 10 resources, 10.0.0.0/16
    "#);
}

#[test]
fn a_running_command_is_waited_for_and_killed() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.command("sh", ["-c", "echo started; touch there; sleep 60"]).start();
    running.wait_for_text("started");
    wait_for_file(&sandbox.path("there"));
    assert!(running.lives() && lives(running.pid()));
    running.kill_9();
    let output = running.wait();
    assert_eq!((output.code, output.signal), (None, Some(9)), "{output}");
    let other = sandbox.command("sleep", ["60"]).start();
    kill_9(other.pid());
    assert_eq!(other.wait().signal, Some(9));
    assert!(free_port() > 0);
}

#[test]
#[should_panic(expected = "--- exit 1")]
fn a_wrong_exit_shows_all() {
    Sandbox::new().command("false", [""; 0]).run().success();
}
