//! The engine is killed at moments that differ in every run (the seed is printed), also while it resumes and recovers; and
//! together with its terraform (rules T1, T2, T6).

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

mod support;

use support::chance::Chance;
use support::running::Running;
use support::sandbox::Sandbox;
use support::wait::{family, kill_9, wait_until};

/// How many commands there are.
const COMMANDS: usize = 300;

/// How often the engine is killed.
const KILLS: u32 = 20;

const APPLY: [&str; 4] = ["apply", "--auto-approve", "--parallelism", "20"];
const RESUME: [&str; 4] = ["resume", "--auto-approve", "--parallelism", "20"];

fn many() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.stack.hcl",
        format!(
            r#"
stack "many" {{}}
resource "local_command" "c" {{
  for_each = {{ for n in range({COMMANDS}) : format("f%03d", n) => n }}
  create   = ["sh", "-c", "echo x >> out/$0", each.key]
}}
"#
        ),
    );
    std::fs::create_dir(sandbox.path("out")).unwrap();
    sandbox
}

fn made(sandbox: &Sandbox) -> usize {
    std::fs::read_dir(sandbox.path("out")).unwrap().count()
}

/// Every command ran, and ran once.
#[track_caller]
fn each_once(sandbox: &Sandbox) {
    let wrong: Vec<String> = (0..COMMANDS)
        .map(|n| format!("out/f{n:03}"))
        .filter(|file| !sandbox.exists(file) || sandbox.read(file) != "x\n")
        .collect();
    assert!(wrong.is_empty(), "missing or run more than once: {wrong:?}");
    let listed = sandbox.windlass(["state", "list", "--json"]).run().success().json();
    assert_eq!(listed.as_array().unwrap().len(), COMMANDS);
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
}

/// Starts an apply and kills the engine while the commands run; whether it was killed before all was done.
fn killed(sandbox: &Sandbox, chance: &mut Chance, args: [&str; 4], first: bool) -> bool {
    let mut running = sandbox.windlass(args).start();
    if first {
        // What it does before the first step leaves nothing to go on with.
        wait_until("the first command ran", 60, || made(sandbox) > 0);
    }
    chance.pause(700);
    let lived = running.lives();
    running.kill_9();
    let ended = running.wait();
    assert!(ended.code.is_none() || ended.code == Some(0), "{ended}");
    sandbox.windlass(["state", "list"]).run().success();
    lived
}

#[test]
fn resume_finishes_whenever_the_engine_is_killed() {
    let mut chance = Chance::new();
    let mut kills = 0;
    while kills < KILLS {
        let sandbox = many();
        let mut args = APPLY;
        for nth in 0..5 {
            if kills == KILLS || !killed(&sandbox, &mut chance, args, nth == 0) {
                break;
            }
            kills += 1;
            args = RESUME;
        }
        sandbox.windlass(RESUME).run().success();
        each_once(&sandbox);
    }
}

/// How many resources the root has.
const RESOURCES: usize = 50;

fn root() -> Option<Sandbox> {
    support::tool("terraform", "the root of tests/kills.rs")?;
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.stack.hcl",
        r#"
stack "root" {}
resource "terraform_root" "net" { source = "./net" }
resource "local_data" "after" { input = terraform_root.net.outputs.ids }
"#,
    );
    let out = sandbox.path("out");
    std::fs::create_dir(&out).unwrap();
    sandbox.write(
        "net/main.tf",
        format!(
            r#"
resource "terraform_data" "n" {{
  count = {RESOURCES}
  input = count.index
  provisioner "local-exec" {{ command = "echo x >> {}/${{count.index}}; sleep 0.4" }}
}}
output "ids" {{ value = terraform_data.n[*].id }}
"#,
            out.display()
        ),
    );
    Some(sandbox)
}

fn begun(sandbox: &Sandbox) -> usize {
    std::fs::read_dir(sandbox.path("out")).unwrap().count()
}

/// An apply whose terraform has made some resources and not all.
fn in_the_middle(sandbox: &Sandbox) -> Running {
    let mut running = sandbox.windlass(["apply", "--auto-approve"]).start();
    let ready = || {
        assert!(running.lives(), "{}{}", running.stdout(), running.stderr());
        begun(sandbox) > 15
    };
    wait_until("terraform is in the middle", 60, ready);
    running
}

/// Everything is there, state knows it, and there is nothing left to do.
#[track_caller]
fn converged(sandbox: &Sandbox) {
    sandbox.windlass(["plan", "--detailed-exitcode", "--refresh", "always"]).run().exits(0);
    assert_eq!(begun(sandbox), RESOURCES);
    let shown = sandbox.windlass(["state", "show", "terraform_root.net"]).run().success();
    assert!(shown.stdout.contains(&format!("n[{}]", RESOURCES - 1)), "{shown}");
}

#[test]
fn a_living_terraform_is_waited_for() {
    let Some(sandbox) = root() else { return };
    let mut running = in_the_middle(&sandbox);
    running.kill_9();
    assert_eq!(running.wait().signal, Some(9));
    sandbox.windlass(["state", "list"]).run().success();
    sandbox.windlass(["resume", "--auto-approve"]).run().success();
    converged(&sandbox);
    for n in 0..RESOURCES {
        assert_eq!(sandbox.read(format!("out/{n}")), "x\n", "made once");
    }
}

/// The process of terraform that was started by this one.
fn terraform_of(pid: u32) -> u32 {
    let is = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.split(' ').next().is_some_and(|program| program.ends_with("terraform"))
            && line.contains(" apply")
    };
    family(pid).into_iter().find(is).expect("terraform runs")
}

#[test]
fn a_terraform_that_is_killed_loses_nothing() {
    let Some(sandbox) = root() else { return };
    let running = in_the_middle(&sandbox);
    kill_9(terraform_of(running.pid()));
    running.wait().exits(1).says("in doubt").says("terraform_data.n[");
    let known = sandbox.windlass(["state", "list"]).run().success();
    assert!(known.stdout.contains("terraform_root.net"), "{known}");
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    converged(&sandbox);
}

#[test]
fn both_killed_lose_nothing() {
    let Some(sandbox) = root() else { return };
    let mut running = in_the_middle(&sandbox);
    let terraform = terraform_of(running.pid());
    running.kill_9();
    kill_9(terraform);
    assert_eq!(running.wait().signal, Some(9));
    let resumed = sandbox.windlass(["resume", "--auto-approve"]).run();
    assert!(resumed.stdout.contains("in doubt") || resumed.stderr.contains("in doubt"), "{resumed}");
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    converged(&sandbox);
}
