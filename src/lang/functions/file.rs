//! Files of the snapshot. Paths are relative to the stack's directory and may not leave the snapshot.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hcl_edit::parser;
use sha2::{Digest as _, Sha256, Sha512};
use windlass_model::{Diagnostic, Files, Kind, Type, Value};

use super::encoding::hex;
use super::string::made;
use super::{Context, Failure, Function, Param, Run, Shape, fail, function, param, text, wrong};
use crate::lang::check::check;
use crate::lang::convert::kind_name;
use crate::lang::eval::access::unknown_of;
use crate::lang::eval::evaluate_template;
use crate::lang::expr::{Expr, Reference};
use crate::lang::lower::lower_template;
use crate::lang::source::Source;
use crate::lang::syntax::syntax_error;

const PATH: Param = param("path", Shape::String);
/// Template files within template files.
const DEEPEST: u32 = 8;

pub(super) const TABLE: &[Function] = &[
    function("file", &[PATH], Shape::String, |context, args| made(&*read_text(context, text(&args[0]))?.1)),
    function("fileexists", &[PATH], Shape::Bool, fileexists),
    function("filebase64", &[PATH], Shape::String, |context, args| {
        made(STANDARD.encode(bytes(context, args)?))
    }),
    function("filesha256", &[PATH], Shape::String, |context, args| {
        made(hex(&Sha256::digest(bytes(context, args)?)))
    }),
    function("filesha512", &[PATH], Shape::String, |context, args| {
        made(hex(&Sha512::digest(bytes(context, args)?)))
    }),
    function("filemd5", &[PATH], Shape::String, |context, args| {
        made(hex(&md5::Md5::digest(bytes(context, args)?)))
    }),
    function("filebase64sha256", &[PATH], Shape::String, |context, args| {
        made(STANDARD.encode(Sha256::digest(bytes(context, args)?)))
    }),
    function("filebase64sha512", &[PATH], Shape::String, |context, args| {
        made(STANDARD.encode(Sha512::digest(bytes(context, args)?)))
    }),
    function("templatefile", &[PATH, param("vars", Shape::Any).taken().raw()], Shape::Any, templatefile),
];

fn files<'c>(context: &Context<'c>) -> Result<&'c dyn Files, Failure> {
    context.scope.files().ok_or_else(|| fail("files cannot be read here"))
}

/// The path in the snapshot that a path as written means.
fn resolve(files: &dyn Files, written: &str) -> Result<String, Failure> {
    if written.starts_with('/') {
        return Err(wrong(0, "the path is absolute").help("paths are relative to the stack's directory"));
    }
    let mut parts: Vec<&str> = files.stack_dir().split('/').filter(|part| !part.is_empty()).collect();
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| {
                    wrong(0, "the path leaves the snapshot")
                        .help("a snapshot holds the repository, or without one the stack's directory")
                })?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

fn read(context: &Context<'_>, written: &str) -> Result<(String, Arc<[u8]>), Failure> {
    let files = files(context)?;
    let path = resolve(files, written)?;
    let bytes = files.read(&path).map_err(|error| match error.absent {
        true => wrong(0, "there is no such file")
            .help("what a run makes itself is not there yet: use an attribute of its resource"),
        false => wrong(0, format!("the file cannot be read: {}", error.reason)),
    })?;
    Ok((path, bytes))
}

fn bytes(context: &Context<'_>, args: &[Value]) -> Result<Arc<[u8]>, Failure> {
    read(context, text(&args[0])).map(|(_, bytes)| bytes)
}

fn read_text(context: &Context<'_>, written: &str) -> Result<(String, String), Failure> {
    let (path, bytes) = read(context, written)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok((path, text.to_owned())),
        Err(_) => Err(wrong(0, "the file is not UTF-8 text").help("filebase64() reads any file")),
    }
}

fn fileexists(context: &Context<'_>, args: &[Value]) -> Run {
    let files = files(context)?;
    let path = resolve(files, text(&args[0]))?;
    match files.read(&path) {
        Ok(_) => Ok(Value::from(true)),
        Err(error) if error.absent => Ok(Value::from(false)),
        Err(error) => Err(wrong(0, format!("the file cannot be read: {}", error.reason))),
    }
}

fn templatefile(context: &Context<'_>, args: &[Value]) -> Run {
    let vars = &args[1];
    let names: Vec<(Arc<str>, Value)> = match &vars.kind {
        Kind::Map(fields) | Kind::Object(fields) => fields
            .entries
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().marked(vars.marks)))
            .collect(),
        Kind::Unknown(unknown) if !unknown.ty.is_primitive() => {
            return Ok(unknown_of(Type::Any, false, vars));
        }
        _ => return Err(wrong(1, format!("an object is required, but this is {}", kind_name(vars)))),
    };
    if context.templates >= DEEPEST {
        return Err(fail(format!("template files call each other more than {DEEPEST} deep")));
    }
    let (path, content) = read_text(context, text(&args[0]))?;
    let path: Arc<str> = path.into();
    let source = Source { file: &path, text: &content, base: 0 };
    let elsewhere = |error: Diagnostic| Failure::Elsewhere(Box::new(error));
    let parsed =
        parser::parse_template(&content).map_err(|error| elsewhere(syntax_error(&error, &source)))?;
    let known = names.iter().map(|(name, _)| name.clone()).collect();
    let expr = lower_template(&parsed, source, known).map_err(Failure::Elsewhere)?;
    check_names(&expr, &path).map_err(elsewhere)?;
    let result = evaluate_template(&expr, &path, context.scope, &names, context.templates + 1);
    Ok(result.map_err(Failure::Elsewhere)?.marked(vars.deep_marks()))
}

/// Names that the template uses and `vars` does not give, functions that do not exist.
#[expect(clippy::result_large_err, reason = "errors are rare")]
fn check_names(expr: &Expr, path: &Arc<str>) -> Result<(), Diagnostic> {
    let mut missing = None;
    expr.uses(&mut |found| {
        if let Reference::Unknown(name) = found.reference {
            missing = missing.take().or(Some((name.clone(), found.at)));
        }
    });
    if let Some((name, at)) = missing {
        let error =
            Diagnostic::error(format!("the template uses `{name}`, which is not among its variables"));
        return Err(error.at(&at.in_file(path), "").help("give it in the second argument of templatefile()"));
    }
    let mut report = Vec::new();
    check(expr, path, &mut report);
    report.into_iter().next().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nested;

    impl Files for Nested {
        fn stack_dir(&self) -> &str {
            "deploy/shop"
        }
        fn read(&self, _: &str) -> Result<Arc<[u8]>, windlass_model::FileError> {
            Ok(Arc::from(*b""))
        }
        fn list(&self, _: &str) -> Result<Vec<String>, windlass_model::FileError> {
            Ok(Vec::new())
        }
        fn materialise(
            &self,
            _: &[String],
            _: &std::path::Path,
        ) -> Result<windlass_model::Digest, windlass_model::FileError> {
            Err(windlass_model::FileError { path: String::new(), reason: String::new(), absent: true })
        }
        fn digest(&self, _: &[String]) -> Result<windlass_model::Digest, windlass_model::FileError> {
            Err(windlass_model::FileError { path: String::new(), reason: String::new(), absent: true })
        }
        fn checkout(&self) -> Option<std::path::PathBuf> {
            None
        }
    }

    #[test]
    fn paths_stay_in_the_snapshot() {
        let path = |written: &str| resolve(&Nested, written).ok();
        assert_eq!(path("a.txt").as_deref(), Some("deploy/shop/a.txt"));
        assert_eq!(path("./x/../a.txt").as_deref(), Some("deploy/shop/a.txt"));
        assert_eq!(path("../../modules/m.tf").as_deref(), Some("modules/m.tf"));
        assert_eq!(path("../../../etc/passwd"), None);
        assert_eq!(path("/etc/passwd"), None);
    }
}
