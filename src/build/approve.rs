//! Answers to workflow steps that wait for somebody (`WaitForAction`, image-builder.md section 12).

use super::error::BuildError;
use crate::aws::{CallError, Cloud};
use crate::plan::token;
use aws_sdk_imagebuilder::types::WorkflowStepActionType;

/// A step that waits.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WaitingStep {
    /// Image build version ARN.
    pub image_arn: String,
    /// Name of the step in its workflow.
    pub step: String,
    /// Id to answer to.
    pub step_execution_id: String,
    /// Since when, as the service says it.
    pub since: Option<String>,
    /// The command that lets it go on.
    pub answer: String,
}

/// What somebody says to a step that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Stop instead of going on: the step fails, and its workflow says what follows.
    pub stop: bool,
    /// Why; kept by the service.
    pub reason: Option<String>,
}

/// The command that lets a waiting build go on.
#[must_use]
pub fn command(image_arn: &str) -> String {
    format!("amiforge approve {image_arn}")
}

/// Every step that waits in the account, of one build when `image_arn` names it.
///
/// # Errors
/// When a call fails.
pub async fn waiting(cloud: &Cloud, image_arn: Option<&str>) -> Result<Vec<WaitingStep>, BuildError> {
    let mut pages = cloud.imagebuilder().list_waiting_workflow_steps().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        for step in page.map_err(CallError::of("ListWaitingWorkflowSteps", cloud.home()))?.steps.unwrap_or_default() {
            let (Some(arn), Some(id)) = (step.image_build_version_arn, step.step_execution_id) else { continue };
            if image_arn.is_none_or(|wanted| wanted == arn) {
                found.push(WaitingStep {
                    answer: command(&arn),
                    image_arn: arn,
                    step: step.name.unwrap_or_default(),
                    step_execution_id: id,
                    since: step.start_time,
                });
            }
        }
    }
    Ok(found)
}

/// Answers every step of a build that waits; the steps.
///
/// After a lost answer it is looked whether the step still waits before the answer is given once more.
///
/// # Errors
/// When nothing waits, or a call fails.
pub async fn approve(cloud: &Cloud, image_arn: &str, answer: &Answer) -> Result<Vec<WaitingStep>, BuildError> {
    let steps = waiting(cloud, Some(image_arn)).await?;
    if steps.is_empty() {
        return Err(BuildError::NotWaiting { image_arn: image_arn.to_owned() });
    }
    for step in &steps {
        let Err(error) = send(cloud, step, answer).await else { continue };
        if !error.fault.may_have_been_applied() {
            return Err(error.into());
        }
        let still = waiting(cloud, Some(image_arn)).await?;
        if still.iter().any(|other| other.step_execution_id == step.step_execution_id) {
            send(cloud, step, answer).await?;
        }
    }
    Ok(steps)
}

async fn send(cloud: &Cloud, step: &WaitingStep, answer: &Answer) -> Result<(), CallError> {
    let action = if answer.stop { WorkflowStepActionType::Stop } else { WorkflowStepActionType::Resume };
    let reason = answer.reason.as_deref().unwrap_or_default();
    cloud
        .imagebuilder()
        .send_workflow_step_action()
        .step_execution_id(&step.step_execution_id)
        .image_build_version_arn(&step.image_arn)
        .client_token(token(&["answer", &step.step_execution_id, action.as_str(), reason]))
        .action(action)
        .set_reason(answer.reason.clone())
        .send()
        .await
        .map(drop)
        .map_err(CallError::of("SendWorkflowStepAction", cloud.home()))
}

#[cfg(test)]
#[path = "approve_tests.rs"]
mod tests;
