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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Builder {
    /// Nobody has written it down, or nobody has asked.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing;
    use crate::clock::Clock;
    use crate::project::{Channel, Project};
    use std::sync::Arc;

    const ARN: &str = "arn:aws:imagebuilder:us-east-1:000000000000:image/web/1.0.0/1";

    /// What is known when Image Builder answers so.
    async fn told(status: u16, answer: &str, by_another: bool) -> Result<Builder, CallError> {
        let answer = answer.to_owned();
        let handler = move |_| http::Response::builder().status(status).body(answer.clone().into()).unwrap();
        let now = time::macros::datetime!(2026-01-01 00:00 UTC);
        let cloud = testing::over(Arc::new(handler), Clock::fixed(now));
        let channel = Channel { name: "production".into(), approval_by_another: by_another, ..Channel::default() };
        let project = Project { channels: vec![channel], ..crate::promote::many_tests::project() };
        let order = Order { channel: "production", ..crate::promote::many_tests::order(&project) };
        builder(&cloud, &order, Some(ARN)).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_builder_is_who_signed_or_a_schedule() {
        let image = |fields: &str| format!("{{\"image\": {{{fields}}}}}");
        let tagged = image("\"tags\": {\"amiforge:builder\": \"arn:ann\"}, \"buildType\": \"SCHEDULED\"");
        assert_eq!(told(200, &tagged, true).await.unwrap(), Builder::Known("arn:ann".into()));
        let scheduled = image("\"buildType\": \"SCHEDULED\"");
        assert_eq!(told(200, &scheduled, true).await.unwrap(), Builder::Schedule);
        let by_hand = image("\"buildType\": \"USER_INITIATED\", \"tags\": {\"amiforge:recipe\": \"web\"}");
        for unknown in [by_hand, image(""), "{}".to_owned()] {
            assert_eq!(told(200, &unknown, true).await.unwrap(), Builder::Unknown, "{unknown}");
        }
        let gone = "{\"__type\": \"ResourceNotFoundException\", \"message\": \"gone\"}";
        assert_eq!(told(404, gone, true).await.unwrap(), Builder::Unknown);
        let denied = "{\"__type\": \"AccessDeniedException\", \"message\": \"no\"}";
        assert!(told(403, denied, true).await.is_err(), "that it may not be asked is no answer");
        assert_eq!(told(403, denied, false).await.unwrap(), Builder::Unknown, "where nobody wants to know nobody asks");
    }
}
