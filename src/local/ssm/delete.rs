//! Deleting parameters.

use super::super::Local;
use super::super::wire::{Caller, ServiceError};
use super::input;
use super::parameter_record::Parameter;
use serde_json::{Value, json};

/// Names in one `DeleteParameters`.
const MAX_NAMES: usize = 10;

/// `DeleteParameter`.
pub(super) fn one(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let name = input(request).required("Name")?;
    local.store.write(|tx| {
        Parameter::own(tx, &caller.scope, name)?;
        Parameter::delete(tx, &caller.scope, name)?;
        Ok(json!({}))
    })
}

/// `DeleteParameters`: those that exist, and the names of the others.
pub(super) fn many(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let names = input.texts("Names")?;
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(input.invalid("Names", &format!("{} names are given; 1 to {MAX_NAMES} are allowed.", names.len())));
    }
    local.store.write(|tx| {
        let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            let gone = Parameter::delete(tx, &caller.scope, name)?;
            if gone { deleted.push(name) } else { invalid.push(name) }
        }
        Ok(json!({ "DeletedParameters": deleted, "InvalidParameters": invalid }))
    })
}
