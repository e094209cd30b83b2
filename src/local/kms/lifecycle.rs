//! What becomes of keys.

use super::super::Local;
use super::super::wire::{Caller, ServiceError};
use super::key::Key;
use super::{find, input};
use serde_json::{Value, json};

/// Days until a key is deleted, when nothing else is said.
const WINDOW: i64 = 30;
const DAY: i64 = 24 * 60 * 60;

/// Changes a key of the caller.
fn change(
    local: &Local,
    caller: &Caller,
    request: &Value,
    operation: &str,
    work: impl FnOnce(&mut Key) -> Result<(), ServiceError>,
) -> Result<Key, ServiceError> {
    let input = input(request);
    let name = input.required("KeyId")?;
    local.store.write(|tx| {
        let mut key = find::own(tx, caller, name, operation)?;
        work(&mut key)?;
        key.put(tx)?;
        Ok(key)
    })
}

/// `EnableKey`.
pub(super) fn enable(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    switch(local, caller, request, true)
}

/// `DisableKey`.
pub(super) fn disable(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    switch(local, caller, request, false)
}

fn switch(local: &Local, caller: &Caller, request: &Value, enabled: bool) -> Result<Value, ServiceError> {
    change(local, caller, request, if enabled { "EnableKey" } else { "DisableKey" }, |key| {
        key.not_pending()?;
        key.enabled = enabled;
        Ok(())
    })?;
    Ok(json!({}))
}

/// `ScheduleKeyDeletion`. Nothing is deleted: from that time on it is not there any more.
pub(super) fn schedule_deletion(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let days = input(request).between("PendingWindowInDays", 7..=30)?.unwrap_or(WINDOW);
    let at = caller.now.unix_timestamp() + days * DAY;
    let key = change(local, caller, request, "ScheduleKeyDeletion", |key| {
        key.not_pending()?;
        key.deletion = Some((at, days));
        Ok(())
    })?;
    Ok(json!({
        "KeyId": key.arn(), "DeletionDate": at, "KeyState": "PendingDeletion", "PendingWindowInDays": days,
    }))
}

/// `CancelKeyDeletion`. The key is disabled then.
pub(super) fn cancel_deletion(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let key = change(local, caller, request, "CancelKeyDeletion", |key| {
        if key.deletion.is_none() {
            let text = format!("{} is not pending deletion.", key.arn());
            return Err(ServiceError::client("KMSInvalidStateException", text));
        }
        (key.deletion, key.enabled) = (None, false);
        Ok(())
    })?;
    Ok(json!({ "KeyId": key.arn() }))
}
