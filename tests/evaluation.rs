//! `amiforge baseline test` and `amiforge diff` on inventories in files, through the binary: verdicts, reasons, comparisons,
//! and everything that is no verdict.

mod harness;

use amiforge::patch::{
    Advisory, AdvisoryPackage, Hold, Inventory, Offer, Package, PackageSource, Unread, parse_override_list,
};
use harness::Env;

fn package(name: &str, version: &str) -> Package {
    Package {
        name: name.into(),
        arch: "x86_64".into(),
        version: version.into(),
        source: format!("{name}.src.rpm"),
        installed_at: Some(1_762_000_000),
        built_at: Some(1_761_000_000),
        ..Package::default()
    }
}

fn notice(id: &str, kind: &str, severity: &str, updated: &str, name: &str, version: &str) -> Advisory {
    Advisory {
        id: id.into(),
        kind: kind.into(),
        severity: severity.into(),
        status: "final".into(),
        issued: "2025-11-01".into(),
        updated: updated.into(),
        cves: vec![format!("CVE-2025-{}", &id[id.len() - 3..])],
        packages: vec![AdvisoryPackage {
            name: name.into(),
            arch: "x86_64".into(),
            version: version.into(),
            ..AdvisoryPackage::default()
        }],
        ..Advisory::default()
    }
}

/// An Amazon Linux with a kernel to patch, an update that waits for its date, one that no rule wants, and one that is held.
fn amazon() -> Inventory {
    let offers =
        [("dbus", "1:1.12.28-1.amzn2023.0.1"), ("kernel", "6.1.158-180.294"), ("vim", "9.1-2"), ("curl", "8.5-2")];
    Inventory {
        os_id: "amzn".into(),
        os_version: "2023".into(),
        os_name: "Amazon Linux".into(),
        installed: vec![
            package("curl", "8.5-1"),
            package("dbus", "1:1.12.28-1.amzn2023"),
            package("kernel", "6.1.156-177.286"),
            package("vim", "9.1-1"),
        ],
        offered: offers.map(|(name, version)| Offer { package: package(name, version), from: 0 }).to_vec(),
        sources: vec![PackageSource {
            id: "amazonlinux".into(),
            release: "latest".into(),
            site: "cdn.example".into(),
            trusted: true,
            ..PackageSource::default()
        }],
        advisories: vec![
            notice("ALAS2023-2025-123", "security", "important", "2025-11-10 18:00", "dbus", offers[0].1),
            notice("ALAS2023-2025-124", "security", "critical", "2025-11-02", "kernel", offers[1].1),
            notice("ALAS2023-2025-125", "security", "low", "2025-11-02", "vim", offers[2].1),
            notice("ALAS2023-2025-126", "bugfix", "", "2025-11-02", "curl", offers[3].1),
        ],
        holds: vec![Hold { name: "curl".into(), version: None, by: "versionlock".into() }],
        ..Inventory::default()
    }
}

fn env() -> Env {
    let env = Env::new();
    env.write("amiforge.yaml", "project: acme\n");
    env.write("amazon.json", &amazon().to_json().expect("JSON"));
    env
}

const BASELINE: &str = "AWS-AmazonLinux2023DefaultPatchBaseline";

/// Runs `baseline test` on the file.
fn test(env: &Env, code: i32, more: &[&str]) -> String {
    let base = ["baseline", "test", BASELINE, "--inventory", "amazon.json", "--at", "2025-11-15"];
    let outcome = env.expect(code, &[&base[..], more].concat());
    if outcome.stdout.is_empty() { outcome.stderr } else { outcome.stdout }
}

#[test]
fn every_patch_has_its_state_and_its_reasons() {
    let env = env();
    insta::assert_snapshot!("open", test(&env, 7, &[]));
    insta::assert_snapshot!("all", test(&env, 7, &["--all"]));
    insta::assert_snapshot!("markdown", test(&env, 7, &["--explain", "dbus,kernel.x86_64", "--format", "markdown"]));
    let json: serde_json::Value = serde_json::from_str(&test(&env, 7, &["--format", "json"])).expect("JSON");
    assert_eq!(json["schema"], "amiforge.patch-evaluation/1");
    assert_eq!((&json["counts"]["missing"], &json["now"]), (&2.into(), &"2025-11-15T00:00:00Z".into()));
    assert!(test(&env, 2, &["--explain", "debus"]).contains("did you mean `dbus`?"));
}

#[test]
fn dates_baselines_and_offers_are_compared() {
    let env = env();
    insta::assert_snapshot!("dates", test(&env, 0, &["--against-at", "2025-11-18"]));
    env.write(
        "baselines/strict.yaml",
        "Name: strict\nOperatingSystem: AMAZON_LINUX_2023\nApprovalRules:\n  PatchRules:\n    - PatchFilterGroup:\n        \
         PatchFilters:\n          - { Key: CLASSIFICATION, Values: [Security] }\n      ApproveAfterDays: 0\n      \
         ComplianceLevel: CRITICAL\nRejectedPatches: [kernel]\nRejectedPatchesAction: BLOCK\n",
    );
    insta::assert_snapshot!("baselines", test(&env, 0, &["--against", "strict", "--format", "markdown"]));
    let mut fresh = amazon();
    fresh.offered.push(Offer { package: package("vim", "9.1-3"), from: 0 });
    fresh.advisories.push(notice("ALAS2023-2025-130", "security", "critical", "2025-11-03", "vim", "9.1-3"));
    env.write("fresh.json", &fresh.to_json().expect("JSON"));
    let text = test(&env, 0, &["--against-offers", "fresh.json"]);
    assert!(text.contains("1 patch changes") && text.contains("vim.x86_64 was InstalledOther"), "{text}");
    let other = Inventory { os_version: "2".into(), ..fresh };
    env.write("other.json", &other.to_json().expect("JSON"));
    assert!(test(&env, 8, &["--against-offers", "other.json"]).contains("`amzn 2`"));
}

#[test]
fn conflicts_between_sources_are_switched() {
    let env = env();
    // By its issued date the dbus update is old enough; and so the report says.
    let text = test(&env, 7, &["--assume", "date-order=issued-only"]);
    assert!(text.contains("3 missing") && text.contains("\nassumed (conflict 1): issued date"), "{text}");
    assert!(test(&env, 2, &["--assume", "date_order=never"]).contains("expected one of"));
    assert!(test(&env, 2, &["--assume", "colour=blue"]).contains("there is: "));
}

#[test]
fn what_has_to_be_installed_is_a_command_and_a_list() {
    let env = env();
    let command = test(&env, 0, &["--install-command"]);
    assert!(
        command.ends_with("dnf upgrade --assumeyes curl-0:8.5-2.x86_64 kernel-0:6.1.158-180.294.x86_64\n"),
        "{command}"
    );
    assert!(command.contains("# curl is held (versionlock)"), "{command}");
    test(&env, 7, &["--overrides", "todo.yaml"]);
    let source = amiforge::diagnostic::SourceFile::new("todo.yaml", env.read("todo.yaml"));
    let list = parse_override_list(&source, amiforge::patch::Family::Rpm).list.expect("a list");
    let selected = list.select(&amazon()).expect("a selection");
    let names: Vec<&str> = selected.packages.iter().map(|planned| planned.name.as_str()).collect();
    assert_eq!(names, ["curl", "kernel"]);
}

#[test]
fn an_override_list_is_judged_too() {
    let env = env();
    let list = "patches:\n  - id: 'kernel.x86_64'\n    title: '*6.1.158*'\n  - id: 'vim*'\n    title: '*9.1-1'\n  - id: 'nginx.*'\n";
    env.write("list.yaml", list);
    insta::assert_snapshot!("override-list", test(&env, 7, &["--override-list", "list.yaml"]));
    let json: serde_json::Value =
        serde_json::from_str(&test(&env, 7, &["--override-list", "list.yaml", "--format", "json"])).expect("JSON");
    assert_eq!((&json["outstanding"][0]["name"], &json["satisfied"][0]), (&"kernel".into(), &"vim*".into()));
    env.write("list.yaml", "patches:\n  - id: 'vim*'\n    title: '*9.1-1'\n");
    assert!(test(&env, 0, &["--override-list", "list.yaml"]).starts_with("0 packages to install; of the list 1 entry"));
    env.write("list.yaml", "patches: soon\n");
    assert!(test(&env, 2, &["--override-list", "list.yaml"]).contains("list.yaml:1:"));
}

#[test]
fn what_is_no_verdict_ends_otherwise() {
    let env = env();
    let with = |code, change: fn(&mut Inventory)| {
        let mut inventory = amazon();
        change(&mut inventory);
        env.write("amazon.json", &inventory.to_json().expect("JSON"));
        test(&env, code, &[])
    };
    assert!(
        with(8, |it| (it.sources.clear(), it.offered.clear(), it.advisories.clear()).0).contains("no package source")
    );
    assert!(with(8, |it| it.installed.clear()).contains("nothing was looked at"));
    assert!(
        with(8, |it| it.unread.push(Unread { name: "extras".into(), why: "timeout".into() }))
            .contains("extras could not")
    );
    assert!(with(8, |it| it.advisories.clear()).contains("notice"));
    assert!(with(8, |it| it.sources[0].release = "2023.1".into()).contains("was read at release 2023.1"));
    assert!(with(2, |it| it.os_id = "debian".into()).contains("is for AMAZON_LINUX_2023"));
    env.write("amazon.json", "{\"schema\": \"amiforge.inventory/1\"");
    assert!(test(&env, 8, &[]).contains("amazon.json is no inventory"));
    let usage = env.expect(2, &["baseline", "test", BASELINE]).stderr;
    assert!(usage.contains("--inventory") && usage.contains("--root"), "{usage}");
    let unknown =
        env.expect(2, &["baseline", "test", "AWS-AmazonLinux2023DefaultPatchBaselin", "--inventory", "amazon.json"]);
    assert!(unknown.stderr.contains("did you mean"), "{}", unknown.stderr);
}

#[test]
fn two_images_are_compared_with_what_was_fixed() {
    let env = env();
    let mut after = amazon();
    after.installed[2].version = "6.1.158-180.294".into();
    after.installed[3].version = "9.1-0".into();
    after.installed[0] = package("wget", "1-1");
    env.write("after.json", &after.to_json().expect("JSON"));
    insta::assert_snapshot!("diff", env.expect(0, &["diff", "amazon.json", "after.json"]).stdout);
    insta::assert_snapshot!(
        "diff-markdown",
        env.expect(0, &["diff", "amazon.json", "after.json", "--format", "markdown"]).stdout
    );
    let json = env.expect(0, &["diff", "amazon.json", "after.json", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["upgraded"][0]["cves"][0], "CVE-2025-124");
    assert!(env.expect(8, &["diff", "amazon.json", "none.json"]).stderr.contains("none.json is no inventory"));
}
