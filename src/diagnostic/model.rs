use std::sync::Arc;

/// A file as it was read: the name shown to the user (relative to the project where possible) and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The name as shown, for example `recipes/debian-12.yaml`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// A shared source file.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }

    /// One-based line and column (in characters) of a byte offset.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
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
}

impl Diagnostic {
    /// A diagnostic without a place yet.
    pub fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self { code, severity, message: message.into(), primary: None, secondary: vec![], notes: vec![], help: vec![] }
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

    /// `file:line:column` of the primary place.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let label = self.primary.as_ref()?;
        let (line, column) = label.source.line_column(label.span.start);
        Some(format!("{}:{line}:{column}", label.source.name))
    }
}
