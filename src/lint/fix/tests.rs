use super::*;
use crate::diagnostic::{SourceFile, Span};
use proptest::prelude::*;

fn fix(edits: &[(usize, usize, &str)]) -> Fix {
    let edits = edits.iter().map(|(start, end, text)| Edit::replace(Span::new(*start, *end), *text)).collect();
    Fix { title: "t".to_owned(), safe: true, edits }
}

fn applied(text: &str, fixes: &[&Fix]) -> (String, usize, usize) {
    let Applied { text, applied, skipped } = apply(text, fixes);
    (text, applied, skipped)
}

#[test]
fn each_fix_is_carried_out_completely_or_not_at_all() {
    let cases: &[(&[Fix], &str, usize)] = &[
        (&[], "abcdef", 0),
        (&[fix(&[(0, 1, "X"), (5, 6, "Y")])], "XbcdeY", 1),
        (&[fix(&[(5, 6, "Y"), (0, 1, "X")])], "XbcdeY", 1),
        // The second of two that overlap waits, with all its edits.
        (&[fix(&[(1, 3, "X")]), fix(&[(2, 4, "Y"), (5, 6, "Z")])], "aXdef", 1),
        (&[fix(&[(0, 6, "X")]), fix(&[(2, 3, "Y")])], "X", 1),
        (&[fix(&[(2, 3, "Y")]), fix(&[(0, 6, "X")])], "abYdef", 1),
        // Two that only touch are apart, but an insertion belongs to either side.
        (&[fix(&[(0, 2, "X")]), fix(&[(2, 4, "Y")])], "XYef", 2),
        (&[fix(&[(0, 2, "X")]), fix(&[(2, 2, "Y")])], "Xcdef", 1),
        (&[fix(&[(2, 2, "Y")]), fix(&[(0, 2, "X")])], "abYcdef", 1),
        (&[fix(&[(2, 2, "X")]), fix(&[(2, 2, "Y")])], "abXcdef", 1),
        (&[fix(&[(2, 2, "X")]), fix(&[(2, 3, "Y")])], "abXcdef", 1),
        (&[fix(&[(2, 2, "X"), (2, 3, "Y")]), fix(&[(1, 2, "Z")])], "abXYdef", 1),
        // Within one fix the order is that of the list.
        (&[fix(&[(2, 2, "X"), (2, 2, "Y")])], "abXYcdef", 1),
        // Fixes that do not fit.
        (&[fix(&[(0, 1, "X"), (5, 7, "Y")])], "abcdef", 0),
        (&[fix(&[(3, 2, "X")])], "abcdef", 0),
        (&[fix(&[(0, 3, "X"), (2, 4, "Y")])], "abcdef", 0),
        (&[fix(&[])], "abcdef", 0),
        (&[fix(&[(9, 9, "X")]), fix(&[(6, 6, "!")])], "abcdef!", 1),
    ];
    for (fixes, expected, count) in cases {
        let fixes: Vec<&Fix> = fixes.iter().collect();
        assert_eq!(applied("abcdef", &fixes), ((*expected).to_owned(), *count, fixes.len() - count), "{fixes:?}");
    }
}

#[test]
fn characters_are_not_taken_apart() {
    assert_eq!(applied("aé", &[&fix(&[(2, 2, "X")])]), ("aé".to_owned(), 0, 1));
    assert_eq!(applied("aé", &[&fix(&[(1, 3, "e")])]), ("ae".to_owned(), 1, 0));
}

/// A linter of words: what it says of the words of a text, and what to put in their place.
fn linter(
    rules: &'static [(&'static str, Severity, &'static str, Option<&'static str>)],
) -> impl Fn(&str) -> Vec<Diagnostic> {
    move |text| {
        let source = SourceFile::new("f", text);
        let mut found = Vec::new();
        for (word, severity, code, better) in rules {
            for (at, _) in text.match_indices(word) {
                let span = Span::new(at, at + word.len());
                let one = Diagnostic::new(code, *severity, format!("found {word}")).at(&source, span, "");
                found.push(match better {
                    Some(better) => one.safe_fix("better", vec![Edit::replace(span, *better)]),
                    None => one,
                });
            }
        }
        found.sort_by_key(|one| one.span().start);
        found
    }
}

#[test]
fn rounds_go_on_until_nothing_is_left() {
    let lint = linter(&[
        ("one", Severity::Warning, "W001", Some("two")),
        ("two", Severity::Warning, "W002", Some("three")),
        ("bad", Severity::Error, "E001", None),
    ]);
    let fixed = fix_until_stable("one two bad", &lint, false);
    assert_eq!((fixed.text.as_str(), fixed.applied, fixed.rounds), ("three three bad", 3, 2));
    assert!(fixed.settled && fixed.refused.is_empty());
    assert_eq!(fixed.remaining.iter().map(|one| one.code).collect::<Vec<_>>(), ["E001"]);
    assert_eq!(fix_until_stable(&fixed.text, &lint, false).applied, 0, "a second run has nothing to do");
}

#[test]
fn a_fix_that_does_harm_is_undone_and_the_others_stay() {
    let lint = linter(&[
        ("a", Severity::Warning, "W001", Some("A")),
        ("b", Severity::Warning, "W002", Some("ERR")),
        ("c", Severity::Warning, "W003", Some("TAB")),
        ("ERR", Severity::Error, "E001", None),
        ("TAB", Severity::Error, "Y002", None),
    ]);
    let fixed = fix_until_stable("a b a c a b", &lint, false);
    assert_eq!((fixed.text.as_str(), fixed.applied), ("A b A c A b", 3));
    assert_eq!(fixed.refused.iter().map(|one| one.code).collect::<Vec<_>>(), ["W002", "W003", "W002"]);
    assert_eq!(fixed.remaining.len(), 3, "what was not mended is still said");
    assert!(fixed.settled);
}

#[test]
fn errors_that_come_to_light_are_no_harm() {
    let inner = linter(&[("tab", Severity::Error, "Y002", Some("ok")), ("x", Severity::Error, "E001", None)]);
    let lint = |text: &str| {
        let found = inner(text);
        let unreadable = found.iter().any(|one| one.code == "Y002");
        found.into_iter().filter(|one| !unreadable || one.code == "Y002").collect()
    };
    let fixed = fix_until_stable("tab x x", lint, false);
    assert_eq!((fixed.text.as_str(), fixed.remaining.len()), ("ok x x", 2));
    assert!(fixed.refused.is_empty());
}

#[test]
fn unsafe_fixes_wait_to_be_asked_for() {
    let lint = |text: &str| {
        let source = SourceFile::new("f", text);
        let at = text.find('u').map(|at| Span::new(at, at + 1));
        at.map(|span| Diagnostic::warning("W001", "m").at(&source, span, "").unsafe_fix("t", vec![Edit::delete(span)]))
            .into_iter()
            .collect()
    };
    assert_eq!(fix_until_stable("auub", lint, false).text, "auub");
    let fixed = fix_until_stable("auub", lint, true);
    assert_eq!((fixed.text.as_str(), fixed.applied, fixed.rounds), ("ab", 2, 2));
}

#[test]
fn going_in_circles_ends() {
    let lint = linter(&[("x", Severity::Warning, "W001", Some("y")), ("y", Severity::Warning, "W002", Some("x"))]);
    let fixed = fix_until_stable("x", lint, false);
    assert_eq!((fixed.rounds, fixed.settled), (ROUNDS, false));
}

#[test]
fn fixes_of_other_texts_are_not_for_this_one() {
    let other = SourceFile::new("g", "something else");
    let lint = |_: &str| {
        vec![Diagnostic::warning("W001", "m").at(&other, Span::new(0, 1), "").safe_fix("t", vec![Edit::insert(0, "x")])]
    };
    assert_eq!(fix_until_stable("text", lint, true).text, "text");
}

/// Fixes with edits anywhere, in the text or not.
fn any_fixes() -> impl Strategy<Value = Vec<Fix>> {
    let edit = (0usize..30, 0usize..6, "[XYZ]{0,3}")
        .prop_map(|(start, width, text)| Edit::replace(Span::new(start, start + width), text));
    let fix = proptest::collection::vec(edit, 0..4).prop_map(|edits| Fix { title: String::new(), safe: true, edits });
    proptest::collection::vec(fix, 0..8)
}

proptest! {
    #[test]
    fn nothing_is_lost_outside_of_edits(text in "[a-zé]{0,25}", fixes in any_fixes()) {
        let all: Vec<&Fix> = fixes.iter().collect();
        let done = apply(&text, &all);
        prop_assert_eq!(done.applied + done.skipped, fixes.len());
        // Whatever stands in no edit at all is there afterwards, in its order.
        let mut rest = done.text.chars();
        for (at, c) in text.char_indices() {
            let edited = fixes.iter().flat_map(|fix| &fix.edits).any(|edit| edit.span.start <= at && at < edit.span.end);
            prop_assert!(edited || rest.any(|found| found == c), "{} is missing from {}", c, done.text);
        }
    }

    #[test]
    fn applying_nothing_changes_nothing(text in "(?s).{0,40}") {
        let done = apply(&text, &[]);
        prop_assert_eq!((done.text, done.applied, done.skipped), (text, 0, 0));
    }

    #[test]
    fn the_first_fix_that_fits_always_wins(text in "[a-z]{0,25}", fixes in any_fixes()) {
        let all: Vec<&Fix> = fixes.iter().collect();
        let possible = all.iter().filter(|fix| fits(&text, fix)).count();
        let done = apply(&text, &all);
        prop_assert!(done.applied <= possible);
        prop_assert_eq!(done.applied == 0, possible == 0);
    }

    #[test]
    fn mending_twice_is_mending_once(text in "[abcx ]{0,30}") {
        let lint = linter(&[
            ("a", Severity::Warning, "W001", Some("b")),
            ("bb", Severity::Warning, "W002", Some("c")),
            ("cx", Severity::Warning, "W003", Some("!")),
            ("!", Severity::Error, "E001", None),
        ]);
        let once = fix_until_stable(&text, &lint, false);
        prop_assume!(once.settled);
        prop_assert_eq!(fix_until_stable(&once.text, &lint, false).text, once.text);
    }
}
