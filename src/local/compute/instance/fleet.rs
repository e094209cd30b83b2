//! Instances of Auto Scaling groups: records that `DescribeInstances` shows, without machines behind them.
//!
//! A group exists here so that its refreshes can be tried; dozens of instances would be too many sandboxes for that. So they
//! have an image, tags and a state, but nothing runs in them and no process owns them: they outlive the one that made them.

use super::{INSTANCE, InstanceRecord, InstanceState};
use crate::clock::rfc3339;
use crate::local::compute::ami;
use crate::local::compute::process::Owner;
use crate::local::ec2::keys::Reason;
use crate::local::random;
use crate::local::records::Ami;
use crate::local::store::{Scope, StoreError, Transaction};
use crate::local::wire::ServiceError;
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;

/// The tag that AWS puts on every instance of a group.
pub(in crate::local) const GROUP: &str = "aws:autoscaling:groupName";

/// What is launched.
#[derive(Debug)]
pub(in crate::local) struct Order<'a> {
    /// The image.
    pub(in crate::local) ami: &'a Ami,
    /// Instance type.
    pub(in crate::local) instance_type: &'a str,
    /// All tags, [`GROUP`] among them.
    pub(in crate::local) tags: BTreeMap<String, String>,
    /// When.
    pub(in crate::local) at: OffsetDateTime,
}

/// The AMI of that id that the account may launch.
///
/// # Errors
/// EC2's.
pub(in crate::local) fn launchable(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Ami, ServiceError> {
    ami::launchable(tx, scope, id)
}

/// Records an instance that runs from now on; its id.
///
/// # Errors
/// A database error, or no randomness.
pub(in crate::local) fn start(tx: &Transaction<'_>, scope: &Scope, order: Order<'_>) -> Result<String, ServiceError> {
    let record = record(order)?;
    tx.put(scope, INSTANCE, &record.id, &record)?;
    Ok(record.id)
}

/// How long a group waits before it tries a launch again that has failed.
const PAUSE: Duration = Duration::from_mins(1);

/// Records an instance that has ended before it ran, for that reason; unless one of its group did so just now.
///
/// # Errors
/// A database error, or no randomness.
pub(in crate::local) fn fail(
    tx: &Transaction<'_>,
    scope: &Scope,
    order: Order<'_>,
    reason: Reason,
) -> Result<(), ServiceError> {
    let since = rfc3339(order.at - PAUSE);
    let failed = |one: &InstanceRecord| {
        one.state_reason.as_ref() == Some(&reason)
            && one.tags.get(GROUP) == order.tags.get(GROUP)
            && one.launched_at > since
    };
    if tx.list::<InstanceRecord>(scope, INSTANCE, "")?.iter().any(|(_, one)| failed(one)) {
        return Ok(());
    }
    let mut record = record(order)?;
    record.state = InstanceState::Terminated;
    record.terminated_at = Some(record.launched_at.clone());
    record.state_reason = Some(reason);
    Ok(tx.put(scope, INSTANCE, &record.id, &record)?)
}

fn record(order: Order<'_>) -> Result<InstanceRecord, ServiceError> {
    let id = random::resource_id("i")?;
    let digits = u16::from_str_radix(&id[2..6], 16).unwrap_or(1).to_be_bytes();
    Ok(InstanceRecord {
        reservation: id.replacen("i-", "r-", 1),
        id,
        image: order.ami.id.clone(),
        architecture: order.ami.architecture.clone(),
        instance_type: order.instance_type.to_owned(),
        state: InstanceState::Running,
        state_reason: None,
        launched_at: rfc3339(order.at),
        terminated_at: None,
        tags: order.tags,
        http_tokens: if order.ami.imds_v2 { "required" } else { "optional" }.to_owned(),
        hop_limit: if order.ami.imds_v2 { 2 } else { 1 },
        client_token: String::new(),
        address: format!("172.31.{}.{}", digits[0], digits[1].clamp(4, 254)),
        os_id: String::new(),
        os_name: String::new(),
        os_version: String::new(),
        owner: Owner { pid: 0, started: 0 },
    })
}

/// Records that one has ended.
///
/// # Errors
/// A database error.
pub(in crate::local) fn end(
    tx: &Transaction<'_>,
    scope: &Scope,
    id: &str,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let Some(mut record) = tx.get::<InstanceRecord>(scope, INSTANCE, id)? else { return Ok(()) };
    record.state = InstanceState::Terminated;
    record.terminated_at = Some(rfc3339(at));
    let code = "Client.UserInitiatedShutdown";
    record.state_reason = Some((code.to_owned(), format!("{code}: User initiated shutdown")));
    tx.put(scope, INSTANCE, id, &record)
}

/// Whether one is there and has not ended.
///
/// # Errors
/// A database error.
pub(in crate::local) fn is_up(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<bool, StoreError> {
    let record: Option<InstanceRecord> = tx.get(scope, INSTANCE, id)?;
    Ok(record.is_some_and(|record| record.state.is_up()))
}
