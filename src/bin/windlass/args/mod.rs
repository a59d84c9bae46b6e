//! The command line: what was typed ([`Cli`]), and what it means ([`Options`]).

mod globals;
mod variables;

use clap::Parser;

pub use globals::{Common, Options, With};
pub use variables::VariableSource;

use crate::commands::Command;
use crate::exit;

/// A declarative plan/apply engine over the deployment tools that you already have.
#[derive(Parser, Debug)]
#[command(name = "windlass", version, after_help = exit::TABLE, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    pub(super) fn parse(line: &str) -> Result<(Common, Command), clap::Error> {
        let cli = Cli::try_parse_from(line.split_whitespace())?;
        Ok(cli.command.with(cli.common))
    }

    fn common(line: &str) -> Common {
        parse(line).unwrap().0
    }

    #[test]
    fn the_table_of_commands_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_anywhere_and_are_never_lost() {
        let found = common("windlass -C a -e dev --var x=1 plan --var-file f --var y=2 -e prod --json");
        assert_eq!(found.dir.as_deref(), Some(std::path::Path::new("a")));
        assert_eq!(found.environment.as_deref(), Some("prod"));
        assert!(found.json);
        let order: Vec<String> = found.variables.0.iter().map(ToString::to_string).collect();
        assert_eq!(order, ["x=1", "@f", "y=2"]);
        let found = common("windlass --target a.b state --target c.d list --target e.f");
        assert_eq!(found.target.len(), 3);
    }

    #[test]
    fn wrong_values_are_refused() {
        for line in [
            "windlass",
            "windlass nope",
            "windlass plan --var novalue",
            "windlass plan --var =x",
            "windlass plan --parallelism 0",
            "windlass plan --target not-an-address",
            "windlass plan --deadline soon",
            "windlass plan --destroy --rollback 3",
            "windlass plan --refresh=maybe",
            "windlass rollback",
            "windlass state",
            "windlass state mv local_file.a",
            "windlass show a b",
            "windlass graph --dot --mermaid",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn every_command_is_there() {
        for line in [
            "windlass init",
            "windlass validate",
            "windlass graph --mermaid",
            "windlass plan --out p --detailed-exitcode --refresh=always --replace a.b",
            "windlass plan --refresh-only",
            "windlass plan --rollback 3",
            "windlass apply plan.file",
            "windlass apply --auto-approve --after-rollback",
            "windlass approve plan.file --yes",
            "windlass destroy --auto-approve",
            "windlass resume 01JX --auto-approve",
            "windlass rollback --to 3 --reason because --auto-approve",
            "windlass drift --detailed-exitcode",
            "windlass output url --raw",
            "windlass show local_file.a",
            "windlass state list",
            "windlass state show a.b",
            "windlass state versions",
            "windlass state diff 1 2",
            "windlass state mv a.b a.c --auto-approve",
            "windlass state list --stack gone",
            "windlass state rm a.b a.c",
            "windlass state import a.b id",
            "windlass state pull",
            "windlass state unlock 01JX",
            "windlass state doctor",
            "windlass doctor",
            "windlass completions bash",
            "windlass supervise",
        ] {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).err().unwrap());
        }
    }
}
