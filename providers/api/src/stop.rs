//! How a running step is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A request to stop, shared by the engine and its steps. `drain` starts nothing new; `interrupt` asks running tools to end.
#[derive(Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Default)]
struct Inner {
    drain: AtomicBool,
    interrupt: AtomicBool,
    changed: Notify,
}

impl Stop {
    /// Asks to start nothing new.
    pub fn drain(&self) {
        self.0.drain.store(true, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }

    /// Asks running tools to end.
    pub fn interrupt(&self) {
        self.0.drain.store(true, Ordering::SeqCst);
        self.0.interrupt.store(true, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }

    /// Whether nothing new is to be started.
    pub fn is_draining(&self) -> bool {
        self.0.drain.load(Ordering::SeqCst)
    }

    /// Whether running tools are to end.
    pub fn is_interrupted(&self) -> bool {
        self.0.interrupt.load(Ordering::SeqCst)
    }

    /// Returns when running tools are to end.
    pub async fn interrupted(&self) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no request falls between the two.
            changed.as_mut().enable();
            if self.is_interrupted() {
                return;
            }
            changed.await;
        }
    }
}
