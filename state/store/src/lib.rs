//! Where state lives: HEAD, versions, records, journals, blobs. The local store.

mod traits;

pub use traits::{
    Approval, EnvRef, Head, Held, Holder, LockInfo, RunInfo, Seen, SeenEntry, Store, StoreError, StoreId,
    Unfinished, VersionMeta, VersionStatus,
};
