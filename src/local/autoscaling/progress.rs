//! What an instance refresh does as time goes by.
//!
//! Each step has its time and is done when somebody looks after it, as if it had been done then.

use super::super::Local;
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::ServiceError;
use super::alarm;
use super::instances::Ground;
use super::record::{Group, Phase, Refresh, Rollback, Status};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;

/// Kind of [`Due`] documents; the id is account, Region and group. All of them are in one place, so that looking for those that are
/// due costs one look.
const DUE: &str = "autoscaling-due";
/// A refresh that gets no further fails after an hour (patch-baselines.md 12.9).
const STALLED: Duration = Duration::from_hours(1);

/// A refresh that goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Due {
    account: String,
    region: String,
    group: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

fn everywhere() -> Scope {
    Scope { account: "*".to_owned(), region: "*".to_owned() }
}

/// Whether any refresh has a step to do.
pub(in crate::local) fn is_due(tx: &Transaction<'_>, now: OffsetDateTime) -> Result<bool, StoreError> {
    Ok(tx.list::<Due>(&everywhere(), DUE, "")?.iter().any(|(_, due)| due.at <= now))
}

/// Does those steps.
pub(in crate::local) fn settle(local: &Local, now: OffsetDateTime) -> Result<(), ServiceError> {
    local.store.write(|tx| {
        for (key, due) in tx.list::<Due>(&everywhere(), DUE, "")? {
            let scope = Scope { account: due.account, region: due.region };
            let found = (Group::find(tx, &scope, &due.group)?, Refresh::active(tx, &scope, &due.group)?);
            let (Some(mut group), Some(mut refresh)) = found else {
                tx.delete(&everywhere(), DUE, &key)?;
                continue;
            };
            advance(local, tx, &scope, (&mut group, &mut refresh), now)?;
            keep(tx, &scope, &group, &refresh)?;
        }
        Ok(())
    })
}

/// Makes the refreshes of a place be looked at.
pub(super) fn wake(tx: &Transaction<'_>, scope: &Scope, now: OffsetDateTime) -> Result<(), StoreError> {
    for (key, mut due) in tx.list::<Due>(&everywhere(), DUE, "")? {
        if due.account == scope.account && due.region == scope.region {
            due.at = due.at.min(now);
            tx.put(&everywhere(), DUE, &key, &due)?;
        }
    }
    Ok(())
}

/// Writes both down, and when to look again.
pub(super) fn keep(tx: &Transaction<'_>, scope: &Scope, group: &Group, refresh: &Refresh) -> Result<(), StoreError> {
    group.put(tx, scope)?;
    refresh.put(tx, scope)?;
    let key = format!("{}:{}:{}", scope.account, scope.region, group.name);
    if !refresh.status.is_active() {
        return tx.delete(&everywhere(), DUE, &key).map(drop);
    }
    let (account, region) = (scope.account.clone(), scope.region.clone());
    tx.put(&everywhere(), DUE, &key, &Due { account, region, group: group.name.clone(), at: refresh.due })
}

/// Does every step that is due by `now`.
pub(super) fn advance(
    local: &Local,
    tx: &Transaction<'_>,
    scope: &Scope,
    (group, refresh): (&mut Group, &mut Refresh),
    now: OffsetDateTime,
) -> Result<(), ServiceError> {
    while refresh.status.is_active() {
        let until = refresh.due.min(now);
        if let Some((at, name)) = rings(tx, scope, refresh)?.filter(|(at, _)| *at <= until) {
            let at = at.max(refresh.started);
            fail(refresh, at, &format!("The alarm {name} is in the state ALARM."));
            continue;
        }
        if refresh.due > now {
            break;
        }
        let ground = Ground { tx, scope, at: refresh.due, launching: local.config.builds.launching() };
        step(&ground, group, refresh)?;
    }
    Ok(())
}

/// The first of the alarms that ring, while they matter.
pub(super) fn rings(
    tx: &Transaction<'_>,
    scope: &Scope,
    refresh: &Refresh,
) -> Result<Option<(OffsetDateTime, String)>, StoreError> {
    if !refresh.status.is_forward() {
        return Ok(None);
    }
    let mut first = None;
    for name in &refresh.preferences.alarms {
        let since = alarm::since(tx, scope, name)?.map(|at| (at, name.clone()));
        first = first.into_iter().chain(since).min();
    }
    Ok(first)
}

fn step(ground: &Ground<'_>, group: &mut Group, refresh: &mut Refresh) -> Result<(), ServiceError> {
    let at = ground.at;
    match refresh.phase {
        Phase::Begin => {
            refresh.status = Status::InProgress;
            next(ground, group, refresh)
        }
        Phase::Checkpoint => {
            refresh.reason = None;
            next(ground, group, refresh)
        }
        Phase::Batch(count) => {
            if refresh.status == Status::InProgress {
                refresh.updated += count;
            }
            match refresh.doomed.take().filter(|_| refresh.status == Status::InProgress) {
                Some(reason) => fail(refresh, at, &reason),
                None => arrive(ground, group, refresh)?,
            }
            Ok(())
        }
        Phase::Bake => {
            succeed(group, refresh, at);
            Ok(())
        }
        Phase::Stalled => {
            let reason = refresh.reason.clone().unwrap_or_default();
            fail(refresh, at, &reason);
            Ok(())
        }
        Phase::Cancel => {
            end(refresh, Status::Cancelled, at, "Cancelled due to user request.");
            Ok(())
        }
    }
}

/// A batch is done: a checkpoint is waited for, or the next batch begins.
fn arrive(ground: &Ground<'_>, group: &mut Group, refresh: &mut Refresh) -> Result<(), ServiceError> {
    let percent = refresh.percent();
    let checkpoint = refresh.preferences.checkpoints.iter().find(|one| reached(refresh, **one) == refresh.updated);
    if let Some(checkpoint) = checkpoint.filter(|_| refresh.status == Status::InProgress && percent < 100) {
        refresh.reason =
            Some(format!("Waiting for {} seconds at the checkpoint of {checkpoint} %.", refresh.preferences.delay));
        refresh.phase = Phase::Checkpoint;
        refresh.due = ground.at + refresh.preferences.delay();
        return Ok(());
    }
    next(ground, group, refresh)
}

/// Instances that are updated when a checkpoint is reached.
fn reached(refresh: &Refresh, checkpoint: u32) -> u32 {
    (refresh.total * checkpoint).div_ceil(100)
}

/// Begins the next batch, or ends when nothing is left.
fn next(ground: &Ground<'_>, group: &mut Group, refresh: &mut Refresh) -> Result<(), ServiceError> {
    refresh.left.retain(|id| group.members.iter().any(|member| member.id == *id));
    let limit = match refresh.status {
        Status::InProgress => {
            // What somebody else has ended was replaced from the desired configuration already.
            refresh.updated = refresh.total - u32::try_from(refresh.left.len()).unwrap_or(refresh.total);
            let mut ahead = refresh.preferences.checkpoints.iter().map(|one| reached(refresh, *one));
            // Behind the last checkpoint nothing is replaced any more.
            let stop = ahead.find(|one| *one > refresh.updated);
            stop.map(|stop| stop - refresh.updated)
                .or_else(|| refresh.preferences.checkpoints.is_empty().then_some(u32::MAX))
        }
        _ => Some(u32::MAX),
    };
    let (Some(limit), false) = (limit, refresh.left.is_empty()) else {
        done(group, refresh, ground.at);
        return Ok(());
    };
    let count = refresh.preferences.batch(group.desired).min(limit).min(u32::try_from(refresh.left.len()).unwrap_or(1));
    let from = match refresh.status {
        Status::InProgress => refresh.desired.clone().unwrap_or_else(|| group.launch.clone()),
        _ => refresh.before.clone(),
    };
    for _ in 0..count {
        // The new one first: should it not come into being, the old one is still there.
        match ground.launch(group, &from) {
            Ok(id) => refresh.made.push(id),
            Err(error) if error.status >= 500 => return Err(error),
            Err(error) => {
                refresh.reason = Some(format!("Instances could not be launched: {}", error.message));
                refresh.phase = Phase::Stalled;
                refresh.due = ground.at + STALLED;
                return Ok(());
            }
        }
        let old = refresh.left.remove(0);
        ground.end(group, &old)?;
    }
    let warmup = refresh.preferences.warmup.or(group.warmup).unwrap_or(group.grace);
    refresh.phase = Phase::Batch(count);
    refresh.due = ground.at + ground.launching + Duration::from_secs(warmup.into());
    Ok(())
}

/// Everything is replaced.
fn done(group: &mut Group, refresh: &mut Refresh, at: OffsetDateTime) {
    match refresh.status {
        Status::RollbackInProgress => end(refresh, Status::RollbackSuccessful, at, ""),
        _ if refresh.preferences.bake > 0 => {
            refresh.status = Status::Baking;
            refresh.phase = Phase::Bake;
            refresh.due = at + Duration::from_secs(refresh.preferences.bake.into());
        }
        _ => succeed(group, refresh, at),
    }
}

fn succeed(group: &mut Group, refresh: &mut Refresh, at: OffsetDateTime) {
    if let Some(desired) = &refresh.desired {
        group.launch = desired.clone();
    }
    end(refresh, Status::Successful, at, "");
}

fn end(refresh: &mut Refresh, status: Status, at: OffsetDateTime, reason: &str) {
    refresh.status = status;
    refresh.ended = Some(at);
    // The reason of a rollback stands in its details.
    refresh.reason = (!reason.is_empty()).then(|| reason.to_owned());
}

/// Ends it as failed, or begins the way back if that is wanted.
fn fail(refresh: &mut Refresh, at: OffsetDateTime, reason: &str) {
    match refresh.status {
        Status::RollbackInProgress => end(refresh, Status::RollbackFailed, at, reason),
        _ if refresh.preferences.rollback => roll_back(refresh, at, &format!("Auto rollback: {reason}")),
        _ => end(refresh, Status::Failed, at, reason),
    }
}

/// Begins the way back: what it has launched is replaced.
pub(super) fn roll_back(refresh: &mut Refresh, at: OffsetDateTime, reason: &str) {
    let left = u32::try_from(refresh.left.len()).unwrap_or(0);
    refresh.rollback = Some(Rollback { reason: reason.to_owned(), started: at, percent: refresh.percent(), left });
    refresh.status = Status::RollbackInProgress;
    refresh.reason = Some(reason.to_owned());
    refresh.left = std::mem::take(&mut refresh.made);
    refresh.phase = Phase::Checkpoint;
    refresh.due = at;
}
