//! Draws diagnostics the way rustc does.

use super::printable::{MARK, message};
use super::{excerpt, sorted};
use crate::diagnostic::{Diagnostic, Severity};
use annotate_snippets::{Element, Group, Level, Renderer};
use std::fmt::Write as _;

/// All diagnostics as text, sorted by file and position (those without a place come last), one blank line between two.
/// Without `color` the text is plain: no escape sequence, ASCII frames. Ends with a line break unless empty.
///
/// Nothing that stands in a file reaches the terminal as anything but text, and no more of it than a person reads.
pub fn text(diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in sorted(diagnostics) {
        if !out.is_empty() {
            out.push('\n');
        }
        // The drawing pads the margin of empty lines; text that is compared and piped has no use for that.
        for line in draw(&renderer, diagnostic).lines() {
            out.push_str(if color { line } else { line.trim_end() });
            out.push('\n');
        }
    }
    out
}

fn draw(renderer: &Renderer, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let excerpts = excerpt::of(diagnostic);
    let sheets: Vec<excerpt::Sheet> = excerpts.iter().map(excerpt::Excerpt::sheet).collect();
    let mut elements: Vec<Element<'_>> = sheets.iter().map(|sheet| sheet.snippet().into()).collect();
    elements.extend(diagnostic.notes.iter().map(|note| Level::NOTE.message(message(note)).into()));
    elements.extend(diagnostic.help.iter().map(|help| Level::HELP.message(message(help)).into()));
    let title = level.primary_title(message(&diagnostic.message)).id(diagnostic.code);
    let group: Group<'_> = title.elements(elements);
    with_places(&renderer.render(&[group]), sheets.iter().map(|sheet| sheet.place))
}

/// Puts the line and column that something has in its file in the place of those that it has in what is shown of it.
fn with_places(drawn: &str, places: impl Iterator<Item = (usize, usize)>) -> String {
    let mut parts = drawn.split(MARK);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (part, (line, column)) in parts.zip(places) {
        let _ = write!(out, ":{line}:{column}");
        out.push_str(part.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{SourceFile, Span};
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
