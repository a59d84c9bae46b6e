//! A command that runs.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::output::Output;
use super::redact::Redaction;
use super::wait::wait_until;

/// No call takes longer.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// A command that runs; killed if it is dropped.
#[must_use = "wait for it or kill it"]
pub struct Running {
    child: Child,
    said: PathBuf,
    args: String,
    redaction: Redaction,
    status: Option<ExitStatus>,
}

impl Running {
    pub(super) fn new(child: Child, said: PathBuf, args: String, redaction: Redaction) -> Self {
        Self { child, said, args, redaction, status: None }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn lives(&mut self) -> bool {
        self.status = self.status.or_else(|| self.child.try_wait().unwrap());
        self.status.is_none()
    }

    /// What it has said on standard output so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.said.join("stdout")).unwrap()).into_owned()
    }

    /// What it has said on standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.said.join("stderr")).unwrap()).into_owned()
    }

    /// Waits until a text stands in what it said.
    pub fn wait_for_text(&self, text: &str) {
        let said = || self.stdout().contains(text) || self.stderr().contains(text);
        wait_until(&format!("`windlass {}` says {text:?}", self.args), 60, said);
    }

    /// SIGINT: Ctrl-C.
    pub fn interrupt(&mut self) {
        self.signal(Signal::INT);
    }

    /// SIGTERM.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// SIGKILL: as a crash.
    pub fn kill_9(&mut self) {
        self.signal(Signal::KILL);
    }

    fn signal(&mut self, signal: Signal) {
        // A process that was waited for is gone, and its number may be another's.
        if self.lives() {
            let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
            kill_process(pid, signal).unwrap();
        }
    }

    /// Its end.
    #[must_use = "snapshot what it said (`text`) or assert how it ended (`success`, `exits`)"]
    pub fn wait(mut self) -> Output {
        let started = Instant::now();
        while self.lives() {
            if started.elapsed() > WAIT_MAX {
                self.kill_9();
                panic!("`windlass {}` hangs\n{}\n{}", self.args, self.stdout(), self.stderr());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = self.status.unwrap();
        Output {
            args: self.args.clone(),
            stdout: self.stdout(),
            stderr: self.stderr(),
            code: status.code(),
            signal: status.signal(),
            took: started.elapsed(),
            redaction: self.redaction.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.lives() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
