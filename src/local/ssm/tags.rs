//! Tags of parameters and patch baselines.

use super::super::Local;
use super::super::store::{Scope, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::baseline_record::Baseline;
use super::input;
use super::parameter_record::Parameter;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Tags = BTreeMap<String, String>;

/// Most tags a resource can have.
const MAX_TAGS: usize = 50;
/// The resource types of the local environment that have tags.
const TYPES: [&str; 2] = ["Parameter", "PatchBaseline"];

/// Refuses tags that Systems Manager refuses.
pub(super) fn check(tags: &Tags) -> Result<(), ServiceError> {
    for (key, value) in tags {
        let reserved = key.to_ascii_lowercase().starts_with("aws:");
        if reserved || key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            let text = format!(
                "The tag `{key}` is not valid: keys have 1 to 128 characters and do not start with aws:, values have at most 256."
            );
            return Err(ServiceError::client("ValidationException", text));
        }
    }
    if tags.len() > MAX_TAGS {
        let text = format!("A resource can have at most {MAX_TAGS} tags; it would have {}.", tags.len());
        return Err(ServiceError::client("TooManyTagsError", text));
    }
    Ok(())
}

/// A tagged resource.
enum Tagged {
    Parameter(Parameter),
    Baseline(Baseline),
}

impl Tagged {
    fn find(tx: &Transaction<'_>, scope: &Scope, request: &Value) -> Result<Self, ServiceError> {
        let input = input(request);
        let (kind, id) = (input.required("ResourceType")?, input.required("ResourceId")?);
        let missing = || {
            let text = format!("There is no {kind} `{id}` that could have tags.");
            ServiceError::client("InvalidResourceId", text)
        };
        match kind {
            "Parameter" => {
                let parameter = Parameter::get(tx, scope, id)?.filter(|_| !id.starts_with("/aws/"));
                parameter.map(Self::Parameter).ok_or_else(missing)
            }
            "PatchBaseline" => Baseline::own(tx, scope, id)?.map(Self::Baseline).ok_or_else(missing),
            _ => {
                let text =
                    format!("{kind} is not a resource type of the local environment; it has {}.", TYPES.join(", "));
                Err(ServiceError::client("InvalidResourceType", text))
            }
        }
    }

    fn tags(&mut self) -> &mut Tags {
        match self {
            Self::Parameter(parameter) => &mut parameter.tags,
            Self::Baseline(baseline) => &mut baseline.tags,
        }
    }

    fn put(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), ServiceError> {
        match self {
            Self::Parameter(parameter) => parameter.put(tx, scope)?,
            Self::Baseline(baseline) => baseline.put(tx, scope)?,
        }
        Ok(())
    }
}

/// `AddTagsToResource`.
pub(super) fn add(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let new = input(request).pairs("Tags")?;
    if new.is_empty() {
        return Err(input(request).missing("Tags"));
    }
    local.store.write(|tx| {
        let mut resource = Tagged::find(tx, &caller.scope, request)?;
        resource.tags().extend(new);
        check(resource.tags())?;
        resource.put(tx, &caller.scope)?;
        Ok(json!({}))
    })
}

/// `RemoveTagsFromResource`.
pub(super) fn remove(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let keys = input.texts("TagKeys")?;
    local.store.write(|tx| {
        let mut resource = Tagged::find(tx, &caller.scope, request)?;
        resource.tags().retain(|key, _| !keys.contains(&key.as_str()));
        resource.put(tx, &caller.scope)?;
        Ok(json!({}))
    })
}

/// `ListTagsForResource`.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let mut resource = local.store.read(|tx| Tagged::find(tx, &caller.scope, request))?;
    let tags: Vec<Value> = resource.tags().iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "TagList": tags }))
}
