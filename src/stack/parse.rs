//! Reads all stack files of a directory into one [`Stack`].

use std::sync::Arc;

use hcl_edit::structure::Structure;
use windlass_model::{Catalog, Diagnostic, FileError, Files};

use super::decode::Decoder;
use super::{Stack, check, scan};
use crate::lang::{Source, syntax_error};

/// The ending of a stack file's name.
const ENDING: &str = ".stack.hcl";

/// More problems than this are counted, not shown.
const SHOWN: usize = 200;

/// A stack as far as it could be read, and all that is wrong with it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The stack; where there are errors, what is left without the wrong parts.
    pub stack: Stack,
    /// Problems, those of one file together, by place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether any of the problems is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads and checks every `*.stack.hcl` of the stack's directory (not of those below it). Needs no state and no tool.
pub fn load(files: &dyn Files, catalog: &Catalog) -> Loaded {
    let mut decoder = Decoder::new(&stack_name(files), catalog);
    match stack_files(files) {
        Ok(paths) => {
            for path in &paths {
                read_file(files, path, &mut decoder);
            }
        }
        Err(problem) => decoder.report.push(*problem),
    }
    let (stack, mut report) = decoder.finish();
    check::check(&stack, catalog, &mut report);
    Loaded { stack, diagnostics: arrange(report) }
}

fn stack_files(files: &dyn Files) -> Result<Vec<String>, Box<Diagnostic>> {
    let dir = files.stack_dir();
    let mut paths = files.entries(dir).map_err(|error| Box::new(unreadable(&error)))?;
    paths.retain(|path| path.ends_with(ENDING));
    if paths.is_empty() {
        let shown = files.checkout().map_or_else(|| dir.to_owned(), |dir| dir.display().to_string());
        let diagnostic = Diagnostic::error(format!("no stack file in `{shown}`"));
        let diagnostic = diagnostic.note(format!("a stack is a directory with files named `*{ENDING}`"));
        let help = "`windlass init` writes a first one; `-C DIR` names another directory";
        return Err(Box::new(diagnostic.help(help)));
    }
    Ok(paths)
}

fn unreadable(error: &FileError) -> Diagnostic {
    let path = if error.path.is_empty() { "." } else { &error.path };
    Diagnostic::error(format!("cannot read `{path}`: {}", error.reason))
}

/// The name of a stack that has no `stack` block: that of its directory.
fn stack_name(files: &dyn Files) -> String {
    let checkout = files.checkout();
    let real = checkout.as_deref().and_then(|dir| dir.file_name()).and_then(|name| name.to_str());
    let name = real.or_else(|| files.stack_dir().rsplit('/').next()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = name.trim_start_matches('.').chars().map(plain).collect();
    if name.is_empty() { "stack".to_owned() } else { name }
}

fn read_file(files: &dyn Files, path: &str, decoder: &mut Decoder<'_>) {
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => return decoder.report.push(unreadable(&error)),
    };
    let file: Arc<str> = path.into();
    let text = match scan::text(&bytes, &file) {
        Ok(text) => text,
        Err(problem) => return decoder.report.push(*problem),
    };
    let cut = scan::cut(text, &file);
    decoder.report.extend(cut.problems);
    // What follows a piece that does not parse is often its rest: only what looks like a block of its own is told of.
    let mut after_error = false;
    for piece in cut.pieces {
        let source = Source { file: &file, text: &piece.text, base: piece.base };
        match hcl_edit::parser::parse_body(source.text) {
            Ok(body) => {
                after_error = false;
                for structure in &body {
                    match structure {
                        Structure::Block(block) => decoder.block(block, &source),
                        Structure::Attribute(attribute) => decoder.stray_attribute(attribute, &source),
                    }
                }
            }
            Err(error) => {
                if !after_error || piece.text.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    decoder.report.push(syntax_error(&error, &source));
                }
                after_error = true;
            }
        }
    }
}

/// Sorted by file and place, the same ones once, and not more than anyone reads.
fn arrange(mut report: Vec<Diagnostic>) -> Vec<Diagnostic> {
    report.sort_by(|a, b| {
        let place = |d: &Diagnostic| d.labels.first().map(|label| label.span.clone());
        place(a).cmp(&place(b)).then_with(|| a.title.cmp(&b.title))
    });
    report.dedup();
    if report.len() > SHOWN {
        let more = report.len() - SHOWN;
        let any_error = report[SHOWN..].iter().any(Diagnostic::is_error);
        report.truncate(SHOWN);
        let text = format!("{more} more problems are not shown");
        report.push(if any_error { Diagnostic::error(text) } else { Diagnostic::warning(text) });
    }
    report
}
