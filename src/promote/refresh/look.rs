//! Reading groups, their refreshes, and what is known of template versions.

use super::configuration::Launch;
use super::model::{Active, Group, Instance, Point, Version, Wanted};
use super::note::{KEY, Note};
use crate::aws::{CallError, Cloud};
use crate::project::Location;
use crate::promote::template;
use aws_sdk_autoscaling::types::{AutoScalingGroup, InstanceRefresh, InstanceRefreshStatus, LifecycleState};
use std::collections::{BTreeMap, BTreeSet};

/// Versions that one call is asked for.
const VERSIONS_AT_ONCE: usize = 50;

/// A launch template of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) name: String,
    /// Absent: there is none of that name.
    pub(super) id: Option<String>,
}

/// The groups of an account and Region that use one of these launch templates, and those of them that were named although they do
/// not; each with the number of its template: the first that it uses. Refreshes are not looked at.
pub(super) async fn groups(
    cloud: &Cloud,
    place: &Location,
    templates: &[Known],
    wanted: &Wanted,
) -> Result<Vec<(usize, Group)>, CallError> {
    let mut pages = cloud.autoscaling(place).describe_auto_scaling_groups().into_paginator().send();
    let mut groups = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeAutoScalingGroups", place))?;
        for one in page.auto_scaling_groups.unwrap_or_default() {
            let Some(group) = of(&one) else { continue };
            let uses = |one: &Known| !group.launch.spots_of(one.id.as_deref(), &one.name).is_empty();
            let used = templates.iter().position(uses);
            let named = matches!(wanted, Wanted::Named(_));
            if let Some(template) = used.or(named.then_some(0)).filter(|_| wanted.has(&group.name)) {
                groups.push((template, group));
            }
        }
    }
    groups.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    Ok(groups)
}

/// The group of that name, with the refresh that is under way.
pub(super) async fn group(cloud: &Cloud, place: &Location, name: &str) -> Result<Option<Group>, CallError> {
    let request = cloud.autoscaling(place).describe_auto_scaling_groups().auto_scaling_group_names(name);
    let answer = request.send().await.map_err(CallError::of("DescribeAutoScalingGroups", place))?;
    let Some(mut found) = answer.auto_scaling_groups.unwrap_or_default().first().and_then(of) else { return Ok(None) };
    found.active = active(cloud, place, name).await?;
    Ok(Some(found))
}

fn of(group: &AutoScalingGroup) -> Option<Group> {
    let tags = group.tags.iter().flatten();
    let note = tags.filter(|tag| tag.key.as_deref() == Some(KEY)).find_map(|tag| Note::parse(tag.value.as_deref()?));
    let instances = group.instances.iter().flatten();
    let stays = instances.filter(|one| one.lifecycle_state.as_ref().is_none_or(stays));
    let instance = |one: &aws_sdk_autoscaling::types::Instance| {
        let from = one.launch_template.as_ref().and_then(|template| {
            Some((template.launch_template_id.clone()?, template.version.as_deref()?.parse().ok()?))
        });
        Instance { id: one.instance_id.clone().unwrap_or_default(), from }
    };
    Some(Group {
        name: group.auto_scaling_group_name.clone()?,
        launch: Launch::of(group),
        instances: stays.map(instance).collect(),
        note,
        active: None,
    })
}

/// Whether an instance in that state is not about to leave the group.
fn stays(state: &LifecycleState) -> bool {
    !["Terminat", "Detach", "Warmed:Terminat"].iter().any(|word| state.as_str().starts_with(word))
}

/// The refresh of a group that is under way.
pub(super) async fn active(cloud: &Cloud, place: &Location, name: &str) -> Result<Option<Active>, CallError> {
    let request = cloud.autoscaling(place).describe_instance_refreshes().auto_scaling_group_name(name);
    let answer = request.send().await.map_err(CallError::of("DescribeInstanceRefreshes", place))?;
    // The newest stands first, and there is at most one.
    let mut all = answer.instance_refreshes.unwrap_or_default().into_iter();
    Ok(all.find(|one| one.status.as_ref().is_some_and(goes_on)).and_then(|one| {
        Some(Active {
            desired: Launch::desired(one.desired_configuration.as_ref()),
            status: one.status.as_ref()?.as_str().to_owned(),
            id: one.instance_refresh_id?,
        })
    }))
}

/// Whether a refresh of that status has not ended. One that is not known may well go on.
pub(super) fn goes_on(status: &InstanceRefreshStatus) -> bool {
    use InstanceRefreshStatus::{Cancelled, Failed, RollbackFailed, RollbackSuccessful, Successful};
    !matches!(status, Successful | Failed | Cancelled | RollbackFailed | RollbackSuccessful)
}

/// One refresh of a group; nothing when it does not show yet.
pub(super) async fn refresh(
    cloud: &Cloud,
    place: &Location,
    name: &str,
    id: &str,
) -> Result<Option<InstanceRefresh>, CallError> {
    let request = cloud.autoscaling(place).describe_instance_refreshes().auto_scaling_group_name(name);
    let answer = request.instance_refresh_ids(id).send().await;
    let answer = answer.map_err(CallError::of("DescribeInstanceRefreshes", place))?;
    Ok(answer.instance_refreshes.unwrap_or_default().into_iter().next())
}

/// Learns what matters of the versions that groups and their instances have.
pub(super) async fn versions(cloud: &Cloud, point: &mut Point, groups: &[Group]) -> Result<(), CallError> {
    let Some(id) = point.template_id.clone() else { return Ok(()) };
    let mut numbers: BTreeSet<i64> = point.to.into_iter().chain(point.previous).collect();
    for group in groups {
        let spots = group.launch.spots_of(Some(&id), &point.template);
        numbers.extend(spots.iter().filter_map(super::configuration::Spot::number));
        let own = group.instances.iter().filter_map(|one| one.from.as_ref()).filter(|(template, _)| *template == id);
        numbers.extend(own.map(|(_, number)| *number));
    }
    let numbers: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    for chunk in numbers.chunks(VERSIONS_AT_ONCE) {
        point.versions.extend(some_versions(cloud, &point.place, &id, chunk).await?);
    }
    Ok(())
}

/// Of these versions, those that are there: one that an old instance was launched from may have been removed since.
async fn some_versions(
    cloud: &Cloud,
    place: &Location,
    id: &str,
    numbers: &[String],
) -> Result<BTreeMap<i64, Version>, CallError> {
    let ask = |numbers: Vec<String>| async move {
        let request = cloud.ec2(place).describe_launch_template_versions().launch_template_id(id);
        let answer = request.set_versions(Some(numbers)).send().await;
        answer.map_err(CallError::of("DescribeLaunchTemplateVersions", place))
    };
    let absent = ["InvalidLaunchTemplateId.VersionNotFound"];
    let mut found = match ask(numbers.to_vec()).await {
        Ok(answer) => answer.launch_template_versions.unwrap_or_default(),
        Err(error) if error.fault.is(&absent) && numbers.len() > 1 => {
            let mut found = Vec::new();
            for number in numbers {
                match ask(vec![number.clone()]).await {
                    Ok(answer) => found.extend(answer.launch_template_versions.unwrap_or_default()),
                    Err(error) if error.fault.is(&absent) => {}
                    Err(error) => return Err(error),
                }
            }
            found
        }
        Err(error) if error.fault.is(&absent) => vec![],
        Err(error) => return Err(error),
    };
    let version = |one: aws_sdk_ec2::types::LaunchTemplateVersion| {
        let data = one.launch_template_data?;
        Some((
            one.version_number?,
            Version { image: data.image_id, by_attributes: data.instance_requirements.is_some() },
        ))
    };
    Ok(found.drain(..).filter_map(version).collect())
}

/// The launch template of a target: its id and default version.
pub(super) async fn default_version(
    cloud: &Cloud,
    place: &Location,
    name: &str,
) -> Result<Option<(String, i64)>, CallError> {
    Ok(template::find(cloud, place, name).await?.map(|found| (found.id, found.default_version)))
}
