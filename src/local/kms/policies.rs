//! Reading and writing key policies.

use super::super::Local;
use super::super::input::Input;
use super::super::wire::{Caller, ServiceError};
use super::{find, input, policy};
use serde_json::{Value, json};

/// The only name that a key policy can have.
const NAME: &str = "default";

fn named(input: &Input<'_>) -> Result<(), ServiceError> {
    match input.text("PolicyName")? {
        None | Some(NAME) => Ok(()),
        Some(other) => Err(ServiceError::client("NotFoundException", format!("No such policy exists: {other}"))),
    }
}

/// `GetKeyPolicy`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = input.required("KeyId")?;
    named(&input)?;
    let key = local.store.read(|tx| find::own(tx, caller, name, "GetKeyPolicy"))?;
    Ok(json!({ "Policy": key.policy, "PolicyName": NAME }))
}

/// `PutKeyPolicy`.
pub(super) fn put(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (name, given) = (input.required("KeyId")?, input.required("Policy")?);
    named(&input)?;
    policy::check(given, caller, input.flag("BypassPolicyLockoutSafetyCheck")?.unwrap_or(false))?;
    local.store.write(|tx| {
        let mut key = find::own(tx, caller, name, "PutKeyPolicy")?;
        key.not_pending()?;
        given.clone_into(&mut key.policy);
        key.put(tx)
    })?;
    Ok(json!({}))
}
