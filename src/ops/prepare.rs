//! What a run needs before its first step: world, providers and tools, from the snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{Diagnostic, Digest, Operation, Slot, Stored, canon};
use windlass_store::{EnvRef, LocalStore, Store};

use super::context::Context;
use super::execute::Execution;
use super::failure::Failure;
use super::made::{StoreNotes, notes, sweep};
use super::select::load;
use super::snapshot::{StoreBlobs, files, then};
use super::workshop::{StepDirs, Workshop};
use crate::apply::{Gate, Late, Permission, Question, Recorder, Run, learn_secrets};
use crate::plan::{Expansion, Instance, Names, PlanEngine, World};

/// A run that can begin.
pub struct Prepared {
    /// The run.
    pub run: Run,
    /// Where is noted what it makes outside while it plans steps.
    pub notes: Arc<StoreNotes>,
    /// What is to be said of what earlier plans left.
    pub swept: Vec<Diagnostic>,
}

/// The world, providers and tools of a run, from the snapshot.
pub async fn prepare(ctx: &Context, execution: &Execution, recorder: &Recorder) -> Result<Prepared, Failure> {
    let file = &execution.file;
    let source = Arc::new(StoreBlobs { store: execution.store.clone(), env: execution.env.clone() });
    let files = files(&file.manifest, &file.blobs, &*source, Some(ctx.dir.clone())).await?;
    let past = match then(&file.manifest) {
        Some(old) => super::snapshot::files(&old, &file.blobs, &*source, Some(ctx.dir.clone())).await?,
        None => files.clone(),
    };
    let steps = StepDirs::of_run(recorder.held.steps(), execution.earlier.clone());
    let workshop = Workshop::new(ctx, &execution.env, &execution.store.id().id, &execution.run, steps);
    let (stack, graph) = match file.plan.header.operation {
        Operation::Destroy | Operation::Refresh => lenient(ctx, &*files)?,
        _ => load(ctx, &*files).map(|(stack, graph, _)| (stack, graph))?,
    };
    let variables: BTreeMap<Arc<str>, _> = file
        .plan
        .inputs
        .variables
        .iter()
        .map(|(name, value)| (Arc::from(name.as_str()), value.0.clone()))
        .collect();
    variables.values().for_each(|value| learn_secrets(&workshop.redact, value));
    recorder.state.records.values().for_each(|record| learn_secrets(&workshop.redact, &record.value.0));
    let names = Names {
        stack: execution.env.stack.as_str().into(),
        environment: execution.env.environment.as_str().into(),
    };
    let mut world = World::new(stack, graph, names, variables, files.clone());
    if !matches!(file.plan.header.operation, Operation::Destroy | Operation::Refresh) {
        expand_all(&mut world, execution, recorder)?;
    }
    let first = execution.resumes.as_ref().unwrap_or(&execution.run);
    let mut sessions = workshop.sessions();
    let notes = notes(&execution.store, &execution.env, &execution.run);
    let late = late(execution, &workshop, &notes, files.clone());
    // What earlier plans left is in the way of what is planned now.
    let swept = sweep(ctx, &execution.store, &execution.env, &mut world, &mut sessions).await;
    let run = Run {
        run: execution.run.clone(),
        origin: canon::digest(&(&file.plan.id, first)),
        spent: execution.spent.clone(),
        plan: Arc::new(file.plan.clone()),
        finished: execution.finished.clone(),
        again: execution.again.clone(),
        noted: execution.noted.clone(),
        world,
        sessions,
        calls: workshop.calls(files.clone()),
        late,
        past,
        key: execution.store.id().plan_key.clone(),
        blobs: source,
        parallelism: ctx.parallelism,
        host: ctx.host.clone(),
        hostname: ctx.hostname.clone(),
        deadline: ctx.deadline,
        grace: ctx.grace,
        gate: Arc::new(Approvals {
            store: execution.store.clone(),
            env: execution.env.clone(),
            seal: file.seal_digest(),
            manual: execution.manual,
            person: execution.gate.clone(),
        }),
        manual: execution.manual,
    };
    Ok(Prepared { run, notes, swept })
}

/// How steps are planned in the run.
fn late(
    execution: &Execution,
    workshop: &Workshop,
    notes: &Arc<StoreNotes>,
    files: Arc<dyn windlass_model::Files>,
) -> Late {
    let calls = workshop.planning(notes.0.steps()).calls(files);
    let blobs = Arc::new(StoreBlobs { store: execution.store.clone(), env: execution.env.clone() });
    Late { calls, engine: Arc::new(PlanEngine::new(blobs, Box::new(|_| {})).noting(notes.clone())) }
}

/// A destroy needs of the sources only the provider blocks: errors elsewhere do not stop it.
fn lenient(
    ctx: &Context,
    files: &dyn windlass_model::Files,
) -> Result<(Arc<crate::stack::Stack>, Arc<crate::graph::Graph>), Failure> {
    let loaded = crate::stack::load(files, &ctx.providers.catalog);
    let graph = crate::graph::Graph::new(&loaded.stack, &ctx.providers.catalog).map_err(Failure::all)?;
    Ok((Arc::new(loaded.stack), Arc::new(graph)))
}

/// Gives each instance the value that it has before the run: recorded, and where a step is to come, planned.
fn expand_all(world: &mut World, execution: &Execution, recorder: &Recorder) -> Result<(), Failure> {
    let plan = &execution.file.plan;
    let done = |at: usize| execution.finished.get(at).copied().unwrap_or(false);
    let open = plan.steps.iter().enumerate().filter(|(at, _)| !done(*at)).map(|(_, step)| step);
    let makes = open.filter(|step| step.id.op != windlass_model::Op::Delete);
    let planned: BTreeMap<&Slot, &Stored> = makes.map(|step| (&step.id.slot, &step.planned)).collect();
    let graph = world.graph.clone();
    let stack = world.stack.clone();
    for block in &graph.order {
        world.prepare(&graph.blocks[*block as usize]);
        let resource = &stack.resources[*block as usize];
        let expansion = Expansion::of(resource, &world.scope(Instance::default()));
        // Outside `--target` a block may not be known yet; nothing in the plan needs it then.
        let Ok(expansion) = expansion else { continue };
        let instances = expansion.instances();
        world.expand(*block, expansion);
        let address = crate::graph::address(&stack, *block);
        for instance in instances {
            let slot = address.with_key(instance.key.clone()).slot();
            let value = match (planned.get(&slot), recorder.state.records.get(&slot)) {
                (Some(planned), _) => planned.0.clone(),
                (None, Some(record)) => record.value.0.clone(),
                (None, None) => continue,
            };
            world.set(*block, instance.key, value);
        }
    }
    Ok(())
}

/// Answers from the store first: what was approved since the run stopped is granted.
struct Approvals {
    store: Arc<LocalStore>,
    env: EnvRef,
    seal: Digest,
    manual: bool,
    person: Arc<dyn Gate>,
}

#[async_trait]
impl Gate for Approvals {
    async fn allow(&self, question: Question) -> Permission {
        match self.store.approval(&self.env, &question.supplement, &self.seal).await {
            Ok(Some(_)) => Permission::Granted,
            _ if self.manual => Permission::Stop,
            _ => self.person.allow(question).await,
        }
    }
}
