//! Reading parameters by name.

use super::super::Local;
use super::super::paging;
use super::super::store::Scope;
use super::super::wire::{Caller, ServiceError};
use super::input;
use super::names::Reference;
use super::parameter_record::{Parameter, find, not_found};
use serde_json::{Value, json};

/// Names in one `GetParameters`.
const MAX_NAMES: usize = 10;

/// `GetParameter`.
pub(super) fn one(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let reference = Reference::parse(input.required("Name")?);
    let decrypt = input.flag("WithDecryption")?.unwrap_or(false);
    let (parameter, version) = local.store.read(|tx| find(tx, &caller.scope, &reference))?;
    Ok(json!({ "Parameter": parameter.render(&caller.scope, &version, &reference.selector, decrypt) }))
}

/// The value of a parameter by its reference, and whether it is a secret.
pub(crate) fn value(local: &Local, scope: &Scope, name: &str) -> Result<(String, bool), ServiceError> {
    let reference = Reference::parse(name);
    let (parameter, version) = local.store.read(|tx| find(tx, scope, &reference))?;
    let secret = parameter.metadata(&version)["Type"] == "SecureString";
    Ok((parameter.shown_value(&version, true), secret))
}

/// `GetParameters`: those that exist, and the names of the others.
pub(super) fn many(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let names = input.texts("Names")?;
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(input.invalid("Names", &format!("{} names are given; 1 to {MAX_NAMES} are allowed.", names.len())));
    }
    let decrypt = input.flag("WithDecryption")?.unwrap_or(false);
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    local.store.read(|tx| {
        for name in names {
            let reference = Reference::parse(name);
            match find(tx, &caller.scope, &reference) {
                Ok((parameter, version)) => {
                    found.push(parameter.render(&caller.scope, &version, &reference.selector, decrypt));
                }
                Err(error) if error.status < 500 => invalid.push(name),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })?;
    Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
}

/// `GetParameterHistory`: oldest version first.
pub(super) fn history(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = Reference::parse(input.required("Name")?).name;
    let decrypt = input.flag("WithDecryption")?.unwrap_or(false);
    let size = input.page_size("MaxResults", 1..=50, 50)?;
    let parameter = local
        .store
        .read(|tx| Parameter::get(tx, &caller.scope, &name).map_err(ServiceError::from))?
        .ok_or_else(|| not_found(&name))?;
    let rows = parameter.versions.iter().map(|version| {
        let mut row = parameter.metadata(version);
        row["Value"] = json!(parameter.shown_value(version, decrypt));
        row["Labels"] = json!(version.labels);
        (format!("{:010}", version.number), row)
    });
    let (versions, next) = paging::page(&input, "GetParameterHistory", size, rows.collect())?;
    Ok(json!({ "Parameters": versions, "NextToken": next }))
}
