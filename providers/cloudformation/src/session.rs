//! One configured alias of the provider.

use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{ErrorClass, Files, Op, Private, Record, Value};
use windlass_provider::{
    ApplyFailure, Ask, Call, Observed, Probe, Proposed, ProviderError, Session, Toolbox, Work,
};

use crate::artefact::Artefact;
use crate::aws::{self, Aws, Shared};
use crate::defer;
use crate::delete;
use crate::job::{Job, Recorded, template_path};
use crate::place::{Aim, Place};
use crate::probe::probed;
use crate::read;
use crate::spec::Spec;

/// One configured alias.
pub struct CloudFormationSession {
    shared: Shared,
}

impl CloudFormationSession {
    /// A session. Nothing is looked for yet.
    pub fn new(binary: String, aim: Aim, tools: Arc<Toolbox>) -> CloudFormationSession {
        CloudFormationSession { shared: Shared::new(binary, aim, tools) }
    }
}

fn bug(what: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Bug, what)
}

/// The record of a delete.
fn of_record<'a>(work: &Work<'a>) -> Result<&'a Record, ProviderError> {
    work.prior.ok_or_else(|| bug("a delete without a record"))
}

#[async_trait]
impl Session for CloudFormationSession {
    async fn tool(&self) -> Result<String, ProviderError> {
        self.shared.tool().await
    }

    fn tool_identity(&self) -> String {
        self.shared.find().map(|binary| binary.identity).unwrap_or_default()
    }

    async fn account_for(&self, _kind: &str, desired: &Value) -> Result<Option<String>, ProviderError> {
        let tools = &self.shared.tools;
        let place = Spec::read(desired).aim.or(&self.shared.aim).place(&tools.env)?;
        let call = Call::of_no_step(tools, "account");
        let region = place.region.clone();
        let account = Aws::new(&call, &self.shared, place).account().await?;
        Ok(Some(format!("aws {account} {region}")))
    }

    fn sources(&self, _kind: &str, desired: &Value, files: &dyn Files) -> Result<Vec<String>, ProviderError> {
        match desired.get("template_file").and_then(Value::as_str) {
            Some(file) => Ok(vec![template_path(files, file)?]),
            None => Ok(Vec::new()),
        }
    }

    async fn read(&self, call: &Call, prior: &Record) -> Result<Option<Observed>, ProviderError> {
        let recorded = Recorded::read(call, prior).await;
        read::read(call, &self.shared, &recorded).await
    }

    async fn plan(&self, call: &Call, ask: Ask<'_>) -> Result<Proposed, ProviderError> {
        let recorded = match ask.prior {
            Some(prior) => Some(Recorded::read(call, prior).await),
            None => None,
        };
        let Some(desired) = ask.desired else {
            let recorded = recorded.ok_or_else(|| bug("nothing is wanted and nothing is there"))?;
            return delete::plan(call, &self.shared, &recorded, ask.refresh).await;
        };
        if defer::is_opaque(desired) {
            return Ok(defer::opaque(desired));
        }
        let mut job = Job::open(call, &self.shared, desired).await?;
        job.revert = recorded.as_ref().is_some_and(Recorded::has_drifted);
        job.propose(&ask, recorded.as_ref()).await
    }

    async fn discard(&self, call: &Call, artefact: &Private) -> Result<(), ProviderError> {
        aws::clean(call);
        let artefact = Artefact::read(artefact)?;
        let Artefact { region, profile, endpoint, .. } = artefact.clone();
        Aws::new(call, &self.shared, Place { region, profile, endpoint }).discard(&artefact).await
    }

    async fn apply(&self, call: &Call, work: Work<'_>) -> Result<Option<Observed>, Box<ApplyFailure>> {
        let untouched = ApplyFailure::untouched;
        if work.op == Op::Delete {
            let recorded = Recorded::read(call, of_record(&work).map_err(untouched)?).await;
            return delete::apply(call, &self.shared, &work, &recorded).await;
        }
        let job = Job::open(call, &self.shared, work.desired).await.map_err(untouched)?;
        job.carry_out(&work).await
    }

    async fn probe(&self, call: &Call, work: Work<'_>) -> Result<Probe, ProviderError> {
        aws::clean(call);
        if work.op == Op::Delete {
            let recorded = Recorded::read(call, of_record(&work)?).await;
            let aws = recorded.aws(call, &self.shared)?;
            recorded.same_account(&aws).await?;
            return Ok(probed(delete::found(&aws, &work, &recorded).await?));
        }
        let job = Job::open(call, &self.shared, work.desired).await?;
        Ok(probed(job.found(&work).await?))
    }

    async fn import(&self, call: &Call, id: &str, desired: &Value) -> Result<Observed, ProviderError> {
        read::import(call, &self.shared, id, desired).await
    }
}
