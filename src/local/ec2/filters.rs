//! Filters of Describe operations: `Filter.1.Name=state&Filter.1.Value.1=available`.

use super::super::input::Input;
use super::super::wire::ServiceError;
use std::collections::BTreeMap;

/// All must hold; a filter holds when one of its values matches.
#[derive(Debug)]
pub(super) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads `Filter` of a request. `known` are the operation's filter names; one that ends with `:` is a prefix.
    pub(super) fn parse(input: &Input<'_>, known: &[&str]) -> Result<Self, ServiceError> {
        let filters = input.objects("Filter")?.into_iter().map(|filter| {
            let name = filter.required("Name")?;
            let is_known =
                known.iter().any(|known| *known == name || (known.ends_with(':') && name.starts_with(known)));
            if !is_known {
                let text = format!("The filter '{name}' is invalid. This operation has: {}.", known.join(", "));
                return Err(ServiceError::client("InvalidParameterValue", text));
            }
            let values = filter.texts("Value")?;
            if values.is_empty() {
                let text = format!("The filter '{name}' has no values.");
                return Err(ServiceError::client("InvalidParameterValue", text));
            }
            Ok((name.to_owned(), values.into_iter().map(str::to_owned).collect()))
        });
        Ok(Self(filters.collect::<Result<_, ServiceError>>()?))
    }

    /// Whether all filters hold. `field` gives what a thing has under a filter name, tags excepted.
    pub(super) fn accept(&self, tags: &BTreeMap<String, String>, field: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let has = if name == "tag-key" {
                tags.keys().cloned().collect()
            } else if let Some(key) = name.strip_prefix("tag:") {
                tags.get(key).cloned().into_iter().collect()
            } else {
                field(name)
            };
            has.iter().any(|value| patterns.iter().any(|pattern| matches(pattern, value)))
        })
    }
}

/// EC2's wildcards: `*` any text, `?` one character, `\` takes the next character as it is. Case matters.
pub(in crate::local) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when the text after the last `*` does not fit: one character further. Quadratic at worst.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('\\') if p + 1 < pattern.len() => (pattern[p + 1] == text[t]).then_some(2),
            Some(character) => (*character == text[t]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                t += 1;
            }
            (None, Some((after, at))) => {
                star = Some((after, at + 1));
                (p, t) = (after, at + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::input::Dialect;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("debian-*", "debian-12", true),
            ("*-12", "debian-12", true),
            ("d?bian", "debian", true),
            ("d?bian", "dbian", false),
            ("a*b*c", "aXbXbYc", true),
            ("a*b*c", "aXbXbY", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("", "", true),
            ("", "a", false),
            ("Debian", "debian", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn text_without_wildcards_matches_itself_only(a in "[a-c]{0,4}", b in "[a-c]{0,4}") {
            prop_assert_eq!(matches(&a, &b), a == b);
        }

        #[test]
        fn a_star_bridges_anything(start in "[a-c]{0,3}", middle in "[a-z*?]{0,6}", end in "[a-c]{0,3}") {
            let (pattern, text) = (format!("{start}*{end}"), format!("{start}{middle}{end}"));
            prop_assert!(matches(&pattern, &text));
        }
    }

    #[test]
    fn all_filters_must_hold() {
        let request = json!({ "Filter": [
            { "Name": "state", "Value": ["available", "pending"] }, { "Name": "tag:team", "Value": ["a*"] }
        ] });
        let filters = Filters::parse(&Input::new(Dialect::Ec2, &request), &["state", "tag:"]).unwrap();
        let tags = |value: &str| BTreeMap::from([("team".to_owned(), value.to_owned())]);
        let state = |_: &str| vec!["available".to_owned()];
        assert!(filters.accept(&tags("alpha"), state));
        assert!(!filters.accept(&tags("beta"), state));
        assert!(!filters.accept(&BTreeMap::new(), state));
        assert!(!filters.accept(&tags("alpha"), |_| vec!["failed".to_owned()]));
    }

    #[test]
    fn unknown_and_empty_filters_are_refused() {
        for filter in [json!({ "Name": "colour", "Value": ["red"] }), json!({ "Name": "state" })] {
            let request = json!({ "Filter": [filter] });
            let error = Filters::parse(&Input::new(Dialect::Ec2, &request), &["state"]).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValue");
        }
    }
}
