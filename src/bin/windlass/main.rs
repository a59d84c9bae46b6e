//! The `windlass` command: the only code that knows a terminal, the process's environment and its exit.

mod args;
mod commands;
mod engine;
mod exit;
mod failure;
mod moment;
mod output;
mod prompt;
mod report;
mod signals;
mod surroundings;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use windlass::stack::Checkout;
use windlass_model::Diagnostic;

use crate::args::{Cli, Options};
use crate::commands::{Command, Context};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::signals::Signals;
use crate::surroundings::Surroundings;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the command line")]
fn main() -> ExitCode {
    let surroundings = match Surroundings::capture() {
        Ok(surroundings) => surroundings,
        Err(error) => {
            let output = Output::new(&Surroundings::default(), true, false);
            output.progress(&format!("error: cannot find the working directory: {error}\n"));
            return Exit::Failed.into();
        }
    };
    ExitCode::from(run(surroundings, std::env::args_os().collect()))
}

/// Parses, runs, reports; the exit code.
fn run(surroundings: Surroundings, arguments: Vec<OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&surroundings, &error).code(),
    };
    let (common, command) = cli.command.with(cli.common);
    let options = common.resolve(&surroundings.cwd);
    let mut output = Output::new(&surroundings, options.no_color, options.verbose);
    output.command.clone_from(&options.command);
    if command.is_supervise() {
        return commands::supervise::run(output.errors());
    }
    let outcome =
        command.check(&options).and_then(|()| start(options.clone(), surroundings, output.clone(), command));
    finish(&options, &output, outcome).code()
}

/// Help and version are results; anything else is a usage error.
fn not_parsed(surroundings: &Surroundings, error: &clap::Error) -> Exit {
    let output = Output::new(surroundings, false, false);
    let text = error.render();
    let styled = |color: bool| if color { text.ansi().to_string() } else { text.to_string() };
    if error.use_stderr() {
        output.progress(&styled(output.progress_style.color));
        return Exit::Usage;
    }
    output.result(&styled(output.result_style.color));
    written(&output, Exit::Done)
}

fn start(options: Options, surroundings: Surroundings, output: Output, command: Command) -> Outcome {
    if let Some(name) = surroundings.unreadable.iter().find(|name| name.starts_with("WINDLASS_")) {
        return Err(Failure::usage(format!("the environment variable {name} is not UTF-8")));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let outcome = runtime.block_on(async {
        let signals = Signals::listen()
            .map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
        command.run(&mut Context { options, surroundings, output, signals }).await
    });
    // A question that nobody answered may still be read.
    runtime.shutdown_background();
    outcome
}

/// Tells what went wrong, and decides the exit code.
fn finish(options: &Options, output: &Output, outcome: Outcome) -> Exit {
    let exit = match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            let checkout = Checkout::open(&options.dir).ok();
            let source = |file: &str| engine::text(checkout.as_ref()?, file);
            output.told(&failure.diagnostics, &source);
            failure.exit
        }
    };
    written(output, exit)
}

/// A success whose result could not be written is a failure.
fn written(output: &Output, exit: Exit) -> Exit {
    match output.failure() {
        Some(message) if exit.is_success() => {
            let list = [Diagnostic::error(message)];
            output.told(&list, &|_| None);
            Exit::Failed
        }
        _ => exit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(line: &str) -> u8 {
        let surroundings = Surroundings { cwd: std::env::temp_dir(), ..Surroundings::default() };
        run(surroundings, line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn codes_of_the_command_line() {
        assert_eq!(exit("windlass --version"), Exit::Done.code());
        assert_eq!(exit("windlass help-me"), Exit::Usage.code());
        assert_eq!(exit("windlass"), Exit::Usage.code());
        assert_eq!(exit("windlass apply --json"), Exit::Usage.code());
        assert_eq!(exit("windlass completions fish"), Exit::Done.code());
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_a_usage_error() {
        let unreadable = vec!["WINDLASS_VAR_x".to_owned()];
        let surroundings = Surroundings { unreadable, cwd: std::env::temp_dir(), ..Surroundings::default() };
        assert_eq!(run(surroundings, ["windlass", "plan"].map(OsString::from).to_vec()), 64);
    }
}
