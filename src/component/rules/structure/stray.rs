//! What stands between the lines and the values (`D015`).

use crate::component::rules::model::Findings;
use crate::component::rules::subject::Target;
use crate::diagnostic::{Edit, Severity, SourceFile, Span};
use crate::yaml::{self, Kind, Node};
use std::sync::Arc;

const MARK: char = '\u{feff}';

/// `D015`, but for superfluous separators, which the parser reports.
pub(super) fn characters(source: &Arc<SourceFile>, _: &Target, found: &mut Findings<'_>) {
    byte_order_mark(source, found);
    line_ends(source, found);
    invisible(source, found);
    if source.text.contains('\t') {
        tabs(source, found);
    }
}

fn byte_order_mark(source: &SourceFile, found: &mut Findings<'_>) {
    if source.text.starts_with(MARK) {
        let span = Span::new(0, MARK.len_utf8());
        found.add(
            found
                .at(span, "the file begins with a byte order mark", "three bytes that cannot be seen")
                .help("save it as UTF-8 without a mark")
                .safe_fix("remove the mark", vec![Edit::delete(span)]),
        );
    }
}

/// Every line end but LF. YAML reads them all as LF, so the change leaves the meaning as it is.
fn line_ends(source: &SourceFile, found: &mut Findings<'_>) {
    let bytes = source.text.as_bytes();
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\r').collect();
    let Some(&first) = ends.first() else { return };
    let edit = |at: usize| {
        let span = Span::new(at, at + 1);
        if bytes.get(at + 1) == Some(&b'\n') { Edit::delete(span) } else { Edit::replace(span, "\n") }
    };
    let count = if ends.len() == 1 { "1 line ends".to_owned() } else { format!("{} lines end", ends.len()) };
    found.add(
        found
            .at(Span::new(first, first + 1), format!("{count} as on Windows (CR LF)"), "the first one")
            .help("save the file with LF line ends; for git: `*.yaml text eol=lf` in .gitattributes")
            .safe_fix("end all lines with LF", ends.iter().map(|at| edit(*at)).collect()),
    );
}

/// Characters that cannot be seen and that readers treat differently. Other control characters are refused by the parser.
fn invisible(source: &SourceFile, found: &mut Findings<'_>) {
    let is_invisible = |(at, c): &(usize, char)| match c {
        // Line ends of YAML 1.1, and marks that turn the direction of writing and hide what a script does.
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        &MARK => *at > 0,
        _ => false,
    };
    for (at, c) in source.text.char_indices().filter(is_invisible) {
        let (what, label) = match c {
            MARK => ("a byte order mark in the middle of the file", "refused by some readers"),
            '\u{85}' | '\u{2028}' | '\u{2029}' => {
                ("a line separator that is no line end in YAML 1.2", "ends the line in YAML 1.1")
            }
            _ => ("a character that turns the direction of writing", "what follows is not shown as it is read"),
        };
        let name = format!("U+{:04X}", u32::from(c));
        found.add(
            found
                .at(Span::new(at, at + c.len_utf8()), format!("{what} ({name})"), label)
                .help(format!("remove it, or write \"\\u{:04X}\" in double quotes if it is meant", u32::from(c))),
        );
    }
}

/// Tabs between values; inside of text and in comments they are content, and JSON may have them.
fn tabs(source: &Arc<SourceFile>, found: &mut Findings<'_>) {
    let reading = yaml::read(source, yaml::Options::default());
    let is_readable = !reading.diagnostics.iter().any(|found| found.severity == Severity::Error && !found.inferred);
    let Some(root) = reading.root.filter(|_| is_readable) else { return };
    if source.slice(root.span).starts_with(['{', '[']) {
        return;
    }
    let mut texts: Vec<Span> = yaml::comments(source, &root).iter().map(|comment| comment.span).collect();
    spans(&root, &mut texts);
    texts.sort_unstable_by_key(|span| span.start);
    let runs = runs(&source.text, &texts);
    let Some(first) = runs.first() else { return };
    let count =
        if runs.len() == 1 { "a tab stands".to_owned() } else { format!("tabs stand in {} places", runs.len()) };
    found.add(
        found
            .at(*first, format!("{count} where YAML wants blanks"), "between two values")
            .help("write a blank instead; most editors can convert the whole file")
            .safe_fix("write blanks", runs.iter().map(|run| Edit::replace(*run, " ")).collect()),
    );
}

/// White space with a tab in it that stands before a value in its line.
fn runs(text: &str, texts: &[Span]) -> Vec<Span> {
    let mut runs = Vec::new();
    let mut from = 0;
    let mut gap = |start: usize, end: usize| {
        let mut at = start;
        while let Some(tab) = text.get(at..end).and_then(|rest| rest.find('\t')).map(|found| at + found) {
            let blank = |c: char| c == ' ' || c == '\t';
            let begin = start + text[start..tab].trim_end_matches(blank).len();
            let end_of_run = tab + (text[tab..].len() - text[tab..].trim_start_matches(blank).len());
            let precedes = text[end_of_run..].chars().next().is_some_and(|c| !"\r\n#".contains(c));
            let follows = text[..begin].chars().next_back().is_some_and(|c| c != '\n' && c != '\r');
            if precedes && follows {
                runs.push(Span::new(begin, end_of_run));
            }
            at = end_of_run;
        }
    };
    for span in texts {
        gap(from, span.start);
        from = from.max(span.end);
    }
    gap(from, text.len());
    runs
}

fn spans(node: &Node, into: &mut Vec<Span>) {
    match &node.kind {
        Kind::Scalar(_) => into.push(node.span),
        Kind::Sequence(items) => items.iter().for_each(|item| spans(item, into)),
        Kind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            spans(key, into);
            spans(value, into);
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::component;
    use crate::component::rules::{self, Target};
    use crate::diagnostic::{Diagnostic, Edit, SourceFile};
    use crate::yaml::{self, Kind, Node};
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<Diagnostic> {
        let source = SourceFile::new("c.yaml", text);
        let all = rules::check(&source, &component::parse(&source), &Target::default());
        all.into_iter().filter(|found| found.code == "D015").collect()
    }

    /// As `lint --fix` does it: fixes that touch each other wait for the next round.
    fn mended(text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..4 {
            let mut edits: Vec<Edit> = Vec::new();
            for fix in found(&text).into_iter().filter_map(|found| found.fix) {
                let touches = |edit: &Edit| {
                    edits.iter().any(|one| edit.span.start < one.span.end && one.span.start < edit.span.end)
                };
                if !fix.edits.iter().any(touches) {
                    edits.extend(fix.edits);
                }
            }
            edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
            for edit in edits {
                text.replace_range(edit.span.start..edit.span.end, &edit.text);
            }
        }
        text
    }

    #[test]
    fn tabs_between_values_are_found() {
        for (text, expected) in [
            ("a:\tb\n", "a: b\n"),
            ("a: \t b\n", "a: b\n"),
            ("-\ta\n- \tb\n", "- a\n- b\n"),
            ("a:\t[ b,\tc ]\n", "a: [ b, c ]\n"),
            ("a\t: b\n", "a : b\n"),
        ] {
            assert_eq!(found(text).len(), 1, "{text:?}");
            assert_eq!(mended(text), expected);
        }
    }

    #[test]
    fn tabs_in_text_comments_and_json_are_content() {
        for text in [
            "a: |\n  all:\n  \tgo build\n",
            "a: |\n  cat <<-END\n  \tx\n  \tEND\n\nb: c\n",
            "a: \"x\ty\"\n",
            "a: 'x\n  \ty'\n",
            "a: x\ty\n",
            "a: b\t# why\tnot\n",
            "a: b\t\nc: d\n",
            "#\tx\na: b\n",
            "{\n\t\"a\":\t\"b\"\n}\n",
            "a: |\n  x\n\t\nb: c\n",
        ] {
            assert_eq!(found(text), vec![], "{text:?}");
        }
    }

    #[test]
    fn every_kind_is_one_finding_and_mended() {
        for (text, count, expected) in [
            ("\u{feff}a: b\n", 1, "a: b\n"),
            ("a: b\r\nc: d\r\n", 1, "a: b\nc: d\n"),
            ("a: b\rc: d\n", 1, "a: b\nc: d\n"),
            ("\u{feff}a:\tb\r\n", 3, "a: b\n"),
            ("a: b\n---\n# end\n---\n", 1, "a: b\n# end\n"),
            // Without the separator these would be text of the block.
            ("a: |+\n  b\n---\n\n    # end\n   ", 1, "a: |+\n  b\n# end\n"),
            ("a: b\u{2028}\n", 1, "a: b\u{2028}\n"),
            ("a: 'b\u{feff}\u{202e}'\n", 2, "a: 'b\u{feff}\u{202e}'\n"),
        ] {
            assert_eq!(found(text).len(), count, "{text:?}");
            assert_eq!(mended(text), expected);
        }
    }

    #[test]
    fn a_tab_that_is_an_error_is_no_warning() {
        assert_eq!(found("a:\n\tb: c\n"), vec![]);
    }

    /// A tree without its places.
    fn shape(node: &Node) -> String {
        match &node.kind {
            Kind::Scalar(scalar) => format!("{:?}", scalar.text),
            Kind::Sequence(items) => format!("{:?}", items.iter().map(shape).collect::<Vec<_>>()),
            Kind::Mapping(entries) => {
                format!("{{{:?}}}", entries.iter().map(|(key, value)| shape(key) + &shape(value)).collect::<Vec<_>>())
            }
        }
    }

    proptest! {
        #[test]
        fn a_safe_fix_changes_no_meaning_and_leaves_nothing_to_fix(parts in prop::collection::vec(prop::sample::select(vec![
            "a:", "b:", "-", " ", "\t", "x", "'q'", "\"\t\"", "|\n  t\t\n", "\n", "\r\n", "  ", "#", "[", "]", ",", "{", "}", "---\n",
        ]), 0..20)) {
            let text = parts.concat();
            let read = |text: &str| yaml::parse(&SourceFile::new("c.yaml", text)).ok();
            if let Some(before) = read(&text) {
                let after = mended(&text);
                let tree = read(&after);
                prop_assert_eq!(tree.as_ref().map(shape), Some(shape(&before)), "{:?} {:?}", text, after);
                prop_assert_eq!(found(&after), vec![]);
            }
        }
    }
}
