//! Security Token Service: who am I.

use super::Local;
use super::wire::{Caller, Operation, ServiceError};
use serde_json::{Value, json};

/// The operations this file implements.
pub(super) fn operation(name: &str) -> Option<Operation> {
    (name == "GetCallerIdentity").then_some(get_caller_identity as Operation)
}

/// The ARN under which an account's calls are recorded (`createdBy`, `LastModifiedUser`).
pub(crate) fn principal(account: &str) -> String {
    format!("arn:aws:iam::{account}:user/local")
}

// An operation's signature is the same for all.
#[allow(clippy::unnecessary_wraps)]
fn get_caller_identity(_: &Local, caller: &Caller, _: &Value) -> Result<Value, ServiceError> {
    let account = &caller.scope.account;
    Ok(json!({ "Arn": principal(account), "UserId": format!("AIDALOCL{account}"), "Account": account }))
}
