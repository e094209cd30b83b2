//! A hold of a process that stays with it, whatever happens to its number.

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// A descriptor of a process (close-on-exec) that becomes readable when the process ends. Linux 5.3.
#[expect(unsafe_code, reason = "pidfd_open has no safe wrapper")]
pub(crate) fn open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and returns a new descriptor (close-on-exec) or -1.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
