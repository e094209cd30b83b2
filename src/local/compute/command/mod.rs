//! Systems Manager commands: their records, and the operations on them.

mod execute;
mod information;
mod invocation;
mod output;
mod send;

pub(super) use execute::{Outcome, dispatch, run as run_job, shell};
pub(super) use information::describe_instance_information;
pub(super) use invocation::{get_command_invocation, list_command_invocations};
pub(super) use output::{Capture, STDERR_LIMIT, STDOUT_LIMIT};
pub(super) use send::send_command;

use super::super::store::{Scope, StoreError, Transaction};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kind of [`CommandRecord`] documents; the id is [`CommandRecord::key`].
pub(super) const COMMAND: &str = "ssm-command-invocation";

/// Kind of the documents that say which invocations wait for the instance's process; same id, same content.
/// A queue of its own, so that looking for work does not mean reading every old output.
pub(super) const QUEUE: &str = "ssm-command-queue";

/// The document that runs a shell script.
pub(super) const RUN_SHELL_SCRIPT: &str = "AWS-RunShellScript";

/// The document that scans and installs patches.
pub(super) const RUN_PATCH_BASELINE: &str = "AWS-RunPatchBaseline";

/// A command on one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CommandRecord {
    pub(super) command_id: String,
    pub(super) instance_id: String,
    pub(super) document: String,
    pub(super) comment: String,
    pub(super) parameters: BTreeMap<String, Vec<String>>,
    /// RFC 3339, as the other times.
    pub(super) requested_at: String,
    /// The same in seconds since 1970, the form of awsJson.
    pub(super) requested_epoch: i64,
    pub(super) started_at: Option<String>,
    pub(super) ended_at: Option<String>,
    pub(super) seconds: f64,
    pub(super) status: CommandStatus,
    /// More exact than the status.
    pub(super) details: String,
    /// Exit code; -1 while there is none.
    pub(super) response_code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl CommandRecord {
    /// The id of the document.
    pub(super) fn key(&self) -> String {
        key(&self.command_id, &self.instance_id)
    }

    /// The first text of a parameter; empty text counts as absent.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name)?.first().map(String::as_str).filter(|text| !text.is_empty())
    }
}

/// The id of an invocation's document.
pub(super) fn key(command: &str, instance: &str) -> String {
    format!("{command}/{instance}")
}

/// `CommandInvocationStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum CommandStatus {
    Pending,
    InProgress,
    Success,
    Failed,
    TimedOut,
}

impl CommandStatus {
    /// The service's word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
        }
    }
}

/// Ends what waits for an instance that has gone.
pub(super) fn abandon(tx: &Transaction<'_>, scope: &Scope, instance: &str, now: &str) -> Result<(), StoreError> {
    for (id, _) in tx.list::<serde_json::Value>(scope, QUEUE, "")? {
        if !id.ends_with(instance) {
            continue;
        }
        tx.delete(scope, QUEUE, &id)?;
        if let Some(mut record) = tx.get::<CommandRecord>(scope, COMMAND, &id)? {
            record.status = CommandStatus::Failed;
            "Undeliverable".clone_into(&mut record.details);
            record.ended_at = Some(now.to_owned());
            "The instance was terminated before the command was delivered.".clone_into(&mut record.stderr);
            tx.put(scope, COMMAND, &id, &record)?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::local::store::Store;

    /// A command that waits, for tests of record logic.
    pub(in super::super) fn record(command: &str, instance: &str) -> CommandRecord {
        CommandRecord {
            command_id: command.into(),
            instance_id: instance.into(),
            document: RUN_SHELL_SCRIPT.into(),
            comment: String::new(),
            parameters: BTreeMap::new(),
            requested_at: "2026-01-02T03:04:05Z".into(),
            requested_epoch: 1_767_323_045,
            started_at: None,
            ended_at: None,
            seconds: 0.0,
            status: CommandStatus::Pending,
            details: "Pending".into(),
            response_code: -1,
            stdout: String::new(),
            stderr: String::new(),
        }
    }

    #[test]
    fn commands_of_a_gone_instance_are_undeliverable() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let scope = Scope { account: "1".into(), region: "r".into() };
        let done: Result<(), StoreError> = store.write(|tx| {
            for instance in ["i-1", "i-2"] {
                let record = record("c", instance);
                tx.put(&scope, COMMAND, &record.key(), &record)?;
                tx.put(&scope, QUEUE, &record.key(), &())?;
            }
            abandon(tx, &scope, "i-1", "now")?;
            let gone: CommandRecord = tx.get(&scope, COMMAND, "c/i-1")?.unwrap();
            assert_eq!((gone.status, gone.details.as_str()), (CommandStatus::Failed, "Undeliverable"));
            let left: Vec<(String, serde_json::Value)> = tx.list(&scope, QUEUE, "")?;
            assert_eq!(left.len(), 1);
            Ok(())
        });
        done.unwrap();
    }
}
