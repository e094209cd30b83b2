//! `StartImagePipelineExecution`, `ListImagePipelineImages`.

use super::create;
use super::operations;
use crate::local::Local;
use crate::local::imagebuilder::{MISMATCH, find_pipeline, input, list_answer};
use crate::local::tokens::Once;
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};

/// What of a pipeline goes into the request for an image as it stands.
const MEMBERS: [&str; 7] = [
    "imageRecipeArn",
    "infrastructureConfigurationArn",
    "distributionConfigurationArn",
    "imageTestsConfiguration",
    "enhancedImageMetadataEnabled",
    "workflows",
    "executionRole",
];

/// `StartImagePipelineExecution`: builds what the pipeline describes, whether it is enabled or not.
pub(in crate::local::compute) fn start_image_pipeline_execution(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    input.required("clientToken")?;
    let once =
        Once { operation: "StartImagePipelineExecution", token: "clientToken", input: &input, mismatch: MISMATCH };
    if let Some(answer) = local.store.read(|tx| once.answered(tx, caller))? {
        return Ok(answer);
    }
    let pipeline = local.store.read(|tx| find_pipeline(tx, caller, &input))?;
    let mut request = json!({"tags": body.get("tags").cloned().unwrap_or_default()});
    for member in MEMBERS {
        if let Some(value) = pipeline.body.get(member) {
            request[member] = value.clone();
        }
    }
    create::begin(local, caller, &once, &request, Some(&pipeline))
}

/// `ListImagePipelineImages`.
pub(in crate::local::compute) fn list_image_pipeline_images(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let pipeline = local.store.read(|tx| find_pipeline(tx, caller, &input))?;
    let rows = operations::of_pipeline(local, caller, body, &pipeline.arn)?;
    list_answer(&input, "ListImagePipelineImages", "imageSummaryList", rows)
}
