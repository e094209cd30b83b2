//! A plan from a file, carried out.

use super::Work;
use super::error::RunError;
use crate::aws::Cloud;
use crate::event::{Ending, Events, Stage};
use crate::plan::{self, Desired, PlanError, Published, SavedPlan, quota};
use crate::project::{Arch, Project};

/// Publishes what was planned, and nothing else: the account is looked at first for every recipe, and when one of them would
/// need other changes than those that were shown, nothing at all is done.
///
/// The project is only asked how a parent image is made on this machine; what is published stands in the file.
///
/// # Errors
/// When it was made for another place or the account has changed, and what publishing itself can fail with: that all of it fits
/// into the account's quotas is found out before the first call.
pub async fn publish_saved(
    cloud: &Cloud,
    project: &Project,
    saved: &SavedPlan,
    over_quota: bool,
    events: &Events,
) -> Result<Vec<Published>, RunError> {
    saved.check_place(cloud.environment(), cloud.home())?;
    events.started(Stage::Plan, format!("comparing with the plan of {}", saved.created_at));
    let desired: Vec<Desired> = saved.plans.iter().map(|one| one.desired.clone()).collect();
    let observed = plan::observe_many(cloud, &desired).await?;
    let mut plans = vec![];
    for (one, observed) in saved.plans.iter().zip(&observed) {
        let now = plan::diff(&one.desired, observed);
        saved.check(one, &now)?;
        // All together are counted below.
        plans.push(now.despite_quotas(true));
    }
    if !over_quota {
        let rooms = quota::rooms(cloud, &plans).await.map_err(PlanError::from)?;
        quota::check(&rooms)?;
    }
    events.finished(Stage::Plan, Ending::Done, "the account is as it was");
    let mut published = vec![];
    for plan in &plans {
        if !plan.publishes_nothing() && cloud.is_local() {
            parent(cloud, project, plan.desired(), events).await?;
        }
        published.push(plan::publish(cloud, plan, events).await?);
    }
    Ok(published)
}

/// On this machine the parent image is made by whoever needs it.
async fn parent(cloud: &Cloud, project: &Project, desired: &Desired, events: &Events) -> Result<(), RunError> {
    let (Some(recipe), Some(arch)) = (project.recipes.get(&desired.recipe.name), Arch::parse(&desired.arch)) else {
        return Ok(());
    };
    let work = Work { cloud, project, recipe, arch };
    let rendered = work.check(&Events::none())?;
    work.parent(&rendered, events).await?;
    Ok(())
}
