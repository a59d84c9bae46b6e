//! Planning: `terraform plan`, what it found, and what `show` says of the saved plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use windlass_model::{Digest, ErrorClass, Finding, Kind, NestedChange, Private, Record, Value};
use windlass_provider::{Ask, Drift, Exit, Observed, Proposed, ProviderError, Redactor, Verdict};

use crate::apply::DOUBTS;
use crate::command::{self, Mode};
use crate::errors::Failed;
use crate::events::{Doubt, Heard};
use crate::job::{Job, Kept, LOCK, TFPLAN, TFSTATE, how, read_kept};
use crate::json::quoted;
use crate::place::StatePlace;
use crate::plan_json::{self, PlanFacts};
use crate::state_file::resources_value;
use crate::version::at_least;
use crate::workdir::DOUBT_FILE;

const PLAN_FILE: &str = "tfplan";

/// What `terraform plan` answered.
struct Answer {
    heard: Heard,
    changes: bool,
}

impl Job<'_> {
    /// Plans, and leaves the work directory as it is.
    ///
    /// # Errors
    /// What terraform says.
    pub async fn propose(&mut self, ask: &Ask<'_>, mode: Mode) -> Result<Proposed, ProviderError> {
        let lock = self.recorded_lock(ask.prior).await?;
        self.prepare(lock.as_deref()).await?;
        let doubts = recorded_doubts(ask.prior);
        let (answer, mut warnings) = self.ask_with_doubts(&doubts, mode, ask.refresh).await?;
        let mut proposed = match answer.changes {
            true => self.changed(ask, mode).await?,
            false => self.unchanged(ask, mode, &answer.heard).await?,
        };
        let imported = |doubt: &Doubt| {
            let mut nested = proposed.nested.iter();
            nested.any(|change| change.action == "import" && change.address == doubt.address)
        };
        warnings.extend(doubts.iter().filter(|doubt| !imported(doubt)).map(doubt_warning));
        warnings.extend(self.warnings(&answer.heard));
        proposed.warnings.extend(warnings);
        if let StatePlace::Backend { place, .. } = &self.place {
            proposed.place.clone_from(place);
        }
        Ok(proposed)
    }

    /// Plans with what is in doubt imported where it can be (rule T6); without, where that fails.
    async fn ask_with_doubts(
        &self,
        doubts: &[Doubt],
        mode: Mode,
        refresh: bool,
    ) -> Result<(Answer, Vec<Finding>), ProviderError> {
        let blocks = self.imports(doubts, mode);
        if blocks.is_empty() {
            return Ok((self.ask_terraform("plan", mode, refresh).await?, Vec::new()));
        }
        self.dir.write_root(DOUBT_FILE, blocks.as_bytes())?;
        let asked = self.ask_terraform("plan", mode, refresh).await;
        self.dir.remove_root(DOUBT_FILE)?;
        match asked {
            Ok(answer) => Ok((answer, Vec::new())),
            Err(error) if matches!(error.class, ErrorClass::Cancelled | ErrorClass::Timeout) => Err(error),
            Err(error) => {
                let answer = self.ask_terraform("plan-without-doubts", mode, refresh).await?;
                let words = format!("what is in doubt could not be imported: {}", error.message);
                Ok((answer, vec![Finding::warning("", words)]))
            }
        }
    }

    /// Import blocks for what was made and is not in state.
    fn imports(&self, doubts: &[Doubt], mode: Mode) -> String {
        let mut blocks = String::new();
        if mode != Mode::Normal || !at_least(&self.tool.version, "1.5") {
            return blocks;
        }
        for doubt in doubts.iter().filter(|doubt| doubt.action == "create") {
            let known = self.state.as_ref().is_some_and(|state| state.file.holds(&doubt.address));
            if let (Some((_, id)), false) = (&doubt.id, known) {
                let id = quoted(id).replace("${", "$${").replace("%{", "%%{");
                blocks.push_str(&format!("import {{\n  to = {}\n  id = {id}\n}}\n", doubt.address));
            }
        }
        blocks
    }

    /// `terraform plan`; once more after `init` where it says that it needs one.
    async fn ask_terraform(&self, label: &str, mode: Mode, refresh: bool) -> Result<Answer, ProviderError> {
        let var_file = self.write_variables()?;
        let args = self.settings(var_file).plan(mode, refresh, &self.dir.run_file(PLAN_FILE));
        let mut exit = self.quiet(label, args.clone()).await?;
        let mut heard = Heard::read(&exit.stdout);
        if exit.code == Some(1) && heard.errors.iter().any(|error| wants_init(&error.summary)) {
            self.init_again().await?;
            exit = self.quiet(label, args).await?;
            heard = Heard::read(&exit.stdout);
        }
        self.remove_variables();
        let changes = self.judge("plan", &exit, &heard)?;
        Ok(Answer { heard, changes })
    }

    /// Whether something changes, by the exit code.
    fn judge(&self, command: &str, exit: &Exit, heard: &Heard) -> Result<bool, ProviderError> {
        let command = self.command_text(command);
        if let Some(error) = self.ended_early(exit, &command) {
            return Err(error);
        }
        match exit.code {
            Some(0 | 2) if heard.version.is_some() => Ok(exit.code == Some(2)),
            Some(0 | 2) => {
                let message =
                    format!("`{command}` printed no JSON: {}", first_words(&exit.stdout, &exit.output));
                let message = self.call.tools.redact.redact(&message);
                let hint = format!("is {} really {}?", self.tool.binary.path.display(), self.tool.word());
                Err(ProviderError::new(ErrorClass::ToolMissing, message).hint(hint))
            }
            _ => {
                let rest =
                    [heard.rest.join("\n"), String::from_utf8_lossy(&exit.output).into_owned()].join("\n");
                let failed = Failed {
                    command: &command,
                    errors: &heard.errors,
                    rest: &rest,
                    ended: &how(exit),
                    root: &self.root.dir,
                };
                Err(failed.error(&self.call.tools.redact))
            }
        }
    }

    async fn changed(&self, ask: &Ask<'_>, mode: Mode) -> Result<Proposed, ProviderError> {
        let (facts, names_dir) = self.show().await?;
        let planned = match mode {
            Mode::Destroy => Value::NULL,
            _ => self.value(self.guard(&facts.outputs), self.planned_resources(&facts)),
        };
        let mut warnings = Vec::new();
        for change in &facts.drift {
            warnings.push(Finding::warning("", drift_words(change, &self.call.tools.redact)));
        }
        let artefact = self.artefact(names_dir).await?;
        Ok(Proposed {
            verdict: Verdict::Change,
            planned,
            why: why(self.desired, ask),
            nested: self.redacted(facts.nested),
            artefact: Some(artefact),
            drift: None,
            place: None,
            warnings,
            waits_for: Vec::new(),
        })
    }

    async fn unchanged(&self, ask: &Ask<'_>, mode: Mode, heard: &Heard) -> Result<Proposed, ProviderError> {
        let mut proposed = Proposed {
            verdict: Verdict::Change,
            planned: Value::NULL,
            why: Vec::new(),
            nested: Vec::new(),
            artefact: Some(self.nothing()),
            drift: None,
            place: None,
            warnings: Vec::new(),
            waits_for: Vec::new(),
        };
        if mode == Mode::Destroy {
            return Ok(proposed);
        }
        let pulled = match &self.place {
            StatePlace::Backend { .. } => self.pull().await?,
            StatePlace::Record(_) => None,
        };
        let state = pulled.as_ref().or(self.state.as_ref());
        proposed.planned = self.seen_value(state)?;
        let Some(prior) = ask.prior else { return Ok(proposed) };
        proposed.verdict = Verdict::Same;
        proposed.artefact = None;
        match &self.place {
            StatePlace::Record(_) if !heard.drift.is_empty() => {
                let (observed, changes) = self.refreshed(prior).await?;
                proposed.planned = observed.value.clone();
                let words = changes.iter().map(|change| drift_words(change, &self.call.tools.redact));
                proposed.warnings.extend(words.map(|words| Finding::warning("", words)));
                proposed.drift = Some(Drift::Changed(observed));
            }
            StatePlace::Backend { .. } if self.differs(&proposed.planned, prior) => {
                let observed = self.seen(state, prior)?;
                proposed.drift = Some(Drift::Changed(observed));
            }
            _ => {}
        }
        Ok(proposed)
    }

    /// The root as it really is (rule P3): taken in by a refresh-only plan, applied to our own copy of the state.
    ///
    /// # Errors
    /// What terraform says.
    pub async fn look(&mut self, prior: &Record) -> Result<Observed, ProviderError> {
        let lock = self.recorded_lock(Some(prior)).await?;
        self.prepare(lock.as_deref()).await?;
        match &self.place {
            StatePlace::Record(_) => Ok(self.refreshed(prior).await?.0),
            StatePlace::Backend { .. } => {
                let answer = self.ask_terraform("drift", Mode::RefreshOnly, true).await?;
                let state = self.pull().await?;
                let mut seen = self.seen(state.as_ref(), prior)?;
                if answer.changes {
                    let (facts, _) = self.show().await?;
                    let resources = seen.value.get("resources").cloned().unwrap_or(Value::NULL);
                    seen.value = self.value(self.guard(&facts.outputs), resources);
                }
                Ok(seen)
            }
        }
    }

    async fn refreshed(&self, prior: &Record) -> Result<(Observed, Vec<NestedChange>), ProviderError> {
        let answer = self.ask_terraform("drift", Mode::RefreshOnly, true).await?;
        if !answer.changes {
            return Ok((self.seen(self.state.as_ref(), prior)?, Vec::new()));
        }
        let (facts, _) = self.show().await?;
        // Only our copy of the state is written by this.
        let args = self.settings(None).apply(&self.dir.run_file(PLAN_FILE));
        let exit = self.quiet("drift-apply", args).await?;
        self.judge("apply", &exit, &Heard::read(&exit.stdout))?;
        let state = self.state_on_disk()?.ok_or_else(|| {
            ProviderError::new(ErrorClass::Unknown, "terraform left no state after a refresh")
        })?;
        let mut seen = self.seen(Some(&state), prior)?;
        let blob = self.call.engine.keep(&state.bytes).await?;
        seen.private.blobs.insert(TFSTATE.to_owned(), blob);
        Ok((seen, self.redacted(facts.drift)))
    }

    /// The state file of our own copy; `None`: not there.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn state_on_disk(&self) -> Result<Option<Kept>, ProviderError> {
        let StatePlace::Record(path) = &self.place else { return Ok(None) };
        let bytes = self.dir.read_root(path)?;
        bytes.map(|bytes| read_kept(bytes.into(), self.call)).transpose()
    }

    async fn show(&self) -> Result<(PlanFacts, bool), ProviderError> {
        let exit = self.quiet("show", command::show(&self.dir.run_file(PLAN_FILE))).await?;
        let command = self.command_text("show -json");
        if let Some(error) = self.ended_early(&exit, &command) {
            return Err(error);
        }
        let types = self.state.as_ref().map(|state| state.file.output_types()).unwrap_or_default();
        let facts = match exit.success() {
            true => plan_json::parse(&exit.stdout, &self.call.address.to_string(), &types),
            false => Err(how(&exit)),
        };
        let facts = facts.map_err(|why| {
            let said = first_words(&exit.output, &[]);
            let message = format!("`{command}` did not show the plan that was just made: {why} {said}");
            ProviderError::new(ErrorClass::Unknown, self.call.tools.redact.redact(message.trim()))
        })?;
        for secret in &facts.secrets {
            self.call.tools.redact.add(secret);
        }
        Ok((facts, self.dir.is_named_in(&exit.stdout)))
    }

    fn planned_resources(&self, facts: &PlanFacts) -> Value {
        match (&self.state, facts.objects_change) {
            (Some(state), false) => resources_value(&state.file.nested()),
            _ => Value::unknown_from(windlass_model::Type::Any, format!("{}.resources", self.call.address)),
        }
    }

    async fn artefact(&self, names_dir: bool) -> Result<Private, ProviderError> {
        let engine = &self.call.engine;
        let mut blobs = BTreeMap::new();
        blobs.insert(TFPLAN.to_owned(), engine.keep(&self.dir.read_run(PLAN_FILE)?).await?);
        if let Some(lock) = self.new_lock()? {
            blobs.insert(LOCK.to_owned(), engine.keep(&lock).await?);
        }
        let mut data = json!({ "tool": self.tool.text() });
        if names_dir {
            data["work_path"] = true.into();
            data["work_path_digest"] = self.work_path_digest().into();
        }
        Ok(Private { version: 1, data, blobs })
    }

    /// What stands for the work directory's path in an artefact.
    pub fn work_path_digest(&self) -> String {
        Digest::of(self.call.scratch.as_os_str().as_encoded_bytes()).hex()
    }

    /// The artefact of a plan in which terraform has nothing to do.
    fn nothing(&self) -> Private {
        Private {
            version: 1,
            data: json!({ "tool": self.tool.text(), "empty": true }),
            blobs: BTreeMap::new(),
        }
    }

    fn redacted(&self, mut nested: Vec<NestedChange>) -> Vec<NestedChange> {
        for change in &mut nested {
            for line in &mut change.lines {
                *line = self.call.tools.redact.redact(line);
            }
        }
        nested
    }

    /// The value as state has it.
    ///
    /// # Errors
    /// Where an output cannot be read.
    pub fn seen_value(&self, state: Option<&Kept>) -> Result<Value, ProviderError> {
        let nested = state.map(|state| state.file.nested()).unwrap_or_default();
        let outputs = match state {
            Some(state) => state.file.outputs().map_err(|why| {
                ProviderError::new(ErrorClass::Unknown, format!("the state of {}: {why}", self.call.address))
            })?,
            None => Value::object::<&str>([]),
        };
        Ok(self.value(self.guard(&outputs), resources_value(&nested)))
    }

    fn seen(&self, state: Option<&Kept>, prior: &Record) -> Result<Observed, ProviderError> {
        let mut private = self.private(state.map(|state| &state.file));
        private.blobs.clone_from(&prior.private.blobs);
        let nested = state.map(|state| state.file.nested()).unwrap_or_default();
        Ok(Observed { value: self.seen_value(state)?, private, nested })
    }

    fn differs(&self, seen: &Value, prior: &Record) -> bool {
        ["outputs", "resources"].iter().any(|name| match (seen.get(name), prior.value.0.get(name)) {
            (Some(seen), Some(prior)) => !seen.same(prior),
            _ => true,
        })
    }

    /// Outputs in which a secret of the inputs stands are marked, though the root does not call them sensitive.
    fn guard(&self, outputs: &Value) -> Value {
        guard(outputs, &self.secrets)
    }

    fn warnings(&self, heard: &Heard) -> Vec<Finding> {
        let redact = &self.call.tools.redact;
        let told = heard.warnings.iter().map(|warning| warning.line(&self.root.dir, redact));
        let mut found: Vec<Finding> = told.map(|line| Finding::warning("", line)).collect();
        found.extend(self.stray_warning().map(|words| Finding::warning("source", words)));
        found
    }

    /// Says which files were written into the snapshot, as they are thrown away (rule S3).
    pub fn stray_warning(&self) -> Option<String> {
        let strays = self.dir.strays();
        let more = strays.len().saturating_sub(10);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let first: Vec<&str> = strays.iter().take(10).map(String::as_str).collect();
        let first = first.join(", ");
        (!strays.is_empty()).then(|| format!("written into the snapshot and thrown away: {first}{more}"))
    }
}

/// What an earlier apply left in doubt.
fn recorded_doubts(prior: Option<&Record>) -> Vec<Doubt> {
    let doubts = prior.and_then(|prior| prior.private.data.get(DOUBTS)).cloned().unwrap_or_default();
    // Of another shape: an older record's, which has none.
    serde_json::from_value(doubts).unwrap_or_default()
}

fn doubt_warning(doubt: &Doubt) -> Finding {
    let mut finding = Finding::warning("", format!("nobody can tell whether {doubt} was done"));
    finding.help = Some("look for it; where it exists, take it in with an `import` block".to_owned());
    finding
}

/// Marks what holds one of the inputs' secrets. A short one counts only where it is the whole text: `prod` is in many names.
fn guard(value: &Value, secrets: &[String]) -> Value {
    const LONG: usize = 8;
    let holds = |text: &str| {
        secrets
            .iter()
            .any(|secret| text == secret || (secret.len() >= LONG && text.contains(secret.as_str())))
    };
    match &value.kind {
        Kind::String(text) if !value.is_sensitive() && holds(text) => value.clone().sensitive(),
        // A set has no marks inside: it is marked as a whole.
        Kind::Set(s) => {
            let found = s.items.iter().any(|item| guard(item, secrets).has_sensitive());
            if found { value.clone().sensitive() } else { value.clone() }
        }
        _ => value.map_children(|child| guard(child, secrets)),
    }
}

/// The inputs that differ from the record's.
fn why(desired: &Value, ask: &Ask<'_>) -> Vec<windlass_model::AttrPath> {
    let Some(prior) = ask.prior else { return Vec::new() };
    let entries = desired.entries().unwrap_or_default().iter();
    let differs = |name: &Arc<str>, value: &Value| match prior.inputs.0.get(name) {
        Some(before) => !before.same(value),
        None => !value.is_null(),
    };
    let mut paths = Vec::new();
    for (name, value) in entries.filter(|(name, value)| differs(name, value)) {
        let before = prior.inputs.0.get(name).and_then(Value::entries);
        match (&**name, value.entries(), before) {
            ("variables", Some(now), Some(before)) => {
                let at = |name: &Arc<str>| windlass_model::AttrPath::from("variables").name(name.clone());
                let old =
                    |key: &Arc<str>| before.iter().find(|(name, _)| name == key).map(|(_, value)| value);
                let changed = now.iter().filter(|(key, value)| !old(key).is_some_and(|old| old.same(value)));
                paths.extend(changed.map(|(key, _)| at(key)));
                let gone = before.iter().filter(|(key, _)| !now.iter().any(|(name, _)| name == key));
                paths.extend(gone.map(|(key, _)| at(key)));
            }
            _ => paths.push(windlass_model::AttrPath::from(&**name)),
        }
    }
    paths
}

fn drift_words(change: &NestedChange, redact: &Redactor) -> String {
    let what = match change.action.as_str() {
        "delete" => "is gone".to_owned(),
        _ => format!("was changed outside of this root: {}", change.lines.join("; ")),
    };
    redact.redact(&format!("{} {what}", change.address))
}

fn wants_init(summary: &str) -> bool {
    let summary = summary.to_lowercase();
    [
        "module not installed",
        "required plugins are not installed",
        "inconsistent dependency lock file",
        "backend initialization required",
        "missing required provider",
        "module source has changed",
        "module version requirements have changed",
        "plugin reinitialization required",
    ]
    .iter()
    .any(|words| summary.contains(words))
}

fn first_words(bytes: &[u8], or: &[u8]) -> String {
    let bytes = if bytes.is_empty() { or } else { bytes };
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing");
    line.chars().take(160).collect()
}
