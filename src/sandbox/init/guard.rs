//! What watches over process 1 from outside of its namespaces and cleans up after it.
//!
//! The kernel kills all processes and drops all mounts of an instance with process 1. A control group it leaves behind:
//! that is removed here, also when this program itself was killed and nobody else is left to do it.

use crate::sandbox::Exit;
use crate::sandbox::sys;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getppid};

/// Waits for the end of process 1, and kills it when `parent`, who started this process, ends.
pub(super) fn watch(first: Pid, parent: Option<Pid>) -> Exit {
    // All, because a terminal sends its signals to the whole group of processes, and those are not meant for this one.
    let _ = SigSet::all().thread_block();
    if prctl::set_pdeathsig(Signal::SIGTERM).is_err() || parent != Some(getppid()) {
        let _ = kill(first, Signal::SIGKILL);
    }
    let mut awaited = SigSet::empty();
    awaited.add(Signal::SIGTERM);
    awaited.add(Signal::SIGCHLD);
    loop {
        // Before waiting: it may have ended before signals were blocked.
        while let Some((pid, exit)) = sys::reap(false) {
            if pid == first {
                return exit;
            }
        }
        if awaited.wait() == Ok(Signal::SIGTERM) {
            let _ = kill(first, Signal::SIGKILL);
        }
    }
}
