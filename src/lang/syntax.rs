//! Reading text as an expression, and saying what is wrong with text that is none.

use std::ops::Range;
use std::sync::Arc;

use hcl_edit::parser;
use windlass_model::{Diagnostic, Span};

use super::expr::Expr;
use super::lower::lower;
use super::source::Source;

/// Parses one expression and lowers it: for the console, `--var` values and tests.
///
/// # Errors
/// Where the text is not an expression.
#[expect(clippy::result_large_err, reason = "a diagnostic is what callers collect; errors are rare")]
pub fn parse_expression(text: &str, file: &Arc<str>) -> Result<Expr, Diagnostic> {
    let whole = 0..text.len();
    let attempt = |range: Range<usize>| {
        let fragment = text.get(range.clone()).unwrap_or_default();
        let trimmed = fragment.trim();
        let start = range.start + fragment.len() - fragment.trim_start().len();
        let source = Source { file, text: trimmed, base: u32::try_from(start).unwrap_or(u32::MAX) };
        match parser::parse_expr(trimmed) {
            Ok(parsed) => lower(&parsed, &source),
            Err(error) => Err(syntax_error(&error, &source)),
        }
    };
    attempt(whole).or_else(|error| attempt(without_comments(text).ok_or(error)?))
}

/// Where the expression stands in a text with comments around it: the parser of expressions wants none there, the parser
/// of bodies does not mind.
fn without_comments(text: &str) -> Option<Range<usize>> {
    if !text.contains(['#', '/']) {
        return None;
    }
    let prefix = "a=";
    let body = parser::parse_body(&format!("{prefix}{text}\n")).ok()?;
    let mut attributes = body.attributes();
    let (only, None) = (attributes.next()?, attributes.next()) else { return None };
    let range = hcl_edit::Span::span(&only.value)?;
    Some(range.start.checked_sub(prefix.len())?..range.end.checked_sub(prefix.len())?)
}

/// What is wrong with a text that the parser refused.
pub fn syntax_error(error: &parser::Error, source: &Source) -> Diagnostic {
    let offset = error.location().offset().min(source.text.len());
    let message = error.message();
    let width = source.text.get(offset..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let span = source.span(Some(offset..offset + width));
    if let Some(known) = known_error(message, &span) {
        return known;
    }
    let found = source.text.get(offset..).unwrap_or_default();
    let (title, help) = title_of(found);
    let diagnostic = Diagnostic::error(title).at(&span, label_of(message));
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// Errors of the parser that are about something else than the character at hand.
fn known_error(message: &str, span: &Span) -> Option<Diagnostic> {
    let error = |title: &str, help: &str| Some(Diagnostic::error(title).at(span, "").help(help));
    if message.contains("nesting depth") {
        return error("nested too deeply: 64 levels are the most", "move the inner part to a local");
    }
    if message.contains("chained binary operators") {
        return error("too many operators in one expression: 128 are the most", "move a part to a local");
    }
    if message.contains("redefined object key") {
        return error("the key is already in this object", "remove one of them");
    }
    if message.contains("redefined") {
        return error("the attribute is already set in this block", "remove one of them");
    }
    if message.contains("escape sequence") {
        return error(
            "invalid escape sequence",
            "there are \\n \\r \\t \\\" \\\\ \\uNNNN and \\UNNNNNNNN; a backslash itself is \\\\",
        );
    }
    if message.contains("hex code") {
        return error("invalid unicode escape", "\\u has four hexadecimal digits, \\U has eight");
    }
    None
}

fn title_of(found: &str) -> (String, Option<&'static str>) {
    let help = match found.chars().next() {
        None => {
            return (
                "unexpected end of the text".to_owned(),
                Some("a quote, bracket or template is not closed"),
            );
        }
        Some('\'') => Some("strings are in double quotes"),
        Some('&') => Some("boolean and is `&&`"),
        Some('|') => Some("boolean or is `||`"),
        _ => None,
    };
    let shown: String = match found.lines().next() {
        Some("") | None => return ("unexpected end of the line".to_owned(), help),
        Some(line) => line.chars().take(1).collect(),
    };
    (format!("unexpected `{shown}`"), help)
}

/// The parser's message, shortened: its list of all that may begin an expression helps nobody.
fn label_of(message: &str) -> String {
    let message = message.rsplit("; ").next().unwrap_or(message);
    match message.matches(',').count() > 3 {
        true => "expected an expression".to_owned(),
        false if message == "unexpected token" => String::new(),
        false => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Diagnostic {
        parse_expression(text, &Arc::from("t")).unwrap_err()
    }

    #[test]
    fn errors_have_a_place_and_a_title() {
        for text in ["(1 +", "'a'", "1 & 1", "[1 2]", "\"\\a\"", "a b", "{a 1}", "", "\"unterminated", "${"] {
            let error = error(text);
            assert_eq!(error.labels.len(), 1, "{text}");
            assert!(!error.title.is_empty(), "{text}");
        }
        assert_eq!(error("\"\\a\"").title, "invalid escape sequence");
        assert_eq!(error("{a = 1, a = 2}").title, "the key is already in this object");
    }

    #[test]
    fn limits_are_errors() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert!(error(&deep).title.contains("64 levels"));
        let long = vec!["1"; 500].join(" + ");
        assert!(error(&long).title.contains("128"), "{}", error(&long).title);
        let far = format!("a{}", ".b".repeat(20_000));
        assert!(!error(&far).title.is_empty());
    }

    #[test]
    fn a_comment_may_follow() {
        assert!(parse_expression("1 # one", &Arc::from("t")).is_ok());
        assert!(parse_expression("/* a\nb */ 1 // one", &Arc::from("t")).is_ok());
    }
}
