use super::super::model::tests::evidence;
use super::super::{Finding, PatchNotice, VulnerabilityScan};
use super::*;
use crate::patch::Package;

fn inventory(packages: &[(&str, &str)]) -> Inventory {
    let package = |(name, version): &(&str, &str)| Package {
        name: (*name).into(),
        arch: "amd64".into(),
        version: (*version).into(),
        ..Package::default()
    };
    Inventory { os_id: "debian".into(), installed: packages.iter().map(package).collect(), ..Inventory::default() }
}

fn scan(source: &str, found: &[(&str, &str)]) -> VulnerabilityScan {
    let finding = |(id, package): &(&str, &str)| Finding {
        id: (*id).into(),
        severity: "high".into(),
        package: (*package).into(),
        fixed_in: Some("2".into()),
        ..Finding::default()
    };
    let findings = found.iter().map(finding).collect();
    VulnerabilityScan { source: source.into(), scanned_at: "2026-11-23T11:00:00Z".into(), failed: None, findings }
}

fn with_open(mut evidence: Evidence, cves: &[&str]) -> Evidence {
    let cves = cves.iter().map(|cve| (*cve).to_owned()).collect();
    let notice = PatchNotice { cves, ..PatchNotice::default() };
    evidence.patches.as_mut().unwrap().notices.insert("openssl.amd64".into(), notice);
    evidence
}

#[test]
fn packages_vulnerabilities_and_attributes_are_compared() {
    let mut old = with_open(evidence(), &["CVE-1", "CVE-2"]);
    old.vulnerabilities = vec![scan("inspector", &[("CVE-1", "openssl"), ("CVE-3", "bash")])];
    let mut new = with_open(evidence(), &["CVE-2", "CVE-4"]);
    new.vulnerabilities = vec![scan("inspector", &[("CVE-3", "bash"), ("CVE-3", "dash")])];
    new.image.volumes[0].gib = Some(10);
    new.image.boot_mode = None;
    new.candidate.ami = "ami-2".into();
    let (before, after) = (inventory(&[("openssl", "1"), ("old", "1")]), inventory(&[("openssl", "2")]));
    let one = |channel, evidence, inventory| Compared { channel: Some(channel), evidence, inventory };
    let found = difference(one("candidate", &old, &before), one("production", &new, &after)).unwrap();
    assert_eq!((found.packages.upgraded.len(), found.packages.removed.len(), found.packages.added.len()), (1, 1, 0));
    let vulnerabilities = found.vulnerabilities.unwrap();
    let told = |all: &[Vulnerability]| all.iter().map(|one| format!("{} {}", one.id, one.package)).collect::<Vec<_>>();
    assert_eq!(told(&vulnerabilities.fixed), ["CVE-1 openssl"]);
    assert_eq!(told(&vulnerabilities.new), ["CVE-3 dash"]);
    assert_eq!(vulnerabilities.both, 1);
    assert_eq!((found.open_cves.fixed, found.open_cves.new), (vec!["CVE-1".to_owned()], vec!["CVE-4".to_owned()]));
    let attributes: Vec<_> =
        found.attributes.iter().map(|one| (one.name.as_str(), one.before.as_deref(), one.after.as_deref())).collect();
    assert_eq!(
        attributes,
        [
            ("boot mode", Some("uefi"), None),
            ("volume /dev/xvda", Some("8 GiB, gp3, encrypted"), Some("10 GiB, gp3, encrypted"))
        ]
    );
    assert_eq!(found.notes, Vec::<String>::new());
    assert_eq!((found.before.channel.as_deref(), found.after.ami.as_str()), (Some("candidate"), "ami-2"));
}

#[test]
fn an_image_that_was_not_scanned_is_not_one_without_vulnerabilities() {
    let (old, mut new) = (evidence(), evidence());
    new.vulnerabilities = vec![];
    let packages = inventory(&[("bash", "1")]);
    let one = |evidence| Compared { channel: None, evidence, inventory: &packages };
    let found = difference(one(&old), one(&new)).unwrap();
    assert_eq!(found.vulnerabilities, None);
    assert!(found.notes[0].contains("was not scanned for vulnerabilities"), "{:?}", found.notes);
    let nothing = inventory(&[]);
    assert!(difference(one(&old), Compared { channel: None, evidence: &new, inventory: &nothing }).is_err());
}

#[test]
fn only_scanners_that_looked_at_both_are_compared() {
    let (mut old, mut new) = (evidence(), evidence());
    old.vulnerabilities = vec![scan("inspector", &[("CVE-1", "openssl")]), scan("ec2", &[("CVE-9", "")])];
    new.vulnerabilities = vec![scan("inspector", &[])];
    let packages = inventory(&[("bash", "1")]);
    let compared = |old: &Evidence, new: &Evidence| {
        let one = |evidence| Compared { channel: None, evidence, inventory: &packages };
        difference(one(old), one(new)).unwrap()
    };
    let found = compared(&old, &new);
    let ids: Vec<String> = found.vulnerabilities.unwrap().fixed.into_iter().map(|one| one.id).collect();
    assert_eq!(ids, ["CVE-1"], "what EC2 found in the first is not fixed because nobody asked EC2 about the second");
    assert!(found.notes[0].contains("was not scanned by ec2"), "{:?}", found.notes);

    // A scan that failed says nothing.
    new.vulnerabilities[0].failed = Some("UNSUPPORTED_OS".into());
    let found = compared(&old, &new);
    assert_eq!(found.vulnerabilities, None);
    assert!(found.notes[0].contains("was not scanned for vulnerabilities"), "{:?}", found.notes);
}
