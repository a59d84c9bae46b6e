//! JSON with comments, as ARM templates may be written, to strict JSON.

/// The text without comments and without commas before a closing bracket; lines stay where they are.
pub fn strict(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('"', _) => {
                out.push('"');
                copy_string(&mut chars, &mut out);
            }
            ('/', Some('/')) => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            ('/', Some('*')) => {
                chars.next();
                let mut before = ' ';
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push('\n');
                    }
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            (']' | '}', _) => {
                drop_comma(&mut out);
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// The rest of a string, its closing quote included. ARM allows line ends in it; JSON does not.
fn copy_string(chars: &mut impl Iterator<Item = char>, out: &mut String) {
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
        match c {
            '\\' => out.extend(chars.next()),
            '"' => return,
            _ => {}
        }
    }
}

fn drop_comma(out: &mut String) {
    let kept = out.trim_end().len();
    if out[..kept].ends_with(',') {
        out.remove(kept - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_strings_stay() {
        let text =
            "\u{feff}{ // one\n \"a\": \"http://x/* no */\\\"//\", /* two\n lines */\n \"b\": [1, 2, ],\n}";
        let json: serde_json::Value = serde_json::from_str(&strict(text)).unwrap();
        assert_eq!(json, serde_json::json!({"a": "http://x/* no */\"//", "b": [1, 2]}));
        assert_eq!(strict(text).lines().count(), text.lines().count());
        assert_eq!(strict("{\"a\":\"x\ny\"}"), "{\"a\":\"x\\ny\"}");
    }
}
