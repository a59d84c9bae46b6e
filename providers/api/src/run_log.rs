//! The log of a run: what was run and what it said. Redacted; names of environment variables only.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use windlass_model::StepEvent;

use crate::runner::{Command, Exit};
use crate::session::Call;

pub(crate) struct RunLog(Mutex<Log>);

enum Log {
    /// Nothing is logged, or it failed and that was told.
    Off,
    Unopened(PathBuf),
    Open(File),
}

impl RunLog {
    pub(crate) fn new(path: Option<PathBuf>) -> RunLog {
        RunLog(Mutex::new(path.map_or(Log::Off, Log::Unopened)))
    }

    /// What is about to run.
    pub(crate) fn began(&self, call: &Call, command: &Command) {
        let args: String = command.args.iter().map(|arg| format!(" {arg:?}")).collect();
        let names: Vec<&str> = command.env.keys().map(String::as_str).collect();
        let dir = command.dir.display();
        let text = format!("run {:?}{args} in {dir} with {}", command.program, names.join(" "));
        self.write(call, &command.label, &call.tools.redact.redact(&text));
    }

    /// How it ended.
    pub(crate) fn ended(&self, call: &Call, label: &str, exit: &Exit) {
        let how = match (exit.code, exit.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
        };
        let late = if exit.timed_out { " after it took too long" } else { "" };
        let asked = if exit.interrupted { " when it was interrupted" } else { "" };
        self.write(call, label, &format!("{how}{late}{asked}"));
    }

    /// A line that it said, redacted before.
    pub(crate) fn said(&self, call: &Call, label: &str, line: &str) {
        self.write(call, label, &format!("| {line}"));
    }

    fn write(&self, call: &Call, label: &str, text: &str) {
        let mut log = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Log::Unopened(path) = &*log {
            match open(path) {
                Ok(file) => *log = Log::Open(file),
                Err(error) => return turn_off(&mut log, call, &error),
            }
        }
        let Log::Open(file) = &mut *log else { return };
        let line = format!("{} {} {label} {text}\n", time(call.tools.host.now_ms()), call.address);
        if let Err(error) = file.write_all(line.as_bytes()) {
            turn_off(&mut log, call, &error);
        }
    }
}

/// A log that cannot be written stops no step: it is told once.
fn turn_off(log: &mut Log, call: &Call, error: &std::io::Error) {
    *log = Log::Off;
    call.engine.say(StepEvent::Log(format!("the run's log cannot be written: {error}")));
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn time(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}
