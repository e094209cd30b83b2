//! Follows a build to its end.

use super::Phase;
use super::error::BuildError;
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud};
use crate::event::{Ending, Events, Stage};
use aws_sdk_imagebuilder::types as ib;

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
    pub(super) state: Option<ib::ImageState>,
}

impl Seen {
    /// Whether it will not change by itself any more.
    pub(super) fn ended(&self) -> bool {
        matches!(self.status.as_str(), "AVAILABLE" | "FAILED" | "CANCELLED" | "DEPRECATED" | "DISABLED" | "DELETED")
    }
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
        state: image.state,
    })
}

/// Looks in a row that may fail before it is given up: with the SDK's own attempts that is several minutes.
const MISSES: u32 = 10;

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
    let mut waiting = poller.start();
    let mut misses = 0;
    loop {
        let seen = match look(cloud, arn).await {
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
        progress.report(cloud, arn, &seen, events).await;
        match seen.status.as_str() {
            "AVAILABLE" => return Ok(Ended { arn: arn.to_owned(), version: seen.version, ami: seen.ami }),
            "FAILED" => {
                let phase = progress.phase();
                let failure =
                    super::explain::failure(cloud, arn, phase, seen.state.as_ref(), Some(&progress.recipe)).await;
                return Err(BuildError::Failed(Box::new(failure)));
            }
            "CANCELLED" => return Err(BuildError::Cancelled { image_arn: arn.to_owned() }),
            "DEPRECATED" | "DISABLED" | "DELETED" => {
                return Err(BuildError::Withdrawn { image_arn: arn.to_owned(), status: seen.status });
            }
            _ => {}
        }
        if let Err(timed_out) = waiting.pause().await {
            return Err(BuildError::TimedOut { image_arn: arn.to_owned(), status: seen.status, timed_out });
        }
    }
}

/// What was told so far.
#[derive(Debug, Default)]
struct Progress {
    recipe: String,
    status: String,
    step: String,
    testing: bool,
}

impl Progress {
    fn phase(&self) -> Phase {
        if self.testing { Phase::Test } else { Phase::Build }
    }

    fn stage(&self) -> Stage {
        if self.testing { Stage::Test } else { Stage::Build }
    }

    /// Tells of a new state or a new workflow step, once. What cannot be found out is not told.
    async fn report(&mut self, cloud: &Cloud, arn: &str, seen: &Seen, events: &Events) {
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
        if seen.ended() {
            return;
        }
        match running_step(cloud, arn).await {
            Ok(Some(step)) if step != self.step => {
                events.progress(self.stage(), format!("{}: {step}", self.status.to_lowercase()));
                self.step = step;
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the workflow of the build cannot be looked at"),
        }
    }
}

/// The workflow step that runs now, for example `ApplyBuildComponents`.
async fn running_step(cloud: &Cloud, arn: &str) -> Result<Option<String>, CallError> {
    for execution in executions(cloud, arn).await?.into_iter().rev() {
        if execution.status != Some(ib::WorkflowExecutionStatus::Running) {
            continue;
        }
        let Some(id) = execution.workflow_execution_id else { continue };
        let running = |step: &ib::WorkflowStepMetadata| step.status == Some(ib::WorkflowStepExecutionStatus::Running);
        return Ok(steps(cloud, &id).await?.into_iter().find(running).and_then(|step| step.name));
    }
    Ok(None)
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
