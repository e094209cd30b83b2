//! From what is known of a build to what its causes are looked for in: one place that failed, and lines of evidence.

use super::record::Record;
use super::toe::{self, Failed};
use crate::build::Phase;
use serde::Serialize;

/// Lines of a step that are looked at; what made it fail stands at the end.
const MOST_LINES: usize = 400;
/// Lines that are shown.
const LAST_LINES: usize = 20;

/// Where a line of evidence stood. The order is that of their worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// What the step that failed wrote.
    Output,
    /// What the runner says of the step.
    Message,
    /// What the workflow or one of its steps says.
    Workflow,
    /// The reason in the state of the image.
    Image,
    /// What the copy to a Region says.
    Distribution,
    /// No line: the exit code, a state, a count.
    Fact,
}

impl Source {
    /// In a sentence: "in …".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Output => "the step's output",
            Self::Message => "the runner's message",
            Self::Workflow => "the workflow's message",
            Self::Image => "the image's state",
            Self::Distribution => "the distribution's message",
            Self::Fact => "what is known of the build",
        }
    }
}

/// A line that may say why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stood.
    pub source: Source,
    /// The line.
    pub text: String,
}

/// What the causes of a failure are looked for in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// State of the image.
    pub status: String,
    /// Build or test.
    pub phase: Option<Phase>,
    /// Name of the workflow step that failed.
    pub workflow_step: Option<String>,
    /// Name of the component.
    pub component: Option<String>,
    /// Phase of its document.
    pub component_phase: Option<String>,
    /// Step of the phase.
    pub step: Option<String>,
    /// Action module of the step.
    pub action: Option<String>,
    /// One-based line of the step in its document.
    pub line: Option<usize>,
    /// Exit code; that of a program killed by a signal is 128 and the signal's number.
    pub exit: Option<i32>,
    /// Whether the time of the step was up.
    pub timed_out: bool,
    /// How often the machine was restarted on request.
    pub restarts: usize,
    /// Why, in one sentence or two.
    pub message: String,
    /// What the step wrote last, oldest first.
    pub last_lines: Vec<String>,
    /// Everything that may say why.
    pub lines: Vec<Line>,
}

impl Facts {
    /// Takes out of a record what matters.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let phase = phase(record);
        let (failed, restarts) = failed(record, phase);
        let workflow_step = record.failed_workflow().and_then(|run| run.failed_step()).map(|step| step.name.clone());
        let context = record.image.state.failure_context.as_ref();
        let workflow_step = workflow_step.or_else(|| context.map(|context| context.failed_step.clone()));
        let written = written(&failed.lines);
        let last_lines = match written.as_slice() {
            [] => regions(record),
            written => written[written.len().saturating_sub(LAST_LINES)..].to_vec(),
        };
        Self {
            status: record.image.state.status.clone(),
            phase,
            workflow_step: workflow_step.filter(|name| !name.is_empty()),
            lines: lines(record, &failed, &written),
            last_lines,
            component: failed.document.as_deref().map(component_name),
            component_phase: failed.phase,
            step: failed.step,
            action: failed.action,
            line: failed.line,
            exit: failed.exit,
            timed_out: failed.timed_out,
            restarts,
            message: failed.message.unwrap_or_default(),
        }
    }

    /// Whether there is something to explain.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.status.as_str(), "FAILED" | "CANCELLED") || self.step.is_some() || self.workflow_step.is_some()
    }
}

/// The half of the build that failed: of the workflow, or as the image's state says.
fn phase(record: &Record) -> Option<Phase> {
    let run = record.failed_workflow().map(|run| run.r#type.as_str());
    let context = record.image.state.failure_context.as_ref().map(|context| context.image_status.as_str());
    match (run, context) {
        (Some("TEST"), _) | (None, Some("TESTING")) => Some(Phase::Test),
        (Some(_), _) | (None, Some(_)) => Some(Phase::Build),
        (None, None) => None,
    }
}

/// The step that failed, put together from all that speak of it, the best informed first.
fn failed(record: &Record, phase: Option<Phase>) -> (Failed, usize) {
    let mut found = Failed::default();
    let run = record.failed_workflow();
    let step = run.and_then(|run| run.failed_step());
    if let Some(summary) = step.and_then(|step| toe::summary(&step.outputs)) {
        found = found.or(toe::of_summary(&summary));
    }
    let folder = if phase == Some(Phase::Test) { "test/" } else { "build/" };
    let named = |name: &str| {
        let found = record.logs.iter().filter(move |(path, _)| path.starts_with(folder) || !path.contains('/'));
        found.filter(|(path, _)| path.rsplit('/').next() == Some(name)).map(|(_, text)| text.as_str()).next()
    };
    if let Some(detail) = named("detailedoutput.json").and_then(toe::of_detail) {
        found = merge(found, detail);
    }
    let console = named("console.log").map(toe::of_console).unwrap_or_default();
    found = merge(found, console.failed.unwrap_or_default());
    let mut restarts = console.restarts;
    if let Some(command) = command(record) {
        let text = format!("{}\n{}", command.standard_output_content, command.standard_error_content);
        let read = toe::of_console(&text);
        restarts = restarts.max(read.restarts);
        found = merge(found, read.failed.unwrap_or_default());
        if found.lines.is_empty() {
            found.lines = text.lines().map(|line| toe::without_time(line).to_owned()).collect();
        }
    }
    found = found.or(of_context(record));
    let said = step.map(|step| &step.message).filter(|text| !text.is_empty());
    let reason = Some(&record.image.state.reason).filter(|text| !text.is_empty());
    found.message = found.message.or_else(|| said.or(reason).cloned());
    for text in [said, reason].into_iter().flatten() {
        found.exit = found.exit.or_else(|| toe::exit_code(text));
    }
    (found, restarts)
}

/// The longer record of what a step wrote is the better one: a summary keeps a few lines only.
fn merge(found: Failed, other: Failed) -> Failed {
    let same = found.step.is_none() || other.step.is_none() || found.step == other.step;
    let longer = same && other.lines.len() > found.lines.len();
    let lines = if longer { other.lines.clone() } else { found.lines.clone() };
    // A general sentence about the document gives way to the step's own.
    let general = found.step.is_none() && other.message.is_some();
    let found = if general { Failed { message: None, ..found } } else { found };
    Failed { lines, ..found.or(other) }
}

/// The command that ran the components of the failed workflow; the last one, where none is named.
fn command(record: &Record) -> Option<&super::record::Command> {
    let step = record.failed_workflow().and_then(|run| run.failed_step());
    let id = step.and_then(|step| toe::field(&step.outputs, "runCommandId"));
    match id {
        Some(id) => record.commands.iter().find(|command| command.command_id == id),
        None => record.commands.last(),
    }
}

/// `failureContext` of the image.
fn of_context(record: &Record) -> Failed {
    let context = record.image.state.failure_context.as_ref();
    let Some(component) = context.and_then(|context| context.component_failure.as_ref()) else {
        return Failed::default();
    };
    let filled = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Failed {
        document: filled(&component.component_arn),
        phase: filled(&component.phase_name),
        step: filled(&component.step_name),
        action: filled(&component.action),
        message: filled(&component.error_message),
        exit: toe::exit_code(&component.error_message),
        timed_out: toe::timed_out(&component.error_message),
        ..Failed::default()
    }
}

/// What a step wrote, without empty lines and without what the runner says of itself.
fn written(lines: &[String]) -> Vec<String> {
    let own = |line: &&String| {
        let line = line.trim();
        !line.is_empty()
            && !["CmdExecution: ", "TOE has completed", "Executor: "].iter().any(|own| line.starts_with(own))
    };
    let lines: Vec<String> = lines.iter().filter(own).cloned().collect();
    lines[lines.len().saturating_sub(MOST_LINES)..].to_vec()
}

fn regions(record: &Record) -> Vec<String> {
    let context = record.image.state.failure_context.as_ref();
    let Some(failure) = context.and_then(|context| context.distribution_failure.as_ref()) else { return vec![] };
    let line = |region: &super::record::RegionFailure| {
        let name = if region.region.is_empty() { "a Region" } else { &region.region };
        let message = if region.error_message.is_empty() { "no reason was given" } else { &region.error_message };
        format!("{name}: {message}")
    };
    failure.region_failures.iter().map(line).collect()
}

fn lines(record: &Record, failed: &Failed, written: &[String]) -> Vec<Line> {
    let mut all: Vec<Line> = Vec::new();
    let mut add = |source: Source, text: &str| {
        let lines = text.lines().map(str::trim).filter(|text| !text.is_empty());
        all.extend(lines.map(|text| Line { source, text: text.to_owned() }));
    };
    for line in written {
        add(Source::Output, line);
    }
    add(Source::Message, failed.message.as_deref().unwrap_or_default());
    for run in record.workflows.iter().filter(|run| run.failed()) {
        run.steps.iter().filter(|step| step.failed()).for_each(|step| add(Source::Workflow, &step.message));
        add(Source::Workflow, &run.message);
    }
    add(Source::Image, &record.image.state.reason);
    if let Some(failure) =
        record.image.state.failure_context.as_ref().and_then(|context| context.distribution_failure.as_ref())
    {
        add(Source::Distribution, &failure.error_message);
    }
    for line in regions(record) {
        add(Source::Distribution, &line);
    }
    all
}

/// The name in a component ARN; anything else as it is.
fn component_name(document: &str) -> String {
    let name = document.split_once(":component/").and_then(|(_, path)| path.split('/').next());
    name.unwrap_or(document).to_owned()
}
