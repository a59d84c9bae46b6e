//! A command without supervisor: it changes nothing outside, so it may die with the engine's pipes.

#![expect(clippy::disallowed_methods, reason = "the runner is the one place that starts commands")]

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::ExitStatusExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::time::{Duration, Instant, sleep_until};

use crate::error::ProviderError;
use crate::program::not_started;
use crate::runner::{Command, Exit};
use crate::session::Call;
use crate::tool_runner::{MOST_OUTPUT, Patience, ToolRunner, failed, time_left, too_much};

/// How long output is waited for once the command has ended: something that it left behind may hold the pipe for ever.
const DRAIN: Duration = Duration::from_secs(1);

pub(crate) async fn run(
    runner: &ToolRunner,
    call: &Call,
    command: &Command,
    program: &Path,
) -> Result<Exit, ProviderError> {
    let mut starting = tokio::process::Command::new(program);
    starting.args(&command.args).env_clear().envs(&command.env).current_dir(&command.dir).process_group(0);
    let input = if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
    starting.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = starting.spawn().map_err(|error| not_started(&command.program, &error))?;
    let mut ending = Ending::new(&child, runner.patience, time_left(call, command));
    let told = runner.told(call, &command.label);
    let exit = talk(call, command, child, &mut ending, &|bytes| told.push(bytes)).await;
    told.finish();
    exit
}

/// A pipe that is read until it ends.
struct Source<R> {
    pipe: Option<R>,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Source<R> {
    fn new(pipe: Option<R>) -> Source<R> {
        Source { pipe, buffer: vec![0; 32 * 1024] }
    }

    /// What came; empty: it has ended. Never returns once it has.
    async fn next(&mut self) -> std::io::Result<&[u8]> {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        let read = pipe.read(&mut self.buffer).await?;
        if read == 0 {
            self.pipe = None;
        }
        Ok(&self.buffer[..read])
    }
}

async fn talk(
    call: &Call,
    command: &Command,
    mut child: Child,
    ending: &mut Ending,
    tell: &(dyn Fn(&[u8]) + Sync),
) -> Result<Exit, ProviderError> {
    let broken = |error: std::io::Error| failed(format!("lost the pipes of `{}`", command.program), &error);
    let mut input = Input { pipe: child.stdin.take(), data: command.stdin.as_deref().unwrap_or_default() };
    let (mut out, mut err) = (Source::new(child.stdout.take()), Source::new(child.stderr.take()));
    let mut exit = Exit::default();
    let mut status: Option<ExitStatus> = None;
    while status.is_none() || out.pipe.is_some() || err.pipe.is_some() {
        tokio::select! {
            biased;
            () = call.stop.interrupted(), if ending.may_be_asked(status) => ending.escalate(false),
            () = ending.due() => {
                if status.is_some() { break }
                ending.escalate(true);
            }
            ended = child.wait(), if status.is_none() => {
                status = Some(ended.map_err(broken)?);
                ending.due = Some(Instant::now() + DRAIN);
            }
            () = input.write(), if input.pipe.is_some() => {}
            came = err.next() => {
                let came = came.map_err(broken)?;
                tell(came);
                exit.output.extend_from_slice(came);
            }
            came = out.next() => {
                let came = came.map_err(broken)?;
                if command.stdout_is_data {
                    exit.stdout.extend_from_slice(came);
                } else {
                    tell(came);
                    exit.output.extend_from_slice(came);
                }
            }
        }
        if (exit.stdout.len() + exit.output.len()) as u64 > MOST_OUTPUT {
            ending.send(Signal::KILL);
            return Err(too_much(&command.program));
        }
    }
    if ending.timed_out || ending.interrupted {
        ending.send(Signal::KILL);
    }
    exit.code = status.and_then(|status| status.code());
    exit.signal = status.and_then(|status| status.signal());
    Ok(Exit { timed_out: ending.timed_out, interrupted: ending.interrupted, ..exit })
}

struct Input<'a> {
    pipe: Option<ChildStdin>,
    data: &'a [u8],
}

impl Input<'_> {
    /// Writes some more; closes the pipe at the end, or where the tool does not want more.
    async fn write(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        if self.data.is_empty() {
            self.pipe = None;
            return;
        }
        match pipe.write(self.data).await {
            Ok(written) if written > 0 => self.data = &self.data[written..],
            _ => self.pipe = None,
        }
    }
}

/// Brings a process group to its end, one signal harder than the other.
struct Ending {
    group: Option<Pid>,
    patience: Patience,
    stage: u8,
    due: Option<Instant>,
    timed_out: bool,
    interrupted: bool,
}

impl Ending {
    fn new(child: &Child, patience: Patience, time_left: Option<Duration>) -> Ending {
        Ending {
            group: child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw),
            patience,
            stage: 0,
            due: time_left.and_then(|left| Instant::now().checked_add(left)),
            timed_out: false,
            interrupted: false,
        }
    }

    fn may_be_asked(&self, status: Option<ExitStatus>) -> bool {
        status.is_none() && self.stage == 0
    }

    async fn due(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    fn escalate(&mut self, by_time: bool) {
        if self.stage == 0 {
            self.timed_out = by_time;
            self.interrupted = !by_time;
        }
        let (signal, then) = match self.stage {
            0 => (Signal::INT, Some(self.patience.interrupt)),
            1 => (Signal::TERM, Some(self.patience.terminate)),
            _ => (Signal::KILL, None),
        };
        self.stage += 1;
        self.due = then.map(|patience| Instant::now() + patience);
        self.send(signal);
    }

    fn send(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It fails only where nobody of the group is left.
            let _none_left = kill_process_group(group, signal);
            // One that stopped, because it asks the terminal, would not take notice.
            let _none_left = kill_process_group(group, Signal::CONT);
        }
    }
}
