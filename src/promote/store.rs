//! Parameters: the books of promotions, and the pointers themselves.

use super::error::PromoteError;
use super::model::Release;
use super::{document, older};
use crate::aws::{CallError, Cloud, tags};
use crate::project::Location;
use aws_sdk_ssm::types::{ParameterTier, ParameterType, Tag};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// A parameter as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) value: String,
    pub(crate) version: i64,
}

/// Data type of parameters that name an AMI: the service checks that it exists.
const IMAGE: &str = "aws:ec2:image";

/// The parameter, if it exists.
pub(crate) async fn get(cloud: &Cloud, place: &Location, name: &str) -> Result<Option<Stored>, CallError> {
    let answer = cloud.ssm(place).get_parameter().name(name).send().await;
    let answer = answer.map_err(CallError::of("GetParameter", place));
    if answer.as_ref().is_err_and(|error| error.fault.is(&["ParameterNotFound"])) {
        return Ok(None);
    }
    let parameter = answer?.parameter;
    Ok(parameter.and_then(|one| Some(Stored { value: one.value?, version: one.version })))
}

/// Most names in one call.
pub(super) const AT_ONCE: usize = 10;

/// Those of the parameters that exist, by name.
pub(crate) async fn get_many(
    cloud: &Cloud,
    place: &Location,
    names: &[String],
) -> Result<BTreeMap<String, String>, CallError> {
    let mut found = BTreeMap::new();
    for chunk in names.chunks(AT_ONCE) {
        let answer = cloud.ssm(place).get_parameters().set_names(Some(chunk.to_vec())).send().await;
        let answer = answer.map_err(CallError::of("GetParameters", place))?;
        let parameters = answer.parameters.unwrap_or_default().into_iter();
        found.extend(parameters.filter_map(|one| Some((one.name?, one.value?))));
    }
    Ok(found)
}

/// Writes one of our documents over what is there.
pub(super) async fn put_document(cloud: &Cloud, name: &str, value: &str) -> Result<(), CallError> {
    document(cloud, name, value, true).await
}

/// Writes one of our documents where there is none: `ParameterAlreadyExists` otherwise.
pub(super) async fn create_document(cloud: &Cloud, name: &str, value: &str) -> Result<(), CallError> {
    document(cloud, name, value, false).await
}

/// Documents are packed so that they fit a standard parameter; one that has become an advanced one stays that.
async fn document(cloud: &Cloud, name: &str, value: &str, overwrite: bool) -> Result<(), CallError> {
    let home = cloud.home();
    let request = cloud
        .ssm(home)
        .put_parameter()
        .name(name)
        .value(value)
        .r#type(ParameterType::String)
        .tier(ParameterTier::IntelligentTiering)
        .overwrite(overwrite);
    request.send().await.map(drop).map_err(CallError::of("PutParameter", home))
}

/// Lets a parameter name an AMI; the version it gets. The check comes later: until it is over, and for good when it
/// fails, the parameter shows its old value (patch-baselines.md 12.7).
pub(super) async fn put_image(cloud: &Cloud, place: &Location, name: &str, ami: &str) -> Result<i64, CallError> {
    let request = cloud
        .ssm(place)
        .put_parameter()
        .name(name)
        .value(ami)
        .r#type(ParameterType::String)
        .data_type(IMAGE)
        .overwrite(true);
    request.send().await.map(|answer| answer.version).map_err(CallError::of("PutParameter", place))
}

/// The same where there is no such parameter yet, with tags: the service takes tags only without overwriting.
pub(super) async fn create_image(
    cloud: &Cloud,
    place: &Location,
    name: &str,
    ami: &str,
    release: &Release,
) -> Result<i64, CallError> {
    let owned = [(tags::PROJECT, &release.project), (tags::RECIPE, &release.recipe)];
    let request = cloud
        .ssm(place)
        .put_parameter()
        .name(name)
        .value(ami)
        .r#type(ParameterType::String)
        .data_type(IMAGE)
        .overwrite(false)
        // The builder refuses only tags without key or value, and these have both.
        .set_tags(owned.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect());
    let answer = request.send().await.map(|answer| answer.version).map_err(CallError::of("PutParameter", place));
    match answer {
        Err(error) if error.fault.is(&["ParameterAlreadyExists"]) => put_image(cloud, place, name, ami).await,
        other => other,
    }
}

/// Removes a parameter; it may be gone already, also because the answer to an earlier attempt was lost.
pub(super) async fn delete(cloud: &Cloud, place: &Location, name: &str) -> Result<(), CallError> {
    let answer = cloud.ssm(place).delete_parameter().name(name).send().await;
    match answer.map_err(CallError::of("DeleteParameter", place)) {
        Ok(_) => Ok(()),
        Err(error) if error.fault.is(&["ParameterNotFound"]) => Ok(()),
        Err(error) if error.fault.may_have_been_applied() && get(cloud, place, name).await?.is_none() => Ok(()),
        Err(error) => Err(error),
    }
}

/// All values a parameter has had, newest first; none of one that is not there.
pub(super) async fn history(cloud: &Cloud, name: &str) -> Result<Vec<String>, CallError> {
    let home = cloud.home();
    let mut pages = cloud.ssm(home).get_parameter_history().name(name).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("GetParameterHistory", home));
        if page.as_ref().is_err_and(|error| error.fault.is(&["ParameterNotFound"])) {
            return Ok(vec![]);
        }
        let page = page?;
        all.extend(page.parameters.unwrap_or_default().into_iter().map(|one| (one.version, one.value)));
    }
    all.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    Ok(all.into_iter().filter_map(|(_, value)| value).collect())
}

/// Reads a document of ours; one of another schema is an error, not nothing.
pub(super) fn read<T: DeserializeOwned>(parameter: &str, text: &str, schema: &str) -> Result<T, PromoteError> {
    let unreadable = |reason: String| PromoteError::Unreadable { parameter: parameter.to_owned(), reason };
    let value = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    of_schema(parameter, value, schema)
}

/// The same of what is parsed already.
pub(super) fn of_schema<T: DeserializeOwned>(parameter: &str, value: Value, schema: &str) -> Result<T, PromoteError> {
    let unreadable = |reason: String| PromoteError::Unreadable { parameter: parameter.to_owned(), reason };
    match value.get("schema").and_then(Value::as_str) {
        Some(found) if found == schema => {}
        found => return Err(unreadable(format!("its schema is {found:?}, expected {schema:?}"))),
    }
    serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))
}

/// A channel's record, whose parameter holds `text`.
pub(crate) async fn release(cloud: &Cloud, parameter: &str, text: &str) -> Result<Release, PromoteError> {
    older::release(parameter, &document::whole(cloud, parameter, text).await?)
}
