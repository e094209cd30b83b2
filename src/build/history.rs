//! How long earlier builds of the same image took.

use super::error::BuildError;
use super::follow::{executions, steps};
use super::locate::{builds, versions};
use super::steps::moment;
use crate::aws::Cloud;
use crate::plan::resource;
use aws_sdk_imagebuilder::types as ib;
use std::collections::BTreeMap;
use std::time::Duration;

/// Earlier builds that are looked at: enough for a median that one odd build does not move.
const BUILDS: usize = 3;
/// Image versions that are searched for them.
const VERSIONS: usize = 3;

/// What earlier builds let expect: medians, by workflow type and step name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Expected {
    steps: BTreeMap<(String, String), Duration>,
    total: Option<Duration>,
}

/// Durations of one build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Took {
    steps: Vec<((String, String), Duration)>,
    total: Option<Duration>,
}

impl Expected {
    /// How long a step takes.
    pub(super) fn step(&self, workflow: &str, name: &str) -> Option<Duration> {
        self.steps.get(&(workflow.to_owned(), name.to_owned())).copied()
    }

    /// How long all workflows of a build take.
    pub(super) fn total(&self) -> Option<Duration> {
        self.total
    }

    fn of(took: Vec<Took>) -> Self {
        let mut all: BTreeMap<(String, String), Vec<Duration>> = BTreeMap::new();
        let mut totals = Vec::new();
        for build in took {
            totals.extend(build.total);
            for (step, duration) in build.steps {
                all.entry(step).or_default().push(duration);
            }
        }
        let steps = all.into_iter().filter_map(|(step, durations)| Some((step, median(durations)?))).collect();
        Self { steps, total: median(totals) }
    }
}

/// The middle one; of two in the middle the longer, so that a promise is rather kept.
fn median(mut durations: Vec<Duration>) -> Option<Duration> {
    durations.sort();
    durations.get(durations.len() / 2).copied()
}

/// What the last builds that became images let expect of builds with the name of this ARN.
///
/// # Errors
/// When a call fails.
pub(super) async fn expected(cloud: &Cloud, arn: &str) -> Result<Expected, BuildError> {
    let Some(name) = resource(arn).map(|resource| resource.name.to_owned()) else { return Ok(Expected::default()) };
    Ok(Expected::of(earlier(cloud, &name).await?))
}

/// How long a build of the image of this resource name usually takes, and of how many builds that is the median; nothing when
/// none has become an image yet.
///
/// # Errors
/// When a call fails.
pub async fn usual(cloud: &Cloud, name: &str) -> Result<Option<(Duration, usize)>, BuildError> {
    let took = earlier(cloud, name).await?;
    let builds = took.iter().filter(|build| build.total.is_some()).count();
    Ok(Expected::of(took).total.map(|median| (median, builds)))
}

/// The last builds that became images.
async fn earlier(cloud: &Cloud, name: &str) -> Result<Vec<Took>, BuildError> {
    let mut took = Vec::new();
    for version in versions(cloud, name).await?.into_iter().take(VERSIONS) {
        let mut available: Vec<_> = builds(cloud, &version).await?.into_iter().filter(available).collect();
        available.sort_by(|one, other| other.date_created.cmp(&one.date_created));
        for build in available {
            if took.len() < BUILDS
                && let Some(arn) = build.arn
            {
                took.push(durations(cloud, &arn).await?);
            }
        }
    }
    Ok(took)
}

fn available(build: &ib::ImageSummary) -> bool {
    build.state.as_ref().and_then(|state| state.status.as_ref()) == Some(&ib::ImageStatus::Available)
}

async fn durations(cloud: &Cloud, arn: &str) -> Result<Took, BuildError> {
    let mut took = Took::default();
    let (mut first, mut last) = (None, None);
    for execution in executions(cloud, arn).await? {
        let Some(id) = execution.workflow_execution_id.filter(|_| execution.retried != Some(true)) else { continue };
        let workflow = execution.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        for step in steps(cloud, &id).await? {
            let (Some(start), Some(end)) = (moment(step.start_time.as_deref()), moment(step.end_time.as_deref()))
            else {
                continue;
            };
            first = first.map_or(Some(start), |known| Some(std::cmp::min(known, start)));
            last = last.map_or(Some(end), |known| Some(std::cmp::max(known, end)));
            if let (Some(name), Ok(duration)) = (step.name, Duration::try_from(end - start)) {
                took.steps.push(((workflow.clone(), name), duration));
            }
        }
    }
    took.total = first.zip(last).and_then(|(first, last)| Duration::try_from(last - first).ok());
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_taken_per_step_and_of_the_whole() {
        let build = |apply: u64, total: u64| Took {
            steps: vec![(("BUILD".into(), "Apply".into()), Duration::from_secs(apply))],
            total: Some(Duration::from_secs(total)),
        };
        let expected = Expected::of(vec![build(700, 900), build(10, 30), build(720, 1000)]);
        assert_eq!(expected.step("BUILD", "Apply"), Some(Duration::from_secs(700)));
        assert_eq!(expected.step("TEST", "Apply"), None);
        assert_eq!(expected.total(), Some(Duration::from_mins(15)));
        assert_eq!(Expected::of(vec![]), Expected::default());
    }
}
