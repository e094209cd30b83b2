//! What a step writes: split into lines while it runs, kept for later steps, and the last lines for who has to explain a
//! failure.

use super::model::{RunEvent, Stream};
use super::secrets::Secrets;
use super::visible;
use std::borrow::Cow;
use std::collections::VecDeque;

/// Longer lines are cut, so that a program without line ends cannot fill the memory of those who listen.
const LONGEST_LINE: usize = 64 * 1024;

/// How many lines a failure shows.
const LAST_LINES: usize = 20;

/// Standard output beyond this is not kept for later steps.
pub const MOST_KEPT: usize = 16 * 1024 * 1024;

/// What a step shows of its output, in bytes: who listens must be able to keep it, and nobody reads more. What later steps
/// see of it is not touched.
pub const MOST_SHOWN: usize = 16 * 1024 * 1024;

/// With this a program says on its standard output that what it was to find out cannot be found out where it runs; the
/// reason follows. If it ends with exit code 0, its step counts as skipped.
const SKIPPED: &str = "amiforge: skipped: ";

/// Where everything goes that is told of a step.
pub struct Sink<'a> {
    events: &'a mut dyn FnMut(RunEvent),
    /// `disableLogging`: nothing the step writes may leave the machine.
    quiet: bool,
    secrets: Secrets,
    last: VecDeque<String>,
    shown: usize,
    /// Lines and bytes beyond what is shown.
    dropped: (u64, u64),
    skipped: Option<String>,
}

impl<'a> Sink<'a> {
    /// A sink that hands lines to `events`, or to nobody if `quiet`. It knows no secrets yet.
    pub fn new(events: &'a mut dyn FnMut(RunEvent), quiet: bool) -> Self {
        let secrets = Secrets::default();
        Self { events, quiet, secrets, last: VecDeque::new(), shown: 0, dropped: (0, 0), skipped: None }
    }

    /// The same, which also keeps these secrets, and those that are added to them later.
    #[must_use]
    pub fn knowing(self, secrets: &Secrets) -> Self {
        Self { secrets: secrets.clone(), ..self }
    }

    /// Forgets the lines of an earlier attempt.
    pub fn begin(&mut self) {
        self.last.clear();
        self.skipped = None;
    }

    /// Whether nothing of the step may be told but how it ended.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// Takes a line of a program.
    pub fn line(&mut self, stream: Stream, line: impl AsRef<str>) {
        let line = line.as_ref();
        if stream == Stream::Stdout
            && let Some(reason) = line.strip_prefix(SKIPPED)
        {
            self.skipped = Some(self.harmless(reason.trim()));
        }
        self.tell(stream, line);
    }

    /// A line of the action itself.
    pub fn say(&mut self, line: impl AsRef<str>) {
        self.tell(Stream::Stdout, line.as_ref());
    }

    /// A line of the runner. It is told however much was told before.
    pub fn notice(&mut self, line: &str) {
        if !self.quiet {
            let line = self.harmless(&format!("amiforge: {line}"));
            self.keep(&line);
            (self.events)(RunEvent::Output { stream: Stream::Stderr, line });
        }
    }

    /// An expression got its value.
    pub fn substituted(&mut self, expression: &str, value: &str) {
        if !self.quiet {
            let mut value = self.secrets.redact(value).into_owned();
            visible::beginning(&mut value);
            let expression = visible::line(expression).into_owned();
            (self.events)(RunEvent::Substituted { expression, value });
        }
    }

    /// Any other event. Its texts must be [`harmless`](Self::harmless) already.
    pub fn event(&mut self, event: RunEvent) {
        (self.events)(event);
    }

    /// Values as they may be told: without secrets, and not too long. Nothing at all where nothing may be told.
    pub fn values(&self, mut values: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
        if self.quiet {
            return Vec::new();
        }
        for value in &mut values {
            self.secrets.redact_json(value);
            visible::beginnings(value);
        }
        values
    }

    /// A text as it may be told: without secrets, and without characters that act on a terminal.
    pub fn harmless(&self, text: &str) -> String {
        visible::lines(&self.secrets.redact(text)).into_owned()
    }

    /// Says how much was left out, if anything was.
    pub fn finish(&mut self) {
        let (lines, bytes) = std::mem::take(&mut self.dropped);
        if lines > 0 {
            let most = MOST_SHOWN / 1024 / 1024;
            self.notice(&format!(
                "{lines} more lines of output ({bytes} bytes) are not shown: a step shows {most} MiB at most"
            ));
        }
    }

    /// The last lines, oldest first.
    pub fn last_lines(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }

    /// Why the step found nothing out, if its program said so in the last attempt.
    pub fn skipped(&self) -> Option<String> {
        let reason = self.skipped.as_ref()?;
        let hidden = "its output, and with it the reason, is not shown: disableLogging";
        Some(if self.quiet { hidden.to_owned() } else { reason.clone() })
    }

    fn tell(&mut self, stream: Stream, line: &str) {
        if self.quiet {
            return;
        }
        let cut = line.len() >= LONGEST_LINE;
        let redacted = if cut { self.secrets.redact_cut(line) } else { self.secrets.redact(line) };
        let line = visible::line(&redacted).into_owned();
        self.keep(&line);
        self.shown += line.len() + 1;
        if self.shown > MOST_SHOWN {
            self.dropped = (self.dropped.0 + 1, self.dropped.1 + line.len() as u64 + 1);
        } else {
            (self.events)(RunEvent::Output { stream, line });
        }
    }

    fn keep(&mut self, line: &str) {
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
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
    pub fn push(&mut self, mut bytes: &[u8], mut emit: impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.take(&bytes[..end], &mut emit);
            if !self.skipping {
                emit(&text(&self.partial));
            }
            self.partial.clear();
            self.skipping = false;
            bytes = &bytes[end + 1..];
        }
        self.take(bytes, &mut emit);
    }

    /// Hands out what is left without a line end.
    pub fn finish(&mut self, mut emit: impl FnMut(&str)) {
        if !self.partial.is_empty() && !self.skipping {
            emit(&text(&self.partial));
        }
        self.partial.clear();
        self.skipping = false;
    }

    fn take(&mut self, bytes: &[u8], emit: &mut impl FnMut(&str)) {
        if self.skipping {
            return;
        }
        let room = LONGEST_LINE - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            emit(&text(&self.partial));
            self.partial.clear();
            self.skipping = true;
        }
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes))
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
            lines.push(chunk, |line| out.push(line.to_owned()));
        }
        lines.finish(|line| out.push(line.to_owned()));
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

    fn told(quiet: bool, secrets: &[&str], tell: impl FnOnce(&mut Sink<'_>)) -> Vec<RunEvent> {
        let known = Secrets::default();
        for secret in secrets {
            known.learn(secret);
        }
        let mut events = Vec::new();
        let mut listen = |event| events.push(event);
        tell(&mut Sink::new(&mut listen, quiet).knowing(&known));
        events
    }

    fn shown(events: &[RunEvent]) -> Vec<&str> {
        fn line(event: &RunEvent) -> Option<&str> {
            match event {
                RunEvent::Output { line, .. } => Some(line),
                _ => None,
            }
        }
        events.iter().filter_map(line).collect()
    }

    #[test]
    fn lines_are_told_without_secrets_and_without_control_characters() {
        let events = told(false, &["hunter2"], |sink| {
            sink.line(Stream::Stdout, "key hunter2 \x1b[2J");
            sink.say("hunter2");
            sink.notice("hunter2 failed");
            sink.substituted("build.A.outputs.stdout", "x hunter2");
            assert_eq!(sink.last_lines(), ["key *** \\x1b[2J", "***", "amiforge: *** failed"]);
            assert_eq!(sink.values(vec!["hunter2".into()]), [serde_json::json!("***")]);
        });
        assert_eq!(shown(&events), ["key *** \\x1b[2J", "***", "amiforge: *** failed"]);
        assert!(!serde_json::to_string(&events).unwrap().contains("hunter2"));
    }

    #[test]
    fn a_secret_that_a_cut_line_ends_in_is_not_shown_in_part() {
        let line = "x".repeat(LONGEST_LINE - 4) + "hunt";
        let events = told(false, &["hunter2"], |sink| sink.line(Stream::Stdout, &line));
        assert!(shown(&events)[0].ends_with("x***"));
    }

    #[test]
    fn quiet_steps_tell_nothing() {
        let events = told(true, &[], |sink| {
            sink.line(Stream::Stdout, "amiforge: skipped: because");
            sink.say("a");
            sink.notice("b");
            sink.substituted("Name", "c");
            assert!(sink.last_lines().is_empty() && sink.values(vec!["d".into()]).is_empty());
            assert!(!sink.skipped().unwrap().contains("because"));
        });
        assert_eq!(events, []);
    }

    #[test]
    fn much_output_is_shown_in_part_and_the_rest_is_counted() {
        let line = "x".repeat(1023);
        let events = told(false, &[], |sink| {
            for number in 0..MOST_SHOWN / 1024 + 3 {
                sink.line(Stream::Stdout, if number == MOST_SHOWN / 1024 + 2 { "last" } else { &line });
            }
            assert_eq!(
                sink.last_lines().last().map(String::as_str),
                Some("last"),
                "the end is what explains a failure"
            );
            sink.finish();
            sink.finish();
        });
        let shown = shown(&events);
        assert_eq!(shown.len(), MOST_SHOWN / 1024 + 1);
        let expected = "amiforge: 3 more lines of output (2053 bytes) are not shown: a step shows 16 MiB at most";
        assert_eq!(shown.last(), Some(&expected));
    }

    #[test]
    fn the_last_word_on_being_skipped_counts() {
        told(false, &["hunter2"], |sink| {
            sink.line(Stream::Stdout, " amiforge: skipped: indented");
            sink.line(Stream::Stderr, "amiforge: skipped: on standard error");
            sink.say("amiforge: skipped: said by an action");
            assert_eq!(sink.skipped(), None);
            sink.line(Stream::Stdout, "amiforge: skipped: one");
            sink.line(Stream::Stdout, "amiforge: skipped: no kernel of hunter2 here ");
            assert_eq!(sink.skipped().as_deref(), Some("no kernel of *** here"));
            sink.begin();
            assert_eq!(sink.skipped(), None);
        });
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
