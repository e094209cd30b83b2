//! Ctrl-C and friends.

use super::failure::Failure;
use tokio::signal::unix::{SignalKind, signal};

/// Waits until the user (or the system) asks the program to end; the signal's name.
pub(super) async fn interrupted() -> Result<&'static str, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    })
}
