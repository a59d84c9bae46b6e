//! `cargo xtask test`: phase after phase, each with its time. A phase that fails does not keep the next from running, so that
//! one run shows all that is wrong.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{say, workspace};

/// Checks the licences; built by this task, as one known version.
const DENY_VERSION: &str = "0.20.2";

/// Tells the tests where the release binary is.
const RELEASE_BINARY: &str = "WINDLASS_TEST_RELEASE_BINARY";

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    quick: bool,
}

impl Options {
    /// From arguments.
    ///
    /// # Errors
    /// On an unknown one.
    pub fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self::default();
        for arg in args {
            match arg.as_str() {
                "--quick" => options.quick = true,
                other => bail!("unknown option {other} of `cargo xtask test`"),
            }
        }
        Ok(options)
    }
}

/// How a phase ended.
#[derive(Debug)]
enum Ended {
    Passed,
    Failed(String),
    /// It could not be run, for a reason that is a failure only in CI.
    Missing(String),
}

/// A phase that has ended.
#[derive(Debug)]
struct Phase {
    name: &'static str,
    took: Duration,
    ended: Ended,
}

/// Runs all phases. Whether all passed.
///
/// # Errors
/// Where a phase could not even be started.
pub fn run(options: &Options) -> Result<bool> {
    let ci = in_ci();
    let started = Instant::now();
    let mut phases = vec![
        phase("tools", tools)?,
        phase("format", || cargo(&["fmt", "--all", "--check"], &[]))?,
        phase("lints", || {
            cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[])
        })?,
        phase("bare library", || cargo(&["check", "--lib", "--no-default-features", "--locked"], &[]))?,
    ];
    if options.quick {
        phases.push(phase("tests", || cargo(&["test", "--workspace", "--locked", "--no-fail-fast"], &[]))?);
    } else {
        phases.push(phase("release binary", || {
            cargo(&["build", "--release", "--locked", "--bin", "windlass"], &[])
        })?);
        let binary = [(RELEASE_BINARY, workspace::release_binary())];
        phases
            .push(phase("tests", || cargo(&["test", "--workspace", "--locked", "--no-fail-fast"], &binary))?);
        phases.push(phase("licences", licences)?);
    }
    summary(&phases, started.elapsed(), ci);
    Ok(phases.iter().all(|phase| passed(phase, ci)))
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

fn passed(phase: &Phase, ci: bool) -> bool {
    match phase.ended {
        Ended::Passed => true,
        Ended::Failed(_) => false,
        Ended::Missing(_) => !ci,
    }
}

fn phase(name: &'static str, work: impl FnOnce() -> Result<Ended>) -> Result<Phase> {
    say::line(&format!("==> {name}"));
    let started = Instant::now();
    let ended = work().with_context(|| format!("phase `{name}`"))?;
    let phase = Phase { name, took: started.elapsed(), ended };
    say::line(&format!("<== {name}: {}", describe(&phase)));
    Ok(phase)
}

fn describe(phase: &Phase) -> String {
    let seconds = phase.took.as_secs_f32();
    match &phase.ended {
        Ended::Passed => format!("passed in {seconds:.1} s"),
        Ended::Failed(why) => format!("FAILED in {seconds:.1} s: {why}"),
        Ended::Missing(why) => format!("not run: {why}"),
    }
}

fn summary(phases: &[Phase], took: Duration, ci: bool) {
    say::line("");
    for phase in phases {
        say::line(&format!("{:>15}  {}", phase.name, describe(phase)));
    }
    let failed = phases.iter().filter(|phase| !passed(phase, ci)).count();
    let result = if failed == 0 { "passed".to_owned() } else { format!("FAILED ({failed} phases)") };
    say::line(&format!("{:>15}  {result} in {:.1} s", "all", took.as_secs_f32()));
}

fn cargo(args: &[&str], env: &[(&str, PathBuf)]) -> Result<Ended> {
    let mut command = Command::new(workspace::cargo());
    command.args(args).current_dir(workspace::root());
    for (name, value) in env {
        command.env(name, value);
    }
    status(&mut command, &format!("cargo {}", args.join(" ")))
}

fn status(command: &mut Command, text: &str) -> Result<Ended> {
    let status = command.status().with_context(|| format!("start `{text}`"))?;
    Ok(if status.success() { Ended::Passed } else { Ended::Failed(format!("`{text}` ended with {status}")) })
}

/// The tools that the suites need and cargo cannot build.
fn tools() -> Result<Ended> {
    let mut missing = crate::tools::lay()?;
    if workspace::find("terraform").is_none() {
        missing.push(
            "terraform is not on PATH: the suites of terraform_root and of examples/three-roots need it"
                .to_owned(),
        );
    }
    Ok(if missing.is_empty() { Ended::Passed } else { Ended::Missing(missing.join("; ")) })
}

fn licences() -> Result<Ended> {
    let root = workspace::target().join("tools");
    let binary = root.join("bin").join("cargo-deny");
    if !is_version(&binary, DENY_VERSION) {
        let mut install = Command::new(workspace::cargo());
        // Unoptimised: it runs for a second and would build for minutes.
        install.args(["install", "--locked", "--debug", "cargo-deny", "--version", DENY_VERSION, "--root"]);
        install.arg(&root).current_dir(workspace::root());
        if let Ended::Failed(why) = status(&mut install, "cargo install cargo-deny")? {
            return Ok(Ended::Missing(format!("cargo-deny {DENY_VERSION} cannot be had: {why}")));
        }
    }
    let mut deny = Command::new(binary);
    deny.args(["--all-features", "check", "licenses", "bans", "sources"]).current_dir(workspace::root());
    status(&mut deny, "cargo deny check licenses bans sources")
}

fn is_version(binary: &std::path::Path, version: &str) -> bool {
    let output = Command::new(binary).arg("--version").output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(ended: Ended) -> Phase {
        Phase { name: "x", took: Duration::from_millis(1500), ended }
    }

    #[test]
    fn a_missing_tool_fails_in_ci_only() {
        let missing = ended(Ended::Missing("no terraform".to_owned()));
        assert!(passed(&missing, false));
        assert!(!passed(&missing, true));
        assert_eq!(describe(&missing), "not run: no terraform");
    }

    #[test]
    fn a_failed_phase_fails_everywhere() {
        let failed = ended(Ended::Failed("exit status: 1".to_owned()));
        assert!(!passed(&failed, false));
        assert_eq!(describe(&failed), "FAILED in 1.5 s: exit status: 1");
    }

    #[test]
    fn a_command_that_fails_is_seen() {
        let ended = status(&mut Command::new("false"), "false").unwrap();
        assert!(matches!(ended, Ended::Failed(_)));
        assert!(matches!(status(&mut Command::new("true"), "true").unwrap(), Ended::Passed));
        assert!(status(&mut Command::new("/nowhere/at/all"), "x").is_err());
    }

    #[test]
    fn options_are_known() {
        assert!(Options::parse(&["--quick".to_owned()]).unwrap().quick);
        assert!(Options::parse(&["--fast".to_owned()]).is_err());
    }
}
