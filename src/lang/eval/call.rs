//! Calls: arguments, spreading, `try` and `can`.

use windlass_model::{Diagnostic, Kind, Type, Value};

use super::access::unknown_of;
use super::{Evaluator, Outcome, Scoped};
use crate::lang::convert::kind_name;
use crate::lang::expr::{At, Call};
use crate::lang::functions::{self, Context, Failure, Function};

enum Arguments {
    Known(Vec<Value>),
    /// What is spread is not known yet, so that the result is not either.
    Unknown(Value),
}

impl Arguments {
    fn unknown(args: &[Value], spread: &Value) -> Arguments {
        let marks = args.iter().fold(spread.deep_marks(), |marks, arg| marks | arg.deep_marks());
        Arguments::Unknown(unknown_of(Type::Any, false, spread).marked(marks))
    }
}

impl Evaluator<'_> {
    pub(super) fn call(&self, at: At, call: &Call, env: Scoped<'_>) -> Outcome {
        let Some(function) = functions::find(&call.name) else {
            return Err(functions::unknown(&call.name, call.name_at, self.file));
        };
        match function.name {
            "try" => return self.try_each(at, call, env),
            "can" => return self.can(at, function, call, env),
            _ => {}
        }
        let args = match self.arguments(call, env)? {
            Arguments::Known(args) => args,
            Arguments::Unknown(result) => return Ok(result),
        };
        if let Some(wrong) = function.wrong_count(args.len()) {
            return Err(self.error(call.name_at, wrong));
        }
        let context = Context { scope: self.scope, templates: self.templates, function: function.name };
        function.invoke(&context, args).map_err(|failure| self.failed(at, function, call, failure))
    }

    /// The arguments, the last one spread where it says so.
    fn arguments(&self, call: &Call, env: Scoped<'_>) -> Result<Arguments, Box<Diagnostic>> {
        let mut args = call.args.iter().map(|arg| self.eval(arg, env)).collect::<Result<Vec<_>, _>>()?;
        if !call.expand {
            return Ok(Arguments::Known(args));
        }
        let (Some(last), Some(expr)) = (args.pop(), call.args.last()) else {
            return Ok(Arguments::Known(args));
        };
        match &last.kind {
            Kind::Set(_) if last.has_unknown() => Ok(Arguments::unknown(&args, &last)),
            Kind::List(seq) | Kind::Set(seq) | Kind::Tuple(seq) => {
                args.extend(seq.items.iter().map(|item| item.clone().marked(last.marks)));
                Ok(Arguments::Known(args))
            }
            Kind::Unknown(unknown) if !unknown.ty.is_primitive() => Ok(Arguments::unknown(&args, &last)),
            _ => {
                let title =
                    format!("only a list, set or tuple can be spread, but this is {}", kind_name(&last));
                Err(self.error(expr.at, title))
            }
        }
    }

    fn failed(&self, at: At, function: &Function, call: &Call, failure: Failure) -> Box<Diagnostic> {
        let failure = match failure {
            Failure::Elsewhere(error) => return error,
            Failure::Here(failure) => failure,
        };
        let spread = call.expand && failure.argument.is_some_and(|i| i + 1 >= call.args.len());
        let place = match failure.argument.and_then(|i| call.args.get(i)) {
            _ if spread => call.args.last(),
            found => found,
        };
        let what = match failure.argument.and_then(|i| function.param(i)) {
            Some(param) => format!("invalid `{}` of `{}`: {}", param.name, function.name, failure.message()),
            None => format!("`{}`: {}", function.name, failure.message()),
        };
        let error = Diagnostic::error(what).at(&place.map_or(at, |arg| arg.at).in_file(self.file), "");
        Box::new(match failure.help {
            Some(help) => error.help(help),
            None => error,
        })
    }

    /// The first argument without an error; one that is not known yet could still have one.
    fn try_each(&self, at: At, call: &Call, env: Scoped<'_>) -> Outcome {
        let mut last = None;
        for arg in &call.args {
            match self.eval(arg, env) {
                Ok(value) if value.is_known() => return Ok(value),
                Ok(value) => return Ok(unknown_of(Type::Any, false, &value).marked(value.deep_marks())),
                Err(error) => last = Some((arg.at, error)),
            }
        }
        let Some((place, last)) = last else {
            return Err(self.error(at, "`try` needs at least one argument"));
        };
        let error = Diagnostic::error("none of the expressions of `try` has a value")
            .at(&place.in_file(self.file), "")
            .note(format!("the last one: {}", last.title));
        Err(Box::new(error))
    }

    fn can(&self, at: At, function: &Function, call: &Call, env: Scoped<'_>) -> Outcome {
        let [only] = call.args.as_ref() else {
            let wrong = function.wrong_count(call.args.len()).unwrap_or_default();
            return Err(self.error(at, wrong));
        };
        Ok(match self.eval(only, env) {
            Ok(value) if value.is_known() => Value::from(true),
            Ok(value) => unknown_of(Type::Bool, true, &value),
            Err(_) => Value::from(false),
        })
    }
}
