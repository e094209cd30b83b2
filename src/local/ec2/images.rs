//! AMIs: who sees which; describing and deregistering them.

use super::super::Local;
use super::super::input::compact;
use super::super::paging;
use super::super::records::{AMI, Ami};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::filters::Filters;
use super::{findings, input, is_id, snapshots, tags, time};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// State of an AMI that is gone for everybody; its layers stay for images and instances made from it.
pub(super) const DEREGISTERED: &str = "deregistered";
/// State of an AMI that its owner has taken out of use for now.
pub(super) const DISABLED: &str = "disabled";

const FILTERS: &[&str] = &[
    "architecture",
    "block-device-mapping.encrypted",
    "block-device-mapping.snapshot-id",
    "creation-date",
    "description",
    "image-id",
    "image-type",
    "is-public",
    "name",
    "owner-id",
    "platform",
    "root-device-name",
    "root-device-type",
    "source-image-id",
    "source-image-region",
    "state",
    "state-reason-code",
    "state-reason-message",
    "tag-key",
    "tag:",
    "virtualization-type",
];

/// The AMI of that id as `scope` sees it: its own, public, or launchable by permission; in this Region.
///
/// # Errors
/// A database error.
pub(crate) fn visible(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Option<Ami>, StoreError> {
    for owner in owners(tx, scope)? {
        if let Some(ami) = tx.get::<Ami>(&owner, AMI, id)? {
            return Ok(Some(ami).filter(|ami| may_see(scope, ami)));
        }
    }
    Ok(None)
}

/// Whether the AMI exists, is visible to `scope` and can be launched now.
///
/// # Errors
/// A database error.
pub(crate) fn is_launchable(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<bool, StoreError> {
    Ok(visible(tx, scope, id)?.is_some_and(|ami| ami.state == "available"))
}

/// Who has AMIs in the Region; the caller last.
pub(super) fn owners(tx: &Transaction<'_>, scope: &Scope) -> Result<Vec<Scope>, StoreError> {
    let mut scopes = tx.scopes(AMI)?;
    scopes.retain(|owner| owner.region == scope.region);
    scopes.sort_by_key(|owner| owner == scope);
    Ok(scopes)
}

fn may_see(scope: &Scope, ami: &Ami) -> bool {
    let permitted = ami.owner == scope.account || ami.public || ami.launch_permissions.contains(&scope.account);
    permitted && ami.state != DEREGISTERED
}

/// The caller's own AMI for a change.
///
/// # Errors
/// That it does not exist, or belongs to somebody else.
pub(super) fn own(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Ami, ServiceError> {
    check_ids(&[id])?;
    match visible(tx, scope, id)? {
        None => Err(not_found(&[id])),
        Some(ami) if ami.owner != scope.account => {
            let text = format!("Not authorized for image:{id}: it belongs to account {}", ami.owner);
            Err(ServiceError::new(403, "AuthFailure", text))
        }
        Some(ami) => Ok(ami),
    }
}

/// The error for AMI ids that do not exist for the caller.
pub(super) fn not_found(ids: &[&str]) -> ServiceError {
    let list = ids.join(", ");
    let text = if ids.len() == 1 {
        format!("The image id '[{list}]' does not exist")
    } else {
        format!("The image ids '[{list}]' do not exist")
    };
    ServiceError::client("InvalidAMIID.NotFound", text)
}

pub(super) fn check_ids(ids: &[&str]) -> Result<(), ServiceError> {
    match ids.iter().find(|id| !is_id(id, "ami")) {
        Some(id) => {
            let text = format!("Invalid id: \"{id}\" (expecting \"ami-\" and 8 or 17 hexadecimal digits)");
            Err(ServiceError::client("InvalidAMIID.Malformed", text))
        }
        None => Ok(()),
    }
}

/// `DescribeImages`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let ids = input.texts("ImageId")?;
    check_ids(&ids)?;
    let owners = input.texts("Owner")?;
    let executable_by = input.texts("ExecutableBy")?;
    let filters = Filters::parse(&input, FILTERS)?;
    let disabled = input.flag("IncludeDisabled")?.unwrap_or(false);
    if !ids.is_empty() && input.get("MaxResults").is_some() {
        let text = "The parameter imageId cannot be used with the parameter maxResults";
        return Err(ServiceError::client("InvalidParameterCombination", text));
    }
    let size = input.page_size("MaxResults", 1..=1000, usize::MAX)?;
    let rows = local.store.read(|tx| {
        let seen = all_visible(tx, &caller.scope)?;
        let missing: Vec<&str> = ids.iter().copied().filter(|id| !seen.iter().any(|ami| ami.id == *id)).collect();
        if !missing.is_empty() {
            return Err(not_found(&missing));
        }
        let mut rows = BTreeMap::new();
        for mut ami in seen {
            ami.tags = tags::of_ami(tx, &caller.scope, &ami)?;
            let wanted = (ids.is_empty() || ids.contains(&ami.id.as_str()))
                && (disabled || ami.state != DISABLED)
                && (owners.is_empty() || owners.iter().any(|owner| is_owner(owner, &caller.scope, &ami)))
                && (executable_by.is_empty()
                    || executable_by.iter().any(|who| is_executable(who, &caller.scope, &ami)))
                && filters.accept(&ami.tags, |name| vec![field(&ami, name)]);
            if wanted {
                let mut row = render(&ami);
                if let Some(results) = findings::results(tx, &caller.scope, &ami)? {
                    row["scanResults"] = results;
                }
                rows.insert(ami.id.clone(), row);
            }
        }
        Ok(rows)
    })?;
    let rows = rows.into_iter().collect();
    let (images, next) = paging::page(&input, "DescribeImages", size, rows)?;
    Ok(json!({ "imagesSet": images, "nextToken": next }))
}

fn all_visible(tx: &Transaction<'_>, scope: &Scope) -> Result<Vec<Ami>, StoreError> {
    let mut seen = Vec::new();
    for owner in owners(tx, scope)? {
        seen.extend(tx.list::<Ami>(&owner, AMI, "")?.into_iter().map(|(_, ami)| ami).filter(|ami| may_see(scope, ami)));
    }
    Ok(seen)
}

/// Whether `owner`, as a request names it, is the account an AMI belongs to.
pub(super) fn is_owner(owner: &str, scope: &Scope, ami: &Ami) -> bool {
    match owner {
        "self" => ami.owner == scope.account,
        // No image of the local environment comes from Amazon or its marketplace, whatever parameter names it.
        "amazon" | "aws-marketplace" | "aws-backup-vault" => false,
        account => ami.owner == account,
    }
}

fn is_executable(who: &str, scope: &Scope, ami: &Ami) -> bool {
    match who {
        "all" => ami.public,
        "self" => ami.launch_permissions.contains(&scope.account),
        account => ami.launch_permissions.iter().any(|permitted| permitted == account),
    }
}

fn field(ami: &Ami, name: &str) -> String {
    match name {
        "architecture" => ami.architecture.clone(),
        "creation-date" => time(&ami.created_at),
        "description" => ami.description.clone(),
        "image-id" => ami.id.clone(),
        "image-type" => "machine".to_owned(),
        "is-public" => ami.public.to_string(),
        "name" => ami.name.clone(),
        "owner-id" => ami.owner.clone(),
        "platform" => windows(ami).unwrap_or_default().to_owned(),
        "root-device-name" => ami.root_device.clone(),
        "root-device-type" => "ebs".to_owned(),
        "block-device-mapping.encrypted" => ami.encrypted.to_string(),
        "block-device-mapping.snapshot-id" => ami.snapshot.clone(),
        "source-image-id" => ami.source.clone().unwrap_or_default(),
        "source-image-region" => ami.source_region.clone().unwrap_or_default(),
        "state" => ami.state.clone(),
        "state-reason-code" => ami.state_reason.clone().unwrap_or_default().0,
        "state-reason-message" => ami.state_reason.clone().unwrap_or_default().1,
        "virtualization-type" => "hvm".to_owned(),
        _ => String::new(),
    }
}

/// EC2 names the platform of Windows images only.
fn windows(ami: &Ami) -> Option<&'static str> {
    ami.platform.eq_ignore_ascii_case("windows").then_some("windows")
}

/// The block device mapping as `DescribeImages` and `DescribeImageAttribute` show it.
pub(super) fn block_devices(ami: &Ami) -> Value {
    json!([{
        "deviceName": ami.root_device,
        "ebs": {
            "deleteOnTermination": true,
            "encrypted": ami.encrypted,
            "snapshotId": ami.snapshot,
            "volumeSize": ami.volume_size,
            "volumeType": ami.volume_type,
        },
    }])
}

fn render(ami: &Ami) -> Value {
    compact(json!({
        "architecture": ami.architecture,
        "blockDeviceMapping": block_devices(ami),
        "creationDate": time(&ami.created_at),
        "description": ami.description,
        "enaSupport": true,
        "hypervisor": "xen",
        "imageId": ami.id,
        "imageLocation": format!("{}/{}", ami.owner, ami.name),
        "imageOwnerId": ami.owner,
        "imageState": ami.state,
        "imageType": "machine",
        "imdsSupport": ami.imds_v2.then_some("v2.0"),
        "isPublic": ami.public,
        "name": ami.name,
        "platform": windows(ami),
        "platformDetails": if windows(ami).is_some() { "Windows" } else { "Linux/UNIX" },
        "rootDeviceName": ami.root_device,
        "rootDeviceType": "ebs",
        "sourceImageId": ami.source,
        "sourceImageRegion": ami.source_region,
        "stateReason": ami.state_reason.as_ref().map(|(code, message)| json!({ "code": code, "message": message })),
        "sriovNetSupport": "simple",
        "tagSet": tags::render(&ami.tags),
        "usageOperation": if windows(ami).is_some() { "RunInstances:0002" } else { "RunInstances" },
        "virtualizationType": "hvm",
    }))
}

/// `DeregisterImage`. The files of its layers stay: other images and running instances may stand on them. The snapshot stays too,
/// unless it is asked to go.
pub(super) fn deregister(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let id = input.required("ImageId")?;
    let with_snapshots = input.flag("DeleteAssociatedSnapshots")?.unwrap_or(false);
    local.store.write(|tx| {
        let mut ami = own(tx, &caller.scope, id)?;
        DEREGISTERED.clone_into(&mut ami.state);
        tx.put(&caller.scope, AMI, id, &ami)?;
        let mut answer = json!({ "return": true });
        if with_snapshots {
            answer["deleteSnapshotResultSet"] = snapshots::discard(tx, &caller.scope, &ami)?;
        }
        Ok(answer)
    })
}

/// `DisableImage`: nobody can launch it, and nobody else is permitted to any more.
pub(super) fn disable(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    switch(local, caller, request, ("available", DISABLED))
}

/// `EnableImage`: it can be launched again, by the owner alone.
pub(super) fn enable(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    switch(local, caller, request, (DISABLED, "available"))
}

fn switch(local: &Local, caller: &Caller, request: &Value, (from, to): (&str, &str)) -> Result<Value, ServiceError> {
    let id = input(request).required("ImageId")?;
    local.store.write(|tx| {
        let mut ami = own(tx, &caller.scope, id)?;
        if ami.state != from && ami.state != to {
            let text = format!("The image '{id}' is in the state '{}'; it must be '{from}'.", ami.state);
            return Err(ServiceError::client("IncorrectState", text));
        }
        to.clone_into(&mut ami.state);
        if to == DISABLED {
            ami.public = false;
            ami.launch_permissions.clear();
        }
        tx.put(&caller.scope, AMI, id, &ami)?;
        Ok(json!({ "return": true }))
    })
}
