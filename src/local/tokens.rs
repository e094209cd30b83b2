//! Client tokens: the same request again gets the first answer again; another request with that token is refused.

use super::input::Input;
use super::store::Transaction;
use super::wire::{Caller, ServiceError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

const KIND: &str = "client-token";
/// AWS does not document how long it remembers a token for these operations (image-builder.md section 3); a day is what
/// EC2 promises at least for instances.
const LIFETIME: Duration = Duration::hours(24);

#[derive(Serialize, Deserialize)]
struct Remembered {
    request: Value,
    answer: Value,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// A request that may carry a token.
pub(super) struct Once<'a> {
    /// Name of the operation; tokens of different operations have nothing to do with each other.
    pub(super) operation: &'a str,
    /// Name of the token's parameter.
    pub(super) token: &'a str,
    /// The request.
    pub(super) input: &'a Input<'a>,
    /// Error code when the token was used for something else.
    pub(super) mismatch: &'a str,
}

impl Once<'_> {
    /// Does `work` unless the same request has been answered before; then that answer.
    ///
    /// # Errors
    /// What `work` returns, or the mismatch error.
    pub(super) fn run(
        &self,
        tx: &Transaction<'_>,
        caller: &Caller,
        work: impl FnOnce() -> Result<Value, ServiceError>,
    ) -> Result<Value, ServiceError> {
        let Some(token) = self.input.limited(self.token, 1..=64)? else { return work() };
        let id = format!("{}/{token}", self.operation);
        let mut request = self.input.value().clone();
        if let Value::Object(members) = &mut request {
            members.remove(self.token);
        }
        let before: Option<Remembered> = tx.get(&caller.scope, KIND, &id)?;
        if let Some(before) = before.filter(|before| caller.now - before.at < LIFETIME) {
            if before.request == request {
                return Ok(before.answer);
            }
            return Err(ServiceError::new(
                400,
                self.mismatch,
                format!("The client token `{token}` was used before for a {} with other parameters", self.operation),
            ));
        }
        let answer = work()?;
        tx.put(&caller.scope, KIND, &id, &Remembered { request, answer: answer.clone(), at: caller.now })?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::input::Dialect;
    use crate::local::store::{Scope, Store};
    use serde_json::json;

    fn run(store: &Store, request: &Value, now: i64, answer: &str) -> Result<Value, ServiceError> {
        let caller = Caller {
            scope: Scope { account: "1".into(), region: "r".into() },
            now: OffsetDateTime::from_unix_timestamp(now).unwrap(),
        };
        let input = Input::new(Dialect::ImageBuilder, request);
        let once = Once { operation: "Create", token: "clientToken", input: &input, mismatch: "Mismatch" };
        store.write(|tx| once.run(tx, &caller, || Ok(json!(answer))))
    }

    #[test]
    fn a_token_is_bound_to_its_request_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let first = json!({ "clientToken": "t", "name": "a" });
        let other = json!({ "clientToken": "t", "name": "b" });
        assert_eq!(run(&store, &first, 0, "one").unwrap(), "one");
        assert_eq!(run(&store, &first, 10, "two").unwrap(), "one");
        assert_eq!(run(&store, &other, 10, "two").unwrap_err().code, "Mismatch");
        assert_eq!(run(&store, &other, 86_401, "two").unwrap(), "two");
        let without = json!({ "name": "a" });
        assert_eq!(run(&store, &without, 0, "x").unwrap(), "x");
        assert_eq!(run(&store, &without, 0, "y").unwrap(), "y");
        let long = json!({ "clientToken": "t".repeat(65) });
        assert!(run(&store, &long, 0, "x").unwrap_err().message.contains("65"));
    }

    #[test]
    fn a_failure_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let caller =
            Caller { scope: Scope { account: "1".into(), region: "r".into() }, now: OffsetDateTime::UNIX_EPOCH };
        let request = json!({ "clientToken": "t" });
        let input = Input::new(Dialect::ImageBuilder, &request);
        let once = Once { operation: "Create", token: "clientToken", input: &input, mismatch: "Mismatch" };
        let failed: Result<Value, ServiceError> =
            store.write(|tx| once.run(tx, &caller, || Err(ServiceError::new(500, "X", "x"))));
        assert!(failed.is_err());
        assert_eq!(run(&store, &request, 0, "done").unwrap(), "done");
    }
}
