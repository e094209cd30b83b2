use super::*;
use crate::patch::{
    Advisory, AdvisoryPackage, Hold, Kernel, Offer, OtherOffers, Package, PackageSource, Reboot, Recorded, Unread,
};
use proptest::prelude::*;

/// One with something in every field.
fn full() -> Inventory {
    let package = Package {
        name: "dbus".into(),
        arch: "x86_64".into(),
        version: "1:1.12.28-1.amzn2023.0.1".into(),
        priority: "optional".into(),
        section: "libs".into(),
        source: "dbus-1.12.28-1.amzn2023.0.1.src.rpm".into(),
        repository: "amazonlinux".into(),
        installed_at: Some(1_762_711_200),
        built_at: Some(0),
    };
    Inventory {
        os_id: "amzn".into(),
        os_version: "2023".into(),
        os_codename: String::new(),
        os_name: "Amazon Linux".into(),
        installed: vec![package.clone()],
        offered: vec![Offer { package, from: 0 }],
        others: vec![OtherOffers {
            priority: String::new(),
            section: String::new(),
            from: 0,
            packages: "vim x86_64 2:9-1 7\n".into(),
        }],
        partial: true,
        sources: vec![PackageSource {
            id: "amazonlinux".into(),
            release: "latest".into(),
            trusted: true,
            ..Default::default()
        }],
        unread: vec![Unread { name: "extra".into(), why: "no answer".into() }],
        advisories: vec![Advisory {
            id: "ALAS2023-2025-1".into(),
            reference_id: Some("ALAS-1".into()),
            kind: "security".into(),
            severity: "important".into(),
            status: "final".into(),
            issued: "2025-11-09 18:00".into(),
            updated: "2025-11-10 01:23".into(),
            title: "dbus".into(),
            cves: vec!["CVE-2025-1".into()],
            bugs: vec!["1".into()],
            packages: vec![AdvisoryPackage {
                name: "dbus".into(),
                module: "a:1".into(),
                reboot_suggested: true,
                ..Default::default()
            }],
            from: 0,
        }],
        modules: vec!["nodejs:18".into()],
        holds: vec![Hold { name: "kernel".into(), version: Some("6.1".into()), by: "versionlock".into() }],
        kernel: Kernel { running: Some("6.1".into()), newest: Some("6.2".into()), default_entry: Some("6.2".into()) },
        reboot: Reboot {
            booted_at: Some(1),
            required: Some(false),
            packages: vec!["glibc".into()],
            recorded: vec![Recorded { title: "dbus.x86_64:1:1-1".into(), installed_at: 2 }],
        },
    }
}

#[test]
fn what_was_written_is_read_back_exactly() {
    let all = full();
    let text = all.to_json().unwrap();
    assert_eq!(Inventory::from_json(&text).unwrap(), all);
    assert_eq!(Inventory::from_json(&text).unwrap().to_json().unwrap(), text);
    let empty = Inventory::default();
    assert_eq!(Inventory::from_json(&empty.to_json().unwrap()).unwrap(), empty);
}

#[test]
fn another_schema_an_unknown_field_and_lost_indices_are_errors() {
    let text = full().to_json().unwrap();
    let error = |text: String| Inventory::from_json(&text).unwrap_err().to_string();
    assert!(error(text.replace("inventory/1", "inventory/2")).contains("schema `amiforge.inventory/2`"));
    assert!(error(text.replace("\"os_id\"", "\"os\"")).contains("unknown field `os`"));
    assert!(error(text.replace("\"booted_at\"", "\"booted\"")).contains("unknown field `booted`"));
    assert!(error(text.replace("\"reboot_suggested\"", "\"reboot\"")).contains("unknown field `reboot`"));
    assert!(error(text.replace("vim x86_64 2:9-1 7", "vim")).contains("no record"));
    assert!(error(text[..text.len() - 1].to_owned()).contains("not an inventory"));
    for change in [
        |i: &mut Inventory| i.offered[0].from = 1,
        |i: &mut Inventory| i.others[0].from = 1,
        |i: &mut Inventory| i.advisories[0].from = 9,
    ] {
        let mut bad = full();
        change(&mut bad);
        assert!(error(bad.to_json().unwrap()).contains("comes from source"));
    }
}

proptest! {
    #[test]
    fn any_text_survives(name in "\\PC*", version in "\\PC*", at in any::<i64>(), cve in "\\PC*") {
        let mut inventory = full();
        inventory.installed[0].name = name;
        inventory.installed[0].version = version;
        inventory.installed[0].installed_at = Some(at);
        inventory.advisories[0].cves.push(cve);
        prop_assert_eq!(Inventory::from_json(&inventory.to_json().unwrap()).unwrap(), inventory);
    }
}
