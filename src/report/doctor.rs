//! What `doctor` prints.

use crate::diagnostic::render::printable;
use crate::doctor::{CheckReport, Finding, Report, Status};
use std::fmt::Write as _;

/// For people: what is not ok with all there is to know, what is ok in a line.
#[must_use]
pub fn doctor(report: &Report) -> String {
    let mut text = format!("environment {} of {}\n\n", report.environment, report.project);
    for check in &report.checks {
        text_check(&mut text, check);
    }
    let mut counts: Vec<String> = Vec::new();
    for status in [Status::Problem, Status::Unknown, Status::Warning, Status::Ok] {
        let count = report.count(status);
        if count > 0 {
            counts.push(format!("{count} {}", status.word()));
        }
    }
    let _ = writeln!(text, "\n{}", counts.join(", "));
    text
}

fn text_check(text: &mut String, check: &CheckReport) {
    let _ = writeln!(text, "{:<8} {:<17} {}", check.status.word(), check.id, check.title);
    for finding in &check.findings {
        text_finding(text, finding);
    }
}

fn text_finding(text: &mut String, finding: &Finding) {
    let sign = match finding.status {
        Status::Ok => '=',
        Status::Warning => '~',
        Status::Unknown => '?',
        Status::Problem => '!',
    };
    let _ = writeln!(text, "  {sign} {}", printable(&finding.what));
    if let Some(why) = &finding.why {
        let _ = writeln!(text, "      why   {}", printable(why));
    }
    for next in &finding.next {
        let _ = writeln!(text, "      next  {}", printable(next));
    }
    if let Some(policy) = &finding.policy {
        for line in policy.json().lines() {
            let _ = writeln!(text, "      | {line}");
        }
    }
}
