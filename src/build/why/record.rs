//! What is known of a build, as it was collected: the answers of the services and the files of the runner.
//!
//! Field names are the API's own, so that a saved answer reads as AWS's reference describes it. Everything may be missing:
//! a build is explained with what there is.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is known of a build.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// Of `GetImage`.
    pub image: Image,
    /// Of `ListWorkflowExecutions`, in the order of their start, each with its steps.
    pub workflows: Vec<Workflow>,
    /// Of `GetCommandInvocation`.
    pub commands: Vec<Command>,
    /// Files of the runner by path: `build/console.log`, `test/detailedoutput.json`.
    pub logs: BTreeMap<String, String>,
    /// Where more is that was not read.
    pub places: Vec<Place>,
    /// What could not be looked at, and why.
    pub gaps: Vec<String>,
}

/// An image build version.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    /// Image build version ARN.
    pub arn: String,
    /// Name of the recipe resource.
    pub name: String,
    /// `1.0.3/1`
    pub version: String,
    /// RFC 3339.
    pub date_created: String,
    /// Where it stands.
    pub state: State,
}

/// `image.state`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// `FAILED`, `CANCELLED`, `BUILDING` …
    pub status: String,
    /// In the service's words.
    pub reason: String,
    /// Newer versions of the service say more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_context: Option<FailureContext>,
}

/// `image.state.failureContext`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FailureContext {
    /// The state it failed in: `BUILDING`, `TESTING` …
    pub image_status: String,
    /// Name of the workflow step.
    pub failed_step: String,
    /// When a component failed.
    pub component_failure: Option<ComponentFailure>,
    /// When the copies failed.
    pub distribution_failure: Option<DistributionFailure>,
}

/// `componentFailure`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ComponentFailure {
    /// Component build version ARN.
    pub component_arn: String,
    /// Phase of the document.
    pub phase_name: String,
    /// Step of the phase.
    pub step_name: String,
    /// Action module.
    pub action: String,
    /// At most 1,024 characters.
    pub error_message: String,
}

/// `distributionFailure`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DistributionFailure {
    /// For all of it.
    pub error_message: String,
    /// One for each Region that failed.
    pub region_failures: Vec<RegionFailure>,
}

/// One of `regionFailures`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegionFailure {
    /// The Region.
    pub region: String,
    /// `FAILED`, `CANCELLED`, `TIMED_OUT`
    pub status: String,
    /// What was done there.
    pub image_configuration_step: String,
    /// Why it failed.
    pub error_message: String,
}

/// A workflow execution and its steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Workflow {
    /// `wf-…`
    pub workflow_execution_id: String,
    /// The workflow.
    pub workflow_build_version_arn: String,
    /// `BUILD`, `TEST`, `DISTRIBUTION`
    pub r#type: String,
    /// Also `ROLLBACK_COMPLETED` is a failure.
    pub status: String,
    /// At most 500 characters.
    pub message: String,
    /// Whether `RetryImage` has replaced it.
    pub retried: bool,
    /// RFC 3339.
    pub start_time: String,
    /// RFC 3339.
    pub end_time: String,
    /// Of `ListWorkflowStepExecutions`.
    pub steps: Vec<WorkflowStep>,
}

/// A step execution of a workflow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowStep {
    /// `step-…`
    pub step_execution_id: String,
    /// `ApplyBuildComponents`
    pub name: String,
    /// `ExecuteComponents`
    pub action: String,
    /// `FAILED`, `TIMED_OUT` …
    pub status: String,
    /// At most 500 characters.
    pub message: String,
    /// JSON as text.
    pub inputs: String,
    /// JSON as text.
    pub outputs: String,
    /// RFC 3339.
    pub start_time: String,
    /// RFC 3339.
    pub end_time: String,
    /// Only of the step that failed: of `GetWorkflowStepExecution`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i64>,
}

/// The invocation of a command of Systems Manager.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Command {
    /// Its id.
    pub command_id: String,
    /// Where it ran.
    pub instance_id: String,
    /// `Failed`, `TimedOut` …
    pub status: String,
    /// Exit code of its script.
    pub response_code: i32,
    /// The service keeps 24,000 characters.
    pub standard_output_content: String,
    /// The service keeps 8,000 characters.
    pub standard_error_content: String,
}

/// Where more is that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// What is there.
    pub what: String,
    /// How to read it.
    pub command: String,
}

impl WorkflowStep {
    /// Also what this version does not know, like `TIMED_OUT`, is a failure once the image has failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        !matches!(self.status.as_str(), "" | "COMPLETED" | "SKIPPED" | "PENDING" | "RUNNING" | "WAITING" | "CANCELLED")
    }
}

impl Workflow {
    /// A workflow that failed and was rolled back ends as `ROLLBACK_COMPLETED` (image-builder.md section 12).
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.status.as_str(), "FAILED" | "ROLLBACK_IN_PROGRESS" | "ROLLBACK_COMPLETED") && !self.retried
    }

    /// The step that failed.
    #[must_use]
    pub fn failed_step(&self) -> Option<&WorkflowStep> {
        self.steps.iter().find(|step| step.failed())
    }

    /// The instance that the failed step worked on, from its inputs or from the step that launched it.
    #[must_use]
    pub fn instance(&self) -> Option<String> {
        let inputs = self.failed_step().and_then(|step| super::toe::field(&step.inputs, "instanceId"));
        inputs
            .filter(|id| id.starts_with("i-"))
            .or_else(|| self.steps.iter().find_map(|step| super::toe::field(&step.outputs, "instanceId")))
    }
}

impl Record {
    /// The workflow run that failed last.
    #[must_use]
    pub fn failed_workflow(&self) -> Option<&Workflow> {
        self.workflows.iter().rev().find(|workflow| workflow.failed())
    }
}
