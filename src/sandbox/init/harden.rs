//! What process 1 lets go of before anything of the image runs.

use crate::sandbox::sys;
use crate::sandbox::wire::{Failure, Step};
use nix::sys::prctl;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::fs::File;

/// Lets go of the caller's keys, and where there are namespaces, of the machine's files: jobs are root beside process 1.
pub(super) fn harden(namespaces: bool) -> Result<(), Failure> {
    // Where the call is forbidden, it is to jobs as well.
    let _ = sys::new_session_keyring();
    if !namespaces {
        return Ok(());
    }
    let step = |what: &'static str| Failure::io(Step::File, what);
    let null = File::options().read(true).write(true).open("/dev/null").map_err(step("open /dev/null"))?;
    let replaced = dup2_stdin(&null).and(dup2_stdout(&null)).and(dup2_stderr(&null));
    replaced.map_err(Failure::os(Step::Other, "replace the standard streams"))?;
    // Closes /proc/1/exe, through which root inside could write to this very program on the machine, and /proc/1/fd,
    // and keeps debuggers off: the memory of process 1 belongs to the outermost user namespace, and nobody inside has
    // rights there.
    prctl::set_dumpable(false).map_err(Failure::os(Step::Other, "close process 1 to the others"))
}
