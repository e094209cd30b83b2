//! Opening and closing: what dead processes have left is ended, and what this one runs is stopped.

use super::super::store::{Scope, StoreError};
use super::super::{Local, LocalError};
use super::command::{COMMAND, CommandRecord, CommandStatus, QUEUE};
use super::image::{self, IMAGE, IMAGE_ARN_TAG, ImageRecord, ImageStatus, WORKFLOW, WorkflowExecution, WorkflowStatus};
use super::instance::{self, INSTANCE, InstanceRecord, InstanceState};
use super::state::Compute;
use crate::clock::rfc3339;
use crate::local::records::{AMI, Ami};
use crate::sandbox;
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// How long EC2 shows terminated instances.
const TERMINATED_SHOWN: Duration = Duration::hours(1);
/// How long Systems Manager keeps commands.
const COMMANDS_KEPT: Duration = Duration::days(30);

impl Compute {
    /// Called once when the local environment is opened: ends what a dead process left behind.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub fn recover(local: &Arc<Local>) -> Result<(), LocalError> {
        local.compute.attach(local);
        if let Err(error) = sandbox::root::sweep(&local.config.state.join("instances")) {
            tracing::warn!(%error, "folders of instances of ended processes could not be removed");
        }
        let now = local.config.clock.now();
        for scope in scopes(local, INSTANCE)? {
            end_instances(local, &scope, now)?;
        }
        image::scripted::reload(local)?;
        for scope in scopes(local, IMAGE)? {
            end_builds(local, &scope)?;
        }
        for scope in scopes(local, COMMAND)? {
            end_commands(local, &scope, now)?;
        }
        Ok(())
    }

    /// Stops every instance and build of this process, and waits until nothing of them is left.
    pub fn shutdown(local: &Local) {
        let instances = local.compute.close();
        for (_, live) in &instances {
            live.stop();
        }
        // Builds end as cancelled by themselves. Folders go afterwards: a build may still be reading one.
        local.compute.join();
        local.compute.shared.wait_for_endings();
        for (id, live) in instances {
            if instance::shelve(local, &id, &live) {
                continue;
            }
            drop(live);
            instance::discard(local, &id);
            if let Err(error) = record_end(local, &id) {
                tracing::error!(instance = id, %error, "the end of an instance could not be recorded");
            }
        }
    }
}

fn scopes(local: &Local, kind: &str) -> Result<Vec<Scope>, StoreError> {
    local.store.read(|tx| tx.scopes(kind))
}

fn record_end(local: &Local, id: &str) -> Result<(), StoreError> {
    for scope in scopes(local, INSTANCE)? {
        instance::record_terminated(local, &scope, id, None)?;
    }
    Ok(())
}

fn is_older(time: Option<&str>, age: Duration, now: OffsetDateTime) -> bool {
    time.and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok()).is_some_and(|time| now - time > age)
}

fn end_instances(local: &Local, scope: &Scope, now: OffsetDateTime) -> Result<(), StoreError> {
    let records = local.store.read(|tx| tx.list::<InstanceRecord>(scope, INSTANCE, ""))?;
    for (id, record) in records {
        if record.state == InstanceState::Terminated {
            if is_older(record.terminated_at.as_deref(), TERMINATED_SHOWN, now) {
                local.store.write(|tx| tx.delete(scope, INSTANCE, &id))?;
            }
        } else if record.state != InstanceState::Stopped && !record.is_of_fleet() && !record.owner.alive() {
            instance::discard(local, &id);
            let message =
                format!("Server.InternalError: the local environment's process (pid {}) ended", record.owner.pid);
            instance::record_terminated(local, scope, &id, Some(("Server.InternalError", &message)))?;
        }
    }
    Ok(())
}

fn end_builds(local: &Local, scope: &Scope) -> Result<(), StoreError> {
    let records = local.store.read(|tx| tx.list::<ImageRecord>(scope, IMAGE, ""))?;
    for (arn, record) in records {
        if record.status.is_final() || record.owner.alive() || image::scripted::is_scripted(local, scope, &arn)? {
            continue;
        }
        let reason = format!(
            "The local environment's process (pid {}) ended while the image was {}; start the build again.",
            record.owner.pid,
            record.status.word()
        );
        discard_pending_amis(local, scope, &arn)?;
        end_workflows(local, scope, &arn, &reason)?;
        let failure = serde_json::json!({"imageStatus": record.status.word()});
        image::close(local, scope, &arn, ImageStatus::Failed, Some(&reason), Some(failure))?;
    }
    Ok(())
}

fn discard_pending_amis(local: &Local, scope: &Scope, image: &str) -> Result<(), StoreError> {
    let amis = local.store.read(|tx| tx.list::<Ami>(scope, AMI, ""))?;
    for (_, ami) in amis {
        if ami.state == "pending" && ami.tags.get(IMAGE_ARN_TAG).is_some_and(|arn| arn == image) {
            image::discard_ami(local, scope, &ami)?;
        }
    }
    Ok(())
}

fn end_workflows(local: &Local, scope: &Scope, image: &str, reason: &str) -> Result<(), StoreError> {
    let now = rfc3339(local.config.clock.now());
    local.store.write(|tx| {
        for (id, mut run) in tx.list::<WorkflowExecution>(scope, WORKFLOW, "")? {
            if run.image_arn == image && run.status == WorkflowStatus::Running {
                run.end(WorkflowStatus::RollbackCompleted, reason, &now);
                tx.put(scope, WORKFLOW, &id, &run)?;
            }
        }
        Ok(())
    })
}

fn end_commands(local: &Local, scope: &Scope, now: OffsetDateTime) -> Result<(), StoreError> {
    local.store.write(|tx| {
        for (id, mut record) in tx.list::<CommandRecord>(scope, COMMAND, "")? {
            if is_older(Some(&record.requested_at), COMMANDS_KEPT, now) {
                tx.delete(scope, COMMAND, &id)?;
                tx.delete(scope, QUEUE, &id)?;
                continue;
            }
            let runs = matches!(record.status, CommandStatus::Pending | CommandStatus::InProgress);
            let instance: Option<InstanceRecord> = tx.get(scope, INSTANCE, &record.instance_id)?;
            if runs && instance.is_none_or(|instance| !instance.state.is_up()) {
                record.status = CommandStatus::Failed;
                "Terminated".clone_into(&mut record.details);
                record.ended_at = Some(rfc3339(now));
                "The instance ended before the command did.".clone_into(&mut record.stderr);
                tx.put(scope, COMMAND, &id, &record)?;
                tx.delete(scope, QUEUE, &id)?;
            }
        }
        Ok(())
    })
}
