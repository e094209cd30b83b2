//! Output of a command, kept up to the limits of `GetCommandInvocation`.

/// Characters of standard output that the service keeps.
pub(in crate::local::compute) const STDOUT_LIMIT: usize = 24_000;
/// Characters of standard error that the service keeps.
pub(in crate::local::compute) const STDERR_LIMIT: usize = 8_000;

const CUT: &str = "\n---Output truncated---";

/// Collects lines; beyond the limit the rest is dropped and the end says so, as the SSM Agent does it.
#[derive(Debug)]
pub(in crate::local::compute) struct Capture {
    text: String,
    characters: usize,
    limit: usize,
    cut: bool,
}

impl Capture {
    pub(in crate::local::compute) fn new(limit: usize) -> Self {
        Self { text: String::new(), characters: 0, limit, cut: false }
    }

    /// Adds a line.
    pub(in crate::local::compute) fn line(&mut self, line: &str) {
        if self.cut {
            return;
        }
        let length = line.chars().count() + 1;
        if self.characters + length > self.limit {
            let room = self.limit.saturating_sub(self.characters);
            self.text.extend(line.chars().take(room));
            self.truncate();
            return;
        }
        self.text.push_str(line);
        self.text.push('\n');
        self.characters += length;
    }

    fn truncate(&mut self) {
        self.cut = true;
        let keep = self.limit.saturating_sub(CUT.chars().count());
        if let Some((end, _)) = self.text.char_indices().nth(keep) {
            self.text.truncate(end);
        }
        self.text.push_str(CUT);
    }

    /// What was kept so far.
    pub(in crate::local::compute) fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_output_is_kept_as_it_is() {
        let mut capture = Capture::new(STDOUT_LIMIT);
        capture.line("one");
        capture.line("");
        assert_eq!(capture.text(), "one\n\n");
    }

    #[test]
    fn long_output_says_that_it_was_cut() {
        let mut capture = Capture::new(STDERR_LIMIT);
        for _ in 0..1000 {
            capture.line("0123456789ä");
        }
        assert_eq!(capture.text().chars().count(), STDERR_LIMIT);
        assert!(capture.text().ends_with("---Output truncated---"));
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit(lines in proptest::collection::vec("[a-zä]{0,40}", 0..30), limit in 30usize..300) {
            let mut capture = Capture::new(limit);
            for line in &lines {
                capture.line(line);
            }
            let whole = lines.iter().fold(String::new(), |all, line| all + line + "\n");
            prop_assert!(capture.text().chars().count() <= limit);
            if whole.chars().count() <= limit {
                prop_assert_eq!(capture.text(), whole);
            }
        }
    }
}
