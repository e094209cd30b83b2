use super::*;
use crate::evidence::testing::{evidence, item};
use crate::evidence::{Finding, Fix, NotReal, PatchScan, TestResult};
use crate::patch::{PatchItem, State};
use crate::project::{ImageGate, PatchGate, Rating, TestGate, VulnerabilityGate};
use std::time::Duration;
use time::macros::datetime;

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
const HOUR: Duration = Duration::from_hours(1);

pub(super) fn patch_gate() -> PatchGate {
    let (levels, grace) = Default::default();
    PatchGate { missing: 0, rejected: 0, levels, grace, scanned_within: HOUR * 24 }
}

pub(super) fn image_gate() -> ImageGate {
    ImageGate {
        imds_v2: true,
        encrypted: true,
        ena: false,
        accounts: None,
        boot_modes: vec![],
        max_root_gib: None,
        max_volumes: None,
    }
}

pub(super) fn policy() -> Gates {
    Gates {
        patches: Some(patch_gate()),
        vulnerabilities: Some(VulnerabilityGate {
            max_severity: "medium".into(),
            with_fix_only: true,
            only_new: false,
            scanned_within: HOUR * 24,
            scanned_by: vec![],
        }),
        image: Some(image_gate()),
        tests: Some(TestGate::default()),
        max_age: Some(HOUR * 24 * 14),
        ..Gates::default()
    }
}

fn evaluate(gates: &Gates, evidence: &Evidence, now: OffsetDateTime) -> Vec<Verdict> {
    judge(gates, evidence, &Context::at(now)).verdicts
}

/// The verdict of the only gate after a change of the evidence.
pub(super) fn one(gates: &Gates, now: OffsetDateTime, change: impl FnOnce(&mut Evidence)) -> Verdict {
    let mut evidence = evidence();
    change(&mut evidence);
    evaluate(gates, &evidence, now).remove(0)
}

pub(super) fn finding(id: &str, severity: &str) -> Finding {
    Finding {
        id: id.into(),
        severity: severity.into(),
        package: "openssl".into(),
        version: Some("3.0.11".into()),
        fix: Fix::Available,
        fixed_in: Some("3.0.12".into()),
        ..Finding::default()
    }
}

/// A policy that allows findings up to low, and evidence with two that are worse.
pub(super) fn vulnerable() -> (Gates, Evidence) {
    let gate = VulnerabilityGate { max_severity: "low".into(), ..policy().vulnerabilities.unwrap() };
    let mut evidence = evidence();
    let scan = &mut evidence.vulnerabilities[0];
    scan.findings = vec![finding("CVE-2026-1", "HIGH"), finding("CVE-2026-2", "MEDIUM")];
    (Gates { vulnerabilities: Some(gate), ..Gates::default() }, evidence)
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
        e.vulnerabilities[0].scanned_at = "2026-11-01T00:00:00Z".into();
    });
    assert_eq!(vulnerabilities.status, VerdictStatus::Stale);
}

fn findings(gate: &VulnerabilityGate, findings: &[(&str, Option<&str>)]) -> Verdict {
    let mut evidence = evidence();
    let finding = |(index, (severity, fix)): (usize, &(&str, Option<&str>))| Finding {
        id: format!("CVE-2026-{index}"),
        severity: (*severity).into(),
        package: "openssl".into(),
        fix: fix.map_or(Fix::None, |_| Fix::Available),
        fixed_in: fix.map(str::to_owned),
        ..Finding::default()
    };
    evidence.vulnerabilities[0].findings = findings.iter().enumerate().map(finding).collect();
    let gates = Gates { vulnerabilities: Some(gate.clone()), ..Gates::default() };
    evaluate(&gates, &evidence, NOW).remove(0)
}

#[test]
fn findings_above_the_severity_fail_and_unrated_ones_are_above_every_severity() {
    let gate = |max: &str, with_fix_only| VulnerabilityGate {
        max_severity: max.into(),
        with_fix_only,
        only_new: false,
        scanned_within: HOUR,
        scanned_by: vec![],
    };
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
            let (skipped_steps, not_real, cases) = (0, vec![], vec![]);
            e.tests =
                Some(TestResult { passed, executed_steps, failed_steps, skipped_steps, not_real, message, cases });
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
        let gates = Gates { tests: Some(TestGate { real, ..TestGate::default() }), ..Gates::default() };
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

#[test]
fn missing_patches_are_limited_by_rating() {
    let with = |levels: &[(Rating, u32)], missing: u32, rated: &[&str]| {
        let gate = PatchGate { missing, levels: levels.iter().copied().collect(), ..patch_gate() };
        one(&Gates { patches: Some(gate), ..Gates::default() }, NOW, |evidence| {
            let scan = evidence.patches.as_mut().unwrap();
            for (number, level) in rated.iter().enumerate() {
                scan.counts.add(State::Missing);
                let mut item = item(&format!("p{number}"), State::Missing);
                item.level = (*level).to_owned();
                scan.open.push(item);
            }
        })
    };
    let none_high = [(Rating::High, 0)];
    assert_eq!(with(&none_high, 9, &["LOW", "MEDIUM"]).status, VerdictStatus::Pass);
    let refused = with(&none_high, 9, &["LOW", "CRITICAL", "HIGH"]);
    assert_eq!(refused.summary, "2 patches missing rated high or worse, or not at all");
    assert_eq!(with(&none_high, 9, &["UNSPECIFIED"]).status, VerdictStatus::Fail, "what nobody rated may be critical");
    assert_eq!(with(&none_high, 1, &["LOW", "LOW"]).summary, "2 patches missing, 1 allowed");
    // A limit counts the worse ones, too, so a patch that is rated worse never helps.
    assert_eq!(with(&[(Rating::Low, 1), (Rating::Critical, 5)], 9, &["LOW", "CRITICAL"]).status, VerdictStatus::Fail);
}

#[test]
fn a_young_patch_may_be_missing_for_a_while() {
    let with = |grace: &[(Rating, u64)], level: &str, released: Option<&str>| {
        let grace = grace.iter().map(|(rating, days)| (*rating, HOUR * 24 * u32::try_from(*days).unwrap())).collect();
        let gate = PatchGate { grace, ..patch_gate() };
        one(&Gates { patches: Some(gate), ..Gates::default() }, NOW, |evidence| {
            let scan = evidence.patches.as_mut().unwrap();
            scan.counts.add(State::Missing);
            scan.open.push(item("openssl", State::Missing));
            let (released, level) = (released.map(str::to_owned), Some(level.to_owned()));
            let notice = crate::evidence::PatchNotice { released, level, cves: vec!["CVE-2026-1".into()] };
            scan.notices.insert("openssl.amd64".into(), notice);
        })
    };
    let week = [(Rating::Critical, 7)];
    let young = with(&week, "CRITICAL", Some("2026-11-16T12:00:00Z"));
    assert_eq!(young.status, VerdictStatus::Pass);
    assert!(young.details[0].starts_with("not counted: Missing: openssl.amd64 1 -> 2, critical, out for 7 days"));
    let old = with(&week, "CRITICAL", Some("2026-11-16T11:59:59Z"));
    assert_eq!(old.status, VerdictStatus::Fail);
    assert!(
        old.details[0].ends_with("critical, out since 2026-11-16T11:59:59Z, mends CVE-2026-1"),
        "{:?}",
        old.details
    );
    let day = Some("2026-11-22T12:00:00Z");
    assert_eq!(with(&week, "LOW", day).status, VerdictStatus::Pass, "what critical ones are given, milder ones are");
    assert_eq!(with(&[(Rating::Low, 7)], "CRITICAL", day).status, VerdictStatus::Fail);
    assert_eq!(with(&week, "UNSPECIFIED", day).status, VerdictStatus::Fail, "unrated is worse than critical");
    assert_eq!(with(&week, "CRITICAL", None).status, VerdictStatus::Fail, "no date, no grace");
    assert_eq!(with(&week, "CRITICAL", Some("2027-01-01T00:00:00Z")).status, VerdictStatus::Fail);
    assert_eq!(with(&week, "CRITICAL", Some("soon")).status, VerdictStatus::Fail);
}

#[test]
fn a_severity_is_a_rating_where_it_is_one() {
    let with = |os: Option<&str>| {
        let gate = PatchGate { missing: 9, levels: [(Rating::High, 0)].into(), ..patch_gate() };
        one(&Gates { patches: Some(gate), ..Gates::default() }, NOW, |evidence| {
            evidence.os = os.map(|id| crate::evidence::System { id: id.into(), version: String::new() });
            let scan = evidence.patches.as_mut().unwrap();
            scan.counts.add(State::Missing);
            scan.open.push(PatchItem { severity: "Low".into(), ..item("x", State::Missing) });
        })
        .status
    };
    assert_eq!(with(Some("amzn")), VerdictStatus::Pass);
    assert_eq!(with(Some("debian")), VerdictStatus::Fail, "on APT systems it is the priority");
    assert_eq!(with(None), VerdictStatus::Fail);
}

#[test]
fn a_scan_by_another_or_an_older_baseline_says_nothing() {
    let against = |name: &'static str, was: Option<&str>, digest: Option<&str>| {
        let mut evidence = evidence();
        evidence.patches.as_mut().unwrap().baseline_digest = was.map(str::to_owned);
        let baseline = Some(BaselineNow { name, digest: digest.map(str::to_owned) });
        let context = Context { baseline, ..Context::at(NOW) };
        judge(&Gates { patches: Some(patch_gate()), ..Gates::default() }, &evidence, &context).verdicts.remove(0)
    };
    let name = "AWS-DebianDefaultPatchBaseline";
    assert_eq!(against(name, Some("a"), Some("a")).status, VerdictStatus::Pass);
    assert_eq!(against(name, Some("a"), None).status, VerdictStatus::Pass);
    assert!(against(name, Some("a"), Some("b")).summary.contains("has changed since the scan"));
    assert_eq!(against(name, None, Some("b")).status, VerdictStatus::Error);
    assert!(against("own", Some("a"), Some("a")).summary.ends_with("the recipe now wants own"));
}

#[test]
fn only_what_the_promoted_image_has_not_counts() {
    let gate = VulnerabilityGate { only_new: true, max_severity: "none".into(), ..policy().vulnerabilities.unwrap() };
    let gates = Gates { vulnerabilities: Some(gate), ..Gates::default() };
    let with = |findings: Vec<Finding>| {
        let mut evidence = evidence();
        evidence.vulnerabilities[0].findings = findings;
        evidence
    };
    let known = with(vec![finding("CVE-2026-1", "MEDIUM")]);
    let judged = |evidence: &Evidence, promoted: Promoted<'_>| {
        judge(&gates, evidence, &Context { promoted, ..Context::at(NOW) }).verdicts.remove(0)
    };
    let same = with(vec![finding("CVE-2026-1", "MEDIUM")]);
    assert_eq!(judged(&same, Promoted::Known(&known)).status, VerdictStatus::Pass);
    assert_eq!(judged(&with(vec![finding("CVE-2026-1", "LOW")]), Promoted::Known(&known)).status, VerdictStatus::Pass);
    for worse in [finding("CVE-2026-2", "LOW"), finding("CVE-2026-1", "HIGH"), {
        Finding { package: "libssl3".into(), ..finding("CVE-2026-1", "MEDIUM") }
    }] {
        assert_eq!(judged(&with(vec![worse]), Promoted::Known(&known)).status, VerdictStatus::Fail);
    }
    for (promoted, why) in [
        (Promoted::Nothing, "nothing is promoted yet"),
        (Promoted::Unknown("its file is gone".into()), "its file is gone"),
        (Promoted::Known(&Evidence { vulnerabilities: vec![], ..known.clone() }), "was not scanned"),
    ] {
        let verdict = judged(&same, promoted);
        assert_eq!(verdict.status, VerdictStatus::Fail);
        assert!(verdict.details.iter().any(|line| line.contains("counts as new") && line.contains(why)), "{verdict:?}");
    }
}

#[test]
fn the_image_gate_looks_at_permissions_boot_mode_and_volumes() {
    let with = |gate: ImageGate, change: fn(&mut crate::evidence::ImageAttributes)| {
        let verdict = one(&Gates { image: Some(gate), ..Gates::default() }, NOW, |e| change(&mut e.image));
        (verdict.status, verdict.findings.first().map(|found| found.id.clone()).unwrap_or_default())
    };
    let ok = (VerdictStatus::Pass, String::new());
    let fails = |id: &str| (VerdictStatus::Fail, id.to_owned());
    let private = || ImageGate { accounts: Some(vec!["111122223333".into()]), ..image_gate() };
    assert_eq!(with(private(), |_| {}), ok);
    assert_eq!(with(private(), |i| i.shared_with = Some(vec!["111122223333".into()])), ok);
    assert_eq!(with(private(), |i| i.shared_with = Some(vec!["999988887777".into()])), fails("999988887777"));
    assert_eq!(with(private(), |i| i.public = true), fails("public"));
    assert_eq!(with(private(), |i| i.shared_with = None).0, VerdictStatus::Error);
    let modes = |modes: &[&str]| ImageGate {
        boot_modes: modes.iter().map(|mode| (*mode).to_owned()).collect(),
        ..image_gate()
    };
    assert_eq!(with(modes(&["uefi"]), |_| {}), ok);
    assert_eq!(with(modes(&["uefi-preferred"]), |_| {}), fails("boot_modes"));
    assert_eq!(with(modes(&["legacy-bios"]), |i| i.boot_mode = None), ok, "the default of x86_64");
    assert_eq!(
        with(modes(&["legacy-bios"]), |i| {
            i.boot_mode = None;
            i.architecture = "arm64".into();
        }),
        fails("boot_modes")
    );
    assert_eq!(with(ImageGate { ena: true, ..image_gate() }, |i| i.ena = false), fails("ena"));
    let root = ImageGate { max_root_gib: Some(8), ..image_gate() };
    assert_eq!(with(root.clone(), |_| {}), ok);
    assert_eq!(with(root.clone(), |i| i.volumes[0].gib = Some(9)), fails("max_root_gib"));
    assert_eq!(with(root, |i| i.volumes[0].gib = None).0, VerdictStatus::Error);
    let volumes = ImageGate { max_volumes: Some(1), ..image_gate() };
    assert_eq!(with(volumes.clone(), |i| i.volumes.push(i.volumes[0].clone())), fails("max_volumes"));
    assert_eq!(with(volumes, |i| i.volumes.clear()).0, VerdictStatus::Error);
}

#[test]
fn what_was_skipped_has_not_passed() {
    let with = |max_skipped, executed, skipped| {
        let gate = TestGate { max_skipped, ..TestGate::default() };
        one(&Gates { tests: Some(gate), ..Gates::default() }, NOW, |evidence| {
            let tests = evidence.tests.as_mut().unwrap();
            (tests.executed_steps, tests.skipped_steps) = (executed, skipped);
        })
    };
    assert_eq!(with(None, 4, 2).status, VerdictStatus::Pass);
    assert_eq!(with(Some(2), 4, 2).status, VerdictStatus::Pass);
    assert_eq!(with(Some(1), 4, 2).summary, "2 test steps were skipped, which is not passed; 1 allowed");
    assert_eq!(with(None, 0, 2).summary, "nothing was tested: all 2 test steps were skipped");
}
