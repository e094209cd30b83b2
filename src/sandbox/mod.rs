//! Roots, layers, namespaces: an instance on this machine, knowing nothing of AWS.
//!
//! An instance is an overlay on read-only layers in its own namespaces, with one persistent init: this program,
//! executed again. Jobs are sent to the init over a socket. Killing the init kills everything.
//!
//! | file | what it is for |
//! |---|---|
//! | `instance` | the handle: start, run, reboot, stop, kill |
//! | `probe`, `mode`, `subid`, `container` | what this machine permits, and the one command that mends it when it does not |
//! | `launch`, `spawn` | the parent's half of a start: the process, the maps of the user namespace |
//! | [`init`] | the child's half: namespaces, mounts, process 1, jobs |
//! | `wire` | what the two halves say to each other |
//! | [`layers`] | reading files through a stack of layers |
//! | `tree` | removing, copying and capturing trees of files |
//! | `copied` | a root that is a copy of its layers, and the layer made of what differs |
//! | `limits` | what an instance may use up: defaults, control groups |
//! | `stray` | processes of instances without namespaces, found by their root |
//! | [`root`] | where roots come from, the cache of them; layers captured, removed and swept |
//! | [`facts`] | what is real in an instance, and what is not |
//! | [`host`] | the package manager's settings of this machine, for the instances |
//! | `sys` | the system calls that need `unsafe` |
//!
//! Where an instance differs from a machine: the kernel, its settings (`/proc/sys` is read-only) and the hardware are
//! the host's; with [`Network::Host`] so are the network interfaces and ports; with [`First::Ours`] process 1 is ours, not
//! the image's, and may not restart the machine. [`Instance::facts`] tells it for each instance.
//!
//! # What a hostile component can do
//!
//! With namespaces (`root-ident`, `userns-subid`, `userns-fake`) it is root of its instance and of nothing else. It runs
//! in a second user namespace, so that what we have mounted can neither be undone nor made writable (`init/lock`); all of
//! /proc that is not a process's is read-only, and so are /sys, shown folders and the device nodes; our process 1 is closed
//! to it, and with that our program, our descriptors and our memory; keys, terminal and environment of the caller are left
//! outside (`init/harden`); the scratch folder is closed to other users, who could else run what it has made with the
//! set-user-id bit, and so must the folders be that layers are kept in. With [`Network::Host`] it reaches what the network
//! reaches, services on the loopback interface and Unix sockets without a file included. What stays is the kernel itself.
//!
//! The same holds for the image's own systemd and all that it starts ([`First::System`]): it is root of the same second
//! user namespace, in processes and control groups of its own (`init/system`).
//!
//! In `chroot-copy` there are no walls but the container's: a component can leave its root, and see and end the processes
//! of the container. So it is taken by itself only in a container that has processes of its own and lacks the right to
//! mount; elsewhere only who asks for it by name gets it. There, no program gains rights by its set-user-id bit, and a
//! signal to "all processes" is refused, against accidents. `/proc` and `/sys` are empty.
//!
//! Limits of memory, processes and disk hold in each mode as `limits` says.

mod container;
mod copied;
mod error;
pub mod facts;
pub mod host;
pub mod init;
mod instance;
mod launch;
pub mod layers;
mod limits;
mod lines;
mod mode;
mod probe;
pub mod root;
mod spawn;
mod stray;
mod subid;
mod sys;
mod tree;
mod vm;
mod wire;

pub use error::SandboxError;
pub use facts::Fact;
pub use instance::{Instance, Killer, Program, Size};
pub use limits::Machine;
pub use mode::{Mode, NAMES as MODES};
pub use probe::{limits_hold, probe};
pub use vm::{MEMORY as VM_MEMORY, PATIENCE as VM_PATIENCE, Vm, VmKiller, VmSpec};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long the image's own systemd may take to start everything. What takes longer goes on in the background.
const BOOT_LIMIT: Duration = Duration::from_mins(2);

/// What to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Host name inside.
    pub hostname: String,
    /// Read-only layers, topmost first; at least one.
    pub layers: Vec<PathBuf>,
    /// A directory of this instance's own; `upper`, `work`, `inject` and `merged` are made in it.
    pub scratch: PathBuf,
    /// What the instance may reach.
    pub network: Network,
    /// Files visible inside but never part of the upper layer: absolute path inside → content and mode.
    pub inject: BTreeMap<PathBuf, Injected>,
    /// Paths of the host bound read-only at the same place (file:// package sources of tests), if they exist.
    pub bind: Vec<PathBuf>,
    /// What runs as process 1 of the image.
    pub first: First,
    /// What the instance may use up.
    pub limits: Limits,
}

/// What runs as process 1 of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum First {
    /// Our own init: nothing of the image runs before a job asks for it.
    #[default]
    Ours,
    /// The image's own systemd, so that services, timers and restarts are real; [`First::Ours`] where the image has none
    /// or the machine does not permit it, with a note.
    System,
}

/// What an instance may use up; `None` is no limit of ours. Out of one of them, programs inside get the error that a full
/// machine gives, and the host is unharmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Bytes of memory of all processes together.
    pub memory: Option<u64>,
    /// Processes and threads at one time.
    pub processes: Option<u64>,
    /// Bytes that the instance may write to its upper layer.
    pub disk: Option<u64>,
}

/// A file shown inside an instance that never lands in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// The bytes.
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}

/// What an instance may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The host's network: package mirrors can be reached. And so can everything else that listens there: services on
    /// the loopback interface, and Unix sockets in the abstract namespace, which may take the root of a `root-ident`
    /// instance for the machine's.
    Host,
    /// Loopback only; refused in the mode `chroot-copy`, which has no network of its own.
    Loopback,
}

/// Something to run in an instance; one at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// A program of the image.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// The whole environment.
        environment: BTreeMap<String, String>,
        /// Working directory.
        directory: String,
        /// Standard input.
        stdin: Vec<u8>,
        /// Time limit.
        timeout: Option<Duration>,
    },
    /// This program's own code (the handler given to `init::main`), run in a forked child with `payload`; what it writes
    /// to its output arrives as lines. Its standard input has what [`Instance::run_answering`] answers.
    Builtin {
        /// Handed to the handler.
        payload: Vec<u8>,
        /// Time limit.
        timeout: Option<Duration>,
    },
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Exit {
    /// Exit code.
    Code(i32),
    /// Signal number.
    Signal(i32),
    /// The time limit was reached and everything the job had started was killed.
    TimedOut,
    /// The machine restarted while the job ran, and is up again.
    Restarted,
}

/// A line of a job's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Standard output (for a builtin: what it wrote).
    Out(String),
    /// Standard error.
    Err(String),
}

/// The fixed environment of everything that runs inside. Nothing of the caller's environment is ever passed on: a
/// `TMPDIR` of the host is enough to make a package's script fail.
pub fn environment() -> BTreeMap<String, String> {
    [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/root"),
        ("USER", "root"),
        ("LOGNAME", "root"),
        ("SHELL", "/bin/sh"),
        ("TERM", "dumb"),
        ("LC_ALL", "C.UTF-8"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("NEEDRESTART_MODE", "a"),
        ("container", "amiforge"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
