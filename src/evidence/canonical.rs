//! Canonical JSON and the digest over it.

use super::Evidence;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// `sha256:` and the hexadecimal SHA-256 of the canonical JSON: UTF-8, keys sorted, no spaces.
///
/// The digest is one of content, not of bytes: writing the document in another layout does not change it.
#[must_use]
pub fn digest(evidence: &Evidence) -> String {
    // Text keys and plain numbers only: this cannot fail. Should it ever, the digest is that of nothing, which no
    // document has, so nothing is approved by it.
    let text = serde_json::to_value(evidence).map(|value| canonical(&value)).unwrap_or_default();
    sha256(&text)
}

/// `sha256:` and the hexadecimal SHA-256 of a text.
pub(super) fn sha256(text: &str) -> String {
    format!("sha256:{}", hex_sha256(text.as_bytes()))
}

/// The hexadecimal SHA-256 of bytes.
pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut digest, byte| {
        let _ = write!(digest, "{byte:02x}");
        digest
    })
}

/// JSON with sorted keys and without spaces. Sorted here and not left to `serde_json`, whose maps keep the order of
/// insertion as soon as any crate of the program asks for that feature.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            let entry =
                |(key, value): (&String, &Value)| format!("{}:{}", Value::String(key.clone()), canonical(value));
            format!("{{{}}}", entries.into_iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::evidence;

    #[test]
    fn keys_are_sorted_at_every_depth_and_nothing_is_added() {
        let value = serde_json::json!({"b": [1, {"z": null, "a": "x\"\u{e9}\n"}], "a": true, "B": {}});
        assert_eq!(canonical(&value), "{\"B\":{},\"a\":true,\"b\":[1,{\"a\":\"x\\\"é\\n\",\"z\":null}]}");
    }

    #[test]
    fn the_digest_is_of_content_and_known() {
        let evidence = evidence();
        let digest = super::digest(&evidence);
        assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
        let again = serde_json::from_str(&serde_json::to_string_pretty(&evidence).unwrap()).unwrap();
        assert_eq!(super::digest(&again), digest);
        let mut other = evidence;
        other.packages[0].version.push('1');
        assert_ne!(super::digest(&other), digest);
    }

    /// The values in a document, changed one at a time.
    fn changed(value: &Value) -> Vec<Value> {
        match value {
            Value::Object(map) => {
                let with = |key: &String, now: Value| {
                    let mut map = map.clone();
                    map.insert(key.clone(), now);
                    Value::Object(map)
                };
                map.iter().flat_map(|(key, value)| changed(value).into_iter().map(move |now| with(key, now))).collect()
            }
            Value::Array(items) => {
                let with = |at: usize, now: Value| {
                    let mut items = items.clone();
                    items[at] = now;
                    Value::Array(items)
                };
                let each = items.iter().enumerate();
                let mut all: Vec<Value> =
                    each.flat_map(|(at, value)| changed(value).into_iter().map(move |now| with(at, now))).collect();
                all.extend((!items.is_empty()).then(|| Value::Array(items[1..].to_vec())));
                all
            }
            Value::String(text) => vec![format!("{text}x").into(), Value::Null],
            Value::Number(number) => vec![(number.as_u64().unwrap_or(0) + 1).into(), Value::Null],
            Value::Bool(flag) => vec![(!flag).into()],
            Value::Null => vec!["x".into(), serde_json::json!({})],
        }
    }

    /// Whatever is edited in a document, it is refused or has another digest than the one that stands on the image.
    #[test]
    fn an_edited_document_has_another_digest() {
        let mut evidence = evidence();
        let scan = evidence.patches.as_mut().unwrap();
        scan.open.push(crate::evidence::testing::item("openssl", crate::patch::State::Missing));
        scan.notices.insert("openssl.amd64".into(), crate::evidence::PatchNotice::default());
        let all = changed(&serde_json::to_value(&evidence).unwrap());
        assert!(all.len() > 100, "{}", all.len());
        let digest = super::digest(&evidence);
        for edited in all {
            if let Ok(read) = serde_json::from_value::<Evidence>(edited.clone()) {
                assert_ne!(super::digest(&read), digest, "{edited}");
            }
        }
    }
}
