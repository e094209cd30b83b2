//! For programs. Texts are as they are, control characters included: JSON escapes them.

use crate::trial::{Fact, Kind, Left, Outcome, Reason, Report, StepResult, TrialResult};
use serde::Serialize;

/// The name and version of the format. Fields may be added to it; anything else needs a new number.
const SCHEMA: &str = "amiforge.test/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    /// RFC 3339.
    started: &'a str,
    seconds: f64,
    /// Whether at least one trial ran and none ended badly.
    passed: bool,
    interrupted: bool,
    /// How the program ends.
    exit: u8,
    summary: Summary,
    trials: Vec<Trial<'a>>,
}

#[derive(Serialize)]
struct Summary {
    trials: usize,
    passed: usize,
    failed: usize,
    errors: usize,
    interrupted: usize,
    skipped: usize,
    not_run: usize,
    steps_executed: usize,
}

#[derive(Serialize)]
struct Trial<'a> {
    name: &'a str,
    subject: &'a str,
    kind: Kind,
    row: &'a str,
    root: &'a str,
    outcome: Outcome,
    seconds: f64,
    reason: Option<Why<'a>>,
    steps: &'a [StepResult],
    facts: &'a [Fact],
    notes: &'a [String],
    kept: Option<&'a Left>,
}

/// Why it did not pass.
#[derive(Serialize)]
struct Why<'a> {
    /// A code that `amiforge explain` knows.
    code: &'static str,
    message: &'a str,
    /// `file:line:column` of the step; null where no step is to blame.
    place: Option<String>,
    component: Option<&'a str>,
    phase: Option<&'a str>,
    step: Option<&'a str>,
    action: Option<&'a str>,
    attempt: Option<u32>,
    max_attempts: Option<u32>,
    last_lines: &'a [String],
    next: &'a [String],
}

/// A line of a stream: one trial, or the end.
#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    schema: &'static str,
    event: &'a str,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct End<'a> {
    started: &'a str,
    seconds: f64,
    passed: bool,
    interrupted: bool,
    exit: u8,
    summary: Summary,
}

/// One JSON document, with a line break at its end.
#[must_use]
pub fn json(report: &Report) -> String {
    let document = Document {
        schema: SCHEMA,
        started: &report.started,
        seconds: report.seconds,
        passed: report.passed(),
        interrupted: report.interrupted,
        exit: report.exit_code(),
        summary: summary(report),
        trials: report.trials.iter().map(trial).collect(),
    };
    // Writing texts and numbers into memory cannot fail.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

/// One trial as a line of a stream.
#[must_use]
pub fn ndjson_trial(result: &TrialResult) -> String {
    one_line(&Line { schema: SCHEMA, event: "trial", content: trial(result) })
}

/// The last line of a stream: the verdict.
#[must_use]
pub fn ndjson_end(report: &Report) -> String {
    let content = End {
        started: &report.started,
        seconds: report.seconds,
        passed: report.passed(),
        interrupted: report.interrupted,
        exit: report.exit_code(),
        summary: summary(report),
    };
    one_line(&Line { schema: SCHEMA, event: "end", content })
}

fn one_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

fn summary(report: &Report) -> Summary {
    Summary {
        trials: report.trials.len(),
        passed: report.count(Outcome::Passed),
        failed: report.count(Outcome::Failed),
        errors: report.count(Outcome::Error),
        interrupted: report.count(Outcome::Interrupted),
        skipped: report.count(Outcome::Skipped),
        not_run: report.count(Outcome::NotRun),
        steps_executed: report.trials.iter().map(TrialResult::executed).sum(),
    }
}

fn trial(result: &TrialResult) -> Trial<'_> {
    Trial {
        name: &result.name,
        subject: &result.subject,
        kind: result.kind,
        row: &result.row,
        root: &result.root,
        outcome: result.outcome,
        seconds: result.seconds,
        reason: result.reason.as_ref().map(|reason| why(result, reason)),
        steps: &result.steps,
        facts: &result.facts,
        notes: &result.notes,
        kept: result.left.as_ref(),
    }
}

fn why<'a>(result: &'a TrialResult, reason: &'a Reason) -> Why<'a> {
    let step = reason.step.and_then(|number| result.steps.get(number));
    Why {
        code: reason.diagnostic.code,
        message: &reason.message,
        place: reason.diagnostic.place(),
        component: step.map(|step| step.document.as_str()),
        phase: step.map(|step| step.phase.as_str()),
        step: step.map(|step| step.step.as_str()),
        action: step.map(|step| step.action.as_str()),
        attempt: step.map(|step| step.attempts),
        max_attempts: step.map(|step| step.max_attempts),
        last_lines: step.map_or(&[], |step| &step.last_lines),
        next: &reason.next,
    }
}
