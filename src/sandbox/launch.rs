//! The parent's half of a start: from a fresh process to an init that is ready for jobs.

use super::instance::Outbound;
use super::lines::Splitter;
use super::mode::Mode;
use super::spawn;
use super::sys;
use super::wire::{self, Failure, Operation, Reply, Request, Setup, Walls};
use super::{BOOT_LIMIT, Exit, Line, SandboxError};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a step of the start may take; milliseconds are usual.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long to wait for the end of killed namespaces; processes in uninterruptible sleep can delay it.
const BURIAL: Duration = Duration::from_secs(20);

/// The processes behind an instance that a killer aims at.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// Set by a kill from outside; nothing may be started any more.
    closed: bool,
    /// The process we have started, outside of the namespaces. It ends after process 1.
    outer: Option<OwnedFd>,
    /// Process 1 inside.
    first: Option<OwnedFd>,
}

/// Shared by an instance and its killers.
pub(super) type SharedTarget = Arc<Mutex<Target>>;

/// A running init.
#[derive(Debug)]
pub(super) struct Chain {
    socket: UnixStream,
    /// Process 1 of the instance as the host numbers it.
    pub(super) pid: Pid,
    pub(super) notes: Vec<String>,
    /// Whether the image's own systemd is process 1 of what jobs see.
    pub(super) system: bool,
    /// The way out of a network of its own.
    pub(super) outbound: Option<Outbound>,
    child: Child,
    target: SharedTarget,
}

/// What became of an init that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The machine wants to start again.
    Restart,
    /// It was switched off from inside.
    Off,
    /// It was killed, or broke down.
    Gone,
}

/// Why something was not done to its end.
#[derive(Debug)]
pub(super) enum Interruption {
    /// The init has ended; whether the job had begun by then.
    Ended { begun: bool },
    /// Anything else.
    Failed(SandboxError),
}

/// Why a start failed: the init said so, or the parent's side did not work.
#[derive(Debug)]
pub(super) enum LaunchError {
    Failed(Failure),
    Other(SandboxError),
}

impl LaunchError {
    /// Whether the machine has refused something that another mode does without.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Failed(failure) => failure.is_refusal(),
            Self::Other(error) => matches!(error, SandboxError::Unavailable { .. }),
        }
    }
}

impl From<SandboxError> for LaunchError {
    fn from(error: SandboxError) -> Self {
        Self::Other(error)
    }
}

impl From<LaunchError> for SandboxError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Failed(failure) => Self::Start { step: failure.what, reason: failure.reason },
            LaunchError::Other(error) => error,
        }
    }
}

impl From<Interruption> for SandboxError {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::Ended { .. } => Self::Gone,
            Interruption::Failed(error) => error,
        }
    }
}

/// A child whose end we see to, whatever happens on the way.
struct Newborn {
    child: Option<Child>,
    target: SharedTarget,
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&self.target, &mut child);
        }
    }
}

/// Puts limits on the outer process and process 1; returns what the user should know.
pub(super) type Limit<'a> = &'a mut dyn FnMut(Pid, Pid) -> Result<Vec<String>, SandboxError>;

/// Starts an init for `setup` and waits until it is ready for jobs. `limit` is called when process 1 is there and before
/// anything of the image runs.
pub(super) fn launch(
    mode: &Mode,
    setup: Setup,
    body: &[u8],
    target: &SharedTarget,
    limit: Limit<'_>,
) -> Result<Chain, LaunchError> {
    let with_system = matches!(&setup, Setup::Instance(instance) if instance.system);
    let (mut newborn, mut socket) = begin(mode, setup, body, target)?;
    let Reply::Started { pid } = hear(&mut socket)? else { return Err(unexpected("instead of its number")) };
    let pid = Pid::from_raw(pid);
    let first = sys::pidfd_open(pid).map_err(start_error("take hold of process 1"))?;
    lock(target).first = Some(first);
    let Some(outer) = newborn.child.as_ref().map(outer_of) else { return Err(SandboxError::Gone.into()) };
    // Without namespaces the root is a copy, whose making is nothing of the instance's own; and no job has run by the end
    // of it. Everywhere else what is started must be within the limits from its first process on.
    let late = mode.walls() == Walls::None;
    let mut limited = if late { Vec::new() } else { limit(outer, pid)? };
    tell(&mut socket, &Request::Go, &[])?;
    if with_system {
        let patience = Some(BOOT_LIMIT + PATIENCE);
        socket.set_read_timeout(patience).map_err(start_error("set up the socket"))?;
    }
    let Reply::Up { mut notes, system } = hear(&mut socket)? else { return Err(unexpected("instead of being ready")) };
    if late {
        limited = limit(outer, pid)?;
    }
    notes.extend(limited);
    // Jobs may be silent for as long as they like.
    socket.set_read_timeout(None).map_err(start_error("set up the socket"))?;
    if lock(target).closed {
        return Err(SandboxError::Gone.into());
    }
    let Some(child) = newborn.child.take() else { return Err(SandboxError::Gone.into()) };
    Ok(Chain { socket, pid, notes, system, outbound: None, child, target: Arc::clone(target) })
}

fn outer_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Has a single operation done inside a user namespace.
pub(super) fn operate(mode: &Mode, operation: Operation) -> Result<(), SandboxError> {
    perform(mode, operation).map(drop)
}

/// The same for an operation that has something to say; `what` is that, for messages.
pub(super) fn ask<T: DeserializeOwned>(mode: &Mode, operation: Operation, what: &str) -> Result<T, SandboxError> {
    let answer = perform(mode, operation)?;
    serde_json::from_slice(&answer).map_err(|error| SandboxError::Protocol(format!("{what}: {error}")))
}

fn perform(mode: &Mode, operation: Operation) -> Result<Vec<u8>, SandboxError> {
    let target = SharedTarget::default();
    let (_newborn, mut socket) = begin(mode, Setup::Operation(operation), &[], &target)?;
    socket.set_read_timeout(None).map_err(start_error("set up the socket"))?;
    match wire::receive::<Reply>(&mut socket) {
        Ok(Some((Reply::Done(_), answer))) => Ok(answer),
        Ok(Some((Reply::Failed(failure), _))) => Err(LaunchError::Failed(failure).into()),
        Ok(Some((other, _))) => Err(unexpected(&format!("instead of being done: {other:?}")).into()),
        Ok(None) => Err(start_error("work on files in the user namespace")(io::Error::other("it was ended"))),
        Err(error) => Err(start_error("listen to the init")(error)),
    }
}

fn begin(mode: &Mode, setup: Setup, body: &[u8], target: &SharedTarget) -> Result<(Newborn, UnixStream), LaunchError> {
    let (child, mut socket) = spawn::spawn().map_err(start_error("start a copy of this program"))?;
    let outer = outer_of(&child);
    let newborn = Newborn { child: Some(child), target: Arc::clone(target) };
    {
        let mut target = lock(target);
        // The child is ours and not yet waited for: its number cannot have been given to another process.
        target.outer = Some(sys::pidfd_open(outer).map_err(start_error("take hold of the new process"))?);
        target.first = None;
        if target.closed {
            return Err(SandboxError::Gone.into());
        }
    }
    socket.set_read_timeout(Some(PATIENCE)).map_err(start_error("set up the socket"))?;
    tell(&mut socket, &Request::Begin(setup, mode.walls()), body)?;
    let Reply::Unshared = hear(&mut socket)? else { return Err(unexpected("instead of its namespaces")) };
    mode.write_maps(outer)?;
    tell(&mut socket, &Request::Mapped, &[])?;
    Ok((newborn, socket))
}

fn tell(socket: &mut UnixStream, request: &Request, body: &[u8]) -> Result<(), LaunchError> {
    match wire::send(socket, request, body) {
        Ok(()) => Ok(()),
        // It has ended. Why, it may have said before.
        Err(error) => match wire::receive::<Reply>(socket) {
            Ok(Some((Reply::Failed(failure), _))) => Err(LaunchError::Failed(failure)),
            _ => Err(start_error("speak to the init")(error).into()),
        },
    }
}

fn hear(socket: &mut UnixStream) -> Result<Reply, LaunchError> {
    match wire::receive::<Reply>(socket) {
        Ok(Some((Reply::Failed(failure), _))) => Err(LaunchError::Failed(failure)),
        Ok(Some((reply, _))) => Ok(reply),
        Ok(None) => Err(SandboxError::Start {
            step: "listen to the init".into(),
            reason: "it ended without a word (does the program call sandbox::init::main first?)".into(),
        }
        .into()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SandboxError::Start {
            step: "listen to the init".into(),
            reason: format!("no answer within {} seconds", PATIENCE.as_secs()),
        }
        .into()),
        Err(error) => Err(start_error("listen to the init")(error).into()),
    }
}

fn unexpected(what: &str) -> LaunchError {
    SandboxError::Protocol(what.to_owned()).into()
}

fn start_error(step: &str) -> impl FnOnce(io::Error) -> SandboxError {
    let step = step.to_owned();
    move |error| SandboxError::Start { step, reason: error.to_string() }
}

impl Chain {
    /// Has the init do something and hands on the output as it comes; blocks until it is done. What `on_line` returns
    /// goes to the standard input of a builtin job.
    pub(super) fn perform(
        &mut self,
        request: &Request,
        body: &[u8],
        on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>,
    ) -> Result<Exit, Interruption> {
        let mut begun = false;
        // Whatever goes wrong with the socket, the init at its other end is no more.
        wire::send(&mut self.socket, request, body).map_err(|_| Interruption::Ended { begun })?;
        let protocol = |what: String| Interruption::Failed(SandboxError::Protocol(what));
        let builtin = matches!(request, Request::Builtin { .. });
        let mut out = if builtin { Splitter::of_messages() } else { Splitter::default() };
        let mut err = Splitter::default();
        let mut outbox = Outbox::default();
        let done = loop {
            // What has been said before the end is still there to be read.
            let _ = outbox.send_until_readable(&self.socket);
            let mut tell = |line| outbox.answer(on_line(line));
            match wire::receive::<Reply>(&mut self.socket) {
                Ok(Some((Reply::Begun, _))) => begun = true,
                Ok(Some((Reply::Out, bytes))) => out.feed(&bytes, &mut |text| tell(Line::Out(text))),
                Ok(Some((Reply::Err, bytes))) => err.feed(&bytes, &mut |text| tell(Line::Err(text))),
                Ok(Some((Reply::Done(exit), _))) => break Some(exit),
                Ok(Some((other, _))) => return Err(protocol(format!("{other:?} during a job"))),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(protocol(error.to_string())),
                Ok(None) | Err(_) => break None,
            }
        };
        out.finish(&mut |text| outbox.answer(on_line(Line::Out(text))));
        err.finish(&mut |text| outbox.answer(on_line(Line::Err(text))));
        let exit = done.ok_or(Interruption::Ended { begun })?;
        // Half a message would be the beginning of the next one; the init drops what has no job.
        // Should it be gone, the next one is told so; this job has ended.
        let _ = self.socket.write_all(&outbox.bytes[outbox.sent..]);
        Ok(exit)
    }

    /// The process outside of the namespaces, which has moved to their root.
    pub(super) fn outer(&self) -> Pid {
        outer_of(&self.child)
    }

    /// What became of it; to be asked when the socket was found closed.
    pub(super) fn fate(&mut self) -> Fate {
        if let Some(outer) = self.watched() {
            await_end(&outer, Some(BURIAL));
        }
        match self.child.try_wait() {
            Ok(Some(status)) if status.code() == Some(wire::RESTART) => Fate::Restart,
            Ok(Some(status)) if status.code() == Some(wire::OFF) => Fate::Off,
            _ => Fate::Gone,
        }
    }

    /// Has the image's systemd stop everything in an orderly way, within `patience`. Nothing happens without one.
    pub(super) fn go_down(&mut self, restart: bool, patience: Duration) {
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        if !self.system || wire::send(&mut self.socket, &Request::GoDown { restart, patience_ms }, &[]).is_err() {
            return;
        }
        if let Some(outer) = self.watched() {
            await_end(&outer, Some(patience + BURIAL));
        }
    }

    /// Something whose end can be waited for with [`await_end`] by another thread.
    pub(super) fn watched(&self) -> Option<OwnedFd> {
        lock(&self.target).outer.as_ref()?.try_clone().ok()
    }

    /// Kills everything and returns when nothing of it is left.
    pub(super) fn end(mut self) {
        end(&self.target, &mut self.child);
    }
}

/// Answers on their way to a job. They are written only as far as the socket takes them: the init may be waiting for us
/// to read what the job says, and if we waited for it to read, neither would ever go on.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    fn answer(&mut self, answer: Option<Vec<u8>>) {
        let Some(answer) = answer else { return };
        self.bytes.drain(..self.sent);
        self.sent = 0;
        // Writing to memory fails only for a message beyond all limits, which the job then waits for in vain.
        let _ = wire::send(&mut self.bytes, &Request::Answer, &answer);
    }

    /// Sends what there is, until the init has something to say.
    fn send_until_readable(&mut self, socket: &UnixStream) -> nix::Result<()> {
        while self.sent < self.bytes.len() {
            let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN | PollFlags::POLLOUT)];
            match poll(&mut fds, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => drop(other?),
            }
            let ready = fds[0].revents().unwrap_or(PollFlags::empty());
            if ready.contains(PollFlags::POLLOUT) {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                match send(socket.as_raw_fd(), &self.bytes[self.sent..], flags) {
                    Ok(length) => self.sent += length,
                    Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            if ready.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
                return Ok(());
            }
        }
        (self.bytes, self.sent) = (Vec::new(), 0);
        Ok(())
    }
}

fn end(target: &SharedTarget, child: &mut Child) {
    kill(target);
    // Without pidfds nothing was aimed at; the child itself is always ours to kill.
    let _ = child.kill();
    let _ = child.wait();
    let mut target = lock(target);
    target.first = None;
    target.outer = None;
}

/// Kills process 1, and with it everything in its pid namespace; returns when all of it has ended.
fn kill(target: &SharedTarget) {
    let target = lock(target);
    match (&target.first, &target.outer) {
        // Process 1 ends last in its namespace, the outer process waits for process 1: its end is the end of all.
        (Some(first), Some(outer)) => {
            let _ = sys::pidfd_kill(first);
            await_end(outer, Some(BURIAL));
        }
        (None, Some(outer)) => {
            let _ = sys::pidfd_kill(outer);
            await_end(outer, Some(BURIAL));
        }
        _ => {}
    }
}

/// As [`kill`], for good: whatever is being started at this moment is not finished.
pub(super) fn close(target: &SharedTarget) {
    lock(target).closed = true;
    kill(target);
}

/// Waits for the end of a process; without `patience` for as long as it takes.
pub(super) fn await_end(pidfd: &OwnedFd, patience: Option<Duration>) {
    let timeout =
        patience.map_or(PollTimeout::NONE, |patience| PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX));
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    while poll(&mut fds, timeout) == Err(nix::errno::Errno::EINTR) {}
}

fn lock(target: &SharedTarget) -> std::sync::MutexGuard<'_, Target> {
    target.lock().unwrap_or_else(PoisonError::into_inner)
}
