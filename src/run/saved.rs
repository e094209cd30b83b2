//! A plan from a file, carried out.

use super::Work;
use super::error::RunError;
use crate::aws::Cloud;
use crate::event::{Ending, Events, Stage};
use crate::plan::{self, Desired, Plan, Published, SavedPlan};
use crate::project::{Arch, Project};
use futures_util::future::join_all;

/// Recipes that are compared with the account at the same time: some ten calls each, which the SDK paces when the service
/// asks for it.
const AT_ONCE: usize = 8;

/// Publishes what was planned, and nothing else: the account is looked at first for every recipe, and when one of them would
/// need other changes than those that were shown, nothing at all is done.
///
/// The project is only asked how a parent image is made on this machine; what is published stands in the file.
///
/// # Errors
/// When it was made for another place or the account has changed, and what publishing itself can fail with.
pub async fn publish_saved(
    cloud: &Cloud,
    project: &Project,
    saved: &SavedPlan,
    events: &Events,
) -> Result<Vec<Published>, RunError> {
    saved.check_place(cloud.environment(), cloud.home())?;
    events.started(Stage::Plan, format!("comparing with the plan of {}", saved.created_at));
    let mut plans = vec![];
    for one in &saved.plans {
        let observed = plan::observe(cloud, &one.desired).await?;
        let now = plan::diff(&one.desired, &observed);
        saved.check(one, &now)?;
        plans.push(now);
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

/// Plans for several images, in their order, some at a time. Nothing is created.
///
/// # Errors
/// The first that cannot be made, in the order given.
pub async fn plans(works: &[Work<'_>]) -> Result<Vec<Plan>, RunError> {
    let mut plans = Vec::with_capacity(works.len());
    for some in works.chunks(AT_ONCE) {
        let rendered = some.iter().map(|work| work.check(&Events::none())).collect::<Result<Vec<_>, _>>()?;
        let waiting = some
            .iter()
            .zip(&rendered)
            .map(|(work, rendered)| async move { work.plan(rendered, false, &Events::none()).await });
        for plan in join_all(waiting).await {
            plans.push(plan?);
        }
    }
    Ok(plans)
}
