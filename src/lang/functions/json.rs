//! JSON with numbers of any size, as Terraform writes and reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use windlass_model::{Kind, Value};

use crate::lang::lower::normal;
use crate::lang::number;

/// The JSON text of a known value: keys sorted, `<`, `>` and `&` escaped.
pub(super) fn encode(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    match &value.kind {
        Kind::Null | Kind::Unknown(_) => out.push_str("null"),
        Kind::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Kind::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Kind::String(text) => string(out, text),
        Kind::List(seq) | Kind::Set(seq) | Kind::Tuple(seq) => {
            out.push('[');
            for (i, item) in seq.items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Kind::Map(fields) | Kind::Object(fields) => {
            out.push('{');
            for (i, (key, item)) in fields.entries.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                string(out, key);
                out.push(':');
                write(out, item);
            }
            out.push('}');
        }
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Why a text is not JSON: what, and at which byte. Holds nothing of the text.
pub(super) struct JsonError {
    pub message: &'static str,
    pub at: usize,
}

/// Reads JSON: objects and tuples, of equal keys the last.
pub(super) fn decode(text: &str) -> Result<Value, JsonError> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.blank();
    match reader.at == text.len() {
        true => Ok(value),
        false => Err(reader.error("there is more behind the value")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, message: &'static str) -> JsonError {
        JsonError { message, at: self.at }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth > 128 {
            return Err(self.error("it is nested too deeply"));
        }
        self.blank();
        match self.peek() {
            None => Err(self.error("it ends too early")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(|text| Value::string(normal(&text))),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.eat("true") => Ok(Value::from(true)),
            _ if self.eat("false") => Ok(Value::from(false)),
            _ if self.eat("null") => Ok(Value::NULL),
            _ => Err(self.error("a value is required")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        self.blank();
        if self.eat("}") {
            return Ok(Value::object(entries));
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.error("a key in quotes is required"));
            }
            let key = normal(&self.string()?);
            self.blank();
            if !self.eat(":") {
                return Err(self.error("`:` is required"));
            }
            let value = self.value(depth + 1)?;
            entries.insert(key, value);
            self.blank();
            if self.eat("}") {
                return Ok(Value::object(entries));
            }
            if !self.eat(",") {
                return Err(self.error("`,` or `}` is required"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.eat("]") {
            return Ok(Value::tuple(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blank();
            if self.eat("]") {
                return Ok(Value::tuple(items));
            }
            if !self.eat(",") {
                return Err(self.error("`,` or `]` is required"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let rest = self.rest();
        let end =
            rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let digits = &rest[..end];
        let plain = digits.trim_start_matches('-');
        let leading_zero = plain.len() > 1 && plain.starts_with('0') && plain.as_bytes()[1].is_ascii_digit();
        let bare_point =
            plain.starts_with('.') || plain.ends_with('.') || plain.contains(".e") || plain.contains(".E");
        if leading_zero || bare_point {
            return Err(self.error("this is not a number of JSON"));
        }
        let number = number::parse(digits).map_err(|error| match error {
            number::NumberError::Text => self.error("this is not a number of JSON"),
            other => self.error(other.message()),
        })?;
        self.at += end;
        Ok(Value::from(number))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut result = String::new();
        loop {
            let rest = self.rest();
            let end = rest
                .find(|c: char| c == '"' || c == '\\' || c < ' ')
                .ok_or_else(|| self.error("a string has no end"))?;
            result.push_str(&rest[..end]);
            self.at += end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(result);
                }
                Some(b'\\') => result.push(self.escape()?),
                _ => return Err(self.error("a control character stands in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        self.at += 1;
        let Some(c) = self.peek() else { return Err(self.error("it ends too early")) };
        self.at += 1;
        Ok(match c {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.error("there is no such escape")),
        })
    }

    /// Four digits, or a pair of surrogates; half a pair is the replacement character.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.four_digits()?;
        if (0xd800..0xdc00).contains(&first) && self.rest().starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.four_digits()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += if code.is_some() { 4 } else { 0 };
        code.ok_or_else(|| self.error("four hexadecimal digits are required"))
    }
}
