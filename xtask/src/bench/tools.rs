//! The two tools: how each is set up for a case, measured, and asked whether it did what was measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::generate::{Dialect, stack, terraform_state};
use super::{Case, Work};
use crate::measure::{Call, Cost};
use crate::workspace;

/// A tool that takes part.
pub trait Tool {
    /// Lays out the case's directory.
    ///
    /// # Errors
    /// Where that fails.
    fn prepare(&self, case: &Case) -> Result<()>;

    /// Does the case's work once.
    ///
    /// # Errors
    /// Where the tool fails.
    fn measure(&self, case: &Case) -> Result<Cost>;
}

/// The release build of windlass.
pub struct Windlass {
    binary: PathBuf,
    dir: PathBuf,
}

impl Windlass {
    /// Builds it.
    ///
    /// # Errors
    /// Where the build fails.
    pub fn build(work_dir: &Path) -> Result<Self> {
        let mut build = Command::new(workspace::cargo());
        build.args(["build", "--release", "--locked", "--bin", "windlass"]).current_dir(workspace::root());
        ensure!(build.status().context("start cargo")?.success(), "the release build failed");
        Ok(Self { binary: workspace::release_binary(), dir: work_dir.join("windlass") })
    }

    /// The binary.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    fn call(&self, args: &[&str]) -> Call {
        let env = vec![("HOME", self.dir.clone()), ("WINDLASS_ACTOR", "bench".into())];
        Call { program: self.binary.clone(), args: owned(args), dir: self.dir.clone(), env }
    }

    fn ask(&self, args: &[&str]) -> Result<Value> {
        let said = self.call(args).run()?;
        serde_json::from_str(&said).with_context(|| format!("read what windlass {} says", args.join(" ")))
    }

    /// Whether windlass did what was measured.
    ///
    /// # Errors
    /// Where it did not.
    pub fn check(&self, case: &Case) -> Result<()> {
        let wanted = if case.work == Work::Plan { case.count } else { 0 };
        let plan = self.ask(&["plan", "--json"])?;
        let planned = plan["summary"]["create"].as_u64();
        ensure!(
            planned == Some(wanted as u64),
            "{case:?}: the plan creates {planned:?} resources, not {wanted}"
        );
        if case.work != Work::Plan {
            let records = self.ask(&["state", "list", "--json"])?;
            let found = records.as_array().map(Vec::len);
            ensure!(found == Some(case.count), "{case:?}: state has {found:?} records");
        }
        Ok(())
    }
}

impl Tool for Windlass {
    fn prepare(&self, case: &Case) -> Result<()> {
        fresh(&self.dir)?;
        let text = stack(Dialect::Windlass, case.shape, case.count);
        write(&self.dir.join("bench.stack.hcl"), &text)?;
        if case.work == Work::NoChange {
            self.call(&["apply", "--auto-approve"]).run()?;
        }
        Ok(())
    }

    fn measure(&self, case: &Case) -> Result<Cost> {
        if case.work != Work::Apply {
            return self.call(&["plan"]).measure();
        }
        remove(&self.dir.join(".windlass"))?;
        self.call(&["apply", "--auto-approve"]).measure()
    }
}

/// The terraform on `PATH`.
pub struct Terraform {
    binary: PathBuf,
    dir: PathBuf,
}

impl Terraform {
    /// Finds it.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn find(work_dir: &Path) -> Result<Self> {
        let Some(binary) = workspace::find("terraform") else {
            bail!("terraform is not on PATH: nothing to compare with")
        };
        Ok(Self { binary, dir: work_dir.join("terraform") })
    }

    /// `Terraform v1.11.4`
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn version(&self) -> Result<String> {
        fresh(&self.dir)?;
        write(&self.dir.join("empty.tfrc"), "")?;
        let text = self.call(&["version"]).run()?;
        let line = text.lines().find(|line| line.starts_with("Terraform v"));
        Ok(line.context("terraform does not say its version")?.to_owned())
    }

    fn call(&self, args: &[&str]) -> Call {
        // Nothing of the user's settings: no plugin cache, no call home.
        let env = vec![
            ("HOME", self.dir.clone()),
            ("TF_CLI_CONFIG_FILE", self.dir.join("empty.tfrc")),
            ("CHECKPOINT_DISABLE", "1".into()),
            ("TF_IN_AUTOMATION", "1".into()),
        ];
        Call { program: self.binary.clone(), args: owned(args), dir: self.dir.clone(), env }
    }
}

impl Tool for Terraform {
    fn prepare(&self, case: &Case) -> Result<()> {
        fresh(&self.dir)?;
        write(&self.dir.join("empty.tfrc"), "")?;
        write(&self.dir.join("main.tf"), &stack(Dialect::Terraform, case.shape, case.count))?;
        self.call(&["init", "-input=false"]).run()?;
        if case.work == Work::NoChange {
            let state = serde_json::to_string(&terraform_state(case.count))?;
            write(&self.dir.join("terraform.tfstate"), &state)?;
            // Exit 2 would say that something changes: the generated state is not what terraform would have written.
            self.call(&["plan", "-input=false", "-detailed-exitcode"])
                .run()
                .context("the generated state has changes")?;
        }
        Ok(())
    }

    fn measure(&self, case: &Case) -> Result<Cost> {
        if case.work != Work::Apply {
            return self.call(&["plan", "-input=false", "-no-color"]).measure();
        }
        remove(&self.dir.join("terraform.tfstate"))?;
        self.call(&["apply", "-input=false", "-no-color", "-auto-approve"]).measure()
    }
}

fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

/// Writes a file.
///
/// # Errors
/// Where it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// An empty directory in the place of whatever is there.
///
/// # Errors
/// Where it cannot be made.
pub fn fresh(dir: &Path) -> Result<()> {
    remove(dir)?;
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))
}

/// A file or a directory with all in it; it may be absent.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("remove {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::Shape;
    use super::*;

    #[test]
    fn terraform_takes_what_is_generated_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let Ok(terraform) = Terraform::find(dir.path()) else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "terraform is not on PATH");
            println!("not tested: terraform is not on PATH");
            return;
        };
        assert!(terraform.version().unwrap().starts_with("Terraform v"));
        let case = |work, shape| Case { work, shape, count: 12, twin: true };
        // Fails if the generated state is not what terraform would have written.
        terraform.prepare(&case(Work::NoChange, Shape::Independent)).unwrap();
        terraform.prepare(&case(Work::Apply, Shape::Layers)).unwrap();
        let said = terraform.call(&["plan", "-input=false", "-no-color"]).run().unwrap();
        assert!(said.contains("Plan: 12 to add"), "{said}");
    }
}
