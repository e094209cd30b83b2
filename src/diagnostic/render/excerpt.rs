//! The lines of a file that a diagnostic is drawn on: few, short, and harmless.
//!
//! The drawing library is handed only these. It would read the whole file for every finding, and draw every character of a
//! line of ten megabytes.

use super::printable::{MARK, line as one_line, printable};
use crate::diagnostic::{Diagnostic, Label, SourceFile};
use annotate_snippets::{Annotation, AnnotationKind, Snippet};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Lines up to this length, in bytes, are shown whole; the drawing library sees to what does not fit on the terminal.
const LONG: usize = 1000;
/// Of longer ones this much is shown before what is pointed at,
const BEFORE: usize = 100;
/// and this much from there on.
const AFTER: usize = 500;
/// What is further away than this many lines is drawn by itself.
const APART: usize = 100;

/// Some neighbouring lines of one file, with what there is to say about them.
pub(super) struct Excerpt<'a> {
    source: &'a Arc<SourceFile>,
    labels: Vec<(AnnotationKind, &'a Label)>,
    /// What is shown of the lines that have a label.
    windows: BTreeMap<usize, Range<usize>>,
}

/// An excerpt as the drawing library wants it.
pub(super) struct Sheet {
    path: String,
    text: String,
    first_line: usize,
    marks: Vec<(AnnotationKind, Range<usize>, String)>,
    /// Line and column of the place in front of it all.
    pub(super) place: (usize, usize),
}

/// The excerpts a diagnostic is drawn on, that of its primary place first.
pub(super) fn of(diagnostic: &Diagnostic) -> Vec<Excerpt<'_>> {
    let mut excerpts: Vec<Excerpt<'_>> = Vec::new();
    let primary = diagnostic.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let secondary = diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label));
    for (kind, label) in primary.chain(secondary) {
        if !excerpts.iter_mut().any(|excerpt| excerpt.take(kind, label)) {
            let mut excerpt = Excerpt { source: &label.source, labels: Vec::new(), windows: BTreeMap::new() };
            excerpt.add(kind, label);
            excerpts.push(excerpt);
        }
    }
    excerpts
}

impl<'a> Excerpt<'a> {
    /// Adds a label if it is near enough; whether it was.
    fn take(&mut self, kind: AnnotationKind, label: &'a Label) -> bool {
        let start = start(label);
        let line = self.source.line(start);
        let near = self.windows.first_key_value().is_some_and(|(first, _)| line + APART >= *first)
            && self.windows.last_key_value().is_some_and(|(last, _)| line <= last + APART);
        let visible = self.windows.get(&line).is_none_or(|window| window.start <= start && start <= window.end);
        let taken = Arc::ptr_eq(self.source, &label.source) && near && visible;
        if taken {
            self.add(kind, label);
        }
        taken
    }

    fn add(&mut self, kind: AnnotationKind, label: &'a Label) {
        let start = start(label);
        let line = self.source.line(start);
        self.windows.entry(line).or_insert_with(|| window(self.source, line, start));
        self.labels.push((kind, label));
    }

    /// The text and the places in it.
    pub(super) fn sheet(&self) -> Sheet {
        let first_line = self.windows.first_key_value().map_or(1, |(line, _)| *line);
        let last_line = self.windows.last_key_value().map_or(1, |(line, _)| *line);
        let mut text = String::new();
        let mut marks = Vec::new();
        for line in first_line..=last_line {
            self.write(line, &mut text, &mut marks);
        }
        let foremost = match self.labels.first() {
            Some((AnnotationKind::Primary, label)) => label.span.start,
            _ => self.labels.iter().map(|(_, label)| label.span.start).min().unwrap_or_default(),
        };
        // The mark stands for the line and column that the library is going to say.
        let path = format!("{}{MARK}", one_line(&self.source.name));
        Sheet { path, text, first_line, marks, place: self.source.line_column(foremost) }
    }

    /// One line, and the labels on it.
    fn write(&self, line: usize, text: &mut String, marks: &mut Vec<(AnnotationKind, Range<usize>, String)>) {
        let shown = match self.windows.get(&line) {
            Some(window) => window.clone(),
            // Between two lines with a label one without may be shown, more than that never are.
            None if self.windows.contains_key(&(line - 1)) => {
                window(self.source, line, self.source.line_span(line).start)
            }
            None => 0..0,
        };
        let whole = self.source.line_span(line);
        if shown.start > whole.start && !shown.is_empty() {
            text.push('…');
        }
        let base = text.len();
        text.push_str(&printable(&self.source.text[shown.clone()]));
        for (kind, label) in self.labels.iter().filter(|(_, label)| self.source.line(start(label)) == line) {
            let within = within(label, &shown);
            let place = |at| base + printable(&self.source.text[shown.start..at]).len();
            let (from, to) = (place(within.start), place(within.end));
            // Whatever has no width is shown by the character it stands before, the line break if need be.
            let to = if to > from { to } else { text[from..].chars().next().map_or(from + 1, |c| from + c.len_utf8()) };
            marks.push((*kind, from..to, one_line(&label.message)));
        }
        if shown.end < whole.end && !shown.is_empty() {
            text.push('…');
        }
        text.push('\n');
    }
}

impl Sheet {
    pub(super) fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        let annotations = self.marks.iter().map(|(kind, range, message)| {
            kind.span(range.clone()).label((!message.is_empty()).then_some(message.as_str()))
        });
        Snippet::source(&self.text).line_start(self.first_line).path(self.path.as_str()).annotations(annotations)
    }
}

/// Where a label begins: in the text, on a character, and not in a line break.
fn start(label: &Label) -> usize {
    let text = &label.source.text;
    let start = text.floor_char_boundary(label.span.start.min(text.len()));
    let line = label.source.line_span(label.source.line(start));
    start.min(line.end)
}

/// The part of a label worth underlining: where it covers a whole block only its first line, because a frame around fifty
/// lines explains nothing, and of that what is shown.
fn within(label: &Label, shown: &Range<usize>) -> Range<usize> {
    let (text, start) = (&label.source.text, start(label));
    let line = label.source.line_span(label.source.line(start));
    let end = text.ceil_char_boundary(label.span.end.min(line.end)).clamp(start, shown.end.max(start));
    start..start + text[start..end].trim_end().len()
}

/// What is shown of a line in which something stands at `start`.
fn window(source: &SourceFile, line: usize, start: usize) -> Range<usize> {
    let whole = source.line_span(line);
    if whole.end - whole.start <= LONG {
        return whole.start..whole.end;
    }
    let text = &source.text;
    let from = text.floor_char_boundary(start.saturating_sub(BEFORE)).max(whole.start);
    let to = text.floor_char_boundary((start + AFTER).min(whole.end));
    from..to
}
