//! `GetImage`, `ListImages`, `ListImageBuildVersions`, `CancelImageCreation`, `DeleteImage`.

use super::create::latest_references;
use super::{IMAGE, ImageRecord, ImageStatus, scripted, version_arn, version_matches, version_numbers, workflow};
use crate::local::Local;
use crate::local::compute::filter::{Filter, filters};
use crate::local::imagebuilder::{input, list_answer, list_page, list_window, lists_own};
use crate::local::store::{Scope, Transaction};
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// `GetImage`: a build version, or the newest build of a version, which may have wildcards.
pub(in crate::local::compute) fn get_image(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let arn = arn(body, "imageBuildVersionArn")?;
    let record = local.store.read(|tx| find(tx, &caller.scope, arn))?;
    Ok(json!({"image": image_json(&record), "latestVersionReferences": latest_references(&record.arn)}))
}

fn arn<'a>(body: &'a Value, key: &str) -> Result<&'a str, ServiceError> {
    let input = input(body);
    let arn = input.required(key)?;
    if arn.contains(":image/") { Ok(arn) } else { Err(input.invalid(key, "It must be the ARN of an image.")) }
}

fn not_found(arn: &str) -> ServiceError {
    ServiceError::new(404, "ResourceNotFoundException", format!("The resource ARN '{arn}' does not exist."))
}

fn find(tx: &Transaction<'_>, scope: &Scope, arn: &str) -> Result<ImageRecord, ServiceError> {
    if let Some(record) = tx.get::<ImageRecord>(scope, IMAGE, arn)? {
        return Ok(record);
    }
    let (name, pattern) = arn.rsplit_once('/').ok_or_else(|| not_found(arn))?;
    let images = tx.list::<ImageRecord>(scope, IMAGE, &format!("{name}/"))?;
    images
        .into_iter()
        .map(|(_, image)| image)
        .filter(|image| version_matches(pattern, &image.version))
        .max_by_key(|image| (version_numbers(&image.version), image.build))
        .ok_or_else(|| not_found(arn))
}

fn image_json(record: &ImageRecord) -> Value {
    let mut image = summary_json(record);
    image["imageRecipe"] = record.recipe.clone();
    image["infrastructureConfiguration"] = record.infrastructure.clone();
    image["imageTestsConfiguration"] =
        json!({"imageTestsEnabled": record.tests_enabled, "timeoutMinutes": record.tests_timeout_minutes});
    image["enhancedImageMetadataEnabled"] = json!(record.enhanced_metadata);
    let wishes = &record.wishes;
    for (name, value) in [("distributionConfiguration", &wishes.distribution), ("workflows", &wishes.workflows)] {
        if !value.is_null() {
            image[name] = value.clone();
        }
    }
    if let Some(role) = &wishes.execution_role {
        image["executionRole"] = json!(role);
    }
    if let Some((arn, name)) = &wishes.pipeline {
        image["sourcePipelineArn"] = json!(arn);
        image["sourcePipelineName"] = json!(name);
    }
    if let Some(fields) = image.as_object_mut() {
        fields.remove("owner");
    }
    image
}

fn summary_json(record: &ImageRecord) -> Value {
    let mut summary = json!({
        "arn": record.arn,
        "name": record.name,
        "type": "AMI",
        "version": format!("{}/{}", record.version, record.build),
        "platform": "Linux",
        "state": record.state_json(),
        "owner": owner(&record.arn),
        "dateCreated": record.created_at,
        "outputResources": record.output_json(),
        "tags": record.tags,
        "buildType": "USER_INITIATED",
        "imageSource": "CUSTOM",
    });
    if !record.os_version.is_empty() {
        summary["osVersion"] = json!(record.os_version);
    }
    summary
}

fn owner(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// `ListImages`: image versions, one entry for all builds of each.
pub(in crate::local::compute) fn list_images(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let mut versions: Vec<(String, Value)> = Vec::new();
    let input = input(body);
    if lists_own(&input)? {
        for (_, record) in selected(local, caller, body, "")? {
            let arn = version_arn(&record.arn).to_owned();
            if versions.iter().any(|(_, version)| version["arn"] == json!(arn)) {
                continue;
            }
            let mut version = summary_json(&record);
            version["arn"] = json!(arn);
            version["version"] = json!(record.version);
            if let Some(fields) = version.as_object_mut() {
                fields.retain(|key, _| !matches!(key.as_str(), "state" | "outputResources" | "tags"));
            }
            versions.push((version_key(&record), version));
        }
    }
    list_answer(&input, "ListImages", "imageVersionList", versions)
}

/// `ListImageBuildVersions`: the builds of one version, or all.
pub(in crate::local::compute) fn list_image_build_versions(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let version = if input.filled("imageVersionArn")?.is_some() {
        let arn = arn(body, "imageVersionArn")?;
        Some(arn.rsplit_once('/').ok_or_else(|| not_found(arn))?)
    } else {
        None
    };
    let prefix = version.map_or_else(String::new, |(name, _)| format!("{name}/"));
    let mut window = list_window(&input, "ListImageBuildVersions")?;
    each_selected(local, caller, body, &prefix, |record| {
        if version.is_none_or(|(_, pattern)| version_matches(pattern, &record.version)) {
            window.offer(order_key(&record), |_| summary_json(&record));
        }
    })?;
    Ok(list_page(window, "imageSummaryList"))
}

/// What findings can be filtered by (image-builder.md 3).
const FINDING_FILTERS: [&str; 4] = ["imageBuildVersionArn", "imagePipelineArn", "vulnerabilityId", "severity"];

/// `ListImageScanFindings`. No image is scanned on this machine, and none says that it was (`scanState`), so there is
/// nothing to tell; whoever asks only for findings must not take that for clean.
pub(in crate::local::compute) fn list_image_scan_findings(
    _: &Local,
    _: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    for filter in filters(&input, "filters", "name", "values")? {
        if !FINDING_FILTERS.contains(&filter.name.as_str()) {
            let message =
                format!("The value supplied for parameter 'filters' is not valid. '{}' is no filter.", filter.name);
            return Err(ServiceError::new(400, "InvalidRequestException", message));
        }
    }
    list_answer(&input, "ListImageScanFindings", "findings", vec![])
}

/// The images that a pipeline has started, as `ListImagePipelineImages` shows them.
pub(super) fn of_pipeline(
    local: &Local,
    caller: &Caller,
    body: &Value,
    pipeline: &str,
) -> Result<Vec<(String, Value)>, ServiceError> {
    let mut records = selected(local, caller, body, "")?;
    records.retain(|(_, record)| record.wishes.pipeline.as_ref().is_some_and(|(arn, _)| arn == pipeline));
    Ok(records.into_iter().map(|(key, record)| (key, summary_json(&record))).collect())
}

/// Images that pass the request's filters, with and ordered by their [`order_key`].
fn selected(
    local: &Local,
    caller: &Caller,
    body: &Value,
    prefix: &str,
) -> Result<Vec<(String, ImageRecord)>, ServiceError> {
    let mut selected = Vec::new();
    each_selected(local, caller, body, prefix, |record| selected.push((order_key(&record), record)))?;
    selected.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(selected)
}

/// Hands over the images that pass the request's filters, one after the other: an account may have thousands.
fn each_selected(
    local: &Local,
    caller: &Caller,
    body: &Value,
    prefix: &str,
    mut take: impl FnMut(ImageRecord),
) -> Result<(), ServiceError> {
    let filters = filters(&input(body), "filters", "name", "values")?;
    if let Some(unknown) = filters.iter().find(|filter| !FILTERS.contains(&filter.name.as_str())) {
        let message =
            format!("The value supplied for parameter 'filters' is not valid. '{}' is no filter.", unknown.name);
        return Err(ServiceError::new(400, "InvalidRequestException", message));
    }
    local.store.read(|tx| {
        tx.each::<ImageRecord>(&caller.scope, IMAGE, prefix, None, |_, record| {
            if filters.iter().all(|filter| matches(&record, filter)) {
                take(record);
            }
            ControlFlow::Continue(())
        })
    })?;
    Ok(())
}

/// Orders images by version, then by build as a number.
fn order_key(record: &ImageRecord) -> String {
    format!("{} {:010}", version_key(record), record.build)
}

/// Orders versions by name, then as numbers. Zero ends a name, so that it stands before longer ones.
fn version_key(record: &ImageRecord) -> String {
    let [major, minor, patch] = version_numbers(&record.version).unwrap_or_default();
    format!("{}\0{major:010}.{minor:010}.{patch:010} {}", record.name, version_arn(&record.arn))
}

/// Filters of images.
const FILTERS: [&str; 5] = ["name", "version", "platform", "osVersion", "type"];

/// Whether a filter holds, which is one of [`FILTERS`].
fn matches(record: &ImageRecord, filter: &Filter) -> bool {
    match filter.name.as_str() {
        "name" => filter.values.contains(&record.name),
        "version" => filter.values.iter().any(|value| {
            version_matches(value, &record.version) || *value == format!("{}/{}", record.version, record.build)
        }),
        "platform" => filter.values.iter().any(|value| value == "Linux"),
        "osVersion" => filter.values.contains(&record.os_version),
        "type" => filter.values.iter().any(|value| value == "AMI"),
        _ => false,
    }
}

/// `CancelImageCreation`. Asynchronous as in the service: the image is CANCELLED a moment later.
pub(in crate::local::compute) fn cancel_image_creation(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let arn = arn(body, "imageBuildVersionArn")?;
    local.store.write(|tx| {
        let mut record = tx.get::<ImageRecord>(&caller.scope, IMAGE, arn)?.ok_or_else(|| not_found(arn))?;
        if record.status.is_final() {
            let message = format!(
                "The image creation can not be cancelled; the image '{arn}' is in the state '{}'.",
                record.status.word()
            );
            return Err(ServiceError::new(400, "ResourceInUseException", message));
        }
        record.cancel_requested = true;
        scripted::cancel(local, tx, &caller.scope, arn, caller.now)?;
        Ok(tx.put(&caller.scope, IMAGE, arn, &record)?)
    })?;
    // Nothing happens here when the build belongs to another process: that one sees the wish in the record.
    local.compute.shared.cancel_build(arn);
    Ok(json!({"clientToken": body.get("clientToken"), "imageBuildVersionArn": arn}))
}

/// `DeleteImage`: the record and its workflows, never the AMI.
pub(in crate::local::compute) fn delete_image(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let arn = arn(body, "imageBuildVersionArn")?;
    local.store.write(|tx| {
        let record = tx.get::<ImageRecord>(&caller.scope, IMAGE, arn)?.ok_or_else(|| not_found(arn))?;
        if !matches!(record.status, ImageStatus::Available | ImageStatus::Failed | ImageStatus::Cancelled) {
            let message = format!("The image '{arn}' has a running workflow.");
            return Err(ServiceError::new(400, "ResourceDependencyException", message));
        }
        workflow::delete_of_image(tx, &caller.scope, arn)?;
        tx.delete(&caller.scope, IMAGE, arn)?;
        Ok::<_, ServiceError>(())
    })?;
    Ok(json!({"imageBuildVersionArn": arn}))
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;
    use crate::local::store::Store;

    #[test]
    fn the_newest_build_is_found_by_number_not_by_text() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let scope = Scope { account: "000000000000".into(), region: "us-east-1".into() };
        let done: Result<(), ServiceError> = store.write(|tx| {
            for (version, build) in [("1.0.9", 1), ("1.0.10", 9), ("1.0.10", 10), ("2.0.0", 1)] {
                let image = record(version, build);
                tx.put(&scope, IMAGE, &image.arn, &image)?;
            }
            let name = "arn:aws:imagebuilder:us-east-1:000000000000:image/web";
            let found =
                |arn: &str| find(tx, &scope, &format!("{name}/{arn}")).map(|image| (image.version, image.build));
            assert_eq!(found("1.0.x")?, ("1.0.10".to_owned(), 10));
            assert_eq!(found("1.0.10")?, ("1.0.10".to_owned(), 10));
            assert_eq!(found("1.0.10/9")?, ("1.0.10".to_owned(), 9));
            assert_eq!(found("x.x.x")?, ("2.0.0".to_owned(), 1));
            assert_eq!(found("3.x.x").unwrap_err().code, "ResourceNotFoundException");
            Ok(())
        });
        done.unwrap();
    }

    #[test]
    fn images_are_ordered_by_name_and_by_numbers() {
        let keys = [("web", "1.0.9", 1), ("web", "1.0.10", 9), ("web", "1.0.10", 10), ("web 2", "1.0.0", 1)]
            .map(|(name, version, build)| order_key(&ImageRecord { name: name.into(), ..record(version, build) }));
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn filters_select_by_name_and_version() {
        let image = record("1.0.3", 2);
        let filter = |name: &str, value: &str| Filter { name: name.into(), values: vec![value.into()] };
        assert!(matches(&image, &filter("name", "web")));
        assert!(matches(&image, &filter("version", "1.0.3")));
        assert!(matches(&image, &filter("version", "1.x.x")));
        assert!(!matches(&image, &filter("name", "we")));
        for name in FILTERS {
            assert!(!matches(&image, &filter(name, "nothing")), "{name}");
        }
    }

    #[test]
    fn get_image_has_the_recipe_and_no_owner() {
        let image = image_json(&ImageRecord { recipe: json!({"name": "web"}), ..record("1.0.3", 2) });
        assert_eq!((&image["imageRecipe"]["name"], &image["version"]), (&json!("web"), &json!("1.0.3/2")));
        assert!(image.get("owner").is_none());
    }
}
