//! Looks at the steps of a dead run through their providers.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use windlass_model::{Outcome, Record, Slot, Step, StepId};
use windlass_provider::{Call, Left, Probe, ProviderError, Work};
use windlass_store::{EnvRef, LocalStore, Store, Unfinished};

use super::context::Context;
use super::failure::Failure;
use super::recover::OpenStep;
use super::snapshot::{StoreBlobs, files};
use super::workshop::{StepDirs, Workshop};
use crate::apply::{Act, Mold, NEVER, Request, StepEngine, Told, learn_secrets};
use crate::plan::{self, BlobSource, Blobs, Names, PlanFile, World};

/// Where a dead run's steps are looked at.
pub struct Site {
    world: World,
    sessions: plan::Sessions,
    calls: plan::Calls,
    requests: mpsc::UnboundedSender<Request>,
    told: mpsc::UnboundedSender<Told>,
    blobs: Arc<dyn BlobSource>,
    records: BTreeMap<Slot, Arc<Record>>,
    key: Vec<u8>,
}

impl Site {
    /// Opens the sources of a dead run; nothing is asked yet.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub async fn new(
        ctx: &Context,
        store: &Arc<LocalStore>,
        env: &EnvRef,
        run: &Unfinished,
        file: &PlanFile,
        records: BTreeMap<Slot, Arc<Record>>,
        requests: mpsc::UnboundedSender<Request>,
    ) -> Result<Site, Failure> {
        let source = Arc::new(StoreBlobs { store: store.clone(), env: env.clone() });
        let files = files(&file.manifest, &Blobs::new(), &*source, Some(ctx.dir.clone())).await?;
        let steps = StepDirs::earlier(vec![run.steps.clone()]);
        let workshop = Workshop::new(ctx, env, &store.id().id, &run.run, steps);
        let loaded = crate::stack::load(&*files, &ctx.providers.catalog);
        let graph = crate::graph::Graph::new(&loaded.stack, &ctx.providers.catalog).map_err(Failure::all)?;
        let inputs = file.plan.inputs.variables.iter();
        let variables: BTreeMap<Arc<str>, _> =
            inputs.map(|(name, value)| (Arc::from(name.as_str()), value.0.clone())).collect();
        variables.values().for_each(|value| learn_secrets(&workshop.redact, value));
        let names = Names { stack: env.stack.as_str().into(), environment: env.environment.as_str().into() };
        let world = World::new(Arc::new(loaded.stack), Arc::new(graph), names, variables, files.clone());
        Ok(Site {
            world,
            sessions: workshop.sessions(),
            calls: workshop.calls(files),
            requests,
            told: mpsc::unbounded_channel().0,
            blobs: source,
            records,
            key: store.id().plan_key.clone(),
        })
    }

    /// What became of a step.
    pub async fn probe(&mut self, open: &OpenStep, step: Option<&Step>) -> Outcome {
        let id = &open.id;
        let act = self.act(id, step);
        let unknown = |look_at: String| {
            let class = windlass_model::ErrorClass::Unknown;
            act.failed(class, "windlass died while this ran", Left::Unknown(look_at))
        };
        let session = match self.open(&act.mold.provider).await {
            Ok(session) => session,
            Err(error) => return unknown(format!("cannot be looked at: {error}")),
        };
        let call = self.call(open);
        let work = Work {
            op: id.op,
            prior: act.prior.as_deref(),
            desired: &act.desired,
            planned: &act.planned,
            artefact: act.artefact.as_ref(),
            noted: &open.noted,
        };
        let redact = |text: &str| call.tools.redact.redact(text);
        match session.probe(&call, work).await {
            Ok(Probe::Done(observed)) => {
                let record = observed.map(|observed| Box::new(act.record(*observed)));
                Outcome::Done { record: record.filter(|_| id.op != windlass_model::Op::Delete) }
            }
            Ok(Probe::NotBegun) => {
                let message = "windlass died before it began".to_owned();
                let class = windlass_model::ErrorClass::Cancelled;
                Outcome::Failed { class, message, record: None, left_nothing: false }
            }
            Ok(Probe::Partial(observed, error)) => {
                act.failed(error.class, &redact(&error.message), Left::There(observed))
            }
            Ok(Probe::Failed(failure)) => {
                act.failed(failure.error.class, &redact(&failure.error.message), failure.left)
            }
            Ok(Probe::Unknown { look_at }) => unknown(redact(&look_at)),
            Err(error) => unknown(format!("cannot be looked at: {}", redact(&error.message))),
        }
    }

    async fn open(&mut self, alias: &str) -> Result<Arc<dyn windlass_provider::Session>, ProviderError> {
        let catalog = self.sessions.providers.catalog.clone();
        let config = plan::configuration(&mut self.world, &catalog, alias);
        let (config, budget) = config.map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            ProviderError::new(windlass_model::ErrorClass::InvalidConfig, lines.join("\n"))
        })?;
        let opened = self.sessions.open(alias, &config, budget, &self.key).await?;
        Ok(opened.session.clone())
    }

    fn call(&self, open: &OpenStep) -> Call {
        let (token, attempt) = (open.token.clone(), open.attempt);
        let engine = StepEngine {
            node: 0,
            step: open.id.clone(),
            told: self.told.clone(),
            recorder: self.requests.clone(),
            blobs: self.blobs.clone(),
        };
        self.calls.call(&open.id.slot.address, token, attempt, None, Arc::new(engine))
    }

    fn act(&self, id: &StepId, step: Option<&Step>) -> Act {
        let catalog = &self.sessions.providers.catalog;
        let schema = catalog.resource(&id.slot.address.kind).map_or(0, |(_, schema)| schema.version);
        let prior = self.records.get(&id.slot).cloned();
        let prior = if id.op == windlass_model::Op::Create { None } else { prior };
        let provider =
            step.map(|step| step.provider.clone()).or(prior.as_ref().map(|prior| prior.provider.clone()));
        let none = plan::policy(
            None,
            &windlass_model::ResourceSchema::default(),
            id.op,
            None,
            &windlass_model::Value::NULL,
        );
        Act {
            id: id.clone(),
            desired: step.map_or(windlass_model::Value::NULL, |step| step.desired.0.clone()),
            planned: step.map_or(windlass_model::Value::NULL, |step| step.planned.0.clone()),
            artefact: step.and_then(|step| step.artefact.clone()),
            mold: Mold {
                provider: provider.unwrap_or_default(),
                schema,
                depends_on: step.map(|step| step.depends_on.clone()).unwrap_or_default(),
                fingerprint: step.and_then(|step| step.fingerprint).unwrap_or(NEVER),
                place: step.and_then(|step| step.place.clone()),
                account: step.and_then(|step| step.account.clone()),
                policy: step.map_or(none, |step| step.policy.clone()),
            },
            prior,
        }
    }
}
