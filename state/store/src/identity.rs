//! The store's own file, `windlass.json`: its id and its plan key, made by the first command.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_model::{RunId, hex};

use crate::files::{Disk, FORMAT, damaged, io_error, parse_summed, summed};
use crate::traits::{StoreError, StoreId};

#[derive(Serialize, Deserialize)]
struct IdentityFile {
    format: u64,
    id: String,
    plan_key: String,
}

fn path(root: &Path) -> PathBuf {
    root.join("windlass.json")
}

/// The store at a root; `None` where there is none.
pub(crate) fn read(disk: &Disk, root: &Path) -> Result<Option<StoreId>, StoreError> {
    let path = path(root);
    let Some(bytes) = disk.read(&path)? else { return Ok(None) };
    let file: IdentityFile = parse_summed(&path, &bytes)?;
    let plan_key = unhex(&file.plan_key).filter(|key| key.len() == 32);
    let plan_key = plan_key.ok_or_else(|| damaged(&path, "its plan key is not 64 hex digits"))?;
    Ok(Some(StoreId { id: file.id, plan_key }))
}

/// The store at a root, made if there is none: of two that make it at once one wins, and both read that one's file.
pub(crate) fn read_or_make(disk: &Disk, root: &Path) -> Result<StoreId, StoreError> {
    if let Some(id) = read(disk, root)? {
        return Ok(id);
    }
    make_root(disk, root)?;
    ignore(disk, root)?;
    let random = || disk.host.random();
    let key = [random().to_be_bytes(), random().to_be_bytes()].concat();
    let id = RunId::new(disk.host.now_ms(), random()).0;
    let path = path(root);
    let bytes = summed(&path, &IdentityFile { format: FORMAT, id, plan_key: hex(&key) })?;
    disk.create_once(&path, &bytes)?;
    read(disk, root)?.ok_or_else(|| damaged(&path, "it vanished"))
}

/// Makes the root, and what is above it where that is missing too.
fn make_root(disk: &Disk, root: &Path) -> Result<(), StoreError> {
    let missing = |dir: &&Path| !dir.as_os_str().is_empty() && !disk.fs.exists(dir);
    let top = root.ancestors().take_while(missing).last().unwrap_or(root);
    disk.make_dirs(top, root)
}

/// Keeps the store out of git (rule S6).
fn ignore(disk: &Disk, root: &Path) -> Result<(), StoreError> {
    let path = root.join(".gitignore");
    match disk.fs.create(&path) {
        Ok(mut file) => file.write_all(b"*\n").map_err(|error| io_error("write", &path, error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io_error("write", &path, error)),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}
