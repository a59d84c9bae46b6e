//! How runs and errors are told: to people live or line by line, to programs as JSON.

mod diagnostic;
mod human;
mod json;
mod live;
mod summary;

use std::collections::BTreeMap;

use windlass::event::Reporter;
use windlass::plan::render::{Style, safe, value_text};
use windlass::stack::Checkout;
use windlass_model::{Diagnostic, Output, Value};

pub use diagnostic::{Source, diagnostics};
pub use human::Human;
pub use json::Json;
pub use live::{Live, Screen};

use crate::commands::Context;
use crate::engine;

/// The reporter of a run for this terminal and these flags: events with `--json`, live progress on a terminal, else
/// plain lines. With it the part of the screen that makes room for questions.
pub fn reporter(context: &Context) -> (Box<dyn Reporter>, Screen) {
    let output = context.output.clone();
    let command = context.options.command.clone();
    if context.options.json {
        (Box::new(Json::new(output)), Screen::default())
    } else if context.surroundings.is_live() {
        let live = Live::new(output, command);
        let screen = live.screen();
        (Box::new(live), screen)
    } else {
        (Box::new(Human::new(output, command)), Screen::default())
    }
}

/// Warnings about the stack's files, on stderr.
pub fn warnings(context: &Context, warnings: &[Diagnostic]) {
    if warnings.is_empty() {
        return;
    }
    let checkout = Checkout::open(&context.options.dir).ok();
    let source = |file: &str| engine::text(checkout.as_ref()?, file);
    context.output.told(warnings, &source);
}

/// Outputs as text, names aligned; sensitive ones are masked.
pub fn outputs(outputs: &BTreeMap<String, Output>, style: &Style) -> String {
    let width = outputs.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let line = |(name, output): (&String, &Output)| {
        let shown =
            if output.sensitive { output.value.0.clone().sensitive() } else { output.value.0.clone() };
        format!("{name:<width$} = {}\n", value(&shown, style))
    };
    outputs.iter().map(line).collect()
}

/// A tool's line without its colours and cursor movements, and safe to show.
fn bare_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        match rest.next() {
            // CSI: to its final byte.
            Some('[') => {
                rest.by_ref().find(|c| ('@'..='~').contains(c));
            }
            // OSC: to its end, BEL or ESC and a backslash.
            Some(']') => {
                let end = rest.by_ref().find(|c| matches!(c, '\u{7}' | '\u{1b}'));
                end.filter(|c| *c == '\u{1b}').and_then(|_| rest.next());
            }
            _ => {}
        }
    }
    safe(&out)
}

/// A value as text.
pub fn value(value: &Value, style: &Style) -> String {
    value_text(value, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_may_not_steer_the_terminal() {
        let line = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}a\u{1b}]8;;x\u{1b}\\b\u{1b}7c\u{7}";
        assert_eq!(bare_line(line), "red abc\\u0007");
        assert_eq!(bare_line("cut \u{1b}["), "cut ");
    }
}
