//! Sizes, names, and what texts may not speak of.

use crate::File;
use crate::source::tokens;

/// The longest file, in lines.
const LINES_MAX: usize = 500;

/// Names that say nothing.
const EMPTY: [&str; 12] = [
    "utils", "util", "common", "commons", "manager", "managers", "helper", "helpers", "misc", "core", "imp",
    "stuff",
];

/// Places of one machine, and who or what wrote a text: nothing of that belongs here.
const FOREIGN: [&str; 9] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/tmp/", "bash"),
    concat!("co-authored", "-by"),
    concat!("generated", " with"),
    concat!("generated", " by an"),
    concat!("language", " model"),
];

/// A file that is longer than a file should be.
pub fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= LINES_MAX {
        Vec::new()
    } else {
        vec![format!("{}: {lines} lines, at most {LINES_MAX}", file.path)]
    }
}

/// Modules, files and folders whose name says nothing.
pub fn empty_names(file: &File) -> Vec<String> {
    let names = file.path.trim_end_matches(".rs").split('/').map(str::to_owned);
    let tokens = tokens(&file.text);
    let modules = tokens.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| pair[1].text.clone());
    let empty = names.chain(modules).filter(|name| EMPTY.contains(&name.as_str()));
    empty.map(|name| format!("{}: `{name}` does not say what it is", file.path)).collect()
}

/// Lines that speak of a machine or of how the text came to be.
pub fn foreign(file: &File) -> Vec<String> {
    let wrong = |line: &str| {
        let lower = line.to_lowercase();
        FOREIGN.iter().any(|word| speaks_of(&lower, &word.to_lowercase()))
    };
    let lines = file.text.lines().enumerate().filter(|(_, line)| wrong(line));
    lines.map(|(index, line)| format!("{}:{}: {}", file.path, index + 1, line.trim())).collect()
}

/// Whether a word stands in a line; of a path only where it begins at the root.
fn speaks_of(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !word.starts_with('/') || before.is_none_or(|c| !c.is_alphanumeric() && !"._-*>}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_seen() {
        assert!(too_long(&File::new("a.rs", &"\n".repeat(500))).is_empty());
        assert_eq!(too_long(&File::new("a.rs", &"\n".repeat(501))).len(), 1);
    }

    #[test]
    fn an_empty_name_is_seen() {
        assert_eq!(empty_names(&File::new("src/utils.rs", "")).len(), 1);
        assert_eq!(empty_names(&File::new("src/helpers/mod.rs", "")).len(), 1);
        assert_eq!(empty_names(&File::new("src/lib.rs", "pub mod common;\nmod misc { }")).len(), 2);
        assert!(empty_names(&File::new("src/lang/expr.rs", "mod tests {} let common = 1;")).is_empty());
    }

    #[test]
    fn foreign_text_is_seen() {
        assert_eq!(
            foreign(&File::new("README.md", concat!("see /wo", "rk/x\nCo-Authored", "-By: x"))).len(),
            2
        );
        assert_eq!(
            foreign(&File::new("README.md", concat!("in `/wo", "rk/x`, and \"/ro", "ot/x\""))).len(),
            1
        );
        assert!(
            foreign(&File::new("README.md", concat!("this works/fine at home in .windlass/wo", "rk/")))
                .is_empty()
        );
    }
}
