use super::*;
use crate::patch::{Offer, Package, PackageSource, Unread};

fn parse(text: &str, family: Family) -> ParsedOverrideList {
    parse_override_list(&SourceFile::new("overrides/x.yaml", text), family)
}

/// Code and place of everything that is said.
fn said(text: &str, family: Family) -> Vec<String> {
    let said = parse(text, family).diagnostics;
    said.iter().map(|d| format!("{} {}", d.code, d.place().unwrap().trim_start_matches("overrides/x.yaml:"))).collect()
}

const LIST: &str = "patches:
  - id: 'kernel.x86_64'
  - id: 'bind*.x86_64'
    title: '*39.11.4-26.P2.amzn2.5.2'
    anything_else: ignored
";

#[test]
fn section_7_2_is_read() {
    let parsed = parse(LIST, Family::Rpm);
    assert_eq!(parsed.diagnostics, []);
    let list = parsed.list.unwrap();
    assert_eq!(list.entries[0], OverrideEntry { id: "kernel.x86_64".into(), title: None });
    assert_eq!(list.entries[1].title.as_deref(), Some("*39.11.4-26.P2.amzn2.5.2"));
    assert_eq!(parse(&list.to_yaml(), Family::Rpm).list.unwrap(), list);
    let json = r#"{"patches": [{"id": "KB1"}]}"#;
    assert_eq!(parse(json, Family::Windows).list.unwrap().entries[0].id, "KB1");
}

#[test]
fn errors_and_warnings_have_a_place() {
    assert_eq!(said("- id: a.b\n", Family::Rpm), ["B011 1:1"]);
    assert_eq!(said("patches: a\n", Family::Rpm), ["B011 1:10"]);
    assert_eq!(said("patches: []\n", Family::Rpm), ["B011 1:10"]);
    assert_eq!(
        said("patches:\n  - a\n  - title: x:y\n  - id: ''\n", Family::Rpm),
        ["B011 2:5", "B011 3:5", "B011 4:9"]
    );
    assert_eq!(said("patches:\n  - id: a.b\n    title: [x]\n", Family::Rpm), ["B011 3:12"]);
    assert_eq!(said("patches:\n  - id: a.b\n    titel: 'x'\n", Family::Rpm), ["B012 3:5"]);
    assert_eq!(said("patches:\n  - id: kernel\n    title: 1.2.3\n", Family::Rpm), ["B012 2:9", "B012 3:12"]);
    assert_eq!(said("patches:\n  - id: kernel.x86_64\n", Family::Windows), ["B012 2:9"]);
    assert_eq!(said("patches: [\n", Family::Rpm).len(), 1);
    assert!(parse("patches: a\n", Family::Rpm).list.is_none());
}

#[test]
fn a_list_is_a_table_of_plain_words() {
    let table = |text: &str| parse(text, Family::Rpm).list.unwrap().table();
    assert_eq!(table(LIST).unwrap(), "kernel.x86_64\t\nbind*.x86_64\t*39.11.4-26.P2.amzn2.5.2\n");
    for odd in ["a b.*", "a\\\\t.x", "$(id).*", "'{{ x }}'", "a.*\\n"] {
        let text = format!("patches:\n  - id: ok.*\n  - id: \"{odd}\"\n");
        assert_eq!(table(&text), Err(1), "{odd}");
        let text = format!("patches:\n  - id: ok.*\n    title: \"{odd}\"\n");
        assert_eq!(table(&text), Err(0), "{odd}");
    }
}

fn package(name: &str, arch: &str, version: &str) -> Package {
    Package { name: name.into(), arch: arch.into(), version: version.into(), ..Package::default() }
}

fn image() -> Inventory {
    let offer = |name, version| Offer { package: package(name, "x86_64", version), from: 0 };
    Inventory {
        os_id: "amzn".into(),
        os_version: "2".into(),
        installed: vec![
            package("bind", "x86_64", "32:9-1"),
            package("bash", "x86_64", "5-1"),
            package("vim", "x86_64", "2:9-9"),
        ],
        offered: vec![
            offer("bind", "32:9-2"),
            offer("bind", "32:9-3"),
            offer("bash", "5-2"),
            offer("vim", "2:9-1"),
            offer("zsh", "1-1"),
        ],
        sources: vec![PackageSource::default()],
        ..Inventory::default()
    }
}

fn select(entries: &[(&str, Option<&str>)]) -> Selected {
    let entry =
        |(id, title): &(&str, Option<&str>)| OverrideEntry { id: (*id).into(), title: title.map(str::to_owned) };
    OverrideList { entries: entries.iter().map(entry).collect() }.select(&image()).unwrap()
}

#[test]
fn the_highest_newer_version_that_an_entry_names_is_taken_of_what_is_installed() {
    let all = select(&[("*", None)]);
    let chosen: Vec<_> = all.packages.iter().map(|p| (p.name.as_str(), p.to.as_str())).collect();
    assert_eq!(chosen, [("bash", "0:5-2"), ("bind", "32:9-3")], "zsh is not installed, vim is newer");
    let exact = select(&[("BIND.*", Some("bind.x86_64:32:9-2"))]);
    assert_eq!(exact.packages[0].to, "32:9-2");
    assert_eq!(select(&[("bind.x86_64", Some("*9-2"))]).packages, exact.packages);
}

#[test]
fn entries_that_do_nothing_are_told_apart_from_satisfied_ones() {
    let selected =
        select(&[("bash.x86_64", None), ("vim.x86_64", None), ("zsh.x86_64", None), ("bash.x86_64", Some("9-9"))]);
    assert_eq!((selected.satisfied, selected.inert), (vec![1], vec![2, 3]));
}

#[test]
fn debian_packages_for_all_architectures_answer_to_the_native_one() {
    let mut debian = image();
    debian.os_id = "debian".into();
    debian.installed = vec![package("docs", "all", "1-1"), package("bash", "amd64", "1-1")];
    debian.offered = vec![Offer { package: package("docs", "all", "1-2"), from: 0 }];
    for id in ["docs.all", "docs.amd64"] {
        let list = OverrideList { entries: vec![OverrideEntry { id: id.into(), title: Some(format!("{id}:1-2")) }] };
        assert_eq!(list.select(&debian).unwrap().packages.len(), 1, "{id}");
    }
}

#[test]
fn nothing_to_look_at_is_an_error() {
    let list = OverrideList { entries: vec![OverrideEntry { id: "*".into(), title: None }] };
    let error = |change: &dyn Fn(&mut Inventory)| {
        let mut bad = image();
        change(&mut bad);
        list.select(&bad).unwrap_err()
    };
    assert_eq!(error(&|i| i.installed.clear()), EvaluateError::NothingInstalled);
    assert_eq!(error(&|i| i.sources.clear()), EvaluateError::NoSources);
    assert!(matches!(error(&|i| i.offered.clear()), EvaluateError::NothingOffered { .. }));
    let unread = Unread { name: "x".into(), why: "y".into() };
    assert!(matches!(error(&|i| i.unread.push(unread.clone())), EvaluateError::SourceUnread { .. }));
    assert!(matches!(error(&|i| i.offered[0].package.version = "a:b".into()), EvaluateError::RpmVersion { .. }));
}
