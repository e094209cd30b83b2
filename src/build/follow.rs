//! Follows a build to its end.

use super::Phase;
use super::error::BuildError;
use super::history::{self, Expected};
use super::steps::{Running, running};
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud, Follow, Glance, tags};
use crate::event::{Ending, Event, Events, Stage, StepNow};
use crate::plan::keep::time_of;
use aws_sdk_imagebuilder::types as ib;
use std::time::Duration;

/// A build that has become an image.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) arn: String,
    pub(super) version: String,
    pub(super) ami: Option<String>,
}

/// One look at an image.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: String,
    pub(super) version: String,
    pub(super) ami: Option<String>,
    pub(super) created: Option<String>,
    /// Who has started it, if that was written down.
    pub(super) builder: Option<String>,
    pub(super) state: Option<ib::ImageState>,
    /// How long its instances are kept if it fails; absent when they are ended, or nobody has said how long.
    pub(super) keep: Option<Duration>,
}

impl Seen {
    /// Whether it will not change by itself any more.
    pub(super) fn ended(&self) -> bool {
        ended(&self.status)
    }
}

/// Whether a build in this state will not change by itself any more (image-builder.md 11.1). States that nobody knows are not
/// an end.
pub(super) fn ended(status: &str) -> bool {
    matches!(status, "AVAILABLE" | "FAILED" | "CANCELLED" | "DEPRECATED" | "DISABLED" | "DELETED")
}

pub(super) async fn look(cloud: &Cloud, arn: &str) -> Result<Seen, BuildError> {
    let answer = cloud.imagebuilder().get_image().image_build_version_arn(arn).send().await;
    let image = answer.map_err(CallError::of("GetImage", cloud.home()))?.image;
    let image = image.ok_or(BuildError::Answer { operation: "GetImage", what: "image" })?;
    let amis = image.output_resources.and_then(|output| output.amis).unwrap_or_default();
    let here = |ami: &ib::Ami| ami.region.as_deref() == Some(cloud.home().region.as_str());
    let status = image.state.as_ref().and_then(|state| state.status.as_ref());
    Ok(Seen {
        status: status.map_or_else(|| "PENDING".to_owned(), |status| status.as_str().to_owned()),
        version: crate::plan::build_version(arn).or(image.version).unwrap_or_default(),
        ami: amis.into_iter().filter(here).find_map(|ami| ami.image),
        created: image.date_created,
        builder: image.tags.and_then(|mut tags| tags.remove(tags::BUILDER)),
        state: image.state,
        keep: image.infrastructure_configuration.as_ref().and_then(keep),
    })
}

/// How long a configuration keeps the instances of failed builds, when amiforge made it to do so.
fn keep(infrastructure: &ib::InfrastructureConfiguration) -> Option<Duration> {
    let stays = infrastructure.terminate_instance_on_failure == Some(false);
    let time = infrastructure.resource_tags.as_ref().and_then(|tagged| tagged.get(tags::KEEP));
    time.filter(|_| stays).and_then(|text| time_of(text))
}

/// Looks in a row that may fail before it is given up: with the SDK's own attempts that is several minutes.
const MISSES: u32 = 10;

/// Seconds after which it is told again how far a step is.
const AGAIN: u64 = 15;

/// Whether a failed look may be a passing trouble: the build goes on without us, so it is worth some patience.
fn passing(call: &CallError) -> bool {
    call.fault.throttled || call.fault.may_have_been_applied()
}

/// Looks until the image of a recipe is available. States this version does not know are waited out, up to the deadline.
pub(super) async fn follow(
    cloud: &Cloud,
    arn: &str,
    recipe: &str,
    poller: Poller,
    events: &Events,
) -> Result<Ended, BuildError> {
    let mut progress = Progress { recipe: recipe.to_owned(), ..Progress::default() };
    let ended = watch(cloud, arn, poller, events, &mut progress).await;
    if let Err(error) = &ended {
        events.finished(progress.stage(), Ending::Failed, error.to_string());
    }
    ended
}

async fn watch(
    cloud: &Cloud,
    arn: &str,
    poller: Poller,
    events: &Events,
    progress: &mut Progress,
) -> Result<Ended, BuildError> {
    let follow = cloud.looks().follow(arn);
    let mut waiting = poller.start();
    let mut misses = 0;
    loop {
        let seen = match sight(cloud, arn, &follow, progress).await {
            Ok(seen) => seen,
            Err(BuildError::Call(call)) if misses < MISSES && passing(&call) => {
                misses += 1;
                events.progress(progress.stage(), format!("cannot see the build at the moment: {call}"));
                if waiting.pause().await.is_err() {
                    return Err(call.into());
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        misses = 0;
        progress.report(cloud, arn, &seen, &follow, events).await;
        if let Some(end) = end(cloud, arn, &seen, progress).await {
            return end;
        }
        let every = follow.interval(poller.every);
        let paused = tokio::select! {
            paused = waiting.pause_for(every) => paused,
            () = follow.ended() => Ok(()),
        };
        if let Err(timed_out) = paused {
            return Err(BuildError::TimedOut { image_arn: arn.to_owned(), status: seen.status, timed_out });
        }
    }
}

/// The state of the build, with a call of its own only where that is needed.
async fn sight(cloud: &Cloud, arn: &str, follow: &Follow<'_>, progress: &Progress) -> Result<Seen, BuildError> {
    let status = match follow.glance(cloud).await {
        Glance::Ask => return look(cloud, arn).await,
        Glance::Going(status) => status,
        Glance::New if progress.status.is_empty() => "PENDING".to_owned(),
        Glance::New => progress.status.clone(),
    };
    let version = crate::plan::build_version(arn).unwrap_or_default();
    Ok(Seen { status, version, ami: None, created: None, builder: None, state: None, keep: None })
}

/// How it ended, if it did.
async fn end(cloud: &Cloud, arn: &str, seen: &Seen, progress: &Progress) -> Option<Result<Ended, BuildError>> {
    let image_arn = arn.to_owned();
    Some(match seen.status.as_str() {
        "AVAILABLE" => Ok(Ended { arn: image_arn, version: seen.version.clone(), ami: seen.ami.clone() }),
        "FAILED" => {
            let phase = progress.phase();
            let failure = super::explain::failure(cloud, arn, phase, seen.state.as_ref(), Some(&progress.recipe)).await;
            Err(BuildError::Failed(Box::new(failure)))
        }
        "CANCELLED" => Err(BuildError::Cancelled { image_arn }),
        "DEPRECATED" | "DISABLED" | "DELETED" => Err(BuildError::Withdrawn { image_arn, status: seen.status.clone() }),
        _ => return None,
    })
}

/// What was told so far.
#[derive(Debug, Default)]
struct Progress {
    recipe: String,
    status: String,
    testing: bool,
    /// The step as it was told last.
    told: Option<StepNow>,
    /// How long earlier builds took; looked up once.
    expected: Option<Expected>,
}

impl Progress {
    fn phase(&self) -> Phase {
        if self.testing { Phase::Test } else { Phase::Build }
    }

    fn stage(&self) -> Stage {
        if self.testing { Stage::Test } else { Stage::Build }
    }

    /// Tells of a new state once, and of the workflow step that runs. What cannot be found out is not told.
    async fn report(&mut self, cloud: &Cloud, arn: &str, seen: &Seen, follow: &Follow<'_>, events: &Events) {
        if seen.status == "TESTING" && !self.testing {
            self.testing = true;
            events.finished(Stage::Build, Ending::Done, format!("image {} is built", seen.version));
            events.started(Stage::Test, "testing a fresh instance of the new image");
        }
        if self.status != seen.status {
            self.status.clone_from(&seen.status);
            if seen.status == "AVAILABLE" {
                let ami = seen.ami.as_deref().unwrap_or("no AMI");
                events.finished(self.stage(), Ending::Done, format!("image {} is available: {ami}", seen.version));
            } else {
                events.progress(self.stage(), seen.status.to_lowercase());
            }
        }
        if seen.ended() || !follow.may_show_steps() {
            return;
        }
        match running(cloud, arn).await {
            Ok(Some(running)) => self.step(cloud, arn, &running, events).await,
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the workflow of the build cannot be looked at"),
        }
    }

    async fn step(&mut self, cloud: &Cloud, arn: &str, running: &Running, events: &Events) {
        if self.expected.is_none() && cloud.looks().few() {
            let known = history::expected(cloud, arn).await;
            self.expected = Some(known.unwrap_or_else(|error| {
                tracing::debug!(%error, "earlier builds cannot be looked at");
                Expected::default()
            }));
        }
        let step = running.now(cloud.clock().now(), self.expected.as_ref());
        let same = |told: &StepNow| StepNow { elapsed_seconds: step.elapsed_seconds, ..told.clone() } == step;
        let since = self.told.as_ref().filter(|told| same(told)).map(|told| told.elapsed_seconds.unwrap_or_default());
        if since.is_some_and(|since| step.elapsed_seconds.unwrap_or_default() < since + AGAIN) {
            return;
        }
        self.ask(arn, &step, events);
        self.told = Some(step.clone());
        events.send(Event::Step { stage: self.stage(), step });
    }

    /// Says once how the answer is given that a step waits for.
    fn ask(&mut self, arn: &str, step: &StepNow, events: &Events) {
        let told = self.told.as_ref().and_then(|told| told.waits_for_answer.as_ref());
        if step.waits_for_answer.is_some() && step.waits_for_answer.as_ref() != told {
            events.note(self.stage(), format!("{}; answer: {}", step.text(), super::approve::command(arn)));
        }
    }
}

/// Workflow executions of a build, in the order of their start.
pub(super) async fn executions(cloud: &Cloud, arn: &str) -> Result<Vec<ib::WorkflowExecutionMetadata>, CallError> {
    let mut pages =
        cloud.imagebuilder().list_workflow_executions().image_build_version_arn(arn).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListWorkflowExecutions", cloud.home()))?;
        all.extend(page.workflow_executions.unwrap_or_default());
    }
    all.sort_by(|a, b| a.start_time.cmp(&b.start_time));
    Ok(all)
}

/// Step executions of a workflow, as the service lists them.
pub(super) async fn steps(cloud: &Cloud, execution: &str) -> Result<Vec<ib::WorkflowStepMetadata>, CallError> {
    let mut pages =
        cloud.imagebuilder().list_workflow_step_executions().workflow_execution_id(execution).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListWorkflowStepExecutions", cloud.home()))?;
        all.extend(page.steps.unwrap_or_default());
    }
    Ok(all)
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
