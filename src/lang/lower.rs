//! From the parser's tree, which keeps every blank and comment, to the compact one.

mod template;
mod traversal;

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{self as hcl, Expression};
use unicode_normalization::UnicodeNormalization as _;
use windlass_model::{Diagnostic, Value};

use super::expr::{BinaryOp, Call, Expr, For, Node, UnaryOp};
use super::number;
use super::source::Source;

type Lowered<T> = Result<T, Box<Diagnostic>>;

/// Lowers an expression of the parser to the compact tree.
///
/// # Errors
/// Where the parser accepted what the language does not allow.
#[expect(clippy::result_large_err, reason = "a diagnostic is what callers collect; errors are rare")]
pub fn lower(expr: &Expression, source: &Source) -> Result<Expr, Diagnostic> {
    Lowering::new(*source).expr(expr).map_err(|error| *error)
}

/// Lowers a whole template file, in which only `names` have a meaning.
pub(super) fn lower_template(
    template: &hcl_edit::template::Template,
    source: Source,
    names: Vec<Arc<str>>,
) -> Lowered<Expr> {
    let mut lowering = Lowering { bound: names, alone: true, ..Lowering::new(source) };
    lowering.lines_template(template)
}

/// Text in normal form C, as all strings of the language are.
pub(super) fn normal(text: &str) -> Arc<str> {
    match text.is_ascii() {
        true => Arc::from(text),
        false => text.nfc().collect::<String>().into(),
    }
}

struct Lowering<'a> {
    source: Source<'a>,
    /// Variables of the `for`s around.
    bound: Vec<Arc<str>>,
    /// Names of the stack mean nothing here: a template file.
    alone: bool,
    /// A line's end does not end the expression: inside brackets.
    lines: bool,
}

impl<'a> Lowering<'a> {
    fn new(source: Source<'a>) -> Self {
        Lowering { source, bound: Vec::new(), alone: false, lines: false }
    }

    /// Lowers inside brackets (`lines`) or not.
    fn inside<T>(&mut self, lines: bool, lower: impl FnOnce(&mut Self) -> Lowered<T>) -> Lowered<T> {
        let outer = std::mem::replace(&mut self.lines, lines);
        let result = lower(self);
        self.lines = outer;
        result
    }

    fn expr(&mut self, expr: &Expression) -> Lowered<Expr> {
        let at = self.source.at(expr.span());
        let node = match expr {
            Expression::Null(_) => Node::Literal(Value::NULL),
            Expression::Bool(value) => Node::Literal(Value::from(*value.value())),
            Expression::Number(_) => self.number(expr)?,
            Expression::String(text) => self.string(text, expr)?,
            Expression::Array(array) => self.array(array)?,
            Expression::Object(object) => self.object(object)?,
            Expression::StringTemplate(template) => return self.quoted(template, at),
            Expression::HeredocTemplate(heredoc) => return self.heredoc(heredoc, expr),
            Expression::Parenthesis(inner) => {
                return self.inside(true, |this| this.expr(inner.inner()));
            }
            Expression::Variable(name) => return Ok(self.lone_name(name, at)),
            Expression::Conditional(conditional) => self.conditional(conditional)?,
            Expression::FuncCall(call) => self.call(call)?,
            Expression::Traversal(traversal) => return self.traversal(traversal, at),
            Expression::UnaryOp(unary) => self.unary(unary)?,
            Expression::BinaryOp(binary) => self.binary(binary)?,
            Expression::ForExpr(expr) => self.inside(true, |this| this.for_expr(expr))?,
        };
        Ok(Expr { node, at })
    }

    fn boxed(&mut self, expr: &Expression) -> Lowered<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    /// From the source text: the parser rounds to doubles.
    fn number(&self, expr: &Expression) -> Lowered<Node> {
        let text = self.source.slice(expr.span());
        let start = text.rfind([' ', '\t', '/']).map_or(0, |at| at + 1);
        let digits = text[start..].trim_start_matches('-');
        let parsed = number::parse(digits).and_then(|n| match text.starts_with('-') {
            true => number::negate(&n),
            false => Ok(n),
        });
        let parsed = parsed.map_err(|error| self.source.error(expr.span(), error.message()))?;
        Ok(Node::Literal(Value::from(parsed)))
    }

    fn string(&self, text: &str, expr: &Expression) -> Lowered<Node> {
        self.one_line(expr.span())?;
        Ok(Node::Literal(Value::string(normal(text))))
    }

    /// A quoted string has no line break in it.
    fn one_line(&self, range: Option<std::ops::Range<usize>>) -> Lowered<()> {
        match self.source.slice(range.clone()).contains('\n') {
            false => Ok(()),
            true => {
                let error = self.source.error(range, "a quoted string may not go over a line's end");
                Err(Box::new(error.help("write \\n for a line break, or use a heredoc: <<EOT")))
            }
        }
    }

    fn array(&mut self, array: &hcl::Array) -> Lowered<Node> {
        let items =
            self.inside(true, |this| array.iter().map(|item| this.expr(item)).collect::<Lowered<_>>())?;
        Ok(Node::Tuple(items))
    }

    fn object(&mut self, object: &hcl::Object) -> Lowered<Node> {
        let mut seen = BTreeMap::new();
        let mut entries = Vec::with_capacity(object.len());
        for (key, value) in object.iter() {
            let key = self.object_key(key)?;
            if let Node::Literal(literal) = &key.node
                && let Some(name) = literal.as_str()
                && let Some(first) = seen.insert(Arc::<str>::from(name), key.at)
            {
                let error = Diagnostic::error(format!("the key `{name}` is already in this object"))
                    .at(&key.at.in_file(self.source.file), "")
                    .at(&first.in_file(self.source.file), "first here")
                    .help("remove one of them");
                return Err(Box::new(error));
            }
            let value = self.inside(false, |this| this.expr(value.expr()))?;
            entries.push((key, value));
        }
        Ok(Node::Object(entries.into()))
    }

    /// A bare word is its spelling, keywords too; anything else is an expression.
    fn object_key(&mut self, key: &hcl::ObjectKey) -> Lowered<Expr> {
        let word = |text: &str, at| Expr { node: Node::Literal(Value::string(normal(text))), at };
        match key {
            hcl::ObjectKey::Ident(name) => Ok(word(name.as_str(), self.source.at(name.span()))),
            hcl::ObjectKey::Expression(expr) => match expr {
                Expression::Null(_) | Expression::Bool(_) => {
                    Ok(word(self.source.slice(expr.span()), self.source.at(expr.span())))
                }
                Expression::Traversal(_) => {
                    let error = self.source.error(expr.span(), "ambiguous key of an object");
                    Err(Box::new(
                        error.help("put it in parentheses to use its value, or in quotes for this very text"),
                    ))
                }
                expr => self.inside(false, |this| this.expr(expr)),
            },
        }
    }

    fn conditional(&mut self, conditional: &hcl::Conditional) -> Lowered<Node> {
        Ok(Node::Conditional(
            self.boxed(&conditional.cond_expr)?,
            self.boxed(&conditional.true_expr)?,
            self.boxed(&conditional.false_expr)?,
        ))
    }

    fn call(&mut self, call: &hcl::FuncCall) -> Lowered<Node> {
        let args = self
            .inside(true, |this| call.args.iter().map(|arg| this.expr(arg)).collect::<Lowered<Box<[_]>>>())?;
        let name = call.name.name.as_str();
        // `core::` names the functions that are built in; there are no others.
        let name = match call.name.namespace.as_slice() {
            [] => Arc::from(name),
            [only] if only.as_str() == "core" => Arc::from(name),
            spaces => {
                let mut full: Vec<&str> = spaces.iter().map(|space| space.as_str()).collect();
                full.push(name);
                full.join("::").into()
            }
        };
        let name_at = self.source.at(call.name.name.span());
        Ok(Node::Call(Box::new(Call { name, name_at, args, expand: call.args.expand_final() })))
    }

    fn unary(&mut self, unary: &hcl::UnaryOp) -> Lowered<Node> {
        let op = match unary.operator.value() {
            hcl::UnaryOperator::Neg => UnaryOp::Negate,
            hcl::UnaryOperator::Not => UnaryOp::Not,
        };
        Ok(Node::Unary(op, self.boxed(&unary.expr)?))
    }

    fn binary(&mut self, binary: &hcl::BinaryOp) -> Lowered<Node> {
        let op = match binary.operator.value() {
            hcl::BinaryOperator::Plus => BinaryOp::Add,
            hcl::BinaryOperator::Minus => BinaryOp::Subtract,
            hcl::BinaryOperator::Mul => BinaryOp::Multiply,
            hcl::BinaryOperator::Div => BinaryOp::Divide,
            hcl::BinaryOperator::Mod => BinaryOp::Remainder,
            hcl::BinaryOperator::Eq => BinaryOp::Equal,
            hcl::BinaryOperator::NotEq => BinaryOp::NotEqual,
            hcl::BinaryOperator::Less => BinaryOp::Less,
            hcl::BinaryOperator::LessEq => BinaryOp::LessOrEqual,
            hcl::BinaryOperator::Greater => BinaryOp::Greater,
            hcl::BinaryOperator::GreaterEq => BinaryOp::GreaterOrEqual,
            hcl::BinaryOperator::And => BinaryOp::And,
            hcl::BinaryOperator::Or => BinaryOp::Or,
        };
        Ok(Node::Binary(op, self.boxed(&binary.lhs_expr)?, self.boxed(&binary.rhs_expr)?))
    }

    fn for_expr(&mut self, expr: &hcl::ForExpr) -> Lowered<Node> {
        let collection = self.expr(&expr.intro.collection_expr)?;
        let key_var = expr.intro.key_var.as_ref().map(|name| normal(name.as_str()));
        let value_var = normal(expr.intro.value_var.as_str());
        self.binding(key_var.as_ref(), &value_var, |this| {
            let key = expr.key_expr.as_ref().map(|key| this.expr(key)).transpose()?;
            let value = this.expr(&expr.value_expr)?;
            let condition = expr.cond.as_ref().map(|cond| this.expr(&cond.expr)).transpose()?;
            Ok(Node::For(Box::new(For {
                key_var: key_var.clone(),
                value_var: value_var.clone(),
                collection,
                key,
                value,
                condition,
                group: expr.grouping,
            })))
        })
    }

    /// Lowers with the variables of a `for` in scope.
    fn binding<T>(
        &mut self,
        key: Option<&Arc<str>>,
        value: &Arc<str>,
        lower: impl FnOnce(&mut Self) -> Lowered<T>,
    ) -> Lowered<T> {
        let outer = self.bound.len();
        self.bound.extend(key.cloned());
        self.bound.push(value.clone());
        let result = lower(self);
        self.bound.truncate(outer);
        result
    }
}
