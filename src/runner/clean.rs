//! Kills everything a step has started, wherever it has hidden.
//!
//! A process group is not enough: a program may leave it, fork and let its parent die. So orphans are handed to this
//! process (`PR_SET_CHILD_SUBREAPER`), and the tree below it is searched in `/proc` until nothing is left.

use super::process::pause;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long to go on killing before giving up: a process in an uninterruptible system call cannot be killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Orphans below this process become its children from now on.
pub fn adopt_orphans() -> Result<(), Errno> {
    nix::sys::prctl::set_child_subreaper(true)
}

/// The processes that existed before a step, which are not its own: number and start time, because numbers are reused.
#[derive(Debug, Default)]
pub struct Before(BTreeSet<(i32, u64)>);

/// One line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    started: u64,
    dead: bool,
}

impl Before {
    /// The children this process has now.
    pub fn now() -> Self {
        let me = std::process::id().cast_signed();
        let children = match listed_children() {
            Some(children) => children.into_iter().filter_map(read).filter(|process| process.parent == me).collect(),
            None => processes().into_iter().filter(|process| process.parent == me).collect::<Vec<_>>(),
        };
        Self(children.into_iter().map(|process| (process.pid, process.started)).collect())
    }
}

/// Kills the child `leader`, its process group, and everything else that descends from this process and is not of
/// `before`. Returns how many could not be killed. The caller still has to wait for `leader` itself.
pub fn kill_all(leader: u32, before: &Before) -> usize {
    let leader = Pid::from_raw(leader.cast_signed());
    let give_up = Instant::now() + PATIENCE;
    // The group is gone already if its processes have ended; nothing is lost then.
    let _ = killpg(leader, Signal::SIGKILL);
    loop {
        let left = descendants(&processes(), std::process::id().cast_signed(), before);
        let alive = left.iter().filter(|process| !process.dead).count();
        for process in &left {
            let pid = Pid::from_raw(process.pid);
            if !process.dead {
                let _ = kill(pid, Signal::SIGKILL);
            }
            if pid != leader {
                let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
            }
        }
        if alive == 0 || Instant::now() > give_up {
            return alive;
        }
        pause(Duration::from_millis(2));
    }
}

/// All processes below `root`, without those of `before` and what is below them.
fn descendants(processes: &[Process], root: i32, before: &Before) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(*process);
    }
    let mut found: Vec<Process> = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            if !before.0.contains(&(process.pid, process.started)) {
                next.push(process.pid);
                found.push(process);
            }
        }
    }
    found
}

/// The children of all threads of this process as the kernel lists them: one small file instead of all of `/proc`, which on
/// a host takes longer than many a step. `None` where it has no such list. A child that ends in this very moment can hide its
/// neighbour from the list (`proc_pid_task(5)`); at worst a daemon then ends with a later step that runs out of time.
fn listed_children() -> Option<Vec<i32>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let text = std::fs::read_to_string(thread.ok()?.path().join("children")).ok()?;
        children.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    Some(children)
}

fn read(pid: i32) -> Option<Process> {
    parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// All processes that `/proc` shows.
fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Reads a line of `stat`. The name in parentheses may hold anything, also parentheses.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let dead = matches!(*fields.first()?, "Z" | "X");
    Some(Process { pid, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()?, dead })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process { pid, parent, started: 7, dead: false }
    }

    #[test]
    fn names_in_stat_may_hold_anything() {
        let stat = format!("42 (a) b (c)) S 7 {} 99 0", "0 ".repeat(17).trim_end());
        assert_eq!(parse(42, &stat), Some(Process { pid: 42, parent: 7, started: 99, dead: false }));
        assert_eq!(parse(42, "42 (x"), None);
    }

    #[test]
    fn this_process_is_found_with_its_parent() {
        let me = processes().into_iter().find(|process| process.pid == std::process::id().cast_signed()).unwrap();
        assert_eq!(me.parent, std::os::unix::process::parent_id().cast_signed());
    }

    #[test]
    fn children_are_listed_or_found() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let before = Before::now();
        let found = before.0.iter().any(|(pid, _)| *pid == child.id().cast_signed());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found, "{before:?}");
    }

    #[test]
    fn what_was_there_before_is_spared_with_all_below_it() {
        let all = [process(2, 1), process(3, 2), process(4, 1), process(5, 4), process(6, 99)];
        let before = Before(BTreeSet::from([(2, 7)]));
        let pids: Vec<i32> = descendants(&all, 1, &before).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [4, 5]);
        // The same number with another start time is another process.
        let reused = Before(BTreeSet::from([(4, 6)]));
        assert_eq!(descendants(&all, 4, &reused).len(), 1);
        assert_eq!(descendants(&all, 1, &reused).len(), 4);
    }
}
