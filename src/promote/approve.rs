//! A person's approval of an image for a channel, kept with the caller's identity.

use super::error::PromoteError;
use super::model::Order;
use super::{names, planner, store};
use crate::aws::{CallError, Cloud};
use crate::clock::rfc3339;
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

/// Who calls, as AWS knows it.
///
/// # Errors
/// When it cannot be asked.
pub async fn caller(cloud: &Cloud) -> Result<String, CallError> {
    let home = cloud.home();
    let answer = cloud.sts(home).get_caller_identity().send().await;
    let answer = answer.map_err(CallError::of("GetCallerIdentity", home))?;
    Ok(answer.arn.unwrap_or_else(|| "unknown".to_owned()))
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

fn name(order: &Order<'_>, ami: &str) -> String {
    names::approval(&order.project.name, order.recipe, order.arch, order.channel, ami)
}
