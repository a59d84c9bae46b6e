//! Questions on the terminal. Without one nothing is asked: what needs an answer is refused instead.

use std::io::{self, BufRead};

use tokio::task::JoinError;
use windlass_model::Diagnostic;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::report::Screen;
use crate::signals::Interrupts;

/// What came of a question.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// This text, without the line's end.
    Text(String),
    /// The end of the input.
    Nothing,
    /// Ctrl-C.
    Interrupted,
}

/// A question that only the whole word `yes` affirms. `can_ask`: somebody is there; if not, the failure says what to do
/// `instead`.
pub async fn confirm(
    output: &Output,
    interrupts: Interrupts,
    can_ask: bool,
    question: &str,
    instead: &str,
) -> Result<(), Failure> {
    if !can_ask {
        return Err(nobody(question, instead));
    }
    output.progress(&format!("{question}\nOnly `yes` is taken for yes: "));
    judge(ask(interrupts, false).await?)
}

fn judge(answer: Answer) -> Result<(), Failure> {
    match answer {
        Answer::Text(text) if text.trim() == "yes" => Ok(()),
        Answer::Text(_) | Answer::Nothing => {
            Err(Failure::new(Exit::NotApproved, Diagnostic::error("not confirmed: nothing was changed")))
        }
        Answer::Interrupted => Err(cancelled()),
    }
}

fn nobody(question: &str, instead: &str) -> Failure {
    let title = "a confirmation is needed and there is no terminal to ask on";
    let diagnostic = Diagnostic::error(title)
        .note(format!("the question: {}", question.lines().last().unwrap_or_default()))
        .help(instead);
    Failure::new(Exit::NotApproved, diagnostic)
}

/// Ctrl-C at a question: nothing has begun.
fn cancelled() -> Failure {
    Failure { exit: Exit::Cancelled, diagnostics: Vec::new() }
}

/// A question in the middle of a run: the moving part of the screen makes room for it. Anything but `yes` is no.
pub async fn allow(
    output: &Output,
    screen: &Screen,
    interrupts: Interrupts,
    can_ask: bool,
    question: &str,
) -> bool {
    screen.pause();
    let answer = confirm(output, interrupts, can_ask, question, "").await;
    screen.go_on();
    answer.is_ok()
}

/// A variable that has no value.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Not shown while it is typed.
    pub sensitive: bool,
}

/// Asks for the values of variables, as they would be written for `--var`. Without a terminal one failure lists them all.
pub async fn variables(
    output: &Output,
    interrupts: Interrupts,
    can_ask: bool,
    missing: &[Missing],
) -> Result<Vec<(String, String)>, Failure> {
    if !missing.is_empty() && !can_ask {
        return Err(no_values(missing));
    }
    let mut values = Vec::new();
    for variable in missing {
        let description = variable.description.iter().map(|text| format!("  {text}\n")).collect::<String>();
        let hidden = if variable.sensitive { " (not shown)" } else { "" };
        output
            .progress(&format!("variable `{}` has no value\n{description}  value{hidden}: ", variable.name));
        match ask(interrupts.clone(), variable.sensitive).await? {
            Answer::Text(text) => values.push((variable.name.clone(), text)),
            Answer::Nothing => return Err(no_values(&missing[values.len()..])),
            Answer::Interrupted => return Err(cancelled()),
        }
        if variable.sensitive {
            output.progress("\n");
        }
    }
    Ok(values)
}

fn no_values(missing: &[Missing]) -> Failure {
    let names: Vec<String> = missing.iter().map(|variable| format!("`{}`", variable.name)).collect();
    let title = match names.as_slice() {
        [one] => format!("variable {one} has no value"),
        all => format!("{} variables have no value: {}", all.len(), all.join(", ")),
    };
    Failure::failed(title)
        .help("give them with `--var name=value`, `--var-file FILE`, `WINDLASS_VAR_name` or in the environment block")
}

/// Reads a line, or stops at the first Ctrl-C.
async fn ask(mut interrupts: Interrupts, hidden: bool) -> Result<Answer, Failure> {
    let quiet = if hidden { Quiet::begin() } else { None };
    // Reading cannot be stopped: after Ctrl-C the thread is left behind, and the process ends soon.
    #[expect(clippy::disallowed_methods, reason = "stdin has no other way, and nothing runs beside it")]
    let line = tokio::task::spawn_blocking(|| read(&mut io::stdin().lock()));
    let answer = tokio::select! {
        biased;
        () = interrupts.came() => Ok(Answer::Interrupted),
        line = line => answered(line),
    };
    drop(quiet);
    answer
}

fn answered(line: Result<io::Result<Answer>, JoinError>) -> Result<Answer, Failure> {
    match line {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Failure::failed(format!("cannot read the answer: {error}"))),
        Err(error) => Err(Failure::failed(format!("cannot read the answer: {error}"))),
    }
}

fn read(input: &mut impl BufRead) -> io::Result<Answer> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(Answer::Nothing);
    }
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(Answer::Text(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// The terminal does not echo while this lives.
struct Quiet(rustix::termios::Termios);

impl Quiet {
    /// `None` where stdin is no terminal.
    fn begin() -> Option<Quiet> {
        let before = rustix::termios::tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(rustix::termios::LocalModes::ECHO);
        rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, &quiet).ok()?;
        Some(Quiet(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be done where the terminal is gone.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Captured;
    use crate::signals::Signals;

    fn output() -> (Output, Captured) {
        let err = Captured::default();
        (Output::to(Box::new(Captured::default()), Box::new(err.clone())), err)
    }

    #[test]
    fn only_yes_is_yes() {
        for (line, ok) in [("yes", true), (" yes ", true), ("y", false), ("", false), ("YES", false)] {
            assert_eq!(judge(Answer::Text(line.into())).is_ok(), ok, "{line}");
        }
        assert_eq!(judge(Answer::Nothing).unwrap_err().exit, Exit::NotApproved);
        assert_eq!(judge(Answer::Interrupted).unwrap_err().exit, Exit::Cancelled);
    }

    #[test]
    fn a_line_is_read_without_its_end() {
        let read_all = |text: &str| match read(&mut text.as_bytes()).unwrap() {
            Answer::Text(text) => Some(text),
            _ => None,
        };
        assert_eq!(read_all("a b\r\n").as_deref(), Some("a b"));
        assert_eq!(read_all("a").as_deref(), Some("a"));
        assert_eq!(read_all("\n").as_deref(), Some(""));
        assert_eq!(read_all(""), None);
    }

    #[tokio::test]
    async fn without_a_terminal_nothing_is_asked() {
        let (output, err) = output();
        let signals = Signals::none();
        let failure =
            confirm(&output, signals.interrupts(), false, "Apply?", "give a flag").await.unwrap_err();
        assert_eq!(failure.exit, Exit::NotApproved);
        let missing =
            ["a", "b"].map(|name| Missing { name: name.into(), description: None, sensitive: true });
        let failure = variables(&output, signals.interrupts(), false, &missing).await.unwrap_err();
        assert!(failure.diagnostics[0].title.contains("2 variables have no value: `a`, `b`"));
        assert_eq!(err.text(), "");
        assert!(variables(&output, signals.interrupts(), false, &[]).await.unwrap().is_empty());
    }
}
