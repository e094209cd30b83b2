//! Whether evidence is what it says it is.

use super::error::RunError;
use crate::aws::Cloud;
use crate::evidence::file::FileError;
use crate::evidence::sign::{self, PublicKey, SignError};
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
    /// Whether the image carries the digest; absent when the image was not asked.
    pub on_image: Option<bool>,
}

/// The project's trusted keys, and those named besides.
fn keys(project: Option<&Project>, more: &[PathBuf]) -> Result<Vec<PublicKey>, SignError> {
    let own = project.iter().flat_map(|project| project.signing.trusted.iter().map(|path| project.root.join(path)));
    own.chain(more.iter().cloned()).map(|path| PublicKey::read(&path)).collect()
}

/// Refuses evidence that no trusted key has signed, when the project trusts any.
pub(super) fn signed(project: &Project, file: &Path, evidence: &Evidence) -> Result<(), EvidenceError> {
    let trusted = keys(Some(project), &[])?;
    if trusted.is_empty() {
        return Ok(());
    }
    let bytes = evidence::file::bytes(file)?;
    sign::verify(&evidence::file::envelope_of(file), evidence, &bytes, &trusted)?;
    Ok(())
}

/// Verifies a file: that it is evidence, and that a trusted key has signed it.
///
/// # Errors
/// When it is none, or when keys are trusted and none of them has signed exactly this file.
pub fn verify_file(project: Option<&Project>, file: &Path, more: &[PathBuf]) -> Result<Verified, RunError> {
    checked(project, file, more).map_err(RunError::from)
}

fn checked(project: Option<&Project>, file: &Path, more: &[PathBuf]) -> Result<Verified, EvidenceError> {
    let evidence = evidence::file::read(file)?;
    let trusted = keys(project, more)?;
    let key = if trusted.is_empty() {
        None
    } else {
        let bytes = evidence::file::bytes(file)?;
        Some(sign::verify(&evidence::file::envelope_of(file), &evidence, &bytes, &trusted)?)
    };
    Ok(Verified {
        schema: "amiforge.verified/1",
        ami: evidence.candidate.ami.clone(),
        file: file.to_owned(),
        digest: evidence::digest(&evidence),
        key: key.map(|key| key.id.clone()),
        key_file: key.map(|key| key.path.clone()),
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
    let file = found.ok_or_else(|| RunError::NoEvidence { ami: ami.to_owned(), recipe: no_recipe() })?;
    let mut verified = verify_file(Some(project), &file, more)?;
    let recorded = evidence::recorded_digest(cloud, cloud.home(), ami).await?;
    if recorded.as_deref() != Some(verified.digest.as_str()) {
        let recipe = file.ancestors().nth(2).and_then(Path::file_name);
        let recipe = recipe.map_or_else(no_recipe, |name| name.to_string_lossy().into_owned());
        return Err(RunError::Digest { ami: ami.to_owned(), recipe, digest: verified.digest, recorded });
    }
    verified.on_image = Some(true);
    Ok(verified)
}
