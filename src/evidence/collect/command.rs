//! Commands on the instance, by Systems Manager.

use super::instance::Running;
use super::site::{Site, UNKNOWN_COMMAND};
use crate::evidence::error::EvidenceError;
use aws_sdk_ssm::operation::get_command_invocation::GetCommandInvocationOutput;
use aws_sdk_ssm::types::CommandInvocationStatus;
use std::time::Duration;

/// How long the agent may take to pick a command up (seconds).
const DELIVERY: i32 = 600;

/// A command to run.
pub(super) struct Command<'a> {
    /// What it is, for messages: `the patch scan`.
    pub(super) what: &'static str,
    pub(super) document: &'a str,
    pub(super) parameters: Vec<(&'a str, String)>,
    /// The document's step to ask for; documents with several steps need it (patch-baselines.md 8.3 step 4).
    pub(super) plugin: Option<&'a str>,
    pub(super) deadline: Duration,
}

/// What a command that succeeded wrote.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs a command and waits for its end; one that does not succeed is an error with its last lines.
pub(super) async fn run(site: &Site, instance: &Running, command: &Command<'_>) -> Result<Output, EvidenceError> {
    let mut call = site.ssm.send_command().document_name(command.document).instance_ids(instance.id());
    for (name, value) in &command.parameters {
        call = call.parameters(*name, vec![value.clone()]);
    }
    let answer = call.timeout_seconds(DELIVERY).comment("amiforge validate").send().await;
    let answer = answer.map_err(site.fault("SendCommand"))?;
    let id = answer.command().and_then(|command| command.command_id()).unwrap_or_default().to_owned();
    let mut waiting = site.within(command.deadline).start();
    loop {
        if let Some(invocation) = look(site, instance, command, &id, waiting.elapsed()).await?
            && let Some(end) = end(instance, command, &invocation)
        {
            return end;
        }
        waiting.pause().await.map_err(|timeout| EvidenceError::CommandTimeout {
            what: command.what,
            instance: instance.id().to_owned(),
            after: timeout.after,
        })?;
    }
}

/// The invocation; nothing as long as the service does not know it yet.
async fn look(
    site: &Site,
    instance: &Running,
    command: &Command<'_>,
    id: &str,
    elapsed: Duration,
) -> Result<Option<GetCommandInvocationOutput>, EvidenceError> {
    let call = site.ssm.get_command_invocation().command_id(id).instance_id(instance.id());
    match call.set_plugin_name(command.plugin.map(str::to_owned)).send().await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => {
            let error = site.fault("GetCommandInvocation")(error);
            let unknown_yet = error.fault.is(&["InvocationDoesNotExist"]) && elapsed < UNKNOWN_COMMAND;
            if unknown_yet { Ok(None) } else { Err(error.into()) }
        }
    }
}

/// How it ended; nothing as long as it has not.
fn end(
    instance: &Running,
    command: &Command,
    invocation: &GetCommandInvocationOutput,
) -> Option<Result<Output, EvidenceError>> {
    let text = |content: Option<&str>| content.unwrap_or_default().to_owned();
    let (stdout, stderr) = (text(invocation.standard_output_content()), text(invocation.standard_error_content()));
    let status = invocation.status()?;
    match status {
        CommandInvocationStatus::Success => Some(Ok(Output { stdout, stderr })),
        CommandInvocationStatus::Cancelled | CommandInvocationStatus::Failed | CommandInvocationStatus::TimedOut => {
            let output = if stderr.trim().is_empty() { &stdout } else { &stderr };
            Some(Err(EvidenceError::Command {
                what: command.what,
                instance: instance.id().to_owned(),
                status: invocation.status_details().unwrap_or(status.as_str()).to_owned(),
                exit: Some(invocation.response_code()).filter(|&code| code > 0),
                output: last_lines(output),
            }))
        }
        _ => None,
    }
}

/// The last lines of an output, enough to see the reason.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    match lines.len() {
        0 => "it wrote nothing".to_owned(),
        count => lines[count.saturating_sub(8)..].join("\n"),
    }
}
