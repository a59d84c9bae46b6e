//! What a plan made outside (a change set): thrown away with the plan, kept with a saved one, taken over by a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use windlass_model::{Address, Diagnostic, Plan, PlanId, PlanNote, Private, RunId};
use windlass_provider::{Call, ProviderError, Session};
use windlass_store::{EnvRef, LeftPlan, LocalStore, PlanNotes};

use super::context::Context;
use super::failure::Failure;
use super::workshop::{StepDirs, Workshop};
use crate::plan::{Calls, Notes, PlanEngine, Sessions, World, latest, plan_token};

/// So many things are thrown away at once.
const AT_ONCE: usize = 10;

/// The notes of a plan in the store.
pub struct StoreNotes(pub PlanNotes);

#[async_trait]
impl Notes for StoreNotes {
    fn note(&self, note: &PlanNote) -> Result<(), String> {
        self.0.note(note).map_err(|error| error.to_string())
    }
}

/// What a plan made outside.
pub struct Made {
    notes: Arc<StoreNotes>,
    engine: Arc<PlanEngine>,
    sessions: Sessions,
    calls: Calls,
}

/// Something to be thrown away.
struct Leftover {
    session: Arc<dyn Session>,
    call: Call,
    private: Private,
}

impl Made {
    /// What was made by a plan that is done.
    pub fn new(notes: Arc<StoreNotes>, engine: Arc<PlanEngine>, sessions: Sessions, calls: Calls) -> Made {
        Made { notes, engine, sessions, calls }
    }

    /// Throws all of it away. Answers with what could not be: it is tried again by a later plan.
    pub async fn discard(self, plan: Option<&Plan>) -> Vec<Diagnostic> {
        let artefacts = artefacts(plan);
        let all = self.leftovers(|note| Some(artefacts.get(&note.address).unwrap_or(&note.private).clone()));
        match throw_away(all).await {
            warnings if warnings.is_empty() => self.forget(),
            warnings => warnings,
        }
    }

    /// A run carries the plan out: what belongs to its steps is the run's from now on, the rest is thrown away.
    pub async fn taken_over(self, plan: &Plan) -> Vec<Diagnostic> {
        match throw_away(self.unused(plan)).await {
            warnings if warnings.is_empty() => self.forget(),
            warnings => warnings,
        }
    }

    /// The plan was saved in a file: what belongs to its steps waits with it, the rest is thrown away.
    ///
    /// # Errors
    /// Where that cannot be written down.
    pub async fn saved(self, plan: &Plan) -> Result<Vec<Diagnostic>, Failure> {
        let warnings = throw_away(self.unused(plan)).await;
        self.notes.0.saved(plan.id)?;
        Ok(warnings)
    }

    /// What was noted for what turned out to need no step of its own.
    fn unused(&self, plan: &Plan) -> Vec<Leftover> {
        let artefacts = artefacts(Some(plan));
        self.leftovers(|note| (!artefacts.contains_key(&note.address)).then(|| note.private.clone()))
    }

    fn leftovers(&self, private: impl Fn(&PlanNote) -> Option<Private>) -> Vec<Leftover> {
        let leftover = |note: PlanNote| {
            let private = private(&note)?;
            let session = self.sessions.get(&note.provider)?.session.clone();
            let call = call(&self.calls, &self.engine, &note);
            Some(Leftover { session, call, private })
        };
        self.engine.noted().into_iter().filter_map(leftover).collect()
    }

    fn forget(self) -> Vec<Diagnostic> {
        match self.notes.0.settled() {
            Ok(()) => Vec::new(),
            Err(error) => vec![Diagnostic::warning(format!("the plan's notes: {error}"))],
        }
    }
}

fn artefacts(plan: Option<&Plan>) -> BTreeMap<Address, Private> {
    let steps = plan.map(|plan| plan.steps.as_slice()).unwrap_or_default();
    let made = |step: &windlass_model::Step| Some((step.id.slot.address.clone(), step.artefact.clone()?));
    steps.iter().filter_map(made).collect()
}

fn call(calls: &Calls, engine: &Arc<PlanEngine>, note: &PlanNote) -> Call {
    let token = plan_token(&calls.run, &note.address);
    calls.call(&note.address, token, 1, None, engine.of(&note.address, &note.provider))
}

async fn throw_away(all: Vec<Leftover>) -> Vec<Diagnostic> {
    let one = |leftover: Leftover| async move {
        let Leftover { session, call, private } = leftover;
        let gone = session.discard(&call, &private).await;
        gone.map_err(|error| warning(&call, &error)).err()
    };
    stream::iter(all.into_iter().map(one))
        .buffered(AT_ONCE)
        .filter_map(|found| async { found })
        .collect()
        .await
}

fn warning(call: &Call, error: &ProviderError) -> Diagnostic {
    let text = format!(
        "{}: what its plan made could not be thrown away: {}; the next plan tries again",
        call.address, error.message
    );
    let text = call.tools.redact.redact(&text);
    error.hint.iter().fold(Diagnostic::warning(text), |warning, hint| warning.help(hint.clone()))
}

/// Throws away what plans that died have left, and what saved ones made that are too old.
pub async fn sweep(
    ctx: &Context,
    store: &LocalStore,
    env: &EnvRef,
    world: &mut World,
    sessions: &mut Sessions,
) -> Vec<Diagnostic> {
    let left = match store.left_plans(env) {
        Ok(left) => left,
        Err(error) => return vec![Diagnostic::warning(format!("what earlier plans left: {error}"))],
    };
    let mut warnings = Vec::new();
    for plan in left {
        warnings.extend(sweep_one(ctx, store, env, world, sessions, plan).await);
    }
    warnings
}

async fn sweep_one(
    ctx: &Context,
    store: &LocalStore,
    env: &EnvRef,
    world: &mut World,
    sessions: &mut Sessions,
    plan: LeftPlan,
) -> Vec<Diagnostic> {
    let steps = StepDirs::earlier(vec![plan.steps.clone()]);
    let workshop = Workshop::new(ctx, env, &windlass_store::Store::id(store).id, &plan.run, steps);
    let calls = workshop.calls(world.files.clone());
    let engine = Arc::new(PlanEngine::new(Arc::new(NoBlobs), Box::new(|_| {})));
    let mut all = Vec::new();
    for note in latest(plan.notes.clone()) {
        // A provider that this stack does not configure any more: a plan that does finds it.
        let Some(session) =
            session(world, sessions, &note.provider, &windlass_store::Store::id(store).plan_key).await
        else {
            return Vec::new();
        };
        all.push(Leftover { session, call: call(&calls, &engine, &note), private: note.private });
    }
    let warnings = throw_away(all).await;
    if warnings.is_empty()
        && let Err(error) = plan.settled()
    {
        return vec![Diagnostic::warning(format!("what an earlier plan left: {error}"))];
    }
    warnings
}

async fn session(
    world: &mut World,
    sessions: &mut Sessions,
    alias: &str,
    key: &[u8],
) -> Option<Arc<dyn Session>> {
    if let Some(opened) = sessions.get(alias) {
        return Some(opened.session.clone());
    }
    let catalog = sessions.providers.catalog.clone();
    let (config, budget) = crate::plan::configuration(world, &catalog, alias).ok()?;
    if config.has_unknown() {
        return None;
    }
    Some(sessions.open(alias, &config, budget, key).await.ok()?.session.clone())
}

/// What is thrown away needs no files.
struct NoBlobs;

#[async_trait]
impl crate::plan::BlobSource for NoBlobs {
    async fn blob(&self, id: &windlass_model::Digest) -> Result<Arc<[u8]>, String> {
        Err(format!("{id} is not kept for what is thrown away"))
    }
}

/// The saved plan is carried out: what it made is the run's from now on.
pub fn taken(store: &LocalStore, env: &EnvRef, plan: &PlanId) -> Vec<Diagnostic> {
    match store.plan_taken(env, plan) {
        Ok(()) => Vec::new(),
        Err(error) => vec![Diagnostic::warning(format!("the saved plan's notes: {error}"))],
    }
}

/// A plan's notes, before it begins.
pub fn notes(store: &LocalStore, env: &EnvRef, run: &RunId) -> Arc<StoreNotes> {
    Arc::new(StoreNotes(store.plan_notes(env, run)))
}
