//! EC2: AMIs, snapshots and the keys of both, launch templates, tags. Instances are in `compute`.

mod chosen;
mod copy;
mod data;
mod ebs_default;
mod filters;
mod findings;
pub(crate) mod images;
pub(super) mod keys;
mod launch_permission;
mod regions;
mod snapshot_attribute;
mod snapshots;
mod tags;
mod template_record;
mod template_versions;
mod templates;

pub(super) use chosen::Chosen;
pub(super) use filters::matches as fits;

use super::Local;
use super::compute;
use super::input::{Dialect, Input};
use super::store::{Scope, StoreError, Transaction};
use super::wire::{Operation, ServiceError};
use ::time::OffsetDateTime;
use serde_json::Value;

/// The operations this part implements.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("CopyImage", copy::copy),
    ("CreateLaunchTemplate", templates::create),
    ("CreateLaunchTemplateVersion", template_versions::create),
    ("CreateTags", tags::create),
    ("DeleteLaunchTemplate", templates::delete),
    ("DeleteLaunchTemplateVersions", template_versions::delete),
    ("DeleteSnapshot", snapshots::delete),
    ("DeleteTags", tags::delete),
    ("DeregisterImage", images::deregister),
    ("DescribeImageAttribute", launch_permission::describe),
    ("DescribeImages", images::describe),
    ("DescribeLaunchTemplateVersions", template_versions::describe),
    ("DescribeLaunchTemplates", templates::describe),
    ("DescribeRegions", regions::describe),
    ("DescribeSnapshotAttribute", snapshot_attribute::describe),
    ("DescribeSnapshots", snapshots::describe),
    ("DescribeTags", tags::describe),
    ("DisableImage", images::disable),
    ("EnableImage", images::enable),
    ("GetEbsDefaultKmsKeyId", ebs_default::get),
    ("GetImageFindings", findings::get),
    ("ModifyEbsDefaultKmsKeyId", ebs_default::modify),
    ("ModifyImageAttribute", launch_permission::modify),
    ("ModifyLaunchTemplate", templates::modify),
    ("ModifySnapshotAttribute", snapshot_attribute::modify),
    ("ResetEbsDefaultKmsKeyId", ebs_default::reset),
    ("ResetImageAttribute", launch_permission::reset),
    ("ResetSnapshotAttribute", snapshot_attribute::reset),
];

/// Code for a client token that was used with other parameters.
pub(super) const MISMATCH: &str = "IdempotentParameterMismatch";

/// A request in EC2's words.
pub(super) fn input(request: &Value) -> Input<'_> {
    Input::new(Dialect::Ec2, request)
}

/// Times are kept with whole seconds; EC2 shows milliseconds.
fn time(at: &str) -> String {
    at.strip_suffix('Z').map_or_else(|| at.to_owned(), |at| format!("{at}.000Z"))
}

/// Whether `id` is `prefix-` and 8 or 17 hexadecimal digits, as EC2's ids are.
fn is_id(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|digits| matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether anything that takes its time has come to its end: copies of AMIs.
///
/// # Errors
/// A database error.
pub(super) fn is_due(tx: &Transaction<'_>, now: OffsetDateTime) -> Result<bool, StoreError> {
    copy::is_due(tx, now)
}

/// Ends it.
///
/// # Errors
/// When the state cannot be read or written.
pub(super) fn settle(local: &Local, now: OffsetDateTime) -> Result<(), ServiceError> {
    Ok(copy::settle(local, now)?)
}

/// Makes what a call has begun fail later, if it has begun anything.
///
/// # Errors
/// When the state cannot be read or written.
pub(super) fn spoil(local: &Local, answer: &Value) -> Result<(), ServiceError> {
    for instance in answer.get("instancesSet").and_then(Value::as_array).into_iter().flatten() {
        if let Some(id) = instance.get("instanceId").and_then(Value::as_str) {
            compute::spoil(local, id)?;
        }
    }
    let Some(id) = answer.get("imageId").and_then(Value::as_str) else { return Ok(()) };
    local.store.write(|tx| Ok(copy::spoil(tx, id)?))
}

/// Whether everything that a request names by itself is there: AMIs, instances, launch templates, snapshots.
///
/// # Errors
/// The first that is not, in EC2's words.
pub(super) fn named(tx: &Transaction<'_>, scope: &Scope, request: &Value) -> Result<(), ServiceError> {
    let input = input(request);
    let lists = ["ImageId", "InstanceId", "LaunchTemplateId", "LaunchTemplateName", "ResourceId", "SnapshotId"];
    for name in lists {
        // What is no text or list of texts is for the operation to refuse.
        let texts = match input.get(name) {
            Some(Value::String(text)) => vec![text.as_str()],
            _ => input.texts(name).unwrap_or_default(),
        };
        for text in texts {
            if name == "LaunchTemplateName" {
                template_record::Template::by_name(tx, scope, text)?;
            } else {
                is_there(tx, scope, text)?;
            }
        }
    }
    match input.text("SourceImageId")? {
        Some(id) => {
            let region = input.text("SourceRegion")?.unwrap_or(&scope.region);
            is_there(tx, &Scope { region: region.to_owned(), ..scope.clone() }, id)
        }
        None => Ok(()),
    }
}

fn is_there(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<(), ServiceError> {
    if id.starts_with("ami-") {
        return images::visible(tx, scope, id)?.map(drop).ok_or_else(|| images::not_found(&[id]));
    }
    if id.starts_with("lt-") {
        return template_record::Template::by_id(tx, scope, id).map(drop);
    }
    if id.starts_with("snap-") {
        return snapshots::is_there(tx, scope, id);
    }
    if id.starts_with("i-") && tx.list_any(scope, id)?.iter().all(|(_, found, _)| found != id) {
        let text = format!("The instance ID '{id}' does not exist");
        return Err(ServiceError::client("InvalidInstanceID.NotFound", text));
    }
    Ok(())
}
