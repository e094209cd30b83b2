use super::*;
use crate::patch::rpm::{Packages, decompressed};
use std::io::BufReader;

/// As `createrepo_c` 0.17 writes it; the second list as an old createrepo.
const REPOMD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>1700000000</revision>
  <data type="primary">
    <checksum type="sha256">ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad</checksum>
    <open-checksum type="sha256">ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad</open-checksum>
    <location href="repodata/abc-primary.xml.gz"/>
    <timestamp>1700000000</timestamp>
    <size>3</size>
    <open-size>3</open-size>
  </data>
  <data type="updateinfo">
    <checksum type="sha">A9993E364706816ABA3E25717850C26C9CD0D89D</checksum>
    <location href="repodata/updateinfo.xml.gz"/>
    <timestamp>1700000000.25</timestamp>
  </data>
</repomd>
"#;

fn read(text: &str) -> Result<Repomd, MetadataError> {
    Repomd::read("repomd.xml", text.as_bytes())
}

#[test]
fn the_lists_are_read_and_their_bytes_checked() {
    let repomd = read(REPOMD).unwrap();
    assert_eq!((repomd.revision.as_str(), repomd.data.len()), ("1700000000", 2));
    let primary = repomd.primary().unwrap();
    assert_eq!((primary.size, primary.open_size, primary.timestamp), (Some(3), Some(3), Some(1_700_000_000)));
    assert_eq!(primary.location, "repodata/abc-primary.xml.gz");
    assert_eq!((primary.check(b"abc"), primary.check_open(b"abc")), (Ok(()), Ok(())));
    let error = primary.check(b"abd").unwrap_err();
    assert_eq!((error.file.as_str(), error.at), ("repodata/abc-primary.xml.gz", 3));
    assert!(error.to_string().contains("its sha256 is a52d159f"), "{error}");
    assert!(primary.check(b"ab").unwrap_err().to_string().contains("its size is 2 bytes and not 3"));
    assert!(primary.check_open(b"").is_err());
    let updateinfo = repomd.updateinfo().unwrap();
    assert_eq!((updateinfo.timestamp, updateinfo.size), (Some(1_700_000_000), None));
    assert_eq!((updateinfo.check(b"abc"), updateinfo.check_open(b"anything")), (Ok(()), Ok(())));
    assert!(repomd.find("modules").is_none());
}

#[test]
fn a_wrong_checksum_reaches_whoever_reads_the_list() {
    let primary = read(REPOMD).unwrap().primary().unwrap().clone();
    let list = "<metadata packages=\"0\"/>";
    let bytes = BufReader::new(primary.checked(list.as_bytes()));
    let found: Result<Vec<_>, _> =
        decompressed("p", bytes, 1000).and_then(|bytes| Packages::new("p", bytes)?.collect());
    let error = found.unwrap_err();
    assert!(matches!(&error.problem, Problem::Differs { what, .. } if what == "size"), "{error}");
    let right = Data { checksum: Checksum::read("sha1", &"0".repeat(40)).unwrap(), size: None, ..primary };
    let bytes = BufReader::new(right.checked(list.as_bytes()));
    let error = Packages::new("p", bytes).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(&error.problem, Problem::Differs { what, .. } if what == "sha1"), "{error}");
}

#[test]
fn cut_anywhere_it_is_an_error() {
    let end = REPOMD.trim_end().len();
    for at in (0..end).filter(|at| REPOMD.is_char_boundary(*at)) {
        let error = read(&REPOMD[..at]).expect_err(&REPOMD[..at]);
        assert!(matches!(error.problem, Problem::Empty | Problem::Truncated | Problem::Malformed(_)), "{at}: {error}");
    }
}

#[test]
fn what_is_missing_or_wrong_is_an_error_that_says_where() {
    let error = |from: &str, to: &str| {
        assert!(REPOMD.contains(from), "{from}");
        read(&REPOMD.replacen(from, to, 1)).unwrap_err()
    };
    let place = |text: &str| REPOMD.find(text).unwrap() as u64;
    let missing = error("    <location href=\"repodata/abc-primary.xml.gz\"/>\n", "");
    assert_eq!((missing.at, missing.element.as_str()), (place("<data type=\"primary\">"), "repomd/data"));
    assert_eq!(missing.problem, Problem::Missing("<location> of `primary`".into()));
    for (from, to, what) in [
        ("checksum", "other", "it is not the XML"),
        (" type=\"primary\"", "", "the attribute `type` is missing"),
        (" type=\"sha256\"", "", "the attribute `type` is missing"),
        ("\"sha256\"", "\"md5\"", "no kind of checksum"),
        ("ba7816bf", "", "no hexadecimal number"),
        ("<size>3", "<size>many", "`many`: it is not a number"),
        ("<size>3", "<size>-3", "`-3`: it is not a number"),
        ("<timestamp>1700000000<", "<timestamp><", "it is not a number"),
        ("href=\"repodata/abc", "href=\"../repodata/abc", "leads out of the repository"),
        ("href=\"repodata/abc", "href=\"/abc", "leads out of the repository"),
        ("href=\"repodata/abc", "href=\"http://other.example/abc", "leads out of the repository"),
    ] {
        assert!(error(from, to).to_string().contains(what), "{}", error(from, to));
    }
    let none = read("<repomd/>").unwrap_err();
    assert_eq!(none.problem, Problem::Missing("<data>".into()));
    let page = read("<html><body>Sign in</body></html>").unwrap_err();
    assert_eq!(page.problem, Problem::Root { found: "html".into(), expected: "repomd" });
    let other = read(&REPOMD.replace("type=\"primary\"", "type=\"filelists\"")).unwrap();
    assert_eq!(other.primary().unwrap_err().problem, Problem::NoData("primary".into()));
    let many = format!(
        "<repomd>{}</repomd>",
        REPOMD[usize::try_from(place("<data type=\"up")).unwrap()..].split("</repomd>").next().unwrap().repeat(201)
    );
    assert!(matches!(read(&many).unwrap_err().problem, Problem::Limit { limit: 200, .. }));
}
