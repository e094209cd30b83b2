//! Workflows: immutable documents with versions, as components are.

use super::super::Local;
use super::super::input::{Input, compact};
use super::super::records::{PIPELINE, PipelineRecord, WORKFLOW_DOCUMENT, WorkflowRecord};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::arn::{self, Version};
use super::listing::{self, Filters};
use super::workflow_arn::WorkflowArn;
use super::{MISMATCH, already_exists, check_quota, dry_run, in_use, input, not_found, resource_name, tags};
use crate::clock::rfc3339;
use crate::workflow::{self, Parameter};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest inline document in characters; through S3, which is not here, AWS takes 64 KB.
const MAX_DATA: usize = 16_000;

/// `CreateWorkflow`. The same name and version with other content makes the next build version.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (wish, version) = parse(&input, caller)?;
    let is_dry = input.flag("dryRun")?.unwrap_or(false);
    input.required("clientToken")?;
    let once = Once { operation: "CreateWorkflow", token: "clientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let base = base(&caller.scope, &wish);
            let record = next_build(tx, caller, &base, &wish)?;
            if is_dry {
                return Err(dry_run());
            }
            tx.put(&caller.scope, WORKFLOW_DOCUMENT, &record.arn, &record)?;
            Ok(json!({
                "clientToken": request.get("clientToken"),
                "workflowBuildVersionArn": record.arn,
                "latestVersionReferences": arn::latest_references(&base, version),
            }))
        })
    })
}

fn base(scope: &Scope, record: &WorkflowRecord) -> String {
    arn::base(scope, &format!("workflow/{}", record.kind.to_lowercase()), &record.name)
}

fn parse(input: &Input<'_>, caller: &Caller) -> Result<(WorkflowRecord, Version), ServiceError> {
    let name = resource_name(input)?;
    let text = input.required("semanticVersion")?;
    let version = arn::version(text).ok_or_else(|| {
        input.invalid("semanticVersion", "semanticVersion must match pattern ^[0-9]+\\.[0-9]+\\.[0-9]+$")
    })?;
    let Some(kind) = input.one_of("type", &["BUILD", "TEST", "DISTRIBUTION"])? else {
        return Err(input.missing("type"));
    };
    if input.get("kmsKeyId").is_some() {
        return Err(input.invalid("kmsKeyId", "The local environment does not encrypt documents; leave it out."));
    }
    let new_tags = input.map("tags")?;
    tags::check(&new_tags)?;
    let record = WorkflowRecord {
        arn: String::new(),
        name: name.to_owned(),
        version: arn::show(version),
        build: 0,
        kind: kind.to_owned(),
        description: input.limited("description", 1..=1024)?.unwrap_or_default().to_owned(),
        change_description: input.limited("changeDescription", 1..=1024)?.unwrap_or_default().to_owned(),
        data: document(input, kind)?.to_owned(),
        created_at: rfc3339(caller.now),
        tags: new_tags,
    };
    Ok((record, version))
}

fn document<'a>(input: &Input<'a>, kind: &str) -> Result<&'a str, ServiceError> {
    let combination = |text: &str| Err(ServiceError::client("InvalidParameterCombinationException", text));
    let data = match (input.text("data")?, input.text("uri")?) {
        (Some(data), None) => data,
        (None, None) => return combination("You must specify either 'data' or 'uri' to create a workflow."),
        (Some(_), Some(_)) => return combination("You can't specify both 'data' and 'uri' to create a workflow."),
        (None, Some(_)) => {
            return Err(input.invalid("uri", "The local environment has no S3; give the document inline with 'data'."));
        }
    };
    let length = data.chars().count();
    if !(1..=MAX_DATA).contains(&length) {
        let why = format!("The document has {length} characters; inline documents can have 1 to {MAX_DATA}.");
        return Err(input.invalid("data", &why));
    }
    workflow::read(data, kind).map_err(|errors| input.invalid("data", &errors.join(" ")))?;
    Ok(data)
}

fn next_build(
    tx: &Transaction<'_>,
    caller: &Caller,
    base: &str,
    wish: &WorkflowRecord,
) -> Result<WorkflowRecord, ServiceError> {
    let of_name: Vec<(String, WorkflowRecord)> = tx.list(&caller.scope, WORKFLOW_DOCUMENT, &format!("{base}/"))?;
    if let Some((taken, _)) = of_name.iter().find(|(_, other)| other.name != wish.name) {
        // Another name with the same normalised form.
        return Err(already_exists(taken));
    }
    check_quota("workflows", tx.list::<Value>(&caller.scope, WORKFLOW_DOCUMENT, "")?.len())?;
    let same_version = of_name.into_iter().map(|(_, record)| record).filter(|one| one.version == wish.version);
    let latest = same_version.max_by_key(|record| record.build);
    let content = |record: &WorkflowRecord| (record.data.clone(), record.description.clone());
    if let Some(same) = latest.as_ref().filter(|latest| content(latest) == content(wish)) {
        return Err(already_exists(&same.arn));
    }
    let build = latest.map_or(1, |latest| latest.build + 1);
    Ok(WorkflowRecord { arn: format!("{base}/{}/{build}", wish.version), build, ..wish.clone() })
}

fn order(record: &WorkflowRecord) -> (Version, u32) {
    (arn::version(&record.version).unwrap_or_default(), record.build)
}

/// The newest workflow build version that an ARN means: exact, without build, or with `x`. None when nothing of the
/// caller's account and Region fits.
///
/// # Errors
/// A database error.
pub(in crate::local) fn resolve(
    tx: &Transaction<'_>,
    scope: &Scope,
    text: &str,
) -> Result<Option<WorkflowRecord>, StoreError> {
    let Some(wanted) = WorkflowArn::parse(text).filter(|arn| arn.is_in(scope)) else { return Ok(None) };
    let all: Vec<(String, WorkflowRecord)> = tx.list(scope, WORKFLOW_DOCUMENT, &format!("{}/", wanted.base))?;
    let fits = |record: &WorkflowRecord| {
        let (version, build) = order(record);
        wanted.version.accepts(version) && wanted.build.is_none_or(|wanted| wanted == build)
    };
    Ok(all.into_iter().map(|(_, record)| record).filter(fits).max_by_key(order))
}

/// `GetWorkflow`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let text = input.required("workflowBuildVersionArn")?;
    if WorkflowArn::parse(text).is_none() {
        return Err(input.invalid("workflowBuildVersionArn", "It must be the ARN of a workflow version."));
    }
    let record = local.store.read(|tx| resolve(tx, &caller.scope, text))?.ok_or_else(|| not_found(text))?;
    // The document was checked when it was stored; should a later version of this program read it differently, the
    // workflow can still be had, without its parameters.
    let parameters = workflow::read(&record.data, &record.kind).map(|document| document.parameters);
    let mut workflow = summary(&record, &caller.scope.account);
    workflow["data"] = json!(record.data);
    workflow["parameters"] = parameters.unwrap_or_default().iter().map(parameter).collect();
    let (version, _) = order(&record);
    let references = arn::latest_references(&base(&caller.scope, &record), version);
    Ok(json!({ "workflow": workflow, "latestVersionReferences": references }))
}

fn parameter(parameter: &Parameter) -> Value {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let default = parameter.default.as_ref().map(|default| match default {
        Value::Array(items) => items.iter().map(plain).collect(),
        one => vec![plain(one)],
    });
    compact(json!({
        "name": parameter.name,
        "type": parameter.kind,
        "defaultValue": default,
        "description": parameter.description,
    }))
}

/// `WorkflowSummary`, which is also the larger part of `Workflow`.
fn summary(record: &WorkflowRecord, owner: &str) -> Value {
    compact(json!({
        "arn": record.arn,
        "name": record.name,
        "version": record.version,
        "description": record.description,
        "changeDescription": record.change_description,
        "type": record.kind,
        "owner": owner,
        "dateCreated": super::time(&record.created_at),
        "tags": record.tags,
    }))
}

/// `ListWorkflows`: versions, each described by its newest build; with `byName` the newest version of each name.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let filters = Filters::parse(&input, &["description", "name", "type", "version"])?;
    let by_name = input.flag("byName")?.unwrap_or(false);
    let mut newest: BTreeMap<String, Value> = BTreeMap::new();
    if listing::lists_own(&input)? {
        let mut all: Vec<(String, WorkflowRecord)> =
            local.store.read(|tx| tx.list(&caller.scope, WORKFLOW_DOCUMENT, ""))?;
        all.sort_by_cached_key(|(_, record)| order(record));
        for (_, record) in all {
            let key = key(&record);
            let key = if by_name { key.split('/').take(2).collect::<Vec<_>>().join("/") } else { key };
            let mut row = summary(&record, &caller.scope.account);
            if let Value::Object(members) = &mut row {
                members.retain(|member, _| member != "tags" && member != "changeDescription");
            }
            row["arn"] = json!(format!("{}/{}", base(&caller.scope, &record), record.version));
            newest.insert(key, row);
        }
    }
    let rows = newest.into_iter().filter(|(_, row)| filters.accept(row)).collect();
    listing::answer(&input, "ListWorkflows", "workflowVersionList", rows)
}

/// Orders versions by type and name, then as numbers.
fn key(record: &WorkflowRecord) -> String {
    let ([major, minor, patch], _) = order(record);
    format!("{}/{}/{major:010}.{minor:010}.{patch:010}", record.kind, arn::normalise(&record.name))
}

/// `ListWorkflowBuildVersions`: the builds of the versions that an ARN means, or of everything that the account has.
pub(super) fn list_builds(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let wanted = match input.filled("workflowVersionArn")? {
        None => None,
        Some(text) => {
            let parsed = WorkflowArn::parse(text).filter(|arn| arn.build.is_none());
            let why = "It must be a workflow ARN with a version and no build.";
            Some(parsed.ok_or_else(|| input.invalid("workflowVersionArn", why))?)
        }
    };
    let prefix = wanted.as_ref().map_or(String::new(), |wanted| format!("{}/", wanted.base));
    let builds: Vec<(String, WorkflowRecord)> =
        local.store.read(|tx| tx.list(&caller.scope, WORKFLOW_DOCUMENT, &prefix))?;
    let accepted = |record: &WorkflowRecord| wanted.as_ref().is_none_or(|arn| arn.version.accepts(order(record).0));
    let records = builds.into_iter().map(|(_, record)| record).filter(accepted);
    let mut rows: Vec<(String, Value)> = records
        .map(|record| (format!("{}/{:010}", key(&record), record.build), summary(&record, &caller.scope.account)))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    listing::answer(&input, "ListWorkflowBuildVersions", "workflowSummaryList", rows)
}

/// `DeleteWorkflow`: refused while a pipeline means this build.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let text = input.required("workflowBuildVersionArn")?;
    if WorkflowArn::parse(text).is_none_or(|arn| arn.build.is_none()) {
        return Err(input.invalid("workflowBuildVersionArn", "It must be the ARN of a workflow build version."));
    }
    local.store.write(|tx| {
        let record: WorkflowRecord = tx.get(&caller.scope, WORKFLOW_DOCUMENT, text)?.ok_or_else(|| not_found(text))?;
        let pipelines: Vec<(String, PipelineRecord)> = tx.list(&caller.scope, PIPELINE, "")?;
        for (user, pipeline) in pipelines {
            for arn in pipeline.workflows() {
                if resolve(tx, &caller.scope, arn)?.is_some_and(|meant| meant.arn == record.arn) {
                    return Err(in_use(text, &user));
                }
            }
        }
        tx.delete(&caller.scope, WORKFLOW_DOCUMENT, text)?;
        Ok(json!({ "workflowBuildVersionArn": text }))
    })
}
