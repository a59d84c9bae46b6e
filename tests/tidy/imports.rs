//! Who may import whom.

use crate::File;
use crate::source::{Token, tokens};

/// A root module and what it may name: other root modules, and crates of the workspace.
/// The lowest first; each names only what stands above it here.
const TABLE: [(&str, &[&str]); 7] = [
    ("event", &["windlass_model"]),
    ("lang", &["windlass_model"]),
    ("stack", &["lang", "windlass_model"]),
    ("graph", &["stack", "lang", "windlass_model"]),
    ("plan", &["graph", "stack", "lang", "windlass_model", "windlass_provider"]),
    (
        "apply",
        &["plan", "graph", "stack", "lang", "event", "windlass_model", "windlass_provider", "windlass_store"],
    ),
    (
        "ops",
        &[
            "apply",
            "plan",
            "graph",
            "stack",
            "lang",
            "event",
            "windlass_model",
            "windlass_provider",
            "windlass_store",
        ],
    ),
];

/// Crates that only the binary may name.
const BINARY_ONLY: [&str; 5] =
    ["clap", "clap_complete", "indicatif", "windlass_provider_local", "windlass_provider_terraform"];

/// Imports of a file of `src/` that the table does not have.
pub fn upward(file: &File) -> Vec<String> {
    let home = module_path(&file.path);
    let Some(root) = home.first() else { return Vec::new() };
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| name == root) else {
        return vec![format!(
            "{}: the root module `{root}` has no line in the table of tests/tidy/imports.rs",
            file.path
        )];
    };
    let tokens = tokens(&file.text);
    let named = root_modules(&tokens, &home).into_iter().chain(crates(&tokens));
    let wrong = named.filter(|(name, _)| name != root && !allowed.contains(&name.as_str()));
    wrong.map(|(name, line)| format!("{}:{line}: `{root}` may not import `{name}`", file.path)).collect()
}

/// Uses of crates that only the binary may name.
pub fn forbidden_crates(file: &File) -> Vec<String> {
    let own = own_crate(&file.path);
    let named = tokens(&file.text).into_iter().filter(|token| BINARY_ONLY.contains(&token.text.as_str()));
    let wrong = named.filter(|token| Some(token.text.as_str()) != own.as_deref());
    wrong
        .map(|token| format!("{}:{}: only the binary may name `{}`", file.path, token.line, token.text))
        .collect()
}

/// The crate that a provider's own file may name (in its documentation tests it does).
fn own_crate(path: &str) -> Option<String> {
    let name = path.strip_prefix("providers/")?.split('/').next()?;
    Some(format!("windlass_provider_{name}"))
}

/// `src/plan/decide.rs` is `plan::decide`, `src/lib.rs` is the root.
fn module_path(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Crates of the workspace that are named.
fn crates(tokens: &[Token]) -> Vec<(String, usize)> {
    let named = tokens.iter().filter(|token| token.text.starts_with("windlass_"));
    named.map(|token| (token.text.clone(), token.line)).collect()
}

/// The root modules that paths lead to: `crate::x`, `crate::{x, y::z}`, and `super::`s that climb to the root.
fn root_modules(tokens: &[Token], home: &[String]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", |n| tokens[n].text.as_str());
        let starts = ["crate", "super", "self"].contains(&token.text.as_str()) && before != "::";
        // `pub(crate)` and `pub(in crate::x)` say who may see, not who is used.
        let visibility = before == "(" && index >= 2 && tokens[index - 2].text == "pub" || before == "in";
        if starts && !visibility {
            follow(tokens, index, home, &mut found);
        }
    }
    found
}

/// Follows one path to the first names below the root.
fn follow(tokens: &[Token], start: usize, home: &[String], found: &mut Vec<(String, usize)>) {
    let mut here: Vec<String> = home.iter().cloned().chain(tokens[start].modules.iter().cloned()).collect();
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let mut index = start;
    loop {
        match text(index) {
            "crate" => here.clear(),
            "super" => drop(here.pop()),
            "self" => {}
            _ => break,
        }
        if text(index + 1) != "::" {
            return;
        }
        index += 2;
    }
    if let Some(root) = here.first() {
        found.push((root.clone(), tokens[start].line));
    } else if text(index) == "{" {
        found.extend(group(tokens, index));
    } else {
        found.push((text(index).to_owned(), tokens[start].line));
    }
}

/// The first names of the entries of `{a, b::c, d::{e, f}}`.
fn group(tokens: &[Token], open: usize) -> Vec<(String, usize)> {
    let mut depth = 0;
    let mut names = Vec::new();
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," | "::" | "self" => {}
            name if depth == 1 && ["{", ","].contains(&tokens[index - 1].text.as_str()) => {
                names.push((name.to_owned(), token.line));
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> Vec<String> {
        upward(&File::new(path, text))
    }

    #[test]
    fn each_way_to_import_upwards_is_seen() {
        for bad in [
            "use crate::plan::World;",
            "use crate::{lang::Expr, plan::{self, World}};",
            "use\n crate\n ::plan;",
            "fn f() { crate::apply::run() }",
            "use super::super::plan::World;",
            "mod a { use super::super::super::plan::X; }",
            "use windlass_store::Store;",
            "fn f(s: &dyn windlass_provider::Session) {}",
            "#[cfg(test)] mod tests { use crate::ops; }",
        ] {
            assert_eq!(
                of("src/stack/decode.rs", bad).len(),
                1,
                "{bad}: {:?}",
                of("src/stack/decode.rs", bad)
            );
        }
        assert_eq!(of("src/plan/mod.rs", "use super::apply;").len(), 1);
        assert_eq!(of("src/graph.rs", "use super::plan;").len(), 1);
    }

    #[test]
    fn imports_downwards_are_fine() {
        for good in [
            "use crate::lang::{Expr, Scope};",
            "use crate::{lang, stack};",
            "use super::parse; use super::super::lang::At;",
            "pub(crate) fn f() {} pub(super) fn g() {} pub(in crate::stack) fn h() {}",
            "// crate::plan\nconst A: &str = \"crate::plan\";",
            "use windlass_model::Value;",
            "mod a { use super::super::parse; use self::b; }",
        ] {
            assert!(
                of("src/stack/decode.rs", good).is_empty(),
                "{good}: {:?}",
                of("src/stack/decode.rs", good)
            );
        }
    }

    #[test]
    fn a_new_root_module_needs_a_line() {
        assert_eq!(of("src/extras.rs", "").len(), 1);
        assert!(of("src/lib.rs", "pub mod lang;").is_empty());
    }

    #[test]
    fn the_table_has_no_circle() {
        for (index, (name, allowed)) in TABLE.iter().enumerate() {
            let above: Vec<&str> = TABLE[..index].iter().map(|(name, _)| *name).collect();
            for other in allowed.iter().filter(|other| !other.starts_with("windlass_")) {
                assert!(above.contains(other), "{name} names {other}, which does not stand above it");
            }
        }
    }

    #[test]
    fn crates_of_the_binary_are_seen() {
        let bad = File::new("src/ops/plan.rs", "use clap::Parser;\nuse windlass_provider_local::Local;");
        assert_eq!(forbidden_crates(&bad).len(), 2);
        let other = File::new(
            "providers/local/src/lib.rs",
            "windlass_provider_terraform::X; windlass_provider_local::Y",
        );
        assert_eq!(forbidden_crates(&other).len(), 1);
        assert!(
            forbidden_crates(&File::new("src/ops/plan.rs", "// clap\nuse windlass_provider::Provider;"))
                .is_empty()
        );
    }
}
