//! `SendCommand`.

use super::{COMMAND, CommandRecord, CommandStatus, QUEUE, RUN_PATCH_BASELINE, RUN_SHELL_SCRIPT};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::filter::filters;
use crate::local::compute::instance::{INSTANCE, InstanceRecord, InstanceState};
use crate::local::input::Input;
use crate::local::random;
use crate::local::ssm::input;
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Seconds for the delivery of a command, and for its execution, when the request names none.
const HOUR: i64 = 3600;

/// Instances of one call.
const MOST_INSTANCES: usize = 50;

/// `SendCommand`. The process that runs the instance carries the command out; it may be another one than this.
pub(in crate::local::compute) fn send_command(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let document = input.filled("DocumentName")?.unwrap_or_default();
    let parameters = parameters(&input)?;
    check_document(document, &parameters)?;
    let delivery = input.between("TimeoutSeconds", 30..=2_592_000)?.unwrap_or(HOUR);
    let instances = instances(local, caller, &input)?;
    let template = CommandRecord {
        command_id: random::uuid()?,
        instance_id: String::new(),
        document: document.to_owned(),
        comment: input.filled("Comment")?.unwrap_or_default().to_owned(),
        parameters,
        requested_at: rfc3339(caller.now),
        requested_epoch: caller.now.unix_timestamp(),
        started_at: None,
        ended_at: None,
        seconds: 0.0,
        status: CommandStatus::Pending,
        details: CommandStatus::Pending.word().to_owned(),
        response_code: -1,
        stdout: String::new(),
        stderr: String::new(),
    };
    local.store.write(|tx| {
        for instance in &instances {
            let record = CommandRecord { instance_id: instance.clone(), ..template.clone() };
            tx.put(&caller.scope, COMMAND, &record.key(), &record)?;
            tx.put(&caller.scope, QUEUE, &record.key(), &())?;
        }
        Ok::<_, ServiceError>(())
    })?;
    super::dispatch(local)?;
    local.compute.shared.wake();
    let mut command = command_json(&template, &instances);
    command["TimeoutSeconds"] = json!(delivery);
    command["ExpiresAfter"] = json!(template.requested_epoch + delivery + execution_timeout(&template));
    command["Targets"] = json!(input.items("Targets")?);
    Ok(json!({ "Command": command }))
}

/// Seconds that a command may run on an instance.
fn execution_timeout(record: &CommandRecord) -> i64 {
    record.parameter("executionTimeout").and_then(|seconds| seconds.parse().ok()).unwrap_or(HOUR)
}

fn command_json(record: &CommandRecord, instances: &[String]) -> Value {
    json!({
        "CommandId": record.command_id,
        "DocumentName": record.document,
        "DocumentVersion": "$DEFAULT",
        "Comment": record.comment,
        "Parameters": record.parameters,
        "InstanceIds": instances,
        "RequestedDateTime": record.requested_epoch,
        "Status": "Pending",
        "StatusDetails": "Pending",
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        "TargetCount": instances.len(),
        "CompletedCount": 0,
        "ErrorCount": 0,
        "DeliveryTimedOutCount": 0,
    })
}

fn parameters(input: &Input<'_>) -> Result<BTreeMap<String, Vec<String>>, ServiceError> {
    let Some(parameters) = input.object("Parameters")? else { return Ok(BTreeMap::new()) };
    let names = parameters.value().as_object().into_iter().flatten().map(|(name, _)| name);
    names
        .map(|name| match parameters.texts(name) {
            Ok(values) if parameters.get(name).is_some() => {
                Ok((name.clone(), values.into_iter().map(str::to_owned).collect()))
            }
            _ => Err(invalid_parameters(format!("The parameter {name} must be a list of texts."))),
        })
        .collect()
}

fn invalid_parameters(message: String) -> ServiceError {
    ServiceError::new(400, "InvalidParameters", message)
}

/// Refuses documents that are not there, and parameters that they do not have.
fn check_document(document: &str, parameters: &BTreeMap<String, Vec<String>>) -> Result<(), ServiceError> {
    let known: &[&str] = match document {
        RUN_SHELL_SCRIPT => &["commands", "workingDirectory", "executionTimeout"],
        RUN_PATCH_BASELINE => &[
            "Operation",
            "AssociationId",
            "SnapshotId",
            "InstallOverrideList",
            "BaselineOverride",
            "RebootOption",
            "StepTimeoutSeconds",
        ],
        _ => {
            let message = format!("Document with name {document} does not exist.");
            return Err(ServiceError::new(400, "InvalidDocument", message));
        }
    };
    if let Some(unknown) = parameters.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(invalid_parameters(format!("The document {document} has no parameter {unknown}.")));
    }
    let value = |name: &str| parameters.get(name).and_then(|values| values.first()).map(String::as_str);
    if document == RUN_SHELL_SCRIPT {
        if parameters.get("commands").is_none_or(Vec::is_empty) {
            return Err(invalid_parameters("The parameter commands is required.".to_owned()));
        }
        return timeout(value("executionTimeout"), 1..=172_800, "executionTimeout");
    }
    check_patch_parameters(&value)
}

fn check_patch_parameters<'a>(value: &dyn Fn(&str) -> Option<&'a str>) -> Result<(), ServiceError> {
    if !matches!(value("Operation"), Some("Scan" | "Install")) {
        return Err(invalid_parameters("The parameter Operation must be Scan or Install.".to_owned()));
    }
    if !matches!(value("RebootOption"), None | Some("RebootIfNeeded" | "NoReboot")) {
        return Err(invalid_parameters("The parameter RebootOption must be RebootIfNeeded or NoReboot.".to_owned()));
    }
    if value("SnapshotId").is_some_and(|id| !id.is_empty() && !is_guid(id)) {
        return Err(invalid_parameters("The parameter SnapshotId must be a GUID.".to_owned()));
    }
    for name in ["InstallOverrideList", "BaselineOverride"] {
        if value(name).is_some_and(|text| !text.is_empty()) {
            return Err(invalid_parameters(format!(
                "The local environment does not fetch the list that {name} names. Register a baseline for a patch \
                 group and tag the instance with it instead."
            )));
        }
    }
    timeout(value("StepTimeoutSeconds"), 1..=36_000, "StepTimeoutSeconds")
}

fn timeout(value: Option<&str>, limits: std::ops::RangeInclusive<u64>, name: &str) -> Result<(), ServiceError> {
    let valid = |text: &str| text.is_empty() || text.parse::<u64>().is_ok_and(|seconds| limits.contains(&seconds));
    if value.is_none_or(valid) {
        return Ok(());
    }
    let message = format!("The parameter {name} must be between {} and {} seconds.", limits.start(), limits.end());
    Err(invalid_parameters(message))
}

fn is_guid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// The instances that the request names, by id or by target; each must be up and reachable.
fn instances(local: &Local, caller: &Caller, input: &Input<'_>) -> Result<Vec<String>, ServiceError> {
    let mut ids: Vec<String> = input.texts("InstanceIds")?.into_iter().map(str::to_owned).collect();
    let targets = filters(input, "Targets", "Key", "Values")?;
    let records = local.store.read(|tx| tx.list::<InstanceRecord>(&caller.scope, INSTANCE, ""))?;
    // Where builds follow scripts nothing runs in an instance.
    let runs = !local.config.builds.are_scripted();
    let reachable = |record: &InstanceRecord| runs && record.state == InstanceState::Running && record.owner.alive();
    for target in &targets {
        let wanted = |record: &InstanceRecord| match target.name.strip_prefix("tag:") {
            Some(key) => record.tags.get(key).is_some_and(|value| target.accepts(value)),
            None => target.name == "InstanceIds" && target.values.contains(&record.id),
        };
        ids.extend(records.iter().filter(|(_, r)| reachable(r) && wanted(r)).map(|(id, _)| id.clone()));
    }
    ids.sort();
    ids.dedup();
    if ids.len() > MOST_INSTANCES || (ids.is_empty() && targets.is_empty()) {
        let message = format!("{} instances were named; between 1 and {MOST_INSTANCES} are possible.", ids.len());
        return Err(ServiceError::new(400, "InvalidInstanceId", message));
    }
    let unknown: Vec<&str> = ids
        .iter()
        .filter(|id| !records.iter().any(|(known, record)| known == *id && reachable(record)))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        let list = unknown.join(", ");
        let message = format!("Instances [[{list}]] not in a valid state for account {}", caller.scope.account);
        return Err(ServiceError::new(400, "InvalidInstanceId", message));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, parameters: &[(&str, &str)]) -> Option<String> {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
        check_document(document, &parameters.collect()).err().map(|error| error.code)
    }

    #[test]
    fn documents_and_their_parameters_are_checked() {
        assert_eq!(check("AWS-Unknown", &[]).as_deref(), Some("InvalidDocument"));
        assert_eq!(check(RUN_SHELL_SCRIPT, &[]).as_deref(), Some("InvalidParameters"));
        assert_eq!(
            check(RUN_SHELL_SCRIPT, &[("commands", "true"), ("cwd", "/")]).as_deref(),
            Some("InvalidParameters")
        );
        assert_eq!(
            check(RUN_SHELL_SCRIPT, &[("commands", "true"), ("executionTimeout", "0")]).as_deref(),
            Some("InvalidParameters")
        );
        assert_eq!(check(RUN_SHELL_SCRIPT, &[("commands", "true"), ("workingDirectory", "/")]), None);
        assert_eq!(check(RUN_PATCH_BASELINE, &[("Operation", "Check")]).as_deref(), Some("InvalidParameters"));
        assert_eq!(
            check(RUN_PATCH_BASELINE, &[("Operation", "Scan"), ("SnapshotId", "x")]).as_deref(),
            Some("InvalidParameters")
        );
        assert_eq!(
            check(RUN_PATCH_BASELINE, &[("Operation", "Scan"), ("BaselineOverride", "s3://a/b")]).as_deref(),
            Some("InvalidParameters")
        );
        let guid = "12345678-1234-1234-1234-1234567890ab";
        assert_eq!(
            check(RUN_PATCH_BASELINE, &[("Operation", "Scan"), ("SnapshotId", guid), ("RebootOption", "NoReboot")]),
            None
        );
    }

    #[test]
    fn a_parameter_that_is_no_list_of_texts_is_refused() {
        let body = json!({"Parameters": {"commands": [1]}});
        assert_eq!(parameters(&input(&body)).unwrap_err().code, "InvalidParameters");
        let body = json!({"Parameters": {"commands": ["true", "false"]}});
        assert_eq!(parameters(&input(&body)).unwrap()["commands"], ["true", "false"]);
    }
}
