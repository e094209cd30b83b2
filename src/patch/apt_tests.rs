use crate::patch::{
    Approval, AptSecurity, Baseline, Context, EvaluateError, Filter, FilterKey, Inventory, Level, Offer,
    OperatingSystem, OtherOffers, Package, PackageSource, RejectedAction, Rule, Settings, State, Summary, evaluate,
    predefined,
};
use proptest::prelude::*;

/// Positions of the sources of [`sources`].
pub(super) const MAIN: usize = 0;
pub(super) const SECURITY: usize = 1;
pub(super) const UNSIGNED: usize = 2;

fn sources() -> Vec<PackageSource> {
    let source = |suite: &str, codename: &str, trusted| PackageSource {
        site: "mirror.example".into(),
        suite: suite.into(),
        codename: codename.into(),
        label: "Debian".into(),
        trusted,
        ..PackageSource::default()
    };
    vec![
        source("oldstable", "bookworm", true),
        source("oldstable-security", "bookworm-security", true),
        source("third-security", "third", false),
    ]
}

pub(super) fn package(name: &str, version: &str) -> Package {
    Package {
        name: name.into(),
        arch: "amd64".into(),
        version: version.into(),
        priority: "optional".into(),
        section: "utils".into(),
        source: name.into(),
        ..Package::default()
    }
}

pub(super) fn offer(name: &str, version: &str, from: usize) -> Offer {
    Offer { package: package(name, version), from }
}

pub(super) fn image(installed: &[(&str, &str)], offered: Vec<Offer>) -> Inventory {
    Inventory {
        os_id: "debian".into(),
        os_version: "12".into(),
        os_codename: "bookworm".into(),
        installed: installed.iter().map(|(name, version)| package(name, version)).collect(),
        offered,
        sources: sources(),
        ..Inventory::default()
    }
}

pub(super) fn debian() -> Baseline {
    predefined("AWS-DebianDefaultPatchBaseline").unwrap()
}

/// Everything is approved, security or not.
pub(super) fn everything() -> Baseline {
    let mut baseline = debian();
    baseline.rules[0].enable_non_security = true;
    baseline.rules[0].filters = vec![];
    baseline
}

/// The moment does not matter: no date counts on APT systems (patch-baselines.md 1.5).
pub(super) fn context() -> Context {
    Context::new(time::OffsetDateTime::UNIX_EPOCH).product("Debian12")
}

pub(super) fn run(baseline: &Baseline, image: &Inventory) -> Summary {
    evaluate(baseline, image, &context()).unwrap().summary()
}

pub(super) fn states(evaluation: &Summary) -> Vec<(&str, State)> {
    evaluation.items.iter().map(|item| (item.name.as_str(), item.state)).collect()
}

#[test]
fn a_newer_version_in_the_security_suite_is_missing_and_one_elsewhere_is_not() {
    let image = image(
        &[("bash", "5.2-1"), ("curl", "7.88-10"), ("vim", "9.0-1"), ("zlib", "1.2-1"), ("own", "1")],
        vec![
            offer("bash", "5.2-2", MAIN),
            offer("curl", "7.88-10", MAIN),
            offer("curl", "7.88-10+deb12u3", SECURITY),
            offer("curl", "7.88-10+deb12u12", SECURITY),
            offer("curl", "7.88-11", MAIN),
            offer("vim", "9.0-1", SECURITY),
            offer("zlib", "1.3-1", UNSIGNED),
        ],
    );
    let evaluation = run(&debian(), &image);
    assert_eq!(
        states(&evaluation),
        [
            ("bash", State::InstalledOther),
            ("curl", State::Missing),
            ("own", State::InstalledOther),
            ("vim", State::Installed),
            ("zlib", State::InstalledOther),
        ]
    );
    let curl = &evaluation.items[1];
    assert_eq!(
        curl.available.as_deref(),
        Some("7.88-10+deb12u12"),
        "the highest security version, ordered as dpkg does"
    );
    assert_eq!(
        (curl.classification.as_str(), curl.severity.as_str(), curl.level.as_str()),
        ("Security", "optional", "UNSPECIFIED")
    );
    assert_eq!((evaluation.counts.missing, evaluation.counts.installed, evaluation.counts.installed_other), (1, 1, 3));
}

#[test]
fn a_version_that_is_also_in_the_security_suite_counts_as_security_wherever_else_it_is() {
    let offers = vec![offer("bash", "5.2-2", MAIN), offer("bash", "5.2-2", SECURITY)];
    assert_eq!(run(&debian(), &image(&[("bash", "5.2-1")], offers)).counts.missing, 1);
}

#[test]
fn the_installed_version_newer_than_every_approved_one_is_other() {
    let evaluation = run(&debian(), &image(&[("bash", "6.0-1")], vec![offer("bash", "5.2-2", SECURITY)]));
    assert_eq!(states(&evaluation), [("bash", State::InstalledOther)]);
}

#[test]
fn filters_look_at_priority_and_section_of_the_version_without_regard_to_case() {
    let image = image(&[("bash", "1")], vec![offer("bash", "2", SECURITY)]);
    let with = |key, value: &str| {
        let mut baseline = debian();
        baseline.rules[0].filters = vec![Filter { key, values: vec![value.into()] }];
        run(&baseline, &image).counts.missing
    };
    assert_eq!(with(FilterKey::Priority, "OPTIONAL"), 1);
    assert_eq!(with(FilterKey::Priority, "Required"), 0);
    assert_eq!(with(FilterKey::Section, "Utils"), 1);
    assert_eq!(with(FilterKey::Section, "universe/utils"), 0);
    assert_eq!(with(FilterKey::Section, "*"), 1);
    let mut global = debian();
    global.global_filters = vec![Filter { key: FilterKey::Section, values: vec!["libs".into()] }];
    assert_eq!(run(&global, &image).counts.missing, 0);
    global.approved = vec!["bash".into()];
    assert_eq!(run(&global, &image).counts.missing, 1, "the approved list passes by the global filters");
}

#[test]
fn the_highest_level_of_the_rules_that_approve_is_reported() {
    let image = image(&[("bash", "1")], vec![offer("bash", "2", SECURITY)]);
    let rule = |level, non_security| Rule {
        filters: vec![],
        approval: Approval::AfterDays(0),
        level,
        enable_non_security: non_security,
    };
    let mut baseline = debian();
    baseline.rules = vec![rule(Level::Low, false), rule(Level::High, true), rule(Level::Medium, false)];
    assert_eq!(run(&baseline, &image).items[0].level, "HIGH");
    baseline.approved = vec!["bash".into()];
    baseline.approved_level = Level::Critical;
    assert_eq!(run(&baseline, &image).items[0].level, "CRITICAL");
}

#[test]
fn the_approved_list_needs_a_security_version_unless_told_otherwise() {
    let image = image(&[("bash", "1")], vec![offer("bash", "2", MAIN)]);
    let mut baseline = debian();
    baseline.approved = vec!["ba*".into()];
    assert_eq!(run(&baseline, &image).counts.missing, 0);
    baseline.approved_non_security = true;
    assert_eq!(run(&baseline, &image).counts.missing, 1);
    baseline.rejected = vec!["bash".into()];
    assert_eq!(run(&baseline, &image).counts.missing, 0, "rejection wins");
}

#[test]
fn rejected_and_present_is_other_or_rejected_as_the_action_says() {
    let image = image(&[("bash", "1"), ("curl", "1")], vec![offer("bash", "2", SECURITY)]);
    let mut baseline = debian();
    baseline.rejected = vec!["BASH".into()];
    assert_eq!(states(&run(&baseline, &image))[0], ("bash", State::InstalledOther));
    baseline.rejected_action = RejectedAction::Block;
    let evaluation = run(&baseline, &image);
    assert_eq!(states(&evaluation), [("bash", State::InstalledRejected), ("curl", State::InstalledOther)]);
    assert_eq!(evaluation.counts.installed_rejected, 1);
    baseline.rejected = vec!["bash.amd64:2".into()];
    assert_eq!(
        states(&run(&baseline, &image))[0],
        ("bash", State::InstalledOther),
        "only the newer version is rejected"
    );
}

#[test]
fn packages_are_told_apart_by_architecture_and_all_is_the_native_one() {
    let mut image = image(&[("libc6", "1"), ("bash", "1"), ("docs", "1")], vec![offer("docs", "2", SECURITY)]);
    let foreign = Package { arch: "i386".into(), ..package("libc6", "1") };
    image.offered.push(Offer { package: Package { version: "2".into(), ..foreign.clone() }, from: SECURITY });
    image.installed[2].arch = "all".into();
    let evaluation = run(&debian(), &image);
    assert_eq!(
        states(&evaluation),
        [("bash", State::InstalledOther), ("docs", State::Missing), ("libc6", State::InstalledOther)]
    );
    assert_eq!(evaluation.counts.not_applicable, 1, "libc6:i386 is approved and not installed");
    image.installed.push(foreign);
    let evaluation = run(&debian(), &image);
    assert_eq!((evaluation.counts.missing, evaluation.counts.not_applicable), (2, 0));
}

#[test]
fn approved_packages_that_are_not_installed_are_counted_once_and_not_listed() {
    let mut image = image(&[("bash", "1")], vec![]);
    let group = |priority: &str, from, packages: &str| OtherOffers {
        priority: priority.into(),
        section: "web".into(),
        from,
        packages: packages.into(),
    };
    image.others = vec![
        group("optional", SECURITY, "curl amd64 1\ncurl amd64 2\nnginx amd64 1\ndocs all 1\n"),
        group("extra", SECURITY, "docs amd64 2\n"),
        group("optional", MAIN, "vim amd64 1\n"),
        group("", SECURITY, "odd amd64 1\n"),
    ];
    let mut baseline = debian();
    let evaluation = run(&baseline, &image);
    assert_eq!((evaluation.counts.not_applicable, evaluation.items.len()), (3, 1));
    baseline.rejected = vec!["nginx".into()];
    assert_eq!(run(&baseline, &image).counts.not_applicable, 2);
    baseline.approved = vec!["odd".into()];
    assert_eq!(run(&baseline, &image).counts.not_applicable, 3);
    assert_eq!(run(&everything(), &image).counts.not_applicable, 5);
}

#[test]
fn nothing_to_compare_with_is_an_error_and_never_a_pass() {
    let good = image(&[("bash", "1")], vec![offer("bash", "2", SECURITY)]);
    let error = |baseline: &Baseline, change: &dyn Fn(&mut Inventory)| {
        let mut image = good.clone();
        change(&mut image);
        evaluate(baseline, &image, &context()).unwrap_err()
    };
    assert_eq!(error(&debian(), &|i| i.installed.clear()), EvaluateError::NothingInstalled);
    assert_eq!(error(&debian(), &|i| i.sources.clear()), EvaluateError::NoSources);
    let untrusted = error(&debian(), &|i| i.sources.iter_mut().for_each(|s| s.trusted = false));
    assert_eq!(untrusted, EvaluateError::NoTrustedSource { codename: "bookworm".into(), sources: 3 });
    assert!(untrusted.to_string().contains("none of the 3 package sources"), "{untrusted}");
    assert!(matches!(error(&debian(), &|i| i.os_codename = "trixie".into()), EvaluateError::NoTrustedSource { .. }));
    assert!(matches!(error(&debian(), &|i| i.os_codename.clear()), EvaluateError::NoTrustedSource { .. }));
    let only_main = |i: &mut Inventory| {
        i.sources[SECURITY].suite = "oldstable-updates".into();
    };
    assert!(matches!(error(&debian(), &only_main), EvaluateError::NoSecuritySource { .. }));
    let mut main = good.clone();
    only_main(&mut main);
    assert_eq!(run(&everything(), &main).counts.missing, 1);
    assert!(matches!(error(&debian(), &|i| i.installed[0].version = "1.0-".into()), EvaluateError::Version { .. }));
    assert!(matches!(
        error(&debian(), &|i| i.offered[0].package.version = String::new()),
        EvaluateError::Version { .. }
    ));
}

#[test]
fn a_baseline_that_cannot_apply_is_an_error() {
    let image = image(&[("bash", "1")], vec![offer("bash", "1", MAIN)]);
    let error = |baseline: &Baseline| evaluate(baseline, &image, &context()).unwrap_err();
    let ubuntu = error(&predefined("AWS-UbuntuDefaultPatchBaseline").unwrap());
    assert!(matches!(ubuntu, EvaluateError::OperatingSystem { operating_system: OperatingSystem::Ubuntu, .. }));
    for name in ["AWS-AmazonLinux2023DefaultPatchBaseline", "AWS-SuseDefaultPatchBaseline"] {
        assert!(matches!(error(&predefined(name).unwrap()), EvaluateError::OperatingSystem { .. }), "{name}");
    }
    let windows = error(&predefined("AWS-DefaultPatchBaseline").unwrap());
    assert!(matches!(windows, EvaluateError::Unsupported { .. }));
    let mut other = debian();
    other.rules[0].filters.push(Filter { key: FilterKey::Product, values: vec!["Debian11".into()] });
    assert!(matches!(error(&other), EvaluateError::Product { .. }));
    other.rules[0].filters[1].values.push("debian12".into());
    assert!(evaluate(&other, &image, &context()).is_ok());
}

#[test]
fn section_1_5_no_date_counts_on_apt_systems() {
    let image = image(&[("bash", "1")], vec![offer("bash", "2", SECURITY)]);
    let mut baseline = debian();
    for approval in [Approval::AfterDays(360), Approval::UntilDate(time::macros::date!(1970 - 01 - 01))] {
        baseline.rules[0].approval = approval;
        assert_eq!(run(&baseline, &image).counts.missing, 1);
    }
}

#[test]
fn conflict_8_the_candidate_itself_may_have_to_come_from_a_security_suite() {
    let image = image(&[("bash", "1")], vec![offer("bash", "2", SECURITY), offer("bash", "3", MAIN)]);
    assert_eq!(run(&debian(), &image).counts.missing, 1);
    let settings = Settings { apt_security: AptSecurity::CandidateOnly, ..Settings::default() };
    let literal = evaluate(&debian(), &image, &Context { settings, ..context() }).unwrap();
    assert_eq!(literal.counts.missing, 0);
    let newest = Inventory { offered: vec![offer("bash", "2", SECURITY)], ..image };
    assert_eq!(evaluate(&debian(), &newest, &Context { settings, ..context() }).unwrap().counts.missing, 1);
}

#[test]
fn reasons_name_the_rule_and_what_was_missing() {
    let image = image(
        &[("bash", "1"), ("curl", "1"), ("own", "1"), ("vim", "1")],
        vec![offer("bash", "2", SECURITY), offer("curl", "2", MAIN), offer("vim", "2", SECURITY)],
    );
    let mut baseline = debian();
    baseline.rejected = vec!["vim".into()];
    baseline.rejected_action = RejectedAction::Block;
    let evaluation = evaluate(&baseline, &image, &context()).unwrap();
    let sentences: Vec<String> = evaluation.patches.iter().map(crate::patch::Patch::sentence).collect();
    assert_eq!(sentences[0], "bash.amd64 1 is Missing: 2 is approved by rule 1 (level UNSPECIFIED).");
    assert!(
        sentences[1].contains("2 is no security update, and rule 1 does not have EnableNonSecurity"),
        "{}",
        sentences[1]
    );
    assert!(sentences[2].contains("no source offers"), "{}", sentences[2]);
    assert!(sentences[3].contains("is rejected by the entry `vim` (BLOCK)"), "{}", sentences[3]);
    assert!(sentences[3].contains("it is installed, and rejected with BLOCK"), "{}", sentences[3]);
}

#[test]
fn offers_among_the_others_are_found_too() {
    let mut image = image(&[("bash", "1")], vec![]);
    let mut group =
        OtherOffers { priority: "optional".into(), section: "x".into(), from: SECURITY, packages: String::new() };
    group.packages = "bash amd64 2\n".into();
    image.others = vec![group];
    assert_eq!(run(&debian(), &image).counts.missing, 1);
}

const VERSIONS: [&str; 8] =
    ["1.0-1", "1.0-1+deb12u1", "1.0-1+deb12u2", "1.0-1+deb12u10", "1.0-2", "1:0.9-1", "1.0-1~deb12u1", "1.0-10"];

fn some_version() -> impl Strategy<Value = &'static str> {
    prop::sample::select(VERSIONS.as_slice())
}

pub(super) fn some_image() -> impl Strategy<Value = Inventory> {
    let name = prop::sample::select(vec!["a", "b", "c", "d", "e", "f"]);
    let installed = prop::collection::btree_map(name.clone(), some_version(), 1..6);
    let offers = prop::collection::vec((name, some_version(), 0_usize..3), 0..20);
    (installed, offers).prop_map(|(installed, offers)| {
        let installed: Vec<(&str, &str)> = installed.into_iter().collect();
        // Sources that offer nothing at all are an error, hence one more.
        let offers = offers.into_iter().map(|(name, version, from)| offer(name, version, from));
        image(&installed, offers.chain([offer("elsewhere", "1-1", MAIN)]).collect())
    })
}

proptest! {
    #[test]
    fn the_order_of_the_input_does_not_matter(image in some_image(), baseline in prop::bool::ANY) {
        let baseline = if baseline { debian() } else { everything() };
        let mut reversed = image.clone();
        reversed.installed.reverse();
        reversed.offered.reverse();
        prop_assert_eq!(run(&baseline, &image), run(&baseline, &reversed));
    }

    #[test]
    fn an_older_offer_changes_nothing(image in some_image(), which in 0_usize..6, from in 0_usize..3) {
        let mut more = image.clone();
        let name = more.installed[which % more.installed.len()].name.clone();
        more.offered.push(offer(&name, "0.1-1", from));
        prop_assert_eq!(run(&debian(), &image), run(&debian(), &more));
    }

    #[test]
    fn missing_means_newer_and_installing_it_makes_it_installed(image in some_image()) {
        let before = run(&debian(), &image);
        let mut patched = image.clone();
        for item in &before.items {
            prop_assert_eq!(item.available.is_some(), item.state == State::Missing);
            let Some(available) = &item.available else { continue };
            prop_assert!(crate::patch::DebianVersion::compare(available, &item.installed).unwrap().is_gt());
            patched.installed.iter_mut().find(|p| p.name == item.name).unwrap().version.clone_from(available);
        }
        let after = run(&debian(), &patched);
        prop_assert_eq!(after.counts.missing, 0);
        for item in before.items.iter().filter(|item| item.state == State::Missing) {
            let now = after.items.iter().find(|i| i.name == item.name).unwrap();
            prop_assert_eq!(now.state, State::Installed);
        }
        prop_assert_eq!(after.items.len(), before.items.len());
    }
}

#[test]
fn the_architecture_of_the_system_is_that_of_dpkg_whatever_most_packages_are_for() {
    // `libs` is for all architectures in its next version: one of the system's own, and no update of the foreign one.
    let foreign = |name: &str| Package { arch: "i386".into(), ..package(name, "1-1") };
    let all = |from| Offer { package: Package { arch: "all".into(), ..package("libs", "1-2") }, from };
    let mut image = image(&[("dpkg", "1.21")], vec![all(SECURITY)]);
    image.installed.extend(["a", "b", "libs"].map(foreign));
    let of_libs = |image: &Inventory| {
        let summary = run(&debian(), image);
        summary.items.iter().find(|item| item.name == "libs").map(|item| item.state)
    };
    assert_eq!(of_libs(&image), Some(State::InstalledOther));
    image.installed.push(package("libs", "1-1"));
    let states: Vec<_> = run(&debian(), &image).items.iter().filter(|i| i.name == "libs").map(|i| i.state).collect();
    assert_eq!(states, [State::Missing, State::InstalledOther]);
    // Without dpkg most packages tell.
    image.installed.retain(|package| package.name != "dpkg");
    let states: Vec<_> = run(&debian(), &image).items.iter().filter(|i| i.name == "libs").map(|i| i.state).collect();
    assert_eq!(states, [State::InstalledOther, State::Missing]);
}
