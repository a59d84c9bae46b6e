//! Small facts of a run: its id, its holder, times as text.

use windlass_model::{Operation, RunId};
use windlass_store::Holder;

use super::context::Context;

/// A new run's id.
pub fn new_run(ctx: &Context) -> RunId {
    RunId::new(ctx.host.now_ms(), ctx.host.random())
}

/// Who asks for a lock.
pub fn holder(ctx: &Context, run: &RunId, operation: Operation) -> Holder {
    Holder {
        run: run.clone(),
        operation,
        who: ctx.actor.clone(),
        host: ctx.hostname.clone(),
        pid: ctx.pid,
        now_ms: ctx.host.now_ms(),
        nonce: ctx.host.random(),
    }
}

/// A time as people read it: `2026-11-22 10:31:05 UTC`.
pub fn utc(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or_default();
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{ms} ms after 1970"),
    }
}
