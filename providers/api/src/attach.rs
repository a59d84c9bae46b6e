//! Finds out what became of a supervised command whose engine died (rule T2).

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};
use windlass_model::StepEvent;

use crate::error::ProviderError;
use crate::living::{self, Process};
use crate::runner::{Attached, Exit};
use crate::session::Call;
use crate::step_files::{Ending, Start, StepFiles};
use crate::supervised::{Tail, whole};
use crate::tool_runner::{Patience, ToolRunner, failed};

/// How often a living command is looked at.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) async fn attach(runner: &ToolRunner, call: &Call, label: &str) -> Result<Attached, ProviderError> {
    let config = &runner.config;
    if let Some(dir) = &config.steps {
        let files = runner.step_files(dir, call, label)?;
        // What this run started, it also waited for: no supervisor can come late, and a fence would stop the step itself.
        if files.exists("start").map_err(|error| failed(at(&files), &error))? {
            let found = in_dir(runner, call, label, &files).await?;
            if !matches!(found, Attached::NeverBegun) {
                return Ok(found);
            }
        }
    }
    for dir in config.earlier.iter().filter(|dir| dir.is_dir()) {
        let files = runner.step_files(dir, call, label)?;
        match in_dir(runner, call, label, &files).await? {
            Attached::NeverBegun => {}
            found => return Ok(found),
        }
    }
    Ok(Attached::NeverBegun)
}

async fn in_dir(
    runner: &ToolRunner,
    call: &Call,
    label: &str,
    files: &StepFiles,
) -> Result<Attached, ProviderError> {
    let told = runner.told(call, label);
    let mut tail = Tail::new(files, &told);
    let attached = until_over(call, files, Waiting::new(runner.patience)).await?;
    tail.look();
    told.finish();
    if let Attached::Ended(exit) | Attached::Lost(exit) = &attached {
        runner.log.ended(call, label, exit);
    }
    Ok(attached)
}

/// Waits until nothing of the command lives, then says how it ended. Where it never began, it never will: a fence is left.
pub(crate) async fn until_over(
    call: &Call,
    files: &StepFiles,
    mut waiting: Waiting,
) -> Result<Attached, ProviderError> {
    let unreadable = |error: io::Error| failed(at(files), &error);
    loop {
        if files.exists("exit").map_err(unreadable)? {
            return ended(files);
        }
        let lock = files.lock().map_err(unreadable)?;
        // Looked for again: it may have ended between the two.
        if files.exists("exit").map_err(unreadable)? {
            return ended(files);
        }
        let start = files.read::<Start>("start").map_err(unreadable)?;
        let living = start.as_ref().map(living::of_session).unwrap_or_default();
        match (&lock, &start) {
            (Some(_), None) => {
                files.write("fence", &()).map_err(unreadable)?;
                return Ok(Attached::NeverBegun);
            }
            (Some(_), Some(start)) if living.is_empty() => return lost(files, start),
            _ => {}
        }
        drop(lock);
        waiting.step(call, start.as_ref(), &living);
        sleep(LOOK).await;
    }
}

/// The end that the supervisor recorded.
pub(crate) fn ended(files: &StepFiles) -> Result<Attached, ProviderError> {
    let unreadable = |error: io::Error| failed(at(files), &error);
    let missing = || unreadable(io::ErrorKind::NotFound.into());
    let ending = files.read::<Ending>("exit").map_err(unreadable)?.ok_or_else(missing)?;
    if ending.not_started.is_some() {
        return Ok(Attached::NeverBegun);
    }
    let program = files.read::<Start>("start").map_err(unreadable)?.map(|start| start.program);
    let exit = put_out(files, &program.unwrap_or_default())?;
    let (code, signal) = (ending.code, ending.signal);
    let (timed_out, interrupted) = (ending.timed_out, ending.interrupted);
    Ok(Attached::Ended(Exit { code, signal, timed_out, interrupted, ..exit }))
}

fn lost(files: &StepFiles, start: &Start) -> Result<Attached, ProviderError> {
    Ok(Attached::Lost(put_out(files, &start.program)?))
}

fn put_out(files: &StepFiles, program: &str) -> Result<Exit, ProviderError> {
    let (stdout, output) = (whole(files, "data", program)?, whole(files, "out", program)?);
    Ok(Exit { stdout, output, ..Exit::default() })
}

fn at(files: &StepFiles) -> String {
    let file = files.path("exit");
    format!("cannot tell how the command of {} ended", Path::new(&file).display())
}

/// Waits for a command: says so, and ends it where the run is interrupted or its time is over.
pub(crate) struct Waiting {
    patience: Patience,
    said: bool,
    stage: usize,
    due: Option<Instant>,
}

impl Waiting {
    pub(crate) fn new(patience: Patience) -> Waiting {
        Waiting { patience, said: false, stage: 0, due: None }
    }

    fn step(&mut self, call: &Call, start: Option<&Start>, living: &[Process]) {
        if !self.said {
            self.said = true;
            call.engine.say(StepEvent::Progress(waits_for(start, living)));
        }
        let Some(start) = start else { return };
        let now = Instant::now();
        let over = call.deadline.is_some_and(|deadline| deadline <= now);
        let asked = call.stop.is_interrupted() || over;
        if !asked || self.due.is_some_and(|due| now < due) {
            return;
        }
        let (signal, then) = match self.stage {
            0 => (Signal::INT, self.patience.interrupt),
            1 => (Signal::TERM, self.patience.terminate),
            _ => (Signal::KILL, self.patience.terminate),
        };
        self.stage += 1;
        self.due = Some(now + then);
        send(start, living, signal);
    }
}

/// To all of the session but the supervisor, which records how the tool ended.
fn send(start: &Start, living: &[Process], signal: Signal) {
    let tools = living.iter().filter(|process| process.pid != start.session);
    for pid in tools.filter_map(|process| Pid::from_raw(process.pid)) {
        // It may have ended by itself.
        let _ended = kill_process(pid, signal);
    }
}

fn waits_for(start: Option<&Start>, living: &[Process]) -> String {
    let Some(start) = start else { return "waits for a command that an earlier run is starting".to_owned() };
    let tools = living.iter().filter(|process| process.pid != start.session);
    let tools: Vec<String> = tools.map(|process| format!("{} (pid {})", process.name, process.pid)).collect();
    let list = if tools.is_empty() { start.program.clone() } else { tools.join(", ") };
    format!("waits for {list}, which an earlier run started and which still works")
}
