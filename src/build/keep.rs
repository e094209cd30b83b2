//! Instances of failed builds that were left on purpose, so that nothing of them is forgotten.
//!
//! An instance that was left carries three tags: `amiforge:keep` from its configuration, since it was launched; and, from whoever
//! saw the build fail, `amiforge:expires` and `amiforge:image`. Whoever died before writing them has lost nothing: the next command
//! that cleans up finds the first tag, asks what became of the build, and writes the others. An instance whose build still runs,
//! and one of which that cannot be found out, is never ended.

use super::error::BuildError;
use super::follow::{ended, executions, look, steps};
use crate::aws::{CallError, Cloud, tags};
use crate::clock::rfc3339;
use crate::event::{Events, Stage};
use crate::plan::keep::time_of;
use aws_sdk_ec2::types::{Filter, Instance, Reservation, Tag};
use serde::Serialize;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Image Builder's own tag on its instances: the image build version (image-builder.md section 8 reserves the key; its value on
/// instances is general knowledge of AWS, and nothing but the finding of unmarked instances depends on it).
const BUILT_BY: &str = "Ec2ImageBuilderArn";
/// States in which an instance costs something.
const THERE: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// An instance that was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its id.
    pub instance: String,
    /// Image build version ARN, as far as it is known.
    pub image_arn: Option<String>,
    /// When it may be ended, RFC 3339; absent while nobody has said so.
    pub expires_at: Option<String>,
    /// Whether that time has passed.
    pub expired: bool,
    /// The command that leads into it.
    pub enter: String,
}

impl Kept {
    /// `i-0123 of image 1.0.3/1, until 2026-…`.
    #[must_use]
    pub fn text(&self) -> String {
        let image = self.image_arn.as_deref().and_then(crate::plan::build_version);
        let of = image.map_or_else(String::new, |image| format!(" of image {image}"));
        let until = match &self.expires_at {
            Some(at) if self.expired => format!("expired at {at}"),
            Some(at) => format!("kept until {at}"),
            None => "kept, nobody has said how long".to_owned(),
        };
        format!("{}{of}, {until}", self.instance)
    }
}

/// Which kept instances are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reap {
    /// Those whose time has passed.
    Expired,
    /// All whose build has ended.
    All,
}

/// An instance with the tag, as it was found.
struct Found {
    kept: Kept,
    keep: Option<Duration>,
    marked: bool,
}

fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    instance.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}

/// The command that leads into an instance.
fn enter(cloud: &Cloud, id: &str) -> String {
    if cloud.is_local() {
        format!("amiforge shell {id}")
    } else {
        format!("aws ssm start-session --target {id} --region {}", cloud.home().region)
    }
}

fn found(cloud: &Cloud, instance: &Instance) -> Option<Found> {
    let id = instance.instance_id()?.to_owned();
    let expires = tag(instance, tags::EXPIRES).and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let kept = Kept {
        image_arn: tag(instance, tags::IMAGE).or_else(|| tag(instance, BUILT_BY)).map(str::to_owned),
        expires_at: expires.map(rfc3339),
        expired: expires.is_some_and(|at| at <= cloud.clock().now()),
        enter: enter(cloud, &id),
        instance: id,
    };
    Some(Found { kept, keep: tag(instance, tags::KEEP).and_then(time_of), marked: expires.is_some() })
}

fn filter(name: &str, values: &[&str]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.iter().map(|value| (*value).to_owned()).collect())).build()
}

async fn instances(cloud: &Cloud, filters: Vec<Filter>) -> Result<Vec<Found>, CallError> {
    let call = cloud.ec2(cloud.home()).describe_instances().set_filters(Some(filters));
    let mut pages = call.filters(filter("instance-state-name", &THERE)).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeInstances", cloud.home()))?;
        let listed = page.reservations().iter().flat_map(Reservation::instances);
        all.extend(listed.filter_map(|instance| found(cloud, instance)));
    }
    all.sort_by(|one, other| one.kept.instance.cmp(&other.kept.instance));
    Ok(all)
}

/// The project's instances that were launched to be kept; those of builds that still run are among them.
async fn tagged(cloud: &Cloud, project: &str) -> Result<Vec<Found>, CallError> {
    let own = filter(&format!("tag:{}", tags::PROJECT), &[project]);
    instances(cloud, vec![own, filter("tag-key", &[tags::KEEP])]).await
}

/// Whether the build of an instance has ended; nobody knows when it cannot be asked for.
async fn has_ended(cloud: &Cloud, found: &Found) -> bool {
    if found.marked {
        return true;
    }
    let Some(arn) = found.kept.image_arn.as_deref().filter(|arn| arn.starts_with("arn:")) else { return false };
    match look(cloud, arn).await {
        Ok(seen) => ended(&seen.status),
        Err(error) => {
            tracing::debug!(%error, arn, "the build of a kept instance cannot be looked at");
            false
        }
    }
}

/// The project's instances that failed builds have left in the home Region. Nothing is changed.
///
/// # Errors
/// When they cannot be listed.
pub async fn kept(cloud: &Cloud, project: &str) -> Result<Vec<Kept>, CallError> {
    let mut left = Vec::new();
    for found in tagged(cloud, project).await? {
        // One of which nobody knows is told, too: better once too often than forgotten.
        if found.kept.image_arn.is_none() || has_ended(cloud, &found).await {
            left.push(found.kept);
        }
    }
    Ok(left)
}

/// Ends kept instances, and marks those that nobody has marked. What was ended.
///
/// # Errors
/// When a call fails; what was ended until then is ended, and the next call goes on.
pub async fn reap(cloud: &Cloud, project: &str, which: Reap, events: &Events) -> Result<Vec<Kept>, CallError> {
    let mut over = Vec::new();
    for mut found in tagged(cloud, project).await? {
        if !has_ended(cloud, &found).await {
            continue;
        }
        if !found.marked
            && let (Some(keep), Some(arn)) = (found.keep, found.kept.image_arn.clone())
        {
            mark(cloud, &mut found.kept, &arn, keep).await?;
        }
        if which == Reap::All || found.kept.expired {
            over.push(found.kept);
        }
    }
    for kept in &over {
        let answer = cloud.ec2(cloud.home()).terminate_instances().instance_ids(&kept.instance).send().await;
        match answer.map_err(CallError::of("TerminateInstances", cloud.home())) {
            // Somebody was faster.
            Err(error) if !error.fault.is(&["InvalidInstanceID.NotFound"]) => return Err(error),
            _ => events.note(Stage::Build, format!("ended {}", kept.text())),
        }
    }
    Ok(over)
}

/// Writes on an instance until when it is kept, and of which build it is. Doing it twice does no harm.
async fn mark(cloud: &Cloud, kept: &mut Kept, arn: &str, keep: Duration) -> Result<(), CallError> {
    let expires = rfc3339(cloud.clock().now() + keep);
    let write = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let call = cloud.ec2(cloud.home()).create_tags().resources(&kept.instance);
    let call = call.tags(write(tags::EXPIRES, &expires)).tags(write(tags::IMAGE, arn));
    call.send().await.map_err(CallError::of("CreateTags", cloud.home()))?;
    (kept.expires_at, kept.image_arn) = (Some(expires), Some(arn.to_owned()));
    Ok(())
}

/// The instances that a failed build has left, marked with the time until which they are kept; none when it was not built to
/// leave any.
///
/// # Errors
/// When a call fails. The instance is found by its first tag all the same.
pub(super) async fn hold(cloud: &Cloud, arn: &str) -> Result<Vec<Kept>, BuildError> {
    let Some(keep) = look(cloud, arn).await?.keep else { return Ok(vec![]) };
    let mut ids = Vec::new();
    for execution in executions(cloud, arn).await? {
        let Some(id) = execution.workflow_execution_id else { continue };
        ids.extend(steps(cloud, &id).await?.into_iter().filter_map(launched));
    }
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut left = Vec::new();
    for mut found in instances(cloud, vec![filter("instance-id", &ids)]).await? {
        if !found.marked {
            mark(cloud, &mut found.kept, arn, keep).await?;
        }
        left.push(found.kept);
    }
    Ok(left)
}

/// The instance that a step has launched.
fn launched(step: aws_sdk_imagebuilder::types::WorkflowStepMetadata) -> Option<String> {
    if step.action.as_deref() != Some("LaunchInstance") {
        return None;
    }
    let outputs: serde_json::Value = serde_json::from_str(&step.outputs?).ok()?;
    outputs.get("instanceId")?.as_str().map(str::to_owned)
}
