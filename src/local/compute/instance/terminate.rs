//! Ending an instance: kill, clean, record.

use super::{INSTANCE, InstanceRecord, InstanceState};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::command;
use crate::local::ec2::input;
use crate::local::store::{Scope, StoreError};
use crate::local::wire::{Caller, ServiceError};
use crate::sandbox;
use serde_json::{Value, json};

/// `TerminateInstances`. Terminating what is terminated succeeds again.
///
/// An instance of another process is asked to end; its process does it within a moment.
pub(in crate::local::compute) fn terminate_instances(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let ids = input.texts("InstanceId")?;
    if ids.is_empty() {
        return Err(input.missing("InstanceId"));
    }
    if input.flag("DryRun")? == Some(true) {
        local.store.read(|tx| ids.iter().try_for_each(|id| find(tx, &caller.scope, id).map(drop)))?;
        return Err(dry_run());
    }
    let changes = local.store.write(|tx| {
        let mut changes = Vec::new();
        for id in ids {
            let mut record = find(tx, &caller.scope, id)?;
            let previous = record.state;
            if previous.is_up() || previous == InstanceState::Stopped {
                record.state = InstanceState::ShuttingDown;
                record.state_reason = Some(user_initiated());
                tx.put(&caller.scope, INSTANCE, id, &record)?;
            }
            changes.push((id.to_owned(), previous, record.state, record.owner));
        }
        Ok::<_, ServiceError>(changes)
    })?;
    for (id, previous, _, owner) in &changes {
        terminate(local, &caller.scope, id, None)?;
        // Nobody runs it: its process has ended, or it is the record that a scripted build has left.
        if !owner.alive() || *previous == InstanceState::Stopped || local.config.builds.are_scripted() {
            discard(local, id);
            super::left::unshelve(local, id);
            record_terminated(local, &caller.scope, id, None)?;
        }
    }
    let items: Vec<Value> = changes
        .into_iter()
        .map(|(id, previous, current, _)| {
            json!({"instanceId": id, "currentState": current.json(), "previousState": previous.json()})
        })
        .collect();
    Ok(json!({"instancesSet": items}))
}

fn user_initiated() -> (String, String) {
    let code = "Client.UserInitiatedShutdown";
    (code.to_owned(), format!("{code}: User initiated shutdown"))
}

/// The answer to a dry run that would have succeeded.
pub(super) fn dry_run() -> ServiceError {
    ServiceError::new(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
}

/// The record of an instance.
///
/// # Errors
/// EC2's, when there is none or the id has not the form of one.
pub(super) fn find(
    tx: &crate::local::store::Transaction<'_>,
    scope: &Scope,
    id: &str,
) -> Result<InstanceRecord, ServiceError> {
    if !id.starts_with("i-") {
        let message = format!("Invalid id: \"{id}\" (expecting \"i-...\")");
        return Err(ServiceError::new(400, "InvalidInstanceID.Malformed", message));
    }
    tx.get(scope, INSTANCE, id)?.ok_or_else(|| {
        ServiceError::new(400, "InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
    })
}

/// Ends an instance of this process, removes its folder and records it as terminated. Does nothing to an instance
/// of another process or one that has ended. `reason` replaces the state reason.
pub(in crate::local::compute) fn terminate(
    local: &Local,
    scope: &Scope,
    id: &str,
    reason: Option<(&str, &str)>,
) -> Result<(), StoreError> {
    if let Some(ending) = local.compute.shared.end_instance(id) {
        ending.live.stop();
        discard(local, id);
        return record_terminated(local, scope, id, reason);
    }
    Ok(())
}

/// Records that an instance has ended.
pub(in crate::local::compute) fn record_terminated(
    local: &Local,
    scope: &Scope,
    id: &str,
    reason: Option<(&str, &str)>,
) -> Result<(), StoreError> {
    let now = rfc3339(local.config.clock.now());
    local.store.write(|tx| {
        let Some(mut record) = tx.get::<InstanceRecord>(scope, INSTANCE, id)? else { return Ok(()) };
        if record.state == InstanceState::Terminated {
            return Ok(());
        }
        record.state = InstanceState::Terminated;
        command::abandon(tx, scope, id, &now)?;
        record.terminated_at = Some(now);
        if let Some((code, message)) = reason {
            record.state_reason = Some((code.to_owned(), message.to_owned()));
        }
        tx.put(scope, INSTANCE, id, &record)
    })
}

/// Removes the folder of an instance that does not run. What cannot be removed now is swept at the next start.
pub(in crate::local::compute) fn discard(local: &Local, id: &str) {
    let folder = super::launch::scratch(local, id);
    if let Err(error) = sandbox::root::remove(&folder) {
        tracing::warn!(folder = %folder.display(), %error, "the folder of an instance could not be removed");
    }
}
