//! The language in `"[…]"`: parsed.

use serde_json::Value;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A text or a number.
    Literal(Value),
    /// `name(arguments)`.
    Call(String, Vec<Expression>),
    /// `value.name`, `value[index]`; with `?`, what is not there is null.
    Part {
        /// Of what.
        of: Box<Expression>,
        /// Which.
        part: Box<Expression>,
        /// `.?` or `[?`.
        safe: bool,
    },
}

/// A text that is an expression, without its brackets. `[[` at the start is a literal `[`.
pub fn inner(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    (!inner.starts_with('[')).then_some(inner)
}

/// Parses an expression.
///
/// # Errors
/// What is wrong.
pub fn parse(text: &str) -> Result<Expression, String> {
    let mut parser = Parser { chars: text.chars().collect(), at: 0 };
    let expression = parser.expression()?;
    parser.blank();
    if parser.at < parser.chars.len() {
        return Err(format!("unexpected `{}` in expression '{text}'", parser.chars[parser.at]));
    }
    Ok(expression)
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, sign: char) -> bool {
        self.blank();
        let next = self.peek() == Some(sign);
        if next {
            self.at += 1;
        }
        next
    }

    fn expression(&mut self) -> Result<Expression, String> {
        let mut expression = self.primary()?;
        loop {
            if self.take('.') {
                let safe = self.take('?');
                let part = Box::new(Expression::Literal(Value::String(self.word())));
                expression = Expression::Part { of: Box::new(expression), part, safe };
            } else if self.take('[') {
                let safe = self.take('?');
                let part = Box::new(self.expression()?);
                if !self.take(']') {
                    return Err("`]` is missing in an expression".to_owned());
                }
                expression = Expression::Part { of: Box::new(expression), part, safe };
            } else {
                return Ok(expression);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, String> {
        self.blank();
        match self.peek() {
            Some('\'') => self.text(),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.call(),
            Some(c) => Err(format!("unexpected `{c}` in an expression")),
            None => Err("an expression ends too early".to_owned()),
        }
    }

    /// `''` in it is one quote.
    fn text(&mut self) -> Result<Expression, String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                Some('\'') if self.chars.get(self.at + 1) == Some(&'\'') => {
                    text.push('\'');
                    self.at += 2;
                }
                Some('\'') => {
                    self.at += 1;
                    return Ok(Expression::Literal(Value::String(text)));
                }
                Some(c) => {
                    text.push(c);
                    self.at += 1;
                }
                None => return Err("a text in an expression has no end".to_owned()),
            }
        }
    }

    fn number(&mut self) -> Result<Expression, String> {
        let start = self.at;
        self.at += 1;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.chars[start..self.at].iter().collect();
        let number = digits.parse::<i64>().map_err(|_| format!("`{digits}` is no number"))?;
        Ok(Expression::Literal(Value::from(number)))
    }

    fn word(&mut self) -> String {
        self.blank();
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || "_-$".contains(c)) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn call(&mut self) -> Result<Expression, String> {
        let name = self.word();
        if !self.take('(') {
            return Err(format!("`(` is missing after `{name}`"));
        }
        let mut arguments = Vec::new();
        if self.take(')') {
            return Ok(Expression::Call(name, arguments));
        }
        loop {
            arguments.push(self.expression()?);
            if self.take(')') {
                return Ok(Expression::Call(name, arguments));
            }
            if !self.take(',') {
                return Err(format!("`,` or `)` is missing in the arguments of `{name}`"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_make_an_expression() {
        assert_eq!(inner("[a()]"), Some("a()"));
        assert_eq!(inner("[[a]"), None);
        assert_eq!(inner("a"), None);
    }

    #[test]
    fn calls_parts_and_literals_are_parsed() {
        let text = Expression::Literal(Value::from("it's"));
        let call = Expression::Call("f".to_owned(), vec![text, Expression::Literal(Value::from(-3))]);
        let part = |of, part: Value, safe| Expression::Part {
            of: Box::new(of),
            part: Box::new(Expression::Literal(part)),
            safe,
        };
        let wanted = part(part(call, Value::from("a-b"), true), Value::from(0), false);
        assert_eq!(parse("f('it''s', -3).?a-b[0]").unwrap(), wanted);
        for bad in ["f(", "f", "f()x", "'a", "f(1 2)", "f()[1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
