//! Type constraints: `string`, `list(number)`, `object({ a = optional(string, "x") })`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, FuncCall, ObjectKey};
use windlass_model::{Diagnostic, Field, Type, Value};

use super::convert::converted;
use super::defaults::Defaults;
use super::eval::evaluate;
use super::expr::Reference;
use super::lower::{lower, normal};
use super::scope::Scope;
use super::source::Source;
use super::suggest::closest;

type Read<T> = Result<T, Box<Diagnostic>>;

const WORDS: [&str; 9] = ["string", "number", "bool", "any", "list", "set", "map", "object", "tuple"];

/// The type that a constraint means, and the defaults of its optional attributes if it has any.
///
/// # Errors
/// Where it is not a constraint, with the place.
#[expect(clippy::result_large_err, reason = "a diagnostic is what callers collect; errors are rare")]
pub fn constraint(expr: &Expression, source: &Source) -> Result<(Type, Option<Defaults>), Diagnostic> {
    let mut defaults = Defaults::default();
    let ty = read(expr, source, &mut defaults).map_err(|error| *error)?;
    Ok((ty, Some(defaults).filter(|defaults| !defaults.is_empty())))
}

fn read(expr: &Expression, source: &Source, defaults: &mut Defaults) -> Read<Type> {
    match expr {
        Expression::Parenthesis(inner) => read(inner.inner(), source, defaults),
        Expression::Variable(name) => word(name.as_str(), expr, source),
        Expression::FuncCall(call) => constructor(call, expr, source, defaults),
        Expression::String(text) => {
            let error = source.error(expr.span(), "a type is written without quotes");
            Err(Box::new(error.patch("remove them", &source.span(expr.span()), text.as_str())))
        }
        _ => {
            Err(Box::new(source.error(expr.span(), "this is not a type").help(
                "types are string, number, bool, any, list(…), set(…), map(…), object({…}), tuple([…])",
            )))
        }
    }
}

fn word(name: &str, expr: &Expression, source: &Source) -> Read<Type> {
    Ok(match name {
        "string" => Type::String,
        "number" => Type::Number,
        "bool" => Type::Bool,
        "any" => Type::Any,
        "list" | "set" | "map" => {
            let error = source.error(expr.span(), format!("`{name}` of what?"));
            let with_any = format!("{name}(any)");
            return Err(Box::new(error.patch(
                "elements of one type, whichever",
                &source.span(expr.span()),
                with_any,
            )));
        }
        "object" | "tuple" => {
            let help = if name == "object" { "object({ name = string })" } else { "tuple([string, number])" };
            return Err(Box::new(source.error(expr.span(), format!("`{name}` of what?")).help(help)));
        }
        _ => return Err(no_type(name, expr, source)),
    })
}

fn no_type(name: &str, expr: &Expression, source: &Source) -> Box<Diagnostic> {
    let error = source.error(expr.span(), format!("there is no type `{name}`"));
    Box::new(match closest(name, WORDS.into_iter()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("types are {}", WORDS.join(", "))),
    })
}

fn constructor(call: &FuncCall, expr: &Expression, source: &Source, defaults: &mut Defaults) -> Read<Type> {
    let name = call.name.name.as_str();
    let args: Vec<&Expression> = call.args.iter().collect();
    if name == "optional" {
        let error = source.error(expr.span(), "`optional` is for attributes of object({…})");
        return Err(error);
    }
    if !WORDS.contains(&name) {
        return Err(no_type(name, expr, source));
    }
    let [only] = args.as_slice() else {
        return Err(source.error(expr.span(), format!("`{name}` takes one argument")));
    };
    match name {
        "list" | "set" | "map" => {
            let mut inner = Defaults::default();
            let element = read(only, source, &mut inner)?;
            keep(defaults, "*".into(), inner);
            Ok(match name {
                "list" => Type::list(element),
                "set" => Type::set(element),
                _ => Type::map(element),
            })
        }
        "object" => object(only, source, defaults),
        "tuple" => tuple(only, source, defaults),
        _ => Err(source.error(expr.span(), format!("`{name}` takes no argument"))),
    }
}

fn keep(defaults: &mut Defaults, name: Arc<str>, inner: Defaults) {
    if !inner.is_empty() {
        defaults.children.insert(name, inner);
    }
}

fn tuple(expr: &Expression, source: &Source, defaults: &mut Defaults) -> Read<Type> {
    let Expression::Array(items) = expr else {
        return Err(Box::new(
            source.error(expr.span(), "a list of types is required").help("tuple([string, number])"),
        ));
    };
    let mut types = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let mut inner = Defaults::default();
        types.push(read(item, source, &mut inner)?);
        keep(defaults, i.to_string().into(), inner);
    }
    Ok(Type::Tuple(types.into()))
}

fn object(expr: &Expression, source: &Source, defaults: &mut Defaults) -> Read<Type> {
    let Expression::Object(object) = expr else {
        return Err(Box::new(
            source.error(expr.span(), "attributes with types are required").help("object({ name = string })"),
        ));
    };
    let mut fields = BTreeMap::new();
    for (key, value) in object.iter() {
        let name: Arc<str> = match key {
            ObjectKey::Ident(name) => normal(name.as_str()),
            ObjectKey::Expression(Expression::String(text)) => normal(text),
            ObjectKey::Expression(other) => {
                return Err(source.error(other.span(), "the name of an attribute is a word"));
            }
        };
        let field = attribute(&name, value.expr(), source, defaults)?;
        if fields.insert(name.clone(), field).is_some() {
            return Err(source.error(value.expr().span(), format!("attribute `{name}` comes twice")));
        }
    }
    Ok(Type::Object(Arc::new(fields)))
}

/// A type, or `optional(type)`, or `optional(type, default)`.
fn attribute(name: &Arc<str>, expr: &Expression, source: &Source, defaults: &mut Defaults) -> Read<Field> {
    let mut inner = Defaults::default();
    let field = match expr {
        Expression::FuncCall(call) if call.name.name.as_str() == "optional" => {
            let args: Vec<&Expression> = call.args.iter().collect();
            let (ty_expr, default) = match args.as_slice() {
                [ty] => (*ty, None),
                [ty, default] => (*ty, Some(*default)),
                _ => {
                    return Err(
                        source.error(expr.span(), "`optional` takes a type and, if wanted, a default")
                    );
                }
            };
            let ty = read(ty_expr, source, &mut inner)?;
            if let Some(default) = default {
                let value = default_value(default, &ty, &inner, source)?;
                defaults.values.insert(name.clone(), value);
            }
            Field { ty, optional: true }
        }
        other => Field { ty: read(other, source, &mut inner)?, optional: false },
    };
    keep(defaults, name.clone(), inner);
    Ok(field)
}

fn default_value(expr: &Expression, ty: &Type, inner: &Defaults, source: &Source) -> Read<Value> {
    let value = evaluate(&lower(expr, source).map_err(Box::new)?, source.file, &NoNames)?;
    let value = inner.apply(&value);
    converted(&value, ty)
        .map_err(|error| source.error(expr.span(), format!("the default does not fit the type: {error}")))
}

/// A default is a constant.
struct NoNames;

impl Scope for NoNames {
    fn value(&self, _: &Reference) -> Result<Value, String> {
        Err("a default in a type may not refer to anything".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::convert;

    #[expect(clippy::result_large_err, reason = "errors are rare")]
    fn read(text: &str) -> Result<(Type, Option<Defaults>), Diagnostic> {
        let file = Arc::from("t");
        let parsed = hcl_edit::parser::parse_expr(text).unwrap();
        constraint(&parsed, &Source { file: &file, text, base: 0 })
    }

    fn value(text: &str) -> Value {
        let file = Arc::from("t");
        evaluate(&crate::lang::parse_expression(text, &file).unwrap(), &file, &NoNames).unwrap()
    }

    #[test]
    fn constraints_are_read() {
        for text in [
            "string",
            "any",
            "list(string)",
            "map(list(number))",
            "tuple([string, bool])",
            "object({a = string, b = optional(number)})",
            "set(object({x = any}))",
        ] {
            assert_eq!(read(text).unwrap().0.to_string(), text, "{text}");
        }
    }

    #[test]
    fn what_is_no_constraint_says_why() {
        assert!(read("strng").unwrap_err().to_string().contains("did you mean `string`?"));
        assert!(read("\"string\"").unwrap_err().title.contains("without quotes"));
        assert!(read("list").unwrap_err().title.contains("of what"));
        assert!(read("optional(string)").is_err());
        assert!(read("list(string, number)").is_err());
        assert!(read("object({a = optional(number, \"x\")})").unwrap_err().title.contains("does not fit"));
        assert!(read("1 + 1").is_err());
    }

    #[test]
    fn defaults_fill_what_is_absent_or_null() {
        let (ty, defaults) = read(
            "list(object({a = string, b = optional(string, \"x\"), c = optional(object({d = optional(number, 1)}), {}), e = optional(bool)}))",
        )
        .unwrap();
        let given = value("[{a = \"1\"}, {a = 2, b = null, c = {d = \"5\"}}]");
        let full = convert(&defaults.unwrap().apply(&given), &ty).unwrap();
        let wanted = value(
            "[{a = \"1\", b = \"x\", c = {d = 1}, e = null}, {a = \"2\", b = \"x\", c = {d = 5}, e = null}]",
        );
        assert!(full.same(&wanted), "{full:?}");
    }
}
