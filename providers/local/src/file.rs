//! `local_file`: a file in the checkout, or anywhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use windlass_model::{
    AttrPath, Digest, ErrorClass, Files, Finding, Kind, Op, Private, Record, Type, Unknown, Value,
};
use windlass_provider::{Ask, Call, Drift, Observed, Probe, Proposed, ProviderError, Verdict, Work};

use crate::attributes::{attribute, changed, is_given, is_same, marked_if, object, text};
use crate::disk::{self, Found};
use crate::{paths, proposed, seen};

/// The permissions of a file whose `mode` is not given.
const DEFAULT_MODE: &str = "0644";

pub(crate) fn check(desired: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    match (is_given(desired, "content"), is_given(desired, "source")) {
        (true, true) if is_known(desired, "content") && is_known(desired, "source") => {
            found.push(Finding::error(
                "source",
                "both `content` and `source` are given: it can be one of them only",
            ));
        }
        (false, false) => {
            let help = Some("`content = \"\"` makes an empty file".to_owned());
            found.push(Finding { help, ..Finding::error("", "neither `content` nor `source` is given") });
        }
        _ => {}
    }
    if let Some(mode) = text(desired, "mode")
        && octal(mode).is_none()
    {
        let message = format!("`{mode}` is not a file mode: octal digits, as `0644`");
        found.push(Finding::error("mode", message));
    }
    if let Some(path) = text(desired, "path")
        && (path.is_empty()
            || path.ends_with('/')
            || path.contains('\0')
            || Path::new(path).file_name().is_none())
    {
        found.push(Finding::error("path", format!("`{}` does not name a file", path.escape_debug())));
    }
    found
}

fn is_known(desired: &Value, name: &str) -> bool {
    desired.get(name).is_none_or(Value::is_known)
}

fn octal(mode: &str) -> Option<u32> {
    let digits = mode.strip_prefix("0o").unwrap_or(mode);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    u32::from_str_radix(digits, 8).ok().filter(|mode| plain && *mode <= 0o7777)
}

pub(crate) fn sources(desired: &Value, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
    let source = text(desired, "source").map(|path| paths::source(files, path));
    Ok(source.transpose()?.into_iter().collect())
}

/// What is to be in the file; `None`: not known yet.
fn content(call: &Call, desired: &Value) -> Result<Option<Arc<[u8]>>, ProviderError> {
    if let Some(source) = text(desired, "source") {
        let path = paths::source(&*call.files, source).map_err(|error| error.at("source"))?;
        let read = call.files.read(&path);
        return read.map(Some).map_err(|error| paths::unreadable(&error).at("source"));
    }
    Ok(text(desired, "content").map(|text| Arc::from(text.as_bytes())))
}

fn path_of(call: &Call, value: &Value) -> Result<PathBuf, ProviderError> {
    let path =
        text(value, "path").ok_or_else(|| ProviderError::new(ErrorClass::Bug, "a file without a path"))?;
    Ok(paths::tidy(&paths::checkout(call)?.join(path)))
}

/// The mode as wanted, with the default put in.
fn mode(desired: &Value) -> Value {
    let mode = attribute(desired, "mode");
    if mode.is_null() { Value::from(DEFAULT_MODE) } else { mode }
}

fn planned(call: &Call, desired: &Value) -> Result<Value, ProviderError> {
    let sha256 = match content(call, desired)? {
        Some(content) => Value::from(Digest::of(&content).hex()),
        None => {
            let unknown = Unknown { ty: Type::String, not_null: true, ..Unknown::default() };
            Value::new(Kind::Unknown(Arc::new(unknown)))
        }
    };
    let sha256 = marked_if(sha256, is_sensitive(desired));
    Ok(object(desired, &["path", "content", "source"], vec![("mode", mode(desired)), ("sha256", sha256)]))
}

fn is_sensitive(value: &Value) -> bool {
    ["content", "source"].iter().any(|name| value.get(name).is_some_and(Value::has_sensitive))
}

/// What is there, as values, in the shape of what is known of it: a copied file has no `content`.
fn observed(known: &Value, path: Value, found: &Found) -> Observed {
    let sensitive = is_sensitive(known);
    let content = match is_given(known, "source") {
        true => Value::NULL,
        false => marked_if(Value::from(String::from_utf8_lossy(&found.content).into_owned()), sensitive),
    };
    let same_mode = text(known, "mode").filter(|mode| octal(mode) == Some(found.mode));
    let mode = same_mode.map_or_else(|| Value::from(format!("{:04o}", found.mode)), Value::from);
    let sha256 = marked_if(Value::from(found.sha256()), sensitive);
    seen(object(
        known,
        &["source"],
        vec![("path", path), ("content", content), ("mode", mode), ("sha256", sha256)],
    ))
}

pub(crate) fn read(call: &Call, prior: &Record) -> Result<Option<Observed>, ProviderError> {
    let value = &prior.value.0;
    let found = disk::look(&path_of(call, value)?)?;
    Ok(found.map(|found| observed(value, attribute(value, "path"), &found)))
}

pub(crate) fn plan(call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError> {
    let drift = match ask.prior {
        Some(prior) if ask.refresh => drift(call, prior)?,
        _ => None,
    };
    // What was seen is what may be overwritten or removed.
    let artefact = match &drift {
        Some(Drift::Changed(found)) => text(&found.value, "sha256").map(remember),
        _ => None,
    };
    let Some(desired) = ask.desired else {
        return Ok(Proposed { drift, artefact, ..proposed(Verdict::Change, Value::NULL) });
    };
    let planned = planned(call, desired)?;
    let place = match is_known(desired, "path") {
        true => Some(paths::place(&path_of(call, desired)?).to_string_lossy().into_owned()),
        false => None,
    };
    let (verdict, why) = match (ask.prior, &drift) {
        (None, _) | (_, Some(Drift::Gone)) => (Verdict::Change, Vec::new()),
        (Some(prior), Some(Drift::Changed(found))) => {
            let now = Record { value: found.value.clone().into(), ..prior.clone() };
            compare(&now, &planned)
        }
        (Some(prior), None) => compare(prior, &planned),
    };
    let warnings = match ask.prior {
        None if ask.refresh => foreign(call, desired, &planned),
        _ => Vec::new(),
    };
    Ok(Proposed { why, place, drift, artefact, warnings, ..proposed(verdict, planned) })
}

fn remember(sha256: &str) -> Private {
    Private { data: json!({ "seen": sha256 }), ..Private::default() }
}

fn drift(call: &Call, prior: &Record) -> Result<Option<Drift>, ProviderError> {
    let Some(now) = read(call, prior)? else { return Ok(Some(Drift::Gone)) };
    let same = |name| is_same(&prior.value.0, &now.value, name);
    let unchanged = same("sha256") && same("mode");
    Ok((!unchanged).then_some(Drift::Changed(now)))
}

fn compare(prior: &Record, planned: &Value) -> (Verdict, Vec<AttrPath>) {
    let path = |value| text(value, "path").map(|path| paths::tidy(Path::new(path)));
    let (before, after) = (path(&prior.value.0), path(planned));
    if before != after || after.is_none() {
        return (Verdict::Replace, vec![AttrPath::from("path")]);
    }
    let mut why = changed(prior, planned, &["path", "content", "source"]);
    // The content may change though the attributes do not: that of a copied file.
    if why.is_empty() {
        why = changed(prior, planned, &["sha256"]);
    }
    let same_mode = text(planned, "mode").and_then(octal) == text(&prior.value.0, "mode").and_then(octal);
    if !same_mode || !is_known(planned, "mode") {
        why.push(AttrPath::from("mode"));
    }
    (if why.is_empty() { Verdict::Same } else { Verdict::Change }, why)
}

/// Something else is there already: only a warning, for another step may take it away first.
fn foreign(call: &Call, desired: &Value, planned: &Value) -> Vec<Finding> {
    let Ok(path) = path_of(call, desired) else { return Vec::new() };
    match disk::look(&path) {
        Ok(Some(found)) if Some(found.sha256().as_str()) != text(planned, "sha256") => {
            let message =
                format!("{} exists and is not from here: it will not be overwritten", path.display());
            let help = Some(import_command(call, desired));
            vec![Finding { help, ..Finding::warning("path", message) }]
        }
        Err(error) => vec![Finding { help: error.hint, ..Finding::warning("path", error.message) }],
        Ok(_) => Vec::new(),
    }
}

fn import_command(call: &Call, desired: &Value) -> String {
    let path = text(desired, "path").unwrap_or_default();
    format!("to take it in: windlass state import '{}' '{path}'", call.address)
}

pub(crate) fn apply(call: &Call, work: Work<'_>) -> Result<Option<Observed>, ProviderError> {
    if work.op == Op::Delete {
        let Some(prior) = work.prior else { return Ok(None) };
        let path = path_of(call, &prior.value.0)?;
        if let Some(found) = disk::look(&path)? {
            is_as_planned(&path, &found, work, None)?;
            disk::remove(&path)?;
        }
        return Ok(None);
    }
    let path = path_of(call, work.desired)?;
    let wanted = content(call, work.desired)?.ok_or_else(|| {
        ProviderError::new(ErrorClass::Bug, "a file's content is not known when it is written")
    })?;
    let sha256 = Digest::of(&wanted).hex();
    if text(work.planned, "sha256").is_some_and(|planned| planned != sha256) {
        let message = "its source is not the one that was planned";
        return Err(ProviderError::new(ErrorClass::Conflict, message).hint("plan again").at("source"));
    }
    let mode = mode(work.desired).as_str().and_then(octal).ok_or_else(|| {
        ProviderError::new(ErrorClass::InvalidConfig, "`mode` is not a file mode: octal digits, as `0644`")
            .at("mode")
    })?;
    match disk::look(&path)? {
        Some(found) if found.content == *wanted => {
            if found.mode != mode {
                disk::set_mode(&path, mode)?;
            }
        }
        Some(_) if work.op == Op::Create => return Err(taken(call, &path, work.desired)),
        found => {
            if let Some(found) = found {
                is_as_planned(&path, &found, work, Some(&sha256))?;
            }
            disk::write(&path, &wanted, mode, &call.token.0)?;
        }
    }
    let known =
        object(work.desired, &["path", "content", "source"], vec![("mode", self::mode(work.desired))]);
    let found = Found { content: wanted.to_vec(), mode };
    Ok(Some(observed(&known, attribute(work.desired, "path"), &found)))
}

fn taken(call: &Call, path: &Path, desired: &Value) -> ProviderError {
    let message = format!("{} exists with other content, and is not from here", path.display());
    ProviderError::new(ErrorClass::NameTaken, message).hint(import_command(call, desired)).at("path")
}

/// Only what the plan knew of is overwritten or removed.
fn is_as_planned(
    path: &Path,
    found: &Found,
    work: Work<'_>,
    also: Option<&str>,
) -> Result<(), ProviderError> {
    let now = found.sha256();
    let recorded = work.prior.and_then(|prior| text(&prior.value.0, "sha256"));
    let seen = work.artefact.and_then(|artefact| artefact.data.get("seen")).and_then(|seen| seen.as_str());
    if [recorded, seen, also].into_iter().flatten().any(|known| known == now) {
        return Ok(());
    }
    let message = format!("{} was changed after it was planned", path.display());
    Err(ProviderError::new(ErrorClass::Conflict, message).hint("plan again: the plan will show the change"))
}

pub(crate) fn probe(call: &Call, work: Work<'_>) -> Result<Probe, ProviderError> {
    let value = match (work.op, work.prior) {
        (Op::Delete, Some(prior)) => &prior.value.0,
        (Op::Delete, None) => return Ok(Probe::Done(None)),
        _ => work.planned,
    };
    let path = path_of(call, value)?;
    let found = disk::look(&path)?;
    if work.op == Op::Delete {
        return Ok(if found.is_none() { Probe::Done(None) } else { Probe::NotBegun });
    }
    // It is written whole or not at all, so there is nothing between.
    let wanted = content(call, work.desired)?;
    let mode = text(work.planned, "mode").and_then(octal);
    match found {
        Some(found) if wanted.as_deref() == Some(&found.content) && mode == Some(found.mode) => {
            let path = attribute(work.planned, "path");
            Ok(Probe::Done(Some(Box::new(observed(work.planned, path, &found)))))
        }
        _ => Ok(Probe::NotBegun),
    }
}

pub(crate) fn import(call: &Call, id: &str, desired: &Value) -> Result<Observed, ProviderError> {
    let path = paths::tidy(&paths::checkout(call)?.join(id));
    let found = disk::look(&path)?.ok_or_else(|| {
        let message = format!("there is no file {}", path.display());
        ProviderError::new(ErrorClass::NotFound, message)
    })?;
    let known = object(desired, &["content", "source"], vec![("mode", mode(desired))]);
    Ok(observed(&known, Value::from(id), &found))
}
