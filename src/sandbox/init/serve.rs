//! Process 1: takes jobs from the socket, watches them, reaps what is orphaned.

use super::Builtin;
use super::descendants::{self, Namespace};
use super::job::{self, Running, Within};
use super::system::System;
use crate::sandbox::Exit;
use crate::sandbox::sys;
use crate::sandbox::wire::{self, Failure, Reply, Request, Step};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Gid, Pid, Uid};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes read from a job at once.
const CHUNK: usize = 16 * 1024;

/// Reads after the end of a job: what it had written is in the pipes, which hold at most a mebibyte. A daemon that
/// keeps writing must not keep us from saying that the job has ended.
const LAST_READS: usize = 64;

/// What process 1 holds.
pub(super) struct Init<'a> {
    socket: &'a mut UnixStream,
    signals: SignalFd,
    /// Output of daemons that earlier jobs have left behind: read and dropped, so that they do not block or die of it.
    lingering: Vec<File>,
    place: Place,
    /// What the outer process has said while no job was there to hear it.
    unsaid: Vec<String>,
    /// needs-restarting takes the time of boot from /proc/1, whose times are those of the first look at it for as long
    /// as someone holds it.
    _first: Option<File>,
    /// The image's own systemd, where it is process 1 of what jobs see.
    system: Option<System>,
}

/// Where jobs run, and who watches over it.
pub(super) struct Place {
    /// The root to change to, where process 1 has not done so itself.
    pub(super) root: Option<PathBuf>,
    /// What the outer process says: that a limit is exceeded.
    pub(super) alarm: OwnedFd,
}

/// Something that poll(2) has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Socket,
    Child,
    Out,
    Err,
    In,
    Lingering(usize),
    Alarm,
    Console,
}

/// Serves until the socket is closed, or the machine goes down; returns the code to end with.
pub(super) fn serve(
    socket: &mut UnixStream,
    notes: Vec<String>,
    builtin: Builtin,
    place: Place,
    system: Option<System>,
) -> Result<i32, Failure> {
    descendants::hold_proc();
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let step = "watch children";
    mask.thread_block().map_err(Failure::os(Step::Other, step))?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(Failure::os(Step::Other, step))?;
    super::tell(socket, &Reply::Up { notes, system: system.is_some() })?;
    let (lingering, unsaid, first) = (Vec::new(), Vec::new(), File::open("/proc/1").ok());
    let mut init = Init { socket, signals, lingering, place, unsaid, _first: first, system };
    init.listen(builtin).map_err(Failure::io(Step::Other, "serve jobs"))
}

impl Init<'_> {
    fn listen(&mut self, builtin: Builtin) -> io::Result<i32> {
        loop {
            for event in self.wait(None, None)? {
                match event {
                    Event::Socket => match wire::receive::<Request>(self.socket)? {
                        Some((request, body)) => {
                            if let Some(code) = self.answer(request, body, builtin)? {
                                return Ok(code);
                            }
                        }
                        None => return Ok(0),
                    },
                    Event::Child => drop(self.reap(None)),
                    Event::Lingering(at) => self.drop_output(at),
                    Event::Alarm => {
                        let text = self.heed()?;
                        self.unsaid.push(text);
                    }
                    Event::Console => self.read_console(),
                    Event::Out | Event::Err | Event::In => {}
                }
            }
            if let Some(code) = self.system.as_mut().and_then(System::ended) {
                return Ok(code);
            }
            self.lingering.retain(is_open);
        }
    }

    /// Does what is asked for; returns the code to end with when the machine went down instead or afterwards.
    fn answer(&mut self, request: Request, body: Vec<u8>, builtin: Builtin) -> io::Result<Option<i32>> {
        // What came when the machine was already down is for its next start.
        if let Some(code) = self.system.as_mut().and_then(System::ended) {
            return Ok(Some(code));
        }
        for text in std::mem::take(&mut self.unsaid) {
            let text = format!("amiforge: before this job, {text}: everything that ran was killed\n");
            wire::send(self.socket, &Reply::Err, text.as_bytes())?;
        }
        let within = Within { root: self.place.root.as_deref(), system: self.system.as_ref() };
        let (started, timeout) = match request {
            Request::Command { argv, environment, directory, timeout_ms } => {
                (job::command(&argv, &environment, &directory, body, None, within), timeout_ms)
            }
            Request::Terminal { argv, environment, directory, terminal } => {
                (job::command(&argv, &environment, &directory, body, Some(&terminal), within), None)
            }
            Request::Builtin { timeout_ms } => (job::builtin(builtin, &body, within), timeout_ms),
            Request::GoDown { restart, patience_ms } => return Ok(Some(self.go_down(restart, patience_ms))),
            Request::Prove => {
                let (code, said) =
                    prove(within.root).map_or_else(|error| (1, error.to_string()), |()| (0, String::new()));
                wire::send(self.socket, &Reply::Out, said.as_bytes())?;
                wire::send(self.socket, &Reply::Done(Exit::Code(code)), &[])?;
                return Ok(None);
            }
            // For a job that has ended in the meantime.
            Request::Answer => return Ok(None),
            Request::Begin(..) | Request::Mapped | Request::Go => {
                return Err(io::Error::new(ErrorKind::InvalidData, "an order out of turn"));
            }
        };
        wire::send(self.socket, &Reply::Begun, &[])?;
        let exit = match started {
            Ok(running) => self.attend(running, timeout.map(Duration::from_millis))?,
            Err(error) => {
                let text = format!("the job could not be started: {error}\n");
                wire::send(self.socket, &Reply::Err, text.as_bytes())?;
                Exit::Code(126)
            }
        };
        // `systemctl reboot` comes back before the machine goes down.
        if let Some(code) = self.system.as_mut().and_then(System::await_going_down) {
            return Ok(Some(code));
        }
        wire::send(self.socket, &Reply::Done(exit), &[])?;
        Ok(None)
    }

    fn go_down(&mut self, restart: bool, patience_ms: u64) -> i32 {
        match &mut self.system {
            Some(system) => system.go_down(restart, Duration::from_millis(patience_ms)),
            // Nothing would listen to a wish to stop.
            None if restart => wire::RESTART,
            None => wire::OFF,
        }
    }

    fn read_console(&mut self) {
        if let Some(system) = &mut self.system {
            system.console.read();
        }
    }

    /// Sees a job through to its end.
    fn attend(&mut self, mut job: Running, timeout: Option<Duration>) -> io::Result<Exit> {
        // A limit beyond what the clock can hold is no limit.
        let deadline = timeout.and_then(|limit| Instant::now().checked_add(limit));
        let exit = 'ended: loop {
            let mut ended = None;
            for event in self.wait(Some(&job), deadline)? {
                match event {
                    Event::Socket => match wire::receive::<Request>(self.socket)? {
                        Some((Request::Answer, body)) => job.hear(&body),
                        // One job at a time: everything else is the end of the parent.
                        _ => return Err(ErrorKind::UnexpectedEof.into()),
                    },
                    Event::Child => ended = self.reap(Some(job.supervisor)).or(ended),
                    Event::Out => forward(self.socket, &mut job.out, &Reply::Out)?,
                    Event::Err => forward(self.socket, &mut job.err, &Reply::Err)?,
                    Event::In => job.feed(),
                    Event::Lingering(at) => self.drop_output(at),
                    Event::Alarm => {
                        let text = self.heed()?;
                        let text = format!("amiforge: {text}: the job was killed\n");
                        wire::send(self.socket, &Reply::Err, text.as_bytes())?;
                        break 'ended Exit::Signal(Signal::SIGKILL as i32);
                    }
                    Event::Console => self.read_console(),
                }
            }
            if let Some(exit) = ended {
                break exit;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                match &self.system {
                    Some(system) => system.kill_all(job.supervisor),
                    None => descendants::kill_all(job.supervisor, Namespace::of_this_process()),
                }
                self.reap(None);
                break Exit::TimedOut;
            }
            self.lingering.retain(is_open);
        };
        for _ in 0..LAST_READS {
            forward(self.socket, &mut job.out, &Reply::Out)?;
            forward(self.socket, &mut job.err, &Reply::Err)?;
        }
        self.lingering.extend(job.out.take().into_iter().chain(job.err.take()));
        Ok(exit)
    }

    /// Hears what the outer process says, and kills whoever may be meant: everything.
    fn heed(&mut self) -> io::Result<String> {
        let first = self.hear()?;
        match &self.system {
            Some(system) => system.kill_everything(),
            None => descendants::kill_everything(),
        }
        self.reap(None);
        // It says nothing more until it hears this; should it be gone, that is noticed at the next look.
        let _ = nix::unistd::write(&self.place.alarm, super::outer::READY);
        Ok(first)
    }

    /// A message of the outer process; empty when there is none.
    fn hear(&mut self) -> io::Result<String> {
        let mut buffer = [0; 1024];
        match nix::unistd::read(&self.place.alarm, &mut buffer) {
            // It has been killed; nothing watches over us any more.
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => Ok(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => Ok(String::new()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes every child that has ended off the list; returns how the one asked for did.
    fn reap(&mut self, wanted: Option<Pid>) -> Option<Exit> {
        // The signal is only the wake-up call: several may have been merged into one.
        while let Ok(Some(_)) = self.signals.read_signal() {}
        let mut found = None;
        while let Some((pid, exit)) = sys::reap(false) {
            if Some(pid) == wanted {
                found = Some(exit);
            }
            if let Some(system) = &mut self.system {
                system.note_end(pid, exit);
            }
        }
        found
    }

    fn drop_output(&mut self, at: usize) {
        if let Some(file) = self.lingering.get_mut(at) {
            let _ = file.read(&mut [0; CHUNK]);
        }
    }

    fn wait(&self, job: Option<&Running>, deadline: Option<Instant>) -> io::Result<Vec<Event>> {
        let mut events = vec![Event::Socket, Event::Child, Event::Alarm];
        let mut fds = vec![
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.place.alarm.as_fd(), PollFlags::POLLIN),
        ];
        if let Some(job) = job {
            for (event, file, flags) in [
                (Event::Out, job.out.as_ref(), PollFlags::POLLIN),
                (Event::Err, job.err.as_ref(), PollFlags::POLLIN),
                (Event::In, job.hungry(), PollFlags::POLLOUT),
            ] {
                if let Some(file) = file {
                    events.push(event);
                    fds.push(PollFd::new(file.as_fd(), flags));
                }
            }
        }
        if let Some(system) = &self.system {
            events.push(Event::Console);
            fds.push(PollFd::new(system.console.as_fd(), PollFlags::POLLIN));
        }
        for (at, file) in self.lingering.iter().enumerate() {
            events.push(Event::Lingering(at));
            fds.push(PollFd::new(file.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut fds, remaining(deadline)) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let found = |fd: &PollFd<'_>| fd.revents().is_some_and(|flags| !flags.is_empty());
        Ok(events.into_iter().zip(&fds).filter(|(_, fd)| found(fd)).map(|(event, _)| event).collect())
    }
}

/// Time to wait, rounded up: waking too early would only mean to look twice.
pub(super) fn remaining(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}

/// Hands on what a job has written; closes our end when the other is closed.
fn forward(socket: &mut UnixStream, file: &mut Option<File>, kind: &Reply) -> io::Result<()> {
    let Some(reader) = file else { return Ok(()) };
    let mut buffer = [0; CHUNK];
    match reader.read(&mut buffer) {
        Ok(0) => *file = None,
        Ok(length) => wire::send(socket, kind, &buffer[..length])?,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        Err(_) => *file = None,
    }
    Ok(())
}

/// Whether anyone still holds the other end of a pipe.
fn is_open(file: &File) -> bool {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    let polled = poll(&mut fds, PollTimeout::ZERO);
    let gone =
        fds[0].revents().is_some_and(|flags| flags.contains(PollFlags::POLLHUP) && !flags.contains(PollFlags::POLLIN));
    polled.is_ok() && !gone
}

/// Makes a file and gives it to another user: what a package manager does all the time.
fn prove(root: Option<&Path>) -> io::Result<()> {
    let path = root.unwrap_or(Path::new("/")).join(".proof");
    File::create(&path)?.write_all(b"proof")?;
    nix::unistd::chown(&path, Some(Uid::from_raw(1)), Some(Gid::from_raw(1)))?;
    fs::remove_file(path)
}
