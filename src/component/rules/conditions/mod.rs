//! `C`: conditions.

mod branches;
mod letter_case;
mod never_changing;
mod pattern;

use super::model::{Basis, Check, Rule};
use super::subject::Subject;
use crate::component::condition::{Condition, Test};
use crate::diagnostic::Severity;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "C001",
        name: "invalid-condition",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "A condition has no operator, several, an unknown one, or lacks what its operator takes.",
        why: "A condition is a mapping with exactly one operator and what belongs to it: `value` beside comparisons of \
            text and numbers, `path` beside hash sums, a list below and/or. They can be nested four levels deep. \
            Sections 8.1 to 8.4.",
        example: "if:\n  stringEquals: x86_64",
        instead: "if:\n  stringEquals: x86_64\n  value: \"{{ build.Machine.outputs.stdout }}\"",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "C002",
        name: "invalid-branch",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "`then` or `else` is not Execute, Skip or Abort, or stands below the operator.",
        why: "Both stand beside the outermost operator. One page of the documentation draws them below it, its examples do \
            not, and the examples work; that the other form is refused is inferred. Assert has neither. Section 8.1.",
        example: "if:\n  not:\n    fileExists: /opt/app\n    else: Abort",
        instead: "if:\n  not:\n    fileExists: /opt/app\n  else: Abort",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "C003",
        name: "constant-condition",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A comparison has the same result in every run, because nothing in it can change.",
        why: "Both sides are written out, so the step is always run or never. Often the braces around a name are missing. \
            Whether a file or program exists is not constant and not reported. Section 8.3.",
        example: "if:\n  stringEquals: \"true\"\n  value: Enabled",
        instead: "if:\n  stringEquals: \"true\"\n  value: \"{{ Enabled }}\"",
        supersedes: &[],
        check: Check::Document(never_changing::constant),
    },
    Rule {
        id: "C004",
        name: "depends-on-letter-case",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "The result of a comparison depends on whether letter case counts, which is not known.",
        why: "The documentation says that case does not count, and shows examples in which it must. Equality with one \
            fixed text rarely suffers. Reported are only comparisons that spell a difference out: sorting by letters, \
            classes such as [a-z] without (?i), and two tests of one value that differ in case alone. Section 8.3.",
        example: "if:\n  patternMatches: ^[a-z]+$\n  value: \"{{ Name }}\"",
        instead: "if:\n  patternMatches: (?i)^[a-z]+$\n  value: \"{{ Name }}\"",
        supersedes: &[],
        check: Check::Document(letter_case::depends),
    },
    Rule {
        id: "C005",
        name: "never-a-number",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A comparison of numbers gets a value that can never be one.",
        why: "Such a comparison is false and not an error, so a typing mistake silently decides what is run. A number is \
            digits, with a sign and a decimal point at most; blanks, units and exponents in text are not. Section 8.3.",
        example: "if:\n  numberGreaterThan: 4\n  value: \"{{ build.Memory.outputs.stdout }} GB\"",
        instead: "if:\n  numberGreaterThan: 4\n  value: \"{{ build.Memory.outputs.stdout }}\"",
        supersedes: &[],
        check: Check::Document(never_changing::no_number),
    },
    Rule {
        id: "C006",
        name: "invalid-pattern",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "The regular expression of `patternMatches` is not one that RE2 takes.",
        why: "Patterns are those of Go's package regexp. It runs in linear time and therefore lacks what other engines have: \
            backreferences, lookahead, lookbehind, possessive repetition. Section 8.3.",
        example: "if:\n  patternMatches: ^(?!root$)\n  value: \"{{ User }}\"",
        instead: "if:\n  not:\n    patternMatches: ^root$\n    value: \"{{ User }}\"",
        supersedes: &[],
        check: Check::Document(pattern::invalid),
    },
    Rule {
        id: "C007",
        name: "both-branches-alike",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "`then` and `else` are the same, so the condition decides nothing.",
        why: "What is left out counts as well: `then` is Execute and `else` is Skip unless something else is written. \
            `then: Skip` alone therefore skips the step always. Sections 8.1 and 8.4.",
        example: "if:\n  fileExists: /opt/app\n  then: Skip",
        instead: "if:\n  fileExists: /opt/app\n  then: Skip\n  else: Execute",
        supersedes: &[],
        check: Check::Document(branches::alike),
    },
];

/// All comparisons of a document, in document order.
fn tests<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a Test> + use<'a> {
    subject.steps().flat_map(|(_, step)| {
        let conditions = step.branching.iter().map(|branching| &branching.condition).chain(&step.assertion);
        conditions.flat_map(Condition::tests)
    })
}

#[cfg(test)]
mod unit;
