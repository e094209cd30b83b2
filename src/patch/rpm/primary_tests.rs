use super::*;

/// As `createrepo_c` 0.17 writes it, shortened.
const PRIMARY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="2">
<package type="rpm">
  <name>openssl</name>
  <arch>x86_64</arch>
  <version epoch="1" ver="3.0.8" rel="1.amzn2023.0.20"/>
  <checksum type="sha256" pkgid="YES">ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad</checksum>
  <summary>Utilities &amp; libraries</summary>
  <description>d</description>
  <packager></packager>
  <url>https://www.example/</url>
  <time file="1764150000" build="1764100000"/>
  <size package="1000" installed="2000" archive="2100"/>
  <location href="Packages/openssl-3.0.8-1.amzn2023.0.20.x86_64.rpm"/>
  <format>
    <rpm:license>ASL 2.0</rpm:license>
    <rpm:vendor>Amazon Linux</rpm:vendor>
    <rpm:sourcerpm>openssl-3.0.8-1.amzn2023.0.20.src.rpm</rpm:sourcerpm>
    <rpm:header-range start="4504" end="7097"/>
    <rpm:provides>
      <rpm:entry name="openssl" flags="EQ" epoch="1" ver="3.0.8" rel="1.amzn2023.0.20"/>
    </rpm:provides>
    <file>/usr/bin/openssl</file>
  </format>
</package>
<package type="rpm">
  <name>bash</name>
  <arch>noarch</arch>
  <version epoch="" ver="5.2" rel="1"/>
  <location href="bash.rpm"/>
</package>
</metadata>
"#;

fn read(text: &str) -> Result<Vec<AvailablePackage>, MetadataError> {
    Packages::new("primary.xml", text.as_bytes())?.collect()
}

#[test]
fn packages_are_read() {
    let packages = read(PRIMARY).unwrap();
    let openssl = &packages[0];
    assert_eq!((openssl.name.as_str(), openssl.arch.as_str()), ("openssl", "x86_64"));
    assert_eq!(openssl.evr.to_string(), "1:3.0.8-1.amzn2023.0.20");
    assert_eq!((openssl.build_time, openssl.file_time), (Some(1_764_100_000), Some(1_764_150_000)));
    assert_eq!(openssl.size, Some(Size { package: 1000, installed: 2000 }));
    assert_eq!(openssl.source_rpm, "openssl-3.0.8-1.amzn2023.0.20.src.rpm");
    assert_eq!((openssl.vendor.as_str(), openssl.checksum.as_ref().unwrap().kind.as_str()), ("Amazon Linux", "sha256"));
    let bash = &packages[1];
    assert_eq!((bash.evr.epoch, bash.build_time, bash.size, bash.location.as_str()), (0, None, None, "bash.rpm"));
    assert_eq!(read("<metadata packages='0'/>"), Ok(vec![]));
}

#[test]
fn cut_anywhere_it_is_an_error() {
    for at in 0..PRIMARY.trim_end().len() {
        read(&PRIMARY[..at]).expect_err(&PRIMARY[..at]);
    }
}

#[test]
fn what_is_missing_or_wrong_is_an_error_that_says_where() {
    let error = |from: &str, to: &str| {
        assert!(PRIMARY.contains(from), "{from}");
        read(&PRIMARY.replacen(from, to, 1)).unwrap_err()
    };
    for (from, to, what) in [
        ("packages=\"2\"", "packages=\"3\"", "has 2 packages and not 3"),
        (" packages=\"2\"", "", "the attribute `packages` is missing"),
        ("packages=\"2\"", "packages=\"two\"", "`two`: it is not a number"),
        ("<name>openssl</name>", "", "<name> of a package is missing"),
        ("<name>openssl</name>", "<name> </name>", "<name> of a package is missing"),
        ("<arch>x86_64</arch>", "", "<arch> of a package is missing"),
        ("<version epoch=\"1\" ver=\"3.0.8\" rel=\"1.amzn2023.0.20\"/>", "", "<version> of a package is missing"),
        ("ver=\"3.0.8\"", "", "the attribute `ver` is missing"),
        ("rel=\"1.amzn2023.0.20\"", "rel=\"\"", "the attribute `rel` is missing"),
        ("ver=\"3.0.8\"", "ver=\"3-0\"", "it has a character that separates parts"),
        ("epoch=\"1\"", "epoch=\"one\"", "the epoch is not a number"),
        ("build=\"1764100000\"", "build=\"\"", "it is not a number"),
        ("package=\"1000\"", "package=\"-1\"", "it is not a number"),
        ("<location href=\"bash.rpm\"/>", "", "<location> of a package is missing"),
        ("href=\"bash.rpm\"", "href=\"a/../../bash.rpm\"", "leads out of the repository"),
        ("\"sha256\"", "\"crc\"", "no kind of checksum"),
        ("&amp;", "&nbsp;", "`&nbsp;` is unknown"),
        ("<metadata", "<updates", "it is <updates> and not <metadata>"),
    ] {
        assert!(error(from, to).to_string().contains(what), "{}", error(from, to));
    }
    let missing = error("<name>openssl</name>", "");
    assert_eq!((missing.at, missing.element.as_str()), (PRIMARY.find("<package").unwrap() as u64, "metadata/package"));
    assert!(matches!(read("<updates/>").unwrap_err().problem, Problem::Root { .. }));
}

#[test]
fn it_ends_after_the_first_error() {
    let text = PRIMARY.replacen("ver=\"3.0.8\"", "", 1);
    let mut packages = Packages::new("p", text.as_bytes()).unwrap();
    assert!(packages.next().unwrap().is_err());
    assert!(packages.next().is_none());
}
