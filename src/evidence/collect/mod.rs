//! Looks at a candidate: a fresh instance of it is started, scanned, listed, and ended (patch-baselines.md section 8).

mod command;
mod findings;
mod hygiene;
mod image;
mod instance;
mod inventory;
mod leftover;
mod own;
mod scan;
mod site;
mod transport;

use super::PatchScan;
use super::canonical::{canonical, sha256};
use super::error::EvidenceError;
use super::found::Hygiene;
use super::model::{Candidate, Evidence, SCHEMA, System, TestResult};
use crate::aws::Cloud;
use crate::clock::rfc3339;
use crate::event::{Events, Stage};
use crate::patch::collect::Scope;
use crate::patch::{Baseline, Inventory};
use crate::project::Location;
pub use findings::ScansWanted;
pub use image::{record_digest, recorded_digest};
use instance::Running;
use inventory::Packages;
pub use leftover::sweep;
use site::Site;

/// What to look at, and what is known of it already.
#[derive(Debug, Clone)]
pub struct CollectRequest {
    /// Account and Region of the image.
    pub location: Location,
    /// Project name.
    pub project: String,
    /// Recipe name.
    pub recipe: String,
    /// `x86_64` or `arm64`.
    pub arch: String,
    /// The candidate's AMI id.
    pub ami: String,
    /// Image build version ARN.
    pub image_arn: Option<String>,
    /// For example `1.0.3/1`.
    pub image_version: Option<String>,
    /// Fingerprint of the recipe it was built from.
    pub fingerprint: Option<String>,
    /// What the build's test phase said; absent when none ran.
    pub tests: Option<TestResult>,
    /// Which vulnerability scans are wanted.
    pub scans: ScansWanted,
    /// Name of the recipe's patch baseline.
    pub expected_baseline: String,
    /// The baseline itself, where it is known: the project's own, or one of AWS's.
    pub baseline: Option<Baseline>,
    /// Who asks: host and process. Two that look at one image at once must not share an instance.
    pub caller: String,
}

/// What was collected.
#[derive(Debug, Clone)]
pub struct Collected {
    /// The evidence.
    pub evidence: Evidence,
    /// The inventory it is about, as JSON; the evidence has its digest.
    pub inventory: String,
}

/// Collects the evidence of a candidate. It counts once its digest stands on the AMI ([`record_digest`]).
///
/// The instance that is started for it is always terminated: on success, on every error, and when the future is dropped.
/// Sends progress of the stage `validate`; its start and end are the caller's to tell.
///
/// # Errors
/// See [`EvidenceError`]. Evidence that is incomplete or cannot be believed is an error, never a document.
pub async fn collect(cloud: &Cloud, request: &CollectRequest, events: &Events) -> Result<Collected, EvidenceError> {
    collect_at(&Site::of(cloud, request, events), request).await
}

/// The inventory of an image, taken on a fresh instance of it, which is always terminated.
///
/// # Errors
/// See [`EvidenceError`].
pub async fn inventory(
    cloud: &Cloud,
    request: &CollectRequest,
    scope: Scope,
    events: &Events,
) -> Result<Inventory, EvidenceError> {
    let site = &Site::of(cloud, request, events);
    image::attributes(site, &request.ami).await?;
    let look = async |instance: &Running| {
        instance.wait_online(site).await?;
        site.progress(format!("taking the inventory of {}", instance.id()));
        inventory::taken(site, instance, scope).await
    };
    on_instance(site, request, look).await
}

/// Starts an instance, has it looked at, and ends it whatever came of that.
async fn on_instance<T>(
    site: &Site,
    request: &CollectRequest,
    look: impl AsyncFnOnce(&Running) -> Result<T, EvidenceError>,
) -> Result<T, EvidenceError> {
    site.progress(format!("starting an instance of {}", request.ami));
    let instance = instance::launch(site, request).await?;
    let observed = look(&instance).await;
    site.progress(format!("ending {}", instance.id()));
    match (observed, instance.terminate().await) {
        (Ok(observed), Ok(())) => Ok(observed),
        (Ok(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        (Err(error), Err(left_over)) => {
            site.events.note(Stage::Validate, left_over.to_string());
            Err(error)
        }
    }
}

async fn collect_at(site: &Site, request: &CollectRequest) -> Result<Collected, EvidenceError> {
    let described = image::attributes(site, &request.ami).await?;
    let ancestry = image::ancestry(site, &described).await?;
    // A scan takes minutes, in which the instance is looked at.
    let begun = findings::begin(site, request, described.scanned).await?;
    let look = async |instance: &Running| observe(site, request, instance).await;
    let observed = on_instance(site, request, look).await?;
    let Observed { hygiene, inventory, before, scan: mut patches, used_kib } = observed;
    let vulnerabilities = findings::finish(site, request, begun).await?;
    let unusable = |reason: String| EvidenceError::Inventory { instance: format!("of {}", request.ami), reason };
    let changes = before.map(|before| inventory::changes(&before, &inventory)).transpose();
    let changes = changes.map_err(|error| unusable(error.to_string()))?;
    let json = inventory.to_json().map_err(|error| unusable(error.to_string()))?;
    let now = site.clock.now();
    let own = own::evaluate(request.baseline.as_ref(), &inventory, &patches, now);
    let (evaluation, notices) = own.map_or_else(Default::default, |(own, notices)| (Some(own), notices));
    patches.notices = notices;
    patches.baseline_digest = request.baseline.as_ref().map(baseline_digest);
    let os = System { id: inventory.os_id.clone(), version: inventory.os_version.clone() };
    let evidence = Evidence {
        schema: SCHEMA.to_owned(),
        candidate: candidate(request, described.created_at),
        collected_at: rfc3339(now),
        os: Some(os).filter(|os| !os.id.is_empty()),
        changes,
        packages: inventory::packages(&inventory),
        inventory: Some(sha256(&json)),
        evaluation,
        patches: Some(patches),
        tests: request.tests.clone(),
        image: described.attributes,
        ancestry,
        used_kib,
        vulnerabilities,
        hygiene,
        commands: vec![],
    };
    Ok(Collected { evidence, inventory: json })
}

/// What an instance tells.
struct Observed {
    /// Absent when nobody could look.
    hygiene: Option<Hygiene>,
    inventory: Inventory,
    /// The packages of the parent image, if it recorded them.
    before: Option<Packages>,
    scan: PatchScan,
    used_kib: Option<u64>,
}

/// What it carries, its inventory, the packages of the parent image, its patch state, and what its files take. What it carries
/// comes first: whatever is done on an instance leaves traces.
async fn observe(site: &Site, request: &CollectRequest, instance: &Running) -> Result<Observed, EvidenceError> {
    let plugin = instance.wait_online(site).await?;
    site.progress(format!("looking at what {} carries", instance.id()));
    let hygiene = hygiene::looked_at(site, instance).await?;
    site.progress(format!("scanning {} for missing patches", instance.id()));
    let scan = scan::run(site, request, instance, plugin).await?;
    site.progress(format!("taking the inventory of {}", instance.id()));
    let inventory = inventory::taken(site, instance, Scope::Installed).await?;
    let before = inventory::before(site, instance).await?;
    let used_kib = inventory::used_kib(site, instance).await?;
    let scan = scan.into_patch_scan(&inventory::packages(&inventory));
    Ok(Observed { hygiene, inventory, before, scan, used_kib })
}

/// Digest of what a baseline says, in the form in which the service takes it.
#[must_use]
pub fn baseline_digest(baseline: &Baseline) -> String {
    sha256(&canonical(&baseline.to_create_request()))
}

fn candidate(request: &CollectRequest, created_at: String) -> Candidate {
    Candidate {
        project: request.project.clone(),
        recipe: request.recipe.clone(),
        arch: request.arch.clone(),
        account: request.location.account.clone(),
        region: request.location.region.clone(),
        ami: request.ami.clone(),
        image_arn: request.image_arn.clone(),
        image_version: request.image_version.clone(),
        fingerprint: request.fingerprint.clone(),
        created_at,
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod scan_tests;
#[cfg(test)]
mod tests;
