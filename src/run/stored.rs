//! Evidence from before: beside the project, or else where the environment keeps it.

use super::error::RunError;
use super::stages::Work;
use crate::aws::Cloud;
use crate::evidence::{self, Evidence, EvidenceError, Store, Wanted};
use crate::project::Project;
use std::path::{Path, PathBuf};

impl Work<'_> {
    /// The evidence whose digest stands on an image, and its file. What lies beside the project and is something else, or
    /// nothing, is looked for in the environment's bucket.
    pub(super) async fn evidence(&self, ami: &str) -> Result<(Evidence, PathBuf), RunError> {
        let folder = self.evidence_folder();
        let recipe = || self.recipe.name.clone();
        let missing = || RunError::NoEvidence { ami: ami.to_owned(), recipe: recipe() };
        let local = evidence::file::load(&folder, ami).map_err(EvidenceError::from);
        let store = Store::of(self.cloud);
        if store.is_none() && !matches!(local, Ok(Some(_))) {
            return Err(local.err().map_or_else(missing, RunError::from));
        }
        let recorded = evidence::recorded_digest(self.cloud, self.cloud.home(), ami).await?;
        if let Ok(Some(evidence)) = &local
            && recorded.as_deref() == Some(evidence::digest(evidence).as_str())
        {
            return Ok((evidence.clone(), self.evidence_file(&folder, ami)));
        }
        if let (Some(store), Some(digest)) = (&store, &recorded)
            && let Some(fetched) = store.fetch(&self.wanted(ami, digest), &folder).await?
        {
            return Ok(fetched);
        }
        let evidence = local?.ok_or_else(missing)?;
        let digest = evidence::digest(&evidence);
        Err(RunError::Digest { ami: ami.to_owned(), recipe: recipe(), digest, recorded })
    }

    /// Evidence by its digest from the environment's bucket, if it has one.
    pub(super) async fn fetched(&self, ami: &str, digest: &str) -> Result<Option<Evidence>, EvidenceError> {
        let Some(store) = Store::of(self.cloud) else { return Ok(None) };
        let fetched = store.fetch(&self.wanted(ami, digest), &self.evidence_folder()).await?;
        Ok(fetched.map(|(evidence, _)| evidence))
    }

    fn wanted<'a>(&'a self, ami: &'a str, digest: &'a str) -> Wanted<'a> {
        let (project, recipe) = (self.project.name.as_str(), self.recipe.name.as_str());
        Wanted { project, recipe, arch: self.arch.name(), ami, digest }
    }

    fn evidence_file(&self, folder: &Path, ami: &str) -> PathBuf {
        folder.join(&self.recipe.name).join(self.arch.name()).join(format!("{ami}.json"))
    }
}

/// The evidence of an image from the environment's bucket, whichever recipe of the project it is of.
pub(super) async fn of_any_recipe(
    cloud: &Cloud,
    project: &Project,
    ami: &str,
) -> Result<Option<PathBuf>, EvidenceError> {
    let Some(store) = Store::of(cloud) else { return Ok(None) };
    let Some(digest) = evidence::recorded_digest(cloud, cloud.home(), ami).await? else { return Ok(None) };
    let folder = project.root.join(".amiforge/evidence");
    for recipe in project.recipes.values() {
        for arch in &recipe.architectures {
            let (project, recipe) = (project.name.as_str(), recipe.name.as_str());
            let wanted = Wanted { project, recipe, arch: arch.name(), ami, digest: &digest };
            if let Some((_, path)) = store.fetch(&wanted, &folder).await? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}
