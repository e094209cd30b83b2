//! The gate on patch compliance.

use super::times;
use super::verdict::{Verdict, VerdictStatus};
use crate::evidence::{Evidence, PatchScan};
use crate::patch::{PatchItem, State};
use crate::project::PatchGate;
use time::OffsetDateTime;

const GATE: &str = "patches";

/// The verdict: an error when the scan says nothing, stale when it is old, a failure when more is open than allowed.
pub(super) fn check(gate: &PatchGate, evidence: &Evidence, now: OffsetDateTime) -> Verdict {
    let Some(scan) = &evidence.patches else {
        return Verdict::error(GATE, "no patch scan was made").detail("run `amiforge validate`");
    };
    let age = match sanity(scan).and_then(|()| times::age("the scan's time", &scan.scanned_at, now)) {
        Ok(age) => age,
        Err(why) => return looked_at(Verdict::error(GATE, why), scan).detail("run `amiforge validate` again"),
    };
    let broken = violations(gate, scan);
    if age > gate.scanned_within {
        let (age, limit) = (times::human(age), times::human(gate.scanned_within));
        let summary = format!("the patch scan is {age} old, at most {limit} are allowed");
        let mut verdict = Verdict::new(GATE, VerdictStatus::Stale, summary);
        verdict.details = broken;
        return looked_at(verdict, scan).detail("run `amiforge validate` again");
    }
    if broken.is_empty() {
        let counts = &scan.counts;
        let patched =
            if counts.missing == 0 { "no patch missing".to_owned() } else { format!("{} missing", counts.missing) };
        let packages = u64::from(counts.installed) + u64::from(counts.installed_other);
        let verdict = Verdict::new(GATE, VerdictStatus::Pass, format!("{patched}, {packages} packages looked at"));
        return looked_at(verdict, scan);
    }
    let mut verdict = Verdict::new(GATE, VerdictStatus::Fail, broken.join("; "));
    verdict.details = scan.open.iter().map(describe).collect();
    looked_at(verdict, scan)
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

/// What is more than the policy allows. A patch that failed and one that waits for a reboot are never allowed.
fn violations(gate: &PatchGate, scan: &PatchScan) -> Vec<String> {
    let limits = [
        (State::Missing, gate.missing, "missing"),
        (State::InstalledRejected, gate.rejected, "installed although rejected"),
        (State::Failed, 0, "failed to install"),
        (State::InstalledPendingReboot, 0, "waiting for a reboot"),
        // Predefined Windows baselines count these as non-compliant (patch-baselines.md 5.3).
        (State::AvailableSecurityUpdate, 0, "available as a security update and not approved"),
    ];
    let exceeded = |&(state, limit, words): &(State, u32, &str)| {
        let count = scan.counts.of(state);
        (count > limit).then(|| {
            let noun = if count == 1 { "patch" } else { "patches" };
            let allowed = if limit == 0 { String::new() } else { format!(", {limit} allowed") };
            format!("{count} {noun} {words}{allowed}")
        })
    };
    limits.iter().filter_map(exceeded).collect()
}

fn describe(item: &PatchItem) -> String {
    let PatchItem { name, arch, installed, available, state, .. } = item;
    match available {
        Some(available) => format!("{}: {name}.{arch} {installed} -> {available}", state.as_str()),
        None => format!("{}: {name}.{arch} {installed}", state.as_str()),
    }
}

fn looked_at(verdict: Verdict, scan: &PatchScan) -> Verdict {
    let PatchScan { baseline, baseline_id, scanned_at, .. } = scan;
    verdict.detail(format!("looked at: scan of {scanned_at} with baseline {baseline} ({baseline_id})"))
}
