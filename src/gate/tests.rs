use super::*;
use crate::evidence::testing::{evidence, item};
use crate::evidence::{Finding, NotReal, PatchScan, TestResult};
use crate::patch::State;
use crate::project::{ImageGate, PatchGate, TestGate, VulnerabilityGate};
use proptest::prelude::*;
use std::time::Duration;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
const HOUR: Duration = Duration::from_hours(1);

fn policy() -> Gates {
    Gates {
        patches: Some(PatchGate { missing: 0, rejected: 0, scanned_within: HOUR * 24 }),
        vulnerabilities: Some(VulnerabilityGate {
            max_severity: "medium".into(),
            with_fix_only: true,
            scanned_within: HOUR * 24,
        }),
        image: Some(ImageGate { imds_v2: true, encrypted: true }),
        tests: Some(TestGate::default()),
        max_age: Some(HOUR * 24 * 14),
    }
}

fn statuses(gates: &Gates, evidence: &Evidence) -> Vec<(String, VerdictStatus)> {
    evaluate(gates, evidence, NOW).into_iter().map(|verdict| (verdict.gate, verdict.status)).collect()
}

/// The verdict of one gate after a change of the evidence.
fn verdict(gate: &str, change: impl FnOnce(&mut Evidence)) -> Verdict {
    let mut evidence = evidence();
    change(&mut evidence);
    let verdicts = evaluate(&policy(), &evidence, NOW);
    verdicts.into_iter().find(|verdict| verdict.gate == gate).unwrap()
}

fn scan(change: impl FnOnce(&mut PatchScan)) -> Verdict {
    verdict("patches", |evidence| change(evidence.patches.as_mut().unwrap()))
}

#[test]
fn good_evidence_passes_every_gate_in_the_policys_order() {
    let verdicts = evaluate(&policy(), &evidence(), NOW);
    let gates: Vec<_> = verdicts.iter().map(|v| (v.gate.as_str(), v.status)).collect();
    let pass = VerdictStatus::Pass;
    assert_eq!(gates, [("patches", pass), ("vulnerabilities", pass), ("image", pass), ("tests", pass), ("age", pass)]);
    assert!(approved(&verdicts));
    assert_eq!(verdicts[0].summary, "no patch missing, 1 packages looked at");
    assert!(verdicts[0].details[0].contains("AWS-DebianDefaultPatchBaseline (pb-09a5f8eb62bde80b1)"));
}

#[test]
fn nothing_evaluated_approves_nothing() {
    assert!(!approved(&[]));
    assert!(!approved(&evaluate(&Gates::default(), &evidence(), NOW)));
    let waived = Verdict::new("patches", VerdictStatus::Waived, "");
    assert!(approved(std::slice::from_ref(&waived)));
    assert!(!approved(&[waived, Verdict::error("age", "")]));
}

#[test]
fn missing_patches_fail_and_are_named() {
    let missing = |scan: &mut PatchScan| {
        scan.counts.missing = 1;
        scan.open = vec![item("openssl", State::Missing)];
    };
    let verdict = scan(missing);
    assert_eq!((verdict.status, verdict.summary.as_str()), (VerdictStatus::Fail, "1 patch missing"));
    assert_eq!(verdict.details[0], "Missing: openssl.amd64 1 -> 2");
    let mut lenient = policy();
    lenient.patches.as_mut().unwrap().missing = 1;
    let mut evidence = evidence();
    missing(evidence.patches.as_mut().unwrap());
    assert_eq!(statuses(&lenient, &evidence)[0].1, VerdictStatus::Pass);
}

#[test]
fn failed_pending_and_rejected_patches_fail() {
    let one = |state: State| {
        scan(move |scan| {
            scan.counts.add(state);
            scan.open = vec![item("x", state)];
        })
    };
    for (state, words) in [
        (State::Failed, "1 patch failed to install"),
        (State::InstalledPendingReboot, "1 patch waiting for a reboot"),
        (State::InstalledRejected, "1 patch installed although rejected"),
        (State::AvailableSecurityUpdate, "1 patch available as a security update and not approved"),
    ] {
        let verdict = one(state);
        assert_eq!((verdict.status, verdict.summary.as_str()), (VerdictStatus::Fail, words));
    }
}

#[test]
fn a_scan_that_says_nothing_is_an_error() {
    assert_eq!(verdict("patches", |e| e.patches = None).summary, "no patch scan was made");
    let summary = |change: fn(&mut PatchScan)| {
        let verdict = scan(change);
        assert_eq!(verdict.status, VerdictStatus::Error);
        verdict.summary
    };
    assert!(summary(|s| s.counts = crate::patch::Counts::default()).starts_with("nothing was scanned"));
    assert!(summary(|s| s.baseline = "AWS-Other".into()).contains("AWS-Other, the recipe wants AWS-Debian"));
    assert!(summary(|s| s.baseline_id.clear()).contains("which baseline"));
    assert!(summary(|s| s.scanned_at = "soon".into()).contains("`soon` is not a time"));
    assert!(summary(|s| s.scanned_at = "2026-11-24T00:00:00Z".into()).contains("in the future"));
    assert!(summary(|s| s.counts.missing = 2).contains("counts 2 Missing and lists 0"));
    assert!(summary(|s| s.open = vec![item("x", State::Failed)]).contains("counts 0 Failed and lists 1"));
}

#[test]
fn an_old_scan_is_stale_and_one_at_the_limit_is_not() {
    assert_eq!(scan(|s| s.scanned_at = "2026-11-22T12:00:00Z".into()).status, VerdictStatus::Pass);
    let stale = scan(|s| s.scanned_at = "2026-11-22T11:59:59Z".into());
    assert_eq!(stale.status, VerdictStatus::Stale);
    assert_eq!(stale.summary, "the patch scan is 24 hours old, at most 24 hours are allowed");
    let vulnerabilities = verdict("vulnerabilities", |e| {
        e.vulnerabilities.as_mut().unwrap().scanned_at = "2026-11-01T00:00:00Z".into();
    });
    assert_eq!(vulnerabilities.status, VerdictStatus::Stale);
}

fn findings(gate: &VulnerabilityGate, findings: &[(&str, Option<&str>)]) -> Verdict {
    let mut evidence = evidence();
    let finding = |(index, (severity, fix)): (usize, &(&str, Option<&str>))| Finding {
        id: format!("CVE-2026-{index}"),
        severity: (*severity).into(),
        package: "openssl".into(),
        fixed_in: fix.map(str::to_owned),
    };
    evidence.vulnerabilities.as_mut().unwrap().findings = findings.iter().enumerate().map(finding).collect();
    vulnerabilities::check(gate, &evidence, NOW)
}

#[test]
fn findings_above_the_severity_fail_and_unrated_ones_are_above_every_severity() {
    let gate =
        |max: &str, with_fix_only| VulnerabilityGate { max_severity: max.into(), with_fix_only, scanned_within: HOUR };
    let fixed = Some("2");
    let status = |max: &str, severity: &str| findings(&gate(max, false), &[(severity, fixed)]).status;
    assert_eq!(status("medium", "MEDIUM"), VerdictStatus::Pass);
    assert_eq!(status("medium", "Important"), VerdictStatus::Fail);
    assert_eq!(status("high", "CRITICAL"), VerdictStatus::Fail);
    assert_eq!(status("critical", "UNTRIAGED"), VerdictStatus::Fail);
    assert_eq!(status("none", "low"), VerdictStatus::Fail);
    assert_eq!(status("hihg", "low"), VerdictStatus::Error);
    assert_eq!(findings(&gate("none", false), &[]).status, VerdictStatus::Pass);
    assert_eq!(findings(&gate("none", true), &[("CRITICAL", None)]).status, VerdictStatus::Pass);
    let verdict =
        findings(&gate("low", true), &[("MEDIUM", fixed), ("CRITICAL", fixed), ("LOW", fixed), ("HIGH", None)]);
    assert_eq!(verdict.summary, "2 of 4 findings are worse than allowed (at most low)");
    assert_eq!(verdict.details[0], "CRITICAL CVE-2026-1 in openssl, fixed in 2");
    assert_eq!(verdict.details.len(), 3);
}

#[test]
fn the_image_gate_looks_at_state_metadata_and_encryption() {
    let fails = |change: fn(&mut crate::evidence::ImageAttributes), words: &str| {
        let verdict = verdict("image", |e| change(&mut e.image));
        assert_eq!(verdict.status, VerdictStatus::Fail);
        assert!(verdict.summary.contains(words), "{}", verdict.summary);
    };
    fails(|image| image.imds_v2 = false, "IMDSv1");
    fails(|image| image.encrypted = false, "not encrypted");
    fails(|image| image.state = "pending".into(), "is pending");
    assert_eq!(verdict("image", |e| e.image.state.clear()).status, VerdictStatus::Error);
    assert_eq!(verdict("image", |e| e.collected_at.clear()).status, VerdictStatus::Error);
}

#[test]
fn no_tests_no_steps_and_failed_steps_do_not_pass() {
    assert_eq!(verdict("tests", |e| e.tests = None).summary, "nothing was tested");
    let with = |passed, executed_steps, failed_steps| {
        verdict("tests", |e| {
            let message = "why".into();
            let (skipped_steps, not_real) = (0, vec![]);
            e.tests = Some(TestResult { passed, executed_steps, failed_steps, skipped_steps, not_real, message });
        })
    };
    assert_eq!(with(true, 0, 0).status, VerdictStatus::Error);
    assert_eq!(with(false, 3, 0).status, VerdictStatus::Fail);
    assert_eq!(with(true, 3, 1).summary, "1 of 3 test steps failed");
    assert_eq!(with(true, 3, 0).summary, "3 test steps passed");
}

#[test]
fn what_has_to_be_real_was_real() {
    let mut evidence = evidence();
    let tests = evidence.tests.as_mut().unwrap();
    tests.not_real = vec![NotReal { name: "kernel".into(), why: "the kernel is the host's".into() }];
    tests.skipped_steps = 2;
    let verdict = |real: &[&str]| {
        let real = real.iter().map(|name| (*name).to_owned()).collect();
        let gates = Gates { tests: Some(TestGate { real }), ..Gates::default() };
        evaluate(&gates, &evidence, NOW).remove(0)
    };
    assert_eq!(verdict(&[]).summary, "4 test steps passed, 2 skipped");
    assert_eq!(verdict(&["init"]).status, VerdictStatus::Pass);
    let refused = verdict(&["init", "kernel"]);
    assert_eq!(
        (refused.status, refused.summary.as_str()),
        (VerdictStatus::Fail, "not real where the tests ran: kernel")
    );
    assert_eq!(refused.details, ["kernel: the kernel is the host's"]);
}

#[test]
fn the_age_is_that_of_the_image() {
    let created = |at: &str| verdict("age", |e| e.candidate.created_at = at.into()).status;
    assert_eq!(created("2026-11-09T12:00:00Z"), VerdictStatus::Pass);
    assert_eq!(created("2026-11-09T11:59:59Z"), VerdictStatus::Fail);
    assert_eq!(created("2027-01-01T00:00:00Z"), VerdictStatus::Error);
    assert_eq!(created(""), VerdictStatus::Error);
}

#[test]
fn evidence_of_another_schema_is_an_error_in_every_gate() {
    let mut evidence = evidence();
    evidence.schema = "amiforge.evidence/99".into();
    assert!(statuses(&policy(), &evidence).iter().all(|(_, status)| *status == VerdictStatus::Error));
}

/// Evidence of many kinds, good and bad.
fn some_evidence() -> impl Strategy<Value = Evidence> {
    let time = prop::sample::select(vec!["2026-11-23T11:00:00Z", "2026-11-01T00:00:00Z", "2030-01-01T00:00:00Z", "?"]);
    let counts = (0_u32..3, 0_u32..2, 0_u32..2, 0_u32..2);
    (time.clone(), time, counts, any::<[bool; 5]>(), 0_u32..3).prop_map(
        |(
            scanned,
            created,
            (installed, missing, failed, pending),
            [imds, encrypted, passed, listed, vulnerable],
            steps,
        )| {
            let mut evidence = evidence();
            let scan = evidence.patches.as_mut().unwrap();
            scan.scanned_at = scanned.into();
            scan.counts.installed = installed;
            for (state, count) in
                [(State::Missing, missing), (State::Failed, failed), (State::InstalledPendingReboot, pending)]
            {
                for _ in 0..count {
                    scan.counts.add(state);
                    scan.open.extend(listed.then(|| item("x", state)));
                }
            }
            evidence.candidate.created_at = created.into();
            evidence.image.imds_v2 = imds;
            evidence.image.encrypted = encrypted;
            let tests = evidence.tests.as_mut().unwrap();
            (tests.passed, tests.executed_steps) = (passed, steps);
            if vulnerable {
                evidence.vulnerabilities.as_mut().unwrap().findings.push(Finding {
                    id: "CVE-2026-1".into(),
                    severity: "HIGH".into(),
                    package: "x".into(),
                    fixed_in: Some("2".into()),
                });
            }
            evidence
        },
    )
}

/// Ways to know less.
const REMOVALS: [fn(&mut Evidence); 9] = [
    |e| e.patches = None,
    |e| e.vulnerabilities = None,
    |e| e.tests = None,
    |e| e.candidate.created_at.clear(),
    |e| e.collected_at.clear(),
    |e| e.image.state.clear(),
    |e| e.patches.iter_mut().for_each(|scan| scan.open.clear()),
    |e| e.patches.iter_mut().for_each(|scan| scan.counts = crate::patch::Counts::default()),
    |e| e.patches.iter_mut().for_each(|scan| scan.baseline_id.clear()),
];

proptest! {
    #[test]
    fn knowing_less_never_turns_anything_into_a_pass(evidence in some_evidence(), which in 0..REMOVALS.len()) {
        let mut less = evidence.clone();
        REMOVALS[which](&mut less);
        for (before, after) in statuses(&policy(), &evidence).into_iter().zip(statuses(&policy(), &less)) {
            prop_assert_eq!(&before.0, &after.0);
            prop_assert!(before.1.approves() || !after.1.approves(), "{:?} became {:?}", before, after);
        }
    }
}
