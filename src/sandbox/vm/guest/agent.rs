//! The agent: one process beside the image's systemd that runs jobs and speaks over the port.

use crate::sandbox::init::Builtin;
use crate::sandbox::init::job::{self, Running, Within};
use crate::sandbox::lines::Splitter;
use crate::sandbox::vm::message::{self, FromGuest, ToGuest};
use crate::sandbox::{Exit, environment, sys};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Milliseconds between looks at something that tells of itself in no other way.
const GLANCE: u8 = 100;
/// The same between questions to systemd, each of which costs a start of systemctl.
const BETWEEN: u16 = 400;
/// Reads after the end of a job: what it had written is in the pipes, which hold at most a mebibyte.
const LAST_READS: usize = 64;
/// Where systemd listens, as soon as it can be asked anything.
const MANAGER: &str = "/run/systemd/private";

/// Serves until the machine goes down.
///
/// `root` is an open folder and not a path: process 1 moves the disk to another place at the same time.
pub(super) fn main(port: File, root: &File, builtin: Builtin) -> ! {
    let begun = nix::unistd::fchdir(root).and_then(|()| nix::unistd::chroot("."));
    let _ = nix::unistd::setsid();
    let served = begun.map_err(io::Error::from).and_then(|()| Agent::new(port).serve(builtin));
    if let Err(error) = served {
        let _ = writeln!(io::stdout(), "\n{}{error}", message::TROUBLE);
    }
    sys::leave(1)
}

struct Agent {
    port: File,
    splitter: Splitter,
    heard: VecDeque<ToGuest>,
}

impl Agent {
    fn new(port: File) -> Self {
        Self { port, splitter: Splitter::of_messages(), heard: VecDeque::new() }
    }

    fn serve(&mut self, builtin: Builtin) -> io::Result<()> {
        // Whatever a start that was cut off has left unfinished on the port ends here.
        self.port.write_all(b"\n")?;
        let kernel = nix::sys::utsname::uname()?.release().to_string_lossy().into_owned();
        self.say(&FromGuest::Hello { kernel })?;
        let state = await_system();
        self.say(&FromGuest::Ready { state })?;
        loop {
            match self.heard.pop_front() {
                Some(ToGuest::Job { payload }) => {
                    let running = job::builtin(builtin, payload.as_bytes(), Within::HERE);
                    let exit = match running {
                        Ok(running) => self.attend(running)?,
                        Err(error) => {
                            self.say(&FromGuest::Err { line: format!("the job could not be started: {error}") })?;
                            Exit::Code(126)
                        }
                    };
                    // `systemctl reboot` comes back before the machine goes down: then its next start has the word.
                    if system_state() == "stopping" {
                        rest();
                    }
                    self.say(&FromGuest::Ended { exit })?;
                }
                Some(ToGuest::Reboot) => {
                    let _ = systemctl(&["reboot"]).status();
                    rest();
                }
                // For a job that has ended in the meantime.
                Some(ToGuest::Answer { .. }) => {}
                None => self.hear()?,
            }
        }
    }

    /// Sees a job through to its end.
    fn attend(&mut self, mut job: Running) -> io::Result<Exit> {
        let (mut out, mut err) = (Splitter::of_messages(), Splitter::default());
        loop {
            self.wait(&job)?;
            self.forward_both(&mut job, &mut out, &mut err)?;
            while let Some(message) = self.heard.pop_front() {
                if let ToGuest::Answer { text } = message {
                    job.hear(text.as_bytes());
                }
            }
            job.feed();
            let ended = loop {
                match sys::reap(false) {
                    Some((pid, exit)) if pid == job.supervisor => break Some(exit),
                    Some(_) => {}
                    None => break None,
                }
            };
            // What it had written is in the pipes.
            if let Some(exit) = ended {
                for _ in 0..LAST_READS {
                    if !self.forward_both(&mut job, &mut out, &mut err)? {
                        break;
                    }
                }
                self.finish(out, |line| FromGuest::Out { line })?;
                self.finish(err, |line| FromGuest::Err { line })?;
                return Ok(exit);
            }
        }
    }

    /// Waits for something to do; a moment at most, because the end of a job is looked for and not told.
    fn wait(&mut self, job: &Running) -> io::Result<()> {
        let ready = {
            let mut fds = vec![PollFd::new(self.port.as_fd(), PollFlags::POLLIN)];
            fds.extend(job.out.iter().chain(&job.err).map(|file| PollFd::new(file.as_fd(), PollFlags::POLLIN)));
            fds.extend(job.hungry().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLOUT)));
            match poll(&mut fds, PollTimeout::from(GLANCE)) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            fds[0].revents().is_some_and(|flags| flags.contains(PollFlags::POLLIN))
        };
        if ready { self.hear() } else { Ok(()) }
    }

    /// Hands on what a job has written; whether there was something.
    fn forward_both(&mut self, job: &mut Running, out: &mut Splitter, err: &mut Splitter) -> io::Result<bool> {
        let said = self.forward(&mut job.out, out, |line| FromGuest::Out { line })?;
        let complained = self.forward(&mut job.err, err, |line| FromGuest::Err { line })?;
        Ok(said || complained)
    }

    /// Hands on what is there to be read; whether there was something.
    fn forward(
        &mut self,
        from: &mut Option<File>,
        splitter: &mut Splitter,
        message: impl Fn(String) -> FromGuest,
    ) -> io::Result<bool> {
        let Some(file) = from else { return Ok(false) };
        let mut chunk = [0; 16 << 10];
        match file.read(&mut chunk) {
            Ok(0) => *from = None,
            Ok(count) => {
                let mut lines = Vec::new();
                splitter.feed(&chunk[..count], &mut |line| lines.push(line));
                lines.into_iter().try_for_each(|line| self.say(&message(line)))?;
                return Ok(true);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    fn finish(&mut self, mut splitter: Splitter, message: impl Fn(String) -> FromGuest) -> io::Result<()> {
        let mut lines = Vec::new();
        splitter.finish(&mut |line| lines.push(line));
        lines.into_iter().try_for_each(|line| self.say(&message(line)))
    }

    /// Reads from the port; waits if there is nothing.
    fn hear(&mut self) -> io::Result<()> {
        let mut chunk = vec![0; 64 << 10];
        let count = self.port.read(&mut chunk)?;
        if count == 0 {
            // Nobody is at the other end any more: nobody will be.
            rest();
        }
        let heard = &mut self.heard;
        self.splitter.feed(&chunk[..count], &mut |line| heard.extend(serde_json::from_str::<ToGuest>(&line).ok()));
        Ok(())
    }

    fn say(&mut self, message: &FromGuest) -> io::Result<()> {
        self.port.write_all(&message::line(message)?)
    }
}

/// Waits for the end of the machine.
fn rest() -> ! {
    loop {
        nix::unistd::pause();
    }
}

/// Waits until systemd has nothing left to start; its word for the state it is in. Asked again and again: `--wait` listens for
/// a signal that is not always heard when it was asked early.
fn await_system() -> String {
    loop {
        if Path::new(MANAGER).exists() {
            let state = system_state();
            if ["running", "degraded", "maintenance"].contains(&state.as_str()) {
                return state;
            }
        }
        let _ = poll(&mut [], PollTimeout::from(BETWEEN));
    }
}

/// What systemd says of itself.
fn system_state() -> String {
    let output = systemctl(&["is-system-running"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn systemctl(arguments: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    command.args(arguments).env_clear().envs(environment()).stdin(Stdio::null()).stderr(Stdio::null());
    // systemctl looks for a container's mark in its environment and would take this for one.
    command.env_remove("container");
    command
}
