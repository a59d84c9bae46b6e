//! The provider that needs no tool: values that are stored, files, commands.

mod attributes;
mod command;
mod data;
mod disk;
mod file;
mod invocation;
mod paths;
mod schema;
mod snapshot;

use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{ErrorClass, Files, Finding, Private, ProviderSchema, Record, Value};
use windlass_provider::{
    ApplyFailure, Ask, Call, Drift, Observed, Probe, Proposed, Provider, ProviderError, Session, Toolbox,
    Verdict, Work,
};

use crate::data::Data;

/// The provider of `local_data`, `local_file` and `local_command`.
pub struct LocalProvider {
    schema: ProviderSchema,
    session: Arc<LocalSession>,
}

/// A new one.
pub fn provider() -> LocalProvider {
    LocalProvider { schema: schema::schema(), session: Arc::new(LocalSession { data: Data::new() }) }
}

struct LocalSession {
    data: Data,
}

#[async_trait]
impl Provider for LocalProvider {
    fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    fn check(&self, kind: &str, desired: &Value) -> Vec<Finding> {
        match kind {
            schema::FILE => file::check(desired),
            schema::COMMAND => command::check(desired),
            _ => Vec::new(),
        }
    }

    async fn open(&self, _config: &Value, _tools: Arc<Toolbox>) -> Result<Arc<dyn Session>, ProviderError> {
        Ok(self.session.clone())
    }
}

fn no_such_type(call: &Call) -> ProviderError {
    let kind = &call.address.kind;
    ProviderError::new(ErrorClass::Bug, format!("the provider `local` has no resource type `{kind}`"))
}

#[async_trait]
impl Session for LocalSession {
    async fn tool(&self) -> Result<String, ProviderError> {
        Ok(String::new())
    }

    fn can_tell(&self, record: &Record) -> bool {
        &*record.slot.address.kind != schema::COMMAND || command::can_tell(record)
    }

    fn sources(&self, kind: &str, desired: &Value, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
        match kind {
            schema::FILE => file::sources(desired, files),
            schema::COMMAND => snapshot::sources(desired, files),
            _ => Ok(Vec::new()),
        }
    }

    async fn read(&self, call: &Call, prior: &Record) -> Result<Option<Observed>, ProviderError> {
        match &*call.address.kind {
            schema::DATA => Ok(Some(as_recorded(prior))),
            schema::FILE => file::read(call, prior),
            schema::COMMAND => command::read(call, prior).await,
            _ => Err(no_such_type(call)),
        }
    }

    async fn plan(&self, call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError> {
        let now = self.plan_one(call, ask).await?;
        let gone = matches!(now.drift, Some(Drift::Gone));
        if !ask.replace || gone || ask.prior.is_none() || ask.desired.is_none() {
            return Ok(now);
        }
        // What it will be once the old one is gone; only what the old one is like comes from looking at it.
        let anew = self.plan_one(call, Ask { prior: None, refresh: false, ..ask }).await?;
        Ok(Proposed { verdict: Verdict::Replace, planned: anew.planned, ..now })
    }

    async fn apply(&self, call: &Call, work: Work<'_>) -> Result<Option<Observed>, Box<ApplyFailure>> {
        match &*call.address.kind {
            schema::DATA => Ok(self.data.apply(call, work)),
            schema::FILE => file::apply(call, work).map_err(ApplyFailure::untouched),
            schema::COMMAND => command::apply(call, work).await,
            _ => Err(ApplyFailure::untouched(no_such_type(call))),
        }
    }

    async fn probe(&self, call: &Call, work: Work<'_>) -> Result<Probe, ProviderError> {
        match &*call.address.kind {
            // Nothing outside was touched: it can be done again.
            schema::DATA => Ok(Probe::NotBegun),
            schema::FILE => file::probe(call, work),
            schema::COMMAND => command::probe(call, work).await,
            _ => Err(no_such_type(call)),
        }
    }

    async fn import(&self, call: &Call, id: &str, desired: &Value) -> Result<Observed, ProviderError> {
        match &*call.address.kind {
            schema::DATA => Ok(self.data.import(id, desired)),
            schema::FILE => file::import(call, id, desired),
            schema::COMMAND => command::import(call, desired).await,
            _ => Err(no_such_type(call)),
        }
    }
}

impl LocalSession {
    async fn plan_one(&self, call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError> {
        match &*call.address.kind {
            schema::DATA => Ok(self.data.plan(ask)),
            schema::FILE => file::plan(call, ask),
            schema::COMMAND => command::plan(call, ask).await,
            _ => Err(no_such_type(call)),
        }
    }
}

/// What the record says, as something seen.
fn as_recorded(prior: &Record) -> Observed {
    let value = prior.value.0.clone();
    Observed { value, private: prior.private.clone(), nested: prior.nested.clone() }
}

/// Something seen that needs nothing private.
fn seen(value: Value) -> Observed {
    Observed { value, private: Private::default(), nested: Vec::new() }
}

/// An answer of `plan` with nothing but a verdict and a value.
fn proposed(verdict: Verdict, planned: Value) -> Proposed {
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
