//! Steps of custom workflows that the managed ones do not have: commands and waiting.

use super::failure::Failed;
use super::flow::FlowStep;
use super::scripted::Decision;
use super::stage::StageRun;
use super::waiting::DECISION;
use super::workflow::StepStatus;
use crate::local::compute::command::{Capture, Outcome, RUN_SHELL_SCRIPT, STDERR_LIMIT, STDOUT_LIMIT, run_job, shell};
use crate::local::compute::document;
use crate::local::compute::state::Live;
use crate::local::random;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a wait lasts at most until it sees what another process has written.
const PATIENCE: Duration = Duration::from_millis(250);

impl StageRun<'_> {
    /// `RunCommand`, of the document that runs a shell script.
    pub(super) fn command(&mut self, step: &FlowStep, inputs: &Value, live: &Live) -> Result<Value, Failed> {
        let name = document::text(inputs, "documentName").unwrap_or_default();
        if name != RUN_SHELL_SCRIPT {
            let text = format!("The local environment runs the document {RUN_SHELL_SCRIPT} only, not {name}.");
            return Err(Failed::because(text));
        }
        let parameters = inputs.get("parameters").cloned().unwrap_or_default();
        let lines: Vec<&str> = document::items(&parameters, "commands").iter().filter_map(Value::as_str).collect();
        if lines.is_empty() {
            return Err(Failed::because("The command needs the parameter commands, a list of text."));
        }
        let directory = document::items(&parameters, "workingDirectory").first().and_then(Value::as_str);
        let job =
            shell(lines.join("\n"), directory.unwrap_or("/").to_owned(), Duration::from_secs(step.timeout_seconds));
        let command_id = random::uuid()?;
        let (mut out, mut err) = (Capture::new(STDOUT_LIMIT), Capture::new(STDERR_LIMIT));
        let outcome = run_job(live, &job, &mut out, &mut err);
        let ended = |status: &str| json!({"runCommandId": command_id, "status": status, "output": [out.text()]});
        match outcome {
            Outcome::Code(0) => Ok(ended("Success")),
            Outcome::TimedOut => {
                self.run.outputs(ended("TimedOut"))?;
                Err(Failed::because(format!("The command took longer than {} seconds.", step.timeout_seconds)))
            }
            other => {
                self.run.outputs(ended("Failed"))?;
                Err(Failed::because(format!("The command failed ({other:?}). {}", err.text().trim())))
            }
        }
    }

    /// `WaitForAction`: until somebody says how it goes on, the time is up, or the build is cancelled.
    pub(super) fn wait(&mut self, step: &FlowStep) -> Result<Value, Failed> {
        self.run.set_status(StepStatus::Waiting)?;
        let (begun, limit) = (Instant::now(), Duration::from_secs(step.timeout_seconds));
        let id = self.run.step_id().to_owned();
        loop {
            if self.is_cancelled() {
                return Err(Failed::because("The image creation was cancelled."));
            }
            let build = self.build;
            let decision = build.local.store.read(|tx| tx.get::<Decision>(&build.scope, DECISION, &id))?;
            if let Some(decision) = decision {
                let outputs = json!({"action": decision.action, "reason": decision.reason});
                if decision.action == "STOP" {
                    self.run.outputs(outputs)?;
                    return Err(Failed::because(format!("The step was stopped: {}", decision.reason)));
                }
                return Ok(outputs);
            }
            if begun.elapsed() >= limit {
                return Err(Failed::because(format!("Step timed out after {} seconds.", step.timeout_seconds)));
            }
            build.local.compute.shared.rest(PATIENCE);
        }
    }

    /// `waitSeconds`, unless the build is cancelled.
    pub(super) fn pause(&self, time: Duration) -> Result<(), Failed> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            if self.is_cancelled() {
                return Err(Failed::because("The image creation was cancelled."));
            }
            self.build.local.compute.shared.rest(PATIENCE.min(time.saturating_sub(begun.elapsed())));
        }
        Ok(())
    }
}
