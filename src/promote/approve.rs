//! A person's approval of an image for a channel, kept with the caller's identity.

use super::error::PromoteError;
use super::model::Order;
use super::{names, planner, store};
use crate::aws::{CallError, Cloud, caller, tags};
use crate::clock::rfc3339;
use aws_sdk_imagebuilder::types::BuildType;
use serde::{Deserialize, Serialize};

/// Schema of [`Consent`].
const SCHEMA: &str = "amiforge.approval/1";

/// Somebody has looked at an image and wants it in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Always `amiforge.approval/1`.
    pub schema: String,
    /// The image, at home.
    pub ami: String,
    /// Digest of the evidence that was there; other evidence needs another approval.
    pub evidence: String,
    /// Who, as AWS knows the caller: an ARN.
    pub by: String,
    /// RFC 3339.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// Writes an approval down. A later one takes the place of an earlier one, which stays in the parameter's history.
///
/// # Errors
/// When the channel is unknown, nobody says why, or a call fails.
pub async fn approve(cloud: &Cloud, order: &Order<'_>, ami: &str, evidence: &str) -> Result<Consent, PromoteError> {
    planner::find_channel(order)?;
    if order.reason.trim().is_empty() {
        return Err(PromoteError::NoReason);
    }
    let consent = Consent {
        schema: SCHEMA.to_owned(),
        ami: ami.to_owned(),
        evidence: evidence.to_owned(),
        by: caller(cloud).await?,
        at: rfc3339(cloud.clock().now()),
        reason: order.reason.clone(),
    };
    let name = name(order, ami);
    let text = serde_json::to_string(&consent)
        .map_err(|error| PromoteError::Unreadable { parameter: name.clone(), reason: error.to_string() })?;
    store::put_document(cloud, &name, &text).await?;
    Ok(consent)
}

/// The approval of an image for the channel, if there is one.
pub(super) async fn consent(cloud: &Cloud, order: &Order<'_>, ami: &str) -> Result<Option<Consent>, PromoteError> {
    let name = name(order, ami);
    match store::get(cloud, cloud.home(), &name).await? {
        Some(stored) => store::read(&name, &stored.value, SCHEMA).map(Some),
        None => Ok(None),
    }
}

/// Who has built an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Builder {
    /// Nobody has written it down.
    #[default]
    Unknown,
    /// The caller as AWS knows it.
    Known(String),
    /// A pipeline, on its schedule.
    Schedule,
}

/// Who has built the image of an order; asked only where the channel wants to know.
pub(super) async fn builder(cloud: &Cloud, order: &Order<'_>, image_arn: Option<&str>) -> Result<Builder, CallError> {
    let mut channels = order.project.channels.iter();
    let wants = channels.any(|one| one.name == order.channel && one.approval_by_another);
    let Some(arn) = image_arn.filter(|_| wants) else { return Ok(Builder::Unknown) };
    let answer = cloud.imagebuilder().get_image().image_build_version_arn(arn).send().await;
    let answer = answer.map_err(CallError::of("GetImage", cloud.home()));
    if answer.as_ref().is_err_and(|error| error.fault.is(&["ResourceNotFoundException"])) {
        return Ok(Builder::Unknown);
    }
    let Some(image) = answer?.image else { return Ok(Builder::Unknown) };
    let named = image.tags.and_then(|mut tags| tags.remove(tags::BUILDER));
    Ok(match (named, image.build_type) {
        (Some(who), _) => Builder::Known(who),
        (None, Some(BuildType::Scheduled)) => Builder::Schedule,
        (None, _) => Builder::Unknown,
    })
}

fn name(order: &Order<'_>, ami: &str) -> String {
    names::approval(&order.project.name, order.recipe, order.arch, order.channel, ami)
}
