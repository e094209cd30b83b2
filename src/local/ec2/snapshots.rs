//! EBS snapshots: each is what an AMI was made of. What an AMI tells of its snapshot is read there; what a snapshot has of its own
//! (permissions, tags, that it was deleted) is a document that is made when it is needed.

use super::super::Local;
use super::super::input::compact;
use super::super::paging;
use super::super::records::{AMI, Ami};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::filters::Filters;
use super::{copy, images, input, is_id, keys, tags, time};
use ::time::OffsetDateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kind of [`Own`] documents; the id is the snapshot's.
pub(super) const SNAPSHOT: &str = "ec2-snapshot";

const FILTERS: &[&str] = &[
    "description",
    "encrypted",
    "owner-id",
    "progress",
    "snapshot-id",
    "start-time",
    "status",
    "storage-tier",
    "tag-key",
    "tag:",
    "volume-id",
    "volume-size",
];
/// The volume of snapshots that are copies.
const NO_VOLUME: &str = "vol-ffffffff";

/// What a snapshot has of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Own {
    pub(super) tags: tags::Tags,
    /// Accounts that may make volumes of it, besides the owner.
    pub(super) accounts: Vec<String>,
    pub(super) public: bool,
    pub(super) deleted: bool,
}

/// A snapshot as somebody sees it.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) id: String,
    pub(super) own: Own,
    /// The AMIs that were made of it, those that are registered first.
    amis: Vec<Ami>,
}

impl Snapshot {
    /// The AMI that tells what it is.
    pub(super) fn ami(&self) -> &Ami {
        // A snapshot exists because an AMI names it.
        &self.amis[0]
    }

    /// The AMI that needs it.
    fn user(&self) -> Option<&Ami> {
        self.amis.iter().find(|ami| ami.state != images::DEREGISTERED && ami.state != "failed")
    }

    fn may_read(&self, scope: &Scope) -> bool {
        let ami = self.ami();
        // What belongs to nobody was published for everybody.
        ami.owner == scope.account || ami.owner == "*" || self.own.public || self.own.accounts.contains(&scope.account)
    }

    fn status(&self) -> &'static str {
        match self.ami().state.as_str() {
            "pending" => "pending",
            "failed" => "error",
            _ => "completed",
        }
    }
}

/// All snapshots of an account and Region that were not deleted.
fn of_owner(tx: &Transaction<'_>, owner: &Scope) -> Result<BTreeMap<String, Snapshot>, StoreError> {
    let mut found: BTreeMap<String, Snapshot> = BTreeMap::new();
    for (_, ami) in tx.list::<Ami>(owner, AMI, "")? {
        let id = ami.snapshot.clone();
        let known = found.entry(id.clone()).or_insert_with(|| Snapshot { id, own: Own::default(), amis: Vec::new() });
        known.amis.push(ami);
    }
    for snapshot in found.values_mut() {
        snapshot.amis.sort_by_key(|ami| ami.state == images::DEREGISTERED);
        snapshot.own = tx.get(owner, SNAPSHOT, &snapshot.id)?.unwrap_or_default();
    }
    found.retain(|_, snapshot| !snapshot.own.deleted);
    Ok(found)
}

/// Whether `scope` may read what an AMI that it sees is made of.
pub(super) fn may_read(tx: &Transaction<'_>, scope: &Scope, ami: &Ami) -> Result<bool, StoreError> {
    if ami.owner == scope.account {
        return Ok(true);
    }
    let owner = Scope { account: ami.owner.clone(), region: scope.region.clone() };
    Ok(of_owner(tx, &owner)?.get(&ami.snapshot).is_some_and(|snapshot| snapshot.may_read(scope)))
}

/// Gives a snapshot tags.
pub(super) fn tag(tx: &Transaction<'_>, scope: &Scope, id: &str, tags: &tags::Tags) -> Result<(), StoreError> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut own: Own = tx.get(scope, SNAPSHOT, id)?.unwrap_or_default();
    own.tags.extend(tags.clone());
    tx.put(scope, SNAPSHOT, id, &own)
}

/// The caller's own snapshot for a change.
///
/// # Errors
/// That it does not exist for the caller, or belongs to somebody else.
pub(super) fn own(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Snapshot, ServiceError> {
    check_ids(&[id])?;
    if let Some(snapshot) = of_owner(tx, scope)?.remove(id) {
        return Ok(snapshot);
    }
    if readable(tx, scope)?.contains_key(id) {
        let text = format!("Not authorized for snapshot: {id}");
        return Err(ServiceError::new(403, "AuthFailure", text));
    }
    Err(not_found(id))
}

/// The document that a snapshot of the caller's has or would have, for its tags.
pub(super) fn document(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Value, ServiceError> {
    Ok(json!(own(tx, scope, id)?.own))
}

/// Every snapshot of the Region that `scope` may read.
fn readable(tx: &Transaction<'_>, scope: &Scope) -> Result<BTreeMap<String, Snapshot>, StoreError> {
    let mut found = BTreeMap::new();
    for owner in images::owners(tx, scope)? {
        found.extend(of_owner(tx, &owner)?.into_iter().filter(|(_, snapshot)| snapshot.may_read(scope)));
    }
    Ok(found)
}

/// Whether `scope` sees it.
///
/// # Errors
/// When it does not.
pub(super) fn is_there(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<(), ServiceError> {
    if readable(tx, scope)?.contains_key(id) { Ok(()) } else { Err(not_found(id)) }
}

fn not_found(id: &str) -> ServiceError {
    ServiceError::client("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
}

fn check_ids(ids: &[&str]) -> Result<(), ServiceError> {
    match ids.iter().find(|id| !is_id(id, "snap")) {
        Some(id) => {
            let text = format!("Value ({id}) for parameter snapshotId is invalid. Expected: 'snap-...'.");
            Err(ServiceError::client("InvalidParameterValue", text))
        }
        None => Ok(()),
    }
}

/// `DescribeSnapshots`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let ids = input.texts("SnapshotId")?;
    check_ids(&ids)?;
    if !ids.is_empty() && input.get("MaxResults").is_some() {
        let text = "The parameter snapshotSet cannot be used with the parameter maxResults";
        return Err(ServiceError::client("InvalidParameterCombination", text));
    }
    let (owners, restorable) = (input.texts("Owner")?, input.texts("RestorableBy")?);
    let filters = Filters::parse(&input, FILTERS)?;
    let size = input.page_size("MaxResults", 5..=1000, 1000)?;
    let scope = &caller.scope;
    let rows = local.store.read(|tx| {
        let seen = readable(tx, scope)?;
        if let Some(missing) = ids.iter().find(|id| !seen.contains_key(**id)) {
            return Err(not_found(missing));
        }
        let mut rows = Vec::new();
        for (id, snapshot) in seen {
            // Tags are the owner's, as those of AMIs are.
            let tags = if snapshot.ami().owner == scope.account { snapshot.own.tags.clone() } else { BTreeMap::new() };
            let progress = progress(tx, &snapshot, caller.now)?;
            let wanted = (ids.is_empty() || ids.contains(&id.as_str()))
                && (owners.is_empty() || owners.iter().any(|owner| images::is_owner(owner, scope, snapshot.ami())))
                && (restorable.is_empty() || restorable.iter().any(|who| is_restorable(who, scope, &snapshot)))
                && filters.accept(&tags, |name| vec![field(&snapshot, &progress, name)]);
            if wanted {
                rows.push((id, render(&snapshot, scope, &progress, &tags)));
            }
        }
        Ok(rows)
    })?;
    let (snapshots, next) = paging::page(&input, "DescribeSnapshots", size, rows)?;
    Ok(json!({ "snapshotSet": snapshots, "nextToken": next }))
}

fn progress(tx: &Transaction<'_>, snapshot: &Snapshot, now: OffsetDateTime) -> Result<String, StoreError> {
    Ok(match snapshot.status() {
        "completed" => "100%".to_owned(),
        _ => format!("{}%", copy::progress(tx, snapshot.ami(), now)?.unwrap_or_default()),
    })
}

fn is_restorable(who: &str, scope: &Scope, snapshot: &Snapshot) -> bool {
    match who {
        "all" => snapshot.own.public,
        "self" => snapshot.may_read(scope),
        account => snapshot.own.accounts.iter().any(|permitted| permitted == account),
    }
}

fn description(snapshot: &Snapshot) -> String {
    let ami = snapshot.ami();
    match (&ami.source, &ami.source_region) {
        (Some(source), Some(region)) => {
            format!("Copied for DestinationAmi {} from SourceAmi {source} in {region}", ami.id)
        }
        _ => format!("Created by CreateImage for {}", ami.id),
    }
}

fn field(snapshot: &Snapshot, progress: &str, name: &str) -> String {
    let ami = snapshot.ami();
    match name {
        "description" => description(snapshot),
        "encrypted" => ami.encrypted.to_string(),
        "owner-id" => ami.owner.clone(),
        "progress" => progress.to_owned(),
        "snapshot-id" => snapshot.id.clone(),
        "start-time" => time(&ami.created_at),
        "status" => snapshot.status().to_owned(),
        "storage-tier" => "standard".to_owned(),
        "volume-size" => ami.volume_size.to_string(),
        _ => NO_VOLUME.to_owned(),
    }
}

fn render(snapshot: &Snapshot, scope: &Scope, progress: &str, tags: &tags::Tags) -> Value {
    let ami = snapshot.ami();
    compact(json!({
        "snapshotId": snapshot.id,
        "volumeId": NO_VOLUME,
        "status": snapshot.status(),
        "startTime": time(&ami.created_at),
        "progress": progress,
        "ownerId": ami.owner,
        "volumeSize": ami.volume_size,
        "description": description(snapshot),
        "encrypted": ami.encrypted,
        "kmsKeyId": keys::arn(ami, &scope.region),
        "storageTier": "standard",
        "tagSet": tags::render(tags),
    }))
}

/// `DeleteSnapshot`: not while an AMI needs it.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let id = input(request).required("SnapshotId")?;
    local.store.write(|tx| {
        let snapshot = own(tx, &caller.scope, id)?;
        if let Some(ami) = snapshot.user() {
            let text = format!("The snapshot {id} is currently in use by {}", ami.id);
            return Err(ServiceError::client("InvalidSnapshot.InUse", text));
        }
        tx.put(&caller.scope, SNAPSHOT, id, &Own { deleted: true, ..snapshot.own })?;
        Ok(json!({ "return": true }))
    })
}

/// Deletes the snapshot of an AMI that was just deregistered, if no other AMI needs it; what became of it, in the form of
/// `DeregisterImage`.
pub(super) fn discard(tx: &Transaction<'_>, scope: &Scope, ami: &Ami) -> Result<Value, ServiceError> {
    let code = match of_owner(tx, scope)?.remove(&ami.snapshot) {
        Some(snapshot) if snapshot.user().is_some() => "skipped",
        Some(snapshot) => {
            tx.put(scope, SNAPSHOT, &ami.snapshot, &Own { deleted: true, ..snapshot.own })?;
            "success"
        }
        None => "client-error",
    };
    Ok(json!([{ "snapshotId": ami.snapshot, "returnCode": code }]))
}
