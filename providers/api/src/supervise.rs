//! The supervisor: one process for one command that changes something outside (rules T1, T2). It outlives the engine.

#![expect(
    clippy::disallowed_methods,
    reason = "the supervisor is a process of its own: it waits, counts time and starts one tool"
)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::living;
use crate::step_files::{Ending, Start, StepFiles};

/// The first line on the supervisor's standard input.
#[derive(Serialize, Deserialize)]
pub(crate) struct Instructions {
    /// The file to start.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: std::collections::BTreeMap<String, String>,
    pub(crate) dir: PathBuf,
    /// What it reads, as base64.
    pub(crate) stdin: Option<String>,
    /// Standard output goes to a file of its own.
    pub(crate) data: bool,
    pub(crate) files: StepFiles,
    pub(crate) timeout_ms: Option<u64>,
    /// How long it may take to end after SIGINT, then after SIGTERM.
    pub(crate) patience_ms: (u64, u64),
    /// When, for `.start`: milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// A later line: asks the tool to end.
pub(crate) const INTERRUPT: &str = "interrupt";
/// A later line: goes on to SIGTERM at once.
pub(crate) const TERMINATE: &str = "terminate";
/// A later line: goes on to SIGKILL at once.
pub(crate) const KILL: &str = "kill";

/// The exit code of a supervisor that started nothing because the step is another's, or over.
pub const REFUSED: u8 = 3;

/// Runs one command to its end: what the binary's hidden subcommand does, with its standard input and standard error. Returns
/// the exit code for the process: 0, the end is recorded; anything else, why not is said on `say`.
///
/// It makes its process leave the session that it is in, and turns signals off for good: it is for a process of its own.
pub fn supervise(stdin: impl Read + Send + 'static, mut say: impl Write) -> u8 {
    match attempt(stdin) {
        Ok(()) => 0,
        Err(failure) => {
            // Who would read it may be gone; the exit code then still says that nothing was recorded.
            let _gone = writeln!(say, "{}", failure.why);
            failure.code
        }
    }
}

struct Failure {
    code: u8,
    why: String,
}

impl Failure {
    fn refused(why: &str) -> Failure {
        Failure { code: REFUSED, why: why.to_owned() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure { code: 1, why: error.to_string() }
    }
}

fn attempt(stdin: impl Read + Send + 'static) -> Result<(), Failure> {
    ignore_signals()?;
    rustix::process::setsid().map_err(io::Error::from)?;
    let mut stdin = BufReader::new(stdin);
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    let todo: Instructions = serde_json::from_str(&line).map_err(io::Error::from)?;
    let Some(lock) = todo.files.lock()? else {
        return Err(Failure::refused("the step's lock is taken: the same command runs already"));
    };
    if todo.files.exists("fence")? {
        return Err(Failure::refused("the step was given up before it began: a later run recovered it"));
    }
    if todo.files.exists("start")? || todo.files.exists("exit")? {
        return Err(Failure::refused("the same command of this step ran already"));
    }
    let ending = run(&todo, &lock, stdin)?;
    todo.files.write("exit", &ending)?;
    Ok(())
}

/// Handlers, not `SIG_IGN`: a tool would inherit that and could not be interrupted any more.
fn ignore_signals() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

fn run(todo: &Instructions, lock: &File, stdin: impl BufRead + Send + 'static) -> io::Result<Ending> {
    let out = todo.files.create("out")?;
    let data = if todo.data { Some(todo.files.create("data")?) } else { None };
    let input = match &todo.stdin {
        None => lock.try_clone()?,
        Some(text) => {
            let bytes = STANDARD.decode(text).map_err(|error| io::Error::other(error.to_string()))?;
            todo.files.input(&bytes)?
        }
    };
    todo.files.reserve("exit")?;
    let session = rustix::process::getpid().as_raw_nonzero().get();
    let program = todo.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (ticks, boot) = (living::started_ticks(session), living::boot_id());
    todo.files.write("start", &Start { session, ticks, boot, program, at_ms: todo.at_ms })?;
    let child = match start(todo, input, &out, data.as_ref()) {
        Ok(child) => child,
        Err(error) => {
            let number = error.raw_os_error().unwrap_or_default();
            return Ok(Ending { not_started: Some((number, error.to_string())), ..Ending::default() });
        }
    };
    let ending = Watch::new(todo, child.id()).until_end(child, stdin)?;
    for file in std::iter::once(&out).chain(&data) {
        // How it ended is recorded in any case; what it put out may be cut where the disk is full.
        if file.metadata()?.len() > 0 {
            let _cut = file.sync_all();
        }
    }
    Ok(ending)
}

fn start(todo: &Instructions, input: File, out: &File, data: Option<&File>) -> io::Result<Child> {
    let stdout = data.unwrap_or(out).try_clone()?;
    let mut command = std::process::Command::new(&todo.program);
    command.args(&todo.args).env_clear().envs(&todo.env).current_dir(&todo.dir);
    command.stdin(Stdio::from(input)).stdout(Stdio::from(stdout)).stderr(Stdio::from(out.try_clone()?));
    command.process_group(0).spawn()
}

/// What the supervisor waits for.
enum Message {
    Line(String),
    Ended(io::Result<ExitStatus>),
}

/// The signals to a process group that is to end, one harder than the other.
const STAGES: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::KILL];

struct Watch {
    group: Option<rustix::process::Pid>,
    patience: [Duration; 2],
    /// How many of the signals were sent.
    stage: usize,
    /// When the next one is due.
    due: Option<Instant>,
    timed_out: bool,
    interrupted: bool,
}

impl Watch {
    fn new(todo: &Instructions, child: u32) -> Watch {
        let (after_interrupt, after_terminate) = todo.patience_ms;
        Watch {
            group: i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw),
            patience: [Duration::from_millis(after_interrupt), Duration::from_millis(after_terminate)],
            stage: 0,
            due: todo.timeout_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms))),
            timed_out: false,
            interrupted: false,
        }
    }

    fn until_end(mut self, mut child: Child, lines: impl BufRead + Send + 'static) -> io::Result<Ending> {
        let (tell, told) = channel();
        let ended = tell.clone();
        thread::spawn(move || ended.send(Message::Ended(child.wait())));
        thread::spawn(move || pass_on(lines, &tell));
        let status = loop {
            match self.next(&told)? {
                Some(Message::Ended(status)) => break status?,
                Some(Message::Line(line)) => self.obey(line.trim()),
                None => self.escalate(true),
            }
        };
        if self.timed_out || self.interrupted {
            self.send(Signal::KILL);
        }
        let (code, signal) = (status.code(), status.signal());
        Ok(Ending {
            code,
            signal,
            timed_out: self.timed_out,
            interrupted: self.interrupted,
            not_started: None,
        })
    }

    /// The next message; `None`: a signal is due.
    fn next(&self, told: &Receiver<Message>) -> io::Result<Option<Message>> {
        let message = match self.due {
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => told.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(io::Error::other("nobody waits for the command any more"))
            }
        }
    }

    fn obey(&mut self, line: &str) {
        let at_least = match line {
            INTERRUPT => 0,
            TERMINATE => 1,
            KILL => 2,
            _ => return,
        };
        // Asked before, or the time is up: the signals are on their way.
        if self.stage > at_least {
            return;
        }
        self.stage = at_least;
        self.escalate(false);
    }

    /// Sends the next signal and sets when the one after it is due.
    fn escalate(&mut self, by_time: bool) {
        if !self.timed_out && !self.interrupted {
            self.timed_out = by_time;
            self.interrupted = !by_time;
        }
        if let Some(signal) = STAGES.get(self.stage) {
            self.send(*signal);
        }
        self.due = self.patience.get(self.stage).and_then(|patience| Instant::now().checked_add(*patience));
        self.stage += 1;
    }

    fn send(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It fails only where nobody of the group is left.
            let _none_left = rustix::process::kill_process_group(group, signal);
            // One that stopped would not take notice.
            let _none_left = rustix::process::kill_process_group(group, Signal::CONT);
        }
    }
}

/// Passes lines on until the engine is gone; then the tool just goes on.
fn pass_on(mut lines: impl BufRead, tell: &Sender<Message>) {
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
        if tell.send(Message::Line(std::mem::take(&mut line))).is_err() {
            return;
        }
    }
}
