//! The functions: one file a group, each with a table of what its functions take and how unknowns, nulls and marks pass.

mod collection;
mod conversion;
mod encoding;
mod file;
mod format;
mod json;
mod network;
mod numeric;
mod pattern;
mod sequence;
mod set;
mod string;

use std::sync::Arc;

use windlass_model::{AttrPath, Diagnostic, Kind, Marks, Type, Unknown, Value};

use super::convert::{ConvertError, converted};
use super::eval::access::waits_for;
use super::expr::At;
use super::scope::Scope;
use super::suggest::closest;

/// Texts longer than this are refused.
pub(super) const LONGEST: usize = 64 << 20;

/// The groups of functions.
const GROUPS: [&[Function]; 11] = [
    collection::TABLE,
    conversion::TABLE,
    encoding::TABLE,
    file::TABLE,
    format::TABLE,
    network::TABLE,
    numeric::TABLE,
    pattern::TABLE,
    sequence::TABLE,
    set::TABLE,
    string::TABLE,
];

/// The names of all functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|group| group.iter()).map(|function| function.name)
}

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    GROUPS.iter().flat_map(|group| group.iter()).find(|function| function.name == name)
}

/// The error for a call of a function that does not exist.
pub(super) fn unknown(name: &str, at: At, file: &Arc<str>) -> Box<Diagnostic> {
    let span = at.in_file(file);
    let error = Diagnostic::error(format!("there is no function `{name}`")).at(&span, "");
    Box::new(match closest(name, names()) {
        Some(near) => error.patch(format!("did you mean `{near}`?"), &span, near),
        None => error,
    })
}

/// What a function may need besides its arguments.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub scope: &'a dyn Scope,
    /// How many template files are around the call.
    pub templates: u32,
    /// The name of the function that is called.
    pub function: &'static str,
}

/// A function.
pub(super) struct Function {
    pub name: &'static str,
    params: &'static [Param],
    /// Further arguments, any number of them.
    rest: Option<Param>,
    /// How many of `params` may be left out, from the end.
    optional: usize,
    /// The type of the result while it is not known.
    result: Shape,
    run: fn(&Context<'_>, &[Value]) -> Run,
}

pub(super) type Run = Result<Value, Failure>;

/// Why a call has no value.
pub(super) enum Failure {
    /// With an argument of this call, or with the call as a whole.
    Here(Box<Wrong>),
    /// In a template file that it evaluated.
    Elsewhere(Box<Diagnostic>),
}

/// What is wrong with a call. The message holds no part of an argument, which may be sensitive.
pub(super) struct Wrong {
    pub argument: Option<usize>,
    /// Where in the argument. Names in it may be keys of a sensitive map.
    path: AttrPath,
    message: String,
    pub help: Option<&'static str>,
}

impl Wrong {
    pub fn message(&self) -> String {
        match self.path.0.is_empty() {
            true => self.message.clone(),
            false => format!("{}: {}", self.path, self.message),
        }
    }
}

/// A failure of the call as a whole.
fn fail(message: impl Into<String>) -> Failure {
    failure(None, AttrPath::default(), message.into())
}

/// A failure with an argument, counted from 0.
fn wrong(argument: usize, message: impl Into<String>) -> Failure {
    failure(Some(argument), AttrPath::default(), message.into())
}

/// A failure with an argument that cannot be of the type it has to be.
fn misfit(argument: usize, error: ConvertError) -> Failure {
    failure(Some(argument), error.path, error.message)
}

fn failure(argument: Option<usize>, path: AttrPath, message: String) -> Failure {
    Failure::Here(Box::new(Wrong { argument, path, message, help: None }))
}

impl Failure {
    /// Without what could tell of a sensitive argument.
    fn without_path(mut self) -> Failure {
        if let Failure::Here(failure) = &mut self {
            failure.path = AttrPath::default();
        }
        self
    }

    fn help(mut self, help: &'static str) -> Failure {
        if let Failure::Here(failure) = &mut self {
            failure.help = Some(help);
        }
        self
    }
}

/// A type of a parameter or result, as far as a table says it.
#[derive(Clone, Copy)]
enum Shape {
    Any,
    Bool,
    Number,
    String,
    /// `list(any)`: elements become one type.
    List,
    Strings,
    Bools,
    Numbers,
    /// `set(any)`: elements become one type.
    Set,
}

impl Shape {
    fn ty(self) -> Type {
        match self {
            Shape::Any => Type::Any,
            Shape::Bool => Type::Bool,
            Shape::Number => Type::Number,
            Shape::String => Type::String,
            Shape::List => Type::list(Type::Any),
            Shape::Strings => Type::list(Type::String),
            Shape::Bools => Type::list(Type::Bool),
            Shape::Numbers => Type::list(Type::Number),
            Shape::Set => Type::set(Type::Any),
        }
    }

    /// Whether a value is of it already.
    fn has(self, value: &Value) -> bool {
        matches!(
            (self, &value.kind),
            (Shape::Any, _)
                | (Shape::Bool, Kind::Bool(_))
                | (Shape::Number, Kind::Number(_))
                | (Shape::String, Kind::String(_))
        )
    }
}

/// What happens to an argument that is not known.
#[derive(Clone, Copy, PartialEq)]
enum Unknowns {
    /// If it is unknown itself, so is the result.
    Stop,
    /// If any part of it is unknown, the result is.
    StopDeep,
    /// The function handles it.
    Take,
}

/// What happens to the marks of an argument.
#[derive(Clone, Copy)]
enum Marking {
    /// All marks, of parts too, go to the result as a whole.
    Deep,
    /// Its own mark goes to the result; its parts keep theirs.
    Top,
    /// The function handles them.
    Raw,
}

/// A parameter.
#[derive(Clone, Copy)]
pub(super) struct Param {
    pub name: &'static str,
    shape: Shape,
    null: bool,
    unknowns: Unknowns,
    marking: Marking,
}

const fn param(name: &'static str, shape: Shape) -> Param {
    Param { name, shape, null: false, unknowns: Unknowns::Stop, marking: Marking::Deep }
}

impl Param {
    const fn nullable(self) -> Param {
        Param { null: true, ..self }
    }

    const fn deep(self) -> Param {
        Param { unknowns: Unknowns::StopDeep, ..self }
    }

    const fn taken(self) -> Param {
        Param { unknowns: Unknowns::Take, ..self }
    }

    /// Parts of the argument keep their marks.
    const fn parts(self) -> Param {
        Param { marking: Marking::Top, ..self }
    }

    const fn raw(self) -> Param {
        Param { marking: Marking::Raw, ..self }
    }
}

const fn function(
    name: &'static str,
    params: &'static [Param],
    result: Shape,
    run: fn(&Context<'_>, &[Value]) -> Run,
) -> Function {
    Function { name, params, rest: None, optional: 0, result, run }
}

impl Function {
    const fn rest(self, rest: Param) -> Function {
        Function { rest: Some(rest), ..self }
    }

    const fn optional(self, optional: usize) -> Function {
        Function { optional, ..self }
    }

    /// The parameter of an argument.
    pub fn param(&self, argument: usize) -> Option<&Param> {
        self.params.get(argument).or(self.rest.as_ref())
    }

    /// What is wrong with so many arguments; `None`: nothing.
    pub fn wrong_count(&self, count: usize) -> Option<String> {
        let least = self.params.len() - self.optional;
        if count < least {
            let missing = self.params.get(count).map_or("", |param| param.name);
            return Some(format!("`{}` needs {}: `{missing}` is missing", self.name, arguments(least)));
        }
        self.too_many(count)
    }

    /// What is wrong with at least so many arguments; `None`: nothing.
    pub fn too_many(&self, count: usize) -> Option<String> {
        let most = self.params.len();
        (count > most && self.rest.is_none())
            .then(|| format!("`{}` takes at most {}, not {count}", self.name, arguments(most)))
    }

    /// Calls it with as many arguments as it takes.
    pub fn invoke(&self, context: &Context<'_>, mut args: Vec<Value>) -> Run {
        let mut marks = Marks::NONE;
        let mut waits: Option<Option<Arc<str>>> = None;
        for (i, arg) in args.iter_mut().enumerate() {
            let Some(param) = self.param(i) else { continue };
            marks |= param.unmark(arg);
            if arg.is_null() {
                if !param.null {
                    return Err(wrong(i, "it is null"));
                }
                continue;
            }
            if !param.shape.has(arg) {
                *arg = converted(arg, &param.shape.ty()).map_err(|error| match marks.is_empty() {
                    true => misfit(i, *error),
                    false => misfit(i, *error).without_path(),
                })?;
            }
            let stops = match param.unknowns {
                Unknowns::Stop => arg.is_unknown(),
                Unknowns::StopDeep => arg.has_unknown(),
                Unknowns::Take => false,
            };
            if stops {
                marks |= arg.deep_marks();
                waits = waits.or_else(|| Some(waits_for(arg)));
            }
        }
        if let Some(source) = waits {
            // Parts that would keep their marks are not known apart any more.
            marks = args.iter().fold(marks, |marks, arg| marks | arg.deep_marks());
            let unknown = Unknown {
                ty: self.result.ty(),
                not_null: !matches!(self.result, Shape::Any),
                prefix: None,
                source,
            };
            return Ok(Value::new(Kind::Unknown(Arc::new(unknown))).marked(marks));
        }
        match (self.run)(context, &args) {
            Ok(value) => Ok(value.marked(marks)),
            Err(failure) if marks.is_empty() => Err(failure),
            Err(failure) => Err(failure.without_path()),
        }
    }
}

impl Param {
    /// Takes the marks off an argument that do not stay, and returns them.
    fn unmark(&self, arg: &mut Value) -> Marks {
        match self.marking {
            Marking::Raw => Marks::NONE,
            Marking::Top => std::mem::take(&mut arg.marks),
            Marking::Deep if arg.deep_marks().is_empty() => Marks::NONE,
            Marking::Deep => {
                let (plain, marks) = arg.unmark_deep();
                *arg = plain;
                marks
            }
        }
    }
}

fn arguments(count: usize) -> String {
    if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") }
}

/// The text of an argument that the table makes a string.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A whole number within a range, of an argument that the table makes a number.
fn whole(args: &[Value], at: usize, least: i64, most: i64) -> Result<i64, Failure> {
    let number = args.get(at).and_then(Value::as_number);
    let whole = number.and_then(windlass_model::Number::as_i64).filter(|int| (least..=most).contains(int));
    whole.ok_or_else(|| match (least, most) {
        (i64::MIN, _) => wrong(at, "a whole number is required"),
        (least, i64::MAX) => wrong(at, format!("a whole number, {least} or more, is required")),
        _ => wrong(at, format!("a whole number from {least} to {most} is required")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut all: Vec<&str> = names().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(count >= 80, "{count}");
    }
}
