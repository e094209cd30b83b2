//! A pool of real, empty RPM packages, built once and kept in the build's folder until this code changes.

use crate::support::image::digits;
use crate::support::rpm::run;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Versions with everything that versions have. The order is none.
const VERSIONS: [&str; 8] = [
    "1.0-1",
    "1.0-2",
    "1.0-10.el9_5",
    "1.0-10.el9",
    "1.1~rc1-1",
    "1.1^git2-1",
    "2:0.9-1.amzn2023.0.1",
    "2:0.9-1.amzn2023",
];

/// Names, and what their packages are built for. `moved` goes from one to the other with its versions.
const NAMES: [(&str, &str); 9] = [
    ("plain", "x86_64"),
    ("multi", "x86_64 i686"),
    ("multi-libs", "x86_64 i686"),
    ("docs", "noarch"),
    ("python3-data.d", "noarch"),
    ("g++-tools", "x86_64"),
    ("moved", "moved"),
    ("other", "x86_64"),
    ("kernel", "x86_64"),
];

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rpm {
    pub name: &'static str,
    pub arch: &'static str,
    /// `[epoch:]version-release`.
    pub version: &'static str,
    pub path: PathBuf,
}

impl Rpm {
    /// Epoch, version and release.
    pub fn parts(&self) -> (&'static str, &'static str, &'static str) {
        let (epoch, rest) = self.version.split_once(':').unwrap_or(("0", self.version));
        let (version, release) = rest.split_once('-').unwrap();
        (epoch, version, release)
    }
}

pub static POOL: LazyLock<Vec<Rpm>> = LazyLock::new(make);

/// Every package there is to be, without a place.
fn wanted() -> Vec<Rpm> {
    let mut wanted = vec![];
    for (name, arches) in NAMES {
        for (at, version) in VERSIONS.into_iter().enumerate() {
            let arches = match arches {
                "moved" if at % 3 == 0 => "noarch",
                "moved" => "x86_64",
                arches => arches,
            };
            wanted.extend(arches.split(' ').map(|arch| Rpm { name, arch, version, path: PathBuf::new() }));
        }
    }
    wanted
}

fn make() -> Vec<Rpm> {
    let key = digits(include_str!("rpm_pool.rs").as_bytes());
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-pool");
    fs::create_dir_all(&base).unwrap();
    let lock = fs::File::create(base.join("lock")).unwrap();
    lock.lock().unwrap();
    let folder = base.join(&key[..16]);
    if !folder.join("whole").exists() {
        for old in fs::read_dir(&base).unwrap().flatten().filter(|old| old.path().is_dir()) {
            fs::remove_dir_all(old.path()).unwrap();
        }
        build(&folder, &wanted());
        fs::write(folder.join("whole"), "").unwrap();
    }
    let place = |mut rpm: Rpm| {
        let (_, version, release) = rpm.parts();
        rpm.path = folder.join(format!("RPMS/{}/{}-{version}-{release}.{}.rpm", rpm.arch, rpm.name, rpm.arch));
        assert!(rpm.path.exists(), "{rpm:?}");
        rpm
    };
    wanted().into_iter().map(place).collect()
}

fn build(folder: &Path, wanted: &[Rpm]) {
    fs::create_dir_all(folder.join("specs")).unwrap();
    for arch in ["noarch", "x86_64", "i686"] {
        let of_arch = wanted.iter().filter(|rpm| rpm.arch == arch).enumerate();
        let specs: Vec<PathBuf> = of_arch
            .map(|(at, rpm)| {
                let path = folder.join(format!("specs/{arch}-{at}.spec"));
                fs::write(&path, spec(rpm)).unwrap();
                path
            })
            .collect();
        let top = format!("_topdir {}", folder.display());
        let quick = ["-bb", "--quiet", "--target", arch, "--define", "__os_install_post %{nil}"];
        run(Command::new("rpmbuild")
            .args(quick)
            .args(["--define", "debug_package %{nil}", "--define", "_binary_payload w0.ufdio", "--define", &top])
            .args(&specs)
            .env("SOURCE_DATE_EPOCH", "1600000000"));
    }
}

fn spec(rpm: &Rpm) -> String {
    let (epoch, version, release) = rpm.parts();
    let mut text = format!("Name: {}\nVersion: {version}\nRelease: {release}\n", rpm.name);
    if epoch != "0" {
        let _ = writeln!(text, "Epoch: {epoch}");
    }
    if rpm.arch == "noarch" {
        text += "BuildArch: noarch\n";
    }
    if rpm.name == "kernel" {
        // Several are installed beside each other.
        text += "Provides: installonlypkg(kernel)\n";
    }
    text + "Summary: fixture\nLicense: MIT\nAutoReqProv: no\n%description\nA package made by code.\n%files\n"
}
