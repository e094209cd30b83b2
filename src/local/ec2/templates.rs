//! Launch templates.

use super::super::Local;
use super::super::paging;
use super::super::random;
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::filters::Filters;
use super::template_record::{Template, Version};
use super::{MISMATCH, data, input, tags, template_versions};
use crate::clock::rfc3339;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Launch templates per Region (patch-baselines.md section 12.8).
const MAX_TEMPLATES: usize = 5000;

/// `CreateLaunchTemplate`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = template_name(input.required("LaunchTemplateName")?)?;
    let description = input.limited("VersionDescription", 0..=255)?.unwrap_or_default();
    let Some(launch) = input.object("LaunchTemplateData")? else { return Err(input.missing("LaunchTemplateData")) };
    let launch = data::from_request(launch.value())?;
    let mut tags = tags::Tags::new();
    for specification in input.objects("TagSpecification")? {
        specification.one_of("ResourceType", &["launch-template"])?;
        tags.extend(specification.pairs("Tag")?);
    }
    tags::check(&tags)?;
    let scope = &caller.scope;
    let once = Once { operation: "CreateLaunchTemplate", token: "ClientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let all = Template::all(tx, scope)?;
            if all.iter().any(|template| template.name == name) {
                let text = format!("Launch template name already in use: {name}");
                return Err(ServiceError::client("InvalidLaunchTemplateName.AlreadyExistsException", text));
            }
            if all.len() >= MAX_TEMPLATES {
                let text = format!("You have reached the limit of {MAX_TEMPLATES} launch templates in this Region");
                return Err(ServiceError::client("LaunchTemplateLimitExceeded", text));
            }
            let template = Template {
                id: random::resource_id("lt")?,
                name: name.to_owned(),
                created_at: rfc3339(caller.now),
                created_by: caller.principal(),
                default_version: 1,
                last_version: 1,
                tags: tags.clone(),
            };
            let version = Version {
                number: 1,
                description: description.to_owned(),
                created_at: template.created_at.clone(),
                created_by: template.created_by.clone(),
                data: launch.clone(),
            };
            template.put(tx, scope)?;
            template.put_version(tx, scope, &version)?;
            let warning = template_versions::warning(tx, scope, &version.data)?;
            Ok(json!({ "launchTemplate": template.render(1), "warning": warning }))
        })
    })
}

fn template_name(name: &str) -> Result<&str, ServiceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if (3..=128).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(name);
    }
    let text = format!(
        "Launch template name '{name}' is not valid: it must have 3 to 128 letters, digits, or ( ) . - / _ characters"
    );
    Err(ServiceError::client("InvalidLaunchTemplateName.MalformedException", text))
}

/// `DescribeLaunchTemplates`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (ids, names) = (input.texts("LaunchTemplateId")?, input.texts("LaunchTemplateName")?);
    let filters = Filters::parse(&input, &["create-time", "launch-template-name", "tag-key", "tag:"])?;
    let size = input.page_size("MaxResults", 1..=200, 200)?;
    let scope = &caller.scope;
    let rows = local.store.read(|tx| {
        let mut chosen = Vec::new();
        for id in &ids {
            chosen.push(Template::by_id(tx, scope, id)?);
        }
        for name in &names {
            chosen.push(Template::by_name(tx, scope, name)?);
        }
        if ids.is_empty() && names.is_empty() {
            chosen = Template::all(tx, scope)?;
        }
        let mut rows = BTreeMap::new();
        for template in chosen {
            let field = |name: &str| {
                vec![if name == "create-time" { super::time(&template.created_at) } else { template.name.clone() }]
            };
            if filters.accept(&template.tags, field) {
                let latest = template.latest(tx, scope)?;
                rows.insert(template.id.clone(), template.render(latest));
            }
        }
        Ok::<_, ServiceError>(rows)
    })?;
    let (templates, next) = paging::page(&input, "DescribeLaunchTemplates", size, rows.into_iter().collect())?;
    Ok(json!({ "launchTemplates": templates, "nextToken": next }))
}

/// `ModifyLaunchTemplate`: moves the default version. The only thing about a launch template that changes.
pub(super) fn modify(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let version = input.required("SetDefaultVersion")?;
    let scope = &caller.scope;
    let once = Once { operation: "ModifyLaunchTemplate", token: "ClientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let mut template = Template::required(tx, scope, &input)?;
            template.default_version = template.version(tx, scope, version)?.number;
            template.put(tx, scope)?;
            let latest = template.latest(tx, scope)?;
            Ok(json!({ "launchTemplate": template.render(latest) }))
        })
    })
}

/// `DeleteLaunchTemplate`: with all versions.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    local.store.write(|tx| {
        let template = Template::required(tx, &caller.scope, &input)?;
        let latest = template.latest(tx, &caller.scope)?;
        template.delete(tx, &caller.scope)?;
        Ok(json!({ "launchTemplate": template.render(latest) }))
    })
}
