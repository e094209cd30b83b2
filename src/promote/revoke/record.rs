//! What is written down about a revocation, and where.
//!
//! It stands in a parameter of its own beside the records of channels, named by the release's AMI at home, and not in a channel's
//! record: a release may be in several channels or in none, and must stay revoked whatever happens to them. Whoever wants to
//! move a channel to an AMI asks for one parameter. The parameter is small, so that its state changes in one call; what
//! `restore` needs to know of each image stands in a second one, which is written before any image is touched.
//!
//! Every image carries a tag that says the same, for whoever looks at the image alone, and in case the parameter is lost.

use super::copies::Copy;
use crate::aws::Cloud;
use crate::promote::error::{PromoteError, StepError};
use crate::promote::model::Order;
use crate::promote::perform::json;
use crate::promote::{document, names, store};
use serde::{Deserialize, Serialize};

/// Schema of [`Revocation`].
pub(super) const SCHEMA: &str = "amiforge.revocation/1";
/// Schema of [`Images`].
const IMAGES_SCHEMA: &str = "amiforge.revoked-images/1";
/// What the parts of the images are found by, in turn: so parts of two writings never mix, and whoever removes them knows where they
/// are when nothing names them.
const WRITINGS: [&str; 2] = ["a", "b"];
/// Most characters of a tag's value.
const LONGEST_TAG: usize = 256;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// Nothing may take the release any more; channels are being moved off it, or images are left that can be launched.
    Begun,
    /// No channel points at it and no image of it can be launched.
    Done,
    /// It is being taken back.
    Restoring,
}

/// That a release was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "as in Release")]
pub struct Revocation {
    /// Always `amiforge.revocation/1`.
    pub schema: String,
    /// What distinguishes it from others of the same release.
    pub id: String,
    pub project: String,
    pub recipe: String,
    pub arch: String,
    /// AMI id in the home Region.
    pub ami: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_version: Option<String>,
    /// How far it is.
    pub progress: Progress,
    /// Channels that pointed at it.
    pub channels: Vec<String>,
    /// Why.
    pub reason: String,
    /// RFC 3339.
    pub at: String,
    /// Who: host and process.
    pub by: String,
    /// Who, as AWS knows the caller: an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
}

impl Revocation {
    /// Who: the caller as AWS knows it, else host and process.
    #[must_use]
    pub fn who(&self) -> &str {
        self.caller.as_deref().unwrap_or(&self.by)
    }

    /// That its release may not be used.
    #[must_use]
    pub fn refusal(&self) -> PromoteError {
        PromoteError::Revoked {
            ami: self.ami.clone(),
            recipe: self.recipe.clone(),
            at: self.at.clone(),
            by: self.who().to_owned(),
            reason: self.reason.clone(),
        }
    }

    /// What the tag on its images says.
    pub(super) fn tag(&self) -> String {
        format!("{} {}", self.at, self.reason).chars().take(LONGEST_TAG).collect()
    }
}

/// The images of a revoked release as they were before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Images {
    schema: String,
    images: Vec<Copy>,
}

/// That a release was revoked, if it was.
///
/// # Errors
/// When a call fails or the record cannot be read: then nobody knows that it was not.
pub async fn standing(
    cloud: &Cloud,
    project: &str,
    recipe: &str,
    arch: &str,
    ami: &str,
) -> Result<Option<Revocation>, PromoteError> {
    let name = names::revocation(project, recipe, arch, ami);
    match store::get(cloud, cloud.home(), &name).await? {
        Some(stored) => store::read(&name, &stored.value, SCHEMA).map(Some),
        None => Ok(None),
    }
}

/// Those of some releases of a recipe that were revoked.
///
/// # Errors
/// As [`standing`].
pub async fn standings(
    cloud: &Cloud,
    project: &str,
    recipe: &str,
    arch: &str,
    amis: &[String],
) -> Result<Vec<Revocation>, PromoteError> {
    let names: Vec<String> = amis.iter().map(|ami| names::revocation(project, recipe, arch, ami)).collect();
    let found = store::get_many(cloud, cloud.home(), &names).await?;
    found.iter().map(|(name, text)| store::read(name, text, SCHEMA)).collect()
}

/// Writes it down.
pub(super) async fn write(cloud: &Cloud, revocation: &Revocation) -> Result<(), StepError> {
    let Revocation { project, recipe, arch, ami, .. } = revocation;
    Ok(store::put_document(cloud, &names::revocation(project, recipe, arch, ami), &json(revocation)?).await?)
}

/// The images as they were before anything was done to them; none when nothing was.
pub(super) async fn images(cloud: &Cloud, order: &Order<'_>, ami: &str) -> Result<Vec<Copy>, PromoteError> {
    let name = names::revoked_images(&order.project.name, order.recipe, order.arch, ami);
    let Some(stored) = store::get(cloud, cloud.home(), &name).await? else { return Ok(vec![]) };
    let text = document::whole(cloud, &name, &stored.value).await?;
    Ok(store::read::<Images>(&name, &text, IMAGES_SCHEMA)?.images)
}

/// Writes down the images as they are, in place of what stands there.
pub(super) async fn write_images(
    cloud: &Cloud,
    order: &Order<'_>,
    ami: &str,
    images: &[Copy],
) -> Result<(), StepError> {
    let name = names::revoked_images(&order.project.name, order.recipe, order.arch, ami);
    let text = json(&Images { schema: IMAGES_SCHEMA.to_owned(), images: images.to_vec() })?;
    let before = store::get(cloud, cloud.home(), &name).await?;
    let there = before.as_ref().and_then(|before| document::id(&name, &before.value));
    let id = if there.as_deref() == Some(WRITINGS[0]) { WRITINGS[1] } else { WRITINGS[0] };
    let packed = document::pack(id, &text);
    document::write_parts(cloud, &name, id, &packed).await?;
    store::put_document(cloud, &name, &packed.head).await?;
    match before {
        Some(before) if before.value != packed.head => {
            Ok(document::remove_parts_of(cloud, &name, &before.value).await?)
        }
        _ => Ok(()),
    }
}

/// Removes everything about a revocation; the record itself last, so that whoever is cut off can go on.
pub(super) async fn remove(cloud: &Cloud, revocation: &Revocation) -> Result<(), StepError> {
    let Revocation { project, recipe, arch, ami, .. } = revocation;
    let images = names::revoked_images(project, recipe, arch, ami);
    if let Some(stored) = store::get(cloud, cloud.home(), &images).await? {
        // The parameter that names the parts goes first: a document that has lost a part could not be read.
        store::delete(cloud, cloud.home(), &images).await?;
        document::remove_parts_of(cloud, &images, &stored.value).await?;
    }
    // Those of whoever was cut off, before or after the parameter that names them was there.
    for id in WRITINGS {
        document::remove_all_parts(cloud, &images, id).await?;
    }
    Ok(store::delete(cloud, cloud.home(), &names::revocation(project, recipe, arch, ami)).await?)
}
