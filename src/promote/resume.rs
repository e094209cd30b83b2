//! Finishes or undoes a promotion that was cut off, from its journal.

use super::approve::{builder, consent};
use super::error::{PromoteError, StepError};
use super::execute::Executor;
use super::model::{Again, Approval, Lock, Order, Plan, Promotion, Release};
use super::planner::{expired, find_channel};
use super::revoke::standing;
use super::rules::{self, Known};
use super::state::{Books, before, books};
use super::steps::{Step, Undo};
use super::{document, image, names, store};
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
/// What is finished was judged when it was begun, which may be long ago: `judge` is asked again for the evidence about the image of
/// that id and the verdicts on it, and the channel's rules must hold now, or are passed over by the order. Neither holds up the way
/// back, nor the end of what had gone back.
///
/// # Errors
/// When there is nothing to resume, somebody else has the channel now, it may not be finished any more, or a step fails.
pub async fn resume<E: From<PromoteError>>(
    cloud: &Cloud,
    order: &Order<'_>,
    direction: Direction,
    judge: impl AsyncFnOnce(&str) -> Result<Approval, E>,
    events: &Events,
) -> Result<Resumed, E> {
    let plan = match find(cloud, order, direction, events).await? {
        Left::Settled(resumed) => return Ok(*resumed),
        Left::Cut(plan) => plan,
    };
    let overridden = match (&plan.evidence_tag, direction) {
        (Some(begun_with), Direction::Finish) => {
            let approval = judge(&plan.release.ami).await?;
            allowed(cloud, order, &plan, begun_with, &approval)
                .await
                .map_err(|cause| cause.of_resuming(order.channel))?
        }
        _ => None,
    };
    Ok(go_on(cloud, order, direction, &plan, overridden, events).await?)
}

/// The same for a revocation, which must know that nothing goes to the release any more. What leads away from it is finished: that
/// is no more held up than going back is. Anything else goes back to where it was: whether a promotion is to be finished is not for
/// a revocation to say.
pub(super) async fn settle(
    cloud: &Cloud,
    order: &Order<'_>,
    revoked: &str,
    events: &Events,
) -> Result<Resumed, PromoteError> {
    let plan = match find(cloud, order, Direction::Undo, events).await? {
        Left::Settled(resumed) => return Ok(*resumed),
        Left::Cut(plan) => plan,
    };
    let (to, from) = (&plan.release, plan.previous.as_ref());
    let goes_back = plan.evidence_tag.is_none() && (to.empty || to.ami != revoked);
    let leads_away = to.ami != revoked && from.is_some_and(|from| from.ami == revoked);
    let stands = match stands(cloud, order, &plan).await {
        Err(PromoteError::Revoked { .. }) => false,
        stands => stands.map(|()| true)?,
    };
    if !stands || (!goes_back && !leads_away) {
        return go_on(cloud, order, Direction::Undo, &plan, None, events).await;
    }
    let unjudged = plan.evidence_tag.as_ref().map(|_| format!("{} (it was not judged again)", order.reason));
    go_on(cloud, order, Direction::Finish, &plan, unjudged, events).await
}

/// What a process that was cut off has left.
enum Left {
    /// Nothing that is still to be decided.
    Settled(Box<Resumed>),
    /// A promotion, or a way back, in the middle.
    Cut(Box<Plan>),
}

/// Looks for it. What had not begun, or had happened, is tidied up; what was revoked since is not gone on to.
async fn find(cloud: &Cloud, order: &Order<'_>, direction: Direction, events: &Events) -> Result<Left, PromoteError> {
    let (project, recipe, arch, channel) = (order.project.name.as_str(), order.recipe, order.arch, order.channel);
    let Books { record, journal, lock } = books(cloud, project, recipe, arch, channel).await?;
    let Some(mut plan) = journal else {
        let Some(lock) = lock else {
            return Err(PromoteError::NothingToResume { channel: channel.to_owned() });
        };
        remove(cloud, order, &lock).await?;
        // The journal is removed after the record is written: then the promotion had happened.
        let happened = record.map(|(release, _)| release).filter(|release| release.id == lock.id);
        let happened = happened.map(|release| Resumed::Finished(Promotion::moved(release)));
        return Ok(Left::Settled(Box::new(happened.unwrap_or(Resumed::NotBegun))));
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
            let mut executor = Executor::resumed(cloud, &plan, order.holder.clone(), events);
            executor.take_over().await.map_err(|cause| locking(channel, cause))?;
            executor.tidy().await?;
            return Ok(Left::Settled(Box::new(Resumed::Finished(Promotion::moved(release)))));
        }
        // The record is still the old one, as it must be put back should finishing fail after it is written.
        record => plan.record_before = record.map(|(_, text)| text),
    }
    if direction == Direction::Finish {
        stands(cloud, order, &plan).await?;
    }
    Ok(Left::Cut(Box::new(plan)))
}

/// What was revoked since is not gone on to.
async fn stands(cloud: &Cloud, order: &Order<'_>, plan: &Plan) -> Result<(), PromoteError> {
    if plan.release.empty {
        return Ok(());
    }
    let found = standing(cloud, &order.project.name, order.recipe, order.arch, &plan.release.ami).await?;
    found.map_or(Ok(()), |revocation| Err(revocation.refusal()))
}

/// Whether a promotion may be finished now, which was begun with the evidence of that digest; why rules are passed over.
async fn allowed(
    cloud: &Cloud,
    order: &Order<'_>,
    plan: &Plan,
    begun_with: &str,
    approval: &Approval,
) -> Result<Option<String>, PromoteError> {
    let (channel, ami) = (find_channel(order)?, &plan.release.ami);
    if approval.digest != begun_with {
        let reason =
            format!("it was begun with evidence {begun_with}, there is other evidence now: {}", approval.digest);
        return Err(PromoteError::NotApproved { ami: ami.clone(), reason });
    }
    rules::approved(ami, approval, &image::look(cloud, cloud.home(), ami).await?)?;
    let (before, consent) = (before(cloud, order).await?, consent(cloud, order, ami).await?);
    let builder = builder(cloud, order, plan.release.image_arn.as_deref()).await?;
    let known = Known { before: before.as_ref(), consent: consent.as_ref(), builder: &builder };
    match rules::channel(channel, (order.recipe, ami), known, Some(begun_with), cloud.clock().now()) {
        Ok(()) => Ok(None),
        Err(missing) => rules::overridden(order, channel, missing).map(Some),
    }
}

async fn go_on(
    cloud: &Cloud,
    order: &Order<'_>,
    direction: Direction,
    plan: &Plan,
    overridden: Option<String>,
    events: &Events,
) -> Result<Resumed, PromoteError> {
    let mut executor = Executor::resumed(cloud, plan, order.holder.clone(), events);
    if direction == Direction::Finish {
        let by = order.caller.clone().unwrap_or_else(|| order.holder.clone());
        executor.again.push(Again { by, overridden });
    }
    let found = executor.take_over().await.map_err(|cause| locking(order.channel, cause))?;
    let now = look_again(cloud, order, direction, plan).await;
    if !matches!(now, Ok(Now::Same)) {
        // Whoever comes next finds what we have found; the lock of what has ended meanwhile is nobody's. Why it is not gone on with
        // is more than that the lock could not be given back.
        let ended = matches!(now, Ok(Now::Ended));
        drop(executor.give_back(found.as_ref().filter(|_| !ended)).await);
        let cause = StepError::Changed("the journal or the record");
        let taken_over = |_| PromoteError::TakenOver { channel: order.channel.to_owned(), cause };
        return Err(now.map_or_else(|error| error, taken_over));
    }
    match direction {
        Direction::Finish => finish(executor, plan).await,
        Direction::Undo => undo(&executor, plan).await,
    }
}

/// What has become of a promotion since it was looked at first.
enum Now {
    Same,
    /// Somebody else has gone on with it, or with the channel.
    Changed,
    /// Somebody else has ended it.
    Ended,
}

/// Looks again under the lock. Whoever revokes the release writes that down before looking at the lock: one of the two sees the
/// other.
async fn look_again(cloud: &Cloud, order: &Order<'_>, direction: Direction, plan: &Plan) -> Result<Now, PromoteError> {
    let books = books(cloud, &order.project.name, order.recipe, order.arch, order.channel).await?;
    let Some(journal) = books.journal.filter(|journal| journal.release.id == plan.release.id) else {
        return Ok(Now::Ended);
    };
    // To the last id of a copy: what somebody else has staged by it would be nobody's.
    let journal = Plan { from: plan.from.clone(), record_before: plan.record_before.clone(), ..journal };
    if journal != *plan || books.record.map(|(_, text)| text) != plan.record_before {
        return Ok(Now::Changed);
    }
    if direction == Direction::Finish {
        stands(cloud, order, plan).await?;
    }
    Ok(Now::Same)
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
