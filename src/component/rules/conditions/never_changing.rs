//! Comparisons whose result is known before anything runs.

use super::tests;
use crate::component::condition::{Comparison, Operands, Test};
use crate::component::expression::{Part, Template};
use crate::component::parse::is_number;
use crate::component::re2;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;

/// C003
pub(super) fn constant(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for test in tests(subject) {
        let Some(result) = result(test) else { continue };
        let (name, sides) = (test.operator.name, if test.value.is_some() { "both sides are" } else { "the text is" });
        let message = match result {
            Known::Always(answer) => format!("this `{name}` is always {answer}"),
            Known::Same => format!("this `{name}` has the same result in every run"),
        };
        let diagnostic = found.at(test.key, message, format!("{sides} written out"));
        let diagnostic = if result == Known::Same && test.operator.operands == Operands::Texts {
            diagnostic.note("which one depends on whether letter case counts, and that is not known")
        } else {
            diagnostic
        };
        found.add(match &test.value {
            Some(value) => diagnostic
                .also_at(found.source(), value.span(), "did you mean an expression here?")
                .help("put the name of a parameter, or of the output of a step, in double braces"),
            None => {
                diagnostic.help("compare with an expression: `stringEquals: \"\"`, and beside it `value` with the name in double braces")
            }
        });
    }
}

/// A result that does not depend on the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// This one.
    Always(bool),
    /// Always the same, but which depends on how the comparison is carried out.
    Same,
}

/// The result of a comparison in which nothing can change; `None` if something can, or if it is not a proper one.
fn result(test: &Test) -> Option<Known> {
    let operand = test.operand.fixed()?;
    match test.operator.operands {
        Operands::Text => alone(test.operator.comparison, operand),
        Operands::Texts => Some(texts(test.operator.comparison, operand, test.value.as_ref()?.fixed()?)),
        Operands::Numbers => {
            let value = test.value.as_ref()?;
            let text = value.fixed()?;
            is_number(&value.node).then(|| numbers(test.operator.comparison, operand, text))
        }
        Operands::Pattern => {
            test.value.as_ref()?.fixed()?;
            re2::check(operand).is_ok().then_some(Known::Same)
        }
        Operands::Many | Operands::One | Operands::Hash(_) => None,
    }
}

fn alone(comparison: Comparison, text: &str) -> Option<Known> {
    match comparison {
        Comparison::StringIsEmpty => Some(Known::Always(text.is_empty())),
        Comparison::StringIsWhitespace if text.chars().all(|c| c == ' ') => Some(Known::Always(!text.is_empty())),
        Comparison::StringIsWhitespace if text.trim().is_empty() => Some(Known::Same),
        Comparison::StringIsWhitespace => Some(Known::Always(false)),
        // Files, folders and programs come and go.
        _ => None,
    }
}

fn texts(comparison: Comparison, operand: &str, value: &str) -> Known {
    let answer = |operand: &str, value: &str| match comparison {
        Comparison::StringEquals => value == operand,
        Comparison::StringLessThan => value < operand,
        Comparison::StringLessThanEquals => value <= operand,
        Comparison::StringGreaterThan => value > operand,
        _ => value >= operand,
    };
    let exact = answer(operand, value);
    if exact == answer(&operand.to_lowercase(), &value.to_lowercase()) { Known::Always(exact) } else { Known::Same }
}

fn numbers(comparison: Comparison, operand: &str, value: &str) -> Known {
    // Up to here a float holds every digit.
    const EXACT: usize = 15;
    let read = |text: &str| text.parse::<f64>().ok().filter(|_| text.len() <= EXACT);
    let Some((operand, value)) = read(operand).zip(read(value)) else { return Known::Same };
    Known::Always(match comparison {
        Comparison::NumberEquals => value.total_cmp(&operand).is_eq(),
        Comparison::NumberLessThan => value < operand,
        Comparison::NumberLessThanEquals => value <= operand,
        Comparison::NumberGreaterThan => value > operand,
        _ => value >= operand,
    })
}

/// C005
pub(super) fn no_number(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for test in tests(subject).filter(|test| test.operator.operands == Operands::Numbers) {
        let Some(value) = test.value.as_ref().filter(|value| never_a_number(value)) else { continue };
        let label = if value.fixed().is_some() {
            "not a number"
        } else {
            "whatever the expression yields, this is not a number"
        };
        let message = format!("`{}` is always false here: its `value` is never a number", test.operator.name);
        found.add(
            found
                .at(value.span(), message, label)
                .help("write digits alone, or an expression alone, without blanks or a unit around it"),
        );
    }
}

/// Whether a text can be no number, whatever its expressions yield.
fn never_a_number(value: &Template) -> bool {
    if value.fixed().is_some() {
        return !is_number(&value.node);
    }
    value.parts.iter().any(|part| match part {
        Part::Literal(text) => !text.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b)),
        Part::Expression(..) => false,
    })
}

#[cfg(test)]
mod beforehand {
    use super::*;

    #[test]
    fn what_is_known_beforehand() {
        use Comparison as C;
        for (comparison, operand, value, expected) in [
            (C::StringEquals, "a", "a", Known::Always(true)),
            (C::StringEquals, "a", "b", Known::Always(false)),
            (C::StringEquals, "a", "A", Known::Same),
            (C::StringLessThan, "b", "a", Known::Always(true)),
            (C::StringLessThan, "a", "B", Known::Same),
            (C::StringGreaterThanEquals, "10", "9", Known::Always(true)),
            (C::StringLessThanEquals, "a", "a", Known::Always(true)),
            (C::StringGreaterThan, "a", "b", Known::Always(true)),
        ] {
            assert_eq!(texts(comparison, operand, value), expected, "{comparison:?} {operand} {value}");
        }
        for (comparison, operand, value, expected) in [
            (C::NumberEquals, "1", "1.0", Known::Always(true)),
            (C::NumberEquals, "+1", "1", Known::Always(true)),
            (C::NumberGreaterThan, "1", "2", Known::Always(true)),
            (C::NumberLessThan, "1", "2", Known::Always(false)),
            (C::NumberLessThanEquals, "2", "2", Known::Always(true)),
            (C::NumberGreaterThanEquals, "3", "2", Known::Always(false)),
            (C::NumberEquals, "12345678901234567890", "1", Known::Same),
        ] {
            assert_eq!(numbers(comparison, operand, value), expected, "{comparison:?} {operand} {value}");
        }
        for (comparison, text, expected) in [
            (C::StringIsEmpty, "", Some(Known::Always(true))),
            (C::StringIsEmpty, " ", Some(Known::Always(false))),
            (C::StringIsWhitespace, "", Some(Known::Always(false))),
            (C::StringIsWhitespace, "  ", Some(Known::Always(true))),
            (C::StringIsWhitespace, "\t", Some(Known::Same)),
            (C::FileExists, "/a", None),
            (C::BinaryExists, "a", None),
        ] {
            assert_eq!(alone(comparison, text), expected, "{comparison:?} {text:?}");
        }
    }
}
