//! A run on a terminal: a line for each running step with its time and its last words, finished steps above them.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use windlass::event::Reporter;
use windlass::plan::render::safe;
use windlass_model::{Event, EventKind};

use super::bare_line;
use super::human;
use super::summary::Summary;
use crate::output::Output;

/// How many running steps have a line; the others are counted.
const LINES: usize = 16;
/// How often the times are drawn again.
const TICK: Duration = Duration::from_millis(200);

/// The part of the screen that moves; it can make room for a question.
#[derive(Clone, Default)]
pub struct Screen(Option<MultiProgress>);

impl Screen {
    /// Nothing moves from now on; what ends is said in plain lines.
    pub fn pause(&self) {
        if let Some(bars) = &self.0 {
            // Where the terminal is gone there is nothing to clear.
            let _ = bars.clear();
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Moves again.
    pub fn go_on(&self) {
        if let Some(bars) = &self.0 {
            bars.set_draw_target(target());
        }
    }
}

/// Ten times a second is enough for eyes and cheap for 10,000 steps.
fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(10)
}

/// Draws on stderr.
pub struct Live {
    output: Output,
    summary: Summary,
    bars: MultiProgress,
    total: ProgressBar,
    running: BTreeMap<String, Running>,
    steps: u64,
    failed: usize,
}

/// A running step; the line is there unless too many have one.
struct Running {
    bar: Option<ProgressBar>,
}

impl Live {
    /// `command`: how the user calls Windlass for this environment.
    pub fn new(output: Output, command: String) -> Live {
        Live::draw_on(output, command, target())
    }

    /// What makes room for questions.
    pub fn screen(&self) -> Screen {
        Screen(Some(self.bars.clone()))
    }

    fn draw_on(output: Output, command: String, target: ProgressDrawTarget) -> Live {
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new(0));
        total.set_style(style("{elapsed:>4} {pos}/{len} done{msg}"));
        let (running, summary) = (BTreeMap::new(), Summary::new(command));
        Live { output, summary, bars, total, running, steps: 0, failed: 0 }
    }

    /// A line that stays, above the moving ones.
    fn say(&self, text: &str) {
        if self.bars.is_hidden() {
            return self.output.progress(text);
        }
        for line in text.lines() {
            // Where the terminal is gone there is nobody to tell.
            let _ = self.bars.println(line);
        }
    }

    fn begin(&mut self, address: &str, action: &str) {
        self.end(address);
        let shown = self.running.values().filter(|running| running.bar.is_some()).count();
        let bar = (shown < LINES).then(|| {
            let bar = self.bars.insert_before(&self.total, ProgressBar::new_spinner());
            bar.set_style(style("{elapsed:>4} {prefix} {wide_msg:.dim}"));
            bar.set_prefix(format!("{action} {}", safe(address)));
            bar.enable_steady_tick(TICK);
            bar
        });
        self.running.insert(address.to_owned(), Running { bar });
        self.counts();
    }

    fn end(&mut self, address: &str) {
        if let Some(Running { bar: Some(bar), .. }) = self.running.remove(address) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn done(&mut self, address: &str) {
        self.end(address);
        self.total.inc(1);
        self.counts();
    }

    fn counts(&self) {
        let hidden = self.running.values().filter(|running| running.bar.is_none()).count();
        let mut text = format!(", {} running", self.running.len());
        if self.failed > 0 {
            text.push_str(&format!(", {} failed", self.failed));
        }
        if hidden > 0 {
            text.push_str(&format!(" ({hidden} not shown)"));
        }
        self.total.set_message(text);
    }

    fn last_words(&self, address: &str, words: &str) {
        if let Some(Running { bar: Some(bar), .. }) = self.running.get(address) {
            bar.set_message(bare_line(words.lines().next_back().unwrap_or_default()));
        }
    }

    fn clear(&mut self) {
        let addresses: Vec<String> = self.running.keys().cloned().collect();
        addresses.iter().for_each(|address| self.end(address));
        self.total.finish_and_clear();
        // Where the terminal is gone there is nothing to clear.
        let _ = self.bars.clear();
    }
}

impl Reporter for Live {
    fn event(&mut self, event: &Event) {
        let line = human::lines(&event.kind).unwrap_or_default();
        match &event.kind {
            EventKind::RunStarted { steps, .. } => {
                self.steps = u64::try_from(*steps).unwrap_or(u64::MAX);
                self.total.set_length(self.steps);
                self.total.enable_steady_tick(TICK);
                self.say(&line);
            }
            EventKind::StepStarted { address, action, .. } => self.begin(address, action),
            EventKind::StepLog { address, line: words }
            | EventKind::StepProgress { address, message: words } => {
                self.last_words(address, words);
                if self.output.progress_style.verbose {
                    self.say(&line);
                }
            }
            EventKind::StepRetry { address, message, .. } => {
                self.last_words(address, message);
                self.say(&line);
            }
            EventKind::StepFinished { address, .. } => {
                self.say(&line);
                self.done(address);
            }
            EventKind::StepFailed { address, .. } => {
                self.failed += 1;
                self.say(&line);
                self.done(address);
            }
            // The end lists them.
            EventKind::StepSkipped { .. } => {}
            EventKind::Warning { .. } | EventKind::Stopping { .. } => self.say(&line),
            EventKind::RunFinished { .. } => self.clear(),
        }
        if let Some(text) = self.summary.event(event) {
            self.output.progress(&text);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are our own; one that cannot be read would show the default bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lets real time pass")]
mod tests {
    use std::fmt;
    use std::io;
    use std::io::Write as _;

    use indicatif::TermLike;
    use windlass_model::RunStatus;

    use super::*;
    use crate::output::Captured;

    /// A terminal that only remembers what was written; cursor movements are left out.
    #[derive(Clone, Default)]
    struct Screen(Captured);

    impl fmt::Debug for Screen {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Screen")
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }

        fn height(&self) -> u16 {
            40
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.clone().write_all(text.as_bytes())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_ended_stays_and_what_runs_is_seen() {
        let (screen, err) = (Screen::default(), Captured::default());
        let output = Output::to(Box::new(Captured::default()), Box::new(err.clone()));
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let mut live = Live::draw_on(output, "windlass".into(), target);
        let events = human::tests::recorded(RunStatus::Failed);
        for event in &events[..6] {
            live.event(event);
            std::thread::sleep(Duration::from_millis(10));
        }
        // The moving lines: the last words of each running step, and the counts.
        let moving = screen.0.text();
        assert!(moving.contains("create local_command.a") && moving.contains("3 of 7 resources"), "{moving}");
        assert!(moving.contains("0/5 done, 2 running") && !moving.contains("\u{1b}[31m"), "{moving}");
        events[6..].iter().for_each(|event| live.event(event));
        let drawn = screen.0.text();
        for part in
            ["local_command.a: create done in 1 m 01 s", "local_command.b: create failed", "stopping: "]
        {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
        assert!(!drawn.contains("| making"), "log lines are for --verbose");
        assert!(err.text().contains("Go on with: windlass resume 01JX"), "{}", err.text());
        assert!(live.running.is_empty());
        live.screen().pause();
        live.event(&events[1]);
        assert!(err.text().ends_with("warning: in free text\n"), "paused, it is said in plain lines");
    }
}
