//! Reading what other operations answered: recipes, configurations, template data. They were checked when they came in, so
//! what is absent or of another kind here has no value. For requests there is `input`.
//!
//! Launch template data comes from EC2's query protocol, which knows only text: numbers and booleans are taken in both forms.

use serde_json::Value;
use std::collections::BTreeMap;

/// The text at `key`; empty text counts as absent, as the services take it.
pub(super) fn text<'a>(document: &'a Value, key: &str) -> Option<&'a str> {
    document.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// The boolean at `key`, given as such or as text.
pub(super) fn boolean(document: &Value, key: &str) -> Option<bool> {
    match document.get(key)? {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The whole number at `key`, given as such or as text.
pub(super) fn integer(document: &Value, key: &str) -> Option<i64> {
    match document.get(key)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The list at `key`; absent is empty.
pub(super) fn items<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A map of text at `key`; absent is empty.
pub(super) fn map(document: &Value, key: &str) -> BTreeMap<String, String> {
    let entries = document.get(key).and_then(Value::as_object);
    entries.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_as_text_and_as_such() {
        let document = json!({"encrypted": "true", "size": "2", "max": 3, "on": false, "empty": ""});
        assert_eq!((boolean(&document, "encrypted"), boolean(&document, "on")), (Some(true), Some(false)));
        assert_eq!((integer(&document, "size"), integer(&document, "max")), (Some(2), Some(3)));
        assert_eq!(text(&document, "empty"), None);
        assert!(items(&document, "absent").is_empty() && map(&document, "absent").is_empty());
    }
}
