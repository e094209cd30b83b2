//! `GetCommandInvocation` and `ListCommandInvocations`.

use super::{COMMAND, CommandRecord, CommandStatus, RUN_PATCH_BASELINE, key};
use crate::local::Local;
use crate::local::input::compact;
use crate::local::paging;
use crate::local::ssm::input;
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Characters of output in a list.
const LISTED_OUTPUT: usize = 2_500;

/// The steps of AWS-RunPatchBaseline; only the one for Linux does something here.
const PATCH_STEPS: [&str; 3] = ["PatchWindows", "PatchLinux", "PatchMacOS"];

/// `GetCommandInvocation`.
pub(in crate::local::compute) fn get_command_invocation(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let command = input.filled("CommandId")?.unwrap_or_default();
    let instance = input.filled("InstanceId")?.unwrap_or_default();
    let record = local
        .store
        .read(|tx| tx.get::<CommandRecord>(&caller.scope, COMMAND, &key(command, instance)))?
        .ok_or_else(|| ServiceError::new(400, "InvocationDoesNotExist", ""))?;
    let plugin = plugin(&record, input.filled("PluginName")?)?;
    Ok(invocation_json(&skipped_elsewhere(record, plugin), plugin))
}

/// The step the caller asks for. A document with several steps needs it named.
fn plugin<'a>(record: &CommandRecord, asked: Option<&'a str>) -> Result<&'a str, ServiceError> {
    let unknown = |message: &str| ServiceError::new(400, "InvalidPluginName", message);
    if record.document != RUN_PATCH_BASELINE {
        return match asked {
            None | Some("aws:runShellScript" | "runShellScript") => Ok("aws:runShellScript"),
            Some(_) => Err(unknown("The plugin name is not valid for this command.")),
        };
    }
    match asked {
        Some(name) if PATCH_STEPS.contains(&name) => Ok(name),
        Some(_) => Err(unknown("The plugin name is not valid for this command.")),
        None => Err(unknown("The document has more than one step; name one in PluginName, here PatchLinux.")),
    }
}

/// Steps for other platforms succeed without doing anything.
fn skipped_elsewhere(mut record: CommandRecord, plugin: &str) -> CommandRecord {
    if record.document == RUN_PATCH_BASELINE && plugin != "PatchLinux" && record.status != CommandStatus::Pending {
        record.status = CommandStatus::Success;
        "Success".clone_into(&mut record.details);
        record.response_code = 0;
        record.stdout = format!("Step execution skipped due to unsupported platform. Step name: {plugin}");
        record.stderr = String::new();
    }
    record
}

fn invocation_json(record: &CommandRecord, plugin: &str) -> Value {
    json!({
        "CommandId": record.command_id,
        "InstanceId": record.instance_id,
        "Comment": record.comment,
        "DocumentName": record.document,
        "DocumentVersion": "$DEFAULT",
        "PluginName": plugin,
        "ResponseCode": record.response_code,
        "ExecutionStartDateTime": record.started_at.clone().unwrap_or_default(),
        "ExecutionElapsedTime": if record.ended_at.is_some() { format!("PT{:.3}S", record.seconds) } else { String::new() },
        "ExecutionEndDateTime": record.ended_at.clone().unwrap_or_default(),
        "Status": record.status.word(),
        "StatusDetails": record.details,
        "StandardOutputContent": record.stdout,
        "StandardOutputUrl": "",
        "StandardErrorContent": record.stderr,
        "StandardErrorUrl": "",
    })
}

/// `ListCommandInvocations`, newest first.
pub(in crate::local::compute) fn list_command_invocations(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let command = input.filled("CommandId")?;
    let instance = input.filled("InstanceId")?;
    let details = input.flag("Details")? == Some(true);
    let prefix = command.map(|command| format!("{command}/")).unwrap_or_default();
    let records = local.store.read(|tx| tx.list::<CommandRecord>(&caller.scope, COMMAND, &prefix))?;
    let rows: BTreeMap<String, Value> = records
        .iter()
        .filter(|(_, record)| instance.is_none_or(|id| record.instance_id == id))
        // Keys in descending order of times, because rows are sorted by key.
        .map(|(id, record)| (format!("{:020}/{id}", i64::MAX - record.requested_epoch), listed_json(record, details)))
        .collect();
    let size = input.page_size("MaxResults", 1..=50, 50)?;
    let (items, next) = paging::page(&input, "ListCommandInvocations", size, rows.into_iter().collect())?;
    Ok(json!({ "CommandInvocations": items, "NextToken": next }))
}

fn listed_json(record: &CommandRecord, details: bool) -> Value {
    let mut item = json!({
        "CommandId": record.command_id,
        "InstanceId": record.instance_id,
        "InstanceName": "",
        "Comment": record.comment,
        "DocumentName": record.document,
        "DocumentVersion": "$DEFAULT",
        "RequestedDateTime": record.requested_epoch,
        "Status": record.status.word(),
        "StatusDetails": record.details,
        "CommandPlugins": [],
    });
    if details {
        let steps: &[&str] = if record.document == RUN_PATCH_BASELINE { &PATCH_STEPS } else { &["aws:runShellScript"] };
        let plugins: Vec<Value> = steps
            .iter()
            .map(|step| {
                let record = skipped_elsewhere(record.clone(), step);
                let (begun, ended) = (epoch(record.started_at.as_deref()), epoch(record.ended_at.as_deref()));
                let output: String = record.stdout.chars().take(LISTED_OUTPUT).collect();
                compact(json!({
                    "Name": step,
                    "Status": record.status.word(),
                    "StatusDetails": record.details,
                    "ResponseCode": record.response_code,
                    "ResponseStartDateTime": begun,
                    "ResponseFinishDateTime": ended,
                    "Output": output,
                }))
            })
            .collect();
        item["CommandPlugins"] = json!(plugins);
    }
    item
}

/// A time of a record in the form of awsJson.
fn epoch(at: Option<&str>) -> Option<i64> {
    let at = time::OffsetDateTime::parse(at?, &time::format_description::well_known::Rfc3339).ok()?;
    Some(at.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    #[test]
    fn a_document_with_several_steps_wants_one_named() {
        let shell = record("c", "i");
        assert_eq!(plugin(&shell, None).unwrap(), "aws:runShellScript");
        assert_eq!(plugin(&shell, Some("PatchLinux")).unwrap_err().code, "InvalidPluginName");
        let patch = CommandRecord { document: RUN_PATCH_BASELINE.into(), ..record("c", "i") };
        assert_eq!(plugin(&patch, None).unwrap_err().code, "InvalidPluginName");
        assert_eq!(plugin(&patch, Some("PatchLinux")).unwrap(), "PatchLinux");
    }

    #[test]
    fn a_listed_step_has_its_times() {
        let record = CommandRecord { started_at: Some("2026-01-02T03:04:05Z".into()), ..record("c", "i") };
        let step = &listed_json(&record, true)["CommandPlugins"][0];
        assert_eq!(step["ResponseStartDateTime"], 1_767_323_045);
        assert!(step.get("ResponseFinishDateTime").is_none(), "{step}");
    }

    #[test]
    fn steps_of_other_platforms_are_skipped() {
        let failed = CommandRecord {
            document: RUN_PATCH_BASELINE.into(),
            status: CommandStatus::Failed,
            response_code: 1,
            ..record("c", "i")
        };
        assert_eq!(skipped_elsewhere(failed.clone(), "PatchWindows").status, CommandStatus::Success);
        assert_eq!(skipped_elsewhere(failed.clone(), "PatchLinux"), failed);
    }
}
