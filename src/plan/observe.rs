//! What is in the account: versions and the fingerprints in their tags.

use super::arn::{Version, build_version, resource};
use super::error::PlanError;
use super::model::{
    ComponentContent, Desired, DesiredComponent, Observed, ObservedComponent, ObservedImage, ObservedRecipe,
    RecipeContent,
};
use super::observe_configuration::{distribution, infrastructure, pipeline};
use crate::aws::{CallError, Cloud, tags};
use aws_sdk_imagebuilder::types::{ComponentStatus, ComponentVersion, Filter, ImageSummary, Ownership};
use std::collections::{BTreeMap, HashMap};

/// Reads what there is of the desired resources.
///
/// Versions of a component are read from the newest on, until one has the desired fingerprint: when nothing has
/// changed that is one call per component, whatever its history.
///
/// # Errors
/// When a call fails.
pub async fn observe(cloud: &Cloud, desired: &Desired) -> Result<Observed, PlanError> {
    let mut observed = Observed::default();
    for component in &desired.components {
        let versions = component_versions(cloud, component).await?;
        // The same name with another rendering: both readings are needed, each has what the other stopped before.
        let known = observed.components.entry(component.resource_name.clone()).or_default();
        for version in versions {
            if !known.iter().any(|other| other.arn == version.arn) {
                known.push(version);
            }
        }
    }
    observed.workflows = super::workflow::observe(cloud, desired).await?;
    observed.recipes = recipe_versions(cloud, desired).await?;
    observed.infrastructure = infrastructure(cloud, &desired.infrastructure.name).await?;
    // Also when none is desired: one that is left over is deleted.
    observed.distribution = distribution(cloud, &desired.recipe.resource_name).await?;
    observed.pipeline = pipeline(cloud, &desired.recipe.resource_name).await?;
    if observed.recipes.iter().any(|recipe| recipe.fingerprint.as_deref() == Some(desired.fingerprint())) {
        observed.images = images(cloud, desired).await?;
    }
    Ok(observed)
}

/// Builds of the desired image that exist, from the newest version that has any.
pub(crate) async fn images(cloud: &Cloud, desired: &Desired) -> Result<Vec<ObservedImage>, PlanError> {
    let name = &desired.recipe.resource_name;
    let mut pages =
        cloud.imagebuilder().list_images().owner(Ownership::SelfValue).filters(named(name)).into_paginator().send();
    let mut versions: Vec<(Option<Version>, String)> = Vec::new();
    while let Some(page) = pages.next().await {
        for image in page.map_err(CallError::of("ListImages", cloud.home()))?.image_version_list.unwrap_or_default() {
            if let (Some(found), Some(arn)) = (image.name, image.arn)
                && found == *name
            {
                versions.push((image.version.as_deref().and_then(Version::parse), arn));
            }
        }
    }
    versions.sort();
    versions.dedup();
    for (_, arn) in versions.iter().rev() {
        let found = image_builds(cloud, desired, arn).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(vec![])
}

async fn image_builds(cloud: &Cloud, desired: &Desired, version: &str) -> Result<Vec<ObservedImage>, PlanError> {
    let mut pages = cloud.imagebuilder().list_image_build_versions().image_version_arn(version).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImageBuildVersions", cloud.home()))?;
        for build in page.image_summary_list.unwrap_or_default() {
            if fingerprint(build.tags.as_ref()).as_deref() == Some(desired.fingerprint())
                && let Some(image) = observed_image(build, &cloud.home().region)
            {
                found.push(image);
            }
        }
    }
    Ok(found)
}

fn observed_image(build: ImageSummary, region: &str) -> Option<ObservedImage> {
    let arn = build.arn?;
    let amis = build.output_resources.and_then(|output| output.amis).unwrap_or_default();
    let ami = amis.into_iter().filter(|ami| ami.region.as_deref() == Some(region)).find_map(|ami| ami.image);
    let status = build.state.and_then(|state| state.status).map(|status| status.as_str().to_owned());
    Some(ObservedImage {
        version: build_version(&arn).or(build.version)?,
        arn,
        status: status.unwrap_or_else(|| "PENDING".to_owned()),
        ami,
    })
}

async fn component_versions(cloud: &Cloud, desired: &DesiredComponent) -> Result<Vec<ObservedComponent>, PlanError> {
    let name = &desired.resource_name;
    let mut pages =
        cloud.imagebuilder().list_components().owner(Ownership::SelfValue).filters(named(name)).into_paginator().send();
    let mut listed: Vec<(Version, ComponentVersion)> = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListComponents", cloud.home()))?;
        let own = page.component_version_list.unwrap_or_default().into_iter();
        listed.extend(own.filter(|one| one.name.as_ref() == Some(name)).filter_map(|one| {
            let version = one.version.as_deref().and_then(Version::parse)?;
            Some((version, one))
        }));
    }
    listed.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let mut versions = Vec::new();
    for (version, component) in listed {
        let Some(arn) = component.arn else { continue };
        let builds = component_builds(cloud, version, &arn).await?;
        let found = builds.iter().any(|build| build.fingerprint.as_deref() == Some(&desired.fingerprint));
        versions.extend(builds);
        if found {
            return Ok(versions);
        }
    }
    if let Some(latest) = versions.iter_mut().max_by(|a, b| (a.version, &a.arn).cmp(&(b.version, &b.arn))) {
        latest.content = component_content(cloud, &latest.arn).await?;
    }
    Ok(versions)
}

async fn component_builds(cloud: &Cloud, version: Version, arn: &str) -> Result<Vec<ObservedComponent>, PlanError> {
    let mut pages =
        cloud.imagebuilder().list_component_build_versions().component_version_arn(arn).into_paginator().send();
    let mut builds = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListComponentBuildVersions", cloud.home()))?;
        for build in page.component_summary_list.unwrap_or_default() {
            let status = build.state.and_then(|state| state.status);
            // A recipe cannot use a deprecated component: its fingerprint does not count.
            let usable = status.is_none_or(|status| status == ComponentStatus::Active);
            let fingerprint = fingerprint(build.tags.as_ref()).filter(|_| usable);
            if let Some(arn) = build.arn {
                builds.push(ObservedComponent { version, arn, fingerprint, content: None });
            }
        }
    }
    Ok(builds)
}

async fn component_content(cloud: &Cloud, arn: &str) -> Result<Option<ComponentContent>, PlanError> {
    let answer = cloud.imagebuilder().get_component().component_build_version_arn(arn).send().await;
    let component = answer.map_err(CallError::of("GetComponent", cloud.home()))?.component;
    Ok(component.and_then(|component| {
        Some(ComponentContent {
            document: component.data?,
            description: component.description.unwrap_or_default(),
            supported_os: component.supported_os_versions.unwrap_or_default(),
        })
    }))
}

async fn recipe_versions(cloud: &Cloud, desired: &Desired) -> Result<Vec<ObservedRecipe>, PlanError> {
    let name = &desired.recipe.resource_name;
    let mut pages = cloud
        .imagebuilder()
        .list_image_recipes()
        .owner(Ownership::SelfValue)
        .filters(named(name))
        .into_paginator()
        .send();
    let mut recipes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImageRecipes", cloud.home()))?;
        for recipe in page.image_recipe_summary_list.unwrap_or_default() {
            let fingerprint = fingerprint(recipe.tags.as_ref());
            if let (true, Some(arn)) = (recipe.name.as_ref() == Some(name), recipe.arn)
                && let Some(version) = resource(&arn).and_then(|resource| resource.version)
            {
                let parent_image = recipe.parent_image.unwrap_or_default();
                recipes.push(ObservedRecipe { version, arn, fingerprint, parent_image, content: None });
            }
        }
    }
    let same = recipes.iter().any(|recipe| recipe.fingerprint.as_deref() == Some(desired.fingerprint()));
    if !same && let Some(latest) = recipes.iter_mut().max_by_key(|recipe| recipe.version) {
        latest.content = recipe_content(cloud, &latest.arn).await?;
    }
    Ok(recipes)
}

async fn recipe_content(cloud: &Cloud, arn: &str) -> Result<Option<RecipeContent>, PlanError> {
    let answer = cloud.imagebuilder().get_image_recipe().image_recipe_arn(arn).send().await;
    let recipe = answer.map_err(CallError::of("GetImageRecipe", cloud.home()))?.image_recipe;
    let Some(recipe) = recipe else { return Ok(None) };
    let mut components = Vec::new();
    for component in recipe.components.unwrap_or_default() {
        let parameters: BTreeMap<String, String> = component
            .parameters
            .unwrap_or_default()
            .into_iter()
            .map(|parameter| (parameter.name, parameter.value.join(",")))
            .collect();
        components.push((component.component_arn, parameters));
    }
    Ok(Some(RecipeContent { components }))
}

/// The build version ARN of a component with that content, if there is one: the look before a repetition.
pub(super) async fn find_component(cloud: &Cloud, desired: &DesiredComponent) -> Result<Option<String>, PlanError> {
    let versions = component_versions(cloud, desired).await?;
    let mut same = versions.into_iter().filter(|one| one.fingerprint.as_deref() == Some(&desired.fingerprint));
    Ok(same.next().map(|one| one.arn))
}

/// The ARN of a recipe with the desired fingerprint, if there is one.
pub(super) async fn find_recipe(cloud: &Cloud, desired: &Desired) -> Result<Option<String>, PlanError> {
    let recipes = recipe_versions(cloud, desired).await?;
    let mut same = recipes.into_iter().filter(|one| one.fingerprint.as_deref() == Some(desired.fingerprint()));
    Ok(same.next().map(|one| one.arn))
}

/// The service matches names by its own rules; callers compare exactly afterwards.
pub(super) fn named(name: &str) -> Filter {
    Filter::builder().name("name").values(name).build()
}

pub(super) fn fingerprint(tagged: Option<&HashMap<String, String>>) -> Option<String> {
    tagged?.get(tags::FINGERPRINT).cloned()
}
