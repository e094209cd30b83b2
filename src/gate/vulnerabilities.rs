//! The gate on vulnerabilities.

use super::case::{Case, Outcome};
use super::verdict::{Found, Verdict};
use super::{Context, Promoted, times};
use crate::evidence::{Evidence, Finding};
use crate::project::{Rating, VulnerabilityGate};
use std::fmt::Write as _;

const GATE: &str = "vulnerabilities";

/// An error when there is no scan, stale when it is old; too much is each finding that is worse than allowed.
pub(super) fn check<'a>(gate: &'a VulnerabilityGate, evidence: &'a Evidence, context: &Context<'_>) -> Outcome<'a> {
    let Some(scan) = &evidence.vulnerabilities else {
        return Err(Verdict::error(GATE, "no vulnerability scan was made")
            .detail("have the image scanned, or take `vulnerabilities` out of the recipe's gates"));
    };
    let limit = match gate.max_severity.as_str() {
        "none" => None,
        word => Some(Rating::of(word)),
    };
    if limit == Some(Rating::Unrated) {
        let why = format!("the policy's max_severity `{}` is not known", gate.max_severity);
        return Err(Verdict::error(GATE, why).detail("known are none, low, medium, high and critical"));
    }
    let age = times::age("the vulnerability scan's time", &scan.scanned_at, context.now);
    let age = age.map_err(|why| Verdict::error(GATE, why))?;
    let stale = (age > gate.scanned_within).then(|| {
        let (age, within) = (times::human(age), times::human(gate.scanned_within));
        format!("the vulnerability scan is {age} old, at most {within} are allowed")
    });
    let (known, note) = if gate.only_new { promoted(&context.promoted) } else { (&[][..], None) };
    let allowed = |finding: &&Finding| {
        let without_fix = gate.with_fix_only && finding.fixed_in.is_none();
        let mild = limit.is_some_and(|limit| Rating::of(&finding.severity) <= limit);
        without_fix || mild || known.iter().any(|known| is_no_worse(finding, known))
    };
    let (accepted, mut bad): (Vec<&Finding>, Vec<&Finding>) = scan.findings.iter().partition(allowed);
    bad.sort_by_key(|finding| (std::cmp::Reverse(Rating::of(&finding.severity)), &finding.id, &finding.package));
    let limit = if limit.is_none() { "no finding".to_owned() } else { format!("at most {}", gate.max_severity) };
    let total = scan.findings.len();
    let good = format!("{total} findings, none worse than allowed ({limit})");
    let findings: Vec<Found> = bad.into_iter().map(found).collect();
    let mut case = Case::limited(GATE, findings, good, move |open: &[usize]| {
        let count = open.len();
        (count > 0).then(|| format!("{count} of {total} findings are worse than allowed ({limit})"))
    });
    let only = if gate.with_fix_only { ", only those with a fix count" } else { "" };
    case.looked_at.extend(note);
    let source = if scan.source.is_empty() { String::new() } else { format!(" by {}", scan.source) };
    let looked = format!("looked at: scan of {}{source}, {} findings accepted{only}", scan.scanned_at, accepted.len());
    Ok(case.stale(stale).looked_at(looked))
}

/// What is promoted has these findings, or why each finding counts as new.
fn promoted<'a>(promoted: &Promoted<'a>) -> (&'a [Finding], Option<String>) {
    let all_new = |why: &str| (&[][..], Some(format!("every finding counts as new: {why}")));
    match promoted {
        Promoted::Nothing => all_new("nothing is promoted yet"),
        Promoted::Unknown(why) => all_new(why),
        Promoted::Known(evidence) => match &evidence.vulnerabilities {
            None => all_new(&format!("the promoted {} was not scanned", evidence.candidate.ami)),
            Some(scan) => {
                let note =
                    format!("only what {} has not counts (its scan is of {})", evidence.candidate.ami, scan.scanned_at);
                (&scan.findings, Some(note))
            }
        },
    }
}

/// Whether the promoted image has the same vulnerability, and not a milder one.
fn is_no_worse(finding: &Finding, known: &Finding) -> bool {
    (&finding.id, &finding.package) == (&known.id, &known.package)
        && Rating::of(&finding.severity) <= Rating::of(&known.severity)
}

fn found(finding: &Finding) -> Found {
    let Finding { id, severity, package, version, fixed_in, first_seen } = finding;
    let mut what = match fixed_in {
        Some(version) => format!("{severity} {id} in {package}, fixed in {version}"),
        None => format!("{severity} {id} in {package}, no fix yet"),
    };
    if let Some(seen) = first_seen {
        let _ = write!(what, ", first seen {seen}");
    }
    Found::new(id, what).in_package(package, version.as_deref())
}
