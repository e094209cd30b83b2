//! Who uses a release: instances that were launched from it, and launch templates that name it.
//!
//! Revoking stops launches, not instances. They go on until somebody ends them, so they are listed, whoever has launched
//! them. A place that cannot be looked at is named, and never counted as nobody.

use super::copies::{self, Found};
use crate::aws::{CallError, Cloud};
use crate::project::Location;
use crate::promote::model::LeftOut;
use crate::promote::state::{LANES, unseen};
use aws_sdk_ec2::types::{Filter, Instance};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use std::collections::BTreeSet;

/// The tag that Auto Scaling puts on its instances.
const GROUP: &str = "aws:autoscaling:groupName";
/// States of an instance that is, or can be started again.
const ALIVE: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// Who uses a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Users {
    /// Instances that run or can be started again.
    pub instances: Vec<RunningInstance>,
    /// Launch templates whose default or newest version names it, besides those that the project moves.
    pub launch_templates: Vec<NamingTemplate>,
    /// Places that could not be looked at, and why.
    pub unseen: Vec<LeftOut>,
}

/// An instance that was launched from a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct RunningInstance {
    pub account: String,
    pub region: String,
    pub instance: String,
    /// As the service spells it.
    pub state: String,
    /// AMI id there.
    pub ami: String,
    /// RFC 3339.
    pub launched_at: String,
    /// The tag `Name`.
    pub name: Option<String>,
    /// The Auto Scaling group that it belongs to.
    pub group: Option<String>,
}

/// A launch template that names a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct NamingTemplate {
    pub account: String,
    pub region: String,
    pub id: String,
    pub name: String,
    pub version: i64,
    /// AMI id there.
    pub ami: String,
}

/// Looks for them in every place. `own` are the names of launch templates that the project moves.
pub(super) async fn find(cloud: &Cloud, found: &[Found], own: &BTreeSet<String>) -> Users {
    let all: BTreeSet<Location> =
        copies::places(cloud).into_iter().chain(found.iter().map(|one| one.copy.location())).collect();
    let looks = all.into_iter().map(|place| async move {
        // Whoever may launch an image may have done so: it can belong to another account.
        let here = found.iter().filter(|one| one.copy.region == place.region);
        let amis: Vec<String> = here.map(|one| one.copy.ami.clone()).collect();
        let seen = at(cloud, &place, amis, own).await;
        (place, seen)
    });
    let looks: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await;
    let mut users = Users::default();
    for (place, look) in looks {
        match look {
            Ok(one) => {
                users.instances.extend(one.instances);
                users.launch_templates.extend(one.launch_templates);
            }
            Err(error) => users.unseen.push(unseen(&place, &error)),
        }
    }
    users.instances.sort();
    users.launch_templates.sort();
    users
}

async fn at(cloud: &Cloud, place: &Location, amis: Vec<String>, own: &BTreeSet<String>) -> Result<Users, CallError> {
    if amis.is_empty() {
        return Ok(Users::default());
    }
    let of_images = Filter::builder().name("image-id").set_values(Some(amis)).build();
    let instances = instances(cloud, place, of_images.clone()).await?;
    let launch_templates = launch_templates(cloud, place, of_images, own).await?;
    Ok(Users { instances, launch_templates, unseen: vec![] })
}

async fn instances(cloud: &Cloud, place: &Location, of_images: Filter) -> Result<Vec<RunningInstance>, CallError> {
    let alive = ALIVE.map(str::to_owned).to_vec();
    let alive = Filter::builder().name("instance-state-name").set_values(Some(alive)).build();
    let request = cloud.ec2(place).describe_instances().filters(of_images).filters(alive);
    let mut pages = request.into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeInstances", place))?;
        let reservations = page.reservations.unwrap_or_default().into_iter();
        let found = reservations.flat_map(|one| one.instances.unwrap_or_default());
        all.extend(found.filter_map(|one| instance(place, one)));
    }
    Ok(all)
}

fn instance(place: &Location, found: Instance) -> Option<RunningInstance> {
    let tag = |key: &str| found.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value());
    let launched_at =
        found.launch_time.as_ref().and_then(|time| time.fmt(aws_sdk_ec2::primitives::DateTimeFormat::DateTime).ok());
    let state = found.state().and_then(|state| state.name()).map_or("unknown", |name| name.as_str());
    Some(RunningInstance {
        account: place.account.clone(),
        region: place.region.clone(),
        instance: found.instance_id.clone()?,
        state: state.to_owned(),
        ami: found.image_id.clone().unwrap_or_default(),
        launched_at: launched_at.unwrap_or_else(|| "unknown".to_owned()),
        name: tag("Name").map(str::to_owned),
        group: tag(GROUP).map(str::to_owned),
    })
}

/// Of templates only the default and the newest version are asked for: those are what launches use by themselves.
async fn launch_templates(
    cloud: &Cloud,
    place: &Location,
    of_images: Filter,
    own: &BTreeSet<String>,
) -> Result<Vec<NamingTemplate>, CallError> {
    let request = cloud.ec2(place).describe_launch_template_versions().versions("$Default").versions("$Latest");
    let mut pages = request.filters(of_images).into_paginator().send();
    let mut all = BTreeSet::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeLaunchTemplateVersions", place))?;
        for one in page.launch_template_versions.unwrap_or_default() {
            let ami = one.launch_template_data.and_then(|data| data.image_id);
            let (Some(id), Some(version), Some(ami)) = (one.launch_template_id, one.version_number, ami) else {
                continue;
            };
            let name = one.launch_template_name.unwrap_or_default();
            if !own.contains(&name) {
                let Location { account, region } = place.clone();
                all.insert(NamingTemplate { account, region, id, name, version, ami });
            }
        }
    }
    Ok(all.into_iter().collect())
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
