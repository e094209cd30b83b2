//! A Debian repository of synthetic packages: an archive suite, one with updates and one with security updates.

use super::archive::{Entry, ar, gzip, tar_gz};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Code name of the release.
pub const RELEASE: &str = "fix12";

/// What version 1 of the installed packages becomes when everything is upgraded: (package, from, to, suite).
pub const UPGRADES: [(&str, &str, &str, &str); 6] = [
    ("amifix-lib", "1.0-1", "1.0-1+deb12u1", "fix12-security"),
    ("amifix-web", "2.4.1-2", "2.4.1-2+deb12u2", "fix12-security"),
    ("amifix-conf", "3.0-1", "3.0-1+deb12u1", "fix12-security"),
    ("amifix-docs", "1:0.5-4", "1:0.5-4+deb12u1", "fix12-security"),
    ("linux-image-fix", "6.1.1-1", "6.1.2-1", "fix12-security"),
    ("amifix-tool", "0.9-1", "0.9-1+deb12u1", "fix12-updates"),
];

/// Installed, and nowhere newer.
pub const UNCHANGED: (&str, &str) = ("amifix-old", "1.0-1");

/// Offered, and not installed.
pub const NOT_INSTALLED: (&str, &str) = ("amifix-extra", "1.0-1");

/// The architectures the indexes are written for; the packages are for all.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// A repository in a folder.
#[derive(Debug, Clone)]
pub struct Repo {
    /// Where it is; the sources name it by this path.
    pub folder: PathBuf,
}

struct Package {
    name: &'static str,
    version: &'static str,
    depends: &'static str,
    section: &'static str,
    priority: &'static str,
    /// Entries of the changelog below the first, newest first, and what the first one says.
    cve: Option<&'static str>,
}

impl Package {
    fn new(name: &'static str, version: &'static str) -> Self {
        let (depends, section, priority) = match name {
            "amifix-web" => ("amifix-lib", "httpd", "optional"),
            "amifix-lib" => ("", "libs", "important"),
            "linux-image-fix" => ("", "kernel", "optional"),
            "amifix-docs" => ("", "doc", "extra"),
            _ => ("", "admin", "optional"),
        };
        Self { name, version, depends, section, priority, cve: None }
    }

    fn security(name: &'static str, version: &'static str) -> Self {
        let cve = match name {
            "amifix-lib" => "CVE-2026-0001",
            "amifix-web" => "CVE-2026-0002",
            "linux-image-fix" => "CVE-2026-0003",
            _ => "CVE-2026-0004",
        };
        Self { cve: Some(cve), ..Self::new(name, version) }
    }

    fn control(&self) -> String {
        let mut text = format!(
            "Package: {}\nVersion: {}\nArchitecture: all\nMaintainer: Fixture <fixture@localhost>\nInstalled-Size: 8\n",
            self.name, self.version
        );
        if !self.depends.is_empty() {
            let _ = writeln!(text, "Depends: {}", self.depends);
        }
        let _ = writeln!(text, "Section: {}\nPriority: {}", self.section, self.priority);
        let _ = writeln!(text, "Description: fixture {}\n A package made by code.", self.name);
        text
    }

    fn changelog(&self) -> Vec<u8> {
        let entry = |version: &str, urgency: &str, text: &str| {
            format!(
                "{} ({version}) fix12; urgency={urgency}\n\n  * {text}\n\n -- Fixture <fixture@localhost>  Sat, 10 Jun 2023 00:00:00 +0000\n",
                self.name
            )
        };
        let first = UPGRADES.iter().find(|(name, ..)| *name == self.name).map_or(self.version, |(_, from, ..)| from);
        let mut text = match self.cve {
            Some(cve) => entry(self.version, "high", &format!("Fix a flaw. ({cve})")) + "\n",
            None if self.version != first => entry(self.version, "medium", "Data update.") + "\n",
            None => String::new(),
        };
        text += &entry(first, "medium", "First version.");
        gzip(text.as_bytes())
    }

    fn data(&self) -> Vec<Entry> {
        let program = format!("#!/bin/sh\necho {} {}\n", self.name, self.version);
        let mut entries = vec![
            Entry::file(&format!("usr/bin/{}", self.name), 0o755, program),
            Entry::file(&format!("usr/share/doc/{}/changelog.Debian.gz", self.name), 0o644, self.changelog()),
        ];
        if self.name == "amifix-conf" {
            entries.push(Entry::file("etc/amifix.conf", 0o644, format!("# of {}\n", self.version)));
        }
        entries
    }

    /// Files of the control archive beside `control`.
    fn scripts(&self) -> Vec<Entry> {
        match self.name {
            // As Debian's kernels do through their hooks.
            "linux-image-fix" => vec![Entry::file(
                "postinst",
                0o755,
                "#!/bin/sh\nset -e\nif [ \"$1\" = configure ] && [ -n \"$2\" ]; then\n  \
                 echo '*** System restart required ***' > /run/reboot-required\n  \
                 echo linux-image-fix >> /run/reboot-required.pkgs\nfi\n",
            )],
            // A service that policy-rc.d must keep from starting.
            "amifix-web" => vec![Entry::file(
                "postinst",
                0o755,
                "#!/bin/sh\nset -e\nif [ -x /usr/sbin/policy-rc.d ] && ! /usr/sbin/policy-rc.d amifix-web start; then\n  \
                 echo 'policy-rc.d denied start of amifix-web'\nfi\n",
            )],
            "amifix-conf" => vec![Entry::file("conffiles", 0o644, "/etc/amifix.conf\n")],
            _ => Vec::new(),
        }
    }

    fn deb(&self) -> Vec<u8> {
        let mut control = vec![Entry::file("control", 0o644, self.control())];
        control.extend(self.scripts());
        ar(&[
            ("debian-binary", b"2.0\n"),
            ("control.tar.gz", &tar_gz(&control)),
            ("data.tar.gz", &tar_gz(&self.data())),
        ])
    }

    fn file_name(&self) -> String {
        let version = self.version.split_once(':').map_or(self.version, |(_, version)| version);
        format!("pool/{}_{version}_all.deb", self.name)
    }
}

fn archive_suite() -> Vec<Package> {
    let mut packages: Vec<Package> = UPGRADES.iter().map(|(name, from, ..)| Package::new(name, from)).collect();
    packages.extend([UNCHANGED, NOT_INSTALLED].map(|(name, version)| Package::new(name, version)));
    packages
}

fn later_suite(suite: &str) -> Vec<Package> {
    let of_suite = UPGRADES.iter().filter(|(.., its)| *its == suite);
    let make = if suite.ends_with("-security") { Package::security } else { Package::new };
    of_suite.map(|(name, _, to, _)| make(name, to)).collect()
}

/// Writes the repository into a folder.
pub fn write(folder: &Path) -> Repo {
    write_where(folder, "", "")
}

/// The same, where the updated version of one package depends on something else.
pub fn write_where(folder: &Path, name: &str, depends: &'static str) -> Repo {
    fs::create_dir_all(folder.join("pool")).unwrap();
    for (suffix, label) in [("", "Debian"), ("-updates", "Debian"), ("-security", "Debian-Security")] {
        let suite = format!("{RELEASE}{suffix}");
        let mut packages = if suffix.is_empty() { archive_suite() } else { later_suite(&suite) };
        for package in packages.iter_mut().filter(|package| package.name == name && !suffix.is_empty()) {
            package.depends = depends;
        }
        let mut index = String::new();
        for package in &packages {
            let deb = package.deb();
            fs::write(folder.join(package.file_name()), &deb).unwrap();
            let (file, size, sum) = (package.file_name(), deb.len(), sha256(&deb));
            let _ = writeln!(index, "{}Filename: {file}\nSize: {size}\nSHA256: {sum}\n", package.control());
        }
        write_suite(folder, &suite, &format!("stable{suffix}"), label, &index);
    }
    Repo { folder: folder.to_owned() }
}

fn write_suite(folder: &Path, codename: &str, suite: &str, label: &str, index: &str) {
    let dists = folder.join("dists").join(codename);
    let mut sums = String::new();
    for architecture in ARCHITECTURES {
        let place = format!("main/binary-{architecture}");
        fs::create_dir_all(dists.join(&place)).unwrap();
        for (name, bytes) in [("Packages", index.as_bytes().to_vec()), ("Packages.gz", gzip(index.as_bytes()))] {
            let path = format!("{place}/{name}");
            let _ = writeln!(sums, " {} {} {path}", sha256(&bytes), bytes.len());
            fs::write(dists.join(&path), bytes).unwrap();
        }
    }
    let release = format!(
        "Origin: Debian\nLabel: {label}\nSuite: {suite}\nVersion: 12\nCodename: {codename}\n\
         Date: Sat, 10 Jun 2023 00:00:00 UTC\nArchitectures: all {}\nComponents: main\n\
         Description: Fixture {codename}\nNo-Support-for-Architecture-all: Packages\nSHA256:\n{sums}",
        ARCHITECTURES.join(" ")
    );
    fs::write(dists.join("Release"), release).unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

impl Repo {
    /// Lines for sources.list: all three suites of this repository and nothing else.
    pub fn sources(&self) -> String {
        ["", "-updates", "-security"].iter().fold(String::new(), |text, suffix| {
            text + &format!("deb [trusted=yes] file:{} {RELEASE}{suffix} main\n", self.folder.display())
        })
    }

    /// Makes this repository the only source of a root.
    pub fn use_in(&self, root: &Path) {
        let folder = root.join("etc/apt/sources.list.d");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let _ = fs::remove_file(root.join("etc/apt/sources.list"));
        fs::write(folder.join("fixture.list"), self.sources()).unwrap();
    }

    /// Makes a root an outdated one: version 1 of the packages is installed, this repository is its only source.
    pub fn make_outdated(&self, root: &Path) {
        self.use_in(root);
        install_first_versions(root);
    }
}

/// Installs version 1 of the packages into a root, as dpkg would have, without running it.
pub fn install_first_versions(root: &Path) {
    let status = root.join("var/lib/dpkg/status");
    let mut text = fs::read_to_string(&status).unwrap();
    for package in archive_suite().iter().filter(|package| package.name != NOT_INSTALLED.0) {
        install(package, root);
        let control = package.control();
        let (first, rest) = control.split_once('\n').unwrap();
        let _ = write!(text, "{first}\nStatus: install ok installed\n{rest}");
        if package.name == "amifix-conf" {
            let sum = md5_of_conf(root);
            let _ = write!(text, "Conffiles:\n /etc/amifix.conf {sum}\n");
        }
        text.push('\n');
    }
    fs::write(status, text).unwrap();
}

fn install(package: &Package, root: &Path) {
    let info = root.join("var/lib/dpkg/info");
    let mut list = vec!["/.".to_owned()];
    for entry in package.data() {
        for (at, _) in entry.path.match_indices('/') {
            list.push(format!("/{}", &entry.path[..at]));
        }
        list.push(format!("/{}", entry.path));
        let path = root.join(&entry.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        put(&path, &entry);
    }
    list.dedup();
    fs::write(info.join(format!("{}.list", package.name)), list.join("\n") + "\n").unwrap();
    fs::write(info.join(format!("{}.md5sums", package.name)), md5_sums(root, &package.data())).unwrap();
    for entry in package.scripts() {
        put(&info.join(format!("{}.{}", package.name, entry.path)), &entry);
    }
}

fn put(path: &Path, entry: &Entry) {
    fs::write(path, entry.content.as_deref().unwrap_or_default()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(entry.mode)).unwrap();
}

/// `sum  path` of files; nothing of ours computes this sum, but every Debian has the program.
fn md5_sums(root: &Path, entries: &[Entry]) -> String {
    let paths = entries.iter().map(|entry| &entry.path);
    let output = std::process::Command::new("md5sum").current_dir(root).args(paths).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The sum dpkg compares to see whether an administrator has changed a configuration file.
fn md5_of_conf(root: &Path) -> String {
    md5_sums(root, &[Entry::file("etc/amifix.conf", 0o644, "")]).split_whitespace().next().unwrap().to_owned()
}
