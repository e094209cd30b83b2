//! Keys of encrypted images: which they are, whether they can be used, and to whom they are opened.
//!
//! What is encrypted with an AWS-managed key can be used by its own account only. A customer-managed key must let every account in
//! that launches or copies the image: by its policy, or by a grant, which is what a promotion makes. There is one grant for each key
//! and grantee, and it serves all images of the project: a grant is for a key and not for an image, and a new one for every
//! release would have to be waited for every time.

use super::error::{PromoteError, StepError};
use super::image::Image;
use super::model::{How, Supply};
use super::state::LANES;
use super::supply::supplies;
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud};
use crate::project::{EnvironmentConfig, Grantee, Location};
use aws_sdk_ec2::types::Snapshot;
use aws_sdk_kms::types::{GrantListEntry, GrantOperation, KeyManagerType, KeyMetadata, KeyState};
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What it takes to launch or copy what is encrypted with a key: what EC2 Auto Scaling's user guide has for its service-linked role
/// (general knowledge of AWS).
const OPERATIONS: [GrantOperation; 8] = [
    GrantOperation::CreateGrant,
    GrantOperation::Decrypt,
    GrantOperation::DescribeKey,
    GrantOperation::Encrypt,
    GrantOperation::GenerateDataKey,
    GrantOperation::GenerateDataKeyWithoutPlaintext,
    GrantOperation::ReEncryptFrom,
    GrantOperation::ReEncryptTo,
];
/// How long it is waited for a grant: KMS says that they show within five minutes (reference of `CreateGrant`).
const GRANTED_WITHIN: Duration = Duration::from_mins(5);
/// Longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A key, as it is found when a promotion is planned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyNow {
    /// The account that has, or will have, the image; and its Region.
    place: Location,
    /// As the snapshot or the settings name it.
    name: String,
    /// Accounts that are to launch or copy the image.
    users: Vec<String>,
    /// Which image.
    of: Of,
    /// What KMS says of it.
    found: Result<Found, CallError>,
}

/// An image, by how its key is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The one at home, which is there.
    Source,
    /// The one at home, before it is built.
    Build,
    /// A copy that is yet to be made.
    Copy,
}

/// What is known of the image at home.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// It is there.
    There(&'a Image),
    /// It will be encrypted with that key, or with the account's default one.
    Coming(Option<&'a str>),
}

#[derive(Debug, Clone, PartialEq)]
struct Found {
    managed_by_aws: bool,
    state: KeyState,
}

impl From<Option<KeyMetadata>> for Found {
    /// A key of which nothing is said cannot be used.
    fn from(metadata: Option<KeyMetadata>) -> Self {
        let managed_by_aws = metadata.as_ref().is_some_and(|key| key.key_manager == Some(KeyManagerType::Aws));
        let state = metadata.and_then(|key| key.key_state).unwrap_or(KeyState::Unavailable);
        Self { managed_by_aws, state }
    }
}

/// Answers that no look later changes.
const REFUSED: [&str; 4] = ["NotFoundException", "InvalidArnException", "ValidationException", "AccessDeniedException"];

impl KeyNow {
    /// Which key, and where.
    pub(crate) fn label(&self) -> String {
        format!("{} in {}/{}", self.name, self.place.account, self.place.region)
    }

    /// Why nothing can be said of it.
    pub(crate) fn unseen(&self) -> Option<&CallError> {
        self.found.as_ref().err().filter(|error| !error.fault.is(&REFUSED))
    }

    /// Refuses a key of which it is certain that the image cannot be used with it. What cannot be seen at this moment is found
    /// by whoever works there.
    pub(crate) fn check(&self, ami: &str) -> Result<(), PromoteError> {
        let Location { account, region } = &self.place;
        let name = &self.name;
        let (which, what) = match self.of {
            Of::Source => (format!("it is encrypted with {name}"), "build an image"),
            Of::Build => (format!("it would be encrypted with {name}"), "let it be encrypted"),
            Of::Copy => (format!("copies would be encrypted with {name}"), "let copies be encrypted"),
        };
        let why = match &self.found {
            Ok(found) if found.managed_by_aws && !self.users.is_empty() => {
                let who = self.users.join(", ");
                format!("{which}, a key that AWS manages and no other account can use, and {who} must be able to")
            }
            Ok(found) if found.state != KeyState::Enabled => {
                format!("{which}, whose state is {}", found.state.as_str())
            }
            Err(error) if error.fault.is(&REFUSED) => format!("{which}: {}", error.fault),
            _ => return Ok(()),
        };
        let denied = self.found.as_ref().err().filter(|error| error.fault.denied);
        let first =
            denied.and_then(CallError::next).map(|next| format!("{next}, as the key's policy must say, too; or "));
        let next = format!(
            "{}{what} with a customer-managed key that {account} may use: `encryption: {{ kms_keys: {{ {region}: alias/NAME }} }}` in the \
             environment",
            first.unwrap_or_default()
        );
        let why = format!("{account}/{region}: {why}");
        Err(PromoteError::Key { ami: ami.to_owned(), why, next, denied: denied.is_some() })
    }
}

/// The keys that matter to a promotion: those of what others launch and copy, and those that settings name for copies.
pub(super) async fn observe(
    cloud: &Cloud,
    ami: &str,
    source: Source<'_>,
    places: &[Location],
    copies: &BTreeMap<Location, (String, How)>,
) -> Result<Vec<KeyNow>, CallError> {
    let (all, _) = supplies(cloud.config(), cloud.home(), ami, places, copies);
    let looks = all.iter().enumerate().map(|(index, supply)| look(cloud, source, index, supply));
    let looks: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await;
    Ok(looks.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// The same of one image of the release; the first one is that at home.
async fn look(cloud: &Cloud, source: Source<'_>, index: usize, supply: &Supply) -> Result<Vec<KeyNow>, CallError> {
    let (place, users) = (supply.location(), users(supply));
    let (encrypted, opened) = (source.is_encrypted(), !users.is_empty());
    let is_coming = index > 0 && supply.how == How::Copied && supply.ami.is_none();
    let (of, names) = match (&supply.kms_key, source) {
        (_, Source::There(image)) if index == 0 && encrypted && opened => {
            (Of::Source, named(cloud, &place, &image.snapshots).await?.into_iter().flatten().map(Ok).collect())
        }
        (_, Source::Coming(key)) if index == 0 && (opened || key.is_some()) => match key {
            Some(key) => (Of::Build, vec![Ok(key.to_owned())]),
            None => (Of::Build, vec![default(cloud, &place).await]),
        },
        (Some(key), _) if is_coming => (Of::Copy, vec![Ok(key.clone())]),
        (None, _) if is_coming && encrypted && opened => (Of::Copy, vec![default(cloud, &place).await]),
        _ => return Ok(vec![]),
    };
    let mut keys = Vec::new();
    for name in names {
        let (name, found) = match name {
            Ok(name) => (name.clone(), describe(cloud, &place, &name).await),
            Err(error) => ("the account's default key".to_owned(), Err(error)),
        };
        keys.push(KeyNow { place: place.clone(), name, users: users.clone(), of, found });
    }
    Ok(keys)
}

impl Source<'_> {
    fn is_encrypted(self) -> bool {
        match self {
            Self::There(image) => image.encrypted,
            Self::Coming(_) => true,
        }
    }
}

/// Refuses to build what could not be promoted, because nobody but the home account could use its key, or those of its copies.
/// `key` is what the image will be encrypted with; the account's default one when absent.
///
/// # Errors
/// [`PromoteError::Key`]; what cannot be seen at this moment is no reason.
pub(crate) async fn foresee(cloud: &Cloud, recipe: &str, key: Option<&str>) -> Result<(), PromoteError> {
    foreseen(cloud, key).await?.iter().try_for_each(|key| key.check(recipe))
}

/// The same, key by key, for who wants to know all of it.
///
/// # Errors
/// When it cannot be found out which keys there are.
pub(crate) async fn foreseen(cloud: &Cloud, key: Option<&str>) -> Result<Vec<KeyNow>, CallError> {
    let places: Vec<Location> = cloud.targets().iter().map(|target| target.location.clone()).collect();
    // No image has this name yet, so nothing is there already.
    observe(cloud, "", Source::Coming(key), &places, &BTreeMap::new()).await
}

/// Accounts other than the owner's that launch or copy an image.
fn users(supply: &Supply) -> Vec<String> {
    let all: BTreeSet<&String> = supply.launched_by.iter().chain(&supply.copied_by).collect();
    all.into_iter().cloned().collect()
}

/// The key of what is encrypted without naming one.
async fn default(cloud: &Cloud, place: &Location) -> Result<String, CallError> {
    let answer = cloud.ec2(place).get_ebs_default_kms_key_id().send().await;
    // Without one that was chosen it is the one that AWS manages (reference of the operation).
    let name = |named: Option<String>| named.unwrap_or_else(|| "alias/aws/ebs".to_owned());
    answer.map(|answer| name(answer.kms_key_id)).map_err(CallError::of("GetEbsDefaultKmsKeyId", place))
}

async fn describe(cloud: &Cloud, place: &Location, key: &str) -> Result<Found, CallError> {
    let answer = cloud.kms(place).describe_key().key_id(key).send().await;
    answer.map(|answer| answer.key_metadata.into()).map_err(CallError::of("DescribeKey", place))
}

/// The keys that the snapshots of an image are encrypted with; none when it is not encrypted. A snapshot that does not say with
/// which could keep out those who are let in by the keys of the others.
pub(super) async fn keys(cloud: &Cloud, place: &Location, image: &Image) -> Result<Vec<String>, StepError> {
    if !image.encrypted {
        return Ok(vec![]);
    }
    let keys = named(cloud, place, &image.snapshots).await?;
    let known: Option<Vec<String>> = keys.into_iter().collect();
    known.filter(|keys| !keys.is_empty()).ok_or_else(|| {
        StepError::Refused("it is encrypted, and not every snapshot of it says with which key".to_owned())
    })
}

/// The keys of snapshots, each once; nothing for encrypted ones that name none, and for those that are not shown.
async fn named(cloud: &Cloud, place: &Location, snapshots: &[String]) -> Result<Vec<Option<String>>, CallError> {
    let request = cloud.ec2(place).describe_snapshots().set_snapshot_ids(Some(snapshots.to_vec()));
    let answer = request.send().await.map_err(CallError::of("DescribeSnapshots", place))?;
    Ok(keys_of(snapshots, &answer.snapshots.unwrap_or_default()))
}

fn keys_of(asked: &[String], shown: &[Snapshot]) -> Vec<Option<String>> {
    let is_shown = |id: &String| shown.iter().any(|one| one.snapshot_id() == Some(id));
    let unseen = asked.iter().filter(|id| !is_shown(id)).map(|_| None);
    let encrypted = shown.iter().filter(|one| one.encrypted != Some(false));
    let keys: BTreeSet<Option<String>> = encrypted.map(|one| one.kms_key_id.clone()).chain(unseen).collect();
    keys.into_iter().collect()
}

/// Gives those who launch and copy an image a grant on its keys, where they have none.
pub(super) async fn open(cloud: &Cloud, project: &str, supply: &Supply, keys: &[String]) -> Result<(), StepError> {
    let place = supply.location();
    for key in keys {
        for grantee in grantees(cloud.config(), supply) {
            if !is_granted(cloud, &place, key, &grantee).await? {
                grant(cloud, &place, key, &grantee, project).await?;
            }
        }
    }
    Ok(())
}

/// Whom the settings name, in every account. Who only copies has nothing to do with Auto Scaling.
fn grantees(config: &EnvironmentConfig, supply: &Supply) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for grantee in &config.encryption().grants {
        let copies = supply.copied_by.iter().filter(|_| *grantee != Grantee::AutoScaling);
        let accounts = supply.launched_by.iter().chain(copies);
        all.extend(accounts.map(|account| grantee.arn(&Location { account: account.clone(), ..supply.location() })));
    }
    all
}

async fn is_granted(cloud: &Cloud, place: &Location, key: &str, grantee: &str) -> Result<bool, CallError> {
    let mut pages = cloud.kms(place).list_grants().key_id(key).grantee_principal(grantee).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListGrants", place))?;
        if page.grants.unwrap_or_default().iter().any(suffices) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A grant with conditions may not hold for what is to be done.
fn suffices(grant: &GrantListEntry) -> bool {
    let has = |operation| grant.operations().contains(operation);
    grant.constraints.is_none() && OPERATIONS.iter().all(has)
}

/// The name makes it safe to repeat: KMS answers the same request with the same grant.
async fn grant(cloud: &Cloud, place: &Location, key: &str, grantee: &str, project: &str) -> Result<(), CallError> {
    let request = cloud.kms(place).create_grant().key_id(key).grantee_principal(grantee);
    let request = request.name(format!("amiforge/{project}")).set_operations(Some(OPERATIONS.to_vec()));
    request.send().await.map(drop).map_err(CallError::of("CreateGrant", place))
}

/// Waits until an account can see a key and may use it.
pub(super) async fn usable(cloud: &Cloud, account: &str, key: &str) -> Result<(), StepError> {
    // A key is asked for where it is: `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`.
    let [_, _, _, region, owner, _] = key.splitn(6, ':').collect::<Vec<_>>()[..] else {
        return Err(StepError::Refused(format!("the snapshot names a key that is no ARN: {key}")));
    };
    let place = Location { account: account.to_owned(), region: region.to_owned() };
    // A grant takes a while to show; nothing else does.
    let is_granted = owner != account && !cloud.config().encryption().grants.is_empty();
    let deadline = if is_granted && !cloud.settles().is_zero() { GRANTED_WITHIN } else { Duration::ZERO };
    let mut waiting = Poller { every: cloud.poll().min(LOOK_EVERY), deadline }.start();
    loop {
        match describe(cloud, &place, key).await {
            Ok(found) if found.state == KeyState::Enabled => return Ok(()),
            Ok(found) => return Err(StepError::Refused(format!("the key {key} is {}", found.state.as_str()))),
            Err(error) if error.fault.denied && waiting.pause().await.is_ok() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(id: &str, encrypted: Option<bool>, key: Option<&str>) -> Snapshot {
        let one = Snapshot::builder().snapshot_id(id).set_encrypted(encrypted);
        one.set_kms_key_id(key.map(str::to_owned)).build()
    }

    #[test]
    fn a_snapshot_that_does_not_name_its_key_is_not_passed_over() {
        let asked = ["snap-1".to_owned(), "snap-2".to_owned()];
        let of = |second| keys_of(&asked, &[snapshot("snap-1", Some(true), Some("one")), second]);
        let one = || Some("one".to_owned());
        assert_eq!(of(snapshot("snap-2", Some(true), Some("one"))), [one()]);
        assert_eq!(of(snapshot("snap-2", Some(false), None)), [one()], "another volume may not be encrypted");
        for unnamed in [
            snapshot("snap-2", Some(true), None),
            snapshot("snap-2", None, None),
            snapshot("snap-3", Some(false), None),
        ] {
            assert_eq!(of(unnamed), [None, one()]);
        }
    }
}
