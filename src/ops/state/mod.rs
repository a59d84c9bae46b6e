//! `state` and its kin: what state says, and corrections of it by hand, each journaled and a version of its own.

mod change;
mod look;

pub use change::{StateOptions, import, move_record, remove};
pub use look::{ChangedRecord, Diff, check_store, list, outputs, pull, rename, state_at, unlock, versions};
