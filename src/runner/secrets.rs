//! Secrets, and how they are kept out of everything that leaves the machine.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

/// What stands where a secret stood.
pub const REDACTED: &str = "***";

/// Shorter secrets are replaced only where they stand alone, as a word. Replaced everywhere, the digit `1` would make every
/// line unreadable, and the gaps would tell what it is.
const SHORT: usize = 4;

/// The secrets that an execution has come to know, shared by all its nested executions. Only the text itself is found:
/// neither an encoding of it (base64, a hash) nor a part of it.
///
/// A text has to be redacted before it is cut or escaped: what is left of a secret after that is not found any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeSet<String>", into = "BTreeSet<String>")]
pub struct Secrets(Rc<RefCell<BTreeSet<String>>>);

impl From<BTreeSet<String>> for Secrets {
    fn from(known: BTreeSet<String>) -> Self {
        Self(Rc::new(RefCell::new(known)))
    }
}

impl From<Secrets> for BTreeSet<String> {
    fn from(secrets: Secrets) -> Self {
        secrets.0.borrow().clone()
    }
}

impl Secrets {
    /// Remembers a secret. Its lines are remembered, too: output is looked at line by line.
    pub fn learn(&self, secret: &str) {
        let mut known = self.0.borrow_mut();
        let lines = secret.lines().map(str::trim_end);
        known.extend(lines.chain([secret]).filter(|text| !text.is_empty()).map(str::to_owned));
    }

    /// A text with every secret in it replaced, also where two of them overlap.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        replaced(text, self.places(text))
    }

    /// Whether a text holds a secret.
    pub fn are_in(&self, text: &str) -> bool {
        !self.places(text).is_empty()
    }

    /// As [`redact`](Self::redact), for a text that was cut: the beginning of a secret at its end is replaced as well.
    pub fn redact_cut<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let begins = |secret: &String| {
            let ends = secret.char_indices().map(|(at, _)| at).skip(1);
            ends.filter(|end| text.ends_with(&secret[..*end])).max()
        };
        let cut = self.0.borrow().iter().filter_map(begins).max();
        let mut places = self.places(text);
        places.extend(cut.map(|length| text.len() - length..text.len()));
        replaced(text, places)
    }

    /// All texts in a JSON value, redacted.
    pub fn redact_json(&self, value: &mut serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(entries) => entries.values_mut().for_each(|item| self.redact_json(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn places(&self, text: &str) -> Vec<Range<usize>> {
        self.0.borrow().iter().flat_map(|secret| occurrences(text, secret)).collect()
    }
}

/// A text without these places; those that touch or overlap are one.
fn replaced(text: &str, mut places: Vec<Range<usize>>) -> Cow<'_, str> {
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    places.sort_unstable_by_key(|place| place.start);
    let mut redacted = String::new();
    let mut from = 0;
    let mut gap = None;
    for place in places {
        if gap.is_none_or(|end| place.start > end) {
            redacted.extend([&text[from..place.start], REDACTED]);
        }
        from = place.end.max(from);
        gap = Some(from);
    }
    redacted.push_str(&text[from..]);
    Cow::Owned(redacted)
}

/// Where a secret stands in a text, also inside of itself (`aa` in `aaa`).
fn occurrences(text: &str, secret: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(secret).map(|at| from + at) {
        let place = start..start + secret.len();
        if secret.chars().count() >= SHORT || alone(text, &place) {
            places.push(place);
        }
        from = start + text[start..].chars().next().map_or(1, char::len_utf8);
    }
    places
}

/// Whether no letter or digit touches a place.
fn alone(text: &str, place: &Range<usize>) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !word(text[..place.start].chars().next_back()) && !word(text[place.end..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn knowing(secrets: &[&str]) -> Secrets {
        let known = Secrets::default();
        for secret in secrets {
            known.learn(secret);
        }
        known
    }

    #[test]
    fn secrets_are_replaced_wherever_they_stand() {
        let secrets = knowing(&["hunter2", "abcd", "cdef"]);
        for (text, expected) in [
            ("password: hunter2!", "password: ***!"),
            ("hunter2hunter2", "***"),
            ("abcdef x", "*** x"),
            ("hunter", "hunter"),
            ("", ""),
        ] {
            assert_eq!(secrets.redact(text), expected);
        }
        assert_eq!(knowing(&["aaaa"]).redact("baaaaaa"), "b***");
        assert_eq!(Secrets::default().redact("hunter2"), "hunter2");
    }

    #[test]
    fn short_secrets_are_replaced_as_words() {
        let secrets = knowing(&["123", "é"]);
        assert_eq!(secrets.redact("pin=123 of 1234 é née"), "pin=*** of 1234 *** née");
        assert_eq!(knowing(&[""]).redact("a b"), "a b");
    }

    #[test]
    fn each_line_of_a_secret_is_one() {
        let secrets = knowing(&["-----BEGIN\r\nMIIEow\n"]);
        assert_eq!(secrets.redact("x MIIEow y"), "x *** y");
        assert_eq!(secrets.redact("-----BEGIN"), "***");
    }

    #[test]
    fn the_beginning_of_a_secret_at_a_cut_is_replaced() {
        let secrets = knowing(&["hunter2", "étage9"]);
        assert_eq!(secrets.redact_cut("it is hunt"), "it is ***");
        assert_eq!(secrets.redact_cut("hunter2 ét"), "*** ***");
        assert_eq!(secrets.redact_cut("nothing"), "nothing");
        assert_eq!(knowing(&["abab"]).redact_cut("x abab"), "x ***", "whole and begun again");
    }

    #[test]
    fn texts_in_json_are_redacted_at_any_depth() {
        let mut value = serde_json::json!({"commands": ["login hunter2"], "more": [{"a": "hunter2"}], "count": 7});
        knowing(&["hunter2"]).redact_json(&mut value);
        assert_eq!(value.to_string(), r#"{"commands":["login ***"],"count":7,"more":[{"a":"***"}]}"#);
    }

    proptest! {
        #[test]
        fn nothing_of_a_secret_is_left(secrets in prop::collection::vec("[abc]{4,6}", 1..4), text in "[abcd]{0,40}") {
            let known = knowing(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
            let redacted = known.redact(&text);
            for secret in &secrets {
                prop_assert!(!redacted.contains(secret.as_str()), "{text} became {redacted}");
            }
            prop_assert!(secrets.iter().any(|secret| text.contains(secret.as_str())) || redacted == text);
        }
    }
}
