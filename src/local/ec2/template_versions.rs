//! Versions of launch templates.

use super::super::Local;
use super::super::paging;
use super::super::ssm;
use super::super::store::{Scope, Transaction};
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::filters::Filters;
use super::template_record::{Template, Version, version_number};
use super::{MISMATCH, data, images, input};
use crate::clock::rfc3339;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a reference to a parameter in place of an AMI id starts with.
const RESOLVE: &str = "resolve:ssm:";
/// Versions per template (patch-baselines.md section 12.8).
const MAX_VERSIONS: usize = 10_000;
/// Versions in one `DescribeLaunchTemplateVersions` or `DeleteLaunchTemplateVersions`.
const MAX_AT_ONCE: usize = 200;

const FILTERS: &[&str] =
    &["create-time", "image-id", "instance-type", "is-default-version", "kernel-id", "ram-disk-id"];

/// `CreateLaunchTemplateVersion`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let source = input.text("SourceVersion")?;
    let launch = match (input.object("LaunchTemplateData")?, source) {
        (Some(launch), _) => data::from_request(launch.value())?,
        // The query protocol cannot tell an empty structure from none; with a source version it means a plain copy.
        (None, Some(_)) => json!({}),
        (None, None) => return Err(input.missing("LaunchTemplateData")),
    };
    let description = input.limited("VersionDescription", 0..=255)?.unwrap_or_default();
    let resolve = input.flag("ResolveAlias")?.unwrap_or(false);
    let scope = &caller.scope;
    let once =
        Once { operation: "CreateLaunchTemplateVersion", token: "ClientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let mut template = Template::required(tx, scope, &input)?;
            let data = match source {
                Some(source) => data::inherit(&template.version(tx, scope, source)?.data, &launch),
                None => launch.clone(),
            };
            if template.versions(tx, scope)?.len() >= MAX_VERSIONS {
                let text = format!("The launch template {} has {MAX_VERSIONS} versions, the limit", template.id);
                return Err(ServiceError::client("LaunchTemplateVersionLimitExceeded", text));
            }
            template.last_version += 1;
            let mut version = Version {
                number: template.last_version,
                description: description.to_owned(),
                created_at: rfc3339(caller.now),
                created_by: caller.principal(),
                data,
            };
            template.put(tx, scope)?;
            template.put_version(tx, scope, &version)?;
            let warning = warning(tx, scope, &version.data)?;
            if resolve {
                resolve_alias(tx, scope, &mut version)?;
            }
            Ok(json!({ "launchTemplateVersion": template.render_version(&version), "warning": warning }))
        })
    })
}

/// What is wrong with a version that EC2 stores all the same: an AMI that the caller cannot see.
pub(super) fn warning(tx: &Transaction<'_>, scope: &Scope, data: &Value) -> Result<Option<Value>, ServiceError> {
    let Some(image) = data::image(data).filter(|image| !image.starts_with(RESOLVE)) else { return Ok(None) };
    if images::visible(tx, scope, image)?.is_some() {
        return Ok(None);
    }
    let error = images::not_found(&[image]);
    Ok(Some(json!({ "errorSet": [{ "code": error.code, "message": error.message }] })))
}

fn resolve_alias(tx: &Transaction<'_>, scope: &Scope, version: &mut Version) -> Result<(), ServiceError> {
    let Some(reference) = data::image(&version.data).and_then(|image| image.strip_prefix(RESOLVE)) else {
        return Ok(());
    };
    let value = ssm::parameter_value(tx, scope, reference).map_err(|error| {
        let text = format!("The parameter of image {RESOLVE}{reference} cannot be resolved: {}", error.message);
        ServiceError::client("InvalidParameterValue", text)
    })?;
    version.data["imageId"] = Value::String(value);
    Ok(())
}

/// `DescribeLaunchTemplateVersions`: newest first.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let wanted = input.texts("LaunchTemplateVersion")?;
    let bound = |name: &str| input.text(name)?.map(version_number).transpose();
    let (min, max) = (bound("MinVersion")?, bound("MaxVersion")?);
    if !wanted.is_empty() && (min.is_some() || max.is_some()) {
        let text = "Specify LaunchTemplateVersion, or MinVersion and MaxVersion, not both";
        return Err(ServiceError::client("InvalidParameterCombination", text));
    }
    let filters = Filters::parse(&input, FILTERS)?;
    let size = input.page_size("MaxResults", 1..=200, MAX_AT_ONCE)?;
    let resolve = input.flag("ResolveAlias")?.unwrap_or(false);
    let scope = &caller.scope;
    let rows = local.store.read(|tx| {
        let templates = match Template::chosen(tx, scope, &input)? {
            Some(template) => vec![template],
            None if wanted.is_empty() || wanted.iter().any(|version| !version.starts_with('$')) => {
                let text = "A launch template must be named by LaunchTemplateId or LaunchTemplateName, \
                            unless only $Latest and $Default versions are asked for";
                return Err(ServiceError::client("MissingParameter", text));
            }
            None => Template::all(tx, scope)?,
        };
        let mut rows = BTreeMap::new();
        for template in templates {
            let mut versions = if wanted.is_empty() {
                template.versions(tx, scope)?
            } else {
                wanted.iter().map(|version| template.version(tx, scope, version)).collect::<Result<_, _>>()?
            };
            versions.retain(|version| {
                min.is_none_or(|min| version.number >= min)
                    && max.is_none_or(|max| version.number <= max)
                    && filters.accept(&BTreeMap::new(), |name| vec![field(&template, version, name)])
            });
            for mut version in versions {
                if resolve {
                    resolve_alias(tx, scope, &mut version)?;
                }
                // Keys in descending order of versions, because rows are sorted by key.
                let key = format!("{}/{:020}", template.id, u64::MAX - version.number);
                rows.insert(key, template.render_version(&version));
            }
        }
        Ok::<_, ServiceError>(rows)
    })?;
    let (versions, next) = paging::page(&input, "DescribeLaunchTemplateVersions", size, rows.into_iter().collect())?;
    Ok(json!({ "launchTemplateVersionSet": versions, "nextToken": next }))
}

fn field(template: &Template, version: &Version, name: &str) -> String {
    let member = |name: &str| version.data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match name {
        "create-time" => super::time(&version.created_at),
        "image-id" => member("imageId"),
        "instance-type" => member("instanceType"),
        "is-default-version" => (version.number == template.default_version).to_string(),
        "kernel-id" => member("kernelId"),
        _ => member("ramDiskId"),
    }
}

/// `DeleteLaunchTemplateVersions`: each on its own; the default version stays.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let wanted = input.texts("LaunchTemplateVersion")?;
    if wanted.is_empty() {
        return Err(input.missing("LaunchTemplateVersion"));
    }
    if wanted.len() > MAX_AT_ONCE {
        let why = format!("{} versions are named; at most {MAX_AT_ONCE} can be deleted at once.", wanted.len());
        return Err(input.invalid("LaunchTemplateVersion", &why));
    }
    let numbers = wanted.into_iter().map(version_number).collect::<Result<Vec<_>, _>>()?;
    let scope = &caller.scope;
    local.store.write(|tx| {
        let template = Template::required(tx, scope, &input)?;
        let (mut deleted, mut kept) = (Vec::new(), Vec::new());
        for number in numbers {
            let mut item = json!({
                "launchTemplateId": template.id, "launchTemplateName": template.name, "versionNumber": number,
            });
            let problem = if number == template.default_version {
                Some(("unexpectedError", "it is the default version; make another version the default first"))
            } else if template.delete_version(tx, scope, number)? {
                None
            } else {
                Some(("launchTemplateVersionDoesNotExist", "the launch template has no such version"))
            };
            match problem {
                None => deleted.push(item),
                Some((code, why)) => {
                    let text = format!("Launch template version {number} cannot be deleted: {why}");
                    item["responseError"] = json!({ "code": code, "message": text });
                    kept.push(item);
                }
            }
        }
        Ok(json!({
            "successfullyDeletedLaunchTemplateVersionSet": deleted,
            "unsuccessfullyDeletedLaunchTemplateVersionSet": kept,
        }))
    })
}
