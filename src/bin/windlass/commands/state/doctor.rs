//! `windlass state doctor`

use std::fmt::Write as _;

use serde::Serialize;
use windlass::ops;

use super::Context;
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Something that is wrong in the store.
#[derive(Clone, Debug, Serialize)]
pub struct Damage {
    stack: String,
    environment: String,
    path: String,
    problem: String,
}

#[derive(Serialize)]
struct Document<'a> {
    ok: bool,
    environments: usize,
    problems: &'a [Damage],
}

/// How many environments were looked at, and what is wrong.
///
/// # Errors
/// Where the store itself cannot be read.
pub async fn damages(context: &Context) -> Result<(usize, Vec<Damage>), Failure> {
    let ctx = engine::context(context);
    let checked = ops::check_store(&ctx).await?;
    let damage = |env: &windlass_store::EnvRef, problem: windlass_store::Problem| Damage {
        stack: env.stack.clone(),
        environment: env.environment.clone(),
        path: problem.path,
        problem: problem.what,
    };
    let count = checked.len();
    let all = checked.into_iter().flat_map(|(env, problems)| {
        problems.into_iter().map(move |problem| damage(&env, problem)).collect::<Vec<_>>()
    });
    Ok((count, all.collect()))
}

/// Runs it.
pub async fn run(context: &Context) -> Outcome {
    let (environments, problems) = damages(context).await?;
    let ok = problems.is_empty();
    match context.options.json {
        true => context.output.document(&Document { ok, environments, problems: &problems }),
        false => context.output.result(&text(environments, &problems)),
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

/// The problems, and how many there are.
pub fn text(environments: usize, problems: &[Damage]) -> String {
    let mut out = String::new();
    for damage in problems {
        let Damage { stack, environment, path, problem } = damage;
        // Writing to a String cannot fail.
        let _ = writeln!(out, "!! {stack}/{environment}  {path}: {problem}");
    }
    let _ = match (environments, problems.len()) {
        (0, _) => writeln!(out, "there is no state yet"),
        (1, 0) => writeln!(out, "the state of 1 environment is whole"),
        (many, 0) => writeln!(out, "the state of {many} environments is whole"),
        (_, 1) => writeln!(out, "1 problem in state"),
        (_, many) => writeln!(out, "{many} problems in state"),
    };
    out
}
