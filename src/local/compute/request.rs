//! Reading the parameters of a request, and cutting lists into pages.
//!
//! EC2's query protocol knows only text, so numbers and booleans are taken in both forms.

use super::super::wire::ServiceError;
use serde_json::Value;
use std::collections::BTreeMap;

/// The text at `key`; empty text counts as absent, as the services take it.
pub(super) fn text<'a>(request: &'a Value, key: &str) -> Option<&'a str> {
    request.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// The boolean at `key`, given as such or as text.
pub(super) fn boolean(request: &Value, key: &str) -> Option<bool> {
    match request.get(key)? {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The whole number at `key`, given as such or as text.
pub(super) fn integer(request: &Value, key: &str) -> Option<i64> {
    match request.get(key)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The texts at `key`; absent is empty.
pub(super) fn texts(request: &Value, key: &str) -> Vec<String> {
    items(request, key).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The list at `key`; absent is empty.
pub(super) fn items<'a>(request: &'a Value, key: &str) -> &'a [Value] {
    request.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A map of text at `key`; absent is empty.
pub(super) fn map(request: &Value, key: &str) -> BTreeMap<String, String> {
    let entries = request.get(key).and_then(Value::as_object);
    entries.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// A filter of a list operation: any of its values must match.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// Name.
    pub(super) name: String,
    /// Values.
    pub(super) values: Vec<String>,
}

impl Filter {
    /// Whether one of the values is `text`, with EC2's wildcards `*` and `?`.
    pub(super) fn accepts(&self, text: &str) -> bool {
        self.values.iter().any(|pattern| matches_pattern(pattern.as_bytes(), text.as_bytes()))
    }
}

/// The filters at `list`, whose members are called `name` and `values`.
pub(super) fn filters(request: &Value, list: &str, name: &str, values: &str) -> Vec<Filter> {
    items(request, list)
        .iter()
        .filter_map(|filter| Some(Filter { name: text(filter, name)?.to_owned(), values: texts(filter, values) }))
        .collect()
}

fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| matches_pattern(rest, &text[skipped..])),
        Some((b'?', rest)) => text.split_first().is_some_and(|(_, text)| matches_pattern(rest, text)),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(first, text)| first == byte && matches_pattern(rest, text))
        }
    }
}

/// The page of `all` that `token` asks for, at most `size` long, and the token of the next one.
///
/// # Errors
/// `bad_token` for a token that this list did not give out.
pub(super) fn page<T>(
    all: Vec<T>,
    token: Option<&str>,
    size: usize,
    bad_token: &str,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let start = match token {
        None => 0,
        Some(token) => token
            .strip_prefix("next-")
            .and_then(|offset| offset.parse::<usize>().ok())
            .filter(|offset| *offset <= all.len())
            .ok_or_else(|| ServiceError::new(400, bad_token, format!("The token {token} is not valid.")))?,
    };
    let end = start.saturating_add(size).min(all.len());
    let next = (end < all.len()).then(|| format!("next-{end}"));
    Ok((all.into_iter().skip(start).take(end - start).collect(), next))
}

/// The page size at `key`, within the operation's limits.
///
/// # Errors
/// `code` when it is outside of them.
pub(super) fn page_size(
    request: &Value,
    key: &str,
    limits: std::ops::RangeInclusive<i64>,
    code: &str,
) -> Result<usize, ServiceError> {
    let Some(size) = integer(request, key) else {
        return Ok(usize::try_from(*limits.end()).unwrap_or(usize::MAX));
    };
    if !limits.contains(&size) {
        let message = format!("{key} is {size}; it must be between {} and {}.", limits.start(), limits.end());
        return Err(ServiceError::new(400, code, message));
    }
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_are_read_as_text_and_as_such() {
        let request = json!({"DryRun": "true", "MinCount": "2", "max": 3, "on": false, "empty": ""});
        assert_eq!(boolean(&request, "DryRun"), Some(true));
        assert_eq!(boolean(&request, "on"), Some(false));
        assert_eq!((integer(&request, "MinCount"), integer(&request, "max")), (Some(2), Some(3)));
        assert_eq!(text(&request, "empty"), None);
        assert!(texts(&request, "absent").is_empty());
    }

    #[test]
    fn filters_take_wildcards() {
        let request = json!({"Filter": [{"Name": "tag:Name", "Value": ["web-*", "db?"]}]});
        let filters = filters(&request, "Filter", "Name", "Value");
        assert!(filters[0].accepts("web-1") && filters[0].accepts("db2"));
        assert!(!filters[0].accepts("db22") && !filters[0].accepts("aweb-"));
    }

    #[test]
    fn a_foreign_token_is_refused() {
        for token in ["next-9", "next-x", "abc"] {
            assert_eq!(page(vec![1, 2], Some(token), 5, "InvalidNextToken").unwrap_err().code, "InvalidNextToken");
        }
    }

    #[test]
    fn a_page_size_outside_the_limits_is_refused() {
        let request = json!({"maxResults": 26});
        assert_eq!(page_size(&request, "maxResults", 1..=25, "X").unwrap_err().code, "X");
        assert_eq!(page_size(&json!({}), "maxResults", 1..=25, "X").unwrap(), 25);
    }

    proptest! {
        #[test]
        fn pages_together_are_the_list(all in proptest::collection::vec(0u8..9, 0..40), size in 1usize..9) {
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let (items, next) = page(all.clone(), token.as_deref(), size, "X").unwrap();
                prop_assert!(items.len() <= size);
                seen.extend(items);
                token = next;
                if token.is_none() {
                    break;
                }
            }
            prop_assert_eq!(seen, all);
        }
    }
}
