//! Carrying commands out: which ones are ours, each on a thread of its own, the record kept up to date.

use super::{COMMAND, Capture, CommandRecord, CommandStatus, QUEUE, RUN_PATCH_BASELINE, STDERR_LIMIT, STDOUT_LIMIT};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::patch;
use crate::local::compute::state::Live;
use crate::local::store::{Scope, StoreError};
use crate::local::wire::ServiceError;
use crate::sandbox::{self, Exit, Job, Line, SandboxError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The exit code with which a command asks for a restart of the machine and to be run again.
const REBOOT: i32 = 194;
/// Restarts that one command may ask for; the agent's own limit is of this size.
const MOST_REBOOTS: u32 = 20;
/// `executionTimeout` when a command names none.
const DEFAULT_TIMEOUT: u64 = 3_600;

/// How a command on an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::local::compute) enum Outcome {
    /// It ended with this exit code.
    Code(i32),
    /// Its time was up.
    TimedOut,
    /// The instance restarted under it.
    Restarted,
    /// The instance went away under it.
    Gone,
}

/// Starts every waiting command whose instance runs in this process.
pub(in crate::local::compute) fn dispatch(local: &Local) -> Result<(), ServiceError> {
    let mine = local.compute.shared.instance_ids();
    for (scope, command, instance) in waiting(local)? {
        if !mine.contains(&instance) {
            continue;
        }
        let id = super::key(&command, &instance);
        // Whoever removes it from the queue runs it.
        if !local.store.write(|tx| tx.delete(&scope, QUEUE, &id))? {
            continue;
        }
        let failed = (scope.clone(), id.clone());
        let spawned = local.compute.spawn("local-command", move |local| carry_out(local, &scope, &id));
        if let Err(error) = spawned {
            finish(local, &failed.0, &failed.1, |record| {
                settle(record, Outcome::Gone);
                record.stderr = format!("The command could not be started: {error}");
            })?;
        }
    }
    Ok(())
}

fn waiting(local: &Local) -> Result<Vec<(Scope, String, String)>, StoreError> {
    local.store.read(|tx| {
        let mut found = Vec::new();
        for scope in tx.scopes(QUEUE)? {
            for (id, ()) in tx.list(&scope, QUEUE, "")? {
                if let Some((command, instance)) = id.split_once('/') {
                    found.push((scope.clone(), command.to_owned(), instance.to_owned()));
                }
            }
        }
        Ok(found)
    })
}

/// Runs one command from beginning to end. What goes wrong with the state itself can only be logged: there is no
/// caller any more.
fn carry_out(local: &Arc<Local>, scope: &Scope, id: &str) {
    if let Err(error) = try_carry_out(local, scope, id) {
        tracing::error!(command = id, %error, "a command could not be carried out");
    }
}

fn try_carry_out(local: &Arc<Local>, scope: &Scope, id: &str) -> Result<(), StoreError> {
    let now = rfc3339(local.config.clock.now());
    let record = local.store.write(|tx| {
        let Some(mut record) = tx.get::<CommandRecord>(scope, COMMAND, id)? else { return Ok::<_, StoreError>(None) };
        record.status = CommandStatus::InProgress;
        CommandStatus::InProgress.word().clone_into(&mut record.details);
        record.started_at = Some(now);
        tx.put(scope, COMMAND, id, &record)?;
        Ok(Some(record))
    })?;
    let Some(record) = record else { return Ok(()) };
    let (mut out, mut err) = (Capture::new(STDOUT_LIMIT), Capture::new(STDERR_LIMIT));
    let begun = Instant::now();
    let outcome = match local.compute.shared.instance(&record.instance_id) {
        None => Outcome::Gone,
        Some(live) if record.document == RUN_PATCH_BASELINE => {
            patch::run(local, scope, &live, &record, &mut out, &mut err)
        }
        Some(live) => shell_script(&live, &record, &mut out, &mut err),
    };
    finish(local, scope, id, |record| {
        out.text().clone_into(&mut record.stdout);
        err.text().clone_into(&mut record.stderr);
        record.seconds = begun.elapsed().as_secs_f64();
        settle(record, outcome);
    })
}

fn finish(local: &Local, scope: &Scope, id: &str, change: impl FnOnce(&mut CommandRecord)) -> Result<(), StoreError> {
    let now = rfc3339(local.config.clock.now());
    local.store.write(|tx| {
        let Some(mut record) = tx.get::<CommandRecord>(scope, COMMAND, id)? else { return Ok(()) };
        record.ended_at = Some(now);
        change(&mut record);
        tx.put(scope, COMMAND, id, &record)
    })
}

/// Status, details and code of how it ended.
fn settle(record: &mut CommandRecord, outcome: Outcome) {
    let (status, details, code) = match outcome {
        Outcome::Code(0) => (CommandStatus::Success, "Success", 0),
        Outcome::Code(code) => (CommandStatus::Failed, "Failed", code),
        Outcome::TimedOut => (CommandStatus::TimedOut, "ExecutionTimedOut", -1),
        // UNCONFIRMED: the agent tells it so only in part of the cases; restarts are asked for with exit code 194.
        Outcome::Restarted => (CommandStatus::Failed, "Failed", -1),
        Outcome::Gone => (CommandStatus::Failed, "Terminated", -1),
    };
    record.status = status;
    details.clone_into(&mut record.details);
    record.response_code = code;
}

fn shell_script(live: &Live, record: &CommandRecord, out: &mut Capture, err: &mut Capture) -> Outcome {
    let script = record.parameters.get("commands").map(|lines| lines.join("\n")).unwrap_or_default();
    let timeout = record.parameter("executionTimeout").and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_TIMEOUT);
    let directory = record.parameter("workingDirectory").unwrap_or("/").to_owned();
    let job = shell(script, directory, Duration::from_secs(timeout));
    for _ in 0..=MOST_REBOOTS {
        match run(live, &job, out, err) {
            Outcome::Code(REBOOT) => {
                if let Err(error) = live.reboot() {
                    err.line(&format!("The instance did not come back from its restart: {error}"));
                    return Outcome::Gone;
                }
            }
            outcome => return outcome,
        }
    }
    err.line(&format!("The command asked for a restart more than {MOST_REBOOTS} times."));
    Outcome::Code(REBOOT)
}

/// A job that runs `script` in the image's own shell.
pub(in crate::local::compute) fn shell(script: String, directory: String, timeout: Duration) -> Job {
    Job::Command {
        argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), script],
        environment: sandbox::environment(),
        directory,
        stdin: Vec::new(),
        timeout: Some(timeout),
    }
}

/// Runs a job and collects its output; the end of a signal is told like a shell tells it, as 128 + its number.
pub(in crate::local::compute) fn run(live: &Live, job: &Job, out: &mut Capture, err: &mut Capture) -> Outcome {
    let exit = live.run(job, &mut |line| match line {
        Line::Out(line) => out.line(&line),
        Line::Err(line) => err.line(&line),
    });
    match exit {
        Ok(Exit::Code(code)) => Outcome::Code(code),
        Ok(Exit::Signal(signal)) => Outcome::Code(128 + signal),
        Ok(Exit::TimedOut) => Outcome::TimedOut,
        Ok(Exit::Restarted) => {
            err.line("The instance restarted while the command ran; a command asks for that with exit code 194.");
            Outcome::Restarted
        }
        Err(SandboxError::Gone) => {
            err.line("The instance was terminated while the command ran.");
            Outcome::Gone
        }
        Err(SandboxError::SwitchedOff) => {
            err.line("The instance was switched off while the command ran, or before.");
            Outcome::Gone
        }
        Err(error) => {
            err.line(&format!("The command could not be run: {error}"));
            Outcome::Code(255)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::compute::command::tests::record;

    #[test]
    fn the_outcome_decides_status_and_code() {
        let mut command = record("c", "i");
        for (outcome, status, details, code) in [
            (Outcome::Code(0), CommandStatus::Success, "Success", 0),
            (Outcome::Code(7), CommandStatus::Failed, "Failed", 7),
            (Outcome::TimedOut, CommandStatus::TimedOut, "ExecutionTimedOut", -1),
            (Outcome::Restarted, CommandStatus::Failed, "Failed", -1),
            (Outcome::Gone, CommandStatus::Failed, "Terminated", -1),
        ] {
            settle(&mut command, outcome);
            assert_eq!((command.status, command.details.as_str(), command.response_code), (status, details, code));
        }
    }
}
