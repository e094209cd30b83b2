//! Who inspects an image: written on the instance that is started for it, so that somebody can tell later whether it is still
//! anybody's.

use sha2::{Digest as _, Sha256};

/// Host, process, and in which numbering of processes that is: `ci-7, process 12 of 1f0c9a2b`.
pub(super) fn inspector() -> String {
    format!("{} of {}", super::holder(), numbering().unwrap_or_default())
}

/// Whether who is called like this has certainly ended: a process of the same numbering as this one, of which there is no process
/// with that number any more. Nothing is certain of other hosts and containers, whatever they are called.
pub(super) fn is_gone(inspector: &str) -> bool {
    numbering().is_some_and(|own| {
        is_gone_here(inspector, &own, |pid| {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH)
        })
    })
}

fn is_gone_here(inspector: &str, own: &str, lives: impl Fn(i32) -> bool) -> bool {
    let Some((name, numbering)) = inspector.rsplit_once(" of ") else { return false };
    let pid = name.rsplit_once(", process ").and_then(|(_, pid)| pid.parse::<i32>().ok());
    numbering == own && pid.is_some_and(|pid| pid > 0 && !lives(pid))
}

/// What numbers of processes are relative to: this start of the kernel, and the namespace in it.
fn numbering() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let digest = Sha256::digest(format!("{} {}", boot.trim(), space.display()));
    Some(digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_the_same_numbering_can_be_seen_to_be_gone() {
        let gone = |name: &str| is_gone_here(name, "1f0c9a2b", |pid| pid == 12);
        assert!(gone("ci-7, process 13 of 1f0c9a2b"));
        for name in [
            "ci-7, process 12 of 1f0c9a2b",
            "ci-7, process 13 of 00000000",
            "ci-7, process 13 of ",
            "ci-7, process 13",
            "",
            "x of 1f0c9a2b",
        ] {
            assert!(!gone(name), "{name}");
        }
        assert!(!is_gone(&inspector()), "this process is there");
        assert!(!is_gone("ci-7, process 13 of "), "where numbers mean nothing nobody is gone");
    }
}
