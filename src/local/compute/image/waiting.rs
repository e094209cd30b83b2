//! `ListWaitingWorkflowSteps`, `SendWorkflowStepAction`: steps of the action `WaitForAction`.

use super::scripted::{self, Decision};
use super::workflow::{self, StepExecution, StepStatus, WORKFLOW, WorkflowExecution};
use super::{IMAGE, ImageRecord};
use crate::local::Local;
use crate::local::imagebuilder::{MISMATCH, input, list_answer};
use crate::local::tokens::Once;
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};

/// Kind of the [`Decision`] documents that builds of any process look for; the id is the step execution id.
pub(super) const DECISION: &str = "imagebuilder-workflow-step-decision";

/// `ListWaitingWorkflowSteps`, of all images.
pub(in crate::local::compute) fn list_waiting_workflow_steps(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let runs = local.store.read(|tx| tx.list::<WorkflowExecution>(&caller.scope, WORKFLOW, ""))?;
    let mut rows = Vec::new();
    for (_, run) in &runs {
        for step in run.steps.iter().filter(|step| step.status == StepStatus::Waiting) {
            rows.push((format!("{} {}", step.started_at, step.id), row(run, step)));
        }
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    list_answer(&input(body), "ListWaitingWorkflowSteps", "steps", rows)
}

fn row(run: &WorkflowExecution, step: &StepExecution) -> Value {
    json!({
        "stepExecutionId": step.id,
        "imageBuildVersionArn": run.image_arn,
        "workflowExecutionId": run.id,
        "workflowBuildVersionArn": run.workflow_arn,
        "name": step.name,
        "action": step.action,
        "startTime": step.started_at,
    })
}

/// `SendWorkflowStepAction`: the step goes on, or fails.
pub(in crate::local::compute) fn send_workflow_step_action(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let (step, image) = (input.required("stepExecutionId")?, input.required("imageBuildVersionArn")?);
    let Some(action) = input.one_of("action", &["RESUME", "STOP"])? else { return Err(input.missing("action")) };
    let reason = input.limited("reason", 1..=1024)?.unwrap_or_default();
    let token = input.required("clientToken")?;
    let once = Once { operation: "SendWorkflowStepAction", token: "clientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            if tx.get::<ImageRecord>(&caller.scope, IMAGE, image)?.is_none() {
                return Err(not_found("image", image));
            }
            let runs = workflow::of_image(tx, &caller.scope, image)?;
            let found = runs.iter().flat_map(|run| &run.steps).find(|known| known.id == step);
            let found = found.ok_or_else(|| not_found("workflow step execution", step))?;
            if found.status != StepStatus::Waiting {
                let text = format!("The workflow step execution '{step}' is not waiting for an action.");
                return Err(ServiceError::client("InvalidRequestException", text));
            }
            let decision = Decision { at: caller.now, action: action.to_owned(), reason: reason.to_owned() };
            tx.put(&caller.scope, DECISION, step, &decision)?;
            scripted::decide(local, tx, &caller.scope, (image, step), decision)?;
            Ok(json!({"stepExecutionId": step, "imageBuildVersionArn": image, "clientToken": token}))
        })
    })
}

fn not_found(what: &str, id: &str) -> ServiceError {
    ServiceError::new(404, "ResourceNotFoundException", format!("The {what} '{id}' does not exist."))
}
