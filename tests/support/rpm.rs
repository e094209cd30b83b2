//! A repository of synthetic RPM packages with advisories, made by rpmbuild and `createrepo_c` in a second or two. Both come
//! with the packages `rpm` and `createrepo-c` of Debian (scripts/test-prerequisites).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A package and what it becomes when everything is upgraded.
pub struct Package {
    pub name: &'static str,
    pub from: &'static str,
    /// The newer version; the same as `from` when there is none.
    pub to: &'static str,
    pub advisory: Option<Advisory>,
    /// Whether a machine has to be restarted after the upgrade.
    pub restart: bool,
}

/// Why there is a newer version.
#[derive(Clone, Copy)]
pub struct Advisory {
    pub id: &'static str,
    pub kind: &'static str,
    pub severity: &'static str,
    pub cve: Option<&'static str>,
}

const fn security(id: &'static str, severity: &'static str, cve: &'static str) -> Advisory {
    Advisory { id, kind: "security", severity, cve: Some(cve) }
}

const fn package(name: &'static str, from: &'static str, to: &'static str, advisory: Option<Advisory>) -> Package {
    Package { name, from, to, advisory, restart: false }
}

/// Installed before, and offered newer for the most part.
pub const PACKAGES: [Package; 8] = [
    package("amifix-lib", "1.0-1", "1.0-2", Some(security("FIX-2026-001", "Important", "CVE-2026-1001"))),
    package("amifix-web", "2.4.1-2", "2.4.1-10", Some(security("FIX-2026-002", "Critical", "CVE-2026-1002"))),
    package("amifix-conf", "3.0-1", "3.0-1.1", Some(security("FIX-2026-003", "Low", "CVE-2026-1003"))),
    package(
        "amifix-tool",
        "0.9-1",
        "0.10-1",
        Some(Advisory { id: "FIX-2026-004", kind: "bugfix", severity: "None", cve: None }),
    ),
    package("amifix-new", "1-1", "2-1", None),
    package("amifix-old", "1.0-1", "1.0-1", None),
    Package {
        restart: true,
        ..package("glibc", "2.34-1", "2.34-2", Some(security("FIX-2026-005", "Moderate", "CVE-2026-1004")))
    },
    Package {
        restart: true,
        ..package("kernel", "6.1.1-1", "6.1.2-1", Some(security("FIX-2026-006", "Important", "CVE-2026-1005")))
    },
];

/// What provides the names that scripts and package managers ask for.
const RELEASE: &str = "fixture-release";

/// The packages that a security advisory is about, in order.
pub fn security_packages() -> Vec<&'static str> {
    let of_security = PACKAGES.iter().filter(|package| package.advisory.is_some_and(|it| it.kind == "security"));
    let mut names: Vec<&str> = of_security.map(|package| package.name).collect();
    names.sort_unstable();
    names
}

/// Writes packages and index into a folder. `old/` has the versions to install first, beside the repository.
pub fn write(folder: &Path) {
    let (repository, old, build) = (folder.join("repository"), folder.join("old"), folder.join("build"));
    for place in [&repository, &old, &build] {
        fs::create_dir_all(place).unwrap();
    }
    let mut specs = vec![spec(
        RELEASE,
        "2023.1-1",
        "Provides: /bin/sh\nProvides: /bin/bash\nProvides: system-release = 2023\n\
        Provides: system-release(releasever) = 2023\n",
    )];
    for package in &PACKAGES {
        specs.push(spec(package.name, package.from, provides(package.name)));
        if package.to != package.from {
            specs.push(spec(package.name, package.to, provides(package.name)));
        }
    }
    let mut paths = Vec::new();
    for (at, text) in specs.iter().enumerate() {
        let path = build.join(format!("{at}.spec"));
        fs::write(&path, text).unwrap();
        paths.push(path);
    }
    let top = format!("_topdir {}", build.display());
    // Nothing compiled, nothing to strip, nothing to compress: a tenth of a second for each package.
    let quick = ["-bb", "--quiet", "--define", "__os_install_post %{nil}", "--define", "_binary_payload w0.ufdio"];
    run(Command::new("rpmbuild")
        .args(quick)
        .args(["--define", &top])
        .args(&paths)
        .env("SOURCE_DATE_EPOCH", "1600000000"));
    for file in fs::read_dir(build.join("RPMS/noarch")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_old = name.starts_with(RELEASE) || PACKAGES.iter().any(|it| name == file_name(it.name, it.from));
        fs::rename(&path, if is_old { &old } else { &repository }.join(&name)).unwrap();
    }
    run(Command::new("createrepo_c").arg("--quiet").arg(&repository));
    let advisories = build.join("updateinfo.xml");
    fs::write(&advisories, updateinfo()).unwrap();
    run(Command::new("modifyrepo_c").args(["--mdtype=updateinfo"]).arg(&advisories).arg(repository.join("repodata")));
    fs::remove_dir_all(&build).unwrap();
}

fn provides(name: &str) -> &'static str {
    match name {
        // Kernels are installed beside each other: so says the first to dnf, the second to zypper.
        "kernel" => {
            "Provides: installonlypkg(kernel)\nProvides: multiversion(kernel)\nProvides: installhint(reboot-needed)\n"
        }
        // zypper's word for what a restart is needed after; dnf has a list of names.
        "glibc" => "Provides: installhint(reboot-needed)\n",
        _ => "",
    }
}

fn spec(name: &str, version: &str, more: &str) -> String {
    let (number, release) = version.split_once('-').unwrap();
    let file = format!("/usr/share/amifix/{name}-{version}");
    format!(
        "Name: {name}\nVersion: {number}\nRelease: {release}\nSummary: fixture\nLicense: MIT\nBuildArch: noarch\n{more}\
         AutoReqProv: no\n%description\nA package made by code.\n%install\nmkdir -p %{{buildroot}}/usr/share/amifix\n\
         echo {version} >%{{buildroot}}{file}\n%files\n{file}\n"
    )
}

fn file_name(name: &str, version: &str) -> String {
    format!("{name}-{version}.noarch.rpm")
}

/// As Amazon Linux and SUSE publish it: updateinfo.xml of createrepo.
fn updateinfo() -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n".to_owned();
    for package in &PACKAGES {
        let Some(advisory) = package.advisory else { continue };
        let (number, release) = package.to.split_once('-').unwrap();
        let Advisory { id, kind, severity, cve } = advisory;
        let name = package.name;
        let reference = cve.map_or_else(String::new, |cve| {
            format!("<reference href=\"https://localhost/{cve}\" id=\"{cve}\" title=\"{cve}\" type=\"cve\"/>")
        });
        let restart = if package.restart { "<reboot_suggested>True</reboot_suggested>" } else { "" };
        let file = file_name(name, package.to);
        let _ = writeln!(
            text,
            "<update from=\"fixture@localhost\" status=\"final\" type=\"{kind}\" version=\"1\"><id>{id}</id>\
             <title>{name}</title><issued date=\"2026-01-01 00:00:00\"/><updated date=\"2026-01-01 00:00:00\"/>\
             <severity>{severity}</severity><description>{name}</description><references>{reference}</references>\
             <pkglist><collection short=\"fix\"><name>fix</name><package name=\"{name}\" epoch=\"0\" version=\"{number}\" \
             release=\"{release}\" arch=\"noarch\" src=\"{name}-{number}-{release}.src.rpm\"><filename>{file}</filename>\
             {restart}</package></collection></pkglist></update>"
        );
    }
    text + "</updates>\n"
}

/// Runs a program that must succeed.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}; install it with: scripts/test-prerequisites", command.get_program().display())
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {}\n{said}", command.get_program().display(), output.status);
}
