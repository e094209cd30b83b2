//! From "FAILED" to the line of a component (image-builder.md 11.3).

use super::Phase;
use super::awstoe::{self, Summary};
use super::error::{BuildError, Failure};
use super::follow::{executions, steps};
use crate::aws::{CallError, Cloud};
use crate::evidence::TestResult;
use crate::plan::resource;
use aws_sdk_imagebuilder::types as ib;

/// Lines of a command's output that are shown.
const LAST_LINES: usize = 20;

/// Finds out why a build failed. Whatever cannot be found out is left open: the explanation itself never fails.
pub(super) async fn failure(cloud: &Cloud, arn: &str, phase: Phase, state: Option<&ib::ImageState>) -> Failure {
    let mut failure = stated(arn, phase, state);
    match failed_steps(cloud, arn).await {
        Ok(Some(run)) => {
            failure.phase = run.phase.unwrap_or(failure.phase);
            refine(cloud, &mut failure, &run).await;
        }
        Ok(None) => {}
        Err(error) => failure.last_lines.push(format!("(the workflow could not be looked at: {error})")),
    }
    failure
}

/// What the image itself says: its reason, and `failureContext` where the service gives one.
fn stated(arn: &str, phase: Phase, state: Option<&ib::ImageState>) -> Failure {
    let mut failure = Failure {
        phase,
        image_arn: arn.to_owned(),
        workflow_step: None,
        component: None,
        step: None,
        line: None,
        message: state.and_then(|state| state.reason.clone()).unwrap_or_else(|| "no reason was given".to_owned()),
        last_lines: vec![],
    };
    let Some(context) = state.and_then(|state| state.failure_context.as_ref()) else { return failure };
    match context.image_status {
        Some(ib::ImageStatus::Testing) => failure.phase = Phase::Test,
        Some(ib::ImageStatus::Building) => failure.phase = Phase::Build,
        _ => {}
    }
    failure.workflow_step.clone_from(&context.failed_step);
    if let Some(component) = &context.component_failure {
        failure.component = component.component_arn.as_deref().map(component_name);
        failure.step.clone_from(&component.step_name);
        if let Some(message) = component.error_message.as_ref().filter(|message| !message.is_empty()) {
            failure.message.clone_from(message);
        }
    }
    if let Some(distribution) = &context.distribution_failure {
        for region in distribution.region_failures.as_deref().unwrap_or_default() {
            let name = region.region.as_deref().unwrap_or("a Region");
            let message = region.error_message.as_deref().unwrap_or("no reason was given");
            failure.last_lines.push(format!("{name}: {message}"));
        }
    }
    failure
}

/// The workflow run that failed.
#[derive(Debug)]
struct FailedRun {
    phase: Option<Phase>,
    steps: Vec<ib::WorkflowStepMetadata>,
}

impl FailedRun {
    fn failed(&self) -> Option<&ib::WorkflowStepMetadata> {
        self.steps.iter().find(|step| is_failed(step.status.as_ref()))
    }

    /// The instance the failed step worked on, from its inputs or from the step that launched it.
    fn instance(&self) -> Option<String> {
        let inputs = self.failed().and_then(|step| awstoe::field(step.inputs.as_deref(), "instanceId"));
        inputs
            .filter(|id| id.starts_with("i-"))
            .or_else(|| self.steps.iter().find_map(|step| awstoe::field(step.outputs.as_deref(), "instanceId")))
    }
}

/// Also what this version does not know, like `TIMED_OUT`, is a failure once the image has failed.
fn is_failed(status: Option<&ib::WorkflowStepExecutionStatus>) -> bool {
    use ib::WorkflowStepExecutionStatus as Status;
    !matches!(
        status,
        None | Some(Status::Completed | Status::Skipped | Status::Pending | Status::Running | Status::Cancelled)
    )
}

async fn failed_steps(cloud: &Cloud, arn: &str) -> Result<Option<FailedRun>, CallError> {
    use ib::WorkflowExecutionStatus as Status;
    for execution in executions(cloud, arn).await?.into_iter().rev() {
        // A workflow that failed and was rolled back ends as ROLLBACK_COMPLETED (image-builder.md section 12).
        let failed =
            matches!(execution.status, Some(Status::Failed | Status::RollbackInProgress | Status::RollbackCompleted));
        if !failed || execution.retried == Some(true) {
            continue;
        }
        let phase = match execution.r#type {
            Some(ib::WorkflowType::Test) => Some(Phase::Test),
            Some(ib::WorkflowType::Build | ib::WorkflowType::Distribution) => Some(Phase::Build),
            _ => None,
        };
        let Some(id) = execution.workflow_execution_id else { continue };
        return Ok(Some(FailedRun { phase, steps: steps(cloud, &id).await? }));
    }
    Ok(None)
}

/// Fills in what the failed step and the command behind it know.
async fn refine(cloud: &Cloud, failure: &mut Failure, run: &FailedRun) {
    let Some(step) = run.failed() else { return };
    if step.name.is_some() {
        failure.workflow_step.clone_from(&step.name);
    }
    let outputs = step.outputs.as_deref().map(awstoe::outputs).unwrap_or_default();
    if let Some(summary) = &outputs.summary {
        from_summary(failure, summary);
    } else if let (None, Some(message)) = (&failure.component, step.message.as_ref().filter(|text| !text.is_empty())) {
        failure.message.clone_from(message);
    }
    if failure.last_lines.is_empty()
        && let (Some(command), Some(instance)) = (outputs.command, run.instance())
    {
        failure.last_lines = command_output(cloud, &command, &instance).await;
    }
}

fn from_summary(failure: &mut Failure, summary: &Summary) {
    if let Some(step) = &summary.failure {
        failure.component = Some(component_name(&step.document));
        failure.step = Some(step.step.clone());
        failure.line = Some(step.line);
        failure.message.clone_from(&step.message);
        failure.last_lines.clone_from(&step.last_lines);
    } else if failure.component.is_none() && !summary.failure_message.is_empty() {
        failure.message.clone_from(&summary.failure_message);
    }
}

/// The last lines of a command's output; Systems Manager keeps it for 30 days.
async fn command_output(cloud: &Cloud, command: &str, instance: &str) -> Vec<String> {
    let answer = cloud
        .ssm(cloud.home())
        .get_command_invocation()
        .command_id(command)
        .instance_id(instance)
        .send()
        .await
        .map_err(CallError::of("GetCommandInvocation", cloud.home()));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return vec![format!("(the command's output could not be read: {error})")],
    };
    let out = answer.standard_output_content.unwrap_or_default();
    let err = answer.standard_error_content.unwrap_or_default();
    let lines: Vec<&str> = out.lines().chain(err.lines()).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

/// The name in a component ARN; anything else as it is.
fn component_name(document: &str) -> String {
    resource(document).map_or_else(|| document.to_owned(), |resource| resource.name.to_owned())
}

/// What the test phase of an available image said; `None` when none ran.
pub(super) async fn tests(cloud: &Cloud, arn: &str) -> Result<Option<TestResult>, BuildError> {
    let mut result: Option<TestResult> = None;
    for execution in executions(cloud, arn).await? {
        if execution.r#type != Some(ib::WorkflowType::Test) || execution.retried == Some(true) {
            continue;
        }
        let completed = execution.status == Some(ib::WorkflowExecutionStatus::Completed);
        let Some(id) = execution.workflow_execution_id else { continue };
        let total = result.get_or_insert_with(|| TestResult {
            passed: true,
            executed_steps: 0,
            failed_steps: 0,
            skipped_steps: 0,
            not_real: vec![],
            message: String::new(),
        });
        total.passed &= completed;
        for step in steps(cloud, &id).await? {
            if let Some(summary) = step.outputs.as_deref().and_then(|text| awstoe::outputs(text).summary) {
                total.executed_steps += summary.executed_step_count;
                total.failed_steps += summary.failed_step_count;
                total.skipped_steps += summary.skipped_step_count;
                total.not_real.extend(
                    summary.not_real.into_iter().filter(|fact| !total.not_real.contains(fact)).collect::<Vec<_>>(),
                );
                total.passed &= summary.failed_step_count == 0 && summary.status.eq_ignore_ascii_case("success");
                total.message.push_str(&summary.failure_message);
            }
        }
    }
    Ok(result)
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
