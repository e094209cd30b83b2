use crate::patch::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

pub(super) const NOW: OffsetDateTime = datetime!(2025-12-01 0:00 UTC);

pub(super) fn package(name: &str, version: &str) -> Package {
    Package { name: name.into(), arch: "x86_64".into(), version: version.into(), ..Package::default() }
}

pub(super) fn offer(name: &str, version: &str) -> Offer {
    Offer { package: package(name, version), from: 0 }
}

/// A notice of the first of October about one version.
pub(super) fn notice(id: &str, kind: &str, severity: &str, name: &str, version: &str) -> Advisory {
    Advisory {
        id: id.into(),
        kind: kind.into(),
        severity: severity.into(),
        issued: "2025-10-01".into(),
        cves: vec![format!("CVE-{id}")],
        packages: vec![AdvisoryPackage {
            name: name.into(),
            arch: "x86_64".into(),
            version: version.into(),
            ..AdvisoryPackage::default()
        }],
        ..Advisory::default()
    }
}

/// Installed, offered and notices, on RHEL.
pub(super) fn image(installed: &[(&str, &str)], offered: &[(&str, &str)], advisories: Vec<Advisory>) -> Inventory {
    Inventory {
        os_id: "rhel".into(),
        os_version: "9.4".into(),
        installed: installed.iter().map(|(name, version)| package(name, version)).collect(),
        offered: offered.iter().map(|(name, version)| offer(name, version)).collect(),
        advisories,
        sources: vec![PackageSource { id: "baseos".into(), ..PackageSource::default() }],
        ..Inventory::default()
    }
}

pub(super) fn redhat() -> Baseline {
    predefined("AWS-RedHatDefaultPatchBaseline").unwrap()
}

/// The default baseline of a system.
pub(super) fn of(os: OperatingSystem) -> Baseline {
    all_predefined().iter().find(|baseline| baseline.operating_system == os).unwrap().clone()
}

/// Approves everything at once, notice or not.
pub(super) fn everything() -> Baseline {
    let mut baseline = redhat();
    baseline.rules.truncate(1);
    baseline.rules[0].filters.clear();
    baseline.rules[0].enable_non_security = true;
    baseline.rules[0].approval = Approval::AfterDays(0);
    baseline
}

pub(super) fn run(baseline: &Baseline, image: &Inventory) -> Evaluation {
    evaluate(baseline, image, &Context::new(NOW)).unwrap()
}

pub(super) fn with(baseline: &Baseline, image: &Inventory, settings: Settings) -> Evaluation {
    evaluate(baseline, image, &Context { settings, ..Context::new(NOW) }).unwrap()
}

pub(super) fn states(evaluation: &Evaluation) -> Vec<(&str, State)> {
    evaluation.patches.iter().map(|patch| (patch.name.as_str(), patch.state)).collect()
}

/// State of the only patch.
pub(super) fn state(evaluation: &Evaluation) -> State {
    assert_eq!(evaluation.patches.len(), 1);
    evaluation.patches[0].state
}

#[test]
fn section_4_4_states_of_approved_and_other_packages() {
    let image = image(
        &[("bash", "5-1"), ("curl", "7-1"), ("dbus", "1:1-1"), ("own", "1-1"), ("vim", "9-9")],
        &[("bash", "5-2"), ("curl", "7-1"), ("dbus", "1:1-2"), ("vim", "9-1"), ("zsh", "5-1")],
        vec![
            notice("A-1", "security", "Important", "bash", "0:5-2"),
            notice("A-2", "security", "Critical", "curl", "7-1"),
            notice("A-3", "security", "Low", "dbus", "1:1-2"),
            notice("A-4", "security", "Critical", "vim", "9-1"),
            notice("A-5", "security", "Critical", "zsh", "5-1"),
        ],
    );
    let evaluation = run(&redhat(), &image);
    assert_eq!(
        states(&evaluation),
        [
            ("bash", State::Missing),
            ("curl", State::Installed),
            ("dbus", State::InstalledOther),
            ("own", State::InstalledOther),
            ("vim", State::InstalledOther),
        ],
        "installed and newer than every approved version is other"
    );
    let bash = &evaluation.patches[0];
    assert_eq!((bash.title(), bash.id()), ("bash.x86_64:0:5-2".into(), "bash.x86_64".into()));
    assert_eq!((bash.classification.as_str(), bash.severity.as_str()), ("Security", "Important"));
    assert_eq!((&bash.advisories[..], &bash.cves[..]), (&["A-1".into()][..], &["CVE-A-1".into()][..]));
    assert_eq!(evaluation.counts.not_applicable, 1, "zsh");
    assert!(!evaluation.compliant());
    assert_eq!((evaluation.open.security, evaluation.open.critical, evaluation.open.other), (1, 0, 0));
    assert_eq!(
        bash.sentence(),
        "bash.x86_64 0:5-1 is Missing: 0:5-2 (A-1) is approved by rule 1 (level UNSPECIFIED; issued 2025-10-01 00:00 UTC, \
         7 days later is 2025-10-08 00:00 UTC)."
    );
    assert!(evaluation.patches[2].sentence().contains("has SEVERITY Low, rule 1 wants Critical or Important"));
    assert!(evaluation.patches[3].sentence().contains("no source offers"));
}

#[test]
fn section_1_5_the_delay_is_counted_in_hours_and_strictly() {
    let mut fixed = notice("A-1", "security", "Important", "bash", "5-2");
    fixed.updated = "2025-11-24 18:00".into();
    let image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![fixed]);
    let at = |now| evaluate(&redhat(), &image, &Context::new(now)).unwrap();
    let waiting = at(datetime!(2025-12-01 18:00 UTC));
    assert_eq!(state(&waiting), State::InstalledOther);
    assert!(
        waiting.patches[0]
            .sentence()
            .contains("waits for rule 1: updated 2025-11-24 18:00 UTC, 7 days later is 2025-12-01 18:00 UTC"),
        "{}",
        waiting.patches[0].sentence()
    );
    assert_eq!(state(&at(datetime!(2025-12-01 18:00:01 UTC))), State::Missing);
}

#[test]
fn section_1_5_the_named_day_of_a_cut_off_is_included() {
    let mut baseline = redhat();
    baseline.rules[0].approval = Approval::UntilDate(time::macros::date!(2025 - 10 - 01));
    let mut fixed = notice("A-1", "security", "Important", "bash", "5-2");
    let mut on = |moment: &str| {
        fixed.issued = moment.into();
        state(&run(&baseline, &image(&[("bash", "5-1")], &[("bash", "5-2")], vec![fixed.clone()])))
    };
    assert_eq!(on("2025-10-01 23:59:59"), State::Missing);
    assert_eq!(on("2025-10-02"), State::InstalledOther);
}

#[test]
fn section_3_3_and_conflict_1_which_date_counts_is_a_setting() {
    let mut fixed = notice("A-1", "security", "Important", "bash", "5-2");
    fixed.updated = "2025-11-30".into();
    let image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![fixed]);
    assert_eq!(state(&run(&redhat(), &image)), State::InstalledOther, "updated restarts the delay");
    let issued = Settings { date_order: DateOrder::IssuedOnly, ..Settings::default() };
    let evaluation = with(&redhat(), &image, issued);
    assert_eq!(state(&evaluation), State::Missing);
    assert_eq!(evaluation.settings, issued, "the report names it");
}

#[test]
fn section_3_3_without_a_date_the_build_time_counts_and_then_1970() {
    let mut undated = notice("A-1", "security", "Important", "bash", "5-2");
    undated.issued = "not a date".into();
    let mut image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![undated]);
    let evaluation = run(&redhat(), &image);
    assert_eq!(state(&evaluation), State::Missing, "1970 passes every delay");
    assert!(evaluation.patches[0].sentence().contains("counts as 1970-01-01"));
    image.offered[0].package.built_at = Some((NOW - Duration::days(1)).unix_timestamp());
    assert_eq!(state(&run(&redhat(), &image)), State::InstalledOther);
    let excluded = Settings { missing_date: MissingDate::Excluded, ..Settings::default() };
    image.offered[0].package.built_at = None;
    assert_eq!(state(&with(&redhat(), &image, excluded)), State::InstalledOther, "conflict 7");
    assert_eq!(state(&with(&everything(), &image, excluded)), State::Missing, "EnableNonSecurity");
}

#[test]
fn section_3_5_a_notice_without_severity_is_matched_on_its_classification() {
    let image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "", "bash", "5-2")]);
    assert_eq!(state(&run(&redhat(), &image)), State::Missing);
    let strict = Settings { missing_severity: MissingSeverity::Fails, ..Settings::default() };
    assert_eq!(state(&with(&redhat(), &image, strict)), State::InstalledOther, "conflict 2");
}

#[test]
fn section_3_6_without_a_notice_only_enable_non_security_approves() {
    let other = notice("A-1", "security", "Important", "vim", "1-1");
    let image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![other]);
    let mut baseline = redhat();
    baseline.rules[1].filters.clear();
    let evaluation = run(&baseline, &image);
    assert_eq!(state(&evaluation), State::InstalledOther);
    assert!(evaluation.patches[0].sentence().contains("is no security update, and rule 2"));
    baseline.rules[1].enable_non_security = true;
    let evaluation = run(&baseline, &image);
    assert_eq!(state(&evaluation), State::Missing);
    assert_eq!(evaluation.patches[0].classification, "");
    // A filter other than `*` fails without a notice, one with `*` passes.
    baseline.rules[1].filters = redhat().rules[1].filters.clone();
    assert_eq!(state(&run(&baseline, &image)), State::InstalledOther);
    baseline.rules[1].filters[0].values = vec!["*".into()];
    assert_eq!(state(&run(&baseline, &image)), State::Missing);
}

#[test]
fn section_3_1_every_notice_makes_a_security_update_and_the_strict_mode_wants_a_severity() {
    let image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "bugfix", "", "bash", "5-2")]);
    assert_eq!(state(&run(&redhat(), &image)), State::Missing, "rule 2 approves bug fixes");
    let strict = Settings { security_notice: SecurityNotice::WithTypeAndSeverity, ..Settings::default() };
    assert_eq!(state(&with(&redhat(), &image, strict)), State::InstalledOther, "patch-baselines.md 3.6");
}

#[test]
fn section_1_3_medium_is_moderate_on_amazon_linux_2023_only() {
    let fixed = notice("A-1", "security", "moderate", "bash", "5-2");
    let mut image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![fixed]);
    let medium = |os| {
        let mut baseline = of(os);
        baseline.rules[0].filters[1].values = vec!["Medium".into()];
        baseline
    };
    assert_eq!(state(&run(&medium(OperatingSystem::RedHatEnterpriseLinux), &image)), State::InstalledOther);
    (image.os_id, image.os_version) = ("amzn".into(), "2023".into());
    assert_eq!(state(&run(&medium(OperatingSystem::AmazonLinux2023), &image)), State::Missing);
}

#[test]
fn section_1_4_the_highest_level_of_the_rules_that_approve_wins() {
    let image =
        image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Critical", "bash", "5-2")]);
    let mut baseline = redhat();
    baseline.rules[0].level = Level::Low;
    baseline.rules[1].filters.clear();
    baseline.rules[1].level = Level::Critical;
    baseline.approved = vec!["bash".into()];
    baseline.approved_level = Level::Medium;
    let evaluation = run(&baseline, &image);
    assert_eq!((evaluation.patches[0].level, evaluation.severity()), (Level::Critical, Some(Level::Critical)));
    assert_eq!((evaluation.open.critical, evaluation.open.security, evaluation.open.other), (1, 1, 0), "5.4: in both");
    assert_eq!(evaluation.levels[&Level::Critical], LevelCounts { compliant: 0, non_compliant: 1 });
    assert_eq!(evaluation.patches[0].reasons.len(), 3, "two rules and the list");
}

#[test]
fn section_2_6_rejection_wins_and_4_3_says_what_it_means() {
    let image =
        image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Critical", "bash", "5-2")]);
    let mut baseline = redhat();
    baseline.approved = vec!["bash".into()];
    baseline.rejected = vec!["bash*".into()];
    let evaluation = run(&baseline, &image);
    assert_eq!(state(&evaluation), State::InstalledOther, "ALLOW_AS_DEPENDENCY");
    let sentence = evaluation.patches[0].sentence();
    assert!(sentence.contains("is rejected by the entry `bash*`"), "{sentence}");
    let always = Settings { installed_rejected: InstalledRejected::Always, ..Settings::default() };
    assert_eq!(state(&with(&baseline, &image, always)), State::InstalledRejected, "conflict 5");
    baseline.rejected_action = RejectedAction::Block;
    let evaluation = run(&baseline, &image);
    assert_eq!(state(&evaluation), State::InstalledRejected);
    assert!(evaluation.notes.iter().any(|note| note.contains("conflict 6")));
    assert!(!evaluation.notes.iter().any(|note| note.contains("names nothing")), "both entries name bash");
    baseline.rejected = vec!["bash-5-2".into()];
    assert_eq!(state(&run(&baseline, &image)), State::InstalledOther, "only the newer version is rejected");
}

#[test]
fn section_2_1_ids_approve_and_conflict_3_is_about_rejecting() {
    let mut fixed = notice("A-1", "enhancement", "", "bash", "5-2");
    fixed.reference_id = Some("SELF-1".into());
    let image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![fixed]);
    let mut baseline = redhat();
    for (id, noted) in [("SELF-1", false), ("CVE-A-1", false), ("A-1", true)] {
        baseline.approved = vec![id.into()];
        let evaluation = run(&baseline, &image);
        assert_eq!(state(&evaluation), State::Missing, "{id}");
        assert_eq!(evaluation.notes.iter().any(|note| note.contains("<id>")), noted, "{id}");
    }
    baseline.approved = vec!["bash".into()];
    baseline.rejected = vec!["CVE-A-1".into()];
    assert_eq!(state(&run(&baseline, &image)), State::Missing);
    let reject = Settings { rejected_ids: RejectedIds::Reject, ..Settings::default() };
    assert_eq!(state(&with(&baseline, &image, reject)), State::InstalledOther);
}

#[test]
fn section_4_1_approved_patches_bypass_the_global_filters_unless_conflict_4_is_switched() {
    let image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Low", "bash", "5-2")]);
    let mut baseline = redhat();
    baseline.global_filters = vec![Filter { key: FilterKey::Severity, values: vec!["Critical".into()] }];
    baseline.approved = vec!["bash".into()];
    assert_eq!(state(&run(&baseline, &image)), State::Missing);
    let through = Settings { approved_list: ApprovedList::PassesGlobalFilters, ..Settings::default() };
    assert_eq!(state(&with(&baseline, &image, through)), State::InstalledOther);
    baseline.approved = vec![];
    let sentence = run(&baseline, &image).patches[0].sentence();
    assert!(sentence.contains("the global filters want Critical"), "{sentence}");
}

#[test]
fn section_4_1_the_approved_list_needs_a_notice_unless_non_security_is_enabled() {
    let other = notice("A-1", "security", "Important", "vim", "1-1");
    let image = image(&[("bash", "5-1")], &[("bash", "5-2")], vec![other]);
    let mut baseline = redhat();
    baseline.approved = vec!["bash".into(), "bsah".into()];
    let evaluation = run(&baseline, &image);
    assert_eq!(state(&evaluation), State::InstalledOther);
    assert!(evaluation.patches[0].sentence().contains("ApprovedPatchesEnableNonSecurity is off"));
    assert!(evaluation.notes.iter().any(|note| note.contains("`bsah` of ApprovedPatches names nothing")));
    baseline.approved_non_security = true;
    assert_eq!(state(&run(&baseline, &image)), State::Missing);
}

#[test]
fn section_3_4_vanished_versions() {
    let old = notice("A-1", "security", "Critical", "bash", "5-2");
    let build = |os_id: &str| Inventory {
        os_id: os_id.into(),
        ..image(&[("bash", "5-1")], &[("bash", "5-3")], vec![old.clone()])
    };
    assert_eq!(state(&run(&redhat(), &build("rhel"))), State::InstalledOther, "RHEL omits it");
    let alma = run(&of(OperatingSystem::AlmaLinux), &build("almalinux"));
    assert_eq!((state(&alma), alma.patches[0].available.as_deref()), (State::Missing, Some("0:5-3")));
    assert!(alma.patches[0].sentence().contains("takes the place of 5-2"), "{}", alma.patches[0].sentence());
    assert_eq!(state(&run(&of(OperatingSystem::RockyLinux), &build("rocky"))), State::Missing);
    let newer = Settings { vanished: Vanished::UsesNewer, ..Settings::default() };
    assert_eq!(state(&with(&redhat(), &build("rhel"), newer)), State::Missing);
    let dropped = Settings { vanished: Vanished::Dropped, ..Settings::default() };
    assert_eq!(state(&with(&of(OperatingSystem::AlmaLinux), &build("almalinux"), dropped)), State::InstalledOther);
    // What the installed version has left behind says nothing about a newer one: dnf finds no security update, either.
    let mut behind = build("almalinux");
    for installed in ["5-2", "5-2.1"] {
        behind.installed = vec![package("bash", installed)];
        assert_eq!(state(&run(&of(OperatingSystem::AlmaLinux), &behind)), State::InstalledOther, "{installed}");
    }
}

#[test]
fn section_3_2_notices_of_module_streams_that_are_not_enabled_are_ignored() {
    let mut fixed = notice("A-1", "security", "Critical", "nodejs", "1:18-2");
    fixed.packages[0].module = "nodejs:18".into();
    let mut image = image(&[("nodejs", "1:18-1")], &[("nodejs", "1:18-2")], vec![fixed]);
    assert_eq!(state(&run(&redhat(), &image)), State::InstalledOther);
    image.modules = vec!["nodejs:18".into()];
    assert_eq!(state(&run(&redhat(), &image)), State::Missing);
}

#[test]
fn section_10_1_withdrawn_notices_and_other_architectures_do_not_count() {
    let mut fixed = notice("A-1", "security", "Critical", "bash", "5-2");
    let fine = notice("A-2", "security", "Critical", "vim", "1-1");
    fixed.status = "retracted".into();
    let with = |fixed: &Advisory| {
        state(&run(&redhat(), &image(&[("bash", "5-1")], &[("bash", "5-2")], vec![fixed.clone(), fine.clone()])))
    };
    assert_eq!(with(&fixed), State::InstalledOther);
    fixed.status = "final".into();
    assert_eq!(with(&fixed), State::Missing);
    fixed.packages[0].arch = "aarch64".into();
    assert_eq!(with(&fixed), State::InstalledOther);
}

#[test]
fn section_4_4_epochs_count_and_an_absent_one_is_zero() {
    let fixed = notice("A-1", "security", "Critical", "dbus", "0:2-1");
    let evaluation = run(&redhat(), &image(&[("dbus", "1:1-1")], &[("dbus", "2-1")], vec![fixed]));
    assert_eq!(state(&evaluation), State::InstalledOther, "1:1-1 is newer than 2-1");
}

#[test]
fn section_4_4_multi_lib_and_multi_install() {
    let mut image = image(
        &[("kernel", "6.1-1"), ("kernel", "6.1-3"), ("glibc", "2-1"), ("gpg-pubkey", "1-1")],
        &[("kernel", "6.1-2"), ("kernel", "6.1-3"), ("glibc", "2-2")],
        vec![
            notice("A-1", "security", "Critical", "kernel", "6.1-2"),
            notice("A-2", "security", "Critical", "glibc", "2-2"),
        ],
    );
    let i686 = Package { arch: "i686".into(), ..package("glibc", "2-1") };
    image.installed.push(i686);
    let evaluation = run(&redhat(), &image);
    assert_eq!(
        states(&evaluation),
        [("glibc", State::InstalledOther), ("glibc", State::Missing), ("kernel", State::InstalledOther)],
        "public keys are no packages"
    );
    assert_eq!(evaluation.patches[2].installed, "0:6.1-3", "the newest of several");
}

#[test]
fn the_cves_of_every_notice_on_the_way_are_fixed() {
    let image = image(
        &[("bash", "5-1")],
        &[("bash", "5-2"), ("bash", "5-3"), ("bash", "5-4")],
        vec![
            notice("A-1", "security", "Critical", "bash", "5-1"),
            notice("A-2", "security", "Low", "bash", "5-2"),
            notice("A-3", "security", "Critical", "bash", "5-3"),
            notice("A-4", "security", "Low", "bash", "5-4"),
        ],
    );
    let patch = &run(&redhat(), &image).patches[0];
    assert_eq!(patch.available.as_deref(), Some("0:5-3"));
    assert_eq!(
        patch.cves,
        ["CVE-A-2", "CVE-A-3"],
        "approved or not, after the installed one and up to the approved one"
    );
    assert!(patch.sentence().contains("0:5-4 (A-4) has SEVERITY Low"), "why not the newest: {}", patch.sentence());
}

#[test]
fn section_4_6_suse() {
    let fixed = notice("SUSE-SLE-Module-Basesystem-15-SP5-2025-1", "security", "important", "bash", "5-2");
    let feature = notice("SUSE-2", "feature", "", "vim", "2-1");
    let mut image = image(
        &[("bash", "5-1"), ("vim", "1-1"), ("zsh", "1-1")],
        &[("bash", "5-2"), ("vim", "2-1"), ("zsh", "2-1")],
        vec![fixed, feature],
    );
    (image.os_id, image.os_version) = ("sles".into(), "15.5".into());
    let mut baseline = of(OperatingSystem::Suse);
    let found = |baseline: &Baseline| run(baseline, &image).patches.iter().map(|p| p.state).collect::<Vec<_>>();
    assert_eq!(found(&baseline), [State::Missing, State::InstalledOther, State::InstalledOther]);
    baseline.approved = vec!["zsh".into(), "SUSE-2".into()];
    assert_eq!(found(&baseline), [State::Missing; 3], "approved names need no patch");
    baseline.rejected = vec!["SUSE-SLE-Module-*".into()];
    assert_eq!(found(&baseline), [State::InstalledOther, State::Missing, State::Missing]);
}

#[test]
fn section_5_2_what_was_installed_after_the_boot_is_pending() {
    let fixed = notice("A-1", "security", "Critical", "bash", "5-2");
    let mut image = image(&[("bash", "5-2"), ("vim", "1-1")], &[("bash", "5-2")], vec![fixed]);
    image.installed[0].installed_at = Some(2_000);
    assert_eq!(run(&redhat(), &image).counts.installed_pending_reboot, 0, "not booted");
    image.reboot.booted_at = Some(1_000);
    let evaluation = run(&redhat(), &image);
    assert_eq!(states(&evaluation), [("bash", State::InstalledPendingReboot), ("vim", State::InstalledOther)]);
    assert!(!evaluation.compliant());
    let recorded = Settings { pending_reboot: PendingReboot::RecordedOnly, ..Settings::default() };
    assert_eq!(with(&redhat(), &image, recorded).counts.installed_pending_reboot, 0);
    image.reboot.recorded = vec![Recorded { title: "bash.x86_64:0:5-2".into(), installed_at: 1_001 }];
    assert_eq!(with(&redhat(), &image, recorded).counts.installed_pending_reboot, 1);
    image.reboot.booted_at = Some(3_000);
    assert_eq!(run(&redhat(), &image).counts.installed_pending_reboot, 0, "the restart clears it");
}

#[test]
fn section_5_1_after_an_installation_nothing_is_missing_but_failed() {
    let image =
        image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Critical", "bash", "5-2")]);
    let context = Context { operation: Operation::Install, ..Context::new(NOW) };
    let evaluation = evaluate(&redhat(), &image, &context).unwrap();
    assert_eq!((state(&evaluation), evaluation.counts.missing, evaluation.counts.failed), (State::Failed, 0, 1));
    assert_eq!(evaluation.outstanding().count(), 1);
}

#[test]
fn holds_are_named_and_do_not_change_a_state() {
    let mut image =
        image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Critical", "bash", "5-2")]);
    image.holds = vec![Hold { name: "ba*".into(), version: None, by: "versionlock".into() }];
    let evaluation = run(&redhat(), &image);
    assert_eq!(state(&evaluation), State::Missing);
    assert!(evaluation.patches[0].sentence().contains("UNCONFIRMED"));
    assert!(evaluation.notes.iter().any(|note| note.contains("UNCONFIRMED")));
}

#[test]
fn section_3_2_conflict_11_repositories_without_notices() {
    let mut image =
        image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Critical", "vim", "1-1")]);
    image.sources.push(PackageSource::default());
    image.offered[0].from = 1;
    assert_eq!(state(&run(&everything(), &image)), State::Missing);
    let nothing = Settings { no_notices: NoNotices::Nothing, ..Settings::default() };
    assert_eq!(state(&with(&everything(), &image, nothing)), State::InstalledOther);
}

#[test]
fn an_evaluation_is_a_document_that_is_read_back() {
    let image =
        image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Critical", "bash", "5-2")]);
    let evaluation = run(&redhat(), &image);
    let text = serde_json::to_string(&evaluation).unwrap();
    assert!(text.starts_with(r#"{"schema":"amiforge.patch-evaluation/1""#));
    assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);
    assert_eq!(evaluation.summary().items[0].state, State::Missing);
}
