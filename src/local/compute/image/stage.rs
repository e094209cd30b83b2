//! One workflow of a build: its steps, each recorded as it begins and ends, and the instance it works on.

use super::apply::Task;
use super::build::{Build, workflow_end};
use super::failure::{BuildError, Failed, Place};
use super::resolve::Component;
use super::sanitize::sanitize;
use super::workflow::{Run, StepKind, StepStatus, WorkflowStatus};
use super::{IMAGE, ImageRecord, output};
use crate::event::Stage;
use crate::local::compute::command::{Capture, Outcome, STDERR_LIMIT, STDOUT_LIMIT};
use crate::local::compute::document;
use crate::local::compute::instance::{self, Order};
use crate::local::compute::state::Live;
use crate::local::random;
use crate::local::records::Ami;
use crate::local::store::StoreError;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A workflow that runs.
#[derive(Debug)]
pub(super) struct StageRun<'a> {
    build: &'a Build<'a>,
    run: Run<'a>,
    stage: Stage,
    instance: Option<String>,
}

impl<'a> StageRun<'a> {
    /// Begins the workflow of `stage` with that many steps.
    pub(super) fn begin(build: &'a Build<'a>, stage: Stage, kind: &str, steps: usize) -> Result<Self, BuildError> {
        let run = Run::begin(build.local, &build.scope, &build.image.arn, kind, steps)?;
        Ok(Self { build, run, stage, instance: None })
    }

    /// Ends the workflow; after a failure the instance is terminated first, which is the rollback.
    pub(super) fn finish<T>(mut self, result: Result<T, Failed>) -> Result<T, BuildError> {
        let failed = match result {
            Ok(value) => {
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
        self.end_instance()?;
        self.run.ended(workflow_end(cancelled), &failed.message)?;
        Err(if cancelled { BuildError::Cancelled } else { BuildError::Failed(failed) })
    }

    fn begin_step(&mut self, kind: StepKind, inputs: Value) -> Result<(), Failed> {
        if self.build.local.compute.shared.is_cancelled(&self.build.image.arn) {
            return Err(Failed::because("The image creation was cancelled."));
        }
        self.build.local.config.events.progress(self.stage, kind.name);
        Ok(self.run.step(kind, inputs)?)
    }

    fn completed(&mut self, outputs: Value) -> Result<(), Failed> {
        self.run.outputs(outputs)?;
        Ok(self.run.step_ended(StepStatus::Completed, "")?)
    }

    fn inputs(&self) -> Value {
        json!({"instanceId": self.instance})
    }

    /// Starts the instance of this workflow.
    pub(super) fn launch(&mut self, kind: StepKind, ami: &Ami, purpose: &str) -> Result<Arc<Live>, Failed> {
        self.begin_step(kind, json!({"waitFor": "ssmAgent"}))?;
        let build = self.build;
        let record = instance::launch(build.local, &build.scope, &order(&build.image, ami, purpose)?)
            .map_err(|error| Failed::because(error.to_string()))?;
        self.instance = Some(record.id.clone());
        let shared = &build.local.compute.shared;
        shared.set_build_instance(&build.image.arn, Some(record.id.clone()));
        let os = format!("{} {}", record.os_name, record.os_version);
        build.local.store.write(|tx| {
            let Some(mut image) = tx.get::<ImageRecord>(&build.scope, IMAGE, &build.image.arn)? else { return Ok(()) };
            os.trim().clone_into(&mut image.os_version);
            tx.put(&build.scope, IMAGE, &image.arn, &image)
        })?;
        let live = shared.instance(&record.id).ok_or_else(|| Failed::because("The instance was terminated."))?;
        self.completed(json!({"instanceId": record.id}))?;
        Ok(live)
    }

    /// Runs the components' phases.
    pub(super) fn components(
        &mut self,
        kind: StepKind,
        live: &Live,
        components: &[Component],
        (phase_word, phases): (&'static str, &[&str]),
    ) -> Result<(), Failed> {
        self.begin_step(kind, self.inputs())?;
        let command_id = random::uuid()?;
        self.run.outputs(json!({"runCommandId": command_id}))?;
        let minutes = self.build.image.tests_timeout_minutes.unsigned_abs();
        let limit = if self.stage == Stage::Test { minutes * 60 } else { kind.timeout_seconds };
        let task = Task {
            local: self.build.local,
            scope: &self.build.scope,
            image: &self.build.image,
            stage: self.stage,
            phase_word,
            phases,
            workflow_id: &self.run.record().id,
            step_id: self.run.step_id(),
            instance_id: self.instance.as_deref().unwrap_or_default(),
            command_id: &command_id,
            timeout: Duration::from_secs(limit.min(kind.timeout_seconds)),
        };
        let applied = task.apply(live, components)?;
        match applied.failure {
            None => self.completed(applied.outputs),
            Some(failure) => {
                self.run.outputs(applied.outputs)?;
                Err(Failed { component: failure.step.map(Box::new), ..Failed::because(failure.message) })
            }
        }
    }

    /// Removes what belongs to the build instance only.
    pub(super) fn sanitize(&mut self, kind: StepKind, live: &Live) -> Result<(), Failed> {
        self.begin_step(kind, self.inputs())?;
        let command_id = random::uuid()?;
        let directory = document::text(&self.build.image.recipe, "workingDirectory").unwrap_or("/tmp");
        let (mut out, mut err) = (Capture::new(STDOUT_LIMIT), Capture::new(STDERR_LIMIT));
        let timeout = Duration::from_secs(kind.timeout_seconds);
        let outcome = sanitize(live, directory, timeout, &mut out, &mut err);
        let status = if outcome == Outcome::Code(0) { "Success" } else { "Failed" };
        let outputs = json!({"runCommandId": command_id, "status": status, "output": out.text()});
        if outcome == Outcome::Code(0) {
            return self.completed(outputs);
        }
        self.run.outputs(outputs)?;
        let said = err.text().trim();
        Err(Failed::because(format!("The build instance could not be cleaned ({outcome:?}). {said}")))
    }

    /// Makes the AMI. The instance is stopped afterwards.
    pub(super) fn create_image(&mut self, kind: StepKind, parent: &Ami) -> Result<Ami, Failed> {
        self.begin_step(kind, self.inputs())?;
        let build = self.build;
        // Taken out, so that nobody can terminate it and remove its files while the image is made of them.
        let live = build.local.compute.shared.take_instance(self.instance.as_deref().unwrap_or_default());
        let live = live.ok_or_else(|| Failed::because("The instance was terminated."))?;
        let ami = output::create(build.local, &build.scope, &build.image, &live, parent)
            .map_err(|error| Failed::because(error.to_string()))?;
        self.completed(json!({"imageId": ami.id}))?;
        Ok(ami)
    }

    /// Ends the instance.
    pub(super) fn terminate(&mut self, kind: StepKind) -> Result<(), Failed> {
        self.begin_step(kind, self.inputs())?;
        self.end_instance()?;
        self.completed(json!({}))
    }

    fn end_instance(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.instance.take() else { return Ok(()) };
        let build = self.build;
        let shared = &build.local.compute.shared;
        shared.set_build_instance(&build.image.arn, None);
        if let Some(live) = shared.take_instance(&id) {
            live.stop();
        }
        instance::discard(build.local, &id);
        instance::record_terminated(build.local, &build.scope, &id, None)
    }
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
    })
}
