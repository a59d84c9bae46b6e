//! The forms in which a secret turns up in a tool's output.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter secrets are not looked for in free text.
const SHORTEST: usize = 4;
/// A line of a secret of many lines is looked for by itself from this length up: tools indent and prefix lines.
const SHORTEST_LINE: usize = 16;

/// All forms of a secret, without line ends. Empty where it is too short to be looked for.
pub(crate) fn forms_of(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    let trimmed = secret.trim_end_matches(['\n', '\r']);
    if trimmed.chars().filter(|c| !matches!(c, '\n' | '\r')).count() < SHORTEST {
        return forms;
    }
    for text in BTreeSet::from([secret, trimmed]) {
        clear_and_escaped(text, &mut forms);
        base64_forms(text.as_bytes(), &mut forms);
    }
    let lines = trimmed.lines().map(str::trim);
    for line in lines.filter(|line| line.chars().count() >= SHORTEST_LINE) {
        clear_and_escaped(line, &mut forms);
    }
    let joined = forms.iter().map(|form| form.replace(['\n', '\r'], ""));
    joined.filter(|form| form.chars().count() >= SHORTEST).collect()
}

fn clear_and_escaped(text: &str, forms: &mut BTreeSet<String>) {
    forms.insert(text.to_owned());
    let json: String = text.chars().map(json_char).collect();
    // As Go's encoder writes it (Terraform, Docker), and as Python's does (aws, az).
    let html: String = text.chars().map(html_char).collect();
    let ascii: String = text.chars().map(ascii_char).collect();
    forms.extend([json, html, ascii]);
    for upper in [true, false] {
        forms.insert(url_encoded(text, upper, false));
        forms.insert(url_encoded(text, upper, true));
    }
}

fn json_char(c: char) -> String {
    match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        c if (c as u32) < 0x20 => format!("\\u{:04x}", c as u32),
        c => c.to_string(),
    }
}

fn html_char(c: char) -> String {
    match c {
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", c as u32),
        c => json_char(c),
    }
}

fn ascii_char(c: char) -> String {
    if c.is_ascii() {
        return json_char(c);
    }
    let mut units = [0; 2];
    c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn url_encoded(text: &str, upper: bool, plus: bool) -> String {
    let byte = |byte: u8| match byte {
        b' ' if plus => "+".to_owned(),
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte if upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(byte).collect()
}

/// Base64 of the secret as a part of something longer: at each of the three alignments, without the characters that its
/// neighbours have a part in.
fn base64_forms(secret: &[u8], forms: &mut BTreeSet<String>) {
    for before in 0..3_usize {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        let from = (before * 8).div_ceil(6);
        let to = bytes.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.extend(text.get(from..to).map(str::to_owned));
        }
    }
}
