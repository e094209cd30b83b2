//! Evidence in S3, for whoever has not collected it: other machines, pipelines, auditors.
//!
//! `PREFIX/PROJECT/RECIPE/ARCH/AMI/DIGEST.json`, and beside it `DIGEST.inventory.json` and `DIGEST.dsse.json`. What stands under a
//! digest never changes. The document is written last and the digest goes onto the image after that, so that nothing ever names
//! what is not there; what is read counts only by the digest on the image.

use super::error::EvidenceError;
use super::{Evidence, digest, file};
use crate::aws::{CallError, Cloud};
use crate::project::{EvidenceBucket, Location};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use std::path::{Path, PathBuf};

/// How S3 says that there is such an object already.
const TAKEN: &[&str] = &["PreconditionFailed", "ConditionalRequestConflict"];
/// How it says that there is none.
const NOTHING: &[&str] = &["NoSuchKey"];

/// What evidence is looked for: of which image, by which digest.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Project name.
    pub project: &'a str,
    /// Recipe name.
    pub recipe: &'a str,
    /// Architecture.
    pub arch: &'a str,
    /// AMI id.
    pub ami: &'a str,
    /// Digest of the evidence, as it stands on the image.
    pub digest: &'a str,
}

impl Wanted<'_> {
    /// The key without its ending.
    fn key(&self, prefix: &str) -> String {
        let Self { project, recipe, arch, ami, digest } = self;
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        format!("{prefix}/{project}/{recipe}/{arch}/{ami}/{digest}")
    }
}

/// A bucket, in the account that evidence is collected in.
#[derive(Debug, Clone)]
pub struct Store {
    client: aws_sdk_s3::Client,
    place: Location,
    at: EvidenceBucket,
}

impl Store {
    /// The environment's, if it has one.
    #[must_use]
    pub fn of(cloud: &Cloud) -> Option<Self> {
        let at = cloud.config().evidence()?.clone();
        let home = cloud.home();
        let region = at.region.clone().unwrap_or_else(|| home.region.clone());
        let place = Location { account: home.account.clone(), region };
        Some(Self { client: cloud.s3_in(&place.region), place, at })
    }

    /// `s3://bucket/prefix`, for people.
    #[must_use]
    pub fn address(&self) -> String {
        format!("s3://{}/{}", self.at.bucket, self.at.prefix)
    }

    /// Writes the evidence in a file, with what lies beside it.
    ///
    /// # Errors
    /// When a file cannot be read, S3 does not take it, or there is something else under the same digest.
    pub async fn keep(&self, evidence: &Evidence, path: &Path) -> Result<(), EvidenceError> {
        let digest = digest(evidence);
        let candidate = &evidence.candidate;
        let wanted = Wanted {
            project: &candidate.project,
            recipe: &candidate.recipe,
            arch: &candidate.arch,
            ami: &candidate.ami,
            digest: &digest,
        };
        let key = wanted.key(&self.at.prefix);
        if evidence.inventory.is_some() {
            self.put(&format!("{key}.inventory.json"), file::bytes(&file::inventory_of(path))?).await?;
        }
        let envelope = file::envelope_of(path);
        if envelope.exists() {
            self.put(&format!("{key}.dsse.json"), file::bytes(&envelope)?).await?;
        }
        self.put(&format!("{key}.json"), file::bytes(path)?).await
    }

    /// Writes an object that is not there yet. One with the same bytes is as good: an answer was lost, or somebody was faster.
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), EvidenceError> {
        let encryption = self.at.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms);
        let call = self.client.put_object().bucket(&self.at.bucket).key(key).if_none_match("*");
        let call = call.content_type("application/json").set_server_side_encryption(encryption);
        let call = call.set_ssekms_key_id(self.at.kms_key.clone()).body(ByteStream::from(bytes.clone()));
        let Err(error) = call.send().await.map_err(CallError::of("PutObject", &self.place)) else { return Ok(()) };
        if !error.fault.is(TAKEN) {
            return Err(self.failed(key, error));
        }
        match self.get(key).await? {
            Some(there) if there == bytes => Ok(()),
            _ => Err(self.wrong(key, "there is something else under this digest already")),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, EvidenceError> {
        let answer = self.client.get_object().bucket(&self.at.bucket).key(key).send().await;
        let answer = match answer.map_err(CallError::of("GetObject", &self.place)) {
            Ok(answer) => answer,
            Err(error) if error.fault.is(NOTHING) => return Ok(None),
            Err(error) => return Err(self.failed(key, error)),
        };
        // What breaks off on the way, or has another checksum than S3 says, ends here.
        let body = answer.body.collect().await.map_err(|error| self.wrong(key, &error.to_string()))?;
        Ok(Some(body.to_vec()))
    }

    async fn text(&self, key: &str) -> Result<Option<String>, EvidenceError> {
        let bytes = self.get(key).await?;
        bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| self.wrong(key, "it is no text"))).transpose()
    }

    /// Looks for evidence and lays it, with what belongs to it, into the folder of a project's evidence. Nothing when there is
    /// none. What is not exactly what is wanted is refused, and leaves no trace in the folder.
    ///
    /// # Errors
    /// When S3 does not answer, or what it has is something else.
    pub async fn fetch(
        &self,
        wanted: &Wanted<'_>,
        folder: &Path,
    ) -> Result<Option<(Evidence, PathBuf)>, EvidenceError> {
        let key = wanted.key(&self.at.prefix);
        let name = format!("{key}.json");
        let Some(document) = self.text(&name).await? else { return Ok(None) };
        let file_name = folder.join(wanted.recipe).join(wanted.arch).join(format!("{}.json", wanted.ami));
        let evidence = file::parse(&file_name, &document).map_err(|error| self.wrong(&name, &error.to_string()))?;
        let found = digest(&evidence);
        if found != wanted.digest || evidence.candidate.project != wanted.project {
            let of = &evidence.candidate.project;
            return Err(self.wrong(&name, &format!("it is evidence of project {of} with the digest {found}")));
        }
        let inventory = match &evidence.inventory {
            None => None,
            Some(_) => self.text(&format!("{key}.inventory.json")).await?,
        };
        if evidence.inventory.is_some()
            && !inventory.as_deref().is_some_and(|text| file::is_inventory_of(&evidence, text))
        {
            return Err(
                self.wrong(&format!("{key}.inventory.json"), "it is not the inventory that the evidence is about")
            );
        }
        // Whoever trusts keys looks at it when the evidence is used.
        let envelope = self.text(&format!("{key}.dsse.json")).await?;
        let path = file::adopt(folder, &evidence, &document, inventory.as_deref(), envelope.as_deref())?;
        Ok(Some((evidence, path)))
    }

    fn failed(&self, key: &str, source: CallError) -> EvidenceError {
        EvidenceError::Bucket { address: format!("s3://{}/{key}", self.at.bucket), source }
    }

    fn wrong(&self, key: &str, reason: &str) -> EvidenceError {
        EvidenceError::Object { address: format!("s3://{}/{key}", self.at.bucket), reason: reason.to_owned() }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
