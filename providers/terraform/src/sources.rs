//! Which files a root is made of, and what Windlass must know of them without starting terraform.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobBuilder;
use windlass_model::{ErrorClass, FileError, Files};
use windlass_provider::ProviderError;

use crate::module::{self, Module};

/// A root's files and what they say.
#[derive(Clone, Debug, Default)]
pub struct Root {
    /// Its directory in the snapshot; empty if that is the snapshot's root.
    pub dir: String,
    /// All files, of local modules and of `files` too: snapshot-relative, sorted.
    pub files: Vec<String>,
    /// The variables that the root declares.
    pub variables: BTreeSet<String>,
    /// Its own backend.
    pub backend: Option<Backend>,
    /// Providers and modules that come from elsewhere: `terraform init` fetches them.
    pub external: BTreeSet<String>,
    /// Whether it calls any module.
    pub calls_modules: bool,
    /// Everything in the sources that `terraform init` depends on, besides the lock file.
    pub init_text: String,
}

/// A `backend` or `cloud` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    /// `s3`, `local`, or `cloud`.
    pub kind: String,
    /// Its attributes that are plain text.
    pub settings: BTreeMap<String, String>,
}

/// Finds a root's files: of its directory, of its local modules and theirs, and of globs.
///
/// # Errors
/// Where the directory or a module is not there, leaves the snapshot, or cannot be read.
pub fn scan(files: &dyn Files, source: &str, globs: &[String]) -> Result<Root, ProviderError> {
    let dir = join(files.stack_dir(), source).ok_or_else(|| outside(source, "source"))?;
    let mut root = Root { dir: dir.clone(), ..Root::default() };
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut next = vec![dir.clone()];
    while let Some(here) = next.pop() {
        if !seen.insert(here.clone()) {
            continue;
        }
        let listed = files.list(&here).map_err(|e| unreadable(&here, &dir, &e))?;
        let own: Vec<String> = listed.iter().filter(|path| is_config_of(path, &here)).cloned().collect();
        if own.is_empty() {
            return Err(no_config(&here, &dir, source));
        }
        let module = read_module(files, &own)?;
        for path in module.local.iter() {
            next.push(join(&here, path).ok_or_else(|| outside(path, "source"))?);
        }
        found.extend(listed);
        root.take(module, here == dir);
    }
    for glob in globs {
        found.extend(matching(files, glob)?);
    }
    root.files = found.into_iter().collect();
    Ok(root)
}

impl Root {
    fn take(&mut self, module: Module, is_root: bool) {
        self.calls_modules |= !module.local.is_empty() || !module.remote.is_empty();
        self.external.extend(module.providers);
        self.external.extend(module.remote);
        self.init_text.push_str(&module.init_text);
        if is_root {
            self.variables = module.variables;
            self.backend = module.backend;
        }
    }

    /// The root's path of a file that terraform names relative to where it runs.
    pub fn path(&self, file: &str) -> String {
        child(&self.dir, file)
    }
}

fn read_module(files: &dyn Files, paths: &[String]) -> Result<Module, ProviderError> {
    let mut all = Module::default();
    for path in paths {
        all.merge(module::read(path, &text(files, path)?));
    }
    Ok(all)
}

fn text(files: &dyn Files, path: &str) -> Result<String, ProviderError> {
    let bytes = files.read(path).map_err(|e| ProviderError::new(ErrorClass::InvalidConfig, e.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_config_of(path: &str, dir: &str) -> bool {
    let name = match dir {
        "" => path,
        dir => match path.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/')) {
            Some(name) => name,
            None => return false,
        },
    };
    !name.contains('/') && module::is_config(name)
}

/// `dir/name`, where an empty `dir` is the snapshot's root.
pub fn child(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// A relative path seen from a directory of the snapshot; `None` if it leaves the snapshot or is absolute.
pub fn join(dir: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The files that a glob names, relative to the stack's directory.
fn matching(files: &dyn Files, glob: &str) -> Result<Vec<String>, ProviderError> {
    let full = join(files.stack_dir(), glob).ok_or_else(|| outside(glob, "files"))?;
    let is_pattern = |part: &str| part.contains(['*', '?', '[', '{']);
    let invalid = |why: String| ProviderError::new(ErrorClass::InvalidConfig, why).at("files");
    if !full.split('/').any(is_pattern) {
        files.read(&full).map_err(|e| invalid(e.to_string()))?;
        return Ok(vec![full]);
    }
    let base: Vec<&str> = full.split('/').take_while(|part| !is_pattern(part)).collect();
    let built = GlobBuilder::new(&full).literal_separator(true).build();
    let matcher = built.map_err(|e| invalid(format!("`{glob}` is not a pattern: {e}")))?.compile_matcher();
    let listed = files.list(&base.join("/")).map_err(|e| invalid(e.to_string()))?;
    let found: Vec<String> = listed.into_iter().filter(|path| matcher.is_match(path)).collect();
    match found.is_empty() {
        true => Err(invalid(format!("no file matches `{glob}`"))),
        false => Ok(found),
    }
}

fn outside(path: &str, attribute: &str) -> ProviderError {
    let message = format!("`{path}` leaves the tree that a snapshot is taken of");
    ProviderError::new(ErrorClass::InvalidConfig, message)
        .hint("a snapshot holds the git repository, or the stack's directory where there is none")
        .at(attribute)
}

fn unreadable(here: &str, root: &str, error: &FileError) -> ProviderError {
    let message = match (error.absent, here == root) {
        (true, true) => format!("there is no directory `{here}`"),
        (true, false) => format!("there is no directory `{here}`, which the root `{root}` calls as a module"),
        (false, _) => error.to_string(),
    };
    ProviderError::new(ErrorClass::InvalidConfig, message).at("source")
}

fn no_config(here: &str, root: &str, source: &str) -> ProviderError {
    let message = match here == root {
        true => format!("`{source}` is no root module: it holds no .tf file"),
        false => format!("`{here}`, which the root `{root}` calls as a module, holds no .tf file"),
    };
    ProviderError::new(ErrorClass::InvalidConfig, message).at("source")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::*;
    use windlass_model::Digest;

    struct Fake(BTreeMap<&'static str, &'static str>);

    impl Files for Fake {
        fn stack_dir(&self) -> &str {
            "stacks/shop"
        }
        fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
            let absent = || FileError { path: path.to_owned(), reason: "not there".to_owned(), absent: true };
            self.0.get(path).map(|text| Arc::from(text.as_bytes())).ok_or_else(absent)
        }
        fn list(&self, dir: &str) -> Result<Vec<String>, FileError> {
            let prefix = format!("{dir}/");
            let all = self.0.keys().filter(|path| dir.is_empty() || path.starts_with(&prefix));
            let all: Vec<String> = all.map(|path| (*path).to_owned()).collect();
            match all.is_empty() {
                true => Err(FileError { path: dir.to_owned(), reason: "not there".to_owned(), absent: true }),
                false => Ok(all),
            }
        }
        fn materialise(&self, _: &[String], _: &Path) -> Result<Digest, FileError> {
            Ok(Digest::of(b""))
        }
        fn digest(&self, _: &[String]) -> Result<Digest, FileError> {
            Ok(Digest::of(b""))
        }
        fn checkout(&self) -> Option<PathBuf> {
            None
        }
    }

    fn fake() -> Fake {
        Fake(BTreeMap::from([
            ("modules/a/main.tf", "module \"b\" { source = \"../b\" }"),
            ("modules/b/b.tf", "resource \"aws_vpc\" \"x\" {}"),
            ("modules/c/c.tf", ""),
            ("shared/x.json", "{}"),
            ("shared/y.txt", ""),
            ("stacks/shop/net/.terraform.lock.hcl", "# lock"),
            (
                "stacks/shop/net/main.tf",
                "module \"a\" {\n  source = \"../../../modules/a\"\n}\nvariable \"v\" {}",
            ),
            ("stacks/shop/net/templates/t.tpl", "x"),
            ("stacks/shop/other/main.tf", ""),
        ]))
    }

    #[test]
    fn local_modules_are_followed_out_of_the_stack() {
        let root = scan(&fake(), "./net", &["../../shared/*.json".to_owned()]).unwrap();
        assert_eq!(root.dir, "stacks/shop/net");
        let want = [
            "modules/a/main.tf",
            "modules/b/b.tf",
            "shared/x.json",
            "stacks/shop/net/.terraform.lock.hcl",
            "stacks/shop/net/main.tf",
            "stacks/shop/net/templates/t.tpl",
        ];
        assert_eq!(root.files, want);
        assert!(root.calls_modules && root.external.contains("aws") && root.variables.contains("v"));
    }

    #[test]
    fn what_is_not_there_is_an_error_that_names_it() {
        let message = |source: &str, globs: &[&str]| {
            let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
            scan(&fake(), source, &globs).unwrap_err().message
        };
        assert_eq!(message("nope", &[]), "there is no directory `stacks/shop/nope`");
        assert!(message("../../..", &[]).contains("leaves the tree"));
        assert!(message("net/templates", &[]).contains("no .tf file"));
        assert_eq!(message("net", &["*.nope"]), "no file matches `*.nope`");
    }

    #[test]
    fn paths_join() {
        assert_eq!(join("a/b", "../c/./d").as_deref(), Some("a/c/d"));
        assert_eq!(join("a", "..").as_deref(), Some(""));
        assert_eq!(join("a", "../.."), None);
        assert_eq!(join("", "/x"), None);
    }
}
