//! A job whose standard streams are a terminal of the instance.

use super::job::Ends;
use crate::sandbox::sys;
use nix::libc;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The exit code of a job that could not be started, as [`super::serve`] gives it.
const NOT_STARTED: i32 = 126;

/// Called in the process of the job, which leads a session of its own: the first terminal that it opens becomes the
/// session's. Without a terminal the streams stay what they are.
pub(super) fn join(ends: Ends, terminal: Option<&Path>) -> Ends {
    let Some(path) = terminal else { return ends };
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(path);
    let streams = opened.and_then(|terminal| {
        let terminal = OwnedFd::from(terminal);
        Ok(Ends { input: terminal.try_clone()?, out: terminal.try_clone()?, err: terminal })
    });
    streams.unwrap_or_else(|error| {
        let _ = writeln!(File::from(ends.err), "{}: {error}", path.display());
        sys::leave(NOT_STARTED)
    })
}
