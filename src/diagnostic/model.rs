use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// A file as it was read: the name shown to the user (relative to the project where possible) and its text.
#[derive(Debug)]
pub struct SourceFile {
    /// The name as shown, for example `recipes/debian-12.yaml`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where each line starts, found when it is first asked for.
    lines: OnceLock<Vec<usize>>,
}

impl PartialEq for SourceFile {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || (self.name == other.name && self.text == other.text)
    }
}

impl Eq for SourceFile {}

impl Hash for SourceFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl SourceFile {
    /// A shared source file.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), lines: OnceLock::new() })
    }

    /// The byte offset at which each line starts.
    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }

    /// One-based line and column (in characters) of a byte offset.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let end = self.text.floor_char_boundary(offset.min(self.text.len()));
        let lines = self.lines();
        let line = lines.partition_point(|start| *start <= end);
        let column = self.text[lines[line - 1]..end].chars().count() + 1;
        (line, column)
    }

    /// One-based number of the line a byte offset stands in.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        self.lines().partition_point(|start| *start <= offset.min(self.text.len()))
    }

    /// Where a line stands (counted from one), without its line break; empty for a line there is not.
    #[must_use]
    pub fn line_span(&self, line: usize) -> Span {
        let lines = self.lines();
        let Some(&start) = line.checked_sub(1).and_then(|index| lines.get(index)) else { return Span::default() };
        let end = lines.get(line).map_or(self.text.len(), |next| next - 1);
        Span::new(start, start + self.text[start..end].trim_end_matches('\r').len())
    }

    /// The text at a place; empty if the place is not in the text.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }
}

/// A half-open byte range in a [`SourceFile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to, not including, `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Whether a place lies in this one.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the two have a byte in common; a place without width counts as the byte it stands before.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end.max(other.start + 1) && other.start < self.end.max(self.start + 1)
    }
}

/// How bad it is. Only errors change an exit code by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Background information.
    Note,
    /// Probably a mistake; nothing is refused.
    Warning,
    /// Refused.
    Error,
}

/// A place in a file, with what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The file.
    pub source: Arc<SourceFile>,
    /// The place.
    pub span: Span,
    /// What to say there; may be empty.
    pub message: String,
}

/// A change of a file that would mend what a diagnostic is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an order: "put it in quotes".
    pub title: String,
    /// Whether the file means the same to every reader afterwards, only safer. Others are shown, and applied on request.
    pub safe: bool,
    /// The changes, in the file of the primary place. They do not overlap.
    pub edits: Vec<Edit>,
}

/// A piece of text put in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What goes; without width, something is inserted.
    pub span: Span,
    /// What comes.
    pub text: String,
}

/// One thing to tell the user about their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A code of the catalogue, for example `P003`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// Where; absent only when no file is involved.
    pub primary: Option<Label>,
    /// Other places that explain it.
    pub secondary: Vec<Label>,
    /// Why.
    pub notes: Vec<String>,
    /// What to do next.
    pub help: Vec<String>,
    /// A change that would mend it.
    pub fix: Option<Fix>,
    /// Inferred from the documentation, not quoted from it: whoever knows better may switch it off, even if it is an error.
    pub inferred: bool,
}

impl Edit {
    /// Puts `text` in the place of what stands at `span`.
    pub fn replace(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }

    /// Puts `text` before the byte at `offset`.
    pub fn insert(offset: usize, text: impl Into<String>) -> Self {
        Self { span: Span::new(offset, offset), text: text.into() }
    }

    /// Takes what stands at `span` away.
    pub fn delete(span: Span) -> Self {
        Self { span, text: String::new() }
    }
}

impl Diagnostic {
    /// A diagnostic without a place yet.
    pub fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            primary: None,
            secondary: vec![],
            notes: vec![],
            help: vec![],
            fix: None,
            inferred: false,
        }
    }

    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message)
    }

    /// Sets the place it is about.
    #[must_use]
    pub fn at(mut self, source: &Arc<SourceFile>, span: Span, message: impl Into<String>) -> Self {
        self.primary = Some(Label { source: Arc::clone(source), span, message: message.into() });
        self
    }

    /// Adds another place that explains it.
    #[must_use]
    pub fn also_at(mut self, source: &Arc<SourceFile>, span: Span, message: impl Into<String>) -> Self {
        self.secondary.push(Label { source: Arc::clone(source), span, message: message.into() });
        self
    }

    /// Adds a reason.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds a change that leaves the meaning of the file as it is for every reader.
    #[must_use]
    pub fn safe_fix(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.fix = Some(Fix { title: title.into(), safe: true, edits });
        self
    }

    /// Adds a change that a person should look at.
    #[must_use]
    pub fn unsafe_fix(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.fix = Some(Fix { title: title.into(), safe: false, edits });
        self
    }

    /// Marks it as inferred; see [`Diagnostic::inferred`].
    #[must_use]
    pub fn inferred(mut self) -> Self {
        self.inferred = true;
        self
    }

    /// Where the primary place is; the beginning of the file for what has none.
    #[must_use]
    pub fn span(&self) -> Span {
        self.primary.as_ref().map_or_else(Span::default, |label| label.span)
    }

    /// `file:line:column` of the primary place.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let label = self.primary.as_ref()?;
        let (line, column) = label.source.line_column(label.span.start);
        Some(format!("{}:{line}:{column}", label.source.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_and_columns_are_counted_from_one_in_characters() {
        let file = SourceFile::new("f", "ab\r\né\n\nx");
        assert_eq!(file.line_column(0), (1, 1));
        assert_eq!(file.line_column(4), (2, 1));
        assert_eq!(file.line_column(5), (2, 1), "inside a character is before it");
        assert_eq!(file.line_column(6), (2, 2));
        assert_eq!(file.line_column(99), (4, 2));
        assert_eq!((1..=5).map(|line| file.slice(file.line_span(line))).collect::<Vec<_>>(), ["ab", "é", "", "x", ""]);
        assert_eq!(file.line(7), 3);
    }

    proptest! {
        #[test]
        fn the_index_says_what_counting_says(text in "[a\né]{0,30}", offset in 0usize..70) {
            let file = SourceFile::new("f", text.clone());
            let before = &text[..text.floor_char_boundary(offset.min(text.len()))];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            prop_assert_eq!(file.line_column(offset), (line, column));
        }
    }
}
