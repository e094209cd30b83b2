//! The namespaces inside of ours in which the image's systemd and all jobs are, and processes of ours in some of them.

use super::system::Start;
use super::{lock, mounts};
use crate::sandbox::sys;
use crate::sandbox::wire::{self, Failure, Step};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, pipe2};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long the root may take to be mounted; milliseconds are usual.
const MOUNTING: Duration = Duration::from_mins(1);

/// How long one try of [`Inner::insist`] may take, and how many there are.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: usize = 3;

/// How often a child is woken up that a job may have stopped, in milliseconds.
const WAKE: u16 = 10;

/// The inner namespaces, seen from our process 1.
#[derive(Debug)]
pub(super) struct Inner {
    /// Their process 1.
    pub(super) pidfd: OwnedFd,
    /// Our own pid namespace, to come back from the inner one.
    pub(super) own: File,
    /// Whether they have a network of their own.
    pub(super) own_network: bool,
}

impl Inner {
    /// Forks a process into the pid namespace.
    pub(super) fn fork(&self) -> nix::Result<ForkResult> {
        setns(&self.pidfd, CloneFlags::CLONE_NEWPID)?;
        let forked = sys::fork();
        if !matches!(forked, Ok(ForkResult::Child)) {
            // The next one decides for itself.
            setns(&self.own, CloneFlags::CLONE_NEWPID)?;
        }
        forked
    }

    /// Has a process in the pid namespace find something out within `patience`.
    pub(super) fn have<T: Serialize + DeserializeOwned>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> T,
    ) -> io::Result<T> {
        let (answer, theirs) = pipe2(OFlag::O_CLOEXEC)?;
        match self.fork()? {
            ForkResult::Child => {
                let _ = wire::send(&mut File::from(theirs), &work(), &[]);
                sys::leave(0)
            }
            ForkResult::Parent { child } => {
                drop(theirs);
                let deadline = Instant::now() + patience;
                let said = hear(child, &mut File::from(answer), deadline);
                await_end(child, deadline);
                let said = said?;
                Ok(wire::receive::<T>(&mut said.as_slice())?.ok_or(io::ErrorKind::UnexpectedEof)?.0)
            }
        }
    }

    /// Has something done by a process in the pid namespace, whatever the others there do to it; false if it could not be.
    /// A job may kill or stop all that it sees, and fork faster than anyone can look. So after the first time all of them
    /// stand still meanwhile, systemd too: nobody inside can do anything about a signal from here.
    pub(super) fn insist(&self, work: impl Fn()) -> bool {
        let all = Pid::from_raw(-1);
        (0..TRIES).any(|number| {
            if number > 0 {
                // We are process 1 of the outer pid namespace, and exempt.
                let _ = kill(all, Signal::SIGSTOP);
            }
            let done = match self.fork() {
                Ok(ForkResult::Child) => {
                    work();
                    sys::leave(0)
                }
                Ok(ForkResult::Parent { child }) => await_end(child, Instant::now() + PATIENCE),
                Err(_) => false,
            };
            if number > 0 {
                let _ = kill(all, Signal::SIGCONT);
            }
            done
        })
    }

    /// Makes the root of the instance, ours as well; returns notes. Who mounts /proc and the control groups must be in the
    /// namespaces that they show, and in the outer user namespace for the mounts to be locked later.
    pub(super) fn mount(&self, start: &Start<'_>) -> Result<Vec<String>, Failure> {
        let Start { setup, walls, body, .. } = *start;
        let made = self.have(MOUNTING, || {
            setns(&self.pidfd, CloneFlags::CLONE_NEWCGROUP)
                .map_err(Failure::os(Step::Group, "enter the control groups of the instance"))?;
            mounts::instance(setup, walls, body, mounts::Groups::Own)
        });
        let failure = match made.map_err(Failure::io(Step::Other, "mount the root of the instance")) {
            Ok(Ok(notes)) => return Ok(notes),
            Ok(Err(failure)) | Err(failure) => failure,
        };
        let _ = sys::pidfd_kill(&self.pidfd);
        while sys::reap(true).is_some() {}
        if failure.step == Step::Group {
            mounts::undo(setup);
        }
        Err(failure)
    }

    /// The namespaces that a job enters beside that of process numbers.
    pub(super) fn jobs(&self) -> CloneFlags {
        let all = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWCGROUP;
        all | lock::beside(self.own_network)
    }
}

/// What a child writes until it closes its end. Should it have been stopped, it is woken up.
fn hear(child: Pid, answer: &mut File, deadline: Instant) -> io::Result<Vec<u8>> {
    let (mut said, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let mut fds = [PollFd::new(answer.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, WAKE) == Ok(0) {
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let _ = kill(child, Signal::SIGCONT);
            continue;
        }
        match answer.read(&mut buffer)? {
            0 => return Ok(said),
            length => said.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Takes a child off the list when it has ended, and ends it when it has not by then; true if it came to its own end.
fn await_end(child: Pid, deadline: Instant) -> bool {
    // It is ours and not yet off the list: its number is no other's.
    if let Ok(pidfd) = sys::pidfd_open(child) {
        while Instant::now() < deadline {
            let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, WAKE).is_ok_and(|count| count > 0) {
                break;
            }
            let _ = kill(child, Signal::SIGCONT);
        }
    }
    match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) => {
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
            false
        }
        ended => matches!(ended, Ok(WaitStatus::Exited(_, 0))),
    }
}
