//! Comparisons that depend on whether letter case counts.

use super::tests;
use crate::component::condition::{Comparison, Operands, Test};
use crate::component::re2;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::yaml::Offsets;

/// C004
///
/// Nearly every condition compares letters, so only those are reported whose author has spelled a difference out.
pub(super) fn depends(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let mut equal: Vec<(&Test, &str, &str)> = Vec::new();
    for test in tests(subject) {
        let Some(operand) = test.operand.fixed() else { continue };
        // Where the value is written out as well, the whole comparison is constant (C003).
        let Some(value) = test.value.as_ref().filter(|value| value.fixed().is_none()) else { continue };
        match (test.operator.operands, test.operator.comparison) {
            (Operands::Pattern, _) => pattern(test, operand, found),
            (Operands::Texts, Comparison::StringEquals) => {
                let other = |(_, text, tested): &&(&Test, &str, &str)| {
                    *tested == value.text() && *text != operand && text.to_lowercase() == operand.to_lowercase()
                };
                if let Some((first, ..)) = equal.iter().find(other) {
                    alike(test, first, found);
                } else {
                    equal.push((test, operand, value.text()));
                }
            }
            (Operands::Texts, _) if operand.chars().any(char::is_alphabetic) => sorted(test, found),
            _ => {}
        }
    }
}

fn sorted(test: &Test, found: &mut Findings<'_>) {
    found.add(
        found
            .at(test.operand.span(), "letters are sorted here, with or without regard to their case", "has letters")
            .note("the documentation says that case does not count, and gives an example in which `A` sorts before `a`")
            .help("compare numbers, or decide it in a script, whose output is tested with `stringEquals`"),
    );
}

fn pattern(test: &Test, operand: &str, found: &mut Findings<'_>) {
    let Some(class) = re2::check(operand).ok().and_then(|facts| facts.one_case.into_iter().next()) else { return };
    let offsets = Offsets::new(&found.source().text, &test.operand.node);
    let diagnostic = found
        .at(offsets.span(&class), "this class takes letters of one case, which may not count", "one case only")
        .note("the documentation says that case does not count, and shows `^[a-z]+$` to match `ThisIsValue`")
        .help("put `(?i)` in front if case does not matter; if it does, decide it in a script");
    found.add(match offsets.edit(&(0..0), "(?i)") {
        Some(edit) => diagnostic.unsafe_fix("put `(?i)` in front", vec![edit]),
        None => diagnostic,
    });
}

fn alike(test: &Test, first: &Test, found: &mut Findings<'_>) {
    found.add(
        found
            .at(test.operand.span(), "the same value is compared with the same text in another letter case", "this one")
            .also_at(found.source(), first.operand.span(), "and this one")
            .note("the documentation says that letter case does not count, so that the two may be one and the same")
            .help("leave one of them out if they are meant to be the same, else choose words that differ in more than case"),
    );
}
