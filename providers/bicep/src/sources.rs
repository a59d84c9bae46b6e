//! The files that a deployment is made of: the template, what it names, and the compiler's settings on the way up.

use std::collections::BTreeSet;

use windlass_model::{AttrPath, ErrorClass, FileError, Files};
use windlass_provider::ProviderError;

use crate::spec::Spec;

/// A path relative to the stack's directory, as the snapshot has it; `None`: it leaves the snapshot.
pub fn in_snapshot(files: &dyn Files, path: &str) -> Option<String> {
    join(files.stack_dir(), path)
}

fn join(dir: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

fn dir_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Whether a file is for the Bicep compiler.
pub fn is_bicep(path: &str) -> bool {
    path.ends_with(".bicep") || is_param(path)
}

/// Whether it holds parameters in Bicep.
pub fn is_param(path: &str) -> bool {
    path.ends_with(".bicepparam")
}

/// All files, sorted.
///
/// # Errors
/// Where one that is named is not there, or leaves the snapshot.
pub fn scan(files: &dyn Files, spec: &Spec) -> Result<Vec<String>, ProviderError> {
    let mut scan = Scan { files, found: BTreeSet::new() };
    let named = [("template_file", Some(&spec.template)), ("parameters_file", spec.parameters_file.as_ref())];
    for (attribute, path) in named {
        let Some(path) = path.filter(|path| !path.is_empty()) else { continue };
        let at = || AttrPath::from(attribute);
        let place = in_snapshot(files, path).ok_or_else(|| leaves(path).at(at()))?;
        scan.file(&place, None).map_err(|error| error.at(at()))?;
    }
    Ok(scan.found.into_iter().collect())
}

fn leaves(path: &str) -> ProviderError {
    ProviderError::new(ErrorClass::InvalidConfig, format!("`{path}` lies outside of what is snapshotted"))
        .hint("move it below the stack's repository")
}

fn unreadable(error: &FileError, from: Option<&str>) -> ProviderError {
    let named = from.map(|from| format!(", which `{from}` names")).unwrap_or_default();
    ProviderError::new(ErrorClass::InvalidConfig, format!("`{}`{named}: {}", error.path, error.reason))
}

struct Scan<'a> {
    files: &'a dyn Files,
    found: BTreeSet<String>,
}

impl Scan<'_> {
    fn file(&mut self, path: &str, from: Option<&str>) -> Result<(), ProviderError> {
        if self.found.contains(path) {
            return Ok(());
        }
        let bytes = self.files.read(path).map_err(|error| unreadable(&error, from))?;
        self.found.insert(path.to_owned());
        if !is_bicep(path) {
            return Ok(());
        }
        self.settings(dir_of(path))?;
        for named in names(&String::from_utf8_lossy(&bytes)) {
            let place = join(dir_of(path), &named.path).ok_or_else(|| leaves(&named.path))?;
            match named.directory {
                true => {
                    let inside = self.files.list(&place).map_err(|error| unreadable(&error, Some(path)))?;
                    self.found.extend(inside);
                }
                false => self.file(&place, Some(path))?,
            }
        }
        Ok(())
    }

    /// The compiler's settings: the nearest going up.
    fn settings(&mut self, dir: &str) -> Result<(), ProviderError> {
        let mut dir = Some(dir);
        while let Some(here) = dir {
            let path = if here.is_empty() {
                "bicepconfig.json".to_owned()
            } else {
                format!("{here}/bicepconfig.json")
            };
            match self.files.read(&path) {
                Ok(_) => {
                    self.found.insert(path);
                    return Ok(());
                }
                Err(error) if error.absent => {}
                Err(error) => return Err(unreadable(&error, None)),
            }
            dir = if here.is_empty() { None } else { Some(dir_of(here)) };
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Named {
    path: String,
    directory: bool,
}

/// The local files that Bicep source names: modules, imports, `using`, `extends`, and what `load…` functions read.
fn names(source: &str) -> Vec<Named> {
    let tokens = tokens(source);
    let word = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
        Some(Token::Word(word)) => *word,
        _ => "",
    };
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Text(path) = token else { continue };
        let (before, earlier) = (word(at.checked_sub(1)), word(at.checked_sub(2)));
        let loads = before == "(" && earlier.starts_with("load");
        let names = matches!(before, "using" | "extends" | "from") || matches!(earlier, "module" | "test");
        let local =
            !path.is_empty() && !path.contains(':') && !path.starts_with("br/") && !path.contains("${");
        if local && (loads || names) {
            found.push(Named { path: path.clone(), directory: earlier == "loadDirectoryFileInfo" });
        }
    }
    found
}

#[derive(Debug)]
enum Token<'s> {
    /// A word, or a single sign.
    Word(&'s str),
    /// A string.
    Text(String),
}

/// Words, signs and strings, without comments.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return found };
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some(text) = rest.strip_prefix("'''") {
            let (text, after) = text.split_once("'''").unwrap_or((text, ""));
            found.push(Token::Text(text.to_owned()));
            rest = after;
        } else if let Some(text) = rest.strip_prefix('\'') {
            let (text, after) = string(text);
            found.push(Token::Text(text));
            rest = after;
        } else {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let end =
                if word(first) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
            found.push(Token::Word(&rest[..end]));
            rest = &rest[end..];
        }
    }
}

/// The rest of a string, and what follows it.
fn string(rest: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(|(_, c)| c)),
            '\'' | '\n' => return (text, &rest[at + 1..]),
            _ => text.push(c),
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use windlass_provider::harness::Directory;

    use super::*;

    #[test]
    fn local_files_are_found_and_registries_are_not() {
        let source = "// module no './no.bicep' = {}\n/* using 'no' */\nmodule net './net.bicep' = {\n name: 'n'\n}\n\
            module far 'br/public:storage:1.0' = {}\nmodule spec 'ts:a/b/c:1' = {}\nimport { a } from 'types.bicep'\n\
            var text = loadTextContent('it\\'s.txt')\nvar files = loadDirectoryFileInfo('./dir', '*')\nvar s = '''\nmodule x './y.bicep'\n'''\n\
            var plain = './plain.bicep'\n";
        let paths: Vec<(String, bool)> =
            names(source).into_iter().map(|named| (named.path, named.directory)).collect();
        let expected = [("./net.bicep", false), ("types.bicep", false), ("it's.txt", false), ("./dir", true)];
        assert_eq!(paths, expected.map(|(path, directory)| (path.to_owned(), directory)));
    }

    #[test]
    fn all_files_are_followed_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("bicepconfig.json", "{}");
        write("app/main.bicepparam", "using './main.bicep'\n");
        write("app/main.bicep", "module a '../lib/a.bicep' = {}\n");
        write("lib/a.bicep", "var x = loadJsonContent('a.json')\n");
        write("lib/a.json", "{}");
        let spec = Spec { template: "app/main.bicepparam".to_owned(), ..Spec::default() };
        let files = Directory(dir.path().to_owned());
        let found = scan(&files, &spec).unwrap();
        assert_eq!(
            found,
            ["app/main.bicep", "app/main.bicepparam", "bicepconfig.json", "lib/a.bicep", "lib/a.json"]
        );
        write("lib/a.bicep", "module b 'b.bicep' = {}\n");
        let error = scan(&files, &spec).unwrap_err();
        assert!(error.message.contains("`lib/b.bicep`, which `lib/a.bicep` names"), "{}", error.message);
        write("lib/a.bicep", "module b '../../b.bicep' = {}\n");
        assert!(scan(&files, &spec).unwrap_err().message.contains("outside"));
    }
}
