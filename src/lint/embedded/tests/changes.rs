//! Fixes of a document, written into the file around it.

use super::{around, configuration, document_line, only, source, template};
use crate::diagnostic::{Diagnostic, Edit, Span};
use crate::lint::embedded::{Embedded, extract};
use proptest::prelude::*;

/// A text with changes made.
fn with(text: &str, edits: &[Edit]) -> String {
    let mut ordered: Vec<&Edit> = edits.iter().collect();
    // Of two that begin at one place the insertion comes last, in front of what the other one leaves.
    ordered.sort_by_key(|edit| std::cmp::Reverse((edit.span.start, edit.span.end)));
    let mut out = text.to_owned();
    for edit in ordered {
        out.replace_range(edit.span.start..edit.span.end, &edit.text);
    }
    out
}

/// The changes of the file that changes of the document become, applied; the document must then read as it should.
fn applied(name: &str, text: &str, embedded: &Embedded, edits: &[Edit]) -> Option<String> {
    let wanted = with(&embedded.document.text, edits);
    let span = edits[0].span;
    let finding = Diagnostic::error("D001", "m").at(&embedded.document, span, "").safe_fix("t", edits.to_vec());
    let fix = embedded.map.relocate(finding).fix?;
    let out = with(text, &fix.edits);
    let extraction = extract(&source(name, &out));
    if let [unseen] = extraction.diagnostics.as_slice() {
        // A value that now stands alone in its line may be anything; the document itself is what it should be.
        assert!(unseen.primary.as_ref().unwrap().message.starts_with("whole lines"), "{unseen:?}");
        return Some(out);
    }
    let got: Vec<&str> = extraction.documents.iter().map(|embedded| embedded.document.text.as_str()).collect();
    assert_eq!(got, [wanted], "{edits:?} in {text:?} became {out:?}");
    let rest = |text: &str| text[text.find("AWS::S3").or(text.find("aws_s3")).unwrap()..].to_owned();
    assert_eq!(rest(&out), rest(text), "what follows the document is not touched");
    Some(out)
}

/// Applies a change of the first occurrence of a word.
fn change(name: &str, text: &str, word: &str, new: &str) -> Option<String> {
    let embedded = only(name, text);
    let at = embedded.document.text.find(word).unwrap();
    applied(name, text, &embedded, &[Edit::replace(Span::new(at, at + word.len()), new)])
}

#[test]
fn changes_are_written_as_the_file_writes_them() {
    let cfn = template("      Data: |\n        a: b\n\n        c: d\n        e: f");
    let has = |changed: Option<String>, part: &str| {
        let changed = changed.unwrap_or_else(|| panic!("{part:?} was dropped"));
        assert!(changed.contains(part), "{changed}");
    };
    has(change("t.yaml", &cfn, "b", "\"b\""), "        a: \"b\"\n");
    has(change("t.yaml", &cfn, "c: d", "x:\n  - y\nc: d"), "\n        x:\n          - y\n        c: d\n");
    has(change("t.yaml", &cfn, "c: d\n", ""), "\n\n        e: f\n");
    has(change("t.yaml", &cfn, "\nc", "x: y\nc"), "\n        x: y\n        c: d");
    has(change("t.yaml", &cfn.replace('\n', "\r\n"), "c: d", "x: y\nc: d"), "\r\n        x: y\r\n        c: d\r\n");
    let sub = template("      Data: !Sub |\n        a: ${B}x ${!C} d");
    has(change("t.yaml", &sub, "d", "${D}"), "${B}x ${!C} ${!D}\n");
    has(change("t.yaml", &sub, "x", "\"x\""), "${B}\"x\" ${!C}");
    let json = template("      Data: \"a: b\\nc: d\\n\"");
    has(change("t.yaml", &json, "b", "\"b\""), "\"a: \\\"b\\\"\\nc");
    has(change("t.yaml", &json, "c: d\n", "x:\n  - y\n"), "\\nx:\\n  - y\\n\"");
    has(change("t.yaml", &template("      Data: 'a: b'"), "b", "'b'"), "'a: ''b'''");
    let flush = configuration("<<-EOT\n    a: b\n    c: d\n  EOT");
    has(change("main.tf", &flush, "c: d", "x: y\nc: ${d}"), "\n    x: y\n    c: $${d}\n  EOT");
    has(change("main.tf", &flush, "a: b\n", ""), "<<-EOT\n    c: d\n");
    has(change("main.tf", &flush, "d\n", "d\ne: f\n"), "    c: d\n    e: f\n  EOT");
    has(change("main.tf", &configuration("\"a: b\\n\""), "b", "\"%{b}\""), "\"a: \\\"%%{b}\\\"\\n\"");
}

#[test]
fn changes_that_cannot_be_written_exactly_are_dropped() {
    for (name, text, word, new) in [
        ("t.yaml", template("      Data: 'a: b'"), "b", "b\nc: d"),
        ("t.yaml", template("      Data: >\n        a: b"), "b", "c"),
        ("t.yaml", template("      Data: \"a: b\n\n        c: d\""), "b", "c"),
        ("t.yaml", template("      Data: |\n        a: b"), "a", " a"),
        ("t.yaml", template("      Data: |\n        a: b"), "b\n", "b\n\n"),
        ("t.yaml", template("      Data: !Sub |\n        a: $b"), "b", "{b}"),
        ("main.tf", configuration("<<EOT\na: b\nEOT"), "b", "b\nEOT\nc"),
        ("main.tf", configuration("<<EOT\na: b\nEOT"), "b\n", "b"),
        ("main.tf", configuration("<<-EOT\n  a: b\n  EOT"), "a", "  a"),
    ] {
        assert_eq!(change(name, &text, word, new), None, "{text}");
    }
    let text = template("      Data: !Sub |\n        a: ${Name} b");
    let embedded = only("t.yaml", &text);
    let whole = Edit::replace(Span::new(3, embedded.document.text.len() - 1), "\"x\"");
    assert_eq!(applied("t.yaml", &text, &embedded, &[whole]), None, "what is not known is not written");
    let both = vec![Edit::insert(0, "x: y\n"), Edit::replace(Span::new(4, 5), "x")];
    let finding = Diagnostic::error("D001", "m").at(&embedded.document, Span::new(0, 1), "").safe_fix("t", both);
    assert_eq!(embedded.map.relocate(finding).fix, None, "a fix is whole or not at all");
}

/// What is put into documents.
fn new_text() -> impl Strategy<Value = String> {
    let parts =
        vec!["x", "\n", " ", "\"", "'", "\\", "${", "}", "$", "{", "%", "!", "EOT", "é", "\n  ", "y: z\n", "", "", ""];
    prop::collection::vec(prop::sample::select(parts), 0..4).prop_map(|parts| parts.concat())
}

proptest! {
    /// Changes of the document are either written so that the document reads as it should, or not at all.
    #[test]
    fn changes_are_exact_or_dropped(
        lines in prop::collection::vec(document_line(), 0..5), form in 0..8usize,
        changes in prop::collection::vec((0..16usize, 0..12usize, new_text()), 1..4),
    ) {
        let lines = [vec!["k: v".to_owned()], lines].concat();
        let (name, text) = around(form, &lines);
        let embedded = &extract(&source(name, &text)).documents[0];
        let inner = embedded.document.text.as_str();
        let mut edits = Vec::new();
        let mut at = 0;
        for (gap, length, new) in changes {
            let start = inner.ceil_char_boundary((at + gap).min(inner.len()));
            let end = inner.ceil_char_boundary((start + length).min(inner.len()));
            edits.push(Edit::replace(Span::new(start, end), new));
            at = end;
        }
        applied(name, &text, embedded, &edits);
    }

    /// Whole lines, which is what rules take away and put in, are hardly ever a difficulty.
    #[test]
    fn whole_lines_can_be_put_in_and_taken_away(form in 0..8usize, number in 1..4usize, remove in any::<bool>()) {
        let lines: Vec<String> = ["k: v", "a: b", "c:", "  - d", "e: f"].map(str::to_owned).to_vec();
        let (name, text) = around(form, &lines);
        let embedded = &extract(&source(name, &text)).documents[0];
        let start = embedded.document.line_span(number + 1).start;
        let end = if remove { embedded.document.line_span(number + 2).start } else { start };
        let new = if remove { "" } else { "x:\n  - y\n" };
        prop_assert!(applied(name, &text, embedded, &[Edit::replace(Span::new(start, end), new)]).is_some());
    }
}
