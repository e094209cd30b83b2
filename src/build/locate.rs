//! Which build is meant.

use super::error::BuildError;
use crate::aws::{CallError, Cloud};
use crate::plan::{Version, build_version, resource};
use crate::project::{Arch, Recipe, names};
use aws_sdk_imagebuilder::types::{Filter, ImageStatus, ImageSummary, Ownership};

/// Recipes of a project whose builds come into question, by the names their images have in an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates(Vec<Candidate>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    recipe: String,
    resource: String,
}

/// A build that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Image build version ARN.
    pub arn: String,
    /// The recipe it is of, when it is one of the project.
    pub recipe: Option<String>,
}

impl Candidates {
    /// Adds a recipe with one of its architectures.
    pub fn add(&mut self, project: &str, recipe: &Recipe, arch: Arch) {
        let resource = names::recipe_resource(project, &recipe.name, arch);
        self.0.push(Candidate { recipe: recipe.name.clone(), resource });
    }

    fn recipe_of(&self, arn: &str) -> Option<String> {
        let name = resource(arn)?.name;
        let candidate = self.0.iter().find(|one| crate::plan::normalise(&one.resource) == name);
        candidate.map(|one| one.recipe.clone())
    }
}

/// The build with this ARN or version; without a word the newest that failed or was cancelled.
///
/// # Errors
/// When calls fail.
pub async fn locate(cloud: &Cloud, candidates: &Candidates, word: Option<&str>) -> Result<Option<Located>, BuildError> {
    if let Some(arn) = word.filter(|word| word.starts_with("arn:")) {
        return Ok(Some(Located { arn: arn.to_owned(), recipe: candidates.recipe_of(arn) }));
    }
    let mut found: Vec<(String, Located)> = Vec::new();
    for candidate in &candidates.0 {
        for version in versions(cloud, &candidate.resource).await? {
            if word.is_some_and(|word| !belongs(word, &version)) {
                continue;
            }
            let builds = builds(cloud, &version).await?;
            let before = found.len();
            for build in builds {
                let Some(arn) = build.arn.clone().filter(|_| is_meant(&build, word)) else { continue };
                let located = Located { arn, recipe: Some(candidate.recipe.clone()) };
                found.push((build.date_created.unwrap_or_default(), located));
            }
            // Versions only count up, so that older ones were built earlier.
            if found.len() > before {
                break;
            }
        }
    }
    // Dates are written in one form, whose order is that of time; two of one second are told apart by their number.
    found.sort_by(|(date, one), (other_date, other)| (date, number(&one.arn)).cmp(&(other_date, number(&other.arn))));
    Ok(found.pop().map(|(_, located)| located))
}

fn number(arn: &str) -> Option<u32> {
    resource(arn)?.build
}

/// Whether a build `1.0.3/1` can be of an image version.
fn belongs(word: &str, version_arn: &str) -> bool {
    let version = word.split('/').next().and_then(Version::parse);
    version.is_some() && version == resource(version_arn).and_then(|resource| resource.version)
}

fn is_meant(build: &ImageSummary, word: Option<&str>) -> bool {
    let arn = build.arn.as_deref().unwrap_or_default();
    if let Some(word) = word {
        // Without a build number the newest build of the version is meant.
        return !word.contains('/') || build_version(arn).as_deref() == Some(word);
    }
    let status = build.state.as_ref().and_then(|state| state.status.as_ref());
    matches!(status, Some(ImageStatus::Failed | ImageStatus::Cancelled))
}

/// ARNs of the image's versions, the newest first.
pub(super) async fn versions(cloud: &Cloud, name: &str) -> Result<Vec<String>, BuildError> {
    let filter = Filter::builder().name("name").values(name).build();
    let mut pages =
        cloud.imagebuilder().list_images().owner(Ownership::SelfValue).filters(filter).into_paginator().send();
    let mut versions: Vec<(Option<Version>, String)> = Vec::new();
    while let Some(page) = pages.next().await {
        for image in page.map_err(CallError::of("ListImages", cloud.home()))?.image_version_list.unwrap_or_default() {
            if let (Some(found), Some(arn)) = (image.name, image.arn)
                && found == name
            {
                versions.push((image.version.as_deref().and_then(Version::parse), arn));
            }
        }
    }
    versions.sort();
    versions.dedup();
    Ok(versions.into_iter().rev().map(|(_, arn)| arn).collect())
}

pub(super) async fn builds(cloud: &Cloud, version: &str) -> Result<Vec<ImageSummary>, BuildError> {
    let mut pages = cloud.imagebuilder().list_image_build_versions().image_version_arn(version).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImageBuildVersions", cloud.home()))?;
        all.extend(page.image_summary_list.unwrap_or_default());
    }
    Ok(all)
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
