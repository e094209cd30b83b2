//! Back to the release before.

use super::error::PromoteError;
use super::execute::execute;
use super::model::{Candidate, Decision, Order, Promotion, Release};
use super::state::{observe, record};
use super::{names, planner, store};
use crate::aws::Cloud;
use crate::event::Events;

/// Moves a channel back to the release before the current one, by the same steps as a promotion. Gates and the channel's
/// rules are not asked again: the release was in this channel before. Rolling back twice goes back two releases.
///
/// # Errors
/// When there is no earlier release, its AMI is gone, or a step fails.
pub async fn rollback(cloud: &Cloud, order: &Order<'_>, events: &Events) -> Result<Promotion, PromoteError> {
    planner::find_channel(order)?;
    let current = record(cloud, &order.project.name, order.recipe, order.arch, order.channel).await?;
    let back_to = current.and_then(|(release, _)| release.previous);
    let back_to = back_to.ok_or_else(|| PromoteError::NoEarlier { channel: order.channel.to_owned() })?;
    let candidate = Candidate {
        ami: back_to.ami.clone(),
        image_arn: back_to.image_arn.clone(),
        image_version: back_to.image_version.clone(),
    };
    let state = observe(cloud, order, &candidate).await?;
    match planner::plan(order, &candidate, None, &state, cloud.clock().now())? {
        Decision::Nothing(release) => Ok(Promotion::unchanged(*release)),
        Decision::Go(mut plan) => {
            plan.release.evidence.clone_from(&back_to.evidence);
            plan.previous = earlier(cloud, order, &back_to).await?;
            execute(cloud, &plan, events).await
        }
    }
}

/// What was in the channel before the release that is gone back to: the record itself keeps only one step, the
/// parameter's history the rest.
async fn earlier(cloud: &Cloud, order: &Order<'_>, back_to: &Release) -> Result<Option<Release>, PromoteError> {
    let name = names::record(&order.project.name, order.recipe, order.arch, order.channel);
    let same = |release: &Release| release.id == back_to.id;
    for text in store::history(cloud, &name).await? {
        if let Ok(release) = store::release(cloud, &name, &text).await
            && same(&release)
        {
            return Ok(release.previous.map(|release| *release));
        }
    }
    Ok(None)
}
