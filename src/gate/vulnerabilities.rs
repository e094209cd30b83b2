//! The gate on vulnerabilities.

use super::case::{Case, Outcome};
use super::verdict::{Found, Verdict};
use super::{Context, Promoted, times};
use crate::evidence::{Evidence, Finding, Fix, VulnerabilityScan};
use crate::project::{Rating, Scanner, VulnerabilityGate};
use std::fmt::Write as _;
use std::time::Duration;
use time::OffsetDateTime;

const GATE: &str = "vulnerabilities";

/// An error when a scan that is asked for is not there or came to nothing, stale when one is old; too much is each finding
/// of any scan that is worse than allowed.
pub(super) fn check<'a>(gate: &'a VulnerabilityGate, evidence: &'a Evidence, context: &Context<'_>) -> Outcome<'a> {
    let scans = &evidence.vulnerabilities;
    there(gate, scans)?;
    let limit = match gate.max_severity.as_str() {
        "none" => None,
        word => Some(Rating::of(word)),
    };
    if limit == Some(Rating::Unrated) {
        let why = format!("the policy's max_severity `{}` is not known", gate.max_severity);
        return Err(Verdict::error(GATE, why).detail("known are none, low, medium, high and critical"));
    }
    let stale = stale(gate.scanned_within, scans, context.now)?;
    let (known, note) = if gate.only_new { promoted(&context.promoted) } else { (vec![], None) };
    let allowed = |finding: &Finding| {
        let without_fix = gate.with_fix_only && !finding.may_be_fixed();
        let mild = limit.is_some_and(|limit| Rating::of(&finding.severity) <= limit);
        without_fix || mild || known.iter().any(|known| is_no_worse(finding, known))
    };
    let united = united(scans);
    let total = united.len();
    let (accepted, mut bad): (Vec<Finding>, Vec<Finding>) = united.into_iter().partition(allowed);
    bad.sort_by_key(|finding| {
        (std::cmp::Reverse(Rating::of(&finding.severity)), finding.id.clone(), finding.package.clone())
    });
    let limit = if limit.is_none() { "no finding".to_owned() } else { format!("at most {}", gate.max_severity) };
    let good = format!("{total} findings, none worse than allowed ({limit})");
    let findings: Vec<Found> = bad.iter().map(found).collect();
    let mut case = Case::limited(GATE, findings, good, move |open: &[usize]| {
        let count = open.len();
        (count > 0).then(|| format!("{count} of {total} findings are worse than allowed ({limit})"))
    });
    let only = if gate.with_fix_only { ", only those with a fix count" } else { "" };
    case.looked_at.extend(note);
    let looked: Vec<String> = scans.iter().map(|scan| format!("{} of {}", named(scan), scan.scanned_at)).collect();
    let looked = format!("looked at: {}, {} findings accepted{only}", looked.join(", "), accepted.len());
    Ok(case.stale(stale).looked_at(looked))
}

/// There is a scan, one by each scanner that is asked for, and none of them came to nothing.
fn there(gate: &VulnerabilityGate, scans: &[VulnerabilityScan]) -> Result<(), Verdict> {
    let missing = gate.scanned_by.iter().find(|scanner| !scans.iter().any(|scan| scan.source == scanner.word()));
    if let Some(scanner) = missing {
        let verdict = Verdict::error(GATE, format!("no vulnerability scan by {} was made", scanner.word()));
        return Err(verdict.detail(advice(*scanner)));
    }
    // What somebody else has written there is no scan: it may speak against the image, and never for it.
    if !scans.iter().any(|scan| Scanner::named(&scan.source).is_some()) {
        let advice = "have the image scanned (`scanned_by: inspector` does it), or take `vulnerabilities` out of the recipe's \
                      gates";
        return Err(Verdict::error(GATE, "no vulnerability scan was made").detail(advice));
    }
    let failed = scans.iter().filter_map(|scan| Some(format!("{} failed: {}", named(scan), scan.failed.as_ref()?)));
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() { Ok(()) } else { Err(Verdict::error(GATE, failed.join("; "))) }
}

const fn advice(scanner: Scanner) -> &'static str {
    match scanner {
        Scanner::ImageBuilder => "turn on image scanning of Image Builder and Amazon Inspector, and build again",
        Scanner::Ec2 => "have Amazon Inspector scan the AMI, or ask for it with `scanned_by: inspector`",
        Scanner::Inspector => "run `amiforge validate` again: it asks for a scan",
    }
}

/// Why the scans are too old, when one of them is.
fn stale(within: Duration, scans: &[VulnerabilityScan], now: OffsetDateTime) -> Result<Option<String>, Verdict> {
    let mut oldest: Option<(Duration, &VulnerabilityScan)> = None;
    for scan in scans {
        let age = times::age("the vulnerability scan's time", &scan.scanned_at, now);
        let age = age.map_err(|why| Verdict::error(GATE, why))?;
        if oldest.is_none_or(|(known, _)| age > known) {
            oldest = Some((age, scan));
        }
    }
    Ok(oldest.filter(|(age, _)| *age > within).map(|(age, scan)| {
        let (age, within) = (times::human(age), times::human(within));
        format!("the vulnerability {} is {age} old, at most {within} are allowed", named(scan))
    }))
}

fn named(scan: &VulnerabilityScan) -> String {
    if scan.source.is_empty() { "scan".to_owned() } else { format!("scan by {}", scan.source) }
}

/// The findings of all scans. What several of them have found counts once, as the worst of them says.
fn united(scans: &[VulnerabilityScan]) -> Vec<Finding> {
    let mut all: Vec<Finding> = vec![];
    for finding in scans.iter().flat_map(|scan| &scan.findings) {
        let same = |known: &&mut Finding| is_same(known, finding) && known.version == finding.version;
        let Some(known) = all.iter_mut().find(same) else {
            all.push(finding.clone());
            continue;
        };
        if Rating::of(&finding.severity) > Rating::of(&known.severity) {
            known.severity.clone_from(&finding.severity);
        }
        if finding.may_be_fixed() && !known.may_be_fixed() {
            known.fix = finding.fix;
        }
        known.fixed_in = known.fixed_in.take().or_else(|| finding.fixed_in.clone());
    }
    all
}

/// What is promoted has these findings, or why each finding counts as new.
fn promoted<'a>(promoted: &Promoted<'a>) -> (Vec<&'a Finding>, Option<String>) {
    let all_new = |why: &str| (vec![], Some(format!("every finding counts as new: {why}")));
    match promoted {
        Promoted::Nothing => all_new("nothing is promoted yet"),
        Promoted::Unknown(why) => all_new(why),
        Promoted::Known(evidence) => {
            let ami = &evidence.candidate.ami;
            let scans: Vec<_> = evidence.vulnerabilities.iter().filter(|scan| scan.failed.is_none()).collect();
            let Some(last) = scans.iter().map(|scan| &scan.scanned_at).max() else {
                return all_new(&format!("the promoted {ami} was not scanned"));
            };
            let note = format!("only what {ami} has not counts (its scan is of {last})");
            (scans.iter().flat_map(|scan| &scan.findings).collect(), Some(note))
        }
    }
}

/// Whether both are the same vulnerability in the same place.
fn is_same(one: &Finding, other: &Finding) -> bool {
    (&one.id, &one.package, &one.title) == (&other.id, &other.package, &other.title)
}

/// Whether the promoted image has the same vulnerability, and not a milder one.
fn is_no_worse(finding: &Finding, known: &Finding) -> bool {
    is_same(finding, known) && Rating::of(&finding.severity) <= Rating::of(&known.severity)
}

fn found(finding: &Finding) -> Found {
    let Finding { id, severity, title, package, version, fix, fixed_in, paths, first_seen } = finding;
    let place = match (package.as_str(), title) {
        ("", None) => String::new(),
        ("", Some(title)) => format!(" ({title})"),
        (package, _) => format!(" in {package}"),
    };
    let mend = match (fixed_in, fix) {
        (Some(version), _) => format!("fixed in {version}"),
        (None, Fix::Available) => "a fix is there".to_owned(),
        (None, Fix::None) => "no fix yet".to_owned(),
        (None, Fix::Unknown) => "not known whether there is a fix".to_owned(),
    };
    let mut what = format!("{severity} {id}{place}, {mend}");
    if let Some(seen) = first_seen {
        let _ = write!(what, ", first seen {seen}");
    }
    if let Some(path) = paths.first() {
        let _ = write!(what, ", {path}");
    }
    let found = Found::new(id, what);
    if package.is_empty() { found } else { found.in_package(package, version.as_deref()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, finding, one, policy};
    use super::super::verdict::VerdictStatus::{self, Error, Fail, Pass, Stale};
    use super::*;
    use crate::project::Gates;

    fn scan(source: &str, findings: Vec<Finding>) -> VulnerabilityScan {
        let scanned_at = "2026-11-23T11:00:00Z".into();
        VulnerabilityScan { source: source.into(), scanned_at, failed: None, findings }
    }

    fn judged(change: impl FnOnce(&mut VulnerabilityGate), scans: Vec<VulnerabilityScan>) -> Verdict {
        let mut gate = policy().vulnerabilities.unwrap();
        change(&mut gate);
        let gates = Gates { vulnerabilities: Some(gate), ..Gates::default() };
        one(&gates, NOW, |evidence| evidence.vulnerabilities = scans)
    }

    fn by(scanners: &[Scanner], scans: Vec<VulnerabilityScan>) -> (VerdictStatus, String) {
        let verdict = judged(|gate| gate.scanned_by = scanners.to_vec(), scans);
        (verdict.status, verdict.summary)
    }

    #[test]
    fn each_scanner_that_is_asked_for_has_looked() {
        let both = || vec![scan("ec2", vec![]), scan("image-builder", vec![])];
        assert_eq!(by(&[Scanner::Ec2, Scanner::ImageBuilder], both()).0, Pass);
        assert_eq!(
            by(&[Scanner::Ec2, Scanner::Inspector], both()),
            (Error, "no vulnerability scan by inspector was made".into())
        );
        assert_eq!(by(&[], vec![]), (Error, "no vulnerability scan was made".into()));
        let failed = VulnerabilityScan { failed: Some("UNSUPPORTED_OS".into()), ..scan("inspector", vec![]) };
        let (status, why) = by(&[], vec![scan("ec2", vec![]), failed]);
        assert_eq!((status, why.as_str()), (Error, "scan by inspector failed: UNSUPPORTED_OS"));
        let old = VulnerabilityScan { scanned_at: "2026-11-01T00:00:00Z".into(), ..scan("ec2", vec![]) };
        assert_eq!(by(&[], vec![scan("inspector", vec![]), old]).0, Stale, "one that is old is enough");
        let never = VulnerabilityScan { scanned_at: String::new(), ..scan("ec2", vec![]) };
        assert_eq!(by(&[], vec![never]).0, Error);
    }

    #[test]
    fn what_several_have_found_counts_once_as_the_worst_of_them_says() {
        let mild = Finding { fix: Fix::None, fixed_in: None, ..finding("CVE-2026-1", "LOW") };
        let worse = finding("CVE-2026-1", "HIGH");
        let other = Finding { version: Some("1.1".into()), ..finding("CVE-2026-1", "LOW") };
        let verdict = judged(|_| (), vec![scan("ec2", vec![mild]), scan("image-builder", vec![worse, other])]);
        assert_eq!(verdict.summary, "1 of 2 findings are worse than allowed (at most medium)");
        assert_eq!(verdict.details[0], "HIGH CVE-2026-1 in openssl, fixed in 3.0.12");
    }

    #[test]
    fn a_fix_that_is_not_named_is_a_fix_and_one_that_is_not_known_counts() {
        let with = |fix| {
            let bare = Finding { id: "CVE-2026-1".into(), severity: "HIGH".into(), fix, ..Finding::default() };
            let verdict = judged(|gate| gate.with_fix_only = true, vec![scan("ec2", vec![bare])]);
            (verdict.status, verdict.details[0].clone())
        };
        assert_eq!(with(Fix::Available), (Fail, "HIGH CVE-2026-1, a fix is there".into()));
        assert_eq!(with(Fix::Unknown).0, Fail);
        assert_eq!(with(Fix::None).0, Pass);
    }
}
