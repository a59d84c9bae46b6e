//! `cargo xtask tools`: the Python environments that the tests of the providers need, laid where all checkouts find them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use windlass_testing::tools::{ENVIRONMENTS, Environment, STAMP, root};

use crate::{say, workspace};

/// The Python that the requirements were resolved for.
const PYTHON: &str = "3.11";

/// Lays what is missing, and says where each is. What cannot be had, in a line each.
///
/// # Errors
/// Where the cache cannot be written.
pub fn lay() -> Result<Vec<String>> {
    let Some(root) = root() else {
        return Ok(vec!["there is no home to keep tools in: set WINDLASS_TEST_TOOLS".to_owned()]);
    };
    fs::create_dir_all(&root).with_context(|| format!("make {}", root.display()))?;
    let mut missing = Vec::new();
    for environment in ENVIRONMENTS {
        let found = ensure(&root, &environment, install)?;
        match found {
            Ok(()) => say::line(&format!("{} is in {}", environment.name, environment.dir(&root).display())),
            Err(why) => missing.push(format!("{} cannot be had: {why}", environment.programs.join(" and "))),
        }
    }
    Ok(missing)
}

/// Has an environment made if it is not whole. The inner result is of the making.
fn ensure(
    root: &Path,
    environment: &Environment,
    make: impl FnOnce(&Path, &Path) -> Result<()>,
) -> Result<Result<(), String>> {
    if environment.is_whole(root) {
        return Ok(Ok(()));
    }
    let dir = environment.dir(root);
    let lock_path = dir.with_added_extension("lock");
    let lock = File::create(&lock_path).with_context(|| format!("make {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("lock {}", lock_path.display()))?;
    // Another may have made it while we waited.
    if environment.is_whole(root) {
        return Ok(Ok(()));
    }
    remove(&dir)?;
    let requirements = workspace::root().join("xtask/requirements").join(format!("{}.txt", environment.name));
    say::line(&format!("laying {} in {}", environment.name, dir.display()));
    if let Err(error) = make(&dir, &requirements) {
        return Ok(Err(format!("{error:#}")));
    }
    // An environment cannot be moved, so it is made in place, and is whole with its stamp.
    fs::write(dir.join(STAMP), environment.requirements).context("stamp it as whole")?;
    if environment.is_whole(root) {
        Ok(Ok(()))
    } else {
        Ok(Err(format!("{} lacks a program of {:?}", dir.display(), environment.programs)))
    }
}

fn remove(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("remove the half-made {}", dir.display()))?;
    }
    Ok(())
}

fn install(dir: &Path, requirements: &Path) -> Result<()> {
    let python = python()?;
    run(Command::new(python).args(["-m", "venv"]).arg(dir))?;
    let mut pip = Command::new(dir.join("bin").join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"]);
    run(pip.arg(requirements))
}

fn run(command: &mut Command) -> Result<()> {
    let text = format!("{command:?}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("start {text}"))?;
    if status.success() { Ok(()) } else { bail!("{text} ended with {status}") }
}

/// A Python of the right version: a name on `PATH` may be a stand-in that finds none.
fn python() -> Result<PathBuf> {
    let names = [format!("python{PYTHON}"), "python3".to_owned(), "python".to_owned()];
    let found = names.iter().filter_map(|name| workspace::find(name)).find(|python| is_right(python));
    found.with_context(|| format!("there is no Python {PYTHON} on PATH"))
}

fn is_right(python: &Path) -> bool {
    let output = Command::new(python).arg("--version").output();
    output
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).starts_with(&format!("Python {PYTHON}.")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const TINY: Environment = Environment { name: "tiny", requirements: "x==1", programs: &["x"] };

    fn fill(dir: &Path) -> Result<()> {
        fs::create_dir_all(dir.join("bin"))?;
        for program in ["python", "x"] {
            fs::write(dir.join("bin").join(program), "")?;
        }
        Ok(())
    }

    #[test]
    fn an_interrupted_installation_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let cut = ensure(root.path(), &TINY, |dir, _| {
            fill(dir)?;
            fs::write(dir.join("half"), "")?;
            bail!("cut off")
        });
        assert_eq!(cut.unwrap().unwrap_err(), "cut off");
        assert!(!TINY.is_whole(root.path()));
        ensure(root.path(), &TINY, |dir, _| fill(dir)).unwrap().unwrap();
        assert!(TINY.is_whole(root.path()));
        assert!(!TINY.dir(root.path()).join("half").exists());
    }

    #[test]
    fn a_whole_one_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        ensure(root.path(), &TINY, |dir, _| fill(dir)).unwrap().unwrap();
        ensure(root.path(), &TINY, |_, _| bail!("made again")).unwrap().unwrap();
    }

    #[test]
    fn two_at_once_make_it_once() {
        let root = tempfile::tempdir().unwrap();
        let made = AtomicUsize::new(0);
        let make = |dir: &Path| {
            made.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(50));
            fill(dir)
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| ensure(root.path(), &TINY, |dir, _| make(dir)).unwrap().unwrap());
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_lacks_its_program_is_not_whole() {
        let root = tempfile::tempdir().unwrap();
        let made = ensure(root.path(), &TINY, |dir, _| Ok(fs::create_dir_all(dir.join("bin"))?));
        assert!(made.unwrap().unwrap_err().contains("lacks a program"));
    }
}
