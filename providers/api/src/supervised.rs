//! The engine's side of a supervised command (rule T1).

#![expect(clippy::disallowed_methods, reason = "the runner is the one place that starts commands")]

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use windlass_model::ErrorClass;

use crate::attach::{self, Waiting};
use crate::error::ProviderError;
use crate::program::not_started;
use crate::runner::{Attached, Command, Exit};
use crate::session::Call;
use crate::step_files::{Ending, StepFiles, make_dir};
use crate::supervise::{INTERRUPT, Instructions, REFUSED};
use crate::tool_runner::{MOST_OUTPUT, Told, ToolRunner, failed, time_left, too_much};

/// How often the output of a running command is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often a supervisor is started that a signal of the terminal ended before it began.
const TRIES: u32 = 3;

pub(crate) async fn run(
    runner: &ToolRunner,
    call: &Call,
    command: &Command,
    program: &Path,
) -> Result<Exit, ProviderError> {
    let Some(dir) = &runner.config.steps else {
        let message = format!("`{}` changes something, so it runs in an apply only", command.program);
        return Err(ProviderError::new(ErrorClass::Bug, message));
    };
    make_dir(dir).map_err(|error| failed(format!("cannot make {}", dir.display()), &error))?;
    let files = runner.step_files(dir, call, &command.label)?;
    let line = instructions(runner, call, command, program, &files)?;
    for _ in 0..TRIES {
        if let Some(exit) = once(runner, call, command, &files, &line).await? {
            return Ok(exit);
        }
        if call.stop.is_interrupted() {
            let message = format!("`{}` was not started: the run was interrupted", command.program);
            return Err(ProviderError::new(ErrorClass::Cancelled, message));
        }
    }
    let message = format!("`{}` was not started: each time, a signal ended its supervisor", command.program);
    Err(ProviderError::new(ErrorClass::Unknown, message))
}

fn instructions(
    runner: &ToolRunner,
    call: &Call,
    command: &Command,
    program: &Path,
    files: &StepFiles,
) -> Result<Vec<u8>, ProviderError> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let todo = Instructions {
        program: program.to_owned(),
        args: command.args.clone(),
        env: command.env.clone(),
        dir: command.dir.clone(),
        stdin: command.stdin.as_ref().map(|bytes| STANDARD.encode(bytes)),
        data: command.stdout_is_data,
        files: files.clone(),
        timeout_ms: time_left(call, command).map(ms),
        patience_ms: (ms(runner.patience.interrupt), ms(runner.patience.terminate)),
        at_ms: call.tools.host.now_ms(),
    };
    let mut line = serde_json::to_vec(&todo).map_err(|error| {
        ProviderError::new(
            ErrorClass::InvalidConfig,
            format!("cannot pass on `{}`: {error}", command.program),
        )
    })?;
    line.push(b'\n');
    Ok(line)
}

/// Starts a supervisor and waits for it. `None`: a signal ended it before the command began.
async fn once(
    runner: &ToolRunner,
    call: &Call,
    command: &Command,
    files: &StepFiles,
    line: &[u8],
) -> Result<Option<Exit>, ProviderError> {
    let mut child = spawn(runner)?;
    let told = runner.told(call, &command.label);
    let mut tail = Tail::new(files, &told);
    let status = watch(call, &mut child, line, &mut tail).await;
    let said = said(&mut child).await;
    let status = status.map_err(|error| failed("lost the supervisor", &error))?;
    if status.code() == Some(i32::from(REFUSED)) {
        let message = format!("`{}` was not started: {}", command.program, said.trim());
        return Err(ProviderError::new(ErrorClass::Conflict, message));
    }
    let lost = |error: io::Error| failed(format!("cannot read what `{}` left", command.program), &error);
    let ended = files.read::<Ending>("exit").map_err(lost)?;
    if ended.is_none() && !files.exists("start").map_err(lost)? {
        return match status.code() {
            None => Ok(None),
            Some(_) => Err(ProviderError::new(
                ErrorClass::Unknown,
                format!("`{}` was not started: {}", command.program, said.trim()),
            )),
        };
    }
    let attached = match ended {
        Some(_) => attach::ended(files),
        None => attach::until_over(call, files, Waiting::new(runner.patience)).await,
    };
    tail.look();
    told.finish();
    match attached? {
        Attached::Ended(exit) => Ok(Some(exit)),
        Attached::NeverBegun => Err(could_not_start(command, files)),
        Attached::Lost(_) => Err(ProviderError::new(
            ErrorClass::Unknown,
            format!("the supervisor of `{}` was killed: how the command ended is not known", command.program),
        )),
    }
}

fn could_not_start(command: &Command, files: &StepFiles) -> ProviderError {
    match files.read::<Ending>("exit") {
        Ok(Some(Ending { not_started: Some((number, _)), .. })) if number != 0 => {
            not_started(&command.program, &io::Error::from_raw_os_error(number))
        }
        Ok(Some(Ending { not_started: Some((_, why)), .. })) => {
            not_started(&command.program, &io::Error::other(why))
        }
        _ => ProviderError::new(ErrorClass::Unknown, format!("`{}` was not started", command.program)),
    }
}

fn spawn(runner: &ToolRunner) -> Result<Child, ProviderError> {
    let [program, args @ ..] = runner.config.supervisor.as_slice() else {
        return Err(ProviderError::new(
            ErrorClass::Bug,
            "this runner was not told how to start a supervisor",
        ));
    };
    // It needs nothing of the environment; what the tool gets is in its instructions.
    let mut starting = tokio::process::Command::new(program);
    starting.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    starting
        .env_clear()
        .spawn()
        .map_err(|error| failed(format!("cannot start the supervisor {program}"), &error))
}

async fn watch(call: &Call, child: &mut Child, line: &[u8], tail: &mut Tail<'_>) -> io::Result<ExitStatus> {
    let mut stdin = child.stdin.take();
    // A supervisor that is gone already is seen by its end.
    tell(&mut stdin, line).await;
    let mut asked = false;
    loop {
        tokio::select! {
            biased;
            status = child.wait() => return status,
            () = call.stop.interrupted(), if !asked => {
                asked = true;
                tell(&mut stdin, format!("{INTERRUPT}\n").as_bytes()).await;
            }
            () = tokio::time::sleep(LOOK) => tail.look(),
        }
    }
}

async fn tell(stdin: &mut Option<ChildStdin>, line: &[u8]) {
    if let Some(pipe) = stdin
        && (pipe.write_all(line).await.is_err() || pipe.flush().await.is_err())
    {
        *stdin = None;
    }
}

/// What the supervisor had to say: it holds the other end alone, so this ends with it.
async fn said(child: &mut Child) -> String {
    let mut said = Vec::new();
    if let Some(pipe) = &mut child.stderr {
        // What could be read is as good as it gets.
        let _cut = pipe.take(64 * 1024).read_to_end(&mut said).await;
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Follows a file that grows.
pub(crate) struct Tail<'a> {
    files: &'a StepFiles,
    told: &'a Told<'a>,
    file: Option<File>,
    read: u64,
}

impl<'a> Tail<'a> {
    pub(crate) fn new(files: &'a StepFiles, told: &'a Told<'a>) -> Tail<'a> {
        Tail { files, told, file: None, read: 0 }
    }

    /// Passes on what is new. What cannot be read now is read at the end, where a failure is an error.
    pub(crate) fn look(&mut self) {
        if self.file.is_none() {
            self.file = File::open(self.files.path("out")).ok();
        }
        let Some(file) = &mut self.file else { return };
        let mut buffer = [0; 32 * 1024];
        while self.read < MOST_OUTPUT && file.seek(SeekFrom::Start(self.read)).is_ok() {
            match file.read(&mut buffer) {
                Ok(read) if read > 0 => {
                    self.told.push(&buffer[..read]);
                    self.read += read as u64;
                }
                _ => return,
            }
        }
    }
}

/// The whole of a file that a command put out; empty if there is none.
pub(crate) fn whole(files: &StepFiles, what: &str, program: &str) -> Result<Vec<u8>, ProviderError> {
    let unreadable = |error: io::Error| failed(format!("cannot read what `{program}` put out"), &error);
    let mut file = match File::open(files.path(what)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    if file.metadata().map_err(unreadable)?.len() > MOST_OUTPUT {
        return Err(too_much(program));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
