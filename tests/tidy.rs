//! Rules of the house that no compiler holds: who may import whom, who may touch the outside, names, sizes, texts.
//! Each rule is a pure function from text to findings, is run over the whole repository, and is fed bad samples, so that none
//! can pass by finding nothing.

#![expect(clippy::unwrap_used, reason = "a repository that cannot be read fails the test")]

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/outside.rs"]
mod outside;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/texts.rs"]
mod texts;

use std::path::{Path, PathBuf};

/// A file of the repository.
pub struct File {
    /// From the root, names joined by `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl File {
    /// A sample.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }
}

/// Directories that hold nothing of ours.
const NOT_OURS: [&str; 4] = ["target", ".git", ".windlass", ".terraform"];

/// Kinds of files that are read.
const KINDS: [&str; 9] = ["rs", "toml", "md", "hcl", "tf", "sh", "json", "snap", "run"];

/// All text files of the repository, sorted.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(root, &mut paths);
    paths.sort();
    let file = |path: &PathBuf| {
        let relative = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        File { path: relative, text: std::fs::read_to_string(path).unwrap() }
    };
    paths.iter().map(file).collect()
}

fn walk(dir: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        let kind = name.rsplit('.').next().unwrap();
        if entry.file_type().unwrap().is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                walk(&path, paths);
            }
        } else if KINDS.contains(&kind) {
            paths.push(path);
        }
    }
}

/// Runs a rule over all files that `chosen` takes; there must be some.
fn hold(chosen: impl Fn(&str) -> bool, rule: impl Fn(&File) -> Vec<String>) {
    let files: Vec<File> = files().into_iter().filter(|file| chosen(&file.path)).collect();
    assert!(!files.is_empty(), "the rule looks at no file at all");
    let findings: Vec<String> = files.iter().flat_map(rule).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

/// The engine, its crates and the providers: everything but the binary, the tests and the tasks.
fn is_library(path: &str) -> bool {
    let ours = ["src/", "state/", "providers/"].iter().any(|dir| path.starts_with(dir));
    is_rust(path) && ours && !path.starts_with("src/bin/") && !path.contains("/tests/")
}

#[test]
fn the_library_imports_downwards_only() {
    hold(|path| is_library(path) && path.starts_with("src/"), imports::upward);
}

#[test]
fn only_the_binary_names_the_command_line_or_a_provider() {
    hold(is_library, imports::forbidden_crates);
}

#[test]
fn the_library_leaves_the_outside_to_the_binary() {
    hold(is_library, outside::touched);
}

#[test]
fn crates_depend_on_what_they_may() {
    hold(|path| path.ends_with("Cargo.toml"), manifests::findings);
}

#[test]
fn files_are_short() {
    hold(is_rust, texts::too_long);
}

#[test]
fn modules_say_what_they_are() {
    hold(is_rust, texts::empty_names);
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    hold(is_rust, outside::undone);
}

#[test]
fn texts_are_about_the_product() {
    hold(|path| !path.ends_with(".snap"), texts::foreign);
}

#[test]
fn every_test_file_is_run() {
    // A folder below tests/ is only compiled if a test names it.
    let files = files();
    let roots: String = files.iter().filter(|f| is_root_test(&f.path)).map(|f| f.text.as_str()).collect();
    for file in
        files.iter().filter(|f| f.path.starts_with("tests/") && is_rust(&f.path) && !is_root_test(&f.path))
    {
        let folder = file.path.trim_start_matches("tests/").split('/').next().unwrap();
        let named = roots.contains(&format!("mod {folder};"))
            || roots.contains(&format!("mod {folder} {{"))
            || roots.contains(&format!("\"{folder}/"));
        let own = files.iter().any(|f| f.path == format!("tests/{folder}/main.rs"));
        assert!(named || own, "{}: no test names it", file.path);
    }
}

fn is_root_test(path: &str) -> bool {
    path.starts_with("tests/") && is_rust(path) && path.matches('/').count() == 1
}
