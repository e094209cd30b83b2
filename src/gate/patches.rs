//! The gate on patch compliance.

use super::AGAIN;
use super::case::{Case, Outcome};
use super::verdict::{Found, Verdict};
use super::{Context, times};
use crate::evidence::{Evidence, PatchNotice, PatchScan};
use crate::patch::{PatchItem, State};
use crate::project::{PatchGate, Rating};
use std::fmt::Write as _;
use time::OffsetDateTime;

const GATE: &str = "patches";

/// An error when the scan says nothing, stale when it is old; too much when more is open than allowed.
pub(super) fn check<'a>(gate: &'a PatchGate, evidence: &'a Evidence, context: &Context<'_>) -> Outcome<'a> {
    let Some(scan) = &evidence.patches else {
        return Err(Verdict::error(GATE, "no patch scan was made").detail("run `amiforge validate`"));
    };
    let now = context.now;
    let believed = sanity(scan).and_then(|()| of_today(scan, context));
    let age = believed.and_then(|()| times::age("the scan's time", &scan.scanned_at, now));
    let age = age.map_err(|why| Verdict::error(GATE, why).detail(source(scan)).detail(AGAIN))?;
    let stale = (age > gate.scanned_within).then(|| {
        let (age, limit) = (times::human(age), times::human(gate.scanned_within));
        format!("the patch scan is {age} old, at most {limit} are allowed")
    });
    let rated = RatedBySeverity::of(evidence);
    let (mut counted, mut findings, mut graced) = (vec![], vec![], vec![]);
    for item in &scan.open {
        let notice = scan.notices.get(&format!("{}.{}", item.name, item.arch));
        let rating = rating(item, notice, rated);
        if let Some(line) = in_grace(gate, item, notice, rating, now) {
            graced.push(line);
            continue;
        }
        findings.push(found(item, notice, rating));
        counted.push((item.state, rating));
    }
    let counts = &scan.counts;
    let patched =
        if counts.missing == 0 { "no patch missing".to_owned() } else { format!("{} missing", counts.missing) };
    let packages = u64::from(counts.installed) + u64::from(counts.installed_other);
    let good = format!("{patched}, {packages} packages looked at");
    let limit = move |open: &[usize]| {
        let open: Vec<(State, Rating)> = open.iter().filter_map(|at| counted.get(*at)).copied().collect();
        let broken = violations(gate, &open);
        (!broken.is_empty()).then(|| broken.join("; "))
    };
    let mut case = Case::limited(GATE, findings, good, limit).stale(stale);
    case.looked_at.extend(graced);
    let case = case.looked_at(source(scan));
    Ok(if case.stale.is_some() { case.advice(AGAIN) } else { case })
}

/// Whether the scan can be believed (patch-baselines.md 8.3 step 6).
fn sanity(scan: &PatchScan) -> Result<(), String> {
    if scan.baseline.is_empty() || scan.baseline_id.is_empty() {
        return Err("the scan does not say which baseline it used".to_owned());
    }
    if scan.baseline != scan.expected_baseline {
        return Err(format!("the scan used baseline {}, the recipe wants {}", scan.baseline, scan.expected_baseline));
    }
    if scan.counts.installed == 0 && scan.counts.installed_other == 0 {
        return Err("nothing was scanned: not one installed package was looked at".to_owned());
    }
    for state in State::OPEN {
        let listed = scan.open.iter().filter(|item| item.state == state).count();
        if u32::try_from(listed) != Ok(scan.counts.of(state)) {
            let counted = scan.counts.of(state);
            return Err(format!(
                "the scan contradicts itself: it counts {counted} {} and lists {listed}",
                state.as_str()
            ));
        }
    }
    Ok(())
}

/// Whether the scan used the baseline that the recipe has today, as it is today.
fn of_today(scan: &PatchScan, context: &Context<'_>) -> Result<(), String> {
    let Some(today) = &context.baseline else { return Ok(()) };
    if scan.baseline != today.name {
        return Err(format!("the scan used baseline {}, the recipe now wants {}", scan.baseline, today.name));
    }
    match (&scan.baseline_digest, &today.digest) {
        (was, Some(is)) if was.as_ref() != Some(is) => {
            Err(format!("baseline {} has changed since the scan", scan.baseline))
        }
        _ => Ok(()),
    }
}

/// Whether the severity of a patch is a rating; on APT systems it is the package's priority.
#[derive(Clone, Copy)]
struct RatedBySeverity(bool);

impl RatedBySeverity {
    fn of(evidence: &Evidence) -> Self {
        let apt = |id: &str| matches!(id, "debian" | "ubuntu" | "raspbian");
        Self(evidence.os.as_ref().is_some_and(|os| !os.id.is_empty() && !apt(&os.id)))
    }
}

/// How bad it is that a patch is missing: the worse of the vendor's severity and the baseline's level.
fn rating(item: &PatchItem, notice: Option<&PatchNotice>, by_severity: RatedBySeverity) -> Rating {
    let level = notice.and_then(|notice| notice.level.as_deref());
    let severity = by_severity.0.then_some(item.severity.as_str());
    let words = [Some(item.level.as_str()), level, severity];
    let ratings = words.into_iter().flatten().map(Rating::of);
    ratings.filter(|rating| *rating != Rating::Unrated).max().unwrap_or(Rating::Unrated)
}

/// What to say of a missing patch that is so young that it may be missing; nothing when it counts.
fn in_grace(
    gate: &PatchGate,
    item: &PatchItem,
    notice: Option<&PatchNotice>,
    rating: Rating,
    now: OffsetDateTime,
) -> Option<String> {
    let grace = gate.grace_of(rating).filter(|_| item.state == State::Missing)?;
    let age = times::age("", notice?.released.as_deref()?, now).ok()?;
    (age <= grace).then(|| {
        let (age, grace) = (times::human(age), times::human(grace));
        format!("not counted: {}, {}, out for {age}, {grace} are given", describe(item), rating.word())
    })
}

fn found(item: &PatchItem, notice: Option<&PatchNotice>, rating: Rating) -> Found {
    let mut what = describe(item);
    if rating != Rating::Unrated {
        let _ = write!(what, ", {}", rating.word());
    }
    if let Some(notice) = notice {
        if let Some(released) = &notice.released {
            let _ = write!(what, ", out since {released}");
        }
        if !notice.cves.is_empty() {
            let _ = write!(what, ", mends {}", notice.cves.join(", "));
        }
    }
    let version = item.available.as_deref().unwrap_or(&item.installed);
    Found::new(&item.name, what).in_package(&item.name, Some(version))
}

/// What is more than the policy allows. A patch that failed and one that waits for a reboot are never allowed.
fn violations(gate: &PatchGate, open: &[(State, Rating)]) -> Vec<String> {
    let limits = [
        (State::Missing, gate.missing, "missing"),
        (State::InstalledRejected, gate.rejected, "installed although rejected"),
        (State::Failed, 0, "failed to install"),
        (State::InstalledPendingReboot, 0, "waiting for a reboot"),
        // Predefined Windows baselines count these as non-compliant (patch-baselines.md 5.3).
        (State::AvailableSecurityUpdate, 0, "available as a security update and not approved"),
    ];
    let by_state = limits
        .into_iter()
        .filter_map(|(state, limit, words)| exceeded(open.iter().filter(|(is, _)| *is == state).count(), limit, words));
    let by_rating = gate.levels.iter().filter_map(|(rating, limit)| {
        let count = open.iter().filter(|(state, is)| *state == State::Missing && is >= rating).count();
        let words = match rating {
            Rating::Unrated => "missing that nobody has rated".to_owned(),
            rating => format!("missing rated {} or worse, or not at all", rating.word()),
        };
        exceeded(count, *limit, &words)
    });
    by_state.chain(by_rating).collect()
}

fn exceeded(count: usize, limit: u32, words: &str) -> Option<String> {
    (count > usize::try_from(limit).unwrap_or(usize::MAX)).then(|| {
        let noun = if count == 1 { "patch" } else { "patches" };
        let allowed = if limit == 0 { String::new() } else { format!(", {limit} allowed") };
        format!("{count} {noun} {words}{allowed}")
    })
}

fn describe(item: &PatchItem) -> String {
    let PatchItem { name, arch, installed, available, state, .. } = item;
    match available {
        Some(available) => format!("{}: {name}.{arch} {installed} -> {available}", state.as_str()),
        None => format!("{}: {name}.{arch} {installed}", state.as_str()),
    }
}

fn source(scan: &PatchScan) -> String {
    let PatchScan { baseline, baseline_id, scanned_at, .. } = scan;
    format!("looked at: scan of {scanned_at} with baseline {baseline} ({baseline_id})")
}
