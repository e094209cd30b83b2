use super::*;
use std::io::{BufReader, Read};
use time::macros::datetime;

/// Advisories as Amazon, Red Hat, SUSE and Fedora write them (patch-baselines.md 10.1), shortened.
const UPDATEINFO: &str = r#"<?xml version="1.0" ?>
<updates>
  <update author="linux-security@example.com" from="linux-security@example.com" status="final" type="security" version="1.4">
    <id>ALAS2023-2025-123</id>
    <title>Amazon Linux 2023 - ALAS2023-2025-123: important priority package update for dbus</title>
    <issued date="2025-11-09 18:00"/>
    <updated date="2025-11-10 01:23"/>
    <severity>important</severity>
    <description>A &lt;flaw&gt;</description>
    <references>
      <reference href="https://cve.example/CVE-2025-2.html" id="CVE-2025-2" title="CVE-2025-2" type="cve"/>
      <reference href="https://cve.example/CVE-2025-1.html" id="CVE-2025-1" title="CVE-2025-1" type="cve"/>
      <reference href="https://alas.example/ALAS2023-2025-123.html" id="ALAS2023-2025-123" type="self"/>
    </references>
    <pkglist><collection short="amazon-linux-2023---dbus"><name>Amazon Linux 2023</name>
      <package name="dbus" epoch="1" version="1.12.28" release="1.amzn2023.0.1" arch="x86_64">
        <filename>Packages/dbus-1.12.28-1.amzn2023.0.1.x86_64.rpm</filename>
        <reboot_suggested>True</reboot_suggested>
      </package>
      <package name="dbus" epoch="1" version="1.12.28" release="1.amzn2023.0.1" arch="src"><filename>d.src.rpm</filename></package>
    </collection></pkglist>
  </update>
  <update from="release-engineering@example.com" status="final" type="bugfix" version="2">
    <id>RHBA-2025:1234</id><title>nodejs:18 bug fix update</title>
    <issued date="2025-06-01 00:00:00"/><updated date="2025-06-02 10:11:12 UTC"/>
    <rights>R</rights><release>0</release><pushcount>1</pushcount><severity>None</severity><summary/><solution/>
    <references><reference href="https://bugs.example/1" id="1234567" type="Bugzilla" title="b"/></references>
    <pkglist><collection short="rhel-9"><name>rhel-9</name>
      <module name="nodejs" stream="18" version="9010020221009220316" context="rhel9" arch="x86_64"/>
      <package name="nodejs" epoch="1" version="18.20.4" release="1.module+el9" arch="x86_64" src="nodejs.src.rpm">
        <sum type="sha256">x</sum><restart_suggested>1</restart_suggested><relogin_suggested>0</relogin_suggested></package>
    </collection><collection><package name="nodejs-docs" version="18.20.4" release="1" arch="noarch"/></collection></pkglist>
  </update>
  <update from="maint-coord@example.de" status="retracted" type="Recommended" version="1">
    <id>SUSE-SLE-Module-2025-99</id><title/><issued date="1762711509"/><release>SLES 15-SP6</release>
    <reboot_suggested/>
    <references/><pkglist/>
  </update>
  <update status="stable" type="newpackage"><id>FEDORA-EPEL-2025-1</id><issued date="soon"/></update>
  <other><id>x</id></other>
</updates>
"#;

fn read(text: &str) -> Result<Vec<Advisory>, MetadataError> {
    Advisories::new("updateinfo.xml", text.as_bytes())?.collect()
}

#[test]
fn advisories_of_every_vendor_are_read() {
    let read = read(UPDATEINFO).unwrap();
    let [amazon, red_hat, suse, fedora] = &read[..] else { panic!("{read:#?}") };
    assert_eq!((amazon.id.as_str(), amazon.severity.as_str()), ("ALAS2023-2025-123", "important"));
    assert_eq!((amazon.kind.as_str(), amazon.classification().as_str()), ("security", "Security"));
    assert_eq!(amazon.cves(), ["CVE-2025-1", "CVE-2025-2"]);
    assert_eq!(amazon.references.len(), 3);
    assert_eq!(amazon.issued, Some(Stamp::At(datetime!(2025-11-09 18:00 UTC))));
    assert_eq!(amazon.updated, Some(Stamp::At(datetime!(2025-11-10 1:23 UTC))));
    assert_eq!(amazon.packages.len(), 1, "source packages are left out");
    assert_eq!(amazon.packages[0].evr.to_string(), "1:1.12.28-1.amzn2023.0.1");
    assert!(amazon.packages[0].reboot_suggested && !amazon.reboot_suggested && amazon.is_in_force());
    assert_eq!(amazon.at, UPDATEINFO.find("<update ").unwrap() as u64);

    assert_eq!(red_hat.updated, Some(Stamp::At(datetime!(2025-06-02 10:11:12 UTC))));
    assert_eq!((red_hat.references[0].kind.as_str(), red_hat.references[0].id.as_str()), ("bugzilla", "1234567"));
    let [nodejs, docs] = &red_hat.packages[..] else { panic!("{red_hat:#?}") };
    let module = nodejs.module.as_ref().unwrap();
    assert_eq!((module.name.as_str(), module.stream.as_str(), module.context.as_str()), ("nodejs", "18", "rhel9"));
    assert_eq!((docs.module.as_ref(), docs.evr.epoch, docs.arch.as_str()), (None, 0, "noarch"));
    assert!(nodejs.restart_suggested && !nodejs.relogin_suggested && !nodejs.reboot_suggested);
    assert_eq!(nodejs.source_rpm, "nodejs.src.rpm");

    assert_eq!(suse.issued, Some(Stamp::At(datetime!(2025-11-09 18:05:09 UTC))));
    assert_eq!((suse.classification().as_str(), suse.release.as_str()), ("Recommended", "SLES 15-SP6"));
    assert!(!suse.is_in_force() && suse.reboot_suggested && suse.severity.is_empty() && suse.updated.is_none());
    assert_eq!(fedora.issued, Some(Stamp::Unreadable("soon".into())));
    assert!(fedora.is_in_force() && fedora.packages.is_empty());
}

#[test]
fn a_list_of_one_and_an_empty_list() {
    assert_eq!(read("<updates/>"), Ok(vec![]));
    let only = read("<update type='security'><id>A-1</id></update>").unwrap();
    assert_eq!((only.len(), only[0].id.as_str()), (1, "A-1"));
    assert!(read("<update type='security'><id>A-1</id></update><update/>").is_err());
}

#[test]
fn cut_anywhere_it_is_an_error() {
    for at in 0..UPDATEINFO.trim_end().len() {
        read(&UPDATEINFO[..at]).expect_err(&UPDATEINFO[..at]);
    }
}

#[test]
fn what_is_missing_or_wrong_is_an_error_that_says_where() {
    let error = |from: &str, to: &str| {
        assert!(UPDATEINFO.contains(from), "{from}");
        read(&UPDATEINFO.replacen(from, to, 1)).unwrap_err()
    };
    for (from, to, what) in [
        ("<id>ALAS2023-2025-123</id>", "", "<id> of an advisory is missing"),
        ("package name=\"dbus\"", "package", "the attribute `name` is missing"),
        (" version=\"1.12.28\"", "", "the attribute `version` is missing"),
        (" release=\"1.amzn2023.0.1\"", "", "the attribute `release` is missing"),
        (" arch=\"x86_64\"", "", "the attribute `arch` is missing"),
        ("epoch=\"1\"", "epoch=\"x\"", "the epoch is not a number"),
        (">True<", ">perhaps<", "`perhaps`: it is neither true nor false"),
        (" stream=\"18\"", "", "the attribute `stream` is missing"),
        ("</update>", "</updates>", "it is not the XML"),
    ] {
        assert!(error(from, to).to_string().contains(what), "{}", error(from, to));
    }
    let missing = error(" release=\"1.amzn2023.0.1\"", "");
    assert_eq!(missing.element, "updates/update/pkglist/collection/package");
    assert_eq!(missing.at, UPDATEINFO.find("<package ").unwrap() as u64);
    assert!(matches!(read("<metadata/>").unwrap_err().problem, Problem::Root { .. }));
}

/// The same advisory again and again, without ever being in memory as a whole.
struct Endless {
    one: Vec<u8>,
    left: usize,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.one.len() {
            if self.left == 0 {
                return Ok(0);
            }
            (self.at, self.left) = (0, self.left - 1);
        }
        let part = &self.one[self.at..];
        let count = part.len().min(buffer.len());
        buffer[..count].copy_from_slice(&part[..count]);
        self.at += count;
        Ok(count)
    }
}

#[test]
fn a_list_of_30_mb_is_never_in_memory_as_a_whole() {
    let start = UPDATEINFO.find("  <update ").unwrap();
    let one = UPDATEINFO.as_bytes()[start..UPDATEINFO.find("  <update status").unwrap()].to_vec();
    let left = (30 << 20) / one.len();
    let list = (&b"<updates>"[..]).chain(Endless { at: one.len(), one, left }).chain(&b"</updates>"[..]);
    let mut advisories = Advisories::new("u", BufReader::new(list)).unwrap();
    let mut count = 0;
    while let Some(advisory) = advisories.next() {
        assert!(!advisory.unwrap().id.is_empty());
        assert!(advisories.xml.kept() < 4096, "{} bytes are kept", advisories.xml.kept());
        count += 1;
    }
    assert_eq!(count, left * 3);
}
