//! Workflow executions of an image and their steps: what the managed workflows `build-image` and `test-image` do.

use super::flow::{Flow, FlowStep};
use crate::local::Local;
use crate::local::imagebuilder::{input, list_answer};
use crate::local::store::{Scope, StoreError, Transaction};
use crate::local::wire::{Caller, ServiceError};
use crate::local::{paging, random};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kind of [`WorkflowExecution`] documents; the id is the execution id.
pub(in crate::local::compute) const WORKFLOW: &str = "imagebuilder-workflow-execution";

/// Kind of the documents that say which executions an image has; the id is `<image build version ARN> <execution id>`.
const OF_IMAGE: &str = "imagebuilder-workflow-execution-of-image";

/// Characters that a message of the API may have.
const MESSAGE_LIMIT: usize = 500;

/// A run of a workflow for one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::local::compute) struct WorkflowExecution {
    pub(in crate::local::compute) id: String,
    pub(in crate::local::compute) image_arn: String,
    pub(in crate::local::compute) workflow_arn: String,
    /// `BUILD`, `TEST` or `DISTRIBUTION`.
    pub(in crate::local::compute) kind: String,
    /// `parallelGroup`.
    #[serde(default)]
    pub(in crate::local::compute) group: Option<String>,
    pub(in crate::local::compute) status: WorkflowStatus,
    pub(in crate::local::compute) message: String,
    pub(in crate::local::compute) started_at: String,
    pub(in crate::local::compute) ended_at: Option<String>,
    /// Steps that have begun, in order.
    pub(in crate::local::compute) steps: Vec<StepExecution>,
    pub(in crate::local::compute) total_steps: usize,
}

/// A run of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::local::compute) struct StepExecution {
    pub(in crate::local::compute) id: String,
    pub(in crate::local::compute) name: String,
    pub(in crate::local::compute) action: String,
    pub(in crate::local::compute) status: StepStatus,
    pub(in crate::local::compute) message: String,
    pub(in crate::local::compute) inputs: Value,
    pub(in crate::local::compute) outputs: Value,
    pub(in crate::local::compute) started_at: String,
    pub(in crate::local::compute) ended_at: Option<String>,
    pub(in crate::local::compute) on_failure: String,
    pub(in crate::local::compute) timeout_seconds: u64,
    /// `COMPLETED` when the step's work was undone after a failure.
    pub(in crate::local::compute) rollback: Option<String>,
}

/// `WorkflowExecutionStatus`, as far as it occurs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::local::compute) enum WorkflowStatus {
    Running,
    Completed,
    RollbackCompleted,
    Cancelled,
}

/// `WorkflowStepExecutionStatus`, as far as it occurs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::local::compute) enum StepStatus {
    Running,
    /// Not in the service's model, but what it says of `WaitForAction` (image-builder.md section 12).
    Waiting,
    Skipped,
    Completed,
    Failed,
    Cancelled,
}

/// A step of a managed workflow (image-builder.md sections 13 and 14).
#[derive(Debug, Clone, Copy)]
pub(super) struct StepKind {
    pub(super) name: &'static str,
    pub(super) action: &'static str,
    pub(super) timeout_seconds: u64,
    pub(super) on_failure: &'static str,
}

const fn step(name: &'static str, action: &'static str, minutes: u64, on_failure: &'static str) -> StepKind {
    StepKind { name, action, timeout_seconds: minutes * 60, on_failure }
}

/// Build: a fresh instance of the parent.
pub(super) const LAUNCH_BUILD: StepKind = step("LaunchBuildInstance", "LaunchInstance", 75, "Abort");
/// Build: the components' build and validate phases.
pub(super) const APPLY_BUILD: StepKind = step("ApplyBuildComponents", "ExecuteComponents", 720, "Abort");
/// Build: nothing of this machine's own stays in the image.
pub(super) const SANITIZE: StepKind = step("SanitizeBuildInstance", "SanitizeInstance", 60, "Abort");
/// Build: the new AMI.
pub(super) const CREATE_IMAGE: StepKind = step("CreateOutputImage", "CreateImage", 720, "Abort");
/// Build: the end of the instance.
pub(super) const TERMINATE_BUILD: StepKind = step("TerminateBuildInstance", "TerminateInstance", 30, "Continue");
/// Test: a fresh instance of the new AMI.
pub(super) const LAUNCH_TEST: StepKind = step("LaunchTestInstance", "LaunchInstance", 75, "Abort");
/// Test: the components' test phases.
pub(super) const APPLY_TEST: StepKind = step("ApplyTestComponents", "ExecuteComponents", 720, "Abort");
/// Test: the end of the instance.
pub(super) const TERMINATE_TEST: StepKind = step("TerminateTestInstance", "TerminateInstance", 30, "Continue");

/// A workflow that is being run: its record, written after every change.
#[derive(Debug)]
pub(super) struct Run<'a> {
    local: &'a Local,
    scope: Scope,
    record: WorkflowExecution,
}

impl<'a> Run<'a> {
    /// Begins a run of a workflow.
    pub(super) fn begin(local: &'a Local, scope: &Scope, image_arn: &str, flow: &Flow) -> Result<Self, ServiceError> {
        let record = WorkflowExecution {
            id: format!("wf-{}", random::uuid()?),
            image_arn: image_arn.to_owned(),
            workflow_arn: flow.arn.clone(),
            kind: flow.kind.clone(),
            group: flow.group.clone(),
            status: WorkflowStatus::Running,
            message: String::new(),
            started_at: now(local),
            ended_at: None,
            steps: Vec::new(),
            total_steps: flow.steps.len(),
        };
        let run = Self { local, scope: scope.clone(), record };
        run.save()?;
        Ok(run)
    }

    /// The record as it is.
    pub(super) fn record(&self) -> &WorkflowExecution {
        &self.record
    }

    /// The id of the step that runs or ran last.
    pub(super) fn step_id(&self) -> &str {
        self.record.steps.last().map_or("", |step| &step.id)
    }

    /// A step begins.
    pub(super) fn step(&mut self, step: &FlowStep, inputs: Value) -> Result<(), ServiceError> {
        self.record.steps.push(StepExecution {
            id: format!("step-{}", random::uuid()?),
            name: step.name.clone(),
            action: step.action.clone(),
            status: StepStatus::Running,
            message: String::new(),
            inputs,
            outputs: json!({}),
            started_at: now(self.local),
            ended_at: None,
            on_failure: step.on_failure.clone(),
            timeout_seconds: step.timeout_seconds,
            rollback: None,
        });
        Ok(self.save()?)
    }

    /// Tells what the running step has put out so far.
    pub(super) fn outputs(&mut self, outputs: Value) -> Result<(), StoreError> {
        if let Some(step) = self.record.steps.last_mut() {
            step.outputs = outputs;
        }
        self.save()
    }

    /// The running step waits for somebody, or goes on.
    pub(super) fn set_status(&mut self, status: StepStatus) -> Result<(), StoreError> {
        if let Some(step) = self.record.steps.last_mut() {
            step.status = status;
        }
        self.save()
    }

    /// The running step ended.
    pub(super) fn step_ended(&mut self, status: StepStatus, message: &str) -> Result<(), StoreError> {
        let now = now(self.local);
        if let Some(step) = self.record.steps.last_mut() {
            step.status = status;
            step.message = limited(message);
            step.ended_at = Some(now);
        }
        self.save()
    }

    /// The workflow ended. What failed has been rolled back by now: the instance is gone.
    pub(super) fn ended(mut self, status: WorkflowStatus, message: &str) -> Result<(), StoreError> {
        self.record.end(status, message, &now(self.local));
        self.save()
    }

    fn save(&self) -> Result<(), StoreError> {
        self.local.store.write(|tx| put(tx, &self.scope, &self.record))
    }
}

/// The managed workflow for `kind` (`BUILD`, `TEST`).
pub(super) fn managed_arn(region: &str, kind: &str) -> String {
    let word = kind.to_lowercase();
    format!("arn:aws:imagebuilder:{region}:aws:workflow/{word}/{word}-image/1.0.3/1")
}

/// Writes an execution down, so that it is found by its id and by its image.
pub(super) fn put(tx: &Transaction<'_>, scope: &Scope, run: &WorkflowExecution) -> Result<(), StoreError> {
    tx.put(scope, OF_IMAGE, &format!("{} {}", run.image_arn, run.id), &run.id)?;
    tx.put(scope, WORKFLOW, &run.id, run)
}

/// The executions of an image.
pub(super) fn of_image(tx: &Transaction<'_>, scope: &Scope, arn: &str) -> Result<Vec<WorkflowExecution>, StoreError> {
    let ids = tx.list::<String>(scope, OF_IMAGE, &format!("{arn} "))?;
    if ids.is_empty() {
        // A state of before there was this index.
        let all = tx.list::<WorkflowExecution>(scope, WORKFLOW, "")?;
        return Ok(all.into_iter().map(|(_, run)| run).filter(|run| run.image_arn == arn).collect());
    }
    let runs = ids.iter().map(|(_, id)| tx.get::<WorkflowExecution>(scope, WORKFLOW, id));
    Ok(runs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Removes the executions of an image.
pub(super) fn delete_of_image(tx: &Transaction<'_>, scope: &Scope, arn: &str) -> Result<(), StoreError> {
    for run in of_image(tx, scope, arn)? {
        tx.delete(scope, WORKFLOW, &run.id)?;
        tx.delete(scope, OF_IMAGE, &format!("{arn} {}", run.id))?;
    }
    Ok(())
}

fn now(local: &Local) -> String {
    crate::clock::rfc3339(local.config.clock.now())
}

fn limited(message: &str) -> String {
    message.chars().take(MESSAGE_LIMIT).collect()
}

impl WorkflowExecution {
    /// Ends the run and, when it did not complete, what was running in it.
    pub(in crate::local::compute) fn end(&mut self, status: WorkflowStatus, message: &str, now: &str) {
        self.status = status;
        self.message = limited(message);
        self.ended_at = Some(now.to_owned());
        let left = match status {
            WorkflowStatus::Cancelled => StepStatus::Cancelled,
            _ => StepStatus::Failed,
        };
        for step in &mut self.steps {
            if matches!(step.status, StepStatus::Running | StepStatus::Waiting) {
                step.status = left;
                step.message = limited(message);
                step.ended_at = Some(now.to_owned());
            }
            if status == WorkflowStatus::RollbackCompleted && step.action == "LaunchInstance" {
                step.rollback = Some("COMPLETED".to_owned());
            }
        }
    }

    fn count(&self, status: StepStatus) -> usize {
        self.steps.iter().filter(|step| step.status == status).count()
    }

    fn json(&self) -> Value {
        let mut json = json!({
            "workflowBuildVersionArn": self.workflow_arn,
            "workflowExecutionId": self.id,
            "type": self.kind,
            "status": self.status,
            "message": self.message,
            "totalStepCount": self.total_steps,
            "totalStepsSucceeded": self.count(StepStatus::Completed),
            "totalStepsFailed": self.count(StepStatus::Failed),
            "totalStepsSkipped": self.count(StepStatus::Skipped),
            "startTime": self.started_at,
        });
        if let Some(ended) = &self.ended_at {
            json["endTime"] = json!(ended);
        }
        if let Some(group) = &self.group {
            json["parallelGroup"] = json!(group);
        }
        json
    }
}

/// The place of a workflow's type in the order in which they run.
pub(super) fn rank(kind: &str) -> u8 {
    match kind {
        "BUILD" => 0,
        "TEST" => 1,
        _ => 2,
    }
}

impl StepExecution {
    /// As the list tells it.
    fn json(&self) -> Value {
        let mut json = json!({
            "stepExecutionId": self.id,
            "name": self.name,
            "description": "",
            "action": self.action,
            "status": self.status,
            "message": self.message,
            "inputs": self.inputs.to_string(),
            "outputs": self.outputs.to_string(),
            "startTime": self.started_at,
        });
        if let Some(ended) = &self.ended_at {
            json["endTime"] = json!(ended);
        }
        if let Some(rollback) = &self.rollback {
            json["rollbackStatus"] = json!(rollback);
        }
        json
    }
}

/// `ListWorkflowExecutions`, in the order in which they ran.
pub(in crate::local::compute) fn list_workflow_executions(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let arn = input(body).required("imageBuildVersionArn")?;
    if local.store.read(|tx| tx.get::<Value>(&caller.scope, super::IMAGE, arn))?.is_none() {
        return Err(not_found("image", arn));
    }
    let runs = local.store.read(|tx| of_image(tx, &caller.scope, arn))?;
    let rows = in_order(runs).into_iter().map(|(key, run)| (key, run.json())).collect();
    let mut answer = list_answer(&input(body), "ListWorkflowExecutions", "workflowExecutions", rows)?;
    answer["imageBuildVersionArn"] = json!(arn);
    Ok(answer)
}

/// The image's runs, in the order in which they ran.
fn in_order(runs: Vec<WorkflowExecution>) -> BTreeMap<String, WorkflowExecution> {
    runs.into_iter().map(|run| (format!("{}/{}/{}", rank(&run.kind), run.started_at, run.id), run)).collect()
}

/// `GetWorkflowExecution`.
pub(in crate::local::compute) fn get_workflow_execution(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let run = execution(local, caller, input(body).required("workflowExecutionId")?)?;
    let mut answer = run.json();
    answer["imageBuildVersionArn"] = json!(run.image_arn);
    Ok(answer)
}

fn not_found(what: &str, id: &str) -> ServiceError {
    ServiceError::new(404, "ResourceNotFoundException", format!("The {what} '{id}' does not exist."))
}

fn execution(local: &Local, caller: &Caller, id: &str) -> Result<WorkflowExecution, ServiceError> {
    let run = local.store.read(|tx| tx.get::<WorkflowExecution>(&caller.scope, WORKFLOW, id))?;
    run.ok_or_else(|| not_found("workflow execution", id))
}

/// `ListWorkflowStepExecutions`, in the order in which they ran.
pub(in crate::local::compute) fn list_workflow_step_executions(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let run = execution(local, caller, input(body).required("workflowExecutionId")?)?;
    let rows = paging::numbered(run.steps.iter().map(StepExecution::json));
    let mut answer = list_answer(&input(body), "ListWorkflowStepExecutions", "steps", rows)?;
    answer["workflowBuildVersionArn"] = json!(run.workflow_arn);
    answer["workflowExecutionId"] = json!(run.id);
    answer["imageBuildVersionArn"] = json!(run.image_arn);
    Ok(answer)
}

/// `GetWorkflowStepExecution`.
pub(in crate::local::compute) fn get_workflow_step_execution(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let id = input(body).required("stepExecutionId")?;
    let runs = local.store.read(|tx| tx.list::<WorkflowExecution>(&caller.scope, WORKFLOW, ""))?;
    let found = runs.iter().find_map(|(_, run)| Some((run, run.steps.iter().find(|step| step.id == id)?)));
    let (run, step) = found.ok_or_else(|| not_found("workflow step execution", id))?;
    let mut answer = step.json();
    answer["workflowBuildVersionArn"] = json!(run.workflow_arn);
    answer["workflowExecutionId"] = json!(run.id);
    answer["imageBuildVersionArn"] = json!(run.image_arn);
    answer["onFailure"] = json!(step.on_failure);
    answer["timeoutSeconds"] = json!(step.timeout_seconds);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn execution() -> WorkflowExecution {
        let step = |name: &str, action: &str, status| StepExecution {
            id: format!("step-{name}"),
            name: name.into(),
            action: action.into(),
            status,
            message: String::new(),
            inputs: json!({}),
            outputs: json!({"instanceId": "i-1"}),
            started_at: "2026-01-02T03:04:05Z".into(),
            ended_at: None,
            on_failure: "Abort".into(),
            timeout_seconds: 60,
            rollback: None,
        };
        WorkflowExecution {
            id: "wf-1".into(),
            image_arn: "arn".into(),
            workflow_arn: "arn:w".into(),
            kind: "BUILD".into(),
            group: None,
            status: WorkflowStatus::Running,
            message: String::new(),
            started_at: "2026-01-02T03:04:05Z".into(),
            ended_at: None,
            steps: vec![
                step("LaunchBuildInstance", "LaunchInstance", StepStatus::Completed),
                step("ApplyBuildComponents", "ExecuteComponents", StepStatus::Running),
            ],
            total_steps: 5,
        }
    }

    #[test]
    fn a_failed_run_ends_rolled_back_with_its_step_failed() {
        let mut run = execution();
        run.end(WorkflowStatus::RollbackCompleted, &"x".repeat(900), "later");
        let json = run.json();
        assert_eq!((&json["status"], &json["totalStepsFailed"]), (&json!("ROLLBACK_COMPLETED"), &json!(1)));
        assert_eq!(json["message"].as_str().unwrap().len(), MESSAGE_LIMIT);
        assert_eq!(run.steps[0].json()["rollbackStatus"], "COMPLETED");
        assert_eq!((run.steps[1].status, run.steps[1].ended_at.as_deref()), (StepStatus::Failed, Some("later")));
    }

    #[test]
    fn a_cancelled_run_cancels_its_step() {
        let mut run = execution();
        run.end(WorkflowStatus::Cancelled, "cancelled", "later");
        assert_eq!(run.steps[1].json()["status"], "CANCELLED");
        assert_eq!(run.steps[0].json()["status"], "COMPLETED");
    }

    #[test]
    fn inputs_and_outputs_are_json_text() {
        assert_eq!(execution().steps[0].json()["outputs"], "{\"instanceId\":\"i-1\"}");
    }
}
