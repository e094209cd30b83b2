//! The SDK's types, which have no form of their own, in that of a record.

use crate::build::why::record::{
    ComponentFailure, DistributionFailure, FailureContext, Image, RegionFailure, State, Workflow, WorkflowStep,
};
use aws_sdk_imagebuilder::types as ib;

pub(super) fn image(arn: &str, image: &ib::Image) -> Image {
    Image {
        // A wildcard in the question is resolved in the answer.
        arn: image.arn.clone().unwrap_or_else(|| arn.to_owned()),
        name: image.name.clone().unwrap_or_default(),
        version: image.version.clone().unwrap_or_default(),
        date_created: image.date_created.clone().unwrap_or_default(),
        state: image.state.as_ref().map(state).unwrap_or_default(),
    }
}

pub(super) fn state(state: &ib::ImageState) -> State {
    State {
        status: state.status.as_ref().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: state.reason.clone().unwrap_or_default(),
        failure_context: state.failure_context.as_ref().map(context),
    }
}

fn context(context: &ib::ImageFailureContext) -> FailureContext {
    FailureContext {
        image_status: context.image_status.as_ref().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        failed_step: context.failed_step.clone().unwrap_or_default(),
        component_failure: context.component_failure.as_ref().map(component),
        distribution_failure: context.distribution_failure.as_ref().map(distribution),
    }
}

fn component(failure: &ib::ComponentFailureContext) -> ComponentFailure {
    ComponentFailure {
        component_arn: failure.component_arn.clone().unwrap_or_default(),
        phase_name: failure.phase_name.clone().unwrap_or_default(),
        step_name: failure.step_name.clone().unwrap_or_default(),
        action: failure.action.clone().unwrap_or_default(),
        error_message: failure.error_message.clone().unwrap_or_default(),
    }
}

fn distribution(failure: &ib::DistributionFailureContext) -> DistributionFailure {
    let region = |region: &ib::RegionFailure| RegionFailure {
        region: region.region.clone().unwrap_or_default(),
        status: region.status.as_ref().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        image_configuration_step: region
            .image_configuration_step
            .as_ref()
            .map(|step| step.as_str().to_owned())
            .unwrap_or_default(),
        error_message: region.error_message.clone().unwrap_or_default(),
    };
    DistributionFailure {
        error_message: failure.error_message.clone().unwrap_or_default(),
        region_failures: failure.region_failures.iter().flatten().map(region).collect(),
    }
}

pub(super) fn workflow(run: ib::WorkflowExecutionMetadata) -> Workflow {
    Workflow {
        workflow_execution_id: run.workflow_execution_id.unwrap_or_default(),
        workflow_build_version_arn: run.workflow_build_version_arn.unwrap_or_default(),
        r#type: run.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        status: run.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        message: run.message.unwrap_or_default(),
        retried: run.retried.unwrap_or(false),
        start_time: run.start_time.unwrap_or_default(),
        end_time: run.end_time.unwrap_or_default(),
        steps: vec![],
    }
}

pub(super) fn step(step: ib::WorkflowStepMetadata) -> WorkflowStep {
    WorkflowStep {
        step_execution_id: step.step_execution_id.unwrap_or_default(),
        name: step.name.unwrap_or_default(),
        action: step.action.unwrap_or_default(),
        status: step.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        message: step.message.unwrap_or_default(),
        inputs: step.inputs.unwrap_or_default(),
        outputs: step.outputs.unwrap_or_default(),
        start_time: step.start_time.unwrap_or_default(),
        end_time: step.end_time.unwrap_or_default(),
        timeout_seconds: None,
    }
}
