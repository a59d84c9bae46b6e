//! `windlass state`: a folder of small commands.

mod change;
mod doctor;
mod list;
mod versions;

use windlass_model::Address;

use super::Context;
use crate::args::{Common, Options, With};
use crate::failure::{Failure, Outcome};

pub use doctor::{Damage, damages, text as damage_text};
pub use list::write_show;

/// What to do with state.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The stack's name, where its files are gone
    #[arg(long, value_name = "NAME", global = true)]
    pub stack: Option<String>,
    #[command(subcommand)]
    pub command: StateCommand,
}

/// The commands.
#[derive(clap::Subcommand, Debug)]
pub enum StateCommand {
    /// List the resources in state
    List(With<ListArgs>),
    /// Show resources in state
    Show(With<ShowArgs>),
    /// List the versions that are kept
    Versions(With<NoArgs>),
    /// Show what differs between two versions
    Diff(With<DiffArgs>),
    /// Give a resource another address; nothing is created or deleted
    Mv(With<MvArgs>),
    /// Forget resources; the things themselves stay
    Rm(With<RmArgs>),
    /// Take in something that exists
    Import(With<ImportArgs>),
    /// Write the state as JSON
    Pull(With<PullArgs>),
    /// Break the lock of a run that is gone
    Unlock(With<UnlockArgs>),
    /// Check the state for damage
    Doctor(With<NoArgs>),
}

/// It has no flags of its own.
#[derive(clap::Args, Clone, Debug)]
pub struct NoArgs {}

/// Flags of `state list`.
#[derive(clap::Args, Clone, Debug)]
pub struct ListArgs {
    /// Only these resources (all instances where an address has no key)
    pub address: Vec<Address>,
    /// Of this version
    #[arg(long, value_name = "N")]
    pub version: Option<u64>,
    /// Show sensitive values in the JSON document
    #[arg(long)]
    pub show_sensitive: bool,
}

/// Flags of `state show`.
#[derive(clap::Args, Clone, Debug)]
pub struct ShowArgs {
    /// The resources
    #[arg(required = true)]
    pub address: Vec<Address>,
    /// Of this version
    #[arg(long, value_name = "N")]
    pub version: Option<u64>,
    /// Show sensitive values
    #[arg(long)]
    pub show_sensitive: bool,
}

/// Flags of `state diff`.
#[derive(clap::Args, Clone, Debug)]
pub struct DiffArgs {
    /// The older version; 0 is the empty state
    pub from: u64,
    /// The newer version
    pub to: u64,
}

/// How a change of state alone is made: a run of its own, and a version.
#[derive(clap::Args, Clone, Debug)]
pub struct ChangeArgs {
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// Why, for the version
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Flags of `state mv`.
#[derive(clap::Args, Clone, Debug)]
pub struct MvArgs {
    /// The address in state
    pub from: String,
    /// The address in the stack's files
    pub to: String,
    /// Both are `STACK/ENVIRONMENT`: the stack or the environment was renamed
    #[arg(long)]
    pub env: bool,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Flags of `state rm`.
#[derive(clap::Args, Clone, Debug)]
pub struct RmArgs {
    /// The resources
    #[arg(required = true)]
    pub address: Vec<Address>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Flags of `state import`.
#[derive(clap::Args, Clone, Debug)]
pub struct ImportArgs {
    /// The resource in the stack's files
    pub address: Address,
    /// What its provider knows the thing by
    pub id: String,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Flags of `state pull`.
#[derive(clap::Args, Clone, Debug)]
pub struct PullArgs {
    /// Of this version
    #[arg(long, value_name = "N")]
    pub version: Option<u64>,
    /// With sensitive values
    #[arg(long)]
    pub show_sensitive: bool,
}

/// Flags of `state unlock`.
#[derive(clap::Args, Clone, Debug)]
pub struct UnlockArgs {
    /// The run that holds the lock, as the error says it
    pub run: String,
}

impl Args {
    /// A document and a question do not go together.
    pub fn check(&self, options: &Options) -> Result<(), Failure> {
        let (name, change) = match &self.command {
            StateCommand::Mv(with) => ("state mv", &with.own.change),
            StateCommand::Rm(with) => ("state rm", &with.own.change),
            StateCommand::Import(with) => ("state import", &with.own.change),
            _ => return Ok(()),
        };
        super::needs_approval_flag(name, options, change.auto_approve)
    }

    /// The flags of every command, behind the inner command's name.
    pub fn common(&self) -> Common {
        match &self.command {
            StateCommand::List(with) => with.common.clone(),
            StateCommand::Show(with) => with.common.clone(),
            StateCommand::Versions(with) => with.common.clone(),
            StateCommand::Diff(with) => with.common.clone(),
            StateCommand::Mv(with) => with.common.clone(),
            StateCommand::Rm(with) => with.common.clone(),
            StateCommand::Import(with) => with.common.clone(),
            StateCommand::Pull(with) => with.common.clone(),
            StateCommand::Unlock(with) => with.common.clone(),
            StateCommand::Doctor(with) => with.common.clone(),
        }
    }
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let stack = args.stack;
    match args.command {
        StateCommand::List(with) => list::list(context, with.own, stack).await,
        StateCommand::Show(with) => list::show(context, with.own, stack).await,
        StateCommand::Versions(_) => versions::versions(context, stack).await,
        StateCommand::Diff(with) => versions::diff(context, with.own, stack).await,
        StateCommand::Mv(with) => change::mv(context, with.own, stack).await,
        StateCommand::Rm(with) => change::rm(context, with.own, stack).await,
        StateCommand::Import(with) => change::import(context, with.own, stack).await,
        StateCommand::Pull(with) => list::pull(context, with.own, stack).await,
        StateCommand::Unlock(with) => change::unlock(context, with.own, stack).await,
        StateCommand::Doctor(_) => doctor::run(context).await,
    }
}
