//! From bytes to lines.

/// Longest line of a program that is handed on whole, in bytes; longer ones arrive in pieces.
const LONGEST: usize = 64 * 1024;

/// The same for what our own code sends. It has bounds of its own; this one is for a stranger inside that has got hold of
/// its pipe.
const LONGEST_SENT: usize = 128 << 20;

/// Cuts a stream of bytes into lines. What is not UTF-8 is replaced, a carriage return before the line's end is dropped.
#[derive(Debug)]
pub(super) struct Splitter {
    pending: Vec<u8>,
    longest: usize,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { pending: Vec::new(), longest: LONGEST }
    }
}

impl Splitter {
    /// For what our own code sends: a line is a message and must arrive whole.
    pub(super) fn of_messages() -> Self {
        Self { pending: Vec::new(), longest: LONGEST_SENT }
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8], on_line: &mut dyn FnMut(String)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (content, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |content| (content, true));
            self.pending.extend_from_slice(content);
            while self.pending.len() > self.longest {
                let rest = self.pending.split_off(boundary(&self.pending, self.longest));
                let long = std::mem::replace(&mut self.pending, rest);
                on_line(text(&long));
            }
            if ended {
                let line = std::mem::take(&mut self.pending);
                on_line(text(line.strip_suffix(b"\r").unwrap_or(&line)));
            }
        }
    }

    /// Hands on what came after the last line's end.
    pub(super) fn finish(&mut self, on_line: &mut dyn FnMut(String)) {
        if !self.pending.is_empty() {
            let line = std::mem::take(&mut self.pending);
            on_line(text(&line));
        }
    }
}

/// Where to cut a line that is too long: not inside of a character.
fn boundary(bytes: &[u8], longest: usize) -> usize {
    let continues = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (longest - 3..=longest).rev().find(|at| !continues(*at)).unwrap_or(longest)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.feed(chunk, &mut |line| lines.push(line));
        }
        splitter.finish(&mut |line| lines.push(line));
        lines
    }

    #[test]
    fn lines_are_joined_over_chunks_and_the_last_needs_no_end() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n\nlast"]), ["a", "bc", "", "last"]);
        assert_eq!(lines(&[]), Vec::<String>::new());
        assert_eq!(lines(&[b"\n"]), [""]);
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        assert_eq!(lines(&[b"gr\xfcn\n"]), ["gr\u{fffd}n"]);
    }

    #[test]
    fn a_line_too_long_comes_in_pieces_that_do_not_cut_characters() {
        let long = "ä".repeat(LONGEST);
        let got = lines(&[long.as_bytes(), b"\nnext\n"]);
        assert!(got.iter().all(|line| line.len() <= LONGEST && !line.contains('\u{fffd}')));
        assert_eq!(got[..got.len() - 1].concat(), long);
        assert_eq!(got.last().unwrap(), "next");
    }

    #[test]
    fn a_message_longer_than_a_line_of_a_program_arrives_whole() {
        let mut splitter = Splitter::of_messages();
        let mut lines = Vec::new();
        let long = "x".repeat(3 * LONGEST);
        splitter.feed(long.as_bytes(), &mut |line| lines.push(line));
        splitter.feed(b"\nnext\n", &mut |line| lines.push(line));
        assert_eq!(lines, [long.as_str(), "next"]);
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(text in "[a-zä\n]{0,200}", cuts in proptest::collection::vec(0_usize..200, 0..6)) {
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let expected: Vec<String> = text.lines().map(str::to_owned).collect();
            prop_assert_eq!(lines(&chunks), expected);
        }
    }
}
