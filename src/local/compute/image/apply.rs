//! `ExecuteComponents`: component documents in an instance, through restarts, to a result.

use super::ImageRecord;
use super::outside::Surroundings;
use super::resolve::Component;
use crate::clock::rfc3339;
use crate::drive::{Told, drive};
use crate::event::{Event, Stage};
use crate::local::Local;
use crate::local::compute::command::{
    COMMAND, Capture, CommandRecord, CommandStatus, RUN_SHELL_SCRIPT, STDERR_LIMIT, STDOUT_LIMIT,
};
use crate::local::compute::state::Live;
use crate::local::store::{Scope, StoreError};
use crate::runner::output::{Recorder, Said};
use crate::runner::{Request, RunEvent, RunStatus, StepFailure, StepPlace, Summary};
use crate::sandbox::{self, Fact};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where the runner keeps its state in the instance; part of what is removed before the image is made.
const STATE_DIRECTORY: &str = "/var/lib/amazon/toe/state";

/// Where and for what the components run.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) local: &'a Local,
    pub(super) scope: &'a Scope,
    pub(super) image: &'a ImageRecord,
    pub(super) stage: Stage,
    /// `BUILDING` or `TESTING`.
    pub(super) phase_word: &'static str,
    pub(super) phases: &'a [&'a str],
    pub(super) workflow_id: &'a str,
    pub(super) step_id: &'a str,
    pub(super) instance_id: &'a str,
    pub(super) command_id: &'a str,
    pub(super) timeout: Duration,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Applied {
    /// `outputs` of the workflow step.
    pub(super) outputs: Value,
    /// Absent: success.
    pub(super) failure: Option<ApplyFailure>,
}

/// Why components failed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApplyFailure {
    /// In the service's words.
    pub(super) message: String,
    /// The step that failed, when one did.
    pub(super) step: Option<StepFailure>,
}

/// The record of a run, and what of it a command record can hold.
struct Log {
    recorder: Recorder,
    /// What became of each step, by document, phase and name; one that ran again has its last end.
    steps: Vec<Value>,
    out: Capture,
    err: Capture,
}

impl Log {
    /// Remembers the end of a step.
    fn note(&mut self, event: &RunEvent) {
        let RunEvent::StepFinished { place: StepPlace { document, phase, step, .. }, status, message, .. } = event
        else {
            return;
        };
        let of_step = json!({"document": document, "phase": phase, "step": step});
        let same = |known: &Value| ["document", "phase", "step"].iter().all(|key| known[*key] == of_step[*key]);
        let mut end = of_step.clone();
        end["status"] = json!(status);
        end["message"] = json!(message.as_deref().unwrap_or_default());
        match self.steps.iter_mut().find(|known| same(known)) {
            Some(known) => *known = end,
            None => self.steps.push(end),
        }
    }

    fn keep(&mut self, said: Vec<Said>) {
        for line in said {
            self.out.line(&line.text);
            if line.complaint {
                self.err.line(&line.text);
            }
        }
    }
}

impl Task<'_> {
    /// Runs the components and tells the result. The command record exists while it runs.
    pub(super) fn apply(&self, live: &Live, components: &[Component]) -> Result<Applied, StoreError> {
        let folder = self.log_folder();
        let request = self.request(components);
        let clock = &self.local.config.clock;
        let recorder = Recorder::create(&folder, self.command_id, &request.documents, clock).unwrap_or_else(|error| {
            tracing::warn!(folder = %folder.display(), %error, "the build log cannot be written");
            Recorder::nowhere(&folder, self.command_id, clock)
        });
        let mut log =
            Log { recorder, steps: Vec::new(), out: Capture::new(STDOUT_LIMIT), err: Capture::new(STDERR_LIMIT) };
        let record = self.begin_record()?;
        let begun = Instant::now();
        let mut outside = self.outside();
        let ended = drive(live, &request, &mut outside, Some(self.timeout), &mut |told| self.hear(told, &mut log));
        let (summary, failure) = match ended {
            Ok(summary) => {
                let failure = failure_of(&summary);
                (Some(summary), failure)
            }
            Err(error) => {
                let message = error.to_string();
                let said = log.recorder.broken(&message);
                log.keep(said);
                (None, Some(ApplyFailure { message, step: None }))
            }
        };
        let status = status(summary.as_ref(), failure.as_ref());
        self.end_record(record, &log, status, begun.elapsed())?;
        let output =
            summary.map(|summary| summary_json(&summary, &folder, &live.facts(), &log.steps)).unwrap_or_default();
        let outputs = json!({"runCommandId": self.command_id, "status": status.word(), "output": output});
        Ok(Applied { outputs, failure })
    }

    /// Writes down and tells what happens.
    fn hear(&self, told: Told<'_>, log: &mut Log) {
        let said = match told {
            Told::Event(event) => {
                self.tell(event);
                log.note(event);
                log.recorder.event(event)
            }
            Told::Stray(line) => log.recorder.line(&format!("Stderr: {line}")),
            Told::Restarting => {
                self.progress("restarting the instance");
                Vec::new()
            }
            Told::Restarted => log.recorder.line("Executor: System has rebooted successfully"),
        };
        log.keep(said);
    }

    /// What components may ask for.
    fn outside(&self) -> Surroundings<'_> {
        let beyond = self.local.config.beyond.open();
        Surroundings { local: self.local, scope: self.scope, instance_id: self.instance_id, beyond }
    }

    /// The folder of the build, and `test/` in it for the test phase.
    fn log_folder(&self) -> PathBuf {
        let folder = self.local.build_logs(&self.image.arn);
        if self.stage == Stage::Test { folder.join("test") } else { folder }
    }

    fn request(&self, components: &[Component]) -> Request {
        let directory = self.image.recipe.get("workingDirectory").and_then(Value::as_str).unwrap_or("/tmp");
        Request {
            execution_id: self.command_id.to_owned(),
            documents: components.iter().map(Component::request).collect(),
            phases: self.phases.iter().map(|phase| (*phase).to_owned()).collect(),
            state_directory: STATE_DIRECTORY.to_owned(),
            working_directory: directory.to_owned(),
            environment: environment(self),
            ..Request::default()
        }
    }

    fn progress(&self, message: impl Into<String>) {
        self.local.config.events.progress(self.stage, message);
    }

    fn tell(&self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { place: StepPlace { document, phase, step, .. }, attempt, .. } => {
                let name = document.split('/').nth(1).unwrap_or(document);
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.progress(format!("{name}: {phase}: {step}{again}"));
            }
            RunEvent::Output { line, .. } => {
                self.local.config.events.send(Event::Output { stage: self.stage, line: line.clone() });
            }
            _ => {}
        }
    }

    fn begin_record(&self) -> Result<CommandRecord, StoreError> {
        let now = self.local.config.clock.now();
        let record = CommandRecord {
            command_id: self.command_id.to_owned(),
            instance_id: self.instance_id.to_owned(),
            document: RUN_SHELL_SCRIPT.to_owned(),
            comment: format!("Component execution for {}", self.image.arn),
            parameters: BTreeMap::new(),
            requested_at: rfc3339(now),
            requested_epoch: now.unix_timestamp(),
            started_at: Some(rfc3339(now)),
            ended_at: None,
            seconds: 0.0,
            status: CommandStatus::InProgress,
            details: CommandStatus::InProgress.word().to_owned(),
            response_code: -1,
            stdout: String::new(),
            stderr: String::new(),
        };
        self.local.store.write(|tx| tx.put(self.scope, COMMAND, &record.key(), &record))?;
        Ok(record)
    }

    fn end_record(
        &self,
        mut record: CommandRecord,
        log: &Log,
        status: CommandStatus,
        took: Duration,
    ) -> Result<(), StoreError> {
        record.status = status;
        status.word().clone_into(&mut record.details);
        record.response_code = i32::from(status != CommandStatus::Success);
        record.ended_at = Some(rfc3339(self.local.config.clock.now()));
        record.seconds = took.as_secs_f64();
        (record.stdout, record.stderr) = (log.out.text().to_owned(), log.err.text().to_owned());
        self.local.store.write(|tx| tx.put(self.scope, COMMAND, &record.key(), &record))
    }
}

/// The clean environment of instances without `HOME`, which the service does not set either
/// (component-documents.md section 12), and with what it does set (6.5).
fn environment(task: &Task<'_>) -> BTreeMap<String, String> {
    let mut environment = sandbox::environment();
    environment.remove("HOME");
    let image = task.image;
    for (name, value) in [
        ("IMAGE_WORKFLOW_EXECUTION_ID", task.workflow_id),
        ("IMAGE_STEP_EXECUTION_ID", task.step_id),
        ("IMAGE_BUILD_VERSION_ARN", &image.arn),
        ("IMAGE_PIPELINE_ARN", ""),
        ("IMAGE_PHASE", task.phase_word),
        ("IMAGE_VERSION", &image.version),
        ("IMAGE_BUILD_VERSION", &image.build.to_string()),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    environment
}

fn failure_of(summary: &Summary) -> Option<ApplyFailure> {
    if summary.status == RunStatus::Success {
        return None;
    }
    Some(ApplyFailure { message: summary.failure_message.clone(), step: summary.failure.clone() })
}

fn status(summary: Option<&Summary>, failure: Option<&ApplyFailure>) -> CommandStatus {
    match (summary.map(|summary| summary.status), failure) {
        (Some(RunStatus::Success), None) => CommandStatus::Success,
        (Some(RunStatus::TimedOut), _) => CommandStatus::TimedOut,
        _ => CommandStatus::Failed,
    }
}

/// What awstoe prints: the summary with `logUrl`, and ours besides: the step that failed, with its last lines, and what
/// was not as it would be on a machine that runs the image, which a gate may require, and what became of each step.
fn summary_json(summary: &Summary, folder: &std::path::Path, facts: &[Fact], steps: &[Value]) -> String {
    let mut value = serde_json::to_value(summary).unwrap_or_default();
    value["logUrl"] = json!(folder.display().to_string());
    let unreal = facts.iter().filter(|fact| !fact.real);
    value["notReal"] = unreal.map(|fact| json!({"name": fact.name, "why": fact.why})).collect();
    value["steps"] = json!(steps);
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(status: RunStatus) -> Summary {
        Summary {
            execution_id: "e".into(),
            status,
            failed_step_count: 0,
            executed_step_count: 3,
            ignored_failed_step_count: 0,
            skipped_step_count: 0,
            failure_message: "Document arn failed!".into(),
            failure: None,
        }
    }

    #[test]
    fn only_success_is_success() {
        assert_eq!(failure_of(&summary(RunStatus::Success)), None);
        for ended in [RunStatus::Failed, RunStatus::TimedOut, RunStatus::RebootRequired] {
            assert!(failure_of(&summary(ended)).is_some(), "{ended:?}");
        }
        assert_eq!(status(None, None), CommandStatus::Failed, "no result is no success");
    }

    #[test]
    fn the_summary_is_awstoes_with_the_log_folder() {
        let text = summary_json(&summary(RunStatus::Success), std::path::Path::new("/logs"), &[], &[]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["executedStepCount"], &value["logUrl"]), (&json!(3), &json!("/logs")));
        assert_eq!((&value["status"], &value["notReal"]), (&json!("success"), &json!([])));
    }

    #[test]
    fn what_was_not_real_is_in_the_summary() {
        let fact = |name, real, why: &str| Fact { name, real, why: why.to_owned() };
        let facts = [fact("init", true, "systemd"), fact("kernel", false, "it is the host's")];
        let text = summary_json(&summary(RunStatus::Success), std::path::Path::new("/logs"), &facts, &[]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["notReal"], json!([{"name": "kernel", "why": "it is the host's"}]));
    }
}
