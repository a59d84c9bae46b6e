//! `condition ? a : b`: both sides give the result its type, one of them its value.

use windlass_model::{Diagnostic, Kind, Type, Value};

use super::access::unknown_of;
use super::operators::equal;
use super::{Evaluator, Outcome, Scoped};
use crate::lang::convert::{converted, kind_name};
use crate::lang::expr::{At, Expr};
use crate::lang::unify::unify;

impl Evaluator<'_> {
    pub(super) fn conditional(
        &self,
        at: At,
        condition: &Expr,
        then: &Expr,
        otherwise: &Expr,
        env: Scoped<'_>,
    ) -> Outcome {
        let decides = self.eval(condition, env)?;
        let known = self.condition(&decides, condition.at, "the condition")?;
        let (chosen, other) = match known {
            Some(false) => (otherwise, then),
            _ => (then, otherwise),
        };
        let value = self.eval(chosen, env);
        // An error of the side that is not taken does not count, its type does.
        let beside = self.eval(other, env);
        match (known, value, beside) {
            (Some(_), Ok(value), Err(_)) => Ok(value.marked(decides.marks)),
            (Some(_), Err(error), _) => Err(error),
            (None, Err(_), _) | (None, _, Err(_)) => {
                Ok(unknown_of(Type::Any, false, &decides).marked(decides.marks))
            }
            (_, Ok(value), Ok(beside)) => {
                let marks = Self::marks_of(&[&decides, &value, &beside]);
                let result = match known {
                    Some(_) => self.taken(at, &value, &beside)?,
                    None => self.undecided(at, &decides, &value, &beside)?,
                };
                Ok(result.marked(marks))
            }
        }
    }

    fn taken(&self, at: At, value: &Value, beside: &Value) -> Outcome {
        match self.common(at, value, beside)? {
            Some(ty) => converted(value, &ty).map_err(|error| self.error(at, error.message)),
            None => Ok(value.clone()),
        }
    }

    /// The type of both sides; `None`: no conversion, as one of them is null, has no type yet, or both have one type.
    fn common(&self, at: At, a: &Value, b: &Value) -> Result<Option<Type>, Box<Diagnostic>> {
        let untyped = |value: &Value| match &value.kind {
            Kind::Null => true,
            Kind::Unknown(unknown) => unknown.ty == Type::Any,
            _ => false,
        };
        let alike = matches!(
            (&a.kind, &b.kind),
            (Kind::String(_), Kind::String(_))
                | (Kind::Number(_), Kind::Number(_))
                | (Kind::Bool(_), Kind::Bool(_))
        );
        if alike || untyped(a) || untyped(b) {
            return Ok(None);
        }
        let (left, right) = (a.type_of(), b.type_of());
        if left == right {
            return Ok(None);
        }
        match unify(&[left, right]) {
            Some(ty) => Ok(Some(ty)),
            None => {
                let title = format!(
                    "both results of a condition need one type: {} and {}",
                    kind_name(a),
                    kind_name(b)
                );
                let error = Diagnostic::error(title).at(&at.in_file(self.file), "");
                Err(Box::new(error.help("make them alike, for example with tostring() or tolist()")))
            }
        }
    }

    fn undecided(&self, at: At, decides: &Value, then: &Value, otherwise: &Value) -> Outcome {
        let ty = match self.common(at, then, otherwise)? {
            Some(ty) => ty,
            None if then.is_null() && otherwise.is_null() => return Ok(Value::NULL),
            None if then.is_null() => otherwise.type_of(),
            None if otherwise.is_null() => then.type_of(),
            None if then.type_of() == otherwise.type_of() => {
                if equal(then, otherwise) == Some(true) {
                    return Ok(then.clone());
                }
                then.type_of()
            }
            None => Type::Any,
        };
        let not_null = |value: &Value| match &value.kind {
            Kind::Null => false,
            Kind::Unknown(unknown) => unknown.not_null,
            _ => true,
        };
        Ok(unknown_of(ty, not_null(then) && not_null(otherwise), decides))
    }
}
