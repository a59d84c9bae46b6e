//! Expressions: lowering, evaluation with unknowns and marks, conversion of types, functions.

mod check;
mod constraint;
mod convert;
mod defaults;
mod display;
mod eval;
mod expr;
pub mod functions;
mod lower;
mod number;
#[cfg(test)]
mod properties;
mod scope;
mod source;
mod suggest;
mod syntax;
mod unify;
mod uses;

pub use check::check;
pub use constraint::constraint;
pub use convert::{ConvertError, convert};
pub use defaults::Defaults;
pub use display::display;
pub use eval::evaluate;
pub use expr::{At, BinaryOp, Call, Expr, For, Node, Part, PartFor, PartIf, Reference, UnaryOp, Use};
pub use lower::lower;
pub use scope::Scope;
pub use source::Source;
pub use syntax::{parse_expression, syntax_error};
pub use unify::unify;
