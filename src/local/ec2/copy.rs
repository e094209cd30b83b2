//! `CopyImage`: an AMI of this or another Region becomes one more of the caller's, pending at first, by the clock.
//!
//! The layers are shared: a copy costs no room. How long one is pending is the way images are built
//! ([`Builds::copying`](super::super::builds::Builds::copying)).

use super::super::Local;
use super::super::input::Input;
use super::super::kms::Principal;
use super::super::random;
use super::super::records::{AMI, Ami};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::keys::{self, Reason};
use super::{MISMATCH, images, input, snapshots, tags};
use crate::clock::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// Kind of [`Copying`] documents; the id is the AMI's. All of them are in one place, so that looking for those that are done
/// costs one look.
const COPYING: &str = "ec2-copying";
/// Copies that may be under way to a Region at a time, in an account.
const CONCURRENT: usize = 100;

/// A copy that is under way.
#[derive(Debug, Serialize, Deserialize)]
struct Copying {
    account: String,
    region: String,
    #[serde(with = "time::serde::rfc3339")]
    done: OffsetDateTime,
    /// Why it will fail, if it will.
    failure: Option<Reason>,
}

impl Copying {
    fn scope(&self) -> Scope {
        Scope { account: self.account.clone(), region: self.region.clone() }
    }
}

/// The place of all [`Copying`] documents.
fn everywhere() -> Scope {
    Scope { account: "*".to_owned(), region: "*".to_owned() }
}

/// `CopyImage`.
pub(super) fn copy(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let order = Order::parse(&input)?;
    let once = Once { operation: "CopyImage", token: "ClientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let (ami, failure) = order.ami(tx, caller)?;
            let patience = local.config.builds.copying(ami.volume_size);
            begin(tx, &caller.scope, &ami, caller.now + patience, failure)?;
            Ok(json!({ "imageId": ami.id }))
        })
    })
}

/// What is asked for.
struct Order<'a> {
    source: &'a str,
    region: &'a str,
    name: &'a str,
    description: Option<&'a str>,
    encrypted: Option<bool>,
    key: Option<&'a str>,
    with_tags: bool,
    tags: tags::Tags,
    snapshot_tags: tags::Tags,
}

impl<'a> Order<'a> {
    fn parse(input: &Input<'a>) -> Result<Self, ServiceError> {
        for elsewhere in ["DestinationOutpostArn", "DestinationAvailabilityZone", "DestinationAvailabilityZoneId"] {
            if input.get(elsewhere).is_some() {
                return Err(
                    input.invalid(elsewhere, "The local environment has Regions only, no Outposts and Local Zones.")
                );
            }
        }
        let order = Self {
            region: input.required("SourceRegion")?,
            source: input.required("SourceImageId")?,
            name: image_name(input.required("Name")?)?,
            description: input.limited("Description", 0..=255)?,
            encrypted: input.flag("Encrypted")?,
            key: input.filled("KmsKeyId")?,
            with_tags: input.flag("CopyImageTags")?.unwrap_or(false),
            tags: specified(input, "image")?,
            snapshot_tags: specified(input, "snapshot")?,
        };
        if order.key.is_some() && order.encrypted != Some(true) {
            let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
            return Err(ServiceError::client("InvalidParameterDependency", text));
        }
        images::check_ids(&[order.source])?;
        Ok(order)
    }

    /// The AMI that is copied, as the caller sees it.
    fn source(&self, tx: &Transaction<'_>, caller: &Caller) -> Result<(Ami, Scope), ServiceError> {
        let there = Scope { account: caller.scope.account.clone(), region: self.region.to_owned() };
        let source = images::visible(tx, &there, self.source)?.ok_or_else(|| images::not_found(&[self.source]))?;
        if source.state != "available" {
            let text =
                format!("The image ID '{}' is not available to be copied; its state is '{}'.", source.id, source.state);
            return Err(ServiceError::client("InvalidAMIID.Unavailable", text));
        }
        if !snapshots::may_read(tx, &there, &source)? {
            let text = "You do not have permission to access the storage of this ami";
            return Err(ServiceError::client("InvalidRequest", text));
        }
        Ok((source, there))
    }

    /// The key with which the copy is encrypted, if it is and not with the one that AWS manages; and why it will fail, if it will.
    /// EC2 looks at keys after it has answered: the copy fails, not the call.
    fn keys(
        &self,
        tx: &Transaction<'_>,
        caller: &Caller,
        source: &Ami,
    ) -> Result<(Option<String>, Option<Reason>), ServiceError> {
        if !source.encrypted && self.encrypted != Some(true) {
            return Ok((None, None));
        }
        let who = Principal::of_ec2(caller);
        let there = who.at(self.region);
        let found = keys::writing(tx, (&who, caller.now), self.key)
            .map_err(|error| (self.key.unwrap_or("of the account").to_owned(), &caller.scope.region, error));
        let read = keys::reading(tx, (&there, caller.now), source)
            .map_err(|error| (keys::arn(source, self.region).unwrap_or_default(), &there.scope().region, error));
        match read.and(found) {
            Ok(key) => Ok((key, None)),
            Err((_, _, error)) if error.status >= 500 => Err(error),
            Err((key, region, error)) => {
                Ok((self.key.map(str::to_owned), Some(keys::copy_failure(&key, region, &error))))
            }
        }
    }

    /// The copy, pending; and why it will fail, if it will.
    fn ami(&self, tx: &Transaction<'_>, caller: &Caller) -> Result<(Ami, Option<Reason>), ServiceError> {
        let scope = &caller.scope;
        let (source, there) = self.source(tx, caller)?;
        let (kms_key, failure) = self.keys(tx, caller, &source)?;
        free_name(tx, scope, self.name)?;
        under_way(tx, scope)?;
        let mut tags = if self.with_tags { tags::of_ami(tx, &there, &source)? } else { tags::Tags::new() };
        tags.retain(|key, _| !key.starts_with("aws:"));
        tags.extend(self.tags.clone());
        tags::check(&tags)?;
        let written = format!("[Copied {} from {}] {}", source.id, self.region, source.name);
        let ami = Ami {
            id: random::resource_id("ami")?,
            name: self.name.to_owned(),
            description: self.description.map_or(written, str::to_owned),
            owner: scope.account.clone(),
            public: false,
            state: "pending".to_owned(),
            created_at: rfc3339(caller.now),
            snapshot: random::resource_id("snap")?,
            // What is encrypted stays so.
            encrypted: source.encrypted || self.encrypted == Some(true),
            kms_key,
            tags,
            launch_permissions: Vec::new(),
            source: Some(source.id.clone()),
            source_region: Some(self.region.to_owned()),
            state_reason: None,
            ..source
        };
        snapshots::tag(tx, scope, &ami.snapshot, &self.snapshot_tags)?;
        Ok((ami, failure))
    }
}

fn specified(input: &Input<'_>, kind: &str) -> Result<tags::Tags, ServiceError> {
    let mut tags = tags::Tags::new();
    for specification in input.objects("TagSpecification")? {
        if specification.one_of("ResourceType", &["image", "snapshot"])? == Some(kind) {
            tags.extend(specification.pairs("Tag")?);
        }
    }
    tags::check(&tags)?;
    Ok(tags)
}

fn image_name(name: &str) -> Result<&str, ServiceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    if (3..=128).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(name);
    }
    let text = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, spaces, and ( ) [ ] . - / ' @ _";
    Err(ServiceError::client("InvalidAMIName.Malformed", text))
}

/// Refuses a name that another AMI of the account has in the Region.
fn free_name(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<(), ServiceError> {
    let all = tx.list::<Ami>(scope, AMI, "")?;
    match all.iter().find(|(_, ami)| ami.name == name && ami.state != images::DEREGISTERED) {
        None => Ok(()),
        Some((id, _)) => {
            let text = format!("AMI name {name} is already in use by AMI {id}");
            Err(ServiceError::client("InvalidAMIName.Duplicate", text))
        }
    }
}

fn under_way(tx: &Transaction<'_>, scope: &Scope) -> Result<(), ServiceError> {
    let all = tx.list::<Copying>(&everywhere(), COPYING, "")?;
    if all.iter().filter(|(_, copying)| copying.scope() == *scope).count() < CONCURRENT {
        return Ok(());
    }
    let text = format!("Too many AMI copies in progress. The limit is {CONCURRENT} in this Region.");
    Err(ServiceError::client("ResourceLimitExceeded", text))
}

fn begin(
    tx: &Transaction<'_>,
    scope: &Scope,
    ami: &Ami,
    done: OffsetDateTime,
    failure: Option<Reason>,
) -> Result<(), StoreError> {
    tx.put(scope, AMI, &ami.id, ami)?;
    let copying = Copying { account: scope.account.clone(), region: scope.region.clone(), done, failure };
    tx.put(&everywhere(), COPYING, &ami.id, &copying)
}

/// Makes a copy that has been asked for fail when it would be done, for tests of what waits for it.
pub(super) fn spoil(tx: &Transaction<'_>, id: &str) -> Result<(), StoreError> {
    let Some(mut copying) = tx.get::<Copying>(&everywhere(), COPYING, id)? else { return Ok(()) };
    let text = "Server.InternalError: Internal error during the copy (a fault that was asked for)";
    copying.failure = Some(("Server.InternalError".to_owned(), text.to_owned()));
    tx.put(&everywhere(), COPYING, id, &copying)
}

/// Whether the time of a copy has come.
///
/// # Errors
/// A database error.
pub(super) fn is_due(tx: &Transaction<'_>, now: OffsetDateTime) -> Result<bool, StoreError> {
    Ok(tx.list::<Copying>(&everywhere(), COPYING, "")?.iter().any(|(_, copying)| copying.done <= now))
}

/// Ends the copies whose time has come.
///
/// # Errors
/// When the state cannot be read or written.
pub(super) fn settle(local: &Local, now: OffsetDateTime) -> Result<(), StoreError> {
    local.store.write(|tx| {
        for (id, copying) in tx.list::<Copying>(&everywhere(), COPYING, "")? {
            if copying.done > now {
                continue;
            }
            tx.delete(&everywhere(), COPYING, &id)?;
            let scope = copying.scope();
            // Deregistered meanwhile, which on AWS is how a copy is given up.
            let Some(mut ami) = tx.get::<Ami>(&scope, AMI, &id)?.filter(|ami| ami.state == "pending") else { continue };
            let state = if copying.failure.is_some() { "failed" } else { "available" };
            state.clone_into(&mut ami.state);
            ami.state_reason = copying.failure;
            tx.put(&scope, AMI, &id, &ami)?;
        }
        Ok(())
    })
}

/// How far the copy of an AMI is, from 0 to 99; nothing when none is under way.
pub(super) fn progress(tx: &Transaction<'_>, ami: &Ami, now: OffsetDateTime) -> Result<Option<u8>, StoreError> {
    let Some(copying) = tx.get::<Copying>(&everywhere(), COPYING, &ami.id)? else { return Ok(None) };
    let begun = OffsetDateTime::parse(&ami.created_at, &time::format_description::well_known::Rfc3339).unwrap_or(now);
    let (whole, past) = ((copying.done - begun).as_seconds_f64(), (now - begun).as_seconds_f64());
    let part = if whole > 0.0 { (past / whole * 100.0).clamp(0.0, 99.0) } else { 99.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 99")]
    Ok(Some(part as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_amis() {
        assert!(image_name("web 2026-01-02T03-04-05.678Z [x86_64]").is_ok());
        for name in ["ab", "web:1", "wéb", &"x".repeat(129)] {
            assert_eq!(image_name(name).unwrap_err().code, "InvalidAMIName.Malformed", "{name}");
        }
    }
}
