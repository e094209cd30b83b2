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
#[derive(Clone, Copy)]
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
        if let Some(answer) = self.answered(tx, caller)? {
            return Ok(answer);
        }
        let answer = work()?;
        self.remember(tx, caller, &answer)?;
        Ok(answer)
    }

    /// The answer that the same request has had before, if any. With [`Once::remember`] for work that does not fit into
    /// one transaction; [`Once::run`] is for the rest.
    ///
    /// # Errors
    /// The mismatch error when another request had the token.
    pub(super) fn answered(&self, tx: &Transaction<'_>, caller: &Caller) -> Result<Option<Value>, ServiceError> {
        let Some(token) = self.token()? else { return Ok(None) };
        let before: Option<Remembered> = tx.get(&caller.scope, KIND, &self.id(token))?;
        match before.filter(|before| caller.now - before.at < LIFETIME) {
            None => Ok(None),
            Some(before) if before.request == self.request() => Ok(Some(before.answer)),
            Some(_) => Err(ServiceError::client(
                self.mismatch,
                format!("The client token `{token}` was used before for a {} with other parameters", self.operation),
            )),
        }
    }

    /// Keeps the answer for the next time.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub(super) fn remember(&self, tx: &Transaction<'_>, caller: &Caller, answer: &Value) -> Result<(), ServiceError> {
        let Some(token) = self.token()? else { return Ok(()) };
        let remembered = Remembered { request: self.request(), answer: answer.clone(), at: caller.now };
        Ok(tx.put(&caller.scope, KIND, &self.id(token), &remembered)?)
    }

    fn token(&self) -> Result<Option<&str>, ServiceError> {
        self.input.limited(self.token, 1..=64)
    }

    fn id(&self, token: &str) -> String {
        format!("{}/{token}", self.operation)
    }

    /// The request without its token.
    fn request(&self) -> Value {
        let mut request = self.input.value().clone();
        if let Value::Object(members) = &mut request {
            members.remove(self.token);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::input::Dialect;
    use crate::local::store::{Scope, Store};
    use serde_json::json;

    fn run(store: &Store, request: &Value, now: i64, answer: &str) -> Result<Value, ServiceError> {
        let at = OffsetDateTime::from_unix_timestamp(now).unwrap();
        let caller = Caller::of(Scope { account: "1".into(), region: "r".into() }, at);
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
    fn tokens_of_other_operations_are_other_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let request = json!({ "clientToken": "t" });
        assert_eq!(run(&store, &request, 0, "one").unwrap(), "one");
        let input = Input::new(Dialect::ImageBuilder, &request);
        let other = Once { operation: "Delete", token: "clientToken", input: &input, mismatch: "Mismatch" };
        let caller = Caller::of(Scope { account: "1".into(), region: "r".into() }, OffsetDateTime::UNIX_EPOCH);
        let same = Once { operation: "Create", ..other };
        let answered = |once: &Once<'_>| store.read(|tx| once.answered(tx, &caller)).unwrap();
        assert_eq!((answered(&other), answered(&same)), (None, Some(json!("one"))));
    }

    #[test]
    fn a_failure_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let caller = Caller::of(Scope { account: "1".into(), region: "r".into() }, OffsetDateTime::UNIX_EPOCH);
        let request = json!({ "clientToken": "t" });
        let input = Input::new(Dialect::ImageBuilder, &request);
        let once = Once { operation: "Create", token: "clientToken", input: &input, mismatch: "Mismatch" };
        let failed: Result<Value, ServiceError> =
            store.write(|tx| once.run(tx, &caller, || Err(ServiceError::new(500, "X", "x"))));
        assert!(failed.is_err());
        assert_eq!(run(&store, &request, 0, "done").unwrap(), "done");
    }
}
