//! Whether this process is in a container, asked of the kernel and not of files that images may or may not have.

use std::fs;
use std::path::Path;

/// The number of the machine's own pid namespace: `PROC_PID_INIT_INO`, `linux/proc_ns.h`. It is the same on every machine.
const MACHINES_OWN: &str = "pid:[4026531836]";

/// `CAP_SYS_ADMIN` in the masks of /proc/self/status; linux/capability.h.
const CAP_SYS_ADMIN: u32 = 21;

/// Whether a container stands around this process that holds its processes, too: its pid namespace is not the machine's
/// (one that shares it would let a component end the machine's processes), and it lacks the right to mount (one that has
/// it can reach the machine's disks). Not known is no.
pub(super) fn holds_us() -> bool {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_container(&namespace, &status)
}

fn is_container(namespace: &Path, status: &str) -> bool {
    let known = namespace.to_str().is_some_and(|name| name.starts_with("pid:["));
    known && namespace != Path::new(MACHINES_OWN) && has_capability(status, CAP_SYS_ADMIN) == Some(false)
}

/// Whether a process may still get a capability: what its bounding set has.
fn has_capability(status: &str, number: u32) -> Option<bool> {
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapBnd:")?.trim(), 16).ok())?;
    Some(mask >> number & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_processes_of_its_own_and_no_right_to_mount() {
        let docker = "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n";
        let all = "CapBnd:\t000001ffffffffff\n";
        let cases = [
            ("pid:[4026532500]", docker, true),
            ("pid:[4026531836]", docker, false),
            ("pid:[4026532500]", all, false),
            ("pid:[4026532500]", "", false),
            ("", docker, false),
        ];
        for (namespace, status, expected) in cases {
            assert_eq!(is_container(Path::new(namespace), status), expected, "{namespace} {status}");
        }
    }
}
