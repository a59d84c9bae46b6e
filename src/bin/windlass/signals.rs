//! Ctrl-C and SIGTERM as requests to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// What the user or the machine asks for: the first Ctrl-C drains, the second (or SIGTERM, SIGHUP) interrupts, the third
/// leaves.
pub use windlass::apply::Signal as Request;

/// What came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Came {
    CtrlC,
    Terminate,
}

/// How far it has come.
fn next(now: Option<Request>, came: Came) -> Request {
    match (now, came) {
        (None, Came::CtrlC) => Request::Drain,
        (Some(Request::Drain), _) | (None, Came::Terminate) => Request::Interrupt,
        // A service manager may send SIGTERM more than once: only a person leaves at once.
        (Some(Request::Interrupt), Came::Terminate) => Request::Interrupt,
        (Some(_), _) => Request::Leave,
    }
}

/// Requests as they come. From the first call on, signals no longer end the process by themselves.
#[derive(Debug)]
pub struct Signals {
    /// For the run, which does something else at each.
    pub requests: mpsc::UnboundedReceiver<Request>,
    interrupts: Interrupts,
}

/// Tells whether any request has come: for questions, which end at the first.
#[derive(Clone, Debug)]
pub struct Interrupts(watch::Receiver<Option<Request>>);

impl Interrupts {
    /// Returns when a request has come.
    pub async fn came(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            // Nobody listens any more, so none can come.
            std::future::pending::<()>().await;
        }
    }
}

impl Signals {
    /// Listens, in the current runtime.
    #[expect(clippy::disallowed_methods, reason = "one reader at a time waits for it, so no order is lost")]
    pub fn listen() -> std::io::Result<Signals> {
        let ctrl_c = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hang_up = signal(SignalKind::hangup())?;
        let (sender, requests) = mpsc::unbounded_channel();
        let (shown, seen) = watch::channel(None);
        tokio::spawn(forward([ctrl_c, terminate, hang_up], sender, shown));
        Ok(Signals { requests, interrupts: Interrupts(seen) })
    }

    /// None ever comes: for tests.
    #[cfg(test)]
    #[expect(clippy::disallowed_methods, reason = "as in `listen`")]
    pub fn none() -> Signals {
        let (requests, seen) = (mpsc::unbounded_channel().1, watch::channel(None).1);
        Signals { requests, interrupts: Interrupts(seen) }
    }

    /// For questions.
    pub fn interrupts(&self) -> Interrupts {
        self.interrupts.clone()
    }
}

async fn forward(
    [mut ctrl_c, mut terminate, mut hang_up]: [Signal; 3],
    sender: mpsc::UnboundedSender<Request>,
    shown: watch::Sender<Option<Request>>,
) {
    let mut now = None;
    loop {
        let came = tokio::select! {
            biased;
            Some(()) = ctrl_c.recv() => Came::CtrlC,
            Some(()) = terminate.recv() => Came::Terminate,
            Some(()) = hang_up.recv() => Came::Terminate,
            else => return,
        };
        let request = next(now, came);
        if now != Some(request) {
            now = Some(request);
            // Where nobody receives, there is no run or question to stop.
            let _ = sender.send(request);
            let _ = shown.send(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(came: &[Came]) -> Option<Request> {
        came.iter().fold(None, |now, came| Some(next(now, *came)))
    }

    #[test]
    fn three_steps() {
        use Came::{CtrlC, Terminate};
        assert_eq!(after(&[CtrlC]), Some(Request::Drain));
        assert_eq!(after(&[CtrlC, CtrlC]), Some(Request::Interrupt));
        assert_eq!(after(&[CtrlC, CtrlC, CtrlC]), Some(Request::Leave));
        assert_eq!(after(&[CtrlC, CtrlC, CtrlC, CtrlC]), Some(Request::Leave));
        assert_eq!(after(&[Terminate]), Some(Request::Interrupt));
        assert_eq!(after(&[CtrlC, Terminate]), Some(Request::Interrupt));
        assert_eq!(after(&[Terminate, Terminate, Terminate]), Some(Request::Interrupt));
        assert_eq!(after(&[Terminate, CtrlC]), Some(Request::Leave));
    }

    #[tokio::test]
    async fn signals_become_requests() {
        let mut signals = Signals::listen().unwrap();
        let mut interrupts = signals.interrupts();
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::INT).unwrap();
        assert_eq!(signals.requests.recv().await, Some(Request::Drain));
        rustix::process::kill_process(own, rustix::process::Signal::TERM).unwrap();
        assert_eq!(signals.requests.recv().await, Some(Request::Interrupt));
        interrupts.came().await;
        signals.interrupts().came().await;
    }
}
