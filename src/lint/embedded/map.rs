//! From places in a component document to places in the file around it.

use super::unknown::Unknown;
use super::writing::Writing;
use crate::diagnostic::{Diagnostic, Fix, Label, SourceFile, Span};
use std::ops::Range;
use std::sync::Arc;

/// How a piece of the document stands in the file around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Byte for byte.
    Verbatim,
    /// As an escape sequence, which is taken as a whole.
    Escaped,
    /// As something that only the deployment knows; the document has a word in its place.
    Unknown,
}

/// A piece of the document and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub inner: Range<usize>,
    pub outer: Range<usize>,
    pub how: How,
}

/// A document that is put together piece by piece, in order.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub text: String,
    pub runs: Vec<Run>,
}

impl Draft {
    /// A text of which only is known where all of it stands.
    pub fn of(text: &str, whole: Span) -> Self {
        let mut draft = Self::default();
        draft.escaped(text, whole.start..whole.end);
        draft
    }

    /// Adds what stands in the file as it is.
    pub fn verbatim(&mut self, text: &str, start: usize) {
        self.push(text, start..start + text.len(), How::Verbatim);
    }

    /// Adds what an escape sequence stands for.
    pub fn escaped(&mut self, text: &str, outer: Range<usize>) {
        self.push(text, outer, How::Escaped);
    }

    /// Adds a word for what is not known.
    pub fn unknown(&mut self, word: &str, outer: Range<usize>) {
        self.push(word, outer, How::Unknown);
    }

    /// Adds what stands nowhere in the file, such as the blank that a folded line break is read as.
    pub fn nowhere(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn push(&mut self, text: &str, outer: Range<usize>, how: How) {
        if text.is_empty() {
            return;
        }
        let start = self.text.len();
        self.text.push_str(text);
        let inner = start..self.text.len();
        match self.runs.last_mut() {
            Some(last)
                if how == How::Verbatim
                    && last.how == how
                    && last.inner.end == inner.start
                    && last.outer.end == outer.start =>
            {
                last.inner.end = inner.end;
                last.outer.end = outer.end;
            }
            _ => self.runs.push(Run { inner, outer, how }),
        }
    }
}

/// Where each piece of an embedded document stands in the file around it.
#[derive(Debug, Clone)]
pub struct Map {
    pub(super) outer: Arc<SourceFile>,
    pub(super) inner: Arc<SourceFile>,
    /// Where the whole document stands.
    pub(super) whole: Span,
    /// Its pieces in order; none at all if text and file could not be brought together.
    pub(super) runs: Vec<Run>,
    pub(super) writing: Writing,
    pub(super) unknown: Unknown,
}

impl Map {
    /// The map of a file that is a document itself.
    pub(super) fn identity(source: &Arc<SourceFile>) -> Self {
        let mut draft = Draft::default();
        draft.verbatim(&source.text, 0);
        Self {
            outer: Arc::clone(source),
            inner: Arc::clone(source),
            whole: Span::new(0, source.text.len()),
            runs: draft.runs,
            writing: Writing::Free,
            unknown: Unknown::default(),
        }
    }

    /// The same finding with places, texts and changes of the file around the document.
    ///
    /// A fix of which one change cannot be written there exactly is left out. What is about another file stays as it is.
    #[must_use]
    pub fn relocate(&self, diagnostic: Diagnostic) -> Diagnostic {
        if Arc::ptr_eq(&self.outer, &self.inner) {
            return diagnostic;
        }
        let ours = diagnostic.primary.as_ref().is_some_and(|label| label.source == self.inner);
        let fix = if ours { diagnostic.fix.and_then(|fix| self.fix(&fix)) } else { diagnostic.fix };
        Diagnostic {
            message: self.unknown.restore(&diagnostic.message),
            primary: diagnostic.primary.map(|label| self.label(label)),
            secondary: diagnostic.secondary.into_iter().map(|label| self.label(label)).collect(),
            notes: diagnostic.notes.iter().map(|note| self.unknown.restore(note)).collect(),
            help: diagnostic.help.iter().map(|help| self.unknown.restore(help)).collect(),
            fix,
            ..diagnostic
        }
    }

    /// Whether a finding holds whatever is put in place of what is not known yet, such as `${Name}`.
    #[must_use]
    pub fn is_certain(&self, diagnostic: &Diagnostic) -> bool {
        self.unknown.leaves_certain(diagnostic, &self.inner)
    }

    fn label(&self, label: Label) -> Label {
        if label.source != self.inner {
            return label;
        }
        Label {
            source: Arc::clone(&self.outer),
            span: self.span(label.span),
            message: self.unknown.restore(&label.message),
        }
    }

    fn fix(&self, fix: &Fix) -> Option<Fix> {
        Some(Fix { title: self.unknown.restore(&fix.title), safe: fix.safe, edits: self.edits(&fix.edits)? })
    }

    /// The place in the outer file of a place in the document.
    pub(super) fn span(&self, span: Span) -> Span {
        if self.runs.is_empty() {
            return self.whole;
        }
        // What is said about the end of the document must not be drawn in what follows it.
        let text = self.inner.text.trim_end();
        let start = span.start.min(text.len());
        let mut end = span.end.clamp(start, text.len().max(start));
        if self.writing.is_one_line() {
            // All lines of the document are in one line of the file: a place is drawn as far as its first line.
            let first = text.get(start..end).unwrap_or_default().split('\n').next().unwrap_or_default();
            end = if first.is_empty() { end } else { start + first.len() };
        }
        let from = self.start(start);
        Span::new(from, self.end(end, from))
    }

    /// Where a byte of the document stands.
    fn start(&self, at: usize) -> usize {
        let next = self.runs.partition_point(|run| run.inner.start <= at);
        let Some(run) = next.checked_sub(1).map(|index| &self.runs[index]) else {
            return self.runs.first().map_or(self.whole.start, |run| run.outer.start);
        };
        if at >= run.inner.end {
            return run.outer.end;
        }
        if run.how == How::Verbatim { run.outer.start + (at - run.inner.start) } else { run.outer.start }
    }

    /// Where what ends before a byte of the document ends.
    fn end(&self, at: usize, from: usize) -> usize {
        let next = self.runs.partition_point(|run| run.inner.start < at);
        let Some(run) = next.checked_sub(1).map(|index| &self.runs[index]) else { return from };
        let end = if run.how == How::Verbatim {
            run.outer.start + (at.min(run.inner.end) - run.inner.start)
        } else {
            run.outer.end
        };
        end.max(from)
    }
}
