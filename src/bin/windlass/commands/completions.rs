//! `windlass completions`

use clap::CommandFactory;
use clap_complete::Shell;

use super::Context;
use crate::args::Cli;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// For which shell
    pub shell: Shell,
}

/// Runs it.
pub fn run(context: &mut Context, args: Args) -> Outcome {
    context.output.result(&script(args.shell));
    Ok(Exit::Done)
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "windlass", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let script = script(shell);
            assert!(script.contains("rollback") && script.contains("lock-timeout"), "{shell}");
        }
    }
}
