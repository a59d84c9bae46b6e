//! Expressions: lowering, evaluation with unknowns and marks, conversion of types, functions.

mod defaults;
mod expr;
mod scope;

pub use defaults::Defaults;
pub use expr::{At, BinaryOp, Call, Expr, For, Node, Part, PartFor, PartIf, Reference, UnaryOp, Use};
pub use scope::Scope;
