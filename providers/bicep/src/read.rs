//! What state knows of a deployment, and what has become of it.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use windlass_model::{Nested, Record, Type, Value};
use windlass_provider::{Observed, ProviderError};

use crate::arm::declared;
use crate::arm::outputs::Made;
use crate::arm::template::Template;
use crate::compile::Compiled;
use crate::job::{Given, Job, PARAMETERS, TEMPLATE};
use crate::outputs;
use crate::plan::Wish;
use crate::seen::Seen;
use crate::session::BicepSession;
use crate::shown::drift_lines;
use crate::spec::{Mode, Spec};
use crate::target::{Target, type_of};
use crate::whatif::{Action, Bodies};

/// What was sent last.
pub struct Recorded<'a> {
    /// The record.
    pub record: &'a Record,
    /// The template.
    pub template: Template,
    /// The parameters of a file.
    pub file: Option<Json>,
    /// The parameters.
    pub given: Given,
    /// What its outputs are made of.
    pub made: BTreeMap<String, Made>,
    /// What its template says.
    pub meaning: String,
    /// The group is ours.
    pub owns_group: bool,
}

/// Reads what a record keeps.
///
/// # Errors
/// Where the store does not have it.
pub async fn recorded<'a>(job: &Job<'_>, record: &'a Record) -> Result<Recorded<'a>, ProviderError> {
    let engine = &job.call.engine;
    let text = match record.private.blobs.get(TEMPLATE) {
        Some(blob) => String::from_utf8_lossy(&engine.fetch(blob).await?).into_owned(),
        None => String::new(),
    };
    let nothing = || Template { text: String::new(), json: Json::Null };
    let template = Template::parse(text).unwrap_or_else(|_| nothing());
    let file = match record.private.blobs.get(PARAMETERS) {
        Some(blob) => serde_json::from_slice(&engine.fetch(blob).await?).ok(),
        None => None,
    };
    let spec = Spec { parameters: Spec::read(&record.inputs.0).parameters, ..job.spec.clone() };
    let given = job.given_of(&spec, &template, file.as_ref());
    let made = job.made(&template, &given);
    let data = &record.private.data;
    let meaning = data.get("meaning").and_then(Json::as_str).unwrap_or_default().to_owned();
    let owns_group = data.get("group") == Some(&Json::Bool(true));
    Ok(Recorded { record, template, file, given, made, meaning, owns_group })
}

impl Recorded<'_> {
    /// What each resource was sent as.
    pub fn bodies(&self, job: &Job<'_>) -> Bodies {
        let all = declared::resources(&self.template, self.given.values.clone(), &job.target);
        all.into_iter().map(|one| (one.address.to_lowercase(), one.body)).collect()
    }

    /// The deployment as it is. `seen`: what Azure says; `None`: its entry is gone, and what it made is as it was.
    pub fn observed(
        &self,
        job: &Job<'_>,
        seen: Option<&Seen>,
        made: &BTreeMap<String, Made>,
        drift: Vec<String>,
    ) -> Observed {
        let mut private = self.record.private.clone();
        let drift = drift.iter().map(|line| Value::from(job.call.tools.redact.redact(line))).collect();
        let mut computed = BTreeMap::from([("drift", Value::list(Type::String, drift))]);
        let mut nested = self.record.nested.clone();
        if let Some(seen) = seen {
            // A stack that failed lists no outputs; what they were is still the best that is known.
            if seen.succeeded() || !seen.outputs.is_empty() {
                computed.insert("outputs", outputs::values(&seen.outputs, made));
            }
            if !seen.resources.is_empty() || job.spec.mode == Mode::Stack {
                computed.insert("resources", ids(&seen.resources));
                nested = parts(&job.target, &seen.resources);
            }
            private.data["correlation"] = seen.correlation.clone().into();
            private.data["timestamp"] = seen.timestamp.clone().into();
        }
        let entries = self.record.value.0.entries().unwrap_or_default().iter();
        let value = Value::object(entries.map(|(name, value)| {
            (name.clone(), computed.get(&**name).cloned().unwrap_or_else(|| value.clone()))
        }));
        Observed { value, private, nested }
    }
}

/// Ids as a value.
pub fn ids(ids: &[String]) -> Value {
    Value::list(Type::String, ids.iter().map(|id| Value::from(id.as_str())).collect())
}

/// What a stack manages, or a deployment made.
pub fn parts(target: &Target, ids: &[String]) -> Vec<Nested> {
    let one = |id: &String| Nested { address: target.short(id), kind: type_of(id), id: Some(id.clone()) };
    ids.iter().map(one).collect()
}

impl BicepSession {
    /// The real thing of a record: what is there, and what others changed of it, by the what-if of what was sent last.
    ///
    /// # Errors
    /// What az says.
    pub async fn look(&self, job: &Job<'_>, prior: &Record) -> Result<Option<Observed>, ProviderError> {
        let before = recorded(job, prior).await?;
        let seen = job.show().await?;
        if seen.is_none() && job.spec.mode == Mode::Stack {
            return Ok(None);
        }
        if before.template.json.is_null() {
            // Nothing is known of what was sent: what Azure lists is all that can be said.
            return Ok(seen.map(|seen| before.observed(job, Some(&seen), &before.made, Vec::new())));
        }
        let compiled = Compiled {
            template: before.template.clone(),
            parameters: before.file.clone(),
            warnings: Vec::new(),
        };
        let wish = Wish { compiled: &compiled, given: &before.given };
        let (answer, _) = self.what_if(job, &wish, &before.bodies(job)).await?;
        let all_gone = !answer.changes.is_empty()
            && answer.in_template.len() == answer.changes.len()
            && answer.changes.iter().all(|change| change.action == Action::Create);
        if seen.is_none() && all_gone {
            return Ok(None);
        }
        Ok(Some(before.observed(job, seen.as_ref(), &before.made, drift_lines(&answer.changes))))
    }
}
