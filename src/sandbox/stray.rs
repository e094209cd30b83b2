//! Processes of instances without namespaces, found by the root they have.

use super::sys;
use nix::poll::{PollTimeout, poll};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;

/// How often to look, a millisecond apart; whoever forks faster than we can look is caught in one of them.
const ROUNDS: u32 = 2000;

/// Kills every process whose root is a folder, or lies below it, until there is none; returns how many were found last.
///
/// Seen are processes of our own user that have no more rights than we have, and with `CAP_SYS_PTRACE` all. Those that
/// have become another user are killed by the outer process of their instance, which is their ancestor, as long as it
/// lives.
pub(super) fn kill_below(folder: &Path) -> usize {
    let Ok(folder) = folder.canonicalize() else { return 0 };
    if folder.parent().is_none() {
        return 0; // Everyone's root: that would be the machine.
    }
    let mut found = 0;
    for _ in 0..ROUNDS {
        found = processes().filter(|pid| kill_if_below(*pid, &folder)).count();
        if found == 0 {
            break;
        }
        let _ = poll(&mut [], PollTimeout::from(1_u8));
    }
    found
}

fn kill_if_below(pid: i32, folder: &Path) -> bool {
    if !is_below(pid, folder) {
        return false;
    }
    // Its number may have become another's since: held first, looked at again, killed then.
    let Ok(held) = sys::pidfd_open(Pid::from_raw(pid)) else { return false };
    is_below(pid, folder) && sys::pidfd_kill(&held).is_ok()
}

fn is_below(pid: i32, folder: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/root")).is_ok_and(|root| root.starts_with(folder))
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_nobodys_root_has_no_processes() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kill_below(folder.path()), 0);
        assert_eq!(kill_below(Path::new("/nonexistent-folder")), 0);
        assert_eq!(kill_below(Path::new("/")), 0);
    }
}
