//! Killing everything that a job has started.
//!
//! A job's supervisor is a subreaper: whatever double-forks or detaches itself below it stays below it. So the
//! descendants of the supervisor are exactly what the job has started, while daemons that earlier jobs have left
//! running hang below process 1 and survive the timeout of a later job, as they would on a real machine (there too
//! the agent kills the command, not the services). `kill(-1)` would be simpler but ends those as well; it stays the
//! last resort for a job that forks faster than we can look, because the kernel does it in one sweep. Only in a pid
//! namespace of our own, of course.
//!
//! Who descends from whom is read in a /proc that is held since before the first job: one may mount another over it.

use crate::sandbox::sys;
use nix::dir::Dir;
use nix::fcntl::{OFlag, open, openat};
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

/// How often to look again; with a pause of a millisecond each, about two seconds.
const ROUNDS: usize = 2000;

/// The /proc that is believed.
static PROC: OnceLock<OwnedFd> = OnceLock::new();

const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// Whose processes this one sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    /// The instance's: "all" means them.
    Own,
    /// Also others.
    Shared,
}

impl Namespace {
    /// Process 1 is that of a namespace of ours.
    pub(super) fn of_this_process() -> Self {
        if nix::unistd::getpid().as_raw() == 1 { Self::Own } else { Self::Shared }
    }
}

/// To be called before anything of the image runs.
pub(super) fn hold_proc() {
    if let Ok(folder) = open("/proc", FOLDER, Mode::empty()) {
        let _ = PROC.set(folder);
    }
}

/// Kills a supervisor and all that descends from it.
pub(super) fn kill_all(supervisor: Pid, namespace: Namespace) {
    // It must not start the job in the very moment in which we look.
    let _ = kill(supervisor, Signal::SIGSTOP);
    kill_all_of(supervisor, namespace);
    let _ = kill(supervisor, Signal::SIGKILL);
}

/// Kills all that descends from this process: daemons, too.
pub(super) fn kill_everything() {
    let (me, namespace) = (nix::unistd::getpid(), Namespace::of_this_process());
    if namespace == Namespace::Own {
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    }
    kill_all_of(me, namespace);
}

/// Kills every process of this pid namespace but its process 1 and this one, and waits until those have ended that there
/// were; process 1 may start others.
pub(super) fn sweep() {
    let (first, me) = (1, nix::unistd::getpid().as_raw());
    let alive = || processes().into_iter().filter(|process| !process.dead).map(|process| process.pid);
    let mut found: BTreeSet<i32> = alive().filter(|pid| *pid != first && *pid != me).collect();
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    for _ in 0..ROUNDS {
        let left: BTreeSet<i32> = alive().collect();
        found = found.intersection(&left).copied().collect();
        if found.is_empty() {
            break;
        }
        let _ = poll(&mut [], PollTimeout::from(1_u8));
    }
}

/// Kills all that descends from a process, but not that itself.
pub(super) fn kill_all_of(ancestor: Pid, namespace: Namespace) {
    for round in 0.. {
        let alive = alive_below(ancestor);
        if alive.is_empty() {
            break;
        }
        if round >= ROUNDS {
            if namespace == Namespace::Own {
                // Process 1 and this one are exempt.
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            }
            break;
        }
        for pid in alive {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // The end of a process takes a moment; children it had just started become the nearest ancestor's that takes them.
        let _ = poll(&mut [], PollTimeout::from(1_u8));
        // Those that have become ours are taken off the list.
        while sys::reap(false).is_some() {}
    }
}

fn alive_below(supervisor: Pid) -> BTreeSet<i32> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in processes() {
        children.entry(process.parent).or_default().push(process);
    }
    let mut alive = BTreeSet::new();
    let mut pending = vec![supervisor.as_raw()];
    while let Some(parent) = pending.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            pending.push(process.pid);
            if !process.dead {
                alive.insert(process.pid);
            }
        }
    }
    alive
}

#[derive(Debug, PartialEq)]
struct Process {
    pid: i32,
    parent: i32,
    /// A zombie: it runs no more and cannot be killed again.
    dead: bool,
}

fn processes() -> Vec<Process> {
    let listed = match PROC.get() {
        Some(held) => openat(held, ".", FOLDER, Mode::empty()),
        None => open("/proc", FOLDER, Mode::empty()),
    };
    let Ok(folder) = listed.and_then(Dir::from_fd) else { return Vec::new() };
    let mut folder = folder;
    let names: Vec<String> =
        folder.iter().flatten().filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned())).collect();
    let numbers = names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    numbers
        .filter_map(|name| {
            let file =
                openat(&folder, format!("{name}/stat").as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
            let mut text = Vec::new();
            File::from(file.ok()?).read_to_end(&mut text).ok()?;
            parse(&text)
        })
        .collect()
}

/// `proc_pid_stat(5)`: `pid (name) state ppid …`; the name may contain anything, even `)` and spaces.
fn parse(stat: &[u8]) -> Option<Process> {
    let text = String::from_utf8_lossy(stat);
    let (before, after) = (text.split_once(' ')?.0, text.rsplit_once(')')?.1);
    let mut fields = after.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    Some(Process { pid: before.parse().ok()?, parent, dead: matches!(state, "Z" | "X") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_and_spaces_do_not_confuse() {
        let process = parse(b"42 (a) b) S 7 42 42 0 -1").unwrap();
        assert_eq!(process, Process { pid: 42, parent: 7, dead: false });
        assert!(parse(b"43 (x) Z 1 1").unwrap().dead);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"nonsense"), None);
    }
}
