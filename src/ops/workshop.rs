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
    log: Option<PathBuf>,
    ctx: Context,
}

/// Where supervised steps keep their files.
#[derive(Clone, Debug, Default)]
pub struct StepDirs {
    /// Of this run; `None`: nothing may be changed.
    pub own: Option<PathBuf>,
    /// Of the runs that it takes over.
    pub earlier: Vec<PathBuf>,
    /// The run's log.
    pub log: Option<PathBuf>,
}

impl StepDirs {
    /// Of a run, whose log is beside them.
    pub fn of_run(own: PathBuf, earlier: Vec<PathBuf>) -> StepDirs {
        let log = own.parent().map(|run| run.join("log"));
        StepDirs { own: Some(own), earlier, log }
    }

    /// Of a plan, and the log of the run that it is made in. A run's own directory is not for it: there each file is announced
    /// by an intent (rule V4).
    pub fn of_plan(own: PathBuf, log: Option<PathBuf>) -> StepDirs {
        StepDirs { own: Some(own), log, ..StepDirs::default() }
    }

    /// Only to look at what others left.
    pub fn earlier(earlier: Vec<PathBuf>) -> StepDirs {
        StepDirs { earlier, ..StepDirs::default() }
    }
}

impl Workshop {
    /// The tools for an environment, for one plan or run.
    pub fn new(ctx: &Context, env: &EnvRef, store_id: &str, run: &RunId, steps: StepDirs) -> Workshop {
        let redact = Arc::new(Redactor::default());
        let log = steps.log.clone();
        let tools = toolbox(ctx, &redact, steps);
        let owner = Arc::new(Owner {
            store: store_id.to_owned(),
            stack: env.stack.clone(),
            environment: env.environment.clone(),
        });
        let work = ctx.work_dir(&env.environment);
        Workshop {
            tools,
            redact,
            stop: Stop::default(),
            run: run.clone(),
            owner,
            work,
            log,
            ctx: ctx.clone(),
        }
    }

    /// The same, to plan with: supervised commands keep their files at `steps`.
    pub fn planning(&self, steps: PathBuf) -> Workshop {
        let steps = StepDirs::of_plan(steps, self.log.clone());
        Workshop { tools: toolbox(&self.ctx, &self.redact, steps), ..self.clone() }
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

fn toolbox(ctx: &Context, redact: &Arc<Redactor>, steps: StepDirs) -> Arc<Toolbox> {
    let runner = ToolRunner::new(RunnerConfig {
        supervisor: ctx.supervisor.clone(),
        steps: steps.own,
        earlier: steps.earlier,
        log: steps.log,
    });
    Arc::new(Toolbox {
        host: ctx.host.clone(),
        runner: Arc::new(runner),
        env: ctx.env.clone(),
        cache: ctx.dir.join(".windlass").join("cache"),
        redact: redact.clone(),
        known: ctx.known.clone(),
    })
}
