//! `cargo xtask bench`: the same stacks planned and applied by terraform and by the release build of windlass, in turns in one
//! run, so that a busy machine slows both.

mod cloudformation;
mod generate;
mod report;
mod tools;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::bench::generate::Shape;
use crate::bench::tools::{Terraform, Tool, Windlass};
use crate::measure::{self, Cost};
use crate::{say, workspace};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    quick: bool,
    runs: usize,
    /// Only this suite.
    only: Option<Suite>,
}

/// A part that is measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suite {
    CloudFormation,
}

impl Options {
    /// From arguments.
    ///
    /// # Errors
    /// On an unknown one, or a number of runs that is none.
    pub fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self { quick: false, runs: 3, only: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => (options.quick, options.runs) = (true, 1),
                "cloudformation" => options.only = Some(Suite::CloudFormation),
                "--runs" => {
                    let runs = args.next().context("--runs needs a number")?;
                    options.runs =
                        runs.parse().ok().filter(|n| *n > 0).context("--runs needs a number above 0")?;
                }
                other => bail!("unknown option {other} of `cargo xtask bench`"),
            }
        }
        Ok(options)
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// A plan of a stack of which nothing exists.
    Plan,
    /// A plan of a stack of which all exists.
    NoChange,
    /// An apply of a stack of which nothing exists.
    Apply,
}

impl Work {
    fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::NoChange => "no-change plan",
            Self::Apply => "apply",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Case {
    work: Work,
    shape: Shape,
    count: usize,
    /// Terraform takes part (it is not asked where it would take minutes).
    twin: bool,
}

/// A case with its medians.
#[derive(Clone, Copy, Debug)]
struct Measured {
    case: Case,
    windlass: Cost,
    terraform: Option<Cost>,
}

/// The sizes: the largest that terraform plans, that it applies, and that windlass alone is asked.
struct Sizes {
    plan: [usize; 2],
    apply: usize,
    alone: usize,
}

const FULL: Sizes = Sizes { plan: [1_000, 10_000], apply: 1_000, alone: 100_000 };
const QUICK: Sizes = Sizes { plan: [50, 200], apply: 50, alone: 2_000 };

fn cases(sizes: &Sizes) -> Vec<Case> {
    let [small, large] = sizes.plan;
    let mut cases = Vec::new();
    for shape in [Shape::Independent, Shape::Layers] {
        let case = |work, count, twin| Case { work, shape, count, twin };
        cases.extend([
            case(Work::Plan, small, true),
            case(Work::Plan, large, true),
            case(Work::Plan, sizes.alone, false),
            case(Work::NoChange, large, shape == Shape::Independent),
            case(Work::NoChange, sizes.alone, false),
            case(Work::Apply, sizes.apply, true),
            case(Work::Apply, large, false),
            case(Work::Apply, sizes.alone, false),
        ]);
    }
    cases
}

/// Measures all cases and writes the report. Whether every goal was met.
///
/// # Errors
/// Where a tool is missing, fails, or did not do what was measured.
pub fn run(options: &Options) -> Result<bool> {
    if options.only == Some(Suite::CloudFormation) {
        return cloudformation::run(options.runs);
    }
    let work_dir = workspace::target().join("bench");
    let windlass = Windlass::build(&work_dir)?;
    let terraform = Terraform::find(&work_dir)?;
    let sizes = if options.quick { QUICK } else { FULL };
    let mut all = Vec::new();
    for case in cases(&sizes) {
        let measured = measure_case(&case, options.runs, &windlass, &terraform)?;
        say::line(&report::progress(&measured));
        all.push(measured);
    }
    std::fs::remove_dir_all(&work_dir).context("remove the generated stacks")?;
    let report = report::Report::new(&all, &sizes, options.runs, &terraform.version()?);
    say::line(&report.text);
    if options.quick {
        return Ok(true);
    }
    let path: PathBuf = workspace::root().join("docs").join("benchmarks.md");
    std::fs::write(&path, &report.text).with_context(|| format!("write {}", path.display()))?;
    Ok(report.goals_met)
}

fn measure_case(case: &Case, runs: usize, windlass: &Windlass, terraform: &Terraform) -> Result<Measured> {
    windlass.prepare(case)?;
    if case.twin {
        terraform.prepare(case)?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        if case.twin {
            theirs.push(terraform.measure(case)?);
        }
        ours.push(windlass.measure(case)?);
    }
    windlass.check(case)?;
    let terraform = (!theirs.is_empty()).then(|| measure::median(&theirs));
    Ok(Measured { case: *case, windlass: measure::median(&ours), terraform })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| (*arg).to_owned()).collect()
    }

    #[test]
    fn options_are_known() {
        assert_eq!(Options::parse(&args(&[])).unwrap(), Options { quick: false, runs: 3, only: None });
        assert_eq!(
            Options::parse(&args(&["--quick"])).unwrap(),
            Options { quick: true, runs: 1, only: None }
        );
        assert_eq!(Options::parse(&args(&["--runs", "7"])).unwrap().runs, 7);
        assert_eq!(Options::parse(&args(&["cloudformation"])).unwrap().only, Some(Suite::CloudFormation));
        assert!(Options::parse(&args(&["--runs", "0"])).is_err());
        assert!(Options::parse(&args(&["--runs"])).is_err());
        assert!(Options::parse(&args(&["--slow"])).is_err());
    }

    #[test]
    fn terraform_is_not_asked_what_would_take_it_minutes() {
        for case in cases(&FULL).iter().filter(|case| case.twin) {
            let limit = if case.work == Work::Apply { 1_000 } else { 10_000 };
            assert!(case.count <= limit, "{case:?}");
        }
        assert!(cases(&FULL).iter().any(|case| case.count == 100_000));
    }
}
