//! Client tokens of operations whose work does not fit into one transaction: the same request again gets the first answer
//! again, another request with the same token is refused. (`tokens` is for the others.)

use super::super::random;
use super::super::store::{StoreError, Transaction};
use super::super::wire::Caller;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

const KIND: &str = "compute-client-token";
/// As for all tokens of the local environment.
const LIFETIME: Duration = Duration::hours(24);

#[derive(Serialize, Deserialize)]
struct Remembered {
    request: String,
    answer: Value,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// What a client token says about a request.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// Never seen: do the work.
    New,
    /// The same request was answered before, like this.
    Before(Value),
    /// Another request had this token.
    Mismatch,
}

/// Looks `token` of `operation` up.
pub(super) fn look_up(
    tx: &Transaction<'_>,
    caller: &Caller,
    operation: &str,
    token: &str,
    request: &Value,
) -> Result<Seen, StoreError> {
    let before = tx.get::<Remembered>(&caller.scope, KIND, &id(operation, token))?;
    Ok(match before.filter(|before| caller.now - before.at < LIFETIME) {
        None => Seen::New,
        Some(remembered) if remembered.request == digest(request) => Seen::Before(remembered.answer),
        Some(_) => Seen::Mismatch,
    })
}

/// Keeps the answer for the next time.
pub(super) fn remember(
    tx: &Transaction<'_>,
    caller: &Caller,
    operation: &str,
    token: &str,
    request: &Value,
    answer: &Value,
) -> Result<(), StoreError> {
    let remembered = Remembered { request: digest(request), answer: answer.clone(), at: caller.now };
    tx.put(&caller.scope, KIND, &id(operation, token), &remembered)
}

fn id(operation: &str, token: &str) -> String {
    format!("{operation}/{token}")
}

/// `serde_json` keeps object keys sorted, so equal requests have equal text.
fn digest(request: &Value) -> String {
    random::hex_of(&Sha256::digest(request.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::store::{Scope, Store};
    use serde_json::json;

    #[test]
    fn a_token_is_bound_to_its_first_request() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let scope = Scope { account: "1".into(), region: "r".into() };
        let caller = Caller { scope, now: OffsetDateTime::UNIX_EPOCH };
        let later = Caller { now: caller.now + LIFETIME, ..caller.clone() };
        let (first, other) = (json!({"a": 1, "b": 2}), json!({"a": 2}));
        let seen: Result<_, StoreError> = store.write(|tx| {
            assert_eq!(look_up(tx, &caller, "Op", "t", &first)?, Seen::New);
            remember(tx, &caller, "Op", "t", &first, &json!("answer"))?;
            assert_eq!(look_up(tx, &caller, "Op", "t", &json!({"b": 2, "a": 1}))?, Seen::Before(json!("answer")));
            assert_eq!(look_up(tx, &caller, "Op2", "t", &first)?, Seen::New);
            assert_eq!(look_up(tx, &later, "Op", "t", &other)?, Seen::New);
            look_up(tx, &caller, "Op", "t", &other)
        });
        assert_eq!(seen.unwrap(), Seen::Mismatch);
    }
}
