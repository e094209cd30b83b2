//! `createVolumePermission` of snapshots: who may make volumes of one, and so copy an AMI that is made of it.

use super::super::Local;
use super::super::input::Input;
use super::super::records::Ami;
use super::super::wire::{Caller, ServiceError};
use super::input;
use super::launch_permission::{Who, is_account};
use super::snapshots::{SNAPSHOT, own};
use serde_json::{Value, json};

const PERMISSION: &str = "createVolumePermission";

/// `DescribeSnapshotAttribute`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (id, attribute) = (input.required("SnapshotId")?, input.required("Attribute")?);
    let snapshot = local.store.read(|tx| own(tx, &caller.scope, id))?;
    let mut answer = json!({ "snapshotId": id });
    match attribute {
        PERMISSION => {
            let public = snapshot.own.public.then(|| json!({ "group": "all" }));
            let accounts = snapshot.own.accounts.iter().map(|account| json!({ "userId": account }));
            answer[PERMISSION] = accounts.chain(public).collect();
        }
        "productCodes" => answer["productCodes"] = json!([]),
        _ => return Err(input.invalid("Attribute", "It must be createVolumePermission or productCodes.")),
    }
    Ok(answer)
}

/// `ModifySnapshotAttribute`.
pub(super) fn modify(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let id = input.required("SnapshotId")?;
    let (add, remove) = changes(&input)?;
    local.store.write(|tx| {
        let snapshot = own(tx, &caller.scope, id)?;
        if !add.is_empty() {
            shareable(snapshot.ami(), &add)?;
        }
        let mut own = snapshot.own;
        for who in &remove {
            match who {
                Who::Everybody => own.public = false,
                Who::Account(account) => own.accounts.retain(|known| known != account),
            }
        }
        for who in &add {
            match who {
                Who::Everybody => own.public = true,
                Who::Account(account) => own.accounts.push(account.clone()),
            }
        }
        own.accounts.sort();
        own.accounts.dedup();
        tx.put(&caller.scope, SNAPSHOT, id, &own)?;
        Ok(json!({ "return": true }))
    })
}

/// `ResetSnapshotAttribute`: the owner's alone again.
pub(super) fn reset(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let id = input.required("SnapshotId")?;
    input.required("Attribute")?;
    input.one_of("Attribute", &[PERMISSION])?;
    local.store.write(|tx| {
        let mut own = own(tx, &caller.scope, id)?.own;
        (own.public, own.accounts) = (false, Vec::new());
        tx.put(&caller.scope, SNAPSHOT, id, &own)?;
        Ok(json!({ "return": true }))
    })
}

/// Refuses to share what nobody else could decrypt.
fn shareable(ami: &Ami, add: &[Who]) -> Result<(), ServiceError> {
    let refused = |text: &str| Err(ServiceError::client("OperationNotPermitted", text));
    if ami.is_sealed() {
        return refused("Encrypted snapshots with EBS default key cannot be shared");
    }
    if ami.encrypted && add.contains(&Who::Everybody) {
        return refused("Encrypted snapshots cannot be shared publicly");
    }
    Ok(())
}

/// Whom to let in and whom to keep out.
fn changes(input: &Input<'_>) -> Result<(Vec<Who>, Vec<Who>), ServiceError> {
    input.one_of("Attribute", &[PERMISSION])?;
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    if let Some(permission) = input.object("CreateVolumePermission")? {
        add = listed(&permission, "Add")?;
        remove = listed(&permission, "Remove")?;
    }
    let accounts =
        input.texts("UserId")?.into_iter().map(|id| account(input, "UserId", id)).collect::<Result<Vec<_>, _>>()?;
    let groups = input.texts("UserGroup")?.into_iter().map(|name| group(input, "UserGroup", name));
    let older = accounts.into_iter().map(Ok).chain(groups).collect::<Result<Vec<_>, ServiceError>>()?;
    match input.one_of("OperationType", &["add", "remove"])? {
        Some("add") => add.extend(older),
        Some(_) => remove.extend(older),
        None if !older.is_empty() => return Err(input.missing("OperationType")),
        None => {}
    }
    if add.is_empty() && remove.is_empty() {
        return Err(input.missing("CreateVolumePermission"));
    }
    Ok((add, remove))
}

fn listed(permission: &Input<'_>, name: &str) -> Result<Vec<Who>, ServiceError> {
    let one = |item: Input<'_>| match (item.text("UserId")?, item.text("Group")?) {
        (Some(id), None) => account(&item, "UserId", id),
        (None, Some(name)) => group(&item, "Group", name),
        _ => Err(item.invalid("UserId", "Each permission names one UserId or one Group.")),
    };
    permission.objects(name)?.into_iter().map(one).collect()
}

fn account(input: &Input<'_>, name: &str, id: &str) -> Result<Who, ServiceError> {
    if is_account(id) {
        return Ok(Who::Account(id.to_owned()));
    }
    Err(input.invalid(name, "An account has twelve digits."))
}

fn group(input: &Input<'_>, name: &str, value: &str) -> Result<Who, ServiceError> {
    if value == "all" {
        return Ok(Who::Everybody);
    }
    Err(input.invalid(name, "The only group is `all`."))
}
