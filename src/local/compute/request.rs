//! Reading the parameters of a request.
//!
//! EC2's query protocol knows only text, so numbers and booleans are taken in both forms.

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

#[cfg(test)]
mod tests {
    use super::*;
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
}
