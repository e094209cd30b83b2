//! Everything an environment knows of a build, as a [`Record`].

pub(super) mod logs;
mod read;

use super::error::BuildError;
use super::follow::{executions, steps};
use super::why::Record;
use super::why::record::{Command, Image, Place, State, Workflow};
use crate::aws::{CallError, Cloud};
use aws_sdk_imagebuilder::types as ib;

/// Characters of a command's output that the service keeps (image-builder.md 11.3); a longer one was cut.
const KEPT: usize = 24_000;

/// Collects what there is of a build. Only the build itself must be there: whatever else cannot be had is a gap.
///
/// # Errors
/// When the build does not exist or `GetImage` fails.
pub async fn collect(cloud: &Cloud, arn: &str) -> Result<Record, BuildError> {
    let answer = cloud.imagebuilder().get_image().image_build_version_arn(arn).send().await;
    let image = answer.map_err(CallError::of("GetImage", cloud.home()))?.image;
    let image = image.ok_or(BuildError::Answer { operation: "GetImage", what: "image" })?;
    let mut record = Record { image: read::image(arn, &image), ..Record::default() };
    workflows(cloud, &mut record).await;
    limit(cloud, &mut record).await;
    command(cloud, &mut record).await;
    if cloud.is_local() {
        logs::local(cloud, &mut record);
    } else {
        logs::bucket(cloud, &mut record, &image).await;
        logs::group(cloud, &mut record, &image);
        document(cloud, &mut record).await;
    }
    Ok(record)
}

/// The same of a build that has just failed and whose state has been seen, with few calls. It never fails.
pub(super) async fn at_once(cloud: &Cloud, arn: &str, state: Option<&ib::ImageState>) -> Record {
    let state = state.map_or_else(|| State { status: "FAILED".to_owned(), ..State::default() }, read::state);
    let mut record = Record { image: Image { arn: arn.to_owned(), state, ..Image::default() }, ..Record::default() };
    workflows(cloud, &mut record).await;
    if cloud.is_local() {
        logs::local(cloud, &mut record);
    }
    if !record.logs.keys().any(|name| name.ends_with("console.log")) {
        command(cloud, &mut record).await;
    }
    record
}

async fn workflows(cloud: &Cloud, record: &mut Record) {
    let listed = match executions(cloud, &record.image.arn).await {
        Ok(listed) => listed,
        Err(error) => {
            record.gaps.push(format!("the workflow could not be looked at: {error}"));
            return;
        }
    };
    for execution in listed {
        let mut workflow = read::workflow(execution);
        match steps(cloud, &workflow.workflow_execution_id).await {
            Ok(steps) => workflow.steps = steps.into_iter().map(read::step).collect(),
            Err(error) => record.gaps.push(format!("the steps of {}: {error}", workflow.workflow_execution_id)),
        }
        record.workflows.push(workflow);
    }
}

/// How long the step that failed was allowed to take, which only the step's own answer says.
async fn limit(cloud: &Cloud, record: &mut Record) {
    let failed = record.workflows.iter_mut().rev().find(|run| run.failed());
    let Some(step) = failed.and_then(|run| run.steps.iter_mut().find(|step| step.failed())) else { return };
    let call = cloud.imagebuilder().get_workflow_step_execution().step_execution_id(&step.step_execution_id);
    match call.send().await.map_err(CallError::of("GetWorkflowStepExecution", cloud.home())) {
        Ok(answer) => step.timeout_seconds = answer.timeout_seconds.map(i64::from),
        Err(error) => record.gaps.push(format!("the step {}: {error}", step.name)),
    }
}

/// The output of the command that ran the components; Systems Manager keeps it for 30 days.
async fn command(cloud: &Cloud, record: &mut Record) {
    let ran = |run: &Workflow| {
        let step = run.failed_step().or_else(|| run.steps.iter().rfind(|step| step.action == "ExecuteComponents"))?;
        Some((super::why::field(&step.outputs, "runCommandId")?, run.instance()?))
    };
    let run = record.failed_workflow().or(record.workflows.last());
    let Some((command, instance)) = run.and_then(ran) else { return };
    let call = cloud.ssm(cloud.home()).get_command_invocation().command_id(&command).instance_id(&instance);
    match call.send().await.map_err(CallError::of("GetCommandInvocation", cloud.home())) {
        Ok(answer) => {
            let out = answer.standard_output_content.unwrap_or_default();
            if out.len() >= KEPT && !cloud.is_local() {
                record
                    .gaps
                    .push(format!("the command's output after {KEPT} characters: Systems Manager keeps no more"));
            }
            record.commands.push(Command {
                command_id: command,
                instance_id: instance,
                status: answer.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
                response_code: answer.response_code,
                standard_output_content: out,
                standard_error_content: answer.standard_error_content.unwrap_or_default(),
            });
        }
        Err(error) => record.gaps.push(format!("the command's output could not be read: {error}")),
    }
}

/// The text of the component that failed. In the local environment the runner's folder has it.
async fn document(cloud: &Cloud, record: &mut Record) {
    let context = record.image.state.failure_context.as_ref();
    let Some(component) = context.and_then(|context| context.component_failure.as_ref()) else { return };
    let arn = component.component_arn.clone();
    let Some((name, version)) = arn.split_once(":component/").and_then(|(_, path)| path.split_once('/')) else {
        return;
    };
    let path = format!("documents/{name}-{}.yaml", version.replace('/', "-"));
    let answer = cloud.imagebuilder().get_component().component_build_version_arn(&arn).send().await;
    match answer.map_err(CallError::of("GetComponent", cloud.home())) {
        Ok(answer) => {
            if let Some(text) = answer.component.and_then(|component| component.data) {
                record.logs.insert(path, text);
            }
        }
        Err(error) => {
            record.gaps.push(format!("the document of {name}: {error}"));
            record.places.push(Place {
                what: format!("the document of component {name}"),
                command: format!("aws imagebuilder get-component --component-build-version-arn {arn}"),
            });
        }
    }
}

#[cfg(test)]
#[path = "collect/tests.rs"]
mod tests;
