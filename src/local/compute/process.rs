//! Who owns something that runs: a process of this machine, told apart from a later one with the same number.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;

/// A process: its number and when it started, so that a recycled number is not mistaken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// Process id.
    pub(super) pid: u32,
    /// Start time in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub(super) started: u64,
}

impl Owner {
    /// This process.
    pub(super) fn current() -> io::Result<Self> {
        let pid = std::process::id();
        Ok(Self { pid, started: start_time(pid)? })
    }

    /// Whether the process still runs.
    pub(super) fn alive(&self) -> bool {
        start_time(self.pid).is_ok_and(|started| started == self.started)
    }
}

fn start_time(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_start_time(&stat)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat has no start time")))
}

/// Field 22 of a `stat` line. The command name in parentheses may hold spaces and parentheses itself, so counting
/// begins behind the last one.
fn parse_start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_predecessor_is_not() {
        let me = Owner::current().unwrap();
        assert!(me.alive());
        assert!(!Owner { started: me.started + 1, ..me }.alive());
    }

    #[test]
    fn a_command_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(parse_start_time(stat), Some(777));
        assert_eq!(parse_start_time("no parentheses"), None);
    }
}
