//! The one module that writes to the terminal: results to stdout, progress and errors to stderr.
//!
//! A reader that goes away (`windlass plan | head`) stops the writing and nothing else: a run goes on. Any other failure
//! to write a result is kept and becomes the command's failure.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use windlass::plan::render::Style;
use windlass_model::Diagnostic;

use crate::report::{Source, diagnostics};
use crate::surroundings::Surroundings;

/// Where a command writes. Clones write to the same places.
#[derive(Clone)]
pub struct Output {
    stdout: Arc<Mutex<Stream>>,
    stderr: Arc<Mutex<Stream>>,
    /// How results are rendered.
    pub result_style: Style,
    /// How progress and errors are rendered.
    pub progress_style: Style,
    /// The command as the user began it, with `-C` and `-e`: what is to be typed next begins so too.
    pub command: String,
}

struct Stream {
    writer: Box<dyn Write + Send>,
    state: State,
}

enum State {
    Open,
    /// The reader went away.
    Closed,
    Failed(io::Error),
}

impl Stream {
    fn new(writer: Box<dyn Write + Send>) -> Arc<Mutex<Stream>> {
        Arc::new(Mutex::new(Stream { writer, state: State::Open }))
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if !matches!(self.state, State::Open) {
            return;
        }
        match write(&mut self.writer).and_then(|()| self.writer.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.state = State::Closed,
            Err(error) => self.state = State::Failed(error),
        }
    }
}

/// A panic while writing leaves nothing half done that matters here.
fn lock(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Output {
    /// The process's own streams.
    pub fn new(surroundings: &Surroundings, no_color: bool, verbose: bool) -> Output {
        let width = width(surroundings);
        let plain = no_color || surroundings.no_color;
        let style = |terminal: bool| Style { color: terminal && !plain, verbose, width };
        Output {
            stdout: Stream::new(Box::new(io::stdout())),
            stderr: Stream::new(Box::new(io::stderr())),
            result_style: style(surroundings.terminal.stdout),
            progress_style: style(surroundings.terminal.stderr),
            command: "windlass".to_owned(),
        }
    }

    /// Writes to these instead, without colours: for tests.
    #[cfg(test)]
    pub fn to(stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>) -> Output {
        let (stdout, stderr) = (Stream::new(stdout), Stream::new(stderr));
        let (result_style, progress_style) = (Style::default(), Style::default());
        Output { stdout, stderr, result_style, progress_style, command: "windlass".to_owned() }
    }

    /// Advice with commands in it, as the user has to type them here.
    pub fn as_typed(&self, advice: &str) -> String {
        advice.replace("`windlass ", &format!("`{} ", self.command))
    }

    /// Errors and warnings, with the places in their sources.
    pub fn told(&self, list: &[Diagnostic], source: Source<'_>) {
        self.progress(&self.as_typed(&diagnostics(list, source, &self.progress_style)));
    }

    /// A part of the result; it ends its own lines.
    pub fn result(&self, text: &str) {
        lock(&self.stdout).write(|out| out.write_all(text.as_bytes()));
    }

    /// The result as one JSON document on a line of its own, written as it is made.
    pub fn document<T: Serialize>(&self, document: &T) {
        lock(&self.stdout).write(|out| {
            let mut buffer = BufWriter::with_capacity(64 * 1024, out);
            serde_json::to_writer(&mut buffer, document)?;
            buffer.write_all(b"\n")?;
            buffer.flush()
        });
    }

    /// Progress, an error, a question; it ends its own lines.
    pub fn progress(&self, text: &str) {
        lock(&self.stderr).write(|out| out.write_all(text.as_bytes()));
    }

    /// Where errors go, as a writer.
    pub fn errors(&self) -> impl Write + use<> {
        Errors(self.clone())
    }

    /// Why a result could not be written, if so. That the reader went away is no failure.
    pub fn failure(&self) -> Option<String> {
        match &lock(&self.stdout).state {
            State::Failed(error) => Some(format!("cannot write the result: {error}")),
            State::Open | State::Closed => None,
        }
    }
}

struct Errors(Output);

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.progress(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Columns of the terminal, within reason.
fn width(surroundings: &Surroundings) -> usize {
    let columns = if surroundings.terminal.stderr {
        rustix::termios::tcgetwinsize(io::stderr()).ok().map(|size| usize::from(size.ws_col))
    } else {
        None
    };
    columns.filter(|columns| *columns > 0).map_or(100, |columns| columns.clamp(60, 160))
}

/// What tests read back.
#[cfg(test)]
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind, Captured);

    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)?;
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn broken(kind: io::ErrorKind) -> (Output, Captured) {
        let tries = Captured::default();
        (Output::to(Box::new(Broken(kind, tries.clone())), Box::new(Captured::default())), tries)
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let (output, tries) = broken(io::ErrorKind::BrokenPipe);
        output.result("a");
        output.document(&"b");
        assert!(output.failure().is_none());
        assert_eq!(tries.text(), "a", "nothing more is written");
    }

    #[test]
    fn a_full_disk_is_a_failure() {
        let (output, _) = broken(io::ErrorKind::StorageFull);
        output.document(&[1, 2]);
        assert!(output.failure().unwrap().starts_with("cannot write the result"));
    }

    #[test]
    fn streams_are_apart() {
        let (out, err) = (Captured::default(), Captured::default());
        let output = Output::to(Box::new(out.clone()), Box::new(err.clone()));
        output.clone().document(&serde_json::json!({"a": 1}));
        output.progress("p\n");
        assert_eq!((out.text().as_str(), err.text().as_str()), ("{\"a\":1}\n", "p\n"));
    }
}
