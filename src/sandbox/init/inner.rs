//! The namespaces inside of ours in which the image's systemd and all jobs are, and processes of ours in some of them.

use super::system::Start;
use super::{lock, mounts};
use crate::sandbox::sys;
use crate::sandbox::wire::{self, Failure, Step};
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, pipe2};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

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

    /// Has a process in the pid namespace find something out.
    pub(super) fn have<T: Serialize + DeserializeOwned>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let (answer, theirs) = pipe2(OFlag::O_CLOEXEC)?;
        match self.fork()? {
            ForkResult::Child => {
                let _ = wire::send(&mut File::from(theirs), &work(), &[]);
                sys::leave(0)
            }
            ForkResult::Parent { child } => {
                drop(theirs);
                let said = wire::receive::<T>(&mut File::from(answer));
                let _ = waitpid(child, None);
                Ok(said?.ok_or(io::ErrorKind::UnexpectedEof)?.0)
            }
        }
    }

    /// Makes the root of the instance, ours as well; returns notes. Who mounts /proc and the control groups must be in the
    /// namespaces that they show, and in the outer user namespace for the mounts to be locked later.
    pub(super) fn mount(&self, start: &Start<'_>) -> Result<Vec<String>, Failure> {
        let Start { setup, walls, body, .. } = *start;
        let made = self.have(|| {
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
