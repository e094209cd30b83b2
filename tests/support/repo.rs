//! A synthetic Debian repository written by code: packages (ar, tar, gzip), Packages and Release, three suites.

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// One version of one package.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    pub package: &'static str,
    pub version: &'static str,
    /// Maintainer script that runs after the files are in place.
    pub postinst: Option<&'static str>,
}

/// What the three suites offer. `-security` has what must be patched, `-updates` what need not.
pub const RELEASE: &[Version] = &[plain("fix-alpha", "1.0-1"), plain("fix-beta", "1:2.0-1"), plain("fix-gamma", "3.0-1"), plain("fix-delta", "4.0-1"), plain("fix-kernel", "6.1.1-1")];
pub const UPDATES: &[Version] = &[plain("fix-gamma", "3.1-1"), plain("fix-alpha", "1.0-1+deb12u9")];
pub const SECURITY: &[Version] = &[
    plain("fix-alpha", "1.0-1+deb12u2"),
    plain("fix-beta", "1:2.0-1+deb12u10"),
    Version { package: "fix-kernel", version: "6.1.2-1", postinst: Some("#!/bin/sh\nset -e\n[ \"$1\" = configure ] && echo '*** System restart required ***' >/run/reboot-required\nexit 0\n") },
];

const fn plain(package: &'static str, version: &'static str) -> Version {
    Version { package, version, postinst: None }
}

/// The release the suites belong to: the cloned root is one of this machine's own release.
fn codename() -> String {
    let os = fs::read_to_string("/etc/os-release").expect("os-release");
    let name = os.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.expect("a release with a code name").trim_matches('"').to_owned()
}

/// Writes the repository: the release, its `-updates` and its `-security`.
pub fn write(directory: &Path) {
    let release = codename();
    suite(directory, &release, "Fixture", RELEASE);
    suite(directory, &format!("{release}-updates"), "Fixture", UPDATES);
    suite(directory, &format!("{release}-security"), "Fixture-Security", SECURITY);
}

/// The lines of a sources.list for it.
pub fn sources(directory: &Path) -> String {
    let release = codename();
    let line = |pocket: &str| format!("deb [trusted=yes] file:{} {release}{pocket} main\n", directory.display());
    ["", "-updates", "-security"].map(line).concat()
}

fn suite(directory: &Path, suite: &str, label: &str, versions: &[Version]) {
    let mut packages = String::new();
    for version in versions {
        let deb = deb(version);
        let path = format!("pool/{}_{}_all.deb", version.package, version.version.replace(':', "%3a"));
        write_file(&directory.join(&path), &deb);
        let _ = writeln!(packages, "{}Filename: {path}\nSize: {}\nSHA256: {}\n", control(version), deb.len(), hex(&deb));
    }
    let mut sums = String::new();
    for arch in ["amd64", "arm64", "all"] {
        let index = format!("main/binary-{arch}/Packages");
        write_file(&directory.join(format!("dists/{suite}/{index}")), packages.as_bytes());
        let _ = writeln!(sums, " {} {} {index}", hex(packages.as_bytes()), packages.len());
    }
    let release = format!(
        "Origin: Fixture\nLabel: {label}\nSuite: {suite}\nCodename: {suite}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nArchitectures: amd64 arm64 all\nComponents: main\nSHA256:\n{sums}"
    );
    write_file(&directory.join(format!("dists/{suite}/Release")), release.as_bytes());
}

fn write_file(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("the repository's folder");
    fs::write(path, bytes).expect("a file of the repository");
}

/// The control stanza; also what dpkg's status holds of an installed version, but for its `Status`.
pub fn control(version: &Version) -> String {
    format!(
        "Package: {}\nVersion: {}\nArchitecture: all\nMaintainer: Fixture <fixture@example.org>\nInstalled-Size: 4\nSection: misc\nPriority: optional\nDescription: fixture package\n",
        version.package, version.version
    )
}

/// Files a version installs: path and content.
pub fn files(version: &Version) -> Vec<(String, String)> {
    let share = format!("usr/share/{}", version.package);
    vec![(format!("{share}/version"), format!("{}\n", version.version))]
}

fn deb(version: &Version) -> Vec<u8> {
    let mut members = vec![("./control".to_owned(), control(version), 0o644)];
    members.extend(version.postinst.map(|script| ("./postinst".to_owned(), script.to_owned(), 0o755)));
    let data = files(version).into_iter().map(|(path, content)| (format!("./{path}"), content, 0o644)).collect();
    let mut out = b"!<arch>\n".to_vec();
    for (name, bytes) in [("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", tar_gz(members)), ("data.tar.gz", tar_gz(data))] {
        let _ = write!(out, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len());
        out.extend_from_slice(&bytes);
        if bytes.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

fn tar_gz(members: Vec<(String, String, u32)>) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    let mut folders = vec!["./".to_owned()];
    for (path, _, _) in &members {
        for (at, _) in path.match_indices('/').skip(1) {
            if !folders.contains(&path[..=at].to_owned()) {
                folders.push(path[..=at].to_owned());
            }
        }
    }
    for folder in &folders {
        out.write_all(&tar_header(folder, 0, 0o755, b'5')).expect("memory");
    }
    for (path, content, mode) in members {
        out.write_all(&tar_header(&path, content.len(), mode, b'0')).expect("memory");
        out.write_all(content.as_bytes()).expect("memory");
        out.write_all(&vec![0; (512 - content.len() % 512) % 512]).expect("memory");
    }
    out.write_all(&[0; 1024]).expect("memory");
    out.finish().expect("memory")
}

fn tar_header(path: &str, size: usize, mode: u32, kind: u8) -> [u8; 512] {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, path);
    put(100, &format!("{mode:07o}\0"));
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(257, "ustar\x0000");
    put(265, "root");
    put(297, "root");
    header[156] = kind;
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
