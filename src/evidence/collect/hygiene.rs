//! What the image carries and should not, looked for on the instance.

use super::instance::Running;
use super::site::Site;
use super::transport::fetch;
use crate::clock::rfc3339;
use crate::evidence::error::EvidenceError;
use crate::evidence::hygiene::{SCRIPT, read};
use crate::evidence::model::Hygiene;

/// Runs the script of the rules on the instance.
pub(super) async fn looked_at(site: &Site, instance: &Running) -> Result<Hygiene, EvidenceError> {
    let said = fetch(site, instance, "the look at hygiene", SCRIPT).await?.unwrap_or_default();
    let unusable = |reason: String| EvidenceError::Hygiene { instance: instance.id().to_owned(), reason };
    read(&String::from_utf8_lossy(&said), &rfc3339(site.clock.now())).map_err(unusable)
}
