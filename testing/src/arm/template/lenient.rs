//! JSON as ARM takes it: comments, keys without quotes, trailing commas, texts over several lines. The body of a deployment
//! that `az` sends is such a text: the template file as it is, behind a bare `template:`.

use serde_json::{Map, Value};

/// Parses a text.
///
/// # Errors
/// What is wrong, with the line.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut parser = Parser { text: text.trim_start_matches('\u{feff}'), at: 0 };
    let value = parser.value()?;
    parser.blank()?;
    if parser.peek().is_some() { Err(parser.wrong("something follows the end")) } else { Ok(value) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn wrong(&self, what: &str) -> String {
        let line = self.text[..self.at].matches('\n').count() + 1;
        format!("{what} at line {line}")
    }

    /// Skips white space and comments.
    fn blank(&mut self) -> Result<(), String> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            let skipped = rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += skipped + trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                let end = trimmed.find("*/").ok_or_else(|| self.wrong("a comment has no end"))?;
                self.at += skipped + end + 2;
            } else {
                self.at += skipped;
                return Ok(());
            }
        }
    }

    /// Takes a sign, if it is next.
    fn take(&mut self, sign: char) -> Result<bool, String> {
        self.blank()?;
        let next = self.peek() == Some(sign);
        if next {
            self.at += sign.len_utf8();
        }
        Ok(next)
    }

    fn value(&mut self) -> Result<Value, String> {
        self.blank()?;
        match self.peek() {
            Some('{') => self.object(),
            Some('[') => self.array(),
            Some('"' | '\'') => Ok(Value::String(self.string()?)),
            Some(_) => self.scalar(),
            None => Err(self.wrong("a value is missing")),
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        self.take('{')?;
        let mut object = Map::new();
        loop {
            if self.take('}')? {
                return Ok(Value::Object(object));
            }
            let key = if matches!(self.peek(), Some('"' | '\'')) { self.string()? } else { self.word() };
            if !self.take(':')? {
                return Err(self.wrong("`:` is missing after a key"));
            }
            object.insert(key, self.value()?);
            if !self.take(',')? {
                return if self.take('}')? {
                    Ok(Value::Object(object))
                } else {
                    Err(self.wrong("`,` or `}` is missing"))
                };
            }
        }
    }

    fn array(&mut self) -> Result<Value, String> {
        self.take('[')?;
        let mut array = Vec::new();
        loop {
            if self.take(']')? {
                return Ok(Value::Array(array));
            }
            array.push(self.value()?);
            if !self.take(',')? {
                return if self.take(']')? {
                    Ok(Value::Array(array))
                } else {
                    Err(self.wrong("`,` or `]` is missing"))
                };
            }
        }
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_$-+.".contains(c))).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        word
    }

    /// A number, `true`, `false`, `null`.
    fn scalar(&mut self) -> Result<Value, String> {
        let word = self.word();
        serde_json::from_str(&word).map_err(|_| self.wrong(&format!("`{word}` is no value")))
    }

    fn string(&mut self) -> Result<String, String> {
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map_or('"', |(_, quote)| quote);
        let mut text = String::new();
        while let Some((index, c)) = chars.next() {
            if c == quote {
                self.at += index + 1;
                return Ok(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some('b') => text.push('\u{8}'),
                Some('f') => text.push('\u{c}'),
                Some('u') => text.push(unicode(&mut chars).ok_or_else(|| self.wrong("a bad `\\u`"))?),
                Some(other) => text.push(other),
                None => break,
            }
        }
        Err(self.wrong("a text has no end"))
    }
}

/// What follows `\u`, with the second half of a pair.
fn unicode(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    let high = hex(chars)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    let pair = chars.next().zip(chars.next());
    pair.filter(|((_, a), (_, b))| (*a, *b) == ('\\', 'u'))?;
    let low = hex(chars)?.checked_sub(0xdc00)?;
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)
}

fn hex(chars: &mut std::str::CharIndices<'_>) -> Option<u32> {
    let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
    u32::from_str_radix(&digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_of_az_is_read() {
        let body = r#"{"properties": {"mode": "Incremental", template:// a file
            { "a": 1, /* b */ 'c': ["d", -2.5, true, null,], "e": "x
y", "f": "\u00e9\ud83d\ude00\"", }
        }}"#;
        let wanted = json!({"properties": {"mode": "Incremental", "template":
            {"a": 1, "c": ["d", -2.5, true, null], "e": "x\ny", "f": "é😀\""}}});
        assert_eq!(parse(body).unwrap(), wanted);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(parse("{\n\"a\" 1}").unwrap_err(), "`:` is missing after a key at line 2");
        assert!(parse("{\"a\": 1} x").is_err());
        assert!(parse("{\"a\": what}").unwrap_err().contains("`what` is no value"));
        assert!(parse("\"a").is_err());
        assert!(parse("/* a").is_err());
    }
}
