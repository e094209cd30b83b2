//! The system calls that have no safe wrapper, each in the smallest possible function.

use super::Exit;
pub(super) use crate::pidfd::open as pidfd_open;
use nix::errno::Errno;
use nix::libc;
use nix::unistd::{ForkResult, Pid};
use std::ffi::{CString, c_int, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Forks. Only for processes with a single thread: the init is one from its first instruction on.
#[expect(unsafe_code, reason = "fork is unsafe because other threads may hold locks; the init has no other thread")]
pub(super) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the calling process is the sandbox init or a child of it, all single-threaded.
    unsafe { nix::unistd::fork() }
}

/// Ends a forked child at once, without running what the parent has registered for its own exit.
#[expect(unsafe_code, reason = "_exit has no safe wrapper; it cannot be misused")]
pub(super) fn leave(code: i32) -> ! {
    // SAFETY: _exit takes any value and does not return.
    unsafe { libc::_exit(code) }
}

/// Puts every signal back to its default action and unblocks all, as a program expects it at its start.
#[expect(unsafe_code, reason = "setting SIG_DFL installs no handler")]
pub(super) fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL is no handler of ours; refusals (SIGKILL, the C library's own) are without consequence.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let _ = nix::sys::signal::SigSet::all().thread_unblock();
}

/// Closes every file descriptor from 3 on but `keep`.
pub(super) fn close_all_but(keep: Option<RawFd>) {
    match keep.and_then(|fd| c_uint::try_from(fd).ok()) {
        Some(fd) => {
            close_range(3, fd.saturating_sub(1));
            close_range(fd + 1, c_uint::MAX);
        }
        None => close_range(3, c_uint::MAX),
    }
}

/// Closes the descriptors 0 to 2 and all others.
pub(super) fn close_everything() {
    close_range(0, c_uint::MAX);
}

#[expect(unsafe_code, reason = "close_range has no safe wrapper")]
fn close_range(first: c_uint, last: c_uint) {
    if first > last {
        return;
    }
    // SAFETY: only called in a forked child that ends or executes another program without touching, or dropping,
    // any of the descriptors closed here.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
}

/// Waits for any child; without `block` only for one that has ended already. `None` when there is none (any more).
#[expect(unsafe_code, reason = "nix reports a child killed by a real-time signal as an error and loses which it was")]
pub(super) fn reap(block: bool) -> Option<(Pid, Exit)> {
    let mut status: c_int = 0;
    loop {
        let flags = if block { 0 } else { libc::WNOHANG };
        // SAFETY: status outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
        match pid {
            -1 if Errno::last() == Errno::EINTR => {}
            -1 | 0 => return None,
            pid if libc::WIFSIGNALED(status) => {
                return Some((Pid::from_raw(pid), Exit::Signal(libc::WTERMSIG(status))));
            }
            pid => return Some((Pid::from_raw(pid), Exit::Code(libc::WEXITSTATUS(status)))),
        }
    }
}

/// Ends this process as another one has ended.
#[expect(unsafe_code, reason = "real-time signals have no name in nix")]
pub(super) fn leave_like(exit: Exit) -> ! {
    match exit {
        Exit::Code(code) => leave(code),
        Exit::Signal(signal) => {
            let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
            default_signals();
            // SAFETY: raise takes any number.
            unsafe { libc::raise(signal) };
            leave(128 + signal)
        }
        Exit::TimedOut | Exit::Restarted => leave(124),
    }
}

/// Sends SIGKILL to the process behind a pidfd.
pub(super) fn pidfd_kill(pidfd: &impl AsFd) -> io::Result<()> {
    pidfd_signal(pidfd, libc::SIGKILL)
}

/// The number of `SIGRTMIN+offset`; the C library keeps the first real-time signals to itself.
pub(super) fn real_time_signal(offset: c_int) -> c_int {
    libc::SIGRTMIN() + offset
}

/// The number of the process behind a pidfd as the mounted /proc numbers it; `None` when it has ended.
pub(super) fn number_of(pidfd: &impl AsFd) -> Option<Pid> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_fd().as_raw_fd())).ok()?;
    let number = text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())?;
    (number > 0).then(|| Pid::from_raw(number))
}

/// Sends a signal to the process behind a pidfd.
#[expect(unsafe_code, reason = "pidfd_send_signal has no safe wrapper")]
pub(super) fn pidfd_signal(pidfd: &impl AsFd, signal: c_int) -> io::Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: a null siginfo is allowed and means "as kill(2) would".
    let answer =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, std::ptr::null::<libc::siginfo_t>(), 0) };
    Ok(Errno::result(answer).map(drop)?)
}

/// Makes the mount at `path`, and with `recursive` all below it, read-only. Linux 5.12.
#[expect(unsafe_code, reason = "mount_setattr has no safe wrapper")]
pub(super) fn mount_read_only(path: &Path, recursive: bool) -> io::Result<()> {
    let path = c_path(path)?;
    let attributes = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path is terminated, attributes outlives the call and its true size is given.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    Ok(Errno::result(answer).map(drop)?)
}

/// Brings the loopback interface of the current network namespace up.
#[expect(unsafe_code, reason = "the interface ioctls have no safe wrapper")]
pub(super) fn loopback_up() -> io::Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: an all-zero ifreq is a valid value of this plain C structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).map_err(io::Error::other)?;
    // SAFETY: SIOCSIFFLAGS reads an ifreq with name and flags, which request is.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    Ok(Errno::result(answer).map(drop)?)
}

/// Lines and columns of a terminal.
#[expect(unsafe_code, reason = "the terminal ioctls have no safe wrapper")]
pub(super) fn window_size(terminal: &impl AsFd) -> io::Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes a winsize, which size is.
    Errno::result(unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_row, size.ws_col))
}

/// Sets lines and columns of a terminal.
#[expect(unsafe_code, reason = "the terminal ioctls have no safe wrapper")]
pub(super) fn set_window_size(terminal: &impl AsFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads a winsize, which size is.
    Errno::result(unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })?;
    Ok(())
}

/// Lets the other end of a new terminal be opened, and tells its number in /dev/pts.
#[expect(unsafe_code, reason = "the terminal ioctls have no safe wrapper")]
pub(super) fn unlock_terminal(ours: &impl AsFd) -> io::Result<u32> {
    let (unlocked, mut number): (c_int, c_uint) = (0, 0);
    let fd = ours.as_fd().as_raw_fd();
    // SAFETY: TIOCSPTLCK reads an int.
    Errno::result(unsafe { libc::ioctl(fd, libc::TIOCSPTLCK, &raw const unlocked) })?;
    // SAFETY: TIOCGPTN writes an unsigned int.
    Errno::result(unsafe { libc::ioctl(fd, libc::TIOCGPTN, &raw mut number) })?;
    Ok(number)
}

/// An extended attribute of a path itself, not of what it points to; `None` when it has none of that name.
#[expect(unsafe_code, reason = "lgetxattr has no safe wrapper")]
pub(super) fn attribute(path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    let (path, name) = (c_path(path)?, c_text(name)?);
    let mut value = vec![0_u8; 65_536]; // XATTR_SIZE_MAX: no value can be longer
    // SAFETY: both strings are terminated and the buffer has the length given.
    let length = unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    match Errno::result(length) {
        Ok(length) => {
            value.truncate(usize::try_from(length).unwrap_or(0));
            Ok(Some(value))
        }
        Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// The names of the extended attributes of a path itself.
#[expect(unsafe_code, reason = "llistxattr has no safe wrapper")]
pub(super) fn attributes(path: &Path) -> io::Result<Vec<String>> {
    let path = c_path(path)?;
    let mut names = vec![0_u8; 65_536]; // XATTR_LIST_MAX
    // SAFETY: the path is terminated and the buffer has the length given.
    let length = unsafe { libc::llistxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) };
    let length = match Errno::result(length) {
        Ok(length) => usize::try_from(length).unwrap_or(0),
        Err(Errno::EOPNOTSUPP) => 0,
        Err(errno) => return Err(errno.into()),
    };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// Sets an extended attribute of a path itself.
#[expect(unsafe_code, reason = "lsetxattr has no safe wrapper")]
pub(super) fn set_attribute(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    let (path, name) = (c_path(path)?, c_text(name)?);
    // SAFETY: both strings are terminated and the buffer has the length given.
    let answer = unsafe { libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    Ok(Errno::result(answer as c_int).map(drop)?)
}

/// A path for the system.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn c_text(text: &str) -> io::Result<CString> {
    Ok(CString::new(text)?)
}

/// Leaves the session keyring that was inherited for a new, empty one. Keys of the caller's session (of Kerberos, of
/// encrypted folders) would else be at the hands of every job.
#[expect(unsafe_code, reason = "keyctl has no safe wrapper")]
pub(super) fn new_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1; // linux/keyctl.h
    // SAFETY: a null name asks for an anonymous keyring.
    let answer =
        unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
    Ok(Errno::result(answer).map(drop)?)
}

/// Puts a filter on the system calls of this process and of all it starts.
#[expect(unsafe_code, reason = "seccomp has no safe wrapper")]
pub(super) fn filter_calls(program: &mut [libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: the kernel copies and checks the program, whose length is true, during the call.
    let answer = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    Ok(Errno::result(answer).map(drop)?)
}

/// Limits the private memory of a process and of what it starts from then on, each for itself.
#[expect(unsafe_code, reason = "prlimit has no safe wrapper")]
pub(super) fn limit_data(pid: Pid, bytes: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: limit outlives the call; no old value is asked for.
    let answer = unsafe { libc::prlimit(pid.as_raw(), libc::RLIMIT_DATA, &raw const limit, std::ptr::null_mut()) };
    Ok(Errno::result(answer).map(drop)?)
}

/// Has the kernel kill a program when the thread that starts it ends: with this process, however that ends.
#[expect(unsafe_code, reason = "pre_exec has no safe wrapper")]
pub(super) fn die_with_us(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: between fork and exec nothing happens but one prctl(2), which is async-signal-safe and takes no memory.
    unsafe {
        command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?));
    }
}
