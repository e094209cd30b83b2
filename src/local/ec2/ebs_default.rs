//! The key with which disks of an account are encrypted in a Region when no other one is named.

use super::super::Local;
use super::super::kms::{EBS_ALIAS, Principal, ebs_key};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::{input, keys};
use serde_json::{Value, json};

/// Kind and id of the document: the ARN of a customer-managed key. Without it, it is the key that AWS manages.
const DEFAULT: (&str, &str) = ("ec2-ebs-default", "key");

/// The ARN of the default key, when it is not the one that AWS manages.
pub(super) fn of(tx: &Transaction<'_>, scope: &Scope) -> Result<Option<String>, StoreError> {
    tx.get(scope, DEFAULT.0, DEFAULT.1)
}

/// `GetEbsDefaultKmsKeyId`.
pub(super) fn get(local: &Local, caller: &Caller, _: &Value) -> Result<Value, ServiceError> {
    let key = local.store.read(|tx| of(tx, &caller.scope))?;
    Ok(json!({ "kmsKeyId": key.unwrap_or_else(|| EBS_ALIAS.to_owned()) }))
}

/// `ModifyEbsDefaultKmsKeyId`. EC2 looks at the key after it has answered: a key that cannot be used seems to become the default
/// one, and does not (EC2 API Reference).
pub(super) fn modify(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let name = input(request).required("KmsKeyId")?;
    let who = Principal::of_ec2(caller);
    local.store.write(|tx| match keys::writing(tx, (&who, caller.now), Some(name)) {
        Ok(Some(arn)) => {
            tx.put(&caller.scope, DEFAULT.0, DEFAULT.1, &arn)?;
            Ok(json!({ "kmsKeyId": arn }))
        }
        Ok(None) => {
            tx.delete(&caller.scope, DEFAULT.0, DEFAULT.1)?;
            Ok(json!({ "kmsKeyId": ebs_key(&caller.scope) }))
        }
        Err(error) if error.status >= 500 => Err(error),
        Err(error) => {
            tracing::debug!(key = name, %error, "a default key cannot be used, and the old one stays");
            Ok(json!({ "kmsKeyId": name }))
        }
    })
}

/// `ResetEbsDefaultKmsKeyId`: the key that AWS manages.
pub(super) fn reset(local: &Local, caller: &Caller, _: &Value) -> Result<Value, ServiceError> {
    local.store.write(|tx| tx.delete(&caller.scope, DEFAULT.0, DEFAULT.1))?;
    Ok(json!({ "kmsKeyId": EBS_ALIAS }))
}
