//! The files that a command is given: found by globs, copied to where it runs, and kept for its `destroy` (rule S3).

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use windlass_model::{Digest, ErrorClass, Files, StepEvent, Value};
use windlass_provider::{Call, ProviderError};

use crate::disk::failed;
use crate::paths;

/// One file, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    path: String,
    mode: u32,
    content: String,
}

/// The files that the globs of a command name: those globs that are known. Sorted.
pub(crate) fn sources(desired: &Value, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
    let globs = desired.get("files").and_then(Value::items).unwrap_or_default();
    let mut found = Vec::new();
    for glob in globs.iter().filter_map(Value::as_str) {
        found.extend(matches(glob, files).map_err(|error| error.at("files"))?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The files of one glob; a directory stands for all that is below it.
fn matches(glob: &str, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
    let pattern = paths::source(files, glob)?;
    let (itself, below) = (matcher(&pattern)?, matcher(&format!("{pattern}/**"))?);
    let nothing = || {
        let message = format!("no file matches `{glob}`");
        ProviderError::new(ErrorClass::InvalidConfig, message)
            .hint("globs are relative to the stack's directory; `**` stands for any number of directories")
    };
    let all = match files.list(base(&pattern)) {
        Ok(all) => all,
        Err(error) if error.absent => return Err(nothing()),
        Err(error) => return Err(paths::unreadable(&error)),
    };
    let found: Vec<String> =
        all.into_iter().filter(|path| itself.is_match(path) || below.is_match(path)).collect();
    if found.is_empty() { Err(nothing()) } else { Ok(found) }
}

pub(crate) fn matcher(pattern: &str) -> Result<GlobMatcher, ProviderError> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| ProviderError::new(ErrorClass::InvalidConfig, format!("not a glob: {error}")))
}

/// The directory that everything a pattern matches is in.
fn base(pattern: &str) -> &str {
    let plain = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
    pattern[..plain].rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// An empty directory for the files of a command.
fn fresh(call: &Call) -> Result<PathBuf, ProviderError> {
    let dir = call.scratch.join("files");
    clear(&dir)?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    made.map_err(|error| failed("make the directory", &dir, &error))?;
    Ok(dir)
}

/// Removes a command's files when it has run.
pub(crate) fn clear(dir: &Path) -> Result<(), ProviderError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("clear the directory", dir, &error))
        }
        _ => Ok(()),
    }
}

/// Copies the files that `desired` names out of the sources.
pub(crate) fn materialise(call: &Call, desired: &Value) -> Result<PathBuf, ProviderError> {
    let paths = sources(desired, &*call.files)?;
    let dir = fresh(call)?;
    call.files.materialise(&paths, &dir).map_err(|error| paths::unreadable(&error).at("files"))?;
    Ok(dir)
}

/// The digest of the files that `desired` names; `None` where it names none, or not all of it is known.
pub(crate) fn digest(call: &Call, desired: &Value) -> Result<Option<Digest>, ProviderError> {
    let Some(globs) = desired.get("files").filter(|globs| !globs.is_null() && globs.is_known()) else {
        return Ok(None);
    };
    debug_assert!(globs.items().is_some(), "`files` is a list");
    let paths = sources(desired, &*call.files)?;
    call.files.digest(&paths).map(Some).map_err(|error| paths::unreadable(&error).at("files"))
}

/// Keeps what was copied to a directory in the store.
pub(crate) async fn keep(call: &Call, dir: &Path, paths: &[String]) -> Result<Digest, ProviderError> {
    let kept = paths.iter().map(|path| {
        let file = dir.join(path);
        let unreadable = |error| failed("read", &file, &error);
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        let content = STANDARD.encode(fs::read(&file).map_err(unreadable)?);
        Ok(Kept { path: path.clone(), mode, content })
    });
    let kept = kept.collect::<Result<Vec<Kept>, ProviderError>>()?;
    let bytes = serde_json::to_vec(&kept)
        .map_err(|error| ProviderError::new(ErrorClass::Bug, format!("cannot keep files: {error}")))?;
    call.engine.keep(&bytes).await
}

/// Puts kept files back.
pub(crate) async fn restore(call: &Call, blob: &Digest) -> Result<PathBuf, ProviderError> {
    let bytes = call.engine.fetch(blob).await?;
    let damaged = |why: String| {
        ProviderError::new(
            ErrorClass::Unknown,
            format!("the kept files of {} are damaged: {why}", call.address),
        )
    };
    let kept: Vec<Kept> = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let dir = fresh(call)?;
    for file in kept {
        let content = STANDARD.decode(&file.content).map_err(|error| damaged(error.to_string()))?;
        let path = dir.join(&file.path);
        let written = fs::create_dir_all(path.parent().unwrap_or(&dir))
            .and_then(|()| fs::write(&path, content))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)));
        written.map_err(|error| failed("write", &path, &error))?;
    }
    Ok(dir)
}

/// Tells which files a command made in its snapshot: they are thrown away with it.
pub(crate) fn tell_what_goes(call: &Call, dir: &Path, paths: &[String]) {
    let mut new = Vec::new();
    walk(dir, dir, &mut new);
    new.retain(|path| paths.binary_search(path).is_err());
    new.sort();
    if !new.is_empty() {
        let text = format!("warning: what it wrote into its snapshot is thrown away: {}", new.join(", "));
        call.engine.say(StepEvent::Log(call.tools.redact.redact(&text)));
    }
}

/// Unreadable directories have nothing to tell.
fn walk(root: &Path, dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(root, &path, found),
            _ => found.extend(path.strip_prefix(root).map(|path| path.to_string_lossy().into_owned())),
        }
    }
}
