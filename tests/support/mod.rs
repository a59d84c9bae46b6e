//! Runs the `windlass` command as a user would, with nothing of this machine in it: an empty home, a cleaned environment, a
//! directory of its own; and makes what it says the same on every machine.
//!
//! ```text
//! mod support;
//! use support::sandbox::Sandbox;
//!
//! let sandbox = Sandbox::new();
//! sandbox.write("a.stack.hcl", r#"resource "local_data" "a" { input = 1 }"#);
//! insta::assert_snapshot!(sandbox.windlass(["plan"]).run().text());
//! sandbox.windlass(["apply", "--auto-approve"]).run().success();
//! ```

#![expect(dead_code, reason = "each test file uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]
#![expect(clippy::disallowed_methods, reason = "a test drives the real world: programs, clock, environment")]

pub mod chance;
pub mod output;
pub mod redact;
pub mod running;
pub mod sandbox;
pub mod wait;

use std::path::{Path, PathBuf};

/// A tool on `PATH`; where it is missing one line says so, and under `CI=true` the test fails.
///
/// `let Some(terraform) = support::tool("terraform", "terraform_root") else { return };`
pub fn tool(name: &str, needed_by: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|candidate| candidate.is_file());
    if found.is_none() {
        missing(&format!("{name} is not on PATH, needed by {needed_by}"));
    }
    found
}

/// The release build of windlass, for what is only true of it (speed). `cargo xtask test` builds it.
pub fn release_binary() -> Option<PathBuf> {
    let found =
        std::env::var_os("WINDLASS_TEST_RELEASE_BINARY").map(PathBuf::from).filter(|path| path.is_file());
    if found.is_none() {
        missing("no release build: `cargo xtask test` makes one and sets WINDLASS_TEST_RELEASE_BINARY");
    }
    found
}

fn missing(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    println!("not tested: {why}");
}

/// A file or folder of the repository.
pub fn repository(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}
