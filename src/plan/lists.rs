//! The lists of an account that plans are made from.
//!
//! For one image the service is asked for what has its names: some ten calls. For many, every list is read once, whole, and all
//! plans are made from that: the calls then follow from what the account has (25 rows a page), not from how many images are
//! planned. What a whole list does not show is asked for by name, so that a list that has less than it should makes a plan dearer
//! and not wrong.

use super::arn::{Version, resource};
use super::error::PlanError;
use super::model::Desired;
use super::observe::{fingerprint, named};
use super::observe_configuration::{infrastructure, observed_pipeline};
use super::observed::{ObservedComponent, ObservedConfiguration, ObservedPipeline, ObservedRecipe};
use super::workflow::{self, Listed};
use crate::aws::{CallError, Cloud};
use crate::baseline;
use aws_sdk_imagebuilder::types::{ComponentStatus, ComponentSummary, ImageRecipeSummary, ImageSummary, Ownership};
use std::collections::BTreeMap;

/// Pages of image builds that are read whole at least: what a plan of a few images may cost anyway.
const PAGES: usize = 8;

/// Versions of something, each with its ARN.
pub(super) type Versions = Vec<(Version, String)>;

/// Where plans get the lists of an account from.
#[derive(Debug)]
pub(super) struct Lists<'a> {
    pub(super) cloud: &'a Cloud,
    whole: Option<Whole>,
}

/// Lists that were read whole, by the names of what they list.
#[derive(Debug, Default)]
struct Whole {
    components: BTreeMap<String, Versions>,
    /// By the ARN of the version.
    component_builds: BTreeMap<String, Vec<ObservedComponent>>,
    workflows: Vec<Listed>,
    /// By the ARN of the version.
    workflow_builds: BTreeMap<String, Vec<ObservedComponent>>,
    recipes: BTreeMap<String, Vec<ObservedRecipe>>,
    infrastructure: BTreeMap<String, Option<ObservedConfiguration>>,
    distributions: BTreeMap<String, String>,
    pipelines: BTreeMap<String, ObservedPipeline>,
    images: BTreeMap<String, Versions>,
    /// By the ARN of the version; absent when there are too many.
    image_builds: Option<BTreeMap<String, Vec<ImageSummary>>>,
    /// By the project's name.
    baselines: BTreeMap<String, Option<baseline::Observed>>,
}

impl<'a> Lists<'a> {
    /// Lists that are asked for by name.
    pub(super) const fn by_name(cloud: &'a Cloud) -> Self {
        Self { cloud, whole: None }
    }

    /// Lists that are read now, for all of `desired`.
    pub(super) async fn whole(cloud: &'a Cloud, desired: &[Desired]) -> Result<Self, PlanError> {
        let components = components(cloud, None).await?;
        let component_builds = all_component_builds(cloud).await?;
        let recipes = recipes(cloud, None).await?;
        let mut whole = Whole {
            components,
            component_builds,
            distributions: distributions(cloud, None).await?,
            pipelines: pipelines(cloud, None).await?,
            images: images(cloud, None).await?,
            ..Whole::default()
        };
        let kept = |one: &&Desired| {
            let known = recipes.get(&one.recipe.resource_name).into_iter().flatten();
            known.into_iter().any(|recipe| recipe.fingerprint.as_deref() == Some(one.fingerprint()))
        };
        whole.image_builds = all_image_builds(cloud, PAGES.max(desired.iter().filter(kept).count())).await?;
        whole.recipes = recipes;
        whole.shared(cloud, desired).await?;
        Ok(Self { cloud, whole: Some(whole) })
    }

    /// Versions of a component, the newest first.
    pub(super) async fn components(&self, name: &str) -> Result<Versions, PlanError> {
        match &self.whole {
            Some(whole) => Ok(whole.components.get(name).cloned().unwrap_or_default()),
            None => Ok(components(self.cloud, Some(name)).await?.remove(name).unwrap_or_default()),
        }
    }

    /// Builds of a component version.
    pub(super) async fn component_builds(&self, arn: &str) -> Result<Vec<ObservedComponent>, PlanError> {
        if let Some(builds) = self.whole.as_ref().and_then(|whole| whole.component_builds.get(arn)) {
            return Ok(builds.clone());
        }
        let mut pages = self
            .cloud
            .imagebuilder()
            .list_component_build_versions()
            .component_version_arn(arn)
            .into_paginator()
            .send();
        let mut builds = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(CallError::of("ListComponentBuildVersions", self.cloud.home()))?;
            builds.extend(page.component_summary_list.unwrap_or_default().into_iter().filter_map(component_build));
        }
        Ok(builds)
    }

    /// The account's workflows.
    pub(super) async fn workflows(&self) -> Result<Vec<Listed>, PlanError> {
        match &self.whole {
            Some(whole) => Ok(whole.workflows.clone()),
            None => workflow::listed(self.cloud).await,
        }
    }

    /// Builds of a workflow version.
    pub(super) async fn workflow_builds(&self, arn: &str) -> Result<Vec<ObservedComponent>, PlanError> {
        match self.whole.as_ref().and_then(|whole| whole.workflow_builds.get(arn)) {
            Some(builds) => Ok(builds.clone()),
            None => workflow::builds(self.cloud, arn).await,
        }
    }

    /// Versions of an image recipe, in any order.
    pub(super) async fn recipes(&self, name: &str) -> Result<Vec<ObservedRecipe>, PlanError> {
        match &self.whole {
            Some(whole) => Ok(whole.recipes.get(name).cloned().unwrap_or_default()),
            None => Ok(recipes(self.cloud, Some(name)).await?.remove(name).unwrap_or_default()),
        }
    }

    /// The infrastructure configuration of that name.
    pub(super) async fn infrastructure(&self, name: &str) -> Result<Option<ObservedConfiguration>, PlanError> {
        match self.whole.as_ref().and_then(|whole| whole.infrastructure.get(name)) {
            Some(known) => Ok(known.clone()),
            None => infrastructure(self.cloud, name).await,
        }
    }

    /// ARN of the distribution configuration of that name.
    pub(super) async fn distribution(&self, name: &str) -> Result<Option<String>, PlanError> {
        match &self.whole {
            Some(whole) => Ok(whole.distributions.get(name).cloned()),
            None => Ok(distributions(self.cloud, Some(name)).await?.remove(name)),
        }
    }

    /// The pipeline of that name.
    pub(super) async fn pipeline(&self, name: &str) -> Result<Option<ObservedPipeline>, PlanError> {
        match &self.whole {
            Some(whole) => Ok(whole.pipelines.get(name).cloned()),
            None => Ok(pipelines(self.cloud, Some(name)).await?.remove(name)),
        }
    }

    /// Versions of an image, the newest first.
    pub(super) async fn images(&self, name: &str) -> Result<Versions, PlanError> {
        match &self.whole {
            Some(whole) => Ok(whole.images.get(name).cloned().unwrap_or_default()),
            None => Ok(images(self.cloud, Some(name)).await?.remove(name).unwrap_or_default()),
        }
    }

    /// Builds of an image version.
    pub(super) async fn image_builds(&self, arn: &str) -> Result<Vec<ImageSummary>, PlanError> {
        let known = self.whole.as_ref().and_then(|whole| whole.image_builds.as_ref()?.get(arn));
        if let Some(builds) = known {
            return Ok(builds.clone());
        }
        let mut pages =
            self.cloud.imagebuilder().list_image_build_versions().image_version_arn(arn).into_paginator().send();
        let mut builds = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(CallError::of("ListImageBuildVersions", self.cloud.home()))?;
            builds.extend(page.image_summary_list.unwrap_or_default());
        }
        Ok(builds)
    }

    /// The patch baseline; nothing when none is desired.
    pub(super) async fn baseline(&self, desired: &Desired) -> Result<Option<baseline::Observed>, PlanError> {
        let known = desired.baseline.as_ref().and_then(|one| self.whole.as_ref()?.baselines.get(&one.name));
        match known {
            Some(known) => Ok(known.clone()),
            None => super::baseline::observe(self.cloud, desired).await,
        }
    }
}

impl Whole {
    /// What several images have in common, and is read for those that are planned only.
    async fn shared(&mut self, cloud: &Cloud, desired: &[Desired]) -> Result<(), PlanError> {
        if desired.iter().any(workflow::has_own) {
            self.workflows = workflow::listed(cloud).await?;
        }
        for one in &self.workflows {
            if desired.iter().any(|desired| one.is_of(desired)) {
                self.workflow_builds.insert(one.arn.clone(), workflow::builds(cloud, &one.arn).await?);
            }
        }
        for one in desired {
            let name = &one.infrastructure.name;
            if !self.infrastructure.contains_key(name) {
                self.infrastructure.insert(name.clone(), infrastructure(cloud, name).await?);
            }
            if let Some(wanted) = &one.baseline
                && !self.baselines.contains_key(&wanted.name)
            {
                self.baselines.insert(wanted.name.clone(), super::baseline::observe(cloud, one).await?);
            }
        }
        Ok(())
    }
}

/// The versions of components, by name, the newest first; of one name, or all.
async fn components(cloud: &Cloud, name: Option<&str>) -> Result<BTreeMap<String, Versions>, PlanError> {
    let call = cloud.imagebuilder().list_components().owner(Ownership::SelfValue);
    let mut pages = call.set_filters(name.map(|name| vec![named(name)])).into_paginator().send();
    let mut found: BTreeMap<String, Versions> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListComponents", cloud.home()))?;
        for one in page.component_version_list.unwrap_or_default() {
            let version = one.version.as_deref().and_then(Version::parse);
            if let (Some(name), Some(version), Some(arn)) = (one.name, version, one.arn) {
                found.entry(name).or_default().push((version, arn));
            }
        }
    }
    Ok(newest_first(found))
}

fn newest_first(mut found: BTreeMap<String, Versions>) -> BTreeMap<String, Versions> {
    for versions in found.values_mut() {
        versions.sort_by(|one, other| other.cmp(one));
        versions.dedup();
    }
    found
}

/// All component builds of the account by the ARN of their version. The service need not list them without being asked for a
/// version: a refusal is an empty list, and they are asked for one by one.
async fn all_component_builds(cloud: &Cloud) -> Result<BTreeMap<String, Vec<ObservedComponent>>, PlanError> {
    let mut pages = cloud.imagebuilder().list_component_build_versions().into_paginator().send();
    let mut found: BTreeMap<String, Vec<ObservedComponent>> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = match page.map_err(CallError::of("ListComponentBuildVersions", cloud.home())) {
            Err(error) if refused(&error) => return Ok(BTreeMap::new()),
            page => page?,
        };
        for build in page.component_summary_list.unwrap_or_default() {
            if let Some(build) = component_build(build) {
                found.entry(version_of(&build.arn)).or_default().push(build);
            }
        }
    }
    Ok(found)
}

/// Whether the service does not want to answer this question, however often it is asked.
fn refused(error: &CallError) -> bool {
    let fault = &error.fault;
    !fault.denied && !fault.throttled && fault.status.is_some_and(|status| (400..500).contains(&status))
}

/// The ARN of a version: that of its build without the number.
fn version_of(build: &str) -> String {
    build.rsplit_once('/').map_or(build, |(version, _)| version).to_owned()
}

fn component_build(build: ComponentSummary) -> Option<ObservedComponent> {
    let status = build.state.and_then(|state| state.status);
    // A recipe cannot use a deprecated component: its fingerprint does not count.
    let usable = status.is_none_or(|status| status == ComponentStatus::Active);
    let fingerprint = fingerprint(build.tags.as_ref()).filter(|_| usable);
    let arn = build.arn?;
    let version = resource(&arn).and_then(|resource| resource.version)?;
    Some(ObservedComponent { version, arn, fingerprint, content: None })
}

/// The versions of image recipes by name.
async fn recipes(cloud: &Cloud, name: Option<&str>) -> Result<BTreeMap<String, Vec<ObservedRecipe>>, PlanError> {
    let call = cloud.imagebuilder().list_image_recipes().owner(Ownership::SelfValue);
    let mut pages = call.set_filters(name.map(|name| vec![named(name)])).into_paginator().send();
    let mut found: BTreeMap<String, Vec<ObservedRecipe>> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImageRecipes", cloud.home()))?;
        for one in page.image_recipe_summary_list.unwrap_or_default() {
            if let Some((name, recipe)) = recipe(one) {
                found.entry(name).or_default().push(recipe);
            }
        }
    }
    Ok(found)
}

fn recipe(one: ImageRecipeSummary) -> Option<(String, ObservedRecipe)> {
    let arn = one.arn?;
    let version = resource(&arn).and_then(|resource| resource.version)?;
    let fingerprint = fingerprint(one.tags.as_ref());
    let parent_image = one.parent_image.unwrap_or_default();
    Some((one.name?, ObservedRecipe { version, arn, fingerprint, parent_image, content: None }))
}

/// ARNs of distribution configurations by name.
async fn distributions(cloud: &Cloud, name: Option<&str>) -> Result<BTreeMap<String, String>, PlanError> {
    let call = cloud.imagebuilder().list_distribution_configurations();
    let mut pages = call.set_filters(name.map(|name| vec![named(name)])).into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListDistributionConfigurations", cloud.home()))?;
        let rows = page.distribution_configuration_summary_list.unwrap_or_default().into_iter();
        found.extend(rows.filter_map(|one| Some((one.name?, one.arn?))));
    }
    Ok(found)
}

/// Pipelines by name.
async fn pipelines(cloud: &Cloud, name: Option<&str>) -> Result<BTreeMap<String, ObservedPipeline>, PlanError> {
    let call = cloud.imagebuilder().list_image_pipelines();
    let mut pages = call.set_filters(name.map(|name| vec![named(name)])).into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImagePipelines", cloud.home()))?;
        let rows = page.image_pipeline_list.unwrap_or_default().into_iter();
        found.extend(rows.filter_map(|one| Some((one.name.clone()?, observed_pipeline(one)?))));
    }
    Ok(found)
}

/// The versions of images by name, the newest first.
async fn images(cloud: &Cloud, name: Option<&str>) -> Result<BTreeMap<String, Versions>, PlanError> {
    let call = cloud.imagebuilder().list_images().owner(Ownership::SelfValue);
    let mut pages = call.set_filters(name.map(|name| vec![named(name)])).into_paginator().send();
    let mut found: BTreeMap<String, Versions> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImages", cloud.home()))?;
        for one in page.image_version_list.unwrap_or_default() {
            let version = one.version.as_deref().and_then(Version::parse);
            if let (Some(name), Some(version), Some(arn)) = (one.name, version, one.arn) {
                found.entry(name).or_default().push((version, arn));
            }
        }
    }
    Ok(newest_first(found))
}

/// All image builds of the account by the ARN of their version; nothing when they are more than so many pages.
async fn all_image_builds(
    cloud: &Cloud,
    most: usize,
) -> Result<Option<BTreeMap<String, Vec<ImageSummary>>>, PlanError> {
    let mut pages = cloud.imagebuilder().list_image_build_versions().into_paginator().send();
    let mut found: BTreeMap<String, Vec<ImageSummary>> = BTreeMap::new();
    let mut read = 0;
    while let Some(page) = pages.next().await {
        let page = match page.map_err(CallError::of("ListImageBuildVersions", cloud.home())) {
            Err(error) if refused(&error) => return Ok(None),
            page => page?,
        };
        read += 1;
        let more = page.next_token.is_some();
        for build in page.image_summary_list.unwrap_or_default() {
            if let Some(arn) = &build.arn {
                found.entry(version_of(arn)).or_default().push(build);
            }
        }
        if more && read >= most {
            return Ok(None);
        }
    }
    Ok(Some(found))
}
