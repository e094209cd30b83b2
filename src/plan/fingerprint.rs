//! Fingerprints and idempotency tokens.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// SHA-256 over the canonical JSON of `value`, as 64 hexadecimal digits.
pub(crate) fn digest(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    hex(&Sha256::digest(text.as_bytes()))
}

/// An idempotency token of 36 characters (the length older API pages ask for) that is the same whenever `parts` are.
pub(crate) fn token(parts: &[&str]) -> String {
    let digest = digest(&Value::from(parts));
    format!("{}-{}-{}-{}-{}", &digest[..8], &digest[8..12], &digest[12..16], &digest[16..20], &digest[20..32])
}

/// JSON without spaces and with keys in order, whatever order a map keeps them in.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter_and_that_of_items_does() {
        let one: Value = serde_json::from_str(r#"{"b": [1, 2], "a": {"d": null, "c": "x\n"}}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a": {"c": "x\n", "d": null}, "b": [1, 2]}"#).unwrap();
        assert_eq!(digest(&one), digest(&two));
        assert_ne!(digest(&json!([1, 2])), digest(&json!([2, 1])));
        let mut text = String::new();
        canonical(&one, &mut text);
        assert_eq!(text, r#"{"a":{"c":"x\n","d":null},"b":[1,2]}"#);
    }

    #[test]
    fn tokens_have_the_form_of_a_uuid_and_keep_parts_apart() {
        let token_of = token(&["a", "bc"]);
        assert_eq!(token_of.len(), 36);
        assert_eq!(token_of, token(&["a", "bc"]));
        assert_ne!(token_of, token(&["ab", "c"]));
    }
}
