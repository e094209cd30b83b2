//! Work that blocks, on a thread of its own, while this one listens for signals.

use super::exit::Exit;
use super::failure::Failure;
use super::session::tell;
use super::signal;
use crate::trial::Stop;

/// Runs `work` to its end. When the user or the system interrupts, what runs in instances is killed first, and `work` ends
/// as it does then.
pub(super) fn interruptible<T: Send + 'static>(work: impl FnOnce(&Stop) -> T + Send + 'static) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = Stop::default();
    let (done, mut end) = tokio::sync::oneshot::channel();
    let given = stop.clone();
    std::thread::Builder::new().name("work".to_owned()).spawn(move || {
        // Whoever waited may have given up; then there is nobody to tell.
        let _ = done.send(work(&given));
    })?;
    // A panic in the work has been reported by the panic hook.
    let lost = |_| Failure::new(Exit::Unexpected, "the work ended without a result; this is a defect of amiforge");
    runtime.block_on(async {
        tokio::select! {
            result = &mut end => return result.map_err(lost),
            name = signal::interrupted() => tell(&format!("{}: stopping everything\n", name?)),
        }
        stop.stop();
        end.await.map_err(lost)
    })
}
