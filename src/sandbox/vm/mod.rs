//! An image on a machine of its own: its own kernel, in an emulator.
//!
//! The root filesystem becomes a disk, the kernel is the newest one of the image, and a small file system in memory holds the
//! modules that the disk needs and this very program, which is process 1 until the image's systemd takes its place. A copy
//! of it stays: the *agent*, which runs jobs and speaks to this machine over a virtio port. Nothing is written into the image.
//!
//! ```text
//! layers ─► kernel, modules ─► initrd ─┐
//!        └► disk (mke2fs) ─────────────┴► QEMU ◄── messages ──► agent in the guest ─► jobs
//! ```
//!
//! | file | what it is for |
//! |---|---|
//! | `kernel` | which kernel the image boots, and the modules that are needed for its disk |
//! | `program` | this program and its libraries, without what only debuggers read |
//! | `initrd` | the file system in memory, as a cpio archive |
//! | `disk` | layers → ext4 |
//! | `qemu` | the emulator: command line, process, console |
//! | `machine` | the handle: start, jobs, restarts, end |
//! | `message` | what both sides say |
//! | `guest` | the other side |
//!
//! # Differences from an instance of EC2
//!
//! * Devices are the emulator's: virtio instead of `NVMe` and ENA, and a clock of its own. There is no metadata service,
//!   and cloud-init is switched off.
//! * `/etc/fstab` is not read (its devices do not exist), and units that wait for a network or a terminal of EC2 are masked.
//! * The interface is `eth0`, with an address that was set before systemd started.
//! * What listens on the loopback interface of this machine is within reach, at 10.0.2.2: the emulator's network has no
//!   switch against that. A machine without a way out (`offline`) has no interface at all.
//! * Without hardware acceleration everything takes ten times as long.
//!
//! UNCONFIRMED: machines with working hardware acceleration, and other processors than `x86_64`.

mod disk;
pub(super) mod guest;
mod initrd;
mod kernel;
mod machine;
mod message;
mod program;
mod qemu;

pub(super) use disk::make as make_disk;
pub use machine::{Vm, VmKiller};

use std::path::PathBuf;
use std::time::Duration;

/// What to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmSpec {
    /// Read-only layers of the root filesystem, topmost first; at least one.
    pub layers: Vec<PathBuf>,
    /// A directory of this machine's own: its disk, kernel and initrd are made in it.
    pub scratch: PathBuf,
    /// Whether it has no way out.
    pub offline: bool,
    /// Bytes of memory; [`MEMORY`] when absent.
    pub memory: Option<u64>,
    /// Bytes that may be written to its disk besides what the image has; 4 GiB when absent.
    pub disk: Option<u64>,
    /// How long it may take from power on to the end of systemd's start.
    pub patience: Duration,
}

/// Enough for a server's image and the tests of its components.
pub const MEMORY: u64 = 1536 << 20;

/// Free bytes on the disk. The file has holes: what is not written takes no room.
const DISK: u64 = 4 << 30;

/// The limit of a start, which takes up to a minute without acceleration on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(6);

/// What does not work in a machine like this, or makes everything wait.
const MASKED: [&str; 4] = [
    "serial-getty@ttyS0.service",
    "systemd-networkd-wait-online.service",
    "NetworkManager-wait-online.service",
    "snapd.seeded.service",
];
