//! Paths: of sources inside the snapshot, of files outside it.

use std::path::{Component, Path, PathBuf};

use windlass_model::{ErrorClass, FileError, Files};
use windlass_provider::{Call, ProviderError};

/// The directory that files and commands act in.
///
/// # Errors
/// A run without a checkout has none.
pub(crate) fn checkout(call: &Call) -> Result<PathBuf, ProviderError> {
    call.files.checkout().ok_or_else(|| {
        let kind = &call.address.kind;
        let message = format!("`{kind}` acts in the stack's directory, and this run has none");
        ProviderError::new(ErrorClass::InvalidConfig, message).hint("run it where the stack's files are")
    })
}

/// A path without `.` and `..`, as text would have it: symbolic links are not looked at.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

/// The path that names a file wherever one looks from: absolute, links in its directories resolved as far as they exist.
pub(crate) fn place(path: &Path) -> PathBuf {
    let whole = tidy(path);
    let mut rest = Vec::new();
    let mut existing = whole.as_path();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return rest.iter().rev().fold(real, |path, name| path.join(name));
        }
        let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else { return whole };
        rest.push(name.to_owned());
        existing = parent;
    }
}

/// A path relative to the stack's directory as the snapshot has it.
///
/// # Errors
/// One that is absolute or leaves the snapshot.
pub(crate) fn source(files: &dyn Files, path: &str) -> Result<String, ProviderError> {
    let outside = || {
        let message = format!("`{path}` is not a source: it lies outside of what the stack's snapshot holds");
        ProviderError::new(ErrorClass::InvalidConfig, message)
            .hint("sources lie in the git repository of the stack, or below its directory")
    };
    if Path::new(path).is_absolute() {
        return Err(outside());
    }
    let tidy = tidy(&Path::new(files.stack_dir()).join(path));
    let mut names = Vec::new();
    for component in tidy.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str().ok_or_else(outside)?.to_owned()),
            _ => return Err(outside()),
        }
    }
    Ok(names.join("/"))
}

/// What a source that cannot be read becomes.
pub(crate) fn unreadable(error: &FileError) -> ProviderError {
    let class = if error.absent { ErrorClass::NotFound } else { ErrorClass::InvalidConfig };
    ProviderError::new(class, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tidy_keeps_what_leads_out() {
        let tidied = |path: &str| tidy(Path::new(path)).to_string_lossy().into_owned();
        assert_eq!(tidied("./a/../b/./c"), "b/c");
        assert_eq!(tidied("../../a"), "../../a");
        assert_eq!(tidied("a/../../b"), "../b");
        assert_eq!(tidied("/a/../b"), "/b");
    }

    #[test]
    fn a_place_resolves_what_exists() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("real")).unwrap();
        std::os::unix::fs::symlink(real.join("real"), real.join("link")).unwrap();
        assert_eq!(place(&real.join("link/new/../x.txt")), real.join("real/x.txt"));
    }
}
