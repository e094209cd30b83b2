//! A way out of a network of the instance's own: slirp4netns, where it is installed.
//!
//! Services of an image listen where they always do, often below port 1024. In the machine's network that is refused to
//! who is root only inside, and two instances would be in each other's way. So a system of its own gets a network of its own,
//! and what it sends leaves through a program that speaks for it, as an ordinary user could do by hand.

use crate::sandbox::layers::{self, Node};
use crate::sandbox::mode::program;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where slirp4netns answers questions for names, with the machine's own resolvers.
pub(super) const RESOLVER: &str = "nameserver 10.0.2.3\n";

/// How long it may take to set the interface up; milliseconds are usual.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program that carries an instance's packets out; ends with this value.
#[derive(Debug)]
pub(in crate::sandbox) struct Outbound {
    child: Child,
}

impl Outbound {
    /// The program, if it is installed.
    pub(super) fn program() -> Option<PathBuf> {
        program("slirp4netns")
    }

    /// Gives the network of a process of this machine a way out.
    ///
    /// # Errors
    /// Why there is none, as a part of a sentence.
    pub(super) fn attach(program: &Path, process: u32) -> Result<Self, String> {
        // The machine's own loopback services stay out of reach. It says on its standard output when it is ready, and ends
        // when its standard input is closed: with this process, however that ends.
        let child = Command::new(program)
            .args(["--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=1", "--exit-fd=0"])
            .args([process.to_string(), "tap0".to_owned()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        let mut outbound = Self { child };
        if outbound.is_ready() { Ok(outbound) } else { Err(outbound.complaint()) }
    }

    fn is_ready(&mut self) -> bool {
        let Some(out) = &mut self.child.stdout else { return false };
        let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(out.as_fd(), PollFlags::POLLIN)];
        while poll(&mut fds, timeout) == Err(nix::errno::Errno::EINTR) {}
        let said = fds[0].revents().is_some_and(|flags| !flags.is_empty());
        said && matches!(out.read(&mut [0]), Ok(1))
    }

    fn complaint(&mut self) -> String {
        let _ = self.child.kill();
        let mut said = String::new();
        if let Some(err) = &mut self.child.stderr {
            let _ = err.read_to_string(&mut said);
        }
        let last = said.lines().last().unwrap_or("it did not say why");
        format!("slirp4netns could not set up a network: {last}")
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether an image has systemd.
pub(super) fn has_systemd(image: &[PathBuf]) -> bool {
    ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"].iter().any(|path| {
        let found = layers::resolve(image, Path::new(path), true);
        found.is_ok_and(|found| matches!(found.node, Some(Node::File { .. })))
    })
}

/// The note for a system that could not be started for want of a network of its own.
pub(super) fn without(reason: &str) -> String {
    format!(
        "services of the image are not started, and `systemctl` does not work: they need a network of their own, with a way \
         out, and {reason}; mend it with: sudo apt-get install -y slirp4netns, or do without a way out (--offline)"
    )
}
