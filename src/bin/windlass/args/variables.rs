//! `--var` and `--var-file` in the order given: the later one wins.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// Where values of variables come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VariableSource {
    /// `--var name=value`
    Given {
        /// The variable.
        name: String,
        /// Its value as typed.
        text: String,
    },
    /// `--var-file FILE`
    File(PathBuf),
}

impl fmt::Display for VariableSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VariableSource::Given { name, text } => write!(f, "{name}={text}"),
            VariableSource::File(path) => write!(f, "@{}", path.display()),
        }
    }
}

/// Both flags. Written by hand: clap's derive does not keep the order of two flags.
#[derive(Clone, Debug, Default)]
pub struct VariableArgs(pub Vec<VariableSource>);

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("it reads NAME=VALUE".to_owned()),
    }
}

impl clap::Args for VariableArgs {
    fn augment_args(command: Command) -> Command {
        let heading = super::globals::HEADING;
        command
            .arg(
                Arg::new("var")
                    .long("var")
                    .value_name("NAME=VALUE")
                    .action(ArgAction::Append)
                    .value_parser(assignment)
                    .help_heading(heading)
                    .help("Give a variable a value (more than once; the later one wins)"),
            )
            .arg(
                Arg::new("var-file")
                    .long("var-file")
                    .value_name("FILE")
                    .action(ArgAction::Append)
                    .value_parser(value_parser!(OsString))
                    .help_heading(heading)
                    .help("Read values of variables from a file of `name = value` lines, or JSON"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for VariableArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let indices = |id| matches.indices_of(id).into_iter().flatten();
        let given = matches.get_many::<(String, String)>("var").into_iter().flatten();
        let given =
            given.map(|(name, text)| VariableSource::Given { name: name.clone(), text: text.clone() });
        let files = matches.get_many::<OsString>("var-file").into_iter().flatten();
        let files = files.map(|path| VariableSource::File(PathBuf::from(path)));
        let mut all: Vec<(usize, VariableSource)> =
            indices("var").zip(given).chain(indices("var-file").zip(files)).collect();
        all.sort_by_key(|(index, _)| *index);
        Ok(VariableArgs(all.into_iter().map(|(_, source)| source).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
