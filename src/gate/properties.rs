//! What holds for every policy and every evidence.

use super::tests::{NOW, finding, policy};
use super::*;
use crate::evidence::testing::{evidence, item};
use crate::evidence::{
    Ancestor, CommandOutcome, FailedRule, Finding, Fix, HygieneFinding, InstalledPackage, NotReal, PatchNotice,
    TestCase, TestOutcome, TestStep, VulnerabilityScan, hygiene,
};
use crate::patch::State;
use crate::project::{
    CommandGate, HygieneGate, PackageGate, PackageRule, ParentGate, PatchGate, Rating, Relation, Scanner, SizeGate,
    TestGate, TestName, VersionBound, VulnerabilityGate,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use time::macros::date;

const DAY: Duration = Duration::from_hours(24);
const LEVELS: [&str; 6] = ["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL", "UNSPECIFIED"];

fn command() -> CommandGate {
    CommandGate { run: vec!["./check".into()], shell: false, timeout: DAY }
}

fn ratings<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = BTreeMap<Rating, T>> {
    let rating =
        prop::sample::select(vec![Rating::Low, Rating::Medium, Rating::High, Rating::Critical, Rating::Unrated]);
    prop::collection::btree_map(rating, value, 0..4)
}

/// Policies of every strictness.
fn some_policy() -> impl Strategy<Value = Gates> {
    let days = (0_u32..20).prop_map(|days| DAY * days);
    let patches = (0_u32..4, 0_u32..2, ratings(0_u32..4), ratings(days));
    let words = prop::sample::select(vec!["none", "low", "medium", "high"]);
    let flags = any::<[bool; 6]>();
    let scanners = prop::sample::subsequence(vec![Scanner::Ec2, Scanner::Inspector], 0..=2);
    let required = prop::sample::subsequence(vec!["boots", "patched/Scan", "hygiene"], 0..=3);
    let allow = prop::sample::subsequence(hygiene::RULES.map(|rule| rule.name.to_owned()).to_vec(), 0..=3);
    (patches, words, flags, 0_u32..3, 0_u32..40, (scanners, required, allow)).prop_map(
        |(
            (missing, rejected, levels, grace),
            max_severity,
            [fix, new, imds, real, private, own],
            skipped,
            growth,
            (scanned_by, required, allow),
        )| {
            let mut gates = policy();
            gates.patches = Some(PatchGate { missing, rejected, levels, grace, scanned_within: DAY });
            gates.vulnerabilities = Some(VulnerabilityGate {
                max_severity: max_severity.into(),
                with_fix_only: fix,
                only_new: new,
                scanned_within: DAY,
                scanned_by,
            });
            gates.hygiene = Some(HygieneGate { allow });
            let image = gates.image.as_mut().unwrap();
            image.imds_v2 = imds;
            image.accounts = private.then(Vec::new);
            (image.max_root_gib, image.max_volumes) = (Some(8), Some(2));
            image.boot_modes = vec!["uefi".into()];
            let real = if real { vec!["kernel".into()] } else { vec![] };
            let required = required.iter().map(|name| TestName::read(name)).collect();
            gates.tests = Some(TestGate { real, max_skipped: Some(skipped), required });
            let below = VersionBound { relation: Relation::GreaterOrEqual, version: "5".into() };
            gates.packages = Some(PackageGate {
                must_have: vec![PackageRule { name: "bash".into(), versions: vec![below] }],
                must_not_have: vec![PackageRule { name: "telnet*".into(), versions: vec![] }],
            });
            gates.size = Some(SizeGate { max_mib: Some(2000), max_growth: Some(growth) });
            let owners = if own { vec!["136693071363".into(), "self".into()] } else { vec![] };
            gates.parent = Some(ParentGate { owners, max_age: Some(DAY * 30) });
            gates.commands.insert("check".into(), command());
            gates
        },
    )
}

/// One thing that speaks against an image, or is not known of it any more.
#[derive(Debug, Clone)]
enum Harm {
    Patch { state: State, level: usize, days: Option<u8> },
    OlderPatch,
    WorsePatch,
    Vulnerability { severity: usize, fix: Fix, id: u8, scan: u8 },
    WorseVulnerability,
    Fix(bool),
    Scan(usize),
    Carries { rule: usize, path: u8 },
    Unseen(usize),
    Step { at: u8, outcome: TestOutcome },
    Image(usize),
    Tests(usize),
    Package(bool),
    Larger(u32),
    Older(u8),
    Ancestor,
    Command,
    Less(usize),
}

fn some_harm() -> impl Strategy<Value = Harm> {
    let state = prop::sample::select(State::OPEN.to_vec());
    let fix = prop::sample::select(vec![Fix::None, Fix::Unknown, Fix::Available]);
    let outcome = prop::sample::select(vec![TestOutcome::Failed, TestOutcome::Skipped, TestOutcome::Unknown]);
    prop_oneof![
        (state, 0..LEVELS.len(), prop::option::of(0_u8..20)).prop_map(|(state, level, days)| Harm::Patch {
            state,
            level,
            days
        }),
        Just(Harm::OlderPatch),
        Just(Harm::WorsePatch),
        (0..LEVELS.len(), fix, 0_u8..4, 0_u8..3).prop_map(|(severity, fix, id, scan)| Harm::Vulnerability {
            severity,
            fix,
            id,
            scan
        }),
        Just(Harm::WorseVulnerability),
        any::<bool>().prop_map(Harm::Fix),
        (0_usize..4).prop_map(Harm::Scan),
        (0..hygiene::RULES.len(), 0_u8..3).prop_map(|(rule, path)| Harm::Carries { rule, path }),
        (0..hygiene::RULES.len()).prop_map(Harm::Unseen),
        (0_u8..8, outcome).prop_map(|(at, outcome)| Harm::Step { at, outcome }),
        (0_usize..8).prop_map(Harm::Image),
        (0_usize..4).prop_map(Harm::Tests),
        any::<bool>().prop_map(Harm::Package),
        (1_u32..500_000).prop_map(Harm::Larger),
        (0_u8..20).prop_map(Harm::Older),
        Just(Harm::Ancestor),
        Just(Harm::Command),
        (0..LESS.len()).prop_map(Harm::Less),
    ]
}

/// Ways to know less.
const LESS: [fn(&mut Evidence); 24] = [
    |e| e.patches = None,
    |e| e.vulnerabilities.clear(),
    // One that says nothing bad: to forget bad news is no harm, and is what digests and signatures are for.
    |e| drop(e.vulnerabilities.pop_if(|scan| scan.failed.is_none() && scan.findings.is_empty())),
    |e| e.vulnerabilities.iter_mut().for_each(|scan| scan.scanned_at.clear()),
    |e| e.vulnerabilities.iter_mut().for_each(|scan| scan.source.push('x')),
    |e| e.hygiene = None,
    |e| e.hygiene.iter_mut().for_each(|hygiene| hygiene.version += 1),
    |e| e.hygiene.iter_mut().for_each(|hygiene| hygiene.looked_at.clear()),
    |e| e.tests.iter_mut().for_each(|tests| tests.cases.clear()),
    |e| e.tests.iter_mut().flat_map(|tests| &mut tests.cases).for_each(|case| case.steps = None),
    |e| e.tests = None,
    |e| e.candidate.created_at.clear(),
    |e| e.collected_at.clear(),
    |e| e.collected_at = ago(3).min(e.collected_at.clone()),
    |e| e.image.state.clear(),
    |e| e.image.shared_with = None,
    |e| e.image.volumes.clear(),
    |e| e.ancestry = None,
    |e| e.used_kib = None,
    |e| e.commands.clear(),
    |e| e.os = None,
    |e| e.packages.clear(),
    |e| e.patches.iter_mut().for_each(|scan| scan.notices.clear()),
    |e| e.patches.iter_mut().for_each(|scan| scan.baseline_id.clear()),
];

fn ago(days: u8) -> String {
    crate::clock::rfc3339(NOW - DAY * u32::from(days))
}

/// A worse level; what is not rated is the worst.
fn worse(level: &str) -> String {
    let at = LEVELS.iter().position(|known| known.eq_ignore_ascii_case(level)).unwrap_or(LEVELS.len() - 1);
    LEVELS[(at + 1).min(LEVELS.len() - 1)].to_owned()
}

fn harm(evidence: &mut Evidence, harm: &Harm, number: usize) {
    match harm {
        Harm::Patch { state, level, days } => {
            let Some(scan) = &mut evidence.patches else { return };
            let name = format!("p{number}");
            scan.counts.add(*state);
            scan.open.push(item(&name, *state));
            let (released, level) = (days.map(ago), Some(LEVELS[*level].to_owned()));
            scan.notices.insert(format!("{name}.amd64"), PatchNotice { released, level, cves: vec![] });
        }
        Harm::OlderPatch => {
            let Some(scan) = &mut evidence.patches else { return };
            scan.notices.values_mut().for_each(|notice| {
                notice.released = notice.released.as_ref().map(|_| "2020-01-01T00:00:00Z".to_owned());
            });
        }
        Harm::WorsePatch => {
            let Some(scan) = &mut evidence.patches else { return };
            scan.notices.values_mut().for_each(|notice| notice.level = notice.level.as_deref().map(worse));
        }
        Harm::Vulnerability { severity, fix, id, scan } => {
            let Some(scan) = evidence.vulnerabilities.get_mut(usize::from(*scan)) else { return };
            let found = finding(&format!("CVE-2026-{id}"), LEVELS[*severity]);
            scan.findings.push(Finding { fix: *fix, fixed_in: None, ..found });
        }
        Harm::WorseVulnerability => {
            vulnerabilities(evidence).for_each(|finding| finding.severity = worse(&finding.severity));
        }
        Harm::Fix(named) => vulnerabilities(evidence).for_each(|finding| {
            finding.fix = Fix::Available;
            finding.fixed_in = named.then(|| "9".into());
        }),
        Harm::Scan(which) => scan(evidence, *which),
        Harm::Carries { rule, path } => {
            let Some(hygiene) = &mut evidence.hygiene else { return };
            let (rule, path) = (hygiene::RULES[*rule], format!("/{path}"));
            let (name, severity, why) = (rule.name.into(), rule.severity.into(), rule.why.into());
            hygiene.findings.push(HygieneFinding { rule: name, severity, path, why });
        }
        Harm::Unseen(rule) => {
            let Some(hygiene) = &mut evidence.hygiene else { return };
            let name = hygiene::RULES[*rule].name;
            hygiene.rules.retain(|known| known != name);
            if number.is_multiple_of(2) {
                hygiene.failed.push(FailedRule { rule: name.into(), why: "no awk".into() });
            }
        }
        Harm::Step { at, outcome } => {
            let cases = evidence.tests.iter_mut().flat_map(|tests| &mut tests.cases);
            let mut steps = cases.flat_map(|case| case.steps.iter_mut().flatten());
            steps.nth(usize::from(*at)).into_iter().for_each(|step| step.outcome = *outcome);
        }
        Harm::Image(which) => image(evidence, *which),
        Harm::Tests(which) => tests(evidence, *which),
        Harm::Package(true) => evidence.packages.push(InstalledPackage {
            name: "telnetd".into(),
            arch: "amd64".into(),
            version: "1".into(),
        }),
        Harm::Package(false) => evidence.packages.retain(|package| package.name != "bash"),
        Harm::Larger(kib) => evidence.used_kib = evidence.used_kib.map(|used| used + u64::from(*kib)),
        Harm::Older(days) => evidence.candidate.created_at = ago(*days).min(evidence.candidate.created_at.clone()),
        Harm::Ancestor => {
            let foreign =
                Ancestor { ami: format!("ami-{number}"), seen: true, owner: "9".into(), ..Ancestor::default() };
            evidence.ancestry.iter_mut().for_each(|ancestry| ancestry.images.push(foreign.clone()));
        }
        Harm::Command => evidence.commands.iter_mut().for_each(|outcome| outcome.exit = Some(1)),
        Harm::Less(which) => LESS[*which](evidence),
    }
}

fn vulnerabilities(evidence: &mut Evidence) -> impl Iterator<Item = &mut Finding> {
    evidence.vulnerabilities.iter_mut().flat_map(|scan| &mut scan.findings)
}

/// What can be wrong with a scan, and one more that has something to say.
fn scan(evidence: &mut Evidence, which: usize) {
    let good = VulnerabilityScan { source: "ec2".into(), scanned_at: ago(0), failed: None, findings: vec![] };
    match which {
        0 => evidence.vulnerabilities.iter_mut().for_each(|scan| scan.failed = Some("UNSUPPORTED_OS".into())),
        1 => evidence.vulnerabilities.iter_mut().for_each(|scan| scan.scanned_at = ago(3).min(scan.scanned_at.clone())),
        2 => evidence.vulnerabilities.push(VulnerabilityScan { failed: Some("no".into()), ..good }),
        _ => {
            // By a scanner that nobody asks for: it can only do harm.
            let findings = vec![finding("CVE-2026-1", "HIGH")];
            evidence.vulnerabilities.push(VulnerabilityScan { source: "other".into(), findings, ..good });
        }
    }
}

fn image(evidence: &mut Evidence, which: usize) {
    let image = &mut evidence.image;
    match which {
        0 => image.imds_v2 = false,
        1 => image.encrypted = false,
        2 => image.public = true,
        3 => image.shared_with.iter_mut().for_each(|accounts| accounts.push("9".into())),
        4 => image.volumes.iter_mut().for_each(|volume| volume.gib = volume.gib.map(|gib| gib + 1)),
        5 => image.volumes.extend(image.volumes.first().cloned()),
        6 => image.boot_mode = Some("legacy-bios".into()),
        _ => image.state = "failed".into(),
    }
}

fn tests(evidence: &mut Evidence, which: usize) {
    let Some(tests) = &mut evidence.tests else { return };
    match which {
        0 => tests.passed = false,
        1 => tests.failed_steps += 1,
        2 => tests.skipped_steps += 1,
        _ => tests.not_real.push(NotReal { name: "kernel".into(), why: "it is the host's".into() }),
    }
}

/// Evidence that passes the mildest policies.
fn good() -> Evidence {
    let mut evidence = evidence();
    evidence.vulnerabilities.push(VulnerabilityScan { source: "ec2".into(), ..evidence.vulnerabilities[0].clone() });
    let step = |component: &str, step: &str| TestStep {
        component: component.into(),
        phase: "test".into(),
        step: step.into(),
        outcome: TestOutcome::Passed,
        message: String::new(),
    };
    let steps = [("boots", "Ready"), ("boots", "Time"), ("patched", "Scan"), ("hygiene", "Keys")];
    evidence.tests.as_mut().unwrap().cases.push(TestCase {
        name: "ApplyTestComponents".into(),
        passed: true,
        executed_steps: 4,
        failed_steps: 0,
        skipped_steps: 0,
        message: String::new(),
        steps: Some(steps.iter().map(|(component, name)| step(component, name)).collect()),
    });
    evidence.commands.push(CommandOutcome {
        name: "check".into(),
        digest: command().digest(),
        exit: Some(0),
        failed: String::new(),
        last_lines: vec![],
        milliseconds: 1,
        ended_at: "2026-11-23T11:00:00Z".into(),
    });
    evidence
}

fn waivers(count: usize) -> Vec<Waiver> {
    let all = [
        ("vulnerabilities", "CVE-2026-1"),
        ("patches", "p0"),
        ("image", "encrypted"),
        ("tests", "failed"),
        ("hygiene", "swap:/0"),
        ("tests", "boots"),
    ];
    let waiver = |(gate, finding): &(&str, &str)| Waiver {
        gate: (*gate).into(),
        finding: (*finding).into(),
        recipe: None,
        package: None,
        version: None,
        owner: "o".into(),
        reason: "r".into(),
        expires: date!(2027 - 01 - 01),
        place: "waivers.yaml:1".into(),
    };
    all.iter().take(count).map(waiver).collect()
}

fn statuses(gates: &Gates, evidence: &Evidence, waivers: &[Waiver]) -> Vec<(String, VerdictStatus)> {
    let mut promoted = self::evidence();
    promoted.vulnerabilities[0].findings = vec![finding("CVE-2026-2", "MEDIUM")];
    let context = Context { promoted: Promoted::Known(&promoted), waivers, ..Context::at(NOW) };
    judge(gates, evidence, &context).verdicts.into_iter().map(|verdict| (verdict.gate, verdict.status)).collect()
}

#[test]
fn the_good_evidence_is_good() {
    assert!(statuses(&policy(), &good(), &[]).iter().all(|(_, status)| *status == VerdictStatus::Pass));
}

proptest! {
    /// More that speaks against an image, and less that is known of it, never turn what does not pass into a pass.
    #[test]
    fn gates_are_monotone(
        gates in some_policy(),
        before in prop::collection::vec(some_harm(), 0..6),
        more in some_harm(),
        count in 0_usize..7,
    ) {
        let (mut evidence, waivers) = (good(), waivers(count));
        for (number, one) in before.iter().enumerate() {
            harm(&mut evidence, one, number);
        }
        let was = statuses(&gates, &evidence, &waivers);
        harm(&mut evidence, &more, before.len());
        for (was, is) in was.into_iter().zip(statuses(&gates, &evidence, &waivers)) {
            prop_assert_eq!(&was.0, &is.0);
            prop_assert!(was.1.approves() || !is.1.approves(), "{:?} became {:?} by {:?}", was, is, more);
        }
    }

    /// A waiver more never turns a pass into something else, and a waiver less never makes one.
    #[test]
    fn waivers_only_help(
        gates in some_policy(), harms in prop::collection::vec(some_harm(), 0..6), count in 0_usize..6,
    ) {
        let mut evidence = good();
        for (number, one) in harms.iter().enumerate() {
            harm(&mut evidence, one, number);
        }
        let (fewer, more) = (waivers(count), waivers(count + 1));
        for (with, without) in statuses(&gates, &evidence, &more).into_iter().zip(statuses(&gates, &evidence, &fewer)) {
            prop_assert!(with.1.approves() || !without.1.approves(), "{:?} without, {:?} with", without, with);
        }
    }

    /// Evidence about anything else than the image in question passes no gate of any policy.
    #[test]
    fn evidence_of_another_image_never_passes(gates in some_policy(), which in 0_usize..7) {
        let mut evidence = good();
        let wanted = evidence.candidate.clone();
        let candidate = &mut evidence.candidate;
        let part = [
            &mut candidate.ami, &mut candidate.recipe, &mut candidate.arch, &mut candidate.account,
            &mut candidate.region, &mut candidate.project, &mut evidence.schema,
        ];
        part.into_iter().nth(which).unwrap().push('x');
        let subject = Some(Subject {
            project: &wanted.project, recipe: &wanted.recipe, arch: &wanted.arch, account: &wanted.account,
            region: &wanted.region, ami: &wanted.ami,
        });
        let context = Context { subject, ..Context::at(NOW) };
        let verdicts = judge(&gates, &evidence, &context).verdicts;
        prop_assert!(!verdicts.is_empty());
        for verdict in verdicts {
            prop_assert_eq!(verdict.status, VerdictStatus::Error);
        }
    }

    /// Evidence that is older than the policy allows passes no gate of any policy, whatever waivers accept.
    #[test]
    fn old_evidence_never_passes(
        gates in some_policy(), within in prop::option::of(1_u64..72), count in 0_usize..7, over in 1_u64..100_000,
    ) {
        let gates = Gates { validated_within: within.map(Duration::from_hours), ..gates };
        let mut evidence = good();
        let at = NOW - gates.valid_within() - Duration::from_secs(over);
        evidence.collected_at = crate::clock::rfc3339(at);
        for (gate, status) in statuses(&gates, &evidence, &waivers(count)) {
            prop_assert!(!status.approves(), "{gate}: {status:?}");
        }
    }

    /// A scan by another baseline than today's, by one that has changed since, or by one of which that is not known, passes no
    /// gate on patches, whatever waivers accept.
    #[test]
    fn a_scan_by_an_old_baseline_never_passes(
        gates in some_policy(), harms in prop::collection::vec(some_harm(), 0..4), count in 0_usize..7, which in 0_usize..3,
    ) {
        let mut evidence = good();
        for (number, one) in harms.iter().enumerate() {
            harm(&mut evidence, one, number);
        }
        let waivers = waivers(count);
        let mut today = BaselineNow { name: "AWS-DebianDefaultPatchBaseline", digest: Some("sha256:1".into()) };
        let scanned_by = match which {
            0 => Some("sha256:0"),
            1 => None,
            _ => {
                today.name = "own";
                Some("sha256:1")
            }
        };
        evidence.patches.iter_mut().for_each(|scan| scan.baseline_digest = scanned_by.map(str::to_owned));
        let context = Context { baseline: Some(today), waivers: &waivers, ..Context::at(NOW) };
        let verdicts = judge(&gates, &evidence, &context).verdicts;
        let patches = verdicts.iter().find(|verdict| verdict.gate == "patches").unwrap();
        prop_assert!(!patches.status.approves(), "{:?}", patches);
    }
}
