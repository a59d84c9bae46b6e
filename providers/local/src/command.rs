//! `local_command`: a thing that commands create, update and destroy.

use windlass_model::{
    AttrPath, ErrorClass, Finding, Kind, Op, Private, Record, Type, Unknown, Value, from_json,
};
use windlass_provider::{
    ApplyFailure, Ask, Attached, Call, Drift, Exit, Left, Observed, Probe, Proposed, ProviderError, Verdict,
    Work,
};

use crate::attributes::{attribute, changed, is_given, marked_if, object, text, texts};
use crate::invocation::{Place, SENSITIVE_ARGUMENT, SENSITIVE_HINT};
use crate::{as_recorded, proposed, snapshot};

const INPUTS: [&str; 9] = ["create", "update", "destroy", "read", "env", "stdin", "dir", "files", "triggers"];
/// A change of these runs `update`, or replaces where there is none.
const RUNS: [&str; 7] = ["create", "update", "env", "stdin", "dir", "files", "triggers"];
/// A change of these is only recorded.
const RECORDED: [&str; 2] = ["destroy", "read"];
const ARGUMENT_VECTORS: [&str; 4] = ["create", "update", "destroy", "read"];

/// The most that a command's standard output may be: it is kept in state.
const MOST_STDOUT: usize = 1 << 20;
/// How many of the last lines of a failed command its error shows.
const TAIL: usize = 20;

pub(crate) fn check(desired: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in ARGUMENT_VECTORS {
        let Some(argv) = desired.get(name).filter(|argv| !argv.is_null()) else { continue };
        if argv.has_sensitive() {
            let help = Some(SENSITIVE_HINT.to_owned());
            found.push(Finding { help, ..Finding::error(name, SENSITIVE_ARGUMENT) });
        }
        found.extend(check_argv(name, argv));
    }
    for (name, value) in desired.get("env").and_then(Value::entries).unwrap_or_default() {
        let path = AttrPath::from("env").name(name.clone());
        if name.is_empty() || name.contains(['=', '\0']) {
            found.push(Finding::error(path, "this cannot be the name of an environment variable"));
        } else if value.is_null() || value.as_str().is_some_and(|text| text.contains('\0')) {
            found.push(Finding::error(path, "an environment variable cannot be null or hold a NUL"));
        }
    }
    for (i, glob) in desired.get("files").and_then(Value::items).unwrap_or_default().iter().enumerate() {
        if let Some(Err(error)) = glob.as_str().map(snapshot::matcher) {
            found.push(Finding::error(AttrPath::from("files").index(i), error.message));
        }
    }
    found
}

fn check_argv(name: &str, argv: &Value) -> Vec<Finding> {
    let Some(items) = argv.items() else { return Vec::new() };
    let mut found = Vec::new();
    if items.first().is_none_or(|program| program.is_null() || program.as_str() == Some("")) {
        let help =
            Some("a list: the program, then its arguments; for a shell: [\"sh\", \"-c\", \"…\"]".to_owned());
        found.push(Finding { help, ..Finding::error(name, format!("`{name}` names no program")) });
    }
    for (i, item) in items.iter().enumerate() {
        if (item.is_null() && i > 0) || item.as_str().is_some_and(|text| text.contains('\0')) {
            let path = AttrPath::from(name).index(i);
            found.push(Finding::error(path, "an argument cannot be null or hold a NUL"));
        }
    }
    found
}

pub(crate) async fn plan(call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError> {
    let gone = match ask.prior {
        Some(prior) if ask.refresh => !exists(call, prior, ask.desired).await?,
        _ => false,
    };
    let drift = gone.then_some(Drift::Gone);
    let Some(desired) = ask.desired else {
        return Ok(Proposed { drift, ..proposed(Verdict::Change, Value::NULL) });
    };
    let Some(prior) = ask.prior.filter(|_| !gone) else {
        return Ok(Proposed { drift, ..proposed(Verdict::Change, unknown(desired)) });
    };
    let runs = reasons(call, prior, desired)?;
    if !runs.is_empty() {
        let verdict = if is_given(desired, "update") { Verdict::Change } else { Verdict::Replace };
        return Ok(Proposed { why: runs, ..proposed(verdict, unknown(desired)) });
    }
    let why = recorded_only(prior, desired);
    let verdict = if why.is_empty() { Verdict::Same } else { Verdict::Change };
    Ok(Proposed { why, ..proposed(verdict, keeping(prior, desired)) })
}

/// Which changes make its `update` run.
fn reasons(call: &Call, prior: &Record, desired: &Value) -> Result<Vec<AttrPath>, ProviderError> {
    let mut why = changed(prior, desired, &RUNS);
    if !is_given(desired, "update") {
        // Taking `update` away is no reason to run anything.
        why.retain(|path| path.top() != Some("update"));
    }
    let now = snapshot::digest(call, desired)?.map(|digest| digest.to_string());
    let then = prior.private.data.get("files").and_then(|digest| digest.as_str());
    let files = AttrPath::from("files");
    if now.as_deref() != then && !why.contains(&files) {
        why.push(files);
    }
    Ok(why)
}

fn recorded_only(prior: &Record, desired: &Value) -> Vec<AttrPath> {
    let mut why = changed(prior, desired, &RECORDED);
    if !is_given(desired, "update") {
        why.extend(changed(prior, desired, &["update"]));
    }
    why
}

/// What it will be when a command has run.
fn unknown(desired: &Value) -> Value {
    let unknown = |ty, not_null| {
        let value =
            Value::new(Kind::Unknown(std::sync::Arc::new(Unknown { ty, not_null, ..Unknown::default() })));
        marked_if(value, desired.has_sensitive())
    };
    object(
        desired,
        &INPUTS,
        vec![("stdout", unknown(Type::String, true)), ("result", unknown(Type::Any, false))],
    )
}

/// What it will be when nothing runs.
fn keeping(prior: &Record, desired: &Value) -> Value {
    let sensitive = desired.has_sensitive();
    let kept = |name| marked_if(attribute(&prior.value.0, name), sensitive);
    object(desired, &INPUTS, vec![("stdout", kept("stdout")), ("result", kept("result"))])
}

/// Whether a step runs a command: else it changes the record only.
fn runs(work: Work<'_>) -> bool {
    work.planned.get("stdout").is_none_or(Value::is_unknown)
}

/// Whether the thing is there: what `read` says, the stack's own if it is known, else that of the record. Without one, what is
/// recorded is there.
async fn exists(call: &Call, prior: &Record, desired: Option<&Value>) -> Result<bool, ProviderError> {
    if let Some(desired) = desired.filter(|desired| INPUTS.iter().all(|name| is_known(desired, name))) {
        if !is_given(desired, "read") {
            return Ok(true);
        }
        let place = Place::of_stack(call, desired).await?;
        return exists_at(call, place, desired).await.map(|answer| answer.0);
    }
    let value = &prior.value.0;
    if !is_given(value, "read") {
        return Ok(true);
    }
    let place = Place::of_record(call, value, &prior.private).await?;
    exists_at(call, place, value).await.map(|answer| answer.0)
}

fn is_known(value: &Value, name: &str) -> bool {
    value.get(name).is_none_or(Value::is_known)
}

/// What `read` says, and put out.
async fn exists_at(call: &Call, place: Place, value: &Value) -> Result<(bool, Exit), ProviderError> {
    let ran = place.run(call, value, "read").await;
    place.leave(call)?;
    let exit = ran?.unwrap_or_default();
    match exit.code {
        Some(0) => Ok((true, exit)),
        Some(1) => Ok((false, exit)),
        _ => {
            let error = failed(call, value, "read", &exit);
            Err(error
                .hint("`read` exits with 0 where the thing exists, and with 1 where it does not")
                .at("read"))
        }
    }
}

pub(crate) async fn read(call: &Call, prior: &Record) -> Result<Option<Observed>, ProviderError> {
    Ok(exists(call, prior, None).await?.then(|| as_recorded(prior)))
}

pub(crate) async fn apply(call: &Call, work: Work<'_>) -> Result<Option<Observed>, Box<ApplyFailure>> {
    match (work.op, work.prior) {
        (Op::Delete, Some(prior)) => destroy(call, prior).await,
        (Op::Delete, None) => Ok(None),
        (Op::Update, Some(prior)) if !runs(work) => {
            let private = private_now(call, work.desired, prior).await.map_err(ApplyFailure::untouched)?;
            Ok(Some(Observed { value: keeping(prior, work.desired), private, nested: Vec::new() }))
        }
        (Op::Update, _) => make(call, work, "update").await,
        _ => make(call, work, "create").await,
    }
}

/// What a record keeps when nothing ran: the files are as they were.
async fn private_now(call: &Call, desired: &Value, prior: &Record) -> Result<Private, ProviderError> {
    if !is_given(desired, "files") || prior.private.blobs.contains_key("files") {
        return Ok(prior.private.clone());
    }
    kept(call, desired).await
}

/// Copies, keeps and removes the files of a command that ran before.
async fn kept(call: &Call, desired: &Value) -> Result<Private, ProviderError> {
    if !is_given(desired, "files") {
        return Ok(Private::default());
    }
    let mut place = Place::of_stack(call, desired).await?;
    place.keep(call).await?;
    let private = place.private.clone();
    place.leave(call)?;
    Ok(private)
}

async fn make(call: &Call, work: Work<'_>, what: &str) -> Result<Option<Observed>, Box<ApplyFailure>> {
    let mut place = Place::of_stack(call, work.desired).await.map_err(ApplyFailure::untouched)?;
    place.keep(call).await.map_err(ApplyFailure::untouched)?;
    let private = place.private.clone();
    let ran = place.run(call, work.desired, what).await;
    let left = place.leave(call);
    let exit = match ran {
        Ok(exit) => exit.unwrap_or_default(),
        Err(error) => return Err(not_run(call, what, error).await),
    };
    let made = outcome(call, work, what, &exit, private)?;
    left.map_err(|error| Box::new(ApplyFailure { error, left: Left::There(Box::new(made.clone())) }))?;
    Ok(Some(made))
}

/// A command that has no end that is known: did it begin?
async fn not_run(call: &Call, what: &str, error: ProviderError) -> Box<ApplyFailure> {
    let left = match call.tools.runner.attach(call, what).await {
        Ok(Attached::NeverBegun) => Left::Untouched,
        Ok(Attached::Ended(_) | Attached::Lost(_)) | Err(_) => Left::Unknown(look_at(call, what)),
    };
    Box::new(ApplyFailure { error, left })
}

fn look_at(call: &Call, what: &str) -> String {
    format!("`{what}` of {} began, and nobody saw how it ended: look at what it makes", call.address)
}

/// What a run of `create` or `update` means.
fn outcome(
    call: &Call,
    work: Work<'_>,
    what: &str,
    exit: &Exit,
    private: Private,
) -> Result<Observed, Box<ApplyFailure>> {
    let made = Observed { value: value_of(work.desired, exit), private, nested: Vec::new() };
    let error = match exit.success() {
        false => failed(call, work.desired, what, exit),
        true => match unfit(what, &exit.stdout) {
            Some(error) => error,
            None => return Ok(made),
        },
    };
    // A failed update leaves the record as it was, so that the next plan runs it again.
    let left = match (work.op, work.prior) {
        (Op::Update, Some(prior)) => as_recorded(prior),
        _ => made,
    };
    Err(Box::new(ApplyFailure { error, left: Left::There(Box::new(left)) }))
}

/// What is wrong with a standard output that is to be kept.
fn unfit(what: &str, stdout: &[u8]) -> Option<ProviderError> {
    let why = if stdout.len() > MOST_STDOUT {
        format!("put out {} bytes; state keeps at most {MOST_STDOUT}", stdout.len())
    } else if std::str::from_utf8(stdout).is_err() {
        "put out what is not UTF-8 text".to_owned()
    } else {
        return None;
    };
    let message = format!("`{what}` was done, but it {why} on standard output");
    let error = ProviderError::new(ErrorClass::InvalidConfig, message);
    Some(error.hint("send what is not a result to standard error or to a file").at(what))
}

/// The attributes after a run.
fn value_of(desired: &Value, exit: &Exit) -> Value {
    let stdout = &exit.stdout[..exit.stdout.len().min(MOST_STDOUT)];
    let result =
        serde_json::from_slice::<serde_json::Value>(stdout).ok().filter(serde_json::Value::is_object);
    let result = result.map_or(Value::NULL, from_json);
    let sensitive = desired.has_sensitive();
    let stdout = Value::from(String::from_utf8_lossy(stdout).into_owned());
    object(
        desired,
        &INPUTS,
        vec![("stdout", marked_if(stdout, sensitive)), ("result", marked_if(result, sensitive))],
    )
}

/// The error of a command that failed: how, and the last it said.
fn failed(call: &Call, value: &Value, what: &str, exit: &Exit) -> ProviderError {
    let program = texts(value, what).and_then(|argv| argv.into_iter().next()).unwrap_or_default();
    let (class, how) = match exit {
        Exit { timed_out: true, .. } => (ErrorClass::Timeout, "took too long and was ended".to_owned()),
        Exit { interrupted: true, .. } => (ErrorClass::Cancelled, "was interrupted".to_owned()),
        Exit { code: Some(code), .. } => (ErrorClass::Unknown, format!("exited with {code}")),
        Exit { signal, .. } => {
            (ErrorClass::Unknown, format!("was killed by signal {}", signal.unwrap_or_default()))
        }
    };
    // What it put out as data may be as sensitive as what it was given.
    let said = match exit.output.is_empty() && !value.has_sensitive() {
        true => &exit.stdout,
        false => &exit.output,
    };
    let said = call.tools.redact.redact_bytes(said);
    let lines: Vec<&str> = said.trim_end().lines().collect();
    let mut message = format!("`{what}` failed: `{program}` {how}");
    for line in &lines[lines.len().saturating_sub(TAIL)..] {
        message.push('\n');
        message.push_str(line);
    }
    ProviderError::new(class, call.tools.redact.redact(&message)).at(what)
}

/// Runs `destroy` as it was recorded.
async fn destroy(call: &Call, prior: &Record) -> Result<Option<Observed>, Box<ApplyFailure>> {
    let value = &prior.value.0;
    if !is_given(value, "destroy") {
        return Ok(None);
    }
    let place = Place::of_record(call, value, &prior.private).await.map_err(ApplyFailure::untouched)?;
    let ran = place.run(call, value, "destroy").await;
    let cleared = place.leave(call);
    match ran {
        Err(error) => Err(not_run(call, "destroy", error).await),
        Ok(exit) => {
            destroyed(call, prior, &exit.unwrap_or_default())?;
            cleared.map_err(|error| Box::new(ApplyFailure { error, left: Left::Gone }))?;
            Ok(None)
        }
    }
}

fn destroyed(call: &Call, prior: &Record, exit: &Exit) -> Result<(), Box<ApplyFailure>> {
    if exit.success() {
        return Ok(());
    }
    let error = failed(call, &prior.value.0, "destroy", exit);
    Err(Box::new(ApplyFailure { error, left: Left::There(Box::new(as_recorded(prior))) }))
}

pub(crate) async fn probe(call: &Call, work: Work<'_>) -> Result<Probe, ProviderError> {
    let what = match work.op {
        Op::Delete if work.prior.is_none_or(|prior| !is_given(&prior.value.0, "destroy")) => {
            return Ok(Probe::Done(None));
        }
        Op::Delete => "destroy",
        Op::Update if !runs(work) => return Ok(Probe::NotBegun),
        Op::Update => "update",
        _ => "create",
    };
    match call.tools.runner.attach(call, what).await? {
        Attached::NeverBegun => Ok(Probe::NotBegun),
        Attached::Ended(exit) => ended(call, work, what, &exit).await,
        Attached::Lost(exit) => lost(call, work, what, &exit).await,
    }
}

async fn ended(call: &Call, work: Work<'_>, what: &str, exit: &Exit) -> Result<Probe, ProviderError> {
    let outcome = match (work.op, work.prior) {
        (Op::Delete, Some(prior)) => destroyed(call, prior, exit).map(|()| None),
        _ => {
            outcome(call, work, what, exit, kept(call, work.desired).await?).map(|made| Some(Box::new(made)))
        }
    };
    Ok(outcome.map_or_else(Probe::Failed, Probe::Done))
}

/// Nobody saw its end. `read` can tell of a create and a destroy; of an update nobody can.
async fn lost(call: &Call, work: Work<'_>, what: &str, exit: &Exit) -> Result<Probe, ProviderError> {
    let unknown = || Probe::Unknown { look_at: look_at(call, what) };
    match (work.op, work.prior) {
        (Op::Delete, Some(prior)) if is_given(&prior.value.0, "read") => {
            let there = exists(call, prior, None).await?;
            Ok(if there { Probe::NotBegun } else { Probe::Done(None) })
        }
        (Op::Create, _) if is_given(work.desired, "read") => {
            let place = Place::of_stack(call, work.desired).await?;
            if !exists_at(call, place, work.desired).await?.0 {
                return Ok(Probe::NotBegun);
            }
            let private = kept(call, work.desired).await?;
            let value = value_of(work.desired, exit);
            Ok(Probe::Done(Some(Box::new(Observed { value, private, nested: Vec::new() }))))
        }
        _ => Ok(unknown()),
    }
}

/// Whether asking can tell what became of a step in doubt: `read` of a create and a destroy, of an update nobody.
pub(crate) fn can_tell(record: &Record) -> bool {
    let updated = record.in_doubt.as_ref().is_some_and(|doubt| doubt.starts_with(Op::Update.as_str()));
    is_given(&record.inputs.0, "read") && !updated
}

/// Takes in what `read` says is there; what it puts out becomes `stdout`.
pub(crate) async fn import(call: &Call, desired: &Value) -> Result<Observed, ProviderError> {
    if !is_given(desired, "read") {
        let message =
            "a command can be imported only where it has `read`, which tells whether the thing exists";
        return Err(ProviderError::new(ErrorClass::InvalidConfig, message).at("read"));
    }
    let place = Place::of_stack(call, desired).await?;
    let (there, exit) = exists_at(call, place, desired).await?;
    if !there {
        let dir = text(desired, "dir").unwrap_or(".");
        let message = format!("`read` says that it does not exist (asked in {dir})");
        return Err(ProviderError::new(ErrorClass::NotFound, message).at("read"));
    }
    let private = kept(call, desired).await?;
    Ok(Observed { value: value_of(desired, &exit), private, nested: Vec::new() })
}
