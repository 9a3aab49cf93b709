//! The wish to stop: the first signal ends the sync in good order, the second one at once.

use tokio::sync::watch;

use super::outcome::Stopped;

/// Knows whether the sync is to stop. Clones share it.
#[derive(Clone)]
pub struct Stop {
    sender: watch::Sender<Option<Stopped>>,
    receiver: watch::Receiver<Option<Stopped>>,
}

impl Default for Stop {
    fn default() -> Self {
        let (sender, receiver) = watch::channel(None);
        Self { sender, receiver }
    }
}

impl Stop {
    /// Asks the sync to stop, as a signal does.
    pub fn stop(&self) {
        self.stop_for(Stopped::Signal);
    }

    /// Asks the sync to stop because something has failed.
    pub fn stop_at_failure(&self) {
        self.stop_for(Stopped::FirstFailure);
    }

    /// What came first is the reason.
    fn stop_for(&self, reason: Stopped) {
        self.sender.send_if_modified(|stopped| {
            let first = stopped.is_none();
            stopped.get_or_insert(reason);
            first
        });
    }

    /// Whether it was asked to.
    pub fn is_stopped(&self) -> bool {
        self.receiver.borrow().is_some()
    }

    /// Why it was asked to.
    pub fn reason(&self) -> Option<Stopped> {
        *self.receiver.borrow()
    }

    /// Waits until it is.
    pub async fn stopped(&self) {
        let mut receiver = self.receiver.clone();
        // The sender lives as long as this does, so waiting does not fail.
        let _ = receiver.wait_for(Option::is_some).await;
    }

    /// Stops at the first SIGINT or SIGTERM, and ends the process at the second with exit code 1. Must be called
    /// within a Tokio runtime.
    pub fn on_signals(&self) -> std::io::Result<()> {
        let stop = self.clone();
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            signals.next().await;
            stop.stop();
            signals.next().await;
            std::process::exit(1);
        });
        Ok(())
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Without a console there is no signal to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
