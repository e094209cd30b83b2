//! Finishes or undoes a promotion that was cut off, from its journal.

use super::error::{PromoteError, StepError};
use super::execute::Executor;
use super::model::{Lock, Order, Plan, Promotion, Release};
use super::planner::expired;
use super::revoke::standing;
use super::state::{Books, books};
use super::steps::{Step, Undo};
use super::{document, names, store};
use crate::aws::Cloud;
use crate::event::Events;

/// Which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// On to the release.
    Finish,
    /// Back to what was before.
    Undo,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Resumed {
    /// The channel is at the release.
    Finished(Promotion),
    /// Everything is as it was before; the release is the one that was given up.
    Undone {
        /// What the promotion was going to.
        release: Release,
        /// What was put back, one line each.
        restored: Vec<String>,
    },
    /// It had not begun: only its lock was there, and is removed.
    NotBegun,
}

/// Finishes or undoes the cut-off promotion of a channel. The caller says by calling that the process which began it is
/// gone; should it still run after all, it finds its lock taken before it changes anything in use.
///
/// # Errors
/// When there is nothing to resume, somebody else has the channel now, or a step fails.
pub async fn resume(
    cloud: &Cloud,
    order: &Order<'_>,
    direction: Direction,
    events: &Events,
) -> Result<Resumed, PromoteError> {
    let (project, recipe, arch, channel) = (order.project.name.as_str(), order.recipe, order.arch, order.channel);
    let Books { record, journal, lock } = books(cloud, project, recipe, arch, channel).await?;
    let Some(mut plan) = journal else {
        let Some(lock) = lock else {
            return Err(PromoteError::NothingToResume { channel: channel.to_owned() });
        };
        remove(cloud, order, &lock).await?;
        // The journal is removed after the record is written: then the promotion had happened.
        let happened = record.map(|(release, _)| release).filter(|release| release.id == lock.id);
        return Ok(happened.map_or(Resumed::NotBegun, |release| Resumed::Finished(Promotion::moved(release))));
    };
    if let Some(lock) = lock
        && lock.id != plan.release.id
    {
        if !expired(&lock, cloud.clock().now()) {
            return Err(PromoteError::Locked { channel: channel.to_owned(), holder: lock.holder, since: lock.since });
        }
        remove(cloud, order, &lock).await?;
    }
    match record {
        Some((release, _)) if release.id == plan.release.id => {
            let executor = Executor::resumed(cloud, &plan, order.holder.clone(), events);
            executor.take_over().await.map_err(|cause| locking(channel, cause))?;
            executor.tidy().await?;
            return Ok(Resumed::Finished(Promotion::moved(release)));
        }
        // The record is still the old one, as it must be put back should finishing fail after it is written.
        record => plan.record_before = record.map(|(_, text)| text),
    }
    // Verifying is not repeated, but what was revoked since must not be gone on to.
    if direction == Direction::Finish && !plan.release.empty {
        let found = standing(cloud, project, recipe, arch, &plan.release.ami).await?;
        found.map_or(Ok(()), |revocation| Err(revocation.refusal()))?;
    }
    let executor = Executor::resumed(cloud, &plan, order.holder.clone(), events);
    executor.take_over().await.map_err(|cause| locking(channel, cause))?;
    match direction {
        Direction::Finish => finish(executor, &plan).await,
        Direction::Undo => undo(&executor, &plan).await,
    }
}

/// Removes a lock that is nobody's any more, with what its journal may have left.
async fn remove(cloud: &Cloud, order: &Order<'_>, lock: &Lock) -> Result<(), PromoteError> {
    let (project, recipe, arch, channel) = (order.project.name.as_str(), order.recipe, order.arch, order.channel);
    let journal = names::journal(project, recipe, arch, channel);
    document::remove_journal_parts(cloud, &journal, &lock.id, lock.journal_parts).await?;
    Ok(store::delete(cloud, cloud.home(), &names::lock(project, recipe, arch, channel)).await?)
}

/// What resuming leaves out, because it was done: without them a failure now would leave lock and journal behind.
const DONE: [Step; 3] = [Step::Lock, Step::Verify, Step::Journal];

async fn finish(executor: Executor<'_>, plan: &Plan) -> Result<Resumed, PromoteError> {
    let left: Vec<Vec<Step>> =
        plan.phases().into_iter().filter(|phase| !phase.iter().any(|step| DONE.contains(step))).collect();
    executor.run(&left, &begun(plan)).await.map(Resumed::Finished)
}

/// What may have been begun before: when finishing fails, it is put back, too. The record is not written yet, but parameters
/// beside it may be.
fn begun(plan: &Plan) -> Vec<Step> {
    plan.steps().into_iter().filter(|step| step.undo() != Undo::Finish).collect()
}

async fn undo(executor: &Executor<'_>, plan: &Plan) -> Result<Resumed, PromoteError> {
    match executor.put_back(&begun(plan), true).await {
        Ok(restored) => Ok(Resumed::Undone { release: plan.release.clone(), restored }),
        Err((undo, restored)) => {
            let cause = StepError::Refused("it was cut off".to_owned());
            Err(PromoteError::Stuck { step: Step::Record, cause, others: vec![], undo, restored })
        }
    }
}

fn locking(channel: &str, cause: StepError) -> PromoteError {
    match cause {
        StepError::Locked { holder, since } => PromoteError::Locked { channel: channel.to_owned(), holder, since },
        StepError::Call(call) => call.into(),
        cause => PromoteError::Failed { step: Step::Lock, cause, others: vec![], restored: vec![] },
    }
}

impl Executor<'_> {
    /// Removes journal and lock of a promotion that has happened.
    async fn tidy(&self) -> Result<(), PromoteError> {
        let journal = self.remove_journal().await;
        journal.map_err(|cause| PromoteError::Untidy { step: Step::Clear, cause })?;
        self.unlock().await.map_err(|cause| PromoteError::Untidy { step: Step::Unlock, cause })
    }
}
