//! Many images at once: built, followed, told of.

use super::error::RunError;
use super::schedule::{self, End, Rules};
use super::select::{Item, SelectError};
use super::stages::Work;
use crate::aws::Cloud;
use crate::build::{self, Begun, BuildError, BuildOptions, Built, Standing};
use crate::event::{Ending, Events};
use crate::evidence::TestResult;
use crate::plan::{self, build_version};
use crate::project::{ParentReference, Project, Recipe, names};
use serde::Serialize;
use tokio::sync::Mutex;

/// Images that are built at a time in AWS, when nobody says how many. An account may run 100 builds at a time
/// (image-builder.md section 16), and others may want some of them.
const JOBS_AWS: usize = 16;
/// The same on this machine, where each build is an instance that downloads and unpacks.
const JOBS_LOCAL: usize = 2;

/// Exit codes from the worst to the mildest: what means that something is wrong with us or our means comes before what means that
/// something is wrong with an image. The code of many images is the worst of theirs.
const WORST_FIRST: [u8; 10] = [1, 12, 2, 3, 11, 8, 9, 5, 6, 13];

/// Images to work on in one environment.
#[derive(Debug, Clone)]
pub struct Fleet<'a> {
    /// The environment.
    pub cloud: &'a Cloud,
    /// The project.
    pub project: &'a Project,
    /// The images.
    pub items: Vec<Item<'a>>,
}

/// How to build them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FleetOptions {
    /// How to build each.
    pub build: BuildOptions,
    /// Most at a time; the environment's own number when absent.
    pub jobs: Option<usize>,
    /// Begin nothing more once one has failed.
    pub fail_fast: bool,
    /// Start the builds and do not wait for them.
    pub detach: bool,
}

/// What became of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageResult {
    /// It was built now.
    Built,
    /// It was there.
    Reused,
    /// Its build was started, and is not waited for.
    Started,
    /// Its build is under way, started by somebody else, and is not waited for.
    Joined,
    /// There is none.
    Failed,
    /// It was not begun.
    Skipped,
}

impl ImageResult {
    /// The word in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Reused => "reused",
            Self::Started => "started",
            Self::Joined => "joined",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

/// One image of a [`FleetReport`].
#[derive(Debug, Serialize)]
pub struct ImageRow {
    /// Recipe name.
    pub recipe: String,
    /// Architecture.
    pub arch: String,
    /// What became of it.
    pub result: ImageResult,
    /// Image build version ARN, as far as one is known.
    pub image_arn: Option<String>,
    /// `1.0.3/1`.
    pub image_version: Option<String>,
    /// AMI id in the home Region.
    pub ami: Option<String>,
    /// What the test phase said; absent when none ran.
    pub tests: Option<TestResult>,
    /// Why it failed or was skipped.
    pub message: Option<String>,
    /// The exit code that this image alone would have; none for a skipped one.
    pub exit_code: Option<u8>,
    /// The next command, or what helps.
    pub next: Vec<String>,
    /// The error itself, for whoever shows it in full.
    #[serde(skip)]
    pub error: Option<RunError>,
}

/// What became of many images.
#[derive(Debug, Serialize)]
pub struct FleetReport {
    /// Always `amiforge.build/1`.
    pub schema: &'static str,
    /// Project name.
    pub project: String,
    /// Environment name.
    pub environment: String,
    /// Home Region.
    pub region: String,
    /// The images, in the order of the selection.
    pub images: Vec<ImageRow>,
    /// The worst of the images' exit codes; 0 when all are there.
    pub exit_code: u8,
}

/// The recipe whose image this one starts from, if that is one of the project: it is built before.
#[must_use]
pub fn after(recipe: &Recipe) -> Option<String> {
    // A release on a channel is there before anything is built, and stays until somebody promotes another one.
    match &recipe.parent.reference {
        ParentReference::Recipe { recipe, channel: None, .. } => Some(recipe.clone()),
        _ => None,
    }
}

/// The worst of exit codes: see `WORST_FIRST`.
#[must_use]
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: u8| match code {
        0 => usize::MAX,
        code => WORST_FIRST.iter().position(|known| *known == code).unwrap_or(0),
    };
    codes.into_iter().min_by_key(|code| rank(*code)).unwrap_or(0)
}

impl Fleet<'_> {
    /// Builds them, what others stand on first.
    pub async fn build(&self, options: &FleetOptions, events: &Events) -> FleetReport {
        let jobs = options.jobs.unwrap_or(if self.cloud.is_local() { JOBS_LOCAL } else { JOBS_AWS });
        let rules = Rules { jobs, fail_fast: options.fail_fast };
        // Images share components: two that publish at once would each plan the same new version of one.
        let publishing = Mutex::new(());
        let begin = |index: usize| -> schedule::Running<'_, ImageRow> {
            Box::pin(self.one(index, options, &publishing, events))
        };
        self.report(schedule::run(&self.needs(), rules, begin, succeeded).await)
    }

    /// Follows the newest build of each to its end, whoever started it. What has ended already is told as it is.
    /// With `builds`, ARNs in the order of the items, those are followed.
    pub async fn watch(&self, builds: Option<&[String]>, options: &BuildOptions, events: &Events) -> FleetReport {
        let needs = vec![vec![]; self.items.len()];
        let rules = Rules { jobs: needs.len(), fail_fast: false };
        let begin = |index: usize| -> schedule::Running<'_, ImageRow> {
            let arn = builds.and_then(|builds| builds.get(index)).cloned();
            Box::pin(self.follow(index, arn, options, events))
        };
        self.report(schedule::run(&needs, rules, begin, succeeded).await)
    }

    /// How each stands in the account.
    ///
    /// # Errors
    /// The first call that fails.
    pub async fn status(&self) -> Result<StatusReport, RunError> {
        let mut images = Vec::new();
        for item in &self.items {
            let standing = build::standing(self.cloud, &self.resource(item)).await?;
            let (recipe, arch) = (item.recipe.name.clone(), item.arch.name().to_owned());
            images.push(StatusRow { recipe, arch, standing });
        }
        let kept = build::kept(self.cloud, &self.project.name).await.map_err(BuildError::from)?;
        Ok(StatusReport {
            kept,
            schema: "amiforge.status/1",
            project: self.project.name.clone(),
            environment: self.cloud.environment().to_owned(),
            region: self.cloud.home().region.clone(),
            images,
        })
    }

    fn resource(&self, item: &Item<'_>) -> String {
        names::recipe_resource(&self.project.name, &item.recipe.name, item.arch)
    }

    /// For each image the ones of the selection that it stands on.
    fn needs(&self) -> Vec<Vec<usize>> {
        let before = |item: &Item<'_>| match after(item.recipe) {
            None => vec![],
            Some(base) => {
                let same = |other: &Item<'_>| other.recipe.name == base && other.arch == item.arch;
                self.items.iter().position(same).into_iter().collect()
            }
        };
        self.items.iter().map(before).collect()
    }

    async fn one(&self, index: usize, options: &FleetOptions, publishing: &Mutex<()>, events: &Events) -> ImageRow {
        let item = &self.items[index];
        let events = self.lane(item, events);
        let work = Work { cloud: self.cloud, project: self.project, recipe: item.recipe, arch: item.arch };
        let begun = work.begin(&options.build, Some(publishing), &events.events).await;
        let row = match begun {
            Err(error) => row(item, Err(error)),
            Ok(Begun::Available(built)) => row(item, Ok(built)),
            Ok(Begun::Building { arn, joined }) if options.detach => started(item, arn, joined),
            Ok(Begun::Building { arn, .. }) => {
                let deadline = options.build.deadline;
                let built = build::finish(self.cloud, &arn, &item.recipe.name, deadline, &events.events).await;
                with_arn(row(item, built.map_err(RunError::from)), arn)
            }
        };
        events.ended(&row);
        row
    }

    /// Those of which a build is under way.
    ///
    /// # Errors
    /// The first call that fails.
    pub async fn in_flight(self) -> Result<Self, RunError> {
        let mut items = Vec::new();
        for item in &self.items {
            if build::in_flight(self.cloud, &self.resource(item)).await? {
                items.push(*item);
            }
        }
        Ok(Self { items, ..self })
    }

    async fn follow(&self, index: usize, arn: Option<String>, options: &BuildOptions, events: &Events) -> ImageRow {
        let item = &self.items[index];
        let events = self.lane(item, events);
        let found = match arn {
            Some(arn) => Ok(Some(arn)),
            None => build::newest(self.cloud, &self.resource(item)).await,
        };
        let row = match found {
            Err(error) => row(item, Err(error.into())),
            Ok(None) => {
                let (recipe, arch) = (item.recipe.name.clone(), item.arch.name().to_owned());
                row(item, Err(RunError::NoBuild { recipe, arch }))
            }
            Ok(Some(arn)) => {
                let (recipe, deadline) = (&item.recipe.name, options.deadline);
                let built = build::finish(self.cloud, &arn, recipe, deadline, &events.events).await;
                with_arn(row(item, built.map_err(RunError::from)), arn)
            }
        };
        events.ended(&row);
        row
    }

    fn lane(&self, item: &Item<'_>, events: &Events) -> Lane {
        if self.items.len() == 1 {
            return Lane { name: None, all: events.clone(), events: events.clone() };
        }
        let name = item.name();
        events.lane_started(&name, "begins");
        Lane { events: events.of_image(&name), name: Some(name), all: events.clone() }
    }

    fn report(&self, ends: Vec<End<ImageRow>>) -> FleetReport {
        let images: Vec<ImageRow> =
            ends.into_iter().zip(&self.items).map(|(end, item)| self.ended(end, item)).collect();
        FleetReport {
            schema: "amiforge.build/1",
            project: self.project.name.clone(),
            environment: self.cloud.environment().to_owned(),
            region: self.cloud.home().region.clone(),
            exit_code: worst(images.iter().filter_map(|row| row.exit_code)),
            images,
        }
    }

    fn ended(&self, end: End<ImageRow>, item: &Item<'_>) -> ImageRow {
        let (why, code) = match end {
            End::Ran(row) => return row,
            End::Needs(base) => (format!("{}, which it starts from, has no image", self.items[base].name()), None),
            End::Stopped => ("another image failed, and --fail-fast was given".to_owned(), None),
            End::Cycle => ("the recipes start from each other in a circle".to_owned(), Some(2)),
        };
        ImageRow { result: ImageResult::Skipped, message: Some(why), exit_code: code, ..empty(item) }
    }
}

/// Where the events of one image go.
struct Lane {
    name: Option<String>,
    all: Events,
    events: Events,
}

impl Lane {
    fn ended(&self, row: &ImageRow) {
        let Some(name) = &self.name else { return };
        let (ending, message) = match row.result {
            ImageResult::Reused => (Ending::Unchanged, row.ami.clone()),
            ImageResult::Built => (Ending::Done, row.ami.clone()),
            ImageResult::Started | ImageResult::Joined => (Ending::Done, row.image_arn.clone()),
            ImageResult::Failed | ImageResult::Skipped => (Ending::Failed, row.message.clone()),
        };
        self.all.lane_finished(name, ending, format!("{}: {}", row.result.word(), message.unwrap_or_default()));
    }
}

fn succeeded(row: &ImageRow) -> bool {
    row.exit_code == Some(0)
}

fn empty(item: &Item<'_>) -> ImageRow {
    ImageRow {
        recipe: item.recipe.name.clone(),
        arch: item.arch.name().to_owned(),
        result: ImageResult::Failed,
        image_arn: None,
        image_version: None,
        ami: None,
        tests: None,
        message: None,
        exit_code: None,
        next: vec![],
        error: None,
    }
}

fn row(item: &Item<'_>, built: Result<Built, RunError>) -> ImageRow {
    match built {
        Ok(built) => ImageRow {
            result: if built.reused { ImageResult::Reused } else { ImageResult::Built },
            image_arn: Some(built.image_arn),
            image_version: Some(built.image_version),
            ami: Some(built.ami),
            tests: built.tests,
            exit_code: Some(0),
            next: vec![format!("amiforge validate {} --arch {}", item.recipe.name, item.arch.name())],
            ..empty(item)
        },
        Err(error) => ImageRow {
            message: Some(error.sentence()),
            exit_code: Some(error.exit_code()),
            next: match &error {
                RunError::Build(BuildError::TimedOut { image_arn, .. }) => vec![format!("amiforge watch {image_arn}")],
                RunError::Build(error) => error.advice(),
                _ => vec![],
            },
            error: Some(error),
            ..empty(item)
        },
    }
}

fn with_arn(mut row: ImageRow, arn: String) -> ImageRow {
    row.image_version = row.image_version.or_else(|| build_version(&arn));
    row.image_arn = row.image_arn.or(Some(arn));
    row
}

fn started(item: &Item<'_>, arn: String, joined: bool) -> ImageRow {
    let result = if joined { ImageResult::Joined } else { ImageResult::Started };
    let next = vec![format!("amiforge watch {arn}")];
    with_arn(ImageRow { result, exit_code: Some(0), next, ..empty(item) }, arn)
}

/// How one image stands.
#[derive(Debug, Serialize)]
pub struct StatusRow {
    /// Recipe name.
    pub recipe: String,
    /// Architecture.
    pub arch: String,
    /// What the account says.
    #[serde(flatten)]
    pub standing: Standing,
}

/// How images stand.
#[derive(Debug, Serialize)]
pub struct StatusReport {
    /// Always `amiforge.status/1`.
    pub schema: &'static str,
    /// Project name.
    pub project: String,
    /// Environment name.
    pub environment: String,
    /// Home Region.
    pub region: String,
    /// The images, in the order of the selection.
    pub images: Vec<StatusRow>,
    /// Instances that failed builds of the project have left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<build::Kept>,
}

/// The images of the project that these builds are of, in their order.
///
/// # Errors
/// When one is of none of them.
pub fn builds_of<'a>(project: &'a Project, arns: &[String]) -> Result<Vec<Item<'a>>, SelectError> {
    let all =
        || project.recipes.values().flat_map(|recipe| recipe.architectures.iter().map(move |arch| (recipe, *arch)));
    let find = |arn: &String| {
        let name = plan::resource(arn).map(|resource| resource.name.to_owned());
        let found = all().find(|(recipe, arch)| {
            name.as_ref() == Some(&plan::normalise(&names::recipe_resource(&project.name, &recipe.name, *arch)))
        });
        let item = found.map(|(recipe, arch)| Item { recipe, arch });
        item.ok_or_else(|| SelectError::Foreign { arn: arn.clone() })
    };
    arns.iter().map(find).collect()
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
