//! The report for CI systems that show test results.

use crate::diagnostic::render::{self, printable};
use crate::trial::{Fact, Outcome, Report, Status, StepResult, TrialResult};
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// `JUnit` XML: a suite for each trial, in it a case for each step, one for each thing that was real or skipped because it
/// was not, and one for what is no step's fault. A suite always has a case: what did not run must not look like nothing.
#[must_use]
pub fn junit(report: &Report) -> String {
    let mut out = quick_junit::Report::new("amiforge test");
    out.set_time(duration(report.seconds));
    for trial in &report.trials {
        let mut suite = TestSuite::new(printable(&trial.name));
        suite.set_time(duration(trial.seconds));
        for (name, value) in properties(trial) {
            suite.add_property(Property::new(name, printable(&value)));
        }
        suite.add_test_cases(cases(trial));
        out.add_test_suite(suite);
    }
    // Writing into memory cannot fail.
    out.to_string().unwrap_or_default()
}

fn properties(trial: &TrialResult) -> Vec<(String, String)> {
    let mut properties = vec![
        ("subject".to_owned(), trial.subject.clone()),
        ("row".to_owned(), trial.row.clone()),
        ("root".to_owned(), trial.root.clone()),
        ("outcome".to_owned(), trial.outcome.word().to_lowercase()),
    ];
    properties.extend(trial.facts.iter().map(|fact| (format!("real.{}", fact.name), fact.real.to_string())));
    properties.extend(trial.left.iter().map(|left| ("kept".to_owned(), left.name.clone())));
    properties
}

fn cases(trial: &TrialResult) -> Vec<TestCase> {
    let blamed = trial.reason.as_ref().and_then(|reason| reason.step);
    let mut cases: Vec<TestCase> =
        trial.steps.iter().enumerate().map(|(number, step)| step_case(trial, step, blamed == Some(number))).collect();
    cases.extend(trial.facts.iter().map(|fact| fact_case(trial, fact)));
    if let Some(reason) = trial.reason.as_ref().filter(|reason| reason.step.is_none()) {
        let kind = if trial.outcome == Outcome::Failed { NonSuccessKind::Failure } else { NonSuccessKind::Error };
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(printable(&reason.message)).set_type(reason.diagnostic.code).set_description(text(trial));
        cases.push(case(trial, "the trial itself", status));
    }
    let why = trial.notes.first().map_or(trial.outcome.word(), String::as_str);
    let mut status = match trial.outcome {
        Outcome::Skipped => TestCaseStatus::skipped(),
        // Skipped cases alone are green on every dashboard, and this proves nothing.
        Outcome::NotRun | Outcome::Interrupted => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ => return cases,
    };
    status.set_message(printable(why));
    cases.push(case(trial, "the trial itself", status));
    cases
}

fn case(trial: &TrialResult, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(printable(name), status);
    case.set_classname(printable(&trial.name));
    case
}

fn step_case(trial: &TrialResult, step: &StepResult, blamed: bool) -> TestCase {
    let name = format!("{}: {}: {}", step.document, step.phase, step.step);
    let message = step.message.as_deref().unwrap_or_else(|| step.status.word());
    let status = match step.status {
        Status::Passed | Status::Ignored => TestCaseStatus::success(),
        Status::Skipped | Status::NotRun | Status::Interrupted => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(printable(message));
            status
        }
        Status::Failed | Status::TimedOut => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let description = if blamed { text(trial) } else { lines(step) };
            status.set_message(printable(message)).set_type(step.action.as_str()).set_description(description);
            status
        }
    };
    let mut case = case(trial, &name, status);
    case.set_time(duration(step.seconds));
    case.add_property(Property::new("action", step.action.as_str()));
    case.add_property(Property::new("place", printable(&format!("{}:{}", step.file, step.line))));
    case.add_property(Property::new("attempts", step.attempts.to_string()));
    if step.status == Status::Ignored {
        case.set_system_out(printable(&format!("failed, ignored: {message}\n{}", lines(step))));
    }
    case
}

fn fact_case(trial: &TrialResult, fact: &Fact) -> TestCase {
    let mut status = if fact.real { TestCaseStatus::success() } else { TestCaseStatus::skipped() };
    status.set_message(printable(&fact.why));
    case(trial, &format!("real: {}", fact.name), status)
}

/// The reason as the terminal shows it.
fn text(trial: &TrialResult) -> String {
    trial
        .reason
        .as_ref()
        .map(|reason| render::text(std::slice::from_ref(&reason.diagnostic), false))
        .unwrap_or_default()
}

fn lines(step: &StepResult) -> String {
    printable(&step.last_lines.join("\n"))
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
