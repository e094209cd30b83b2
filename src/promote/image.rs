//! AMIs: look at them, copy, mark, share.

use super::error::StepError;
use super::execute::soon;
use super::model::{Candidate, Plan, Supply};
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud, tags};
use crate::project::Location;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, Filter, LaunchPermission,
    LaunchPermissionModifications, ResourceType, SnapshotAttributeName, Tag, TagSpecification,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long it is waited for a copy. Copies over Regions take minutes to an hour, by size and distance.
pub(super) const COPIED_WITHIN: Duration = Duration::from_hours(2);
/// Most characters of an AMI's name.
const LONGEST_NAME: usize = 128;
/// Answers that say that there is no such AMI for the caller.
const ABSENT: [&str; 3] = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"];

/// An AMI as one account sees it. Tags are seen by its owner only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Image {
    /// As the service spells it; absent when there is no such AMI.
    pub(super) state: Option<String>,
    /// The tag with the digest of its evidence.
    pub(super) evidence: Option<String>,
    /// The tag with the mark of approval.
    pub(super) approved: Option<String>,
    /// The tag that says that it was revoked.
    pub(super) revoked: Option<String>,
    /// The tag with the recipe that it was built by.
    pub(super) recipe: Option<String>,
    pub(super) name: String,
    pub(super) encrypted: bool,
    pub(super) snapshots: Vec<String>,
}

/// The AMI as the account sees it; also one that its owner has disabled.
pub(super) async fn look(cloud: &Cloud, place: &Location, ami: &str) -> Result<Image, CallError> {
    let answer = cloud.ec2(place).describe_images().image_ids(ami).include_disabled(true).send().await;
    let answer = answer.map_err(CallError::of("DescribeImages", place));
    if answer.as_ref().is_err_and(|error| error.fault.is(&ABSENT)) {
        return Ok(Image::default());
    }
    Ok(answer?.images.unwrap_or_default().into_iter().next().map(of).unwrap_or_default())
}

pub(super) fn of(found: aws_sdk_ec2::types::Image) -> Image {
    let state = found.state.map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned());
    let tags = found.tags.unwrap_or_default().into_iter();
    let mut tags: BTreeMap<String, String> = tags.filter_map(|tag| Some((tag.key?, tag.value?))).collect();
    let devices = found.block_device_mappings.unwrap_or_default();
    let disks: Vec<_> = devices.into_iter().filter_map(|device| device.ebs).collect();
    Image {
        state: Some(state),
        evidence: tags.remove(tags::EVIDENCE),
        approved: tags.remove(tags::APPROVED),
        revoked: tags.remove(tags::REVOKED),
        recipe: tags.remove(tags::RECIPE),
        name: found.name.unwrap_or_default(),
        encrypted: disks.iter().any(|disk| disk.encrypted == Some(true)),
        snapshots: disks.into_iter().filter_map(|disk| disk.snapshot_id).collect(),
    }
}

/// The account's copy of an AMI of the home account and Region, if it has one that may be used; the oldest of several.
///
/// The tag finds it and does not vouch for it: whoever may tag can put it on any image. What an image was copied from is said
/// by EC2; where it does not know, by a channel's record, in which `recorded` are the ids of copies that were proven once.
pub(super) async fn find_copy(
    cloud: &Cloud,
    place: &Location,
    source: &str,
    recorded: &BTreeSet<String>,
) -> Result<Option<String>, CallError> {
    let of_source = Filter::builder().name(format!("tag:{}", tags::SOURCE)).values(source).build();
    let usable = Filter::builder().name("state").values("available").values("pending").build();
    let request = cloud.ec2(place).describe_images().owners("self").filters(of_source).filters(usable);
    let answer = request.send().await.map_err(CallError::of("DescribeImages", place))?;
    let is_recorded = |one: &aws_sdk_ec2::types::Image| {
        let unknown = one.source_image_id().is_none() && one.source_instance_id().is_none();
        unknown && one.image_id().is_some_and(|id| recorded.contains(id))
    };
    let found = answer.images.unwrap_or_default().into_iter();
    let found = found.filter(|one| is_copy(one, cloud.home(), source) || is_recorded(one));
    let mut found: Vec<_> = found.filter_map(|one| Some((one.creation_date, one.image_id?))).collect();
    found.sort();
    Ok(found.into_iter().next().map(|(_, ami)| ami))
}

/// Whether an image has the very content of another one. `CreateImage` too names the AMI that its instance was launched from as the
/// source, though the instance may have changed since; but it names the instance as well.
fn is_copy(found: &aws_sdk_ec2::types::Image, home: &Location, source: &str) -> bool {
    found.source_image_id() == Some(source)
        && found.source_image_region() == Some(home.region.as_str())
        && found.source_instance_id().is_none()
}

/// The images that Image Builder has distributed by itself, as the build says. A build that cannot be asked has none.
pub(super) async fn distributed(cloud: &Cloud, candidate: &Candidate) -> Vec<(Location, String)> {
    outputs(cloud, candidate.image_arn.as_deref()).await.unwrap_or_default()
}

/// The same for who must know of every one. A build that is not there any more has none.
pub(super) async fn outputs(cloud: &Cloud, image_arn: Option<&str>) -> Result<Vec<(Location, String)>, CallError> {
    let Some(arn) = image_arn else { return Ok(vec![]) };
    let answer = cloud.imagebuilder().get_image().image_build_version_arn(arn).send().await;
    let answer = answer.map_err(CallError::of("GetImage", cloud.home()));
    if answer.as_ref().is_err_and(|error| error.fault.is(&["ResourceNotFoundException"])) {
        return Ok(vec![]);
    }
    let answer = answer?;
    let amis = answer.image.and_then(|image| image.output_resources).and_then(|output| output.amis);
    let home = cloud.home();
    let place = |account: Option<String>, region: String| Location {
        account: account.unwrap_or_else(|| home.account.clone()),
        region,
    };
    let all = amis.unwrap_or_default().into_iter();
    Ok(all
        .filter_map(|one| Some((place(one.account_id, one.region?), one.image?)))
        .filter(|(place, _)| place != home)
        .collect())
}

/// Begins to copy the AMI of the home account and Region. The mark of approval is on the copy from its beginning.
pub(super) async fn copy(cloud: &Cloud, plan: &Plan, supply: &Supply, source: &Image) -> Result<String, StepError> {
    let name = if source.name.is_empty() { &plan.release.ami } else { &source.name };
    match copy_as(cloud, plan, supply, source, name).await {
        // A copy that failed keeps its name until somebody deregisters it.
        Err(StepError::Call(error)) if error.fault.is(&["InvalidAMIName.Duplicate"]) => {
            let (id, longest) = (&plan.release.id, LONGEST_NAME - plan.release.id.len() - 1);
            let short: String = name.chars().take(longest).collect();
            copy_as(cloud, plan, supply, source, &format!("{short} {id}")).await
        }
        other => other,
    }
}

async fn copy_as(cloud: &Cloud, plan: &Plan, supply: &Supply, source: &Image, name: &str) -> Result<String, StepError> {
    let (place, home, release) = (supply.location(), cloud.home(), &plan.release);
    let own = [
        (tags::PROJECT, &release.project),
        (tags::RECIPE, &release.recipe),
        (tags::SOURCE, &release.ami),
        (tags::APPROVED, &release.id),
        (tags::EVIDENCE, &release.evidence),
    ];
    let own = own.into_iter().filter(|(_, value)| !value.is_empty());
    let list: Vec<Tag> = own.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let specification = TagSpecification::builder().resource_type(ResourceType::Image).set_tags(Some(list)).build();
    let request = cloud
        .ec2(&place)
        .copy_image()
        .source_region(&home.region)
        .source_image_id(&release.ami)
        .name(name)
        .description(format!("copy of {} in {} for amiforge", release.ami, home.region))
        .client_token(crate::plan::token(&["copy", &release.id, &place.account, &place.region, name]))
        .set_encrypted((source.encrypted || supply.kms_key.is_some()).then_some(true))
        .set_kms_key_id(supply.kms_key.clone())
        .tag_specifications(specification);
    match request.send().await.map_err(CallError::of("CopyImage", &place)) {
        Ok(answer) => answer.image_id.ok_or_else(|| StepError::Refused("the copy has no id".to_owned())),
        Err(error) if error.fault.may_have_been_applied() => {
            let mut waiting = soon(cloud).start();
            loop {
                if let Some(found) = find_copy(cloud, &place, &release.ami, &BTreeSet::new()).await? {
                    return Ok(found);
                }
                // What was begun shows by then.
                if waiting.pause().await.is_err() {
                    return Err(error.into());
                }
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a copy was refused because the image, or its snapshots, are not open to who copies.
pub(super) fn unopened(error: &CallError) -> bool {
    let fault = &error.fault;
    fault.is(&["InvalidAMIID.NotFound"])
        || (fault.is(&["InvalidRequest"]) && fault.message.contains("storage of this ami"))
}

/// Waits until an AMI can be used.
pub(super) async fn available(cloud: &Cloud, place: &Location, ami: &str) -> Result<Image, StepError> {
    let mut waiting = Poller { every: cloud.poll(), deadline: COPIED_WITHIN }.start();
    loop {
        let found = look(cloud, place, ami).await?;
        match found.state.as_deref() {
            Some("available") => return Ok(found),
            // What was made a moment ago need not show yet.
            Some("pending") | None => {}
            Some(other) => return Err(StepError::Refused(format!("{ami} is {other}"))),
        }
        let what = format!("the copy {ami}");
        waiting.pause().await.map_err(|timed_out| StepError::NotSeen { what, timed_out })?;
    }
}

/// Sets the tags of the owner's image that it lacks; a mark of an earlier promotion stays.
pub(super) async fn mark(
    cloud: &Cloud,
    plan: &Plan,
    supply: &Supply,
    ami: &str,
    found: &Image,
) -> Result<(), StepError> {
    let release = &plan.release;
    let mut wanted = Vec::new();
    if found.approved.is_none() {
        wanted.push((tags::APPROVED, &release.id));
    }
    // At home it is the evidence that was judged; elsewhere it is what that judgement is carried by.
    if supply.location() != *cloud.home() && found.evidence.as_ref() != Some(&release.evidence) {
        wanted.push((tags::EVIDENCE, &release.evidence));
        wanted.push((tags::SOURCE, &release.ami));
    }
    wanted.retain(|(_, value)| !value.is_empty());
    if wanted.is_empty() {
        return Ok(());
    }
    let place = supply.location();
    let list = wanted.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let answer = cloud.ec2(&place).create_tags().resources(ami).set_tags(Some(list)).send().await;
    Ok(answer.map(drop).map_err(CallError::of("CreateTags", &place))?)
}

/// Takes the mark of approval away if it is that of `promotion`; whether it is known to have been.
///
/// A mark that was set a moment ago need not show: then it is EC2 that compares, which deletes a tag that is named with its
/// value only if it has that value.
pub(super) async fn unmark(cloud: &Cloud, place: &Location, ami: &str, promotion: &str) -> Result<bool, CallError> {
    let found = look(cloud, place, ami).await?;
    if found.state.is_none() || found.approved.as_ref().is_some_and(|other| other != promotion) {
        return Ok(false);
    }
    let tag = Tag::builder().key(tags::APPROVED).value(promotion).build();
    let answer = cloud.ec2(place).delete_tags().resources(ami).tags(tag).send().await;
    answer.map(|_| found.approved.is_some()).map_err(CallError::of("DeleteTags", place))
}

/// Lets accounts launch an image, and those that copy it read its snapshots as well: who only launches needs no more than
/// the permission on the AMI (EC2's user guide on shared AMIs). A customer-managed key must be opened to them by its owner.
pub(super) async fn share(cloud: &Cloud, supply: &Supply, ami: &str, found: &Image) -> Result<(), StepError> {
    let place = supply.location();
    let mut accounts: Vec<&String> = supply.launched_by.iter().chain(&supply.copied_by).collect();
    accounts.sort_unstable();
    accounts.dedup();
    if accounts.is_empty() {
        return Ok(());
    }
    let add = accounts.iter().map(|account| LaunchPermission::builder().user_id(account.as_str()).build()).collect();
    let change = LaunchPermissionModifications::builder().set_add(Some(add)).build();
    let request = cloud.ec2(&place).modify_image_attribute().image_id(ami).launch_permission(change);
    request.send().await.map_err(CallError::of("ModifyImageAttribute", &place))?;
    if supply.copied_by.is_empty() {
        return Ok(());
    }
    for snapshot in &found.snapshots {
        let add = supply.copied_by.iter().map(|account| CreateVolumePermission::builder().user_id(account).build());
        let change = CreateVolumePermissionModifications::builder().set_add(Some(add.collect())).build();
        let request = cloud
            .ec2(&place)
            .modify_snapshot_attribute()
            .snapshot_id(snapshot)
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .create_volume_permission(change);
        request.send().await.map_err(CallError::of("ModifySnapshotAttribute", &place))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_what_ec2_says_was_copied() {
        let home = Location { account: "1".into(), region: "home-1".into() };
        let image = |source: Option<&str>, region: Option<&str>, instance: Option<&str>| {
            let image = aws_sdk_ec2::types::Image::builder().set_source_instance_id(instance.map(str::to_owned));
            let image = image.set_source_image_id(source.map(str::to_owned));
            image.set_source_image_region(region.map(str::to_owned)).build()
        };
        let copy = image(Some("ami-1"), Some("home-1"), None);
        assert!(is_copy(&copy, &home, "ami-1"));
        let others = [
            ("of another image", image(Some("ami-2"), Some("home-1"), None)),
            ("of an image of that id elsewhere", image(Some("ami-1"), Some("far-1"), None)),
            ("of which only the id is known", image(Some("ami-1"), None, None)),
            ("registered", image(None, None, None)),
            ("made of an instance of the image", image(Some("ami-1"), Some("home-1"), Some("i-1"))),
        ];
        for (what, other) in others {
            assert!(!is_copy(&other, &home, "ami-1"), "{what}");
        }
    }
}
