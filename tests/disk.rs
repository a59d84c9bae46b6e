//! What a disk can do to a command: full, unreadable, damaged, of a newer format; and tools that are missing, babble or
//! hang. A clear error with the right exit code each, and nothing lost.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes and real time")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::sandbox::Sandbox;

/// A small stack, applied once.
fn applied() -> Sandbox {
    let sandbox = Sandbox::new();
    stack(&sandbox, "one");
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    sandbox
}

fn stack(sandbox: &Sandbox, input: &str) {
    sandbox.write(
        "main.stack.hcl",
        format!(
            "stack \"disk\" {{}}\nresource \"local_data\" \"a\" {{ input = \"{input}\" }}\n\
             resource \"local_command\" \"b\" {{\n  create = [\"true\"]\n  update = [\"true\"]\n  triggers = local_data.a.output\n}}\n"
        ),
    );
}

/// The one file of the store whose path ends so.
fn file(sandbox: &Sandbox, wanted: impl Fn(&str) -> bool) -> PathBuf {
    let all = sandbox.all_files();
    let found = all.iter().filter(|path| path.starts_with(".windlass/") && wanted(path)).max();
    sandbox.path(found.unwrap_or_else(|| panic!("no such file in {all:?}")))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a_full_disk_loses_nothing() {
    if !is_root() {
        println!("not tested: a small file system can only be mounted by root");
        return;
    }
    let sandbox = Sandbox::new();
    let store = sandbox.path("small");
    std::fs::create_dir_all(&store).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=400k", "none"]).arg(&store).status();
    if !mount.is_ok_and(|status| status.success()) {
        // A container without the right to mount: said, and no excuse where CI promises a machine.
        assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot mount a tmpfs");
        println!("not tested: a small file system cannot be mounted here");
        return;
    }
    let unmount = Unmount(store.clone());
    stack(&sandbox, "one");
    let state = format!("file://{}", store.display());
    sandbox.windlass(["apply", "--auto-approve"]).env("WINDLASS_STATE", &state).run().success();
    let before = sandbox.windlass(["state", "list", "--json"]).env("WINDLASS_STATE", &state).run().success();
    // Larger than what is left.
    stack(&sandbox, &"x".repeat(600_000));
    let full = sandbox.windlass(["apply", "--auto-approve"]).env("WINDLASS_STATE", &state).run().exits(1);
    assert!(full.text().to_lowercase().contains("space"), "{full}");
    let after = sandbox.windlass(["state", "list", "--json"]).env("WINDLASS_STATE", &state).run().success();
    assert_eq!(before.stdout, after.stdout);
    stack(&sandbox, "two");
    for name in ["apply", "plan"] {
        let args: &[&str] =
            if name == "apply" { &["apply", "--auto-approve"] } else { &["plan", "--detailed-exitcode"] };
        sandbox.windlass(args).env("WINDLASS_STATE", &state).run().success();
    }
    drop(unmount);
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn something_else_in_place_of_a_file() {
    for what in ["a directory", "a dangling link"] {
        let sandbox = applied();
        let head = file(&sandbox, |path| path.ends_with("/HEAD.json"));
        let kept = std::fs::read(&head).unwrap();
        std::fs::remove_file(&head).unwrap();
        match what {
            "a directory" => std::fs::create_dir(&head).unwrap(),
            _ => std::os::unix::fs::symlink("/nowhere/at/all", &head).unwrap(),
        }
        for args in [["state", "list"], ["apply", "--auto-approve"]] {
            let failed = sandbox.windlass(args).run().exits(1);
            assert!(failed.text().contains("HEAD.json"), "{what}: {failed}");
        }
        if what == "a directory" {
            std::fs::remove_dir(&head).unwrap()
        } else {
            std::fs::remove_file(&head).unwrap()
        }
        std::fs::write(&head, kept).unwrap();
        sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
    }
}

#[test]
fn a_stack_file_that_cannot_be_read() {
    let sandbox = applied();
    std::os::unix::fs::symlink("/nowhere/at/all", sandbox.path("other.stack.hcl")).unwrap();
    sandbox.windlass(["plan"]).run().exits(1).says("other.stack.hcl");
    std::fs::remove_file(sandbox.path("other.stack.hcl")).unwrap();
    std::fs::create_dir(sandbox.path("other.stack.hcl")).unwrap();
    sandbox.windlass(["validate"]).run().exits(1).says("other.stack.hcl");
}

#[test]
fn files_of_somebody_else() {
    if !is_root() {
        println!("not tested: only root can become another user");
        return;
    }
    let sandbox = applied();
    let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let mut dir = sandbox.root();
    while dir.pop() {}
    for path in [sandbox.root(), sandbox.path(".")] {
        open(&path, 0o755);
    }
    let secret = sandbox.write("secret.stack.hcl", "");
    open(&secret, 0o000);
    let windlass = env!("CARGO_BIN_EXE_windlass");
    let as_nobody = |name: &str| {
        let args = ["--reuid=65534", "--regid=65534", "--clear-groups", windlass, name];
        sandbox.command("setpriv", args).run()
    };
    let refused = as_nobody("validate");
    if refused.text().contains("setpriv:") {
        println!("not tested: the build is not readable by another user");
        return;
    }
    let refused = refused.exits(1);
    assert!(refused.text().contains("secret.stack.hcl"), "{refused}");
    std::fs::remove_file(&secret).unwrap();
    let refused = as_nobody("plan").exits(1);
    assert!(refused.text().contains(".windlass"), "{refused}");
}

#[test]
fn a_flipped_byte_in_a_pack_is_found() {
    let sandbox = applied();
    let holds_records = |path: &str| {
        let text = std::fs::read_to_string(sandbox.path(path)).unwrap_or_default();
        text.contains("\"fingerprint\"") && !text.contains("planfile")
    };
    let pack = file(&sandbox, |path| path.contains("/objects/") && holds_records(path));
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, &bytes).unwrap();
    let failed = sandbox.windlass(["state", "list"]).run().exits(1);
    assert!(failed.text().contains("damaged"), "{failed}");
    sandbox.windlass(["apply", "--auto-approve"]).run().exits(1).says("damaged");
    sandbox.windlass(["state", "doctor"]).run().exits(1);
    bytes[middle] ^= 1;
    std::fs::write(&pack, &bytes).unwrap();
    sandbox.windlass(["state", "doctor"]).run().success();
}

#[test]
fn a_newer_format_is_not_guessed_at() {
    for name in ["/HEAD.json", "windlass.json"] {
        let sandbox = applied();
        let path = file(&sandbox, |path| path.ends_with(name));
        let text = std::fs::read_to_string(&path).unwrap();
        let newer =
            text.replacen("\"format\": 1", "\"format\": 99", 1).replacen("\"format\":1", "\"format\":99", 1);
        assert_ne!(text, newer, "{name} has no format");
        std::fs::write(&path, newer).unwrap();
        let failed = sandbox.windlass(["apply", "--auto-approve"]).run().exits(1);
        assert!(
            failed.text().contains("newer windlass") || failed.text().contains("damaged"),
            "{name}: {failed}"
        );
        std::fs::write(&path, text).unwrap();
        sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
    }
}

#[test]
fn a_truncated_journal() {
    let sandbox = applied();
    // A run that died: its journal has no end.
    sandbox.write(
        "main.stack.hcl",
        "stack \"disk\" {}\nresource \"local_command\" \"c\" {\n  count = 4\n  create = [\"sh\", \"-c\", \"echo x >> f$0; sleep 0.5\", tostring(count.index)]\n}\n",
    );
    let mut running = sandbox.windlass(["apply", "--auto-approve", "--parallelism", "1"]).start();
    support::wait::wait_for_file(&sandbox.path("f1"));
    running.kill_9();
    let journal = file(&sandbox, |path| path.ends_with("journal.jsonl"));
    let whole = std::fs::read(&journal).unwrap();
    // In the middle it is damage in every case.
    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 1;
    std::fs::write(&journal, &flipped).unwrap();
    let refused = sandbox.windlass(["resume"]).run().exits(1);
    assert!(refused.text().contains("damaged") && refused.text().contains("journal"), "{refused}");
    // Its last line torn: that is what a crash does, and is taken as it is.
    std::fs::write(&journal, &whole[..whole.len() - 7]).unwrap();
    let resumed = sandbox.windlass(["resume"]).run();
    match resumed.code {
        Some(0) => (0..4).for_each(|i| assert_eq!(sandbox.read(format!("f{i}")), "x\n")),
        // The torn line was the intent of a step that has files: damage, said so.
        _ => assert!(resumed.text().contains("damaged"), "{resumed}"),
    }
}

/// A stack of one root, and a `terraform` of the test's own in front of `PATH`.
fn with_terraform(script: Option<&str>) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    sandbox.write("root/main.tf", "resource \"terraform_data\" \"a\" {}\n");
    sandbox.write(
        "main.stack.hcl",
        "stack \"tools\" {}\nresource \"terraform_root\" \"r\" { source = \"./root\" }\n",
    );
    let bin = sandbox.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    if let Some(script) = script {
        sandbox.script("bin/terraform", script);
    }
    (sandbox, bin)
}

#[test]
fn a_missing_terraform() {
    let (sandbox, bin) = with_terraform(None);
    let failed = sandbox.windlass(["plan"]).env("PATH", &bin).run().exits(1);
    for part in ["terraform", "PATH"] {
        assert!(failed.stderr.contains(part), "`{part}` in {failed}");
    }
    sandbox.windlass(["validate"]).env("PATH", &bin).run().success();
}

#[test]
fn a_terraform_that_babbles() {
    let (sandbox, bin) = with_terraform(Some("#!/bin/sh\necho 'what a nice day'\n"));
    let failed = sandbox.windlass(["plan"]).path_first(&bin).run().exits(1);
    assert!(failed.stderr.contains("terraform"), "{failed}");
}

#[test]
fn a_terraform_that_hangs_past_its_timeout() {
    if support::tool("terraform", "a root that hangs").is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write(
        "root/main.tf",
        "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"sleep 60\"\n  }\n}\n",
    );
    sandbox.write(
        "main.stack.hcl",
        "stack \"tools\" {}\nresource \"terraform_root\" \"r\" {\n  source = \"./root\"\n  timeouts { create = \"2s\" }\n}\n",
    );
    let failed = sandbox.windlass(["apply", "--auto-approve", "--json"]).run().exits(1);
    assert!(failed.stdout.contains("\"class\":\"timeout\""), "{failed}");
    sandbox.windlass(["state", "list"]).run().success();
}
