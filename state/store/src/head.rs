//! HEAD: the one mutable object of an environment. It is read by anybody, and swapped under `HEAD.flock`.

use serde::{Deserialize, Serialize};
use windlass_model::{Epoch, RunId};

use crate::disk::Guard;
use crate::files::{Disk, FORMAT, damaged, io_error, parse_summed, summed};
use crate::layout::Places;
use crate::traits::{Head, StoreError};

/// A run that began, did not end, and is not settled yet: by a commit or the end of a later one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub run: RunId,
    pub epoch: Epoch,
}

/// HEAD as it is in its file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct HeadFile {
    pub format: u64,
    #[serde(flatten)]
    pub head: Head,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Pending>,
}

/// HEAD and the bytes it was read from: equal bytes, equal HEAD (each writing has a nonce of its own).
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub file: HeadFile,
    pub bytes: Vec<u8>,
}

/// Why HEAD was not written.
pub(crate) enum SwapError {
    /// It is as it was.
    Before(StoreError),
    /// The new one may be there or not.
    Unknown(StoreError),
}

impl From<SwapError> for StoreError {
    fn from(error: SwapError) -> Self {
        match error {
            SwapError::Before(error) | SwapError::Unknown(error) => error,
        }
    }
}

/// HEAD as it is now; a default one where there is none yet.
pub(crate) fn read(disk: &Disk, places: &Places) -> Result<Snapshot, StoreError> {
    let path = places.head();
    match disk.read(&path)? {
        Some(bytes) => Ok(Snapshot { file: parse_head(places, &bytes)?, bytes }),
        None if disk.list(&places.versions())?.iter().any(|item| item.name.ends_with(".json")) => {
            // The first lock writes HEAD, so versions without one mean that it was lost, not that nothing exists.
            Err(damaged(&path, "it is missing, and there are versions"))
        }
        None => Ok(Snapshot::default()),
    }
}

fn parse_head(places: &Places, bytes: &[u8]) -> Result<HeadFile, StoreError> {
    let path = places.head();
    let file: HeadFile = parse_summed(&path, bytes)?;
    match (file.head.version > 0) == file.head.commit.is_some() {
        true => Ok(file),
        false => Err(damaged(&path, "it names a version without a file or a file without a version")),
    }
}

/// Takes the lock that each swap of HEAD is made under.
pub(crate) fn lock(disk: &Disk, places: &Places) -> Result<Box<dyn Guard>, StoreError> {
    let path = places.head_lock();
    disk.fs.lock(&path).map_err(|error| io_error("lock", &path, error))
}

/// Writes HEAD. The caller holds `HEAD.flock` and has compared.
pub(crate) fn swap(
    disk: &Disk,
    places: &Places,
    head: Head,
    pending: Vec<Pending>,
) -> Result<Snapshot, SwapError> {
    let path = places.head();
    let file = HeadFile { format: FORMAT, head, pending };
    let bytes = summed(&path, &file).map_err(SwapError::Before)?;
    let staged = disk.stage(&path, &bytes, true).map_err(SwapError::Before)?;
    staged.publish().map_err(SwapError::Unknown)?;
    Ok(Snapshot { file, bytes })
}
