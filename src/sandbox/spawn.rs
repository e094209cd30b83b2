//! The one thread that starts inits.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// Argument by which a copy of this program knows that it is an init. Private: no user ever types it.
pub(super) const ARGUMENT: &str = "__amiforge-sandbox-init";

/// Before the number of the parent. It looks like an option so that a program which knows nothing of all this (a test
/// binary without [`init::main`](super::init::main)) refuses it at once.
pub(super) const PARENT: &str = "--parent=";

type Answer = io::Result<(Child, UnixStream)>;

/// Starts a copy of this program as an init and returns it with our end of the socket.
///
/// The kernel ties "kill me when my parent dies" (`PR_SET_PDEATHSIG`) to the parent's *thread*. Callers come from
/// thread pools whose threads end after some idle seconds, so all inits are started by one thread that never ends.
pub(super) fn spawn() -> Answer {
    static SPAWNER: OnceLock<Mutex<Sender<Sender<Answer>>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = channel();
        // Should no thread be had, the inbox is dropped with the closure and every order fails below.
        let _ = thread::Builder::new().name("sandbox-spawner".into()).spawn(move || serve(&inbox));
        Mutex::new(orders)
    });
    let lost = || io::Error::other("the thread that starts instances is not there");
    let (answer, result) = channel();
    spawner.lock().unwrap_or_else(PoisonError::into_inner).send(answer).map_err(|_| lost())?;
    result.recv().map_err(|_| lost())?
}

fn serve(inbox: &Receiver<Sender<Answer>>) {
    while let Ok(answer) = inbox.recv() {
        // A caller that no longer waits gets nothing; the init sees its socket closed and ends.
        let _ = answer.send(start());
    }
}

fn start() -> Answer {
    let (ours, theirs) = UnixStream::pair()?;
    let child = Command::new("/proc/self/exe")
        .arg0(ARGUMENT)
        .args([ARGUMENT, &format!("{PARENT}{}", std::process::id())])
        .env_clear()
        .envs(super::environment())
        .current_dir("/")
        // The socket is the standard input: the one descriptor that needs no unsafe code to hand down.
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok((child, ours))
}
