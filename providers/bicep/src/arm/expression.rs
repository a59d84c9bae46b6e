//! ARM's expression language, as far as its grammar: `[concat(parameters('a'), '-x')]`.

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// `'text'`
    Text(String),
    /// `12`
    Int(i64),
    /// `name(…)`
    Call(String, Vec<Expr>),
    /// `….name`
    Property(Box<Expr>, String),
    /// `…[…]`
    Index(Box<Expr>, Box<Expr>),
}

/// How deep an expression may nest.
const DEEPEST: usize = 64;

/// What a string of a template is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Itself.
    Literal(String),
    /// An expression.
    Expr(Expr),
    /// An expression that cannot be read here.
    Unreadable,
}

/// Reads a string of a template.
pub fn read(text: &str) -> Text {
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return Text::Literal(text.to_owned());
    };
    if let Some(rest) = inner.strip_prefix('[') {
        return Text::Literal(format!("[{rest}]"));
    }
    let mut parser = Parser { rest: inner, depth: 0 };
    match parser.expression() {
        Some(expr) if parser.rest.trim().is_empty() => Text::Expr(expr),
        _ => Text::Unreadable,
    }
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl Parser<'_> {
    fn expression(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut expr = self.primary()?;
        loop {
            if self.take('.') {
                expr = Expr::Property(Box::new(expr), self.name()?);
            } else if self.take('[') {
                let index = self.expression()?;
                if !self.take(']') {
                    return None;
                }
                expr = Expr::Index(Box::new(expr), Box::new(index));
            } else {
                self.depth -= 1;
                return Some(expr);
            }
        }
    }

    fn primary(&mut self) -> Option<Expr> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        if first == '\'' {
            return self.text().map(Expr::Text);
        }
        if first.is_ascii_digit() || first == '-' {
            let end = self.rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(self.rest.len(), |at| at + 1);
            let number = self.rest[..end].parse().ok()?;
            self.rest = &self.rest[end..];
            return Some(Expr::Int(number));
        }
        let name = self.name()?;
        if !self.take('(') {
            return None;
        }
        let mut args = Vec::new();
        if self.take(')') {
            return Some(Expr::Call(name, args));
        }
        loop {
            args.push(self.expression()?);
            if self.take(')') {
                return Some(Expr::Call(name, args));
            }
            if !self.take(',') {
                return None;
            }
        }
    }

    /// A name; of a function it may have a namespace: `contoso.unique`.
    fn name(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let mut end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        if let Some(member) = self.rest[end..].strip_prefix('.') {
            let length = member.find(|c| !fits(c)).unwrap_or(member.len());
            if member[length..].starts_with('(') {
                end += 1 + length;
            }
        }
        let name = self.rest.get(..end).filter(|name| !name.is_empty())?.to_owned();
        self.rest = &self.rest[end..];
        Some(name)
    }

    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut rest = self.rest.strip_prefix('\'')?;
        loop {
            let end = rest.find('\'')?;
            text.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    rest = more;
                }
                None => {
                    self.rest = rest;
                    return Some(text);
                }
            }
        }
    }

    fn take(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

impl Expr {
    /// All calls in it, the outer ones first.
    pub fn calls<'e>(&'e self, found: &mut Vec<(&'e str, &'e [Expr])>) {
        match self {
            Expr::Text(_) | Expr::Int(_) => {}
            Expr::Call(name, args) => {
                found.push((name, args));
                args.iter().for_each(|arg| arg.calls(found));
            }
            Expr::Property(of, _) => of.calls(found),
            Expr::Index(of, at) => {
                of.calls(found);
                at.calls(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, args: Vec<Expr>) -> Expr {
        Expr::Call(name.to_owned(), args)
    }

    fn text(text: &str) -> Expr {
        Expr::Text(text.to_owned())
    }

    #[test]
    fn expressions_are_read() {
        assert_eq!(
            read("[concat( parameters('a') , '-it''s', 3)]"),
            Text::Expr(call(
                "concat",
                vec![call("parameters", vec![text("a")]), text("-it's"), Expr::Int(3)]
            ))
        );
        let Text::Expr(expr) = read("[reference(resourceId('A.B/c', 'd')).outputs.x['y z'][0].value]") else {
            panic!("not read")
        };
        let mut calls = Vec::new();
        expr.calls(&mut calls);
        assert_eq!(calls.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["reference", "resourceId"]);
        assert_eq!(read("[contoso.unique('a')]"), Text::Expr(call("contoso.unique", vec![text("a")])));
    }

    #[test]
    fn what_is_no_expression_is_itself() {
        assert_eq!(read("plain"), Text::Literal("plain".to_owned()));
        assert_eq!(read("[[escaped]"), Text::Literal("[escaped]".to_owned()));
        assert_eq!(read("[concat('a']"), Text::Unreadable);
        assert_eq!(read(&format!("[{}1{}]", "f(".repeat(500), ")".repeat(500))), Text::Unreadable);
    }
}
