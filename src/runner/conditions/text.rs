//! Texts compared without regard to letter case.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use std::cmp::Ordering;

/// Compares two texts character by character, in the order of Unicode, where all cases of a letter are the lower one
/// (simple folding). Reference 8.3: the documentation contradicts itself, and the real program is UNCONFIRMED; whether it
/// folds to lower or upper case matters only for the six characters between `Z` and `a`.
pub fn compare(one: &str, two: &str) -> Ordering {
    one.chars().map(folded).cmp(two.chars().map(folded))
}

/// White space only, and some of it. The documentation speaks of spaces; that tabs and line breaks count, as the name
/// says, is UNCONFIRMED.
pub fn is_whitespace(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_whitespace)
}

/// One character for all cases of a letter.
fn folded(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut cases = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
    cases.case_fold_simple();
    // The set is sorted: a letter that has a case in ASCII (the Kelvin sign) becomes that one.
    let first = cases.iter().next().map_or(c, ClassUnicodeRange::start);
    let mut lower = first.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) => single,
        // What has no lower case of one character is compared as it is.
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letter_case_does_not_count() {
        for (one, two, expected) in [
            ("Testing", "tESTING", Ordering::Equal),
            ("A", "b", Ordering::Less),
            ("a", "B", Ordering::Less),
            ("9", "A", Ordering::Less),
            ("", "a", Ordering::Less),
            ("ab", "ABC", Ordering::Less),
            ("É", "é", Ordering::Equal),
            ("ΣΑΣ", "σας", Ordering::Equal),
            ("\u{212a}elvin", "KELVIN", Ordering::Equal),
            ("ẞ", "ß", Ordering::Equal),
            ("ß", "ss", Ordering::Greater),
            ("İ", "i", Ordering::Greater),
            (" a", "a", Ordering::Less),
        ] {
            assert_eq!(compare(one, two), expected, "{one} {two}");
            assert_eq!(compare(two, one), expected.reverse(), "{two} {one}");
        }
    }

    #[test]
    fn white_space_is_at_least_one_character() {
        assert!(is_whitespace(" ") && is_whitespace(" \t\n") && !is_whitespace("") && !is_whitespace(" a"));
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(c: char) {
            prop_assert_eq!(folded(folded(c)), folded(c));
        }

        #[test]
        fn a_text_is_equal_to_itself_in_capitals(text in "[a-zà-öø-ÿα-ρа-я0-9 _-]{0,20}") {
            // A letter whose capital is two letters (ß) has none in simple folding.
            let capital = |c: char| if c.to_uppercase().count() == 1 { c.to_uppercase().next().unwrap() } else { c };
            prop_assert_eq!(compare(&text, &text.chars().map(capital).collect::<String>()), Ordering::Equal);
        }
    }
}
