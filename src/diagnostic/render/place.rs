//! Places as other programs want them.

use crate::diagnostic::{SourceFile, Span};

/// One place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Place {
    /// Counted from one.
    pub(super) line: usize,
    /// In characters, counted from one.
    pub(super) column: usize,
    /// In bytes, counted from zero.
    pub(super) offset: usize,
}

/// Where something begins, and the place after its end. Whatever a span says, both are places of the text, in this order.
pub(super) fn extent(source: &SourceFile, span: Span) -> (Place, Place) {
    let start = place(source, span.start);
    (start, place(source, span.end.max(start.offset)))
}

fn place(source: &SourceFile, offset: usize) -> Place {
    let offset = source.text.floor_char_boundary(offset.min(source.text.len()));
    let (line, column) = source.line_column(offset);
    Place { line, column, offset }
}
