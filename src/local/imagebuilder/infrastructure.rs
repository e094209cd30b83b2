//! Infrastructure configurations.

use super::super::Local;
use super::super::input::Input;
use super::super::records::{INFRASTRUCTURE, InfrastructureRecord, PIPELINE, PipelineRecord};
use super::super::store::Transaction;
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::arn::{self, Arn};
use super::listing::{self, Filters};
use super::{MISMATCH, already_exists, check_quota, dry_run, in_use, input, not_found, resource_name, tags};
use crate::clock::rfc3339;
use serde_json::{Map, Value, json};

const KIND: &str = "infrastructure-configuration";
/// Members that are kept as they are given.
const MEMBERS: [&str; 12] = [
    "description",
    "instanceMetadataOptions",
    "instanceProfileName",
    "instanceTypes",
    "keyPair",
    "logging",
    "placement",
    "resourceTags",
    "securityGroupIds",
    "snsTopicArn",
    "subnetId",
    "terminateInstanceOnFailure",
];
/// Tag keys that Image Builder sets itself.
const RESERVED: [&str; 4] = ["CreatedBy", "Ec2ImageBuilderArn", "Name", "Tags"];

/// `CreateInfrastructureConfiguration`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = resource_name(&input)?;
    let body = body(&input)?;
    let new_tags = input.map("tags")?;
    tags::check(&new_tags)?;
    let is_dry = input.flag("dryRun")?.unwrap_or(false);
    let once = Once {
        operation: "CreateInfrastructureConfiguration",
        token: "clientToken",
        input: &input,
        mismatch: MISMATCH,
    };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let arn = arn::base(&caller.scope, KIND, name);
            if tx.get::<Value>(&caller.scope, INFRASTRUCTURE, &arn)?.is_some() {
                return Err(already_exists(&arn));
            }
            let existing = tx.list::<Value>(&caller.scope, INFRASTRUCTURE, "")?.len();
            check_quota("infrastructure configurations", existing)?;
            if is_dry {
                return Err(dry_run());
            }
            let record = InfrastructureRecord {
                arn,
                name: name.to_owned(),
                body: body.clone(),
                created_at: rfc3339(caller.now),
                updated_at: None,
                tags: new_tags.clone(),
            };
            tx.put(&caller.scope, INFRASTRUCTURE, &record.arn, &record)?;
            Ok(json!({
                "clientToken": request.get("clientToken"),
                "infrastructureConfigurationArn": record.arn,
            }))
        })
    })
}

/// The members of a request that are kept, checked (image-builder.md section 8).
fn body(input: &Input<'_>) -> Result<Value, ServiceError> {
    let profile = input.required("instanceProfileName")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if profile.chars().count() > 256 || !profile.chars().all(allowed) {
        let why = "It must be the name (not the ARN) of an instance profile: 1 to 256 characters of [\\w+=,.@-].";
        return Err(input.invalid("instanceProfileName", why));
    }
    input.texts("instanceTypes")?;
    let groups = input.texts("securityGroupIds")?;
    if input.text("subnetId")?.is_some() && groups.is_empty() {
        return Err(input.invalid("securityGroupIds", "A subnetId needs at least one security group."));
    }
    for name in ["description", "keyPair", "subnetId"] {
        input.limited(name, 1..=1024)?;
    }
    input.flag("terminateInstanceOnFailure")?;
    check_options(input)?;
    check_resource_tags(input)?;
    let members = MEMBERS.iter().filter_map(|name| Some(((*name).to_owned(), input.get(name)?.clone())));
    Ok(Value::Object(members.collect::<Map<_, _>>()))
}

fn check_options(input: &Input<'_>) -> Result<(), ServiceError> {
    if let Some(options) = input.object("instanceMetadataOptions")? {
        options.one_of("httpTokens", &["optional", "required"])?;
        options.between("httpPutResponseHopLimit", 1..=64)?;
    }
    if let Some(placement) = input.object("placement")? {
        placement.one_of("tenancy", &["default", "dedicated", "host"])?;
        if placement.text("hostId")?.is_some() && placement.text("hostResourceGroupArn")?.is_some() {
            return Err(placement.invalid("hostId", "hostId and hostResourceGroupArn exclude each other."));
        }
    }
    if let Some(logs) = input.object("logging")?.map(|logging| logging.object("s3Logs")).transpose()?.flatten() {
        logs.text("s3BucketName")?;
        logs.text("s3KeyPrefix")?;
    }
    let topic = input.text("snsTopicArn")?;
    if topic.is_some_and(|topic| !topic.starts_with("arn:aws") || !topic.contains(":sns:")) {
        return Err(input.invalid("snsTopicArn", "It must be the ARN of an SNS topic."));
    }
    Ok(())
}

fn check_resource_tags(input: &Input<'_>) -> Result<(), ServiceError> {
    let resource_tags = input.map("resourceTags")?;
    if resource_tags.len() > 30 {
        return Err(input.invalid("resourceTags", "At most 30 tags are allowed."));
    }
    match resource_tags.keys().find(|key| RESERVED.contains(&key.as_str()) || key.starts_with("aws:")) {
        Some(key) => Err(input.invalid("resourceTags", &format!("The tag key '{key}' is reserved."))),
        None => Ok(()),
    }
}

fn find(tx: &Transaction<'_>, caller: &Caller, input: &Input<'_>) -> Result<InfrastructureRecord, ServiceError> {
    let text = input.required("infrastructureConfigurationArn")?;
    if Arn::parse(text).is_none_or(|arn| arn.kind != KIND || arn.version.is_some()) {
        let why = "It must be the ARN of an infrastructure configuration.";
        return Err(input.invalid("infrastructureConfigurationArn", why));
    }
    tx.get(&caller.scope, INFRASTRUCTURE, text)?.ok_or_else(|| not_found(text))
}

/// `UpdateInfrastructureConfiguration`: replaces everything but name and tags; what is left out is gone.
pub(super) fn update(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let body = body(&input)?;
    let once = Once {
        operation: "UpdateInfrastructureConfiguration",
        token: "clientToken",
        input: &input,
        mismatch: MISMATCH,
    };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let mut record = find(tx, caller, &input)?;
            record.body = body.clone();
            record.updated_at = Some(rfc3339(caller.now));
            tx.put(&caller.scope, INFRASTRUCTURE, &record.arn, &record)?;
            Ok(json!({
                "clientToken": request.get("clientToken"),
                "infrastructureConfigurationArn": record.arn,
            }))
        })
    })
}

fn render(record: &InfrastructureRecord) -> Value {
    let mut row = record.body.clone();
    row["arn"] = json!(record.arn);
    row["name"] = json!(record.name);
    row["dateCreated"] = json!(super::time(&record.created_at));
    if let Some(updated) = &record.updated_at {
        row["dateUpdated"] = json!(super::time(updated));
    }
    row["tags"] = json!(record.tags);
    row
}

/// `GetInfrastructureConfiguration`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let record = local.store.read(|tx| find(tx, caller, &input(request)))?;
    let mut configuration = render(&record);
    if configuration.get("terminateInstanceOnFailure").is_none() {
        configuration["terminateInstanceOnFailure"] = json!(true);
    }
    Ok(json!({ "infrastructureConfiguration": configuration }))
}

/// `ListInfrastructureConfigurations`.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    const SUMMARY: [&str; 10] = [
        "arn",
        "name",
        "description",
        "dateCreated",
        "dateUpdated",
        "resourceTags",
        "tags",
        "instanceTypes",
        "instanceProfileName",
        "placement",
    ];
    let input = input(request);
    let filters = Filters::parse(&input, &["name"])?;
    let all: Vec<(String, InfrastructureRecord)> = local.store.read(|tx| tx.list(&caller.scope, INFRASTRUCTURE, ""))?;
    let rows = all.into_iter().map(|(arn, record)| {
        let mut row = render(&record);
        if let Value::Object(members) = &mut row {
            members.retain(|member, _| SUMMARY.contains(&member.as_str()));
        }
        (arn, row)
    });
    let rows = rows.filter(|(_, row)| filters.accept(row)).collect();
    listing::answer(&input, "ListInfrastructureConfigurations", "infrastructureConfigurationSummaryList", rows)
}

/// `DeleteInfrastructureConfiguration`: refused while a pipeline has it.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    local.store.write(|tx| {
        let record = find(tx, caller, &input(request))?;
        let pipelines: Vec<(String, PipelineRecord)> = tx.list(&caller.scope, PIPELINE, "")?;
        if let Some((user, _)) = pipelines.iter().find(|(_, pipeline)| pipeline.refers_to(&record.arn)) {
            return Err(in_use(&record.arn, user));
        }
        tx.delete(&caller.scope, INFRASTRUCTURE, &record.arn)?;
        Ok(json!({ "infrastructureConfigurationArn": record.arn }))
    })
}
