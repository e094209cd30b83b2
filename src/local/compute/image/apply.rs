//! `ExecuteComponents`: component documents in an instance, through restarts, to a result.

use super::ImageRecord;
use super::console::Console;
use super::detail::Detail;
use super::resolve::Component;
use crate::clock::rfc3339;
use crate::event::{Event, Stage};
use crate::local::Local;
use crate::local::compute::command::{COMMAND, CommandRecord, CommandStatus, RUN_SHELL_SCRIPT};
use crate::local::compute::state::Live;
use crate::local::store::{Scope, StoreError};
use crate::runner::{Request, RunEvent, RunStatus, StepFailure, StepPlace, Summary};
use crate::sandbox::{self, Exit, Job, Line, SandboxError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Restarts that the components of one step may ask for.
const MOST_REBOOTS: u32 = 20;

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

/// What the attempts of a run led to.
enum End {
    Summary(Summary),
    Broken(String),
}

impl Task<'_> {
    /// Runs the components and tells the result. The command record exists while it runs.
    pub(super) fn apply(&self, live: &Live, components: &[Component]) -> Result<Applied, StoreError> {
        let folder = self.log_folder();
        if let Err(error) = fs::create_dir_all(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "the folder of the build log cannot be made");
        }
        let mut console = Console::create(&folder.join("console.log"), &self.local.config.clock);
        let mut detail = Detail::default();
        let record = self.begin_record()?;
        let begun = Instant::now();
        let end = self.attempts(live, components, &mut console, &mut detail);
        let (summary, failure) = match end {
            End::Summary(summary) => {
                let failure = failure_of(&summary);
                (Some(summary), failure)
            }
            End::Broken(message) => {
                console.complaint(&message);
                (None, Some(ApplyFailure { message, step: None }))
            }
        };
        write_json(&folder.join("detailedoutput.json"), &detail.json(summary.as_ref()));
        let status = status(summary.as_ref(), failure.as_ref());
        self.end_record(record, &console, status, begun.elapsed())?;
        let output = summary.map(|summary| summary_json(&summary, &folder)).unwrap_or_default();
        let outputs = json!({"runCommandId": self.command_id, "status": status.word(), "output": output});
        Ok(Applied { outputs, failure })
    }

    /// `logs/<image name>/<version>/<build>/`, and `test/` in it for the test phase.
    fn log_folder(&self) -> PathBuf {
        let image = self.image;
        let logs = self.local.config.state.join("logs");
        let name = image.arn.split('/').nth(1).unwrap_or(&image.name);
        let folder = logs.join(name).join(&image.version).join(image.build.to_string());
        if self.stage == Stage::Test { folder.join("test") } else { folder }
    }

    /// Runs the same request until it needs no more restart.
    fn attempts(&self, live: &Live, components: &[Component], console: &mut Console, detail: &mut Detail) -> End {
        let payload = match serde_json::to_vec(&self.request(components)) {
            Ok(payload) => payload,
            Err(error) => {
                return End::Broken(format!("the request for the component runner cannot be written: {error}"));
            }
        };
        let deadline = Instant::now() + self.timeout;
        for reboots in 0..=MOST_REBOOTS {
            let timeout = deadline.saturating_duration_since(Instant::now());
            let summary = match self.attempt(live, &payload, timeout, console, detail) {
                Ok(summary) => summary,
                Err(message) => return End::Broken(message),
            };
            if summary.status != RunStatus::RebootRequired {
                return End::Summary(summary);
            }
            if reboots == MOST_REBOOTS {
                break;
            }
            self.progress("restarting the instance");
            if let Err(error) = live.reboot() {
                return End::Broken(format!("the instance did not come back from its restart: {error}"));
            }
            console.line("Executor: System has rebooted successfully");
        }
        End::Broken(format!(
            "the components asked for more than {MOST_REBOOTS} restarts; a step that exits with 194 must be able to \
             tell that it ran before"
        ))
    }

    fn attempt(
        &self,
        live: &Live,
        payload: &[u8],
        timeout: Duration,
        console: &mut Console,
        detail: &mut Detail,
    ) -> Result<Summary, String> {
        let mut summary = None;
        let mut stray = Vec::new();
        let job = Job::Builtin { payload: payload.to_vec(), timeout: Some(timeout) };
        let exit = live.run(&job, &mut |line| match line {
            Line::Out(line) => match serde_json::from_str::<RunEvent>(&line) {
                Ok(event) => {
                    self.tell(&event);
                    console.event(&event);
                    detail.event(&event, &rfc3339(self.local.config.clock.now()));
                    if let RunEvent::Finished { summary: result } = event {
                        summary = Some(result);
                    }
                }
                Err(_) => stray.push(line),
            },
            Line::Err(line) => {
                console.line(&format!("Stderr: {line}"));
                stray.push(line);
            }
        });
        match exit {
            Ok(Exit::TimedOut) => Err(format!("the components did not end within {} seconds", self.timeout.as_secs())),
            Ok(Exit::Restarted) => summary.ok_or_else(|| {
                "the instance restarted while the components ran; a step that wants a restart exits with 194 or uses the \
                 action Reboot, so that the run can be resumed after it"
                    .to_owned()
            }),
            Ok(exit) => summary.ok_or_else(|| {
                let last = stray.last().map(|line| format!("; its last line was: {line}")).unwrap_or_default();
                format!("the component runner ended without a result ({exit:?}){last}")
            }),
            Err(SandboxError::Gone) => Err("the instance was terminated while the components ran".to_owned()),
            Err(error @ SandboxError::SwitchedOff) => Err(format!("{error} while the components ran")),
            Err(error) => Err(format!("the component runner could not be started: {error}")),
        }
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
        console: &Console,
        status: CommandStatus,
        took: Duration,
    ) -> Result<(), StoreError> {
        record.status = status;
        status.word().clone_into(&mut record.details);
        record.response_code = i32::from(status != CommandStatus::Success);
        record.ended_at = Some(rfc3339(self.local.config.clock.now()));
        record.seconds = took.as_secs_f64();
        (record.stdout, record.stderr) = console.texts();
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

/// What awstoe prints: the summary with `logUrl`, and ours besides: the step that failed, with its last lines.
fn summary_json(summary: &Summary, folder: &std::path::Path) -> String {
    let mut value = serde_json::to_value(summary).unwrap_or_default();
    value["logUrl"] = json!(folder.display().to_string());
    value.to_string()
}

fn write_json(path: &std::path::Path, value: &Value) {
    if let Err(error) = fs::write(path, format!("{value:#}\n")) {
        tracing::warn!(path = %path.display(), %error, "the result of the build cannot be written");
    }
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
        let text = summary_json(&summary(RunStatus::Success), std::path::Path::new("/logs"));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["executedStepCount"], &value["logUrl"]), (&json!(3), &json!("/logs")));
        assert_eq!(value["status"], "success");
    }
}
