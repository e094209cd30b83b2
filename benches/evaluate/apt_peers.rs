//! apt and python-apt on the same data as real files, and debsecan.

use super::{ROUNDS_OF_PEERS, child, memory_row, ratio, row, run, time_of};
use amiforge::patch::debian::{Reader, trusted_prefixes};
use amiforge::patch::{Inventory, predefined};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "deb [trusted=yes] http://repo.example/debian bookworm main\n\
    deb [trusted=yes] http://repo.example/debian bookworm-security main\n";
const OS_RELEASE: &str = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";

/// What Patch Manager's own program does with python-apt: versions of security archives, newer than the installed one.
const PYTHON: &str = "import apt_pkg, sys
apt_pkg.init_config()
for setting in sys.argv[1:]:
    apt_pkg.config.set(*setting.split('=', 1))
apt_pkg.init_system()
cache = apt_pkg.Cache(None)
missing = 0
for package in cache.packages:
    current = package.current_ver
    if not current:
        continue
    newer = (v for v in package.version_list if apt_pkg.version_compare(v.ver_str, current.ver_str) > 0)
    missing += any('security' in f.archive.lower() for v in newer for f, _ in v.file_list)
print(missing, next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))
";

pub(super) fn compare(inventory: &Inventory) {
    if Command::new("apt-get").arg("--version").output().is_err() {
        println!("apt: not compared, it is not on this machine");
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-evaluate-apt");
    let _ = fs::remove_dir_all(&folder);
    let bytes = write(&folder, inventory);
    println!("\nthe same as files: {} MB of package lists; both sides begin with the files", bytes >> 20);
    let (ours, said) = time_of(|| child("apt", &folder));
    row("ours: start, status and lists, evaluated", ours);
    println!("{:<62}{:>10}", "  missing by the default baseline", said.count);
    memory_row("ours, largest memory of that", &said.peak);
    for cached in [false, true] {
        let cache = if cached { "with its cache of the lists" } else { "no cache of its own" };
        let settings = settings(&folder, cached);
        let (theirs, lines) = time_of(|| apt(&settings));
        row(&format!("apt list --upgradable, {cache}"), theirs);
        println!("{:<62}{lines:>10}", "  lines");
        ratio("  ratio apt / ours", theirs, ours);
        let python = Command::new("/usr/bin/python3").args(["-c", "import apt_pkg"]).output();
        if !python.is_ok_and(|output| output.status.success()) {
            println!("python-apt: not compared, python3-apt is not installed (scripts/bench-prerequisites)");
            continue;
        }
        let (theirs, (missing, peak)) = time_of(|| python_apt(&settings));
        row(&format!("python-apt, security versions, {cache}"), theirs);
        println!("{:<62}{missing:>10}", "  missing");
        memory_row("python-apt, largest memory of that", &peak);
        ratio("  ratio python-apt / ours", theirs, ours);
    }
    println!("  (medians of {ROUNDS_OF_PEERS})");
    debsecan(&folder);
}

/// It compares sources with the list of Debian's security tracker, and fetches that list first.
fn debsecan(folder: &Path) {
    let status = folder.join("status");
    let output = Command::new("debsecan").args(["--suite", "bookworm", "--status"]).arg(&status).output();
    let why = match output {
        Err(_) => "it is not installed (scripts/bench-prerequisites)".to_owned(),
        Ok(output) if output.status.success() => {
            let (theirs, ()) = time_of(|| {
                let _ = Command::new("debsecan").args(["--suite", "bookworm", "--status"]).arg(&status).output();
            });
            row("debsecan, which fetches its data each time", theirs);
            return;
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            format!(
                "its data is that of the security tracker, which cannot be had here: {}",
                said.lines().last().unwrap_or("?")
            )
        }
    };
    println!("debsecan: not compared, {why}");
}

/// Settings of apt for a system of its own.
fn settings(folder: &Path, cached: bool) -> Vec<String> {
    let inside = |name: &str, path: &str| format!("{name}={}", folder.join(path).display());
    let mut settings = vec![
        inside("Dir::Etc", "etc/apt"),
        inside("Dir::State", "."),
        inside("Dir::State::lists", "lists"),
        inside("Dir::State::status", "status"),
        inside("Dir::Cache", "cache"),
        "APT::Architecture=amd64".into(),
        "APT::Architectures=amd64".into(),
        "Debug::NoLocking=true".into(),
    ];
    for name in ["pkgcache", "srcpkgcache"] {
        let place = if cached { format!("{name}.bin") } else { String::new() };
        settings.push(format!("Dir::Cache::{name}={place}"));
    }
    settings
}

fn apt(settings: &[String]) -> usize {
    let mut apt = Command::new("apt");
    apt.env("LC_ALL", "C").env("APT_CONFIG", "/dev/null").args(settings.iter().map(|setting| format!("-o{setting}")));
    let output = apt.args(["list", "--upgradable"]).output().expect("apt starts");
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains("[upgradable from")).count()
}

fn python_apt(settings: &[String]) -> (String, String) {
    let mut python = Command::new("/usr/bin/python3");
    let output = python.env("APT_CONFIG", "/dev/null").args(["-c", PYTHON]).args(settings).output().expect("python");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = said.split_whitespace().map(str::to_owned);
    (words.next().unwrap_or("?".into()), words.next().unwrap_or("?".into()))
}

/// The whole way of ours, in a process of its own.
pub(super) fn whole(folder: &Path) -> u32 {
    let status = fs::read_to_string(folder.join("status")).expect("status");
    let mut reader = Reader::new(OS_RELEASE, &status).expect("what is installed");
    for prefix in trusted_prefixes("sources.list", SOURCES) {
        reader.declare_trusted(prefix);
    }
    for file in fs::read_dir(folder.join("lists")).expect("lists").flatten().filter(|file| file.path().is_file()) {
        let bytes = fs::read(file.path()).expect("a list");
        reader.add(&file.file_name().to_string_lossy(), &bytes).expect("a whole list");
    }
    let baseline = predefined("AWS-DebianDefaultPatchBaseline").expect("it is predefined");
    run(&baseline, &reader.finish().expect("an inventory")).counts.missing
}

/// Writes the system; how many bytes its lists have.
fn write(folder: &Path, inventory: &Inventory) -> usize {
    for place in ["etc/apt/apt.conf.d", "etc/apt/preferences.d", "lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(place)).expect("a folder");
    }
    let stanza = |name: &str, version: &str, more: &str| {
        format!(
            "Package: {name}\n{more}Priority: optional\nSection: libs\nInstalled-Size: 1\nMaintainer: Nobody <nobody@localhost>\n\
             Architecture: amd64\nSource: {name}\nVersion: {version}\nDescription: a package of a benchmark\n"
        )
    };
    let mut status = String::new();
    for package in &inventory.installed {
        let _ = writeln!(status, "{}", stanza(&package.name, &package.version, "Status: install ok installed\n"));
    }
    fs::write(folder.join("status"), status).expect("status");
    fs::write(folder.join("etc/apt/sources.list"), SOURCES).expect("sources");
    // The release pocket has the versions before, as a release has.
    let mut lists = [String::new(), String::new()];
    for record in inventory.others.iter().flat_map(amiforge::patch::OtherOffers::records) {
        let before = record.version.replace("-2", "-1");
        for (list, version) in lists.iter_mut().zip([before.as_str(), record.version]) {
            let name = record.name;
            let more = format!(
                "Filename: pool/main/{name}_{version}_amd64.deb\nSize: 123456\nMD5sum: {0:032x}\nSHA256: {0:064x}\nHomepage: https://localhost/{name}\n",
                name.len()
            );
            let _ = writeln!(list, "{}", stanza(name, version, &more));
        }
    }
    for (suite, list) in ["bookworm", "bookworm-security"].into_iter().zip(&lists) {
        let stem = format!("repo.example_debian_dists_{suite}_");
        let release = format!("Suite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\n");
        fs::write(folder.join(format!("lists/{stem}Release")), release).expect("a release");
        fs::write(folder.join(format!("lists/{stem}main_binary-amd64_Packages")), list).expect("a list");
    }
    lists.iter().map(String::len).sum()
}
