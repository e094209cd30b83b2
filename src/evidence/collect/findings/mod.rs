//! What scanners say of the image.
//!
//! An image that was not scanned has no findings and is not clean: the evidence then has no scan by that scanner, and a gate
//! that asks for one is not passed. A scan that came to nothing stands in the evidence with its reason.

mod build;
mod ec2;
mod inspector;

use super::CollectRequest;
use super::site::Site;
use crate::event::Stage;
use crate::evidence::VulnerabilityScan;
use crate::evidence::error::EvidenceError;
use crate::project::Scanner;
pub(super) use ec2::date;
use inspector::Asked;
use std::time::Duration;
use time::OffsetDateTime;

/// Which scans are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScansWanted {
    /// By whom. When nobody is named, the first of those that look without being asked: Image Builder, then EC2.
    pub by: Vec<Scanner>,
    /// A scan that is not older is not asked for again: each costs money.
    pub within: Duration,
}

impl Default for ScansWanted {
    fn default() -> Self {
        Self { by: vec![], within: Duration::from_hours(24) }
    }
}

/// What has been begun.
pub(super) struct Begun {
    /// The scan by Amazon Inspector, when it is wanted.
    asked: Option<Asked>,
    /// Whether EC2 says that the image was scanned.
    scanned: bool,
}

/// Asks for what takes its time. `scanned` is when EC2 says that the image was last scanned.
pub(super) async fn begin(
    site: &Site,
    request: &CollectRequest,
    scanned: Option<OffsetDateTime>,
) -> Result<Begun, EvidenceError> {
    let wanted = request.scans.by.contains(&Scanner::Inspector);
    let asked = if wanted { Some(inspector::begin(site, request, scanned).await?) } else { None };
    Ok(Begun { asked, scanned: scanned.is_some() })
}

/// What the scanners say. In the order of their names.
pub(super) async fn finish(
    site: &Site,
    request: &CollectRequest,
    begun: Begun,
) -> Result<Vec<VulnerabilityScan>, EvidenceError> {
    let wants = |scanner| request.scans.by.contains(&scanner);
    if request.scans.by.is_empty() {
        return Ok(first_there(site, request, begun.scanned).await?.into_iter().collect());
    }
    let mut scans = vec![];
    if wants(Scanner::Ec2) {
        scans.extend(ec2::shown(site, &request.ami, Scanner::Ec2).await?);
    }
    if wants(Scanner::ImageBuilder) {
        scans.extend(build::shown(site, request).await?);
    }
    if let Some(asked) = begun.asked {
        scans.push(inspector::finish(site, request, asked).await?);
    }
    Ok(scans)
}

/// The first scan that is there without having been asked for.
async fn first_there(
    site: &Site,
    request: &CollectRequest,
    scanned: bool,
) -> Result<Option<VulnerabilityScan>, EvidenceError> {
    let of_build = build::shown(site, request).await?;
    if of_build.is_some() || !scanned {
        return Ok(of_build);
    }
    match ec2::shown(site, &request.ami, Scanner::Ec2).await {
        // Nobody has asked for it: who may not read it has no scan, as before, and is told.
        Err(EvidenceError::Call(error)) if error.fault.denied => {
            site.events.note(Stage::Validate, format!("EC2's findings about the image do not count: {error}"));
            Ok(None)
        }
        other => other,
    }
}
