//! Instances of environments whose builds follow scripts: nothing runs, and their states follow the clock. For what launches
//! instances and waits for them, where minutes must pass in milliseconds.

use super::launch::{LaunchError, Order, new_record};
use super::{INSTANCE, InstanceRecord, InstanceState, record_terminated};
use crate::local::Local;
use crate::local::store::{Scope, StoreError, Transaction};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;

/// Kind of [`Starting`] documents; the id is the instance's. All of them are in one place, so that looking for those that are due
/// costs one look.
const STARTING: &str = "ec2-starting";
/// How long an instance is pending, about as on AWS.
const PENDING: Duration = Duration::from_secs(15);

/// An instance that is pending.
#[derive(Debug, Serialize, Deserialize)]
struct Starting {
    account: String,
    region: String,
    #[serde(with = "time::serde::rfc3339")]
    due: OffsetDateTime,
    /// It will end instead of running: code and message of the reason.
    failure: Option<(String, String)>,
}

/// The place of all [`Starting`] documents.
fn everywhere() -> Scope {
    Scope { account: "*".to_owned(), region: "*".to_owned() }
}

/// Records an instance as pending.
pub(super) fn start(local: &Local, scope: &Scope, order: &Order) -> Result<InstanceRecord, LaunchError> {
    let record = new_record(local, order)?;
    let due = local.config.clock.now() + PENDING;
    let (account, region) = (scope.account.clone(), scope.region.clone());
    let starting = Starting { account, region, due, failure: order.failure.clone() };
    local.store.write(|tx| {
        tx.put(scope, INSTANCE, &record.id, &record)?;
        tx.put(&everywhere(), STARTING, &record.id, &starting)
    })?;
    Ok(record)
}

/// Makes an instance end by itself instead of running, as EC2 does when the account may not use the key of its snapshots. It is
/// seen in no answer but that of `DescribeInstances`, a moment later.
pub(in crate::local) fn spoil(local: &Local, id: &str) -> Result<(), StoreError> {
    let reason = ("Client.InternalError", "Client.InternalError: Client error on launch");
    let starting = local.store.write(|tx| {
        let Some(mut starting) = tx.get::<Starting>(&everywhere(), STARTING, id)? else { return Ok(false) };
        starting.failure = Some((reason.0.to_owned(), reason.1.to_owned()));
        tx.put(&everywhere(), STARTING, id, &starting)?;
        Ok::<_, StoreError>(true)
    })?;
    if starting {
        return Ok(());
    }
    // One that runs here is ended here.
    let of = |tx: &Transaction<'_>| {
        let scopes = tx.scopes(INSTANCE)?;
        let found = scopes.into_iter().filter_map(|scope| match tx.get::<InstanceRecord>(&scope, INSTANCE, id) {
            Ok(None) => None,
            Ok(Some(_)) => Some(Ok(scope)),
            Err(error) => Some(Err(error)),
        });
        found.collect::<Result<Vec<_>, StoreError>>()
    };
    local.store.read(of)?.iter().try_for_each(|scope| super::terminate(local, scope, id, Some(reason)))
}

/// Whether the time of a pending instance has come.
///
/// # Errors
/// A database error.
pub(in crate::local) fn is_due(tx: &Transaction<'_>, now: OffsetDateTime) -> Result<bool, StoreError> {
    Ok(tx.list::<Starting>(&everywhere(), STARTING, "")?.iter().any(|(_, starting)| starting.due <= now))
}

/// Lets those run, or end, whose time has come.
///
/// # Errors
/// When the state cannot be read or written.
pub(in crate::local) fn settle(local: &Local, now: OffsetDateTime) -> Result<(), StoreError> {
    let due = local.store.read(|tx| tx.list::<Starting>(&everywhere(), STARTING, ""))?;
    for (id, starting) in due.into_iter().filter(|(_, starting)| starting.due <= now) {
        let scope = Scope { account: starting.account, region: starting.region };
        if let Some((code, message)) = &starting.failure {
            record_terminated(local, &scope, &id, Some((code, message)))?;
        }
        local.store.write(|tx| {
            tx.delete(&everywhere(), STARTING, &id)?;
            let found = tx.get::<InstanceRecord>(&scope, INSTANCE, &id)?;
            match found.filter(|record| record.state == InstanceState::Pending) {
                Some(record) => {
                    tx.put(&scope, INSTANCE, &id, &InstanceRecord { state: InstanceState::Running, ..record })
                }
                None => Ok(()),
            }
        })?;
    }
    Ok(())
}
