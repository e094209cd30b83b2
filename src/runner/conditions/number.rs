//! Numbers of any length, compared exactly.

use crate::component::expression::Template;
use std::cmp::Ordering;

/// A decimal number: `0.d₁d₂… × 10^exponent`, digits without zeros at either end. Zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads `[-+]?([0-9]+[.])?[0-9]+`, which is all that conditions take as text (reference 8.3).
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = sign(text);
        let (whole, fraction) = rest.split_once('.').unwrap_or(("", rest));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(fraction) || (rest.contains('.') && !digits(whole)) {
            return None;
        }
        let (whole, fraction) = if rest.contains('.') { (whole, fraction) } else { (fraction, "") };
        Some(Self::of(negative, whole, fraction, 0))
    }

    /// The number that a text stands for once its expressions are replaced. A number of YAML may have an exponent or be
    /// written in another base.
    pub fn of_template(template: &Template, text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| {
            if template.expressions().next().is_some() {
                return None;
            }
            match template.node.as_int() {
                Some(number) => Self::parse(&number.to_string()),
                None => {
                    template.node.as_float().filter(|number| number.is_finite()).and_then(|_| Self::scientific(text))
                }
            }
        })
    }

    /// Reads `1e3`, `.5`, `-2.5E-7`.
    fn scientific(text: &str) -> Option<Self> {
        let (negative, rest) = sign(text);
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if mantissa.len() < 1 + usize::from(mantissa.contains('.')) || !digits(whole) || !digits(fraction) {
            return None;
        }
        Some(Self::of(negative, whole, fraction, exponent.parse().ok()?))
    }

    fn of(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Self {
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = all.iter().take_while(|digit| **digit == b'0').count();
        let end = all.iter().rposition(|digit| *digit != b'0').map_or(zeros, |last| last + 1);
        let digits = all[zeros..end].to_vec();
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let exponent = exponent.saturating_add(signed(whole.len())).saturating_sub(signed(zeros));
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        Self { negative, digits, exponent }
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        // Digits that end earlier are less: none ends with zeros.
        let size = || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        match (sign(self), sign(other)) {
            (1, 1) => size(),
            (-1, -1) => size().reverse(),
            (mine, others) => mine.cmp(&others),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compared(one: &str, two: &str) -> Option<Ordering> {
        Some(Decimal::parse(one)?.cmp(&Decimal::parse(two)?))
    }

    #[test]
    fn numbers_of_any_length_are_compared_exactly() {
        let long = "9".repeat(400);
        for (one, two, expected) in [
            ("1", "2", Ordering::Less),
            ("10", "9", Ordering::Greater),
            ("1.0", "1", Ordering::Equal),
            ("-0", "+0.00", Ordering::Equal),
            ("0.1", "0.10000000000000001", Ordering::Less),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("-1.5", "-1.25", Ordering::Less),
            ("-1", "1", Ordering::Less),
            ("0.05", "0.1", Ordering::Less),
            ("007", "7", Ordering::Equal),
            (&long, "0.1", Ordering::Greater),
            (&long, &format!("{long}.0001"), Ordering::Less),
        ] {
            assert_eq!(compared(one, two), Some(expected), "{one} {two}");
            assert_eq!(compared(two, one), Some(expected.reverse()), "{two} {one}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "a", ".5", "5.", "1e3", "1,5", "--1", "+", "0x10", " 1", "1 ", "1.2.3", "NaN", "inf", "१"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        for (text, same) in [("1e3", "1000"), (".5", "0.5"), ("-2.5E-1", "-0.25"), ("5.", "5"), ("1E+2", "100")] {
            assert_eq!(Decimal::scientific(text), Decimal::parse(same), "{text}");
        }
        for text in ["e3", ".", "1e", "1e1.5", ""] {
            assert_eq!(Decimal::scientific(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_are_ordered_as_integers(one: i128, two: i128) {
            prop_assert_eq!(compared(&one.to_string(), &two.to_string()), Some(one.cmp(&two)));
        }

        #[test]
        fn decimals_are_ordered_as_their_thousandths(one in -1_000_000i64..1_000_000, two in -1_000_000i64..1_000_000) {
            let text = |number: i64| {
                let sign = if number < 0 { "-" } else { "" };
                format!("{sign}{}.{:03}", number.abs() / 1000, number.abs() % 1000)
            };
            prop_assert_eq!(compared(&text(one), &text(two)), Some(one.cmp(&two)));
        }

        #[test]
        fn zeros_at_the_ends_change_nothing(number in "[0-9]{1,9}", fraction in "[0-9]{1,9}") {
            let plain = Decimal::parse(&format!("{number}.{fraction}"));
            prop_assert_eq!(Decimal::parse(&format!("+000{number}.{fraction}000")), plain);
        }
    }
}
