//! Tests of the local store.

mod basics;
mod crash;
mod damage;
mod keeping;
mod plans;
mod sim;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use windlass_model::Host;

use crate::LocalStore;
use crate::traits::StoreError;

/// A clock that stands where it is put, and numbers that do not repeat.
pub(crate) struct TestHost {
    pub now: AtomicU64,
    count: AtomicU64,
}

impl Host for TestHost {
    fn now_ms(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn random(&self) -> u128 {
        // Odd multiplier: no number comes twice.
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        u128::from(count).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}

/// A host of its own for each process that a test plays.
pub(crate) fn host() -> Arc<TestHost> {
    static PROCESSES: AtomicU64 = AtomicU64::new(1);
    let count = AtomicU64::new(PROCESSES.fetch_add(1, Ordering::Relaxed) << 40);
    Arc::new(TestHost { now: AtomicU64::new(1_800_000_000_000), count })
}

pub(crate) fn open(root: &Path) -> LocalStore {
    LocalStore::open(root, host()).unwrap()
}

/// The path and reason of damage.
pub(crate) fn damage<T>(result: Result<T, StoreError>) -> (String, String) {
    match result {
        Err(StoreError::Damaged { path, reason }) => (path, reason),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("damage was not noticed"),
    }
}
