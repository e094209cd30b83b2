//! What the account says of the builds of one image.

use super::approve;
use super::error::BuildError;
use super::follow::ended;
use super::history::{self, Expected};
use super::locate::{builds, versions};
use super::steps::{moment, running};
use crate::aws::Cloud;
use crate::event::StepNow;
use crate::plan::build_version;
use aws_sdk_imagebuilder::types::ImageSummary;

/// Image versions that are looked at, the newest first: what is older is history.
const VERSIONS: usize = 5;

/// A build that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BuildNow {
    /// Image build version ARN.
    pub image_arn: String,
    /// `1.0.3/1`.
    pub image_version: String,
    /// As the service spells it, for example `BUILDING`.
    pub status: String,
    /// When it was asked for, as the service says it.
    pub created_at: String,
    /// Seconds since then.
    pub age_seconds: Option<u64>,
    /// Seconds that earlier builds of the image took from the first step to the last.
    pub expected_seconds: Option<u64>,
    /// The step that runs.
    pub step: Option<StepNow>,
    /// The command that answers it, when it waits for somebody.
    pub answer: Option<String>,
}

/// A build that has ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BuildPast {
    /// Image build version ARN.
    pub image_arn: String,
    /// `1.0.3/1`.
    pub image_version: String,
    /// As the service spells it.
    pub status: String,
    /// When it was asked for, as the service says it.
    pub created_at: String,
    /// AMI id in the home Region.
    pub ami: Option<String>,
    /// Why it did not become an image, in the service's words.
    pub reason: Option<String>,
}

/// How one image stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Default)]
pub struct Standing {
    /// Builds under way, the newest first.
    pub in_flight: Vec<BuildNow>,
    /// The newest that became an image.
    pub last_available: Option<BuildPast>,
    /// The newest that failed or was cancelled.
    pub last_failed: Option<BuildPast>,
}

/// How the image of this resource name stands.
///
/// # Errors
/// When a call fails.
pub async fn standing(cloud: &Cloud, name: &str) -> Result<Standing, BuildError> {
    let mut standing = Standing::default();
    for build in recent(cloud, name).await? {
        let status = status(&build);
        if !ended(&status) {
            standing.in_flight.extend(now(cloud, &build, status).await?);
        } else if status == "AVAILABLE" && standing.last_available.is_none() {
            standing.last_available = past(cloud, build, status);
        } else if matches!(status.as_str(), "FAILED" | "CANCELLED") && standing.last_failed.is_none() {
            standing.last_failed = past(cloud, build, status);
        }
    }
    Ok(standing)
}

/// Whether a build of this resource name is under way.
///
/// # Errors
/// When a call fails.
pub async fn in_flight(cloud: &Cloud, name: &str) -> Result<bool, BuildError> {
    Ok(recent(cloud, name).await?.iter().any(|build| !ended(&status(build))))
}

/// ARN of the newest build of this resource name, whatever became of it.
///
/// # Errors
/// When a call fails.
pub async fn newest(cloud: &Cloud, name: &str) -> Result<Option<String>, BuildError> {
    Ok(recent(cloud, name).await?.into_iter().find_map(|build| build.arn))
}

/// Builds of the newest versions, the newest first.
async fn recent(cloud: &Cloud, name: &str) -> Result<Vec<ImageSummary>, BuildError> {
    let mut all = Vec::new();
    for version in versions(cloud, name).await?.into_iter().take(VERSIONS) {
        all.extend(builds(cloud, &version).await?);
    }
    let number = |build: &ImageSummary| {
        crate::plan::resource(build.arn.as_deref().unwrap_or_default()).and_then(|resource| resource.build)
    };
    all.sort_by(|one, other| (&other.date_created, number(other)).cmp(&(&one.date_created, number(one))));
    Ok(all)
}

fn status(build: &ImageSummary) -> String {
    let status = build.state.as_ref().and_then(|state| state.status.as_ref());
    status.map_or_else(|| "PENDING".to_owned(), |status| status.as_str().to_owned())
}

async fn now(cloud: &Cloud, build: &ImageSummary, status: String) -> Result<Option<BuildNow>, BuildError> {
    let Some(arn) = build.arn.clone() else { return Ok(None) };
    let expected = history::expected(cloud, &arn).await?;
    let time = cloud.clock().now();
    let age = moment(build.date_created.as_deref()).map(|created| (time - created).whole_seconds());
    let step = running(cloud, &arn).await?.map(|running| running.now(time, Some(&expected)));
    let waits = step.as_ref().is_some_and(|step| step.waits_for_answer.is_some());
    Ok(Some(BuildNow {
        image_version: build_version(&arn).unwrap_or_default(),
        status,
        created_at: build.date_created.clone().unwrap_or_default(),
        age_seconds: age.map(|seconds| u64::try_from(seconds).unwrap_or_default()),
        expected_seconds: Expected::total(&expected).map(|total| total.as_secs()),
        step,
        answer: waits.then(|| approve::command(&arn)),
        image_arn: arn,
    }))
}

fn past(cloud: &Cloud, build: ImageSummary, status: String) -> Option<BuildPast> {
    let arn = build.arn?;
    let amis = build.output_resources.and_then(|output| output.amis).unwrap_or_default();
    let here = amis.into_iter().filter(|ami| ami.region.as_deref() == Some(&cloud.home().region));
    Some(BuildPast {
        image_version: build_version(&arn).unwrap_or_default(),
        image_arn: arn,
        status,
        created_at: build.date_created.unwrap_or_default(),
        ami: here.into_iter().find_map(|ami| ami.image),
        reason: build.state.and_then(|state| state.reason),
    })
}
