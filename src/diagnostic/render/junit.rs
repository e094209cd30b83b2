//! The report for CI systems that show test results.

use super::{Report, printable, sorted, title, whole_message, word};
use crate::diagnostic::Diagnostic;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;

/// The suite of what has no place in a file.
const NOWHERE: &str = "amiforge lint";

/// `JUnit` XML: a suite for each document, in it a case for each finding.
///
/// Findings from [`Report::fail_on`] on are failed cases. Those below it are passed cases with their text as output: a
/// dashboard that turns red while the run is green helps nobody. A document without a finding is one passed case, so that
/// what was looked at is counted.
pub fn junit(report: &Report<'_>) -> String {
    let mut suites: BTreeMap<(bool, &str), Vec<TestCase>> =
        report.documents.iter().map(|name| ((false, name.as_str()), Vec::new())).collect();
    for diagnostic in sorted(report.findings) {
        let name = diagnostic.primary.as_ref().map(|label| label.source.name.as_str());
        let suite = name.map_or((true, NOWHERE), |name| (false, name));
        suites.entry(suite).or_default().push(case(diagnostic, suite.1, report));
    }
    let mut out = quick_junit::Report::new(NOWHERE);
    for ((_, name), mut cases) in suites {
        if cases.is_empty() {
            let mut case = TestCase::new("no findings", TestCaseStatus::success());
            case.set_classname(printable::line(name));
            cases.push(case);
        }
        let mut suite = TestSuite::new(printable::line(name));
        suite.add_test_cases(cases);
        out.add_test_suite(suite);
    }
    // Writing into memory cannot fail.
    out.to_string().unwrap_or_default()
}

fn case(diagnostic: &Diagnostic, suite: &str, report: &Report<'_>) -> TestCase {
    let place = diagnostic.primary.as_ref().map(|label| label.source.line_column(label.span.start));
    let name = place.map_or_else(
        || title(diagnostic),
        |(line, column)| format!("{} at line {line}, column {column}", title(diagnostic)),
    );
    let message = printable::line(&diagnostic.message);
    let place = diagnostic.place().map(|place| printable::line(&place) + ": ").unwrap_or_default();
    let text = format!("{place}{}: {}", word(diagnostic.severity), whole_message(diagnostic));
    let failed = diagnostic.severity >= report.fail_on;
    let mut status = TestCaseStatus::success();
    if failed {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(message).set_type(word(diagnostic.severity)).set_description(&text);
    }
    let mut case = TestCase::new(name, status);
    case.set_classname(printable::line(suite));
    if !failed {
        case.set_system_out(&text);
    }
    case
}
