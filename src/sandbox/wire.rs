//! What this program and the init it has started say to each other over their socket.
//!
//! A message is two little-endian 32-bit lengths, a JSON head and a body of bytes.

use super::root::{Order, Sources};
use super::{Exit, Limits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Code with which the init ends when the image's process 1 asked for a restart: 128 and SIGHUP, see `reboot(2)` on pid
/// namespaces.
pub(super) const RESTART: i32 = 129;

/// As [`RESTART`], for switching the machine off: 128 and SIGINT.
pub(super) const OFF: i32 = 130;

/// Longest head or body; a longer one is a defect, not a message.
const LIMIT: u32 = 256 << 20;

/// From this program to the init.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// What to become, and within which walls; the first message.
    Begin(Setup, Walls),
    /// The maps of the user namespace are written.
    Mapped,
    /// The parent holds a descriptor of process 1, which may go on.
    Go,
    /// Run a program; the body is its standard input.
    Command { argv: Vec<String>, environment: BTreeMap<String, String>, directory: String, timeout_ms: Option<u64> },
    /// Run a program on a terminal of the instance.
    Terminal { argv: Vec<String>, environment: BTreeMap<String, String>, directory: String, terminal: PathBuf },
    /// Call the handler; the body is the payload.
    Builtin { timeout_ms: Option<u64> },
    /// For the handler that runs; the body goes to its standard input. Without one it is dropped.
    Answer,
    /// Prove that files can be made and given away inside.
    Prove,
    /// Have the image's systemd stop everything, kill it when that takes longer, and end.
    GoDown { restart: bool, patience_ms: u64 },
}

/// What keeps an instance apart, as far as the init has to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Walls {
    /// Namespaces in which all ids of an image exist.
    Ids,
    /// Namespaces in which there is root alone.
    OneId,
    /// No namespaces.
    None,
}

/// What a re-executed copy of this program becomes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Setup {
    /// Process 1 of an instance; the body holds the content of the injected files, one after the other.
    Instance(InstanceSetup),
    /// Process 1 of namespaces that see the host's own files, for programs that make roots.
    Workshop,
    /// A single operation on files inside the user namespace.
    Operation(Operation),
}

/// The part of a `Spec` that the init needs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct InstanceSetup {
    pub(super) hostname: String,
    pub(super) layers: Vec<PathBuf>,
    pub(super) scratch: PathBuf,
    pub(super) loopback_only: bool,
    pub(super) inject: Vec<InjectedFile>,
    pub(super) bind: Vec<PathBuf>,
    pub(super) limits: Limits,
    /// Whether the image's own systemd shall be process 1, if it can.
    pub(super) system: bool,
    /// Content of the host's resolv.conf; `None` leaves the image's own alone.
    pub(super) resolver: Option<String>,
}

/// Place, mode and length of an injected file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct InjectedFile {
    pub(super) path: PathBuf,
    pub(super) mode: u32,
    pub(super) length: usize,
}

/// Work on trees of files that belong to the ids of the user namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Operation {
    /// Removes a tree.
    Remove { path: PathBuf },
    /// Turns an upper layer into an image layer.
    Capture { upper: PathBuf, destination: PathBuf, drop: Vec<String> },
    /// Finishes a root made by mmdebstrap.
    Finish { root: PathBuf, sources: Sources },
    /// Unpacks archives into a root; the answer tells what came of it.
    Unpack { order: Order },
    /// Makes a disk of layers.
    Disk { layers: Vec<PathBuf>, scratch: PathBuf, image: PathBuf, free: u64 },
    /// Looks at all files of a root; the answer is what it found.
    Survey { root: PathBuf },
}

/// From the init to this program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The namespaces are made; write the maps.
    Unshared,
    /// Process 1 exists; its number on the host.
    Started { pid: i32 },
    /// Ready for jobs. Notes are for the user; `system` tells whether the image's own systemd is process 1.
    Up { notes: Vec<String>, system: bool },
    /// The job has been started.
    Begun,
    /// The body is standard output of the job.
    Out,
    /// The body is standard error of the job.
    Err,
    /// The job has ended.
    Done(Exit),
    /// A step failed; nothing follows.
    Failed(Failure),
}

/// A step of the init that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) step: Step,
    /// What exactly, in words.
    pub(super) what: String,
    /// The system's error number, if it was the system.
    pub(super) errno: Option<i32>,
    pub(super) reason: String,
}

/// The steps of a start that differ in what mends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    Unshare,
    Identity,
    Overlay,
    Proc,
    Mount,
    Network,
    File,
    /// What only the image's own systemd needs; there is a way without.
    Group,
    /// The image restarted before it was up.
    Restart,
    Other,
}

impl Failure {
    /// For `map_err`.
    pub(super) fn io(step: Step, what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self { step, what, errno: error.raw_os_error(), reason: error.to_string() }
    }

    /// For `map_err`.
    pub(super) fn os(step: Step, what: impl Into<String>) -> impl FnOnce(nix::Error) -> Self {
        let what = what.into();
        move |errno| Self { step, what, errno: Some(errno as i32), reason: errno.desc().to_owned() }
    }

    /// Whether the system has refused what only some modes need: namespaces, mounts and ids.
    pub(super) fn is_refusal(&self) -> bool {
        use nix::errno::Errno;
        let special = matches!(
            self.step,
            Step::Unshare | Step::Identity | Step::Overlay | Step::Proc | Step::Mount | Step::Network
        );
        let refused = [Errno::EPERM, Errno::EACCES, Errno::EINVAL, Errno::ENOSYS, Errno::ENODEV, Errno::ENOSPC];
        let errno = self.errno.map(Errno::from_raw);
        special && errno.is_some_and(|errno| refused.contains(&errno) || errno == Errno::EUSERS)
    }

    /// A failure that is not the system's.
    pub(super) fn other(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { step: Step::Other, what: what.into(), errno: None, reason: reason.into() }
    }
}

/// Sends one message.
pub(super) fn send(stream: &mut impl Write, head: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if length > LIMIT { Err(io::Error::other("a message to or from the init is too long")) } else { Ok(length) }
    };
    let mut message = Vec::with_capacity(8 + head.len() + body.len());
    message.extend(length(&head)?.to_le_bytes());
    message.extend(length(body)?.to_le_bytes());
    message.extend(&head);
    message.extend(body);
    stream.write_all(&message)
}

/// Receives one message; `None` when the other side has closed the socket between two messages.
pub(super) fn receive<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut first = [0_u8; 1];
    loop {
        match stream.read(&mut first) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut rest = [0_u8; 7];
    stream.read_exact(&mut rest)?;
    let head = u32::from_le_bytes([first[0], rest[0], rest[1], rest[2]]);
    let body = u32::from_le_bytes([rest[3], rest[4], rest[5], rest[6]]);
    if head > LIMIT || body > LIMIT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message with impossible lengths"));
    }
    let mut head = vec![0; head as usize];
    stream.read_exact(&mut head)?;
    let mut bytes = vec![0; body as usize];
    stream.read_exact(&mut bytes)?;
    Ok(Some((serde_json::from_slice(&head)?, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_arrive_as_they_were_sent(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5)) {
            let mut stream = Vec::new();
            for body in &bodies {
                send(&mut stream, &Reply::Out, body).unwrap();
            }
            let mut reader = stream.as_slice();
            for body in &bodies {
                let (head, got) = receive::<Reply>(&mut reader).unwrap().unwrap();
                prop_assert!(matches!(head, Reply::Out));
                prop_assert_eq!(&got, body);
            }
            prop_assert!(receive::<Reply>(&mut reader).unwrap().is_none());
        }
    }

    #[test]
    fn a_cut_message_is_an_error_and_not_an_end() {
        let mut stream = Vec::new();
        send(&mut stream, &Reply::Done(Exit::Code(3)), b"").unwrap();
        for length in 1..stream.len() {
            assert!(receive::<Reply>(&mut &stream[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn absurd_lengths_are_refused_before_memory_is_taken() {
        let mut noise: &[u8] = &[0xff; 64];
        assert!(receive::<Reply>(&mut noise).is_err());
    }
}
