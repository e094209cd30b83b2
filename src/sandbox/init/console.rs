//! `/dev/console` of an instance that runs the image's systemd: a terminal whose other end we read.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::pty::{PtyMaster, posix_openpt, ptsname_r, unlockpt};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// Lines kept, and their longest length in bytes.
const LINES: usize = 8;
const LONGEST: usize = 300;

/// The other end of the console.
#[derive(Debug)]
pub(super) struct Console {
    master: PtyMaster,
    lines: VecDeque<Vec<u8>>,
    // As long as someone holds the terminal it does not hang up when systemd closes it between two lines.
    _terminal: File,
}

impl Console {
    /// Makes a terminal of the present mounts' own and shows it as their `/dev/console`.
    pub(super) fn open() -> io::Result<Self> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        unlockpt(&master)?;
        let name = ptsname_r(&master)?;
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        File::create("/dev/console")?;
        mount(Some(name.as_str()), "/dev/console", None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        let terminal = File::options().read(true).write(true).custom_flags(nix::libc::O_NOCTTY).open(&name)?;
        Ok(Self { master, lines: VecDeque::from([Vec::new()]), _terminal: terminal })
    }

    /// Takes what was written: a full terminal would block systemd. Of it, the last lines are kept.
    pub(super) fn read(&mut self) {
        let mut buffer = [0; 4096];
        let Ok(length) = self.master.read(&mut buffer) else { return };
        keep(&mut self.lines, &buffer[..length]);
    }

    /// The last lines, each on a line of its own, or nothing.
    pub(super) fn tail(&self) -> String {
        let lines = self.lines.iter().map(|line| String::from_utf8_lossy(line));
        let lines = lines.map(|line| plain(&line)).filter(|line| !line.is_empty());
        lines.flat_map(|line| ["\n  | ".to_owned(), line]).collect()
    }
}

impl AsFd for Console {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

fn keep(lines: &mut VecDeque<Vec<u8>>, bytes: &[u8]) {
    for byte in bytes {
        if *byte == b'\n' {
            lines.push_back(Vec::new());
            if lines.len() > LINES + 1 {
                lines.pop_front();
            }
        } else if let Some(line) = lines.back_mut().filter(|line| line.len() < LONGEST) {
            line.push(*byte);
        }
    }
}

/// A line without what moves the cursor or changes colours.
fn plain(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    let text = pieces.fold(first, |text, piece| {
        // `ESC [ parameters letter`; of other sequences at least the letter after ESC.
        let rest = piece.strip_prefix('[').map_or_else(
            || piece.get(1..).unwrap_or_default(),
            |rest| rest.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).get(1..).unwrap_or_default(),
        );
        text + rest
    });
    text.chars().filter(|letter| !letter.is_control()).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_without_their_colours() {
        let mut lines = VecDeque::from([Vec::new()]);
        for number in 0..20 {
            keep(&mut lines, format!("line {number}\r\n").as_bytes());
        }
        keep(&mut lines, b"[\x1b[0;1;31mFAILED\x1b[0m] Failed to start \x1b(B\xff.\r\n");
        keep(&mut lines, &[b'x'; 2 * LONGEST]);
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(plain(&String::from_utf8_lossy(&lines[0])), "line 13");
        assert_eq!(plain(&String::from_utf8_lossy(&lines[LINES - 1])), "[FAILED] Failed to start B\u{fffd}.");
        assert_eq!(lines[LINES].len(), LONGEST);
        assert_eq!(plain("ä\u{1b}"), "ä");
    }
}
