//! What is done with one image: mark and tag, disable and enable, share. Each looks first, so that doing it again changes
//! nothing, and each waits until it shows, because EC2 shows what was written a moment later.

use super::copies::{Copy, permission};
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud, tags};
use crate::promote::error::StepError;
use crate::promote::image::{self, Image};
use aws_sdk_ec2::types::{LaunchPermissionModifications, Tag};
use std::time::Duration;

/// How long it is waited for an image to show what was written.
const SHOWN_WITHIN: Duration = Duration::from_mins(1);
/// Longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// State of an image that cannot be launched.
const DISABLED: &str = "disabled";

/// Says on the image that it was revoked, and takes the mark of approval away.
pub(super) async fn withdraw(cloud: &Cloud, copy: &Copy, text: &str) -> Result<(), StepError> {
    let found = image::look(cloud, &copy.location(), &copy.ami).await?;
    if found.revoked.is_none() {
        tag(cloud, copy, tags::REVOKED, text).await?;
    }
    if found.approved.is_some() {
        untag(cloud, copy, tags::APPROVED).await?;
    }
    shows(cloud, copy, "the tags", |image| image.revoked.is_some() && image.approved.is_none()).await
}

/// The other way: the mark, where there is one to be set, and then the tag goes.
pub(super) async fn approve_again(cloud: &Cloud, copy: &Copy, mark: Option<&str>) -> Result<(), StepError> {
    let found = image::look(cloud, &copy.location(), &copy.ami).await?;
    if let Some(mark) = mark.filter(|_| found.approved.is_none()) {
        tag(cloud, copy, tags::APPROVED, mark).await?;
    }
    if found.revoked.is_some() {
        untag(cloud, copy, tags::REVOKED).await?;
    }
    let marked = mark.is_some();
    shows(cloud, copy, "the tags", |image| image.revoked.is_none() && (!marked || image.approved.is_some())).await
}

async fn tag(cloud: &Cloud, copy: &Copy, key: &str, value: &str) -> Result<(), CallError> {
    let place = copy.location();
    let tag = Tag::builder().key(key).value(value).build();
    let answer = cloud.ec2(&place).create_tags().resources(&copy.ami).tags(tag).send().await;
    answer.map(drop).map_err(CallError::of("CreateTags", &place))
}

async fn untag(cloud: &Cloud, copy: &Copy, key: &str) -> Result<(), CallError> {
    let place = copy.location();
    let tag = Tag::builder().key(key).build();
    let answer = cloud.ec2(&place).delete_tags().resources(&copy.ami).tags(tag).send().await;
    answer.map(drop).map_err(CallError::of("DeleteTags", &place))
}

/// Nobody can launch it any more.
pub(super) async fn disable(cloud: &Cloud, copy: &Copy) -> Result<(), StepError> {
    let place = copy.location();
    if is(cloud, copy, DISABLED).await? {
        return Ok(());
    }
    let answer = cloud.ec2(&place).disable_image().image_id(&copy.ami).send().await;
    if let Err(error) = answer.map_err(CallError::of("DisableImage", &place)) {
        // Its own answer may have been lost, and somebody else may have been quicker.
        return if is(cloud, copy, DISABLED).await? { Ok(()) } else { Err(error.into()) };
    }
    shows(cloud, copy, "its state", |image| image.state.as_deref() == Some(DISABLED)).await
}

/// Its owner can launch it again.
pub(super) async fn enable(cloud: &Cloud, copy: &Copy) -> Result<(), StepError> {
    let place = copy.location();
    if !is(cloud, copy, DISABLED).await? {
        return Ok(());
    }
    let answer = cloud.ec2(&place).enable_image().image_id(&copy.ami).send().await;
    if let Err(error) = answer.map_err(CallError::of("EnableImage", &place)) {
        return if is(cloud, copy, "available").await? { Ok(()) } else { Err(error.into()) };
    }
    shows(cloud, copy, "its state", |image| image.state.as_deref() == Some("available")).await
}

/// Lets those launch it that could before: enabling an image gives nobody but its owner anything back.
pub(super) async fn share_again(cloud: &Cloud, copy: &Copy) -> Result<(), StepError> {
    if copy.launched_by.is_empty() {
        return Ok(());
    }
    let place = copy.location();
    let add = copy.launched_by.iter().map(|who| permission(who)).collect();
    let change = LaunchPermissionModifications::builder().set_add(Some(add)).build();
    let request = cloud.ec2(&place).modify_image_attribute().image_id(&copy.ami).launch_permission(change);
    Ok(request.send().await.map(drop).map_err(CallError::of("ModifyImageAttribute", &place))?)
}

async fn is(cloud: &Cloud, copy: &Copy, state: &str) -> Result<bool, CallError> {
    Ok(image::look(cloud, &copy.location(), &copy.ami).await?.state.as_deref() == Some(state))
}

async fn shows(cloud: &Cloud, copy: &Copy, what: &str, wanted: impl Fn(&Image) -> bool) -> Result<(), StepError> {
    let mut waiting = Poller { every: cloud.poll().min(LOOK_EVERY), deadline: SHOWN_WITHIN }.start();
    loop {
        if wanted(&image::look(cloud, &copy.location(), &copy.ami).await?) {
            return Ok(());
        }
        let what = format!("{what} of {}", copy.ami);
        waiting.pause().await.map_err(|timed_out| StepError::NotSeen { what, timed_out })?;
    }
}
