//! Patch groups: which baseline is registered for which group (patch-baselines.md sections 1.7 and 7.7).

use super::super::Local;
use super::super::input::Input;
use super::super::paging;
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::baseline_record::{Found, Registration};
use super::baselines::{SYSTEMS, does_not_exist};
use super::{input, no_token_error};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Groups that one baseline can be registered for; AWS's quota.
const MAX_GROUPS: usize = 25;

/// `RegisterPatchBaselineForPatchGroup`. Again with the same baseline nothing happens.
pub(super) fn register(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (id, group) = (baseline_id(&input)?, group(&input)?);
    let scope = &caller.scope;
    local.store.write(|tx| {
        let found = Found::by_id(tx, scope, id)?.ok_or_else(|| does_not_exist(id))?;
        let (baseline, os) = (found.id(scope), found.os().to_owned());
        if let Some(other) = Registration::get(tx, scope, &os, group)?.filter(|other| other.baseline != baseline) {
            let text = format!("Patch group {group} is registered with {} for {os} already.", other.baseline);
            return Err(ServiceError::client("AlreadyExistsException", text));
        }
        let groups = Registration::of(tx, scope, &baseline)?;
        if groups.len() >= MAX_GROUPS && !groups.iter().any(|known| known == group) {
            let text = format!("Patch baseline {id} is registered for {MAX_GROUPS} patch groups, the limit.");
            return Err(ServiceError::client("ResourceLimitExceededException", text));
        }
        Registration { group: group.to_owned(), os, baseline: baseline.clone() }.put(tx, scope)?;
        Ok(json!({ "BaselineId": baseline, "PatchGroup": group }))
    })
}

/// `DeregisterPatchBaselineForPatchGroup`.
pub(super) fn deregister(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (id, group) = (baseline_id(&input)?, group(&input)?);
    let scope = &caller.scope;
    local.store.write(|tx| {
        let found = Found::by_id(tx, scope, id)?
            .ok_or_else(|| ServiceError::client("InvalidResourceId", does_not_exist(id).message))?;
        let (baseline, os) = (found.id(scope), found.os());
        let registered = Registration::get(tx, scope, os, group)?.filter(|known| known.baseline == baseline);
        let Some(registered) = registered else {
            let text = format!("Patch group {group} is not registered with patch baseline {id}.");
            // The only error of this operation that is the caller's.
            return Err(ServiceError::client("InvalidResourceId", text));
        };
        registered.delete(tx, scope)?;
        Ok(json!({ "BaselineId": baseline, "PatchGroup": group }))
    })
}

/// `GetPatchBaselineForPatchGroup`: the default of the operating system when the group has none of its own.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let group = group(&input)?;
    let os = input.one_of("OperatingSystem", &SYSTEMS)?.unwrap_or("WINDOWS");
    let scope = &caller.scope;
    let id = local.store.read(|tx| {
        if let Some(registered) = Registration::get(tx, scope, os, group)? {
            return Ok(Some(registered.baseline));
        }
        Ok::<_, StoreError>(Found::default_for(tx, scope, os)?.map(|found| found.id(scope)))
    })?;
    let id = id.ok_or_else(|| does_not_exist(&format!("for {os}")))?;
    Ok(json!({ "BaselineId": id, "PatchGroup": group, "OperatingSystem": os }))
}

/// `DescribePatchGroups`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let mut filters = BTreeMap::new();
    for filter in input.objects("Filters")? {
        let key = filter.one_of("Key", &["NAME_PREFIX", "OPERATING_SYSTEM"])?;
        filters.insert(key.ok_or_else(|| filter.missing("Key"))?, filter.texts("Values")?);
    }
    let wanted = |key: &str, accept: &dyn Fn(&str) -> bool| {
        filters.get(key).is_none_or(|values| values.iter().any(|value| accept(value)))
    };
    let size = input.page_size("MaxResults", 1..=100, 100)?;
    let scope = &caller.scope;
    let rows = local.store.read(|tx| {
        let mut rows = BTreeMap::new();
        for known in Registration::all(tx, scope)? {
            let fits = wanted("NAME_PREFIX", &|value| known.group.starts_with(value))
                && wanted("OPERATING_SYSTEM", &|value| value == known.os);
            if fits {
                rows.insert(format!("{}\n{}", known.group, known.os), mapping(tx, scope, &known)?);
            }
        }
        Ok::<_, StoreError>(rows)
    })?;
    let (mappings, next) =
        paging::page(&input, "DescribePatchGroups", size, rows.into_iter().collect()).map_err(no_token_error)?;
    Ok(json!({ "Mappings": mappings, "NextToken": next }))
}

fn mapping(tx: &Transaction<'_>, scope: &Scope, known: &Registration) -> Result<Value, StoreError> {
    // A baseline cannot be deleted while it is registered.
    let found = Found::by_id(tx, scope, &known.baseline)?;
    let identity = found.map(|found| found.identity(tx, scope)).transpose()?;
    Ok(json!({ "PatchGroup": known.group, "BaselineIdentity": identity }))
}

/// The id of a baseline: 20 to 128 characters of ids and ARNs.
fn baseline_id<'a>(input: &Input<'a>) -> Result<&'a str, ServiceError> {
    let id = input.required("BaselineId")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:/".contains(&byte);
    if (20..=128).contains(&id.len()) && id.bytes().all(allowed) {
        return Ok(id);
    }
    Err(ServiceError::client("InvalidResourceId", format!("`{id}` is not the id of a patch baseline.")))
}

/// The name of a patch group: letters, digits, blanks of every script and `_ . : / = + - @`.
fn group<'a>(input: &Input<'a>) -> Result<&'a str, ServiceError> {
    let group = input.required("PatchGroup")?;
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || c == '\u{a0}' || "_.:/=+-@".contains(c);
    if (1..=256).contains(&group.chars().count()) && group.chars().all(allowed) {
        return Ok(group);
    }
    Err(input.invalid("PatchGroup", "It must have 1 to 256 letters, digits, blanks or _ . : / = + - @ characters."))
}
