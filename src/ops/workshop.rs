//! What calls of providers need: tools, sessions, work directories.

use std::path::PathBuf;
use std::sync::Arc;

use windlass_model::{Files, RunId};
use windlass_provider::{Owner, Redactor, RunnerConfig, Stop, ToolRunner, Toolbox};
use windlass_store::EnvRef;

use super::context::Context;
use crate::plan::{Calls, Sessions};

/// Tools of one operation.
#[derive(Clone)]
pub struct Workshop {
    /// Tools.
    pub tools: Arc<Toolbox>,
    /// Known secrets.
    pub redact: Arc<Redactor>,
    /// Asks running steps to stop.
    pub stop: Stop,
    run: RunId,
    owner: Arc<Owner>,
    work: PathBuf,
    ctx: Context,
}

/// Where supervised steps keep their files.
#[derive(Clone, Debug, Default)]
pub struct StepDirs {
    /// Of this run; `None`: nothing may be changed.
    pub own: Option<PathBuf>,
    /// Of the runs that it takes over.
    pub earlier: Vec<PathBuf>,
}

impl Workshop {
    /// The tools for an environment, for one plan or run.
    pub fn new(ctx: &Context, env: &EnvRef, store_id: &str, run: &RunId, steps: StepDirs) -> Workshop {
        let redact = Arc::new(Redactor::default());
        let log = steps.own.as_ref().and_then(|steps| steps.parent()).map(|run| run.join("log"));
        let runner = ToolRunner::new(RunnerConfig {
            supervisor: ctx.supervisor.clone(),
            steps: steps.own,
            earlier: steps.earlier,
            log,
        });
        let tools = Arc::new(Toolbox {
            host: ctx.host.clone(),
            runner: Arc::new(runner),
            env: ctx.env.clone(),
            cache: ctx.dir.join(".windlass").join("cache"),
            redact: redact.clone(),
            known: ctx.known.clone(),
        });
        let owner = Arc::new(Owner {
            store: store_id.to_owned(),
            stack: env.stack.clone(),
            environment: env.environment.clone(),
        });
        let work = ctx.work_dir(&env.environment);
        Workshop { tools, redact, stop: Stop::default(), run: run.clone(), owner, work, ctx: ctx.clone() }
    }

    /// Providers, none opened yet.
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.ctx.providers.clone(), self.tools.clone())
    }

    /// What calls have in common.
    pub fn calls(&self, files: Arc<dyn Files>) -> Calls {
        Calls {
            run: self.run.clone(),
            owner: self.owner.clone(),
            files,
            work: self.work.clone(),
            tools: self.tools.clone(),
            stop: self.stop.clone(),
        }
    }
}
