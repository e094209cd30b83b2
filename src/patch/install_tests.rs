use crate::patch::*;
use proptest::prelude::*;
use time::macros::datetime;

fn package(name: &str, arch: &str, version: &str) -> Package {
    Package { name: name.into(), arch: arch.into(), version: version.into(), ..Package::default() }
}

fn notice(id: &str, name: &str, version: &str, issued: &str) -> Advisory {
    Advisory {
        id: id.into(),
        kind: "security".into(),
        severity: "Critical".into(),
        issued: issued.into(),
        packages: vec![AdvisoryPackage {
            name: name.into(),
            arch: "x86_64".into(),
            version: version.into(),
            ..AdvisoryPackage::default()
        }],
        ..Advisory::default()
    }
}

/// bash has one approved and one delayed version, telnet is to be kept out.
fn image(os_id: &str, os_version: &str) -> Inventory {
    let offer = |name, version| Offer { package: package(name, "x86_64", version), from: 0 };
    Inventory {
        os_id: os_id.into(),
        os_version: os_version.into(),
        installed: vec![
            package("bash", "x86_64", "5-1"),
            package("dbus", "x86_64", "1:1-1"),
            package("telnet", "x86_64", "1-1"),
        ],
        offered: vec![
            offer("bash", "5-2"),
            offer("bash", "5-3"),
            offer("dbus", "1:1-2"),
            offer("dbus", "1:1-1"),
            offer("telnet", "1-2"),
        ],
        sources: vec![PackageSource::default()],
        advisories: vec![
            notice("A-1", "bash", "5-2", "2025-10-01"),
            notice("A-2", "bash", "5-3", "2025-11-30"),
            notice("A-3", "dbus", "1:1-2", "2025-10-01"),
            notice("A-4", "telnet", "1-2", "2025-10-01"),
        ],
        ..Inventory::default()
    }
}

fn baseline(os: OperatingSystem) -> Baseline {
    let mut baseline = all_predefined().iter().find(|b| b.operating_system == os).unwrap().clone();
    baseline.rejected = vec!["telnet*".into(), "dbus-1-1".into()];
    baseline.rejected_action = RejectedAction::Block;
    baseline
}

fn plan(baseline: &Baseline, image: &Inventory) -> InstallPlan {
    install_plan(baseline, image, &Context::new(datetime!(2025-12-01 0:00 UTC))).unwrap()
}

#[test]
fn dnf_gets_exact_versions_of_what_is_approved_and_excludes_for_what_is_rejected() {
    let plan = plan(&baseline(OperatingSystem::RedHatEnterpriseLinux), &image("rhel", "9.4"));
    let arguments = plan.arguments().unwrap();
    assert_eq!(
        arguments,
        ["upgrade", "--assumeyes", "--exclude=dbus-1-1.x86_64", "--exclude=telnet.x86_64", "bash-0:5-2.x86_64"],
        "not the delayed 5-3; dbus is installed and rejected"
    );
    assert_eq!(plan.excluded_names(), ["telnet"]);
    assert_eq!((plan.apt_preferences().as_str(), plan.zypper_locks()), ("", None));
    assert_eq!(plan.override_list().to_yaml(), "patches:\n  - id: bash.x86_64\n    title: bash.x86_64:0:5-2\n");
}

#[test]
fn yum_and_zypper_have_forms_of_their_own() {
    let yum = plan(&baseline(OperatingSystem::AmazonLinux2), &image("amzn", "2")).arguments().unwrap();
    assert_eq!(yum[..2], ["update", "--assumeyes"]);
    let mut suse = baseline(OperatingSystem::Suse);
    suse.rejected = vec!["telnet".into(), "dbus = 1:1-1".into()];
    let plan = plan(&suse, &image("sles", "15.5"));
    assert_eq!(plan.arguments().unwrap(), ["--non-interactive", "install", "--no-recommends", "bash.x86_64=5-2"]);
    assert_eq!(
        plan.zypper_locks().unwrap(),
        ["--non-interactive", "addlock", "--type", "package", "dbus = 1:1-1", "telnet"]
    );
}

#[test]
fn the_package_manager_follows_the_system() {
    let of = PackageManager::of;
    assert_eq!(of(OperatingSystem::RedHatEnterpriseLinux, "7.9"), Some(PackageManager::Yum));
    assert_eq!(of(OperatingSystem::RedHatEnterpriseLinux, "10.1"), Some(PackageManager::Dnf));
    assert_eq!(of(OperatingSystem::AmazonLinux2023, "2023"), Some(PackageManager::Dnf));
    assert_eq!(of(OperatingSystem::Windows, "2022"), None);
    assert_eq!(PackageManager::Apt.program(), "apt-get");
}

#[test]
fn apt_pins_what_is_rejected_and_takes_exact_versions() {
    let mut image = image("debian", "12");
    image.os_codename = "bookworm".into();
    image.sources = vec![PackageSource {
        suite: "bookworm-security".into(),
        codename: "bookworm-security".into(),
        trusted: true,
        ..PackageSource::default()
    }];
    image.installed.push(package("docs", "all", "1-1"));
    image.offered.push(Offer { package: package("docs", "all", "1-2"), from: 0 });
    for offer in &mut image.offered {
        offer.package.priority = "optional".into();
    }
    let plan = plan(&baseline(OperatingSystem::Debian), &image);
    let arguments = plan.arguments().unwrap();
    assert_eq!(arguments[7..], ["bash:x86_64=5-3", "dbus:x86_64=1:1-2", "docs=1-2"]);
    assert_eq!(plan.apt_preferences(), "Package: telnet\nPin: release *\nPin-Priority: -1\n\n");
}

#[test]
fn nothing_to_install_is_no_command_and_an_error_is_no_plan() {
    let mut image = image("rhel", "9.4");
    let mut base = baseline(OperatingSystem::RedHatEnterpriseLinux);
    base.rejected_action = RejectedAction::AllowAsDependency;
    base.rejected = vec!["*".into()];
    let empty = plan(&base, &image);
    assert_eq!((empty.arguments(), empty.excludes.len()), (None, 0), "an upgrade without packages would take all");
    image.sources.clear();
    let error = install_plan(&base, &image, &Context::new(datetime!(2025-12-01 0:00 UTC)));
    assert_eq!(error, Err(PlanError::Evaluate(EvaluateError::NoSources)));
}

#[test]
fn what_a_command_line_could_obey_is_refused() {
    let context = Context::new(datetime!(2025-12-01 0:00 UTC));
    let base = baseline(OperatingSystem::RedHatEnterpriseLinux);
    for name in ["--setopt=x", "a b", "a;b", "a\nPin: version *", "$(x)", ""] {
        let mut image = image("rhel", "9.4");
        image.installed[0].name = name.into();
        image.advisories[0].packages[0].name = name.into();
        image.offered[0].package.name = name.into();
        let error = install_plan(&base, &image, &context);
        assert_eq!(error, Err(PlanError::Unsafe { text: name.into() }), "{name:?}");
    }
    let mut kept_out = image("rhel", "9.4");
    kept_out.offered[4].package.name = "telnet\nPackage: *".into();
    assert!(matches!(install_plan(&base, &kept_out, &context), Err(PlanError::Unsafe { .. })));
}

#[test]
fn a_held_package_is_named() {
    let mut image = image("rhel", "9.4");
    image.holds = vec![Hold { name: "bash".into(), version: None, by: "versionlock".into() }];
    let plan = plan(&baseline(OperatingSystem::RedHatEnterpriseLinux), &image);
    assert!(plan.notes.iter().any(|note| note.contains("bash is held (versionlock)")));
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<InstallPlan>(&text).unwrap(), plan);
}

proptest! {
    #[test]
    fn the_override_list_selects_what_the_plan_installs(reject in prop::sample::subsequence(vec!["bash", "dbus", "telnet", "5-2"], 0..3)) {
        let mut base = baseline(OperatingSystem::RedHatEnterpriseLinux);
        base.rejected = reject.into_iter().map(str::to_owned).collect();
        let image = image("rhel", "9.4");
        let plan = plan(&base, &image);
        let selected = plan.override_list().select(&image).unwrap();
        prop_assert_eq!(&selected.packages, &plan.packages);
        prop_assert!(selected.inert.is_empty() && selected.satisfied.is_empty());
        for exclude in &plan.excludes {
            let excluded = |p: &Planned| p.name == exclude.name && exclude.version.as_ref().is_none_or(|v| *v == p.to);
            prop_assert!(!plan.packages.iter().any(excluded), "nothing is both installed and excluded");
        }
    }
}
