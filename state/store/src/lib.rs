//! Where state lives: HEAD, versions, records, journals, blobs. The local store.
//!
//! [`LocalStore`] keeps a store in a directory. How it is laid out is told in `layout.rs`, how a journal line looks in
//! `journal.rs`, how records are packed in `pack.rs`, what is kept how long in `sweep.rs`.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod disk;
mod doctor;
mod files;
mod head;
mod held;
mod identity;
mod journal;
mod layout;
mod local;
mod pack;
mod plan_notes;
mod rename;
mod sweep;
mod take;
mod traits;
mod version;

pub use doctor::Problem;
pub use local::LocalStore;
pub use plan_notes::{LeftPlan, PlanNotes};
pub use traits::{
    Approval, EnvRef, Head, Held, Holder, LockInfo, RunInfo, Seen, SeenEntry, Store, StoreError, StoreId,
    Unfinished, VersionMeta, VersionStatus,
};

#[cfg(test)]
mod tests;
