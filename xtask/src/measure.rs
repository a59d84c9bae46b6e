//! What one command costs: a process of our own runs it and reads what its children used, so that each measurement stands
//! alone (`RUSAGE_CHILDREN` counts every child that a process ever had).

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::say;

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "measure-child";

/// What a command cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Seconds on the wall.
    pub wall_s: f64,
    /// Seconds of user and system time, of it and all its children.
    pub cpu_s: f64,
    /// The peak of resident memory of its largest process, in MiB.
    pub peak_mib: f64,
}

/// A command to run, with nothing in its environment but `env` and `PATH`.
#[derive(Clone, Debug)]
pub struct Call {
    /// What.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where.
    pub dir: PathBuf,
    /// Its environment.
    pub env: Vec<(&'static str, PathBuf)>,
}

impl Call {
    /// Runs it and says what it cost.
    ///
    /// # Errors
    /// Where it fails: then with what it said.
    pub fn measure(&self) -> Result<Cost> {
        let this = std::env::current_exe().context("find this program")?;
        let mut measured = Command::new(this);
        measured.arg(SUBCOMMAND).arg(&self.program);
        parse(&self.end(measured)?).with_context(|| format!("measure `{self}`"))
    }

    /// Runs it; returns its standard output.
    ///
    /// # Errors
    /// Where it fails: then with what it said.
    pub fn run(&self) -> Result<String> {
        self.end(Command::new(&self.program))
    }

    fn end(&self, mut command: Command) -> Result<String> {
        command.args(&self.args).current_dir(&self.dir).env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let output = command.envs(self.env.clone()).output().with_context(|| format!("start `{self}`"))?;
        if !output.status.success() {
            bail!("`{self}` failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program.display(), self.args.join(" "))
    }
}

/// The body of the subcommand. Whether the command succeeded.
///
/// # Errors
/// Where it cannot be started.
pub fn child(args: &[String]) -> Result<bool> {
    let Some((program, args)) = args.split_first() else { bail!("nothing to measure") };
    let started = Instant::now();
    let status =
        Command::new(program).args(args).stdout(Stdio::null()).status().context("start the command")?;
    let wall = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("read what it used")?;
    let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    say::line(&format!("{} {cpu_us} {}", wall.as_micros(), usage.max_rss()));
    Ok(status.success())
}

fn parse(line: &str) -> Result<Cost> {
    let mut numbers = line.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next().context("a number is missing")?.context("not a number");
    let (wall_us, cpu_us, peak_kib) = (next()?, next()?, next()?);
    Ok(Cost { wall_s: wall_us / 1e6, cpu_s: cpu_us / 1e6, peak_mib: peak_kib / 1024.0 })
}

/// The median of each figure by itself.
pub fn median(costs: &[Cost]) -> Cost {
    let middle = |figure: fn(&Cost) -> f64| {
        let mut figures: Vec<f64> = costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        match figures.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => figures[n / 2],
            n => f64::midpoint(figures[n / 2 - 1], figures[n / 2]),
        }
    };
    Cost {
        wall_s: middle(|cost| cost.wall_s),
        cpu_s: middle(|cost| cost.cpu_s),
        peak_mib: middle(|cost| cost.peak_mib),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_cost() {
        let cost = parse("1500000 250000 2048\n").unwrap();
        assert_eq!(cost, Cost { wall_s: 1.5, cpu_s: 0.25, peak_mib: 2.0 });
        assert!(parse("1 2").is_err());
        assert!(parse("a b c").is_err());
    }

    #[test]
    fn the_median_ignores_an_outlier() {
        let cost = |wall_s| Cost { wall_s, cpu_s: 1.0, peak_mib: 1.0 };
        assert_eq!(median(&[cost(9.0), cost(1.0), cost(2.0)]).wall_s, 2.0);
        assert_eq!(median(&[cost(1.0), cost(2.0)]).wall_s, 1.5);
    }
}
