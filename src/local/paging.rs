//! Lists in pages. A token names the last row the caller has seen, so a list that grows meanwhile repeats nothing.

use super::input::Input;
use super::random;
use super::wire::ServiceError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Parameters that differ from page to page and do not make another list.
const PAGE_PARAMETERS: [&str; 7] =
    ["NextToken", "nextToken", "MaxRecords", "MaxResults", "maxResults", "Marker", "Limit"];

/// One page of `rows`, which are sorted by their keys, and the token of the next page if there is one. `input` is the
/// whole request and says which page.
///
/// # Errors
/// A token that was not given out for this operation with these parameters, in the service's words.
pub(super) fn page<T>(
    input: &Input<'_>,
    operation: &str,
    size: usize,
    rows: Vec<(String, T)>,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    debug_assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "rows of {operation} are sorted by unique keys");
    let mut window = Window::new(input, operation, size)?;
    for (key, row) in rows {
        window.offer(key, |_| row);
    }
    Ok(window.finish())
}

/// The page of a list whose rows come one by one and in any order: it keeps those that are on the page, and no more.
pub(super) struct Window<T> {
    list: String,
    /// The last row of the page before.
    after: Option<String>,
    size: usize,
    /// The rows of the page, and the one behind it if there is one.
    rows: BTreeMap<String, T>,
}

impl<T> Window<T> {
    /// The page of `size` rows that the request asks for.
    ///
    /// # Errors
    /// As [`page`].
    pub(super) fn new(input: &Input<'_>, operation: &str, size: usize) -> Result<Self, ServiceError> {
        let list = list_digest(operation, input.value());
        let last_seen = |token| read(token, &list).ok_or_else(|| input.bad_page_token());
        let after = input.page_token()?.map(last_seen).transpose()?;
        Ok(Self { list, after, size, rows: BTreeMap::new() })
    }

    /// The key of the last row of the page before: what is not behind it need not be offered.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// Whether no row with a higher key than those that were offered is wanted any more.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() > self.size
    }

    /// Takes a row, if it is on this page as far as that is known yet. Keys are unique.
    pub(super) fn offer(&mut self, key: String, row: impl FnOnce(&str) -> T) {
        let seen = self.after.as_ref().is_some_and(|after| key <= *after);
        if seen || (self.is_full() && self.rows.last_key_value().is_some_and(|(last, _)| key > *last)) {
            return;
        }
        let row = row(&key);
        self.rows.insert(key, row);
        // A size may be as large as it gets, for lists without pages.
        if self.rows.len() - 1 > self.size {
            self.rows.pop_last();
        }
    }

    /// The rows in order, and the token of the next page if there is one.
    pub(super) fn finish(mut self) -> (Vec<T>, Option<String>) {
        if self.rows.len() <= self.size {
            return (self.rows.into_values().collect(), None);
        }
        self.rows.pop_last();
        let last = self.rows.last_key_value().map(|(last, _)| last.clone()).unwrap_or_default();
        let next = URL_SAFE_NO_PAD.encode(format!("{}{last}", self.list));
        (self.rows.into_values().collect(), Some(next))
    }
}

/// Rows in the order of `items`, for lists in which a row has no key but its place.
pub(super) fn numbered<T>(items: impl IntoIterator<Item = T>) -> Vec<(String, T)> {
    items.into_iter().enumerate().map(|(place, item)| (format!("{place:020}"), item)).collect()
}

fn list_digest(operation: &str, request: &Value) -> String {
    let mut digest = Sha256::new();
    digest.update(operation);
    // Sorted here, whatever order the JSON object keeps.
    let members: BTreeMap<_, _> = request
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

fn read(token: &str, list: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix(list).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::input::Dialect;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    type Page = Result<(Vec<String>, Option<String>), ServiceError>;

    fn list(operation: &str, request: &Value, size: usize, token: Option<&str>, keys: &BTreeSet<String>) -> Page {
        let mut request = request.clone();
        request["nextToken"] = json!(token);
        let rows = keys.iter().map(|key| (key.clone(), key.clone())).collect();
        page(&Input::new(Dialect::ImageBuilder, &request), operation, size, rows)
    }

    proptest! {
        #[test]
        fn pages_together_are_the_list(keys in proptest::collection::btree_set("[a-z]{1,3}", 0..30), size in 1_usize..7) {
            let request = json!({ "owner": "Self" });
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let (items, next) = list("List", &request, size, token.as_deref(), &keys).unwrap();
                prop_assert!(items.len() == size || next.is_none());
                seen.extend(items);
                token = next;
                if token.is_none() { break; }
            }
            prop_assert_eq!(seen, keys.into_iter().collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn the_order_in_which_rows_come_is_all_the_same(
            keys in proptest::collection::hash_set("[a-z]{1,3}", 0..30), size in 1_usize..7, after in "[a-z]{0,3}",
        ) {
            let request = json!({});
            let input = Input::new(Dialect::ImageBuilder, &request);
            let mut window = Window::new(&input, "List", size).unwrap();
            window.after = Some(after.clone());
            let sorted: BTreeSet<String> = keys.iter().filter(|key| **key > after).cloned().collect();
            let any_order: Vec<String> = keys.into_iter().collect();
            for key in any_order {
                window.offer(key, str::to_owned);
                prop_assert!(window.rows.len() <= size + 1);
            }
            let more = sorted.len() > size;
            let (items, next) = window.finish();
            prop_assert_eq!(items, sorted.into_iter().take(size).collect::<Vec<_>>());
            prop_assert_eq!(next.is_some(), more);
        }
    }

    #[test]
    fn a_row_that_vanished_does_not_break_the_next_page() {
        let mut keys: BTreeSet<String> = ["a", "b", "c"].map(String::from).into();
        let (_, token) = list("List", &json!({}), 2, None, &keys).unwrap();
        keys.remove("b");
        let (items, next) = list("List", &json!({ "maxResults": 2 }), 2, token.as_deref(), &keys).unwrap();
        assert_eq!((items, next), (vec!["c".to_owned()], None));
    }

    #[test]
    fn foreign_tokens_are_refused() {
        let keys: BTreeSet<String> = ["a", "b"].map(String::from).into();
        let (_, token) = list("List", &json!({}), 1, None, &keys).unwrap();
        let code = |page: Page| page.unwrap_err().code;
        for (operation, request) in [("Other", json!({})), ("List", json!({ "owner": "Self" }))] {
            let page = list(operation, &request, 1, token.as_deref(), &keys);
            assert_eq!(code(page), "InvalidPaginationTokenException");
        }
        for token in ["", "nonsense", "%%%"] {
            assert_eq!(code(list("List", &json!({}), 1, Some(token), &keys)), "InvalidPaginationTokenException");
        }
    }

    #[test]
    fn each_service_has_its_own_parameter_and_code() {
        let request = json!({ "NextToken": "x" });
        for dialect in [Dialect::Ec2, Dialect::Ssm] {
            let page = page::<u8>(&Input::new(dialect, &request), "List", 1, vec![]);
            assert_eq!(page.unwrap_err().code, "InvalidNextToken");
        }
    }

    #[test]
    fn numbered_rows_keep_their_order() {
        let rows = numbered(0..12);
        assert!(rows.is_sorted());
        assert_eq!(rows[11].1, 11);
    }
}
