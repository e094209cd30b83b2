//! Where a scripted build stands at a time: computed from its beginning, the same every time.

use super::Scripted;
use crate::clock::rfc3339;
use crate::local::compute::command::{CommandRecord, CommandStatus, RUN_SHELL_SCRIPT};
use crate::local::compute::image::ImageStatus;
use crate::local::compute::image::distribute::{self, Outcome};
use crate::local::compute::image::failure::{Failed, Place};
use crate::local::compute::image::flow::{self, Flow, FlowStep, Turn};
use crate::local::compute::image::undistributed::DistributionFailure;
use crate::local::compute::image::workflow::{StepExecution, StepStatus, WorkflowExecution, WorkflowStatus};
use crate::local::random;
use crate::runner::{RunStatus, Summary};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;

/// Where a build stands.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: ImageStatus,
    pub(super) reason: Option<String>,
    pub(super) failure: Option<Value>,
    pub(super) workflows: Vec<WorkflowExecution>,
    pub(super) commands: Vec<CommandRecord>,
    /// When the step that makes the AMI began, and whether it has ended.
    pub(super) ami: Option<(OffsetDateTime, bool)>,
    /// What has to be done before it can go on, and when it is due.
    pub(super) effect: Option<(Effect, OffsetDateTime)>,
    /// When something will change by itself; never without it.
    pub(super) next: Option<OffsetDateTime>,
}

/// Something that a build does outside of its own records, once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// Names, permissions, copies.
    Distribute,
    /// Launch templates and parameters.
    Integrate,
    /// A step of a distribution workflow: its execution id, action and inputs.
    Step(String, String, Value),
}

/// Why the replay went no further.
enum Halt {
    /// Now is reached.
    Now,
    /// The build was cancelled.
    Cancelled,
    /// A step failed.
    Failed(Failed),
    /// It could not begin.
    Refused(String),
    /// It could not be distributed.
    Undistributed(DistributionFailure),
}

struct Replay<'a> {
    build: &'a Scripted,
    now: OffsetDateTime,
    at: OffsetDateTime,
    /// `$.stepOutputs` and its siblings, for references.
    context: Value,
    seen: Seen,
}

/// Where `build` stands at `now`.
pub(super) fn replay(build: &Scripted, now: OffsetDateTime) -> Seen {
    let seen = Seen {
        status: ImageStatus::Pending,
        reason: None,
        failure: None,
        workflows: Vec::new(),
        commands: Vec::new(),
        ami: None,
        effect: None,
        next: None,
    };
    let mut replay = Replay { build, now, at: build.begun, context: build.context.clone(), seen };
    let halted = replay.image();
    let mut seen = replay.seen;
    match halted {
        Ok(()) => seen.status = ImageStatus::Available,
        Err(Halt::Now) => {}
        Err(Halt::Cancelled) => seen.status = ImageStatus::Cancelled,
        Err(Halt::Failed(failed)) => {
            seen.failure = Some(failed.context(seen.status));
            seen.reason = Some(failed.reason());
            seen.status = ImageStatus::Failed;
        }
        Err(Halt::Undistributed(failure)) => {
            seen.failure = Some(failure.context());
            seen.reason = Some(failure.reason());
            seen.status = ImageStatus::Failed;
        }
        Err(Halt::Refused(reason)) => {
            seen.failure = Some(json!({"imageStatus": seen.status.word()}));
            seen.reason = Some(reason);
            seen.status = ImageStatus::Failed;
        }
    }
    seen
}

/// An id that follows from the build and what it is for.
pub(in crate::local::compute::image) fn digits(arn: &str, what: &str) -> String {
    random::hex_of(&Sha256::digest(format!("{arn} {what}"))[..16])
}

impl Replay<'_> {
    fn image(&mut self) -> Result<(), Halt> {
        let script = &self.build.script;
        self.pass(script.pending)?;
        self.seen.status = ImageStatus::Creating;
        self.pass(script.creating)?;
        if let Some(refused) = &self.build.refused {
            return Err(Halt::Refused(refused.clone()));
        }
        let is_last = |flow: &&Flow| flow.kind == "DISTRIBUTION";
        for batch in flow::batches(self.build.flows.iter().filter(|flow| !is_last(flow))) {
            let testing = batch[0].kind == "TEST";
            self.seen.status = if testing { ImageStatus::Testing } else { ImageStatus::Building };
            self.batch(&batch)?;
        }
        self.seen.status = ImageStatus::Distributing;
        if let Some(flow) = self.build.flows.iter().find(is_last) {
            return self.workflow(flow);
        }
        let (distributes, integrates) = self.build.distributes;
        self.pass(script.distributing.min(distribute::PATIENCE))?;
        if distributes && script.distributing > distribute::PATIENCE {
            return Err(Halt::Undistributed(DistributionFailure::late(&self.build.arn)));
        }
        if distributes {
            self.effect(Effect::Distribute, self.build.distributed.as_ref())?;
        }
        if integrates {
            self.seen.status = ImageStatus::Integrating;
            self.pass(script.integrating)?;
            self.effect(Effect::Integrate, self.build.integrated.as_ref())?;
        }
        Ok(())
    }

    /// Workflows that run together, a few at a time. All of them run to their ends before a failure of one counts.
    fn batch(&mut self, batch: &[&Flow]) -> Result<(), Halt> {
        if let [flow] = batch {
            return match self.workflow(flow) {
                Err(Halt::Failed(_)) if flow.continues => Ok(()),
                other => other,
            };
        }
        // When each of the places is free again; never, as far as that can be seen now, for one whose workflow still runs.
        let mut places = vec![Some(self.at); batch.len().min(flow::TOGETHER)];
        let (mut result, mut running) = (Ok(()), false);
        for flow in batch {
            let Some(place) = places.iter_mut().filter(|place| place.is_some()).min() else { break };
            self.at = place.unwrap_or(self.at);
            match self.workflow(flow) {
                Ok(()) => *place = Some(self.at),
                Err(Halt::Now) => {
                    (*place, running) = (None, true);
                }
                Err(Halt::Failed(_)) if flow.continues => *place = Some(self.at),
                Err(halt) => {
                    *place = Some(self.at);
                    result = result.and(Err(halt));
                }
            }
        }
        if running {
            return Err(Halt::Now);
        }
        self.at = places.into_iter().flatten().max().unwrap_or(self.at);
        result
    }

    /// What became of an effect; without that it is still to be done.
    fn effect(&mut self, effect: Effect, outcome: Option<&Outcome>) -> Result<(), Halt> {
        match outcome {
            Some(Ok(_)) => Ok(()),
            Some(Err(failure)) => Err(Halt::Undistributed(failure.clone())),
            None => {
                self.seen.effect = Some((effect, self.at));
                Err(Halt::Now)
            }
        }
    }

    /// Lets that much time go by.
    fn pass(&mut self, time: Duration) -> Result<(), Halt> {
        self.until(self.at + time)
    }

    fn until(&mut self, end: OffsetDateTime) -> Result<(), Halt> {
        let cancelled = self.build.cancelled.filter(|at| *at < end);
        if let Some(at) = cancelled.filter(|at| *at <= self.now) {
            self.at = at.max(self.at);
            return Err(Halt::Cancelled);
        }
        if end > self.now {
            let next = cancelled.unwrap_or(end);
            self.seen.next = Some(self.seen.next.map_or(next, |known| known.min(next)));
            return Err(Halt::Now);
        }
        self.at = end;
        Ok(())
    }

    fn workflow(&mut self, flow: &Flow) -> Result<(), Halt> {
        let place = self.seen.workflows.len();
        self.seen.workflows.push(WorkflowExecution {
            id: format!("wf-{}", random::uuid_of(&digits(&self.build.arn, &format!("workflow {place}")))),
            image_arn: self.build.arn.clone(),
            workflow_arn: flow.arn.clone(),
            kind: flow.kind.clone(),
            group: flow.group.clone(),
            status: WorkflowStatus::Running,
            message: String::new(),
            started_at: rfc3339(self.at),
            ended_at: None,
            steps: Vec::new(),
            total_steps: flow.steps.len(),
        });
        flow.enter(&mut self.context);
        let result = flow.steps.iter().try_for_each(|step| self.step(flow, step));
        let result =
            result.and_then(|()| flow.results(&mut self.context).map_err(|why| Halt::Failed(Failed::because(why))));
        let (status, message) = match &result {
            Ok(()) => (WorkflowStatus::Completed, String::new()),
            Err(Halt::Now | Halt::Refused(_) | Halt::Undistributed(_)) => return result,
            Err(Halt::Cancelled) => (WorkflowStatus::Cancelled, "The image creation was cancelled.".to_owned()),
            Err(Halt::Failed(failed)) => (WorkflowStatus::RollbackCompleted, failed.message.clone()),
        };
        let now = rfc3339(self.at);
        self.run().end(status, &message, &now);
        result
    }

    /// The workflow that runs. There is one whenever this is called: it is pushed first.
    fn run(&mut self) -> &mut WorkflowExecution {
        let last = self.seen.workflows.len() - 1;
        &mut self.seen.workflows[last]
    }

    fn step(&mut self, flow: &Flow, step: &FlowStep) -> Result<(), Halt> {
        let place = (self.seen.workflows.len(), self.run().steps.len());
        let id = format!("step-{}", random::uuid_of(&digits(&self.build.arn, &format!("step {place:?}"))));
        let turn = step.turn(&self.context);
        let inputs = match &turn {
            Ok(Turn::Run(inputs)) => inputs,
            _ => &step.inputs,
        };
        let (inputs, began) = (inputs.clone(), rfc3339(self.at));
        self.run().steps.push(StepExecution {
            id: id.clone(),
            name: step.name.clone(),
            action: step.action.clone(),
            status: StepStatus::Running,
            message: String::new(),
            inputs,
            outputs: json!({}),
            started_at: began,
            ended_at: None,
            on_failure: step.on_failure.clone(),
            timeout_seconds: step.timeout_seconds,
            rollback: None,
        });
        let done = match turn {
            Err(reason) => Err(Halt::Failed(Failed::because(reason))),
            Ok(Turn::Skip) => {
                self.close(StepStatus::Skipped, "", None);
                return Ok(());
            }
            Ok(Turn::Run(inputs)) => self.pass(Duration::from_secs(step.wait_seconds)).and_then(|()| {
                if step.action == "WaitForAction" { self.wait(&id, step) } else { self.act(flow, step, &inputs) }
            }),
        };
        match done {
            Ok(outputs) => {
                self.context["stepOutputs"][&step.name] = outputs.clone();
                self.close(StepStatus::Completed, "", Some(outputs));
                Ok(())
            }
            Err(Halt::Failed(failed)) => self.failed(step, failed),
            Err(halt) => Err(halt),
        }
    }

    /// Ends the step that runs.
    fn close(&mut self, status: StepStatus, message: &str, outputs: Option<Value>) {
        let now = rfc3339(self.at);
        if let Some(step) = self.run().steps.last_mut() {
            step.status = status;
            message.clone_into(&mut step.message);
            step.ended_at = Some(now);
            if let Some(outputs) = outputs {
                step.outputs = outputs;
            }
        }
    }

    fn failed(&mut self, step: &FlowStep, failed: Failed) -> Result<(), Halt> {
        self.close(StepStatus::Failed, &failed.message, None);
        if step.on_failure == "Continue" {
            return Ok(());
        }
        let run = self.run();
        let place = Place {
            workflow_id: run.id.clone(),
            workflow_arn: run.workflow_arn.clone(),
            step_id: run.steps.last().map(|step| step.id.clone()).unwrap_or_default(),
            step: step.name.clone(),
        };
        Err(Halt::Failed(Failed { place: Box::new(place), ..failed }))
    }

    /// A step that waits for somebody, at most as long as it may.
    fn wait(&mut self, id: &str, step: &FlowStep) -> Result<Value, Halt> {
        let limit = self.at + Duration::from_secs(step.timeout_seconds);
        let Some(decision) = self.build.decisions.get(id).filter(|decision| decision.at < limit) else {
            if let Some(step) = self.run().steps.last_mut() {
                step.status = StepStatus::Waiting;
            }
            self.until(limit)?;
            return Err(Halt::Failed(timed_out(step)));
        };
        self.until(decision.at.max(self.at))?;
        let outputs = json!({"action": decision.action, "reason": decision.reason});
        if decision.action == "STOP" {
            self.set_outputs(outputs);
            return Err(Halt::Failed(Failed::because(format!("The step was stopped: {}", decision.reason))));
        }
        Ok(outputs)
    }

    fn set_outputs(&mut self, outputs: Value) {
        if let Some(step) = self.run().steps.last_mut() {
            step.outputs = outputs;
        }
    }

    /// Any other step: it takes its time, and then fails or has its outputs.
    fn act(&mut self, flow: &Flow, step: &FlowStep, inputs: &Value) -> Result<Value, Halt> {
        if !flow::ACTIONS.contains(&step.action.as_str()) {
            return Err(Halt::Failed(Failed::because(flow::absent(&step.action))));
        }
        let place = (self.seen.workflows.len(), self.run().steps.len());
        let command = random::uuid_of(&digits(&self.build.arn, &format!("command {place:?}")));
        let instance = inputs.get("instanceId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let runs_command = matches!(step.action.as_str(), "ExecuteComponents" | "SanitizeInstance" | "RunCommand");
        if runs_command {
            self.set_outputs(json!({"runCommandId": command}));
            self.command(&command, &instance);
        }
        if step.action == "CreateImage" {
            self.seen.ami = Some((self.at, false));
        }
        let (takes, limit) = (self.build.script.step(&step.name), Duration::from_secs(step.timeout_seconds));
        self.pass(takes.min(limit))?;
        if let Some(failed) = self.breaks(flow, step, (&command, runs_command)) {
            return Err(Halt::Failed(failed));
        }
        self.command_ended(&command, CommandStatus::Success, "");
        if matches!(step.action.as_str(), "DistributeImage" | "ModifyImageAttributes" | "ApplyImageConfigurations") {
            return self.distribution(step, inputs);
        }
        Ok(match step.action.as_str() {
            "LaunchInstance" => json!({"instanceId": self.instance(place)}),
            "CreateImage" => {
                self.seen.ami = self.seen.ami.map(|(at, _)| (at, true));
                json!({"imageId": ami_id(&self.build.arn)})
            }
            "CollectImageMetadata" => {
                json!({"osVersion": "Linux", "associationId": digits(&self.build.arn, "association")})
            }
            "WaitForSSMAgent" => json!({"status": "Success"}),
            _ if runs_command => self.command_outputs(flow, step, &command, None),
            _ => json!({}),
        })
    }

    /// A step of a distribution workflow, which does what it does at its end.
    fn distribution(&mut self, step: &FlowStep, inputs: &Value) -> Result<Value, Halt> {
        let id = self.run().steps.last().map(|step| step.id.clone()).unwrap_or_default();
        match self.build.effects.get(&id) {
            Some(Ok(outputs)) => Ok(outputs.clone()),
            Some(Err(reason)) => Err(Halt::Failed(Failed::because(reason.clone()))),
            None => {
                self.seen.effect = Some((Effect::Step(id, step.action.clone(), inputs.clone()), self.at));
                Err(Halt::Now)
            }
        }
    }

    /// How the step fails at its end, if it does, with its outputs written.
    fn breaks(&mut self, flow: &Flow, step: &FlowStep, (command, runs_command): (&str, bool)) -> Option<Failed> {
        let late = self.build.script.step(&step.name) > Duration::from_secs(step.timeout_seconds);
        let planned = self.build.script.failure.as_ref().filter(|failure| failure.step == step.name && !late);
        let failed = match planned {
            None if late => timed_out(step),
            None => return None,
            Some(failure) => Failed {
                component: failure.component.clone().map(Box::new),
                ..Failed::because(failure.message.clone())
            },
        };
        let outputs = match planned.map(|failure| &failure.outputs).filter(|outputs| !outputs.is_null()) {
            Some(outputs) => outputs.clone(),
            None if runs_command => self.command_outputs(flow, step, command, Some(&failed)),
            None => json!({}),
        };
        let log = planned.map(|failure| failure.log.clone()).unwrap_or_default();
        self.set_outputs(outputs);
        let word = if late { CommandStatus::TimedOut } else { CommandStatus::Failed };
        self.command_ended(command, word, &log);
        Some(failed)
    }

    /// The id of the instance of that step.
    fn instance(&self, place: (usize, usize)) -> String {
        format!("i-{}", &digits(&self.build.arn, &format!("instance {place:?}"))[..17])
    }

    fn command_outputs(&self, flow: &Flow, step: &FlowStep, command: &str, failed: Option<&Failed>) -> Value {
        let word = if failed.is_some() { CommandStatus::Failed } else { CommandStatus::Success };
        let output = if step.action == "ExecuteComponents" {
            let (build, test) = self.build.component_steps;
            let steps = if flow.kind == "TEST" { test } else { build };
            summary(command, steps, failed)
        } else {
            String::new()
        };
        let output = if step.action == "RunCommand" { json!([output]) } else { json!(output) };
        json!({"runCommandId": command, "status": word.word(), "output": output})
    }

    fn command(&mut self, id: &str, instance: &str) {
        let began = rfc3339(self.at);
        self.seen.commands.push(CommandRecord {
            command_id: id.to_owned(),
            instance_id: instance.to_owned(),
            document: RUN_SHELL_SCRIPT.to_owned(),
            comment: format!("Component execution for {}", self.build.arn),
            parameters: BTreeMap::new(),
            requested_at: began.clone(),
            requested_epoch: self.at.unix_timestamp(),
            started_at: Some(began),
            ended_at: None,
            seconds: 0.0,
            status: CommandStatus::InProgress,
            details: CommandStatus::InProgress.word().to_owned(),
            response_code: -1,
            stdout: String::new(),
            stderr: String::new(),
        });
    }

    fn command_ended(&mut self, id: &str, status: CommandStatus, log: &str) {
        let at = self.at;
        let Some(command) = self.seen.commands.iter_mut().find(|command| command.command_id == id) else { return };
        command.status = status;
        status.word().clone_into(&mut command.details);
        command.response_code = i32::from(status != CommandStatus::Success);
        command.ended_at = Some(rfc3339(at));
        #[allow(clippy::cast_precision_loss, reason = "a build's seconds are far below 2^52")]
        let seconds = (at.unix_timestamp() - command.requested_epoch) as f64;
        command.seconds = seconds;
        log.clone_into(&mut command.stdout);
    }
}

/// The AMI of a scripted build.
pub(super) fn ami_id(arn: &str) -> String {
    format!("ami-{}", &digits(arn, "ami")[..17])
}

fn timed_out(step: &FlowStep) -> Failed {
    Failed::because(format!("Step timed out after {} seconds.", step.timeout_seconds))
}

/// What the component runner prints at its end.
fn summary(execution: &str, steps: u32, failed: Option<&Failed>) -> String {
    let summary = Summary {
        execution_id: execution.to_owned(),
        status: if failed.is_some() { RunStatus::Failed } else { RunStatus::Success },
        failed_step_count: u32::from(failed.is_some()),
        executed_step_count: steps,
        ignored_failed_step_count: 0,
        skipped_step_count: 0,
        failure_message: failed.map(|failed| failed.message.clone()).unwrap_or_default(),
        failure: failed.and_then(|failed| failed.component.as_deref().cloned()),
    };
    serde_json::to_value(&summary).unwrap_or_default().to_string()
}
