//! Instances that failed builds have left (`terminateInstanceOnFailure` is false).
//!
//! One of a real build runs on as long as its process does. Then it is put beside the instances that `amiforge test --keep` has left,
//! where `amiforge shell ID` finds it, and EC2 tells it as stopped. One of a build that follows a script is a record only.

use super::{INSTANCE, InstanceRecord, InstanceState, hostname};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::ami;
use crate::local::compute::image::{ImageRecord, instance_tags};
use crate::local::compute::process::Owner;
use crate::local::compute::state::Live;
use crate::local::records::Ami;
use crate::local::store::{Scope, StoreError, Transaction};
use crate::trial::{Kept, Shelf};
use std::path::Path;
use time::OffsetDateTime;

/// The shelf of the project whose local environment this is.
fn shelf(local: &Local) -> Shelf {
    Shelf::new(local.config.state.parent().unwrap_or(Path::new(".")))
}

/// Records the instance of a build that followed a script and failed: it runs on.
pub(in crate::local::compute) fn leave(
    tx: &Transaction<'_>,
    scope: &Scope,
    image: &ImageRecord,
    (id, purpose, ami): (&str, &str, &Ami),
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    // A process that cannot name itself leaves an instance whose owner has ended.
    let owner = Owner::current().unwrap_or(Owner { pid: 0, started: 0 });
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(4).collect();
    let number = u16::from_str_radix(&digits, 16).unwrap_or(1).to_be_bytes();
    let record = InstanceRecord {
        id: id.to_owned(),
        reservation: id.replacen("i-", "r-", 1),
        image: ami.id.clone(),
        architecture: ami.architecture.clone(),
        instance_type: "m5.large".into(),
        state: InstanceState::Running,
        state_reason: None,
        launched_at: rfc3339(at),
        terminated_at: None,
        tags: instance_tags(image, purpose),
        http_tokens: "required".into(),
        hop_limit: 1,
        client_token: String::new(),
        address: format!("172.31.{}.{}", number[0], number[1].clamp(4, 254)),
        os_id: String::new(),
        os_name: String::new(),
        os_version: String::new(),
        owner,
    };
    tx.put(scope, INSTANCE, id, &record)
}

/// Puts an instance on the shelf whose process ends, if a failed build has left it; whether it was.
pub(in crate::local::compute) fn shelve(local: &Local, id: &str, live: &Live) -> bool {
    if !local.compute.shared.was_left(id) {
        return false;
    }
    let found = local.store.read(|tx| {
        for scope in tx.scopes(INSTANCE)? {
            if let Some(record) = tx.get::<InstanceRecord>(&scope, INSTANCE, id)? {
                return Ok::<_, StoreError>(Some((scope, record)));
            }
        }
        Ok(None)
    });
    let Ok(Some((scope, mut record))) = found else { return false };
    // A parent image may belong to somebody else.
    let ami = match local.store.read(|tx| ami::launchable(tx, &scope, &record.image)) {
        Ok(ami) => ami,
        Err(error) => {
            tracing::warn!(instance = id, %error, "the instance of a failed build could not be kept: its image is gone");
            return false;
        }
    };
    let at = rfc3339(local.config.clock.now());
    let kept = Kept::new(id, "build", "FAILED", live.mode(), at, false, ami.layers);
    if let Err(error) = shelf(local).put(&kept, &super::launch::scratch(local, id), None) {
        tracing::warn!(instance = id, %error, "the instance of a failed build could not be kept");
        return false;
    }
    record.state = InstanceState::Stopped;
    let host = hostname(&record.address);
    record.state_reason = Some((
        "Server.ScheduledStop".to_owned(),
        format!("Server.ScheduledStop: the process that ran {host} ended; amiforge shell {id} enters it"),
    ));
    let done: Result<(), StoreError> = local.store.write(|tx| tx.put(&scope, INSTANCE, id, &record));
    done.is_ok()
}

/// Takes one from the shelf, with all it holds.
pub(super) fn unshelve(local: &Local, id: &str) {
    let shelf = shelf(local);
    if shelf.find(id).is_some()
        && let Err(error) = shelf.remove(id)
    {
        tracing::warn!(instance = id, %error, "a kept instance could not be removed");
    }
}
