//! Whether evidence is what it says it is.

use super::error::RunError;
use crate::aws::Cloud;
use crate::evidence::file::FileError;
use crate::evidence::sign::kms::KmsKey;
use crate::evidence::sign::{self, KeySource, PublicKey, SignError};
use crate::evidence::{self, Evidence, EvidenceError};
use crate::project::Project;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Always `amiforge.verified/1`.
    pub schema: &'static str,
    /// The image that the evidence is about.
    pub ami: String,
    /// The file.
    pub file: PathBuf,
    /// Digest of the evidence.
    pub digest: String,
    /// Id of the trusted key that has signed it; absent when no key is trusted, so nobody was looked for.
    pub key: Option<String>,
    /// The file of that key.
    pub key_file: Option<PathBuf>,
    /// ARN of that key, when it is one in KMS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Whether the image carries the digest; absent when the image was not asked.
    pub on_image: Option<bool>,
}

/// Keys in files: the project's trusted ones, and those named besides.
fn files(project: Option<&Project>, more: &[PathBuf]) -> Result<Vec<PublicKey>, SignError> {
    let own = project.iter().flat_map(|project| project.signing.trusted.iter().map(|path| project.root.join(path)));
    own.chain(more.iter().cloned()).map(|path| PublicKey::read(&path)).collect()
}

/// The same, and the project's trusted keys in KMS, as KMS has them now. One that cannot be had is an error: whether it is
/// trusted any more is exactly what is not known.
async fn all(cloud: &Cloud, project: &Project, more: &[PathBuf]) -> Result<Vec<PublicKey>, EvidenceError> {
    let mut keys = files(Some(project), more)?;
    for name in &project.signing.trusted_kms {
        keys.push(KmsKey::of(cloud, name).public().await?);
    }
    Ok(keys)
}

/// Refuses evidence that no trusted key has signed, when the project trusts any.
pub(super) async fn signed(
    cloud: &Cloud,
    project: &Project,
    file: &Path,
    evidence: &Evidence,
) -> Result<(), EvidenceError> {
    if !project.signing.is_demanded() {
        return Ok(());
    }
    let trusted = all(cloud, project, &[]).await?;
    let bytes = evidence::file::bytes(file)?;
    sign::verify(&evidence::file::envelope_of(file), evidence, &bytes, &trusted)?;
    Ok(())
}

/// Whether the keys that a file is verified with are in KMS: keys that are named besides are enough by themselves, so that
/// nothing has to be reached.
#[must_use]
pub fn asks_kms(project: Option<&Project>, more: &[PathBuf]) -> bool {
    more.is_empty() && project.is_some_and(|project| !project.signing.trusted_kms.is_empty())
}

/// Verifies a file: that it is evidence, and that a trusted key has signed it. Without a `cloud` keys are those in files.
///
/// # Errors
/// When it is none, or when keys are trusted and none of them has signed exactly this file.
pub async fn verify_file(
    cloud: Option<&Cloud>,
    project: Option<&Project>,
    file: &Path,
    more: &[PathBuf],
) -> Result<Verified, RunError> {
    let trusted = match (cloud, project) {
        (Some(cloud), Some(project)) => all(cloud, project, more).await?,
        (None, Some(project)) if asks_kms(Some(project), more) => {
            let (key, reason) = (project.signing.trusted_kms.join(", "), "there is nobody to ask for it".to_owned());
            return Err(EvidenceError::from(SignError::KmsKey { key, reason }).into());
        }
        _ => files(project, more).map_err(EvidenceError::from)?,
    };
    checked(file, &trusted).map_err(RunError::from)
}

fn checked(file: &Path, trusted: &[PublicKey]) -> Result<Verified, EvidenceError> {
    let evidence = evidence::file::read(file)?;
    let key = if trusted.is_empty() {
        None
    } else {
        let bytes = evidence::file::bytes(file)?;
        Some(sign::verify(&evidence::file::envelope_of(file), &evidence, &bytes, trusted)?)
    };
    let (key_file, kms_key) = match key.map(|key| key.from.clone()) {
        Some(KeySource::File(path)) => (Some(path), None),
        Some(KeySource::Kms(arn)) => (None, Some(arn)),
        None => (None, None),
    };
    Ok(Verified {
        schema: "amiforge.verified/1",
        ami: evidence.candidate.ami.clone(),
        file: file.to_owned(),
        digest: evidence::digest(&evidence),
        key: key.map(|key| key.id.clone()),
        key_file,
        kms_key,
        on_image: None,
    })
}

/// Verifies the evidence of an image that lies in the project: the file, and that the image carries its digest.
///
/// # Errors
/// As [`verify_file`]; when there is none, or the image carries another digest.
pub async fn verify_image(cloud: &Cloud, project: &Project, ami: &str, more: &[PathBuf]) -> Result<Verified, RunError> {
    let found = evidence::file::find(&project.root.join(".amiforge/evidence"), ami);
    let found = found.map_err(|error: FileError| RunError::from(EvidenceError::from(error)))?;
    let no_recipe = || "RECIPE".to_owned();
    let found = match found {
        Some(file) => Some(file),
        None => super::stored::of_any_recipe(cloud, project, ami).await?,
    };
    let file = found.ok_or_else(|| RunError::NoEvidence { ami: ami.to_owned(), recipe: no_recipe() })?;
    let asked = asks_kms(Some(project), more).then_some(cloud);
    let mut verified = verify_file(asked, Some(project), &file, more).await?;
    let recorded = evidence::recorded_digest(cloud, cloud.home(), ami).await?;
    if recorded.as_deref() != Some(verified.digest.as_str()) {
        let recipe = file.ancestors().nth(2).and_then(Path::file_name);
        let recipe = recipe.map_or_else(no_recipe, |name| name.to_string_lossy().into_owned());
        return Err(RunError::Digest { ami: ami.to_owned(), recipe, digest: verified.digest, recorded });
    }
    verified.on_image = Some(true);
    Ok(verified)
}
