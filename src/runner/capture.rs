//! What a step writes: split into lines while it runs, kept for later steps, and the last lines for who has to explain a
//! failure.

use super::model::{RunEvent, Stream};
use std::collections::VecDeque;

/// Longer lines are cut, so that a program without line ends cannot fill the memory of those who listen.
const LONGEST_LINE: usize = 64 * 1024;

/// How many lines a failure shows.
const LAST_LINES: usize = 20;

/// Standard output beyond this is not kept for later steps.
pub const MOST_KEPT: usize = 16 * 1024 * 1024;

/// Where the lines of a step go.
pub struct Sink<'a> {
    events: &'a mut dyn FnMut(RunEvent),
    /// `disableLogging`: nothing the step writes may leave the machine.
    quiet: bool,
    last: VecDeque<String>,
}

impl<'a> Sink<'a> {
    /// A sink that hands lines to `events`, or to nobody if `quiet`.
    pub fn new(events: &'a mut dyn FnMut(RunEvent), quiet: bool) -> Self {
        Self { events, quiet, last: VecDeque::new() }
    }

    /// Takes a line.
    pub fn line(&mut self, stream: Stream, line: String) {
        if self.quiet {
            return;
        }
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        (self.events)(RunEvent::Output { stream, line });
    }

    /// A line of the runner itself.
    pub fn say(&mut self, line: impl Into<String>) {
        self.line(Stream::Stdout, line.into());
    }

    /// The last lines, oldest first.
    pub fn last_lines(self) -> Vec<String> {
        self.last.into()
    }
}

/// Splits a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    /// The rest of a line that was cut is not wanted.
    skipping: bool,
}

impl Lines {
    /// Takes bytes and hands each finished line to `emit`. Bytes that are not UTF-8 are replaced.
    pub fn push(&mut self, mut bytes: &[u8], mut emit: impl FnMut(String)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.take(&bytes[..end], &mut emit);
            if !self.skipping {
                emit(text(&self.partial));
            }
            self.partial.clear();
            self.skipping = false;
            bytes = &bytes[end + 1..];
        }
        self.take(bytes, &mut emit);
    }

    /// Hands out what is left without a line end.
    pub fn finish(&mut self, mut emit: impl FnMut(String)) {
        if !self.partial.is_empty() && !self.skipping {
            emit(text(&self.partial));
        }
        self.partial.clear();
        self.skipping = false;
    }

    fn take(&mut self, bytes: &[u8], emit: &mut impl FnMut(String)) {
        if self.skipping {
            return;
        }
        let room = LONGEST_LINE - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            emit(text(&self.partial));
            self.partial.clear();
            self.skipping = true;
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned()
}

/// Standard output as later steps see it.
#[derive(Debug, Default)]
pub struct Kept {
    bytes: Vec<u8>,
    complete: bool,
}

impl Kept {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { bytes: Vec::new(), complete: true }
    }

    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > MOST_KEPT {
            self.complete = false;
        }
        if self.complete {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The text without trailing white space; `None` if it was too long to be kept.
    pub fn text(&self) -> Option<String> {
        self.complete.then(|| String::from_utf8_lossy(&self.bytes).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |line| out.push(line));
        }
        lines.finish(|line| out.push(line));
        out
    }

    #[test]
    fn lines_are_joined_over_chunks_and_repaired() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n\nd\xff"]), ["a", "bc", "", "d\u{fffd}"]);
        assert!(lines(&[b""]).is_empty());
    }

    #[test]
    fn long_lines_are_cut_and_the_next_is_whole() {
        let long = vec![b'x'; 3 * LONGEST_LINE];
        let found = lines(&[&long, &long, b"tail\nnext\n"]);
        assert_eq!((found.len(), found[0].len(), found[1].as_str()), (2, LONGEST_LINE, "next"));
        let exact = vec![b'x'; LONGEST_LINE];
        assert_eq!(lines(&[&exact, b"\n"]), [String::from_utf8(exact.clone()).unwrap()]);
    }

    #[test]
    fn output_that_is_too_long_is_not_half_kept() {
        let mut kept = Kept::new();
        kept.push(b"one\n\n");
        assert_eq!(kept.text().as_deref(), Some("one"));
        kept.push(&vec![b'x'; MOST_KEPT]);
        assert_eq!(kept.text(), None);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(text in "[ab\n]{0,40}", at in 0usize..40) {
            let at = at.min(text.len());
            prop_assert_eq!(lines(&[text.as_bytes()]), lines(&[&text.as_bytes()[..at], &text.as_bytes()[at..]]));
        }
    }
}
