use super::*;
use crate::patch::{AdvisoryPackage, Package};
use proptest::prelude::*;

fn package(name: &str, arch: &str, version: &str) -> Package {
    Package { name: name.into(), arch: arch.into(), version: version.into(), ..Package::default() }
}

fn image(os_id: &str, packages: &[(&str, &str)]) -> Inventory {
    let installed = packages.iter().map(|(name, version)| package(name, "x86_64", version)).collect();
    Inventory { os_id: os_id.into(), installed, ..Inventory::default() }
}

fn notice(id: &str, name: &str, version: &str) -> Advisory {
    Advisory {
        id: id.into(),
        kind: "security".into(),
        severity: "Important".into(),
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

fn sample() -> PackageDiff {
    let before = image(
        "amzn",
        &[("bash", "5-1"), ("curl", "2-1"), ("gone", "1-1"), ("kernel", "6-1"), ("same", "1-1"), ("gpg-pubkey", "1-1")],
    );
    let mut after = image(
        "amzn",
        &[("bash", "5-3"), ("curl", "1-1"), ("kernel", "6-1"), ("kernel", "6-2"), ("new", "1-1"), ("same", "0:1-01")],
    );
    after.advisories = vec![
        notice("A-1", "bash", "5-1"),
        notice("A-2", "bash", "0:5-2"),
        notice("A-3", "bash", "5-3"),
        notice("A-4", "bash", "5-4"),
        notice("A-5", "kernel", "6-2"),
        notice("A-6", "curl", "2-1"),
        notice("A-7", "new", "1-1"),
        Advisory { status: "testing".into(), ..notice("A-8", "bash", "5-2") },
    ];
    package_diff(&before, &after).unwrap()
}

fn row(row: &PackageRow) -> (&str, Option<&str>, Option<&str>, Vec<&str>) {
    let cves = row.cves.iter().map(String::as_str).collect();
    (&row.name, row.from.as_deref(), row.to.as_deref(), cves)
}

#[test]
fn packages_come_go_and_change_with_the_notices_on_the_way() {
    let diff = sample();
    assert_eq!(
        diff.upgraded.iter().map(row).collect::<Vec<_>>(),
        [("bash", Some("0:5-1"), Some("0:5-3"), vec!["CVE-A-2", "CVE-A-3"])]
    );
    assert_eq!(
        diff.downgraded.iter().map(row).collect::<Vec<_>>(),
        [("curl", Some("0:2-1"), Some("0:1-1"), vec!["CVE-A-6"])]
    );
    assert_eq!(
        diff.added.iter().map(row).collect::<Vec<_>>(),
        [("kernel", None, Some("0:6-2"), vec!["CVE-A-5"]), ("new", None, Some("0:1-1"), vec![])],
        "a second kernel is added and fixes; a new package fixes nothing"
    );
    assert_eq!(diff.removed.iter().map(row).collect::<Vec<_>>(), [("gone", Some("0:1-1"), None, vec![])]);
    assert_eq!(diff.unchanged, 2, "the first kernel, and a version that rpm calls equal");
    assert_eq!(diff.fixed_cves(), ["CVE-A-2", "CVE-A-3", "CVE-A-5"]);
}

#[test]
fn debian_packages_for_all_architectures_are_the_native_ones() {
    let mut before = image("debian", &[]);
    before.installed = vec![package("a", "amd64", "1-1"), package("docs", "all", "1-1")];
    let mut after = before.clone();
    after.installed[1] = package("docs", "amd64", "1-2");
    let diff = package_diff(&before, &after).unwrap();
    assert_eq!((diff.upgraded.len(), diff.added.len(), diff.removed.len()), (1, 0, 0));
    assert_eq!(diff.upgraded[0].arch, "amd64");
    assert!(diff.headline().contains("nothing can be said about CVEs"));
}

#[test]
fn empty_and_unlike_inventories_are_errors() {
    let some = image("amzn", &[("a", "1-1")]);
    let none = image("amzn", &[]);
    assert_eq!(package_diff(&none, &some), Err(DiffError::NothingInstalled { which: "first" }));
    assert_eq!(package_diff(&some, &none), Err(DiffError::NothingInstalled { which: "second" }));
    assert!(matches!(package_diff(&some, &image("debian", &[("a", "1")])), Err(DiffError::Kinds { .. })));
    assert!(matches!(package_diff(&some, &image("amzn", &[("a", "x:1")])), Err(DiffError::Version { .. })));
}

#[test]
fn the_text_is_for_people() {
    assert_eq!(
        sample().to_text(),
        "1 upgraded, 1 downgraded, 2 added, 1 removed, 2 unchanged; 3 CVEs fixed\n\n\
         upgraded\n  bash.x86_64  0:5-1 → 0:5-3  A-2 (security, Important), A-3 (security, Important), CVE-A-2, CVE-A-3\n\n\
         downgraded\n  curl.x86_64  0:2-1 → 0:1-1  A-6 (security, Important), CVE-A-6\n\n\
         added\n  kernel.x86_64  0:6-2  A-5 (security, Important), CVE-A-5\n  new.x86_64     0:1-1\n\n\
         removed\n  gone.x86_64  0:1-1\n"
    );
}

#[test]
fn markdown_has_tables_and_json_is_read_back() {
    let diff = sample();
    let markdown = diff.to_markdown();
    assert!(markdown.contains("### Upgraded (1)\n\n| package | version | notices and CVEs |\n|---|---|---|\n| bash.x86\\_64 | 0:5-1 → 0:5-3 | A-2 (security, Important)"), "{markdown}");
    let json = diff.to_json().unwrap();
    assert!(json.starts_with(r#"{"schema":"amiforge.package-diff/1""#));
    assert_eq!(serde_json::from_str::<PackageDiff>(&json).unwrap(), diff);
}

#[test]
fn names_from_an_image_control_neither_terminal_nor_table() {
    let mut diff = sample();
    diff.removed[0].name = "a\u{1b}[2J|<b>\nc".into();
    assert!(diff.to_text().contains("a␛[2J|<b> c.x86_64"));
    assert!(diff.to_markdown().contains("| a␛\\[2J\\|&lt;b&gt; c.x86\\_64 |"));
}

fn some_image() -> impl Strategy<Value = Inventory> {
    let version = prop::sample::select(vec!["1-1", "1-2", "1:1-1", "2-1", "1-01"]);
    let name = prop::sample::select(vec!["a", "b", "c", "d"]);
    prop::collection::vec((name, version), 1..8).prop_map(|packages| image("rhel", &packages))
}

proptest! {
    #[test]
    fn a_diff_with_itself_is_empty(image in some_image()) {
        let diff = package_diff(&image, &image).unwrap();
        prop_assert!(diff.is_empty());
    }

    #[test]
    fn the_other_way_round_everything_is_undone(a in some_image(), b in some_image()) {
        let (there, back) = (package_diff(&a, &b).unwrap(), package_diff(&b, &a).unwrap());
        let ends = |rows: &[PackageRow], turned: bool| {
            let mut ends: Vec<_> = rows
                .iter()
                .map(|row| (row.name.clone(), if turned { (row.to.clone(), row.from.clone()) } else { (row.from.clone(), row.to.clone()) }))
                .collect();
            ends.sort();
            ends
        };
        prop_assert_eq!(ends(&there.upgraded, false), ends(&back.downgraded, true));
        prop_assert_eq!(ends(&there.downgraded, false), ends(&back.upgraded, true));
        prop_assert_eq!(ends(&there.added, false), ends(&back.removed, true));
        prop_assert_eq!(there.unchanged, back.unchanged);
    }
}
