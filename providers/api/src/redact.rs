//! Keeps known secrets out of what people and logs see (rule E2).

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};

use crate::secret_forms::forms_of;

/// What stands in place of a secret.
const MASK: &str = "(sensitive)";

/// Known secrets, found again in clear, JSON-escaped, URL-encoded and base64 form, also over line borders.
#[derive(Default)]
pub struct Redactor {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    secrets: BTreeSet<String>,
    /// All forms, sorted, without line ends.
    forms: BTreeSet<String>,
    /// Made when it is needed, thrown away when a secret is added.
    finder: Option<Arc<Finder>>,
}

/// Finds forms of secrets in text.
pub(crate) struct Finder {
    search: Option<AhoCorasick>,
    forms: Vec<String>,
    longest: usize,
}

impl Redactor {
    /// Adds a secret. Shorter than 4 characters is not looked for; returns whether it will be.
    pub fn add(&self, secret: &str) -> bool {
        let forms = forms_of(secret);
        if forms.is_empty() {
            return false;
        }
        // Nobody panics while holding the lock, so a poisoned one is as good as any.
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.secrets.insert(secret.to_owned()) {
            known.forms.extend(forms);
            known.finder = None;
        }
        true
    }

    /// The text with each known secret replaced by `(sensitive)`.
    pub fn redact(&self, text: &str) -> String {
        self.finder().redact(text.as_bytes())
    }

    pub(crate) fn finder(&self) -> Arc<Finder> {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(finder) = &known.finder {
            return finder.clone();
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let finder = Arc::new(Finder::new(known.forms.iter().cloned().collect()));
        known.finder = Some(finder.clone());
        finder
    }
}

/// Text without its line ends, and where each byte of it was.
struct Joined {
    bytes: Vec<u8>,
    at: Vec<usize>,
}

impl Joined {
    fn new(text: &[u8]) -> Joined {
        let kept = || text.iter().enumerate().filter(|(_, byte)| !matches!(byte, b'\n' | b'\r'));
        Joined { bytes: kept().map(|(_, byte)| *byte).collect(), at: kept().map(|(at, _)| at).collect() }
    }
}

impl Finder {
    fn new(forms: Vec<String>) -> Finder {
        let longest = forms.iter().map(String::len).max().unwrap_or(0);
        let build = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
        // It fails only for more patterns than memory holds; then nothing is shown at all.
        Finder { search: build.ok(), forms, longest }
    }

    /// The ranges of the text that are secrets, in order.
    fn find(&self, text: &[u8]) -> Vec<std::ops::Range<usize>> {
        let Some(search) = &self.search else { return std::iter::once(0..text.len()).collect() };
        if self.forms.is_empty() {
            return Vec::new();
        }
        if !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return merged(search.find_iter(text).map(|found| found.range()));
        }
        let joined = Joined::new(text);
        let back = |at: usize| joined.at.get(at).copied().unwrap_or(text.len());
        merged(search.find_iter(&joined.bytes).map(|found| back(found.start())..back(found.end() - 1) + 1))
    }

    /// The text with its secrets masked. What is not UTF-8 is shown as replacement characters.
    pub(crate) fn redact(&self, text: &[u8]) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut at = 0;
        for secret in self.find(text) {
            shown.push_str(&String::from_utf8_lossy(&text[at..secret.start]));
            shown.push_str(MASK);
            at = secret.end;
        }
        shown.push_str(&String::from_utf8_lossy(&text[at..]));
        shown
    }

    /// How much of the text can be shown before more of it is known: up to where a secret may have begun.
    fn decided(&self, text: &[u8]) -> usize {
        let joined = Joined::new(text);
        let from = joined.bytes.len().saturating_sub(self.longest.saturating_sub(1));
        let begins = (from..joined.bytes.len()).find(|at| self.begins_a_form(&joined.bytes[*at..]));
        begins.and_then(|at| joined.at.get(at).copied()).unwrap_or(text.len())
    }

    /// Whether a longer form begins with this text.
    fn begins_a_form(&self, text: &[u8]) -> bool {
        let first = self.forms.partition_point(|form| form.as_bytes() <= text);
        self.forms.get(first).is_some_and(|form| form.as_bytes().starts_with(text))
    }
}

fn merged(found: impl Iterator<Item = std::ops::Range<usize>>) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for range in found {
        match ranges.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        }
    }
    ranges
}

/// Longer lines are cut where they are shown.
const LONGEST_LINE: usize = 16 * 1024;

/// A tool's output as it comes, in redacted lines. A line is held back while it may hold the beginning of a secret.
pub struct Lines {
    redact: Arc<Redactor>,
    pending: Vec<u8>,
}

impl Lines {
    /// Lines without the secrets that `redact` knows.
    pub fn new(redact: Arc<Redactor>) -> Lines {
        Lines { redact, pending: Vec::new() }
    }

    /// Takes more output; returns the lines that are complete and decided, redacted, without line ends.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.pending.extend_from_slice(bytes);
        if !bytes.contains(&b'\n') {
            return Vec::new();
        }
        let finder = self.redact.finder();
        let decided = finder.decided(&self.pending);
        let border = |before: usize| {
            self.pending[..before].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
        };
        let mut end = border(decided);
        // A secret that goes over a line border keeps its lines together; the last first, for that may move to another one.
        for found in finder.find(&self.pending).iter().rev() {
            if found.start < end && found.end > end {
                end = border(found.start);
            }
        }
        let rest = self.pending.split_off(end);
        let complete = std::mem::replace(&mut self.pending, rest);
        split(&finder.redact(&complete))
    }

    /// The rest, when nothing more comes.
    pub fn finish(&mut self) -> Vec<String> {
        split(&self.redact.redact_bytes(&std::mem::take(&mut self.pending)))
    }
}

impl Redactor {
    /// As [`redact`](Redactor::redact), for output that may not be UTF-8.
    pub fn redact_bytes(&self, text: &[u8]) -> String {
        self.finder().redact(text)
    }
}

fn split(text: &str) -> Vec<String> {
    text.lines().map(|line| cut(line.strip_suffix('\r').unwrap_or(line))).collect()
}

fn cut(line: &str) -> String {
    if line.len() <= LONGEST_LINE {
        return line.to_owned();
    }
    let end = (0..=LONGEST_LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} more bytes)", &line[..end], line.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use proptest::prelude::*;

    fn redactor(secrets: &[&str]) -> Arc<Redactor> {
        let redactor = Redactor::default();
        for secret in secrets {
            redactor.add(secret);
        }
        Arc::new(redactor)
    }

    #[test]
    fn forms_of_a_secret_are_found() {
        let secret = "p<ss \"wörd\"/1";
        let redactor = redactor(&[secret]);
        for shown in [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            r#"p\u003css \"wörd\"/1"#.to_owned(),
            r#"p<ss \"w\u00f6rd\"/1"#.to_owned(),
            "p%3Css%20%22w%C3%B6rd%22%2F1".to_owned(),
            "p%3css+%22w%c3%b6rd%22%2f1".to_owned(),
        ] {
            let text = redactor.redact(&format!("before {shown} after"));
            assert!(text.starts_with("before ") && text.ends_with(" after"), "{text}");
            assert!(text.contains("(sensitive)") && !text.contains("rd"), "{text}");
        }
    }

    #[test]
    fn base64_is_found_at_each_alignment_and_over_line_borders() {
        let redactor = redactor(&["correct horse battery staple"]);
        let engine = base64::engine::general_purpose::STANDARD;
        for before in ["", "u", "us", "use", "user:"] {
            let mut text = engine.encode(format!("{before}correct horse battery staple tail"));
            assert!(redactor.redact(&text).contains("(sensitive)"), "{text}");
            text.insert(20, '\n');
            assert!(redactor.redact(&text).contains("(sensitive)"), "{text}");
        }
    }

    #[test]
    fn short_secrets_are_not_looked_for() {
        let redactor = Redactor::default();
        assert!(!redactor.add("abc"));
        assert!(!redactor.add("ab\n"));
        assert!(redactor.add("abcd"));
        assert_eq!(redactor.redact("abc abcd"), "abc (sensitive)");
    }

    #[test]
    fn a_secret_of_many_lines_is_found_line_by_line() {
        let redactor =
            redactor(&["-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0\nshort\n-----END KEY-----\n"]);
        assert_eq!(redactor.redact("  | MIIBVgIBADANBgkqhkiG9w0 |"), "  | (sensitive) |");
        assert_eq!(
            redactor.redact(
                "x -----BEGIN KEY-----\r\nMIIBVgIBADANBgkqhkiG9w0\r\nshort\r\n-----END KEY-----\r\ny"
            ),
            "x (sensitive)\r\ny"
        );
    }

    #[test]
    fn lines_come_when_they_are_decided() {
        let mut lines = Lines::new(redactor(&["secret\nvalue"]));
        assert_eq!(lines.push(b"one\ntwo"), ["one"]);
        assert_eq!(lines.push(b" x\nsec"), ["two x"]);
        assert_eq!(lines.push(b"ret\n"), Vec::<String>::new());
        assert_eq!(lines.push(b"value after\nsecret\nother\n"), ["(sensitive) after", "secret", "other"]);
        assert_eq!(lines.push("rest \u{fc}".as_bytes()), Vec::<String>::new());
        assert_eq!(lines.finish(), ["rest \u{fc}"]);
        assert_eq!(lines.finish(), Vec::<String>::new());
    }

    #[test]
    fn secrets_over_several_borders_keep_their_lines_together() {
        let mut lines = Lines::new(redactor(&["bba\nb"]));
        let mut shown = Vec::new();
        for byte in b"b\nbababba\nb\n" {
            shown.extend(lines.push(&[*byte]));
        }
        shown.extend(lines.finish());
        assert_eq!(shown, ["(sensitive)a(sensitive)"]);
    }

    proptest! {
        /// However the output is cut, no secret comes through, and what is no secret does.
        #[test]
        fn no_cut_shows_a_secret(
            secret in "[ab]{2}[ab\n]{0,5}[ab]{2}",
            before in "[abc\n]{0,12}",
            after in "[abc\n]{0,12}",
            cuts in prop::collection::vec(1_usize..5, 1..12),
        ) {
            let redactor = Redactor::default();
            prop_assert!(redactor.add(&secret));
            let redactor = Arc::new(redactor);
            let text = format!("{before}{secret}{after}");
            let mut lines = Lines::new(redactor.clone());
            let mut shown = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                shown.extend(lines.push(now));
                rest = later;
            }
            shown.extend(lines.finish());
            prop_assert_eq!(shown.join("\n"), redactor.redact(&text).lines().collect::<Vec<_>>().join("\n"));
            let plain = |text: &str| text.replace(['\n', '\r'], "");
            prop_assert!(!plain(&shown.join("\n")).contains(plain(&secret).as_str()) );
        }
    }
}
