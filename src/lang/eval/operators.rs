//! Operators.

use std::cmp::Ordering;

use windlass_model::{Diagnostic, Kind, Marks, Number, Seq, Type, Value};

use super::access::{unknown_of, waits_for};
use super::{Evaluator, Outcome, Scoped};
use crate::lang::convert::converted;
use crate::lang::expr::{At, BinaryOp, Expr, UnaryOp};
use crate::lang::number;

impl BinaryOp {
    fn sign(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Remainder => "%",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessOrEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterOrEqual => ">=",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
        }
    }
}

impl Evaluator<'_> {
    pub(super) fn unary(&self, op: UnaryOp, operand: &Expr, env: Scoped<'_>) -> Outcome {
        let value = self.eval(operand, env)?;
        let (wanted, sign) = match op {
            UnaryOp::Not => (Type::Bool, "!"),
            UnaryOp::Negate => (Type::Number, "-"),
        };
        let value = self.operand(value, &wanted, operand.at, || format!("the operand of `{sign}`"))?;
        let result = match &value.kind {
            Kind::Bool(flag) => Value::from(!flag),
            Kind::Number(n) => {
                let negated = number::negate(n).map_err(|error| self.error(operand.at, error.message()))?;
                Value::from(negated)
            }
            _ => unknown_of(wanted, true, &value),
        };
        Ok(result.marked(value.marks))
    }

    pub(super) fn binary(&self, at: At, op: BinaryOp, left: &Expr, right: &Expr, env: Scoped<'_>) -> Outcome {
        match op {
            BinaryOp::And | BinaryOp::Or => self.logical(op, left, right, env),
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let (left, right) = (self.eval(left, env)?, self.eval(right, env)?);
                Ok(equality(&left, &right, op == BinaryOp::NotEqual))
            }
            _ => self.numeric(at, op, left, right, env),
        }
    }

    /// A value as the operand it has to be, not null.
    fn operand(&self, value: Value, wanted: &Type, at: At, what: impl Fn() -> String) -> Outcome {
        let fits = match (&value.kind, wanted) {
            (Kind::Number(_), Type::Number) | (Kind::Bool(_), Type::Bool) => true,
            (Kind::Null, _) => return Err(self.error(at, format!("{} is null", what()))),
            _ => false,
        };
        if fits {
            return Ok(value);
        }
        converted(&value, wanted).map_err(|error| self.error(at, format!("{}: {}", what(), error.message)))
    }

    fn side(&self, op: BinaryOp, expr: &Expr, side: &str, wanted: &Type, env: Scoped<'_>) -> Outcome {
        let value = self.eval(expr, env)?;
        self.operand(value, wanted, expr.at, || format!("the {side} of `{}`", op.sign()))
    }

    fn numeric(&self, at: At, op: BinaryOp, left: &Expr, right: &Expr, env: Scoped<'_>) -> Outcome {
        let left = self.side(op, left, "left side", &Type::Number, env)?;
        let right = self.side(op, right, "right side", &Type::Number, env)?;
        let marks = left.marks | right.marks;
        let (Kind::Number(a), Kind::Number(b)) = (&left.kind, &right.kind) else {
            let compares = op >= BinaryOp::Less;
            let ty = if compares { Type::Bool } else { Type::Number };
            let from = if left.is_unknown() { &left } else { &right };
            return Ok(unknown_of(ty, true, from).marked(marks));
        };
        let result = compute(op, a, b).map_err(|error| self.error(at, error.message()))?;
        Ok(result.marked(marks))
    }

    /// `false` absorbs in `&&` and `true` in `||`: from the left nothing else is looked at; from the right it decides
    /// over a left side that is not known.
    fn logical(&self, op: BinaryOp, left: &Expr, right: &Expr, env: Scoped<'_>) -> Outcome {
        let absorbing = op == BinaryOp::Or;
        let left = self.side(op, left, "left side", &Type::Bool, env)?;
        if left.as_bool() == Some(absorbing) {
            return Ok(left);
        }
        let right = self.side(op, right, "right side", &Type::Bool, env)?;
        let marks = left.marks | right.marks;
        let result = match (left.as_bool(), right.as_bool()) {
            (_, Some(right)) if right == absorbing => Value::from(absorbing),
            (Some(_), Some(right)) => Value::from(right),
            (None, _) => unknown_of(Type::Bool, true, &left),
            (_, None) => unknown_of(Type::Bool, true, &right),
        };
        Ok(result.marked(marks))
    }
}

impl PartialOrd for BinaryOp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (*self as u8).partial_cmp(&(*other as u8))
    }
}

fn compute(op: BinaryOp, a: &Number, b: &Number) -> Result<Value, number::NumberError> {
    Ok(Value::from(match op {
        BinaryOp::Add => number::add(a, b)?,
        BinaryOp::Subtract => number::subtract(a, b)?,
        BinaryOp::Multiply => number::multiply(a, b)?,
        BinaryOp::Divide => number::divide(a, b)?,
        BinaryOp::Remainder => number::remainder(a, b)?,
        BinaryOp::Less => return Ok(Value::from(a < b)),
        BinaryOp::LessOrEqual => return Ok(Value::from(a <= b)),
        BinaryOp::Greater => return Ok(Value::from(a > b)),
        _ => return Ok(Value::from(a >= b)),
    }))
}

fn equality(left: &Value, right: &Value, negate: bool) -> Value {
    let marks = left.deep_marks() | right.deep_marks();
    let result = match equal(left, right) {
        Some(equal) => Value::from(equal != negate),
        None => {
            let from = if waits_for(left).is_some() { left } else { right };
            unknown_of(Type::Bool, true, from)
        }
    };
    result.marked(marks)
}

/// Whether two values are equal: of one type and of the same content; `None`: not known yet. Marks are ignored.
pub(in crate::lang) fn equal(left: &Value, right: &Value) -> Option<bool> {
    match (&left.kind, &right.kind) {
        (Kind::Unknown(_), Kind::Unknown(_)) => None,
        (Kind::Unknown(_), _) => equals_unknown(right, left),
        (_, Kind::Unknown(_)) => equals_unknown(left, right),
        (Kind::Null, Kind::Null) => Some(true),
        (Kind::Bool(a), Kind::Bool(b)) => Some(a == b),
        (Kind::Number(a), Kind::Number(b)) => Some(a == b),
        (Kind::String(a), Kind::String(b)) => Some(a == b),
        (Kind::List(a), Kind::List(b)) if maybe_same(&a.element, &b.element) => sequences(a, b),
        (Kind::Tuple(a), Kind::Tuple(b)) => {
            if left.has_unknown() && right.has_unknown() && !maybe_same(&left.type_of(), &right.type_of()) {
                return Some(false);
            }
            sequences(a, b)
        }
        (Kind::Set(a), Kind::Set(b)) if maybe_same(&a.element, &b.element) => {
            if left.has_unknown() || right.has_unknown() { None } else { sequences(a, b) }
        }
        (Kind::Map(a), Kind::Map(b)) if !maybe_same(&a.element, &b.element) => Some(false),
        (Kind::Map(a), Kind::Map(b)) | (Kind::Object(a), Kind::Object(b)) => {
            let same_keys = a.entries.len() == b.entries.len()
                && a.entries.iter().zip(&b.entries).all(|((a, _), (b, _))| a == b);
            if !same_keys {
                return Some(false);
            }
            let pairs = a.entries.iter().zip(&b.entries).map(|((_, a), (_, b))| equal(a, b));
            all_equal(pairs)
        }
        _ => Some(false),
    }
}

fn sequences(a: &Seq, b: &Seq) -> Option<bool> {
    if a.items.len() != b.items.len() {
        return Some(false);
    }
    all_equal(a.items.iter().zip(&b.items).map(|(a, b)| equal(a, b)))
}

/// One difference decides, also beside what is not known.
fn all_equal(pairs: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for pair in pairs {
        match pair {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

fn equals_unknown(known: &Value, unknown: &Value) -> Option<bool> {
    let Kind::Unknown(unknown) = &unknown.kind else { return None };
    let differs = match &known.kind {
        Kind::Null => unknown.not_null,
        Kind::String(text) if unknown.ty == Type::String => {
            unknown.prefix.as_ref().is_some_and(|prefix| !text.starts_with(&**prefix))
        }
        _ => !maybe_same(&known.type_of(), &unknown.ty),
    };
    if differs { Some(false) } else { None }
}

/// Whether two types can be one: `Any` stands for what is not known.
fn maybe_same(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => {
            maybe_same(a, b)
        }
        (Type::Tuple(a), Type::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| maybe_same(a, b))
        }
        (Type::Object(a), Type::Object(b)) => {
            a.keys().eq(b.keys()) && a.values().zip(b.values()).all(|(a, b)| maybe_same(&a.ty, &b.ty))
        }
        (a, b) => a == b,
    }
}

impl Evaluator<'_> {
    /// A condition: a bool that is not null; `None`: not known yet. Its marks go to what it decides over.
    pub(super) fn condition(
        &self,
        value: &Value,
        at: At,
        what: &str,
    ) -> Result<Option<bool>, Box<Diagnostic>> {
        if value.is_null() {
            return Err(self.error(at, format!("{what} is null")));
        }
        let flag = converted(value, &Type::Bool)
            .map_err(|error| self.error(at, format!("{what}: {}", error.message)))?;
        Ok(flag.as_bool())
    }

    pub(super) fn marks_of(values: &[&Value]) -> Marks {
        values.iter().fold(Marks::NONE, |marks, value| marks | value.marks)
    }
}
