//! Texts of package managers: versions, names, lists of installed packages, repositories, locks, and Debian's files: any
//! text is read without a panic, and what is shown reads back as the same.
#![no_main]

use amiforge::patch::debian::{DebianFiles, ListFile, Release, inventory, pins};
use amiforge::patch::rpm::{
    InstalledError, Stamp, Variables, dnf_excludes, installed, origins, repositories, versionlock, zypper_locks,
};
use amiforge::patch::{DebianVersion, Evr, Nevra, rpmvercmp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    versions(&text);
    match installed(&text) {
        Ok(mut packages) => {
            assert!(!packages.is_empty());
            let _ = origins(&text, &mut packages);
        }
        Err(error) => assert!(text.trim().is_empty() || error != InstalledError::NothingInstalled || text.contains("gpg-pubkey")),
    }
    let lines = text.lines().count().max(1);
    let variables = Variables::new("9", "x86_64");
    match repositories("f", &text, &variables) {
        Ok(all) => assert!(all.iter().all(|one| one.line <= lines)),
        Err(error) => assert!(error.line >= 1 && error.line <= lines, "{error}"),
    }
    for locks in [versionlock("f", &text), dnf_excludes("f", &text), zypper_locks("f", &text)] {
        match locks {
            Ok(all) => assert!(all.iter().all(|one| one.line >= 1 && one.line <= lines)),
            Err(error) => assert!(error.line >= 1 && error.line <= lines, "{error}"),
        }
    }
    let _ = (Stamp::read(&text), pins("f", &text));
    debian(&text);
});

fn versions(text: &str) {
    let (a, b) = text.split_once('\n').unwrap_or((text, ""));
    assert_eq!(rpmvercmp(a, b), rpmvercmp(b, a).reverse());
    if let (Ok(a), Ok(b)) = (a.parse::<Evr>(), b.parse::<Evr>()) {
        assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
    }
    if let (Ok(a), Ok(b)) = (a.parse::<DebianVersion>(), b.parse::<DebianVersion>()) {
        assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
    }
    if let Ok(evr) = a.parse::<Evr>() {
        assert_eq!(evr.to_string().parse::<Evr>().as_ref(), Ok(&evr));
    }
    if let Ok(nevra) = a.parse::<Nevra>() {
        assert_eq!(nevra.to_string().parse::<Nevra>().as_ref(), Ok(&nevra));
    }
}

/// The text as each of the files of a Debian system.
fn debian(text: &str) {
    let _ = Release::read("f", text);
    let list = |name: &str| ListFile { name: format!("h_dists_s_{name}"), bytes: text.as_bytes().to_vec() };
    let status = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";
    let files = |status: &str, lists| DebianFiles {
        os_release: "ID=debian\nVERSION_CODENAME=s\n".into(),
        status: status.into(),
        lists,
        trusted: vec![],
    };
    let _ = inventory(&files(text, vec![list("main_binary-amd64_Packages")]));
    let _ = inventory(&files(status, vec![list("InRelease"), list("main_binary-amd64_Packages")]));
}
