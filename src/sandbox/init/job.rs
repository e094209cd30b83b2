//! Starting a job: process 1 forks a supervisor, which forks the job.

use super::system::System;
use super::{Builtin, die_with};
use crate::sandbox::sys;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, pipe2};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Of 1000; `proc_pid_oom_score_adj(5)`.
const CHOSEN_FIRST: &str = "500";
/// Bytes of answers that may wait for a job to read them. One that asks and does not listen must not fill the memory.
const MOST_UNREAD: usize = 64 << 20;

/// A job that runs, seen from process 1.
pub(in crate::sandbox) struct Running {
    /// The process that ends as the job ends.
    pub(in crate::sandbox) supervisor: Pid,
    pub(in crate::sandbox) out: Option<File>,
    pub(in crate::sandbox) err: Option<File>,
    /// Where its standard input is written to, until all is written.
    input: Option<File>,
    /// More may come for its standard input while it runs.
    talks: bool,
    pending: Vec<u8>,
    written: usize,
}

impl Running {
    /// Its standard input, if there is something to be written to it.
    pub(in crate::sandbox) fn hungry(&self) -> Option<&File> {
        self.input.as_ref().filter(|_| self.written < self.pending.len())
    }

    /// Takes an answer for it. One that lets too much lie hears nothing any more.
    pub(in crate::sandbox) fn hear(&mut self, answer: &[u8]) {
        if !self.talks || self.input.is_none() {
            return;
        }
        self.pending.drain(..self.written);
        self.written = 0;
        self.pending.extend_from_slice(answer);
        if self.pending.len() > MOST_UNREAD {
            (self.input, self.pending) = (None, Vec::new());
        }
    }

    /// Writes as much of the standard input as fits.
    pub(in crate::sandbox) fn feed(&mut self) {
        let Some(input) = &mut self.input else { return };
        match input.write(&self.pending[self.written..]) {
            Ok(length) => self.written += length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            // The job does not want to read it.
            Err(_) => {
                self.input = None;
                return;
            }
        }
        if self.written == self.pending.len() && !self.talks {
            self.input = None;
        }
    }
}

/// The ends of the pipes that the job gets.
pub(in crate::sandbox) struct Ends {
    pub(in crate::sandbox) input: OwnedFd,
    pub(in crate::sandbox) out: OwnedFd,
    pub(in crate::sandbox) err: OwnedFd,
}

/// Where a job runs.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Within<'a> {
    /// The root to change to, where process 1 has not done so itself.
    pub(in crate::sandbox) root: Option<&'a Path>,
    /// The image's systemd, whose namespaces to enter.
    pub(super) system: Option<&'a System>,
}

impl Within<'_> {
    /// Where this process is.
    pub(in crate::sandbox) const HERE: Self = Self { root: None, system: None };
}

/// Starts a program of the image, on a terminal if one is named.
pub(in crate::sandbox) fn command(
    argv: &[String],
    environment: &BTreeMap<String, String>,
    directory: &str,
    input: Vec<u8>,
    terminal: Option<&Path>,
    within: Within<'_>,
) -> io::Result<Running> {
    let program = argv.first().ok_or_else(|| io::Error::other("there is no program to run"))?;
    let arguments: Vec<CString> = argv.iter().map(|text| CString::new(text.as_str())).collect::<Result<_, _>>()?;
    let variables = environment.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
    let variables: Vec<CString> = variables.collect::<Result<_, _>>()?;
    start(input, false, within, |ends| {
        let ends = super::terminal::join(ends, terminal);
        let error = execute(program, &arguments, &variables, environment, directory, &ends);
        let _ = writeln!(File::from(ends.err), "{error}");
        127
    })
}

/// Calls a function of this program. Its standard input stays open for what [`Running::hear`] is given.
pub(in crate::sandbox) fn builtin(handler: Builtin, payload: &[u8], within: Within<'_>) -> io::Result<Running> {
    start(Vec::new(), true, within, |Ends { input, out, err }| {
        let _ = dup2_stdin(&input);
        // What it prints must not get between the lines that it sends.
        let _ = (dup2_stdout(&err), dup2_stderr(&err));
        drop((input, err));
        let _ = SigSet::all().thread_unblock();
        sys::close_all_but(Some(out.as_raw_fd()));
        let mut out = File::from(out);
        // Unwinding further would make this child a second process 1.
        catch_unwind(AssertUnwindSafe(|| handler(payload, &mut out))).unwrap_or(101)
    })
}

/// Forks the supervisor; `job` is what its child does, ending with the exit code returned.
fn start(input: Vec<u8>, talks: bool, within: Within<'_>, job: impl FnOnce(Ends) -> i32) -> io::Result<Running> {
    let (out, their_out) = pipe2(OFlag::O_CLOEXEC)?;
    let (err, their_err) = pipe2(OFlag::O_CLOEXEC)?;
    let (their_input, our_input) = if input.is_empty() && !talks {
        (OwnedFd::from(File::open("/dev/null")?), None)
    } else {
        let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
        (theirs, Some(ours))
    };
    // Only our ends: blocking is a property of an end, and jobs expect theirs to block.
    for end in [Some(&out), Some(&err), our_input.as_ref()].into_iter().flatten() {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let ends = Ends { input: their_input, out: their_out, err: their_err };
    // From the inner pid namespace our process 1 has no number.
    let first = if within.system.is_some() { Pid::from_raw(0) } else { nix::unistd::getpid() };
    match within.system.map_or_else(sys::fork, System::fork)? {
        ForkResult::Child => supervise(ends, first, within, job),
        ForkResult::Parent { child } => Ok(Running {
            supervisor: child,
            out: Some(File::from(out)),
            err: Some(File::from(err)),
            input: our_input.map(File::from),
            talks,
            pending: input,
            written: 0,
        }),
    }
}

/// Starts the job, inherits what it orphans, and ends as it ends.
fn supervise(ends: Ends, first: Pid, within: Within<'_>, job: impl FnOnce(Ends) -> i32) -> ! {
    die_with(Some(first));
    let me = nix::unistd::getpid();
    let joined = within.system.map_or(Ok(()), System::join);
    // A change of identity may take it back.
    die_with(Some(first));
    let forked = joined.and_then(|()| Ok(prctl::set_child_subreaper(true).and_then(|()| sys::fork())?));
    match forked {
        Ok(ForkResult::Child) => {
            die_with(Some(me));
            let _ = nix::unistd::setsid();
            // Out of memory, the machine shall choose a job and not its own services, nor ours.
            let _ = std::fs::write("/proc/self/oom_score_adj", CHOSEN_FIRST);
            if let Some(root) = within.root
                && let Err(errno) = nix::unistd::chroot(root).and_then(|()| nix::unistd::chdir("/"))
            {
                let _ = writeln!(File::from(ends.err), "the job could not enter {}: {errno}", root.display());
                sys::leave(126);
            }
            sys::leave(job(ends))
        }
        Ok(ForkResult::Parent { child }) => {
            sys::close_everything();
            while let Some((pid, exit)) = sys::reap(true) {
                if pid == child {
                    sys::leave_like(exit);
                }
            }
            sys::leave(126)
        }
        Err(error) => {
            let _ = writeln!(File::from(ends.err), "the job could not be started: {error}");
            sys::leave(126)
        }
    }
}

/// Becomes the program; returns only why that failed.
fn execute(
    program: &str,
    arguments: &[CString],
    variables: &[CString],
    environment: &BTreeMap<String, String>,
    directory: &str,
    ends: &Ends,
) -> String {
    if let Err(errno) = nix::unistd::chdir(directory) {
        return format!("cannot run {program} in {directory}: {}", errno.desc());
    }
    let Some(path) = locate(program, environment) else {
        return format!("cannot run {program}: there is no such program in the image");
    };
    let Ok(path_text) = sys::c_path(&path) else { return format!("cannot run {program}: its path is not valid") };
    let streams = dup2_stdin(&ends.input).and(dup2_stdout(&ends.out)).and(dup2_stderr(&ends.err));
    if let Err(errno) = streams {
        return format!("cannot run {program}: {}", errno.desc());
    }
    sys::default_signals();
    // Everything else is close-on-exec.
    match nix::unistd::execve(&path_text, arguments, variables) {
        Ok(never) => match never {},
        Err(errno) => format!("cannot run {}: {}", path.display(), errno.desc()),
    }
}

/// Looks a program up in the job's own PATH, as a shell would.
fn locate(program: &str, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let executable = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let path = environment.get("PATH").map_or("/usr/bin:/bin", String::as_str);
    path.split(':').map(|folder| Path::new(folder).join(program)).find(executable)
}
