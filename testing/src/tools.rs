//! The tools that tests need and cargo cannot build, each environment in a directory that is named by what is in it, so that
//! checkouts share it and none gets the wrong one. `cargo xtask tools` lays them; here they are found.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Where the environments lie, instead of the user's cache.
pub const ROOT_VARIABLE: &str = "WINDLASS_TEST_TOOLS";

/// Written last: without it an environment is not whole.
pub const STAMP: &str = ".complete";

/// What `cargo xtask tools` lays.
pub const ENVIRONMENTS: [Environment; 2] = [
    Environment {
        name: "aws",
        requirements: include_str!("../../xtask/requirements/aws.txt"),
        programs: &["aws", "moto_server"],
    },
    Environment {
        name: "az",
        requirements: include_str!("../../xtask/requirements/az.txt"),
        programs: &["az"],
    },
];

/// A Python environment with pinned packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its name: `xtask/requirements/NAME.txt` says what is in it.
    pub name: &'static str,
    /// The text of that file.
    pub requirements: &'static str,
    /// What it is for.
    pub programs: &'static [&'static str],
}

impl Environment {
    /// Where it lies or would lie: its name has the digest of the requirements.
    pub fn dir(&self, root: &Path) -> PathBuf {
        let digest: String =
            Sha256::digest(self.requirements).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        root.join(format!("{}-{digest}", self.name))
    }

    /// Whether it is there and nothing of it is missing.
    pub fn is_whole(&self, root: &Path) -> bool {
        let dir = self.dir(root);
        // The Python that it was made from may be gone since: then `bin/python` leads nowhere.
        let needed = self.programs.iter().chain(&["python"]);
        dir.join(STAMP).is_file() && needed.into_iter().all(|program| dir.join("bin").join(program).is_file())
    }

    /// Its `bin`, if it is whole.
    pub fn bin(&self, root: &Path) -> Option<PathBuf> {
        self.is_whole(root).then(|| self.dir(root).join("bin"))
    }
}

/// The directory of all environments: `$WINDLASS_TEST_TOOLS`, else in `$XDG_CACHE_HOME`, else in `~/.cache`.
/// `None`: there is no home either.
pub fn root() -> Option<PathBuf> {
    root_from(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn root_from(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let cache = || variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    variable(ROOT_VARIABLE).or_else(|| cache().map(|cache| cache.join("windlass-test-tools")))
}

/// The `aws` of the environment. `None`, after a line that says so: it is not there.
///
/// # Panics
/// Instead of that under `CI=true`.
pub fn aws() -> Option<PathBuf> {
    program("aws")
}

/// The `moto_server` of the environment, as [`aws`].
///
/// # Panics
/// As [`aws`].
pub fn moto_server() -> Option<PathBuf> {
    program("moto_server")
}

/// The `az` of the environment, as [`aws`].
///
/// # Panics
/// As [`aws`].
pub fn az() -> Option<PathBuf> {
    program("az")
}

fn program(name: &str) -> Option<PathBuf> {
    let environment = ENVIRONMENTS.iter().find(|environment| environment.programs.contains(&name));
    let bin = environment.zip(root()).and_then(|(environment, root)| environment.bin(&root));
    if bin.is_none() {
        skipped(&format!("{name} is not installed: `cargo xtask tools` does it"));
    }
    bin.map(|bin| bin.join(name))
}

/// Says that a test cannot run here, in one line.
///
/// # Panics
/// Under `CI=true`, where everything must run.
pub fn skipped(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    say(&format!("skipped: {why}"));
}

#[expect(clippy::print_stdout, reason = "whoever runs a test has to see that it did not run")]
fn say(line: &str) {
    println!("{line}");
}

/// `PATH` as it is, with a directory before all others.
pub fn path_with(first: &Path) -> String {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    format!("{}:{}", first.display(), rest.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_of(set: &[(&str, &str)]) -> Option<PathBuf> {
        root_from(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value)))
    }

    #[test]
    fn the_root_is_found_in_order() {
        assert_eq!(root_of(&[]), None);
        assert_eq!(root_of(&[("HOME", "/h")]), Some("/h/.cache/windlass-test-tools".into()));
        let cache = [("HOME", "/h"), ("XDG_CACHE_HOME", "/c")];
        assert_eq!(root_of(&cache), Some("/c/windlass-test-tools".into()));
        let told = [("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), (ROOT_VARIABLE, "/t")];
        assert_eq!(root_of(&told), Some("/t".into()));
    }

    #[test]
    fn other_requirements_are_another_directory() {
        let [aws, _] = ENVIRONMENTS;
        let other = Environment { requirements: "moto==1", ..aws };
        assert_ne!(aws.dir(Path::new("/r")), other.dir(Path::new("/r")));
    }

    #[cfg(feature = "grounds")]
    #[test]
    fn half_an_environment_is_none() {
        let root = tempfile::tempdir().unwrap();
        let environment = Environment { name: "a", requirements: "b", programs: &["c"] };
        let dir = environment.dir(root.path());
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        for file in ["bin/python", "bin/c"] {
            std::fs::write(dir.join(file), "").unwrap();
        }
        assert_eq!(environment.bin(root.path()), None);
        std::fs::write(dir.join(STAMP), "").unwrap();
        assert_eq!(environment.bin(root.path()), Some(dir.join("bin")));
        std::fs::remove_file(dir.join("bin/python")).unwrap();
        assert_eq!(environment.bin(root.path()), None);
    }
}
