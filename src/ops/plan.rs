//! `plan`: what would have to be done. Takes no lock and writes no version (rule P10).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use windlass_model::{Address, Diagnostic, Files, Operation, Replace, RunId, State, canon};
use windlass_store::{EnvRef, Head, LocalStore, Store, VersionMeta};

use super::context::Context;
use super::failure::Failure;
use super::made::{Made, notes, sweep};
use super::run::new_run;
use super::seal::{freshness, same_place, sealed, seen};
use super::select::{Selected, Selection, checkout, load, select};
use super::snapshot::{PastSources, StoreBlobs, files, taken};
use super::waiting::superseded;
use super::workshop::{StepDirs, Workshop};
use crate::apply::learn_secrets;
use crate::graph::Graph;
use crate::plan::{self, Blobs, Draft, PlanEngine, PlanFile, Refresh, Request, World};
use crate::stack::{Given, Manifest, Stack};

/// After this many seconds a tool is asked again, unless stack, provider or resource say otherwise.
const REFRESH_AFTER_S: u64 = 3600;

/// What is to be planned.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// Environment and values.
    pub selection: Selection,
    /// What the run will be: apply, destroy, rollback or refresh.
    pub operation: Operation,
    /// The version that a rollback goes to.
    pub rollback_to: Option<u64>,
    /// Whether tools are asked.
    pub refresh: Refresh,
    /// `--target`
    pub targets: Vec<Address>,
    /// `--replace`
    pub replace: Vec<Address>,
    /// `--reason`
    pub reason: Option<String>,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions {
            selection: Selection::default(),
            operation: Operation::Apply,
            rollback_to: None,
            refresh: Refresh::Auto,
            targets: Vec::new(),
            replace: Vec::new(),
            reason: None,
        }
    }
}

/// A plan, and what it was made from.
pub struct Planned {
    /// The plan with its snapshot and artefacts.
    pub file: PlanFile,
    /// The environment.
    pub env: EnvRef,
    /// `approval = "manual"`.
    pub manual: bool,
    /// The store.
    pub store: Arc<LocalStore>,
    /// The sources, to show places in.
    pub files: Arc<dyn Files>,
    /// Errors: the plan is shown, but may not be applied.
    pub errors: Vec<Diagnostic>,
    /// What the plan made outside.
    pub made: Made,
}

/// What a plan is made against.
pub struct Base<'a> {
    /// HEAD.
    pub head: Head,
    /// The state.
    pub state: &'a State,
    /// The plan's own id, or the run's that it is made in.
    pub run: RunId,
    /// The log of the run that it is made in.
    pub log: Option<PathBuf>,
}

/// Plans against the state as it is.
///
/// # Errors
/// Where the stack, the values or the state are wrong, or a tool cannot be asked.
pub async fn plan(ctx: &Context, options: &PlanOptions) -> Result<Planned, Failure> {
    let subject = Subject::find(ctx, options).await?;
    let head = subject.store.head(&subject.selected.env).await?;
    let state = subject.store.state(&subject.selected.env, None).await?;
    let base = Base { head, state: &state, run: new_run(ctx), log: None };
    let mut planned = plan_against(ctx, options, subject, base).await?;
    let superseded = superseded(&planned.store, &planned.env, &planned.file.plan).await;
    planned.file.plan.diagnostics.extend(superseded);
    Ok(planned)
}

/// What is planned, before it is known against which state.
pub struct Subject {
    pub(super) store: Arc<LocalStore>,
    pub(super) selected: Selected,
    files: Arc<dyn Files>,
    sources: Sources,
    /// The tools that version N was applied with.
    tools_then: BTreeMap<String, String>,
}

enum Sources {
    Checkout(Arc<crate::stack::Checkout>),
    Version(Manifest, Blobs),
}

impl Subject {
    /// Loads what an operation is about: the checkout, or for a rollback the snapshot of version N (rule V6); to destroy
    /// what has no files any more, that of the last version.
    ///
    /// # Errors
    /// Where it is wrong or absent.
    pub async fn find(ctx: &Context, options: &PlanOptions) -> Result<Subject, Failure> {
        match options.rollback_to {
            Some(version) => Subject::of_version(ctx, options, Some(version)).await,
            None if options.operation == Operation::Destroy && declared(ctx).is_none() => {
                Subject::of_version(ctx, options, None).await
            }
            None => Subject::of_checkout(ctx, options).await,
        }
    }

    async fn of_checkout(ctx: &Context, options: &PlanOptions) -> Result<Subject, Failure> {
        let checkout = checkout(ctx)?;
        let (stack, graph, warnings) = load(ctx, &*checkout)?;
        let store = ctx.store()?;
        let leftover = options.operation == Operation::Destroy;
        let selection = Selection { leftover, ..options.selection.clone() };
        let selected = select(stack, graph, warnings, &selection, &*checkout, Some(&*store)).await?;
        let files: Arc<dyn Files> = checkout.clone();
        let sources = Sources::Checkout(checkout);
        Ok(Subject { store, selected, files, sources, tools_then: BTreeMap::new() })
    }

    /// `None`: the last version that has sources.
    async fn of_version(
        ctx: &Context,
        options: &PlanOptions,
        number: Option<u64>,
    ) -> Result<Subject, Failure> {
        let store = ctx.store()?;
        let env = place(ctx, &options.selection, &store).await?;
        let versions = store.versions(&env).await?;
        let meant = |version: &&VersionMeta| match number {
            Some(number) => version.number == number,
            None => version.sources.is_some(),
        };
        let Some(version) = versions.iter().find(meant) else {
            return Err(no_such_version(&versions, number.unwrap_or_default()));
        };
        let number = version.number;
        let (Some(sources), Some(plan_object)) = (version.sources, version.plan_object) else {
            return Err(Failure::failed(format!("version {number} has no sources of its own to go back to")));
        };
        let blobs = StoreBlobs { store: store.clone(), env: env.clone() };
        let stored = store.blob(&env, &plan_object).await?;
        let file = PlanFile::from_bytes(&stored, None)
            .map_err(|problem| Failure::failed(format!("the plan of version {number}: {problem}")))?;
        let manifest = file.manifest;
        if canon::digest(&manifest) != sources {
            return Err(Failure::failed(format!(
                "the sources of version {number} are not those of its plan"
            )));
        }
        let files = files(&manifest, &Blobs::new(), &blobs, Some(ctx.dir.clone())).await?;
        let (stack, graph, warnings) = load(ctx, &*files)?;
        let selected = at_version(ctx, options, (stack, graph, warnings), env, version, &*files).await?;
        let mut contents = Blobs::new();
        for entry in manifest.files.values() {
            contents.insert(entry.digest, store.blob(&selected.env, &entry.digest).await?);
        }
        let sources = Sources::Version(manifest, contents);
        Ok(Subject { store, selected, files, sources, tools_then: version.tools.clone() })
    }
}

/// The environment of state that is meant (rule P9). The checkout need not be there; where it is, it says which stack.
pub async fn place(ctx: &Context, selection: &Selection, store: &LocalStore) -> Result<EnvRef, Failure> {
    let all = store.environments().await?;
    let declared = if selection.stack.is_none() { declared(ctx) } else { None };
    let stack = selection.stack.as_deref().or(declared.as_ref().map(|stack| stack.name.as_str()));
    let environment = match (&selection.environment, &declared) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(stack)) => Some(super::select::environment(stack, None)?),
        (None, None) => None,
    };
    let fits = |env: &&EnvRef| {
        stack.is_none_or(|name| *name == env.stack)
            && environment.as_ref().is_none_or(|name| *name == env.environment)
    };
    let fitting: Vec<&EnvRef> = all.iter().filter(fits).collect();
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(no_state(stack, environment.as_deref(), &all)),
        many => {
            let title = format!("which one? there is state of {}", names(many.iter().copied()));
            Err(Failure::usage(title).help("name it with `-e NAME` and, where stacks differ, `--stack NAME`"))
        }
    }
}

/// The stack of the checkout as far as it can be read; `None` where there are no stack files.
fn declared(ctx: &Context) -> Option<Stack> {
    let checkout = checkout(ctx).ok()?;
    let entries = checkout.entries(checkout.stack_dir()).ok()?;
    let any = entries.iter().any(|path| path.ends_with(".stack.hcl"));
    any.then(|| crate::stack::load(&*checkout, &ctx.providers.catalog).stack)
}

fn names<'a>(all: impl Iterator<Item = &'a EnvRef>) -> String {
    let all: Vec<String> = all.map(|env| format!("{}/{}", env.stack, env.environment)).collect();
    all.join(", ")
}

fn no_state(stack: Option<&str>, environment: Option<&str>, all: &[EnvRef]) -> Failure {
    let of = match (stack, environment) {
        (Some(stack), Some(environment)) => format!(" of environment `{environment}` of stack `{stack}`"),
        (Some(stack), None) => format!(" of stack `{stack}`"),
        (None, Some(environment)) => format!(" of an environment `{environment}`"),
        (None, None) => String::new(),
    };
    let failure = Failure::failed(format!("there is no state{of}: nothing is applied yet"));
    match all {
        [] => failure.help("`windlass apply` makes it"),
        others => failure.help(format!("this store has state of {}", names(others.iter()))),
    }
}

fn no_such_version(versions: &[VersionMeta], number: u64) -> Failure {
    let known: Vec<String> = versions.iter().take(10).map(|version| version.number.to_string()).collect();
    let title = format!("there is no version {number}");
    let list = if known.is_empty() {
        "there is none yet".to_owned()
    } else {
        format!("the last ones: {}", known.join(", "))
    };
    Failure::failed(title).help(format!("{list}; `windlass state versions` lists all"))
}

/// The values of version N; what is sensitive is today's (rule V6).
async fn at_version(
    _ctx: &Context,
    options: &PlanOptions,
    loaded: (Arc<Stack>, Arc<Graph>, Vec<Diagnostic>),
    env: EnvRef,
    version: &VersionMeta,
    files: &dyn Files,
) -> Result<Selected, Failure> {
    let (stack, graph, warnings) = loaded;
    let recorded = |name: &str| version.inputs.contains_key(name);
    let mut given = Given::default();
    given.env.extend(options.selection.given.env.iter().filter(|(name, _)| !recorded(name)).map(own));
    given.args.clone_from(&options.selection.given.args);
    // Stand-ins, replaced below: only what was not recorded has to be given today.
    let mut wanted = (*stack).clone();
    wanted.variables.retain(|name, _| !recorded(name));
    for environment in wanted.environments.values_mut() {
        environment.variables.retain(|name, _| !recorded(name));
    }
    let environment = Some(env.environment.clone());
    let selection = Selection { environment, given, ..Selection::default() };
    let declared = wanted.environments.contains_key(env.environment.as_str()) || env.environment == "default";
    if !declared {
        let error = format!("version {} does not declare environment `{}`", version.number, env.environment);
        return Err(Failure::failed(error));
    }
    let mut selected = select(Arc::new(wanted), graph, warnings, &selection, files, None).await?;
    selected.stack = stack;
    selected.env = env;
    for (name, value) in &version.inputs {
        selected.variables.insert(name.as_str().into(), value.0.clone());
    }
    Ok(selected)
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// `--replace` must name a resource of the stack, `--target` one of the stack or of the state.
fn known_targets(ctx: &Context, stack: &Stack, state: &State, options: &PlanOptions) -> Result<(), Failure> {
    let declared = |address: &Address| {
        stack.resources.iter().any(|block| block.kind == address.kind && block.name == address.name)
    };
    let recorded = |address: &Address| state.records.keys().any(|slot| address.covers(&slot.address));
    let wrong = |address: &&Address| !declared(address) && options.operation == Operation::Apply;
    if let Some(address) = options.replace.iter().find(wrong) {
        return Err(Failure::usage(format!("--replace: the stack has no `{address}`")));
    }
    let schema =
        |address: &Address| ctx.providers.catalog.resource(&address.kind).map(|(_, schema)| schema.replace);
    if let Some(address) = options.replace.iter().find(|address| schema(address) == Some(Replace::Never)) {
        return Err(Failure::usage(format!("--replace: `{address}` is never replaced as a whole"))
            .help("its tool replaces what is inside"));
    }
    match options.targets.iter().find(|address| !declared(address) && !recorded(address)) {
        Some(address) => {
            Err(Failure::usage(format!("--target: neither the stack nor its state has `{address}`")))
        }
        None => Ok(()),
    }
}

/// Plans against a given state.
///
/// # Errors
/// Where a tool cannot be asked, or something is wrong that stops planning.
pub async fn plan_against(
    ctx: &Context,
    options: &PlanOptions,
    subject: Subject,
    base: Base<'_>,
) -> Result<Planned, Failure> {
    let Subject { store, selected, files, sources, tools_then } = subject;
    known_targets(ctx, &selected.stack, base.state, options)?;
    let env = selected.env.clone();
    let notes = notes(&store, &env, &base.run);
    let steps = StepDirs::of_plan(notes.0.steps(), base.log.clone());
    let workshop = Workshop::new(ctx, &env, &store.id().id, &base.run, steps);
    selected.variables.values().for_each(|value| learn_secrets(&workshop.redact, value));
    base.state.records.values().for_each(|record| learn_secrets(&workshop.redact, &record.value.0));
    let source = Arc::new(StoreBlobs { store: store.clone(), env: env.clone() });
    let past = Arc::new(PastSources::new(store.clone(), env.clone(), base.head.version, ctx.dir.clone()));
    let engine = Arc::new(PlanEngine::new(source, Box::new(|_| {})).noting(notes.clone()));
    let mut world = World::new(
        selected.stack.clone(),
        selected.graph.clone(),
        selected.names(),
        selected.variables.clone(),
        files.clone(),
    );
    let refresh_after = selected.stack.settings.get("refresh_after");
    let refresh_after = refresh_after.and_then(|value| crate::stack::duration_seconds(value).ok());
    let calls = workshop.calls(files.clone());
    let mut sessions = workshop.sessions();
    // What a plan that died has left is in the way of this one.
    let swept = sweep(ctx, &store, &env, &mut world, &mut sessions).await;
    let request = Request {
        world,
        state: base.state,
        seen: freshness(store.seen(&env).await),
        operation: options.operation,
        refresh: options.refresh,
        refresh_after_s: refresh_after.unwrap_or(REFRESH_AFTER_S),
        targets: options.targets.clone(),
        replace: options.replace.clone(),
        now_ms: ctx.host.now_ms(),
        parallelism: ctx.parallelism,
        key: store.id().plan_key.clone(),
        calls: calls.clone(),
        sessions,
        engine: engine.clone(),
        past: past.clone(),
    };
    let mut draft = plan::plan(request).await;
    store.put_seen(&env, &seen(&draft.seen)).await.ok();
    draft.diagnostics.splice(0..0, selected.warnings.iter().cloned());
    note_tools(&mut draft, &tools_then, options);
    draft.diagnostics.extend(swept);
    let made = Made::new(notes, engine.clone(), draft.sessions.clone(), calls);
    let material = Material { sources, past, blobs: engine.blobs() };
    match finished(ctx, options, &selected, &store, &base, draft, material).await {
        Ok((file, errors)) => Ok(Planned { file, env, manual: selected.manual, store, files, errors, made }),
        Err(mut failure) => {
            failure.diagnostics.extend(made.discard(None).await);
            Err(failure)
        }
    }
}

/// What a plan is put together from.
struct Material {
    sources: Sources,
    past: Arc<PastSources>,
    blobs: Blobs,
}

/// The plan, sealed, and errors that forbid to apply it.
async fn finished(
    ctx: &Context,
    options: &PlanOptions,
    selected: &Selected,
    store: &Arc<LocalStore>,
    base: &Base<'_>,
    mut draft: Draft,
    material: Material,
) -> Result<(PlanFile, Vec<Diagnostic>), Failure> {
    let env = &selected.env;
    same_place(store, env, &mut draft).await?;
    let (errors, warnings): (Vec<_>, Vec<_>) = draft.diagnostics.drain(..).partition(Diagnostic::is_error);
    let protected_only = errors.iter().all(|error| error.title.contains("`prevent_destroy`"));
    if !errors.is_empty() && !protected_only {
        return Err(Failure::all(errors.into_iter().chain(warnings).collect()));
    }
    draft.diagnostics = warnings;
    let (mut manifest, mut blobs) = match material.sources {
        Sources::Checkout(checkout) => taken(&checkout),
        Sources::Version(manifest, contents) => (manifest, contents),
    };
    blobs.extend(material.blobs);
    material.past.add_to(&draft.past, &mut manifest, &mut blobs).await?;
    let mut plan = sealed(ctx, options, selected, store, base, draft, &manifest);
    if options.operation == Operation::Apply && !plan.is_empty() {
        // Checkout and state disagree on purpose: the plan says so first (rule V7).
        let rolled_back = super::apply::after_rollback(store, env).await;
        plan.seal.after_rollback = rolled_back.map(|_| base.head.version);
    }
    Ok((PlanFile { plan, manifest, blobs }, errors))
}

/// A rollback says which tools are not those of then.
fn note_tools(draft: &mut Draft, then: &BTreeMap<String, String>, options: &PlanOptions) {
    let Some(version) = options.rollback_to else { return };
    for (alias, now) in &draft.tools {
        if let Some(before) = then.get(alias).filter(|before| *before != now) {
            let text = format!("version {version} was applied with {before}; this rollback uses {now}");
            draft.diagnostics.push(Diagnostic::warning(text));
        }
    }
}
