//! Pages that are made from tables in the code: `UPDATE_DOCS=1 cargo test --test documentation` writes them anew.

#![expect(clippy::disallowed_methods, reason = "a test that reads and writes the documentation")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "cli")]

use std::fmt::Write as _;

use windlass_model::ERROR_CLASSES;
use windlass_provider::{KnownError, Provider};

const HEAD: &str = "\
# Errors

Every failure of a step has a class. It is in the event (`class` of `step_failed`), and from it follows how grave the failure is, whether
Windlass tries again by itself, and what a person does about it. The tool's own text follows on the lines below the first.

| class | meaning | severity | tried again | what to do |
|---|---|---|---|---|
";

fn providers() -> Vec<Box<dyn Provider>> {
    vec![
        Box::new(windlass_provider_bicep::provider()),
        Box::new(windlass_provider_cloudformation::provider()),
        Box::new(windlass_provider_terraform::provider()),
    ]
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn errors() -> String {
    let mut page = HEAD.to_owned();
    for facts in ERROR_CLASSES {
        let again = if facts.class.is_temporary() { "yes, with growing waits" } else { "no" };
        let (word, means) = (facts.word, facts.means);
        let (gravity, recovery) = (facts.gravity.as_str(), facts.recovery.as_str());
        writeln!(page, "| `{word}` | {means} | {gravity} | {again} | {recovery} |").unwrap();
    }
    for provider in providers() {
        let rows: &[KnownError] = provider.errors();
        if rows.is_empty() {
            continue;
        }
        writeln!(page, "\n## {}\n\n| the tool says | class | next |\n|---|---|---|", provider.schema().name)
            .unwrap();
        for row in rows {
            let (says, hint) = (cell(row.says), cell(row.hint));
            writeln!(page, "| `{says}` | `{}` | {hint} |", row.class.as_str()).unwrap();
        }
    }
    page
}

fn is_current(path: &str, wanted: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "{path} is not as the tables say: UPDATE_DOCS=1 cargo test --test documentation"
    );
}

#[test]
fn the_errors_page_is_made_from_the_tables() {
    is_current("docs/errors.md", &errors());
}
