//! One revocation or restoration of a recipe at a time.

use crate::aws::Cloud;
use crate::clock::rfc3339;
use crate::promote::error::{PromoteError, StepError};
use crate::promote::model::{LOCK_SCHEMA, Lock, Order};
use crate::promote::perform::{json, step_error};
use crate::promote::planner::expired;
use crate::promote::state::lock;
use crate::promote::steps::Step;
use crate::promote::{names, store};
use std::time::Duration;

/// After this time somebody else may take it over. Channels have locks of their own, so what is meant here is the time
/// that all of it takes.
const LIFE: Duration = Duration::from_hours(3);

/// The lock, held.
#[derive(Debug, Clone)]
pub(super) struct Held {
    name: String,
    mine: Lock,
}

/// Takes it; `by_force` takes it from whoever holds it, who is gone as the caller says.
pub(super) async fn take(cloud: &Cloud, order: &Order<'_>, id: &str, by_force: bool) -> Result<Held, PromoteError> {
    let now = cloud.clock().now();
    let mine = Lock {
        schema: LOCK_SCHEMA.to_owned(),
        id: id.to_owned(),
        holder: order.holder.clone(),
        since: rfc3339(now),
        expires: rfc3339(now + LIFE),
        again: vec![],
        journal_parts: 0,
    };
    let held = Held { name: names::revoking(&order.project.name, order.recipe, order.arch), mine };
    let text = json(&held.mine).map_err(|error| unwritable(&held.name, &error))?;
    let Err(error) = store::create_document(cloud, &held.name, &text).await else { return Ok(held) };
    if !error.fault.may_have_been_applied() && !error.fault.is(&["ParameterAlreadyExists"]) {
        return Err(error.into());
    }
    match lock(cloud, &held.name).await? {
        Some(found) if held.is_mine(&found) => Ok(held),
        Some(found) if by_force || expired(&found, now) => {
            store::put_document(cloud, &held.name, &text).await?;
            Ok(held)
        }
        Some(Lock { holder, since, .. }) => {
            Err(PromoteError::Revoking { recipe: order.recipe.to_owned(), holder, since })
        }
        None => Err(error.into()),
    }
}

/// Removes what somebody who is gone has left behind after the last thing that was to be done.
pub(super) async fn clear(cloud: &Cloud, order: &Order<'_>, id: &str, by_force: bool) -> Result<(), PromoteError> {
    if !by_force {
        return Ok(());
    }
    let held = take(cloud, order, id, by_force).await?;
    held.release(cloud).await.map_err(|cause| PromoteError::Untidy { step: Step::Unlock, cause })
}

fn unwritable(name: &str, error: &StepError) -> PromoteError {
    PromoteError::Unreadable { parameter: name.to_owned(), reason: error.to_string() }
}

impl Held {
    fn is_mine(&self, lock: &Lock) -> bool {
        lock.id == self.mine.id && lock.holder == self.mine.holder
    }

    /// It is still ours: the last look before images change.
    pub(super) async fn check(&self, cloud: &Cloud) -> Result<(), StepError> {
        match lock(cloud, &self.name).await.map_err(step_error)? {
            Some(found) if self.is_mine(&found) => Ok(()),
            Some(Lock { holder, since, .. }) => Err(StepError::Locked { holder, since }),
            None => Err(StepError::Changed("the lock")),
        }
    }

    /// Gives it back; one that somebody has taken over is theirs.
    pub(super) async fn release(&self, cloud: &Cloud) -> Result<(), StepError> {
        match lock(cloud, &self.name).await.map_err(step_error)? {
            Some(found) if self.is_mine(&found) => Ok(store::delete(cloud, cloud.home(), &self.name).await?),
            _ => Ok(()),
        }
    }
}
