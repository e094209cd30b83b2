//! What a place has: baselines by name, the default, patch groups. Changes nothing.

use super::convert;
use super::error::BaselineError;
use super::model::{Definition, Desired, Found, Observed, Registered, Wishes};
use crate::aws::{CallError, Cloud};
use crate::patch::OperatingSystem;
use crate::project::Location;
use aws_sdk_ssm::operation::get_patch_baseline::GetPatchBaselineOutput;
use aws_sdk_ssm::types as ssm;
use std::collections::BTreeMap;

/// What matters for one baseline.
pub(crate) async fn observe(
    cloud: &Cloud,
    place: &Location,
    desired: &Desired,
    wishes: &Wishes,
) -> Result<Observed, BaselineError> {
    let baseline = desired.baseline();
    let (name, os) = (&baseline.name, baseline.operating_system);
    let mut observed = Observed::default();
    let own = matches!(desired.definition, Definition::Own(_));
    for id in named(cloud, place, name, Some(os), Some(if own { "Self" } else { "AWS" })).await? {
        observed.found.push(if own { found(cloud, place, id).await? } else { bare(id) });
    }
    if wishes.default {
        observed.default = default(cloud, place, os).await?;
    }
    for group in &wishes.groups {
        if let Some(registered) = registered(cloud, place, group, os).await? {
            observed.groups.insert(group.clone(), registered);
        }
    }
    Ok(observed)
}

fn bare(id: String) -> Found {
    Found { id, baseline: None, tags: BTreeMap::new() }
}

/// Ids of the baselines with exactly that name.
pub(super) async fn named(
    cloud: &Cloud,
    place: &Location,
    name: &str,
    os: Option<OperatingSystem>,
    owner: Option<&str>,
) -> Result<Vec<String>, BaselineError> {
    let filter = |key: &str, value: &str| ssm::PatchOrchestratorFilter::builder().key(key).values(value).build();
    let mut request = cloud.ssm(place).describe_patch_baselines().filters(filter("NAME_PREFIX", name));
    if let Some(owner) = owner {
        request = request.filters(filter("OWNER", owner));
    }
    if let Some(os) = os {
        request = request.filters(filter("OPERATING_SYSTEM", os.as_str()));
    }
    let mut ids = vec![];
    let mut pages = request.into_paginator().items().send();
    while let Some(item) = pages.next().await {
        let item = item.map_err(CallError::of("DescribePatchBaselines", place))?;
        let same_os = os.is_none_or(|os| item.operating_system().is_some_and(|found| found.as_str() == os.as_str()));
        if item.baseline_name() == Some(name) && same_os {
            ids.extend(item.baseline_id().map(str::to_owned));
        }
    }
    Ok(ids)
}

async fn found(cloud: &Cloud, place: &Location, id: String) -> Result<Found, BaselineError> {
    // One that was deleted a moment ago is found to be unreadable, and the update then says that it is gone.
    let answer = get(cloud, place, &id).await?;
    let baseline = answer.and_then(|answer| convert::read(&answer).ok());
    let listed = cloud
        .ssm(place)
        .list_tags_for_resource()
        .resource_type(ssm::ResourceTypeForTagging::PatchBaseline)
        .resource_id(&id)
        .send()
        .await
        .map_err(CallError::of("ListTagsForResource", place))?;
    let tags = listed.tag_list().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    Ok(Found { id, baseline, tags })
}

/// A baseline by its id; none when it does not exist.
pub(super) async fn get(
    cloud: &Cloud,
    place: &Location,
    id: &str,
) -> Result<Option<GetPatchBaselineOutput>, BaselineError> {
    let answer = cloud.ssm(place).get_patch_baseline().baseline_id(id).send().await;
    match answer.map_err(CallError::of("GetPatchBaseline", place)) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.fault.is(&["DoesNotExistException", "InvalidResourceId"]) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The default of an operating system; none for a system that has no baseline.
pub(super) async fn default(
    cloud: &Cloud,
    place: &Location,
    os: OperatingSystem,
) -> Result<Option<Registered>, BaselineError> {
    let request = cloud.ssm(place).get_default_patch_baseline().operating_system(os.as_str().into());
    let answer = match request.send().await.map_err(CallError::of("GetDefaultPatchBaseline", place)) {
        Ok(answer) => answer,
        Err(error) if error.fault.is(&["DoesNotExistException"]) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(id) = answer.baseline_id() else { return Ok(None) };
    let described = get(cloud, place, id).await?;
    let name = described.and_then(|found| found.name).unwrap_or_else(|| "a baseline without a name".to_owned());
    Ok(Some(Registered { id: id.to_owned(), name }))
}

/// What is registered for a patch group. `GetPatchBaselineForPatchGroup` would do, but it may answer the default for a group
/// that has none (patch-baselines.md 1.7); the list of groups says for certain.
pub(super) async fn registered(
    cloud: &Cloud,
    place: &Location,
    group: &str,
    os: OperatingSystem,
) -> Result<Option<Registered>, BaselineError> {
    let filter = |key: &str, value: &str| ssm::PatchOrchestratorFilter::builder().key(key).values(value).build();
    let request = cloud.ssm(place).describe_patch_groups();
    let request = request.filters(filter("NAME_PREFIX", group)).filters(filter("OPERATING_SYSTEM", os.as_str()));
    let mut pages = request.into_paginator().items().send();
    while let Some(item) = pages.next().await {
        let item = item.map_err(CallError::of("DescribePatchGroups", place))?;
        let Some(identity) = item.baseline_identity().filter(|_| item.patch_group() == Some(group)) else { continue };
        if identity.operating_system().is_some_and(|found| found.as_str() == os.as_str()) {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            return Ok(Some(Registered { id: text(identity.baseline_id()), name: text(identity.baseline_name()) }));
        }
    }
    Ok(None)
}
