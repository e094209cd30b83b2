//! The report for CI systems that show test results.

use super::Judged;
use crate::diagnostic::render::printable;
use crate::evidence::{Evidence, TestCase as Ran, TestOutcome, TestStep};
use crate::gate::{Verdict, VerdictStatus};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

/// `JUnit` XML: a suite with a case for each gate, and one for each run of the image's own tests, with a case for each step.
/// What fails is a failure, what is not known or too old an error; what a waiver accepts is a success that says so.
#[must_use]
pub fn junit(judged: &Judged<'_>) -> String {
    let mut out = Report::new("amiforge validate");
    let name = judged.image();
    let mut gates = TestSuite::new(printable(&name));
    gates.add_property(Property::new("evidence", judged.digest));
    for note in judged.notes() {
        gates.add_property(Property::new("waiver", printable(&note)));
    }
    gates.add_test_cases(judged.verdicts.iter().map(|verdict| gate(&name, verdict)));
    if judged.verdicts.is_empty() {
        // A suite without cases is green on every dashboard, and this proves nothing.
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("no gate was evaluated");
        gates.add_test_case(TestCase::new("gates", status));
    }
    out.add_test_suite(gates);
    out.add_test_suites(suites(judged.evidence));
    // Writing into memory cannot fail.
    out.to_string().unwrap_or_default()
}

/// `JUnit` XML of the image's own tests alone; nothing when none ran.
#[must_use]
pub fn tests_junit(evidence: &Evidence) -> Option<String> {
    let mut out = Report::new("tests of the image");
    out.add_test_suites(suites(evidence));
    if out.test_suites.is_empty() {
        return None;
    }
    Some(out.to_string().unwrap_or_default())
}

/// A suite for each run of the image's own tests.
fn suites(evidence: &Evidence) -> Vec<TestSuite> {
    let candidate = &evidence.candidate;
    let name = format!("{} ({}) {}", candidate.recipe, candidate.arch, candidate.ami);
    let cases = evidence.tests.iter().flat_map(|tests| &tests.cases);
    let suite = |case: &Ran| {
        let mut suite = TestSuite::new(printable(&format!("tests of {name}: {}", case.name)));
        let steps = case.steps.as_deref().unwrap_or_default();
        suite.add_test_cases(steps.iter().map(step));
        let told = steps.iter().any(|step| matches!(step.outcome, TestOutcome::Failed | TestOutcome::Unknown));
        // A run of which no step is known, or that failed by something else than a step.
        if steps.is_empty() || (!case.passed && !told) {
            suite.add_test_case(ran(case));
        }
        suite
    };
    cases.map(suite).collect()
}

fn step(step: &TestStep) -> TestCase {
    let mut status = match step.outcome {
        TestOutcome::Passed => TestCaseStatus::success(),
        TestOutcome::Skipped => TestCaseStatus::skipped(),
        TestOutcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        TestOutcome::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let message = match step.outcome {
        TestOutcome::Passed => None,
        TestOutcome::Unknown if step.message.is_empty() => Some("it is not known what became of it".to_owned()),
        _ => Some(printable(&step.message)).filter(|message| !message.is_empty()),
    };
    if let Some(message) = message {
        status.set_message(message);
    }
    let mut case = TestCase::new(printable(&step.step), status);
    case.set_classname(printable(&step.component));
    case
}

fn gate(image: &str, verdict: &Verdict) -> TestCase {
    let details = printable(&verdict.details.join("\n"));
    let mut status = match verdict.status {
        VerdictStatus::Pass | VerdictStatus::Waived => TestCaseStatus::success(),
        VerdictStatus::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        VerdictStatus::Error | VerdictStatus::Stale => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if !verdict.status.approves() {
        status
            .set_message(printable(&verdict.summary))
            .set_type(verdict.status.word())
            .set_description(details.clone());
    }
    let mut case = TestCase::new(verdict.gate.as_str(), status);
    case.set_classname(printable(image));
    case.add_property(Property::new("status", verdict.status.word()));
    case.set_system_out(XmlString::new(format!("{}\n{details}", printable(&verdict.summary))));
    case
}

fn ran(ran: &Ran) -> TestCase {
    let mut status =
        if ran.passed { TestCaseStatus::success() } else { TestCaseStatus::non_success(NonSuccessKind::Failure) };
    let counts =
        format!("{} steps executed, {} failed, {} skipped", ran.executed_steps, ran.failed_steps, ran.skipped_steps);
    if ran.passed && ran.executed_steps == 0 {
        // Nothing was looked at: that is no success.
        status = TestCaseStatus::skipped();
        status.set_message(counts.as_str());
    } else if !ran.passed {
        status.set_message(printable(&ran.message)).set_description(counts.as_str());
    }
    let mut case = TestCase::new(printable(&ran.name), status);
    case.set_system_out(XmlString::new(counts));
    case
}
