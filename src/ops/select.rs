//! Loads a stack and finds out which environment and which values are meant (rule P9).

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Diagnostic, Files, Value};
use windlass_store::{EnvRef, Store};

use super::context::Context;
use super::failure::{Failure, FailureKind, Missing};
use crate::graph::Graph;
use crate::plan::Names;
use crate::stack::{self, Checkout, Given, Stack};

/// What the user chose.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `-e`
    pub environment: Option<String>,
    /// Values of variables.
    pub given: Given,
    /// `--stack`: where the stack's files are gone.
    pub stack: Option<String>,
    /// An environment that is not declared will do where it has state: it is to be taken down.
    pub leftover: bool,
}

/// A stack, its environment, and the values of its variables.
#[derive(Clone)]
pub struct Selected {
    /// The stack.
    pub stack: Arc<Stack>,
    /// Its graph.
    pub graph: Arc<Graph>,
    /// The environment.
    pub env: EnvRef,
    /// Variables.
    pub variables: BTreeMap<Arc<str>, Value>,
    /// Warnings so far.
    pub warnings: Vec<Diagnostic>,
    /// `approval = "manual"`.
    pub manual: bool,
}

impl Selected {
    /// What `stack.name` and `environment.name` are.
    pub fn names(&self) -> Names {
        Names { stack: self.env.stack.as_str().into(), environment: self.env.environment.as_str().into() }
    }
}

/// A stack, its graph, and warnings.
pub type Loaded = (Arc<Stack>, Arc<Graph>, Vec<Diagnostic>);

/// Loads and checks a stack: needs no state and no tool.
///
/// # Errors
/// All that is wrong with it.
pub fn load(ctx: &Context, files: &dyn Files) -> Result<Loaded, Failure> {
    let loaded = stack::load(files, &ctx.providers.catalog);
    if loaded.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Failure::all(loaded.diagnostics));
    }
    let graph = Graph::new(&loaded.stack, &ctx.providers.catalog).map_err(Failure::all)?;
    Ok((Arc::new(loaded.stack), Arc::new(graph), loaded.diagnostics))
}

/// Opens the checkout of the stack's directory.
///
/// # Errors
/// Where it cannot be read.
pub fn checkout(ctx: &Context) -> Result<Arc<Checkout>, Failure> {
    Ok(Arc::new(Checkout::open(&ctx.dir)?))
}

/// Which environment is meant, and the values of the variables in it.
///
/// # Errors
/// Where it cannot be told, or values are missing or wrong.
pub async fn select(
    stack: Arc<Stack>,
    graph: Arc<Graph>,
    mut warnings: Vec<Diagnostic>,
    selection: &Selection,
    files: &dyn Files,
    store: Option<&dyn Store>,
) -> Result<Selected, Failure> {
    let environment = match environment(&stack, selection.environment.as_deref()) {
        Ok(environment) => environment,
        Err(failure) => leftover(&stack, selection, store).await?.ok_or(failure)?,
    };
    let env = EnvRef { stack: stack.name.clone(), environment };
    if let Some(store) = store {
        not_orphaned(&stack, &env, store).await?;
    }
    let resolved = stack::resolve(&stack, &env.environment, &selection.given, files);
    if resolved.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Failure::all(resolved.diagnostics));
    }
    if !resolved.missing.is_empty() {
        return Err(missing(&stack, &resolved.missing));
    }
    warnings.extend(resolved.diagnostics);
    let manual = stack.environments.get(env.environment.as_str()).is_some_and(|e| e.manual_approval);
    Ok(Selected { stack, graph, env, variables: resolved.values, warnings, manual })
}

/// The environment that was asked for, though it is not declared, where it may be and has state (rule P9).
async fn leftover(
    stack: &Stack,
    selection: &Selection,
    store: Option<&dyn Store>,
) -> Result<Option<String>, Failure> {
    let (true, Some(store), Some(name)) = (selection.leftover, store, &selection.environment) else {
        return Ok(None);
    };
    let env = EnvRef { stack: stack.name.clone(), environment: name.clone() };
    Ok((store.head(&env).await?.version > 0).then_some(env.environment))
}

/// The environment that is meant.
///
/// # Errors
/// Where it cannot be told or is not declared.
pub fn environment(stack: &Stack, asked: Option<&str>) -> Result<String, Failure> {
    let declared: Vec<&str> = stack.environments.keys().map(|name| &**name).collect();
    match (asked, declared.as_slice()) {
        (None, []) => Ok("default".to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (None, many) => Err(Failure::new(
            FailureKind::Usage,
            Diagnostic::error(format!("which environment? the stack declares {}", many.join(", ")))
                .help("name it with `-e NAME`"),
        )),
        (Some("default"), []) => Ok("default".to_owned()),
        (Some(name), many) if many.contains(&name) => Ok(name.to_owned()),
        (Some(name), many) => {
            let known = if many.is_empty() { "none".to_owned() } else { many.join(", ") };
            let error = Diagnostic::error(format!(
                "environment `{name}` is not declared; the stack declares {known}"
            ));
            Err(Failure::new(
                FailureKind::Usage,
                error.help(format!("add `environment \"{name}\" {{ }}` to the stack")),
            ))
        }
    }
}

/// Planning an empty environment while state lies under a name that no longer exists would make the world anew.
async fn not_orphaned(stack: &Stack, env: &EnvRef, store: &dyn Store) -> Result<(), Failure> {
    if store.head(env).await?.version > 0 {
        return Ok(());
    }
    for other in store.environments().await? {
        let declared = stack.environments.contains_key(other.environment.as_str())
            || (stack.environments.is_empty() && other.environment == "default");
        let orphan = other.stack != env.stack || !declared;
        if !orphan || store.state(&other, None).await?.records.is_empty() {
            continue;
        }
        let title = format!(
            "environment `{}` of stack `{}` has no state, but this store holds state of `{}` in stack `{}`, which is not \
             declared here",
            env.environment, env.stack, other.environment, other.stack
        );
        let help = format!(
            "if it was renamed: `windlass state mv --env {}/{} {}/{}`; if both are meant, declare it, or use another store",
            other.stack, other.environment, env.stack, env.environment
        );
        return Err(Failure::failed(title).help(help));
    }
    Ok(())
}

fn missing(stack: &Stack, names: &[Arc<str>]) -> Failure {
    let describe = |name: &Arc<str>| {
        let variable = stack.variables.get(name);
        Missing {
            name: name.to_string(),
            description: variable.and_then(|variable| variable.description.clone()),
            sensitive: variable.is_some_and(|variable| variable.sensitive),
        }
    };
    let missing: Vec<Missing> = names.iter().map(describe).collect();
    let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let mut error = Diagnostic::error(format!("no value for {}", list.join(", ")));
    for name in names {
        if let Some(variable) = stack.variables.get(name) {
            error = error.at(&variable.span, "has no default");
        }
    }
    let first = names.first().map_or("name", |name| name);
    let help = format!(
        "give it with `--var {first}=…`, `--var-file FILE`, WINDLASS_VAR_{first}, or in the environment block"
    );
    Failure::new(FailureKind::Missing(missing), error.help(help))
}
