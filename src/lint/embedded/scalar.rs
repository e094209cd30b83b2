//! The text of a YAML scalar, piece by piece, with the places of the pieces.

use super::map::{Draft, How, Run};
use crate::diagnostic::SourceFile;
use crate::yaml::{Node, Offsets, Style};
use std::ops::Range;

/// The text of a scalar; `None` if text and file cannot be brought together.
pub(super) fn draft(source: &SourceFile, node: &Node) -> Option<Draft> {
    let text = node.as_str().unwrap_or_default();
    if node.style() == Some(Style::Literal) {
        return Some(lines(source, node, text));
    }
    let offsets = Offsets::new(&source.text, node);
    // A place without width that has some: the offsets know nothing.
    let nothing = offsets.span(&(0..0));
    if nothing.start != nothing.end {
        return None;
    }
    let mut draft = Draft::default();
    for (at, c) in text.char_indices() {
        let c = &text[at..at + c.len_utf8()];
        let span = offsets.span(&(at..at + c.len()));
        if source.slice(span) == c {
            draft.verbatim(c, span.start);
        } else if span.start == span.end {
            draft.nowhere(c);
        } else {
            draft.escaped(c, span.start..span.end);
        }
    }
    Some(draft)
}

/// The text of a `|` block. Each of its lines is the end of a line of the file, its last line break included, which is no
/// longer part of the place of the node.
fn lines(source: &SourceFile, node: &Node, text: &str) -> Draft {
    // Empty lines in front belong to the text, but not to the place of the node.
    let empty = text.len() - text.trim_start_matches('\n').len();
    let first = source.line(node.span.start).saturating_sub(empty);
    let mut draft = Draft::default();
    for (number, line) in (first..).zip(text.split_inclusive('\n')) {
        let there = source.line_span(number);
        let wanted = line.trim_end_matches('\n');
        if source.slice(there).ends_with(wanted) {
            draft.verbatim(wanted, there.end - wanted.len());
        } else {
            draft.nowhere(wanted);
        }
        let rest = &source.text[there.end..];
        match (&line[wanted.len()..], rest) {
            ("\n", rest) if rest.starts_with('\n') => draft.verbatim("\n", there.end),
            ("\n", rest) if rest.starts_with("\r\n") => draft.escaped("\n", there.end..there.end + 2),
            (end, _) => draft.nowhere(end),
        }
    }
    draft
}

impl Draft {
    /// Adds the piece `range` of another draft; `next` is the first run of it that may be in question.
    pub(super) fn copy(&mut self, from: &Draft, range: &Range<usize>, next: &mut usize) {
        let mut at = range.start;
        for run in from.overlapping(range, next) {
            let (start, end) = (run.inner.start.max(range.start), run.inner.end.min(range.end));
            self.nowhere(&from.text[at..start]);
            let piece = &from.text[start..end];
            if run.how == How::Verbatim {
                self.verbatim(piece, run.outer.start + (start - run.inner.start));
            } else {
                self.escaped(piece, run.outer.clone());
            }
            at = end;
        }
        self.nowhere(&from.text[at..range.end]);
    }

    /// Where the piece `range` stands in the file; `None` if nowhere.
    pub(super) fn outer(&self, range: &Range<usize>, next: &mut usize) -> Option<Range<usize>> {
        let (mut start, mut end) = (None, 0);
        for run in self.overlapping(range, next) {
            let verbatim = run.how == How::Verbatim;
            let offset = if verbatim { range.start.saturating_sub(run.inner.start) } else { 0 };
            start.get_or_insert(run.outer.start + offset);
            end = if verbatim { run.outer.end - run.inner.end.saturating_sub(range.end) } else { run.outer.end };
        }
        start.map(|start| start..end)
    }

    /// The runs that have a byte in `range`. Ranges are asked for in order, so that each run is looked at once or twice.
    fn overlapping(&self, range: &Range<usize>, next: &mut usize) -> impl Iterator<Item = &Run> {
        while self.runs.get(*next).is_some_and(|run| run.inner.end <= range.start) {
            *next += 1;
        }
        let end = range.end;
        self.runs[*next..].iter().take_while(move |run| run.inner.start < end)
    }
}
