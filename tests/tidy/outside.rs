//! What touches the outside, and what is left undone.

use crate::File;
use crate::source::{Token, tokens};

/// Names of the process's surroundings: the binary captures them and passes them in as data.
const OUTSIDE: [&[&str]; 12] = [
    &["std", "::", "env"],
    &["env", "::", "var"],
    &["env", "::", "vars"],
    &["env", "::", "var_os"],
    &["env", "::", "args"],
    &["process", "::", "exit"],
    &["process", "::", "abort"],
    &["println", "!"],
    &["eprintln", "!"],
    &["print", "!"],
    &["eprint", "!"],
    &["dbg", "!"],
];

/// What is not finished, or does not run.
const UNDONE: [&[&str]; 4] =
    [&["todo", "!"], &["unimplemented", "!"], &["[", "ignore", "]"], &["[", "ignore", "="]];

/// Words in comments that say the same.
const MARKERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Uses of the outside, but for tests. `std::env::consts` is a constant.
pub fn touched(file: &File) -> Vec<String> {
    if file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let tokens: Vec<Token> = tokens(&file.text).into_iter().filter(|token| !token.test).collect();
    let found = OUTSIDE.iter().flat_map(|wanted| sequences(&tokens, wanted));
    let wrong = found.filter(|at| tokens.get(at + 4).is_none_or(|token| token.text != "consts"));
    let mut lines: Vec<usize> = wrong.map(|at| tokens[at].line).collect();
    lines.sort_unstable();
    lines.dedup();
    let say = |line: usize| {
        format!("{}:{line}: the library may not read the environment, print or exit", file.path)
    };
    lines.into_iter().map(say).collect()
}

/// Unfinished code, and tests that are switched off.
pub fn undone(file: &File) -> Vec<String> {
    let tokens = tokens(&file.text);
    let code = UNDONE.iter().flat_map(|wanted| sequences(&tokens, wanted)).map(|at| tokens[at].line);
    let marked = |line: &str| line.split(|c: char| !c.is_alphanumeric()).any(|word| MARKERS.contains(&word));
    let comments = file.text.lines().enumerate().filter(|(_, line)| marked(line)).map(|(index, _)| index + 1);
    code.chain(comments).map(|line| format!("{}:{line}: is left undone or switched off", file.path)).collect()
}

/// Where these tokens stand one after the other.
fn sequences(tokens: &[Token], wanted: &[&str]) -> Vec<usize> {
    let same = |window: &[Token]| window.iter().zip(wanted).all(|(token, text)| token.text == *text);
    let found = tokens.windows(wanted.len()).enumerate().filter(|(_, window)| same(window));
    found.map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_touch_is_seen() {
        for bad in [
            "let a = std::env::var(\"A\");",
            "use std::env;",
            "for (k, v) in env::vars() {}",
            "std::process::exit(1)",
            "println!(\"a\")",
            "fn f() { eprint! (\"a\") }",
        ] {
            assert_eq!(touched(&File::new("a.rs", bad)).len(), 1, "{bad}");
        }
        for good in [
            "// std::env::var\nlet a = \"println!\";",
            "let os = std::env::consts::OS;",
            "env!(\"CARGO_PKG_VERSION\")",
            "#[cfg(test)]\nmod tests { fn f() { println!(\"a\") } }",
        ] {
            assert!(touched(&File::new("a.rs", good)).is_empty(), "{good}");
        }
    }

    #[test]
    fn what_is_undone_is_seen() {
        for bad in ["todo!()", "#[ignore]\nfn f() {}", "#[ignore = \"slow\"]", concat!("// TO", "DO: later")]
        {
            assert_eq!(undone(&File::new("a.rs", bad)).len(), 1, "{bad}");
        }
        assert!(undone(&File::new("a.rs", "let ignore = [1]; // ignore this")).is_empty());
    }
}
