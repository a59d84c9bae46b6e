//! What the engine reads of every `provider` block, and of `retry` blocks anywhere.

use std::sync::Arc;

use windlass_model::{Diagnostic, Value};

use super::decode::Constant;
use super::time::{duration_ms, duration_seconds};
use super::{BodyExpr, ProviderBlock, Retry};
use crate::lang;

/// `concurrency`, `refresh_after` and `retry` of a provider block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderSettings {
    /// How many of its steps may run at once.
    pub concurrency: Option<usize>,
    /// After how many seconds a resource is asked again (rule P3).
    pub refresh_after: Option<u64>,
    /// How its steps are tried again, unless the resource says otherwise.
    pub retry: Option<Retry>,
}

impl ProviderBlock {
    /// What the engine reads of it. What is wrong with that is reported by [`load`](super::load); here it is left out.
    pub fn settings(&self) -> ProviderSettings {
        self.read_settings(&mut Vec::new())
    }

    pub(super) fn read_settings(&self, report: &mut Vec<Diagnostic>) -> ProviderSettings {
        let (body, file) = (&self.body, &self.span.file);
        let retry = body.blocks.iter().find(|block| *block.kind == *"retry");
        ProviderSettings {
            concurrency: constant(body, "concurrency", file, report, at_least_one)
                .and_then(|number| usize::try_from(number).ok()),
            refresh_after: constant(body, "refresh_after", file, report, duration_seconds),
            retry: retry.map(|block| Retry::read(&block.body, file, report)),
        }
    }
}

impl Retry {
    /// What a `retry` block without attributes means.
    pub const DEFAULT: Retry = Retry { attempts: 3, delay_ms: 1_000, max_delay_ms: 30_000 };

    pub(super) fn read(body: &BodyExpr, file: &Arc<str>, report: &mut Vec<Diagnostic>) -> Retry {
        let attributes = body.attributes.iter().map(|attribute| (&attribute.name, attribute.name_at));
        for (name, at) in attributes.chain(body.blocks.iter().map(|block| (&block.kind, block.head))) {
            if !matches!(&**name, "attempts" | "delay" | "max_delay") {
                let diagnostic = Diagnostic::error(format!("unknown attribute `{name}` in a `retry` block"));
                let help = "it may hold `attempts`, `delay` and `max_delay`";
                report.push(diagnostic.at(&at.in_file(file), "").help(help));
            }
        }
        let default = Retry::DEFAULT;
        Retry {
            attempts: constant(body, "attempts", file, report, at_least_one).unwrap_or(default.attempts),
            delay_ms: constant(body, "delay", file, report, duration_ms).unwrap_or(default.delay_ms),
            max_delay_ms: constant(body, "max_delay", file, report, duration_ms)
                .unwrap_or(default.max_delay_ms),
        }
    }
}

fn at_least_one(value: &Value) -> Result<u32, String> {
    let number = value.as_i64().and_then(|number| u32::try_from(number).ok());
    number.filter(|number| *number > 0).ok_or_else(|| "a whole number of at least 1 is needed".to_owned())
}

/// The value of a constant attribute; `None` where it is absent, null or wrong.
fn constant<T>(
    body: &BodyExpr,
    name: &str,
    file: &Arc<str>,
    report: &mut Vec<Diagnostic>,
    read: impl Fn(&Value) -> Result<T, String>,
) -> Option<T> {
    let expr = &body.attribute(name)?.value;
    let value = match lang::evaluate(expr, file, &Constant(&format!("`{name}`"))) {
        Ok(value) if value.is_null() => return None,
        Ok(value) => value,
        Err(problem) => {
            report.push(*problem);
            return None;
        }
    };
    let wrong = |problem| Diagnostic::error(format!("`{name}`: {problem}")).at(&expr.at.in_file(file), "");
    read(&value).map_err(|problem| report.push(wrong(problem))).ok()
}
