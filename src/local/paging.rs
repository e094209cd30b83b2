//! Lists in pages. A token names the last row the caller has seen, so a list that grows meanwhile repeats nothing.

use super::random;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A token that this list did not give out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadToken;

/// Parameters that differ from page to page and do not make another list.
const PAGE_PARAMETERS: [&str; 4] = ["NextToken", "nextToken", "MaxResults", "maxResults"];

/// One page of `rows`, which are sorted by their keys, and the token of the next page if there is one.
///
/// A token belongs to the operation and parameters it was given out for.
pub(super) fn page<T>(
    rows: Vec<(String, T)>,
    size: usize,
    token: Option<&str>,
    (operation, request): (&str, &Value),
) -> Result<(Vec<T>, Option<String>), BadToken> {
    debug_assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "rows of {operation} are sorted by unique keys");
    let list = list_digest(operation, request);
    let after = token.map(|token| read(token, &list)).transpose()?;
    let mut rest = rows.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).peekable();
    let (mut items, mut last) = (Vec::new(), String::new());
    while items.len() < size
        && let Some((key, item)) = rest.next()
    {
        items.push(item);
        last = key;
    }
    let next = rest.peek().map(|_| URL_SAFE_NO_PAD.encode(format!("{list}{last}")));
    Ok((items, next))
}

fn list_digest(operation: &str, request: &Value) -> String {
    let mut digest = Sha256::new();
    digest.update(operation);
    // Sorted here, whatever order the JSON object keeps.
    let members: std::collections::BTreeMap<_, _> = request
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !PAGE_PARAMETERS.contains(&name.as_str()))
        .collect();
    for (name, value) in members {
        digest.update(name);
        digest.update(value.to_string());
    }
    random::hex_of(&digest.finalize()[..8])
}

fn read(token: &str, list: &str) -> Result<String, BadToken> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken)?;
    let text = String::from_utf8(bytes).map_err(|_| BadToken)?;
    text.strip_prefix(list).map(str::to_owned).ok_or(BadToken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn rows(keys: &BTreeSet<String>) -> Vec<(String, String)> {
        keys.iter().map(|key| (key.clone(), key.clone())).collect()
    }

    proptest! {
        #[test]
        fn pages_together_are_the_list(keys in proptest::collection::btree_set("[a-z]{1,3}", 0..30), size in 1_usize..7) {
            let request = json!({ "owner": "Self" });
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let (items, next) = page(rows(&keys), size, token.as_deref(), ("List", &request)).unwrap();
                prop_assert!(items.len() == size || next.is_none());
                seen.extend(items);
                token = next;
                if token.is_none() { break; }
            }
            prop_assert_eq!(seen, keys.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_row_that_vanished_does_not_break_the_next_page() {
        let mut keys: BTreeSet<String> = ["a", "b", "c"].map(String::from).into();
        let (_, token) = page(rows(&keys), 2, None, ("List", &json!({}))).unwrap();
        keys.remove("b");
        let (items, next) = page(rows(&keys), 2, token.as_deref(), ("List", &json!({ "maxResults": 2 }))).unwrap();
        assert_eq!((items, next), (vec!["c".to_owned()], None));
    }

    #[test]
    fn foreign_tokens_are_refused() {
        let keys: BTreeSet<String> = ["a", "b"].map(String::from).into();
        let (_, token) = page(rows(&keys), 1, None, ("List", &json!({}))).unwrap();
        for (operation, request) in [("Other", json!({})), ("List", json!({ "owner": "Self" }))] {
            assert_eq!(page(rows(&keys), 1, token.as_deref(), (operation, &request)), Err(BadToken));
        }
        for token in ["", "nonsense", "%%%"] {
            assert_eq!(page(rows(&keys), 1, Some(token), ("List", &json!({}))), Err(BadToken));
        }
    }
}
