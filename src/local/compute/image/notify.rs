//! What the service would publish to a topic when an image has ended (image-builder.md, notifications). There are no topics here: the
//! message is kept beside the build's logs, and the log says so.

use super::{ImageRecord, ImageStatus};
use crate::local::Local;
use crate::local::compute::document;
use serde_json::{Value, json};
use std::fs;

/// Name of the file, in the folder of the build's logs.
const FILE: &str = "notification.json";

/// Keeps the message of an image that has become available or failed, if its infrastructure configuration names a topic.
pub(super) fn notify(local: &Local, image: &ImageRecord) {
    let Some(topic) = document::text(&image.infrastructure, "snsTopicArn") else { return };
    if !matches!(image.status, ImageStatus::Available | ImageStatus::Failed) {
        return;
    }
    let folder = local.build_logs(&image.arn);
    let text = json!({"topicArn": topic, "message": message(image)}).to_string();
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(FILE), text));
    match written {
        Ok(()) => tracing::info!(
            topic,
            image = image.arn,
            "a notification was not sent but kept as {FILE} of the build's logs"
        ),
        Err(error) => tracing::warn!(topic, image = image.arn, %error, "a notification could not be kept"),
    }
}

/// The members of the message that are known here.
fn message(image: &ImageRecord) -> Value {
    let mut message = json!({
        "versionlessArn": super::version_arn(&image.arn).rsplit_once('/').map(|(arn, _)| arn),
        "arn": image.arn,
        "name": image.name,
        "version": image.version,
        "type": "AMI",
        "buildVersion": image.build,
        "state": image.state_json(),
        "platform": "Linux",
        "imageRecipe": image.recipe,
        "infrastructureConfiguration": image.infrastructure,
        "dateCreated": image.created_at,
        "outputResources": image.output_json(),
        "osVersion": image.os_version,
        "enhancedImageMetadataEnabled": image.enhanced_metadata,
        "buildType": "USER_INITIATED",
    });
    if let Some((arn, _)) = &image.wishes.pipeline {
        message["sourcePipelineArn"] = json!(arn);
    }
    if !image.wishes.distribution.is_null() {
        message["distributionConfiguration"] = image.wishes.distribution.clone();
    }
    message
}
