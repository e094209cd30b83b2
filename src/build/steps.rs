//! Which step of its workflow a build is at.

use super::follow::{executions, steps};
use super::history::Expected;
use crate::aws::{CallError, Cloud};
use crate::event::StepNow;
use aws_sdk_imagebuilder::types as ib;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A step that runs or waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    /// `BUILD`, `TEST` or `DISTRIBUTION`.
    pub(super) workflow: String,
    pub(super) name: String,
    pub(super) started: Option<OffsetDateTime>,
    /// The id to answer to, when somebody has to.
    pub(super) waits: Option<String>,
}

impl Running {
    /// How far it is.
    pub(super) fn now(&self, now: OffsetDateTime, expected: Option<&Expected>) -> StepNow {
        let elapsed = self.started.map(|started| (now - started).whole_seconds());
        let expected = expected.and_then(|expected| expected.step(&self.workflow, &self.name));
        StepNow {
            name: self.name.clone(),
            // Clocks differ by a little.
            elapsed_seconds: elapsed.map(|seconds| u64::try_from(seconds).unwrap_or_default()),
            expected_seconds: expected.map(|time| time.as_secs()),
            waits_for_answer: self.waits.clone(),
        }
    }
}

/// A time of the service.
pub(super) fn moment(text: Option<&str>) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text?, &Rfc3339).ok()
}

/// The step that runs now, for example `ApplyBuildComponents`; the newest workflow counts.
pub(super) async fn running(cloud: &Cloud, arn: &str) -> Result<Option<Running>, CallError> {
    for execution in executions(cloud, arn).await?.into_iter().rev() {
        if execution.status != Some(ib::WorkflowExecutionStatus::Running) {
            continue;
        }
        let Some(id) = execution.workflow_execution_id else { continue };
        let workflow = execution.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        return Ok(steps(cloud, &id).await?.into_iter().find_map(|step| step_now(&workflow, step)));
    }
    Ok(None)
}

/// The step, if it is under way. WAITING is real although the model lacks it (image-builder.md section 12).
fn step_now(workflow: &str, step: ib::WorkflowStepMetadata) -> Option<Running> {
    let status = step.status.as_ref().map_or("", |status| status.as_str());
    if !matches!(status, "RUNNING" | "WAITING") {
        return None;
    }
    let waits = status == "WAITING" || step.action.as_deref() == Some("WaitForAction");
    Some(Running {
        workflow: workflow.to_owned(),
        name: step.name?,
        started: moment(step.start_time.as_deref()),
        waits: if waits { step.step_execution_id } else { None },
    })
}
