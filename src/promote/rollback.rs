//! Back to the release before.

use super::error::PromoteError;
use super::execute::execute;
use super::model::{Candidate, Decision, Order, Promotion, Release};
use super::state::{images, observe_with, record};
use super::{names, planner, store};
use crate::aws::Cloud;
use crate::event::Events;

/// Moves a channel back to the release before the current one, or to the one that is named, by the same steps as a
/// promotion. Gates and the channel's rules are not asked again: the release was in this channel before. Rolling back
/// twice goes back two releases.
///
/// # Errors
/// When there is no such release, its AMI is gone, or a step fails.
pub async fn rollback(
    cloud: &Cloud,
    order: &Order<'_>,
    to: Option<&str>,
    events: &Events,
) -> Result<Promotion, PromoteError> {
    match prepare(cloud, order, to).await? {
        Decision::Nothing(release) => Ok(Promotion::unchanged(*release)),
        Decision::Go(plan) => execute(cloud, &plan, events).await,
    }
}

/// What [`rollback`] would do. Changes nothing.
///
/// # Errors
/// When there is no such release, its AMI is gone, or the channel is locked.
pub async fn prepare(cloud: &Cloud, order: &Order<'_>, to: Option<&str>) -> Result<Decision, PromoteError> {
    planner::find_channel(order)?;
    let current = record(cloud, &order.project.name, order.recipe, order.arch, order.channel).await?;
    let back_to = match to {
        None => current.and_then(|(release, _)| release.previous).map(|release| *release),
        Some(to) => Some(named(cloud, order, to).await?),
    };
    let back_to = back_to.ok_or_else(|| PromoteError::NoEarlier { channel: order.channel.to_owned() })?;
    let candidate = Candidate {
        ami: back_to.ami.clone(),
        image_arn: back_to.image_arn.clone(),
        image_version: back_to.image_version.clone(),
    };
    let all = readable(cloud, order).await?;
    let state = observe_with(cloud, order, &candidate, images(all.iter(), &back_to.ami)).await?;
    match planner::plan(order, &candidate, None, &state, cloud.clock().now())? {
        Decision::Go(mut plan) => {
            plan.release.evidence.clone_from(&back_to.evidence);
            // The record itself keeps only one step, the parameter's history the rest.
            let before = all.into_iter().find(|release| release.id == back_to.id);
            plan.previous = before.and_then(|release| release.previous).map(|release| *release);
            Ok(Decision::Go(plan))
        }
        nothing @ Decision::Nothing(_) => Ok(nothing),
    }
}

/// What was ever in the channel, newest first.
///
/// # Errors
/// When a call fails, or a record cannot be read.
pub async fn history(cloud: &Cloud, order: &Order<'_>) -> Result<Vec<Release>, PromoteError> {
    let name = names::record(&order.project.name, order.recipe, order.arch, order.channel);
    let mut releases = Vec::new();
    for text in store::history(cloud, &name).await? {
        releases.push(store::release(cloud, &name, &text).await?);
    }
    // A promotion that was undone at its very end has put the text before it back.
    releases.dedup_by(|a, b| a.id == b.id);
    Ok(releases)
}

/// The newest release of the channel with that AMI, image version or promotion.
async fn named(cloud: &Cloud, order: &Order<'_>, to: &str) -> Result<Release, PromoteError> {
    let found = history(cloud, order).await?.into_iter().find(|release| !release.empty && release.is_named(to));
    found.ok_or_else(|| PromoteError::NeverThere { channel: order.channel.to_owned(), release: to.to_owned() })
}

/// What was in the channel, newest first, as far as it can be read: what nobody can read any more is not gone back to.
async fn readable(cloud: &Cloud, order: &Order<'_>) -> Result<Vec<Release>, PromoteError> {
    let name = names::record(&order.project.name, order.recipe, order.arch, order.channel);
    let mut releases = Vec::new();
    for text in store::history(cloud, &name).await? {
        match store::release(cloud, &name, &text).await {
            Err(PromoteError::Unreadable { .. }) => {}
            release => releases.push(release?),
        }
    }
    Ok(releases)
}
