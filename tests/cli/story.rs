//! Calls of `windlass`, one after the other, and all that they said.

use crate::support::output::Output;
use crate::support::sandbox::Sandbox;

/// Calls in one sandbox.
pub struct Story {
    pub sandbox: Sandbox,
    told: String,
}

impl Story {
    /// With this stack.
    pub fn of(stack: &str) -> Story {
        let story = Story { sandbox: Sandbox::new(), told: String::new() };
        story.stack(stack);
        story
    }

    /// From now on this is the stack.
    pub fn stack(&self, text: &str) {
        self.sandbox.write("main.stack.hcl", text);
    }

    /// Calls `windlass` with these words and takes down what it says; it must exit with this code.
    #[track_caller]
    pub fn tell(&mut self, line: &str, code: i32) -> Output {
        let output = self.quietly(line, code);
        self.told.push_str(&format!("$ windlass {line}\n"));
        for (name, text) in [("", &output.stdout), ("--- stderr\n", &output.stderr)] {
            // A busy machine has slow steps.
            let lines = text.lines().filter(|line| !line.starts_with("Slowest: "));
            let lines: String = lines.map(|line| format!("{line}\n")).collect();
            if !lines.is_empty() {
                self.told.push_str(&format!("{name}{lines}"));
            }
        }
        self.told.push_str(&format!("--- exit {code}\n\n"));
        output
    }

    /// The same, not taken down.
    #[track_caller]
    pub fn quietly(&self, line: &str, code: i32) -> Output {
        // One step at a time: what runs beside each other would be told in any order.
        let words = line.split_whitespace().chain(["--parallelism", "1"]);
        self.sandbox.windlass(words).run().exits(code)
    }

    /// A word of the test itself between the calls.
    pub fn note(&mut self, text: &str) {
        self.told.push_str(&format!("# {text}\n\n"));
    }

    /// All that was told, the same on every machine.
    pub fn end(self) -> String {
        self.sandbox.redaction().apply(&self.told)
    }
}
