//! Ctrl-C and friends.

use super::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for the wish to end. It hears everything from its making on.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to listen.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one; its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}

/// Waits until the user (or the system) asks the program to end; the signal's name.
pub(super) async fn interrupted() -> Result<&'static str, Failure> {
    Ok(Signals::new()?.next().await)
}
