//! The gate on vulnerabilities.

use super::times;
use super::verdict::{Verdict, VerdictStatus};
use crate::evidence::{Evidence, Finding};
use crate::project::VulnerabilityGate;
use time::OffsetDateTime;

const GATE: &str = "vulnerabilities";

/// How bad a vulnerability is, in the words of scanners and distributions. A word that is not known, and a finding
/// nobody has rated yet, count as worse than everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Informational,
    Low,
    Medium,
    High,
    Critical,
    Unknown,
}

impl Rank {
    fn of(severity: &str) -> Self {
        match severity.to_lowercase().as_str() {
            "informational" | "negligible" | "unimportant" => Self::Informational,
            "low" => Self::Low,
            "medium" | "moderate" => Self::Medium,
            "high" | "important" => Self::High,
            "critical" => Self::Critical,
            _ => Self::Unknown,
        }
    }
}

/// The verdict: an error when there is no scan, stale when it is old, a failure when a finding is worse than allowed.
pub(super) fn check(gate: &VulnerabilityGate, evidence: &Evidence, now: OffsetDateTime) -> Verdict {
    let Some(scan) = &evidence.vulnerabilities else {
        return Verdict::error(GATE, "no vulnerability scan was made")
            .detail("have the image scanned, or take `vulnerabilities` out of the recipe's gates");
    };
    let limit = match gate.max_severity.as_str() {
        "none" => None,
        word => Some(Rank::of(word)),
    };
    if limit == Some(Rank::Unknown) {
        return Verdict::error(GATE, format!("the policy's max_severity `{}` is not known", gate.max_severity))
            .detail("known are none, low, medium, high and critical");
    }
    let age = match times::age("the vulnerability scan's time", &scan.scanned_at, now) {
        Ok(age) => age,
        Err(why) => return Verdict::error(GATE, why),
    };
    let allowed = |finding: &&Finding| {
        let without_fix = gate.with_fix_only && finding.fixed_in.is_none();
        without_fix || limit.is_some_and(|limit| Rank::of(&finding.severity) <= limit)
    };
    let (accepted, mut bad): (Vec<&Finding>, Vec<&Finding>) = scan.findings.iter().partition(allowed);
    bad.sort_by(|a, b| (Rank::of(&b.severity), &a.id, &a.package).cmp(&(Rank::of(&a.severity), &b.id, &b.package)));
    let limit = if limit.is_none() { "no finding".to_owned() } else { format!("at most {}", gate.max_severity) };
    let (status, summary) = if age > gate.scanned_within {
        let (age, within) = (times::human(age), times::human(gate.scanned_within));
        (VerdictStatus::Stale, format!("the vulnerability scan is {age} old, at most {within} are allowed"))
    } else if bad.is_empty() {
        (VerdictStatus::Pass, format!("{} findings, none worse than allowed ({limit})", scan.findings.len()))
    } else {
        (
            VerdictStatus::Fail,
            format!("{} of {} findings are worse than allowed ({limit})", bad.len(), scan.findings.len()),
        )
    };
    let mut verdict = Verdict::new(GATE, status, summary);
    verdict.details = bad.into_iter().map(describe).collect();
    let only = if gate.with_fix_only { ", only those with a fix count" } else { "" };
    verdict.detail(format!("looked at: scan of {}, {} findings accepted{only}", scan.scanned_at, accepted.len()))
}

fn describe(finding: &Finding) -> String {
    let Finding { id, severity, package, fixed_in } = finding;
    match fixed_in {
        Some(version) => format!("{severity} {id} in {package}, fixed in {version}"),
        None => format!("{severity} {id} in {package}, no fix yet"),
    }
}
