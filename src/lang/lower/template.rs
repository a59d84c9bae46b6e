//! Templates: strip markers, the indent of `<<-` heredocs, directives.
//!
//! The parser's own dedent loses text, so the content of a `<<-` heredoc is parsed anew from the source. Both rules work
//! on a flat list of tokens, as HCL defines them: a quoted string has one token of text between two sequences, anything
//! else one for each line.

use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::parser;
use hcl_edit::template::{
    Directive, Element, ForDirective, HeredocTemplate, IfDirective, StringTemplate, Strip, Template,
};
use unicode_segmentation::UnicodeSegmentation as _;
use windlass_model::Value;

use super::{Lowered, Lowering, normal};
use crate::lang::expr::{At, Expr, Node, Part, PartFor, PartIf};
use crate::lang::source::Source;
use crate::lang::syntax::syntax_error;

/// A token of a template, in the order of the text.
enum Token {
    Text(String),
    /// `${…}` or `%{…}`, and which sides it strips.
    Sequence(Strip),
}

/// The tokens of a template, and how far the second walk, which builds the parts, has come.
struct Tokens {
    list: Vec<Token>,
    next: usize,
    by_line: bool,
}

impl Lowering<'_> {
    pub(super) fn quoted(&mut self, template: &StringTemplate, at: At) -> Lowered<Expr> {
        self.check_quoted(template, false)?;
        self.finish(template, Tokens::new(template, false), at)
    }

    /// Text in quotes is of one line. What stands between directives the parser reads as if it were not in quotes: its
    /// escapes are still to be resolved.
    fn check_quoted(&self, template: &Template, nested: bool) -> Lowered<()> {
        for element in template.iter() {
            match element {
                Element::Literal(text) => {
                    self.one_line(text.span())?;
                    if nested && unescaped(text).is_none() {
                        let title = "invalid escape sequence or quote in a string";
                        return Err(self.source.error(text.span(), title));
                    }
                }
                Element::Interpolation(_) => {}
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => {
                        self.check_quoted(&directive.if_expr.template, true)?;
                        if let Some(other) = &directive.else_expr {
                            self.check_quoted(&other.template, true)?;
                        }
                    }
                    Directive::For(directive) => self.check_quoted(&directive.for_expr.template, true)?,
                },
            }
        }
        Ok(())
    }

    pub(super) fn heredoc(&mut self, heredoc: &HeredocTemplate, expr: &Expression) -> Lowered<Expr> {
        let range = expr.span().unwrap_or_default();
        let at = self.source.at(Some(range.clone()));
        let text = self.source.slice(Some(range.clone()));
        if !text.starts_with("<<-") {
            return self.finish(&heredoc.template, Tokens::new(&heredoc.template, true), at);
        }
        let (start, end) = (text.find('\n').map_or(0, |at| at + 1), text.rfind('\n').map_or(0, |at| at + 1));
        let raw = text.get(start..end).unwrap_or_default();
        let base = self.source.at(Some(range.start + start..range.start + end)).start;
        let source = Source { file: self.source.file, text: raw, base };
        let parsed = parser::parse_template(raw).map_err(|error| Box::new(syntax_error(&error, &source)))?;
        let outer = std::mem::replace(&mut self.source, source);
        let mut tokens = Tokens::new(&parsed, true);
        tokens.flush();
        let result = self.finish(&parsed, tokens, at);
        self.source = outer;
        result
    }

    /// A template file.
    pub(super) fn lines_template(&mut self, template: &Template) -> Lowered<Expr> {
        self.finish(template, Tokens::new(template, true), self.source.at(None))
    }

    fn finish(&mut self, template: &Template, mut tokens: Tokens, at: At) -> Lowered<Expr> {
        // One interpolation and nothing else is that expression itself, of any type.
        if let [Token::Sequence(_)] = tokens.list.as_slice()
            && let Some(Element::Interpolation(only)) = template.get(0)
        {
            return self.inside(true, |this| this.expr(&only.expr));
        }
        let parts = self.inside(true, |this| this.parts(template, &mut tokens))?;
        let node = match &parts[..] {
            [] => Node::Literal(Value::string("")),
            [Part::Text(text)] => Node::Literal(Value::string(text.clone())),
            _ => Node::Template(parts),
        };
        Ok(Expr { node, at })
    }

    fn parts(&mut self, template: &Template, tokens: &mut Tokens) -> Lowered<Box<[Part]>> {
        let mut parts = Vec::new();
        for element in template.iter() {
            match element {
                Element::Literal(text) => {
                    let text = tokens.text(text);
                    if !text.is_empty() {
                        parts.push(Part::Text(normal(&text)));
                    }
                }
                Element::Interpolation(interpolation) => {
                    tokens.next += 1;
                    parts.push(Part::Interpolation(self.expr(&interpolation.expr)?));
                }
                Element::Directive(directive) => parts.push(match &**directive {
                    Directive::If(directive) => self.part_if(directive, tokens)?,
                    Directive::For(directive) => self.part_for(directive, tokens)?,
                }),
            }
        }
        Ok(parts.into())
    }

    fn part_if(&mut self, directive: &IfDirective, tokens: &mut Tokens) -> Lowered<Part> {
        let condition = self.expr(&directive.if_expr.cond_expr)?;
        tokens.next += 1;
        let then = self.parts(&directive.if_expr.template, tokens)?;
        let mut otherwise: Box<[Part]> = Box::default();
        if let Some(other) = &directive.else_expr {
            tokens.next += 1;
            otherwise = self.parts(&other.template, tokens)?;
        }
        tokens.next += 1;
        Ok(Part::If(Box::new(PartIf { condition, then, otherwise })))
    }

    fn part_for(&mut self, directive: &ForDirective, tokens: &mut Tokens) -> Lowered<Part> {
        let intro = &directive.for_expr;
        let collection = self.expr(&intro.collection_expr)?;
        let key_var: Option<Arc<str>> = intro.key_var.as_ref().map(|name| normal(name.as_str()));
        let value_var = normal(intro.value_var.as_str());
        tokens.next += 1;
        let body = self.binding(key_var.as_ref(), &value_var, |this| this.parts(&intro.template, tokens))?;
        tokens.next += 1;
        Ok(Part::For(Box::new(PartFor { key_var, value_var, collection, body })))
    }
}

impl Tokens {
    fn new(template: &Template, by_line: bool) -> Tokens {
        let mut tokens = Tokens { list: Vec::new(), next: 0, by_line };
        tokens.collect(template, false);
        tokens.strip();
        tokens
    }

    fn collect(&mut self, template: &Template, nested: bool) {
        for element in template.iter() {
            match element {
                Element::Literal(text) if nested && !self.by_line => {
                    self.list.push(Token::Text(unescaped(text).unwrap_or_default()));
                }
                Element::Literal(text) => {
                    let pieces: Vec<Token> =
                        self.pieces(text).map(|piece| Token::Text(piece.to_owned())).collect();
                    self.list.extend(pieces);
                }
                Element::Interpolation(interpolation) => self.list.push(Token::Sequence(interpolation.strip)),
                Element::Directive(directive) => self.directive(directive),
            }
        }
    }

    fn directive(&mut self, directive: &Directive) {
        match directive {
            Directive::If(directive) => {
                self.list.push(Token::Sequence(directive.if_expr.strip));
                self.collect(&directive.if_expr.template, true);
                if let Some(other) = &directive.else_expr {
                    self.list.push(Token::Sequence(other.strip));
                    self.collect(&other.template, true);
                }
                self.list.push(Token::Sequence(directive.endif_expr.strip));
            }
            Directive::For(directive) => {
                self.list.push(Token::Sequence(directive.for_expr.strip));
                self.collect(&directive.for_expr.template, true);
                self.list.push(Token::Sequence(directive.endfor_expr.strip));
            }
        }
    }

    fn pieces<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> + use<'t> {
        let (whole, lines) =
            if self.by_line { (None, Some(text.split_inclusive('\n'))) } else { (Some(text), None) };
        whole.into_iter().chain(lines.into_iter().flatten())
    }

    /// `~` removes the blanks of the token beside it.
    fn strip(&mut self) {
        for i in 0..self.list.len() {
            let Token::Sequence(strip) = self.list[i] else { continue };
            if strip.strip_start()
                && let Some(Token::Text(text)) = i.checked_sub(1).and_then(|before| self.list.get_mut(before))
            {
                text.truncate(text.trim_end().len());
            }
            if strip.strip_end()
                && let Some(Token::Text(text)) = self.list.get_mut(i + 1)
            {
                *text = text.trim_start().to_owned();
            }
        }
    }

    /// Removes the indent that all lines of a `<<-` heredoc share. Blank lines do not count and stay as they are; a
    /// sequence at a line's start means no indent.
    fn flush(&mut self) {
        let mut least = usize::MAX;
        let mut starts = Vec::new();
        let mut fresh = true;
        for (i, token) in self.list.iter().enumerate() {
            let at_start = std::mem::replace(&mut fresh, false);
            match token {
                Token::Sequence(_) if at_start => least = 0,
                Token::Sequence(_) => {}
                Token::Text(text) => {
                    fresh = text.ends_with('\n');
                    let blank = text.trim_start().is_empty() && fresh;
                    if at_start && !blank {
                        least = least.min(indent_of(text).graphemes(true).count());
                        starts.push(i);
                    }
                }
            }
        }
        for i in starts {
            if let Token::Text(text) = &mut self.list[i] {
                let cut: usize = indent_of(text).graphemes(true).take(least).map(str::len).sum();
                text.drain(..cut);
            }
        }
    }

    /// The text that is left of a literal, and goes past its tokens.
    fn text(&mut self, literal: &str) -> String {
        let count = self.pieces(literal).count();
        let mut result = String::new();
        for token in self.list.iter().skip(self.next).take(count) {
            if let Token::Text(text) = token {
                result.push_str(text);
            }
        }
        self.next += count;
        result
    }
}

fn indent_of(text: &str) -> &str {
    &text[..text.len() - text.trim_start().len()]
}

/// Text as it stands between quotes, with its escapes resolved; `None`: it has a bad one, or a quote.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '"' => return None,
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                c @ ('"' | '\\') => c,
                'u' => code_point(&mut chars, 4)?,
                'U' => code_point(&mut chars, 8)?,
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

fn code_point(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let text = chars.as_str().get(..digits).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let code = u32::from_str_radix(text, 16).ok()?;
    *chars = chars.as_str().get(digits..)?.chars();
    char::from_u32(code)
}
