//! Finds, joins or starts a build.

use super::error::{BuildError, Failure};
use super::follow::{Ended, follow, look};
use super::keep;
use crate::aws::wait::Poller;
use crate::aws::{self, CallError, Cloud, tags};
use crate::event::{Ending, Event, Events, Stage};
use crate::evidence::TestResult;
use crate::plan::{self, Desired, ImagePlan, ObservedImage, Plan, Published, images, role, token, workflows};
use aws_sdk_imagebuilder::types::ImageTestsConfiguration;
use std::collections::HashMap;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Attempts to get a build that is not an old, ended one: see [`start`].
const STALE_ANSWERS: usize = 5;
/// How far the service's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_mins(2);
/// Longest a test phase may take; the service's own limit for the setting is 1440 minutes.
const TEST_TIMEOUT_MINUTES: i32 = 720;

/// How to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildOptions {
    /// Build anew even when an image of the fingerprint is there.
    pub fresh: bool,
    /// Longest to wait for the end of the build.
    pub deadline: Duration,
    /// Whether the test phase runs.
    pub tests: bool,
    /// Publish although a documented quota would be passed: the account's was raised.
    pub over_quota: bool,
    /// How long the instance stays when the build fails; without it is ended at once.
    pub keep: Option<Duration>,
}

impl Default for BuildOptions {
    /// Tests run; a build may take four hours (the longest AWS's own guide speaks of, Windows with updates, is about two).
    fn default() -> Self {
        Self { fresh: false, deadline: Duration::from_hours(4), tests: true, over_quota: false, keep: None }
    }
}

/// An image that can be used.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Built {
    /// Image build version ARN.
    pub image_arn: String,
    /// `1.0.3/1`.
    pub image_version: String,
    /// AMI id in the home Region.
    pub ami: String,
    /// What the test phase said; absent when none ran.
    pub tests: Option<TestResult>,
    /// Whether it was there before.
    pub reused: bool,
}

/// What [`begin`] has found or started.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// Nothing has to be built: the image is there.
    Available(Built),
    /// This build is under way.
    Building {
        /// Image build version ARN.
        arn: String,
        /// Whether somebody else had started it.
        joined: bool,
    },
}

/// Gives back an image with the plan's fingerprint, building it when there is none.
///
/// Tells the build and test stages, their beginnings and ends included.
///
/// # Errors
/// When the build or its tests fail, with the reason; when the deadline passes (the build goes on); when calls fail.
pub async fn ensure(
    cloud: &Cloud,
    plan: &Plan,
    published: &Published,
    options: BuildOptions,
    events: &Events,
) -> Result<Built, BuildError> {
    match begin(cloud, plan, published, &options, events).await? {
        Begun::Available(built) => Ok(built),
        Begun::Building { arn, .. } => finish(cloud, &arn, &plan.desired().recipe.name, options.deadline, events).await,
    }
}

/// The first half of [`ensure`]: an image that is there, a build that is joined, or a new one. It does not wait for its end.
///
/// # Errors
/// When calls fail.
pub async fn begin(
    cloud: &Cloud,
    plan: &Plan,
    published: &Published,
    options: &BuildOptions,
    events: &Events,
) -> Result<Begun, BuildError> {
    events.started(Stage::Build, format!("image of {}", plan.desired().recipe.name));
    let begun = reuse_or_start(cloud, plan, published, options, events).await;
    match &begun {
        Ok(Begun::Available(built)) => {
            let message = format!("image {} is there: {}", built.image_version, built.ami);
            events.finished(Stage::Build, Ending::Unchanged, message);
        }
        Ok(Begun::Building { arn, joined }) => {
            events.send(Event::BuildStarted { stage: Stage::Build, image_arn: arn.clone(), joined: *joined });
        }
        Err(error) => events.finished(Stage::Build, Ending::Failed, error.to_string()),
    }
    begun
}

/// The second half of [`ensure`]: follows a build to its end, whoever started it.
///
/// # Errors
/// As [`ensure`].
pub async fn finish(
    cloud: &Cloud,
    arn: &str,
    recipe: &str,
    deadline: Duration,
    events: &Events,
) -> Result<Built, BuildError> {
    let waiting = Poller { every: cloud.poll(), deadline };
    match follow(cloud, arn, recipe, waiting, events).await {
        Ok(ended) => done(cloud, ended).await,
        Err(BuildError::Failed(failure)) => Err(BuildError::Failed(Box::new(held(cloud, arn, *failure, events).await))),
        Err(error) => Err(error),
    }
}

/// The failure with the instances that it has left. That they cannot be found must not hide why the build failed.
async fn held(cloud: &Cloud, arn: &str, failure: Failure, events: &Events) -> Failure {
    match keep::hold(cloud, arn).await {
        Ok(kept) => Failure { kept, ..failure },
        Err(error) => {
            let what = "an instance may have been kept, and could not be marked; `amiforge status --cleanup` does it";
            events.note(Stage::Build, format!("{what}: {error}"));
            failure
        }
    }
}

/// The newest available image with the plan's fingerprint, if there is one.
///
/// # Errors
/// When calls fail.
pub async fn find(cloud: &Cloud, plan: &Plan) -> Result<Option<Built>, BuildError> {
    // The plan may be older than the account, so even an image it names is looked at.
    if let ImagePlan::Keep { arn, .. } = &plan.image
        && let Some(built) = reuse(cloud, arn).await?
    {
        return Ok(Some(built));
    }
    let existing = images(cloud, plan.desired()).await?;
    match latest(existing.iter().filter(|image| image.available())) {
        Some(image) => reuse(cloud, &image.arn).await,
        None => Ok(None),
    }
}

async fn reuse_or_start(
    cloud: &Cloud,
    plan: &Plan,
    published: &Published,
    options: &BuildOptions,
    events: &Events,
) -> Result<Begun, BuildError> {
    if !options.fresh
        && let Some(built) = find(cloud, plan).await?
    {
        return Ok(Begun::Available(built));
    }
    let existing = images(cloud, plan.desired()).await?;
    if let Some(image) = latest(existing.iter().filter(|image| image.in_flight())) {
        events.note(Stage::Build, format!("joining {}, which is {}", image.version, image.status));
        if options.keep.is_some() {
            events.note(Stage::Build, "whether its instance is kept if it fails was decided by whoever started it");
        }
        return Ok(Begun::Building { arn: image.arn.clone(), joined: true });
    }
    let infrastructure = match options.keep {
        Some(time) => plan::keeping(cloud, plan.desired(), time).await?,
        None => published.infrastructure.clone(),
    };
    let published = Published { infrastructure, ..published.clone() };
    let arn = start(cloud, plan.desired(), &published, options, existing.len(), events).await?;
    events.note(Stage::Build, format!("started {arn}"));
    Ok(Begun::Building { arn, joined: false })
}

fn latest<'a>(images: impl Iterator<Item = &'a ObservedImage>) -> Option<&'a ObservedImage> {
    images.max_by_key(|image| {
        let number = image.version.rsplit('/').next().and_then(|build| build.parse::<u32>().ok());
        (number, &image.arn)
    })
}

/// The image, when it is still available.
async fn reuse(cloud: &Cloud, arn: &str) -> Result<Option<Built>, BuildError> {
    let seen = look(cloud, arn).await?;
    if seen.status != "AVAILABLE" {
        return Ok(None);
    }
    let built = done(cloud, Ended { arn: arn.to_owned(), version: seen.version, ami: seen.ami }).await?;
    Ok(Some(Built { reused: true, ..built }))
}

async fn done(cloud: &Cloud, ended: Ended) -> Result<Built, BuildError> {
    let tests = super::tested::tests(cloud, &ended.arn).await?;
    let ami = ended.ami.ok_or(BuildError::Answer { operation: "GetImage", what: "an AMI in the home Region" })?;
    Ok(Built { image_arn: ended.arn, image_version: ended.version, ami, tests, reused: false })
}

/// Starts a build.
///
/// The token follows from the fingerprint and the number of builds that exist, so that a repetition after a lost answer
/// gives the same build and a wanted new build another one. The list of builds may lag behind by two minutes
/// (image-builder.md section 3): then the token is that of an old build, and if that one has failed the answer is of no
/// use. Such an answer is recognised by its creation time, and the next number is tried.
async fn start(
    cloud: &Cloud,
    desired: &Desired,
    published: &Published,
    options: &BuildOptions,
    existing: usize,
    events: &Events,
) -> Result<String, BuildError> {
    let now = cloud.clock().now();
    for attempt in existing..existing + STALE_ANSWERS {
        let arn = create_when_free(cloud, desired, published, options, attempt, events).await?;
        let seen = look(cloud, &arn).await?;
        if !(seen.ended() && seen.status != "AVAILABLE" && older(seen.created.as_deref(), now)) {
            // The answer may be about a build that somebody else has started a moment ago.
            if seen.builder.is_none()
                && let Err(error) = sign(cloud, &arn).await
            {
                events.note(Stage::Build, format!("it could not be written down who builds it: {error}"));
            }
            return Ok(arn);
        }
    }
    Err(BuildError::Answer { operation: "CreateImage", what: "a new image (only builds that ended long ago)" })
}

/// Writes down on the build who has started it: who approves it may have to be another one. It is no tag of `CreateImage`, because
/// who repeats that for somebody else must repeat it to the letter.
async fn sign(cloud: &Cloud, arn: &str) -> Result<(), CallError> {
    let who = aws::caller(cloud).await?;
    let request = cloud.imagebuilder().tag_resource().resource_arn(arn).tags(tags::BUILDER, who);
    request.send().await.map_err(CallError::of("TagResource", cloud.home()))?;
    Ok(())
}

/// Creates the image; where the account builds as many at a time as it may, once one of them has ended
/// (image-builder.md section 4: a quota is worth another try only when capacity becomes free). The deadline of the build holds
/// for this wait, too.
async fn create_when_free(
    cloud: &Cloud,
    desired: &Desired,
    published: &Published,
    options: &BuildOptions,
    attempt: usize,
    events: &Events,
) -> Result<String, BuildError> {
    let mut waiting = Poller { every: cloud.poll(), deadline: options.deadline }.start();
    loop {
        match create(cloud, desired, published, options, attempt).await {
            Err(BuildError::Call(error)) if error.fault.is(&["ServiceQuotaExceededException"]) => {
                events.progress(Stage::Build, format!("waits for its turn: {}", error.fault.message));
                if waiting.pause().await.is_err() {
                    return Err(error.into());
                }
            }
            other => return other,
        }
    }
}

fn older(created: Option<&str>, now: OffsetDateTime) -> bool {
    let created = created.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    created.is_some_and(|created| created + CLOCK_SKEW < now)
}

async fn create(
    cloud: &Cloud,
    desired: &Desired,
    published: &Published,
    options: &BuildOptions,
    attempt: usize,
) -> Result<String, BuildError> {
    let mut tagged: HashMap<String, String> =
        desired.recipe.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    tagged.insert(tags::FINGERPRINT.to_owned(), desired.fingerprint().to_owned());
    let home = cloud.home();
    let number = attempt.to_string();
    let (recipe, infrastructure) = (published.recipe.as_str(), published.infrastructure.as_str());
    let parts = ["image", desired.fingerprint(), &home.account, &home.region, recipe, infrastructure, &number];
    let tests = ImageTestsConfiguration::builder()
        .image_tests_enabled(options.tests)
        .set_timeout_minutes(options.tests.then_some(TEST_TIMEOUT_MINUTES))
        .build();
    let request = cloud
        .imagebuilder()
        .create_image()
        .image_recipe_arn(&published.recipe)
        .infrastructure_configuration_arn(&published.infrastructure)
        .set_distribution_configuration_arn(published.distribution.clone())
        .set_workflows(workflows(published)?)
        .set_execution_role(role(cloud, published))
        .image_tests_configuration(tests)
        .enhanced_image_metadata_enabled(true)
        .set_tags(Some(tagged))
        .client_token(token(&parts));
    let mut answer = request.clone().send().await.map_err(CallError::of("CreateImage", home));
    if answer.as_ref().is_err_and(|error| error.fault.may_have_been_applied()) {
        // The same token: either the lost build, or a first one.
        answer = request.send().await.map_err(CallError::of("CreateImage", home));
    }
    answer?.image_build_version_arn.ok_or(BuildError::Answer { operation: "CreateImage", what: "imageBuildVersionArn" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn only_builds_older_than_the_clock_skew_count_as_old() {
        let now = datetime!(2026-01-02 03:04:05 UTC);
        assert!(older(Some("2026-01-02T03:00:00.000Z"), now));
        assert!(!older(Some("2026-01-02T03:03:30Z"), now));
        assert!(!older(Some("2026-01-02T03:05:00Z"), now));
        assert!(!older(Some("yesterday"), now));
        assert!(!older(None, now));
    }

    #[test]
    fn the_latest_build_is_the_one_with_the_highest_number() {
        let image = |version: &str| ObservedImage {
            arn: format!("arn/{version}"),
            version: version.into(),
            status: "BUILDING".into(),
            ami: None,
        };
        let all = [image("1.0.0/9"), image("1.0.0/10"), image("1.0.0/2")];
        assert_eq!(latest(all.iter()).unwrap().version, "1.0.0/10");
        assert_eq!(latest([].iter()), None);
    }
}
