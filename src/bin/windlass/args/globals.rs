//! The flags that every command takes, before or after its name.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windlass_model::Address;

use super::variables::{VariableArgs, VariableSource};
use crate::moment::parse_duration;

/// The heading in the help text.
pub const HEADING: &str = "Global options";

/// How many steps run at once.
const PARALLELISM: usize = 10;
/// How long a step may go on after the deadline before it is interrupted.
const GRACE: Duration = Duration::from_secs(120);

/// As typed. Not clap's `global`: that one silently drops `--var a=1` of `windlass --var a=1 plan --var b=2`.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = HEADING)]
pub struct Common {
    /// Work as if started in this directory
    #[arg(short = 'C', value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The environment
    #[arg(short = 'e', long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Write one JSON document, or for a run one event a line
    #[arg(long)]
    pub json: bool,
    /// No colours
    #[arg(long)]
    pub no_color: bool,
    /// Show everything
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// How many steps run at once (10)
    #[arg(long, value_name = "N")]
    pub parallelism: Option<NonZeroUsize>,
    /// Only this resource and what it depends on (more than once)
    #[arg(long, value_name = "ADDRESS")]
    pub target: Vec<Address>,
    /// Stop after this time, counted from the start: as Ctrl-C
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub deadline: Option<Duration>,
    /// How long running steps may go on after the deadline (2m)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub grace: Option<Duration>,
    /// Wait for the lock this long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub lock_timeout: Option<Duration>,
    #[command(flatten)]
    pub variables: VariableArgs,
}

/// A command's own flags and the ones of every command.
#[derive(clap::Args, Clone, Debug)]
pub struct With<T: clap::Args> {
    #[command(flatten)]
    pub own: T,
    #[command(flatten)]
    pub common: Common,
}

impl Common {
    /// These, before the command's name, and those behind it: single values of the latter win, lists are joined.
    pub fn and(mut self, inner: Common) -> Common {
        self.target.extend(inner.target);
        self.variables.0.extend(inner.variables.0);
        Common {
            dir: inner.dir.or(self.dir),
            environment: inner.environment.or(self.environment),
            json: self.json || inner.json,
            no_color: self.no_color || inner.no_color,
            verbose: self.verbose || inner.verbose,
            parallelism: inner.parallelism.or(self.parallelism),
            target: self.target,
            deadline: inner.deadline.or(self.deadline),
            grace: inner.grace.or(self.grace),
            lock_timeout: inner.lock_timeout.or(self.lock_timeout),
            variables: self.variables,
        }
    }

    /// What they mean for a process that was started in `cwd`.
    pub fn resolve(self, cwd: &Path) -> Options {
        let dir = self.dir.as_deref().map_or_else(|| cwd.to_owned(), |dir| cwd.join(dir));
        let absolute = |source| match source {
            VariableSource::File(path) => VariableSource::File(dir.join(path)),
            given => given,
        };
        Options {
            command: command(&self),
            variables: self.variables.0.into_iter().map(absolute).collect(),
            dir,
            environment: self.environment,
            json: self.json,
            no_color: self.no_color,
            verbose: self.verbose,
            parallelism: self.parallelism.map_or(PARALLELISM, NonZeroUsize::get),
            targets: self.target,
            deadline: self.deadline,
            grace: self.grace.unwrap_or(GRACE),
            lock_timeout: self.lock_timeout,
        }
    }
}

/// How the user would call Windlass again for the same environment: `windlass -C dir -e production`.
fn command(common: &Common) -> String {
    let mut text = "windlass".to_owned();
    if let Some(dir) = &common.dir {
        text.push_str(" -C ");
        text.push_str(&quoted(&dir.to_string_lossy()));
    }
    if let Some(environment) = &common.environment {
        text.push_str(" -e ");
        text.push_str(&quoted(environment));
    }
    text
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The flags of every command, with their meaning.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the user would call Windlass again for the same environment.
    pub command: String,
    /// The directory with the stack; paths on the command line are relative to it.
    pub dir: PathBuf,
    /// `-e`
    pub environment: Option<String>,
    /// `--json`
    pub json: bool,
    /// `--no-color`
    pub no_color: bool,
    /// `--verbose`
    pub verbose: bool,
    /// How many steps run at once.
    pub parallelism: usize,
    /// `--target`
    pub targets: Vec<Address>,
    /// `--deadline`, from the process's start.
    pub deadline: Option<Duration>,
    /// How long running steps may go on after the deadline.
    pub grace: Duration,
    /// How long to wait for the lock; `None`: not at all.
    pub lock_timeout: Option<Duration>,
    /// `--var` and `--var-file` in the order given; files are absolute.
    pub variables: Vec<VariableSource>,
}

impl Options {
    /// A path from the command line.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_directory() {
        let given = |path: &str| VariableSource::File(path.into());
        let common = Common {
            dir: Some("it's".into()),
            environment: Some("dev".into()),
            variables: VariableArgs(vec![given("a"), given("/b")]),
            ..Common::default()
        };
        let options = common.resolve(Path::new("/srv"));
        assert_eq!(options.dir, Path::new("/srv/it's"));
        assert_eq!(options.variables, [given("/srv/it's/a"), given("/b")]);
        assert_eq!(options.path(Path::new("plan")), Path::new("/srv/it's/plan"));
        assert_eq!(options.command, r"windlass -C 'it'\''s' -e dev");
        assert_eq!((options.parallelism, options.grace.as_secs()), (10, 120));
    }
}
