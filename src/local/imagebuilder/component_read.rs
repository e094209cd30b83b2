//! Reading, listing and deleting components.

use super::super::Local;
use super::super::input::compact;
use super::super::records::{COMPONENT, ComponentRecord, RECIPE, RecipeRecord};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::arn::{self, Arn, Version};
use super::listing::{self, Filters};
use super::{document, in_use, input, not_found};
use crate::component::model::Parameter;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FILTERS: &[&str] = &["description", "name", "platform", "supportedOsVersion", "type", "version"];

/// Numeric order of component builds.
pub(super) fn order(record: &ComponentRecord) -> (Version, u32) {
    (arn::version(&record.version).unwrap_or_default(), record.build)
}

/// The newest component build version that a component ARN means: exact, without build, or with `x`. None when nothing of
/// the caller's account and Region fits.
///
/// # Errors
/// A database error.
pub(super) fn resolve_component(
    tx: &Transaction<'_>,
    scope: &Scope,
    text: &str,
) -> Result<Option<ComponentRecord>, StoreError> {
    let Some(wanted) = Arn::parse(text).filter(|arn| arn.kind == "component" && arn.is_in(scope)) else {
        return Ok(None);
    };
    let Some(pattern) = wanted.version else { return Ok(None) };
    let base = arn::base(scope, "component", &wanted.name);
    let all: Vec<(String, ComponentRecord)> = tx.list(scope, COMPONENT, &format!("{base}/"))?;
    let fits = |record: &ComponentRecord| {
        let (version, build) = order(record);
        pattern.accepts(version) && wanted.build.is_none_or(|wanted| wanted == build)
    };
    Ok(all.into_iter().map(|(_, record)| record).filter(fits).max_by_key(order))
}

/// `GetComponent`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let text = input(request).required("componentBuildVersionArn")?;
    let record = local.store.read(|tx| resolve_component(tx, &caller.scope, text))?;
    let record = record.ok_or_else(|| not_found(text))?;
    let base = arn::base(&caller.scope, "component", &record.name);
    let (version, _) = order(&record);
    // The document was checked when it was stored; should a later version of this program read it differently, the
    // component can still be had, without its parameters.
    let parameters = document::read(&record.data).map(|document| document.parameters).unwrap_or_default();
    let mut component = summary(&record, &caller.scope.account);
    component["data"] = json!(record.data);
    component["encrypted"] = json!(false);
    component["parameters"] = parameters.iter().map(parameter).collect();
    Ok(json!({ "component": component, "latestVersionReferences": arn::latest_references(&base, version) }))
}

fn parameter(parameter: &Parameter) -> Value {
    compact(json!({
        "name": parameter.name,
        // The document's `string` in the API's spelling.
        "type": "String",
        "defaultValue": parameter.default.as_ref().map(|default| [default]),
        "description": parameter.description,
    }))
}

/// `ComponentSummary`, which is also the larger part of `Component`.
fn summary(record: &ComponentRecord, owner: &str) -> Value {
    compact(json!({
        "arn": record.arn,
        "name": record.name,
        "version": record.version,
        "platform": record.platform,
        "supportedOsVersions": record.supported_os_versions,
        "type": record.kind,
        "owner": owner,
        "description": record.description,
        "changeDescription": record.change_description,
        "dateCreated": super::time(&record.created_at),
        "tags": record.tags,
    }))
}

/// `ListComponents`: versions, each described by its newest build; with `byName` the newest version of each name.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let filters = Filters::parse(&input, FILTERS)?;
    let by_name = input.flag("byName")?.unwrap_or(false);
    let mut newest: BTreeMap<String, (u32, Value)> = BTreeMap::new();
    if listing::lists_own(&input)? {
        let mut all: Vec<(String, ComponentRecord)> = local.store.read(|tx| tx.list(&caller.scope, COMPONENT, ""))?;
        all.sort_by_cached_key(|(_, record)| order(record));
        for (_, record) in all {
            let name = arn::normalise(&record.name);
            let ([major, minor, patch], build) = order(&record);
            let key = if by_name { name } else { format!("{name}/{major:010}.{minor:010}.{patch:010}") };
            let mut row = summary(&record, &caller.scope.account);
            if let Value::Object(members) = &mut row {
                members.retain(|member, _| member != "tags" && member != "changeDescription");
            }
            row["arn"] = json!(version_arn(&record));
            newest.insert(key, (build, row));
        }
    }
    let rows = newest.into_iter().map(|(key, (_, row))| (key, row)).filter(|(_, row)| filters.accept(row)).collect();
    listing::answer(&input, "ListComponents", "componentVersionList", rows)
}

/// The ARN of a component's version: without the build number.
fn version_arn(record: &ComponentRecord) -> String {
    record.arn.rsplit_once('/').map_or(record.arn.as_str(), |(version, _)| version).to_owned()
}

/// `ListComponentBuildVersions`: the builds of one version, or of everything that the account has.
pub(super) fn list_builds(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let wanted = input.text("componentVersionArn")?;
    let prefix = match wanted {
        None => String::new(),
        Some(text) => {
            let exact = Arn::parse(text)
                .filter(|arn| arn.kind == "component" && arn.build.is_none())
                .filter(|arn| arn.version.is_some_and(|version| version.exact().is_some()));
            if exact.is_none() {
                return Err(
                    input.invalid("componentVersionArn", "It must be a component ARN with a version and no build.")
                );
            }
            format!("{text}/")
        }
    };
    let builds: Vec<(String, ComponentRecord)> = local.store.read(|tx| tx.list(&caller.scope, COMPONENT, &prefix))?;
    let mut rows: Vec<(String, Value)> = builds
        .into_iter()
        .map(|(_, record)| {
            let ([major, minor, patch], build) = order(&record);
            let key = format!("{}/{major:010}.{minor:010}.{patch:010}/{build:010}", arn::normalise(&record.name));
            (key, summary(&record, &caller.scope.account))
        })
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    listing::answer(&input, "ListComponentBuildVersions", "componentSummaryList", rows)
}

/// `DeleteComponent`: refused while a recipe refers to it.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let text = input.required("componentBuildVersionArn")?;
    if Arn::parse(text).is_none_or(|arn| arn.kind != "component" || arn.build.is_none()) {
        return Err(input.invalid("componentBuildVersionArn", "It must be the ARN of a component build version."));
    }
    local.store.write(|tx| {
        let record: ComponentRecord = tx.get(&caller.scope, COMPONENT, text)?.ok_or_else(|| not_found(text))?;
        if let Some(recipe) = user_of(tx, &caller.scope, &record)? {
            return Err(in_use(text, &recipe));
        }
        tx.delete(&caller.scope, COMPONENT, text)?;
        Ok(json!({ "componentBuildVersionArn": text }))
    })
}

/// A recipe that the component cannot be taken from: one that means this build now, or names it.
fn user_of(tx: &Transaction<'_>, scope: &Scope, record: &ComponentRecord) -> Result<Option<String>, StoreError> {
    let recipes: Vec<(String, RecipeRecord)> = tx.list(scope, RECIPE, "")?;
    for (arn, recipe) in recipes {
        for (component, _) in &recipe.components {
            if resolve_component(tx, scope, component)?.is_some_and(|meant| meant.arn == record.arn) {
                return Ok(Some(arn));
            }
        }
    }
    Ok(None)
}
