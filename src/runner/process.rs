//! Runs a program to its end or its time limit, handing out its lines as they come.
//!
//! One thread does everything: `poll` watches the program's pipes.

use super::actions::StepError;
use super::capture::{Kept, Lines, Sink};
use super::clean::{self, Before};
use super::model::Stream;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::time::TimeSpec;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often to look whether a program has ended that keeps its pipes open.
const GLANCE: Duration = Duration::from_millis(20);

/// How soon to look again when a program has closed its pipes: most end in this very moment, and a step of a script is a
/// matter of a millisecond.
const FIRST_GLANCE: Duration = Duration::from_micros(50);

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Kept,
}

impl Finished {
    /// `exit code 3`, `killed by signal 9`.
    pub fn describe(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => "ended without an exit code".to_owned(),
        }
    }
}

/// The time limit of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    end: Option<Instant>,
    whole: Option<Duration>,
}

impl Limit {
    /// A limit that begins now; `None` for no limit.
    pub fn starting_now(whole: Option<Duration>) -> Self {
        Self { end: whole.and_then(|whole| Instant::now().checked_add(whole)), whole }
    }

    /// What is left; `None` without a limit.
    pub fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// An error once the time is up.
    pub fn check(&self) -> Result<(), StepError> {
        if self.left().is_some_and(|left| left.is_zero()) { Err(self.exceeded(0)) } else { Ok(()) }
    }

    fn exceeded(&self, survivors: usize) -> StepError {
        StepError::TimedOut { seconds: self.whole.unwrap_or_default().as_secs_f64(), survivors }
    }
}

/// A program to run.
#[derive(Debug)]
pub struct Program<'a> {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Its working directory.
    pub directory: &'a Path,
    /// When it must have ended.
    pub limit: Limit,
}

/// Runs a program. It ends when its own process ends: what it left in the background is not waited for, and goes on.
/// When its time is up, it and everything it has started is killed.
pub fn run(program: &Program<'_>, sink: &mut Sink<'_>) -> Result<Finished, StepError> {
    program.limit.check()?;
    let before = Before::now();
    let mut child = spawn(program)?;
    let mut streams = Streams::of(&mut child)?;
    let mut finished = None;
    let mut glance = FIRST_GLANCE;
    while finished.is_none() {
        if program.limit.left().is_some_and(|left| left.is_zero()) {
            let survivors = clean::kill_all(child.id(), &before);
            if survivors == 0 {
                child
                    .wait()
                    .map_err(|error| StepError::Failed(format!("cannot wait for a killed program: {error}")))?;
            }
            streams.drain(sink);
            streams.finish(sink);
            return Err(program.limit.exceeded(survivors));
        }
        // With both pipes closed there is nothing to wake up for: the end is near, or the program has become quiet.
        let longest = if streams.closed() { glance } else { GLANCE };
        glance = if streams.closed() { (glance * 2).min(GLANCE) } else { glance };
        streams.wait(program.limit.left().map_or(longest, |left| left.min(longest)))?;
        finished =
            child.try_wait().map_err(|error| StepError::Failed(format!("cannot wait for the program: {error}")))?;
        streams.drain(sink);
    }
    streams.finish(sink);
    let status = finished.unwrap_or_default();
    Ok(Finished { status, stdout: streams.kept })
}

fn spawn(program: &Program<'_>) -> Result<Child, StepError> {
    let [name, arguments @ ..] = program.argv.as_slice() else {
        return Err(StepError::Failed("there is no program to run".to_owned()));
    };
    if !program.directory.is_dir() {
        return Err(StepError::Failed(format!("the working directory {} does not exist", program.directory.display())));
    }
    Command::new(name)
        .args(arguments)
        .env_clear()
        .envs(program.environment)
        .current_dir(program.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| StepError::Failed(format!("cannot run {name}: {error}")))
}

/// Waits without a thread.
pub fn pause(duration: Duration) {
    let end = Instant::now() + duration;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        // An interrupted wait is begun again with what is left.
        let _ = poll(&mut [], timeout(left));
    }
}

fn timeout(duration: Duration) -> PollTimeout {
    let milliseconds = duration.as_millis().clamp(1, 60_000);
    PollTimeout::try_from(u32::try_from(milliseconds).unwrap_or(60_000)).unwrap_or(PollTimeout::MAX)
}

/// Both pipes of a program.
struct Streams {
    out: Option<Pipe>,
    err: Option<Pipe>,
    kept: Kept,
}

struct Pipe {
    file: std::fs::File,
    lines: Lines,
}

impl Pipe {
    fn new(fd: impl Into<std::os::fd::OwnedFd>) -> Result<Self, StepError> {
        let file = std::fs::File::from(fd.into());
        let failed = |errno: Errno| StepError::Failed(format!("cannot set up a pipe: {errno}"));
        fcntl(&file, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed)?;
        Ok(Self { file, lines: Lines::default() })
    }
}

impl Streams {
    fn of(child: &mut Child) -> Result<Self, StepError> {
        let out = child.stdout.take().map(Pipe::new).transpose()?;
        let err = child.stderr.take().map(Pipe::new).transpose()?;
        Ok(Self { out, err, kept: Kept::new() })
    }

    fn closed(&self) -> bool {
        self.out.is_none() && self.err.is_none()
    }

    /// Waits until there is something to read, at most `longest`.
    fn wait(&self, longest: Duration) -> Result<(), StepError> {
        let pipes = self.out.iter().chain(&self.err);
        let mut fds: Vec<PollFd<'_>> = pipes.map(|pipe| PollFd::new(pipe.file.as_fd(), PollFlags::POLLIN)).collect();
        // Unlike poll, it can wait for less than a millisecond.
        match ppoll(&mut fds, Some(TimeSpec::from_duration(longest)), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(StepError::Failed(format!("cannot wait for output: {errno}"))),
        }
    }

    /// Reads all that is there without waiting; a pipe at its end is closed.
    fn drain(&mut self, sink: &mut Sink<'_>) {
        let kept = &mut self.kept;
        for (slot, stream) in [(&mut self.out, Stream::Stdout), (&mut self.err, Stream::Stderr)] {
            let Some(pipe) = slot else { continue };
            let keep = |bytes: &[u8]| {
                if stream == Stream::Stdout {
                    kept.push(bytes);
                }
            };
            if !read_available(pipe, stream, sink, keep) {
                pipe.lines.finish(|line| sink.line(stream, line));
                *slot = None;
            }
        }
    }

    /// Hands out last lines without an end.
    fn finish(&mut self, sink: &mut Sink<'_>) {
        for (slot, stream) in [(&mut self.out, Stream::Stdout), (&mut self.err, Stream::Stderr)] {
            if let Some(mut pipe) = slot.take() {
                pipe.lines.finish(|line| sink.line(stream, line));
            }
        }
    }
}

/// How much is read from one pipe before the time limit and the other pipe are looked at again.
const TURN: usize = 1024 * 1024;

/// `false` at the end of the stream.
fn read_available(pipe: &mut Pipe, stream: Stream, sink: &mut Sink<'_>, mut keep: impl FnMut(&[u8])) -> bool {
    let mut buffer = [0; 16 * 1024];
    let mut taken = 0;
    while taken < TURN {
        match pipe.file.read(&mut buffer) {
            Ok(0) => return false,
            Ok(length) => {
                keep(&buffer[..length]);
                pipe.lines.push(&buffer[..length], |line| sink.line(stream, line));
                taken += length;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        }
    }
    true
}
