//! Asking the other half of the local environment, as a client would: by operation, in wire names.
//!
//! Launch templates, parameters and baselines are records of that half; going through its operations keeps their form
//! its own business and gives callers its errors.

use super::super::Local;
use super::super::service::Service;
use super::super::wire::{Caller, Operation, ServiceError};
use serde_json::Value;

/// The answer of `operation` of `service`. Must not be called inside a transaction: the operation opens its own.
///
/// # Errors
/// The operation's own.
pub(super) fn call(
    local: &Local,
    caller: &Caller,
    service: Service,
    operation: &str,
    request: &Value,
) -> Result<Value, ServiceError> {
    let work = find(service, operation).ok_or_else(|| service.lacks(operation))?;
    work(local, caller, request)
}

/// The operation, if the other half has it.
pub(super) fn find(service: Service, operation: &str) -> Option<Operation> {
    service.own_operation(operation)
}
