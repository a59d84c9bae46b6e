//! Applying: exactly the saved plan, and whatever becomes of it, a state that is true (rule T6).

use serde_json::{Value as Json, json};
use windlass_model::{ErrorClass, Nested, Op, Private, Record, StepEvent, Value};
use windlass_provider::{ApplyFailure, Attached, Exit, Left, Observed, ProviderError, Work};

use crate::errors::Failed;
use crate::events::{Doubt, Heard};
use crate::job::{Job, Kept, LOCK, TFPLAN, TFSTATE, how, read_kept};
use crate::place::StatePlace;

/// The label of the one command that changes anything.
pub const APPLY: &str = "apply";
/// Where a record lists what is in doubt.
pub const DOUBTS: &str = "in_doubt";

/// Where terraform puts a state that it could not store.
const ERRORED: &str = "errored.tfstate";

type Applied = Result<Option<Observed>, Box<ApplyFailure>>;

/// A step that ended, as noted before the work directory was cleared: found again by a `probe`.
fn ended(noted: &[Private]) -> Option<&Private> {
    noted.iter().rev().find(|note| note.data.get("ended").is_some())
}

impl Job<'_> {
    /// Applies the saved plan.
    ///
    /// # Errors
    /// What failed, and what was left.
    pub async fn carry_out(&mut self, work: &Work<'_>) -> Applied {
        if let Some(note) = ended(work.noted) {
            return self.replay(note).await;
        }
        let untouched = ApplyFailure::untouched;
        let artefact = work.artefact.ok_or_else(|| {
            untouched(ProviderError::new(ErrorClass::Bug, "there is no saved plan to apply"))
        })?;
        if artefact.data["empty"] == json!(true) {
            return self.nothing_to_do(work).await;
        }
        self.fits(artefact).map_err(untouched)?;
        if let Err(error) = self.ready(artefact).await {
            return Err(untouched(self.cleaned_up(error)));
        }
        let args = self.settings(None).apply(&self.dir.run_file(TFPLAN));
        match self.supervised(APPLY, args).await {
            Ok(exit) => self.finish(work, &exit, false).await,
            Err(error) => self.lost(work, error).await,
        }
    }

    /// What became of an apply whose engine died.
    ///
    /// # Errors
    /// Where it cannot be found out. `Ok(None)`: it never began.
    pub async fn found(&self, work: &Work<'_>) -> Result<Option<Applied>, ProviderError> {
        if let Some(note) = ended(work.noted) {
            return Ok(Some(self.replay(note).await));
        }
        match self.call.tools.runner.attach(&self.listening(), APPLY).await? {
            Attached::NeverBegun => Ok(None),
            Attached::Ended(exit) => Ok(Some(self.finish(work, &exit, false).await)),
            Attached::Lost(exit) => Ok(Some(self.finish(work, &exit, true).await)),
        }
    }

    /// Whether tool and directory are those of the plan.
    fn fits(&self, artefact: &Private) -> Result<(), ProviderError> {
        let planned = artefact.data["tool"].as_str().unwrap_or_default();
        let now = self.tool.text();
        if planned != now {
            let message = format!("it was planned with {planned}, and now {now} is there");
            return Err(ProviderError::new(ErrorClass::Conflict, message).hint("plan again"));
        }
        let names = artefact.data["work_path_digest"].as_str();
        if names.is_some_and(|digest| digest != self.work_path_digest()) {
            let message = "the plan names the directory that it was made in, and this is another one";
            return Err(ProviderError::new(ErrorClass::Conflict, message)
                .hint("plan again here; `path.cwd` and `abspath` put the directory into the plan"));
        }
        Ok(())
    }

    async fn ready(&mut self, artefact: &Private) -> Result<(), ProviderError> {
        let engine = self.call.engine.clone();
        let lock = match artefact.blobs.get(LOCK) {
            Some(blob) => Some(engine.fetch(blob).await?),
            None => None,
        };
        self.prepare(lock.as_deref()).await?;
        let blob = artefact.blobs.get(TFPLAN);
        let blob = blob.ok_or_else(|| ProviderError::new(ErrorClass::Bug, "the plan has no plan file"))?;
        self.dir.write_run(TFPLAN, &engine.fetch(blob).await?)?;
        Ok(())
    }

    fn cleaned_up(&self, mut error: ProviderError) -> ProviderError {
        if let Err(other) = self.clean() {
            error.message.push_str(&format!("\nalso: {other}"));
        }
        error
    }

    /// Terraform has nothing to do: only the record is written.
    async fn nothing_to_do(&self, work: &Work<'_>) -> Applied {
        if work.op == Op::Delete {
            return Ok(None);
        }
        let pulled = match &self.place {
            // Nothing was laid out: a fresh look would need `init`. The plan has the values.
            StatePlace::Backend { .. } => {
                let private = self.private(None);
                let nested = nested_of(work.planned);
                return Ok(Some(Observed { value: work.planned.clone(), private, nested }));
            }
            StatePlace::Record(_) => self.state.as_ref(),
        };
        self.observe(pulled, &[]).await.map(Some).map_err(ApplyFailure::untouched)
    }

    /// The runner could not say how it ended: the supervisor was killed, or nothing was started at all.
    async fn lost(&self, work: &Work<'_>, error: ProviderError) -> Applied {
        match self.call.tools.runner.attach(&self.listening(), APPLY).await {
            Ok(Attached::NeverBegun) => Err(ApplyFailure::untouched(self.cleaned_up(error))),
            Ok(Attached::Ended(exit)) => self.finish(work, &exit, false).await,
            Ok(Attached::Lost(exit)) => self.finish(work, &exit, true).await,
            Err(other) => {
                let look_at = format!("{other}; the state as it was left is in {}", self.dir.root.display());
                Err(Box::new(ApplyFailure { error, left: Left::Unknown(look_at) }))
            }
        }
    }

    /// Takes in what terraform left, tells the engine, and only then clears the work directory.
    async fn finish(&self, work: &Work<'_>, exit: &Exit, lost: bool) -> Applied {
        let heard = Heard::read(&exit.output);
        let killed = lost || exit.code.is_none();
        let (state, trouble) = self.accepted().await;
        let applied = match (exit.success(), &state) {
            (true, Some(state)) => self.succeeded(work, state).await,
            (true, None) if work.op == Op::Delete && trouble.is_none() => Ok(None),
            _ => Err(self.failed(exit, &heard, killed, state.as_ref(), trouble).await),
        };
        if matches!(&applied, Err(failure) if matches!(failure.left, Left::Unknown(_))) {
            // What lies there is all that is left.
            return applied;
        }
        if let Some(words) = self.dir.was_laid_out().then(|| self.stray_warning()).flatten() {
            self.call.engine.say(StepEvent::Log(format!("warning: {words}")));
        }
        if let Err(error) = self.note(&applied).await {
            let left = Left::Unknown(format!("the state as it was left is in {}", self.dir.root.display()));
            return Err(Box::new(ApplyFailure { error, left }));
        }
        if let Err(error) = self.clean() {
            self.call.engine.say(StepEvent::Log(format!("warning: {error}")));
        }
        applied
    }

    async fn succeeded(&self, work: &Work<'_>, state: &Kept) -> Applied {
        if work.op == Op::Delete {
            return Ok(None);
        }
        self.observe(Some(state), &[]).await.map(Some).map_err(|error| self.unkept(error))
    }

    fn unkept(&self, error: ProviderError) -> Box<ApplyFailure> {
        let left = Left::Unknown(format!("the state as it was left is in {}", self.dir.root.display()));
        Box::new(ApplyFailure { error, left })
    }

    async fn failed(
        &self,
        exit: &Exit,
        heard: &Heard,
        killed: bool,
        state: Option<&Kept>,
        trouble: Option<String>,
    ) -> Box<ApplyFailure> {
        let mut error = self.why_it_failed(exit, heard, killed);
        if let Some(trouble) = &trouble {
            error.message.push_str(&format!("\n{trouble}"));
        }
        let prior = self.state.as_ref();
        let moved_on =
            state.is_some_and(|state| prior.is_none_or(|prior| state.file.serial > prior.file.serial));
        if !heard.began() && !moved_on && !exit.success() {
            return Box::new(ApplyFailure { error, left: Left::Untouched });
        }
        let kept = state.or(prior);
        let doubts = heard.doubts(kept.map(|kept| &kept.file), killed || state.is_none());
        if !doubts.is_empty() {
            let all: Vec<String> = doubts.iter().map(ToString::to_string).collect();
            let text = format!("\nin doubt, begun and not in the state: {}", all.join(", "));
            error.message.push_str(&self.call.tools.redact.redact(&text));
        }
        match self.observe(kept, &doubts).await {
            Ok(observed) => Box::new(ApplyFailure { error, left: Left::There(Box::new(observed)) }),
            Err(other) => self.unkept(other),
        }
    }

    fn why_it_failed(&self, exit: &Exit, heard: &Heard, killed: bool) -> ProviderError {
        let command = self.command_text(APPLY);
        let redact = &self.call.tools.redact;
        let own = |error: &mut ProviderError| {
            for diagnosis in heard.errors.iter().take(3) {
                error.message.push_str(&format!("\n{}", diagnosis.line(&self.root.dir, redact)));
            }
        };
        if let Some(mut error) = self.ended_early(exit, &command) {
            own(&mut error);
            return error;
        }
        if killed {
            let message = format!("`{command}` did not come to its end: {}", how(exit));
            let mut error = ProviderError::new(ErrorClass::Unknown, message)
                .hint("plan again: it starts from what is known to be there");
            own(&mut error);
            return error;
        }
        let rest = heard.rest.join("\n");
        let ended = how(exit);
        let failed = Failed {
            command: &command,
            errors: &heard.errors,
            rest: &rest,
            ended: &ended,
            root: &self.root.dir,
        };
        failed.error(redact)
    }

    /// The state that terraform left, if it is whole and follows the one from before; and why not, if not.
    async fn accepted(&self) -> (Option<Kept>, Option<String>) {
        let found = match &self.place {
            StatePlace::Backend { .. } => self.pull().await,
            StatePlace::Record(_) => match self.dir.read_root(ERRORED) {
                Ok(Some(bytes)) => read_kept(bytes.into(), self.call).map(Some),
                _ => self.state_on_disk(),
            },
        };
        let prior = self.state.as_ref().map(|kept| &kept.file);
        match found {
            Ok(Some(kept)) if kept.file.follows(prior) => (Some(kept), None),
            Ok(Some(kept)) => {
                let trouble = format!(
                    "terraform left a state that does not follow the recorded one (serial {}): the recorded one is kept",
                    kept.file.serial
                );
                (None, Some(trouble))
            }
            Ok(None) => (None, None),
            Err(error) => (None, Some(format!("{error}: the recorded one is kept"))),
        }
    }

    /// What there is now, its state kept in the store.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub async fn observe(&self, state: Option<&Kept>, doubts: &[Doubt]) -> Result<Observed, ProviderError> {
        let mut private = self.private(state.map(|state| &state.file));
        if !doubts.is_empty() {
            private.data[DOUBTS] = json!(doubts);
        }
        let engine = &self.call.engine;
        if let (StatePlace::Record(_), Some(state)) = (&self.place, state) {
            private.blobs.insert(TFSTATE.to_owned(), engine.keep(&state.bytes).await?);
        }
        if let Some(lock) = self.new_lock()? {
            private.blobs.insert(LOCK.to_owned(), engine.keep(&lock).await?);
        }
        let nested = state.map(|state| state.file.nested()).unwrap_or_default();
        Ok(Observed { value: self.seen_value(state)?, private, nested })
    }

    async fn note(&self, applied: &Applied) -> Result<(), ProviderError> {
        let (ended, error, seen) = match applied {
            Ok(None) => ("gone", None, None),
            Ok(Some(observed)) => ("done", None, Some(observed)),
            Err(failure) => match &failure.left {
                Left::There(observed) => ("failed", Some(&failure.error), Some(&**observed)),
                // Nothing happened that a second look would not find.
                _ => return Ok(()),
            },
        };
        let mut note = seen.map(|observed| observed.private.clone()).unwrap_or_default();
        let inner = std::mem::take(&mut note.data);
        let error = error.map(|e| json!({ "class": e.class, "message": e.message, "hint": e.hint }));
        note.data = json!({ "ended": ended, "error": error, "private": inner });
        self.call.engine.note(&note).await
    }

    /// The outcome that was noted.
    async fn replay(&self, note: &Private) -> Applied {
        if note.data["ended"] == json!("gone") {
            return Ok(None);
        }
        let seen = self.noted(note).await.map_err(|error| self.unkept(error))?;
        let error = &note.data["error"];
        if error.is_null() {
            return Ok(Some(seen));
        }
        let text = |name: &str| error[name].as_str().map(str::to_owned);
        let class = serde_json::from_value(error["class"].clone()).unwrap_or(ErrorClass::Unknown);
        let mut failure = ProviderError::new(class, text("message").unwrap_or_default());
        failure.hint = text("hint");
        Err(Box::new(ApplyFailure { error: failure, left: Left::There(Box::new(seen)) }))
    }

    async fn noted(&self, note: &Private) -> Result<Observed, ProviderError> {
        let state = match note.blobs.get(TFSTATE) {
            Some(blob) => Some(read_kept(self.call.engine.fetch(blob).await?, self.call)?),
            None if matches!(self.place, StatePlace::Backend { .. }) => {
                return Err(ProviderError::new(
                    ErrorClass::Unknown,
                    "the outcome is in the root's own backend, which is asked by the next plan",
                ));
            }
            None => None,
        };
        let value = self.seen_value(state.as_ref())?;
        let nested = state.as_ref().map(|state| state.file.nested()).unwrap_or_default();
        let private = Private { data: note.data["private"].clone(), ..note.clone() };
        Ok(Observed { value, private, nested })
    }
}

/// The inputs that a step is about: of a delete those of the record.
pub fn inputs<'a>(work: &Work<'a>) -> Result<&'a Value, ProviderError> {
    match (work.op, work.prior) {
        (Op::Delete, Some(prior)) => Ok(&prior.inputs.0),
        (Op::Delete, None) => Err(ProviderError::new(ErrorClass::Bug, "a delete without a record")),
        _ => Ok(work.desired),
    }
}

/// What a planned value lists as `resources`.
fn nested_of(planned: &Value) -> Vec<Nested> {
    let items = planned.get("resources").and_then(Value::items).unwrap_or_default();
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let read = |item: &Value| {
        Some(Nested { address: text(item, "address")?, kind: text(item, "type")?, id: text(item, "id") })
    };
    items.iter().filter_map(read).collect()
}

/// Whether a record's state is in the root's own backend.
pub fn in_backend(record: &Record) -> bool {
    record.private.data.get("backend").is_some_and(Json::is_string)
}
