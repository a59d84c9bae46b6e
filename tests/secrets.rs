//! A sensitive value is found nowhere but where it must be (invariant 5).

#![cfg(feature = "cli")]

mod support;

use std::os::unix::fs::PermissionsExt;

use support::sandbox::Sandbox;
use support::wait::{wait_for_file, wait_until};

const SECRET: &str = "correct horse \"battery\" staple";
/// The same as a tool may print it.
const BASE64: &str = "Y29ycmVjdCBob3JzZSAiYmF0dGVyeSIgc3RhcGxl";

fn stack() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.stack.hcl",
        r#"stack "secrets" {}
variable "password" {
  type      = string
  sensitive = true
}
resource "local_file" "f" {
  path    = "out/f"
  content = "p=${var.password}"
}
resource "local_command" "c" {
  create = ["sh", "-c", "echo \"$P\" >&2; printf %s \"$P\" | base64 >&2; cat; touch begun; sleep 1"]
  update = ["sh", "-c", "echo \"failed with $P\" >&2; exit 4"]
  env    = { P = var.password }
  stdin  = var.password
}
resource "local_data" "d" { input = { nested = [var.password] } }
output "p" {
  value     = local_command.c.stdout
  sensitive = true
}
"#,
    );
    sandbox
}

#[track_caller]
fn nowhere(what: &str, text: &str) {
    let inside = "correct horse \\\"battery";
    for form in [SECRET, BASE64, inside] {
        assert!(!text.contains(form), "`{form}` in {what}:\n{text}");
    }
}

#[test]
fn a_secret_shows_nowhere() {
    let sandbox = stack();
    let call = |args: &[&str]| sandbox.windlass(args).env("WINDLASS_VAR_password", SECRET);
    for args in [&["plan"][..], &["plan", "--json"], &["plan", "--out", "saved"]] {
        nowhere(&args.join(" "), &call(args).run().success().text());
    }
    let running = call(&["apply", "--auto-approve", "--verbose"]).start();
    wait_for_file(&sandbox.path("begun"));
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    for process in lines {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        nowhere("a command line", &String::from_utf8_lossy(&line));
    }
    let output = running.wait().success();
    assert!(output.text().contains("(sensitive)"), "{output}");
    nowhere("apply", &output.text());
    for args in [
        &["state", "list", "--json"][..],
        &["state", "pull"],
        &["state", "show", "local_file.f"],
        &["output"],
        &["show"],
    ] {
        nowhere(&args.join(" "), &call(args).run().success().text());
    }
    // Asked for by name it is given.
    let clear = call(&["output", "p", "--raw"]).run().success();
    assert!(clear.stdout.contains(SECRET), "{clear}");
}

#[test]
fn nor_when_things_go_wrong() {
    let sandbox = stack();
    sandbox.windlass(["apply", "--auto-approve"]).env("WINDLASS_VAR_password", SECRET).run().success();
    let other = format!("{SECRET}!");
    let failed =
        sandbox.windlass(["apply", "--auto-approve", "--json"]).env("WINDLASS_VAR_password", &other).run();
    nowhere("a failure", &failed.exits(1).text());
    let versions = sandbox.windlass(["state", "versions", "--json"]).run().success();
    nowhere("versions", &versions.text());
    for path in sandbox.all_files() {
        let tail = path.rsplit('/').next().unwrap_or_default();
        let told =
            tail == "log" || tail.ends_with(".out") || tail.ends_with(".data") || tail.ends_with(".start");
        if told {
            let bytes = std::fs::read(sandbox.path(&path)).unwrap();
            nowhere(&path, &String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn files_are_their_owners_only() {
    let sandbox = stack();
    sandbox.windlass(["plan", "--out", "saved"]).env("WINDLASS_VAR_password", SECRET).run().success();
    sandbox.windlass(["apply", "saved"]).run().success();
    wait_until("nothing runs", 20, || sandbox.processes_with("touch begun").is_empty());
    let mode = |path: &str| std::fs::metadata(sandbox.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("saved"), 0o600);
    for path in sandbox.all_files().iter().filter(|path| path.starts_with(".windlass/")) {
        let plain = path.ends_with(".gitignore");
        assert!(plain || mode(path) == 0o600, "{path} is {:o}", mode(path));
        let mut dir = std::path::Path::new(path).parent();
        while let Some(inner) = dir.filter(|dir| !dir.as_os_str().is_empty()) {
            assert_eq!(mode(inner.to_str().unwrap()), 0o700, "{}", inner.display());
            dir = inner.parent();
        }
    }
}
