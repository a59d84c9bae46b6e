//! The compact expression tree: what hcl-edit's tree is lowered to.

use std::sync::Arc;

use windlass_model::{Span, Value};

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub node: Node,
    /// Where: byte offsets into the whole file.
    pub at: At,
}

/// Byte offsets into a file whose name is kept once, beside the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct At {
    /// First byte.
    pub start: u32,
    /// One past the last.
    pub end: u32,
}

impl At {
    /// The span in a file.
    pub fn in_file(self, file: &Arc<str>) -> Span {
        Span { file: file.clone(), start: self.start, end: self.end }
    }
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum Node {
    /// A literal value.
    Literal(Value),
    /// Text with parts to evaluate. A template of one interpolation alone is lowered to that expression itself.
    Template(Box<[Part]>),
    /// `[a, b]`
    Tuple(Box<[Expr]>),
    /// `{ k = v }`
    Object(Box<[(Expr, Expr)]>),
    /// A reference to something named in the stack.
    Reference(Reference),
    /// A variable of an enclosing `for`.
    Bound(Arc<str>),
    /// `a.name`
    Attribute(Box<Expr>, Arc<str>),
    /// `a[i]`
    Index(Box<Expr>, Box<Expr>),
    /// `a[*].…` or `a.*.…`: the source, and what is applied to each element (its innermost operand is `Each`).
    Splat(Box<Expr>, Box<Expr>),
    /// The element that a splat is at.
    Each,
    /// `f(a, b...)`
    Call(Box<Call>),
    /// `!a`, `-a`
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `c ? a : b`
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `[for …]`, `{for …}`
    For(Box<For>),
}

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub name: Arc<str>,
    /// Where the name stands.
    pub name_at: At,
    /// Its arguments.
    pub args: Box<[Expr]>,
    /// The last argument is spread: `f(list...)`.
    pub expand: bool,
}

/// A `for` expression.
#[derive(Clone, Debug)]
pub struct For {
    /// The key or index variable.
    pub key_var: Option<Arc<str>>,
    /// The value variable.
    pub value_var: Arc<str>,
    /// What is gone through.
    pub collection: Expr,
    /// The key of each entry, in `{for}`.
    pub key: Option<Expr>,
    /// The value of each element.
    pub value: Expr,
    /// `if`
    pub condition: Option<Expr>,
    /// `...`
    pub group: bool,
}

/// A part of a template.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text as it is; strip markers are already applied.
    Text(Arc<str>),
    /// `${…}`
    Interpolation(Expr),
    /// `%{ if }…%{ else }…%{ endif }`
    If(Box<PartIf>),
    /// `%{ for k, v in c }…%{ endfor }`
    For(Box<PartFor>),
}

/// An `if` directive of a template.
#[derive(Clone, Debug)]
pub struct PartIf {
    /// Which side it is.
    pub condition: Expr,
    /// The text if it is true.
    pub then: Box<[Part]>,
    /// The text if it is false.
    pub otherwise: Box<[Part]>,
}

/// A `for` directive of a template.
#[derive(Clone, Debug)]
pub struct PartFor {
    /// The key or index variable.
    pub key_var: Option<Arc<str>>,
    /// The value variable.
    pub value_var: Arc<str>,
    /// What is gone through.
    pub collection: Expr,
    /// The text of each element.
    pub body: Box<[Part]>,
}

/// What a reference names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reference {
    /// `var.name`
    Variable(Arc<str>),
    /// `local.name`
    Local(Arc<str>),
    /// `type.name`: a resource block (its instance, if it has no count or for_each).
    Resource(Arc<str>, Arc<str>),
    /// `module.name`
    Module(Arc<str>),
    /// `each.key`
    EachKey,
    /// `each.value`
    EachValue,
    /// `count.index`
    CountIndex,
    /// `self`
    SelfObject,
    /// `path.stack`, `path.root`, `path.module`, `path.cwd`
    Path(Arc<str>),
    /// `stack.name`
    StackName,
    /// `environment.name`
    EnvironmentName,
    /// A lone name that is nothing of these: an error when it is evaluated or checked.
    Unknown(Arc<str>),
}

/// `!` or `-`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnaryOp {
    /// `!`
    Not,
    /// `-`
    Negate,
}

/// An operator between two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

/// A use of a reference in an expression.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// What is named.
    pub reference: &'a Reference,
    /// Where.
    pub at: At,
    /// The index behind it, if the next thing is one: `local_file.web[each.key]`.
    pub index: Option<&'a Expr>,
    /// The first attribute name behind it (and behind the index), with its place.
    pub attribute: Option<(&'a str, At)>,
    /// A splat stands before the attribute: it is of each instance.
    pub splat: bool,
}
