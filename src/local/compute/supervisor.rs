//! Looks, as long as anything runs in this process, for what other processes have asked of it: to end an instance, to
//! cancel a build, to run a command. They can only write records; the sandbox handles are here.

use super::super::Local;
use super::super::wire::ServiceError;
use super::command;
use super::image::{IMAGE, ImageRecord};
use super::instance::{self, INSTANCE, InstanceRecord, InstanceState};
use super::state::Shared;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long another process waits at most until its wish is seen.
const PATIENCE: Duration = Duration::from_millis(250);

/// The supervisor's thread. Holds the environment only while it looks, so that it can be closed meanwhile.
pub(super) fn watch(local: &Weak<Local>, shared: &Arc<Shared>) {
    while shared.doze(PATIENCE) {
        let Some(local) = local.upgrade() else { return };
        if let Err(error) = look(&local) {
            tracing::error!(%error, "the local environment could not look for requests of other processes");
        }
    }
}

fn look(local: &Local) -> Result<(), ServiceError> {
    end_instances(local)?;
    cancel_builds(local)?;
    command::dispatch(local)
}

fn end_instances(local: &Local) -> Result<(), ServiceError> {
    let mine = local.compute.shared.instance_ids();
    let wanted = local.store.read(|tx| {
        let mut wanted = Vec::new();
        for scope in tx.scopes(INSTANCE)? {
            for id in &mine {
                let record: Option<InstanceRecord> = tx.get(&scope, INSTANCE, id)?;
                if record.is_some_and(|record| record.state == InstanceState::ShuttingDown) {
                    wanted.push((scope.clone(), id.clone()));
                }
            }
        }
        Ok::<_, ServiceError>(wanted)
    })?;
    for (scope, id) in wanted {
        instance::terminate(local, &scope, &id, None)?;
    }
    Ok(())
}

fn cancel_builds(local: &Local) -> Result<(), ServiceError> {
    let mine = local.compute.shared.builds();
    let cancelled = local.store.read(|tx| {
        let mut cancelled = Vec::new();
        for scope in tx.scopes(IMAGE)? {
            for arn in &mine {
                let record: Option<ImageRecord> = tx.get(&scope, IMAGE, arn)?;
                if record.is_some_and(|record| record.cancel_requested) {
                    cancelled.push(arn.clone());
                }
            }
        }
        Ok::<_, ServiceError>(cancelled)
    })?;
    for arn in cancelled {
        local.compute.shared.cancel_build(&arn);
    }
    Ok(())
}
