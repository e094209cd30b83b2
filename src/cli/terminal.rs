//! This terminal and one in an instance, joined: what is typed goes in, what is written comes out, sizes follow.

use super::failure::Failure;
use crate::sandbox::{self, Instance, Program, SandboxError, Size};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, SetArg, Termios};
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tokio::signal::unix::{SignalKind, signal};

/// How long the end of the program's output is waited for at a time, in milliseconds.
const GLANCE: u16 = 50;
/// The size of a terminal that does not tell its own.
const USUAL: Size = Size { rows: 24, columns: 80 };

/// Whether a person sits at both ends.
pub(super) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Puts the terminal into raw mode (every key goes to the instance, Ctrl-C too) and back when dropped.
struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    fn new() -> io::Result<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned()?;
        let before = termios::tcgetattr(&terminal)?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(&terminal, SetArg::TCSADRAIN, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone has no mode to be put back to.
        let _ = termios::tcsetattr(&self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}

/// Runs a program in an instance on this terminal, to its end.
pub(super) fn join(instance: &Instance, program: &Program) -> Result<Result<sandbox::Exit, SandboxError>, Failure> {
    let raw = Raw::new()?;
    let size = Size::of(&raw.terminal).filter(|size| size.rows > 0 && size.columns > 0).unwrap_or(USUAL);
    let ended = Arc::new(AtomicBool::new(false));
    let (mut output, mut trouble) = (None, None);
    let result = instance.interact(program, size, &mut |other| match attach(other, &ended) {
        Ok(thread) => output = Some(thread),
        Err(error) => trouble = Some(error),
    });
    ended.store(true, Ordering::Release);
    if let Some(output) = output {
        // A panic in it has been reported by the panic hook.
        let _ = output.join();
    }
    drop(raw);
    trouble.map_or(Ok(result), |error| Err(error.into()))
}

/// Starts the threads that move bytes; returns the one that shows the output. The others end with this program.
fn attach(other: File, ended: &Arc<AtomicBool>) -> io::Result<thread::JoinHandle<()>> {
    let (typed, sized) = (other.try_clone()?, other.try_clone()?);
    let keyboard = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let ended = Arc::clone(ended);
    thread::Builder::new().name("keyboard".to_owned()).spawn(move || copy(keyboard, typed))?;
    thread::Builder::new().name("size".to_owned()).spawn(move || follow(&sized))?;
    thread::Builder::new().name("screen".to_owned()).spawn(move || show(other, &ended))
}

fn copy(mut from: File, mut to: File) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

/// Shows what the program writes until nobody has its terminal open, or it has ended and there is nothing left: what it
/// has left in the background may hold the terminal for ever.
fn show(mut from: File, ended: &AtomicBool) {
    let mut buffer = [0; 4096];
    let mut screen = io::stdout();
    loop {
        let last = ended.load(Ordering::Acquire);
        let mut fds = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::from(GLANCE));
        if ready == Ok(0) {
            if last {
                return;
            }
            continue;
        }
        match from.read(&mut buffer) {
            Ok(length @ 1..) => {
                let shown = screen.write_all(&buffer[..length]).and_then(|()| screen.flush());
                if shown.is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // EIO: the program and all that had its terminal are gone.
            Ok(_) | Err(_) => return,
        }
    }
}

/// Gives the terminal of the instance the size of this one whenever that changes.
fn follow(other: &File) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
        while changes.recv().await.is_some() {
            let set = Size::of(&io::stdin()).map(|size| size.set(other));
            if matches!(set, Some(Err(_))) {
                return;
            }
        }
    });
}
