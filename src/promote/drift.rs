//! Whether pointers still say what the release says, and putting them right.

use super::error::PromoteError;
use super::execute::execute;
use super::image;
use super::model::{Candidate, Decision, Order, ParameterPointer, Placed, Promotion, Release, TemplatePointer};
use super::state::{LANES, TemplateNow, observe, pointers, record};
use super::{names, planner};
use crate::aws::Cloud;
use crate::event::Events;
use crate::project::Location;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

/// Something that is not as the release says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// `launch template`, `parameter`, `image` or `target`.
    pub what: &'static str,
    /// What the release says.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// Compares every target with the release of the channel: nothing when nothing was promoted yet, or it was emptied. A target that cannot be
/// looked at is a difference, and so is one that the release does not know.
///
/// # Errors
/// When the channel's record cannot be read.
pub async fn drift(cloud: &Cloud, order: &Order<'_>) -> Result<Option<(Release, Vec<Difference>)>, PromoteError> {
    let found = record(cloud, &order.project.name, order.recipe, order.arch, order.channel).await?;
    let Some((release, _)) = found.filter(|(release, _)| !release.empty) else { return Ok(None) };
    let looks = release.targets.iter().map(|placed| compare(cloud, placed)).collect::<Vec<_>>();
    let looks: Vec<_> = stream::iter(looks).buffered(LANES).collect().await;
    let mut differences: Vec<Difference> = looks.into_iter().flatten().collect();
    let known =
        |place: &Location| release.targets.iter().any(|one| one.account == place.account && one.region == place.region);
    for target in cloud.targets().iter().filter(|target| !known(&target.location)) {
        let Location { account, region } = target.location.clone();
        let (expected, found) = (format!("pointers to {}", release.ami), "the release is not there".to_owned());
        differences.push(Difference { account, region, what: "target", expected, found });
    }
    Ok(Some((release, differences)))
}

async fn compare(cloud: &Cloud, placed: &Placed) -> Vec<Difference> {
    let place = Location { account: placed.account.clone(), region: placed.region.clone() };
    let difference = |what: &'static str, expected: String, found: String| Difference {
        account: place.account.clone(),
        region: place.region.clone(),
        what,
        expected,
        found,
    };
    let unseen = |error: &dyn std::fmt::Display| difference("target", "an answer".to_owned(), error.to_string());
    let templates: Vec<&str> = placed.launch_templates.iter().map(|one| one.name.as_str()).collect();
    let parameters: Vec<&str> = placed.parameters.iter().map(|one| one.name.as_str()).collect();
    let now = match pointers(cloud, &place, &templates, &parameters).await {
        Ok(now) => now,
        Err(error) => return vec![unseen(&error)],
    };
    let mut all = Vec::new();
    let moved = placed.launch_templates.iter().zip(&now.templates);
    for (expected, found) in moved.filter_map(|(wanted, now)| moved_template(wanted, &placed.ami, now)) {
        all.push(difference("launch template", expected, found));
    }
    let moved = placed.parameters.iter().zip(&now.parameters);
    for (ParameterPointer { name, .. }, now) in moved.filter(|(_, now)| now.as_ref() != Some(&placed.ami)) {
        let found = now.as_ref().map_or_else(|| "is not there".to_owned(), |value| format!("is {value}"));
        all.push(difference("parameter", format!("{name} is {}", placed.ami), format!("{name} {found}")));
    }
    match image::look(cloud, &place, &placed.ami).await {
        Ok(found) if found.state.as_deref() == Some("available") => {}
        Ok(found) => {
            let state = found.state.unwrap_or_else(|| "not there for this account".to_owned());
            all.push(difference("image", format!("{} is available", placed.ami), format!("it is {state}")));
        }
        Err(error) => all.push(unseen(&error)),
    }
    all
}

/// What a launch template should say and what it says, if they differ.
fn moved_template(wanted: &TemplatePointer, ami: &str, now: &TemplateNow) -> Option<(String, String)> {
    let expected = (wanted.id.as_str(), wanted.version, Some(ami));
    let there = now.before.as_ref().map(|one| (one.id.as_str(), one.default_version, now.ami.as_deref()));
    let told = |(id, version, ami): (&str, i64, Option<&str>)| {
        format!("{} {id} default version {version} with {}", wanted.name, ami.unwrap_or("no image"))
    };
    let found = || there.map_or_else(|| format!("{} is not there", wanted.name), told);
    (there != Some(expected)).then(|| (told(expected), found()))
}

/// What [`repair`] would do. Changes nothing.
///
/// # Errors
/// When nothing was promoted yet, the image is gone, or the channel is locked.
pub async fn prepare_repair(cloud: &Cloud, order: &Order<'_>) -> Result<Decision, PromoteError> {
    planner::find_channel(order)?;
    let found = record(cloud, &order.project.name, order.recipe, order.arch, order.channel).await?;
    let Some((release, _)) = found.filter(|(release, _)| !release.empty) else {
        let parameter = names::record(&order.project.name, order.recipe, order.arch, order.channel);
        return Err(PromoteError::NothingThere { channel: order.channel.to_owned(), parameter });
    };
    let (image_arn, image_version) = (release.image_arn.clone(), release.image_version.clone());
    let candidate = Candidate { ami: release.ami.clone(), image_arn, image_version };
    let state = observe(cloud, order, &candidate).await?;
    match planner::plan(order, &candidate, None, &state, cloud.clock().now())? {
        Decision::Go(mut plan) => {
            // It is the same release: it has been there since then, what was before it stays that, and who brought it there may
            // not become the one who approves it further on.
            plan.release.evidence = release.evidence;
            plan.release.caller = release.caller;
            plan.release.overridden = release.overridden;
            plan.release.resumed_by = release.resumed_by;
            plan.release.promoted_at = release.promoted_at;
            plan.previous = release.previous.map(|previous| *previous);
            Ok(Decision::Go(plan))
        }
        nothing @ Decision::Nothing(_) => Ok(nothing),
    }
}

/// Makes every target's pointers say again what the release of the channel says, by the same steps as a promotion.
///
/// # Errors
/// As [`prepare_repair`], or when a step fails.
pub async fn repair(cloud: &Cloud, order: &Order<'_>, events: &Events) -> Result<Promotion, PromoteError> {
    match prepare_repair(cloud, order).await? {
        Decision::Nothing(release) => Ok(Promotion::unchanged(*release)),
        Decision::Go(plan) => execute(cloud, &plan, events).await,
    }
}
