//! Launch templates: look, stage a version, move the default, remove.

use super::error::StepError;
use super::execute::soon;
use super::model::{Plan, TemplateBefore, TemplateMove};
use crate::aws::{CallError, Cloud, tags};
use crate::project::Location;
use aws_sdk_ec2::types::{LaunchTemplateVersion, RequestLaunchTemplateData, ResourceType, Tag, TagSpecification};

/// A launch template as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) default_version: i64,
}

/// A version that a promotion made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Staged {
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) ami: Option<String>,
    pub(super) instance_type: Option<String>,
}

/// Answers that say that there is no such template.
const ABSENT: [&str; 2] = ["InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.NotFound"];

/// The template of that name, if it exists.
pub(super) async fn find(cloud: &Cloud, place: &Location, name: &str) -> Result<Option<Template>, CallError> {
    let answer = cloud.ec2(place).describe_launch_templates().launch_template_names(name).send().await;
    let answer = answer.map_err(CallError::of("DescribeLaunchTemplates", place));
    if answer.as_ref().is_err_and(|error| error.fault.is(&ABSENT)) {
        return Ok(None);
    }
    let found = answer?.launch_templates.unwrap_or_default().into_iter().next();
    Ok(found
        .and_then(|one| Some(Template { id: one.launch_template_id?, default_version: one.default_version_number? })))
}

/// The template of that name as it is in use, if it exists, and the AMI of its default version: in one call.
pub(super) async fn in_use(
    cloud: &Cloud,
    place: &Location,
    name: &str,
) -> Result<Option<(Template, Option<String>)>, CallError> {
    let request = cloud.ec2(place).describe_launch_template_versions().launch_template_name(name).versions("$Default");
    let answer = request.send().await.map_err(CallError::of("DescribeLaunchTemplateVersions", place));
    if answer.as_ref().is_err_and(|error| error.fault.is(&ABSENT)) {
        return Ok(None);
    }
    let version = answer?.launch_template_versions.unwrap_or_default().into_iter().next();
    Ok(version.and_then(|version| {
        let template = Template { id: version.launch_template_id?, default_version: version.version_number? };
        Some((template, version.launch_template_data.and_then(|data| data.image_id)))
    }))
}

/// What names a promotion's version among all versions: its description.
fn description(plan: &Plan) -> String {
    let version = plan.release.image_version.as_deref().unwrap_or("unversioned");
    format!("amiforge {} {version} promotion {}", plan.release.recipe, plan.release.id)
}

/// The version this promotion has staged, if it has.
pub(super) async fn staged(
    cloud: &Cloud,
    plan: &Plan,
    place: &Location,
    name: &str,
) -> Result<Option<Staged>, CallError> {
    let Some(template) = find(cloud, place, name).await? else { return Ok(None) };
    let wanted = description(plan);
    let request = cloud.ec2(place).describe_launch_template_versions().launch_template_id(&template.id);
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeLaunchTemplateVersions", place))?;
        let mut versions = page.launch_template_versions.unwrap_or_default().into_iter();
        if let Some(found) = versions.find(|one| one.version_description.as_deref() == Some(wanted.as_str())) {
            return Ok(of(&template.id, found));
        }
    }
    Ok(None)
}

fn of(id: &str, version: LaunchTemplateVersion) -> Option<Staged> {
    let number = version.version_number?;
    let data = version.launch_template_data;
    let instance_type = data.as_ref().and_then(|data| data.instance_type.as_ref()).map(|kind| kind.as_str().to_owned());
    Some(Staged { id: id.to_owned(), version: number, ami: data.and_then(|data| data.image_id), instance_type })
}

/// Makes the version, or the template when there is none. What an earlier process may have made is looked for first,
/// unless this one is `fresh`.
pub(super) async fn stage(
    cloud: &Cloud,
    plan: &Plan,
    place: &Location,
    one: &TemplateMove,
    ami: &str,
    fresh: bool,
) -> Result<Staged, StepError> {
    if !fresh && let Some(found) = staged(cloud, plan, place, &one.name).await? {
        return Ok(found);
    }
    for attempt in 0..ATTEMPTS {
        let made = make(cloud, plan, place, one, ami, attempt).await?;
        // The token of a version that an undo has removed since is still answered with it.
        if fresh || shows(cloud, place, &made).await? {
            return Ok(made);
        }
    }
    Err(StepError::Refused(format!("every version of {} that was staged has been removed", one.name)))
}

/// How often a version is made anew because an undo that was cut off has removed the one before.
const ATTEMPTS: usize = 8;

async fn make(
    cloud: &Cloud,
    plan: &Plan,
    place: &Location,
    one: &TemplateMove,
    ami: &str,
    attempt: usize,
) -> Result<Staged, StepError> {
    let token = token(plan, place, &one.name, attempt);
    let made = match &one.before {
        Some(before) => add_version(cloud, plan, place, before, ami, token).await,
        None => create(cloud, plan, place, &one.name, ami, token).await,
    };
    match made {
        // A lost answer, or its repetition: look for what it made.
        Err(error) if error.fault.may_have_been_applied() || error.fault.is(&TAKEN) => {
            let mut waiting = soon(cloud).start();
            loop {
                if let Some(found) = staged(cloud, plan, place, &one.name).await? {
                    return Ok(found);
                }
                // What was made shows by then.
                if waiting.pause().await.is_err() {
                    return Err(error.into());
                }
            }
        }
        Err(error) => Err(error.into()),
        Ok(made) => made.ok_or_else(|| StepError::Refused("the new version has no number".to_owned())),
    }
}

/// Whether a version is there, or comes to be seen.
async fn shows(cloud: &Cloud, place: &Location, made: &Staged) -> Result<bool, CallError> {
    let mut waiting = soon(cloud).start();
    loop {
        if version(cloud, place, &made.id, made.version).await?.is_some() {
            return Ok(true);
        }
        if waiting.pause().await.is_err() {
            return Ok(false);
        }
    }
}

/// The name was taken, by us a moment ago or by somebody else.
const TAKEN: [&str; 1] = ["InvalidLaunchTemplateName.AlreadyExistsException"];

fn data(ami: &str) -> RequestLaunchTemplateData {
    RequestLaunchTemplateData::builder().image_id(ami).build()
}

/// A version by its number.
pub(super) async fn version(
    cloud: &Cloud,
    place: &Location,
    id: &str,
    number: i64,
) -> Result<Option<Staged>, CallError> {
    let request = cloud.ec2(place).describe_launch_template_versions().launch_template_id(id);
    let answer = request.versions(number.to_string()).send().await;
    let answer = answer.map_err(CallError::of("DescribeLaunchTemplateVersions", place));
    let absent = ["InvalidLaunchTemplateId.VersionNotFound", "InvalidLaunchTemplateId.NotFound"];
    if answer.as_ref().is_err_and(|error| error.fault.is(&absent)) {
        return Ok(None);
    }
    Ok(answer?.launch_template_versions.unwrap_or_default().into_iter().next().and_then(|found| of(id, found)))
}

/// Based on the default version, which is what is in use: on `$Latest` somebody may have tried something.
async fn add_version(
    cloud: &Cloud,
    plan: &Plan,
    place: &Location,
    before: &TemplateBefore,
    ami: &str,
    token: String,
) -> Result<Option<Staged>, CallError> {
    let request = cloud
        .ec2(place)
        .create_launch_template_version()
        .launch_template_id(&before.id)
        .source_version(before.default_version.to_string())
        .version_description(description(plan))
        .launch_template_data(data(ami))
        .client_token(token);
    let answer = request.send().await.map_err(CallError::of("CreateLaunchTemplateVersion", place))?;
    Ok(answer.launch_template_version.and_then(|version| of(&before.id, version)))
}

async fn create(
    cloud: &Cloud,
    plan: &Plan,
    place: &Location,
    name: &str,
    ami: &str,
    token: String,
) -> Result<Option<Staged>, CallError> {
    let mut specification = TagSpecification::builder().resource_type(ResourceType::LaunchTemplate);
    for (key, value) in [(tags::PROJECT, &plan.release.project), (tags::RECIPE, &plan.release.recipe)] {
        specification = specification.tags(Tag::builder().key(key).value(value).build());
    }
    let request = cloud
        .ec2(place)
        .create_launch_template()
        .launch_template_name(name)
        .version_description(description(plan))
        .launch_template_data(data(ami))
        .tag_specifications(specification.build())
        .client_token(token);
    let answer = request.send().await.map_err(CallError::of("CreateLaunchTemplate", place))?;
    let made = answer.launch_template.and_then(|made| Some((made.launch_template_id?, made.latest_version_number?)));
    Ok(made.map(|(id, version)| Staged { id, version, ami: Some(ami.to_owned()), instance_type: None }))
}

fn token(plan: &Plan, place: &Location, name: &str, attempt: usize) -> String {
    let again = attempt.to_string();
    let parts = ["stage", &plan.release.id, &place.account, &place.region, name, &again];
    crate::plan::token(if attempt == 0 { &parts[..5] } else { &parts })
}

/// Moves the default version. Without a client token on purpose: there and back again are calls of equal content.
pub(super) async fn set_default(cloud: &Cloud, place: &Location, id: &str, version: i64) -> Result<(), CallError> {
    let request = cloud.ec2(place).modify_launch_template().launch_template_id(id).default_version(version.to_string());
    request.send().await.map(drop).map_err(CallError::of("ModifyLaunchTemplate", place))
}

/// Removes a version that is not the default.
pub(super) async fn remove_version(cloud: &Cloud, place: &Location, id: &str, version: i64) -> Result<(), StepError> {
    let request =
        cloud.ec2(place).delete_launch_template_versions().launch_template_id(id).versions(version.to_string());
    let answer = request.send().await.map_err(CallError::of("DeleteLaunchTemplateVersions", place))?;
    // Failures of single versions stand in the answer. One that is gone already is no failure.
    for failed in answer.unsuccessfully_deleted_launch_template_versions.unwrap_or_default() {
        let code = failed.response_error.as_ref().and_then(|error| error.code.as_ref());
        let code = code.map_or("unknown", |code| code.as_str()).to_owned();
        if !matches!(code.as_str(), "launchTemplateVersionDoesNotExist" | "launchTemplateIdDoesNotExist") {
            let message = failed.response_error.and_then(|error| error.message).unwrap_or_default();
            return Err(StepError::Refused(format!(
                "version {version} of {id} could not be removed: {code}: {message}"
            )));
        }
    }
    Ok(())
}

/// Removes a template with all its versions; it may be gone already.
pub(super) async fn remove(cloud: &Cloud, place: &Location, id: &str) -> Result<(), CallError> {
    let answer = cloud.ec2(place).delete_launch_template().launch_template_id(id).send().await;
    match answer.map_err(CallError::of("DeleteLaunchTemplate", place)) {
        Err(error) if !error.fault.is(&ABSENT) => Err(error),
        _ => Ok(()),
    }
}
