//! One workflow of a build: its steps, each recorded as it begins and ends, and the instance it works on.

use super::apply::Task;
use super::build::{Build, workflow_end};
use super::distribute;
use super::failure::{BuildError, Failed, Place};
use super::flow::{self, Flow, FlowStep, Turn};
use super::resolve::Component;
use super::sanitize::sanitize;
use super::workflow::{Run, StepStatus, WorkflowStatus};
use super::{IMAGE, ImageRecord, output};
use crate::event::Stage;
use crate::local::compute::command::{Capture, Outcome, STDERR_LIMIT, STDOUT_LIMIT};
use crate::local::compute::instance::{self, Order};
use crate::local::compute::state::Live;
use crate::local::compute::{ami, document};
use crate::local::ec2::keys;
use crate::local::kms::Principal;
use crate::local::random;
use crate::local::records::Ami;
use crate::local::store::StoreError;
use crate::local::wire::ServiceError;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A workflow that runs.
#[derive(Debug)]
pub(super) struct StageRun<'a> {
    pub(super) build: &'a Build<'a>,
    pub(super) run: Run<'a>,
    stage: Stage,
    /// Those that it has launched and not ended yet.
    instances: Vec<String>,
}

impl<'a> StageRun<'a> {
    /// Begins a workflow.
    pub(super) fn begin(build: &'a Build<'a>, flow: &Flow) -> Result<Self, BuildError> {
        let run = Run::begin(build.local, &build.scope, &build.image.arn, flow)?;
        let stage = if flow.kind == "TEST" { Stage::Test } else { Stage::Build };
        Ok(Self { build, run, stage, instances: Vec::new() })
    }

    /// Its steps, from the first to the last; the AMI that they made.
    pub(super) fn steps(
        &mut self,
        flow: &Flow,
        context: &mut Value,
        (ami, components): (&Ami, &[Component]),
    ) -> Result<Option<Ami>, Failed> {
        let mut made = None;
        for step in &flow.steps {
            let turn = step.turn(context);
            let inputs = match &turn {
                Ok(Turn::Run(inputs)) => inputs.clone(),
                _ => step.inputs.clone(),
            };
            self.begin_step(step, inputs)?;
            let done = match turn {
                Err(reason) => Err(Failed::because(reason)),
                Ok(Turn::Skip) => {
                    self.run.step_ended(StepStatus::Skipped, "")?;
                    continue;
                }
                Ok(Turn::Run(inputs)) => self.act(step, &inputs, (ami, components, &mut made)),
            };
            match done {
                Ok(outputs) => {
                    context["stepOutputs"][&step.name] = outputs.clone();
                    self.run.outputs(outputs)?;
                    self.run.step_ended(StepStatus::Completed, "")?;
                }
                Err(failed) if step.on_failure == "Continue" && !self.is_cancelled() => {
                    self.run.step_ended(StepStatus::Failed, &failed.message)?;
                }
                Err(failed) => return Err(failed),
            }
        }
        flow.results(context).map_err(Failed::because)?;
        Ok(made)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.build.local.compute.shared.is_cancelled(&self.build.image.arn)
    }

    /// One step: its outputs.
    fn act(
        &mut self,
        step: &FlowStep,
        inputs: &Value,
        (ami, components, made): (&Ami, &[Component], &mut Option<Ami>),
    ) -> Result<Value, Failed> {
        self.pause(Duration::from_secs(step.wait_seconds))?;
        match step.action.as_str() {
            "LaunchInstance" => self.launch(inputs, ami),
            "ExecuteComponents" => self.components(step, &*self.live(inputs)?, components),
            "SanitizeInstance" => self.sanitize(step, &*self.live(inputs)?),
            "RunCommand" => self.command(step, inputs, &*self.live(inputs)?),
            "WaitForSSMAgent" => self.live(inputs).map(|_| json!({"status": "Success"})),
            "CollectImageMetadata" => {
                self.live(inputs)?;
                let os = self.build.local.store.read(|tx| {
                    let image = tx.get::<ImageRecord>(&self.build.scope, IMAGE, &self.build.image.arn)?;
                    Ok::<_, StoreError>(image.map(|image| image.os_version).unwrap_or_default())
                })?;
                Ok(json!({"osVersion": os, "associationId": random::uuid()?}))
            }
            "WaitForAction" => self.wait(step),
            "CreateImage" => {
                let new = self.create_image(inputs, ami)?;
                let outputs = json!({"imageId": new.id});
                *made = Some(new);
                Ok(outputs)
            }
            "TerminateInstance" => {
                let id = self.owned(inputs)?;
                self.end_instance(&id)?;
                Ok(json!({}))
            }
            "DistributeImage" | "ModifyImageAttributes" | "ApplyImageConfigurations" => {
                let build = self.build;
                let work = distribute::Work { local: build.local, scope: &build.scope, image: &build.image };
                work.act(&step.action, inputs, ami).map_err(Failed::because)
            }
            other => Err(Failed::because(flow::absent(other))),
        }
    }

    /// The instance that a step names, which must be one of this workflow.
    fn owned(&self, inputs: &Value) -> Result<String, Failed> {
        let id = document::text(inputs, "instanceId").unwrap_or_default();
        if self.instances.iter().any(|own| own == id) {
            return Ok(id.to_owned());
        }
        Err(Failed::because(format!("The instance '{id}' was not launched by this workflow, or has ended.")))
    }

    /// The same as it runs.
    fn live(&self, inputs: &Value) -> Result<Arc<Live>, Failed> {
        let id = self.owned(inputs)?;
        let live = self.build.local.compute.shared.instance(&id);
        live.ok_or_else(|| Failed::because("The instance was terminated."))
    }

    /// Ends the workflow; after a failure the instance is terminated first, which is the rollback.
    pub(super) fn finish<T>(mut self, result: Result<T, Failed>) -> Result<T, BuildError> {
        let failed = match result {
            Ok(value) => {
                // What a workflow has launched and not terminated does not outlive it here.
                for id in self.instances.clone() {
                    self.end_instance(&id)?;
                }
                self.run.ended(WorkflowStatus::Completed, "")?;
                return Ok(value);
            }
            Err(failed) => failed,
        };
        let cancelled = self.build.local.compute.shared.is_cancelled(&self.build.image.arn);
        let status = if cancelled { StepStatus::Cancelled } else { StepStatus::Failed };
        let record = self.run.record();
        let step = record.steps.last();
        let place = Place {
            workflow_id: record.id.clone(),
            workflow_arn: record.workflow_arn.clone(),
            step_id: step.map(|step| step.id.clone()).unwrap_or_default(),
            step: step.map(|step| step.name.clone()).unwrap_or_default(),
        };
        let failed = Failed { place: Box::new(place), ..failed };
        self.run.step_ended(status, &failed.message)?;
        for id in self.instances.clone() {
            if cancelled || terminates(&self.build.image) {
                self.end_instance(&id)?;
            } else {
                let shared = &self.build.local.compute.shared;
                shared.leave(&id);
                // It stays for whoever looks at it; cancelling the build must not end it.
                shared.remove_build_instance(&self.build.image.arn, &id);
            }
        }
        self.run.ended(workflow_end(cancelled), &failed.message)?;
        Err(if cancelled { BuildError::Cancelled } else { BuildError::Failed(failed) })
    }

    fn begin_step(&mut self, step: &FlowStep, inputs: Value) -> Result<(), Failed> {
        if self.is_cancelled() {
            return Err(Failed::because("The image creation was cancelled."));
        }
        self.build.local.config.events.progress(self.stage, step.name.clone());
        Ok(self.run.step(step, inputs)?)
    }

    /// Starts an instance of the image or of another one.
    fn launch(&mut self, inputs: &Value, ami: &Ami) -> Result<Value, Failed> {
        let other = match document::text(inputs, "imageIdOverride") {
            Some(id) => Some(self.other(id)?),
            None => None,
        };
        let ami = other.as_ref().unwrap_or(ami);
        ami::runs_here(ami)?;
        let purpose = if self.stage == Stage::Test { "Test" } else { "Build" };
        let build = self.build;
        let record = instance::launch(build.local, &build.scope, &order(&build.image, ami, purpose)?)
            .map_err(|error| Failed::because(error.to_string()))?;
        self.instances.push(record.id.clone());
        let shared = &build.local.compute.shared;
        shared.add_build_instance(&build.image.arn, &record.id);
        let os = format!("{} {}", record.os_name, record.os_version);
        build.local.store.write(|tx| {
            let Some(mut image) = tx.get::<ImageRecord>(&build.scope, IMAGE, &build.image.arn)? else { return Ok(()) };
            os.trim().clone_into(&mut image.os_version);
            tx.put(&build.scope, IMAGE, &image.arn, &image)
        })?;
        Ok(json!({"instanceId": record.id}))
    }

    /// Another image than that of the build.
    fn other(&self, id: &str) -> Result<Ami, Failed> {
        let Build { local, scope, .. } = self.build;
        let asking = (&Principal::of_role(scope, keys::IMAGE_BUILDER), local.config.clock.now());
        let found = local.store.read(|tx| {
            let ami = ami::launchable(tx, scope, id)?;
            keys::launching(tx, asking, &ami, None)?;
            Ok::<_, ServiceError>(ami)
        });
        Ok(found?)
    }

    /// Runs the components' phases of this stage.
    fn components(&mut self, step: &FlowStep, live: &Live, components: &[Component]) -> Result<Value, Failed> {
        let (phase_word, phases) = match self.stage {
            Stage::Test => ("TESTING", ["test"].as_slice()),
            _ => ("BUILDING", ["build", "validate"].as_slice()),
        };
        let command_id = random::uuid()?;
        self.run.outputs(json!({"runCommandId": command_id}))?;
        let inputs = self.run.record().steps.last().map(|step| step.inputs.clone()).unwrap_or_default();
        let instance_id = self.owned(&inputs)?;
        let minutes = self.build.image.tests_timeout_minutes.unsigned_abs();
        let limit = if self.stage == Stage::Test { minutes * 60 } else { step.timeout_seconds };
        let task = Task {
            local: self.build.local,
            scope: &self.build.scope,
            image: &self.build.image,
            stage: self.stage,
            phase_word,
            phases,
            workflow_id: &self.run.record().id,
            step_id: self.run.step_id(),
            instance_id: &instance_id,
            command_id: &command_id,
            timeout: Duration::from_secs(limit.min(step.timeout_seconds)),
        };
        let applied = task.apply(live, components)?;
        match applied.failure {
            None => Ok(applied.outputs),
            Some(failure) => {
                self.run.outputs(applied.outputs)?;
                Err(Failed { component: failure.step.map(Box::new), ..Failed::because(failure.message) })
            }
        }
    }

    /// Removes what belongs to the build instance only.
    fn sanitize(&mut self, step: &FlowStep, live: &Live) -> Result<Value, Failed> {
        let command_id = random::uuid()?;
        let directory = document::text(&self.build.image.recipe, "workingDirectory").unwrap_or("/tmp");
        let (mut out, mut err) = (Capture::new(STDOUT_LIMIT), Capture::new(STDERR_LIMIT));
        let timeout = Duration::from_secs(step.timeout_seconds);
        let outcome = sanitize(live, directory, timeout, &mut out, &mut err);
        let status = if outcome == Outcome::Code(0) { "Success" } else { "Failed" };
        let outputs = json!({"runCommandId": command_id, "status": status, "output": out.text()});
        if outcome == Outcome::Code(0) {
            return Ok(outputs);
        }
        self.run.outputs(outputs)?;
        let said = err.text().trim();
        Err(Failed::because(format!("The build instance could not be cleaned ({outcome:?}). {said}")))
    }

    /// Makes the AMI. The instance is stopped afterwards.
    fn create_image(&mut self, inputs: &Value, parent: &Ami) -> Result<Ami, Failed> {
        let id = self.owned(inputs)?;
        let build = self.build;
        // Taken out, so that nobody can terminate it and remove its files while the image is made of them.
        let live = build.local.compute.shared.take_instance(&id);
        let live = live.ok_or_else(|| Failed::because("The instance was terminated."))?;
        output::create(build.local, &build.scope, &build.image, &live, parent)
            .map_err(|error| Failed::because(error.to_string()))
    }

    fn end_instance(&mut self, id: &str) -> Result<(), StoreError> {
        self.instances.retain(|own| own != id);
        let build = self.build;
        let shared = &build.local.compute.shared;
        shared.remove_build_instance(&build.image.arn, id);
        if let Some(live) = shared.take_instance(id) {
            live.stop();
        }
        instance::discard(build.local, id);
        instance::record_terminated(build.local, &build.scope, id, None)
    }
}

/// Whether the instances of a failed build are ended: `terminateInstanceOnFailure`, which is true when it is not said.
pub(super) fn terminates(image: &ImageRecord) -> bool {
    image.infrastructure.get("terminateInstanceOnFailure").and_then(Value::as_bool).unwrap_or(true)
}

/// What Image Builder launches for an image.
fn order(image: &ImageRecord, ami: &Ami, purpose: &str) -> Result<Order, Failed> {
    let options = image.infrastructure.get("instanceMetadataOptions").cloned().unwrap_or_default();
    let default_type = if ami.architecture == "arm64" { "m7g.large" } else { "m5.large" };
    let types = document::items(&image.infrastructure, "instanceTypes");
    Ok(Order {
        ami: ami.clone(),
        reservation: random::resource_id("r")?,
        instance_type: types.first().and_then(Value::as_str).unwrap_or(default_type).to_owned(),
        tags: output::instance_tags(image, purpose),
        http_tokens: document::text(&options, "httpTokens").unwrap_or("optional").to_owned(),
        hop_limit: document::integer(&options, "httpPutResponseHopLimit").unwrap_or(1),
        client_token: String::new(),
        failure: None,
    })
}
