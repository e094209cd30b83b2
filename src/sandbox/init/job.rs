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

/// A job that runs, seen from process 1.
pub(super) struct Running {
    /// The process that ends as the job ends.
    pub(super) supervisor: Pid,
    pub(super) out: Option<File>,
    pub(super) err: Option<File>,
    /// Where its standard input is written to, until all is written.
    pub(super) input: Option<File>,
    pending: Vec<u8>,
    written: usize,
}

impl Running {
    /// Writes as much of the standard input as fits.
    pub(super) fn feed(&mut self) {
        let Some(input) = &mut self.input else { return };
        match input.write(&self.pending[self.written..]) {
            Ok(length) => self.written += length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            // The job does not want to read it.
            Err(_) => self.written = self.pending.len(),
        }
        if self.written == self.pending.len() {
            self.input = None;
        }
    }
}

/// The ends of the pipes that the job gets.
struct Ends {
    input: OwnedFd,
    out: OwnedFd,
    err: OwnedFd,
}

/// Starts a program of the image.
pub(super) fn command(
    argv: &[String],
    environment: &BTreeMap<String, String>,
    directory: &str,
    input: Vec<u8>,
    system: Option<&System>,
) -> io::Result<Running> {
    let program = argv.first().ok_or_else(|| io::Error::other("there is no program to run"))?;
    let arguments: Vec<CString> = argv.iter().map(|text| CString::new(text.as_str())).collect::<Result<_, _>>()?;
    let variables = environment.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
    let variables: Vec<CString> = variables.collect::<Result<_, _>>()?;
    start(input, system, |ends| {
        let error = execute(program, &arguments, &variables, environment, directory, &ends);
        let _ = writeln!(File::from(ends.err), "{error}");
        127
    })
}

/// Calls a function of this program.
pub(super) fn builtin(handler: Builtin, payload: &[u8], system: Option<&System>) -> io::Result<Running> {
    start(Vec::new(), system, |Ends { input, out, err }| {
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
fn start(input: Vec<u8>, system: Option<&System>, job: impl FnOnce(Ends) -> i32) -> io::Result<Running> {
    let (out, their_out) = pipe2(OFlag::O_CLOEXEC)?;
    let (err, their_err) = pipe2(OFlag::O_CLOEXEC)?;
    let (their_input, our_input) = if input.is_empty() {
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
    match system.map_or_else(sys::fork, System::fork)? {
        ForkResult::Child => supervise(ends, system, job),
        ForkResult::Parent { child } => Ok(Running {
            supervisor: child,
            out: Some(File::from(out)),
            err: Some(File::from(err)),
            input: our_input.map(File::from),
            pending: input,
            written: 0,
        }),
    }
}

/// Starts the job, inherits what it orphans, and ends as it ends.
fn supervise(ends: Ends, system: Option<&System>, job: impl FnOnce(Ends) -> i32) -> ! {
    // From the inner pid namespace our process 1 has no number.
    die_with(Some(Pid::from_raw(i32::from(system.is_none()))));
    let me = nix::unistd::getpid();
    let joined = system.map_or(Ok(()), System::join);
    let forked = joined.and_then(|()| Ok(prctl::set_child_subreaper(true).and_then(|()| sys::fork())?));
    match forked {
        Ok(ForkResult::Child) => {
            die_with(Some(me));
            let _ = nix::unistd::setsid();
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
