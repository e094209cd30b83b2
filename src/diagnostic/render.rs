//! Draws diagnostics the way rustc does.

use super::{Diagnostic, Label, Severity, SourceFile};
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Renderer, Snippet};
use std::ops::Range;
use std::sync::Arc;

/// All diagnostics as text, sorted by file and position (those without a place come last), one blank line between two.
/// Without `color` the text is plain: no escape sequence, ASCII frames. Ends with a line break unless empty.
pub fn text(diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| position(diagnostic));
    let mut out = String::new();
    for diagnostic in sorted {
        if !out.is_empty() {
            out.push('\n');
        }
        let drawn = renderer.render(&[group(diagnostic)]);
        // The drawing pads the margin of empty lines; text that is compared and piped has no use for that.
        for line in drawn.lines() {
            out.push_str(if color { line } else { line.trim_end() });
            out.push('\n');
        }
    }
    out
}

/// Sort key: file, start, end; nothing to point at sorts last.
fn position(diagnostic: &Diagnostic) -> (bool, &str, usize, usize) {
    diagnostic
        .primary
        .as_ref()
        .map_or((true, "", 0, 0), |label| (false, label.source.name.as_str(), label.span.start, label.span.end))
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut elements: Vec<Element<'_>> = Vec::new();
    for (source, labels) in by_source(diagnostic) {
        let annotations = labels.iter().map(|(kind, label)| annotation(*kind, label));
        elements.push(Snippet::source(&source.text).path(source.name.as_str()).annotations(annotations).into());
    }
    elements.extend(diagnostic.notes.iter().map(|note| Level::NOTE.message(note.as_str()).into()));
    elements.extend(diagnostic.help.iter().map(|help| Level::HELP.message(help.as_str()).into()));
    level.primary_title(diagnostic.message.as_str()).id(diagnostic.code).elements(elements)
}

type Labels<'a> = Vec<(AnnotationKind, &'a Label)>;

/// The labels of each file, the file of the primary label first.
fn by_source(diagnostic: &Diagnostic) -> Vec<(&SourceFile, Labels<'_>)> {
    let mut files: Vec<(&SourceFile, Labels<'_>)> = Vec::new();
    let primary = diagnostic.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let secondary = diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label));
    for (kind, label) in primary.chain(secondary) {
        let source: &SourceFile = Arc::as_ref(&label.source);
        match files.iter_mut().find(|(known, _)| std::ptr::eq(*known, source)) {
            Some((_, labels)) => labels.push((kind, label)),
            None => files.push((source, vec![(kind, label)])),
        }
    }
    files
}

fn annotation(kind: AnnotationKind, label: &Label) -> Annotation<'_> {
    let message = (!label.message.is_empty()).then_some(label.message.as_str());
    kind.span(drawable(label)).label(message)
}

/// The part of a span worth underlining: inside the text, on character boundaries, and, where it covers a whole block,
/// only its first line, because a frame around fifty lines explains nothing.
fn drawable(label: &Label) -> Range<usize> {
    let text = label.source.text.as_str();
    let start = text.floor_char_boundary(label.span.start.min(text.len()));
    let end = text.ceil_char_boundary(label.span.end.clamp(start, text.len()));
    let first_line = text[start..end].split(['\n', '\r']).next().map_or(start, |line| start + line.trim_end().len());
    if first_line > start {
        start..first_line
    } else {
        start..text[start..end].chars().next().map_or(start, |c| start + c.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Span;
    use proptest::prelude::*;

    fn sample() -> Vec<Diagnostic> {
        let file = SourceFile::new("components/app.yaml", "name: App\nphases:\n  - name: build\n    setps: []\n");
        let other = SourceFile::new("amiforge.yaml", "project: x\n");
        vec![
            Diagnostic::warning("C099", "something without a place"),
            Diagnostic::error("C003", "unknown key `setps` in a phase")
                .at(&file, Span::new(38, 43), "not a key of a phase")
                .also_at(&file, Span::new(28, 33), "in this phase")
                .note("the service refuses unknown keys")
                .help("did you mean `steps`?"),
            Diagnostic::warning("P001", "odd name").at(&other, Span::new(9, 10), "").also_at(
                &file,
                Span::new(6, 9),
                "here",
            ),
        ]
    }

    #[test]
    fn it_looks_like_rustc_and_is_sorted() {
        insta::assert_snapshot!(text(&sample(), false), @r"
        warning[P001]: odd name
         --> amiforge.yaml:1:10
          |
        1 | project: x
          |          ^
          |
         ::: components/app.yaml:1:7
          |
        1 | name: App
          |       --- here

        error[C003]: unknown key `setps` in a phase
         --> components/app.yaml:4:5
          |
        3 |   - name: build
          |           ----- in this phase
        4 |     setps: []
          |     ^^^^^ not a key of a phase
          |
          = note: the service refuses unknown keys
          = help: did you mean `steps`?

        warning[C099]: something without a place
        ");
    }

    #[test]
    fn colour_only_when_asked_for() {
        assert!(!text(&sample(), false).contains('\u{1b}'));
        assert!(text(&sample(), true).contains('\u{1b}'));
        assert_eq!(text(&[], false), "");
    }

    #[test]
    fn a_span_over_many_lines_underlines_the_first() {
        let file = SourceFile::new("a.yaml", "steps:\n  - a\n  - b\n");
        let drawn = text(&[Diagnostic::error("C001", "m").at(&file, Span::new(0, 19), "this")], false);
        assert!(drawn.contains("^^^^^^ this"), "{drawn}");
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_can_be_drawn(content in "(?s).{0,40}", start in 0usize..60, length in 0usize..60) {
            let file = SourceFile::new("f", content);
            let diagnostic = Diagnostic::error("C001", "m")
                .at(&file, Span::new(start, start + length), "here")
                .also_at(&file, Span::new(length, start), "there");
            prop_assert!(text(&[diagnostic], false).starts_with("error[C001]: m"));
        }
    }
}
