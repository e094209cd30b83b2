//! Why a build did not succeed, in the service's words (image-builder.md 11.3).

use super::ImageStatus;
use super::undistributed::DistributionFailure;
use crate::local::store::StoreError;
use crate::local::wire::ServiceError;
use crate::runner::StepFailure;
use serde_json::{Value, json};

/// Characters of an error message in a failure context.
const MESSAGE_LIMIT: usize = 1_024;

/// The end of a build that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    /// It was told to stop.
    #[error("cancelled")]
    Cancelled,
    /// A workflow step failed.
    #[error("{}", .0.message)]
    Failed(Failed),
    /// After the workflows.
    #[error("{}", .0.reason())]
    Undistributed(Box<DistributionFailure>),
    /// Before or between the workflows.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<StoreError> for BuildError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

/// A failed workflow step.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Failed {
    pub(super) message: String,
    pub(super) component: Option<Box<StepFailure>>,
    pub(super) place: Box<Place>,
}

/// Where a step failed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Place {
    pub(super) workflow_id: String,
    pub(super) workflow_arn: String,
    pub(super) step_id: String,
    pub(super) step: String,
}

impl Failed {
    /// A failure whose place is filled in by the workflow it happens in.
    pub(super) fn because(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// `state.reason`.
    pub(super) fn reason(&self) -> String {
        // The runner's message names document, phase and step by itself.
        let place = match &self.component {
            Some(_) => String::new(),
            None => format!(" in workflow step {}", self.place.step),
        };
        format!("Workflow Execution ID: '{}' failed with reason: {}{place}", self.place.workflow_id, self.message)
    }

    /// `state.failureContext`.
    pub(super) fn context(&self, status: ImageStatus) -> Value {
        let mut context = json!({
            "imageStatus": status.word(),
            "workflowExecutionId": self.place.workflow_id,
            "workflowArn": self.place.workflow_arn,
            "stepExecutionId": self.place.step_id,
            "failedStep": self.place.step,
        });
        if let Some(step) = &self.component {
            let message: String = step.message.chars().take(MESSAGE_LIMIT).collect();
            context["componentFailure"] = json!({
                "componentArn": step.document,
                "phaseName": step.phase,
                "stepName": step.step,
                "action": step.action,
                "errorMessage": message,
            });
        }
        context
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::because(error.to_string())
    }
}

impl From<ServiceError> for Failed {
    fn from(error: ServiceError) -> Self {
        Self::because(error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_failure_names_component_phase_and_step() {
        let failed = Failed {
            message: "Document arn:c failed!".into(),
            place: Box::new(Place {
                workflow_id: "wf-1".into(),
                workflow_arn: "arn:w".into(),
                step_id: "step-1".into(),
                step: "ApplyBuildComponents".into(),
            }),
            component: Some(Box::new(StepFailure {
                document: "arn:c".into(),
                phase: "build".into(),
                step: "Install".into(),
                action: "ExecuteBash".into(),
                line: 9,
                message: "x".repeat(2_000),
                last_lines: vec![],
            })),
        };
        let context = failed.context(ImageStatus::Building);
        assert_eq!(
            (&context["imageStatus"], &context["failedStep"]),
            (&json!("BUILDING"), &json!("ApplyBuildComponents"))
        );
        assert_eq!(context["componentFailure"]["stepName"], "Install");
        assert_eq!(context["componentFailure"]["errorMessage"].as_str().unwrap().len(), MESSAGE_LIMIT);
        let reason = failed.reason();
        assert!(
            reason.starts_with("Workflow Execution ID: 'wf-1' failed with reason: Document arn:c failed!"),
            "{reason}"
        );
    }

    #[test]
    fn another_failure_names_the_workflow_step() {
        let failed = Failed {
            place: Box::new(Place { step: "LaunchBuildInstance".into(), ..Place::default() }),
            ..Failed::because("no namespaces")
        };
        assert!(failed.reason().ends_with("no namespaces in workflow step LaunchBuildInstance"));
        assert!(failed.context(ImageStatus::Building).get("componentFailure").is_none());
    }
}
