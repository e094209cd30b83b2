//! Distribution configurations.

use super::super::Local;
use super::super::input::Input;
use super::super::records::{DISTRIBUTION, DistributionRecord, PIPELINE, PipelineRecord};
use super::super::store::Transaction;
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::arn::{self, Arn};
use super::listing::{self, Filters};
use super::{
    MISMATCH, already_exists, check_quota, distribution_entry, dry_run, in_use, input, not_found, resource_name, tags,
};
use crate::clock::rfc3339;
use serde_json::{Value, json};

const KIND: &str = "distribution-configuration";
const ARN: &str = "distributionConfigurationArn";
/// Minutes that a distribution may take; the answer must have it and no request can set it (image-builder.md section 9).
const TIMEOUT_MINUTES: u32 = 720;

/// `CreateDistributionConfiguration`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = resource_name(&input)?;
    let distributions = distribution_entry::checked(&input)?;
    let description = input.limited("description", 1..=1024)?.unwrap_or_default();
    let new_tags = input.map("tags")?;
    tags::check(&new_tags)?;
    let is_dry = input.flag("dryRun")?.unwrap_or(false);
    input.required("clientToken")?;
    let once =
        Once { operation: "CreateDistributionConfiguration", token: "clientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let arn = arn::base(&caller.scope, KIND, name);
            if tx.get::<Value>(&caller.scope, DISTRIBUTION, &arn)?.is_some() {
                return Err(already_exists(&arn));
            }
            check_quota("distribution configurations", tx.list::<Value>(&caller.scope, DISTRIBUTION, "")?.len())?;
            if is_dry {
                return Err(dry_run());
            }
            let record = DistributionRecord {
                arn,
                name: name.to_owned(),
                description: description.to_owned(),
                distributions: distributions.clone(),
                created_at: rfc3339(caller.now),
                updated_at: None,
                tags: new_tags.clone(),
            };
            tx.put(&caller.scope, DISTRIBUTION, &record.arn, &record)?;
            Ok(json!({"clientToken": request.get("clientToken"), ARN: record.arn}))
        })
    })
}

fn find(tx: &Transaction<'_>, caller: &Caller, input: &Input<'_>) -> Result<DistributionRecord, ServiceError> {
    let text = input.required(ARN)?;
    if Arn::parse(text).is_none_or(|arn| arn.kind != KIND || arn.version.is_some()) {
        return Err(input.invalid(ARN, "It must be the ARN of a distribution configuration."));
    }
    tx.get(&caller.scope, DISTRIBUTION, text)?.ok_or_else(|| not_found(text))
}

/// `UpdateDistributionConfiguration`: replaces description and distributions.
pub(super) fn update(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let distributions = distribution_entry::checked(&input)?;
    let description = input.limited("description", 1..=1024)?.unwrap_or_default();
    input.required("clientToken")?;
    let once =
        Once { operation: "UpdateDistributionConfiguration", token: "clientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let mut record = find(tx, caller, &input)?;
            description.clone_into(&mut record.description);
            record.distributions = distributions.clone();
            record.updated_at = Some(rfc3339(caller.now));
            tx.put(&caller.scope, DISTRIBUTION, &record.arn, &record)?;
            Ok(json!({"clientToken": request.get("clientToken"), ARN: record.arn}))
        })
    })
}

fn render(record: &DistributionRecord) -> Value {
    let mut row = json!({
        "arn": record.arn,
        "name": record.name,
        "dateCreated": super::time(&record.created_at),
        "tags": record.tags,
    });
    if !record.description.is_empty() {
        row["description"] = json!(record.description);
    }
    if let Some(updated) = &record.updated_at {
        row["dateUpdated"] = json!(super::time(updated));
    }
    row
}

/// `GetDistributionConfiguration`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let record = local.store.read(|tx| find(tx, caller, &input(request)))?;
    let mut configuration = render(&record);
    configuration["distributions"] = record.distributions.clone();
    configuration["timeoutMinutes"] = json!(TIMEOUT_MINUTES);
    Ok(json!({ "distributionConfiguration": configuration }))
}

/// `ListDistributionConfigurations`.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let filters = Filters::parse(&input, &["name"])?;
    let all: Vec<(String, DistributionRecord)> = local.store.read(|tx| tx.list(&caller.scope, DISTRIBUTION, ""))?;
    let rows = all.into_iter().map(|(arn, record)| {
        let mut row = render(&record);
        let entries = record.distributions.as_array().into_iter().flatten();
        row["regions"] = entries.filter_map(|entry| entry.get("region").cloned()).collect();
        (arn, row)
    });
    let rows = rows.filter(|(_, row)| filters.accept(row)).collect();
    listing::answer(&input, "ListDistributionConfigurations", "distributionConfigurationSummaryList", rows)
}

/// `DeleteDistributionConfiguration`: refused while a pipeline has it.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    local.store.write(|tx| {
        let record = find(tx, caller, &input(request))?;
        let pipelines: Vec<(String, PipelineRecord)> = tx.list(&caller.scope, PIPELINE, "")?;
        if let Some((user, _)) = pipelines.iter().find(|(_, pipeline)| pipeline.refers_to(&record.arn)) {
            return Err(in_use(&record.arn, user));
        }
        tx.delete(&caller.scope, DISTRIBUTION, &record.arn)?;
        Ok(json!({ ARN: record.arn }))
    })
}
