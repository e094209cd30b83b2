//! What an instance may use up, and how that is held to.
//!
//! | limit | with a control group of our own | without |
//! |---|---|---|
//! | memory | of all processes together, files in memory included | of the private memory of each process (`RLIMIT_DATA`) |
//! | processes | all of the instance | all of the instance's user namespace (Linux 5.14); none for root without one |
//! | disk | looked at twenty times a second (see `init/outer`): whoever exceeds it is killed | the same |
//!
//! Where a limit does not hold as described for control groups, [`Instance::notes`](super::Instance::notes) says so.

use super::{Limits, SandboxError};
use std::fs;
use std::path::Path;

mod group;

pub(super) use group::{Group, Reached, remove_recorded};

/// Room on the disk that instances leave to the machine, in bytes.
const RESERVE: u64 = 1 << 30;

/// Processes and threads at one time: more than any package script needs, and far from what stops a machine.
const PROCESSES: u64 = 4096;

/// What a machine has, as far as limits depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes that are free where an instance will write.
    pub free_disk: u64,
}

impl Machine {
    /// This machine, for an instance whose scratch folder is, or will be, at or below `folder`, which must exist.
    ///
    /// # Errors
    /// [`SandboxError::File`] when the system does not tell.
    pub fn here(folder: &Path) -> Result<Self, SandboxError> {
        let meminfo = Path::new("/proc/meminfo");
        let text = fs::read_to_string(meminfo).map_err(SandboxError::file("cannot read", meminfo))?;
        let memory = total_memory(&text).ok_or_else(|| {
            SandboxError::file("cannot read", meminfo)(std::io::Error::other("it does not tell MemTotal"))
        })?;
        let free_disk = free_space(folder).map_err(SandboxError::file("cannot see the free space of", folder))?;
        Ok(Self { memory, free_disk })
    }
}

impl Limits {
    /// Limits with which no component can harm a machine: three quarters of its memory, 4096 processes, and the free
    /// space of its disk but for one GiB.
    pub fn for_machine(machine: &Machine) -> Self {
        Self {
            memory: Some(machine.memory / 4 * 3),
            processes: Some(PROCESSES),
            disk: Some(machine.free_disk.saturating_sub(RESERVE)),
        }
    }
}

/// `proc_meminfo(5)`: kibibytes.
fn total_memory(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes that an ordinary user can still write to the file system of a path.
pub(super) fn free_space(path: &Path) -> std::io::Result<u64> {
    let space = nix::sys::statvfs::statvfs(path)?;
    // The field types differ between architectures.
    #[expect(clippy::useless_conversion, reason = "u64 on this one, u32 elsewhere")]
    Ok(u64::from(space.blocks_available()).saturating_mul(u64::from(space.fragment_size())))
}

/// A number of bytes for a message.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_laptop_keeps_a_quarter_of_its_memory_and_a_gibibyte_of_its_disk() {
        let limits = Limits::for_machine(&Machine { memory: 16 << 30, free_disk: 100 << 30 });
        assert_eq!(limits.memory, Some(12 << 30));
        assert_eq!(limits.processes, Some(4096));
        assert_eq!(limits.disk, Some(99 << 30));
        // Nothing to spare: nothing may be written, rather than anything.
        assert_eq!(Limits::for_machine(&Machine { memory: 1 << 30, free_disk: 5 }).disk, Some(0));
    }

    proptest! {
        #[test]
        fn limits_never_exceed_the_machine(memory: u64, free_disk: u64) {
            let limits = Limits::for_machine(&Machine { memory, free_disk });
            prop_assert!(limits.memory.unwrap() <= memory);
            prop_assert!(limits.disk.unwrap() <= free_disk.saturating_sub(RESERVE));
        }
    }

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        assert_eq!(total_memory("MemTotal:       24684092 kB\nMemFree: 1 kB\n"), Some(24_684_092 * 1024));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert_eq!(total_memory(""), None);
    }

    #[test]
    fn this_machine_tells() {
        let machine = Machine::here(Path::new("/")).unwrap();
        assert!(machine.memory > 64 << 20, "{machine:?}");
        assert!(Machine::here(Path::new("/nonexistent")).is_err());
    }
}
