//! The image's own systemd as process 1 of pid, mount and control group namespaces inside of ours.
//!
//! ```text
//! process 1 (ours) ──fork──► helper: control group, inner namespaces, ends
//!        │                      └──fork──► process 1 of the inner ones: waits, locks its mounts ──exec──► systemd
//!        ├──fork, into the inner pid namespace──► mounts, pivot_root; ends
//!        └──fork, into the inner pid namespace──► enters the other inner ones: supervisor of a job ──► the job
//! ```
//!
//! Ours stays outside because the kernel forgets "kill me with my parent" for a program that takes care of itself as
//! systemd does: with ours gone, its pid namespace goes, and with it the inner one. A restart from inside ends systemd with
//! SIGHUP, switching off with SIGINT (`reboot(2)`, on pid namespaces); ours then ends with a code that says so, and all
//! namespaces are made anew.
//!
//! The walls are those of [`lock`]: who makes the mounts is of the outer user namespace, and systemd and all jobs are of
//! the inner one. The pid namespace belongs to the inner one, too, or systemd had no right to restart it; but the control
//! groups belong to the outer one, so that nobody inside may mount more of them than we have. Ours sees the mounts as they
//! were before anybody inside could change them.

use super::console::Console;
use super::descendants::{self, Namespace};
use super::group::{self, Group};
use super::inner::Inner;
use super::{harden, lock, manager, mounts, units};
use crate::sandbox::sys;
use crate::sandbox::wire::{self, Failure, InstanceSetup, OFF, RESTART, Step, Walls};
use crate::sandbox::{BOOT_LIMIT, Exit};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, pipe2};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where control groups are mounted inside.
const GROUPS: &str = "/sys/fs/cgroup";

/// The group of jobs. Not systemd's business: it leaves groups alone that it has not made.
const JOBS: &str = "amiforge-jobs";

/// systemd's folder for units of this boot.
const UNITS: &str = "/run/systemd/system";

/// Where systemd says that it has started. `/run/host` is for what a container's manager has to offer (the "container
/// interface" of systemd).
const NOTIFY: &str = "/run/host/notify";

/// How long a machine that goes down may take; systemd's own limit for a unit is 90 seconds.
const GOING_DOWN: Duration = Duration::from_mins(2);

/// How long an answer of systemd may take, all in all.
const ANSWERING: Duration = Duration::from_secs(15);

/// How long the end of a process 1 that no longer answers is waited for before it is held to be merely busy.
const DYING: Duration = Duration::from_millis(300);

/// The system of an image that runs, seen from our process 1.
#[derive(Debug)]
pub(super) struct System {
    process: Pid,
    inner: Inner,
    /// Leads to the outer process, which watches the disk.
    alarm: OwnedFd,
    pub(super) console: Console,
    /// How process 1 has ended, once it has.
    ended: Option<Exit>,
    // See `serve::Init`: the time of boot is that of the first look at /proc/1.
    _first: Option<File>,
}

/// What is needed for a start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) setup: &'a InstanceSetup,
    pub(super) walls: Walls,
    /// Content of the injected files.
    pub(super) body: &'a [u8],
    /// The program of process 1, as seen inside.
    pub(super) program: &'a Path,
    pub(super) group: &'a Group,
    /// Leads to the outer process, which watches the disk.
    pub(super) alarm: &'a OwnedFd,
}

/// From the helper and from the later process 1 to ours.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    Forked(i32),
    Failed(Failure),
}

/// The ends of the two pipes that our process 1 holds.
struct Line {
    words: File,
    go: File,
}

/// Starts the system and waits until it is up; returns it with notes.
///
/// # Errors
/// With [`Step::Group`] when this machine does not permit it; everything made so far is gone then.
pub(super) fn boot(start: &Start<'_>) -> Result<(System, Vec<String>), Failure> {
    // What is forked from here on shall not have the caller's keys; see `harden`.
    let _ = sys::new_session_keyring();
    let own = File::open("/proc/self/ns/pid").map_err(Failure::io(Step::Other, "find the own pid namespace"))?;
    let mut line = fork_helper(start)?;
    let process = forked(&mut line)?;
    let pidfd = sys::pidfd_open(process).map_err(Failure::io(Step::Other, "take hold of the image's process 1"))?;
    let alarm = start.alarm.try_clone().map_err(Failure::io(Step::Other, "listen to the outer process"))?;
    let inner = Inner { pidfd, own, own_network: start.setup.loopback_only };
    let mut notes = inner.mount(start)?;
    let notify = furnish(start.setup).map_err(Failure::io(Step::File, "prepare /run for the image's systemd"))?;
    let console = Console::open().map_err(Failure::io(Step::Mount, "make /dev/console"))?;
    let first = File::open("/proc/1").ok();
    // Before anything of the image runs, so that nothing is written unwatched.
    harden::harden(true)?;
    let _ = nix::unistd::write(start.alarm, super::outer::READY);
    line.go.write_all(b"g").map_err(Failure::io(Step::Other, "start the image's systemd"))?;
    let mut system = System { process, inner, alarm, console, ended: None, _first: first };
    notes.extend(system.await_start(line.words, &notify)?);
    Ok((system, notes))
}

fn fork_helper(start: &Start<'_>) -> Result<Line, Failure> {
    let step = "start the image's process 1";
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(Failure::os(Step::Other, step));
    let ((words, their_words), (their_go, go)) = (pipe()?, pipe()?);
    match sys::fork().map_err(Failure::os(Step::Other, step))? {
        ForkResult::Parent { .. } => Ok(Line { words: File::from(words), go: File::from(go) }),
        ForkResult::Child => {
            drop((words, go));
            let mut words = File::from(their_words);
            let code = help(start, &mut words, File::from(their_go)).map_or_else(
                |failure| {
                    let _ = wire::send(&mut words, &Word::Failed(failure), &[]);
                    1
                },
                |()| 0,
            );
            sys::leave(code)
        }
    }
}

/// The helper, and the process that it forks up to its becoming systemd.
fn help(start: &Start<'_>, words: &mut File, mut go: File) -> Result<(), Failure> {
    let Start { setup, walls, .. } = *start;
    start.group.enter().map_err(Failure::io(Step::Group, "move a process into a control group of its own"))?;
    unshare(CloneFlags::CLONE_NEWCGROUP).map_err(Failure::os(Step::Group, "make a namespace of control groups"))?;
    let inner = CloneFlags::CLONE_NEWPID | lock::beside(setup.loopback_only);
    lock::enter(walls, inner, setup.limits.processes)?;
    match sys::fork().map_err(Failure::os(Step::Other, "start the image's process 1"))? {
        ForkResult::Parent { child } => wire::send(words, &Word::Forked(child.as_raw()), &[])
            .map_err(Failure::io(Step::Other, "speak to the instance's process 1")),
        ForkResult::Child => {
            if go.read_exact(&mut [0]).is_err() {
                sys::leave(1);
            }
            // Its own, made from those that another process has mounted: they are locked now.
            unshare(CloneFlags::CLONE_NEWNS).map_err(Failure::os(Step::Mount, "lock the mounts"))?;
            mounts::finish(setup)?;
            Err(become_system(start.program, &setup.hostname))
        }
    }
}

/// Becomes systemd; returns only why that failed.
fn become_system(program: &Path, hostname: &str) -> Failure {
    let what = format!("start {}", program.display());
    let text = |text: &str| CString::new(text).map_err(io::Error::other);
    let execute = || -> io::Result<()> {
        let path = sys::c_path(program)?;
        // In a container systemd and its generators read these arguments as the command line of the kernel. No cloud-init:
        // it would look for a metadata service, and find this machine's if there is one.
        let arguments = [path.clone(), text(&format!("systemd.hostname={hostname}"))?, text("cloud-init=disabled")?];
        let variables = [text("container=amiforge")?, text("TERM=dumb")?, text(&format!("NOTIFY_SOCKET={NOTIFY}"))?];
        nix::unistd::setsid()?;
        let console = File::options().read(true).write(true).open("/dev/console")?;
        dup2_stdin(&console).and(dup2_stdout(&console)).and(dup2_stderr(&console))?;
        sys::default_signals();
        match nix::unistd::execve(&path, &arguments, &variables)? {}
    };
    match execute() {
        Ok(()) => Failure::other(what, "it came back"),
        Err(error) => Failure::io(Step::Other, what)(error),
    }
}

/// Waits for the number of the later systemd; on a failure until whoever met it has ended.
fn forked(line: &mut Line) -> Result<Pid, Failure> {
    match wire::receive::<Word>(&mut line.words) {
        Ok(Some((Word::Forked(pid), _))) => Ok(Pid::from_raw(pid)),
        Ok(Some((Word::Failed(failure), _))) => {
            while sys::reap(true).is_some() {}
            Err(failure)
        }
        Ok(None) => Err(Failure::other("start the image's process 1", "it ended without a word")),
        Err(error) => Err(Failure::io(Step::Other, "listen to the image's process 1")(error)),
    }
}

/// What systemd finds in the fresh `/run`, and a group for jobs.
fn furnish(setup: &InstanceSetup) -> io::Result<UnixDatagram> {
    units::mask(Path::new(UNITS), setup.resolver.is_some())?;
    group::make_below(Path::new(GROUPS), JOBS)?;
    fs::create_dir_all(Path::new(NOTIFY).parent().unwrap_or(Path::new("/run")))?;
    let socket = UnixDatagram::bind(NOTIFY)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl System {
    /// Waits for the word that everything has started, or has failed to; notes say what did not.
    fn await_start(&mut self, words: File, notify: &UnixDatagram) -> Result<Vec<String>, Failure> {
        let deadline = Instant::now() + BOOT_LIMIT;
        let mut words = Some(words);
        loop {
            let mut fds = vec![
                PollFd::new(self.inner.pidfd.as_fd(), PollFlags::POLLIN),
                PollFd::new(notify.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.console.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.alarm.as_fd(), PollFlags::POLLIN),
            ];
            fds.extend(words.as_ref().map(|words| PollFd::new(words.as_fd(), PollFlags::POLLIN)));
            let _ = poll(&mut fds, super::serve::remaining(Some(deadline)));
            let found: Vec<bool> = fds.iter().map(|fd| fd.revents().is_some_and(|flags| !flags.is_empty())).collect();
            if found[2] {
                self.console.read();
            }
            if let Some(words) = words.take_if(|_| found.get(4) == Some(&true)) {
                heard_of(words)?;
            }
            if found[1] && is_ready(notify) {
                return Ok(self.condition());
            }
            if found[3] {
                return Err(Failure::other("start the image's systemd", self.alarmed()));
            }
            if found[0] {
                return Err(self.died_early());
            }
            if Instant::now() >= deadline {
                return Ok(vec![self.unfinished()]);
            }
        }
    }

    /// What the outer process says: a limit is exceeded.
    fn alarmed(&self) -> String {
        let mut buffer = [0; 1024];
        let length = nix::unistd::read(&self.alarm, &mut buffer).unwrap_or(0);
        format!("while the image started, {}", String::from_utf8_lossy(&buffer[..length]))
    }

    /// Why process 1 ended before it was up.
    fn died_early(&mut self) -> Failure {
        let exit = self.bury();
        let what = "start the image's systemd".to_owned();
        let reason = match exit.map_or(0, code_of) {
            RESTART => {
                return Failure { step: Step::Restart, what, errno: None, reason: "it restarted".into() };
            }
            OFF => "the image switched itself off before it was up".to_owned(),
            _ => format!("it ended before it was up, {}", how(exit)),
        };
        Failure::other(what, format!("{reason}{}", self.console.tail()))
    }

    fn unfinished(&self) -> String {
        let mut pending = self.ask(manager::pending_units).unwrap_or_default();
        pending.sort();
        let waits = if pending.is_empty() { self.console.tail() } else { format!(" {}", pending.join(", ")) };
        let seconds = BOOT_LIMIT.as_secs();
        format!("the image's systemd is not done with starting after {seconds} seconds; it waits for:{waits}")
    }

    /// What the user should know about a system that is up.
    fn condition(&self) -> Vec<String> {
        match self.ask(manager::failed_units) {
            Ok(names) if names.is_empty() => Vec::new(),
            Ok(mut names) => {
                names.sort();
                vec![format!(
                    "units of the image failed at its start: {} (`systemctl status UNIT` inside says why)",
                    names.join(", ")
                )]
            }
            Err(error) => vec![format!("the image's systemd does not say how it is: {error}")],
        }
    }

    /// Forks a process into the inner pid namespace. It is our child and sees systemd as process 1.
    pub(super) fn fork(&self) -> nix::Result<ForkResult> {
        self.inner.fork()
    }

    /// Has systemd asked something. It answers nobody whom it cannot see, so a process in its pid namespace does that.
    fn ask<T: Serialize + DeserializeOwned>(&self, question: fn() -> io::Result<T>) -> io::Result<T> {
        let said = self.inner.have(ANSWERING, || question().map_err(|error| error.to_string()))?;
        self.tell_of_an_end();
        said.map_err(io::Error::other)
    }

    /// In a child of [`System::fork`]: takes the place of a job.
    pub(super) fn join(&self) -> io::Result<()> {
        group::join(Path::new(GROUPS), JOBS)?;
        Ok(setns(&self.inner.pidfd, self.inner.jobs())?)
    }

    /// Kills the supervisor of a job and all that descends from it. Who does so must be in the inner pid namespace, too.
    pub(super) fn kill_all(&self, supervisor: Pid) {
        let Ok(target) = sys::pidfd_open(supervisor) else { return };
        self.insist(|| {
            if let Some(pid) = sys::number_of(&target) {
                descendants::kill_all(pid, Namespace::Own);
            }
        });
    }

    /// Kills all but systemd, which may start services again.
    pub(super) fn kill_everything(&self) {
        self.insist(descendants::sweep);
    }

    /// Has something done by a process in the inner pid namespace. When that cannot be, systemd is ended and with it all.
    fn insist(&self, work: impl Fn()) {
        if !self.inner.insist(work) {
            let _ = sys::pidfd_kill(&self.inner.pidfd);
        }
        self.tell_of_an_end();
    }

    /// Takes note of the end of a child that was just taken off the list.
    pub(super) fn note_end(&mut self, pid: Pid, exit: Exit) {
        if pid == self.process {
            self.ended = Some(exit);
        } else {
            self.tell_of_an_end();
        }
    }

    /// When the machine goes down, the image's process 1 waits until all others have ended, and looks again whenever a
    /// child of its own does. Our children in its namespace are none of its own: one that it has found dead, but still on
    /// our list, would cost its whole patience of ten seconds. While the machine is up the signal means nothing to it.
    fn tell_of_an_end(&self) {
        let _ = sys::pidfd_signal(&self.inner.pidfd, nix::libc::SIGCHLD);
    }

    /// The code with which our process 1 ends, when the image's has ended.
    pub(super) fn ended(&mut self) -> Option<i32> {
        if self.has_ended(Duration::ZERO) { self.bury().map(code_of) } else { None }
    }

    /// Whether the machine is going down or already has.
    fn is_going_down(&mut self) -> bool {
        if self.has_ended(Duration::ZERO) {
            return true;
        }
        match self.ask(manager::state) {
            Ok(state) => state == "stopping",
            // Nobody listens any more: it has become the program that ends what is left, or is on the way there.
            Err(_) => {
                fs::read("/proc/1/comm").is_ok_and(|name| name.starts_with(b"systemd-shutdow")) || self.has_ended(DYING)
            }
        }
    }

    /// When the machine is going down, waits for that and returns the code to end with. One that takes too long is left
    /// to itself, and so is one that has only restarted its services (`systemctl soft-reboot`).
    pub(super) fn await_going_down(&mut self) -> Option<i32> {
        let deadline = Instant::now() + GOING_DOWN;
        while Instant::now() < deadline && self.is_going_down() {
            if self.has_ended(Duration::from_secs(1)) {
                return self.bury().map(code_of);
            }
        }
        None
    }

    /// Has systemd stop everything, and kills it when it does not within `patience`; returns the code to end with.
    pub(super) fn go_down(&mut self, restart: bool, patience: Duration) -> i32 {
        // systemd(1), "Signals": start reboot.target, poweroff.target.
        let signal = sys::real_time_signal(if restart { 5 } else { 4 });
        if sys::pidfd_signal(&self.inner.pidfd, signal).is_err() || !self.has_ended(patience) {
            let _ = sys::pidfd_kill(&self.inner.pidfd);
            self.has_ended(DYING);
        }
        if restart { RESTART } else { OFF }
    }

    /// Waits for the end of process 1. Its namespace ends when all others are gone, and our own children are ours to
    /// take off the list.
    fn has_ended(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let mut fds = [
                PollFd::new(self.inner.pidfd.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.console.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.alarm.as_fd(), PollFlags::POLLIN),
            ];
            // A child of ours that ends wakes nobody here: look often enough.
            let pause = deadline.saturating_duration_since(Instant::now()).min(Duration::from_millis(5));
            let _ = poll(&mut fds, PollTimeout::try_from(pause).unwrap_or(PollTimeout::ZERO));
            let found = fds.map(|fd| fd.revents().is_some_and(|flags| !flags.is_empty()));
            if found[0] || self.ended.is_some() {
                return true;
            }
            if found[1] {
                self.console.read();
            }
            if Instant::now() >= deadline {
                return false;
            }
            if found[2] {
                // It goes down and writes more than it may: nothing of it is worth waiting for.
                let _ = sys::pidfd_kill(&self.inner.pidfd);
            }
            while let Some((pid, exit)) = sys::reap(false) {
                self.note_end(pid, exit);
            }
        }
    }

    /// How process 1 has ended.
    fn bury(&mut self) -> Option<Exit> {
        while self.ended.is_none() {
            let (pid, exit) = sys::reap(true)?;
            self.note_end(pid, exit);
        }
        self.ended
    }
}

/// What came over the pipe after "go": a failure, or its end, because a program was executed.
fn heard_of(mut words: File) -> Result<(), Failure> {
    match wire::receive::<Word>(&mut words) {
        Ok(Some((Word::Failed(failure), _))) => Err(failure),
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::io(Step::Other, "listen to the image's process 1")(error)),
    }
}

/// Whether one of the messages is the one that all has started: `sd_notify(3)`.
fn is_ready(notify: &UnixDatagram) -> bool {
    let mut buffer = [0; 4096];
    while let Ok(length) = notify.recv(&mut buffer) {
        if buffer[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
            return true;
        }
    }
    false
}

/// An end in words.
fn how(exit: Option<Exit>) -> String {
    match exit {
        Some(Exit::Code(code)) => format!("with exit code {code}"),
        Some(Exit::Signal(signal)) => format!("by signal {signal}"),
        _ => "nobody knows how".to_owned(),
    }
}

/// What an end of process 1 means: `reboot(2)` in a pid namespace.
pub(super) fn code_of(exit: Exit) -> i32 {
    match exit {
        Exit::Signal(nix::libc::SIGHUP) => RESTART,
        // Without the right to call reboot(2) systemd just ends.
        Exit::Signal(nix::libc::SIGINT) | Exit::Code(0) => OFF,
        _ => 1,
    }
}
