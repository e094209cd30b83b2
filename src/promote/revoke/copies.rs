//! Every image of a release, in every account and Region.
//!
//! An image is found by the tag that says what it is a copy of, by what channels have recorded, and by what Image Builder
//! says it has distributed. It is looked for at home, in every target, and in the home account in every Region of a target:
//! copies may be from a time when the project distributed in another way. A place that cannot be looked at is never a
//! place without copies.

use crate::aws::{CallError, Cloud, tags};
use crate::project::Location;
use crate::promote::image;
use crate::promote::model::LeftOut;
use crate::promote::state::{LANES, unseen};
use aws_sdk_ec2::types::{Filter, ImageAttributeName, LaunchPermission};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An image of a release, with what revoking takes away from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The account that owns it.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// AMI id there.
    pub ami: String,
    /// The mark of approval that it carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
    /// Who may launch it besides the owner: accounts, ARNs of organizations and their units, `all`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launched_by: Vec<String>,
}

impl Copy {
    /// Account and Region.
    #[must_use]
    pub fn location(&self) -> Location {
        Location { account: self.account.clone(), region: self.region.clone() }
    }
}

/// An image as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) copy: Copy,
    /// As the service spells it.
    pub(super) state: String,
    /// Whether it carries the tag of a revocation.
    pub(super) tagged: bool,
}

/// What was found, and where nothing could be looked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Copies {
    pub(super) found: Vec<Found>,
    pub(super) unseen: Vec<LeftOut>,
}

/// Where images of a release can be.
pub(super) fn places(cloud: &Cloud) -> BTreeSet<Location> {
    let home = cloud.home();
    let targets = cloud.targets().iter().map(|target| &target.location);
    let own = |place: &Location| Location { account: home.account.clone(), region: place.region.clone() };
    targets.flat_map(|place| [place.clone(), own(place)]).chain([home.clone()]).collect()
}

/// Finds them. `known` are AMI ids that somebody has written down, by their place.
pub(super) async fn find(
    cloud: &Cloud,
    ami: &str,
    image_arn: Option<&str>,
    mut known: BTreeMap<Location, BTreeSet<String>>,
) -> Copies {
    let mut copies = Copies::default();
    known.entry(cloud.home().clone()).or_default().insert(ami.to_owned());
    match image::outputs(cloud, image_arn).await {
        Ok(outputs) => {
            for (place, id) in outputs {
                known.entry(place).or_default().insert(id);
            }
        }
        Err(error) => copies.unseen.push(unseen(cloud.home(), &error)),
    }
    let all: BTreeSet<Location> = places(cloud).into_iter().chain(known.keys().cloned()).collect();
    let looks = all.iter().map(|place| {
        let ids: Vec<String> = known.get(place).into_iter().flatten().cloned().collect();
        async move { (place, at(cloud, place, ami, ids).await) }
    });
    let looks: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await;
    for (place, look) in looks {
        match look {
            Ok(found) => copies.found.extend(found),
            Err(error) => copies.unseen.push(unseen(place, &error)),
        }
    }
    copies
}

/// The account's own images of the release in one Region.
async fn at(cloud: &Cloud, place: &Location, ami: &str, ids: Vec<String>) -> Result<Vec<Found>, CallError> {
    let of_source = Filter::builder().name(format!("tag:{}", tags::SOURCE)).values(ami).build();
    let mut images = own(cloud, place, of_source).await?;
    if !ids.is_empty() {
        let by_id = Filter::builder().name("image-id").set_values(Some(ids)).build();
        images.extend(own(cloud, place, by_id).await?);
    }
    let mut all = Vec::new();
    for (id, image) in images {
        let state = image.state.unwrap_or_default();
        // One that is disabled has lost them.
        let launched_by = if state == "disabled" { vec![] } else { permissions(cloud, place, &id).await? };
        let Location { account, region } = place.clone();
        let copy = Copy { account, region, ami: id, approved: image.approved, launched_by };
        all.push(Found { copy, state, tagged: image.revoked.is_some() });
    }
    Ok(all)
}

async fn own(cloud: &Cloud, place: &Location, filter: Filter) -> Result<BTreeMap<String, image::Image>, CallError> {
    let request = cloud.ec2(place).describe_images().owners("self").include_disabled(true).filters(filter);
    let mut pages = request.into_paginator().send();
    let mut all = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeImages", place))?;
        let images = page.images.unwrap_or_default().into_iter();
        all.extend(images.filter_map(|one| Some((one.image_id.clone()?, image::of(one)))));
    }
    Ok(all)
}

async fn permissions(cloud: &Cloud, place: &Location, ami: &str) -> Result<Vec<String>, CallError> {
    let request = cloud.ec2(place).describe_image_attribute().image_id(ami);
    let answer = request.attribute(ImageAttributeName::LaunchPermission).send().await;
    let answer = answer.map_err(CallError::of("DescribeImageAttribute", place))?;
    let mut who: Vec<String> = answer.launch_permissions.unwrap_or_default().into_iter().filter_map(name).collect();
    who.sort();
    Ok(who)
}

fn name(permission: LaunchPermission) -> Option<String> {
    let group = permission.group.map(|group| group.as_str().to_owned());
    permission.user_id.or(permission.organization_arn).or(permission.organizational_unit_arn).or(group)
}

/// The permission of that name.
pub(super) fn permission(name: &str) -> LaunchPermission {
    let builder = LaunchPermission::builder();
    match name {
        "all" => builder.group(aws_sdk_ec2::types::PermissionGroup::All),
        ou if ou.starts_with("arn:") && ou.contains(":ou/") => builder.organizational_unit_arn(ou),
        organization if organization.starts_with("arn:") => builder.organization_arn(organization),
        account => builder.user_id(account),
    }
    .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_come_back_as_they_were() {
        let organization = "arn:aws:organizations::123456789012:organization/o-abc";
        let unit = "arn:aws:organizations::123456789012:ou/o-abc/ou-1";
        for who in ["123456789012", "all", organization, unit] {
            assert_eq!(name(permission(who)).as_deref(), Some(who));
        }
        assert_eq!(permission(unit).organizational_unit_arn(), Some(unit));
        assert_eq!(permission(organization).organization_arn(), Some(organization));
    }
}
