//! What is in the account: versions and the fingerprints in their tags.

use super::arn::build_version;
use super::error::PlanError;
use super::lists::Lists;
use super::model::{ComponentContent, Desired, DesiredComponent};
use super::observe_configuration::read_distribution;
use super::observed::{Observed, ObservedComponent, ObservedImage, ObservedRecipe, RecipeContent};
use crate::aws::{CallError, Cloud, tags};
use aws_sdk_imagebuilder::types::{Filter, ImageSummary};
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap};

/// Images that are looked at with calls of their own; for more the account's lists are read whole.
const FEW: usize = 3;
/// Images whose details are asked for at the same time: the SDK paces the calls.
const AT_ONCE: usize = 8;

/// Reads what there is of the desired resources.
///
/// Versions of a component are read from the newest on, until one has the desired fingerprint: when nothing has
/// changed that is one call per component, whatever its history.
///
/// # Errors
/// When a call fails.
pub async fn observe(cloud: &Cloud, desired: &Desired) -> Result<Observed, PlanError> {
    from(&Lists::by_name(cloud), desired).await
}

/// The same for several images, in their order. For more than a few the lists of the account are read once, not once per
/// image.
///
/// # Errors
/// When a call fails: the first, in the order of the images.
pub async fn observe_many(cloud: &Cloud, desired: &[Desired]) -> Result<Vec<Observed>, PlanError> {
    let lists = if desired.len() > FEW { Lists::whole(cloud, desired).await? } else { Lists::by_name(cloud) };
    let mut observed = Vec::with_capacity(desired.len());
    for some in desired.chunks(AT_ONCE) {
        for one in join_all(some.iter().map(|one| from(&lists, one))).await {
            observed.push(one?);
        }
    }
    Ok(observed)
}

async fn from(lists: &Lists<'_>, desired: &Desired) -> Result<Observed, PlanError> {
    let mut observed = Observed::default();
    for component in &desired.components {
        let versions = component_versions(lists, component).await?;
        // The same name with another rendering: both readings are needed, each has what the other stopped before.
        let known = observed.components.entry(component.resource_name.clone()).or_default();
        for version in versions {
            if !known.iter().any(|other| other.arn == version.arn) {
                known.push(version);
            }
        }
    }
    observed.workflows = super::workflow::observe(lists, desired).await?;
    observed.recipes = recipe_versions(lists, desired).await?;
    observed.infrastructure = lists.infrastructure(&desired.infrastructure.name).await?;
    // Also when none is desired: one that is left over is deleted.
    if let Some(arn) = lists.distribution(&desired.recipe.resource_name).await? {
        observed.distribution = read_distribution(lists.cloud, arn).await?;
    }
    observed.pipeline = lists.pipeline(&desired.recipe.resource_name).await?;
    observed.baseline = lists.baseline(desired).await?;
    if observed.recipes.iter().any(|recipe| recipe.fingerprint.as_deref() == Some(desired.fingerprint())) {
        observed.images = images_of(lists, desired).await?;
    }
    Ok(observed)
}

/// Builds of the desired image that exist, from the newest version that has any.
pub(crate) async fn images(cloud: &Cloud, desired: &Desired) -> Result<Vec<ObservedImage>, PlanError> {
    images_of(&Lists::by_name(cloud), desired).await
}

async fn images_of(lists: &Lists<'_>, desired: &Desired) -> Result<Vec<ObservedImage>, PlanError> {
    for (_, arn) in lists.images(&desired.recipe.resource_name).await? {
        let builds = lists.image_builds(&arn).await?.into_iter();
        let same = builds.filter(|build| fingerprint(build.tags.as_ref()).as_deref() == Some(desired.fingerprint()));
        let found: Vec<_> = same.filter_map(|build| observed_image(build, &lists.cloud.home().region)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(vec![])
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

async fn component_versions(
    lists: &Lists<'_>,
    desired: &DesiredComponent,
) -> Result<Vec<ObservedComponent>, PlanError> {
    let mut versions = Vec::new();
    for (_, arn) in lists.components(&desired.resource_name).await? {
        let builds = lists.component_builds(&arn).await?;
        let found = builds.iter().any(|build| build.fingerprint.as_deref() == Some(&desired.fingerprint));
        versions.extend(builds);
        if found {
            return Ok(versions);
        }
    }
    if let Some(latest) = versions.iter_mut().max_by(|a, b| (a.version, &a.arn).cmp(&(b.version, &b.arn))) {
        latest.content = component_content(lists.cloud, &latest.arn).await?;
    }
    Ok(versions)
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

async fn recipe_versions(lists: &Lists<'_>, desired: &Desired) -> Result<Vec<ObservedRecipe>, PlanError> {
    let mut recipes = lists.recipes(&desired.recipe.resource_name).await?;
    let same = recipes.iter().any(|recipe| recipe.fingerprint.as_deref() == Some(desired.fingerprint()));
    if !same && let Some(latest) = recipes.iter_mut().max_by_key(|recipe| recipe.version) {
        latest.content = recipe_content(lists.cloud, &latest.arn).await?;
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
    let versions = component_versions(&Lists::by_name(cloud), desired).await?;
    let mut same = versions.into_iter().filter(|one| one.fingerprint.as_deref() == Some(&desired.fingerprint));
    Ok(same.next().map(|one| one.arn))
}

/// The ARN of a recipe with the desired fingerprint, if there is one.
pub(super) async fn find_recipe(cloud: &Cloud, desired: &Desired) -> Result<Option<String>, PlanError> {
    let recipes = recipe_versions(&Lists::by_name(cloud), desired).await?;
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
