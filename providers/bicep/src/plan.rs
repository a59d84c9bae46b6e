//! Planning: what-if, what is there, and what follows from both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use serde_json::json;
use windlass_model::{AttrPath, ErrorClass, Finding, Private, Record, Type, Value};
use windlass_provider::{Ask, Call, Drift, Observed, Proposed, ProviderError, Verdict};

use crate::arm::outputs::Made;
use crate::compile::{Build, Compiled};
use crate::group::Group;
use crate::job::{Given, Job, PARAMETERS, TEMPLATE, differing};
use crate::outputs::Planned;
use crate::read::{Recorded, recorded};
use crate::seen::{Seen, Whose, whose};
use crate::session::{BicepSession, cleared};
use crate::shown::drift_lines;
use crate::spec::{Mode, Spec};
use crate::whatif::{self, Action, Answer, Bodies, Change};

/// Where it is and what it is made of: without these nothing can be said.
const PLACE: [&str; 9] = [
    "cloud",
    "location",
    "mode",
    "name",
    "parameters_file",
    "resource_group",
    "scope",
    "subscription",
    "template_file",
];
/// What is sent besides the template.
const SETTINGS: [&str; 5] =
    ["action_on_unmanage", "create_resource_group", "deny_settings", "parameters", "tags"];

/// What a deployment is to be.
pub struct Wish<'a> {
    /// What was compiled.
    pub compiled: &'a Compiled,
    /// The parameters.
    pub given: &'a Given,
}

/// What was found out about it.
pub struct Looked {
    /// What what-if says; `None`: Azure could not be asked, as the group is not there yet.
    pub answer: Option<Answer>,
    /// What is there.
    pub seen: Option<Seen>,
    /// Whether what is there was asked for.
    pub asked: bool,
    /// The group.
    pub group: Group,
    /// For the user.
    pub warnings: Vec<Finding>,
}

impl BicepSession {
    /// Plans a deployment that is wanted.
    ///
    /// # Errors
    /// What the compiler or Azure says.
    pub async fn propose(
        &self,
        call: &Call,
        desired: &Value,
        ask: &Ask<'_>,
    ) -> Result<Proposed, ProviderError> {
        let unknown = |name: &&&str| desired.get(name).is_some_and(Value::has_unknown);
        let waiting: Vec<&str> = PLACE.iter().filter(unknown).copied().collect();
        if !waiting.is_empty() {
            return Ok(crate::planned::bare(call, desired, &waiting));
        }
        let spec = Spec::read(desired);
        let compiled = Build::new(call, &spec, self.config.bicep.as_deref())?.run().await?;
        let job = self.job(call, desired, None)?;
        let given = job.given(&compiled.template, compiled.parameters.as_ref());
        let at = if compiled.parameters.is_some() { "parameters_file" } else { "parameters" };
        compiled.template.check(&given.names, at)?;
        let wish = Wish { compiled: &compiled, given: &given };
        let waits = SETTINGS.iter().any(|name| desired.get(name).is_some_and(Value::has_unknown));
        let proposed = match waits {
            true => job.deferred(&wish, ask.prior).await,
            false => self.settled(&job, &wish, ask).await,
        };
        let mut proposed = cleared(&job, proposed)?;
        proposed.place = Some(job.target.place());
        proposed.warnings.extend(
            compiled.warnings.iter().take(10).map(|line| Finding::warning("template_file", line.clone())),
        );
        Ok(proposed)
    }

    /// Plans with everything known.
    async fn settled(
        &self,
        job: &Job<'_>,
        wish: &Wish<'_>,
        ask: &Ask<'_>,
    ) -> Result<Proposed, ProviderError> {
        let replaced = ask.prior.map(|prior| job.replaces(prior)).unwrap_or_default();
        if !replaced.is_empty() {
            let looked = self.look_at(job, wish, None, true, true).await?;
            let proposed = job.proposal(wish, None, looked, Vec::new()).await?;
            return Ok(Proposed { verdict: Verdict::Replace, why: replaced, ..proposed });
        }
        if ask.replace {
            return job.anew(wish).await;
        }
        let before = match ask.prior {
            Some(prior) => Some(recorded(job, prior).await?),
            None => None,
        };
        let why = match &before {
            Some(before) => job.wishes(before, wish),
            None => Vec::new(),
        };
        if let (Some(before), false, true) = (&before, ask.refresh, why.is_empty()) {
            return Ok(job.same(wish, before));
        }
        let looked = self.look_at(job, wish, before.as_ref(), ask.refresh, !why.is_empty()).await?;
        job.proposal(wish, before.as_ref(), looked, why).await
    }

    /// Asks Azure: what-if and, of what state knows, what is there.
    async fn look_at(
        &self,
        job: &Job<'_>,
        wish: &Wish<'_>,
        before: Option<&Recorded<'_>>,
        refresh: bool,
        otherwise: bool,
    ) -> Result<Looked, ProviderError> {
        // What leaves an incremental deployment is left alone; nothing leaves while nothing else is asked for.
        let incremental = job.spec.mode == Mode::Deployment && otherwise;
        let bodies = before.map(|before| before.bodies(job)).unwrap_or_default();
        let asks = before.is_some() && refresh;
        let show = async {
            match asks {
                true => job.show().await,
                false => Ok(None),
            }
        };
        let (answer, seen) = tokio::join!(self.what_if(job, wish, &bodies), show);
        let seen = seen?;
        let (answer, mut warnings) = match answer {
            Ok((answer, warnings)) => (Some(answer), warnings),
            Err(error) if job.spec.creates_group && job.group_is_absent(&error) => (None, Vec::new()),
            Err(error) => return Err(error),
        };
        let owns = before.is_some_and(|before| before.owns_group);
        let group = Group::of(job, answer.is_some(), owns).await?;
        let mut looked = Looked { answer, seen, asked: asks, group, warnings: Vec::new() };
        if before.is_none() || (asks && looked.seen.is_none()) {
            job.not_foreign(&mut looked, before.is_some(), &mut warnings).await?;
        }
        if let Some(answer) = looked.answer.as_mut().filter(|answer| answer.fell_back || incremental) {
            job.leavers(answer, before, looked.seen.as_ref());
        }
        looked.warnings = warnings;
        Ok(looked)
    }

    /// What would change.
    pub async fn what_if(
        &self,
        job: &Job<'_>,
        wish: &Wish<'_>,
        bodies: &Bodies,
    ) -> Result<(Answer, Vec<Finding>), ProviderError> {
        let laid = job.lay_out(&wish.compiled.template.text, &wish.given.sent)?;
        let tags = job.stack_tags(None);
        let sent = job.sent(&laid, &tags);
        let mut warnings = Vec::new();
        if job.spec.mode == Mode::Stack && !self.no_stack_what_if.load(Ordering::SeqCst) {
            let args = job.target.stack_what_if(&sent, &job.what_if_name());
            let exit = job.ask("what-if", args.clone()).await?;
            if exit.success() {
                return Ok((read(job, &args, &exit.stdout, bodies)?, warnings));
            }
            if !lacks_stack_what_if(&exit) {
                return Err(job.error(&args, &exit));
            }
            self.no_stack_what_if.store(true, Ordering::SeqCst);
        }
        let args = job.target.deployment_what_if(&sent);
        let exit = job.ask("deployment-what-if", args.clone()).await?;
        if !exit.success() {
            return Err(job.error(&args, &exit));
        }
        let mut answer = read(job, &args, &exit.stdout, bodies)?;
        if job.spec.mode == Mode::Stack {
            answer.fell_back = true;
            let words = "this cloud has no what-if for stacks: the deployment's is shown, and what leaves the stack by its own list";
            warnings.push(Finding::warning("", words));
        }
        Ok((answer, warnings))
    }
}

fn read(job: &Job<'_>, args: &[String], stdout: &[u8], bodies: &Bodies) -> Result<Answer, ProviderError> {
    whatif::read(stdout, &job.target, bodies).ok_or_else(|| {
        let words: Vec<&str> = args.iter().take(3).map(String::as_str).collect();
        let message = format!("`az {}` printed no changes that can be read", words.join(" "));
        ProviderError::new(ErrorClass::Unknown, message)
    })
}

/// Whether a cloud, or an `az`, does not know the what-if of stacks.
fn lacks_stack_what_if(exit: &windlass_provider::Exit) -> bool {
    const CODES: [&str; 5] = [
        "InvalidResourceType",
        "NoRegisteredProviderFound",
        "InvalidApiVersionParameter",
        "ResourceTypeNotSupported",
        "FeatureNotSupported",
    ];
    let text = String::from_utf8_lossy(&exit.output);
    let unknown_command = exit.code == Some(2) && text.contains("stack-whatif");
    let no_such_path =
        (text.contains("'Not Found'") || text.contains("(NotFound)") || text.contains("\"NotFound\""))
            && !text.contains("ResourceGroupNotFound");
    unknown_command || no_such_path || crate::failure::says(exit, &CODES)
}

impl Job<'_> {
    /// The name of a what-if's result: another one for each plan, so that none reads another's.
    fn what_if_name(&self) -> String {
        let run: String = self.call.run.0.chars().filter(char::is_ascii_alphanumeric).collect();
        let token: String = self.call.token.0.chars().take(8).collect();
        format!("windlass-{run}-{token}").to_lowercase()
    }

    /// What makes it another deployment than the record's.
    fn replaces(&self, prior: &Record) -> Vec<AttrPath> {
        let before = Spec::read(&prior.inputs.0);
        let mut why = differing(&prior.inputs.0, self.desired, &["name"]);
        let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        };
        if before.group.is_some() != self.spec.group.is_some() {
            why.push("scope".into());
        } else if !same(&before.group, &self.spec.group) {
            why.push("resource_group".into());
        }
        if before.mode != self.spec.mode {
            why.push("mode".into());
        }
        let recorded = crate::job::recorded_subscription(prior);
        if recorded.is_some_and(|recorded| !recorded.eq_ignore_ascii_case(&self.target.subscription)) {
            why.push("subscription".into());
        }
        // A group or a subscription's deployment cannot move.
        let place = |text: &Option<String>| text.as_deref().map(|text| text.to_lowercase().replace(' ', ""));
        let bound = self.spec.group.is_none() || (self.spec.creates_group && before.creates_group);
        if bound && place(&before.location) != place(&self.spec.location) {
            why.push("location".into());
        }
        why
    }

    /// What is asked for and was not, or otherwise.
    fn wishes(&self, before: &Recorded<'_>, wish: &Wish<'_>) -> Vec<AttrPath> {
        let settings: &[&str] =
            if self.spec.mode == Mode::Stack { &SETTINGS } else { &["create_resource_group", "parameters"] };
        let mut why = differing(&before.record.inputs.0, self.desired, settings);
        // Of what was sent only values count, not which of them came from a file.
        if before.given.sent == wish.given.sent {
            why.retain(|path| path.top() != Some("parameters"));
        } else if wish.compiled.parameters.is_some() {
            why.push("parameters_file".into());
        }
        if before.meaning != wish.compiled.template.meaning().hex() {
            why.push("template_file".into());
        }
        why
    }

    fn group_is_absent(&self, error: &ProviderError) -> bool {
        error.class == ErrorClass::NotFound && error.message.contains("ResourceGroupNotFound")
    }

    /// Nothing is created over what is not ours (rule T8).
    async fn not_foreign(
        &self,
        looked: &mut Looked,
        was_ours: bool,
        warnings: &mut Vec<Finding>,
    ) -> Result<(), ProviderError> {
        let Some(answer) = looked.answer.as_ref().filter(|_| self.spec.mode == Mode::Stack && !was_ours)
        else {
            return Ok(());
        };
        if !(answer.seen_something || answer.fell_back) {
            return Ok(());
        }
        let Some(seen) = self.show().await? else { return Ok(()) };
        if whose(&seen.tags, &self.call.owner, &self.call.address.to_string()) == Whose::Foreign {
            let message =
                format!("{} exists already, and {} did not make it", self.target.say(), self.call.address);
            return Err(ProviderError::new(ErrorClass::NameTaken, message)
                .hint(format!(
                    "take it in: windlass state import {} {}",
                    self.typed_address(),
                    self.target.id()
                ))
                .at("name"));
        }
        let words =
            format!("{} is there already and is this address's own: it is taken over", self.target.say());
        warnings.push(Finding::warning("name", words));
        looked.seen = Some(seen);
        Ok(())
    }

    /// Where what-if does not say so: what was there and is not in the template leaves.
    fn leavers(&self, answer: &mut Answer, before: Option<&Recorded<'_>>, seen: Option<&Seen>) {
        let recorded: Vec<String> = before
            .map(|before| before.record.nested.iter().filter_map(|one| one.id.clone()).collect())
            .unwrap_or_default();
        let managed = seen.map_or(recorded, |seen| seen.resources.clone());
        let stays = self.spec.detach || self.spec.mode == Mode::Deployment;
        let action = if stays { Action::Detach } else { Action::Delete };
        for id in managed.into_iter().filter(|id| !answer.in_template.contains(&id.to_lowercase())) {
            let address = self.target.short(&id);
            answer.changes.push(Change {
                id,
                address,
                action,
                potential: false,
                leaves: Vec::new(),
                notes: Vec::new(),
            });
        }
        answer.changes.sort_by(|a, b| a.address.cmp(&b.address));
    }

    /// Nothing is asked for that was not, and nobody looks.
    fn same(&self, wish: &Wish<'_>, before: &Recorded<'_>) -> Proposed {
        let value = &before.record.value.0;
        let part = |name: &str| value.get(name).cloned().unwrap_or(Value::NULL);
        let planned = self.value(&wish.given.secret, part("outputs"), part("resources"), part("drift"));
        proposed(Verdict::Same, planned)
    }

    /// The answer to what was found out. `why`: what is asked for otherwise.
    async fn proposal(
        &self,
        wish: &Wish<'_>,
        before: Option<&Recorded<'_>>,
        looked: Looked,
        mut why: Vec<AttrPath>,
    ) -> Result<Proposed, ProviderError> {
        let gone = before.is_some() && looked.asked && looked.seen.is_none() && !self.outlives(&looked);
        let before = before.filter(|_| !gone);
        let made = self.made(&wish.compiled.template, wish.given);
        let mut result = proposed(Verdict::Change, Value::NULL);
        result.warnings.extend(looked.warnings.iter().cloned());
        let changes = match &looked.answer {
            Some(answer) => {
                result.warnings.extend(self.remarks(answer));
                answer.changes.clone()
            }
            None => {
                let words = "the resource group is not there yet: this is what the template says; Azure is asked when it is";
                result.warnings.push(Finding::warning("resource_group", words));
                self.declared(wish)
            }
        };
        result.nested = self.nested(&looked, &changes);
        result.drift = gone.then_some(Drift::Gone);
        let observed =
            before.and_then(|before| self.observed(before, &looked, &made, &changes, why.is_empty()));
        let value = observed.as_ref().map(|seen| &seen.value).or(before.map(|before| &before.record.value.0));
        let part = |name: &str| value.and_then(|value| value.get(name)).cloned();
        let differs = !changes.is_empty() || looked.group == Group::Create;
        if before.is_some() && !differs && why.is_empty() {
            result.verdict = Verdict::Same;
            let computed = |name: &str| part(name).unwrap_or(Value::NULL);
            result.planned =
                self.value(&wish.given.secret, computed("outputs"), computed("resources"), computed("drift"));
        } else {
            if why.is_empty() && before.is_some() {
                why.push("drift".into());
            }
            result.planned = self.planned(wish, before, &made, &changes, &part);
            result.artefact = Some(self.artefact(wish, &looked).await?);
        }
        result.why = why;
        if let Some(observed) = observed {
            result.drift = Some(Drift::Changed(observed));
        }
        result.warnings.extend(self.secure_words(wish, before));
        Ok(result)
    }

    /// A deployment's entry may be swept from Azure's history while what it made stays.
    fn outlives(&self, looked: &Looked) -> bool {
        let all_new = |answer: &Answer| answer.changes.iter().all(|change| change.action == Action::Create);
        let empty = |answer: &Answer| answer.in_template.is_empty();
        self.spec.mode == Mode::Deployment
            && looked
                .answer
                .as_ref()
                .is_some_and(|answer| !empty(answer) && (answer.changes.is_empty() || !all_new(answer)))
    }

    /// What is there, where it differs from the record. `as_wished`: nothing else is asked for, so that each change is drift.
    fn observed(
        &self,
        before: &Recorded<'_>,
        looked: &Looked,
        made: &BTreeMap<String, Made>,
        changes: &[Change],
        as_wished: bool,
    ) -> Option<Observed> {
        if !looked.asked {
            return None;
        }
        let lines = if as_wished { drift_lines(changes) } else { Vec::new() };
        let observed = before.observed(self, looked.seen.as_ref(), made, lines);
        (!observed.value.same(&before.record.value.0)).then_some(observed)
    }

    fn planned(
        &self,
        wish: &Wish<'_>,
        before: Option<&Recorded<'_>>,
        made: &BTreeMap<String, Made>,
        changes: &[Change],
        part: &dyn Fn(&str) -> Option<Value>,
    ) -> Value {
        let address = self.call.address.to_string();
        let scope = self.scope(&wish.compiled.template, wish.given);
        let none = BTreeMap::new();
        let changed: BTreeSet<String> = changes.iter().map(|change| change.address.clone()).collect();
        let now = part("outputs");
        let outputs = Planned {
            scope: &scope,
            made,
            before: before.map_or(&none, |before| &before.made),
            now: now.as_ref().filter(|_| before.is_some()),
            changed: &changed,
            address: &address,
        };
        let moves = changes
            .iter()
            .any(|change| change.action != Action::Update || change.potential || !change.notes.is_empty());
        let resources = match (part("resources"), moves) {
            (Some(resources), false) if before.is_some() => resources,
            _ => Value::unknown_from(Type::list(Type::String), format!("{address}.resources")),
        };
        self.value(&wish.given.secret, outputs.value(), resources, Value::list(Type::String, Vec::new()))
    }

    /// What apply needs: exactly what was compiled.
    pub async fn artefact(&self, wish: &Wish<'_>, looked: &Looked) -> Result<Private, ProviderError> {
        self.artefact_with(wish, looked.group).await
    }

    /// As [`artefact`](Job::artefact), for a group of which that is known.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub async fn artefact_with(&self, wish: &Wish<'_>, group: Group) -> Result<Private, ProviderError> {
        let engine = &self.call.engine;
        let mut blobs = BTreeMap::new();
        blobs.insert(TEMPLATE.to_owned(), engine.keep(wish.compiled.template.text.as_bytes()).await?);
        if let Some(parameters) = &wish.compiled.parameters {
            blobs.insert(PARAMETERS.to_owned(), engine.keep(parameters.to_string().as_bytes()).await?);
        }
        let data = json!({ "group": group.as_str(), "subscription": self.target.subscription, "tenant": self.tenant });
        Ok(Private { version: 1, data, blobs })
    }
}

/// An answer with nothing in it yet.
pub fn proposed(verdict: Verdict, planned: Value) -> Proposed {
    Proposed {
        verdict,
        planned,
        why: Vec::new(),
        nested: Vec::new(),
        artefact: None,
        drift: None,
        place: None,
        warnings: Vec::new(),
        waits_for: Vec::new(),
    }
}
