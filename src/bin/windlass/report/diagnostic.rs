//! Diagnostics with the source they are about: file, line, caret, why, what next.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet};
use windlass::plan::render::{Style, safe};
use windlass_model::{Diagnostic, Label, Severity, Span};

/// How many diagnostics are shown in full.
const MOST: usize = 100;
/// A longer line is not shown: its place is given as line and column.
const LONGEST_LINE: usize = 2_000;
/// More text than this between two places of a file is not looked through: the second is given as line and column.
const LARGEST_REGION: usize = 64 * 1024;

/// Where the text of a file comes from.
pub type Source<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Renders all of them, errors last so that they stand where the eye is, with a count where there are several.
pub fn diagnostics(list: &[Diagnostic], source: Source<'_>, style: &Style) -> String {
    let mut files = Files { source, read: Vec::new() };
    let (errors, warnings): (Vec<&Diagnostic>, Vec<&Diagnostic>) = list.iter().partition(|d| d.is_error());
    let mut out = String::new();
    for one in warnings.iter().take(MOST).chain(errors.iter().take(MOST)) {
        out.push_str(&render(one, &mut files, style));
        out.push_str("\n\n");
    }
    let left = list.len() - warnings.len().min(MOST) - errors.len().min(MOST);
    if left > 0 {
        out.push_str(&format!("... and {left} more\n\n"));
    }
    if errors.len() > 1 {
        out.push_str(&format!("{} errors\n", errors.len()));
    } else if out.ends_with("\n\n") {
        out.pop();
    }
    out
}

/// Each file is read once.
struct Files<'a> {
    source: Source<'a>,
    read: Vec<(Arc<str>, Option<Arc<str>>)>,
}

impl Files<'_> {
    fn get(&mut self, file: &Arc<str>) -> Option<Arc<str>> {
        if let Some((_, text)) = self.read.iter().find(|(name, _)| name == file) {
            return text.clone();
        }
        let text = (self.source)(file).map(Arc::from);
        self.read.push((file.clone(), text.clone()));
        text
    }
}

fn render(diagnostic: &Diagnostic, files: &mut Files<'_>, style: &Style) -> String {
    let places = places(&diagnostic.labels, files);
    let patch = diagnostic.help.as_ref().and_then(|help| help.patch.as_ref());
    let patch = patch.and_then(|(span, text)| self::patch(span, text, files));
    if patch.is_none() && !places.iter().any(|place| matches!(place, Place::Source { .. })) {
        return bare(diagnostic, places, style);
    }
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut main = Group::with_title(level.primary_title(safe(&diagnostic.title)));
    for place in places {
        main = place.add_to(main);
    }
    for note in &diagnostic.notes {
        main = main.element(Level::NOTE.message(safe(note)));
    }
    let mut groups = vec![main];
    if let Some(help) = &diagnostic.help {
        match patch {
            Some(snippet) => {
                groups.push(Level::HELP.secondary_title(safe(&help.text)).element(snippet));
            }
            None => {
                let main = groups.remove(0);
                groups.push(main.element(Level::HELP.message(safe(&help.text))));
            }
        }
    }
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(style.width).render(&groups)
}

/// Where no source can be shown: lines of text.
fn bare(diagnostic: &Diagnostic, places: Vec<Place>, style: &Style) -> String {
    let (word, color) = match diagnostic.severity {
        Severity::Error => ("error", "\x1b[1;31m"),
        Severity::Warning => ("warning", "\x1b[1;33m"),
    };
    let (color, strong, end) = if style.color { (color, "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let mut out = format!("{color}{word}{end}{strong}: {}{end}", hanging(&diagnostic.title, word.len() + 2));
    for place in places {
        let Place::Bare { file, position, text } = place else { continue };
        out.push_str(&format!("\n  --> {}", safe(&file)));
        if let Some((line, column)) = position {
            out.push_str(&format!(":{line}:{column}"));
        }
        if !text.is_empty() {
            out.push_str(&format!(": {text}"));
        }
    }
    for note in &diagnostic.notes {
        out.push_str(&format!("\n  note: {}", hanging(note, 8)));
    }
    if let Some(help) = &diagnostic.help {
        out.push_str(&format!("\n  help: {}", hanging(&help.text, 8)));
    }
    out
}

/// Text whose further lines begin below the first.
fn hanging(text: &str, indent: usize) -> String {
    safe(text.trim_end()).replace('\n', &format!("\n{:indent$}", ""))
}

/// A part of a file's text, and where it begins.
struct Region {
    text: String,
    first_line: usize,
    start: usize,
}

impl Region {
    /// The whole lines around a range; `None` where they are too long to show.
    fn around(text: &str, range: &Range<usize>) -> Option<Region> {
        let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at);
        let region = &text[start..end];
        if region.len() > LARGEST_REGION || region.lines().any(|line| line.len() > LONGEST_LINE) {
            return None;
        }
        let first_line = text[..start].bytes().filter(|b| *b == b'\n').count() + 1;
        Some(Region { text: region.to_owned(), first_line, start })
    }

    fn within(&self, range: &Range<usize>) -> Range<usize> {
        range.start - self.start..range.end - self.start
    }
}

/// A span within the text, at borders of characters, not empty where it can be helped.
fn clamp(text: &str, span: &Span) -> Range<usize> {
    let border = |at: u32, up: bool| {
        let mut at = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
        while !text.is_char_boundary(at) {
            at = if up { at + 1 } else { at - 1 };
        }
        at
    };
    let start = border(span.start, false);
    start..border(span.end, true).max(start)
}

/// Something that points into a file.
enum Place {
    Source { file: Arc<str>, region: Region, marks: Vec<(Range<usize>, String, bool)> },
    Bare { file: Arc<str>, position: Option<(usize, usize)>, text: String },
}

impl Place {
    fn add_to(self, group: Group<'_>) -> Group<'_> {
        match self {
            Place::Source { file, region, marks } => {
                let annotation = |(range, text, primary): (Range<usize>, String, bool)| {
                    let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
                    let text = if text.is_empty() { None } else { Some(text) };
                    kind.span(range).label(text)
                };
                let snippet = Snippet::source(region.text)
                    .line_start(region.first_line)
                    .path(safe(&file))
                    .annotations(marks.into_iter().map(annotation));
                group.element(Element::from(snippet))
            }
            Place::Bare { file, position, text } => {
                let mut origin = Origin::path(safe(&file));
                if let Some((line, column)) = position {
                    origin = origin.line(line).char_column(column);
                }
                let group = group.element(origin);
                if text.is_empty() { group } else { group.element(Level::NOTE.message(text)) }
            }
        }
    }
}

/// One place for each file, with all its marks, in the order in which the files are first named.
fn places(labels: &[Label], files: &mut Files<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (i, label) in labels.iter().enumerate() {
        let Some(text) = files.get(&label.span.file) else {
            places.push(Place::Bare {
                file: label.span.file.clone(),
                position: None,
                text: safe(&label.text),
            });
            continue;
        };
        let mark = (clamp(&text, &label.span), safe(&label.text), i == 0);
        match joined(&mut places, &label.span.file, &text, &mark) {
            true => {}
            false => places.push(place(label.span.file.clone(), &text, mark)),
        }
    }
    places
}

/// Adds a mark to the snippet of its file, where there is one and what lies between is not too much.
fn joined(places: &mut [Place], file: &Arc<str>, text: &str, mark: &(Range<usize>, String, bool)) -> bool {
    for place in places {
        let Place::Source { file: other, region, marks } = place else { continue };
        if other != file {
            continue;
        }
        let whole = region.start.min(mark.0.start)..(region.start + region.text.len()).max(mark.0.end);
        let Some(wider) = Region::around(text, &whole) else { continue };
        for (range, ..) in marks.iter_mut() {
            *range = wider.within(&(range.start + region.start..range.end + region.start));
        }
        marks.push((wider.within(&mark.0), mark.1.clone(), mark.2));
        *region = wider;
        return true;
    }
    false
}

fn place(file: Arc<str>, text: &str, (range, label, primary): (Range<usize>, String, bool)) -> Place {
    match Region::around(text, &range) {
        Some(region) => {
            let within = region.within(&range);
            Place::Source { file, region, marks: vec![(within, label, primary)] }
        }
        None => {
            let before = &text[..range.start];
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
            let column = before[line_start..].chars().count() + 1;
            Place::Bare { file, position: Some((line, column)), text: label }
        }
    }
}

/// The line as it should read.
fn patch(span: &Span, replacement: &str, files: &mut Files<'_>) -> Option<Snippet<'static, Patch<'static>>> {
    let text = files.get(&span.file)?;
    let range = clamp(&text, span);
    // Text that would be changed on its way to the terminal is not offered as a patch.
    if safe(replacement) != replacement || text[range.clone()] == *replacement {
        return None;
    }
    let region = Region::around(&text, &range)?;
    let within = region.within(&range);
    let snippet = Snippet::source(region.text).line_start(region.first_line).path(safe(&span.file));
    Some(snippet.patch(Patch::new(within, replacement.to_owned())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str =
        "stack \"shop\" {}\n\nresource \"local_file\" \"web\" {\n  path = local_fil.base.path\n}\n";

    fn span(file: &str, start: u32, end: u32) -> Span {
        Span { file: file.into(), start, end }
    }

    fn source(file: &str) -> Option<String> {
        match file {
            "main.stack.hcl" => Some(FILE.to_owned()),
            "other.stack.hcl" => Some("a = 1\nb = 2\n".to_owned()),
            "long.stack.hcl" => Some(format!("x = \"{}\"", "y".repeat(5_000))),
            "empty.stack.hcl" => Some(String::new()),
            _ => None,
        }
    }

    fn all(list: &[Diagnostic]) -> String {
        diagnostics(list, &source, &Style::default())
    }

    /// Where a text stands in the file.
    fn at(text: &str) -> Span {
        let start = FILE.find(text).unwrap();
        span("main.stack.hcl", start as u32, (start + text.len()) as u32)
    }

    fn unknown_type() -> Diagnostic {
        let at = at("local_fil.");
        let at = Span { end: at.end - 1, ..at };
        Diagnostic::error("unknown resource type `local_fil`")
            .at(&at, "no provider has it")
            .note("there are `local_file`, `local_data` and `local_command`")
            .patch("did you mean `local_file`?", &at, "local_file")
    }

    #[test]
    fn with_source() {
        insta::assert_snapshot!(all(&[unknown_type()]));
    }

    #[test]
    fn several_places_and_files() {
        let list = [
            Diagnostic::error("duplicate name")
                .at(&at("\"web\""), "again here")
                .at(&at("\"shop\""), "first here")
                .at(&span("other.stack.hcl", 6, 7), "and here")
                .help("rename one of them"),
            Diagnostic::warning("variable `x` is not used").at(&span("other.stack.hcl", 0, 1), ""),
            Diagnostic::error("the state is locked").note("by ann").help("wait"),
        ];
        insta::assert_snapshot!(all(&list));
    }

    #[test]
    fn without_source() {
        let list = [
            Diagnostic::error("not readable").at(&span("gone.stack.hcl", 7, 9), "here"),
            Diagnostic::error("very long").at(&span("long.stack.hcl", 7, 9), "here"),
            Diagnostic::error("end of file").at(&span("empty.stack.hcl", 7, 9), "something is missing"),
            Diagnostic::error("out of range").at(&span("other.stack.hcl", 900, 800), "there"),
            Diagnostic::error("an escape \u{1b}[2J in\na title"),
        ];
        insta::assert_snapshot!(all(&list));
    }

    #[test]
    fn many_are_counted() {
        let text = all(&vec![Diagnostic::error("x"); 150]);
        assert!(text.ends_with("... and 50 more\n\n150 errors\n"), "{text}");
    }

    #[test]
    fn colours() {
        let style = Style { color: true, ..Style::default() };
        assert!(diagnostics(&[unknown_type()], &source, &style).contains("\x1b["));
        assert!(!all(&[unknown_type()]).contains('\x1b'));
    }

    proptest! {
        #[test]
        fn no_source_and_no_span_panics(
            text in "(\\PC|[\n\r\t\0äß🦀\u{202e}\u{1b}\"${]){0,60}",
            spans in proptest::collection::vec((0_u32..90, 0_u32..90), 1..4),
            replacement in "(\\PC|[\n\0]){0,5}",
            word in "(\\PC|[\n\r\0]){0,9}",
        ) {
            let mut diagnostic = Diagnostic::error(word.clone()).note(word.clone());
            for (start, end) in &spans {
                diagnostic = diagnostic.at(&span("f", *start, *end), word.clone());
            }
            let (start, end) = spans[0];
            let diagnostic = diagnostic.patch(word, &span("f", start, end), replacement);
            let out = diagnostics(&[diagnostic], &|_| Some(text.clone()), &Style::default());
            prop_assert!(!out.is_empty());
            prop_assert!(!out.contains(['\0', '\u{1b}', '\u{202e}']), "{:?}", out);
        }
    }
}
