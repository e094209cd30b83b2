//! What is asked of the runner, and what it answers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// One execution: documents in order, the phases to run in each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Names the execution; a re-run with the same id after a reboot resumes.
    pub execution_id: String,
    /// Documents in order.
    pub documents: Vec<DocumentRequest>,
    /// Phases to run, for example `build` and `validate`; document order decides, not this order. Empty: all. A phase that
    /// no document has is no fault: nothing of it is run.
    pub phases: Vec<String>,
    /// Directory (on this machine) in which state is kept across reboots.
    pub state_directory: String,
    /// Working directory of steps.
    pub working_directory: String,
    /// The whole environment of commands; nothing is inherited.
    pub environment: BTreeMap<String, String>,
    /// What `context:` expressions tell and only who asks can know.
    #[serde(default)]
    pub context: Context,
    /// Action modules that no document may use, nested ones included: such a document is refused before anything runs.
    #[serde(default)]
    pub blocked_modules: Vec<String>,
}

/// Facts about an execution that the machine itself does not know (component-documents.md 6.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The AWS account; an expression that asks for it fails if it is not given.
    #[serde(default)]
    pub account_id: Option<String>,
    /// The Region; as above.
    #[serde(default)]
    pub region: Option<String>,
    /// The time; the clock of the machine if it is not given.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub now: Option<OffsetDateTime>,
}

/// One document of a [`Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentRequest {
    /// How it is named in results: a file name or component ARN.
    pub name: String,
    /// The YAML text.
    pub text: String,
    /// Parameter values.
    pub parameters: BTreeMap<String, String>,
}

/// A step: where it stands and what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepPlace {
    /// The document.
    pub document: String,
    /// The phase.
    pub phase: String,
    /// The step.
    pub step: String,
    /// Its action module.
    pub action: String,
    /// One-based line of the step in the document.
    pub line: usize,
}

/// What the runner tells while it works. One JSON object per line on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RunEvent {
    /// A document begins, or goes on after a restart.
    DocumentStarted {
        /// The document.
        document: String,
        /// Its `description`.
        description: String,
    },
    /// A phase begins, or goes on after a restart.
    PhaseStarted {
        /// The document.
        document: String,
        /// The phase.
        phase: String,
    },
    /// A step begins (attempt counts from 1).
    StepStarted {
        /// Which one.
        place: StepPlace,
        /// Which attempt, from 1.
        attempt: u32,
        /// `timeoutSeconds`; -1 for no limit.
        timeout_seconds: i64,
        /// `onFailure`.
        on_failure: String,
        /// `maxAttempts`.
        max_attempts: u32,
    },
    /// A line of a step's output.
    Output {
        /// Where it was written to.
        stream: Stream,
        /// The line without its end.
        line: String,
    },
    /// An expression got its value; never told for secrets and where `disableLogging` says so.
    Substituted {
        /// The text between the braces.
        expression: String,
        /// What took its place.
        value: String,
    },
    /// A step ended.
    StepFinished {
        /// Which one.
        place: StepPlace,
        /// How it ended.
        status: StepStatus,
        /// How long its last attempt took.
        seconds: f64,
        /// Why it failed or was skipped.
        message: Option<String>,
        /// How many attempts there were; 0 if its `if` kept it from running.
        attempts: u32,
        /// The last lines of its output, oldest first.
        last_lines: Vec<String>,
        /// Its inputs with all expressions replaced, one map per item; JSON of the shapes of the language. Of a loop those of
        /// the last iteration. Secrets are replaced by `***`, long texts cut. None where `disableLogging` says so.
        inputs: Vec<serde_json::Value>,
        /// What it produced, one map per item, as above; `null` stands for what was too long to be kept.
        outputs: Vec<serde_json::Value>,
        /// How its loop went; `None` without one.
        repeat: Option<LoopResult>,
    },
    /// A phase ended.
    PhaseFinished {
        /// The document.
        document: String,
        /// The phase.
        phase: String,
        /// How it ended.
        status: PhaseStatus,
        /// Why it failed.
        message: Option<String>,
    },
    /// A document ended.
    DocumentFinished {
        /// The document.
        document: String,
        /// How it ended.
        status: PhaseStatus,
        /// Why it failed.
        message: Option<String>,
    },
    /// Something happened in a document that the current step executes (`ExecuteDocument`).
    Nested {
        /// What; [`RunEvent::Finished`] is the end of that execution.
        event: Box<RunEvent>,
    },
    /// The execution ended; always the last event.
    Finished {
        /// The result.
        summary: Summary,
    },
}

/// How the loop of a step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopResult {
    /// The loop's name, or `loop`.
    pub name: String,
    /// How many iterations there were to be.
    pub iterations: u64,
    /// How many succeeded.
    pub succeeded: u64,
    /// The zero-based index of the one that failed.
    pub failed: Option<u64>,
}

/// How a phase or a document ended (component-documents.md 4.3 and 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhaseStatus {
    /// All steps succeeded or were skipped.
    Success,
    /// As before, but for failures that `onFailure: Ignore` said not to mind.
    SuccessWithIgnoredFailure,
    /// A step failed.
    Failed,
    /// A step ran out of time.
    TimedOut,
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepStatus {
    /// It succeeded.
    Success,
    /// It failed.
    Failed,
    /// It failed and `onFailure: Ignore` said not to mind.
    IgnoredFailure,
    /// It did not run, or says of itself that it could not find out what it was to find out (see `runner`).
    Skipped,
    /// It ran out of time.
    TimedOut,
}

/// The result of an execution, as awstoe prints it (component-documents.md 10.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The execution.
    pub execution_id: String,
    /// How it ended.
    pub status: RunStatus,
    /// Steps that failed.
    pub failed_step_count: u32,
    /// Steps that ran.
    pub executed_step_count: u32,
    /// Failures ignored.
    pub ignored_failed_step_count: u32,
    /// Steps skipped.
    pub skipped_step_count: u32,
    /// `Document <name> failed!` and why; empty on success.
    pub failure_message: String,
    /// The first step that failed.
    pub failure: Option<StepFailure>,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunStatus {
    /// All steps succeeded or were ignored.
    Success,
    /// A step failed.
    Failed,
    /// A step ran out of time.
    TimedOut,
    /// The machine must be restarted and the same request run again.
    RebootRequired,
}

/// The step that made an execution fail, with enough to explain it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepFailure {
    /// The document.
    pub document: String,
    /// The phase.
    pub phase: String,
    /// The step.
    pub step: String,
    /// Its action module.
    pub action: String,
    /// One-based line of the step in the document.
    pub line: usize,
    /// Why: exit code, timeout, operating-system error.
    pub message: String,
    /// The last lines of its output, oldest first.
    pub last_lines: Vec<String>,
}
