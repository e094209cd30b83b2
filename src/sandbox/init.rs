//! The child's half of an instance: this program executed again, first outside of its namespaces, then as process 1.
//!
//! ```text
//! amiforge ──spawn──► outer: unshare, wait for the maps ──fork──► process 1: mounts, pivot_root, jobs
//!                                                                    └─► supervisor of a job ──► the job
//! ```
//!
//! Every process of the chain asks the kernel to be killed with its parent, and process 1 takes all others with it.
//! The image's files are never executed before a job asks for it: our own code is already in memory, so neither the
//! C library nor the shell of the image matters.

use super::Exit;
use super::spawn::{ARGUMENT, PARENT};
use super::sys;
use super::wire::{self, Failure, Operation, Reply, Request, Setup, Step};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, Gid, Pid, Uid};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

mod descendants;
mod inject;
mod job;
mod mounts;
mod serve;

/// Called for [`Job::Builtin`](super::Job::Builtin) with the payload; what it writes arrives as lines; returns the exit code.
pub type Builtin = fn(&[u8], &mut dyn Write) -> i32;

/// To be called first thing in `main`: when this process is the init of a sandbox it does that work and returns the
/// exit code to end with; in every other process it returns `None` at once.
pub fn main(builtin: Builtin) -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    let parent = arguments.next().and_then(|text| text.to_str()?.strip_prefix(PARENT)?.parse().ok()).map(Pid::from_raw);
    Some(run(parent, builtin))
}

fn run(parent: Option<Pid>, builtin: Builtin) -> i32 {
    die_with(parent);
    // Nothing is inherited but the socket, which is the standard input.
    sys::close_all_but(None);
    umask(Mode::from_bits_truncate(0o022));
    let Ok(mut socket) = take_socket() else { return 2 };
    match prepare(&mut socket, parent) {
        Ok((Setup::Operation(operation), _)) => operate(&mut socket, &operation),
        Ok((setup, body)) => first_process(socket, setup, &body, builtin),
        Err(failure) => fail(&mut socket, failure),
    }
}

fn fail(socket: &mut UnixStream, failure: Failure) -> i32 {
    // Should the parent be gone too, nobody is left to tell.
    let _ = wire::send(socket, &Reply::Failed(failure), &[]);
    1
}

/// Asks to be killed with the parent, and ends at once if that is already gone.
fn die_with(parent: Option<Pid>) {
    let asked = prctl::set_pdeathsig(Signal::SIGKILL);
    if asked.is_err() || parent != Some(nix::unistd::getppid()) {
        sys::leave(1);
    }
}

/// Moves the socket off the standard input, so that no job gets hold of it.
fn take_socket() -> io::Result<UnixStream> {
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

/// Hears what to become, makes the namespaces and becomes root in them.
fn prepare(socket: &mut UnixStream, parent: Option<Pid>) -> Result<(Setup, Vec<u8>), Failure> {
    let (setup, body) = match hear(socket)? {
        (Request::Begin(setup), body) => (setup, body),
        (other, _) => return Err(Failure::other("begin", format!("{other:?}"))),
    };
    unshare(namespaces(&setup)).map_err(Failure::os(Step::Unshare, "make namespaces"))?;
    tell(socket, &Reply::Unshared)?;
    let (Request::Mapped, _) = hear(socket)? else { return Err(Failure::other("map ids", "not told so")) };
    become_root().map_err(Failure::os(Step::Identity, "become root in the user namespace"))?;
    // A change of identity takes both back: the wish to die with the parent, and the right of our own user to look
    // into this process (/proc/PID/root).
    die_with(parent);
    prctl::set_dumpable(true).map_err(Failure::os(Step::Identity, "stay readable for the own user"))?;
    Ok((setup, body))
}

fn namespaces(setup: &Setup) -> CloneFlags {
    let processes = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    match setup {
        Setup::Operation(_) => CloneFlags::CLONE_NEWUSER,
        Setup::Workshop => processes | CloneFlags::CLONE_NEWIPC,
        Setup::Instance(instance) => {
            let all = processes | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
            if instance.loopback_only { all | CloneFlags::CLONE_NEWNET } else { all }
        }
    }
}

fn become_root() -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    nix::unistd::setresgid(gid, gid, gid)?;
    nix::unistd::setgroups(&[])?;
    nix::unistd::setresuid(uid, uid, uid)
}

fn operate(socket: &mut UnixStream, operation: &Operation) -> i32 {
    // What there is to say, as JSON.
    let json =
        |text: serde_json::Result<Vec<u8>>| text.map_err(|error| super::SandboxError::Protocol(error.to_string()));
    let result = match operation {
        Operation::Remove { path } => super::tree::remove(path).map(|()| Vec::new()),
        Operation::Capture { upper, destination, drop } => {
            super::tree::capture(upper, destination, drop).map(|()| Vec::new())
        }
        Operation::Finish { root, sources } => super::root::finish(root, sources).map(|()| Vec::new()),
        Operation::Unpack { order } => json(serde_json::to_vec(&super::root::unpack_here(order))),
        Operation::Survey { root } => super::root::survey_here(root).and_then(|found| json(serde_json::to_vec(&found))),
    };
    match result {
        Ok(answer) => i32::from(wire::send(socket, &Reply::Done(Exit::Code(0)), &answer).is_err()),
        Err(error) => fail(socket, Failure::other("work on files in the user namespace", error.to_string())),
    }
}

/// Forks process 1 of the new pid namespace and waits for its end.
fn first_process(mut socket: UnixStream, setup: Setup, body: &[u8], builtin: Builtin) -> i32 {
    let step = "start process 1";
    let pipe = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Failure::os(Step::Other, step));
    let forked = pipe.and_then(|pipe| Ok((pipe, sys::fork().map_err(Failure::os(Step::Other, step))?)));
    match forked {
        Err(failure) => fail(&mut socket, failure),
        Ok(((watched, held), ForkResult::Parent { child })) => {
            drop(watched);
            let told = tell(&mut socket, &Reply::Started { pid: child.as_raw() });
            // Our copy of the socket would keep the parent from noticing the end of process 1.
            drop(socket);
            if told.is_ok() {
                wait_for(child);
            }
            drop(held);
            0
        }
        Ok(((watched, held), ForkResult::Child)) => {
            drop(held);
            if prctl::set_pdeathsig(Signal::SIGKILL).is_err() || has_hung_up(&watched) {
                sys::leave(1);
            }
            let code =
                be_first(&mut socket, setup, body, builtin).map_or_else(|failure| fail(&mut socket, failure), |()| 0);
            sys::leave(code)
        }
    }
}

fn wait_for(child: Pid) {
    while let Some((pid, _)) = sys::reap(true) {
        if pid == child {
            return;
        }
    }
}

/// The parent of process 1 is in another pid namespace and cannot be asked for; the pipe it holds tells.
fn has_hung_up(pipe: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO) != Ok(0)
}

fn be_first(socket: &mut UnixStream, setup: Setup, body: &[u8], builtin: Builtin) -> Result<(), Failure> {
    let (Request::Go, _) = hear(socket)? else { return Err(Failure::other("go on", "not told so")) };
    let notes = match setup {
        Setup::Instance(setup) => mounts::instance(&setup, body)?,
        _ => mounts::workshop()?,
    };
    serve::serve(socket, notes, builtin)
}

fn hear(socket: &mut UnixStream) -> Result<(Request, Vec<u8>), Failure> {
    match wire::receive(socket) {
        Ok(Some(message)) => Ok(message),
        // The parent is gone, and with it everyone who could read a failure.
        Ok(None) => sys::leave(1),
        Err(error) => Err(Failure::io(Step::Other, "listen to the parent")(error)),
    }
}

fn tell(socket: &mut UnixStream, reply: &Reply) -> Result<(), Failure> {
    wire::send(socket, reply, &[]).map_err(Failure::io(Step::Other, "speak to the parent"))
}
