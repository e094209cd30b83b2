//! Image pipelines.

use super::super::Local;
use super::super::input::Input;
use super::super::records::{PIPELINE, PipelineRecord};
use super::super::store::Transaction;
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::arn::{self, Arn};
use super::listing::{self, Filters};
use super::{MISMATCH, already_exists, dry_run, input, not_found, pipeline_body, resource_name, tags};
use crate::clock::rfc3339;
use serde_json::{Value, json};

const KIND: &str = "image-pipeline";
const ARN: &str = "imagePipelineArn";
/// Pipelines per account and Region (image-builder.md section 16).
const QUOTA: usize = 75;
/// What `ListImagePipelines` filters by.
const FILTERS: &[&str] = &[
    "description",
    "distributionConfigurationArn",
    "imageRecipeArn",
    "infrastructureConfigurationArn",
    "name",
    "status",
];

/// `CreateImagePipeline`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = resource_name(&input)?;
    let new_tags = input.map("tags")?;
    tags::check(&new_tags)?;
    let is_dry = input.flag("dryRun")?.unwrap_or(false);
    input.required("clientToken")?;
    let once = Once { operation: "CreateImagePipeline", token: "clientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let (body, platform) = pipeline_body::checked(tx, &caller.scope, &input)?;
            let arn = arn::base(&caller.scope, KIND, name);
            if tx.get::<Value>(&caller.scope, PIPELINE, &arn)?.is_some() {
                return Err(already_exists(&arn));
            }
            if tx.list::<Value>(&caller.scope, PIPELINE, "")?.len() >= QUOTA {
                let text = format!(
                    "You have {QUOTA} image pipelines in this Region, the quota. Delete some, or use another Region."
                );
                return Err(ServiceError::new(402, "ServiceQuotaExceededException", text));
            }
            if is_dry {
                return Err(dry_run());
            }
            let record = PipelineRecord {
                arn,
                name: name.to_owned(),
                platform,
                body,
                created_at: rfc3339(caller.now),
                updated_at: None,
                last_run: None,
                tags: new_tags.clone(),
            };
            tx.put(&caller.scope, PIPELINE, &record.arn, &record)?;
            Ok(json!({"clientToken": request.get("clientToken"), ARN: record.arn}))
        })
    })
}

/// The pipeline that a request names.
///
/// # Errors
/// What is no ARN of one, and one that does not exist.
pub(in crate::local) fn find(
    tx: &Transaction<'_>,
    caller: &Caller,
    input: &Input<'_>,
) -> Result<PipelineRecord, ServiceError> {
    let text = input.required(ARN)?;
    if Arn::parse(text).is_none_or(|arn| arn.kind != KIND || arn.version.is_some()) {
        return Err(input.invalid(ARN, "It must be the ARN of an image pipeline."));
    }
    tx.get(&caller.scope, PIPELINE, text)?.ok_or_else(|| not_found(text))
}

/// `UpdateImagePipeline`: replaces everything but name and tags; what is left out is gone.
pub(super) fn update(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    input.required("clientToken")?;
    let once = Once { operation: "UpdateImagePipeline", token: "clientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let mut record = find(tx, caller, &input)?;
            (record.body, record.platform) = pipeline_body::checked(tx, &caller.scope, &input)?;
            record.updated_at = Some(rfc3339(caller.now));
            tx.put(&caller.scope, PIPELINE, &record.arn, &record)?;
            Ok(json!({"clientToken": request.get("clientToken"), ARN: record.arn}))
        })
    })
}

/// As `GetImagePipeline` and `ListImagePipelines` answer it.
fn render(tx: &Transaction<'_>, caller: &Caller, record: &PipelineRecord) -> Result<Value, ServiceError> {
    let mut row = record.body.clone();
    row["arn"] = json!(record.arn);
    row["name"] = json!(record.name);
    row["platform"] = json!(record.platform);
    row["dateCreated"] = json!(super::time(&record.created_at));
    row["tags"] = json!(record.tags);
    row["consecutiveFailures"] = json!(0);
    if let Some(updated) = &record.updated_at {
        row["dateUpdated"] = json!(super::time(updated));
    }
    if let Some((at, image)) = &record.last_run {
        row["dateLastRun"] = json!(super::time(at));
        // What an image's document looks like is `compute`'s affair, but that it has a status.
        let image: Option<Value> = tx.get(&caller.scope, "imagebuilder-image", image)?;
        if let Some(status) = image.as_ref().and_then(|image| image.get("status")) {
            row["lastRunStatus"] = status.clone();
        }
    }
    Ok(row)
}

/// `GetImagePipeline`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    local.store.read(|tx| {
        let record = find(tx, caller, &input(request))?;
        Ok(json!({ "imagePipeline": render(tx, caller, &record)? }))
    })
}

/// `ListImagePipelines`.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let filters = Filters::parse(&input, FILTERS)?;
    let rows = local.store.read(|tx| {
        let all: Vec<(String, PipelineRecord)> = tx.list(&caller.scope, PIPELINE, "")?;
        let rows = all.into_iter().map(|(arn, record)| Ok((arn, render(tx, caller, &record)?)));
        rows.collect::<Result<Vec<_>, ServiceError>>()
    })?;
    let rows = rows.into_iter().filter(|(_, row)| filters.accept(row)).collect();
    listing::answer(&input, "ListImagePipelines", "imagePipelineList", rows)
}

/// `DeleteImagePipeline`: its images stay.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    local.store.write(|tx| {
        let record = find(tx, caller, &input(request))?;
        tx.delete(&caller.scope, PIPELINE, &record.arn)?;
        Ok(json!({ ARN: record.arn }))
    })
}
