//! The table of commands. Each is one thin file: its flags, one call of `windlass::ops`, its result on stdout.

mod apply;
mod approve;
mod completions;
mod destroy;
mod doctor;
mod drift;
mod graph;
mod init;
mod output;
mod plan;
mod resume;
mod rollback;
mod show;
mod state;
pub mod supervise;
mod validate;

use crate::args::{Common, Options, With};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::signals::Signals;
use crate::surroundings::Surroundings;

/// What a command may use.
pub struct Context {
    /// The flags of every command.
    pub options: Options,
    /// The environment, the user, the machine.
    pub surroundings: Surroundings,
    /// Where to write.
    pub output: Output,
    /// Ctrl-C and the like.
    pub signals: Signals,
}

/// What to do.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Write a commented starter stack
    Init(With<init::Args>),
    /// Check the stack's files; needs no state and no tool
    Validate(With<validate::Args>),
    /// Show what depends on what
    Graph(With<graph::Args>),
    /// Show what an apply would do, and why
    Plan(With<plan::Args>),
    /// Make the world as the stack says, or carry out a saved plan
    Apply(With<apply::Args>),
    /// Delete everything
    Destroy(With<destroy::Args>),
    /// Go on with an unfinished run
    Resume(With<resume::Args>),
    /// Make the world as an earlier version said
    Rollback(With<rollback::Args>),
    /// Ask every resource and report what differs from state
    Drift(With<drift::Args>),
    /// Show outputs
    Output(With<output::Args>),
    /// Show a saved plan, a resource, or the whole state
    Show(With<show::Args>),
    /// Record an approval of exactly one plan
    Approve(With<approve::Args>),
    /// Look at state and change it
    State(Box<With<state::Args>>),
    /// List the tools, their versions, what is missing and how to get it
    Doctor(With<doctor::Args>),
    /// Write a completion script for a shell
    Completions(With<completions::Args>),
    /// Run one tool and write down how it ended (rule T1); its instructions are on stdin
    #[command(hide = true)]
    Supervise(With<supervise::Args>),
}

macro_rules! for_each {
    ($command:expr, $with:ident => $body:expr, $($name:ident),*) => {
        match $command { $(Command::$name($with) => $body,)* }
    };
}

impl Command {
    /// Joins the flags before the command's name with those behind it.
    pub fn with(self, outer: Common) -> (Common, Command) {
        let inner = for_each!(&self, with => with.common.clone(), Init, Validate, Graph, Plan, Apply, Destroy, Resume,
            Rollback, Drift, Output, Show, Approve, State, Doctor, Completions, Supervise);
        let mut common = outer.and(inner);
        if let Command::State(with) = &self {
            common = common.and(with.own.common());
        }
        (common, self)
    }

    /// What is wrong with the flags together, which clap cannot say.
    pub fn check(&self, options: &Options) -> Result<(), Failure> {
        match self {
            Command::Apply(with) => with.own.check(options),
            Command::Destroy(with) => needs_approval_flag("destroy", options, with.own.auto_approve),
            Command::Rollback(with) => needs_approval_flag("rollback", options, with.own.auto_approve),
            Command::Output(with) => with.own.check(options),
            Command::Graph(with) => with.own.check(options),
            Command::Approve(with) => with.own.check(options),
            Command::State(with) => with.own.check(options),
            _ => Ok(()),
        }
    }

    /// Runs it.
    pub async fn run(self, context: &mut Context) -> Outcome {
        match self {
            Command::Init(with) => init::run(context, with.own),
            Command::Validate(with) => validate::run(context, with.own),
            Command::Graph(with) => graph::run(context, with.own).await,
            Command::Plan(with) => plan::run(context, with.own).await,
            Command::Apply(with) => apply::run(context, with.own).await,
            Command::Destroy(with) => destroy::run(context, with.own).await,
            Command::Resume(with) => resume::run(context, with.own).await,
            Command::Rollback(with) => rollback::run(context, with.own).await,
            Command::Drift(with) => drift::run(context, with.own).await,
            Command::Output(with) => output::run(context, with.own).await,
            Command::Show(with) => show::run(context, with.own).await,
            Command::Approve(with) => approve::run(context, with.own).await,
            Command::State(with) => state::run(context, with.own).await,
            Command::Doctor(with) => doctor::run(context, with.own).await,
            Command::Completions(with) => completions::run(context, with.own),
            Command::Supervise(_) => Err(Failure::failed("a supervisor is a process of its own")),
        }
    }

    /// Whether it is the supervisor, which has its own rules for signals and output.
    pub fn is_supervise(&self) -> bool {
        matches!(self, Command::Supervise(_))
    }
}

/// Events and a question do not go together: a run with `--json` says beforehand that nobody is asked.
fn needs_approval_flag(name: &str, options: &Options, auto_approve: bool) -> Result<(), Failure> {
    if options.json && !auto_approve {
        return Err(Failure::usage(format!("`{name} --json` asks nobody: it needs `--auto-approve`")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;
    use crate::exit::Exit;
    use crate::output::Captured;

    /// A context whose output is captured: stdout, stderr.
    pub(super) fn context() -> (Context, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let context = Context {
            options: Common::default().resolve("/".as_ref()),
            surroundings: Surroundings::default(),
            output: Output::to(Box::new(out.clone()), Box::new(err.clone())),
            signals: Signals::none(),
        };
        (context, out, err)
    }

    fn check(line: &str) -> Option<Exit> {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let (common, command) = cli.command.with(cli.common);
        command.check(&common.resolve("/".as_ref())).err().map(|failure| failure.exit)
    }

    #[test]
    fn flags_that_do_not_go_together_are_usage_errors() {
        for line in [
            "windlass apply --json",
            "windlass destroy --json",
            "windlass --json rollback --to 1",
            "windlass apply plan.file --var a=1",
            "windlass apply plan.file --target a.b",
            "windlass apply plan.file --refresh always",
            "windlass output --raw",
            "windlass output x --raw --json",
            "windlass graph --dot --json",
        ] {
            assert_eq!(check(line), Some(Exit::Usage), "{line}");
        }
        for line in [
            "windlass apply --json --auto-approve",
            "windlass apply plan.file --json",
            "windlass apply plan.file -e dev",
            "windlass destroy --json --auto-approve",
            "windlass resume --json",
            "windlass output x --raw",
            "windlass plan --json",
        ] {
            assert_eq!(check(line), None, "{line}");
        }
    }
}
